"""The billing run: what is due is claimed in chunks and written, by as many workers as there are, as often as one
likes.

A claim locks accounts with due subscriptions and skips those that another worker has; what a chunk writes, and the note
that it is written, are one transaction. So a run that dies goes on where it was, and one that is repeated finds nothing
to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.plumbing.bulk import read_where
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.commands.billing import Charged, write
from counterfoil.subscriptions.commands.increasing import any_planned, raise_prices, unraised
from counterfoil.subscriptions.commands.starting import billing_policies
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.billing import Due, differences
from counterfoil.subscriptions.rules.bounds import Bounds, reason_to_park
from counterfoil.subscriptions.rules.grid import day_of, moment_of, next_day, restored

CHUNK = 500

# What a won deal started waits until the draft of the deal, and then the first document of its own, is issued.
_IS_DUE = """
s.due_at < %(before)s AND s.parked_at IS NULL AND (%(entity)s::uuid IS NULL OR s.entity_id = %(entity)s)
AND (s.deal_id IS NULL OR NOT EXISTS (
    SELECT 1 FROM invoicing_invoice i
    WHERE i.deal_id = s.deal_id AND i.quote_version = s.quote_version AND i.status IN ('draft', 'returned')
) AND NOT EXISTS (
    SELECT 1 FROM subscriptions_billedperiod b JOIN invoicing_invoice i ON i.id = b.invoice_id
    WHERE b.subscription_id = s.id AND i.status = 'draft'
))
"""
# The accounts of what is due first. Each is locked, so that no other worker takes a part of what shares a document;
# accounts that share a payer are claimed one by one, and theirs may share a document or not.
_ACCOUNTS = f"""
SELECT s.account_id FROM subscriptions_subscription s JOIN accounts_account a ON a.id = s.account_id WHERE {_IS_DUE}
ORDER BY s.due_at, s.id LIMIT %(chunk)s
FOR NO KEY UPDATE OF a SKIP LOCKED
"""  # noqa: S608 - constants
_CLAIM = f"""
SELECT s.id FROM subscriptions_subscription s WHERE s.account_id = ANY(%(accounts)s) AND {_IS_DUE}
ORDER BY s.account_id, s.id FOR UPDATE OF s SKIP LOCKED
"""  # noqa: S608 - constants


@dataclass
class ChunkDone:
    """What one chunk of a run made. ``amounts`` are the net sums by currency."""

    subscriptions: int = 0
    documents: int = 0
    parked: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)


@command("subscriptions.bill_due", needs="subscriptions.run")
def bill_due(
    *,
    actor: Actor,
    on: date,
    at: datetime,
    chunk: int = CHUNK,
    run_id: UUID | None = None,
    entity_id: UUID | None = None,
) -> ChunkDone:
    """Bill up to a chunk of what is due as of ``on``, of one company or of all; answers what it made, all zero when
    nothing is due.

    A subscription that cannot be billed, or whose account is beyond its bounds for the day, is parked with its reason,
    and the others go on. What a won deal started is reviewed before it goes out for the first time. Where a price
    should have risen by now and has not, since the customer is about to be told or another worker is at it, nothing is
    billed until it has.
    """
    done = ChunkDone()
    claimed = _claim(on, chunk, entity_id)
    ids = [one.pk for one in claimed]
    if any_planned(ids):
        raise_prices(actor=actor, at=at, chunk=None, subscription_ids=ids)
        not_yet = unraised(at, ids)
        claimed = [one for one in _due_of(ids, on) if one.pk not in not_yet]
    charges: list[Charged] = []
    for loaded in load(claimed):
        subscription = loaded.subscription
        day = moment_of(on, subscription.basis, subscription.zone)
        due = Due(next_day(day, subscription.zone))
        try:
            found = differences(loaded.agreement, loaded.billed, due, since=loaded.settled_to)
        except (Refusal, ValueError, ArithmeticError) as error:
            park(loaded, f"It could not be worked out: {error}", on, at)
            done.parked += 1
            continue
        charges.append(Charged(loaded, found, due))
    allowed = _within_bounds(charges, on, at, done)
    reviewed = {entity_id for entity_id, policy in billing_policies().items() if policy.is_reviewed}
    for is_reviewed in (False, True):
        part = [one for one in allowed if _is_reviewed(one.loaded, reviewed) is is_reviewed]
        if part:
            written = write(actor, part, on=on, at=at, is_reviewed=is_reviewed, run_id=run_id)
            done.documents += len(written.invoice_ids) + len(written.credit_note_ids)
    done.subscriptions = len(claimed)
    for one in allowed:
        currency = one.loaded.subscription.currency
        net = sum((each.net for each in one.differences), Decimal(0))
        done.amounts[currency] = done.amounts.get(currency, Decimal(0)) + net
    return done


def _claim(on: date, chunk: int, entity_id: UUID | None) -> list[Subscription]:
    """Lock what is due. The day begins earlier in the east: what is not due in its own zone is left out."""
    before = next_day(moment_of(on, "seconds", "Etc/GMT+12"), "Etc/GMT+12")
    given: dict[str, Any] = {"before": before, "chunk": chunk, "entity": entity_id}
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, given)
        accounts = list({account_id for (account_id,) in cursor.fetchall()})
        cursor.execute(_CLAIM, {**given, "accounts": accounts})
        ids = [subscription_id for (subscription_id,) in cursor.fetchall()]
    return _due_of(ids, on)


def _due_of(ids: Sequence[UUID], on: date) -> list[Subscription]:
    """What is due of these, in their order."""
    rows = {one.pk: one for one in read_where(Subscription, "id = ANY(%s)", list(ids))}
    return [rows[subscription_id] for subscription_id in ids if _is_due(rows[subscription_id], on)]


def _is_reviewed(loaded: Loaded, reviewed: Collection[UUID]) -> bool:
    """By its company's policy, or because it comes from a deal and nothing of it was billed yet."""
    subscription = loaded.subscription
    is_first = subscription.deal_id is not None and all(row.billed_to is None for row in loaded.items.values())
    return is_first or subscription.entity_id in reviewed


def _is_due(one: Subscription, on: date) -> bool:
    return one.due_at is not None and day_of(restored(one.due_at, one.basis), one.zone) <= on


def _within_bounds(charges: Sequence[Charged], on: date, at: datetime, done: ChunkDone) -> list[Charged]:
    """What may be written; the accounts that would go beyond their bounds of the day are parked."""
    by_account: dict[UUID, list[Charged]] = defaultdict(list)
    for one in charges:
        by_account[one.loaded.subscription.account_id].append(one)
    policies = billing_policies()
    if not policies:
        return list(charges)
    written = _written_today(list(by_account), at)
    allowed: list[Charged] = []
    for account_id, group in by_account.items():
        policy = policies.get(group[0].loaded.subscription.entity_id)
        reason = None
        if policy is not None:
            count, amount = written.get(account_id, (0, Decimal(0)))
            wanted = sum((abs(each.net) for one in group for each in one.differences), Decimal(0))
            bounds = Bounds(policy.most_documents_a_day, policy.most_amount_a_day)
            reason = reason_to_park(bounds, count + 1, amount + wanted)
        if reason is None:
            allowed += group
            continue
        for one in group:
            park(one.loaded, reason, on, at)
            done.parked += 1
    return allowed


def _written_today(account_ids: Sequence[UUID], at: datetime) -> dict[UUID, tuple[int, Decimal]]:
    """How many documents, and how much, the ledger of billed periods holds of each account since midnight."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.account_id, COUNT(DISTINCT b.invoice_id), COALESCE(SUM(abs(b.net)), 0)
            FROM subscriptions_billedperiod b JOIN subscriptions_subscription s ON s.id = b.subscription_id
            WHERE s.account_id = ANY(%s) AND b.created_at >= %s GROUP BY s.account_id
            """,
            [list(account_ids), midnight],
        )
        return {account_id: (count, amount) for account_id, count, amount in cursor.fetchall()}


def park(loaded: Loaded, reason: str, on: date, at: datetime) -> None:
    """Hold it back until a person looks at it."""
    subscription = loaded.subscription
    subscription.parked_at = at
    subscription.parked_reason = reason[:500]
    subscription.version += 1
    subscription.save()
    emit(
        events.SubscriptionParked(
            subscription_id=subscription.pk,
            account_id=subscription.account_id,
            title=subscription.title,
            from_on=on,
            reason=subscription.parked_reason,
        )
    )


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
