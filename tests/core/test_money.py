"""Money is exact, keeps to one currency and loses no cent."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.money import (
    CURRENCIES,
    Money,
    currency_decimals,
    currency_name,
    formatted,
    formatted_amount,
    is_currency,
    rounded,
    sum_of,
)

currencies = st.sampled_from(sorted(CURRENCIES))


@st.composite
def moneys(draw: st.DrawFn, currency: st.SearchStrategy[str] = currencies) -> Money:
    code = draw(currency)
    units = draw(st.integers(-(10**15), 10**15))
    return Money(Decimal(units).scaleb(-currency_decimals(code)), code)


def eur(text: str) -> Money:
    return Money(Decimal(text), "EUR")


DECIMALS = {
    "EUR": 2,
    "USD": 2,
    "CHF": 2,
    "HUF": 2,
    "RSD": 2,
    "PKR": 2,
    "XCD": 2,
    "BHD": 3,
    "IQD": 3,
    "CLF": 4,
    "UYW": 4,
}
NO_DECIMALS = ["JPY", "KRW", "CLP", "ISK", "XOF", "UYI"]


@pytest.mark.parametrize(("code", "decimals"), [*DECIMALS.items(), *((code, 0) for code in NO_DECIMALS)])
def test_decimals_of_currencies(code: str, decimals: int) -> None:
    """Each currency has the decimals of ISO 4217."""
    assert currency_decimals(code) == decimals


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XDR", "CNH", "DEM", "HRK", "eur", "", "EURO", "ZZZ", "€"])
def test_no_currency(code: str) -> None:
    """Test codes, metals, past currencies and misspellings are no currencies."""
    assert not is_currency(code)
    with pytest.raises(ValueError, match="is not a currency"):
        Money(Decimal(1), code)


def test_money_is_written_with_all_decimals() -> None:
    """Money has all decimals of its currency and no negative zero."""
    assert str(eur("1234.5")) == "1234.50 EUR"
    assert str(Money(Decimal(1234), "JPY")) == "1234 JPY"
    assert str(eur("-0.00")) == "0.00 EUR"
    assert eur("5") == eur("5.00")
    assert hash(eur("5")) == hash(eur("5.00"))
    assert str(Money(Decimal("1E+3"), "EUR")) == "1000.00 EUR"


@pytest.mark.parametrize("amount", ["1.234", "1.000", "0.001", "NaN", "Infinity", "-Infinity", "1E18", "1E999999"])
def test_amounts_that_are_refused(amount: str) -> None:
    """More decimals than the currency has, what is no number, and what no ledger holds are refused."""
    with pytest.raises(ValueError, match=r"decimals|is not an amount"):
        eur(amount)


@pytest.mark.parametrize("amount", [1, 1.5, "1.50", None, True])
def test_an_amount_is_a_decimal(amount: object) -> None:
    """Only a Decimal is an amount; a float never is."""
    with pytest.raises(TypeError, match="an amount is a Decimal"):
        Money(amount, "EUR")  # type: ignore[arg-type]


def test_exact_takes_the_zeros_of_a_database_column() -> None:
    """A column's trailing zeros are dropped; real decimals beyond the currency's are refused."""
    assert Money.exact(Decimal("10.0000"), "EUR") == eur("10")
    assert str(Money.exact(Decimal("10.0000"), "JPY")) == "10 JPY"
    assert str(Money.exact(Decimal("0E-4"), "BHD")) == "0.000 BHD"
    for amount, currency in [("10.0010", "EUR"), ("10.5000", "JPY"), ("0.00001", "CLF"), ("NaN", "EUR")]:
        with pytest.raises(ValueError, match=r"decimals|is not an amount"):
            Money.exact(Decimal(amount), currency)


def test_currencies_do_not_mix() -> None:
    """Adding, subtracting and comparing across currencies is refused; they are simply not equal."""
    dollars = Money(Decimal(1), "USD")
    for wrong in (
        lambda: eur("1") + dollars,
        lambda: eur("1") - dollars,
        lambda: eur("1") < dollars,
        lambda: eur("1") >= dollars,
        lambda: sum_of([dollars], "EUR"),
    ):
        with pytest.raises(ValueError, match="do not mix"):
            wrong()
    assert eur("1") != dollars
    with pytest.raises(TypeError, match="money goes with money"):
        eur("1") + 1  # type: ignore[operator]
    with pytest.raises(FrozenInstanceError):
        dollars.amount = Decimal(2)  # type: ignore[misc]


def test_arithmetic() -> None:
    """Sums, differences, signs and comparisons give exact values."""
    assert eur("0.10") + eur("0.20") == eur("0.30")
    assert eur("1") - eur("2.50") == eur("-1.50")
    assert -eur("1") == eur("-1")
    assert abs(eur("-1")) == eur("1")
    assert not eur("0")
    assert eur("-0.01")
    assert eur("1") < eur("1.01") <= eur("1.01") > eur("1") >= eur("1")
    assert sum_of([eur("0.10")] * 10, "EUR") == eur("1")
    assert sum_of([], "JPY") == Money.zero("JPY")


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        ("100.00", [1, 1, 1], ["33.34", "33.33", "33.33"]),
        ("-100.00", [1, 1, 1], ["-33.34", "-33.33", "-33.33"]),
        ("0.05", [1, 1], ["0.03", "0.02"]),
        ("10.00", [0, 1, 0], ["0.00", "10.00", "0.00"]),
        ("0.01", [0, 0, 0], ["0.01", "0.00", "0.00"]),
        ("10.00", [Decimal("2.5"), Decimal("7.5")], ["2.50", "7.50"]),
        ("80.00", [100, -20], ["100.00", "-20.00"]),
        ("0.00", [1, 2], ["0.00", "0.00"]),
    ],
)
def test_allocate(amount: str, weights: list[int], parts: list[str]) -> None:
    """A split follows the weights and gives the odd cents to the largest remainders, earlier parts first."""
    assert eur(amount).allocate(weights) == [eur(part) for part in parts]


def test_allocate_refuses_what_has_no_answer() -> None:
    """Nobody to allocate to, and weights that cancel each other out, are refused."""
    with pytest.raises(ValueError, match="nobody"):
        eur("1").allocate([])
    with pytest.raises(ValueError, match="cancel"):
        eur("1").allocate([1, -1])


@given(moneys(), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_allocation_loses_no_cent(money: Money, weights: list[int]) -> None:
    """The parts sum to the whole, differ from their exact share by less than a unit, and mirror for the negative."""
    parts = money.allocate(weights)
    assert sum_of(parts, money.currency) == money
    assert (-money).allocate(weights) == [-part for part in parts]
    whole = sum(weights)
    unit = Fraction(1, 10 ** currency_decimals(money.currency))
    for part, weight in zip(parts, weights, strict=True):
        if whole:
            assert abs(Fraction(part.amount) - Fraction(money.amount) * weight / whole) < unit
        if whole and not weight:
            assert not part


@pytest.mark.parametrize(
    ("value", "mode", "result"),
    [
        (Decimal("1.005"), "half_up", "1.01"),
        (Decimal("-1.005"), "half_up", "-1.01"),
        (Decimal("1.005"), "half_even", "1.00"),
        (Decimal("1.015"), "half_even", "1.02"),
        (Decimal("-1.015"), "half_even", "-1.02"),
        (Decimal("1.009"), "down", "1.00"),
        (Decimal("-1.009"), "down", "-1.00"),
        (Fraction(1, 3), "half_up", "0.33"),
        (Fraction(2, 3), "half_up", "0.67"),
        (Fraction(-2, 3), "half_even", "-0.67"),
        (Decimal("1E-40"), "half_up", "0.00"),
    ],
)
def test_rounded(value: Decimal | Fraction, mode: str, result: str) -> None:
    """Each mode rounds as it is called, the same on both sides of zero."""
    assert rounded(value, "EUR", mode) == eur(result)  # type: ignore[arg-type]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9), currencies)
def test_rounding_agrees_with_decimal(value: Decimal, currency: str) -> None:
    """Every mode gives what the decimal module gives."""
    unit = Decimal(1).scaleb(-currency_decimals(currency))
    for mode, theirs in (("half_up", ROUND_HALF_UP), ("half_even", ROUND_HALF_EVEN), ("down", ROUND_DOWN)):
        assert rounded(value, currency, mode).amount == value.quantize(unit, rounding=theirs)  # type: ignore[arg-type]


def test_rounded_refuses_floats() -> None:
    """Neither a float nor an int nor a value that is no number becomes money."""
    for wrong in (1.5, 1, "1"):
        with pytest.raises(TypeError, match="Decimal or a Fraction"):
            rounded(wrong, "EUR")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is not an amount"):
        rounded(Decimal("NaN"), "EUR")
    with pytest.raises(ValueError, match="not a way to round"):
        rounded(Decimal(1), "EUR", "up")  # type: ignore[arg-type]


@given(moneys(), st.data())
def test_adding_and_subtracting_meet(money: Money, data: st.DataObject) -> None:
    """What was added can be taken away again, and exact values come back from a column unchanged."""
    other = data.draw(moneys(st.just(money.currency)))
    assert money + other - other == money
    assert money + other == other + money
    assert Money.exact(money.amount.quantize(Decimal("1.0000")), money.currency) == money


@pytest.mark.parametrize(
    ("amount", "currency", "language", "whole", "bare"),
    [
        ("1234.5", "EUR", "en", "€1,234.50", "1,234.50"),
        ("-1234.5", "EUR", "en", "−€1,234.50", "−1,234.50"),
        ("-1234.5", "EUR", "de", "−1.234,50\u00a0€", "−1.234,50"),
        ("1234.5", "EUR", "fr", "1\u202f234,50\u00a0€", "1\u202f234,50"),
        ("1234567", "JPY", "en", "¥1,234,567", "1,234,567"),
        ("1234567", "INR", "en-IN", "₹12,34,567.00", "12,34,567.00"),
        ("5", "CHF", "en", "CHF\u00a05.00", "5.00"),
        ("5", "CHF", "de-CH", "CHF\u00a05.00", "5.00"),
        ("1.234", "BHD", "en", "BHD\u00a01.234", "1.234"),
        ("12.5", "RSD", "de", "12,50\u00a0RSD", "12,50"),
        ("0", "PLN", "pl", "0,00\u00a0zł", "0,00"),
        ("1", "USD", "klingon", "$1.00", "1.00"),
    ],
)
def test_formatted(amount: str, currency: str, language: str, whole: str, bare: str) -> None:
    """Amounts are written as the language writes them, with all decimals and a true minus."""
    money = Money(Decimal(amount), currency)
    assert formatted(money, language) == whole
    assert formatted_amount(money, language) == bare


def test_currency_name() -> None:
    """A currency has a name in each language."""
    assert currency_name("CHF") == "Swiss Franc"
    assert currency_name("CHF", "de") == "Schweizer Franken"
