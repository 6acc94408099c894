"""The job that checks, loads or undoes a batch, chunk by chunk."""

from __future__ import annotations

import logging
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.core.errors import Refusal
from counterfoil.importing import commands
from counterfoil.importing.models import Batch, BatchState
from counterfoil.importing.preparing import CHUNK
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import enqueue, job, sweep

_log = logging.getLogger("counterfoil.importing")
_BUSY = (BatchState.CHECKING, BatchState.LOADING, BatchState.UNDOING)


@job("importing.work", queue_name="imports")
def work(batch_id: str) -> None:
    """Work until the batch is done. A refused chunk is tried row by row, so one row never stops the others."""
    batch = Batch.objects.filter(id=batch_id).first()
    if batch is None:
        return
    actor = Actor("import", batch.made_by_id, batch.made_by_name, frozenset(batch.made_by_roles), "import")
    identity = UUID(batch_id)
    while _next_chunk(actor, identity):
        continue


def _next_chunk(actor: Actor, batch_id: UUID) -> bool:
    now, today = clock.now(), clock.today()
    try:
        return commands.work_chunk(actor=actor, batch_id=batch_id, on=today, at=now)
    except Refusal:
        _log.info("a chunk of import %s was refused; its rows are tried one by one", batch_id)
    return _row_by_row(actor, batch_id)


def _row_by_row(actor: Actor, batch_id: UUID) -> bool:
    now, today = clock.now(), clock.today()
    for _ in range(CHUNK):
        done = Batch.objects.values_list("done_count", flat=True).get(id=batch_id)
        try:
            if not commands.work_chunk(actor=actor, batch_id=batch_id, on=today, at=now, size=1):
                return False
        except Refusal as refusal:
            number = commands.next_number(batch_id, done)
            if number is None:
                commands.stop_batch(actor=actor, batch_id=batch_id, failure=refusal.message)
                return False
            commands.set_aside(actor=actor, batch_id=batch_id, number=number, problems=refusal.problems)
    return True


@sweep("importing.unfinished_batches")
def unfinished_batches() -> int:
    """Batches that are at work according to their row, but for which no job waits or runs."""
    found = 0
    for batch_id in Batch.objects.filter(state__in=_BUSY).values_list("id", flat=True):
        enqueue("importing.work", once=f"importing:{batch_id}", batch_id=batch_id)
        found += 1
    return found
