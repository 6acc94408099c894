"""Totals, taxes and numbers as the documentation works them out, and what holds for all of them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.accounts.rules.terms import Due, Terms
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money, currency_decimals, sum_of
from counterfoil.invoicing.rules.discounts import Discount, discount_total, discounted
from counterfoil.invoicing.rules.due import due_date
from counterfoil.invoicing.rules.numbering import bad_pattern, document_number
from counterfoil.invoicing.rules.status import status_of
from counterfoil.invoicing.rules.tax import Rate, line_taxes, rates_on
from counterfoil.invoicing.rules.totals import (
    Borne,
    TaxKey,
    TotalsLine,
    borne,
    effective_discount,
    included_percent,
    invoice_totals,
)

CONCEPTS = Path(__file__).parents[2] / "docs" / "concepts"
ENTITY = UUID(int=1)
D = Decimal


def table(name: str, first: str) -> list[list[str]]:
    """The rows of the table of a concept's page whose first heading is ``first``."""
    lines = (CONCEPTS / name).read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first} "))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def lines_of(text: str) -> list[TotalsLine]:
    found = []
    for part in text.split(";"):
        match = re.fullmatch(r"\s*(\S+) × (\S+) − (\S+) @ (\S+)\s*", part)
        assert match, part
        quantity, price, discount, percent = map(Decimal, match.groups())
        found.append(TotalsLine(quantity, price, discount, (TaxKey("S", percent),)))
    return found


@pytest.mark.parametrize("row", table("totals-and-tax.md", "Currency"))
def test_totals_are_those_of_the_documentation(row: list[str]) -> None:
    """Net, tax and total of each worked example."""
    currency, lines, rounding, net, tax, total = row
    totals = invoice_totals(lines_of(lines), currency, rounding)
    assert [str(one.amount) for one in (totals.net, totals.tax, totals.total)] == [net, tax, total]


def money(text: str) -> list[Money]:
    return [Money(D(part.strip()), "EUR") for part in text.split(";")]


def said(text: str, percent: str) -> list[TotalsLine]:
    """Lines whose price includes the tax."""
    key = TaxKey("S", D(percent), included=True)
    return [TotalsLine(D(1), one.amount, D(0), (key,)) for one in money(text)]


def taxes_of(text: str) -> Borne:
    """The taxes of a line: ``5 + 9.975 included``."""
    return borne([("S", D(one.split()[0]), "included" in one) for one in text.split("+")])


def several(text: str) -> list[TotalsLine]:
    """Lines with several taxes: ``10.10 @ 5 + 9.975; 20.00 @ 5``."""
    found = []
    for line in text.split(";"):
        amount, taxes = line.split("@")
        found.append(TotalsLine(D(1), D(amount.strip()), D(0), taxes_of(taxes)))
    return found


def discount(text: str) -> Discount:
    return Discount(percent=D(text.strip("% "))) if "%" in text else Discount(amount=D(text.strip()))


@pytest.mark.parametrize("row", table("totals-and-tax.md", "Amounts of the lines"))
def test_discounts_are_those_of_the_documentation(row: list[str]) -> None:
    """Percentages first, then amounts, spread over the lines."""
    amounts, discounts, after = row
    assert list(discounted(money(amounts), [discount(one) for one in discounts.split(";")], "EUR")) == money(after)


@pytest.mark.parametrize("row", table("totals-and-tax.md", "Amounts with tax"))
def test_included_tax_is_that_of_the_documentation(row: list[str]) -> None:
    """What the lines say is the total; net and tax are worked out of it."""
    amounts, percent, rounding, *sums = row
    totals = invoice_totals(said(amounts, percent), "EUR", rounding)
    assert [str(one.amount) for one in (totals.net, totals.tax, totals.total)] == sums
    assert list(totals.line_nets) == money(amounts)


@pytest.mark.parametrize("row", table("totals-and-tax.md", "Lines and their taxes"))
def test_several_taxes_are_those_of_the_documentation(row: list[str]) -> None:
    """Each tax with its base and amount, and what they come to, in whichever order the taxes and the lines stand."""
    text, rounding, taxes, net, total = row
    lines = several(text)
    backwards = [TotalsLine(D(1), line.unit_price, D(0), line.taxes[::-1]) for line in lines[::-1]]
    for way in (lines, backwards):
        totals = invoice_totals(way, "EUR", rounding)
        said = [f"{one.tax.percent}: {one.base.amount} → {one.amount.amount}" for one in totals.taxes]
        assert "; ".join(said) == taxes
        assert [str(one.amount) for one in (totals.net, totals.total)] == [net, total]


CENTS = st.lists(st.integers(-10_000, 1_000_000).map(lambda cents: Money(D(cents).scaleb(-2), "EUR")), max_size=8)
DISCOUNTS = st.lists(
    st.one_of(
        st.builds(Discount, percent=st.decimals(0, 100, places=2)),
        st.builds(Discount, amount=st.decimals(0, 500, places=2)),
    ),
    max_size=4,
)


@given(CENTS, DISCOUNTS)
def test_discounts_never_turn_a_document_negative(nets: list[Money], discounts: list[Discount]) -> None:
    """What is taken off lies between nothing and the whole, and is the sum of what each line loses; no line but the
    last is off its proportional part by more than half a cent.
    """
    whole = sum_of(nets, "EUR")
    after = discounted(nets, discounts, "EUR")
    taken = discount_total(whole, discounts)
    assert sum_of(after, "EUR") == whole - taken
    assert Money.zero("EUR") <= taken <= max(whole, Money.zero("EUR"))
    for net, left in list(zip(nets, after, strict=True))[:-1]:
        exact = Fraction(taken.amount) * Fraction(net.amount) / Fraction(whole.amount) if taken else Fraction(0)
        assert abs(Fraction((net - left).amount) - exact) <= Fraction(1, 200)


@given(CENTS, st.permutations(range(4)), DISCOUNTS)
def test_the_order_of_discounts_takes_off_the_same(nets: list[Money], order: list[int], found: list[Discount]) -> None:
    """Percentages come first wherever they stand."""
    shuffled = [found[place] for place in order if place < len(found)]
    whole = sum_of(nets, "EUR")
    assert discount_total(whole, found) == discount_total(whole, shuffled)


LINES = st.lists(
    st.builds(
        TotalsLine,
        st.decimals("0.001", "9999", places=3),
        st.decimals("-9999", "99999", places=4),
        st.decimals("0", "100", places=2),
        st.builds(
            lambda *key: (TaxKey("S", *key),), st.sampled_from([D(0), D(7), D("8.1"), D(19), D("25.5")]), st.booleans()
        ),
        net=st.none(),
        is_discountable=st.just(True),
    ),
    max_size=12,
)


@given(LINES, st.sampled_from(["EUR", "JPY", "KWD"]), st.sampled_from(["per_rate", "per_line"]))
def test_sums_add_up(lines: list[TotalsLine], currency: str, rounding: str) -> None:
    """Nets sum to the net, taxes to the tax, both to the total, all exact in the currency's decimals."""
    totals = invoice_totals(lines, currency, rounding)
    included = sum((one.amount.amount for one in totals.taxes if one.tax.included), D(0))
    assert totals.net.amount == sum((one.amount for one in totals.line_nets), D(0)) - included
    assert totals.net.amount == sum((one.base.amount for one in totals.taxes), D(0))
    assert totals.tax.amount == sum((one.amount.amount for one in totals.taxes), D(0))
    assert totals.total == totals.net + totals.tax
    unit = D(1).scaleb(-currency_decimals(currency))
    assert all(one.amount % unit == 0 for one in (*totals.line_nets, totals.net, totals.tax, totals.total))


BORNE = st.lists(
    st.tuples(st.just("S"), st.sampled_from([D(5), D("9.975"), D(9), D(13)]), st.booleans()), min_size=1, max_size=3
).map(borne)
SEVERAL = st.lists(
    st.builds(
        TotalsLine,
        st.integers(1, 9).map(D),
        st.decimals("-99", "999", places=2),
        st.sampled_from([D(0), D(10)]),
        BORNE,
        net=st.none(),
        is_discountable=st.just(True),
    ),
    max_size=8,
)


@given(SEVERAL, st.sampled_from(["EUR", "JPY"]), st.sampled_from(["per_rate", "per_line"]))
def test_several_taxes_add_up(lines: list[TotalsLine], currency: str, rounding: str) -> None:
    """What the lines say less the taxes in them is the net. A rate's base is the net of the lines that bear it, alone
    or beside others, and its tax is its rate of that, to half a unit per line and tax.
    """
    totals = invoice_totals(lines, currency, rounding)
    included = sum((one.amount.amount for one in totals.taxes if one.tax.included), D(0))
    assert totals.net.amount == sum((one.amount for one in totals.line_nets), D(0)) - included
    assert totals.tax.amount == sum((one.amount.amount for one in totals.taxes), D(0))
    assert totals.total == totals.net + totals.tax
    slack = Fraction(len(lines) * 3) * Fraction(D(1).scaleb(-currency_decimals(currency)))
    for one in totals.taxes:
        bearing = [
            Fraction(net.amount) * 100 / (100 + included_percent(line.taxes))
            for line, net in zip(lines, totals.line_nets, strict=True)
            if one.tax in line.taxes
        ]
        assert abs(sum(bearing) - Fraction(one.base.amount)) <= slack
        assert abs(sum(bearing) * Fraction(one.tax.percent) / 100 - Fraction(one.amount.amount)) <= slack
    if totals.line_taxes is not None:
        for place, own in enumerate(totals.line_taxes):
            assert len(own) == len(lines[place].taxes)
        assert sum((tax.amount for own in totals.line_taxes for tax in own), D(0)) == totals.tax.amount


@given(SEVERAL)
def test_the_order_of_taxes_and_lines_changes_no_sum(lines: list[TotalsLine]) -> None:
    """Lines read backwards, and the first of each line's taxes last, give the same document."""
    turned = [
        TotalsLine(one.quantity, one.unit_price, one.discount_percent, one.taxes[1:] + one.taxes[:1])
        for one in lines[::-1]
    ]
    forward, backward = invoice_totals(lines, "EUR", "per_rate"), invoice_totals(turned, "EUR", "per_rate")
    assert (forward.net, forward.taxes, forward.total) == (backward.net, backward.taxes, backward.total)


@given(LINES)
def test_both_roundings_differ_by_half_a_unit_per_line_at_most(lines: list[TotalsLine]) -> None:
    """Per line and per rate agree on what the lines say, and on the tax to half a cent per line and half a cent per
    rate.
    """
    by_rate = invoice_totals(lines, "EUR", "per_rate")
    by_line = invoice_totals(lines, "EUR", "per_line")
    assert by_rate.line_nets == by_line.line_nets
    assert abs(by_rate.tax.amount - by_line.tax.amount) <= D("0.005") * (len(lines) + len(by_rate.taxes))


@given(LINES)
def test_the_order_of_lines_changes_no_sum(lines: list[TotalsLine]) -> None:
    """Lines read backwards give the same document."""
    forward, backward = invoice_totals(lines, "EUR", "per_rate"), invoice_totals(lines[::-1], "EUR", "per_rate")
    assert (forward.net, forward.taxes, forward.total) == (backward.net, backward.taxes, backward.total)


def test_the_effective_discount_weighs_lines_by_price() -> None:
    """10 % on 100 and none on 300 is 2.5 % of the whole; nothing sold has no discount."""
    assert effective_discount([(D(1), D(100), D(10)), (D(3), D(100), D(0))]) == D("2.5")
    assert effective_discount([]) == D(0)


@pytest.mark.parametrize("row", table("totals-and-tax.md", "Profile"))
def test_a_line_bears_the_tax_of_the_documentation(row: list[str]) -> None:
    """The profile beats the rate, and a missing rate is found out."""
    profile, rate, category, percent, can_be_issued = row
    day = date(2026, 4, 1)
    rates = [] if rate == "none" else [Rate(new_id(), ENTITY, "standard", "VAT 19 %", D(19), "S", "", day, None)]
    (tax,) = line_taxes(rates_on(rates, day), ENTITY, "standard", profile, "a reason", day)
    assert (tax.category, tax.percent, tax.found) == (category, D(percent), can_be_issued == "yes")


def test_a_rate_holds_from_its_first_day_until_before_its_last() -> None:
    """On the day of the change the new rate holds, the day before the old one."""
    change = date(2026, 7, 1)
    old = Rate(new_id(), ENTITY, "standard", "VAT 19 %", D(19), "S", "", date(2015, 1, 1), change)
    new = Rate(new_id(), ENTITY, "standard", "VAT 21 %", D(21), "S", "", change, None)
    for day, percent in ((date(2026, 6, 30), D(19)), (change, D(21))):
        (tax,) = line_taxes(rates_on([old, new], day), ENTITY, "standard", "standard", "", day)
        assert tax.percent == percent


@pytest.mark.parametrize(
    ("profile", "on", "borne"),
    [
        ("standard", date(2026, 6, 30), ["GST 5", "QST 9.975"]),
        ("standard", date(2026, 7, 1), ["GST 5", "QST 10"]),
        ("standard", date(2026, 12, 1), ["GST 5"]),
        ("exempt", date(2026, 6, 30), ["Exempt 0"]),
        ("reverse_charge", date(2026, 6, 30), ["Reverse charge 0"]),
    ],
)
def test_a_class_may_stand_for_several_taxes(profile: str, on: date, borne: list[str]) -> None:
    """Each part holds from its own day until its own; the profile replaces all of them by one."""
    gst, qst, later = date(2008, 1, 1), date(2013, 1, 1), date(2026, 7, 1)
    rates = [
        Rate(new_id(), ENTITY, "standard", "QST", D("9.975"), "S", "", qst, later, part=2),
        Rate(new_id(), ENTITY, "standard", "GST", D(5), "S", "", gst, None),
        Rate(new_id(), ENTITY, "standard", "QST", D(10), "S", "", later, date(2026, 12, 1), part=2),
        Rate(new_id(), ENTITY, "reduced", "GST", D(5), "S", "", gst, None),
    ]
    taxes = line_taxes(rates_on(rates, on), ENTITY, "standard", profile, "a reason", on)
    assert [f"{tax.label} {tax.percent}" for tax in taxes] == borne


@pytest.mark.parametrize("row", table("numbering.md", "Pattern"))
def test_numbers_read_as_documented(row: list[str]) -> None:
    """A pattern, digits, a year and a counter give the number."""
    pattern, digits, year, counter, number = row
    assert bad_pattern(pattern) == ""
    assert document_number(pattern, int(digits), int(year), int(counter)) == number


@pytest.mark.parametrize("pattern", ["INV", "{number}{number}", "{number}-{day}", "{number", "{number:05}", "{}"])
def test_a_pattern_that_cannot_number_is_refused(pattern: str) -> None:
    """The reason is a sentence."""
    assert bad_pattern(pattern).endswith(".")


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(1, 9))
def test_different_counters_give_different_numbers(left: int, right: int, digits: int) -> None:
    """No two counters of a year read alike."""
    numbers = {document_number("INV-{year}-{number}", digits, 2026, counter) for counter in (left, right)}
    assert len(numbers) == len({left, right})


@pytest.mark.parametrize(
    ("days", "from_end", "due"),
    [(0, False, "2026-01-30"), (14, False, "2026-02-13"), (30, True, "2026-03-02"), (0, True, "2026-01-31")],
)
def test_terms_say_when_an_invoice_is_due(days: int, from_end: bool, due: str) -> None:
    """So many days after the issue, or after the end of its month."""
    assert due_date(date(2026, 1, 30), Terms(Due(days, from_end))).isoformat() == due


@pytest.mark.parametrize(
    ("status", "settled", "today", "word"),
    [
        ("draft", 0, 1, "draft"),
        ("issued", 0, 30, "issued"),
        ("issued", 0, 1, "issued"),
        ("issued", 0, 31, "overdue"),
        ("issued", 40, 30, "part_paid"),
        ("issued", 40, 31, "overdue"),
        ("issued", 100, 31, "paid"),
        ("void", 0, 31, "void"),
    ],
)
def test_one_word_says_where_an_invoice_stands(status: str, settled: int, today: int, word: str) -> None:
    """Due on 30 May: that day it is open, the next day overdue, whatever was paid in part."""
    assert status_of(status, D(100), D(settled), date(2026, 5, 30), date(2026, 5, today)) == word


def test_equal_documents_keep_their_own_writing() -> None:
    """What is worked out once for equal lines bears each document's own rates: 19 is not written 19.0000 since another
    document did.
    """
    for written in ("19.0000", "19"):
        line = TotalsLine(D(1), D(100), D(0), (TaxKey("S", D(written)),))
        (tax,) = invoice_totals([line], "EUR", "per_rate").taxes
        assert str(tax.tax.percent) == written
