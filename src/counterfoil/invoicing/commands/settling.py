"""What an issued document owes becomes less or more; disputes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.core.money import Money, formatted
from counterfoil.invoicing import events
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.plumbing.outbox import emit


@command("invoicing.settle", needs="payments.record")
def settle(*, actor: Actor, amounts: Mapping[UUID, Decimal], on: date) -> None:
    """Reduce what invoices owe by positive amounts, or raise it again by negative ones. Posts nothing: the caller does.

    Invoices are locked in the order of their ids. More than is open, or more back than was settled, is refused.
    """
    invoices = list(Invoice.objects.select_for_update().filter(id__in=list(amounts)).order_by("id"))
    if len(invoices) < len(amounts):
        raise NotFound("One of the invoices does not exist.", "allocations")
    problems = [problem for invoice in invoices if (problem := _problem(invoice, amounts[invoice.pk])) is not None]
    if problems:
        raise Refusal.of(problems)
    for invoice in invoices:
        amount = amounts[invoice.pk]
        invoice.settled += amount
        invoice.version += 1
        facts = {
            "invoice_id": invoice.pk,
            "account_id": invoice.account_id,
            "deal_id": invoice.deal_id,
            "number": invoice.number,
            "open": Money.exact(invoice.total - invoice.settled, invoice.currency).amount,
            "currency": invoice.currency,
        }
        if amount > 0:
            emit(events.InvoiceSettled(amount=amount, **facts))
        else:
            emit(events.InvoiceReopened(amount=-amount, **facts))
    Invoice.objects.bulk_update(invoices, ["settled", "version"], batch_size=500)


def _problem(invoice: Invoice, amount: Decimal) -> Problem | None:
    field = str(invoice.pk)
    if invoice.status != InvoiceStatus.ISSUED:
        return Problem(field, "not_open", f"{invoice.number or 'A draft'} is not an open invoice.")
    left = invoice.total - invoice.settled
    if amount > left:
        shown = formatted(Money.exact(left, invoice.currency), "en")
        return Problem(field, "more_than_open", f"{invoice.number} owes {shown}; more cannot be settled.")
    if -amount > invoice.settled:
        return Problem(field, "more_than_settled", f"{invoice.number} was not settled by that much.")
    return None


@command("invoicing.dispute_invoice", needs="invoicing.draft")
def dispute_invoice(*, actor: Actor, invoice_id: UUID, disputed: bool, note: str, version: int | None = None) -> None:
    """Note that the customer disputes an invoice, or no longer does. Changes nothing that it owes."""
    invoice = Invoice.objects.select_for_update().filter(id=invoice_id).first()
    if invoice is None:
        raise NotFound()
    if invoice.status != InvoiceStatus.ISSUED:
        raise Conflict("not_open", "Only an issued invoice can be disputed.")
    if len(note) > 500:
        raise Refusal("too_long", "The note can have at most 500 characters.", "note")
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
            note=note,
        )
    )
