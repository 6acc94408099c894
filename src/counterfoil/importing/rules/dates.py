"""How a file writes its dates, found from all its values at once.

A single ``03-11-16`` may mean four days; ten thousand of them in one column mean one. Every order that can read all
values is a candidate; of several, the one whose days lie closest together is taken, for a column of business dates
does not span decades.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

ORDERS = ("year-month-day", "day-month-year", "month-day-year")
_PARTS = re.compile(r"^(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?$", re.ASCII)


@dataclass(frozen=True)
class DateReading:
    """The orders that can read every value, best first; ``unreadable`` are values that none of the orders can."""

    orders: tuple[str, ...]
    unreadable: tuple[str, ...]


def read_day(text: str, order: str) -> date:
    """The day that the text names; raises ``ValueError``. Two-digit years below 70 are of this century."""
    found = _PARTS.match(text.strip())
    if found is None:
        raise ValueError(text)
    parts = found.groups()
    places = {"year-month-day": (0, 1, 2), "day-month-year": (2, 1, 0), "month-day-year": (2, 0, 1)}[order]
    year, month, day = (parts[place] for place in places)
    if len(year) not in (2, 4) or len(month) > 2 or len(day) > 2:
        raise ValueError(text)
    century = 0 if len(year) == 4 else (2000 if int(year) < 70 else 1900)
    return date(century + int(year), int(month), int(day))


def date_reading(values: Iterable[str]) -> DateReading:
    """Which orders fit the column. Values that fit no order are left out of the choice and named."""
    distinct = sorted({value.strip() for value in values if value.strip()})
    readable = {order: _readable(distinct, order) for order in ORDERS}
    best = max(len(days) for days in readable.values())
    fitting = [order for order in ORDERS if len(readable[order]) == best and best]
    fitting.sort(key=lambda order: _span(readable[order].values()))
    unreadable = [value for value in distinct if not any(value in days for days in readable.values())]
    return DateReading(tuple(fitting) or ORDERS[:1], tuple(unreadable[:20]))


def _readable(values: list[str], order: str) -> dict[str, date]:
    days: dict[str, date] = {}
    for value in values:
        try:
            days[value] = read_day(value, order)
        except ValueError:
            continue
    return days


def _span(days: Iterable[date]) -> timedelta:
    found = list(days)
    return max(found) - min(found) if found else timedelta(0)
