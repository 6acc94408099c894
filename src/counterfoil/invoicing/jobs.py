"""Printing and delivering issued documents."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.documents.pdf import render_invoice
from counterfoil.invoicing import commands, queries
from counterfoil.ledger.days import today_of
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import job, sweep

GRACE = timedelta(minutes=2)
LOOKED_BACK = timedelta(days=7)
AT_ONCE = 500


@job("invoicing.deliver", queue_name="documents")
def deliver(invoice_ids: list[str]) -> None:
    """Print each document that was not printed, then queue its mail if one is asked for. Safe to run twice.

    Each is a transaction of its own, and one that fails holds up no other: the job fails at its end, and its next
    attempt finds the others done.
    """
    failed: list[Exception] = []
    for invoice_id in invoice_ids:
        try:
            _deliver(UUID(invoice_id))
        except Exception as error:
            error.add_note(f"invoice {invoice_id}")
            failed.append(error)
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {len(invoice_ids)} documents were not delivered", failed)


def _deliver(invoice_id: UUID) -> None:
    actor = Actor.system()
    unprinted = queries.unprinted(invoice_id)
    if unprinted is not None:
        commands.store_pdf(actor=actor, invoice_id=invoice_id, content=render_invoice(unprinted))
    commands.deliver_invoices(actor=actor, invoice_ids=[invoice_id], on=today_of(None), at=clock.now())


@sweep("invoicing.undelivered_invoices")
def undelivered_invoices() -> int:
    """Issued documents without a file, and such as were to be mailed in the last week and have no mail.

    Each has a job of its own, so that one on which a worker dies holds up no other for good.
    """
    now = clock.now()
    due = queries.undelivered(issued_before=now - GRACE, asked_since=now - LOOKED_BACK, limit=AT_ONCE)
    commands.ask_to_deliver(due, together=1)
    return len(due)
