"""What a quantity costs, as the documentation works it out, and what holds for all prices."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.catalog.rules.pricing import (
    GRADUATED,
    PACKAGE,
    PER_UNIT,
    TIERS_MAX,
    VOLUME,
    Pricing,
    Tier,
    explain,
    parts_of,
    price_of,
    problems_of,
    tiers_as_rows,
    tiers_from,
    unit_price_shown,
)
from counterfoil.catalog.rules.wording import price_in_words
from counterfoil.core.money import formatted_price

D = Decimal
PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "prices.md"


def table(first: str) -> list[list[str]]:
    """The rows of the page's table whose first heading is ``first``."""
    lines = PAGE.read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first} "))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def read(text: str) -> Pricing:
    """A price as the page writes it: ``package 5.00 per 1000``, ``volume 1000: 0.01, ∞: 0.005``."""
    match = re.fullmatch(r"(\w+)(?: (-?[\d.]+))?(?: per ([\d.]+))?", text)
    if match:
        model, amount, per = match.groups()
        return Pricing(model, D(amount) if amount else None, D(per) if per else None)
    model, _, tiers = text.partition(" ")
    pairs = [part.split(": ") for part in tiers.split(", ")]
    return Pricing(model, tiers=tuple(Tier(None if limit == "∞" else D(limit), D(amount)) for limit, amount in pairs))


@pytest.mark.parametrize("row", table("Price"), ids=lambda row: " of ".join(row[1::-1]))
def test_a_price_is_that_of_the_documentation(row: list[str]) -> None:
    """Price, words and unit price of each worked example."""
    price, quantity, costs, because, shown = row
    pricing = read(price)
    assert problems_of(pricing) == []
    assert price_of(pricing, D(quantity)) == D(costs)
    assert explain(pricing, D(quantity)) == because
    assert unit_price_shown(pricing, D(quantity)) == D(shown)


@pytest.mark.parametrize("row", table("Input"), ids=lambda row: row[0])
def test_what_the_documentation_refuses(row: list[str]) -> None:
    """Each bad price has one problem, at its place and with its code."""
    price, at, code = row
    assert [(problem.field, problem.code) for problem in problems_of(read(price))] == [(at, code)]


def test_all_problems_are_named_at_once() -> None:
    """Every tier is looked at, and so is what does not belong to the model."""
    pricing = Pricing(VOLUME, D(1), D(2), (Tier(D(5), D(-1)), Tier(D(5), D("NaN")), Tier(D("Infinity"), D(1))))
    assert [(problem.field, problem.code) for problem in problems_of(pricing)] == [
        ("tiers.0.amount", "negative"),
        ("tiers.1.amount", "negative"),
        ("tiers.1.up_to", "overlapping"),
        ("tiers.2.up_to", "not_open"),
        ("amount", "not_used"),
        ("per", "not_used"),
    ]


@pytest.mark.parametrize(
    ("amount", "codes"),
    [
        ("999999999999.999999", []),
        ("1E+12", ["too_large"]),
        ("9" * 500, ["too_large"]),
        ("1E+999999", ["too_large"]),
        ("1E-999999", ["too_many_decimals"]),
        ("0.1234567", ["too_many_decimals"]),
        ("0.12345600000000", []),
        ("0." + "1" * 500, ["too_many_decimals"]),
        ("sNaN", ["negative"]),
        ("-0", []),
    ],
)
def test_numbers_of_any_size_are_judged(amount: str, codes: list[str]) -> None:
    """Whatever can be written as a number is a price or is refused; nothing breaks."""
    assert [problem.code for problem in problems_of(Pricing(PER_UNIT, D(amount)))] == codes


def test_tiers_have_a_bound() -> None:
    """A hundred tiers are a price; one more is refused once, without naming each."""
    tiers = tuple(Tier(D(place), D(1)) for place in range(1, TIERS_MAX))
    assert problems_of(Pricing(GRADUATED, tiers=(*tiers, Tier(None, D(1))))) == []
    more = (*tiers, Tier(D(TIERS_MAX), D(1)), Tier(None, D(1)))
    assert [problem.code for problem in problems_of(Pricing(GRADUATED, tiers=more))] == ["too_many"]


@pytest.mark.parametrize("quantity", ["-1", "-0.000001", "NaN", "sNaN", "Infinity", "1E+30", "1E-31"])
def test_what_is_no_quantity_has_no_price(quantity: str) -> None:
    """Below zero, no number, or with more digits than anything has: a bug that is told, not a price."""
    with pytest.raises(ValueError, match=r"quantity|digits"):
        price_of(Pricing(PER_UNIT, D(1)), D(quantity))


def test_a_quantity_is_no_float() -> None:
    """Neither a float nor a whole number passes for a Decimal."""
    for wrong in (1.5, 2):
        with pytest.raises(TypeError, match="a quantity is a Decimal"):
            price_of(Pricing(PER_UNIT, D(1)), wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["hourly 1.00", "flat", "package 1.00", "package 1.00 per 0", "volume 10: 1"])
def test_a_price_that_is_none_is_told(text: str) -> None:
    """A price that ``problems_of`` refuses never gives an amount for a quantity that it does not cover."""
    with pytest.raises(ValueError, match=r"model|amount|package|no tier holds"):
        price_of(read(text), D(11))


def test_tiers_are_kept_as_text() -> None:
    """Rows of a form and of JSON make the same tiers, which are kept without zeros that say nothing."""
    rows = [{"up_to": "1000.00", "amount": D("0.010")}, {"up_to": "", "amount": "5E-3"}]
    assert tiers_as_rows(tiers_from(rows)) == [{"up_to": "1000", "amount": "0.01"}, {"up_to": None, "amount": "0.005"}]
    for bad in (
        {"up_to": "x", "amount": "1"},
        {"up_to": "1"},
        {"from": "1", "amount": "1"},
        {"up_to": 1, "amount": ""},
    ):
        with pytest.raises(ValueError, match="is no tier"):
            tiers_from([bad])


# What holds for all prices --------------------------------------------------------------------------------------------

AMOUNTS = st.decimals("0", "999999", places=6)
LIMITS = st.decimals("0.000001", "999999999", places=6)
QUANTITIES = st.decimals("0", "9999999999", places=6)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    limits = sorted(draw(st.sets(LIMITS, max_size=6)))
    amounts = draw(st.lists(AMOUNTS, min_size=len(limits) + 1, max_size=len(limits) + 1))
    return tuple(Tier(limit, amount) for limit, amount in zip([*limits, None], amounts, strict=True))


@st.composite
def pricings(draw: st.DrawFn) -> Pricing:
    model = draw(st.sampled_from(["flat", PER_UNIT, PACKAGE, GRADUATED, VOLUME]))
    if model in (GRADUATED, VOLUME):
        return Pricing(model, tiers=draw(tiers()))
    return Pricing(model, draw(AMOUNTS), draw(LIMITS) if model == PACKAGE else None)


def fraction_of(pricing: Pricing, quantity: Decimal) -> Fraction:
    """The price in fractions, worked out in another way: unit by unit of the tiers, from the top."""
    units = Fraction(quantity)
    if pricing.model == GRADUATED:
        price, top = Fraction(0), units
        starts = [Fraction(0), *(Fraction(tier.up_to) for tier in pricing.tiers if tier.up_to is not None)]
        for start, tier in reversed(list(zip(starts, pricing.tiers, strict=True))):
            if top > start:
                price += (top - start) * Fraction(tier.amount)
                top = start
        return price
    if pricing.model == VOLUME:
        holding = [tier for tier in pricing.tiers if tier.up_to is None or units <= tier.up_to]
        return units * Fraction(holding[0].amount)
    assert pricing.amount is not None
    if pricing.model == PACKAGE:
        assert pricing.per is not None
        return -((-units) // Fraction(pricing.per)) * Fraction(pricing.amount)
    return units * Fraction(pricing.amount)


@given(pricings(), QUANTITIES)
def test_a_price_is_exact(pricing: Pricing, quantity: Decimal) -> None:
    """The price is the one of fractions, its parts are its sum, and a good price has no problems."""
    assert problems_of(pricing) == []
    price = price_of(pricing, quantity)
    assert Fraction(price) == fraction_of(pricing, quantity)
    parts = parts_of(pricing, quantity)
    assert Fraction(price) == sum((Fraction(part.quantity) * Fraction(part.unit_price) for part in parts), Fraction(0))
    if pricing.model != PACKAGE:
        assert sum((Fraction(part.quantity) for part in parts), Fraction(0)) == Fraction(quantity)


@given(pricings(), QUANTITIES)
def test_the_unit_price_shown_is_the_price_or_its_mean(pricing: Pricing, quantity: Decimal) -> None:
    """Unit price × quantity is the price, or differs by less than half a millionth for each unit."""
    shown = Fraction(unit_price_shown(pricing, quantity)) * Fraction(quantity)
    assert abs(shown - Fraction(price_of(pricing, quantity))) <= Fraction(quantity) / 2_000_000


@given(pricings())
def test_nothing_costs_nothing(pricing: Pricing) -> None:
    """A quantity of zero has no parts and costs zero."""
    assert (parts_of(pricing, D(0)), price_of(pricing, D("0.00"))) == ((), D(0))


@given(tiers(), QUANTITIES, QUANTITIES)
def test_a_graduated_price_never_falls(steps: tuple[Tier, ...], one: Decimal, other: Decimal) -> None:
    """More units never cost less; nor do they by package, by unit or flat."""
    less, more = sorted([one, other])
    assert price_of(Pricing(GRADUATED, tiers=steps), less) <= price_of(Pricing(GRADUATED, tiers=steps), more)
    package = Pricing(PACKAGE, D(3), D(7))
    assert price_of(package, less) <= price_of(package, more)


@given(tiers(), st.decimals("0.000001", "10", places=6))
def test_a_graduated_price_does_not_jump(steps: tuple[Tier, ...], step: Decimal) -> None:
    """Just above a limit costs what the limit costs and the step at the next tier's price."""
    pricing = Pricing(GRADUATED, tiers=steps)
    for place, tier in enumerate(steps[:-1]):
        following = steps[place + 1]
        assert tier.up_to is not None
        small = step if following.up_to is None else min(step, following.up_to - tier.up_to)
        jump = Fraction(price_of(pricing, tier.up_to + small)) - Fraction(price_of(pricing, tier.up_to))
        assert jump == Fraction(small) * Fraction(following.amount)


@given(tiers(), QUANTITIES)
def test_volume_and_graduated_prices(steps: tuple[Tier, ...], quantity: Decimal) -> None:
    """They agree in the first tier; with falling amounts volume is never dearer, with rising ones never cheaper."""
    limits = [tier.up_to for tier in steps]
    amounts = sorted(tier.amount for tier in steps)
    rising = tuple(Tier(limit, amount) for limit, amount in zip(limits, amounts, strict=True))
    falling = tuple(Tier(limit, amount) for limit, amount in zip(limits, reversed(amounts), strict=True))

    def both(tiers: tuple[Tier, ...]) -> tuple[Decimal, Decimal]:
        return price_of(Pricing(VOLUME, tiers=tiers), quantity), price_of(Pricing(GRADUATED, tiers=tiers), quantity)

    volume, graduated = both(rising)
    assert volume >= graduated
    volume, graduated = both(falling)
    assert volume <= graduated
    if limits[0] is None or quantity <= limits[0]:
        assert both(steps)[0] == both(steps)[1]


@given(AMOUNTS, QUANTITIES)
def test_one_tier_is_a_price_per_unit(amount: Decimal, quantity: Decimal) -> None:
    """A single tier without a limit says what a price per unit says, graduated or by volume."""
    expected = price_of(Pricing(PER_UNIT, amount), quantity)
    for model in (GRADUATED, VOLUME):
        assert price_of(Pricing(model, tiers=(Tier(None, amount),)), quantity) == expected


@given(tiers())
def test_tiers_come_back(steps: tuple[Tier, ...]) -> None:
    """What is kept as JSON is what was given."""
    assert tiers_from(tiers_as_rows(steps)) == steps


# In words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "unit", "interval", "count", "billed", "language", "words"),
    [
        ("flat 100.00", "", "month", 1, "in_advance", "en", "€100.00 monthly, in advance"),
        ("per_unit 10", "seat", "month", 3, "in_advance", "en", "€10.00 per seat quarterly, in advance"),
        ("per_unit 0.0025", "", "week", 2, "in_arrears", "de", "0,0025\u00a0€ per unit every 2 weeks, in arrears"),
        ("package 5 per 1000", "call", "year", 1, "in_arrears", "en", "€5.00 per 1,000 × call yearly, in arrears"),
        ("package 5 per 1000", "", "day", 1, "in_arrears", "en", "€5.00 per 1,000 daily, in arrears"),
        (
            "graduated 10: 0, 100: 2.00, ∞: 1.50", "seat", "month", 12, "in_advance", "en",
            "€0.00 to €2.00 per seat, graduated, every 12 months, in advance",
        ),
        ("volume ∞: 0.01", "GB", "month", 6, "in_arrears", "en", "€0.01 per GB, by volume, half-yearly, in arrears"),
    ],
)  # fmt: skip
def test_a_price_in_words(
    price: str, unit: str, interval: str, count: int, billed: str, language: str, words: str
) -> None:
    """What, how often and when, in one line; figures as the reader's language writes them."""
    said = price_in_words(
        read(price), currency="EUR", unit=unit, interval=interval, count=count, billed=billed, language=language
    )
    assert said == words


@pytest.mark.parametrize(
    ("price", "currency", "written"),
    [
        ("0.005", "EUR", "€0.005"),
        ("100.000000", "EUR", "€100.00"),
        ("1234.5", "USD", "$1,234.50"),
        ("0.5", "JPY", "¥0.5"),
        ("120", "JPY", "¥120"),
        ("-2.5", "CHF", "\u2212CHF\u00a02.50"),
        ("0", "KWD", "KWD\u00a00.000"),
    ],
)
def test_a_unit_price_is_written_with_its_own_decimals(price: str, currency: str, written: str) -> None:
    """With the currency's decimals, or with more where the price has more; never with fewer."""
    assert formatted_price(D(price), currency, "en") == written
