"""What an issued document owes becomes less or more; disputes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.money import Money, formatted
from counterfoil.invoicing import events
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceStatus
from counterfoil.plumbing.bulk import read_where, update_rows
from counterfoil.plumbing.outbox import emit

NOTE_MAX = 500
_NEEDED = (
    "kind", "status", "number", "account_id", "deal_id", "total", "settled", "credited", "currency", "version",
)  # fmt: skip


@command("invoicing.settle", needs="payments.record")
def settle(*, actor: Actor, amounts: Mapping[UUID, Decimal], on: date) -> None:
    """Reduce what invoices owe by positive amounts, or raise it again by negative ones. Posts nothing: the caller does.

    Two statements, however many invoices; they are locked in the order of their ids. More than is open, or more back
    than was settled, is refused with a problem per invoice.
    """
    invoices = read_where(Invoice, "id = ANY(%s)", list(amounts), order="id", lock=True, only=_NEEDED)
    if len(invoices) < len(amounts):
        raise NotFound("One of the invoices does not exist.", "allocations")
    problems = [problem for invoice in invoices if (problem := _problem(invoice, amounts[invoice.pk])) is not None]
    if problems:
        raise Refusal.of(problems)
    for invoice in invoices:
        invoice.settled += amounts[invoice.pk]
        invoice.version += 1
        _tell(invoice, amounts[invoice.pk])
    update_rows(invoices, ["settled", "version"])


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


def _tell(invoice: Invoice, amount: Decimal) -> None:
    kind = events.InvoiceSettled if amount > 0 else events.InvoiceReopened
    emit(
        kind(
            invoice_id=invoice.pk,
            account_id=invoice.account_id,
            deal_id=invoice.deal_id,
            number=invoice.number,
            amount=Money.exact(abs(amount), invoice.currency).amount,
            open=Money.exact(invoice.open, invoice.currency).amount,
            currency=invoice.currency,
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
