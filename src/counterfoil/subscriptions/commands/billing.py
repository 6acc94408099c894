"""Writing what is due: documents through invoicing, and the ledger of billed periods beside them.

One path for a clerk's change and for a run of a hundred thousand: the same statements, however many subscriptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.catalog.rules.pricing import unit_price_shown
from counterfoil.core.errors import Conflict
from counterfoil.core.ids import new_id
from counterfoil.invoicing.commands import bill_invoices, credit, draft_invoices
from counterfoil.invoicing.queries import any_unissued, order_total
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.plumbing.bulk import insert_rows, new_row, one_trip, update_rows
from counterfoil.subscriptions.agreements import Loaded
from counterfoil.subscriptions.models import BilledPeriod, Subscription, SubscriptionItem
from counterfoil.subscriptions.rules.agreement import MOVED, Difference
from counterfoil.subscriptions.rules.billing import Due, next_due, written_to
from counterfoil.subscriptions.rules.documents import parted
from counterfoil.subscriptions.rules.grid import Moment, day_of, stored
from counterfoil.subscriptions.rules.wording import why


@dataclass
class Charged:
    """What one subscription has to be billed now. Unless ``is_whole``, the rest of what is due waits."""

    loaded: Loaded
    differences: list[Difference]
    due: Due
    is_whole: bool = True


@dataclass
class Written:
    """The documents that were written; ``waiting`` are the invoices of them that wait in the review queue."""

    invoice_ids: list[UUID] = field(default_factory=list)
    waiting: frozenset[UUID] = frozenset()
    credit_note_ids: list[UUID] = field(default_factory=list)


@dataclass
class _Line:
    """A difference on its way to a document."""

    charged: Charged
    difference: Difference
    line_id: UUID
    document_id: UUID | None = None

    @property
    def net(self) -> Decimal:
        return self.difference.net


_Key = tuple[UUID, UUID, str, UUID | None, str, str]


def write(
    actor: Actor,
    charges: Sequence[Charged],
    *,
    on: date,
    at: datetime,
    is_reviewed: bool = False,
    run_id: UUID | None = None,
) -> Written:
    """Write the documents of what is due, one for each payer, currency, company, terms, PO number and references, and
    the ledger.

    Issues them unless they are reviewed first; what invoicing finds blocked waits in the review queue. Everything is
    part of the caller's transaction.
    """
    written = Written()
    lines = [_Line(one, each, new_id()) for one in charges for each in one.differences]
    _refuse_unissued(lines)
    facts = billing_facts(sorted({line.charged.loaded.subscription.account_id for line in lines}), on)
    groups: dict[_Key, list[_Line]] = defaultdict(list)
    for line in lines:
        groups[_key(line.charged.loaded.subscription, facts)].append(line)
    drafts: list[DraftOrder] = []
    drafted: list[list[_Line]] = []
    notes: list[CreditOrder] = []
    noted: list[list[_Line]] = []
    for group in groups.values():
        parts = parted(group, _total(facts, on, at) if _is_taxed_differently(group) else None)
        if parts.invoice:
            drafts.append(_draft_order(parts.invoice, facts))
            drafted.append(list(parts.invoice))
        if parts.credit_note:
            order = CreditOrder(tuple(_credit_lines(parts.credit_note)), reason="", origin="subscription")
            notes.append(order)
            noted.append(list(parts.credit_note))
    if drafts:
        if is_reviewed:
            written.invoice_ids = draft_invoices(actor=actor, orders=drafts, on=on, at=at, facts=facts)
            written.waiting = frozenset(written.invoice_ids)
        else:
            billed = bill_invoices(actor=actor, orders=drafts, on=on, at=at, facts=facts)
            written.invoice_ids, written.waiting = list(billed.invoice_ids), billed.waiting
        for invoice_id, group in zip(written.invoice_ids, drafted, strict=True):
            for line in group:
                line.document_id = invoice_id
    if notes:
        written.credit_note_ids = credit(actor=actor, orders=notes, on=on, at=at, send=not is_reviewed)
        for note_id, group in zip(written.credit_note_ids, noted, strict=True):
            for line in group:
                line.document_id = note_id
    with one_trip():
        insert_rows(_row(line, run_id, at) for line in lines)
        settle(charges)
    return written


def _refuse_unissued(lines: Iterable[_Line]) -> None:
    """What waits for review cannot be given back yet."""
    credited = {line_id for line in lines for line_id, _ in line.difference.credits}
    if credited and any_unissued(credited):
        text = "A draft that bills this subscription waits for review. Issue it first: then this gives back its part."
        raise Conflict("waits_for_review", text, "when")


def settle(charges: Iterable[Charged]) -> None:
    """Note up to where everything is written and when the next document is due."""
    items: list[SubscriptionItem] = []
    subscriptions: list[Subscription] = []
    for one in charges:
        items += _written_items(one)
        _note_due(one)
        subscriptions.append(one.loaded.subscription)
    update_rows(items, ["billed_to"])
    update_rows(subscriptions, ["due_at", "settled_to"])


def _written_items(one: Charged) -> list[SubscriptionItem]:
    changed = []
    for item in one.loaded.agreement.items:
        row = one.loaded.items[item.id]
        end = written_to(one.loaded.agreement, item, one.due, _billed_to(one.loaded, row))
        kept = None if end is None else stored(end)
        if kept is not None and (row.billed_to is None or kept > row.billed_to):
            row.billed_to = kept
            changed.append(row)
    return changed


def _billed_to(loaded: Loaded, row: SubscriptionItem) -> Moment | None:
    return None if row.billed_to is None else loaded.moment(row.billed_to)


def _note_due(one: Charged) -> None:
    """``settled_to`` is the moment of writing, or the start of the earliest period that is not written yet."""
    loaded = one.loaded
    agreement, subscription = loaded.agreement, loaded.subscription
    billed = {
        item.id: moment for item in agreement.items if (moment := _billed_to(loaded, loaded.items[item.id])) is not None
    }
    upcoming = next_due(agreement, billed)
    subscription.due_at = None if upcoming is None else stored(upcoming)
    open_from = [billed.get(item.id, max(item.start, agreement.start)) for item in agreement.items]
    settled = [one.due.before, *open_from]
    if not one.is_whole:
        settled.append(loaded.settled_to or agreement.start)
    subscription.settled_to = stored(min(settled))


# Documents ------------------------------------------------------------------------------------------------------------


def _key(subscription: Subscription, facts: Mapping[UUID, BillingFacts]) -> _Key:
    """What makes two subscriptions share a document: payer, company, currency, terms, PO number and references."""
    of_account = facts[subscription.account_id]
    terms = of_account.terms.value
    terms_id = subscription.terms_id or (terms.id if terms is not None else None)
    return (
        of_account.payer.value, subscription.entity_id, subscription.currency, terms_id, subscription.po_number,
        subscription.references,
    )  # fmt: skip


def _draft_order(lines: Sequence[_Line], facts: Mapping[UUID, BillingFacts]) -> DraftOrder:
    subscription = lines[0].charged.loaded.subscription
    accounts = {line.charged.loaded.subscription.account_id for line in lines}
    shared = facts[subscription.account_id].invoiced_account.value
    return DraftOrder(
        account_id=subscription.account_id if len(accounts) == 1 else shared,
        lines=tuple(part for line in lines for part in _order_lines(line)),
        entity_id=subscription.entity_id,
        currency=subscription.currency,
        origin="subscription",
        sales_owner_id=subscription.owner_id,
        po_number=subscription.po_number,
        references=subscription.references,
        terms_id=subscription.terms_id,
    )


def _is_taxed_differently(lines: Sequence[_Line]) -> bool:
    """Whether what is charged and what is given back bear other taxes, so that only their total says which is more."""
    return len({line.charged.loaded.items[line.difference.item_id].tax_class for line in lines}) > 1


def _total(facts: Mapping[UUID, BillingFacts], on: date, at: datetime) -> Callable[[Sequence[_Line]], Decimal]:
    return lambda lines: order_total(_draft_order(lines, facts), on, at, facts).amount


def _order_lines(line: _Line) -> Iterable[OrderLine]:
    """A line; a credit that takes back parts of several lines is one line for each of them."""
    credits = line.difference.credits or ((None, -line.net),)
    for place, (credited, part) in enumerate(credits):
        yield _order_line(line, line.line_id if place == 0 else new_id(), credited, -part)


def _order_line(line: _Line, line_id: UUID, credited: UUID | None, net: Decimal) -> OrderLine:
    difference = line.difference
    loaded = line.charged.loaded
    subscription, row = loaded.subscription, loaded.items[difference.item_id]
    item = next(one for one in loaded.agreement.items if one.id == difference.item_id)
    quantity = abs(difference.quantity)
    return OrderLine(
        line_id=line_id,
        description=row.description,
        quantity=quantity,
        unit=row.unit,
        unit_price=unit_price_shown(item.pricing, quantity),
        product_id=row.product_id,
        tax_class=row.tax_class,
        source=Sourced("", "subscription", f"Subscription {subscription.number}", subscription.id),
        service_from=day_of(difference.start, subscription.zone),
        service_to=day_of(difference.end, subscription.zone),
        kind=difference.kind,
        net=net,
        share=str(difference.share),
        why=why(difference, item, subscription.basis, subscription.currency),
        subscription_id=subscription.id,
        subscription_item_id=row.id,
        credits_line_id=credited,
    )


def _credit_lines(lines: Sequence[_Line]) -> Iterable[CreditLine]:
    for line in lines:
        for place, (credited, part) in enumerate(line.difference.credits):
            order = _order_line(line, line.line_id if place == 0 else new_id(), credited, part)
            assert order.service_from is not None and order.service_to is not None  # noqa: PT018
            yield CreditLine(
                invoice_line_id=credited,
                amount=part,
                line_id=order.line_id,
                description=order.description,
                kind=order.kind,
                quantity=order.quantity,
                unit_price=order.unit_price,
                service_from=order.service_from,
                service_to=order.service_to,
                share=order.share,
                why=order.why,
            )


def _row(line: _Line, run_id: UUID | None, at: datetime) -> BilledPeriod:
    one = line.difference
    return new_row(
        BilledPeriod,
        id=new_id(),
        subscription_id=line.charged.loaded.subscription.id,
        item_id=one.item_id,
        kind=one.kind,
        starts_at=stored(one.start),
        ends_at=stored(one.end),
        cell_starts_at=stored(one.cell.start),
        cell_ends_at=stored(one.cell.end),
        quantity=one.quantity,
        gross=one.gross,
        net=one.net,
        share_part=one.share.part,
        share_whole=one.share.whole,
        invoice_id=line.document_id,
        line_id=line.line_id if one.net and one.kind != MOVED else None,
        credits=[[str(line_id), str(part)] for line_id, part in one.credits],
        is_void=one.is_void,
        run_id=run_id,
        created_at=at,
    )
