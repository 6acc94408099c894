"""Printing and delivering issued documents."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.activities.queries import mail_causes
from counterfoil.documents.pdf import render_invoice
from counterfoil.invoicing import commands
from counterfoil.invoicing.commands.delivery import mail_cause
from counterfoil.invoicing.models import Invoice, InvoiceStatus, Origin
from counterfoil.invoicing.printing import printed_invoice
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import enqueue, job, sweep

GRACE = timedelta(minutes=2)


@job("invoicing.deliver", queue_name="documents")
def deliver(invoice_id: str) -> None:
    """Print the document if it was not printed, then queue its mail if one is asked for."""
    actor = Actor.system()
    now = clock.now()
    invoice = Invoice.objects.select_related("terms", "entity").filter(id=invoice_id).first()
    if invoice is None or invoice.status != InvoiceStatus.ISSUED or invoice.origin == Origin.IMPORTED:
        return
    today = clock.today(invoice.entity.timezone)
    if invoice.pdf_id is None:
        lines = list(invoice.lines.order_by("position"))
        content = render_invoice(printed_invoice(invoice, lines, list(invoice.taxes.order_by("-percent")), today))
        commands.store_pdf(actor=actor, invoice_id=UUID(invoice_id), content=content)
    commands.deliver_invoices(actor=actor, invoice_ids=[UUID(invoice_id)], on=today, at=now)


@sweep("invoicing.undelivered_invoices")
def undelivered_invoices() -> int:
    """Issued documents without a file, and such as were to be sent and have no mail."""
    found = 0
    since = clock.now() - GRACE
    due = (
        Invoice.objects.filter(status=InvoiceStatus.ISSUED, issued_at__lt=since)
        .exclude(origin=Origin.IMPORTED)
        .filter(Q(pdf=None) | Q(send_requested_at__lt=since, delivery_channel="email"))
        .order_by("-issued_at")
    )
    recent = list(due.filter(Q(pdf=None) | Q(send_requested_at__gt=since - timedelta(days=7)))[:2000])
    mailed = mail_causes([mail_cause(invoice) for invoice in recent if invoice.send_requested_at is not None])
    for invoice in recent:
        if invoice.pdf_id is None or (invoice.send_requested_at is not None and mail_cause(invoice) not in mailed):
            enqueue("invoicing.deliver", once=f"deliver:{invoice.pk}", invoice_id=invoice.pk)
            found += 1
    return found
