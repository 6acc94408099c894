"""Issued documents of another system, taken over with their own numbers, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import party_block, seller_block
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax, Origin
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.ledger.commands import post
from counterfoil.ledger.models import LegalEntity
from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder
from counterfoil.plumbing.outbox import emit, frame

AS_TAKEN_OVER = "As taken over"


@command("invoicing.take_over_invoices", needs="importing.run")
def take_over_invoices(*, actor: Actor, orders: Sequence[TakeOver], on: date, at: datetime) -> list[UUID]:
    """Record issued documents of another system: no number is taken, no tax worked out, nothing printed or sent.

    The receivable is posted against opening balances on the document's own day. Six statements, however many documents.
    """
    facts = billing_facts(sorted({order.account_id for order in orders}), on)
    entities = LegalEntity.objects.in_bulk({order.entity_id for order in orders})
    current = frame.get()
    assert current is not None
    invoices = []
    for order in orders:
        fact = facts[order.account_id]
        invoices.append(
            Invoice(
                id=new_id(),
                created_at=at,
                status=InvoiceStatus.ISSUED,
                origin=Origin.IMPORTED,
                entity_id=order.entity_id,
                account_id=order.account_id,
                invoiced_account_id=order.account_id,
                payer_id=order.account_id,
                send_to_id=order.account_id,
                language=fact.language.value or "en",
                currency=order.currency,
                delivery_channel="email",
                tax_profile="standard",
                net=order.total - order.tax,
                tax=order.tax,
                total=order.total,
                number=order.number,
                year=order.issued_on.year,
                issued_on=order.issued_on,
                due_on=order.due_on,
                issued_at=at,
                issued_by_name=actor.name,
                command_run=current.run,
                party=party_block(fact.party),
                seller=seller_block(entities[order.entity_id]),
                disputed=order.disputed,
            )
        )
    _insert(invoices, orders)
    post(actor=actor, entries=[_entry(invoice) for invoice in invoices], at=at)
    for invoice, order in zip(invoices, orders, strict=True):
        emit(
            events.InvoiceTakenOver(
                invoice_id=invoice.pk,
                account_id=invoice.account_id,
                number=invoice.number,
                total=invoice.total,
                currency=invoice.currency,
                due_on=order.due_on,
            )
        )
    return [invoice.pk for invoice in invoices]


def _insert(invoices: Sequence[Invoice], orders: Sequence[TakeOver]) -> None:
    """Lines go first: those of a document that is there and issued could not be added any more."""
    InvoiceLine.objects.bulk_create(
        (
            InvoiceLine(
                invoice=invoice,
                position=1,
                description=order.description or AS_TAKEN_OVER,
                quantity=Decimal(1),
                unit_price=invoice.net,
                tax_label=AS_TAKEN_OVER,
                tax_category="O",
                net=invoice.net,
            )
            for invoice, order in zip(invoices, orders, strict=True)
        ),
        batch_size=1000,
    )
    InvoiceTax.objects.bulk_create(
        (
            InvoiceTax(
                invoice=invoice, category="O", percent=0, label=AS_TAKEN_OVER, base=invoice.net, amount=invoice.tax
            )
            for invoice in invoices
        ),
        batch_size=1000,
    )
    try:
        Invoice.objects.bulk_create(invoices, batch_size=500)
    except IntegrityError as error:
        if "number_once" in str(error):
            raise Conflict("number_taken", "One of these numbers is here already.", "number") from None
        raise


def _entry(invoice: Invoice, *, back: bool = False, on: date | None = None) -> EntryOrder:
    sign = -1 if back else 1
    posted_on = on or invoice.issued_on
    assert posted_on is not None
    return EntryOrder(
        entity_id=invoice.entity_id,
        source=f"{'void' if back else 'invoice'}:{invoice.pk}",
        document_id=invoice.pk,
        memo=f"{invoice.number} {'taken back' if back else 'taken over'}",
        posted_on=posted_on,
        postings=(
            PostingOrder("receivable", sign * invoice.total, invoice.currency, invoice.payer_id),
            PostingOrder("opening", -sign * invoice.total, invoice.currency),
        ),
    )


@command("invoicing.void_taken_over", needs="importing.run")
def void_taken_over(*, actor: Actor, invoice_ids: Sequence[UUID], reason: str, on: date) -> None:
    """Void documents that were taken over by mistake, with counter-entries. Their numbers are free again.

    Refused for our own documents, which are corrected by credit notes, and for those on which money still stands.
    """
    invoices = list(Invoice.objects.select_for_update().filter(id__in=list(invoice_ids)).order_by("id"))
    problems = []
    for invoice in invoices:
        if invoice.origin != Origin.IMPORTED:
            problems.append(Problem(str(invoice.pk), "our_own", f"{invoice.number} was issued here."))
        elif invoice.status != InvoiceStatus.ISSUED:
            problems.append(Problem(str(invoice.pk), "not_open", f"{invoice.number} is void already."))
        elif invoice.settled:
            problems.append(Problem(str(invoice.pk), "settled", f"Money stands on {invoice.number}; undo it first."))
    if problems:
        raise Refusal.of(problems)
    post(actor=actor, entries=[_entry(invoice, back=True, on=on) for invoice in invoices])
    for invoice in invoices:
        invoice.status, invoice.void_reason = InvoiceStatus.VOID, reason[:500]
        invoice.version += 1
        emit(
            events.InvoiceVoided(
                invoice_id=invoice.pk,
                account_id=invoice.account_id,
                deal_id=None,
                number=invoice.number,
                reason=reason[:500],
            )
        )
    Invoice.objects.bulk_update(invoices, ["status", "void_reason", "version"], batch_size=500)
