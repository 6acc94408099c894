"""What happens to money."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("payments.payment_recorded")
class PaymentRecorded(Event):
    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    unallocated: Decimal
    currency: str
    method: str


@event("payments.payment_allocated")
class PaymentAllocated(Event):
    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str


@event("payments.allocation_undone")
class AllocationUndone(Event):
    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str


@event("payments.payment_undone")
class PaymentUndone(Event):
    """The payment was recorded by mistake."""

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str
    reason: str


@event("payments.payment_failed")
class PaymentFailed(Event):
    """Money that had been recorded did not arrive or came back: ``kind`` is failed or bounced."""

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str
    kind: str
    reason: str
