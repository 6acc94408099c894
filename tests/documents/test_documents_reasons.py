"""Why a line came about is kept in one form, and said in the customer's language."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from counterfoil.core.periods import Period
from counterfoil.documents.reasons import REASON_MAX, BeyondRetainer, Burned, reason_in
from counterfoil.documents.wording import wording

D = Decimal
MARCH = Period(date(2026, 3, 1), date(2026, 4, 1))
HOURS = BeyondRetainer(D("2.50"), D(5), "h", "Support", Burned(MARCH, D(10), D("10.000")))
MONEY = BeyondRetainer(D("1234.5"), D(2000), "EUR", "Help: 1 of 2 h used", Burned(MARCH, D(1000), D(1000)))


def test_what_is_kept_is_read_again() -> None:
    """Zeros behind the last digit are left out; a title may look like the rest of the text."""
    assert HOURS.kept == "2.5 of 5 h beyond the retainer Support: 10 of 10 h used from 2026-03-01 to 2026-03-31"
    for one in (HOURS, MONEY, replace(HOURS, burned=None), replace(MONEY, burned=None)):
        assert BeyondRetainer.read(one.kept) == one


def test_a_long_title_is_cut_and_nothing_else() -> None:
    long = replace(MONEY, title="x" * 300)
    assert len(long.kept) == REASON_MAX
    read = BeyondRetainer.read(long.kept)
    assert read is not None
    assert (read.burned, read.title) == (MONEY.burned, "x" * len(read.title))


@pytest.mark.parametrize(
    ("language", "hours", "money"),
    [
        ("en", "2.5 of 5 h beyond the retainer Support, 10 of 10 h used (Mar 1 – 31, 2026)",
         "1,234.50 of 2,000.00 EUR beyond the retainer Help: 1 of 2 h used"),
        ("de", "2,5 von 5 h über das Kontingent Support hinaus, 10 von 10 h verbraucht (1.–31. März 2026)",
         "1.234,50 von 2.000,00 EUR über das Kontingent Help: 1 of 2 h used hinaus"),
        ("es", "2,5 de 5 h por encima del bono Support, consumo: 10 de 10 h (1–31 mar 2026)", ""),
        ("fr", "2,5 sur 5 h au-delà du forfait Support, consommation : 10 sur 10 h (1–31 mars 2026)", ""),
        ("it", "2,5 di 5 h oltre il pacchetto Support, consumo: 10 di 10 h (01–31 mar 2026)", ""),
        ("nl", "2,5 van 5 h boven de bundel Support, verbruikt: 10 van 10 h (1–31 mrt 2026)", ""),
        ("pl", "2,5 z 5 h ponad pakiet Support, wykorzystano 10 z 10 h (1–31 mar 2026)", ""),
        ("pt", "2,5 de 5 h além do pacote Support, consumo: 10 de 10 h (1 – 31 de mar. de 2026)", ""),
    ],
)  # fmt: skip
def test_it_is_said_in_every_language(language: str, hours: str, money: str) -> None:
    """Numbers and days as the language writes them, amounts with the decimals of their currency."""
    words = wording(language)
    assert reason_in(words, HOURS.kept).replace("\u2009", " ").replace("\u202f", " ").replace("\u00a0", " ") == hours
    if money:
        assert reason_in(words, replace(MONEY, burned=None).kept) == money


PARTS = "not used: 17 of 31 days × (1,000 × 0.01 + 1,234.5 × 0.0055) = -9.20, less discount"
PACKAGES = "5 packages of 1,000 × 20.00"


@pytest.mark.parametrize(
    ("language", "parts", "packages"),
    [
        ("en", "not used: 17 of 31 days × (1,000 × 0.01 + 1,234.5 × 0.0055) = −9.20, less discount",
         "5 packages of 1,000 × 20.00"),
        ("de", "nicht genutzt: 17 von 31 Tagen × (1.000 × 0,01 + 1.234,5 × 0,0055) = −9,20, abzüglich Rabatt",
         "5 Pakete zu je 1.000 × 20,00"),
        ("es", "no utilizado: 17 de 31 días × (1.000 × 0,01 + 1.234,5 × 0,0055) = −9,20, menos descuento",
         "5 paquetes de 1.000 × 20,00"),
        ("fr", "non utilisé : 17 sur 31 jours × (1 000 × 0,01 + 1 234,5 × 0,0055) = −9,20, remise à déduire",
         "5 lots de 1 000 × 20,00"),
        ("it", "non utilizzato: 17 di 31 giorni × (1.000 × 0,01 + 1.234,5 × 0,0055) = −9,20, meno lo sconto",
         "5 pacchetti da 1.000 × 20,00"),
        ("nl", "niet gebruikt: 17 van 31 dagen × (1.000 × 0,01 + 1.234,5 × 0,0055) = −9,20, minus korting",
         "5 pakketten van 1.000 × 20,00"),
        ("pl", "niewykorzystane: 17 z 31 dni × (1 000 × 0,01 + 1 234,5 × 0,0055) = −9,20, minus rabat",
         "pakiety po 1 000: 5 × 20,00"),
        ("pt", "não utilizado: 17 de 31 dias × (1.000 × 0,01 + 1.234,5 × 0,0055) = −9,20, menos desconto",
         "5 pacotes de 1.000 × 20,00"),
        ("de-CH", "nicht genutzt: 17 von 31 Tagen × (1’000 × 0.01 + 1’234.5 × 0.0055) = −9.20, abzüglich Rabatt",
         "5 Pakete zu je 1’000 × 20.00"),
    ],
)  # fmt: skip
def test_how_a_price_came_about_is_said_in_every_language(language: str, parts: str, packages: str) -> None:
    """Each figure with its own decimals, as the language writes them."""
    words = wording(language)
    said = [reason_in(words, kept).replace("\u202f", " ").replace("\u00a0", " ") for kept in (PARTS, PACKAGES)]
    assert said == [parts, packages]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("1 × 100.00", "1 × 100,00"),
        ("17 of 30 days (30/360) × 2.5 × 10.00", "17 von 30 Tagen (30/360) × 2,5 × 10,00"),
        ("2,629,800 of 2,678,400 seconds × 1 × 0.011", "2.629.800 von 2.678.400 Sekunden × 1 × 0,011"),
        ("1 package of 0.5 × 20.00", "1 Paket zu 0,5 × 20,00"),
        (
            "(1,000 × 0.01 + 500 × 0.005) = 12.50, less discount",
            "(1.000 × 0,01 + 500 × 0,005) = 12,50, abzüglich Rabatt",
        ),
        ("not used: 1 × 1,500", "nicht genutzt: 1 × 1.500"),
        ("(1,000 × 0.01 + … + 500 × 0.005)", "(1.000 × 0,01 + … + 500 × 0,005)"),
    ],
)
def test_all_that_such_a_reason_can_be(kept: str, said: str) -> None:
    assert reason_in(wording("de"), kept) == said
    assert reason_in(wording("en"), kept) == kept


@pytest.mark.parametrize(
    "other",
    [
        "17 of 31 days × 1",
        "17 of 31 weeks × 1 × 100.00",
        "(1,000 × 0.01 + 500 × 0.005",
        "2 × 3.00 agreed on the phone",
        "(… + 500 × 0.005)",
        "",
        "1 of 2 h beyond the retainer x: 1 of 2 h used from 2026-99-01 to 2026-03-31",
        "1 of 2 h beyond the retainer x: 1 of 2 h used from 2026-04-01 to 2026-03-01",
        "1 of 2 h beyond the retainer x: 1 of 2 h used from 2026-04-01 to 9999-12-31",
    ],
)
def test_other_reasons_stay(other: str) -> None:
    assert reason_in(wording("de"), other) == other
