"""What this room does about news from below."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.invoicing.events import InvoiceIssued
from counterfoil.payments import commands
from counterfoil.plumbing import clock
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber


@subscriber("payments.invoice_issued", InvoiceIssued)
def invoice_issued(happened: OutboxEvent) -> None:
    """What the payer has left over pays the new invoice."""
    invoice_id = UUID(happened.payload["invoice_id"])
    commands.apply_credit(actor=Actor.system(), invoice_ids=[invoice_id], at=clock.now())
