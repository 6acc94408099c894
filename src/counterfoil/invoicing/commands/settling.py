"""What an issued document owes becomes less or more; disputes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.money import Money, formatted
from counterfoil.invoicing import events
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceStatus
from counterfoil.plumbing.outbox import emit

NOTE_MAX = 500
# The invoices are locked in the order of their ids before any is written. One that cannot be settled so is left out of
# the answer. Conditions are on the locked rows: on the table, they would lead a planner who knows nothing of it yet to
# the index of all issued documents.
_SETTLE = """
WITH held AS (
    SELECT id, status, kind, currency, settled, total - credited AS most
    FROM invoicing_invoice WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR UPDATE
)
UPDATE invoicing_invoice i SET settled = held.settled + asked.amount, version = i.version + 1
FROM held JOIN unnest(%(ids)s::uuid[], %(amounts)s::numeric[]) AS asked (id, amount) ON asked.id = held.id
WHERE i.id = held.id AND held.status = 'issued' AND held.kind = 'invoice' AND asked.amount <> 0
    AND asked.amount = ROUND(asked.amount, counterfoil_currency_decimals(held.currency))
    AND held.settled + asked.amount BETWEEN 0 AND held.most
RETURNING i.id, i.account_id, i.deal_id, i.number, i.currency, i.total - i.settled - i.credited
"""


@command("invoicing.settle", needs="payments.record")
def settle(*, actor: Actor, amounts: Mapping[UUID, Decimal], on: date) -> None:
    """Reduce what invoices owe by positive amounts, or raise it again by negative ones. Posts nothing: the caller does.

    One statement, however many invoices; they are locked in the order of their ids. More than is open, or more back
    than was settled, is refused with a problem per invoice.
    """
    ids = sorted(amounts)
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, {"ids": ids, "amounts": [amounts[one] for one in ids]})
        settled = {row[0]: row for row in cursor.fetchall()}
    if len(settled) < len(ids):
        _refuse({one: amounts[one] for one in ids if one not in settled})
    for one in ids:
        _tell(*settled[one], amount=amounts[one])


def _refuse(amounts: Mapping[UUID, Decimal]) -> NoReturn:
    """Say of each invoice why it cannot be settled by its amount."""
    invoices = Invoice.objects.in_bulk(list(amounts))
    if len(invoices) < len(amounts):
        raise NotFound("One of the invoices does not exist.", "allocations")
    found = (_problem(invoices[invoice_id], amount) for invoice_id, amount in amounts.items())
    raise Refusal.of([problem for problem in found if problem is not None])


def _problem(invoice: Invoice, amount: Decimal) -> Problem | None:
    field = str(invoice.pk)
    if invoice.status != InvoiceStatus.ISSUED or invoice.kind != DocumentKind.INVOICE:
        return Problem(field, "not_open", f"{invoice.number or 'A draft'} is not an open invoice.")
    if not amount:
        return Problem(field, "missing", f"Say how much of {invoice.number} is meant.")
    try:
        Money.exact(amount, invoice.currency)
    except ValueError:
        return Problem(field, "too_many_decimals", f"{amount} has more decimals than {invoice.currency} has.")
    left = invoice.open
    if amount > left:
        shown = formatted(Money.exact(left, invoice.currency), "en")
        return Problem(field, "more_than_open", f"{invoice.number} owes {shown}; more cannot be settled.")
    if -amount > invoice.settled:
        shown = formatted(Money.exact(invoice.settled, invoice.currency), "en")
        return Problem(
            field, "more_than_settled", f"{invoice.number} was settled by {shown}; no more can be taken back."
        )
    return None


def _tell(
    invoice_id: UUID,
    account_id: UUID,
    deal_id: UUID | None,
    number: str,
    currency: str,
    left: Decimal,
    *,
    amount: Decimal,
) -> None:
    kind = events.InvoiceSettled if amount > 0 else events.InvoiceReopened
    emit(
        kind(
            invoice_id=invoice_id,
            account_id=account_id,
            deal_id=deal_id,
            number=number,
            amount=Money.exact(abs(amount), currency).amount,
            open=Money.exact(left, currency).amount,
            currency=currency,
        )
    )


@command("invoicing.dispute_invoice", needs="invoicing.draft")
def dispute_invoice(*, actor: Actor, invoice_id: UUID, disputed: bool, note: str, version: int | None = None) -> None:
    """Note that the customer disputes an invoice, or no longer does. Changes nothing that it owes."""
    invoice = Invoice.objects.select_for_update().filter(id=invoice_id).first()
    if invoice is None:
        raise NotFound()
    if version is not None and version != invoice.version:
        raise Stale()
    if invoice.status != InvoiceStatus.ISSUED:
        raise Conflict("not_open", "Only an issued invoice can be disputed.")
    check(len(note) <= NOTE_MAX, "too_long", f"The note can have at most {NOTE_MAX} characters.", "note")
    if (invoice.disputed, invoice.dispute_note) == (disputed, note):
        return
    invoice.disputed, invoice.dispute_note = disputed, note
    invoice.version += 1
    invoice.save(update_fields=["disputed", "dispute_note", "version"])
    emit(
        events.InvoiceDisputed(
            invoice_id=invoice.pk,
            account_id=invoice.account_id,
            deal_id=invoice.deal_id,
            number=invoice.number,
            disputed=disputed,
            state="is disputed" if disputed else "is no longer disputed",
            note=note,
        )
    )
