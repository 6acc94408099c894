"""When an invoice is due."""

from __future__ import annotations

from datetime import date, timedelta

from counterfoil.accounts.rules.facts import TermsFact
from counterfoil.core.periods import end_of_month


def due_date(issued_on: date, terms: TermsFact | None) -> date:
    """So many days after the issue, or after the end of its month. Without terms, on the day of issue."""
    if terms is None:
        return issued_on
    start = end_of_month(issued_on) if terms.from_end_of_month else issued_on
    return start + timedelta(days=terms.days)
