"""What is still to be printed and mailed. For jobs and sweeps, never for output."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection

from counterfoil.activities.models import Task
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.invoicing.models import Invoice, InvoiceStatus, Origin
from counterfoil.invoicing.printing import printed_document
from counterfoil.invoicing.queries.rows import with_parts

UNSENT = "unsent:"
"""How the cause of a task begins that waits for somebody who can receive the invoice."""

# Documents that another system issued have no file here. What a job is about to do, or has failed to do, is no news;
# but one that failed with several says nothing of each.
_UNDELIVERED = """
SELECT i.id FROM invoicing_invoice i
WHERE i.status = 'issued' AND i.origin <> 'imported' AND i.issued_at < %(before)s
  AND (i.pdf_id IS NULL OR (
        i.delivery_channel = 'email' AND i.send_requested_at BETWEEN %(since)s AND %(before)s
        AND NOT EXISTS (SELECT 1 FROM activities_mail m
                        WHERE m.record_id = i.id AND m.created_at >= i.send_requested_at)
        AND NOT EXISTS (SELECT 1 FROM activities_task t WHERE t.cause = %(unsent)s || i.id::text AND t.done_at IS
        NULL)))
  AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs j
    CROSS JOIN LATERAL jsonb_array_elements_text(j.args -> 'invoice_ids') AS named (id)
    WHERE j.task_name = 'invoicing.deliver' AND named.id = i.id::text
      AND (j.status IN ('todo', 'doing') OR (j.status = 'failed' AND jsonb_array_length(j.args -> 'invoice_ids') = 1)))
ORDER BY i.issued_at LIMIT %(limit)s
"""


def undelivered(*, issued_before: datetime, asked_since: datetime, limit: int) -> list[UUID]:
    """Documents of ours without a file, and such as were to be mailed since then and have neither mail nor job."""
    with connection.cursor() as cursor:
        cursor.execute(_UNDELIVERED, {"before": issued_before, "since": asked_since, "unsent": UNSENT, "limit": limit})
        return [invoice_id for (invoice_id,) in cursor.fetchall()]


def unsent_for_want_of_recipients() -> list[UUID]:
    """Documents whose mail waits for a billing contact whose address works."""
    open_tasks = Task.objects.filter(cause__startswith=UNSENT, done_at=None)
    return [record_id for record_id in open_tasks.values_list("record_id", flat=True) if record_id is not None]


def unprinted(invoice_id: UUID) -> PrintedInvoice | None:
    """The document to be printed; none when it has a file, when it is a draft, and when another system issued it."""
    ours = Invoice.objects.filter(status=InvoiceStatus.ISSUED, pdf=None).exclude(origin=Origin.IMPORTED)
    invoice = ours.select_related("terms").filter(id=invoice_id).first()
    if invoice is None:
        return None
    with_parts([invoice])
    return printed_document(invoice, list(invoice.lines.all()), list(invoice.taxes.all()))
