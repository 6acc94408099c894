"""When a charge is tried again and when a reminder is due, as a scenario asks it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta


def next_attempt(failed_on: date, failures: int, days_after_failure: Sequence[int]) -> date | None:
    """The day of the next attempt after so many failures in a row; none when the list is used up."""
    if failures > len(days_after_failure):
        return None
    return failed_on + timedelta(days=days_after_failure[failures - 1])


def reminder_days(due_on: date, issued_on: date, days_from_due: Iterable[int]) -> list[date]:
    """The days on which a reminder is due while anything is open; none lies before the invoice, nor after the last day
    of the calendar.
    """
    longest = (date.max - due_on).days
    offsets = (offset for offset in sorted(set(days_from_due)) if (issued_on - due_on).days <= offset <= longest)
    return [due_on + timedelta(days=offset) for offset in offsets]
