"""Credit becomes settlement, and settlement becomes credit again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.invoicing.commands import settle
from counterfoil.ledger.commands import post
from counterfoil.payments import events
from counterfoil.payments.commands.allowing import allow, spared_by, take_back
from counterfoil.payments.models import Allocation, Payment, PaymentStatus
from counterfoil.payments.open_invoices import locked_invoices
from counterfoil.payments.rules import booking
from counterfoil.payments.rules.allocating import (
    OpenInvoice,
    Settlement,
    as_ordered,
    oldest_first,
    problems_of_shares,
)
from counterfoil.payments.rules.orders import OLDEST, Share
from counterfoil.plumbing.outbox import emit


@command("payments.allocate_payment", needs="payments.record")
def allocate_payment(
    *,
    actor: Actor,
    payment_id: UUID,
    allocations: Sequence[tuple[UUID, Decimal]] | Literal["oldest"],
    on: date,
    at: datetime,
    version: int | None = None,
) -> list[UUID]:
    """Let what is left of a payment settle further invoices. Returns the ids of the allocations.

    An early discount goes by the day on which the money came.
    """
    payment = locked_payment(payment_id, version)
    if payment.status != PaymentStatus.RECEIVED:
        raise Conflict("ended", "This money is not there any more; it cannot settle anything.")
    shares, invoices = _decide(payment, allocations)
    total = sum((share.amount for share in shares), Decimal(0))
    payment.allocated += total
    save_raised(payment, "allocated")
    made = Allocation.objects.bulk_create([allocation_of(payment, share, actor.name, on, at) for share in shares])
    discounts = allow(actor, spared_by(made, shares, invoices), at)
    settle(actor=actor, amounts={share.invoice_id: share.whole for share in shares}, on=on)
    entry = booking.allocated(
        source=f"allocation:{made[0].pk}",
        payment_id=payment.pk,
        entity_id=payment.entity_id,
        payer_id=payment.payer_id,
        currency=payment.currency,
        settled=booking.by_payer((invoices[share.invoice_id].payer_id, share.amount) for share in shares),
        on=on,
        memo="Payment allocated",
    )
    post(actor=actor, entries=[entry, *discounts], at=at)
    emit(
        events.PaymentAllocated(
            payment_id=payment.pk,
            account_id=payment.payer_id,
            invoice_ids=tuple(share.invoice_id for share in shares),
            amount=total,
            currency=payment.currency,
        )
    )
    return [one.pk for one in made]


def _decide(
    payment: Payment, allocations: Sequence[tuple[UUID, Decimal]] | Literal["oldest"]
) -> tuple[tuple[Settlement, ...], dict[UUID, OpenInvoice]]:
    """What the rest of the payment settles, and the invoices, locked; refuses what cannot be."""
    named = () if allocations == OLDEST else tuple(Share(*pair) for pair in allocations)
    oldest = [(payment.payer_id, payment.currency)] if allocations == OLDEST else []
    invoices = locked_invoices({share.invoice_id for share in named}, oldest)
    left = {invoice.id: invoice.open for invoice in invoices.values()}
    rest = payment.amount - payment.allocated
    if allocations == OLDEST:
        own = (payment.entity_id, payment.currency)
        same = (one for one in invoices.values() if (one.entity_id, one.currency) == own)
        shares = oldest_first(rest, same, left, payment.received_on)
    else:
        shares = as_ordered(named, invoices, left, payment.received_on)
    if not shares:
        raise Refusal("nothing", "There is nothing to allocate.", "allocations")
    problems = problems_of_shares(
        payer_id=payment.payer_id,
        entity_id=payment.entity_id,
        currency=payment.currency,
        available=rest,
        shares=shares,
        invoices=invoices,
        left=left,
        path="",
    )
    if problems:
        raise Refusal.of(problems)
    return shares, invoices


def allocation_of(payment: Payment, share: Settlement, by: str, on: date, at: datetime) -> Allocation:
    return Allocation(
        id=new_id(),
        payment_id=payment.pk,
        invoice_id=share.invoice_id,
        amount=share.amount,
        currency=payment.currency,
        allocated_on=on,
        created_at=at,
        by_name=by,
    )


@command("payments.undo_allocation", needs="payments.record")
def undo_allocation(*, actor: Actor, allocation_id: UUID, on: date, at: datetime, reason: str = "") -> UUID:
    """Take one allocation back by a counter-entry: the invoice owes it again, the payer has it as credit again.

    Returns the id of the payment.
    """
    payment_id = Allocation.objects.filter(id=allocation_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise NotFound()
    payment = locked_payment(payment_id, None)
    allocation = Allocation.objects.get(id=allocation_id)
    if allocation.undoes_id is not None or Allocation.objects.filter(undoes=allocation).exists():
        raise Conflict("undone_already", "This allocation was undone already.")
    counters, settled, invoices = counter_allocations(payment, [allocation], on, at, actor.name)
    payment.allocated -= allocation.amount
    save_raised(payment, "allocated")
    Allocation.objects.bulk_create(counters)
    discounts, allowed = take_back(actor, invoices, on, at)
    owed = allocation.amount + allowed.get(allocation.invoice_id, Decimal(0))
    settle(actor=actor, amounts={allocation.invoice_id: -owed}, on=on)
    entry = booking.allocated(
        source=f"allocation:{allocation.pk}:undone",
        payment_id=payment.pk,
        entity_id=payment.entity_id,
        payer_id=payment.payer_id,
        currency=payment.currency,
        settled={payer: -part for payer, part in settled.items()},
        on=on,
        memo=f"Allocation undone {reason}".strip(),
    )
    post(actor=actor, entries=[entry, *discounts], at=at)
    emit(
        events.AllocationUndone(
            payment_id=payment.pk,
            account_id=payment.payer_id,
            invoice_ids=(allocation.invoice_id,),
            amount=allocation.amount,
            currency=payment.currency,
        )
    )
    return payment.pk


def counter_allocations(
    payment: Payment, live: Sequence[Allocation], on: date, at: datetime, by: str
) -> tuple[list[Allocation], dict[UUID, Decimal], dict[UUID, OpenInvoice]]:
    """Each allocation's counter-entry, what they had settled by the payer of the invoice, and the invoices, locked."""
    invoices = locked_invoices({one.invoice_id for one in live}) if live else {}
    counters = [
        Allocation(
            id=new_id(),
            payment_id=payment.pk,
            invoice_id=one.invoice_id,
            amount=-one.amount,
            currency=one.currency,
            allocated_on=max(on, one.allocated_on),
            undoes_id=one.pk,
            created_at=at,
            by_name=by,
        )
        for one in live
    ]
    return counters, booking.by_payer((invoices[one.invoice_id].payer_id, one.amount) for one in live), invoices


def locked_payment(payment_id: UUID, version: int | None) -> Payment:
    """The payment, locked; raises ``NotFound`` and ``Stale``."""
    payment = Payment.objects.select_for_update().filter(id=payment_id).first()
    if payment is None:
        raise NotFound()
    if version is not None and payment.version != version:
        raise Stale()
    return payment


def save_raised(payment: Payment, *columns: str) -> None:
    payment.version += 1
    payment.save(update_fields=[*columns, "version"])
