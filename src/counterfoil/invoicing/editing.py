"""A draft made and changed in memory: the same for saving it and for looking at it before it is saved.

Reads the catalog; saves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.catalog.models import Product
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import new_id
from counterfoil.invoicing.computing import Draft, Surroundings, as_source, effective_discount
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine

_LINKS = ("entity", "account", "terms")
OWN_VALUES = ("terms", "language", "delivery_channel")
"""What a draft takes from its account unless a person says otherwise."""
_NEVER_EMPTY = ("entity", "currency")


def new_draft(order: DraftOrder, entity_id: UUID, facts: BillingFacts, at: datetime) -> Draft:
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


def apply_values(draft: Draft, values: Mapping[str, Any]) -> list[str]:
    """Take over what ``values`` names, lines aside. What is emptied goes back to what the account says.

    Returns the fields that changed.
    """
    invoice = draft.invoice
    changed = []
    for name, value in values.items():
        if name in ("lines", "account"):
            continue
        if name in _NEVER_EMPTY and not value:
            raise Refusal("missing", "A draft needs this.", name)
        if name in OWN_VALUES and not value:
            if invoice.sources.get(name, {}).get("kind") == "edited":
                invoice.sources = {key: source for key, source in invoice.sources.items() if key != name}
                changed.append(name)
            continue
        attribute = f"{name}_id" if name in _LINKS else name
        if getattr(invoice, attribute) != value:
            setattr(invoice, attribute, value)
            changed.append(name)
    if invoice.service_from and invoice.service_to and invoice.service_to < invoice.service_from:
        raise Refusal("runs_backward", "The service ends before it begins.", "service_to")
    return changed


def mark_edited(invoice: Invoice, changed: Sequence[str], values: Mapping[str, Any], by: str) -> None:
    """Say of each changed field that a person edited it; one that was emptied takes the account's value again."""
    edited = {"kind": "edited", "label": f"Edited by {by}", "record": None}
    kept = [name for name in changed if name not in OWN_VALUES or values.get(name)]
    invoice.sources = {**invoice.sources, **dict.fromkeys(kept, edited)}
    invoice.touched = sorted({*invoice.touched, *kept} - (set(changed) - set(kept)))


def replace_lines(draft: Draft, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """New lines from what was entered; a line that is as it was keeps its source."""
    before = {line.position: line for line in draft.lines}
    edited = Sourced("", "edited", "Edited")
    fresh = [_new_line(draft.invoice, place, line, edited) for place, line in enumerate(_order_lines(rows), 1)]
    changed = len(fresh) != len(draft.lines)
    for line in fresh:
        old = before.get(line.position)
        if old is not None and _same(old, line):
            line.sources, line.deal_line_id = old.sources, old.deal_line_id
            line.service_from, line.service_to = old.service_from, old.service_to
        else:
            changed = True
    if not changed:
        return []
    draft.lines = fresh
    return ["lines"]


def _same(left: InvoiceLine, right: InvoiceLine) -> bool:
    names = ("product_id", "description", "detail", "quantity", "unit", "unit_price", "discount_percent", "tax_class")
    return all(getattr(left, name) == getattr(right, name) for name in names)


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


def order_of(values: Mapping[str, Any]) -> DraftOrder:
    """What a person entered for a new draft."""
    return DraftOrder(
        account_id=values["account"],
        lines=tuple(_order_lines(values.get("lines") or ())),
        entity_id=values.get("entity"),
        currency=values.get("currency") or None,
        po_number=values.get("po_number") or "",
        notes=values.get("notes") or "",
        internal_notes=values.get("internal_notes") or "",
        service_from=values.get("service_from"),
        service_to=values.get("service_to"),
    )
