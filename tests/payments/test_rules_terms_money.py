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

from counterfoil.core.money import Money, rounded, sum_of
from counterfoil.invoicing.rules.allowances import TaxedPart, allowance_by_line, by_rate
from counterfoil.invoicing.rules.crediting import Creditable, Rate
from counterfoil.invoicing.rules.totals import TaxKey, borne, tax_on
from counterfoil.payments.rules.aging import bucket_of, labels
from counterfoil.payments.rules.allocating import OpenInvoice, Settlement, as_ordered, oldest_first, spread
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
        found.append(TaxedPart("S", D(match[1]), eur(match[2]), eur(match[3])))
    return tuple(found)


def eur(text: str) -> Money:
    return Money(D(text), "EUR")


def line(number: int, said: Money, percents: list[str], *, noted: str = "0", **off: tuple[Money, ...]) -> Creditable:
    """A line with its taxes; ``noted`` of its amount was taken back by credit notes."""
    taxes, none = borne([("S", D(one), False) for one in percents]), (Money.zero("EUR"),) * len(percents)
    back = off.get("taxes_noted", none)
    return Creditable(
        UUID(int=number), INVOICE, said, taxes, None, eur(noted), back, eur(noted), back, Money.zero("EUR"), none
    )


INVOICE = UUID(int=9)


@pytest.mark.parametrize("row", table("Invoice"))
def test_allowances_by_rate_are_those_of_the_documentation(row: list[str]) -> None:
    """Net and tax of each rate."""
    parts, allowed, expected = row
    lines = [line(number, one.net, [str(one.percent)]) for number, one in enumerate(taxed(parts))]
    taxes = {(INVOICE, lines[number].taxes[0]): one.tax for number, one in enumerate(taxed(parts))}
    assert by_rate(allowance_by_line(eur(allowed), lines, taxes)) == taxed(expected)


@pytest.mark.parametrize("row", table("Lines with their taxes"))
def test_an_allowance_on_several_taxes_is_that_of_the_documentation(row: list[str]) -> None:
    """What lines come to with their taxes, each on the same net."""
    texts, allowed, expected = row
    lines, taxes = [], {}
    for number, text in enumerate(texts.split("; ")):
        gross, percents = text.split(" @ ")
        share = 1 + sum((Fraction(one) for one in percents.split(" + ")), Fraction(0)) / 100
        lines.append(line(number, rounded(Fraction(gross) / share, "EUR"), percents.split(" + ")))
    for one in lines:
        for key in one.taxes:
            taxes[INVOICE, key] = taxes.get((INVOICE, key), Money.zero("EUR")) + tax_on(one.said, key.percent)
    made = by_rate(allowance_by_line(eur(allowed), lines, taxes))
    assert made == taxed(expected)
    assert sum_of((one.gross for one in made), "EUR") == eur(allowed)


@pytest.mark.parametrize("row", table("Charged"))
def test_what_is_left_of_an_invoice_bears_the_allowance(row: list[str]) -> None:
    """Each line with its rate and what credit notes took back of it; the allowance by line, net and tax."""
    charged, allowed, expected = row
    lines, taxes = [], {}
    for number, text in enumerate(charged.split("; "), 1):
        match = re.fullmatch(r"(\S+) @ (\S+)(?: less (\S+))?", text)
        assert match, text
        said, percent, noted = eur(match[1]), match[2], match[3] or "0"
        lines.append(line(number, said, [percent], noted=noted, taxes_noted=(tax_on(eur(noted), D(percent)),)))
    for one in lines:
        (key,) = one.taxes
        taxes[INVOICE, key] = taxes.get((INVOICE, key), Money.zero("EUR")) + tax_on(one.said, key.percent)
    made = sorted(allowance_by_line(eur(allowed), lines, taxes), key=lambda one: one.line_id)
    assert "; ".join(f"{one.line_id.int}: {one.net.amount} + {one.tax.amount}" for one in made) == expected


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
    """Its nets and taxes sum to it to the cent, none of its rates gets nothing, and no line less than nothing."""
    lines = [line(place, Money(net, "EUR"), [str(percent)]) for place, (net, percent) in enumerate(parts, 1)]
    taxes: dict[Rate, Money] = {}
    for percent in {percent for _, percent in parts}:
        net = sum_of((one.said for one in lines if one.taxes[0].percent == percent), "EUR")
        taxes[INVOICE, TaxKey("S", percent)] = tax_on(net, percent)
    total = sum_of([*(one.said for one in lines), *taxes.values()], "EUR")
    allowance = Money(min(amount, total.amount), "EUR")
    if allowance.amount <= 0:
        return
    by_line = allowance_by_line(allowance, lines, taxes)
    made = by_rate(by_line)
    assert sum_of((one.gross for one in made), "EUR") == allowance
    assert all(one.gross for one in made)
    if len(taxes) == 1:
        said = {one.id: one.said for one in lines}
        assert all(abs(one.said) <= abs(said[one.line_id]) and one.said.amount * said[one.line_id].amount >= 0
                   for one in by_line)  # fmt: skip
        assert sum_of((one.tax for one in by_line), "EUR") <= sum_of(taxes.values(), "EUR")
