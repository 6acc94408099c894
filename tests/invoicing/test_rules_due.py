"""When invoices are due, as the documentation works it out, and what holds for all terms."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.accounts.rules.terms import Discount, Due, Part, Terms, due_from, problems_of_terms
from counterfoil.core.money import Money, sum_of
from counterfoil.invoicing.rules.due import Instalment, due_date, due_day, due_plan, open_instalments

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "terms.md"
DAY = date(2026, 1, 15)
D = Decimal


def table(first: str) -> list[list[str]]:
    """The rows of the page's table whose first heading is ``first``."""
    lines = PAGE.read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def money(text: str) -> Money:
    amount, currency = text.split()
    return Money(D(amount), currency)


def parts_of(text: str) -> tuple[Part, ...]:
    """``30 % in 0, 100 in 30, rest in 60``: sizes with the days after which they are due."""
    found = []
    for one in text.split(", "):
        match = re.fullmatch(r"(?:(\S+) %|(rest)|(\S+)) in (\d+)", one)
        assert match, one
        percent, rest, amount, days = match.groups()
        size = {"percent": D(percent)} if percent else {"rest": True} if rest else {"amount": D(amount)}
        found.append(Part(Due(int(days)), **size))  # type: ignore[arg-type]
    return tuple(found)


@pytest.mark.parametrize("row", table("Due"))
def test_due_days_are_those_of_the_documentation(row: list[str]) -> None:
    """The day of each written form."""
    written, issued, on = row
    due = due_from(json.loads(written.strip("`")))
    assert problems_of_terms(Terms(due)) == []
    assert due_day(due, date.fromisoformat(issued)).isoformat() == on


@pytest.mark.parametrize("row", table("Parts"))
def test_instalments_are_those_of_the_documentation(row: list[str]) -> None:
    """Days and amounts of each worked example."""
    parts, total, come_to = row
    terms = Terms(instalments=parts_of(parts))
    assert problems_of_terms(terms) == []
    plan = due_plan(money(total), DAY, terms)
    said = ", ".join(f"{one.amount.amount} in {(one.due_on - DAY).days}" for one in plan.instalments)
    assert (said, plan.early_discount) == (come_to, None)


@pytest.mark.parametrize("row", table("Refused"))
def test_terms_that_are_not_the_whole_are_refused(row: list[str]) -> None:
    """One problem, of the code that the documentation gives."""
    parts, code = row
    problems = problems_of_terms(Terms(instalments=parts_of(parts)))
    assert [(one.field, one.code) for one in problems] == [("instalments", code)]


@pytest.mark.parametrize("row", table("Total"))
def test_early_discounts_are_those_of_the_documentation(row: list[str]) -> None:
    """Until when, how much it saves, and what there is to pay."""
    total, discount, issued, until, saves, pay = row
    match = re.fullmatch(r"(\S+) % in (\d+)", discount)
    assert match
    terms = Terms(early_discount=Discount(D(match[1]), int(match[2])))
    early = due_plan(money(total), date.fromisoformat(issued), terms).early_discount
    assert early is not None
    assert (early.until.isoformat(), str(early.amount.amount), str(early.pay.amount)) == (until, saves, pay)


@pytest.mark.parametrize("row", table("Instalments"))
def test_money_fills_the_earliest_instalments_first(row: list[str]) -> None:
    """What is open of each instalment."""
    instalments, owed, each = row
    parts = [
        Instalment(DAY + timedelta(place), money(f"{one} EUR")) for place, one in enumerate(instalments.split(", "))
    ]
    left = open_instalments(parts, money(f"{owed} EUR"))
    assert ", ".join(str(one.amount.amount) for one in left) == each
    assert [one.due_on for one in left] == [one.due_on for one in parts]


def test_without_terms_all_is_due_on_the_day_of_issue() -> None:
    """One instalment of the total; nothing for an early payment."""
    plan = due_plan(Money(D(100), "EUR"), DAY, None)
    assert plan.instalments == (Instalment(DAY, Money(D(100), "EUR")),)
    assert (plan.due_on, plan.early_discount) == (DAY, None)


def test_a_total_of_nothing_is_due_in_one() -> None:
    """Zero has no parts: it is due when the last part would be, and no payment of it is early."""
    terms = Terms(instalments=parts_of("30 % in 0, 70 % in 30"), early_discount=Discount(D(2), 10))
    plan = due_plan(Money.zero("EUR"), DAY, terms)
    assert plan.instalments == (Instalment(DAY + timedelta(30), Money.zero("EUR")),)
    assert plan.early_discount is None


DUES = st.one_of(
    st.builds(Due, days=st.integers(0, 365), then_end_of_month=st.booleans()),
    st.builds(Due, days=st.integers(0, 365), from_end_of_month=st.just(True), months=st.integers(0, 24)),
    st.builds(Due, day_of_month=st.integers(1, 31), months=st.integers(0, 24)),
)
SIZES = st.one_of(
    st.builds(lambda due, percent: Part(due, percent=percent), DUES, st.decimals("0.0001", "20", places=4)),
    st.builds(lambda due, amount: Part(due, amount=amount), DUES, st.decimals("0.01", "500", places=2)),
)


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    """Terms of every shape: one due day, percentages that make 100, and parts of any size with a rest anywhere."""
    discount = draw(st.none() | st.builds(Discount, st.decimals("0.0001", "99", places=4), st.integers(0, 365)))
    shape = draw(st.sampled_from(["one", "percents", "rest"]))
    if shape == "one":
        return Terms(draw(DUES), (), discount)
    if shape == "rest":
        parts = draw(st.lists(SIZES, max_size=4))
        parts.insert(draw(st.integers(0, len(parts))), Part(draw(DUES), rest=True))
        return Terms(Due(), tuple(parts), discount)
    cuts = sorted(draw(st.lists(st.integers(1, 999_999), max_size=5, unique=True)))
    steps = [end - start for start, end in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
    return Terms(Due(), tuple(Part(draw(DUES), percent=D(step) / 10_000) for step in steps), discount)


@given(
    some_terms(),
    st.integers(0, 10**9),
    st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)]),
    st.dates(date(2020, 1, 1), date(2040, 12, 31)),
)
def test_a_plan_is_the_whole_total_in_the_order_of_its_days(
    terms: Terms, units: int, currency: tuple[str, int], issued_on: date
) -> None:
    """Never a unit more or less, no day before the issue, no part of nothing, and a discount that leaves something."""
    assert problems_of_terms(terms) == []
    total = Money(D(units).scaleb(-currency[1]), currency[0])
    plan = due_plan(total, issued_on, terms)
    assert sum_of((one.amount for one in plan.instalments), total.currency) == total
    days = [one.due_on for one in plan.instalments]
    assert days == sorted(days)
    assert issued_on <= days[0]
    assert plan.due_on <= due_date(issued_on, terms)
    assert all(one.amount.amount > 0 for one in plan.instalments) or len(plan.instalments) == 1
    if plan.early_discount is not None:
        assert plan.early_discount.amount + plan.early_discount.pay == total
        assert Money.zero(total.currency) < plan.early_discount.amount < total
        assert plan.early_discount.until >= issued_on


@given(some_terms(), st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_is_open_of_the_parts_is_what_is_open(terms: Terms, units: int, paid: int) -> None:
    """The open parts sum to the open amount, and no later part is touched before an earlier one is filled."""
    total = Money(D(units).scaleb(-2), "EUR")
    owed = max(total - Money(D(paid).scaleb(-2), "EUR"), Money.zero("EUR"))
    plan = due_plan(total, DAY, terms)
    left = open_instalments(plan.instalments, owed)
    assert sum_of((one.amount for one in left), "EUR") == owed
    touched = [rest.amount != one.amount for one, rest in zip(plan.instalments, left, strict=True)]
    assert touched == sorted(touched, reverse=True)
    assert all(not left[place].amount for place in range(sum(touched) - 1))
