"""Writing what is due: documents through invoicing, and the ledger of billed periods beside them.

One path for a clerk's change and for a run of a hundred thousand: the same statements, however many subscriptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.core.errors import Conflict
from counterfoil.core.ids import new_id
from counterfoil.invoicing.commands import bill_invoices, credit, draft_invoices
from counterfoil.invoicing.queries import given_already, unissued_of
from counterfoil.invoicing.rules.orders import CreditOrder, DraftOrder
from counterfoil.plumbing.bulk import insert_rows, one_trip, update_rows
from counterfoil.subscriptions.commands.lines import (
    Charged,
    Key,
    Line,
    billed_row,
    credit_lines,
    draft_order,
    is_taxed_differently,
    key_of,
    own_lines,
    total_of,
)
from counterfoil.subscriptions.commands.riding import bearable, riding_on, with_free_riders, with_room
from counterfoil.subscriptions.models import Subscription, SubscriptionItem
from counterfoil.subscriptions.ports import Rider
from counterfoil.subscriptions.rules.agreement import Difference
from counterfoil.subscriptions.rules.billing import next_due, written_to
from counterfoil.subscriptions.rules.documents import Parted, parted
from counterfoil.subscriptions.rules.grid import Moment, stored


@dataclass
class Written:
    """The documents that were written; ``waiting`` are the invoices of them that wait in the review queue, ``placed``
    those of the riders, by their lines.
    """

    invoice_ids: list[UUID] = field(default_factory=list)
    waiting: frozenset[UUID] = frozenset()
    credit_note_ids: list[UUID] = field(default_factory=list)
    placed: dict[UUID, UUID] = field(default_factory=dict)


def write(
    actor: Actor,
    charges: Sequence[Charged],
    *,
    on: date,
    at: datetime,
    is_reviewed: bool = False,
    run_id: UUID | None = None,
    riders: Sequence[Rider] = (),
    is_apart: bool = False,
) -> Written:
    """Write the documents of what is due, one for each payer, currency, company, terms, PO number and references, with
    ``is_apart`` also for each subscription, and the ledger. Riders go on those that there are, as far as a document has
    room for them in ``LINES_MAX`` lines, and unless they would keep one from going out.

    Issues them unless they are reviewed first; what invoicing finds blocked waits in the review queue. Everything is
    part of the caller's transaction.
    """
    by_charge = [(one, _lines(one, one.differences)) for one in charges]
    if waiting_for_review(charges):
        raise still_in_review()
    facts = billing_facts(sorted({one.loaded.subscription.account_id for one, own in by_charge if own}), on)
    groups: dict[Key, list[Line]] = defaultdict(list)
    for charge, own in by_charge:
        if own:
            subscription = charge.loaded.subscription
            apart = subscription.id if is_apart else None
            groups[key_of(subscription, facts[subscription.account_id], apart=apart)] += own
    riding = bearable(with_room(riding_on(riders, facts), groups), groups, facts, on, at)
    documents = _documents(groups, riding, facts, on, at)
    written = _written(actor, documents, facts, on=on, at=at, is_reviewed=is_reviewed)
    with one_trip():
        insert_rows(billed_row(line, run_id, at) for group in groups.values() for line in group)
        settle(charges)
    return written


@dataclass
class _Documents:
    """The invoices and credit notes that are to be written, each beside the lines that stand on it."""

    invoices: list[tuple[DraftOrder, Sequence[Line | Rider]]] = field(default_factory=list)
    notes: list[tuple[CreditOrder, list[Line]]] = field(default_factory=list)


def _documents(
    groups: dict[Key, list[Line]],
    riding: Mapping[Key, Sequence[Rider]],
    facts: Mapping[UUID, BillingFacts],
    on: date,
    at: datetime,
) -> _Documents:
    """What each group comes to. Where a credit note would take back lines of its own invoice, the group gets others."""
    found = _Documents()
    for key, own in groups.items():
        joining = riding.get(key, ())
        parts = _parted(own, joining, facts, on, at)
        if any(line.own for line in own_lines(parts.credit_note)):
            groups[key] = _joined(own)
            parts = _parted(groups[key], joining, facts, on, at)
        invoice = with_free_riders(parts.invoice, joining)
        if invoice:
            found.invoices.append((draft_order(invoice, facts), invoice))
        credits = _that_give(own_lines(parts.credit_note))
        if credits:
            order = CreditOrder(tuple(credit_lines(credits)), reason="", origin="subscription")
            found.notes.append((order, credits))
    return found


def _written(
    actor: Actor,
    documents: _Documents,
    facts: Mapping[UUID, BillingFacts],
    *,
    on: date,
    at: datetime,
    is_reviewed: bool,
) -> Written:
    """Have invoicing write the documents, and note on each line where it stands."""
    written = Written()
    orders = [order for order, _ in documents.invoices]
    if orders and is_reviewed:
        written.invoice_ids = draft_invoices(actor=actor, orders=orders, on=on, at=at, facts=facts)
        written.waiting = frozenset(written.invoice_ids)
    elif orders:
        billed = bill_invoices(actor=actor, orders=orders, on=on, at=at, facts=facts)
        written.invoice_ids, written.waiting = list(billed.invoice_ids), billed.waiting
    for invoice_id, (_, lines) in zip(written.invoice_ids, documents.invoices, strict=True):
        for one in lines:
            if isinstance(one, Line):
                one.document_id = invoice_id
            elif one.line.line_id is not None:
                written.placed[one.line.line_id] = invoice_id
    if documents.notes:
        notes = [order for order, _ in documents.notes]
        written.credit_note_ids = credit(actor=actor, orders=notes, on=on, at=at, send=not is_reviewed)
        for note_id, (_, credited) in zip(written.credit_note_ids, documents.notes, strict=True):
            for line in credited:
                line.document_id = note_id
    return written


def _lines(one: Charged, found: Sequence[Difference]) -> list[Line]:
    """The lines of a subscription, and by their own ids those of them that others take back."""
    ids = [new_id() for _ in found]
    own = {each.id: line_id for each, line_id in zip(found, ids, strict=True) if each.id is not None}
    lines = []
    for each, line_id in zip(found, ids, strict=True):
        if not each.credits:
            lines.append(Line(one, each, line_id))
            continue
        credits = tuple((own.get(credited, credited), part) for credited, part in each.credits)
        taken = frozenset(credited for credited, _ in credits) & frozenset(own.values())
        lines.append(Line(one, each._replace(credits=credits), line_id, own=taken))
    return lines


def _parted(
    own: Sequence[Line], joining: Sequence[Rider], facts: Mapping[UUID, BillingFacts], on: date, at: datetime
) -> Parted[Line | Rider]:
    together: list[Line | Rider] = [*own, *joining]
    return parted(together, total_of(facts, on, at) if is_taxed_differently(together) else None)


def _joined(lines: Sequence[Line]) -> list[Line]:
    """A credit note takes back issued lines only, so what it and its invoice have in common is left out of both."""
    found: list[Line] = []
    for one in {id(line.charged): line.charged for line in lines}.values():
        if any(line.own for line in lines if line.charged is one) and one.joined is not None:
            one.differences = one.joined()
            found += _lines(one, one.differences)
        else:
            found += [line for line in lines if line.charged is one]
    return found


def waiting_for_review(charges: Sequence[Charged]) -> list[Charged]:
    """Those that give back what a draft bills, which cannot be given back yet: to write them is refused."""
    credited = [{line_id for each in one.differences for line_id, _ in each.credits} for one in charges]
    every = {line_id for found in credited for line_id in found}
    drafted = unissued_of(every) if every else frozenset()
    return [one for one, found in zip(charges, credited, strict=True) if found & drafted]


def still_in_review() -> Conflict:
    text = "A draft that bills this subscription waits for review. Issue it first: then this gives back its part."
    return Conflict("waits_for_review", text, "when")


def _that_give(credits: Sequence[Line]) -> list[Line]:
    """The lines of a credit note, without those of invoices of which all was given back by hand: they come to nothing,
    and are written so.
    """
    asked = [(line_id, part) for line in credits for line_id, part in line.difference.credits]
    nothing = given_already(asked) if asked else frozenset()
    for line in credits if nothing else ():
        parts = tuple((line_id, part) for line_id, part in line.difference.credits if line_id not in nothing)
        net = -sum((part for _, part in parts), Decimal(0))
        line.difference = line.difference._replace(net=net, before_discount=net, credits=parts)
    return [line for line in credits if line.net]


def settle(charges: Iterable[Charged]) -> None:
    """Note up to where everything is written and when the next document is due."""
    items: list[SubscriptionItem] = []
    subscriptions: list[Subscription] = []
    for one in charges:
        _note_due(one, _note_written(one, items))
        subscriptions.append(one.loaded.subscription)
    update_rows(items, ["billed_to"])
    update_rows(subscriptions, ["due_at", "settled_to"])


def _note_written(one: Charged, changed: list[SubscriptionItem]) -> dict[UUID, Moment]:
    """Up to where each item is written, by its id; the rows that this changes are added to those that changed."""
    loaded = one.loaded
    written: dict[UUID, Moment] = {}
    for item in loaded.agreement.items:
        row = loaded.items[item.id]
        before = None if row.billed_to is None else loaded.moment(row.billed_to)
        end = written_to(loaded.agreement, item, one.due, before)
        if end is not None and (before is None or end > before):
            written[item.id] = end
            row.billed_to = stored(end)
            changed.append(row)
        elif before is not None:
            written[item.id] = before
    return written


def _own_day(one: Charged, upcoming: Moment | None) -> Moment | None:
    """The day on which what waits has a document of its own, if any: that on which one was due before, where a price
    begins on it, or where none comes by the end of the longest period that would have begun by then. While the
    subscription rests there is none.
    """
    loaded, agreement = one.loaded, one.loaded.agreement
    if loaded.subscription.due_at is None:
        return None
    due = loaded.moment(loaded.subscription.due_at)
    if any(span.start <= due and (span.end is None or due < span.end) for span in agreement.pauses):
        return None
    items = [item for item in agreement.items if not item.is_metered]
    begins = due <= one.due.before and any(item.is_in_advance and item.start == due for item in items)
    if upcoming is None or begins:
        return due
    billed = {row.item_id for row in loaded.billed}
    ran = [
        item
        for item in items
        if item.id in billed or item.versions[-1].end or (not item.is_in_advance and item.start < one.due.before)
    ]
    return due if ran and max(item.grid.cell_at(due).end for item in ran) < upcoming else None


def _note_due(one: Charged, billed: Mapping[UUID, Moment]) -> None:
    """``settled_to`` is the moment of writing, or the start of the earliest period that is not written yet, or of which
    something waits.
    """
    loaded = one.loaded
    agreement, subscription = loaded.agreement, loaded.subscription
    upcoming = next_due(agreement, billed)
    if not one.is_whole:
        upcoming = agreement.end if upcoming is None else upcoming
        days = [day for day in (upcoming, _own_day(one, upcoming)) if day is not None]
        upcoming = min(days, default=None)
    subscription.due_at = None if upcoming is None else stored(upcoming)
    open_from = [billed.get(item.id, max(item.start, agreement.start)) for item in agreement.items]
    settled = [one.due.before, *open_from]
    if not one.is_whole:
        settled.append(one.since or loaded.settled_to or agreement.start)
    subscription.settled_to = stored(min(settled))
