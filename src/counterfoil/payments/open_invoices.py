"""Invoices as money sees them, locked for the rest of the transaction in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from counterfoil.invoicing.models import IS_OPEN, DocumentKind, Invoice, InvoiceStatus
from counterfoil.payments.rules.allocating import OpenInvoice

_COLUMNS = (
    "id", "number", "payer_id", "account_id", "invoiced_account_id", "entity_id", "currency", "issued_on", "due_on",
    "total", "settled", "credited",
)  # fmt: skip


def locked_invoices(
    invoice_ids: Collection[UUID], open_of: Collection[tuple[UUID, str]] = ()
) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, and all that is open of the payers in a currency. One statement."""
    wanted = Q(id__in=list(invoice_ids))
    if open_of:
        payers, currencies = {payer for payer, _ in open_of}, {currency for _, currency in open_of}
        wanted |= Q(payer__in=payers, currency__in=currencies) & IS_OPEN
    rows = (
        Invoice.objects.select_for_update()
        .filter(wanted, status=InvoiceStatus.ISSUED, kind=DocumentKind.INVOICE)
        .order_by("id")
        .values_list(*_COLUMNS)
    )
    return {
        row[0]: OpenInvoice(
            id=row[0],
            number=row[1],
            payer_id=row[2],
            payers=frozenset(row[2:5]),
            entity_id=row[5],
            currency=row[6],
            open=row[9] - row[10] - row[11],
            issued_on=row[7],
            due_on=row[8],
        )
        for row in rows
    }
