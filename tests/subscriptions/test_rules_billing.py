"""The billing engine against its promises, on any life of a subscription, and on worked cases."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from counterfoil.catalog.rules.pricing import Pricing, price_of
from counterfoil.subscriptions.rules.agreement import (
    Agreement,
    Billed,
    Difference,
    Discount,
    Item,
    Policy,
    Span,
    Version,
)
from counterfoil.subscriptions.rules.billing import Due, differences, next_due, written_to
from counterfoil.subscriptions.rules.changes import ended, with_quantity
from counterfoil.subscriptions.rules.grid import Interval, grid_from, share_of

START = date(2026, 1, 15)
CENT = Decimal("0.01")


def item(price: str = "100.00", start: date = START, *, anchor: int | None = 1, **more: object) -> Item:
    interval = more.pop("interval", Interval("month"))
    assert isinstance(interval, Interval)
    return Item(
        id=uuid4(),
        price=price,
        pricing=Pricing("per_unit", Decimal(price)),
        grid=grid_from(interval, start, anchor),
        is_in_advance=bool(more.pop("is_in_advance", True)),
        versions=(Version(start, None, Decimal(str(more.pop("quantity", 1)))),),
    )


class Ledger:
    """Billed periods in memory: what the engine says is billed, and asked again."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.rows: list[Billed] = []
        self.lines: dict[UUID, Decimal] = {}
        self.recurring: list[tuple[UUID, date, date]] = []

    def bill(self, due: Due) -> list[Difference]:
        found = differences(self.agreement, self.rows, due)
        ids = {one.id: uuid4() for one in found if one.id is not None}
        for one in found:
            line_id = ids.get(one.id) or uuid4()
            credits = tuple((ids.get(credited, credited), part) for credited, part in one.credits)
            if one.kind == "recurring":
                self.recurring.append((one.item_id, one.start, one.end))
            if one.net > 0:
                self.lines[line_id] = one.net
            for credited, part in credits:
                self.lines[credited] -= part
            self.rows.append(
                Billed(
                    one.item_id,
                    one.start,
                    one.end,
                    one.cell,
                    one.quantity,
                    one.gross,
                    one.share,
                    one.net,
                    line_id if one.net else None,
                    credits,
                )
            )
        return found

    def run(self, day: date) -> list[Difference]:
        return self.bill(Due(day + timedelta(days=1)))

    def enter(self, day: date, **changed: object) -> list[Difference]:
        self.agreement = self.agreement._replace(**changed)  # type: ignore[arg-type]
        return self.bill(Due(day, is_entry=True))


def agreement(*items: Item, **more: object) -> Agreement:
    return Agreement(uuid4(), "EUR", START, items, **more)  # type: ignore[arg-type]


def told(found: list[Difference]) -> list[str]:
    return [f"{one.kind} {one.start} {one.end} {one.quantity} {one.share} {one.net}" for one in found]


def test_a_life_in_lines() -> None:
    """Stub, renewal, increase, pause, resume and a back-dated end: each line with its dates, share and cents."""
    thing = item()
    ledger = Ledger(agreement(thing))
    assert told(ledger.run(START)) == ["recurring 2026-01-15 2026-02-01 1 17/31 54.84"]
    assert ledger.run(START) == []
    assert told(ledger.run(date(2026, 2, 1))) == ["recurring 2026-02-01 2026-03-01 1 28/28 100.00"]
    more = with_quantity(thing, Decimal(3), date(2026, 2, 15))
    assert told(ledger.enter(date(2026, 2, 15), items=(more,))) == [
        "proration_charge 2026-02-15 2026-03-01 2 14/28 100.00"
    ]
    rests = (Span(date(2026, 2, 20), None),)
    assert told(ledger.enter(date(2026, 2, 20), pauses=rests)) == [
        "proration_credit 2026-02-20 2026-03-01 -3 9/28 -96.43"
    ]
    assert ledger.run(date(2026, 3, 10)) == []
    rested = (Span(date(2026, 2, 20), date(2026, 3, 11)),)
    assert told(ledger.enter(date(2026, 3, 11), pauses=rested)) == [
        "proration_charge 2026-03-11 2026-04-01 3 21/31 203.23"
    ]
    assert told(ledger.enter(date(2026, 3, 20), end=date(2026, 1, 20))) == [
        "proration_credit 2026-01-20 2026-02-01 -1 12/31 -38.71",
        "proration_credit 2026-02-01 2026-02-15 -1 14/28 -50.00",
        "proration_credit 2026-02-15 2026-02-20 -3 5/28 -53.57",
        "proration_credit 2026-03-11 2026-04-01 -3 21/31 -203.23",
    ]
    assert sum(row.net for row in ledger.rows) == Decimal("16.13")
    assert min(ledger.lines.values()) >= 0


def test_the_table_of_the_page() -> None:
    """The worked lines of the page on proration are what the engine gives."""
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "proration.md").read_text()
    rows = re.findall(r"^\| (2026-\d\d-\d\d) \| (.+?) \| (.+?) \|$", page, re.M)
    thing = item()
    ledger = Ledger(agreement(thing))
    more = with_quantity(thing, Decimal(3), date(2026, 2, 15))
    acts = {
        "start": lambda day: ledger.run(day),
        "renewal": lambda day: ledger.run(day),
        "quantity 3": lambda day: ledger.enter(day, items=(more,)),
        "pause": lambda day: ledger.enter(day, pauses=(Span(day, None),)),
        "resume": lambda day: ledger.enter(day, pauses=(Span(date(2026, 2, 20), day),)),
    }
    for on, what, line in rows:
        (one,) = acts[what](date.fromisoformat(on))
        assert f"{one.kind} {one.share} {one.net}" == line
    assert len(rows) == 5


def test_a_change_on_a_renewal_day_prorates_nothing() -> None:
    """The price is changed before the renewal is billed, so the renewal bears the new one."""
    thing = item()
    ledger = Ledger(agreement(thing))
    ledger.run(START)
    assert ledger.enter(date(2026, 2, 1), items=(with_quantity(thing, Decimal(2), date(2026, 2, 1)),)) == []
    assert told(ledger.run(date(2026, 2, 1))) == ["recurring 2026-02-01 2026-03-01 2 28/28 200.00"]


def test_cancelled_on_its_first_day_all_comes_back() -> None:
    """What is credited from the first moment is exactly what was billed."""
    ledger = Ledger(agreement(item("33.33")))
    ledger.run(START)
    assert told(ledger.enter(START, end=START)) == ["proration_credit 2026-01-15 2026-02-01 -1 17/31 -18.28"]
    assert sum(row.net for row in ledger.rows) == 0


def test_in_arrears_each_quantity_has_its_line() -> None:
    """What is billed afterwards has a line for each stretch, and no credit."""
    thing = item("60.00", is_in_advance=False)
    ledger = Ledger(agreement(thing))
    assert ledger.run(date(2026, 1, 31)) == []
    more = with_quantity(thing, Decimal(2), date(2026, 1, 25))
    assert ledger.enter(date(2026, 1, 25), items=(more,)) == []
    assert told(ledger.run(date(2026, 2, 1))) == [
        "recurring 2026-01-15 2026-01-25 1 10/31 19.35",
        "recurring 2026-01-25 2026-02-01 2 7/31 27.10",
    ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), ["recurring 2026-01-15 2026-02-01 1 17/31 54.84"]),
        (Policy(first_period="full"), ["recurring 2026-01-15 2026-02-01 1 17/17 100.00"]),
        (Policy(first_period="free"), []),
        (Policy(basis="none"), ["recurring 2026-01-15 2026-02-01 1 17/17 100.00"]),
        (Policy(basis="fixed_30"), ["recurring 2026-01-15 2026-02-01 1 16/30 53.33"]),
        (Policy(rounding="down"), ["recurring 2026-01-15 2026-02-01 1 17/31 54.83"]),
    ],
)
def test_first_periods(policy: Policy, expected: list[str]) -> None:
    """What the first part of a period costs, by policy."""
    assert told(Ledger(agreement(item(), policy=policy)).run(START)) == expected


def test_a_known_end_is_billed_only_up_to_it() -> None:
    """A period that starts when the end is known has no later credit."""
    ledger = Ledger(agreement(item(), end=date(2026, 2, 11)))
    assert told(ledger.run(date(2026, 6, 1))) == [
        "recurring 2026-01-15 2026-02-01 1 17/31 54.84",
        "recurring 2026-02-01 2026-02-11 1 10/28 35.71",
    ]
    assert next_due(ledger.agreement, {ledger.agreement.items[0].id: date(2026, 3, 1)}) is None


def test_credit_is_of_what_was_invoiced() -> None:
    """After a discount of 10 %, half a month gives back half of what was paid, not of the list price."""
    thing = item(start=date(2026, 4, 1))
    ledger = Ledger(agreement(thing, discounts=(Discount(percent=Decimal(10)),))._replace(start=date(2026, 4, 1)))
    assert [one.net for one in ledger.run(date(2026, 4, 1))] == [Decimal("90.00")]
    assert [one.net for one in ledger.enter(date(2026, 4, 16), end=date(2026, 4, 16))] == [Decimal("-45.00")]


def test_an_amount_off_comes_back_with_the_credit() -> None:
    """5.00 off for one period: 95.00 is billed, half of it comes back, and the next period costs the list price."""
    thing = item(start=date(2026, 4, 1))
    discounts = (Discount(amount=Decimal("5.00"), periods=1),)
    ledger = Ledger(agreement(thing, discounts=discounts)._replace(start=date(2026, 4, 1)))
    assert [one.net for one in ledger.run(date(2026, 4, 1))] == [Decimal("95.00")]
    assert [one.net for one in ledger.run(date(2026, 5, 1))] == [Decimal("100.00")]
    found = ledger.enter(date(2026, 4, 16), end=date(2026, 4, 16))
    assert [one.net for one in found] == [Decimal("-47.50"), Decimal("-100.00")]


# Any life -------------------------------------------------------------------------------------------------------------

DAYS = st.integers(0, 300)
ACT = st.one_of(
    st.tuples(st.just("quantity"), DAYS, st.integers(0, 1), st.integers(0, 9)),
    st.tuples(st.just("pause"), DAYS, st.integers(1, 60), st.just(0)),
    st.tuples(st.just("run"), DAYS, st.just(0), st.just(0)),
    st.tuples(st.just("back"), DAYS, st.integers(0, 120), st.integers(0, 9)),
)
PRICE = st.decimals("0.01", "999.99", places=2).map(str)


def lived(prices: tuple[str, str], acts: list[tuple[str, int, int, int]], anchor: int, end: int | None) -> Ledger:
    """A ledger of a life: acts in the order of their days, the day's run after each."""
    items = [item(prices[0], anchor=anchor), item(prices[1], anchor=anchor, is_in_advance=False)]
    ledger = Ledger(agreement(*items))
    ledger.run(START)
    for kind, offset, first, second in sorted(acts, key=lambda act: act[1]):
        day = START + timedelta(days=offset)
        current = ledger.agreement
        if kind in ("quantity", "back"):
            place = first % 2
            when = day if kind == "quantity" else max(START, day - timedelta(days=first))
            changed = list(current.items)
            changed[place] = with_quantity(changed[place], Decimal(second), when)
            ledger.enter(day, items=tuple(changed))
        elif kind == "pause" and not any(span.end is None or span.end > day for span in current.pauses):
            ledger.enter(day, pauses=(*current.pauses, Span(day, day + timedelta(days=first))))
        ledger.run(day)
    last = START + timedelta(days=330)
    if end is not None:
        ledger.enter(last, end=START + timedelta(days=end))
    ledger.run(last)
    return ledger


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.tuples(PRICE, PRICE), st.lists(ACT, max_size=6), st.integers(1, 31), st.one_of(st.none(), DAYS))
@example(("0.02", "0.01"), [("pause", 0, 1, 0)], 1, 2)  # a line of the same document is taken back
def test_any_life(prices: tuple[str, str], acts: list[tuple[str, int, int, int]], anchor: int, end: int | None) -> None:
    """Charges less credits are price × time of every version but for the rounding of each line; nothing is credited
    twice; periods are tiled; asked again, nothing is to bill.
    """
    ledger = lived(prices, acts, anchor, end)
    final = ledger.agreement
    last = Due(START + timedelta(days=331))
    assert differences(final, ledger.rows, last) == []
    assert min(ledger.lines.values(), default=Decimal(0)) >= 0
    for one in final.items:
        rows = [row for row in ledger.rows if row.item_id == one.id]
        until = written_to(final, one, last)
        exact = Fraction(0)
        for version in final.agreed(one):
            for cell in {row.cell for row in rows} if until else set():
                start = max(version.start, cell.start)
                stop = min(version.end or cell.end, cell.end)
                if start < stop:
                    share = share_of(start, stop, cell, one.interval, "actual_days")
                    exact += Fraction(price_of(one.pricing, version.quantity)) * share.fraction
        billed = Fraction(sum((row.net for row in rows), Decimal(0)))
        assert abs(billed - exact) <= Fraction(CENT) / 2 * max(len(rows), 1)
        _tiles([(start, end) for item_id, start, end in ledger.recurring if item_id == one.id], rows)


def _tiles(spans: list[tuple[date, date]], rows: list[Billed]) -> None:
    """At every moment the billed quantities sum to zero or more, and recurring rows never overlap."""
    assert all(left[1] <= right[0] for left, right in pairwise(sorted(spans)))
    for moment in {row.start for row in rows}:
        assert sum((row.quantity for row in rows if row.start <= moment < row.end), Decimal(0)) >= 0


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([Interval("day"), Interval("week", 2), Interval("month"), Interval("month", 3), Interval("year")]),
    st.integers(1, 31),
    st.dates(date(2016, 1, 1), date(2046, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kolkata", "America/Lima"]),
)
def test_grids_tile(interval: Interval, anchor: int, start: date, zone: str) -> None:
    """Periods follow each other without gap or overlap, contain their moment, and come back to the anchor."""
    day = anchor if interval.months else None
    for moment in (start, datetime(start.year, start.month, start.day, 13, 30, tzinfo=UTC)):
        grid = grid_from(interval, moment, day, None, zone)
        number = grid.number_at(moment)
        for offset in range(-3, 40):
            cell = grid.cell(number + offset)
            assert cell.start < cell.end == grid.cell(number + offset + 1).start
            assert grid.number_at(cell.start) == number + offset
        cell = grid.cell_at(moment)
        assert cell.start <= moment < cell.end


@pytest.mark.parametrize(
    ("anchor", "starts"),
    [
        (31, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        (29, ["2026-01-29", "2026-02-28", "2026-03-29", "2026-04-29", "2026-05-29"]),
        (1, ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01"]),
    ],
)
def test_anchors_return(anchor: int, starts: list[str]) -> None:
    """A short month has its last day, and a longer one returns to the anchor."""
    grid = grid_from(Interval("month"), date(2026, 1, 15), anchor)
    assert [grid.boundary(number).isoformat() for number in range(5)] == starts


def test_a_quarter_with_an_anchor_before_its_start() -> None:
    """Anchor 1, started on 10 January: the stub lasts until 1 April."""
    thing = item("90.00", date(2026, 1, 10), interval=Interval("month", 3))
    ledger = Ledger(agreement(thing)._replace(start=date(2026, 1, 10)))
    assert told(ledger.run(date(2026, 1, 10))) == ["recurring 2026-01-10 2026-04-01 1 81/90 81.00"]


def test_ended_items_are_not_billed_again() -> None:
    """An item that ends leaves what was billed of it beyond the end as a credit."""
    thing = item()
    ledger = Ledger(agreement(thing))
    ledger.run(date(2026, 2, 1))
    assert told(ledger.enter(date(2026, 2, 15), items=(ended(thing, date(2026, 2, 15)),))) == [
        "proration_credit 2026-02-15 2026-03-01 -1 14/28 -50.00"
    ]
    assert ledger.run(date(2026, 12, 1)) == []
