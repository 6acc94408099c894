"""Making, changing, returning and discarding drafts. A draft has no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.activities.commands import open_task
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import terms_of
from counterfoil.invoicing.computing import Draft, compute, surroundings
from counterfoil.invoicing.editing import (
    OWN_VALUES,
    apply_values,
    mark_edited,
    new_draft,
    order_of,
    refresh,
    replace_lines,
)
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax
from counterfoil.invoicing.rules.orders import DraftOrder
from counterfoil.ledger.queries import default_entity_id
from counterfoil.plumbing.outbox import emit


@command("invoicing.draft_invoices", needs="invoicing.draft")
def draft_invoices(*, actor: Actor, orders: Sequence[DraftOrder], on: date, at: datetime) -> list[UUID]:
    """Make one draft per order, in a fixed number of statements.

    Every value names its source. Issues and sends nothing.
    """
    default = default_entity_id() if any(order.entity_id is None for order in orders) else None
    entities = [order.entity_id or default for order in orders]
    around = surroundings(
        (order.account_id for order in orders), (entity for entity in entities if entity is not None), on
    )
    drafts = []
    for order, entity_id in zip(orders, entities, strict=True):
        facts = around.facts.get(order.account_id)
        if facts is None or entity_id is None or entity_id not in around.entities:
            raise NotFound(field="account" if facts is None else "entity")
        draft = new_draft(order, entity_id, facts, at)
        compute(draft, around, facts.terms.value)
        drafts.append(draft)
    _insert(drafts)
    for draft in drafts:
        invoice = draft.invoice
        emit(
            events.DraftMade(
                invoice_id=invoice.pk,
                account_id=invoice.account_id,
                deal_id=invoice.deal_id,
                total=invoice.total,
                currency=invoice.currency,
            )
        )
    return [draft.invoice.pk for draft in drafts]


def _insert(drafts: Sequence[Draft]) -> None:
    Invoice.objects.bulk_create([draft.invoice for draft in drafts], batch_size=500)
    InvoiceLine.objects.bulk_create([line for draft in drafts for line in draft.lines], batch_size=1000)
    InvoiceTax.objects.bulk_create([tax for draft in drafts for tax in draft.taxes], batch_size=1000)


@command("invoicing.add_draft", needs="invoicing.draft", takes={"values": Takes("invoicing.invoice")})
def add_draft(*, actor: Actor, values: Mapping[str, Any], on: date, at: datetime) -> UUID:
    """Make a draft by hand. What ``values`` does not say comes from the account."""
    (invoice_id,) = draft_invoices(actor=actor, orders=[order_of(values)], on=on, at=at)
    rest = {name: values[name] for name in OWN_VALUES if values.get(name)}
    if rest:
        change_draft(actor=actor, invoice_id=invoice_id, values=rest, version=None, on=on)
    return invoice_id


@command("invoicing.change_draft", needs="invoicing.draft", takes={"values": Takes("invoicing.invoice", partial=True)})
def change_draft(*, actor: Actor, invoice_id: UUID, values: Mapping[str, Any], version: int | None, on: date) -> None:
    """Change what ``values`` names;

    lines are replaced as a whole. The rest is worked out anew from the account as it is now.

    Each changed field says from then on that a person edited it, and counts as a touch when the draft comes from a
    deal.
    """
    draft = load_draft(invoice_id, version)
    invoice = draft.invoice
    if values.get("account") not in (None, invoice.account_id):
        raise Refusal("fixed", "A draft stays with its customer. Discard it and make another one.", "account")
    changed = apply_values(draft, values)
    if "lines" in values:
        changed += replace_lines(draft, values["lines"])
    if not changed:
        return
    mark_edited(invoice, changed, values, actor.name)
    around = surroundings([invoice.account_id], [invoice.entity_id], on)
    refresh(draft, around)
    compute(draft, around, terms_of(invoice))
    invoice.version += 1
    save_draft(draft)
    emit(events.DraftChanged(invoice_id=invoice.pk, account_id=invoice.account_id, fields=tuple(sorted(changed))))


@command("invoicing.return_drafts", needs="invoicing.draft")
def return_drafts(*, actor: Actor, invoice_ids: Sequence[UUID], reason: str, at: datetime) -> None:
    """Give drafts back to sales with a reason.

    Each opens a task for the deal's owner; the deal can be handed over again.
    """
    reason = reason.strip()
    if not reason:
        raise Refusal("missing", "Say what sales should change.", "reason")
    if len(reason) > 500:
        raise Refusal("too_long", "The reason can have at most 500 characters.", "reason")
    for draft in load_drafts(invoice_ids):
        invoice = draft.invoice
        if invoice.deal_id is None:
            text = "This draft was made by hand, so there is no deal to return it to. Edit or discard it."
            raise Conflict("not_from_a_deal", text, str(invoice.pk))
        invoice.status, invoice.returned_reason, invoice.returned_at = InvoiceStatus.RETURNED, reason, at
        invoice.version += 1
        invoice.save()
        open_task(
            actor=actor,
            kind="returned_draft",
            title=f"Draft returned: {invoice.deal_title or 'invoice'}"[:300],
            detail=reason,
            assignee_id=invoice.sales_owner_id,
            record_key="deals.deal",
            record_id=invoice.deal_id,
            record_title=invoice.deal_title,
            account_id=invoice.account_id,
            amount=invoice.total,
            currency=invoice.currency,
            cause=f"returned:{invoice.pk}",
        )
        emit(
            events.DraftReturned(
                invoice_id=invoice.pk, account_id=invoice.account_id, deal_id=invoice.deal_id, reason=reason
            )
        )


@command("invoicing.discard_draft", needs="invoicing.draft")
def discard_draft(*, actor: Actor, invoice_id: UUID, version: int | None) -> None:
    """Remove a draft that was made by hand.

    One that comes from a deal is returned to sales instead, so nothing is lost.
    """
    draft = load_draft(invoice_id, version)
    invoice = draft.invoice
    if invoice.deal_id is not None:
        raise Conflict("from_a_deal", "This draft comes from a won deal. Return it to sales instead.")
    emit(events.DraftDiscarded(invoice_id=invoice.pk, account_id=invoice.account_id, deal_id=None))
    invoice.delete()


def load_draft(invoice_id: UUID, version: int | None) -> Draft:
    """The draft, locked; refused when it was changed since ``version`` or is no draft any more."""
    draft = load_drafts([invoice_id])[0]
    if version is not None and draft.invoice.version != version:
        raise Stale()
    return draft


def load_drafts(invoice_ids: Sequence[UUID]) -> list[Draft]:
    """Drafts, locked in the order of their ids so that two sets never wait for each other, in the order asked for."""
    wanted = list(dict.fromkeys(invoice_ids))
    found = {
        invoice.pk: invoice for invoice in Invoice.objects.select_for_update().filter(id__in=wanted).order_by("id")
    }
    for invoice_id in wanted:
        invoice = found.get(invoice_id)
        if invoice is None:
            raise NotFound()
        if invoice.status != InvoiceStatus.DRAFT:
            state = InvoiceStatus(invoice.status).label.lower()
            raise Conflict("not_a_draft", f"{invoice.number or 'This draft'} is {state} already.", str(invoice_id))
    lines: dict[UUID, list[InvoiceLine]] = {}
    for line in InvoiceLine.objects.filter(invoice__in=wanted).order_by("position"):
        lines.setdefault(line.invoice_id, []).append(line)
    return [Draft(found[invoice_id], lines.get(invoice_id, []), []) for invoice_id in wanted]


def save_draft(draft: Draft) -> None:
    """Write the draft with its lines and taxes anew."""
    invoice = draft.invoice
    invoice.save()
    keep = [line.pk for line in draft.lines]
    InvoiceLine.objects.filter(invoice=invoice).exclude(id__in=keep).delete()
    InvoiceLine.objects.bulk_create(
        draft.lines,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["position", "net", "tax", "tax_label", "tax_percent", "tax_category", "sources"],
    )
    InvoiceTax.objects.filter(invoice=invoice).delete()
    InvoiceTax.objects.bulk_create(draft.taxes)
