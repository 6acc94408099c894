"""How retainers burn down, against an hour-by-hour account of the same rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.retainers.rules.burning import RollOver, Terms, Use, burn, cells_of
from counterfoil.subscriptions.rules.grid import Interval

START = date(2026, 1, 1)
MONTHLY = Terms(Decimal(10), Interval("month"), START)
TABLE = Path(__file__).parents[2] / "docs" / "concepts" / "retainers.md"


def use(number: int, day: date, quantity: str) -> Use:
    return Use(UUID(int=number), day, Decimal(quantity))


terms = st.builds(
    Terms,
    amount=st.integers(0, 12).map(Decimal),
    interval=st.sampled_from([Interval("month"), Interval("week", 2), Interval("month", 3)]),
    start=st.dates(date(2026, 1, 1), date(2026, 3, 1)),
    anchor_day=st.none(),
    roll_over=st.one_of(
        st.just(RollOver("none")),
        st.just(RollOver("all")),
        st.builds(RollOver, st.just("up_to"), most=st.integers(0, 15).map(Decimal)),
        st.builds(RollOver, st.just("periods"), periods=st.integers(0, 3)),
    ),
    end=st.one_of(st.none(), st.dates(date(2026, 3, 2), date(2026, 12, 31))),
)
uses = st.lists(st.tuples(st.dates(date(2025, 12, 1), date(2026, 12, 31)), st.integers(1, 9)), max_size=25).map(
    lambda found: [Use(UUID(int=place), day, Decimal(hours)) for place, (day, hours) in enumerate(found, 1)]
)
UNTIL = date(2026, 12, 31)


def by_the_hour(terms: Terms, known: list[Use]) -> list[tuple[int, int, int, int, int, int]]:
    """Opening, granted, used, expired, left and overage of each period; every hour is a thing of its own."""
    hours: list[int] = []  # of each hour that is there, the number of the period that granted it
    rows = []
    cells = cells_of(terms, UNTIL)
    for number, cell in enumerate(cells):
        opening = len(hours)
        hours += [number] * int(terms.amount)
        used = overage = 0
        for _ in range(sum(int(one.quantity) for one in known if cell.start <= one.day < cell.end)):
            if hours:
                hours.pop(0)
                used += 1
            else:
                overage += 1
        before = len(hours)
        if terms.end is not None and cell.end == terms.end:
            hours = []
        elif number + 1 < len(cells):
            if terms.roll_over.kind == "none":
                hours = []
            if terms.roll_over.kind == "up_to":
                most = int(terms.roll_over.most or 0)
                hours = hours[len(hours) - most :] if len(hours) > most else hours
            if terms.roll_over.kind == "periods":
                hours = [one for one in hours if one + (terms.roll_over.periods or 0) > number]
        rows.append((opening, int(terms.amount), used, before - len(hours), len(hours), overage))
    return rows


@settings(max_examples=150, deadline=None)
@given(terms, uses)
def test_periods_are_what_an_account_by_the_hour_says(terms: Terms, known: list[Use]) -> None:
    """Oldest first, the roll-over rule and the end, one hour after the other."""
    found = [
        tuple(int(part) for part in (one.opening, one.granted, one.used, one.expired, one.left, one.overage))
        for one in burn(terms, known, UNTIL).periods
    ]
    assert found == by_the_hour(terms, known)


@settings(max_examples=150, deadline=None)
@given(terms, uses, st.data())
def test_nothing_is_lost_however_it_is_settled(terms: Terms, known: list[Use], data: st.DataObject) -> None:
    """Uses come in any order and are settled in any batches: each period adds up, each grant is given once."""
    terms = replace(terms, anchor_day=data.draw(st.sampled_from([None, 1, 15, 31]))) if terms.interval.months else terms
    settled: list[Use] = []
    for batch in data.draw(batches(known)):
        burned = burn(terms, [*settled, *batch], UNTIL)
        before = {one.id: one.settled for one in settled}
        assert all(burned.draws[use_id] == draws for use_id, draws in before.items())
        settled += [replace(one, settled=burned.draws[one.id]) for one in batch]
    burned = burn(terms, settled, UNTIL)
    opening = Decimal(0)
    for one in burned.periods:
        assert one.opening == opening
        assert one.opening + one.granted == one.used + one.expired + one.left
        assert min(one.used, one.expired, one.left, one.overage) >= 0
        opening = one.left
    total = sum(one.granted for one in burned.periods)
    assert total == sum(one.used + one.expired for one in burned.periods) + opening
    drawn: dict[date, Decimal] = {}
    for one in settled:
        draws = burned.draws[one.id]
        assert sum((draw.quantity for draw in draws), Decimal(0)) + burned.overage[one.id] == one.quantity
        for draw in draws:
            assert draw.quantity > 0
            assert draw.granted_on <= one.day
            drawn[draw.granted_on] = drawn.get(draw.granted_on, Decimal(0)) + draw.quantity
    grants = {one.start: one.granted for one in burned.periods}
    assert all(quantity <= grants[day] for day, quantity in drawn.items())
    beyond = sum((one.overage for one in burned.periods), Decimal(0)) + burned.outside
    assert beyond == sum(burned.overage.values(), Decimal(0))


@st.composite
def batches(draw: st.DrawFn, known: list[Use]) -> list[list[Use]]:
    order = draw(st.permutations(known))
    found = []
    while order:
        take = draw(st.integers(1, len(order)))
        found.append(list(order[:take]))
        order = order[take:]
    return found


@given(terms.filter(lambda found: found.end is None), st.dates(START, UNTIL))
def test_periods_tile(terms: Terms, until: date) -> None:
    """Periods follow one another from the start on, without gap or overlap."""
    cells = cells_of(terms, until)
    assert [one.start for one in cells[1:]] == [one.end for one in cells[:-1]]
    assert all(cell.start <= until for cell in cells)
    assert not cells or (cells[0].start == terms.start and cells[-1].end > until)


def test_first_period_grants_its_share() -> None:
    """From 16 April to the anchor on 1 May is half of April: half of ten hours."""
    found = burn(replace(MONTHLY, start=date(2026, 4, 16), anchor_day=1), [], date(2026, 5, 2)).periods
    assert [(one.start, one.end, one.granted) for one in found] == [
        (date(2026, 4, 16), date(2026, 5, 1), Decimal("5.00")),
        (date(2026, 5, 1), date(2026, 6, 1), Decimal(10)),
    ]


def test_what_is_settled_is_not_taken_by_what_is_entered_later() -> None:
    """February's settled time took January's rest; time that is back-dated to January finds it gone."""
    terms = replace(MONTHLY, roll_over=RollOver("all"))
    first = use(1, date(2026, 2, 3), "15")
    settled = replace(first, settled=burn(terms, [first], date(2026, 2, 3)).draws[first.id])
    assert settled.settled == ((date(2026, 1, 1), Decimal(10)), (date(2026, 2, 1), Decimal(5)))
    late = use(2, date(2026, 1, 20), "4")
    burned = burn(terms, [settled, late], date(2026, 2, 28))
    assert (burned.draws[late.id], burned.overage[late.id]) == ((), Decimal(4))
    assert [one.left for one in burned.periods] == [Decimal(10), Decimal(5)]


def test_many_periods_end_in_time() -> None:
    """Ten years of days with a use on each."""
    terms = Terms(Decimal(1), Interval("day"), START, roll_over=RollOver("periods", periods=1))
    known = [use(day, START + timedelta(days=day), "1") for day in range(3650)]
    assert burn(terms, known, known[-1].day).overage[UUID(int=3649)] == 0


# The page ------------------------------------------------------------------------------------------------------------


def worked() -> list[tuple[str, str, list[list[str]]]]:
    """Each worked example: its rule, its uses, and the rows of its table."""
    found = []
    for part in TABLE.read_text().split("### ")[1:]:
        title, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
        found.append((title.strip(), body, rows))
    return found


def rule_of(title: str) -> RollOver:
    return {
        "Nothing rolls over": RollOver("none"),
        "All rolls over": RollOver("all"),
        "Up to 4 hours roll over": RollOver("up_to", most=Decimal(4)),
        "Hours live for 1 further period": RollOver("periods", periods=1),
    }[title]


@pytest.mark.parametrize("example", worked(), ids=lambda example: example[0])
def test_worked_tables(example: tuple[str, str, list[list[str]]]) -> None:
    """The tables of the concept page are what the rule says."""
    title, _, rows = example
    months = ["January", "February", "March", "April"]
    known = [
        use(number, date(2026, months.index(row[0]) + 1, 10), row[1]) for number, row in enumerate(rows, 1) if row[1]
    ]
    terms = replace(MONTHLY, roll_over=rule_of(title), end=date(2026, 5, 1))
    found = burn(terms, known, date(2026, 5, 1)).periods
    assert [
        [f"{part.normalize():f}" for part in (one.opening, one.granted, one.used, one.expired, one.left, one.overage)]
        for one in found
    ] == [row[2:] for row in rows]


def test_there_are_four_worked_tables() -> None:
    assert len(worked()) == 4
