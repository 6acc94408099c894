"""What happens to money."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _PaymentEvent(Event):
    see: ClassVar[str] = "payments.see"
    topic: ClassVar[str] = "Payments"
    icon: ClassVar[str] = "banknote"


@event("payments.payment_recorded")
class PaymentRecorded(_PaymentEvent):
    words: ClassVar[str] = "Payment recorded, {amount} {currency}"

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    unallocated: Decimal
    currency: str
    method: str


@event("payments.credit_taken")
class CreditTaken(_PaymentEvent):
    """What a credit note left over became money of its payer. ``number`` is the credit note's."""

    words: ClassVar[str] = "{amount} {currency} of {number} is credit from now on"
    icon: ClassVar[str] = "undo-2"

    payment_id: UUID
    account_id: UUID
    number: str
    amount: Decimal
    currency: str


@event("payments.payment_allocated")
class PaymentAllocated(_PaymentEvent):
    words: ClassVar[str] = "{amount} {currency} of a payment allocated"

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str


@event("payments.discount_allowed")
class DiscountAllowed(_PaymentEvent):
    """A payment in time settled an invoice with less than its total."""

    words: ClassVar[str] = "Early payment discount of {amount} {currency}"

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str


@event("payments.allocation_undone")
class AllocationUndone(_PaymentEvent):
    words: ClassVar[str] = "Allocation of {amount} {currency} undone"
    icon: ClassVar[str] = "undo-2"

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str


@event("payments.payment_undone")
class PaymentUndone(_PaymentEvent):
    """The payment was recorded by mistake."""

    words: ClassVar[str] = "Payment of {amount} {currency} undone"
    detail: ClassVar[str] = "{reason}"
    icon: ClassVar[str] = "undo-2"

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str
    reason: str


@event("payments.payment_failed")
class PaymentFailed(_PaymentEvent):
    """Money that had been recorded did not arrive or came back: ``kind`` is failed or bounced."""

    words: ClassVar[str] = "Payment of {amount} {currency} {kind}"
    detail: ClassVar[str] = "{reason}"
    icon: ClassVar[str] = "circle-x"

    payment_id: UUID
    account_id: UUID
    invoice_ids: tuple[UUID, ...]
    amount: Decimal
    currency: str
    kind: str
    reason: str
