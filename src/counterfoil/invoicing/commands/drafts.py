"""Making, changing, returning and discarding drafts. A draft has no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.activities.commands import open_task
from counterfoil.catalog.models import Product
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import terms_of
from counterfoil.invoicing.computing import Draft, Surroundings, as_source, compute, effective_discount, surroundings
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.ledger.queries import default_entity_id
from counterfoil.plumbing.outbox import emit

_LINKS = ("entity", "account", "terms")
_FROM_ACCOUNT = ("currency", "language", "delivery_channel", "terms", "tax_profile", "po_number")


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
        draft = _new_draft(order, entity_id, facts, at)
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


def _new_draft(order: DraftOrder, entity_id: UUID, facts: BillingFacts, at: datetime) -> Draft:
    from_deal = order.deal_id is not None
    given = (
        Sourced("", "deal", f"Deal {order.deal_title}", order.deal_id) if from_deal else Sourced("", "own", "Entered")
    )
    currency = facts.currency if order.currency is None else given
    terms = facts.terms.value
    invoice = Invoice(
        id=new_id(),
        created_at=at,
        origin=order.origin,
        entity_id=entity_id,
        account_id=order.account_id,
        invoiced_account_id=facts.invoiced_account.value,
        payer_id=facts.payer.value,
        send_to_id=facts.send_to.value,
        sales_owner_id=order.sales_owner_id,
        deal_id=order.deal_id,
        deal_title=order.deal_title,
        quote_version=order.quote_version,
        language=facts.language.value or "en",
        currency=order.currency or facts.currency.value,
        terms_id=terms.id if terms else None,
        delivery_channel=facts.delivery_channel.value or "email",
        po_number=order.po_number,
        tax_profile=facts.tax_profile.value,
        tax_exemption_reason=facts.tax_exemption_reason,
        service_from=order.service_from,
        service_to=order.service_to,
        notes=order.notes,
        internal_notes=order.internal_notes,
        deal_discount_percent=effective_discount(order.lines) if from_deal else None,
        waiting_since=at,
        sources={
            "account": as_source(given),
            "entity": as_source(given if order.entity_id else Sourced("", "default", "Main company", entity_id)),
            "invoiced_account": as_source(facts.invoiced_account),
            "party": as_source(
                Sourced("", "own", f"{facts.party.legal_name} · name, address, tax id", facts.party.account_id)
            ),
            "payer": as_source(facts.payer),
            "send_to": as_source(facts.send_to),
            "recipients": as_source(facts.recipients_source),
            "language": as_source(facts.language),
            "currency": as_source(currency),
            "terms": as_source(facts.terms),
            "delivery_channel": as_source(facts.delivery_channel),
            "tax_profile": as_source(facts.tax_profile),
            "po_number": as_source(given),
            "lines": as_source(given),
            "notes": as_source(given),
        },
    )
    lines = [_new_line(invoice, position, line, given) for position, line in enumerate(order.lines, 1)]
    return Draft(invoice, lines, [])


def _new_line(invoice: Invoice, position: int, line: OrderLine, given: Sourced[str]) -> InvoiceLine:
    return InvoiceLine(
        id=new_id(),
        created_at=invoice.created_at,
        invoice=invoice,
        position=position,
        product_id=line.product_id,
        description=line.description,
        detail=line.detail,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        tax_class=line.tax_class,
        service_from=invoice.service_from,
        service_to=invoice.service_to,
        deal_line_id=line.deal_line_id,
        sources={"line": as_source(line.source or given)},
    )


@command("invoicing.add_draft", needs="invoicing.draft", takes={"values": Takes("invoicing.invoice")})
def add_draft(*, actor: Actor, values: Mapping[str, Any], on: date, at: datetime) -> UUID:
    """Make a draft by hand. What ``values`` does not say comes from the account."""
    lines = _order_lines(values.get("lines") or ())
    order = DraftOrder(
        account_id=values["account"],
        lines=tuple(lines),
        entity_id=values.get("entity"),
        currency=values.get("currency") or None,
        po_number=values.get("po_number") or "",
        notes=values.get("notes") or "",
        internal_notes=values.get("internal_notes") or "",
        service_from=values.get("service_from"),
        service_to=values.get("service_to"),
    )
    (invoice_id,) = draft_invoices(actor=actor, orders=[order], on=on, at=at)
    rest = {name: values[name] for name in ("terms", "language", "delivery_channel") if values.get(name)}
    if rest:
        change_draft(actor=actor, invoice_id=invoice_id, values=rest, version=None, on=on)
    return invoice_id


def _order_lines(rows: Sequence[Mapping[str, Any]]) -> list[OrderLine]:
    """Lines as entered, filled up from the catalog. A line needs a product or a description, a quantity and a price."""
    products = Product.objects.in_bulk([row["product"] for row in rows if row.get("product")])
    lines = []
    for place, row in enumerate(rows):
        product = products.get(row.get("product"))  # type: ignore[arg-type]
        price = row.get("unit_price")
        if price is None:
            price = product.unit_price if product else None
        description = row.get("description") or (product.name if product else "")
        if not description:
            raise Refusal("missing", "A line needs a product or a description.", f"lines.{place}.description")
        if price is None:
            raise Refusal("missing", "A line needs a price.", f"lines.{place}.unit_price")
        quantity = row.get("quantity")
        if quantity is None:
            quantity = Decimal(1)
        if quantity <= 0:
            raise Refusal("too_small", "The quantity must be above zero.", f"lines.{place}.quantity")
        lines.append(
            OrderLine(
                description=description,
                detail=row.get("detail") or "",
                quantity=quantity,
                unit=row.get("unit") or (product.unit if product else ""),
                unit_price=price,
                discount_percent=row.get("discount_percent") or Decimal(0),
                product_id=product.pk if product else None,
                tax_class=row.get("tax_class") or (product.tax_class if product else "standard"),
                list_price=product.unit_price if product else None,
            )
        )
    return lines


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
    changed = _apply(draft, values)
    if "lines" in values:
        changed += _replace_lines(draft, values["lines"])
    if not changed:
        return
    edited = {"kind": "edited", "label": f"Edited by {actor.name}", "record": None}
    invoice.sources = {**invoice.sources, **dict.fromkeys(changed, edited)}
    invoice.touched = sorted({*invoice.touched, *changed})
    around = surroundings([invoice.account_id], [invoice.entity_id], on)
    refresh(draft, around)
    compute(draft, around, terms_of(invoice))
    invoice.version += 1
    save_draft(draft)
    emit(events.DraftChanged(invoice_id=invoice.pk, account_id=invoice.account_id, fields=tuple(sorted(changed))))


def _apply(draft: Draft, values: Mapping[str, Any]) -> list[str]:
    changed = []
    for name, value in values.items():
        if name in ("lines", "account"):
            continue
        attribute = f"{name}_id" if name in _LINKS else name
        if getattr(draft.invoice, attribute) != value:
            setattr(draft.invoice, attribute, value)
            changed.append(name)
    invoice = draft.invoice
    if invoice.service_from and invoice.service_to and invoice.service_to < invoice.service_from:
        raise Refusal("runs_backward", "The service ends before it begins.", "service_to")
    return changed


def _replace_lines(draft: Draft, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """New lines from what was entered; a line that is as it was keeps its source."""
    before = {line.position: line for line in draft.lines}
    edited = Sourced("", "edited", "Edited")
    fresh = [_new_line(draft.invoice, place, line, edited) for place, line in enumerate(_order_lines(rows), 1)]
    changed = len(fresh) != len(draft.lines)
    for line in fresh:
        old = before.get(line.position)
        if old is not None and _same(old, line):
            line.sources, line.deal_line_id = old.sources, old.deal_line_id
        else:
            changed = True
    draft.lines = fresh
    return ["lines"] if changed else []


def _same(left: InvoiceLine, right: InvoiceLine) -> bool:
    names = ("product_id", "description", "detail", "quantity", "unit", "unit_price", "discount_percent", "tax_class")
    return all(getattr(left, name) == getattr(right, name) for name in names)


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
        invoice.status, invoice.returned_reason, invoice.returned_at = InvoiceStatus.RETURNED, reason, at
        invoice.version += 1
        invoice.save()
        open_task(
            actor=actor,
            kind="returned_draft",
            title=f"Draft returned: {invoice.deal_title or 'invoice'}"[:300],
            detail=reason,
            assignee_id=invoice.sales_owner_id,
            record_key="deals.deal" if invoice.deal_id else "invoicing.invoice",
            record_id=invoice.deal_id or invoice.pk,
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


def refresh(draft: Draft, around: Surroundings) -> None:
    """Take over what the account says now, except what a person edited on the draft."""
    invoice = draft.invoice
    facts = around.facts[invoice.account_id]
    sources = dict(invoice.sources)
    invoice.invoiced_account_id = facts.invoiced_account.value
    invoice.payer_id = facts.payer.value
    invoice.send_to_id = facts.send_to.value
    invoice.tax_profile = facts.tax_profile.value
    invoice.tax_exemption_reason = facts.tax_exemption_reason
    terms = facts.terms.value
    fresh: dict[str, tuple[str, Any, Sourced[Any]]] = {
        "terms": ("terms_id", terms.id if terms else None, facts.terms),
        "language": ("language", facts.language.value or "en", facts.language),
        "delivery_channel": ("delivery_channel", facts.delivery_channel.value or "email", facts.delivery_channel),
    }
    for name, (attribute, value, source) in fresh.items():
        if sources.get(name, {}).get("kind") != "edited":
            setattr(invoice, attribute, value)
            sources[name] = as_source(source)
    for name, source in (
        ("invoiced_account", facts.invoiced_account), ("payer", facts.payer), ("send_to", facts.send_to),
        ("recipients", facts.recipients_source), ("tax_profile", facts.tax_profile),
    ):  # fmt: skip
        sources[name] = as_source(source)
    invoice.sources = sources


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
