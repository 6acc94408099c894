"""What money settles, what is allowed and how late it is, as the documentation works it out."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.money import Money, sum_of
from counterfoil.payments.rules.aging import bucket_of, labels
from counterfoil.payments.rules.allocating import OpenInvoice, Settlement, as_ordered, oldest_first, spread
from counterfoil.payments.rules.allowances import Taxed, TaxedPart, allowance_by_rate
from counterfoil.payments.rules.orders import Share

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "terms.md"
DAY = date(2026, 2, 1)
PAYER, ENTITY = UUID(int=1), UUID(int=2)
D = Decimal


def table(first: str) -> list[list[str]]:
    """The rows of the page's table whose first heading begins with ``first``."""
    lines = PAGE.read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def invoice(number: int, owed: Decimal, discount: Decimal = D(0), days: int = 10) -> OpenInvoice:
    return OpenInvoice(
        id=UUID(int=100 + number),
        number=f"R-{number}",
        payer_id=PAYER,
        payers=frozenset({PAYER}),
        entity_id=ENTITY,
        currency="EUR",
        open=owed,
        issued_on=DAY,
        due_on=DAY + timedelta(number),
        discount=discount,
        discount_until=DAY + timedelta(days),
    )


@pytest.mark.parametrize("row", table("Paid, of"))
def test_early_payments_are_those_of_the_documentation(row: list[str]) -> None:
    """Whether it is the oldest invoice, one that is named, or one that is named with the amount."""
    paid, on, settles, allowed, owed = row
    amount, came = D(paid), DAY + timedelta(int(on) - 1)
    one = invoice(1, D("100.00"), D("2.00"))
    left = {one.id: one.open}
    expected = (Settlement(one.id, D(settles), D(allowed)),)
    assert oldest_first(amount, [one], left, came) == expected
    assert spread(amount, [one], left, came) == expected
    assert as_ordered([Share(one.id, min(amount, one.open))], {one.id: one}, left, came) == expected
    assert one.open - expected[0].whole == D(owed)


def taxed(text: str) -> tuple[TaxedPart, ...]:
    found = []
    for one in text.split("; "):
        match = re.fullmatch(r"(\S+) %: (\S+) \+ (\S+)", one)
        assert match, one
        net, tax = Money(D(match[2]), "EUR"), Money(D(match[3]), "EUR")
        found.append(TaxedPart("S", D(match[1]), net, tax))
    return tuple(found)


@pytest.mark.parametrize("row", table("Invoice"))
def test_allowances_by_rate_are_those_of_the_documentation(row: list[str]) -> None:
    """Net and tax of each rate."""
    parts, allowed, by_rate = row
    assert allowance_by_rate(Money(D(allowed), "EUR"), [alone(one) for one in taxed(parts)]) == taxed(by_rate)


def alone(one: TaxedPart) -> Taxed:
    return Taxed(((one.category, one.percent),), Fraction(one.gross.amount))


@pytest.mark.parametrize("row", table("Lines with their taxes"))
def test_an_allowance_on_several_taxes_is_that_of_the_documentation(row: list[str]) -> None:
    """What lines come to with their taxes, each on the same net."""
    lines, allowed, by_rate = row
    found = []
    for line in lines.split("; "):
        gross, percents = line.split(" @ ")
        found.append(Taxed(tuple(("S", D(one)) for one in percents.split(" + ")), Fraction(D(gross))))
    made = allowance_by_rate(Money(D(allowed), "EUR"), found)
    assert made == taxed(by_rate)
    assert sum_of((one.gross for one in made), "EUR") == Money(D(allowed), "EUR")


@pytest.mark.parametrize("row", table("Due on"))
def test_buckets_are_those_of_the_documentation(row: list[str]) -> None:
    """By the day on which it was due."""
    due_on, as_of, name = row
    place = bucket_of(date.fromisoformat(due_on), date.fromisoformat(as_of), (30, 60, 90))
    assert labels((30, 60, 90))[place] == name


def test_buckets_have_names_and_rise() -> None:
    """One more than there are limits, besides what is not due; limits that do not rise are none."""
    assert labels((30, 60, 90)) == ("not_due", "1-30", "31-60", "61-90", "91+")
    assert labels((7,)) == ("not_due", "1-7", "8+")
    for limits in ((), (0,), (30, 30), (60, 30), tuple(range(1, 14))):
        with pytest.raises(ValueError, match="no limits"):
            labels(limits)


@given(
    st.lists(st.tuples(st.decimals("-500", "5000", places=2), st.sampled_from([D(0), D(7), D(19), D("25.5")])),
             min_size=1, max_size=4),
    st.decimals("0.01", "500", places=2),
)  # fmt: skip
def test_an_allowance_is_whole(parts: list[tuple[Decimal, Decimal]], amount: Decimal) -> None:
    """Its nets and taxes sum to it to the cent, each rate's tax has the sign of its part, and none is nothing."""
    found = []
    for net, percent in parts:
        tax = (net * percent / 100).quantize(D("0.01"))
        found.append(TaxedPart("S", percent, Money(net, "EUR"), Money(tax, "EUR")))
    total = sum_of((one.gross for one in found), "EUR")
    allowance = Money(min(amount, total.amount), "EUR")
    if allowance.amount <= 0:
        return
    made = allowance_by_rate(allowance, [alone(one) for one in found])
    assert sum_of((one.gross for one in made), "EUR") == allowance
    assert all(one.gross and (one.tax.amount * one.gross.amount >= 0) for one in made)
    if len(made) == 1:
        exact = made[0].gross.amount * made[0].percent / (100 + made[0].percent)
        assert abs(made[0].tax.amount - exact) <= D("0.005")


OWED = st.lists(
    st.tuples(st.decimals("0.01", "999.99", places=2), st.integers(0, 99), st.integers(-1, 1)), min_size=1, max_size=6
)


@given(OWED, st.decimals("0.01", "5000", places=2))
def test_no_cent_is_lost_or_made(owed: list[tuple[Decimal, int, int]], amount: Decimal) -> None:
    """No invoice gets more than it owes, no money is spent twice, and nobody is spared more than a discount in time.

    What is allowed settles its invoice; money that is left over means that everything is settled.
    """
    invoices = [
        invoice(place, one, (one * percent / 100).quantize(D("0.01")), days)
        for place, (one, percent, days) in enumerate(owed)
    ]
    by_id = {one.id: one for one in invoices}
    left = {one.id: one.open for one in invoices}
    for found in (oldest_first(amount, invoices, left, DAY), spread(amount, invoices, left, DAY)):
        spent = sum((one.amount for one in found), D(0))
        assert spent <= amount
        for one in found:
            assert one.amount > 0
            assert one.whole <= left[one.invoice_id]
            assert 0 <= one.allowance <= by_id[one.invoice_id].spared(DAY)
            assert not one.allowance or one.whole == left[one.invoice_id]
        settled = sum((one.whole for one in found), D(0))
        assert spent == amount or settled == sum(left.values())


@given(OWED)
def test_what_covers_all_less_the_discounts_settles_all(owed: list[tuple[Decimal, int, int]]) -> None:
    """To the cent; and a cent less does not where the invoices are named."""
    invoices = [
        invoice(place, one, (one * percent / 100).quantize(D("0.01")), days)
        for place, (one, percent, days) in enumerate(owed)
    ]
    invoices = [one for one in invoices if one.spared(DAY) < one.open]
    left = {one.id: one.open for one in invoices}
    needed = sum((one.open - one.spared(DAY) for one in invoices), D(0))
    for found in (oldest_first(needed, invoices, left, DAY), spread(needed, invoices, left, DAY)):
        assert sum((one.whole for one in found), D(0)) == sum(left.values())
    short = spread(needed - D("0.01"), invoices, left, DAY) if needed > D("0.01") else ()
    assert not any(one.allowance for one in short)
