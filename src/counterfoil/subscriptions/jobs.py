"""Billing what is due, and finding that something is."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import OperationalError

from counterfoil.access.actors import Actor
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import enqueue, job, sweep
from counterfoil.subscriptions import commands, queries

_log = logging.getLogger("counterfoil.subscriptions")
ACTOR = Actor.system("Billing run")


@job("subscriptions.bill", queue_name="billing")
def bill(run_id: str) -> None:
    """Bill chunk by chunk until nothing is due. A chunk that fails is tried account by account."""
    passed: set[UUID] = set()
    done = _next_chunk(UUID(run_id), passed, commands.ChunkDone())
    while done is not None:
        done = _next_chunk(UUID(run_id), passed, done)


def _next_chunk(run_id: UUID, passed: set[UUID], before: commands.ChunkDone) -> commands.ChunkDone | None:
    """None when nothing is left. What waits, since a price of it has to rise first, is added to ``passed``: it does
    not keep the chunks behind it from being billed.
    """
    try:
        done = commands.bill_chunk(actor=ACTOR, run_id=run_id, at=clock.now(), passing=passed, after=before.reached)
    except OperationalError:
        raise
    except Exception:
        _log.exception("a chunk of billing run %s failed; its accounts are tried one by one", run_id)
        done = commands.bill_one(actor=ACTOR, run_id=run_id, at=clock.now(), passing=passed)
        if done is None:
            raise  # no account is to blame: the job fails and is seen, and does not go round for ever
    else:
        passed |= done.waiting if done is not None else frozenset()
        return done
    for _ in range(commands.CHUNK - 1):
        passed |= done.waiting
        done = commands.bill_one(actor=ACTOR, run_id=run_id, at=clock.now(), passing=passed)
        if done is None:
            break
    return before


@job("subscriptions.plan_increase")
def plan_increase(increase_id: str) -> None:
    """Work out a price increase chunk by chunk."""
    while commands.plan_raises(actor=ACTOR, increase_id=UUID(increase_id), at=clock.now()):
        continue


# Two sweeps: a notice that cannot be sent keeps no price from rising of which the customer was told.
@sweep("subscriptions.increase_notices")
def increase_notices() -> int:
    """Mails about prices that rise, or do not after all."""
    return commands.send_notices(actor=ACTOR, at=clock.now())


@sweep("subscriptions.increases")
def increases() -> int:
    """Increases that no job works out any more, and prices whose day has come."""
    waiting = queries.unplanned_increases()
    for increase_id in waiting:
        enqueue("subscriptions.plan_increase", once=f"increase:{increase_id}", increase_id=increase_id)
    return len(waiting) + commands.raise_prices(actor=ACTOR, at=clock.now())


@sweep("subscriptions.pauses_to_end")
def pauses_to_end() -> int:
    """Pauses whose planned end has come."""
    return commands.end_pauses(actor=ACTOR, at=clock.now())


@sweep("subscriptions.due_subscriptions")
def due_subscriptions() -> int:
    """What is due and that no job will bill, and runs whose workers died."""
    now = clock.now()
    due = queries.count_due(now)
    if due:
        commands.start_run(actor=ACTOR, at=now)
    for run_id in queries.unfinished_runs():
        commands.ask_for_work(run_id, due)
    return due
