"""From a printed invoice to the texts that the template lays out: everything worded, ordered and written out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from counterfoil.core.money import Money, currency_decimals, formatted, formatted_amount
from counterfoil.documents.addresses import address_lines, one_line
from counterfoil.documents.printed import PrintedInvoice, PrintedLine
from counterfoil.documents.wording import Wording, grouped_iban, wording

Texts = dict[str, Any]

_LETTER_PAPER = frozenset({"US", "CA", "MX", "PH", "CL", "CO", "VE", "PR"})
_ACCENT = re.compile(r"#[0-9a-fA-F]{6}")
_DEFAULT_ACCENT = "#1f5d46"
# A word that no column is wide enough for. Other scripts break by themselves or must not be cut between two letters.
_LONG_WORD = re.compile("[!-~\u00c0-\u024f]{40,}")
# So many signs of quantity, unit, price and net stand side by side at full size.
_FIGURE_SIGNS = 44
_CJK_FONTS = {"ko": "Noto Sans CJK KR", "zh": "Noto Sans CJK SC", "zh-Hant": "Noto Sans CJK TC"}


def sheet(printed: PrintedInvoice) -> Texts:
    """All texts of the document, safe to print: no control signs, and unseen breaks in words too long for a column."""
    words = wording(printed.language, printed.seller.address.country)
    texts: Texts = _printable(_Sheet(printed, words, words.document).texts())
    return texts


def document_date(printed: PrintedInvoice) -> date:
    """The day that the document itself bears; a draft without one gets a fixed day, since it must have some."""
    return printed.issued_on or date(2000, 1, 1)


@dataclass(frozen=True)
class _Sheet:
    printed: PrintedInvoice
    words: Wording
    labels: Mapping[str, str]

    def texts(self) -> Texts:
        printed, labels = self.printed, self.labels
        seller = printed.seller
        accent = seller.accent_colour if _ACCENT.fullmatch(seller.accent_colour) else _DEFAULT_ACCENT
        dated = document_date(printed)
        lines = [self.line(line) for line in printed.lines]
        number = printed.number if not printed.is_preview else printed.number or labels["draft"]
        return {
            "language": self.words.locale.language,
            "region": self.words.locale.territory,
            "cjk": _CJK_FONTS.get(printed.language, _CJK_FONTS.get(printed.language[:2], "Noto Sans CJK JP")),
            "paper": "us-letter" if seller.address.country in _LETTER_PAPER else "a4",
            "layout": "compact" if seller.layout == "compact" else "classic",
            "accent": accent,
            "title": labels[printed.kind],
            "number": number,
            "mark": labels["not_issued"] if printed.is_preview else "",
            "date": {"year": dated.year, "month": dated.month, "day": dated.day},
            "seller": self.seller(),
            "buyer": self.buyer(),
            "facts": self.facts(),
            "columns": self.columns(),
            "lines": lines,
            "running": self.running(),
            "figure-scale": _figure_scale(lines),
            "carried": labels["carried"],
            "totals": self.totals(),
            "remarks": self.remarks(),
            "slip": self.slip(),
            "footer": self.footer(),
            "page": labels["page"],
        }

    def seller(self) -> Texts:
        seller = self.printed.seller
        return {
            "label": self.labels["seller"],
            "name": seller.legal_name,
            "lines": address_lines(seller.address, self.words.language, self.printed.buyer.address.country),
            "contact": [part for part in (seller.email, seller.phone) if part],
            "return": " · ".join(part for part in (seller.legal_name, one_line(seller.address)) if part),
        }

    def buyer(self) -> Texts:
        buyer, labels = self.printed.buyer, self.labels
        home = self.printed.seller.address.country
        return {
            "label": labels["buyer"],
            "name": buyer.legal_name,
            "attention": labels["attention"].format(name=buyer.attention) if buyer.attention else "",
            "lines": address_lines(buyer.address, self.words.language, home),
            "tax_id": f"{labels['tax_id']} {buyer.tax_id}" if buyer.tax_id else "",
        }

    def facts(self) -> list[list[str]]:
        printed, labels = self.printed, self.labels
        is_invoice = printed.kind == "invoice"
        facts = [
            ("invoice_number" if is_invoice else "credit_note_number", printed.number),
            ("issued_on", self.words.date(printed.issued_on) if printed.issued_on else ""),
            ("due_on", self.words.date(printed.due_on) if printed.due_on and is_invoice else ""),
            ("corrects", printed.corrects),
            ("service", self.words.period(printed.service) if printed.service else ""),
            ("customer_number", printed.buyer.customer_number),
            ("po_number", printed.po_number),
        ]
        said = [[labels[label], value] for label, value in facts if value]
        named = [[one.name, self._in_words(one.value)] for one in printed.named if one.is_printed]
        return [*said, *named, *([what or labels["reference"], value] for what, value in printed.references)]

    def _in_words(self, value: str | Decimal | date) -> str:
        if isinstance(value, Decimal):
            return self.words.figure(value)
        return self.words.date(value) if isinstance(value, date) else value

    def columns(self) -> Texts:
        """The headings; the columns for discount and tax stand only where they say something."""
        labels, lines = self.labels, self.printed.lines
        return {
            "description": labels["description"],
            "quantity": labels["quantity"],
            "unit_price": labels["unit_price"],
            "discount": labels["discount"] if any(line.discount_percent for line in lines) else "",
            "tax": labels["tax"] if len({line.tax_label for line in lines}) > 1 else "",
            "net": f"{labels['total' if self.has_tax_in_prices() else 'amount']} ({self.printed.currency})",
        }

    def has_tax_in_prices(self) -> bool:
        return any(line.base is not None for line in self.printed.lines)

    def off_the_whole(self, line: PrintedLine) -> str:
        """What the document's discounts take off the line."""
        if line.before is None:
            return ""
        return f"{self.labels['discount']}: {formatted_amount(line.net - line.before, self.words.language)}"

    def line(self, line: PrintedLine) -> Texts:
        words, decimals = self.words, currency_decimals(self.printed.currency)
        details = [line.detail, words.period(line.service) if line.service else "", self.off_the_whole(line)]
        return {
            "position": str(line.position),
            "text": line.text,
            "detail": "\n".join(part for part in details if part),
            "quantity": words.number(line.quantity),
            "unit": words.unit(line.unit, line.quantity),
            "unit_price": words.number(line.unit_price, decimals),
            "discount": self.percent(line.discount_percent) if line.discount_percent else "",
            "tax": words.tax_words(line.tax_label),
            "net": formatted_amount(line.net, words.language),
        }

    def running(self) -> list[str]:
        """What is carried to the next page after each line."""
        sums, so_far = [], Money.zero(self.printed.currency)
        for line in self.printed.lines:
            so_far += line.net
            sums.append(formatted_amount(so_far, self.words.language))
        return sums

    def totals(self) -> list[Texts]:
        """From net to what is to pay. A document without tax and payments needs only its total."""
        printed, labels = self.printed, self.labels
        rows = []
        if printed.taxes:
            rows.append(self.row(labels["net_total"], printed.net))
        for tax in printed.taxes:
            base = formatted(tax.base, self.words.language)
            name = self.words.tax_words(tax.label)
            label = labels["tax_on"].format(label=name, base=base) if len(printed.taxes) > 1 else name
            rows.append(self.row(label, tax.amount))
        is_last = printed.kind == "credit_note" or not printed.paid
        rows.append(self.row(labels["total"], printed.total, "grand" if is_last else "sum"))
        if not is_last:
            rows.append(self.row(labels["paid"], -printed.paid))
            rows.append(self.row(labels["open"], printed.open, "grand"))
        return rows

    def row(self, label: str, money: Money, kind: str = "plain") -> Texts:
        return {"label": label, "amount": self.amount(money), "kind": kind}

    def remarks(self) -> list[Texts]:
        printed, labels = self.printed, self.labels
        reasons = dict.fromkeys(self.words.tax_words(tax.reason) for tax in printed.taxes if tax.reason)
        remarks = [
            ("", "\n".join(reasons)),
            (labels["terms"], self.terms() if printed.kind == "invoice" else ""),
            (labels["notes"], printed.notes),
        ]
        return [{"label": label, "text": text} for label, text in remarks if text.strip()]

    def terms(self) -> str:
        """The terms by their name, what is due when if in several parts, and what is enough if it comes early."""
        printed = self.printed
        early = printed.early
        lines = [
            printed.terms,
            *(f"{self.words.date(one.due_on)}: {self.amount(one.amount)}" for one in printed.instalments),
            *([self.labels["early"].format(date=self.words.date(early.due_on), amount=self.amount(early.amount))]
              if early else []),
        ]  # fmt: skip
        return "\n".join(line for line in lines if line)

    def slip(self) -> Texts:
        """The counterfoil below the perforation: the same number, the amount, and how to pay it."""
        printed, labels, seller = self.printed, self.labels, self.printed.seller
        is_invoice = printed.kind == "invoice"
        is_owed = is_invoice and printed.open.amount > 0
        reference = printed.reference or printed.number
        facts = [
            (labels["payer"] if is_owed else labels["buyer"], printed.buyer.legal_name),
            (labels["payee"], seller.legal_name),
            ("IBAN", grouped_iban(seller.iban)),
            ("BIC", seller.bic),
            (labels["bank"], seller.bank_name),
            (labels["reference"], reference),
        ]
        return {
            "title": labels["payment_slip"] if is_invoice else labels["credit_slip"],
            "label": labels["open"] if is_invoice else labels["credited"],
            "amount": self.amount(printed.open if is_invoice else printed.total),
            "phrase": self.phrase(is_owed, reference),
            "facts": [[label, value] for label, value in (facts if is_owed else facts[:1]) if value],
        }

    def phrase(self, is_owed: bool, reference: str) -> str:
        printed, labels = self.printed, self.labels
        if printed.kind == "credit_note":
            return labels["credit_phrase"]
        if not is_owed:
            return labels["nothing_to_pay"]
        if not reference:
            return labels["draft_pay"]
        if printed.due_on is None or printed.instalments:
            return labels["pay"].format(reference=reference)
        return labels["pay_by"].format(date=self.words.date(printed.due_on), reference=reference)

    def footer(self) -> list[str]:
        seller, labels = self.printed.seller, self.labels
        legal = [
            seller.legal_name,
            f"{labels['tax_id']} {seller.tax_id}" if seller.tax_id else "",
            f"{labels['registration_number']} {seller.registration_number}" if seller.registration_number else "",
            seller.email,
            seller.phone,
        ]
        return [line for line in (" · ".join(part for part in legal if part), seller.footer) if line]

    def amount(self, money: Money) -> str:
        return formatted(money, self.words.language)

    def percent(self, percent: Decimal) -> str:
        return f"{self.words.number(percent)}\u00a0%"


def _figure_scale(lines: list[Texts]) -> float:
    """Less than one where quantities and prices are so long that they would leave no room for the words."""
    columns = ("quantity", "unit", "unit_price", "net")
    signs = sum(max((len(line[column]) for line in lines), default=0) for column in columns)
    return min(1.0, _FIGURE_SIGNS / max(signs, 1))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        kept = value if value.isprintable() else "".join(_sign(letter) for letter in value.replace("\r\n", "\n"))
        return _LONG_WORD.sub(lambda found: "\u200b".join(found.group()), kept)
    if isinstance(value, dict):
        return {key: _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return value


def _sign(letter: str) -> str:
    """Control signs vanish; what no font can ever show becomes the sign for that."""
    category = unicodedata.category(letter)
    if category == "Cc":
        return letter if letter == "\n" else " " if letter == "\t" else ""
    return "\ufffd" if category in ("Cs", "Co", "Cn") else letter
