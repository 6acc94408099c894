"""Journal entries as plain values, and the one rule that all of them keep."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class PostingOrder(NamedTuple):
    """An amount on the ledger account of a role: debit positive, credit negative. ``account_id`` is the customer."""

    role: str
    amount: Decimal
    currency: str
    account_id: UUID | None = None


class EntryOrder(NamedTuple):
    """One entry. ``source`` is unique, such as ``invoice:<id>``: the same event is never posted twice."""

    entity_id: UUID
    source: str
    document_id: UUID
    memo: str
    posted_on: date
    postings: tuple[PostingOrder, ...]


def imbalance(entry: EntryOrder) -> dict[str, Decimal]:
    """By currency, what the postings sum to where that is not zero. Empty for every entry that may be posted."""
    sums: dict[str, Decimal] = {}
    for posting in entry.postings:
        sums[posting.currency] = sums.get(posting.currency, Decimal(0)) + posting.amount
    return {currency: total for currency, total in sums.items() if total}
