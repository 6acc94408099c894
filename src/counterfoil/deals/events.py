"""What happens to deals."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _DealEvent(Event):
    see: ClassVar[str] = "deals.see"
    icon: ClassVar[str] = "handshake"


@event("deals.deal_added")
class DealAdded(_DealEvent):
    words: ClassVar[str] = "Deal {title} added, {amount} {currency}"

    deal_id: UUID
    account_id: UUID | None
    title: str
    amount: Decimal
    currency: str


@event("deals.deal_changed")
class DealChanged(_DealEvent):
    """``fields`` are the ids of the changed fields."""

    words: ClassVar[str] = "Deal {title} changed: {fields}"
    icon: ClassVar[str] = "pencil"

    deal_id: UUID
    account_id: UUID | None
    title: str
    fields: tuple[str, ...]


@event("deals.deal_moved")
class DealMoved(_DealEvent):
    words: ClassVar[str] = "Deal {title} moved to {stage}"
    icon: ClassVar[str] = "arrow-right"

    deal_id: UUID
    account_id: UUID | None
    title: str
    stage: str


@event("deals.deal_won")
class DealWon(_DealEvent):
    """The deal was won and handed over: ``invoice_id`` is its draft, ``subscription_id`` what its recurring lines are.

    At least one of them is there.
    """

    words: ClassVar[str] = "Deal {title} won, {amount} {currency}, and handed over to billing"
    icon: ClassVar[str] = "trophy"

    deal_id: UUID
    account_id: UUID
    invoice_id: UUID | None
    subscription_id: UUID | None
    title: str
    amount: Decimal
    currency: str


@event("deals.deal_handed_over")
class DealHandedOver(_DealEvent):
    """A won deal, whose draft billing had returned, was handed over again as another quote version."""

    words: ClassVar[str] = "Deal {title} handed over to billing again, as version {quote_version}"

    deal_id: UUID
    account_id: UUID
    invoice_id: UUID | None
    subscription_id: UUID | None
    title: str
    quote_version: int


@event("deals.deal_lost")
class DealLost(_DealEvent):
    words: ClassVar[str] = "Deal {title} lost: {reason}"
    icon: ClassVar[str] = "circle-x"

    deal_id: UUID
    account_id: UUID | None
    title: str
    reason: str


@event("deals.deal_reopened")
class DealReopened(_DealEvent):
    words: ClassVar[str] = "Deal {title} opened again"
    icon: ClassVar[str] = "rotate-ccw"

    deal_id: UUID
    account_id: UUID | None
    title: str
