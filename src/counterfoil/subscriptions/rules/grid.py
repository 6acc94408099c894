"""Where billing periods begin and end, and how much of one a part is.

A *grid* is an endless row of whole periods counted from an anchor. A subscription that starts or ends inside one uses
a part of it, the *stub*, whose share is its units ÷ the units of the whole period. A *moment* is a local ``date``, or
on the basis ``seconds`` an aware ``datetime`` in UTC. The worked tables stand in ``docs/concepts/periods.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from counterfoil.core.periods import add_months

Moment = date
"""A day, or on the basis ``seconds`` an instant in UTC. The two never meet in one subscription."""

ACTUAL_DAYS, FIXED_30, SECONDS, NONE = "actual_days", "fixed_30", "seconds", "none"
BASES = (ACTUAL_DAYS, FIXED_30, SECONDS, NONE)
UNITS = ("day", "week", "month", "year")
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
_SECOND = timedelta(seconds=1)
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Interval:
    """So many days, weeks, months or years. A quarter is three months."""

    unit: str
    count: int = 1

    def __post_init__(self) -> None:
        if self.unit not in UNITS or self.count < 1:
            raise ValueError(f"{self.count} {self.unit} is no interval")

    @property
    def months(self) -> int:
        """Its months, or 0 when it is counted in days."""
        return _MONTHS.get(self.unit, 0) * self.count

    @property
    def days(self) -> int:
        """Its days, or 0 when it is counted in months."""
        return _DAYS.get(self.unit, 0) * self.count


class Cell(NamedTuple):
    """One whole period of a grid: start in, end out."""

    start: Moment
    end: Moment


@dataclass(frozen=True)
class Grid:
    """Whole periods of one interval, counted from ``base`` in both directions.

    ``anchor_day`` is the day of the month to which longer months return: 31 Jan → 28 Feb → 31 Mar. ``zone`` is the time
    zone in which instants are stepped, so that a month is a month of that zone's calendar and clock. A grid that goes
    on after its time stood still begins with the rest of a period that starts at ``lead``; ``ordinal`` is the number of
    the subscription's period that begins at the base.
    """

    interval: Interval
    base: Moment
    anchor_day: int | None = None
    zone: str = "UTC"
    lead: Moment | None = None
    ordinal: int | None = None

    @cached_property
    def _local(self) -> tuple[date, time | None]:
        if isinstance(self.base, datetime):
            local = self.base.astimezone(ZoneInfo(self.zone))
            return local.date(), local.time()
        return self.base, None

    @cached_property
    def _known(self) -> dict[int, Moment]:
        return {}

    @cached_property
    def _numbers(self) -> dict[Moment, int]:
        return {}

    @cached_property
    def _cells(self) -> dict[int, Cell]:
        return {}

    def boundary(self, number: int) -> Moment:
        """The start of the period with this number; 0 is the one that starts at the base."""
        known = self._known.get(number)
        if known is None:
            known = self._known[number] = self._boundary(number)
        return known

    def _boundary(self, number: int) -> Moment:
        if number < 0 and self.lead is not None:
            return self._before.boundary(number + 1)
        day, at = self._local
        months = self.interval.months
        day = (
            add_months(day, number * months, self.anchor_day)
            if months
            else day + timedelta(days=number * self.interval.days)
        )
        return day if at is None else datetime.combine(day, at, ZoneInfo(self.zone)).astimezone(UTC)

    @cached_property
    def _before(self) -> Grid:
        """The periods that end at the base or earlier, when one of them has a length of its own."""
        assert self.lead is not None
        day = self.lead.astimezone(ZoneInfo(self.zone)).date() if isinstance(self.lead, datetime) else self.lead
        return Grid(self.interval, self.lead, day.day if self.interval.months else None, self.zone)

    def number_at(self, moment: Moment) -> int:
        """The number of the period that contains the moment."""
        known = self._numbers.get(moment)
        if known is None:
            if len(self._numbers) >= _KEPT:
                self._numbers.clear()
            known = self._numbers[moment] = self._number_at(moment)
        return known

    def _number_at(self, moment: Moment) -> int:
        if self.lead is not None and moment < self.base:
            return -1 if moment >= self.lead else self._before.number_at(moment) - 1
        day, _ = self._local
        there = moment.astimezone(ZoneInfo(self.zone)).date() if isinstance(moment, datetime) else moment
        months = self.interval.months
        number = (
            ((there.year - day.year) * 12 + there.month - day.month) // months
            if months
            else (there - day).days // self.interval.days
        )
        while self.boundary(number) > moment:
            number -= 1
        while self.boundary(number + 1) <= moment:
            number += 1
        return number

    def cell(self, number: int) -> Cell:
        known = self._cells.get(number)
        if known is None:
            known = self._cells[number] = Cell(self.boundary(number), self.boundary(number + 1))
        return known

    def cell_at(self, moment: Moment) -> Cell:
        """The whole period that contains the moment."""
        return self.cell(self.number_at(moment))


@lru_cache(10_000)
def shared_grid(
    unit: str, count: int, base: Moment, anchor_day: int | None, zone: str, lead: Moment | None, ordinal: int | None
) -> Grid:
    """The grid of these values, one object for all that have them: most of a day's subscriptions share their periods,
    which are worked out once.
    """
    return Grid(Interval(unit, count), base, anchor_day, zone, lead, ordinal)


def grid_from(
    interval: Interval,
    start: Moment,
    anchor_day: int | None = None,
    anchor_on: date | None = None,
    zone: str = "UTC",
) -> Grid:
    """The grid of a subscription that starts then.

    Without an anchor the start itself anchors. With ``anchor_day`` (months and years only) periods are counted from
    that day in the month of the start, or that month's last day. With ``anchor_on`` whole intervals are counted from
    that day.
    """
    if anchor_on is not None:
        return Grid(interval, _like(start, anchor_on, zone), anchor_on.day, zone)
    day = start.astimezone(ZoneInfo(zone)).date() if isinstance(start, datetime) else start
    if not interval.months:
        return Grid(interval, start, None, zone)
    if anchor_day is None:
        return Grid(interval, start, day.day, zone)
    return Grid(interval, _like(start, add_months(day, 0, anchor_day), zone), anchor_day, zone)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _like(moment: Moment, day: date, zone: str) -> Moment:
    """The day itself, or beside an instant the instant at which the day begins."""
    return _midnight(day, zone) if isinstance(moment, datetime) else day


def moment_of(day: date, basis: str, zone: str) -> Moment:
    """A day or an instant as the basis counts it: an instant stands for its local date unless seconds are counted."""
    if basis == SECONDS:
        # A whole second: parts of one would be lost where a period is cut.
        return day.astimezone(UTC).replace(microsecond=0) if isinstance(day, datetime) else _midnight(day, zone)
    return day.astimezone(ZoneInfo(zone)).date() if isinstance(day, datetime) else day


def day_of(moment: Moment, zone: str) -> date:
    """The local day of a moment."""
    return moment.astimezone(ZoneInfo(zone)).date() if isinstance(moment, datetime) else moment


def next_day(moment: Moment, zone: str) -> Moment:
    """The start of the day after the moment's own."""
    return _like(moment, day_of(moment, zone) + timedelta(days=1), zone)


def units(start: Moment, end: Moment, basis: str) -> int:
    """The days or seconds from start to end. On ``fixed_30`` day 31 counts as day 30 (30/360)."""
    if basis == FIXED_30:
        return (end.year - start.year) * 360 + (end.month - start.month) * 30 + min(end.day, 30) - min(start.day, 30)
    if isinstance(start, datetime) and isinstance(end, datetime):
        return (end - start) // _SECOND
    return (end - start).days


class Share(NamedTuple):
    """Units used of the units of a whole period."""

    part: int
    whole: int

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.part, self.whole)

    def __str__(self) -> str:
        return f"{self.part}/{self.whole}"


def share_of(start: Moment, end: Moment, cell: Cell, interval: Interval, basis: str) -> Share:
    """How much of the whole period lies from start to end. However a period is cut, its parts sum to the whole."""
    if basis == FIXED_30 and interval.months:
        whole = 30 * interval.months
        return Share(_left_of_30(start, cell, whole) - _left_of_30(end, cell, whole), whole)
    counted = ACTUAL_DAYS if basis == FIXED_30 else basis
    return Share(units(start, end, counted), units(cell.start, cell.end, counted))


def _left_of_30(moment: Moment, cell: Cell, whole: int) -> int:
    """The days of a 30/360 period that are left at a moment, counted to its end: where February cuts an anchor short,
    those from its start would come to 28 or 32.
    """
    return whole if moment == cell.start else min(max(units(moment, cell.end, FIXED_30), 0), whole)


@lru_cache(10_000)
def stored(moment: Moment) -> datetime:
    """The moment as a column keeps it: an instant as it is, a local day as the midnight UTC that names it."""
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def restored(kept: datetime, basis: str) -> Moment:
    """The moment that a column keeps."""
    return kept.astimezone(UTC) if basis == SECONDS else kept.astimezone(UTC).date()
