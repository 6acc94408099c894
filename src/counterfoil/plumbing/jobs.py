"""The seam to the job queue (procrastinate).

A job's row is written on Django's own connection, so it commits or vanishes with the change that asked for it. A job is
a doorway: its arguments are ids, it may run twice, it has a retry limit, and no promise hangs on "the job ran": for
each kind of due work a *sweep* finds the rows that are due and asks for the job again. The watchdog runs the sweeps and
returns stalled jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection
from procrastinate import RetryDecision, RetryStrategy
from procrastinate.contrib.django import app as queue
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job

from counterfoil.plumbing.invariants import invariant
from counterfoil.plumbing.scratch import is_scratch

MAX_ATTEMPTS = 8
SOON_SECONDS = 30
"""The longest wait of a job that was cut off: by its worker's death or by the database's. Nothing is to be waited for
but their return.
"""
# The queue's own function, given its many jobs as one JSON: the library's client takes a millisecond to write ten.
_DEFER = """
SELECT procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(%s, %s, %s, NULL, NULL, args, NULL)::procrastinate_job_to_defer_v1
    FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS given (args, place) ORDER BY place
))
"""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Sweep:
    """A plain function that finds due rows without a live job and asks for the job again. Returns how many."""

    name: str
    find: Callable[[], int]


_sweeps: dict[str, Sweep] = {}


class _Patience(RetryStrategy):
    """When a job is tried again. That the database went away meanwhile says nothing about the job."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if self.max_attempts is None or not _is_cut_off(exception):
            return super().get_retry_decision(exception=exception, job=job)
        if job.attempts >= 2 * self.max_attempts:
            return None
        return RetryDecision(retry_in={"seconds": min(2 ** (job.attempts + 1), SOON_SECONDS)})


def _is_cut_off(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_cut_off(one) for one in error.exceptions)
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__ or error, "sqlstate", None)
    return state is None or state.startswith(("08", "57P"))  # no connection, or one that the server ended


def job(name: str, *, queue_name: str = "default", attempts: int = MAX_ATTEMPTS) -> Callable[[F], F]:
    """Register a job under its public name.

    It waits 2, 4, 8 … seconds between attempts, at most ``SOON_SECONDS`` where the database was gone, and then up to
    twice as many times. After that it stays failed and visible.
    """

    def register(function: F) -> F:
        queue.task(
            name=name,
            queue=queue_name,
            retry=_Patience(max_attempts=attempts, exponential_wait=2),
        )(function)
        return function

    return register


def enqueue_many(name: str, arguments: Sequence[Mapping[str, Any]]) -> None:
    """Ask for one job per set of arguments, all in one statement of the present transaction."""
    if not arguments or is_scratch():
        return
    task = queue.tasks[name]
    plain = [{key: _plain(value) for key, value in one.items()} for one in arguments]
    with connection.cursor() as cursor:
        cursor.execute(_DEFER, [task.queue, name, task.priority, json.dumps(plain)])


def enqueue(name: str, *, once: str | None = None, **arguments: Any) -> None:
    """Ask for a job in the present transaction. With ``once``, do nothing while a job of that key still waits."""
    if is_scratch():
        return
    plain = {key: _plain(value) for key, value in arguments.items()}
    if once is not None:
        waiting = ProcrastinateJob.objects.filter(queueing_lock=once, status="todo").exists()
        if waiting:
            return
    try:
        queue.configure_task(name, queueing_lock=once).defer(**plain)
    except AlreadyEnqueued:
        return


def _plain(value: Any) -> Any:
    return str(value) if hasattr(value, "hex") and not isinstance(value, bytes) else value


def sweep(name: str) -> Callable[[Callable[[], int]], Callable[[], int]]:
    def register(function: Callable[[], int]) -> Callable[[], int]:
        _sweeps[name] = Sweep(name, function)
        return function

    return register


def all_sweeps() -> list[Sweep]:
    return [_sweeps[name] for name in sorted(_sweeps)]


def run_waiting_jobs(limit: int = 10_000) -> int:
    """Run every waiting job in this process and thread, in order, and return how many ran.

    For tests and for ``counterfoil demo``: a worker does the same from another process. An error of a job is raised.
    """
    done = 0
    while done < limit:
        waiting = ProcrastinateJob.objects.filter(status="todo").order_by("id").first()
        if waiting is None:
            return done
        # procrastinate's own model refuses writes, so the state is moved in SQL.
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [waiting.id])
        task = queue.tasks[waiting.task_name]
        task.func(**waiting.args)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", [waiting.id])
        done += 1
    raise AssertionError(f"more than {limit} jobs: a job asks for itself again and again")


@invariant("J1", "no job has been without a living worker for more than five minutes while it counts as running")
def forgotten_jobs() -> str:
    return """
        SELECT job.id, job.task_name FROM procrastinate_jobs job
        WHERE job.status = 'doing' AND job.worker_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM procrastinate_events event
            WHERE event.job_id = job.id AND event.at > now() - interval '5 minutes')
    """
