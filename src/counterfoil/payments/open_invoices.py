"""Invoices as money sees them, locked for the rest of the transaction in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from django.db import models
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from counterfoil.core.money import Money
from counterfoil.invoicing.models import IS_OPEN, DocumentKind, Invoice, InvoiceStatus
from counterfoil.invoicing.queries import FirstOpenDay
from counterfoil.payments.models import Allowance
from counterfoil.payments.rules.allocating import OpenInvoice

_COLUMNS = (
    "id", "number", "payer_id", "account_id", "invoiced_account_id", "entity_id", "currency", "total", "settled",
    "issued_on", "early_discount_until", "early_discount_amount", "first_open_day", "allowed",
    "credited",
)  # fmt: skip


def locked_invoices(
    invoice_ids: Collection[UUID], open_of: Collection[tuple[UUID, str]] = ()
) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, and all that is open of the payers in a currency. One statement."""
    wanted = Q(id__in=list(invoice_ids))
    if open_of:
        payers, currencies = {payer for payer, _ in open_of}, {currency for _, currency in open_of}
        wanted |= Q(payer__in=payers, currency__in=currencies) & IS_OPEN
    return _read(Invoice.objects.select_for_update(of=("self",)).filter(wanted))


def known_invoices(invoice_ids: Collection[UUID]) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, not locked: for showing what would happen."""
    return _read(Invoice.objects.filter(id__in=list(invoice_ids)))


def _read(found: QuerySet[Invoice]) -> dict[UUID, OpenInvoice]:
    rows = (
        found.filter(status=InvoiceStatus.ISSUED, kind=DocumentKind.INVOICE)
        .annotate(first_open_day=FirstOpenDay(), allowed=_allowed())
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
            open=Money.exact(row[7] - row[8] - row[14], row[6]).amount,
            issued_on=row[9],
            due_on=row[12],
            discount=Money.exact(row[11] - row[13], row[6]).amount if row[10] is not None else Decimal(0),
            discount_until=row[10],
        )
        for row in rows
    }


def _allowed() -> Coalesce:
    """What was allowed of the invoice's early discount already."""
    sums = Allowance.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice").annotate(sum=Sum("amount"))
    nothing = Value(Decimal(0), output_field=models.DecimalField())
    return Coalesce(Subquery(sums.values("sum")), nothing, output_field=models.DecimalField())
