"""Money that is gone again: recorded by mistake, failed, or bounced. Nothing is deleted; counter-entries are added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.activities.commands import open_task
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.core.money import Money, formatted
from counterfoil.invoicing.commands import settle
from counterfoil.invoicing.models import Invoice
from counterfoil.ledger.commands import post
from counterfoil.ledger.rules.entries import EntryOrder
from counterfoil.payments import events
from counterfoil.payments.commands.allocating import counter_allocations, locked_payment, save_raised
from counterfoil.payments.commands.allowing import take_back
from counterfoil.payments.models import Allocation, Payment, PaymentMethod, PaymentStatus
from counterfoil.payments.rules import booking
from counterfoil.plumbing.outbox import emit

REASON_MAX = 300


@command("payments.undo_payment", needs="payments.record")
def undo_payment(
    *, actor: Actor, payment_id: UUID, on: date, at: datetime, reason: str = "", version: int | None = None
) -> None:
    """Take back a payment that was recorded by mistake: its invoices owe again. Opens no task: nobody failed to pay."""
    payment = _end(actor, payment_id, PaymentStatus.UNDONE, reason, on, at, version)[0]
    emit(
        events.PaymentUndone(
            payment_id=payment.pk,
            account_id=payment.payer_id,
            invoice_ids=_invoice_ids(payment),
            amount=payment.amount,
            currency=payment.currency,
            reason=payment.ended_reason,
        )
    )


@command("payments.fail_payment", needs="payments.record")
def fail_payment(
    *,
    actor: Actor,
    payment_id: UUID,
    kind: str,
    reason: str,
    on: date,
    at: datetime,
    version: int | None = None,
) -> None:
    """The money did not arrive or came back: its invoices owe again, and the owner of the account gets a task.

    ``kind`` is failed or bounced. The task names amount, reason and billing contact, and is there in the same commit.
    """
    if kind not in ("failed", "bounced"):
        raise Refusal("not_a_choice", "A payment either failed or bounced.", "kind")
    if not reason.strip():
        raise Refusal("missing", "Say why: whoever calls the customer needs to know.", "reason")
    payment, reopened = _end(actor, payment_id, PaymentStatus(kind), reason, on, at, version)
    emit(
        events.PaymentFailed(
            payment_id=payment.pk,
            account_id=payment.payer_id,
            invoice_ids=_invoice_ids(payment),
            amount=payment.amount,
            currency=payment.currency,
            kind=kind,
            reason=payment.ended_reason,
        )
    )
    _open_task(actor, payment, reopened, on)


def task_cause(payment_id: UUID) -> str:
    """What makes the follow-up task of a failed payment one and the same."""
    return f"payment-failed:{payment_id}"


def _end(
    actor: Actor, payment_id: UUID, status: PaymentStatus, reason: str, on: date, at: datetime, version: int | None
) -> tuple[Payment, list[Allocation]]:
    """Undo the live allocations, empty the payment, and write the books' counter-entry, all dated ``on``."""
    why = " ".join(reason.split())
    if len(why) > REASON_MAX:
        raise Refusal("too_long", f"The reason can have at most {REASON_MAX} characters.", "reason")
    payment = locked_payment(payment_id, version)
    if payment.status != PaymentStatus.RECEIVED:
        text = f"This payment is {payment.get_status_display().lower()} already, since {payment.ended_on}."
        raise Conflict("ended", text)
    if payment.method == PaymentMethod.CREDIT_NOTE:
        raise Conflict("from_a_credit_note", f"This is credit of {payment.reference}, which was issued for good.")
    day = max(on, payment.received_on)
    live = list(
        Allocation.objects.filter(payment=payment, undoes=None, undone_by=None).order_by("id").select_related("invoice")
    )
    counters, settled, invoices = counter_allocations(payment, live, day, at, actor.name)
    payment.status, payment.allocated = status, Decimal(0)
    payment.ended_on, payment.ended_reason = day, why
    save_raised(payment, "status", "allocated", "ended_on", "ended_reason")
    Allocation.objects.bulk_create(counters)
    discounts: list[EntryOrder] = []
    if live:
        discounts, allowed = take_back(actor, invoices, day, at)
        amounts = {invoice_id: -amount for invoice_id, amount in allowed.items()}
        for one in live:
            amounts[one.invoice_id] = amounts.get(one.invoice_id, Decimal(0)) - one.amount
        settle(actor=actor, amounts=amounts, on=day)
    entry = booking.taken_back(
        payment_id=payment.pk,
        entity_id=payment.entity_id,
        payer_id=payment.payer_id,
        method=payment.method,
        currency=payment.currency,
        amount=payment.amount,
        settled=settled,
        on=day,
        memo=f"Payment {payment.get_status_display().lower()}: {why}" if why else "Payment undone",
    )
    post(actor=actor, entries=[entry, *discounts], at=at)
    return payment, live


def _invoice_ids(payment: Payment) -> tuple[UUID, ...]:
    found = Allocation.objects.filter(payment=payment, undoes=None).order_by("id").values_list("invoice_id", flat=True)
    return tuple(dict.fromkeys(found))


def _open_task(actor: Actor, payment: Payment, reopened: Sequence[Allocation], on: date) -> None:
    facts = billing_facts([payment.payer_id], on)[payment.payer_id]
    contact = facts.recipients[0] if facts.recipients else None
    money = formatted(Money.exact(payment.amount, payment.currency), "en")
    word = "Payment bounced" if payment.status == PaymentStatus.BOUNCED else "Payment failed"
    invoices: list[Invoice] = [one.invoice for one in reopened]
    numbers = ", ".join(dict.fromkeys(invoice.number for invoice in invoices))
    parts = [f"Reason: {payment.ended_reason}."]
    parts.append(f"Open again: {numbers}." if numbers else "It had not settled an invoice.")
    if contact is not None:
        parts.append(f"Billing contact: {contact.name}{f', {contact.email}' if contact.email else ''}.")
    else:
        parts.append("This account has no billing contact.")
    open_task(
        actor=actor,
        kind="follow_up",
        title=f"{word}: {money} from {facts.title}",
        detail="\n".join(parts),
        assignee_id=facts.owner_id,
        due_on=on,
        record_key="payments.payment",
        record_id=payment.pk,
        record_title=f"{money}, {payment.received_on.isoformat()}",
        account_id=payment.payer_id,
        contact_id=contact.contact_id if contact else None,
        contact_name=contact.name if contact else "",
        amount=payment.amount,
        currency=payment.currency,
        cause=task_cause(payment.pk),
    )
