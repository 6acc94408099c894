"""Periods are half-open, and months keep to their anchor day."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.periods import Period, add_months, end_of_month, share_of

days = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@st.composite
def periods(draw: st.DrawFn) -> Period:
    start = draw(days)
    return Period(start, start + timedelta(days=draw(st.integers(1, 800))))


def test_first_day_in_end_day_out() -> None:
    """A period has its first day and not its end day."""
    april = Period(date(2026, 4, 1), date(2026, 5, 1))
    assert april.days == 30
    assert april.last_day == date(2026, 4, 30)
    assert april.contains(date(2026, 4, 1))
    assert not april.contains(date(2026, 5, 1))


@pytest.mark.parametrize("end", [date(2026, 4, 1), date(2026, 3, 31)])
def test_no_empty_period(end: date) -> None:
    """A period that ends as or before it starts is refused."""
    with pytest.raises(ValueError, match="ends after it starts"):
        Period(date(2026, 4, 1), end)


def test_overlap() -> None:
    """The days that both have."""
    april = Period(date(2026, 4, 1), date(2026, 5, 1))
    half = Period(date(2026, 4, 16), date(2026, 6, 1))
    assert april.overlap(half) == Period(date(2026, 4, 16), date(2026, 5, 1))
    assert april.overlap(Period(date(2026, 5, 1), date(2026, 6, 1))) is None


def test_share_is_exact() -> None:
    """Half of April is exactly one half, and a foreign period has no share."""
    april = Period(date(2026, 4, 1), date(2026, 5, 1))
    assert share_of(april, Period(date(2026, 4, 16), date(2026, 9, 1))) == Fraction(1, 2)
    assert share_of(april, Period(date(2026, 5, 1), date(2026, 9, 1))) == 0


@pytest.mark.parametrize(
    ("day", "n", "anchor", "result"),
    [
        ("2026-01-31", 1, None, "2026-02-28"),
        ("2028-01-31", 1, None, "2028-02-29"),
        ("2026-02-28", 1, 31, "2026-03-31"),
        ("2026-02-28", 1, None, "2026-03-28"),
        ("2026-03-31", -1, None, "2026-02-28"),
        ("2026-11-30", 3, None, "2027-02-28"),
        ("2026-05-15", 0, None, "2026-05-15"),
        ("2026-05-15", 12, None, "2027-05-15"),
        ("2026-01-15", -1, None, "2025-12-15"),
    ],
)
def test_add_months(day: str, n: int, anchor: int | None, result: str) -> None:
    """Months are added on the anchor day, or on the last day of a shorter month."""
    assert add_months(date.fromisoformat(day), n, anchor) == date.fromisoformat(result)


def test_add_months_refuses_what_no_calendar_has() -> None:
    """A day 32 and a year beyond the calendar are refused."""
    with pytest.raises(ValueError, match="not a day of a month"):
        add_months(date(2026, 1, 1), 1, 32)
    with pytest.raises(ValueError, match="outside the calendar"):
        add_months(date(9999, 12, 1), 1)


def test_end_of_month() -> None:
    """The end of February follows the leap year."""
    assert end_of_month(date(2028, 2, 3)) == date(2028, 2, 29)
    assert end_of_month(date(2026, 2, 28)) == date(2026, 2, 28)


@given(periods(), periods())
def test_overlap_is_mutual(one: Period, other: Period) -> None:
    """Overlap does not depend on who asks, and is exactly the days that both contain."""
    common = one.overlap(other)
    assert common == other.overlap(one)
    both = sum(other.contains(one.start + timedelta(days=number)) for number in range(one.days))
    assert (common.days if common else 0) == both


@given(days, st.integers(-600, 600))
def test_months_come_back(day: date, n: int) -> None:
    """n months there and n months back on the anchor of the same day is the same day."""
    assert add_months(add_months(day, n), -n, day.day) == day
