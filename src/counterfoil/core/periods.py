"""Periods and months. A period is half-open everywhere: its first day is in, its end day is not."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache

__all__ = ["Period", "add_months", "end_of_month", "share_of"]


@lru_cache(maxsize=8192)
def add_months(day: date, n: int, anchor_day: int | None = None) -> date:
    """The day ``n`` months later, on the anchor day or, in a shorter month, on that month's last day.

    The anchor is ``day``'s own unless given. Give it when stepping, so that 31 Jan → 28 Feb → 31 Mar.
    """
    anchor = day.day if anchor_day is None else anchor_day
    if not 1 <= anchor <= 31:
        raise ValueError(f"{anchor} is not a day of a month")
    months = day.year * 12 + day.month - 1 + n
    year, month = divmod(months, 12)
    if not date.min.year <= year <= date.max.year:
        raise ValueError(f"{n} months from {day} is outside the calendar")
    return date(year, month + 1, min(anchor, monthrange(year, month + 1)[1]))


def end_of_month(day: date) -> date:
    """The last day of the day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days from ``start`` up to, and without, ``end``. Never empty."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"a period ends after it starts; {self.start} to {self.end} does not")

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last day inside, for printing: people write "1 Apr – 30 Apr"."""
        return self.end - timedelta(days=1)

    def contains(self, day: date) -> bool:
        return self.start <= day < self.end

    def overlap(self, other: Period) -> Period | None:
        """The days that both have, or none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None


def share_of(period: Period, part: Period) -> Fraction:
    """How much of the period lies in ``part``, exactly, by days."""
    common = period.overlap(part)
    return Fraction(common.days if common else 0, period.days)
