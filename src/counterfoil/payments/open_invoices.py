"""Invoices as money sees them, locked for the rest of the transaction in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.core.money import Money
from counterfoil.invoicing.queries import FIRST_OPEN_DAY
from counterfoil.payments.rules.allocating import OpenInvoice

# The last one is what is left of the early discount, no more than credit notes left of the invoice. Whether named ones
# are issued is looked at afterwards: as a condition, it would lead a planner who knows nothing of the table yet to the
# index of all issued documents.
_READ = f"""
SELECT status = 'issued' AND kind = 'invoice', id, number, payer_id, account_id, invoiced_account_id, entity_id,
    currency, total - settled - credited, issued_on, {FIRST_OPEN_DAY}, early_discount_until,
    CASE WHEN early_discount_until IS NOT NULL THEN GREATEST(LEAST(
        early_discount_amount,
        total - (SELECT COALESCE(SUM(c.amount), 0) FROM invoicing_credit c WHERE c.invoice_id = invoicing_invoice.id)
    ) - (SELECT COALESCE(SUM(a.amount), 0) FROM payments_allowance a WHERE a.invoice_id = invoicing_invoice.id), 0) END
FROM invoicing_invoice WHERE """  # noqa: S608 - constants
_NAMED = "id = ANY(%(ids)s::uuid[])"
_OPEN_OF = (
    "payer_id = ANY(%(payers)s::uuid[]) AND currency = ANY(%(currencies)s) AND status = 'issued' AND kind = 'invoice'"
    " AND settled < total - credited"
)


def locked_invoices(
    invoice_ids: Collection[UUID], open_of: Collection[tuple[UUID, str]] = ()
) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, and all that is open of the payers in a currency. One statement."""
    wanted = f"({_NAMED} OR ({_OPEN_OF}))" if open_of else _NAMED
    return _read(f"{wanted} ORDER BY id FOR UPDATE", invoice_ids, open_of)


def known_invoices(invoice_ids: Collection[UUID]) -> dict[UUID, OpenInvoice]:
    """The issued ones among the invoices, not locked: for showing what would happen."""
    return _read(f"{_NAMED} ORDER BY id", invoice_ids)


def _read(
    wanted: str, invoice_ids: Collection[UUID], open_of: Collection[tuple[UUID, str]] = ()
) -> dict[UUID, OpenInvoice]:
    named: dict[str, Any] = {
        "ids": list(invoice_ids),
        "payers": list({payer for payer, _ in open_of}),
        "currencies": list({currency for _, currency in open_of}),
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ + wanted, named)
        return {row[1]: _open_invoice(*row[1:]) for row in cursor.fetchall() if row[0]}


def _open_invoice(
    invoice_id: UUID,
    number: str,
    payer_id: UUID,
    account_id: UUID,
    invoiced_account_id: UUID,
    entity_id: UUID,
    currency: str,
    left: Decimal,
    issued_on: date,
    due_on: date,
    discount_until: date | None,
    discount: Decimal | None,
) -> OpenInvoice:
    return OpenInvoice(
        id=invoice_id,
        number=number,
        payer_id=payer_id,
        payers=frozenset((payer_id, account_id, invoiced_account_id)),
        entity_id=entity_id,
        currency=currency,
        open=Money.exact(left, currency).amount,
        issued_on=issued_on,
        due_on=due_on,
        discount=Money.exact(discount, currency).amount if discount else Decimal(0),
        discount_until=discount_until,
    )
