"""How much can be taken back, and with how much tax: as the documentation works it out, and what always holds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rules_totals import table

from counterfoil.core.money import Money, sum_of
from counterfoil.invoicing.rules.crediting import Creditable, Wanted, after_credit, credit_taxes, problems_of
from counterfoil.invoicing.rules.totals import TaxKey, TotalsLine, invoice_totals

D = Decimal
INVOICE = UUID(int=7)
ZERO = Money.zero("EUR")


def eur(text: str | Decimal) -> Money:
    return Money(D(text), "EUR")


def issued(amounts: list[Money], key: TaxKey, rounding: str) -> tuple[dict[UUID, Creditable], Money]:
    """Lines of one rate of an invoice of which nothing was taken back, and the invoice's tax."""
    lines = [TotalsLine(D(1), one.amount, D(0), key) for one in amounts]
    totals = invoice_totals(lines, "EUR", rounding)
    own = totals.line_taxes or [None] * len(lines)
    found = {
        UUID(int=place): Creditable(UUID(int=place), INVOICE, amount, key, tax, ZERO, ZERO)
        for place, (amount, tax) in enumerate(zip(amounts, own, strict=True), 1)
    }
    return found, totals.tax


def credit(
    lines: dict[UUID, Creditable], whole: Money, wanted: list[Wanted]
) -> tuple[dict[UUID, Creditable], list[Money]]:
    assert problems_of(wanted, lines) == []
    key = next(iter(lines.values())).tax
    taxes = credit_taxes(wanted, lines, {(INVOICE, key): whole})
    return after_credit(lines, wanted, taxes), taxes


@pytest.mark.parametrize("row", table("credit-notes.md", "Lines of the invoice"))
def test_credits_are_those_of_the_documentation(row: list[str]) -> None:
    """One credit after the other, each `line: amount`; what does not fit is refused."""
    amounts, rate, rounding, credits, taxes = row
    key = TaxKey("S", D(rate.split()[0]), included="included" in rate)
    lines, whole = issued([eur(one.strip()) for one in amounts.split(";")], key, rounding)
    found = []
    for one in credits.split(";"):
        wanted = []
        for part in one.split("+"):
            line, amount = part.split(":")
            wanted.append(Wanted(UUID(int=int(line)), eur(amount.strip())))
        if problems_of(wanted, lines):
            found.append("refused")
            continue
        lines, given = credit(lines, whole, wanted)
        found.append(str(sum_of(given, "EUR").amount))
    assert "; ".join(found) == taxes


AMOUNTS = st.lists(st.integers(1, 100_000).map(lambda cents: eur(D(cents).scaleb(-2))), min_size=1, max_size=4)
KEYS = st.builds(TaxKey, st.just("S"), st.sampled_from([D(0), D(7), D("8.1"), D(19), D("25.5")]), st.booleans())


@settings(deadline=None)
@given(AMOUNTS, KEYS, st.sampled_from(["per_rate", "per_line"]), st.data())
def test_credits_never_give_more_and_in_the_end_all(
    amounts: list[Money], key: TaxKey, rounding: str, data: st.DataObject
) -> None:
    """However a document is taken back in parts, its tax is never exceeded, and is given whole with the last part."""
    lines, whole = issued(amounts, key, rounding)
    given_tax = ZERO
    for _ in range(12):
        left = [line for line in lines.values() if line.left]
        if not left:
            break
        line = data.draw(st.sampled_from(left))
        cents = int(line.left.amount * 100)
        part = eur(D(data.draw(st.integers(1, cents))).scaleb(-2))
        lines, taxes = credit(lines, whole, [Wanted(line.id, part)])
        assert all(tax >= ZERO for tax in taxes)
        given_tax += sum_of(taxes, "EUR")
        assert given_tax <= whole
    rest = [Wanted(line.id, line.left) for line in lines.values() if line.left]
    if rest:
        lines, taxes = credit(lines, whole, rest)
        given_tax += sum_of(taxes, "EUR")
    assert given_tax == whole
    assert all(line.left == ZERO for line in lines.values())


@given(AMOUNTS, KEYS, st.integers(1, 10_000))
def test_more_than_is_left_is_refused(amounts: list[Money], key: TaxKey, cents: int) -> None:
    """Of each line, whatever was taken back before; and once is as good as twice."""
    lines, _ = issued(amounts, key, "per_rate")
    first = lines[UUID(int=1)]
    more = eur(first.said.amount + D(cents).scaleb(-2))
    assert [one.code for one in problems_of([Wanted(first.id, more)], lines)] == ["more_than_left"]
    twice = [Wanted(first.id, first.said), Wanted(first.id, eur("0.01"))]
    assert [(one.field, one.code) for one in problems_of(twice, lines)] == [("lines.1.amount", "more_than_left")]


def test_an_allowance_lowers_what_is_left_of_its_rate() -> None:
    """Work of 400 with an allowance of 50: not more than 350, and both together are the whole."""
    key = TaxKey("S", D(19))
    lines, whole = issued([eur("400"), eur("-50")], key, "per_rate")
    work, allowance = lines
    assert [one.code for one in problems_of([Wanted(work, eur("350.01"))], lines)] == ["more_than_left_of_rate"]
    assert [one.code for one in problems_of([Wanted(allowance, eur("50"))], lines)] == ["more_than_left"]
    _, taxes = credit(lines, whole, [Wanted(work, eur("400")), Wanted(allowance, eur("-50"))])
    assert sum_of(taxes, "EUR") == whole == eur("66.50")


def test_a_line_that_takes_back_is_not_taken_back() -> None:
    """A proration credit on an invoice is no sale."""
    lines, _ = issued([eur("400"), eur("-50")], TaxKey("S", D(19)), "per_rate")
    lines = {place: replace(line, takes_back=line.said < ZERO) for place, line in lines.items()}
    wanted = [Wanted(UUID(int=1), eur("400")), Wanted(UUID(int=2), eur("-50"))]
    assert [(one.field, one.code) for one in problems_of(wanted, lines)] == [("lines.1.line", "takes_back")]
    assert problems_of(wanted[:1], lines) == []
