"""The watchdog: a plain loop outside the queue, so that the queue's own trouble cannot stop it.

It returns the jobs of dead workers, a bounded number of times; runs the sweeps; notices when no worker is alive; and
forgets what nobody needs any more. Every step may be taken by several watchdogs at once, and a step that fails does not
stop the others. Instants are the database's own: a demo installation's moved clock does not make a worker look dead.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from django.db import OperationalError, close_old_connections, connection, transaction
from procrastinate.contrib.django import app as queue

from counterfoil.plumbing.alarms import close_alarm, open_alarm
from counterfoil.plumbing.jobs import MAX_ATTEMPTS, SOON_SECONDS, all_sweeps
from counterfoil.plumbing.worker import LOCK_CLASS, SILENT_AFTER_SECONDS

ROUND_SECONDS = 2.0
SWEEP_SECONDS = 30.0
TIDY_SECONDS = 3600.0
WORKER_MISSED_SECONDS = 30
JOBS_KEPT_DAYS = 7
KEYS_KEPT_DAYS = 2

log = logging.getLogger("counterfoil.watchdog")


def watch(stop: threading.Event) -> None:
    """Go round until ``stop`` is set."""
    watchdog = Watchdog()
    while not stop.is_set():
        close_old_connections()
        watchdog.round()
        stop.wait(ROUND_SECONDS)


class Watchdog:
    """Remembers between rounds whom it suspects, and when it swept and tidied last."""

    def __init__(self) -> None:
        self._suspects: set[int] = set()
        self._stalled: set[int] = set()
        self._failing: set[str] = set()
        self._swept_at = self._tidied_at = float("-inf")

    def round(self) -> None:
        """Everything that is due now. Trouble with one step is logged and becomes an alarm; the other steps go on."""
        try:
            beat()
        except OperationalError as error:
            log.warning("The database does not answer: %s", str(error).splitlines()[0])
            connection.close()
            return
        self._step("dead workers", self._bury_workers)
        self._step("stalled jobs", self._return_jobs)
        self._step("failed jobs", report_failed_jobs)
        self._step("missing worker", report_missing_worker)
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            for sweep in all_sweeps():
                self._step(sweep.name, sweep.find)
        if time.monotonic() - self._tidied_at >= TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            self._step("tidying", tidy)

    def _step(self, name: str, step: Callable[[], object]) -> None:
        try:
            with transaction.atomic():
                step()
                if name in self._failing:
                    close_alarm(f"watchdog.{name}")
            self._failing.discard(name)
        except OperationalError as error:
            log.warning("The watchdog's step “%s” met trouble with the database: %s", name, str(error).splitlines()[0])
            connection.close()
        except Exception as error:
            log.exception("The watchdog's step “%s” failed", name)
            self._failing.add(name)
            open_alarm(f"watchdog.{name}", f"The watchdog's step “{name}” fails: {error}")

    def _bury_workers(self) -> None:
        """Strike off workers whose lock is free in two rounds in a row, or whose heartbeat ran out: their jobs are
        nobody's.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT id, last_heartbeat < now() - make_interval(secs => %s),
                       pg_try_advisory_xact_lock(%s, id::integer)
                FROM procrastinate_workers
                """,
                [SILENT_AFTER_SECONDS, LOCK_CLASS],
            )
            found = cursor.fetchall()
            free = {worker for worker, _, is_free in found if is_free}
            dead = (free & self._suspects) | {worker for worker, is_silent, _ in found if is_silent}
            self._suspects = free - dead
            if dead:
                log.warning("Workers %s are dead; their jobs are returned", sorted(dead))
                cursor.execute("DELETE FROM procrastinate_workers WHERE id = ANY(%s)", [sorted(dead)])

    def _return_jobs(self) -> None:
        """Return jobs that no living worker holds, when they were seen so in two rounds."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL")
            seen = {job for (job,) in cursor.fetchall()}
        ready = seen & self._stalled
        self._stalled = seen - ready
        if ready:
            return_jobs(sorted(ready))


def return_jobs(ids: list[int]) -> None:
    """Put stalled jobs back. Each return counts as an attempt; a job that used up its attempts is parked as failed.

    When the same work waits already, under the same key, the stalled job is closed instead: two may not wait at once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, task_name, attempts, queueing_lock FROM procrastinate_jobs
            WHERE id = ANY(%s) AND status = 'doing' AND worker_id IS NULL ORDER BY id FOR UPDATE SKIP LOCKED
            """,
            [ids],
        )
        for job, task_name, attempts, key in cursor.fetchall():
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo')", [key]
            )
            (waits_already,) = cursor.fetchone()
            if waits_already:
                cursor.execute("SELECT procrastinate_finish_job_v1(%s, 'aborted', false)", [job])
            elif attempts + 1 >= attempts_allowed(task_name):
                cursor.execute("SELECT procrastinate_finish_job_v1(%s, 'failed', false)", [job])
                log.error("Job %s (%s) was given up: it was cut off or failed %s times", job, task_name, attempts + 1)
            else:
                wait = min(2**attempts - 1, SOON_SECONDS)  # at once the first time, then later and later
                cursor.execute(
                    "SELECT procrastinate_retry_job_v2(%s, now() + make_interval(secs => %s), NULL, NULL, NULL)",
                    [job, wait],
                )
                log.warning("Job %s (%s) was returned after its worker died", job, task_name)


def attempts_allowed(task_name: str) -> int:
    """The bound that the job was registered with."""
    task = queue.tasks.get(task_name)
    strategy = task.retry_strategy if task is not None else None
    return getattr(strategy, "max_attempts", None) or MAX_ATTEMPTS


def beat() -> None:
    """Say that the watchdog lives."""
    detail = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plumbing_heartbeat (process, seen_at, detail) VALUES ('watchdog', now(), %s::jsonb) "
            "ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at, detail = excluded.detail",
            [detail],
        )


def report_missing_worker() -> None:
    """An alarm while no worker says that it lives."""
    silent = seconds_since("worker")
    if silent is not None and silent <= WORKER_MISSED_SECONDS:
        close_alarm("worker.missing")
    elif silent is not None:
        open_alarm(
            "worker.missing", f"No worker has been alive for {silent:.0f} seconds: nothing is sent or delivered."
        )


def seconds_since(process: str) -> float | None:
    """How long ago that kind of process was seen; ``None`` when it never was."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM now() - seen_at)::double precision FROM plumbing_heartbeat WHERE process = %s",
            [process],
        )
        row = cursor.fetchone()
    return None if row is None else row[0]


def report_failed_jobs() -> None:
    """One alarm for each kind of job of which some were given up; closed when none is left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, count(*) FROM procrastinate_jobs WHERE status = 'failed' GROUP BY task_name")
        failed = dict(cursor.fetchall())
        cursor.execute("SELECT key FROM plumbing_alarm WHERE closed_at IS NULL AND starts_with(key, 'job.failed.')")
        known = {key for (key,) in cursor.fetchall()}
    for task_name, count in failed.items():
        jobs = "1 job was" if count == 1 else f"{count} jobs were"
        open_alarm(f"job.failed.{task_name}", f"{jobs} given up after every attempt failed: {task_name}.")
    for key in known - {f"job.failed.{task_name}" for task_name in failed}:
        close_alarm(key)


def retry_failed_jobs() -> int:
    """Put every job that was given up back into the queue with fresh attempts; for a person who mended the cause."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE procrastinate_jobs job SET status = 'todo', attempts = 0, scheduled_at = NULL
            WHERE status = 'failed' AND (queueing_lock IS NULL OR NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs other
                WHERE other.queueing_lock = job.queueing_lock AND other.id <> job.id
                  AND (other.status = 'todo' OR (other.status = 'failed' AND other.id > job.id))))
            """
        )
        return int(cursor.rowcount)


def tidy() -> None:
    """Forget finished jobs, answered idempotency keys and ended sessions."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM procrastinate_jobs job WHERE status IN ('succeeded', 'aborted', 'cancelled') AND NOT EXISTS (
                SELECT 1 FROM procrastinate_events event
                WHERE event.job_id = job.id AND event.at > now() - make_interval(days => %s))
            """,
            [JOBS_KEPT_DAYS],
        )
        cursor.execute(
            "DELETE FROM plumbing_idempotencykey WHERE made_at < now() - make_interval(days => %s)", [KEYS_KEPT_DAYS]
        )
        cursor.execute("DELETE FROM django_session WHERE expire_date < now() - interval '1 day'")
        cursor.execute("DELETE FROM plumbing_cache WHERE expires < now()")
