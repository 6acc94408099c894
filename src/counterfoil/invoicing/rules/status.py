"""Where a document stands on a day, in one word: kept states and worked-out ones together."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

WORDS = ("draft", "returned", "issued", "part_paid", "paid", "overdue", "void")


def payment_state(status: str, total: Decimal, settled: Decimal, due_on: date | None, today: date) -> str:
    """``overdue`` beats ``part_paid``.

    The due day itself is not overdue. A document of zero is paid when it is issued.
    """
    if status != "issued":
        return status
    if settled >= total:
        return "paid"
    if due_on is not None and due_on < today:
        return "overdue"
    return "part_paid" if settled else "issued"
