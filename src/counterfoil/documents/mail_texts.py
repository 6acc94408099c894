"""The mail that carries an invoice: its subject and its plain text, in the customer's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from counterfoil.core.money import Money, formatted
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.documents.wording import Wording, grouped_iban, wording


@dataclass(frozen=True)
class MailText:
    """A subject on one line and a body of plain text."""

    subject: str
    body: str


def invoice_mail(printed: PrintedInvoice, to_name: str = "") -> MailText:
    """The text of the mail. ``to_name`` is greeted when the mail goes to one person."""
    words = wording(printed.language, printed.seller.address.country)
    texts = words.mail
    facts = {"number": printed.number, "seller": printed.seller.legal_name}
    subject = texts[f"{printed.kind}_subject"].format(**facts)
    greeting = texts["greeting_named"].format(name=to_name) if to_name.strip() else texts["greeting"]
    first = texts[f"{printed.kind}_body"].format(total=formatted(printed.total, words.language), **facts)
    paragraphs = [
        greeting,
        " ".join([first, *_what_to_do(printed, words)]),
        "\n".join(_particulars(printed, words)),
        texts["closing"],
        f"{texts['regards']}\n{printed.seller.legal_name}",
    ]
    body = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return MailText(" ".join(subject.split()), body + "\n")


@dataclass(frozen=True)
class RisingPrice:
    """A price that rises: what it came to for each interval, what it will, and from when on."""

    description: str
    old: Decimal
    new: Decimal
    currency: str
    on: date


def increase_mail(
    prices: Sequence[RisingPrice], language: str, seller: str, country: str, title: str, to_name: str = ""
) -> MailText:
    """The text of the mail that tells of prices that rise."""
    words = wording(language, country)
    texts = words.mail
    lines = [
        texts["increase_line"].format(
            description=one.description,
            date=words.date(one.on),
            old=formatted(Money.exact(one.old, one.currency), words.language),
            new=formatted(Money.exact(one.new, one.currency), words.language),
        )
        for one in prices
    ]
    paragraphs = [
        texts["greeting_named"].format(name=to_name) if to_name.strip() else texts["greeting"],
        texts["increase_body"].format(title=title),
        "\n".join(lines),
        texts["closing"],
        f"{texts['regards']}\n{seller}",
    ]
    subject = texts["increase_subject"].format(title=title, seller=seller)
    return MailText(" ".join(subject.split()), "\n\n".join(paragraphs) + "\n")


def _what_to_do(printed: PrintedInvoice, words: Wording) -> list[str]:
    if printed.kind == "credit_note":
        return [words.mail["corrects"].format(number=printed.corrects)] if printed.corrects else []
    if printed.open.amount <= 0:
        return [words.mail["nothing_to_pay"]]
    asked = {"open": formatted(printed.open, words.language), "reference": printed.reference or printed.number}
    if printed.due_on is None or printed.instalments:
        return [words.mail["due_without_date"].format(**asked)]
    return [words.mail["due"].format(date=words.date(printed.due_on), **asked)]


def _particulars(printed: PrintedInvoice, words: Wording) -> list[str]:
    lines = []
    if printed.po_number:
        lines.append(words.mail["po_number"].format(po_number=printed.po_number))
    seller = printed.seller
    if printed.kind == "invoice" and printed.open.amount > 0 and seller.iban:
        details = ", ".join(
            part for part in (seller.bank_name, f"IBAN {grouped_iban(seller.iban)}", seller.bic) if part
        )
        lines.append(words.mail["bank"].format(details=details))
    return lines
