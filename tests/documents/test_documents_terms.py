"""Instalments and early payment on the paper, in the mail and in the e-invoice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from printed_examples import printed

from counterfoil.core.money import Money
from counterfoil.documents.einvoice import einvoice_xml
from counterfoil.documents.mail_texts import invoice_mail
from counterfoil.documents.printed import PrintedPart
from counterfoil.documents.sheet import sheet
from counterfoil.documents.wording import LANGUAGES

FIRST = PrintedPart(date(2026, 12, 1), Money(Decimal(500), "EUR"))
LAST = PrintedPart(date(2026, 12, 24), Money(Decimal("4000.5"), "EUR"))
EARLY = PrintedPart(date(2026, 12, 4), Money(Decimal(4400), "EUR"))


def remark(**more: object) -> str:
    """What stands beneath "Terms of payment"."""
    remarks = sheet(printed(terms="In two parts", **more))["remarks"]
    return next(one["text"] for one in remarks if one["label"] == "Terms of payment").replace("\xa0", " ")


def test_the_paper_says_every_instalment() -> None:
    """A line for each, with its day; and the slip names no day, for there are two."""
    assert remark(instalments=(FIRST, LAST)).splitlines() == [
        "In two parts", "1 December 2026: €500.00", "24 December 2026: €4,000.50",
    ]  # fmt: skip
    assert sheet(printed(instalments=(FIRST, LAST)))["slip"]["phrase"].startswith("Please pay and quote")
    assert sheet(printed())["slip"]["phrase"].startswith("Please pay by")


def test_the_paper_says_what_is_enough() -> None:
    """Until which day how much settles the invoice."""
    assert remark(early=EARLY).splitlines() == ["In two parts", "If paid by 4 December 2026: €4,400.00"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_day_and_the_amount(language: str) -> None:
    """No blank is left in any of them."""
    found = " ".join(one["text"] for one in sheet(printed(language=language, early=EARLY))["remarks"])
    assert "2026" in found
    assert "400" in found
    assert "{" not in found


def test_the_mail_names_no_day_where_there_are_several() -> None:
    """The day of a single payment is named; of several parts the enclosed invoice says them."""
    assert "24 December 2026" in invoice_mail(printed(), "Ada").body.replace("\xa0", " ")
    assert "24 December 2026" not in invoice_mail(printed(instalments=(FIRST, LAST)), "Ada").body.replace("\xa0", " ")


def test_the_einvoice_describes_the_terms() -> None:
    """Days and amounts for any reader; the due day is the last one."""
    xml = einvoice_xml(printed(terms="In two parts", instalments=(FIRST, LAST), early=EARLY)).decode()
    described = "In two parts; 2026-12-01: 500.00 EUR; 2026-12-24: 4000.50 EUR; &lt;= 2026-12-04: 4400.00 EUR"
    assert f"<ram:Description>{described}</ram:Description>" in xml
    assert "20261224" in xml
