"""How much can be taken back, and with how much tax: as the documentation works it out, and what always holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rules_totals import table, taxes_of

from counterfoil.core.money import Money, sum_of
from counterfoil.invoicing.rules.crediting import Creditable, Rate, Wanted, after_credit, credit_taxes, problems_of
from counterfoil.invoicing.rules.totals import Borne, TaxKey, TotalsLine, borne, invoice_totals

D = Decimal
INVOICE = UUID(int=7)
ZERO = Money.zero("EUR")


def eur(text: str | Decimal) -> Money:
    return Money(D(text), "EUR")


def issued(amounts: list[Money], kinds: list[Borne], rounding: str) -> tuple[dict[UUID, Creditable], dict[Rate, Money]]:
    """Lines of an invoice of which nothing was taken back, and the invoice's tax by rate.

    Each line bears the taxes at its place; where there are fewer kinds than lines, they begin anew.
    """
    borne_by = [kinds[place % len(kinds)] for place in range(len(amounts))]
    lines = [TotalsLine(D(1), one.amount, D(0), taxes) for one, taxes in zip(amounts, borne_by, strict=True)]
    totals = invoice_totals(lines, "EUR", rounding)
    own = totals.line_taxes or [None] * len(lines)
    found = {
        UUID(int=place): Creditable(UUID(int=place), INVOICE, amount, kind, taxes, *(ZERO, (ZERO,) * len(kind)) * 3)
        for place, (amount, kind, taxes) in enumerate(zip(amounts, borne_by, own, strict=True), 1)
    }
    return found, {(INVOICE, one.tax): one.amount for one in totals.taxes}


def credit(
    lines: dict[UUID, Creditable], whole: dict[Rate, Money], wanted: list[Wanted]
) -> tuple[dict[UUID, Creditable], list[tuple[Money, ...]]]:
    assert problems_of(wanted, lines) == []
    taxes = credit_taxes(wanted, lines, whole)
    return after_credit(lines, wanted, taxes), taxes


def all_of(taxes: Iterable[Iterable[Money]]) -> Money:
    return sum_of((tax for own in taxes for tax in own), "EUR")


@pytest.mark.parametrize("row", table("credit-notes.md", "Lines of the invoice"))
def test_credits_are_those_of_the_documentation(row: list[str]) -> None:
    """One credit after the other, each `line: amount`; what does not fit is refused."""
    amounts, rate, rounding, credits, taxes = row
    lines, whole = issued([eur(one.strip()) for one in amounts.split(";")], [taxes_of(rate)], rounding)
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
        sums = [sum_of(parts, "EUR") for parts in zip(*given, strict=True)]
        found.append(" + ".join(str(one.amount) for one in sums))
    assert "; ".join(found) == taxes


AMOUNTS = st.lists(st.integers(1, 100_000).map(lambda cents: eur(D(cents).scaleb(-2))), min_size=1, max_size=4)
KINDS = st.builds(
    lambda *key: [(TaxKey("S", *key),)], st.sampled_from([D(0), D(7), D("8.1"), D(19), D("25.5")]), st.booleans()
)
SEVERAL = st.lists(
    st.lists(
        st.tuples(st.just("S"), st.sampled_from([D(5), D("9.975"), D(9)]), st.booleans()), min_size=1, max_size=3
    ).map(borne),
    min_size=1,
    max_size=3,
)


@settings(deadline=None)
@given(AMOUNTS, st.one_of(KINDS, SEVERAL), st.sampled_from(["per_rate", "per_line"]), st.data())
def test_credits_never_give_more_and_in_the_end_all(
    amounts: list[Money], kinds: list[Borne], rounding: str, data: st.DataObject
) -> None:
    """However a document is taken back in parts, no rate's tax is exceeded, and the last part gives each whole."""
    lines, whole = issued(amounts, kinds, rounding)
    given_tax = dict.fromkeys(whole, ZERO)
    for _ in range(12):
        left = [line for line in lines.values() if line.left]
        if not left:
            break
        line = data.draw(st.sampled_from(left))
        cents = int(line.left.amount * 100)
        part = eur(D(data.draw(st.integers(1, cents))).scaleb(-2))
        lines, taxes = credit(lines, whole, [Wanted(line.id, part)])
        assert all(tax >= ZERO for own in taxes for tax in own)
        add(given_tax, line, taxes[0])
        assert all(given_tax[rate] <= tax for rate, tax in whole.items())
    rest = [Wanted(line.id, line.left) for line in lines.values() if line.left]
    if rest:
        lines, taxes = credit(lines, whole, rest)
        for one, own in zip(rest, taxes, strict=True):
            add(given_tax, lines[one.line_id], own)
    assert given_tax == whole
    assert all(line.left == ZERO for line in lines.values())


def add(sums: dict[Rate, Money], line: Creditable, taxes: tuple[Money, ...]) -> None:
    for key, tax in zip(line.taxes, taxes, strict=True):
        sums[INVOICE, key] += tax


@given(AMOUNTS, st.one_of(KINDS, SEVERAL), st.integers(1, 10_000))
def test_more_than_is_left_is_refused(amounts: list[Money], kinds: list[Borne], cents: int) -> None:
    """Of each line, whatever was taken back before; and once is as good as twice."""
    lines, _ = issued(amounts, kinds, "per_rate")
    first = lines[UUID(int=1)]
    more = eur(first.said.amount + D(cents).scaleb(-2))
    assert [one.code for one in problems_of([Wanted(first.id, more)], lines)] == ["more_than_left"]
    twice = [Wanted(first.id, first.said), Wanted(first.id, eur("0.01"))]
    assert [(one.field, one.code) for one in problems_of(twice, lines)] == [("lines.1.amount", "more_than_left")]


def test_an_allowance_lowers_what_is_left_of_its_rate() -> None:
    """Work of 400 with an allowance of 50: not more than 350, and both together are the whole."""
    lines, whole = issued([eur("400"), eur("-50")], [taxes_of("19")], "per_rate")
    work, allowance = lines
    assert [one.code for one in problems_of([Wanted(work, eur("350.01"))], lines)] == ["more_than_left_of_rate"]
    assert [one.code for one in problems_of([Wanted(allowance, eur("50"))], lines)] == ["more_than_left"]
    _, taxes = credit(lines, whole, [Wanted(work, eur("400")), Wanted(allowance, eur("-50"))])
    assert [all_of(taxes)] == list(whole.values()) == [eur("66.50")]


def test_a_line_that_takes_back_is_not_taken_back() -> None:
    """A proration credit on an invoice is no sale."""
    lines, _ = issued([eur("400"), eur("-50")], [taxes_of("19")], "per_rate")
    lines = {place: replace(line, takes_back=line.said < ZERO) for place, line in lines.items()}
    wanted = [Wanted(UUID(int=1), eur("400")), Wanted(UUID(int=2), eur("-50"))]
    assert [(one.field, one.code) for one in problems_of(wanted, lines)] == [("lines.1.line", "takes_back")]
    assert problems_of(wanted[:1], lines) == []


def test_a_rate_counts_all_lines_that_bear_it() -> None:
    """100 bears both taxes and an allowance of 50 the first alone: of the first no more than 50 is left."""
    lines, whole = issued([eur("100"), eur("-50")], [taxes_of("5 + 9.975"), taxes_of("5")], "per_rate")
    work, allowance = lines
    assert [(one.field, one.code) for one in problems_of([Wanted(work, eur("50.01"))], lines)] == [
        ("lines.0.amount", "more_than_left_of_rate")
    ]
    _, taxes = credit(lines, whole, [Wanted(work, eur("100")), Wanted(allowance, eur("-50"))])
    assert [sum_of(own, "EUR") for own in taxes] == [eur("14.98"), eur("-2.50")]


def test_a_rate_is_complete_though_others_are_not() -> None:
    """The line that bears both is gone: what is left of the second tax goes with it, of the first what its line is."""
    lines, whole = issued([eur("0.30"), eur("0.30")], [taxes_of("5 + 9.975"), taxes_of("5")], "per_rate")
    assert list(whole.values()) == [eur("0.03"), eur("0.03")]
    lines, taxes = credit(lines, whole, [Wanted(UUID(int=1), eur("0.30"))])
    assert taxes == [(eur("0.02"), eur("0.03"))]
    _, taxes = credit(lines, whole, [Wanted(UUID(int=2), eur("0.30"))])
    assert taxes == [(eur("0.01"),)]
