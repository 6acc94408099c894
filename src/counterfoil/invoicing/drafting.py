"""What a draft holds: made from an order, changed by what was typed, kept current with its account.

Works on drafts in memory and reads the catalog; saves nothing. The commands and the preview of unsaved values share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.catalog.models import Product
from counterfoil.core.errors import NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.core.references import reference_pairs
from counterfoil.invoicing.borne import TAX_COLUMNS, bear
from counterfoil.invoicing.computing import Draft, Surroundings
from counterfoil.invoicing.models import Invoice, InvoiceLine, LineKind, Origin
from counterfoil.invoicing.references import changed_values
from counterfoil.invoicing.rules.discounts import Discount
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.invoicing.rules.references import FIELD
from counterfoil.invoicing.rules.sources import FOLLOWS_ACCOUNT, Source, as_source, edited_by, follows
from counterfoil.invoicing.rules.totals import effective_discount
from counterfoil.ledger.queries import default_of
from counterfoil.plumbing.bulk import new_row

_LINKS = ("entity", "terms")
_ACCOUNT_SAYS = (*FOLLOWS_ACCOUNT, "currency", "entity")
"""Fields that, emptied, hold again what the account or the company says."""

_LINE_COLUMNS = (
    "product_id", "description", "detail", "quantity", "unit", "unit_price", "discount_percent", "tax_class",
    "service_from", "service_to",
)  # fmt: skip
_FACTORS = ("quantity", "unit_price", "discount_percent")
_BORN_WITH = ("kind", "subscription_id", "subscription_item_id")
_GIVEN = ("is_net_given", "net", "before_discount", "share", "why")
_CREDITED = ("credits_line_id", *TAX_COLUMNS)
WHY_MAX, SHARE_MAX = 300, 60
_KINDS = frozenset(LineKind.values)
_NOTHING_GIVEN = as_source(Sourced("", "none", "Nothing given"))


# Making ---------------------------------------------------------------------------------------------------------------


def new_draft(order: DraftOrder, around: Surroundings, at: datetime, by: str) -> Draft:
    """The draft of an order; what the order leaves out comes from the account's facts. ``by`` is who asks for it."""
    facts = around.facts.get(order.account_id)
    if facts is None:
        raise NotFound("This account does not exist.", "account")
    entity_id = order.entity_id or default_of(list(around.entities.values()))
    if entity_id not in around.entities:
        raise NotFound("This company does not exist.", "entity")
    from_deal = order.deal_id is not None
    given = as_source(_given(order, by))
    terms = facts.terms.value
    invoice = new_row(
        Invoice,
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
        terms_id=order.terms_id or (terms.id if terms else None),
        delivery_channel=facts.delivery_channel.value or "email",
        po_number=order.po_number,
        references=order.references,
        reference_values=dict(order.reference_values),
        tax_profile=facts.tax_profile.value,
        tax_exemption_reason=facts.tax_exemption_reason,
        service_from=order.service_from,
        service_to=order.service_to,
        notes=order.notes,
        internal_notes=order.internal_notes,
        deal_discount_percent=_discount_of(order.lines) if from_deal else None,
        discounts=[_kept(discount) for discount in order.discounts],
        waiting_since=at,
    )
    invoice.sources = {
        "account": given,
        "entity": given if order.entity_id else as_source(_default_entity(around, entity_id)),
        "currency": given if order.currency else as_source(facts.currency),
        **_of_account(facts),
        **({"terms": given} if order.terms_id else {}),
        **{
            name: given if value else _NOTHING_GIVEN
            for name, value in (
                ("po_number", order.po_number),
                ("references", order.references),
                ("reference_values", order.reference_values),
                ("service", order.service_from or order.service_to),
                ("notes", order.notes),
                ("lines", order.lines),
            )
        },
    }
    lines = [_new_line(invoice, place, line, given) for place, line in enumerate(order.lines, 1)]
    _check_given(invoice, order.lines, order.discounts)
    _bear_credited_tax(invoice, lines, around)
    return Draft(invoice, lines, [])


def _given(order: DraftOrder, by: str) -> Sourced[Any]:
    """Where that comes from which the order names and the account does not."""
    if order.deal_id is not None:
        return Sourced("", "deal", f"Deal {order.deal_title}", order.deal_id)
    if order.origin == Origin.SUBSCRIPTION:
        return Sourced("", "subscription", "The subscription")
    return Sourced("", "edited", f"Entered by {by}")


def _kept(discount: Discount) -> dict[str, str]:
    """A discount as it is kept on the document."""
    figures = {"percent": discount.percent, "amount": discount.amount}
    return {name: str(figure) for name, figure in figures.items() if figure is not None}


def _check_given(invoice: Invoice, lines: Sequence[OrderLine], discounts: Sequence[Discount]) -> None:
    """Refuse a given net that is no amount of the currency, words that are too long to be kept, and a discount that is
    none.
    """
    problems = [
        Problem(f"discounts.{place}", "not_a_discount", "A discount is a percentage up to 100, or an amount.")
        for place, discount in enumerate(discounts)
        if not discount.is_possible or not _is_amount(discount.amount, invoice.currency)
    ]
    for place, line in enumerate(lines):
        if line.kind not in _KINDS:
            problems.append(Problem(f"lines.{place}.kind", "not_a_choice", f"“{line.kind}” is no kind of line."))
        if len(line.why) > WHY_MAX or len(line.share) > SHARE_MAX:
            problems.append(Problem(f"lines.{place}.why", "too_long", f"A reason has at most {WHY_MAX} characters."))
        if not _is_amount(line.net, invoice.currency):
            text = f"{line.net} is not an amount in {invoice.currency}."
            problems.append(Problem(f"lines.{place}.net", "not_an_amount", text))
    if problems:
        raise Refusal.of(problems)


def _is_amount(value: Decimal | None, currency: str) -> bool:
    """Whether it can be an amount of the currency; nothing can."""
    if value is None:
        return True
    try:
        Money.exact(value, currency)
    except ValueError:
        return False
    return True


def _bear_credited_tax(invoice: Invoice, lines: Sequence[InvoiceLine], around: Surroundings) -> None:
    """Put the frozen taxes of the issued line that each line takes back on it.

    Refused where that is no issued line of the same payer, company and currency.
    """
    problems = []
    for place, line in enumerate(lines):
        if line.credits_line_id is None:
            continue
        credited = around.credited.get(line.credits_line_id)
        same = (invoice.payer_id, invoice.entity_id, invoice.currency)
        if credited is None or (credited.payer_id, credited.entity_id, credited.currency) != same:
            text = "This takes back no issued line of the same payer, company and currency."
            problems.append(Problem(f"lines.{place}.credits_line", "no_such_line", text))
            continue
        line.tax_class, first = credited.tax_class, credited.taxes[0]
        bear(line, credited.taxes, None)
        source = {"kind": "rule", "label": first.rule, "record": None, "reason": first.reason}
        line.sources = {**line.sources, "tax": source}
    if problems:
        raise Refusal.of(problems)


def _of_account(facts: BillingFacts) -> dict[str, Source]:
    """The sources of everything that an account says of its invoices."""
    kind = "own" if facts.party.account_id == facts.account_id else facts.invoiced_account.kind
    party = Sourced("", kind, f"{facts.party.legal_name} · name, address and tax id", facts.party.account_id)
    said: dict[str, Sourced[Any]] = {
        "invoiced_account": facts.invoiced_account,
        "party": party,
        "payer": facts.payer,
        "send_to": facts.send_to,
        "recipients": facts.recipients_source,
        "language": facts.language,
        "terms": facts.terms,
        "delivery_channel": facts.delivery_channel,
        "tax_profile": facts.tax_profile,
    }
    return {name: as_source(source) for name, source in said.items()}


def _default_entity(around: Surroundings, entity_id: UUID) -> Sourced[Any]:
    return Sourced("", "default", f"{around.entities[entity_id].name} · issues what names no other", entity_id)


def _discount_of(lines: Sequence[OrderLine]) -> Decimal:
    return effective_discount((line.quantity, line.unit_price, line.discount_percent) for line in lines)


def _new_line(invoice: Invoice, position: int, line: OrderLine, given: Source) -> InvoiceLine:
    return new_row(
        InvoiceLine,
        id=line.line_id or new_id(),
        created_at=invoice.created_at,
        invoice_id=invoice.id,
        position=position,
        product_id=line.product_id,
        description=line.description,
        detail=line.detail,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        tax_class=line.tax_class,
        service_from=line.service_from,
        service_to=line.service_to,
        deal_line_id=line.deal_line_id,
        kind=line.kind,
        is_net_given=line.net is not None,
        net=line.net if line.net is not None else Decimal(0),
        share=line.share,
        why=line.why,
        subscription_id=line.subscription_id,
        subscription_item_id=line.subscription_item_id,
        credits_line_id=line.credits_line_id,
        sources={"line": as_source(line.source) if line.source else given},
    )


# What a person types --------------------------------------------------------------------------------------------------


def order_of(values: Mapping[str, Any], around: Surroundings, by: str) -> DraftOrder:
    """An order by hand from cleaned values."""
    _named((), values.get("lines") or ())
    check_service(values.get("service_from"), values.get("service_to"), "")
    facts = around.facts.get(values["account"])
    currency = values.get("currency") or (facts.currency.value if facts else "")
    return DraftOrder(
        account_id=values["account"],
        lines=tuple(order_lines(values.get("lines") or (), currency, by)),
        entity_id=values.get("entity"),
        currency=values.get("currency") or None,
        origin=Origin.MANUAL,
        po_number=values.get("po_number") or "",
        references=values.get("references") or "",
        reference_values=reference_pairs(changed_values({}, values.get(FIELD))),
        notes=values.get("notes") or "",
        internal_notes=values.get("internal_notes") or "",
        service_from=values.get("service_from"),
        service_to=values.get("service_to"),
    )


def order_lines(rows: Sequence[Mapping[str, Any]], currency: str, by: str) -> list[OrderLine]:
    """Lines as typed, filled up from the catalog in one statement.

    A line needs a product or a description, and a price: the product's own only if it is in the draft's currency.
    """
    products = Product.objects.in_bulk([row["product"] for row in rows if row.get("product")])
    problems: list[Problem] = []
    lines = []
    for place, row in enumerate(rows):
        product = products.get(row["product"]) if row.get("product") else None
        line, problem = _order_line(row, product, currency, by)
        problems += [Problem(f"lines.{place}.{problem.field}", problem.code, problem.message)] if problem else []
        lines += [line] if line else []
    if problems:
        raise Refusal.of(problems)
    return lines


def _order_line(
    row: Mapping[str, Any], product: Product | None, currency: str, by: str
) -> tuple[OrderLine | None, Problem | None]:
    own = product if product is not None and product.currency == currency else None
    price = row.get("unit_price")
    description = row.get("description") or (product.name if product else "")
    if not description:
        return None, Problem("description", "missing", "A line needs a product or a description.")
    if price is None and product is not None and own is None:
        text = f"The catalog has a price in {product.currency}. Enter one in {currency}."
        return None, Problem("unit_price", "other_currency", text)
    if price is None and own is None:
        return None, Problem("unit_price", "missing", "A line needs a price.")
    start, end = row.get("service_from"), row.get("service_to")
    if start and end and end <= start:
        return None, Problem("service_to", "runs_backward", "The service ends before it begins.")
    list_price = own.unit_price if own else None
    discount = row.get("discount_percent") or Decimal(0)
    is_catalog = product is not None and price in (None, list_price) and not discount
    source = (
        Sourced("", "catalog", f"Catalog · {product.name}", product.id)
        if is_catalog and product
        else Sourced("", "edited", f"Entered by {by}")
    )
    quantity = row.get("quantity")
    return OrderLine(
        description=description,
        detail=row.get("detail") or "",
        quantity=Decimal(1) if quantity is None else quantity,
        unit=row.get("unit") or (product.unit if product else ""),
        unit_price=price if price is not None else list_price or Decimal(0),
        discount_percent=discount,
        product_id=product.id if product else None,
        tax_class=row.get("tax_class") or (product.tax_class if product else "standard"),
        source=source,
        list_price=list_price,
        service_from=start,
        service_to=end,
    ), None


def apply_values(draft: Draft, values: Mapping[str, Any], around: Surroundings, by: str) -> list[str]:
    """Put cleaned values on the draft, and answer the ids of the fields that changed. Lines are replaced as a whole.

    An emptied field that an account or the company has a say in follows it again.
    """
    invoice = draft.invoice
    if values.get("account") not in (None, invoice.account_id):
        raise Refusal("fixed", "A draft stays with its customer. Discard it and make another one.", "account")
    changed = []
    sources = dict(invoice.sources)
    for name, value in values.items():
        if name in ("account", "lines"):
            continue
        attribute = f"{name}_id" if name in _LINKS else name
        if name == FIELD:
            value = changed_values(invoice.reference_values, value)
        source = edited_by(by)
        is_back = name in _ACCOUNT_SAYS and value in (None, "")
        if is_back:
            value, source = _what_account_says(name, around, invoice)
        key = "service" if name.startswith("service_") else name
        if getattr(invoice, attribute) == value and not (is_back and not follows(sources.get(key))):
            continue
        setattr(invoice, attribute, value)
        sources[key] = source
        changed.append(name)
    invoice.sources = sources
    check_service(invoice.service_from, invoice.service_to, "")
    if invoice.entity_id not in around.entities:
        raise NotFound("This company does not exist.", "entity")
    if "currency" in changed:
        _make_ordinary(draft)
    if "lines" in values and _replace_lines(draft, values["lines"], by):
        changed.append("lines")
        invoice.sources["lines"] = edited_by(by)
    return changed


def _what_account_says(name: str, around: Surroundings, invoice: Invoice) -> tuple[Any, Source]:
    facts = around.facts[invoice.account_id]
    if name == "entity":
        entity_id = default_of(list(around.entities.values()))
        return entity_id, as_source(_default_entity(around, entity_id))
    if name == "currency":
        return facts.currency.value, as_source(facts.currency)
    return _following(facts)[name]


def _following(facts: BillingFacts) -> dict[str, tuple[Any, Source]]:
    terms = facts.terms.value
    return {
        "language": (facts.language.value or "en", as_source(facts.language)),
        "terms": (terms.id if terms else None, as_source(facts.terms)),
        "delivery_channel": (facts.delivery_channel.value or "email", as_source(facts.delivery_channel)),
    }


def _replace_lines(draft: Draft, rows: Sequence[Mapping[str, Any]], by: str) -> bool:
    """New lines from what was typed; whether anything changed.

    A line that stays as it was keeps its source and all that it was ordered with, wherever it stands now. One whose
    quantity, price or discount changed is worked out from them.
    """
    invoice = draft.invoice
    named = _named(draft.lines, rows)
    orders = order_lines(rows, invoice.currency, by)
    fresh = [_new_line(invoice, place, order, edited_by(by)) for place, order in enumerate(orders, 1)]
    is_changed = len(fresh) != len(draft.lines)
    for line, old in zip(fresh, _earlier(draft.lines, fresh, named), strict=True):
        if old is None:
            is_changed = True
            continue
        line.id, line.created_at, line.version = old.id, old.created_at, old.version
        _keep(line, old, _BORN_WITH)
        if _is_same(line, old, _FACTORS):
            _keep(line, old, (*_GIVEN, *_CREDITED))
        elif line.kind == LineKind.PRORATION_CREDIT:
            line.kind = LineKind.ONE_OFF
        if _is_same(line, old, _LINE_COLUMNS):
            line.sources, line.deal_line_id = old.sources, old.deal_line_id
            is_changed |= line.position != old.position
        else:
            is_changed = True
            line.version += 1
            line.sources = {**old.sources, "line": {**edited_by(by), "record": _owner(old)}}
    draft.lines = fresh
    return is_changed


def _named(before: Sequence[InvoiceLine], rows: Sequence[Mapping[str, Any]]) -> dict[int, InvoiceLine]:
    """The lines that rows name by their ids, by the places of the rows; refused where the draft has no such line."""
    lines = {str(line.pk): line for line in before}
    named: dict[int, InvoiceLine] = {}
    problems = []
    for place, row in enumerate(rows):
        key = (row.get("id") or "").lower()
        if not key:
            continue
        if key in lines:
            named[place] = lines.pop(key)
        else:
            text = "The draft has no such line, or it is named twice. A new line has no id."
            problems.append(Problem(f"lines.{place}.id", "no_such_line", text))
    if problems:
        raise Refusal.of(problems)
    return named


def _earlier(
    before: Sequence[InvoiceLine], fresh: Sequence[InvoiceLine], named: Mapping[int, InvoiceLine]
) -> list[InvoiceLine | None]:
    """What each line was before: the one that it names, else the one at its place if it is the same, else another the
    same; otherwise it is new.

    Refused where no line is named at all, and one that cannot be typed again would be lost while another is new: that
    may as well be a change of it.
    """
    known = {line.pk for line in named.values()}
    free = {place: old for place, old in enumerate(before) if old.pk not in known}
    found = dict(named)
    for place, line in enumerate(fresh):
        if place not in found and place in free and _is_same(line, free[place], _LINE_COLUMNS):
            found[place] = free.pop(place)
    for place, line in enumerate(fresh):
        same = (at for at, old in free.items() if _is_same(line, old, _LINE_COLUMNS))
        moved = None if place in found else next(same, None)
        if moved is not None:
            found[place] = free.pop(moved)
    new = [place for place in range(len(fresh)) if place not in found]
    if new and not named and any(_is_ordered(old) for old in free.values()):
        text = "Name the ids of the lines that stay, so that a changed line is told from a new one."
        raise Refusal.of([Problem(f"lines.{place}.id", "missing", text) for place in new])
    return [found.get(place) for place in range(len(fresh))]


def _is_ordered(line: InvoiceLine) -> bool:
    """Whether it holds more than a person can type: somebody's record, a given amount, or a line that it takes back."""
    return _owner(line) is not None or line.is_net_given or line.credits_line_id is not None


def _owner(line: InvoiceLine) -> str | None:
    """The record that counts on the line: a subscription, time or an expense. A deal and a product do not."""
    source = line.sources.get("line", {})
    return None if source.get("kind") in ("catalog", "deal") else source.get("record")


def _is_same(line: InvoiceLine, old: InvoiceLine, names: Sequence[str]) -> bool:
    return all(getattr(line, name) == getattr(old, name) for name in names)


def _keep(line: InvoiceLine, old: InvoiceLine, names: Sequence[str]) -> None:
    for name in names:
        setattr(line, name, getattr(old, name))


def _make_ordinary(draft: Draft) -> None:
    """What was given in money is in another currency: lines are worked out from quantity, price and discount from now
    on, and of the discounts the percentages stay.
    """
    draft.invoice.discounts = [kept for kept in draft.invoice.discounts if "percent" in kept]
    for line in draft.lines:
        line.is_net_given, line.share, line.why, line.credits_line_id = False, "", "", None


def check_service(start: date | None, end: date | None, path: str) -> None:
    """Refuse a service that ends before it begins. The end is the first day that is no longer part of it."""
    if start and end and end <= start:
        raise Refusal("runs_backward", "The service ends before it begins.", f"{path}service_to")


# Keeping current ------------------------------------------------------------------------------------------------------


def follow_account(draft: Draft, around: Surroundings) -> None:
    """Take over what the account says now, except what a person edited on the draft. The currency stays: the prices are
    in it.
    """
    invoice = draft.invoice
    facts = around.facts[invoice.account_id]
    invoice.invoiced_account_id = facts.invoiced_account.value
    invoice.payer_id = facts.payer.value
    invoice.send_to_id = facts.send_to.value
    invoice.tax_profile = facts.tax_profile.value
    invoice.tax_exemption_reason = facts.tax_exemption_reason
    sources = {**invoice.sources, **_of_account(facts)}
    for name, (value, source) in _following(facts).items():
        if follows(invoice.sources.get(name)):
            setattr(invoice, f"{name}_id" if name in _LINKS else name, value)
            sources[name] = source
        else:
            sources[name] = invoice.sources[name]
    invoice.sources = sources
