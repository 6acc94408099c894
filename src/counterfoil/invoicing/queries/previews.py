"""The true document and its mail, looked at before they exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal
from counterfoil.core.money import Money
from counterfoil.documents.pdf import render_preview
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.invoicing.computing import Draft, Surroundings, compute, surroundings
from counterfoil.invoicing.drafting import apply_values, follow_account, new_draft, order_of
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.invoicing.printing import printed_document, printed_draft
from counterfoil.invoicing.queries.review import current_drafts
from counterfoil.invoicing.queries.rows import INVOICE, with_parts
from counterfoil.invoicing.rules.checks import BLOCKING
from counterfoil.invoicing.rules.orders import DraftOrder
from counterfoil.ledger.days import today_of
from counterfoil.plumbing.record_types import clean

Form = Literal["png", "svg"]
OWN_VALUES = ("terms", "language", "delivery_channel")


@dataclass(frozen=True)
class Preview:
    """The pages of a document that nobody has saved, and the sums that the server works out for it."""

    pages: list[bytes]
    net: Money
    tax: Money
    total: Money


def order_total(order: DraftOrder, on: date, at: datetime, facts: Mapping[UUID, BillingFacts]) -> Money:
    """What a document of the order would come to, with tax; below zero when its credits exceed its charges. Saves
    nothing.
    """
    credited = {line.credits_line_id for line in order.lines if line.credits_line_id}
    around = surroundings([order.account_id], on, facts, credited)
    return compute(new_draft(order, around, at, ""), around).total


def order_totals(
    orders: Sequence[DraftOrder], on: date, at: datetime, facts: Mapping[UUID, BillingFacts]
) -> list[Money | None]:
    """What a document of each order would come to, as ``order_total`` says; none where it cannot be worked out."""
    credited = {line.credits_line_id for order in orders for line in order.lines if line.credits_line_id}
    around = surroundings((order.account_id for order in orders), on, facts, credited)
    found: list[Money | None] = []
    for order in orders:
        try:
            found.append(compute(new_draft(order, around, at, ""), around).total)
        except Refusal:
            found.append(None)
    return found


def blocks_of(
    orders: Sequence[DraftOrder], on: date, at: datetime, facts: Mapping[UUID, BillingFacts]
) -> list[frozenset[str]]:
    """The codes of what would keep a document of each order from being issued, or from being worked out at all; none
    for one that would go out. Saves nothing.
    """
    credited = {line.credits_line_id for order in orders for line in order.lines if line.credits_line_id}
    around = surroundings((order.account_id for order in orders), on, facts, credited)
    found = []
    for order in orders:
        draft = new_draft(order, around, at, "")
        try:
            compute(draft, around)
        except Refusal as refusal:
            found.append(frozenset({refusal.code}))
            continue
        found.append(frozenset(check["code"] for check in draft.invoice.checks if check["level"] == BLOCKING))
    return found


def preview(actor: Actor, invoice_id: UUID, form: str = "png", on: date | None = None) -> list[bytes]:
    """The pages of the true document as pictures; of a draft, as it would be printed now."""
    invoice = _seen(actor, invoice_id)
    return render_preview(_printed(invoice, on or today_of(invoice.entity_id)), _form(form))


def preview_of_values(
    actor: Actor, invoice_id: UUID | None, values: Mapping[str, Any], at: datetime, form: str = "svg"
) -> Preview:
    """What the document would look like with these values, those of a new draft when there is no ``invoice_id``.

    Cleans and computes as the commands do, and saves nothing. Raises the refusal that saving would raise.
    """
    if not actor.may("invoicing.draft"):
        raise NotAllowed("not_allowed", "You may not make drafts.")
    on = today_of(None)
    cleaned = clean(INVOICE, values, partial=invoice_id is not None)
    if invoice_id is None:
        around = surroundings([cleaned["account"]], on)
        draft = new_draft(order_of(cleaned, around, actor.name), around, at, actor.name)
        apply_values(draft, {name: cleaned[name] for name in OWN_VALUES if cleaned.get(name)}, around, actor.name)
    else:
        invoice = _seen(actor, invoice_id)
        if invoice.status != InvoiceStatus.DRAFT:
            raise Conflict("not_a_draft", f"{invoice.number or 'This draft'} is no draft any more.")
        around = surroundings([invoice.account_id], on)
        draft = Draft(invoice, list(with_parts([invoice])[0].lines.all()), [])
        apply_values(draft, cleaned, around, actor.name)
    follow_account(draft, around)
    totals = compute(draft, around)
    pages = render_preview(_printed_draft(draft, around), _form(form))
    return Preview(pages, totals.net, totals.tax, totals.total)


def _seen(actor: Actor, invoice_id: UUID) -> Invoice:
    invoice = Invoice.objects.select_related("terms").filter(id=invoice_id).first()
    if invoice is None or not actor.may("invoicing.see"):
        raise NotFound()
    return invoice


def _printed(invoice: Invoice, on: date) -> PrintedInvoice:
    if invoice.party is not None:
        with_parts([invoice])
        return printed_document(invoice, list(invoice.lines.all()), list(invoice.taxes.all()))
    (draft,), around = current_drafts([invoice], on)
    return _printed_draft(draft, around)


def _printed_draft(draft: Draft, around: Surroundings) -> PrintedInvoice:
    invoice = draft.invoice
    terms = around.terms.get(invoice.terms_id) if invoice.terms_id else None
    entity, facts = around.entities[invoice.entity_id], around.facts[invoice.account_id]
    return printed_draft(invoice, draft.lines, draft.taxes, facts, entity, terms, around.on)


def _form(form: str) -> Form:
    return "svg" if form == "svg" else "png"
