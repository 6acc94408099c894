"""Billing runs: a row that says what a pass over everything due has made, and what it held back and why.

The row is notes, not truth. What is billed is in the ledger; a run that dies is gone on with, and one that nobody noted
would have billed the same.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import NotFound
from counterfoil.core.ids import new_id
from counterfoil.ledger.queries import default_zone
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.plumbing.jobs import enqueue
from counterfoil.subscriptions.commands.running import CHUNK, ChunkDone, Reached, bill_due, park
from counterfoil.subscriptions.models import BillingRun, RunParking, RunState, Subscription
from counterfoil.subscriptions.queries.runs import due_at, local_days
from counterfoil.subscriptions.rules.grid import moment_of

WORKERS_MAX = 4
_LOCK = "subscriptions.billing"


@command("subscriptions.start_run", needs="subscriptions.run")
def start_run(*, actor: Actor, at: datetime) -> UUID | None:
    """Note a run over what is due and ask for its jobs; answers the one that is running already, or none when nothing
    is due.
    """
    on = moment_of(at, "actual_days", default_zone())
    running = BillingRun.objects.filter(on=on, state=RunState.RUNNING).first()
    expected = due_at(at).count()
    if running is None and not expected:
        return None
    if running is None:
        try:
            with transaction.atomic():
                running = BillingRun.objects.create(
                    id=new_id(), created_at=at, on=on, started_by_name=actor.name[:200], expected=expected
                )
        except IntegrityError:  # somebody else was faster
            running = BillingRun.objects.get(on=on, state=RunState.RUNNING)
    ask_for_work(running.pk, expected)
    return running.pk


def ask_for_work(run_id: UUID, due: int) -> None:
    """Ask for as many jobs as there are chunks, up to a few; each that waits already is asked for once."""
    for place in range(min(max(-(-due // CHUNK), 1), WORKERS_MAX)):
        enqueue("subscriptions.bill", once=f"billing:{run_id}:{place}", run_id=run_id)


@command("subscriptions.bill_chunk", needs="subscriptions.run")
def bill_chunk(
    *,
    actor: Actor,
    run_id: UUID,
    at: datetime,
    chunk: int = CHUNK,
    passing: Collection[UUID] = (),
    after: Reached | None = None,
) -> ChunkDone | None:
    """Bill a chunk of what is due and note it on the run; none when nothing is left for this worker but what it passes
    by. ``after`` is where its last chunk got to.

    Several workers may do so at once. The run ends with the worker that finds nothing due at all.
    """
    _hold(shared=True)
    run = _known(run_id)
    for entity_id, on in local_days(at).items():
        done = bill_due(
            actor=actor, on=on, at=at, chunk=chunk, run_id=run_id, entity_id=entity_id, passing=passing, after=after
        )
        if done.subscriptions:
            _note(run, done, at)
        if done.subscriptions or done.waiting:
            return done
    if not due_at(at).exists():
        _end(run, at)
    return None


@command("subscriptions.bill_one", needs="subscriptions.run")
def bill_one(*, actor: Actor, run_id: UUID, at: datetime, passing: Collection[UUID] = ()) -> ChunkDone | None:
    """Bill the account that is due first, and park it when that fails; none when nothing is due but what is passed by.

    For the worker whose chunk failed by a mistake that nobody foresaw, so that one account never stops the others. No
    other worker bills meanwhile, so that what is billed and what is parked on failure are of the same account, unless a
    person is changing that very account in this moment.
    """
    _hold(shared=False)
    run = _known(run_id)
    days = local_days(at)
    due = due_at(at).exclude(pk__among=passing)
    first = due.select_for_update(skip_locked=True).order_by("due_at", "id").first()
    if first is None:
        return None
    try:
        with transaction.atomic():
            done = bill_due(
                actor=actor,
                on=days[first.entity_id],
                at=at,
                chunk=1,
                run_id=run_id,
                entity_id=first.entity_id,
                passing=passing,
            )
            connection.check_constraints()
    except OperationalError:
        raise
    except Exception as error:
        done = ChunkDone(parked=_park_account(first, at, error))
    _note(run, done, at)
    return done if done.subscriptions or done.parked or done.waiting else None


def _park_account(first: Subscription, at: datetime, error: Exception) -> int:
    reason = f"It could not be billed: {type(error).__name__}: {error}"
    mine = list(due_at(at, [first.entity_id]).select_for_update().filter(account=first.account_id).order_by("id"))
    park([(one, reason) for one in mine], at.date(), at)
    return len(mine)


def _known(run_id: UUID) -> BillingRun:
    run = BillingRun.objects.filter(pk=run_id).first()
    if run is None:
        raise NotFound("This billing run does not exist.", "run")
    return run


def _hold(*, shared: bool) -> None:
    """Until the end of the transaction: bill beside others, or alone."""
    how = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {how}(hashtextextended(%s, 0))", [_LOCK])


def _note(run: BillingRun, done: ChunkDone, at: datetime) -> None:
    """Add what a chunk made to the run. Its row is locked last and for a moment."""
    _note_parked(run, at)
    locked = BillingRun.objects.select_for_update().get(pk=run.pk)
    locked.subscriptions += done.subscriptions or done.parked
    locked.documents += done.documents
    locked.parked += done.parked
    for currency, net in done.amounts.items():
        locked.totals[currency] = str(Decimal(locked.totals.get(currency, "0")) + net)
    locked.version += 1
    locked.save()


def _note_parked(run: BillingRun, at: datetime) -> None:
    """What this transaction has parked, which bears its very instant, with the reason of each."""
    noted = RunParking.objects.filter(run=run, parked_at=at).values("subscription")
    parked = Subscription.objects.filter(parked_at=at).exclude(pk__in=noted).order_by("id")
    insert_rows(
        RunParking(id=new_id(), run=run, subscription=one, reason=one.parked_reason, parked_at=at) for one in parked
    )


def _end(run: BillingRun, at: datetime) -> None:
    locked = BillingRun.objects.select_for_update().get(pk=run.pk)
    if locked.state == RunState.RUNNING:
        locked.state, locked.ended_at = RunState.DONE, at
        locked.version += 1
        locked.save()
