"""Where a document stands on a day, in one word: kept states and worked-out ones together."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

WORDS: dict[str, str] = {
    "draft": "Draft",
    "returned": "Returned to sales",
    "issued": "Open",
    "part_paid": "Part-paid",
    "overdue": "Overdue",
    "paid": "Paid",
    "void": "Void",
}
"""Every word, as people read it."""


def status_of(status: str, total: Decimal, settled: Decimal, due_on: date | None, today: date) -> str:
    """``overdue`` beats ``part_paid``. The due day itself is not overdue. A document of zero is paid when it is
    issued.
    """
    if status != "issued":
        return status
    if settled >= total:
        return "paid"
    if due_on is not None and due_on < today:
        return "overdue"
    return "part_paid" if settled else "issued"
