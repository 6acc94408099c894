"""Where a document stands on a day, in one word: kept states and worked-out ones together."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

NOTHING = Decimal(0)
WORDS: dict[str, str] = {
    "draft": "Draft",
    "returned": "Returned to sales",
    "issued": "Open",
    "part_paid": "Part-paid",
    "overdue": "Overdue",
    "paid": "Paid",
    "credited": "Credited",
    "applied": "Used up",
    "void": "Void",
}
"""Every word, as people read it."""


def status_of(
    status: str,
    total: Decimal,
    settled: Decimal,
    due_on: date | None,
    today: date,
    credited: Decimal = NOTHING,
    is_credit_note: bool = False,
) -> str:
    """``overdue`` beats ``part_paid``. The due day itself is not overdue. A document of zero is paid when it is
    issued; one that was credited whole and never paid is credited. A credit note is never due: it is open or used up.
    """
    if status != "issued":
        return status
    if is_credit_note:
        return "applied" if settled >= total else "issued"
    if settled + credited >= total:
        return "credited" if credited and not settled else "paid"
    if due_on is not None and due_on < today:
        return "overdue"
    return "part_paid" if settled or credited else "issued"
