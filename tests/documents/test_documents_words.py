"""Documents, mails and addresses speak the customer's language."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from printed_examples import BRITISH, GERMAN, STUTTGART, credit_note, printed

from counterfoil.core.money import Money
from counterfoil.core.periods import Period
from counterfoil.documents.addresses import address_lines, one_line
from counterfoil.documents.mail_texts import invoice_mail
from counterfoil.documents.printed import Address
from counterfoil.documents.wording import LANGUAGES, wording
from counterfoil.invoicing.rules.tax import OUTSIDE_NOTE, REVERSE_CHARGE_NOTE

PLACES = string.Formatter()


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in PLACES.parse(text) if name}


def test_the_languages() -> None:
    """Documents are written in at least these eight languages."""
    assert set(LANGUAGES) >= {"en", "de", "fr", "es", "it", "nl", "pt", "pl"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language: str) -> None:
    """Each language has every text of the English one, with the same blanks to fill in."""
    english, other = wording("en"), wording(language)
    for part in ("document", "tax", "mail", "retainer"):
        texts, theirs = getattr(english, part), getattr(other, part)
        assert list(theirs) == list(texts)
        for key, text in texts.items():
            assert theirs[key].strip()
            if key != "greeting_named":
                assert blanks(theirs[key]) == blanks(text), key


@pytest.mark.parametrize(
    ("language", "country", "result"),
    [
        ("de", "AT", "de-AT"),
        ("en", "GB", "en-GB"),
        ("en", "DE", "en"),
        ("de-CH", "DE", "de-CH"),
        ("pt_BR", "", "pt-BR"),
        ("ja", "JP", "en"),
        ("", "", "en"),
        ("xx", "FR", "en"),
    ],
)
def test_which_wording(language: str, country: str, result: str) -> None:
    """A language takes the region of a country that speaks it; one that we cannot write becomes English."""
    assert wording(language, country).language == result


def test_dates_periods_and_numbers() -> None:
    """Dates, periods and numbers are written as the language writes them; a period's last day is in."""
    month = Period(date(2026, 11, 1), date(2026, 12, 1))
    assert wording("de").date(date(2026, 11, 4)) == "4. November 2026"
    assert wording("de").period(month) == "1.–30. Nov. 2026"
    assert wording("en-GB").period(Period(date(2026, 11, 4), date(2026, 11, 5))) == "4 Nov 2026"
    assert wording("de").number(Decimal("1234.5000"), 2) == "1.234,50"
    assert wording("en").number(Decimal("-0.125")) == "−0.125"
    assert wording("en").number(Decimal("3.000")) == "3"


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (Address("Werftstraße 12", "", "24143", "Kiel", "", "DE"), ["Werftstraße 12", "24143 Kiel", "GERMANY"]),
        (Address("1 Main St", "Suite 4", "94105", "San Francisco", "CA", "US"),
         ["1 Main St", "Suite 4", "San Francisco, CA 94105", "UNITED STATES"]),
        (Address("1 King St", "", "EC2V 8AU", "London", "", "GB"),
         ["1 King St", "London", "EC2V 8AU", "UNITED KINGDOM"]),
        (Address("Via Roma 1", "", "20121", "Milano", "MI", "IT"), ["Via Roma 1", "20121 Milano (MI)", "ITALY"]),
        (Address("Rua A 1", "", "01310-100", "São Paulo", "SP", "BR"),
         ["Rua A 1", "São Paulo – SP", "01310-100", "BRAZIL"]),
        (Address("", "", "", "Kiel", "", ""), ["Kiel"]),
        (Address(), []),
    ],
)  # fmt: skip
def test_addresses(address: Address, lines: list[str]) -> None:
    """An address is written as its own country writes it, with the country last on a letter that goes abroad."""
    assert address_lines(address, "en", home_country="FR") == lines


def test_an_address_at_home() -> None:
    """On a letter within the country its name is left out; above the window the address is one line."""
    kiel = Address("Werftstraße 12", "", "24143", "Kiel", "", "DE")
    assert address_lines(kiel, "de", home_country="DE") == ["Werftstraße 12", "24143 Kiel"]
    assert one_line(kiel) == "Werftstraße 12 · 24143 Kiel"


def test_the_mail_of_an_invoice() -> None:
    """The mail says what is attached, what to pay until when, where to, and to whom the order belongs."""
    mail = invoice_mail(printed(), "Jo Brown")
    assert mail.subject == "Invoice NW-2026-00042 from Northwind Instruments Ltd"
    assert mail.body == (
        "Hello Jo Brown,\n\n"
        "please find attached invoice NW-2026-00042 for €6,703.70. "
        "Please pay €6,703.70 by 24 December 2026 and quote NW-2026-00042.\n\n"
        "Your order: PO-4711\n"
        "Bank details: Barclays, IBAN GB33 BUKB 2020 1555 5555 55, BUKBGB22\n\n"
        "If anything is unclear or wrong, simply reply to this mail.\n\n"
        "Kind regards\nNorthwind Instruments Ltd\n"
    )


def test_the_mail_in_german() -> None:
    """A German customer gets German words, dates and amounts."""
    mail = invoice_mail(printed(language="de", seller=GERMAN, buyer=STUTTGART))
    assert mail.subject == "Rechnung NW-2026-00042 von Nordlicht Messtechnik GmbH"
    assert mail.body.startswith(
        "Guten Tag,\n\nanbei erhalten Sie die Rechnung NW-2026-00042 über 6.703,70\u00a0€. "
        "Bitte zahlen Sie 6.703,70\u00a0€ bis zum 24. Dezember 2026"
    )


def test_the_mail_of_a_credit_note() -> None:
    """A credit note's mail names the invoice that it corrects, and asks for no money."""
    mail = invoice_mail(credit_note())
    assert mail.subject == "Credit note CN-2026-00007 from Northwind Instruments Ltd"
    assert "It corrects invoice NW-2026-00042." in mail.body
    assert "pay" not in mail.body
    assert "IBAN" not in mail.body


def test_the_mail_of_a_paid_invoice() -> None:
    """A paid invoice's mail asks for nothing."""
    mail = invoice_mail(printed(paid=Money(Decimal("6703.70"), "EUR")))
    assert "Nothing is left to pay." in mail.body
    assert "Please pay" not in mail.body
    assert "IBAN" not in mail.body


def test_a_subject_is_one_line() -> None:
    """A name with line breaks and braces cannot add a header nor break the text."""
    seller = replace(BRITISH, legal_name="Evil\r\nBcc: all@example.com {number} {x}")
    assert invoice_mail(printed(seller=seller)).subject == (
        "Invoice NW-2026-00042 from Evil Bcc: all@example.com {number} {x}"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_mail(language: str) -> None:
    """In each language the mail names number, amount and sender, and leaves no blank open."""
    for invoice in (
        printed(language=language),
        credit_note(language=language),
        printed(language=language, due_on=None),
    ):
        mail = invoice_mail(invoice)
        assert invoice.number in mail.subject
        assert invoice.number in mail.body
        assert "Northwind Instruments Ltd" in mail.body
        assert "{" not in mail.subject + mail.body


ARTICLE = "Art. 196 der Richtlinie 2006/112/EG"


@pytest.mark.parametrize(
    ("language", "unit", "quantity", "said"),
    [
        ("de", "day", "1", "Tag"),
        ("de", "day", "2.5", "Tage"),
        ("de-AT", "Hours", "8", "Stunden"),
        ("it", "day", "8", "giorni"),
        ("nl", "hour", "1234.5", "uur"),
        ("pl", "month", "5", "miesięcy"),
        ("de", "seat", "5", "seat"),
        ("de", "Tag", "5", "Tag"),
        ("en", "day", "5", "day"),
        ("de", "", "5", ""),
    ],
)
def test_units_of_time_are_counted_in_the_language(language: str, unit: str, quantity: str, said: str) -> None:
    """Hours and days stand in the customer's language; what a company calls its own things stays."""
    assert wording(language).unit(unit, Decimal(quantity)) == said


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("de", "VAT 19 %", "USt. 19 %"),
        ("de", "VAT 8.1 %", "USt. 8,1 %"),
        ("fr", "Exempt", "Exonéré"),
        (
            "de",
            REVERSE_CHARGE_NOTE,
            "Steuerschuldnerschaft des Leistungsempfängers (Art. 196 der Richtlinie 2006/112/EG)",
        ),
        ("pl", OUTSIDE_NOTE, "Nie podlega opodatkowaniu w kraju świadczenia"),
        ("de", "MwSt. 19 %", "MwSt. 19 %"),
        ("en", "VAT 19 %", "VAT 19 %"),
        ("de", "", ""),
    ],
)
def test_taxes_are_named_in_the_language(language: str, text: str, said: str) -> None:
    """Our own labels and legal notes are translated, a company's own are not."""
    assert wording(language).tax_words(text) == said


def test_the_legal_notes_are_those_of_the_rules() -> None:
    """What the rules write on documents is known by the wording, word for word."""
    assert {REVERSE_CHARGE_NOTE, OUTSIDE_NOTE} <= set(wording("en").tax.values())
