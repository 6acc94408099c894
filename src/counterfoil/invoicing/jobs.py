"""Printing and delivering issued documents."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.documents.pdf import render_invoice
from counterfoil.invoicing import commands, queries
from counterfoil.ledger.days import today_of
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import enqueue_many, job, sweep

GRACE = timedelta(minutes=2)
LOOKED_BACK = timedelta(days=7)
AT_ONCE = 500


@job("invoicing.deliver", queue_name="documents")
def deliver(invoice_id: str) -> None:
    """Print the document if it was not printed, then queue its mail if one is asked for. Safe to run twice."""
    actor = Actor.system()
    unprinted = queries.unprinted(UUID(invoice_id))
    if unprinted is not None:
        commands.store_pdf(actor=actor, invoice_id=UUID(invoice_id), content=render_invoice(unprinted))
    commands.deliver_invoices(actor=actor, invoice_ids=[UUID(invoice_id)], on=today_of(None), at=clock.now())


@sweep("invoicing.undelivered_invoices")
def undelivered_invoices() -> int:
    """Issued documents without a file, and such as were to be mailed in the last week and have no mail."""
    now = clock.now()
    due = queries.undelivered(issued_before=now - GRACE, asked_since=now - LOOKED_BACK, limit=AT_ONCE)
    enqueue_many("invoicing.deliver", [{"invoice_id": invoice_id} for invoice_id in due])
    return len(due)
