"""Issued documents of another system, taken over with their own numbers, and taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money, is_currency
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import party_block, seller_block
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax, Origin
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.invoicing.rules.totals import LARGEST
from counterfoil.ledger.commands import post
from counterfoil.ledger.models import LegalEntity
from counterfoil.ledger.queries import entities
from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder
from counterfoil.plumbing.bulk import insert_rows, update_rows
from counterfoil.plumbing.outbox import emit, frame

AS_TAKEN_OVER = "As taken over"
REASON_MAX = 500
NUMBER_MAX = 60


@command("invoicing.take_over_invoices", needs="importing.run")
def take_over_invoices(*, actor: Actor, orders: Sequence[TakeOver], on: date, at: datetime) -> list[UUID]:
    """Record issued documents of another system: no number is taken, no tax worked out, nothing printed or sent.

    The receivable is posted against opening balances on the document's own day. A fixed number of statements, however
    many documents; all or none: problems are named by their place in ``orders``.
    """
    facts = billing_facts(sorted({order.account_id for order in orders}), on)
    companies = entities()
    problems = [problem for place, order in enumerate(orders) for problem in _problems(place, order, facts, companies)]
    problems += _taken(orders)
    if problems:
        raise Refusal.of(problems)
    current = frame.get()
    assert current is not None
    invoices = [_invoice(order, facts, companies, actor.name, current.run, at) for order in orders]
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


def _problems(
    place: int, order: TakeOver, facts: Mapping[UUID, BillingFacts], companies: Mapping[UUID, LegalEntity]
) -> list[Problem]:
    """What is wrong with one document, except that its number may be taken."""
    if not is_currency(order.currency):
        return [Problem(f"{place}.currency", "unknown_currency", f"“{order.currency[:20]}” is not a currency code.")]
    found = []
    if order.account_id not in facts:
        found.append(Problem(f"{place}.account", "no_such_record", "There is no such account."))
    if order.entity_id not in companies:
        found.append(Problem(f"{place}.entity", "no_such_record", "There is no such company."))
    if not 0 < len(order.number) <= NUMBER_MAX:
        found.append(Problem(f"{place}.number", "missing", f"The number has 1 to {NUMBER_MAX} characters."))
    if order.due_on < order.issued_on:
        found.append(Problem(f"{place}.due_on", "runs_backward", f"{order.number} is due before it is issued."))
    for name, amount in (("total", order.total), ("tax", order.tax)):
        try:
            Money.exact(amount, order.currency)
        except ValueError:
            text = f"{amount} is not an amount in {order.currency}."
            found.append(Problem(f"{place}.{name}", "not_an_amount", text))
    if not 0 < order.total < LARGEST:
        found.append(Problem(f"{place}.total", "out_of_range", f"The total of {order.number} must be above zero."))
    if not 0 <= order.tax <= order.total:
        found.append(Problem(f"{place}.tax", "out_of_range", f"The tax of {order.number} must lie within its total."))
    return found


def _taken(orders: Sequence[TakeOver]) -> list[Problem]:
    """Numbers that a document of the same company bears already, here or twice among these. One statement."""
    numbers = {order.number for order in orders}
    live = Invoice.objects.filter(kind="invoice", number__in=numbers).exclude(Q(origin="imported", status="void"))
    there = set(live.values_list("entity_id", "number"))
    asked = Counter((order.entity_id, order.number) for order in orders)
    return [
        Problem(f"{place}.number", "number_taken", f"There is a document {order.number} already.")
        for place, order in enumerate(orders)
        if (order.entity_id, order.number) in there or asked[order.entity_id, order.number] > 1
    ]


def _invoice(
    order: TakeOver,
    facts: Mapping[UUID, BillingFacts],
    companies: Mapping[UUID, LegalEntity],
    by: str,
    run: UUID,
    at: datetime,
) -> Invoice:
    fact = facts[order.account_id]
    total, tax = Money.exact(order.total, order.currency).amount, Money.exact(order.tax, order.currency).amount
    return Invoice(
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
        delivery_channel=fact.delivery_channel.value or "email",
        tax_profile=fact.tax_profile.value,
        net=total - tax,
        tax=tax,
        total=total,
        number=order.number,
        year=order.issued_on.year,
        issued_on=order.issued_on,
        due_on=order.due_on,
        issued_at=at,
        issued_by_name=by,
        command_run=run,
        party=party_block(fact.party),
        seller=seller_block(companies[order.entity_id]),
        disputed=order.disputed,
    )


def _insert(invoices: Sequence[Invoice], orders: Sequence[TakeOver]) -> None:
    """Lines and taxes go first: those of a document that is there and issued could not be added any more."""
    insert_rows(
        (
            InvoiceLine(
                created_at=invoice.created_at,
                invoice=invoice,
                position=1,
                description=(order.description or AS_TAKEN_OVER)[:300],
                quantity=Decimal(1),
                unit_price=invoice.net,
                tax_label=AS_TAKEN_OVER,
                tax_category=_category(invoice),
                tax_percent=_percent(invoice),
                net=invoice.net,
            )
            for invoice, order in zip(invoices, orders, strict=True)
        )
    )
    insert_rows(
        InvoiceTax(
            created_at=invoice.created_at,
            invoice=invoice,
            category=_category(invoice),
            percent=_percent(invoice),
            label=AS_TAKEN_OVER,
            base=invoice.net,
            amount=invoice.tax,
            reason="" if invoice.tax else "Tax as stated by the system that issued it",
        )
        for invoice in invoices
    )
    try:
        with transaction.atomic():
            insert_rows(invoices)
    except IntegrityError as error:
        if "number_once" in str(error):
            raise Conflict("number_taken", "Somebody took over one of these numbers just now.", "number") from None
        raise


def _category(invoice: Invoice) -> str:
    return "S" if invoice.tax else "O"


def _percent(invoice: Invoice) -> Decimal:
    """The rate that the amounts come to, for reading; nothing is worked out from it."""
    if not invoice.tax or not invoice.net:
        return Decimal(0)
    return min((invoice.tax * 100 / invoice.net).quantize(Decimal("0.01")), Decimal("999.99"))


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
    wanted = set(invoice_ids)
    invoices = list(Invoice.objects.select_for_update().filter(id__in=wanted).order_by("id"))
    if len(invoices) < len(wanted):
        raise NotFound()
    problems = [problem for invoice in invoices if (problem := _not_voidable(invoice)) is not None]
    if problems:
        raise Conflict(problems[0].code, problems[0].message, problems[0].field, problems)
    post(actor=actor, entries=[_entry(invoice, back=True, on=on) for invoice in invoices])
    for invoice in invoices:
        invoice.status, invoice.void_reason = InvoiceStatus.VOID, reason[:REASON_MAX]
        invoice.version += 1
        emit(
            events.InvoiceVoided(
                invoice_id=invoice.pk,
                account_id=invoice.account_id,
                deal_id=None,
                number=invoice.number,
                reason=reason[:REASON_MAX],
            )
        )
    update_rows(invoices, ["status", "void_reason", "version"])


def _not_voidable(invoice: Invoice) -> Problem | None:
    field = str(invoice.pk)
    if invoice.origin != Origin.IMPORTED:
        return Problem(
            field, "our_own", f"{invoice.number or 'This draft'} was made here and is not taken back this way."
        )
    if invoice.status != InvoiceStatus.ISSUED:
        return Problem(field, "not_open", f"{invoice.number} is void already.")
    if invoice.credited:
        return Problem(field, "credited", f"{invoice.number} was credited already; it cannot be voided any more.")
    if invoice.settled:
        return Problem(field, "settled", f"Money stands on {invoice.number}; undo it first.")
    return None
