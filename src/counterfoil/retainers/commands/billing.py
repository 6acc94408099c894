"""Billing what was approved: retainers bear what they can, the rest becomes lines of drafts, or of the documents that
a billing run writes.

Each run locks the retainers and then the entries, in the order of their ids, and asks again which of them are still
unbilled. So two runs at once bill each entry once, and a run that is repeated finds nothing to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.activities.commands import open_task
from counterfoil.core.ids import new_id
from counterfoil.core.money import rounded
from counterfoil.core.periods import Period
from counterfoil.core.references import ReferencePairs, reference_pairs
from counterfoil.documents.reasons import BeyondRetainer, Burned
from counterfoil.invoicing.commands import draft_invoices
from counterfoil.invoicing.models import InvoiceLine
from counterfoil.invoicing.rules.orders import LINES_MAX, DraftOrder, OrderLine
from counterfoil.plumbing.bulk import Asked, insert_rows, read_together, update_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.retainers import events
from counterfoil.retainers.burndown import quantity_of, terms_of, uses_of, worth_of
from counterfoil.retainers.ended import ended
from counterfoil.retainers.models import Draw, EntryStatus, Expense, PutOff, Retainer, TimeEntry, Unit
from counterfoil.retainers.rules import burning
from counterfoil.retainers.rules.burning import BurnedPeriod, Use, burn
from counterfoil.subscriptions.ports import Rider, adds_riders

ZERO = Decimal(0)
_SETTLED = ("status", "covered", "settled_at", "invoice_id", "line_id", "held_at", "version")


@dataclass(frozen=True)
class _Group:
    """What shares a draft: account, company and currency, with what the subscription agreed that bills the retainer.
    Without ``terms_id`` the terms are those of the account.
    """

    account_id: UUID
    entity_id: UUID
    currency: str
    terms_id: UUID | None = None
    po_number: str = ""
    references: str = ""
    reference_values: ReferencePairs = ()

    @property
    def order(self) -> tuple[str, ...]:
        """By which groups are sorted."""
        return (
            str(self.account_id), str(self.entity_id), self.currency, str(self.terms_id or ""), self.po_number,
            self.references, *(f"{key}={value}" for key, value in self.reference_values),
        )  # fmt: skip


@dataclass
class Settled:
    """What a run made: the drafts, and how many entries it settled with and without a line."""

    invoice_ids: list[UUID] = field(default_factory=list)
    entries: int = 0
    covered: int = 0


@dataclass(frozen=True)
class _Part:
    """An entry with what its retainer bears of it and what is beyond, in hours or money; ``period`` is that of its
    retainer in which its day lies.
    """

    entry: TimeEntry | Expense
    retainer: Retainer | None
    draws: tuple[burning.Draw, ...]
    beyond: Decimal
    period: BurnedPeriod | None = None

    @property
    def covered(self) -> Decimal:
        return sum((draw.quantity for draw in self.draws), ZERO)

    @property
    def group(self) -> _Group:
        entry = self.entry
        item = self.retainer.subscription_item if self.retainer is not None else None
        agreed = item.subscription if item is not None else None
        if agreed is None:
            return _Group(entry.account_id, entry.entity_id, entry.currency)
        return _Group(
            entry.account_id, entry.entity_id, entry.currency, agreed.terms_id, agreed.po_number, agreed.references,
            reference_pairs(agreed.reference_values),
        )  # fmt: skip


@command("retainers.bill_unbilled", needs="retainers.bill")
def bill_unbilled(*, actor: Actor, account_ids: Sequence[UUID] | None = None, on: date, at: datetime) -> Settled:
    """Settle the approved time and expenses up to a day, of these accounts or of all.

    Retainers bear what they can. The rest becomes lines of one draft for each account, company, currency, terms, PO
    number and references (those of the subscription that bills its retainer), at the retainer's price of an hour beyond
    or at its own; a draft of more than ``LINES_MAX`` lines is parted. What comes to nothing makes no draft. Takes along
    what was released from a draft, which nothing else bills.
    """
    wanted = Q(day__lte=on)
    if account_ids is not None:
        wanted &= Q(account__in=list(account_ids))
    return _drafted(actor, _parts(wanted, on), on, at)


def _drafted(actor: Actor, parts: Sequence[_Part], on: date, at: datetime) -> Settled:
    """Settle these: what is beyond the retainers becomes lines of drafts."""
    groups: dict[_Group, list[_Part]] = defaultdict(list)
    for part in parts:
        groups[part.group].append(part)
    orders, ordered = [], []
    for key in sorted(groups, key=lambda group: group.order):
        beyond = [part for part in groups[key] if part.beyond > 0]
        for first in range(0, len(beyond), LINES_MAX):
            piece = beyond[first : first + LINES_MAX]
            if not any(_net(part) for part in piece):
                continue
            for part in piece:
                part.entry.line_id = new_id()
            orders.append(_order(key, piece))
            ordered.append(piece)
    ids = draft_invoices(actor=actor, orders=orders, on=on, at=at) if orders else []
    for invoice_id, piece in zip(ids, ordered, strict=True):
        for part in piece:
            part.entry.invoice_id = invoice_id
    _write(parts, at)
    _tell(parts)
    return Settled(ids, len(parts), sum(part.beyond == 0 for part in parts))


def _parts(wanted: Q, on: date, *, is_hurried: bool = False) -> list[_Part]:
    """The unbilled entries of these, locked, with what their retainers bear, in the order of their days.

    In a hurry, what somebody else holds in this moment is left out instead of waited for.
    """
    wanted &= Q(status=EntryStatus.APPROVED, is_billable=True)
    kinds: tuple[Any, ...] = (TimeEntry, Expense)
    named = {one for kind in kinds for one in kind.objects.filter(wanted).values_list("retainer_id", flat=True)}
    locked = Retainer.objects.select_for_update(of=("self",), no_key=True, skip_locked=is_hurried)
    found = locked.filter(id__in=named - {None})
    retainers = {one.pk: one for one in found.select_related("subscription_item__subscription").order_by("id")}
    # What was approved with another retainer since that was read waits for the next run.
    wanted &= Q(retainer=None) | Q(retainer__in=list(retainers))
    entries: list[TimeEntry | Expense] = [
        one
        for kind in kinds
        for one in kind.objects.select_for_update(of=("self",), skip_locked=is_hurried).filter(wanted).order_by("id")
    ]
    uses = uses_of(list(retainers.values()), with_open=False)
    for one in entries:
        if one.retainer_id is not None:
            uses[one.retainer_id].append(Use(one.pk, one.day, quantity_of(one, retainers[one.retainer_id])))
    burned = {key: burn(terms_of(retainer), uses[key], on) for key, retainer in retainers.items()}
    parts = []
    for one in sorted(entries, key=lambda one: (one.day, one.pk)):
        if one.retainer_id is None:
            parts.append(_Part(one, None, (), quantity_of(one, None) or _quantity_without_price(one)))
            continue
        known = burned[one.retainer_id]
        period = known.period_of(one.day)
        parts.append(_Part(one, retainers[one.retainer_id], known.draws[one.pk], known.overage[one.pk], period))
    return parts


def _quantity_without_price(entry: TimeEntry | Expense) -> Decimal:
    """Time at the price zero still stands on the document."""
    return entry.hours if isinstance(entry, TimeEntry) else ZERO


def _order(key: _Group, parts: Sequence[_Part]) -> DraftOrder:
    return DraftOrder(
        account_id=key.account_id,
        entity_id=key.entity_id,
        currency=key.currency,
        terms_id=key.terms_id,
        po_number=key.po_number,
        references=key.references,
        reference_values=key.reference_values,
        lines=tuple(_line(part) for part in parts),
        service_from=min(part.entry.day for part in parts),
        service_to=max(part.entry.day for part in parts) + timedelta(days=1),
    )


def _line(part: _Part) -> OrderLine:
    """The line of what no retainer bears. Part of an entry's worth says which part."""
    entry, retainer = part.entry, part.retainer
    net: Decimal | None = None
    share = ""
    quantity, unit, price = Decimal(1), "", ZERO
    if isinstance(entry, Expense):
        price = entry.amount
    else:
        quantity, unit, price = entry.hours, "h", entry.rate or ZERO
    if retainer is not None and retainer.unit == Unit.HOURS and isinstance(entry, TimeEntry):
        quantity = part.beyond
        price = retainer.overage_rate if retainer.overage_rate is not None else price
    elif part.covered:
        net, share = part.beyond, f"{_plain(part.beyond)}/{_plain(worth_of(entry))}"
    return OrderLine(
        line_id=entry.line_id,
        description=entry.description,
        detail=entry.person_name,
        quantity=quantity,
        unit=unit,
        unit_price=price,
        tax_class=entry.tax_class,
        source=Sourced("", "rule", f"{_kind(entry)} approved by {entry.decided_by_name}", entry.pk),
        service_from=entry.day,
        service_to=entry.day + timedelta(days=1),
        net=net,
        share=share,
        why=_why(part),
    )


def _net(part: _Part) -> Decimal:
    """What the line of an entry comes to."""
    line = _line(part)
    return line.net if line.net is not None else rounded(line.quantity * line.unit_price, part.entry.currency).amount


def _kind(entry: TimeEntry | Expense) -> str:
    return "Time" if isinstance(entry, TimeEntry) else "Expense"


def _why(part: _Part) -> str:
    if part.retainer is None:
        return ""
    period, burned = part.period, None
    if period is not None:
        burned = Burned(Period(period.start, period.end), period.used, period.opening + period.granted)
    unit = "h" if part.retainer.unit == Unit.HOURS else part.retainer.currency
    return BeyondRetainer(part.beyond, part.covered + part.beyond, unit, part.retainer.title, burned).kept


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _write(parts: Sequence[_Part], at: datetime) -> None:
    for part in parts:
        entry = part.entry
        entry.status, entry.settled_at, entry.covered = EntryStatus.SETTLED, at, part.covered
        entry.held_at = None
        entry.version += 1
    for kind in (TimeEntry, Expense):
        update_rows([part.entry for part in parts if isinstance(part.entry, kind)], _SETTLED)
    insert_rows(
        Draw(
            id=new_id(),
            created_at=at,
            retainer_id=part.retainer.pk,
            time_id=part.entry.pk if isinstance(part.entry, TimeEntry) else None,
            expense_id=part.entry.pk if isinstance(part.entry, Expense) else None,
            granted_on=draw.granted_on,
            quantity=draw.quantity,
        )
        for part in parts
        if part.retainer is not None
        for draw in part.draws
    )


def _tell(settled: Sequence[_Part]) -> None:
    groups: dict[_Group, list[_Part]] = defaultdict(list)
    for part in settled:
        groups[part.group].append(part)
    lines = [part.entry.line_id for part in settled if part.entry.line_id]
    nets = dict(InvoiceLine.objects.filter(id__in=lines).values_list("id", "net")) if lines else {}
    for group, parts in sorted(groups.items(), key=lambda pair: pair[0].order):
        pieces: dict[UUID | None, list[_Part]] = defaultdict(list)
        for part in parts:
            pieces[part.entry.invoice_id].append(part)
        for invoice_id, piece in pieces.items():
            net = sum((nets[part.entry.line_id] for part in piece if part.entry.line_id), ZERO)
            emit(
                events.EntriesBilled(
                    account_id=group.account_id,
                    invoice_id=invoice_id,
                    count=len(piece),
                    net=net,
                    currency=group.currency,
                )
            )


# With the run ---------------------------------------------------------------------------------------------------------


@dataclass
class Joining:
    """What is unbilled of the accounts of a chunk, on its way to the documents of the billing run."""

    riders: tuple[Rider, ...]
    parts: tuple[_Part, ...]
    at: datetime

    def settle(self, placed: Mapping[UUID, UUID]) -> None:
        """Settle what retainers bore whole and what found a document. The rest stays unbilled."""
        settled = []
        for part in self.parts:
            line_id = part.entry.line_id
            part.entry.invoice_id = placed.get(line_id) if line_id is not None else None
            if part.beyond == 0 or part.entry.invoice_id is not None:
                settled.append(part)
        _write(settled, self.at)
        _tell(settled)


def ridden_since(account_ids: Sequence[UUID], since: datetime) -> dict[UUID, Decimal]:
    """What time and expenses of these accounts on recurring documents since a moment come to, as far as they stand
    there still.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RIDDEN, {"accounts": list(account_ids), "since": since})
        return dict(cursor.fetchall())


_RIDDEN = """
SELECT entry.account_id, SUM(line.net)
FROM (
    SELECT account_id, line_id, invoice_id FROM retainers_timeentry
    WHERE account_id = ANY(%(accounts)s) AND status = 'settled' AND settled_at >= %(since)s
    UNION ALL
    SELECT account_id, line_id, invoice_id FROM retainers_expense
    WHERE account_id = ANY(%(accounts)s) AND status = 'settled' AND settled_at >= %(since)s
) entry
JOIN invoicing_invoiceline line ON line.id = entry.line_id
JOIN invoicing_invoice invoice ON invoice.id = entry.invoice_id
WHERE invoice.origin = 'subscription'
GROUP BY entry.account_id
"""


@adds_riders("retainers.unbilled", ridden=ridden_since)
def unbilled_of(account_ids: Sequence[UUID], on: date, at: datetime) -> Joining | None:
    """What is approved and unbilled of these accounts up to a day; nothing where there is none.

    What was released from a draft waits for a person. What somebody is billing or changing in this moment waits too:
    the run never does.
    """
    if not _any_unbilled(account_ids, on):
        return None
    parts = _parts(Q(account__in=list(account_ids), day__lte=on, held_at=None), on, is_hurried=True)
    count: dict[_Group, int] = defaultdict(int)
    kept, riders = [], []
    for part in parts:
        if part.beyond > 0:
            count[part.group] += 1
            if count[part.group] > LINES_MAX:
                continue
            part.entry.line_id = new_id()
            riders.append(_rider(part))
        kept.append(part)
    return Joining(tuple(riders), tuple(kept), at)


def _any_unbilled(account_ids: Sequence[UUID], on: date) -> bool:
    accounts = list(account_ids)
    (found,) = read_together(Asked(_UNBILLED, (accounts, on, accounts, on)))
    return bool(found)


_UNBILLED = """
SELECT 1 FROM retainers_timeentry
WHERE account_id = ANY(%s) AND status = 'approved' AND is_billable AND held_at IS NULL AND day <= %s
UNION ALL
SELECT 1 FROM retainers_expense
WHERE account_id = ANY(%s) AND status = 'approved' AND is_billable AND held_at IS NULL AND day <= %s
LIMIT 1
"""


def _rider(part: _Part) -> Rider:
    """The line of an entry, with the terms and the PO number of the subscription that bills its retainer."""
    group = part.group
    return Rider(
        account_id=group.account_id,
        entity_id=group.entity_id,
        currency=group.currency,
        line=_line(part),
        net=_net(part),
        terms_id=group.terms_id,
        po_number=group.po_number,
        references=group.references,
        reference_values=group.reference_values,
    )


# When a period has ended ----------------------------------------------------------------------------------------------


@command("retainers.bill_ended", needs="retainers.bill")
def bill_ended(*, actor: Actor, entity_id: UUID, account_ids: Sequence[UUID], on: date, at: datetime) -> Settled:
    """Settle what of these accounts no recurring document takes though its period has ended, as drafts.

    See ``ended``. Repeated, it finds nothing to do. It never waits for what somebody else holds, since one transaction
    may do this for one company after the other, in another order than those who bill all of them at once.
    """
    due = ended(entity_id, on, account_ids=account_ids)
    wanted = Q(pk__in=[])
    for one in due:
        wanted |= Q(account=one.account_id, retainer=one.retainer_id, currency=one.currency, day__lt=one.before)
    return _drafted(actor, _parts(wanted & Q(entity=entity_id, held_at=None), on, is_hurried=True), on, at)


@command("retainers.put_off", needs="retainers.bill")
def put_off(*, actor: Actor, entity_id: UUID, account_id: UUID, why: str, on: date, at: datetime) -> UUID:
    """Leave what an account has unbilled at one of our companies until the next day, since it could not be drafted; its
    owner gets one task, whose id is answered.
    """
    kept, is_new = PutOff.objects.select_for_update(of=("self",)).get_or_create(
        account_id=account_id, entity_id=entity_id, defaults={"day": on, "created_at": at}
    )
    if not is_new:
        kept.day = on
        kept.version += 1
        kept.save()
    facts = billing_facts([account_id], on)[account_id]
    return open_task(
        actor=actor,
        kind="follow_up",
        title=f"Time and expenses of {facts.title} could not be billed"[:300],
        detail=f"{why}\nThey are tried again every day. Bill them by hand to see what is wrong, or do not bill them.",
        assignee_id=facts.owner_id,
        due_on=on,
        record_key="accounts.account",
        record_id=account_id,
        record_title=facts.title,
        account_id=account_id,
        cause=f"unbilled:{entity_id}:{account_id}",
    )


# Taking back ----------------------------------------------------------------------------------------------------------


@command("retainers.release_lost", needs="retainers.bill")
def release_lost(*, actor: Actor, invoice_ids: Sequence[UUID], at: datetime) -> int:
    """Make entries unbilled again whose line is on no document any more; answers how many.

    That is when a draft was discarded, or the line was taken off it. What a retainer bore of them is free again. A
    person decided so: nothing but a person bills them from now on.
    """
    wanted = list(invoice_ids)
    count: dict[tuple[UUID, UUID], int] = defaultdict(int)
    retainers = {
        retainer_id
        for kind in (TimeEntry, Expense)
        for retainer_id in _settled(kind, wanted).values_list("retainer_id", flat=True)
    }
    list(Retainer.objects.select_for_update(of=("self",)).filter(id__in=retainers - {None}).order_by("id"))
    for kind, link in ((TimeEntry, "time"), (Expense, "expense")):
        rows = list(_settled(kind, wanted).select_for_update(of=("self",)).order_by("id"))
        lost = list(_without_line(rows))
        Draw.objects.filter(**{f"{link}__in": [one.pk for one in lost]}).delete()
        for one in lost:
            count[one.account_id, one.invoice_id] += 1
            one.status, one.covered, one.settled_at = EntryStatus.APPROVED, ZERO, None
            one.invoice_id = one.line_id = None
            one.held_at = at
            one.version += 1
        update_rows(lost, _SETTLED)
    for (account_id, invoice_id), number in sorted(count.items()):
        emit(events.EntriesReleased(account_id=account_id, invoice_id=invoice_id, count=number))
    return sum(count.values())


def _settled(kind: Any, invoice_ids: Sequence[UUID]) -> Any:
    return kind.objects.filter(invoice_id__in=invoice_ids, status=EntryStatus.SETTLED)


def _without_line(rows: Sequence[Any]) -> Iterable[Any]:
    there = set(InvoiceLine.objects.filter(id__in=[one.line_id for one in rows]).values_list("id", flat=True))
    return (one for one in rows if one.line_id not in there)
