"""What happens to deals."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("deals.deal_added")
class DealAdded(Event):
    deal_id: UUID
    account_id: UUID | None
    name: str
    amount: Decimal
    currency: str


@event("deals.deal_changed")
class DealChanged(Event):
    deal_id: UUID
    account_id: UUID | None
    name: str
    fields: tuple[str, ...]


@event("deals.deal_moved")
class DealMoved(Event):
    deal_id: UUID
    account_id: UUID | None
    name: str
    stage: str


@event("deals.deal_won")
class DealWon(Event):
    """The deal was won and handed over: ``invoice_id`` is its draft."""

    deal_id: UUID
    account_id: UUID
    invoice_id: UUID
    name: str
    amount: Decimal
    currency: str


@event("deals.deal_lost")
class DealLost(Event):
    deal_id: UUID
    account_id: UUID | None
    name: str
    reason: str


@event("deals.deal_reopened")
class DealReopened(Event):
    deal_id: UUID
    account_id: UUID | None
    name: str
