"""What credit notes leave over becomes money of the payer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.invoicing.commands import hand_over_credit
from counterfoil.ledger.commands import post
from counterfoil.payments import events
from counterfoil.payments.models import Payment, PaymentMethod
from counterfoil.payments.rules import booking
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.plumbing.outbox import emit


@command("payments.take_credits", needs="payments.record")
def take_credits(*, actor: Actor, credit_note_ids: Sequence[UUID], on: date, at: datetime) -> list[UUID]:
    """Make what is open on credit notes the credit of their payers, to be allocated like money that came.

    Safe to run twice: a note on which nothing is open is left out. Returns the ids of the payments.
    """
    handed_over = hand_over_credit(actor=actor, credit_note_ids=credit_note_ids)
    payments = [
        Payment(
            id=new_id(),
            created_at=at,
            entity_id=one.entity_id,
            payer_id=one.payer_id,
            method=PaymentMethod.CREDIT_NOTE,
            amount=Money.exact(one.amount, one.currency).amount,
            currency=one.currency,
            received_on=on,
            reference=one.number,
            request_key=f"credit-note:{one.credit_note_id}",
        )
        for one in handed_over
    ]
    insert_rows(payments)
    entries = [
        booking.credited(
            payment_id=payment.pk,
            entity_id=payment.entity_id,
            payer_id=payment.payer_id,
            currency=payment.currency,
            amount=payment.amount,
            on=on,
        )
        for payment in payments
    ]
    post(actor=actor, entries=entries, at=at)
    for payment in payments:
        emit(
            events.CreditTaken(
                payment_id=payment.pk,
                account_id=payment.payer_id,
                number=payment.reference,
                amount=payment.amount,
                currency=payment.currency,
            )
        )
    return [payment.pk for payment in payments]
