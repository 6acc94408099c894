"""What always holds of periods, shares and lives of subscriptions: every anchor, interval, zone and order of acts.

Where the inputs are few enough all of them are tried; the rest is drawn, the same in every run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterfoil.catalog.rules.pricing import Pricing, Tier, price_of
from counterfoil.core.money import CURRENCIES, Rounding, currency_decimals, rounded
from counterfoil.core.periods import end_of_month
from counterfoil.plumbing import clock
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
from counterfoil.subscriptions.rules.billing import Due, _amount, differences, next_due, written_to
from counterfoil.subscriptions.rules.changes import Anchors, Wanted, ended, plan_change, renewal_of, with_quantity
from counterfoil.subscriptions.rules.grid import (
    ACTUAL_DAYS,
    FIXED_30,
    SECONDS,
    Cell,
    Grid,
    Interval,
    Moment,
    Share,
    day_of,
    grid_from,
    moment_of,
    next_day,
    restored,
    share_of,
    stored,
)

ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/St_Johns", "America/Havana", "Africa/Cairo",
    "Asia/Kolkata", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Kiritimati",
)  # fmt: skip
YEARS = 30
FIRST, LAST = date(2024, 1, 1), date(2024 + YEARS, 1, 1)
MONTHLY = [Interval("month"), Interval("month", 2), Interval("month", 3), Interval("year"), Interval("year", 2)]
DAILY = [Interval("day"), Interval("day", 30), Interval("week"), Interval("week", 2), Interval("week", 13)]
MODES: dict[Rounding, str] = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}
CENT = Fraction(1, 100)
EXAMPLES = int(os.environ.get("COUNTERFOIL_TEST_EXAMPLES", "150"))
STEADY = settings(deadline=None, derandomize=True, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])


# Grids ----------------------------------------------------------------------------------------------------------------


def boundaries(grid: Grid, first: date, last: date, zone: str) -> list[Moment]:
    """The starts of the periods from the one that holds a day to the one that holds another."""
    low = grid.number_at(moment_of(first, SECONDS, zone) if isinstance(grid.base, datetime) else first)
    high = grid.number_at(moment_of(last, SECONDS, zone) if isinstance(grid.base, datetime) else last)
    return [grid.boundary(number) for number in range(low, high + 1)]


@pytest.mark.parametrize("anchor", range(1, 32))
def test_days_of_every_anchor_return(anchor: int) -> None:
    """Thirty years of months, quarters and years start on the anchor or on the last day of a shorter month, each
    month of the step once: none is left out, none comes twice, none stops.
    """
    for interval in MONTHLY:
        for start in (date(2024, 1, anchor), date(2024, 2, min(anchor, 29))):
            grid = grid_from(interval, start, anchor)
            found = boundaries(grid, start, LAST, "UTC")
            assert all(one.day == min(anchor, end_of_month(one).day) for one in found)
            months = [one.year * 12 + one.month for one in found]
            assert all(right - left == interval.months for left, right in pairwise(months))
            assert len(found) - 1 == ((LAST.year - 2024) * 12 - (start.month - 1) - (anchor > 1)) // interval.months
            for number, (left, right) in enumerate(pairwise(found)):
                assert grid.cell_at(left) == grid.cell_at(right - timedelta(days=1)) == Cell(left, right)
                assert grid.number_at(left) == number


@pytest.mark.parametrize("interval", DAILY, ids=str)
def test_days_and_weeks_are_counted(interval: Interval) -> None:
    """Days and weeks know no month: each period has the same length for thirty years, over every leap day."""
    found = boundaries(grid_from(interval, FIRST), FIRST, LAST, "UTC")
    assert {(right - left).days for left, right in pairwise(found)} == {interval.days}
    assert len(found) - 1 == (LAST - FIRST).days // interval.days


@pytest.mark.parametrize("zone", ZONES)
def test_instants_of_every_anchor_tile(zone: str) -> None:
    """By the second, a month of a zone is a month of its calendar and clock: whatever the clocks do, periods follow
    each other, begin on the anchor's day, and at their time of day unless that hour does not exist there.
    """
    there = ZoneInfo(zone)
    for anchor in range(1, 32):
        for interval in (Interval("month"), Interval("month", 3), Interval("year")):
            base = datetime(2024, 1, anchor, 2, 30, tzinfo=there).astimezone(UTC)
            found = boundaries(grid_from(interval, base, None, None, zone), date(2024, 2, 1), LAST, zone)
            assert len(found) >= YEARS * 12 // interval.months - 1
            assert all(left < right for left, right in pairwise(found))
            for one in found:
                assert isinstance(one, datetime)
                local = one.astimezone(there)
                assert local.day == min(anchor, end_of_month(local.date()).day)
                assert local.time() in (time(2, 30), time(3, 30), time(3, 0))


@pytest.mark.parametrize("zone", ZONES)
def test_instants_of_days_and_weeks_tile(zone: str) -> None:
    """A day by the second is from one local hour to the same of the next day: 23, 24 or 25 hours, and none is lost."""
    base = datetime(2024, 1, 1, 0, 0, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    for interval in (Interval("day"), Interval("week")):
        grid = grid_from(interval, base, None, None, zone)
        found = boundaries(grid, FIRST, LAST, zone)
        assert len(found) - 1 == (LAST - FIRST).days // interval.days
        lengths = {(right - left) - timedelta(days=interval.days) for left, right in pairwise(found)}
        assert lengths <= {timedelta(minutes=minutes) for minutes in (-60, -30, 0, 30, 60)}
        assert [grid.number_at(one) for one in found[:2000:7]] == list(range(0, len(found[:2000]), 7))


@pytest.mark.parametrize("zone", ZONES)
def test_the_door_from_now_to_the_local_day(zone: str) -> None:
    """Each local day of thirty years has one first instant: the instant is of that day, the second before of the day
    before, and the clock, the rules and the columns say the same.
    """
    day = FIRST
    while day < LAST:
        begins = moment_of(day, SECONDS, zone)
        assert isinstance(begins, datetime)
        eve = begins - timedelta(seconds=1)
        assert moment_of(begins, ACTUAL_DAYS, zone) == day_of(begins, zone) == day
        assert moment_of(eve, ACTUAL_DAYS, zone) == day - timedelta(days=1)
        assert next_day(eve, zone) == begins
        assert restored(stored(begins), SECONDS) == begins
        assert restored(stored(day), ACTUAL_DAYS) == day
        day += timedelta(days=1)
    for begins in (moment_of(date(2027, month, 28), SECONDS, zone) for month in range(1, 13)):
        assert isinstance(begins, datetime)
        with clock.stopped_at(begins):
            assert clock.today(zone) == day_of(begins, zone)
        with clock.stopped_at(begins - timedelta(microseconds=1)):
            assert clock.today(zone) == day_of(begins, zone) - timedelta(days=1)


@STEADY
@given(
    st.sampled_from(MONTHLY + DAILY), st.integers(1, 31), st.dates(FIRST, LAST),
    st.dates(date(2015, 1, 1), LAST), st.sampled_from(ZONES),
)  # fmt: skip
def test_a_date_from_which_is_counted(interval: Interval, day: int, start: date, anchor: date, zone: str) -> None:
    """Whole intervals counted from any date, before or after the start, hold the start."""
    for moment in (start, moment_of(start, SECONDS, zone)):
        grid = grid_from(interval, moment, None, anchor, zone)
        cell = grid.cell_at(moment)
        assert cell.start <= moment < cell.end
        assert day_of(grid.boundary(0), zone) == anchor
        if interval.months:
            stub = grid_from(interval, moment, day, None, zone)
            assert day_of(stub.boundary(0), zone).day == min(day, end_of_month(start).day)
            assert stub.cell_at(moment).start <= moment < stub.cell_at(moment).end


# Shares ---------------------------------------------------------------------------------------------------------------


@st.composite
def cut_periods(draw: st.DrawFn) -> tuple[list[Moment], Cell, Interval, str]:
    """A period of any grid and some moments at which it is cut, its start and end among them."""
    basis = draw(st.sampled_from([ACTUAL_DAYS, FIXED_30, SECONDS]))
    interval = draw(st.sampled_from(MONTHLY + DAILY))
    zone = draw(st.sampled_from(ZONES))
    start: Moment = draw(st.dates(FIRST, LAST))
    if basis == SECONDS:
        at = draw(st.times())
        start = datetime.combine(start, at, ZoneInfo(zone)).astimezone(UTC)
        start = moment_of(start, basis, zone)
    anchor = draw(st.one_of(st.none(), st.integers(1, 31))) if interval.months else None
    cell = grid_from(interval, start, anchor, None, zone).cell_at(start)
    if basis == SECONDS:
        seconds = int((cell.end - cell.start).total_seconds())
        marks = draw(st.sets(st.integers(1_000_000, (seconds - 1) * 1_000_000), max_size=5))
        inside = [moment_of(cell.start + timedelta(microseconds=mark), basis, zone) for mark in marks]
    else:
        days = (cell.end - cell.start).days
        inside = (
            [cell.start + timedelta(days=mark) for mark in draw(st.sets(st.integers(1, days - 1), max_size=5))]
            if days > 1
            else []
        )
    return sorted([cell.start, *inside, cell.end]), cell, interval, basis


@settings(STEADY, max_examples=4 * EXAMPLES)
@given(cut_periods())
def test_parts_of_a_period_are_the_period(cut: tuple[list[Moment], Cell, Interval, str]) -> None:
    """However a period is cut, each share lies in 0 to 1 and they sum to one; a longer stretch is no smaller share."""
    places, cell, interval, basis = cut
    parts = [share_of(start, end, cell, interval, basis) for start, end in pairwise(places)]
    assert all(0 <= part.fraction <= 1 for part in parts)
    assert sum(part.fraction for part in parts) == 1
    growing = [share_of(cell.start, end, cell, interval, basis).fraction for end in places[1:]]
    assert growing == sorted(growing)


@pytest.mark.parametrize("anchor", range(1, 32))
def test_parts_of_a_month_of_thirty_days(anchor: int) -> None:
    """By 30/360, wherever a month or a quarter is cut in two, in leap years too: both parts sum to 30 days a month, and
    neither is below nothing.
    """
    for interval in (Interval("month"), Interval("month", 3)):
        grid = grid_from(interval, date(2027, 1, anchor), anchor)
        for number in range(16):
            cell = grid.cell(number)
            used = [
                share_of(cell.start, cell.start + timedelta(days=day), cell, interval, FIXED_30).part
                for day in range((cell.end - cell.start).days + 1)
            ]
            left = [
                share_of(cell.start + timedelta(days=day), cell.end, cell, interval, FIXED_30).part
                for day in range((cell.end - cell.start).days + 1)
            ]
            assert {one + other for one, other in zip(used, left, strict=True)} == {30 * interval.months}
            assert (used[0], left[-1], used, left) == (0, 0, sorted(used), sorted(left, reverse=True))


# Amounts --------------------------------------------------------------------------------------------------------------

DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**17), max_value=10**17),
    st.builds(lambda whole, places: Decimal(whole).scaleb(-places), st.integers(-(10**17), 10**17), st.integers(0, 50)),
    # Exactly a half, and a hair beside it.
    st.builds(
        lambda cents, hair: Decimal(cents).scaleb(-2) + Decimal("0.005") + hair,
        st.integers(-(10**9), 10**9),
        st.sampled_from([Decimal(0), Decimal("1e-18"), Decimal("-1e-18")]),
    ),
)


def exactly(value: Fraction, decimals: int, mode: str) -> Decimal:
    """The value rounded once, worked out with whole numbers alone."""
    scaled = abs(value) * 10**decimals
    units = scaled.numerator // scaled.denominator
    rest = scaled - units
    if mode == "half_up":
        units += rest >= Fraction(1, 2)
    elif mode == "half_even":
        units += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and units % 2 == 1)
    with localcontext(prec=60):
        return Decimal(-units if value < 0 else units).scaleb(-decimals)


@settings(STEADY, max_examples=4 * EXAMPLES)
@given(DECIMALS, st.sampled_from(["EUR", "JPY", "BHD", "CLF"]), st.sampled_from(sorted(MODES)))
def test_a_decimal_is_rounded_as_its_fraction(value: Decimal, currency: str, mode: Rounding) -> None:
    """The short cut for decimals gives the figure of the exact fraction, in every mode and below zero alike."""
    found = rounded(value, currency, mode)
    assert found == rounded(Fraction(value), currency, mode)
    assert found.amount == exactly(Fraction(value), currency_decimals(currency), mode)
    assert rounded(value.copy_negate(), currency, mode) == -found


@STEADY
@given(
    st.decimals("0", "999999.999999", places=6), st.integers(0, 2_678_400), st.integers(1, 2_678_400),
    st.sampled_from(["EUR", "JPY", "BHD"]), st.sampled_from(sorted(MODES)),
)  # fmt: skip
def test_an_amount_is_its_fraction_rounded_once(
    price: Decimal, part: int, whole: int, currency: str, mode: Rounding
) -> None:
    """A line's amount is price × share, rounded once: also where the share is whole and no fraction is made."""
    share = Share(min(part, whole), whole)
    decimals = currency_decimals(currency)
    assert _amount(price, share, currency, mode) == exactly(Fraction(price) * share.fraction, decimals, mode)
    assert _amount(price, Share(whole, whole), currency, mode) == exactly(Fraction(price), decimals, mode)


def test_every_currency_is_tried() -> None:
    """The currencies of these tests have every number of decimals that a currency has."""
    assert {currency_decimals(code) for code in CURRENCIES} == {0, 2, 3, 4}


# Lives ----------------------------------------------------------------------------------------------------------------

TIERS = (Tier(Decimal(3), Decimal("9.99")), Tier(Decimal(6), Decimal("5.005")), Tier(None, Decimal("1.10")))
CATALOG = {
    "basic": Wanted("basic", Pricing("per_unit", Decimal("33.33")), Interval("month"), Decimal(1)),
    "pro": Wanted("pro", Pricing("graduated", tiers=TIERS), Interval("month"), Decimal(1)),
    "packs": Wanted("packs", Pricing("package", Decimal("7.77"), Decimal(3)), Interval("month", 3), Decimal(1)),
    "yearly": Wanted("yearly", Pricing("flat", Decimal("1000.01")), Interval("year"), Decimal(1)),
    "weekly": Wanted("weekly", Pricing("volume", tiers=TIERS), Interval("week", 2), Decimal(1)),
    "after": Wanted("after", Pricing("per_unit", Decimal("19.99")), Interval("month"), Decimal(1), is_in_advance=False),
    "gift": Wanted("gift", Pricing("flat", Decimal(0)), Interval("month"), Decimal(1)),
}
START = date(2024, 1, 31)


@dataclass
class Life:
    """A subscription in memory: what the commands do to it, without a table."""

    agreement: Agreement
    anchors: Anchors
    rows: list[Billed] = field(default_factory=list)
    lines: dict[UUID, Decimal] = field(default_factory=dict)

    def moment(self, day: date) -> Moment:
        return moment_of(day, self.agreement.policy.basis, self.agreement.zone)

    def bill(self, due: Due, items: tuple[UUID, ...] | None = None) -> list[Difference]:
        """Bill what is due; a preview of it says the same, and replayed it has nothing to add."""
        preview = differences(self.agreement, tuple(self.rows), due, items=items)
        found = differences(self.agreement, self.rows, due, items=items)
        assert preview == found
        ids = {one.id: uuid4() for one in found if one.id is not None}
        for one in found:
            credits = tuple((ids.get(line_id, line_id), part) for line_id, part in one.credits)
            self._write(one._replace(credits=credits), ids.get(one.id) if one.id is not None else None)
        assert differences(self.agreement, self.rows, due, items=items) == []
        assert min(self.lines.values(), default=Decimal(0)) >= 0
        return found

    def _write(self, one: Difference, line: UUID | None) -> None:
        assert 0 <= one.share.fraction <= 1
        line = line or uuid4()
        if one.net > 0:
            self.lines[line] = one.net
        assert sum((part for _, part in one.credits), Decimal(0)) == max(-one.net, Decimal(0))
        for credited, part in one.credits:
            self.lines[credited] -= part
        self.rows.append(
            Billed(
                one.item_id, one.start, one.end, one.cell, one.quantity, one.gross, one.share, one.net,
                line if one.net else None, one.credits,
            )
        )  # fmt: skip

    def run(self, day: date) -> list[Difference]:
        return self.bill(Due(next_day(self.moment(day), self.agreement.zone)))

    def enter(self, on: date, items: tuple[UUID, ...] | None = None, fresh: tuple[UUID, ...] = ()) -> None:
        before = self.moment(on)
        self.bill(Due(before, True, fresh, next_day(before, self.agreement.zone)), items)

    def put(self, item: Item) -> None:
        kept = {one.id: one for one in self.agreement.items}
        kept[item.id] = item
        self.agreement = self.agreement._replace(items=tuple(kept.values()))

    def change(self, wanted: list[Wanted], when: date, on: date) -> None:
        at = self.moment(when)
        steps = plan_change(self.agreement, wanted, at, self.anchors)
        now: list[UUID] = []
        fresh: list[UUID] = []
        for step in steps:
            touched = []
            if step.is_quantity:
                assert step.old is not None and step.new is not None  # noqa: PT018
                self.put(with_quantity(step.old, step.new.quantity, step.at))
                touched.append(step.old.id)
            else:
                if step.old is not None:
                    self.put(ended(step.old, step.at, cuts=step.cuts))
                    touched.append(step.old.id)
                if step.new is not None:
                    assert step.grid is not None
                    version = Version(step.at, None, step.new.quantity)
                    new = Item(uuid4(), step.new.price, step.new.pricing, step.grid, step.new.is_in_advance, (version,))
                    self.put(new)
                    touched.append(new.id)
                    if step.at == at and (step.old is None or step.old.interval != step.new.interval):
                        fresh.append(new.id)
            if step.is_billed_now:
                now += touched
        self.enter(on, None if all(step.is_billed_now for step in steps) else tuple(now), tuple(fresh))

    def pause(self, on: date) -> None:
        start = self.moment(on)
        if self.agreement.policy.decrease == "at_renewal":
            running = [one for one in self.agreement.items if one.version_at(start) is not None]
            start = max((renewal_of(one.grid, start) for one in running), default=start)
        if all(span.end is not None and span.end <= start for span in self.agreement.pauses):
            self.agreement = self.agreement._replace(pauses=(*self.agreement.pauses, Span(start, None)))
            self.enter(on, None if self.agreement.policy.decrease == "now" else ())

    def resume(self, on: date) -> None:
        at, pauses = self.moment(on), self.agreement.pauses
        if pauses and pauses[-1].end is None and pauses[-1].start < at:
            self.agreement = self.agreement._replace(pauses=(*pauses[:-1], Span(pauses[-1].start, at)))
            self.enter(on)

    def credit_by_hand(self, place: int, percent: int) -> None:
        """A credit note of a clerk, of a part of what is left of some line."""
        open_lines = [line for line, left in self.lines.items() if left > 0]
        if open_lines:
            line = open_lines[place % len(open_lines)]
            amount = max(rounded(self.lines[line] * percent / 100, "EUR").amount, Decimal("0.01"))
            self.lines[line] -= amount
            self.rows = [replace(row, given=row.given + amount) if row.line_id == line else row for row in self.rows]

    def cancel(self, when: date, on: date) -> None:
        self.agreement = self.agreement._replace(end=self.moment(when))
        self.enter(on)


POLICIES = st.builds(
    Policy,
    basis=st.sampled_from([ACTUAL_DAYS, FIXED_30, SECONDS]),
    increase=st.sampled_from(["now", "next_invoice", "at_renewal"]),
    decrease=st.sampled_from(["now", "next_invoice", "at_renewal"]),
    interval_change=st.sampled_from(["keep_anchor", "restart"]),
    rounding=st.sampled_from(sorted(MODES)),
)
DAYS = st.integers(0, 420)
ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("change"), DAYS, st.sampled_from([0, 0, 3, 45]),
            st.dictionaries(st.sampled_from(sorted(CATALOG)), st.integers(0, 8), min_size=1, max_size=2),
        ),
        st.tuples(st.sampled_from(["pause", "resume", "run"]), DAYS, st.just(0), st.just({})),
    ),
    max_size=7,
)  # fmt: skip
CREDITS = st.lists(
    st.tuples(st.just("credit"), DAYS, st.integers(0, 9), st.sampled_from([1, 50, 99, 100])), min_size=1, max_size=3
)


@st.composite
def lives(draw: st.DrawFn, *, by_hand: bool = False) -> Life:
    """A subscription that was started, changed, paused, resumed and ended in any order, all of it billed; ``by_hand``
    clerks credited some of it besides.
    """
    policy, zone = draw(POLICIES), draw(st.sampled_from(ZONES))
    anchor = draw(st.one_of(st.none(), st.integers(1, 31)))
    off = draw(st.sampled_from([None, Decimal(10), Decimal("33.3333"), Decimal(100)]))
    start = moment_of(START, policy.basis, zone)
    wanted = CATALOG[draw(st.sampled_from(sorted(CATALOG)))]
    grid = grid_from(wanted.interval, start, anchor if wanted.interval.months else None, None, zone)
    item = Item(
        uuid4(), wanted.price, wanted.pricing, grid, wanted.is_in_advance,
        (Version(start, None, Decimal(draw(st.integers(1, 8)))),),
    )  # fmt: skip
    discounts = (Discount(percent=off),) if off is not None else ()
    life = Life(Agreement(uuid4(), "EUR", start, (item,), policy, discounts=discounts, zone=zone), Anchors(anchor))
    life.run(START)
    acts: list[Any] = [*draw(ACTS), *(draw(CREDITS) if by_hand else [])]
    for act, offset, back, asked in sorted(acts, key=lambda one: one[1]):
        on = START + timedelta(days=offset)
        if act == "change":
            when = max(START, on - timedelta(days=back))
            life.change([replace(CATALOG[key], quantity=Decimal(many)) for key, many in asked.items()], when, on)
        elif act == "pause":
            life.pause(on)
        elif act == "resume":
            life.resume(on)
        elif act == "credit":
            life.credit_by_hand(back, asked)
        life.run(on)
    end = draw(st.one_of(st.none(), DAYS))
    if end is not None:
        life.cancel(START + timedelta(days=end), START + timedelta(days=430))
    life.run(START + timedelta(days=430))
    return life


@settings(STEADY, max_examples=2 * EXAMPLES)
@given(lives())
def test_any_life_is_price_times_time(life: Life) -> None:
    """Whatever was changed, paused and ended, by whatever policy: what is charged less what is given back is price ×
    time of each version, within the rounding of each line, and no more is given back of a period than was billed.
    """
    agreement = life.agreement
    off = agreement.discounts[0].percent if agreement.discounts else Decimal(0)
    assert off is not None
    left = 1 - Fraction(off) / 100
    unit = CENT if agreement.policy.rounding == "down" else CENT / 2
    last = Due(next_day(life.moment(START + timedelta(days=430)), agreement.zone))
    for item in agreement.items:
        rows = [row for row in life.rows if row.item_id == item.id]
        cells = {row.cell for row in rows}
        exact = Fraction(0)
        for version in agreement.agreed(item):
            for cell in cells:
                start, stop = max(version.start, cell.start), min(version.end or cell.end, cell.end)
                if start < stop:
                    share = share_of(start, stop, cell, item.interval, agreement.policy.basis)
                    exact += Fraction(price_of(item.pricing, version.quantity)) * left * share.fraction
        billed = sum((Fraction(row.net) for row in rows), Fraction(0))
        # A discount is spread over the rounded lines of a document, and the last of them takes the remainder.
        slack = (unit + CENT) * len(life.rows) if off else unit * len(rows)
        assert abs(billed - exact) <= slack
        for cell in cells:
            assert sum((row.net for row in rows if row.cell == cell), Decimal(0)) >= 0
        ordered = sorted(cells)
        assert all(one.end <= other.start for one, other in pairwise(ordered))
        if written_to(agreement, item, last) is None:
            assert not any(row.net > 0 for row in rows if row.start >= last.before)


@settings(STEADY, max_examples=EXAMPLES)
@given(lives(by_hand=True))
def test_what_a_clerk_credited_is_not_given_back_again(life: Life) -> None:
    """Credit notes by hand between changes, pauses and ends: of no line and of no period more is given back than was
    billed, and when the subscription never ran in the end, all of it is.
    """
    assert min(life.lines.values(), default=Decimal(0)) >= 0
    for cell in {(row.item_id, row.cell) for row in life.rows}:
        rows = [row for row in life.rows if (row.item_id, row.cell) == cell]
        assert sum((row.net - row.given for row in rows), Decimal(0)) >= 0
    life.cancel(START, START + timedelta(days=430))
    assert sum(life.lines.values(), Decimal(0)) == 0


@settings(STEADY, max_examples=EXAMPLES)
@given(lives())
def test_no_life_falls_silent(life: Life) -> None:
    """What goes on is due again, and within one period; what ended or rests is not."""
    agreement = life.agreement
    written: dict[UUID, Moment] = {}
    last = Due(next_day(life.moment(START + timedelta(days=430)), agreement.zone))
    for item in agreement.items:
        end = written_to(agreement, item, last)
        if end is not None:
            written[item.id] = end
    goes_on = [
        item
        for item in agreement.items
        if any(version.end is None and version.quantity for version in agreement.agreed(item))
    ]
    due = next_due(agreement, written)
    if goes_on:
        assert due is not None
        assert due >= last.before
        assert day_of(due, agreement.zone) <= START + timedelta(days=430 + 2 * 366)
    else:
        assert due is None or due >= last.before
