"""What happens to retainers, time and expenses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _RetainerEvent(Event):
    see: ClassVar[str] = "retainers.see"
    topic: ClassVar[str] = "Retainers"
    icon: ClassVar[str] = "hourglass"


@event("retainers.retainer_added")
class RetainerAdded(_RetainerEvent):
    words: ClassVar[str] = "Retainer {title} added"

    retainer_id: UUID
    account_id: UUID
    title: str


@event("retainers.retainer_changed")
class RetainerChanged(_RetainerEvent):
    words: ClassVar[str] = "Retainer {title} changed"

    retainer_id: UUID
    account_id: UUID
    title: str
    fields: tuple[str, ...]


@event("retainers.retainer_retired")
class RetainerRetired(_RetainerEvent):
    words: ClassVar[str] = "Retainer {title} ends on {ends_on}"
    icon: ClassVar[str] = "circle-stop"

    retainer_id: UUID
    account_id: UUID
    title: str
    ends_on: date


@event("retainers.retainer_shared")
class RetainerShared(_RetainerEvent):
    """A link to the customer's page was made; one that was there before opens nothing any more."""

    words: ClassVar[str] = "Customer’s page of retainer {title} opened by a new link"
    icon: ClassVar[str] = "link"

    retainer_id: UUID
    account_id: UUID
    title: str


@event("retainers.retainer_unshared")
class RetainerUnshared(_RetainerEvent):
    words: ClassVar[str] = "Customer’s page of retainer {title} closed"
    icon: ClassVar[str] = "link"

    retainer_id: UUID
    account_id: UUID
    title: str


@event("retainers.entries_decided")
class EntriesDecided(_RetainerEvent):
    """Time and expenses of an account were approved or rejected: ``decision`` is the one or the other."""

    words: ClassVar[str] = "Time and expenses {decision}: {count}"
    icon: ClassVar[str] = "check-check"

    account_id: UUID
    count: int
    decision: str


@event("retainers.entries_billed")
class EntriesBilled(_RetainerEvent):
    """Approved time and expenses of an account were settled; ``invoice_id`` is the draft of what no retainer bore."""

    words: ClassVar[str] = "Time and expenses settled: {count}, {net} {currency} billed"
    icon: ClassVar[str] = "receipt"

    account_id: UUID
    invoice_id: UUID | None
    count: int
    net: Decimal
    currency: str


@event("retainers.entries_waived")
class EntriesWaived(_RetainerEvent):
    """Approved time and expenses of an account will not be billed."""

    words: ClassVar[str] = "Time and expenses not billed: {count}. {why}"
    icon: ClassVar[str] = "circle-stop"

    account_id: UUID
    count: int
    why: str


@event("retainers.entries_restored")
class EntriesRestored(_RetainerEvent):
    """Time and expenses that were not to be billed are unbilled again."""

    words: ClassVar[str] = "Time and expenses to be billed after all: {count}"
    icon: ClassVar[str] = "undo-2"

    account_id: UUID
    count: int


@event("retainers.entries_released")
class EntriesReleased(_RetainerEvent):
    """The draft that billed them, or their line on it, is gone: they wait for a person to bill or waive them."""

    words: ClassVar[str] = "Time and expenses unbilled again: {count}"
    icon: ClassVar[str] = "undo-2"

    account_id: UUID
    invoice_id: UUID
    count: int
