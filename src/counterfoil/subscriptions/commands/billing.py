"""Writing what is due: documents through invoicing, and the ledger of billed periods beside them.

One path for a clerk's change and for a run of a hundred thousand: the same statements, however many subscriptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.catalog.rules.pricing import unit_price_shown
from counterfoil.core.errors import Conflict
from counterfoil.core.ids import new_id
from counterfoil.core.references import ReferencePairs, reference_pairs
from counterfoil.invoicing.commands import bill_invoices, credit, draft_invoices
from counterfoil.invoicing.queries import blocks_of, given_already, order_total, order_totals, unissued_of
from counterfoil.invoicing.rules.orders import LINES_MAX, CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.plumbing.bulk import insert_rows, new_row, one_trip, update_rows
from counterfoil.subscriptions.agreements import Loaded
from counterfoil.subscriptions.models import BilledPeriod, Subscription, SubscriptionItem
from counterfoil.subscriptions.ports import Rider
from counterfoil.subscriptions.rules.agreement import MOVED, USAGE, Difference
from counterfoil.subscriptions.rules.billing import Due, differences, next_due, written_to
from counterfoil.subscriptions.rules.documents import Parted, parted
from counterfoil.subscriptions.rules.grid import Moment, day_of, stored
from counterfoil.subscriptions.rules.wording import why


@dataclass
class Charged:
    """What one subscription has to be billed now. Unless ``is_whole``, the rest of what is due since ``since`` waits.

    ``joined`` is the same with one line for each stretch, for documents that cannot take back their own lines.
    """

    loaded: Loaded
    differences: list[Difference]
    due: Due
    is_whole: bool = True
    joined: Callable[[], list[Difference]] | None = None
    since: Moment | None = None


def charged(loaded: Loaded, due: Due, since: Moment | None, items: Collection[UUID] | None = None) -> Charged:
    """What is to be billed now of a subscription, or of some of its items."""
    find = partial(differences, loaded.agreement, loaded.billed, due, since=since, items=items)
    return Charged(loaded, find(), due, items is None, partial(find, is_joined=True), since)


@dataclass
class Written:
    """The documents that were written; ``waiting`` are the invoices of them that wait in the review queue, ``placed``
    those of the riders, by their lines.
    """

    invoice_ids: list[UUID] = field(default_factory=list)
    waiting: frozenset[UUID] = frozenset()
    credit_note_ids: list[UUID] = field(default_factory=list)
    placed: dict[UUID, UUID] = field(default_factory=dict)


@dataclass
class _Line:
    """A difference on its way to a document. ``own`` are the lines of the same document that it takes back."""

    charged: Charged
    difference: Difference
    line_id: UUID
    document_id: UUID | None = None
    own: frozenset[UUID] = frozenset()

    @property
    def net(self) -> Decimal:
        return self.difference.net


_Key = tuple[UUID, UUID, str, UUID | None, str, str, ReferencePairs, UUID | None]


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
    groups: dict[_Key, list[_Line]] = defaultdict(list)
    for charge, own in by_charge:
        if own:
            groups[_key(charge.loaded.subscription, facts, is_apart=is_apart)] += own
    riding = _bearable(_with_room(_riding(riders, facts), groups), groups, facts, on, at)
    documents = _documents(groups, riding, facts, on, at)
    written = _written(actor, documents, facts, on=on, at=at, is_reviewed=is_reviewed)
    with one_trip():
        insert_rows(_row(line, run_id, at) for group in groups.values() for line in group)
        settle(charges)
    return written


@dataclass
class _Documents:
    """The invoices and credit notes that are to be written, each beside the lines that stand on it."""

    invoices: list[tuple[DraftOrder, Sequence[_Line | Rider]]] = field(default_factory=list)
    notes: list[tuple[CreditOrder, list[_Line]]] = field(default_factory=list)


def _documents(
    groups: dict[_Key, list[_Line]],
    riding: Mapping[_Key, Sequence[Rider]],
    facts: Mapping[UUID, BillingFacts],
    on: date,
    at: datetime,
) -> _Documents:
    """What each group comes to. Where a credit note would take back lines of its own invoice, the group gets others."""
    found = _Documents()
    for key, own in groups.items():
        joining = riding.get(key, ())
        parts = _parted(own, joining, facts, on, at)
        if any(line.own for line in _own(parts.credit_note)):
            groups[key] = _joined(own)
            parts = _parted(groups[key], joining, facts, on, at)
        invoice = _with_free_riders(parts.invoice, joining)
        if invoice:
            found.invoices.append((_draft_order(invoice, facts), invoice))
        credits = _that_give(_own(parts.credit_note))
        if credits:
            order = CreditOrder(tuple(_credit_lines(credits)), reason="", origin="subscription")
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
            if isinstance(one, _Line):
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


def _lines(one: Charged, found: Sequence[Difference]) -> list[_Line]:
    """The lines of a subscription, and by their own ids those of them that others take back."""
    ids = [new_id() for _ in found]
    own = {each.id: line_id for each, line_id in zip(found, ids, strict=True) if each.id is not None}
    lines = []
    for each, line_id in zip(found, ids, strict=True):
        if not each.credits:
            lines.append(_Line(one, each, line_id))
            continue
        credits = tuple((own.get(credited, credited), part) for credited, part in each.credits)
        taken = frozenset(credited for credited, _ in credits) & frozenset(own.values())
        lines.append(_Line(one, each._replace(credits=credits), line_id, own=taken))
    return lines


def _parted(
    own: Sequence[_Line], joining: Sequence[Rider], facts: Mapping[UUID, BillingFacts], on: date, at: datetime
) -> Parted[_Line | Rider]:
    together: list[_Line | Rider] = [*own, *joining]
    return parted(together, _total(facts, on, at) if _is_taxed_differently(together) else None)


def _joined(lines: Sequence[_Line]) -> list[_Line]:
    """A credit note takes back issued lines only, so what it and its invoice have in common is left out of both."""
    found: list[_Line] = []
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


def _that_give(credits: Sequence[_Line]) -> list[_Line]:
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


def _note_due(one: Charged, billed: Mapping[UUID, Moment]) -> None:
    """``settled_to`` is the moment of writing, or the start of the earliest period that is not written yet, or of which
    something waits.
    """
    loaded = one.loaded
    agreement, subscription = loaded.agreement, loaded.subscription
    upcoming = next_due(agreement, billed)
    if not one.is_whole and upcoming is None:
        upcoming = agreement.end  # what waits for a next document has its own when none comes
    subscription.due_at = None if upcoming is None else stored(upcoming)
    open_from = [billed.get(item.id, max(item.start, agreement.start)) for item in agreement.items]
    settled = [one.due.before, *open_from]
    if not one.is_whole:
        settled.append(one.since or loaded.settled_to or agreement.start)
    subscription.settled_to = stored(min(settled))


# Documents ------------------------------------------------------------------------------------------------------------


def _key(subscription: Subscription, facts: Mapping[UUID, BillingFacts], *, is_apart: bool = False) -> _Key:
    """What makes two subscriptions share a document: payer, company, currency, terms, PO number and references. One
    that is apart shares none.
    """
    of_account = facts[subscription.account_id]
    terms = of_account.terms.value
    terms_id = subscription.terms_id or (terms.id if terms is not None else None)
    return (
        of_account.payer.value, subscription.entity_id, subscription.currency, terms_id, subscription.po_number,
        subscription.references, reference_pairs(subscription.reference_values), subscription.id if is_apart else None,
    )  # fmt: skip


def joinable(charges: Sequence[Charged], riders: Sequence[Rider], on: date) -> list[Rider]:
    """The riders that would share a document with these charges."""
    facts = billing_facts(sorted({one.loaded.subscription.account_id for one in charges}), on)
    keys = {_key(one.loaded.subscription, facts) for one in charges}
    return [rider for key, found in _riding(riders, facts).items() if key in keys for rider in found]


def _riding(riders: Iterable[Rider], facts: Mapping[UUID, BillingFacts]) -> dict[_Key, list[Rider]]:
    """The riders by the document that they would share."""
    found: dict[_Key, list[Rider]] = defaultdict(list)
    for rider in riders:
        of_account = facts.get(rider.account_id)
        if of_account is None:
            continue
        terms = of_account.terms.value
        terms_id = rider.terms_id or (terms.id if terms is not None else None)
        payer_id = of_account.payer.value
        key = (
            payer_id, rider.entity_id, rider.currency, terms_id, rider.po_number, rider.references,
            rider.reference_values, None,
        )  # fmt: skip
        found[key].append(rider)
    return found


def _with_room(riding: Mapping[_Key, list[Rider]], groups: Mapping[_Key, list[_Line]]) -> dict[_Key, list[Rider]]:
    """The first riders, so many that a document can be changed in one piece; the others wait for the next one."""
    found = {}
    for key in [key for key in riding if key in groups]:
        taken = sum(max(len(line.difference.credits), 1) for line in groups[key] if line.net)
        if room := max(LINES_MAX - taken, 0):
            found[key] = riding[key][:room]
    return found


def _bearable(
    riding: Mapping[_Key, list[Rider]],
    groups: Mapping[_Key, list[_Line]],
    facts: Mapping[UUID, BillingFacts],
    on: date,
    at: datetime,
) -> dict[_Key, list[Rider]]:
    """The riders of documents that go out with them as they would without: what is due is never held up by a rider.

    Where all of them together hold one up, each that does so by itself stays off. Where the others do so only together,
    so many from the first on stay as it bears, which halving finds: a fixed number of rounds, however many ride.
    """
    trials = _Trials(groups, facts, on, at)
    found: dict[_Key, list[Rider]] = {}
    held_up: list[_Key] = []
    for key, is_borne in zip(riding, trials.bears(list(riding.items())), strict=True):
        if is_borne:
            found[key] = riding[key]
        else:
            held_up.append(key)
    alone = [(key, rider) for key in held_up for rider in riding[key]]
    harmless: dict[_Key, list[Rider]] = defaultdict(list)
    for (key, rider), is_borne in zip(alone, trials.bears([(key, [one]) for key, one in alone]), strict=True):
        if is_borne:
            harmless[key].append(rider)
    ends: dict[_Key, tuple[int, int]] = {}
    for (key, riders), is_borne in zip(harmless.items(), trials.bears(list(harmless.items())), strict=True):
        ends[key] = (len(riders), len(riders)) if is_borne else (1, len(riders))
    while open_keys := [key for key, (borne, refused) in ends.items() if refused - borne > 1]:
        middles = [sum(ends[key]) // 2 for key in open_keys]
        halves = [(key, harmless[key][:middle]) for key, middle in zip(open_keys, middles, strict=True)]
        for key, middle, is_borne in zip(open_keys, middles, trials.bears(halves), strict=True):
            borne, refused = ends[key]
            ends[key] = (middle, refused) if is_borne else (borne, middle)
    return found | {key: harmless[key][:borne] for key, (borne, _) in ends.items()}


@dataclass
class _Trials:
    """Documents that are worked out and thrown away, to see what they bear; ``usual`` is what blocks them anyway."""

    groups: Mapping[_Key, list[_Line]]
    facts: Mapping[UUID, BillingFacts]
    on: date
    at: datetime
    usual: dict[_Key, frozenset[str]] = field(default_factory=dict)

    def bears(self, tries: Sequence[tuple[_Key, Sequence[Rider]]]) -> list[bool]:
        """Whether each document goes out with these riders as it would without. A fixed number of statements."""
        found = self._blocks(tries)
        unknown = [key for (key, _), codes in zip(tries, found, strict=True) if codes and key not in self.usual]
        alone: list[tuple[_Key, Sequence[Rider]]] = [(key, ()) for key in dict.fromkeys(unknown)]
        for (key, _), codes in zip(alone, self._blocks(alone), strict=True):
            self.usual[key] = codes or frozenset()
        return [
            codes is not None and codes <= self.usual.get(key, frozenset())
            for (key, _), codes in zip(tries, found, strict=True)
        ]

    def _blocks(self, tries: Sequence[tuple[_Key, Sequence[Rider]]]) -> list[frozenset[str] | None]:
        """What would keep each document from going out; none where there is no invoice."""
        invoices = self._invoices(tries)
        orders = [_draft_order(lines, self.facts) for lines in invoices if lines]
        codes = iter(blocks_of(orders, self.on, self.at, self.facts) if orders else ())
        return [next(codes) if lines else None for lines in invoices]

    def _invoices(self, tries: Sequence[tuple[_Key, Sequence[Rider]]]) -> list[Sequence[_Line | Rider]]:
        several: list[list[_Line | Rider]] = [[*self.groups[key], *riders] for key, riders in tries]
        asked = [_is_taxed_differently(lines) and _has_both_signs(lines) for lines in several]
        orders = [_draft_order(lines, self.facts) for lines, is_asked in zip(several, asked, strict=True) if is_asked]
        totals = iter(order_totals(orders, self.on, self.at, self.facts) if orders else ())
        found = []
        for lines, (_, riders), is_asked in zip(several, tries, asked, strict=True):
            total = next(totals) if is_asked else None
            # What cannot be worked out is tried as one invoice, and then says so.
            together = Decimal(0) if total is None else total.amount
            parts = parted(lines, _always(together) if is_asked else None)
            found.append(_with_free_riders(parts.invoice, riders))
        return found


def _always(total: Decimal) -> Callable[[Sequence[_Line | Rider]], Decimal]:
    return lambda _: total


def _has_both_signs(lines: Sequence[_Line | Rider]) -> bool:
    return any(line.net > 0 for line in lines) and any(line.net < 0 for line in lines)


def _with_free_riders(lines: Sequence[_Line | Rider], riders: Sequence[Rider]) -> Sequence[_Line | Rider]:
    """The lines of an invoice, with the riders that cost nothing; none where all of them are riders."""
    if not riders:
        return lines
    return (*lines, *(rider for rider in riders if not rider.net)) if _own(lines) else ()


def _own(lines: Iterable[_Line | Rider]) -> list[_Line]:
    return [line for line in lines if isinstance(line, _Line)]


def _draft_order(lines: Sequence[_Line | Rider], facts: Mapping[UUID, BillingFacts]) -> DraftOrder:
    subscription = next(line for line in lines if isinstance(line, _Line)).charged.loaded.subscription
    accounts = {
        line.charged.loaded.subscription.account_id if isinstance(line, _Line) else line.account_id for line in lines
    }
    shared = facts[subscription.account_id].invoiced_account.value
    return DraftOrder(
        account_id=subscription.account_id if len(accounts) == 1 else shared,
        lines=tuple(
            part for line in lines for part in (_order_lines(line) if isinstance(line, _Line) else (line.line,))
        ),
        entity_id=subscription.entity_id,
        currency=subscription.currency,
        origin="subscription",
        sales_owner_id=subscription.owner_id,
        po_number=subscription.po_number,
        references=subscription.references,
        reference_values=reference_pairs(subscription.reference_values),
        terms_id=subscription.terms_id,
    )


def _is_taxed_differently(lines: Sequence[_Line | Rider]) -> bool:
    """Whether what is charged and what is given back bear other taxes, so that only their total says which is more."""
    return len({_tax_class(line) for line in lines}) > 1


def _tax_class(line: _Line | Rider) -> str:
    if isinstance(line, _Line):
        return line.charged.loaded.items[line.difference.item_id].tax_class
    return line.line.tax_class


def _total(facts: Mapping[UUID, BillingFacts], on: date, at: datetime) -> Callable[[Sequence[_Line | Rider]], Decimal]:
    return lambda lines: order_total(_draft_order(lines, facts), on, at, facts).amount


def _order_lines(line: _Line) -> Iterable[OrderLine]:
    """A line; a credit that takes back parts of several lines is one line for each of them."""
    credits = line.difference.credits or ((None, -line.net),)
    for place, (credited, part) in enumerate(credits):
        issued = None if credited in line.own else credited
        yield _order_line(line, line.line_id if place == 0 else new_id(), issued, -part)


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
        unit_price=unit_price_shown(item.pricing_of(difference.cell), quantity),
        product_id=row.product_id,
        tax_class=row.tax_class,
        source=Sourced("", "subscription", f"Subscription {subscription.number}", subscription.id),
        service_from=day_of(difference.start, subscription.zone),
        service_to=day_of(difference.end, subscription.zone),
        kind=difference.kind,
        net=net,
        share="" if difference.kind == USAGE else str(difference.share),
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
        credits=[[str(line_id), str(part)] for line_id, part in one.credits] if one.credits else (),
        is_void=one.is_void,
        run_id=run_id,
        created_at=at,
    )
