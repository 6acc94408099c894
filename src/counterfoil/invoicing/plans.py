"""How issued invoices are due, read back as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.core.money import Money
from counterfoil.invoicing.models import Instalment as Row
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.due import DuePlan, EarlyDiscount, Instalment
from counterfoil.plumbing.bulk import read_where


def due_plans(invoices: Iterable[Invoice]) -> dict[UUID, DuePlan]:
    """How each issued invoice is due, as it was frozen at its issue, in one statement. For commands and queries."""
    issued = [one for one in invoices if one.due_on is not None]
    parts: dict[UUID, list[tuple[date, Decimal]]] = {}
    ids = [one.pk for one in issued]
    for row in read_where(Row, "invoice_id = ANY(%s)", ids, order="invoice_id, position"):
        parts.setdefault(row.invoice_id, []).append((row.due_on, row.amount))
    return {one.pk: _plan(one, parts.get(one.pk, [])) for one in issued}


def _plan(invoice: Invoice, parts: Sequence[tuple[date, Decimal]]) -> DuePlan:
    assert invoice.due_on is not None
    parts = parts or [(invoice.due_on, invoice.total)]
    discount = None
    if invoice.early_discount_until is not None and invoice.early_discount_amount is not None:
        amount = Money.exact(invoice.early_discount_amount, invoice.currency)
        discount = EarlyDiscount(
            invoice.early_discount_until, amount, Money.exact(invoice.total, invoice.currency) - amount
        )
    return DuePlan(
        tuple(Instalment(due_on, Money.exact(amount, invoice.currency)) for due_on, amount in parts), discount
    )
