"""Invoices as money sees them, locked for the rest of the transaction in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.core.money import Money
from counterfoil.invoicing.queries import FirstOpenDay
from counterfoil.payments.rules.allocating import OpenInvoice

# The issued invoices where a condition holds, each with what was allowed of its early discount already.
_READ = f"""
SELECT id, number, payer_id, account_id, invoiced_account_id, entity_id, currency, total, settled, credited,
    issued_on, early_discount_until, early_discount_amount, {FirstOpenDay.template},
    COALESCE((SELECT SUM(a.amount) FROM payments_allowance a WHERE a.invoice_id = invoicing_invoice.id), 0)
FROM invoicing_invoice WHERE status = 'issued' AND kind = 'invoice' AND
"""  # noqa: S608 - constants
_NAMED = "id = ANY(%s::uuid[])"
_OPEN = "payer_id = ANY(%s::uuid[]) AND currency = ANY(%s::text[]) AND settled < total - credited"


def locked_invoices(
    invoice_ids: Collection[UUID], open_of: Collection[tuple[UUID, str]] = ()
) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, and all that is open of the payers in a currency. One statement."""
    if not open_of:
        return _read(f"{_NAMED} ORDER BY id FOR UPDATE", list(invoice_ids))
    payers, currencies = {payer for payer, _ in open_of}, {currency for _, currency in open_of}
    either = f"({_NAMED} OR {_OPEN}) ORDER BY id FOR UPDATE"
    return _read(either, list(invoice_ids), list(payers), list(currencies))


def known_invoices(invoice_ids: Collection[UUID]) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, not locked: for showing what would happen."""
    return _read(f"{_NAMED} ORDER BY id", list(invoice_ids))


def _read(condition: str, *values: Any) -> dict[UUID, OpenInvoice]:
    with connection.cursor() as cursor:
        cursor.execute(_READ + condition, values)
        rows = cursor.fetchall()
    return {
        row[0]: OpenInvoice(
            id=row[0],
            number=row[1],
            payer_id=row[2],
            payers=frozenset(row[2:5]),
            entity_id=row[5],
            currency=row[6],
            open=Money.exact(row[7] - row[8] - row[9], row[6]).amount,
            issued_on=row[10],
            due_on=row[13],
            discount=Money.exact(row[12] - row[14], row[6]).amount if row[11] is not None else Decimal(0),
            discount_until=row[11],
        )
        for row in rows
    }
