"""The mail that carries an invoice: its subject and its plain text, in the customer's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from counterfoil.core.money import Money, formatted, formatted_price
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
    """A price that rises: what it comes to now, what it will, and from when on, for a whole period. Of a price by
    usage, ``old`` and ``new`` are what its units cost, one amount for each tier; ``per`` is the size of a package.
    """

    description: str
    old: tuple[Decimal, ...]
    new: tuple[Decimal, ...]
    currency: str
    on: date
    is_usage: bool = False
    per: Decimal | None = None


def increase_mail(
    prices: Sequence[RisingPrice], language: str, seller: str, country: str, title: str, to_name: str = ""
) -> MailText:
    """The text of the mail that tells of prices that rise."""
    words = wording(language, country)
    periods = [_rising(one, words, "increase_line") for one in prices if not one.is_usage]
    usage = [_rising(one, words, "increase_line") for one in prices if one.is_usage]
    first = words.mail["increase_body"].format(title=title)
    paragraphs = [
        f"{first} {words.mail['increase_periods']}" if periods else first,
        "\n".join(periods),
        words.mail["increase_usage"] if usage else "",
        "\n".join(usage),
    ]
    return _letter("increase_subject", paragraphs, words, seller, title, to_name)


def increase_off_mail(
    prices: Sequence[RisingPrice], language: str, seller: str, country: str, title: str, to_name: str = ""
) -> MailText:
    """The text of the mail that says that prices do not rise after all, to whom was told that they do."""
    words = wording(language, country)
    paragraphs = [
        words.mail["increase_off_body"].format(title=title),
        "\n".join(_rising(one, words, "increase_off_line") for one in prices),
    ]
    return _letter("increase_off_subject", paragraphs, words, seller, title, to_name)


def _rising(one: RisingPrice, words: Wording, text: str) -> str:
    return words.mail[text].format(
        description=one.description,
        date=words.date(one.on),
        old=_price(one.old, one, words),
        new=_price(one.new, one, words),
    )


def _price(amounts: Sequence[Decimal], one: RisingPrice, words: Wording) -> str:
    if not one.is_usage:
        return formatted(Money.exact(amounts[0], one.currency), words.language)
    written = " / ".join(formatted_price(amount, one.currency, words.language) for amount in amounts)
    return written if one.per is None else f"{written} / {words.number(one.per)}"


def _letter(subject: str, paragraphs: Sequence[str], words: Wording, seller: str, title: str, to_name: str) -> MailText:
    """A mail about a subscription: greeted, closed and signed."""
    texts = words.mail
    whole = [
        texts["greeting_named"].format(name=to_name) if to_name.strip() else texts["greeting"],
        *paragraphs,
        texts["closing"],
        f"{texts['regards']}\n{seller}",
    ]
    first = texts[subject].format(title=title, seller=seller)
    return MailText(" ".join(first.split()), "\n\n".join(part for part in whole if part) + "\n")


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
