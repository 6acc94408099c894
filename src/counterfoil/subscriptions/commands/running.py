"""The billing run: what is due is claimed in chunks and written, by as many workers as there are, as often as one
likes.

A claim locks payers of due subscriptions and skips those that another worker has; what a chunk writes, and the note
that it is written, are one transaction. So a run that dies goes on where it was, and one that is repeated finds nothing
to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import accounts_paid_by, payer_sql
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.ledger.queries import entities
from counterfoil.plumbing.bulk import Asked, read_together, read_where, update_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.commands.billing import write
from counterfoil.subscriptions.commands.lines import Charged, charged
from counterfoil.subscriptions.commands.raising import any_planned, raise_prices, unraised
from counterfoil.subscriptions.commands.riding import joinable
from counterfoil.subscriptions.commands.starting import billing_policies
from counterfoil.subscriptions.models import BillingPolicy, Subscription
from counterfoil.subscriptions.ports import Rider, ridden_since, riders_of
from counterfoil.subscriptions.queries.runs import due_statement
from counterfoil.subscriptions.rules.billing import Due
from counterfoil.subscriptions.rules.bounds import Bounds, reason_to_park
from counterfoil.subscriptions.rules.grid import moment_of, next_day

CHUNK = 500

Reached = tuple[datetime, UUID]
"""How far a claim got in the order in which things are due: the last one's ``due_at`` and id."""

Held = tuple[Subscription, str]
"""A subscription that is to be parked, and why."""


@dataclass
class ChunkDone:
    """What one chunk of a run made. ``amounts`` are the net sums by currency; ``waiting`` is what was due and not
    billed, since a price of it has to rise first. ``reached`` is where the next chunk begins to look.
    """

    subscriptions: int = 0
    documents: int = 0
    parked: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    waiting: frozenset[UUID] = frozenset()
    reached: Reached | None = None


@command("subscriptions.bill_due", needs="subscriptions.run")
def bill_due(
    *,
    actor: Actor,
    on: date,
    at: datetime,
    chunk: int = CHUNK,
    run_id: UUID | None = None,
    entity_id: UUID | None = None,
    passing: Collection[UUID] = (),
    after: Reached | None = None,
) -> ChunkDone:
    """Bill up to a chunk of what is due as of ``on``, of one company or of all but for what is passed by; answers what
    it made, all zero when nothing is due.

    A subscription that cannot be billed, or whose account is beyond its bounds for the day, is parked with its reason,
    and the others go on. What a won deal started is reviewed before it goes out for the first time. Where a price
    should have risen by now and has not, since the customer is about to be told or another worker is at it, nothing is
    billed until it has. What rooms above have to bill of the same accounts goes on the same documents; where that, with
    what joined earlier on the day, takes an account beyond its amount, they are reviewed before they go out. Nothing is
    left out for ``after``, where an earlier chunk got to: it only spares looking once more at what that chunk billed.
    """
    done = ChunkDone()
    days = tuple((one, on) for one in ([entity_id] if entity_id is not None else entities()))
    claimed = _read(_ready(actor, _DueOn(days, passing), at, chunk, after, done))
    charges: list[Charged] = []
    held: list[Held] = []
    for loaded in load(claimed):
        subscription = loaded.subscription
        day = moment_of(on, subscription.basis, subscription.zone)
        until = Due(next_day(day, subscription.zone))
        try:
            charges.append(charged(loaded, until, loaded.settled_to))
        except (Refusal, ValueError, ArithmeticError) as error:
            held.append((subscription, f"It could not be worked out: {error}"))
    policies = billing_policies()
    allowed, beyond_bounds = _within_bounds(charges, policies, at)
    park([*held, *beyond_bounds], on, at)
    done.parked = len(held) + len(beyond_bounds)
    done.subscriptions = len(claimed)
    if allowed:
        _write(actor, allowed, policies, on, at, run_id, done)
    return done


def _write(
    actor: Actor,
    charges: Sequence[Charged],
    policies: Mapping[UUID, BillingPolicy],
    on: date,
    at: datetime,
    run_id: UUID | None,
    done: ChunkDone,
) -> None:
    """Write the documents, first those that go out at once, with what joins them, and note what that comes to."""
    reviewed = {entity_id for entity_id, policy in policies.items() if policy.is_reviewed}
    joining = riders_of(sorted({one.loaded.subscription.account_id for one in charges}), on, at)
    riders = [rider for each in joining for rider in each.riders]
    beyond = _beyond_bounds(charges, riders, policies, on, at)
    placed: dict[UUID, UUID] = {}
    for is_reviewed in (False, True):
        part = [one for one in charges if _is_reviewed(one.loaded, reviewed, beyond) is is_reviewed]
        if part:
            waiting = [
                rider
                for rider in riders
                if rider.line.line_id not in placed and (is_reviewed or rider.account_id not in beyond)
            ]
            written = write(actor, part, on=on, at=at, is_reviewed=is_reviewed, run_id=run_id, riders=waiting)
            done.documents += len(written.invoice_ids) + len(written.credit_note_ids)
            placed |= written.placed
    for each in joining:
        each.settle(placed)
    nets = [
        (one.loaded.subscription.currency, sum((each.net for each in one.differences), Decimal(0))) for one in charges
    ]
    nets += [(rider.currency, rider.net) for rider in riders if rider.line.line_id in placed]
    for currency, net in nets:
        done.amounts[currency] = done.amounts.get(currency, Decimal(0)) + net


@dataclass(frozen=True)
class _DueOn:
    """What is due as of a day of each company, but for what is passed by."""

    days: tuple[tuple[UUID, date], ...]
    passing: Collection[UUID]

    def where(self, condition: str, *values: Any) -> tuple[str, tuple[Any, ...]]:
        """A part of a statement that reads ``id``, ``due_at`` and ``account_id`` of it where a condition holds."""
        statement, given = due_statement(self.days)
        passed = "AND NOT due.id = ANY(%s)" if self.passing else ""
        return f"({statement}) due WHERE {condition} {passed}", (
            *given, *values, *([list(self.passing)] if self.passing else ()),
        )  # fmt: skip


def _ready(actor: Actor, due: _DueOn, at: datetime, chunk: int, after: Reached | None, done: ChunkDone) -> list[UUID]:
    """Claim a chunk, and raise the prices of it that should have risen; what waits for that is noted and left out."""
    ids, done.reached = _claim(due, chunk, after)
    if after is not None and not ids:
        ids, done.reached = _claim(due, chunk)
    if any_planned(ids):
        raise_prices(actor=actor, at=at, chunk=None, subscription_ids=ids)
        done.waiting = frozenset(unraised(at, ids))
        statement, values = due.where("due.id = ANY(%s)", ids)
        (found,) = read_together(Asked(f"SELECT id FROM {statement}", values))  # noqa: S608 - Django's own statement
        still = {subscription_id for (subscription_id,) in found} - done.waiting
        ids = [one for one in ids if one in still]
    return ids


def _claim(due: _DueOn, chunk: int, after: Reached | None = None) -> tuple[list[UUID], Reached | None]:
    """Lock what is due of the payers of what is due first, in the order of its accounts; and how far that got.

    The payers are locked before, and those that another worker has are skipped: nobody takes a part of what shares a
    document. No lock is waited for, so workers never stand in each other's way. What was billed stands at the head of
    the index until it is cleaned up, and a claim from the start would walk past all of it.
    """
    while first := _first_due(due, chunk, after):
        due_at, subscription_id, _ = first[-1]
        after = (due_at, subscription_id)
        payers = {payer_id for _, _, payer_id in first}
        (locked,) = read_together(Asked(_LOCK_PAYERS, (list(payers),)))
        if not locked:
            continue
        accounts = accounts_paid_by([payer_id for (payer_id,) in locked])
        statement, values = due.where("due.account_id = ANY(%s)", list(accounts))
        locking = f"SELECT id FROM {statement} ORDER BY account_id, id FOR UPDATE SKIP LOCKED"  # noqa: S608
        (found,) = read_together(Asked(locking, values))
        if found:
            return [subscription_id for (subscription_id,) in found], after
    return [], None


_LOCK_PAYERS = "SELECT id FROM accounts_account WHERE id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED"


def _first_due(due: _DueOn, count: int, after: Reached | None) -> list[tuple[datetime, UUID, UUID]]:
    """What is due first, behind where an earlier chunk got to: when, which, and who pays. Who pays is worked out for
    no more than is answered.
    """
    behind = () if after is None else after
    statement, values = due.where("(due.due_at, due.id) > (%s, %s)" if behind else "TRUE", *behind)
    asked = f"""
    SELECT first.due_at, first.id, {payer_sql("own")}
    FROM (SELECT * FROM {statement} ORDER BY due.due_at, due.id LIMIT %s) first
    CROSS JOIN LATERAL (SELECT * FROM accounts_account WHERE id = first.account_id OFFSET 0) own
    ORDER BY first.due_at, first.id
    """  # noqa: S608 - Django's own statement
    (found,) = read_together(Asked(asked, (*values, count)))
    return found


def _read(ids: Sequence[UUID]) -> list[Subscription]:
    """The subscriptions with these ids, in their order."""
    rows = {one.pk: one for one in read_where(Subscription, "id = ANY(%s)", list(ids))}
    return [rows[subscription_id] for subscription_id in ids]


def _is_reviewed(loaded: Loaded, reviewed: Collection[UUID], beyond: Collection[UUID]) -> bool:
    """By its company's policy, because its account is beyond its bounds with what joins, or because it comes from a
    deal and nothing of it was billed yet.
    """
    subscription = loaded.subscription
    is_first = subscription.deal_id is not None and all(row.billed_to is None for row in loaded.items.values())
    return is_first or subscription.entity_id in reviewed or subscription.account_id in beyond


def _within_bounds(
    charges: Sequence[Charged], policies: Mapping[UUID, BillingPolicy], at: datetime
) -> tuple[list[Charged], list[Held]]:
    """What may be written, and what is to be parked of the accounts that would go beyond their bounds of the day."""
    by_account: dict[UUID, list[Charged]] = defaultdict(list)
    for one in charges:
        by_account[one.loaded.subscription.account_id].append(one)
    if not policies:
        return list(charges), []
    written = _written_today(list(by_account), at)
    allowed: list[Charged] = []
    held: list[Held] = []
    for account_id, group in by_account.items():
        policy = policies.get(group[0].loaded.subscription.entity_id)
        reason = None
        if policy is not None:
            count, amount = written.get(account_id, (0, Decimal(0)))
            wanted = sum((abs(each.net) for one in group for each in one.differences), Decimal(0))
            bounds = Bounds(policy.most_documents_a_day, policy.most_amount_a_day)
            currencies = {one.loaded.subscription.currency for one in group}
            currency = currencies.pop() if len(currencies) == 1 else ""
            reason = reason_to_park(bounds, count + 1, amount + wanted, currency)
        if reason is None:
            allowed += group
        else:
            held += [(one.loaded.subscription, reason) for one in group]
    return allowed, held


def _beyond_bounds(
    charges: Sequence[Charged],
    riders: Sequence[Rider],
    policies: Mapping[UUID, BillingPolicy],
    on: date,
    at: datetime,
) -> set[UUID]:
    """The accounts that what joins, now or earlier on the day, takes beyond their amount of the day. They are not
    parked: the bounds of a run are there for mistakes of the machine, and people approved this; but people make
    mistakes too.
    """
    most = {
        entity_id: policy.most_amount_a_day
        for entity_id, policy in policies.items()
        if policy.most_amount_a_day is not None
    }
    bounded = [one for one in charges if one.loaded.subscription.entity_id in most]
    if not bounded:
        return set()
    allowed: dict[UUID, Decimal] = {}
    due: dict[UUID, Decimal] = defaultdict(Decimal)
    for one in bounded:
        subscription = one.loaded.subscription
        bound = most[subscription.entity_id]
        allowed[subscription.account_id] = min(bound, allowed.get(subscription.account_id, bound))
        due[subscription.account_id] += sum((abs(each.net) for each in one.differences), Decimal(0))
    joining = ridden_since(list(allowed), _midnight(at))
    for rider in joinable(bounded, riders, on) if riders else ():
        joining[rider.account_id] = joining.get(rider.account_id, Decimal(0)) + rider.net
    concerned = [account_id for account_id in joining if account_id in allowed]
    written = _written_today(concerned, at) if concerned else {}
    return {
        account_id
        for account_id in concerned
        if written.get(account_id, (0, Decimal(0)))[1] + due[account_id] + joining[account_id] > allowed[account_id]
    }


def _written_today(account_ids: Sequence[UUID], at: datetime) -> dict[UUID, tuple[int, Decimal]]:
    """How many documents, and how much, the ledger of billed periods holds of each account since midnight."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.account_id, COUNT(DISTINCT b.invoice_id), COALESCE(SUM(abs(b.net)), 0)
            FROM subscriptions_billedperiod b JOIN subscriptions_subscription s ON s.id = b.subscription_id
            WHERE s.account_id = ANY(%s) AND b.created_at >= %s GROUP BY s.account_id
            """,
            [list(account_ids), _midnight(at)],
        )
        return {account_id: (count, amount) for account_id, count, amount in cursor.fetchall()}


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def park(held: Sequence[Held], on: date, at: datetime) -> None:
    """Hold these back, each for its reason, until a person looks at them. One statement."""
    for subscription, reason in held:
        subscription.parked_at = at
        subscription.parked_reason = reason[:500]
        subscription.version += 1
        emit(
            events.SubscriptionParked(
                subscription_id=subscription.pk,
                account_id=subscription.account_id,
                title=subscription.title,
                from_on=on,
                reason=subscription.parked_reason,
            )
        )
    update_rows([subscription for subscription, _ in held], ["parked_at", "parked_reason", "version"])


@command("subscriptions.unpark_subscription", needs="subscriptions.change")
def unpark_subscription(*, actor: Actor, subscription_id: UUID, on: date) -> None:
    """Let a parked subscription be billed again, from the next run on."""
    subscription = Subscription.objects.select_for_update().filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound("This subscription does not exist.", "subscription")
    if subscription.parked_at is None:
        raise Conflict("not_parked", "This subscription is not parked.")
    subscription.parked_at = None
    subscription.parked_reason = ""
    subscription.version += 1
    subscription.save()
    emit(
        events.SubscriptionUnparked(
            subscription_id=subscription.pk, account_id=subscription.account_id, title=subscription.title, from_on=on
        )
    )
