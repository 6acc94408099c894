"""What this room does about news from below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.invoicing.events import CreditNoteIssued, InvoiceIssued
from counterfoil.payments import commands, queries
from counterfoil.plumbing import clock
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber


def _of_payers_with_credit(rows: Sequence[OutboxEvent]) -> set[UUID]:
    """The news of invoices whose payers have money left over: of a billing run's thousands, a few."""
    payers = queries.payers_with_credit({UUID(row.payload["payer_id"]) for row in rows})
    return {row.id for row in rows if UUID(row.payload["payer_id"]) in payers}


@subscriber("payments.invoice_issued", InvoiceIssued, concerns=_of_payers_with_credit)
def invoice_issued(happened: OutboxEvent) -> None:
    """What the payer has left over pays the new invoice."""
    invoice_id = UUID(happened.payload["invoice_id"])
    commands.apply_credit(actor=Actor.system(), invoice_ids=[invoice_id], at=clock.now())


@subscriber("payments.credit_left_over", CreditNoteIssued)
def credit_left_over(happened: OutboxEvent) -> None:
    """What no invoice owed any more is the payer's from now on."""
    told = happened.payload
    if Decimal(told["open"]):
        commands.take_credits(
            actor=Actor.system(),
            credit_note_ids=[UUID(told["invoice_id"])],
            on=date.fromisoformat(told["issued_on"]),
            at=clock.now(),
        )
