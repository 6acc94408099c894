"""The state of the installation: who lives, what waits, what failed, what is due and silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from counterfoil.plumbing.alarms import OpenAlarm, open_alarms
from counterfoil.plumbing.installation import InstallationFacts, installation

ALIVE_SECONDS = 60


@dataclass(frozen=True)
class Process:
    name: str
    seen_at: datetime | None
    is_alive: bool


@dataclass(frozen=True)
class JobKind:
    """Jobs of one name. ``oldest`` is since when the longest waiting one could have run."""

    name: str
    waiting: int
    running: int
    failed: int
    oldest: datetime | None


@dataclass(frozen=True)
class State:
    installation: InstallationFacts | None
    processes: Sequence[Process]
    jobs: Sequence[JobKind]
    alarms: Sequence[OpenAlarm]
    due_and_silent: int
    undelivered: int


def state() -> State:
    """Read at once, by the database's own clock."""
    return State(
        installation=installation(),
        processes=_processes(),
        jobs=_jobs(),
        alarms=open_alarms(),
        due_and_silent=_count(_SILENT),
        undelivered=_count(_UNDELIVERED),
    )


def _processes() -> list[Process]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT process, seen_at, seen_at > now() - make_interval(secs => %s) FROM plumbing_heartbeat",
            [ALIVE_SECONDS],
        )
        seen = {name: (at, is_alive) for name, at, is_alive in cursor.fetchall()}
    names = sorted({"worker", "watchdog"} | seen.keys())
    return [Process(name, *seen.get(name, (None, False))) for name in names]


def _jobs() -> list[JobKind]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT task_name,
                   count(*) FILTER (WHERE status = 'todo'),
                   count(*) FILTER (WHERE status = 'doing'),
                   count(*) FILTER (WHERE status = 'failed'),
                   min(COALESCE(scheduled_at, ready.at)) FILTER (WHERE status = 'todo')
            FROM procrastinate_jobs
            LEFT JOIN LATERAL (
                SELECT min(at) AS at FROM procrastinate_events WHERE job_id = procrastinate_jobs.id
            ) ready ON true
            WHERE status IN ('todo', 'doing', 'failed')
            GROUP BY task_name ORDER BY task_name
            """
        )
        return [JobKind(*row) for row in cursor.fetchall()]


# Due: could have run. Silent: nobody has taken it for five minutes. In a living installation this is zero.
_SILENT = """
SELECT count(*) FROM procrastinate_jobs job
WHERE status = 'todo' AND COALESCE(scheduled_at, now()) <= now()
  AND (SELECT min(at) FROM procrastinate_events WHERE job_id = job.id) < now() - interval '5 minutes'
  AND COALESCE(scheduled_at, '-infinity') < now() - interval '5 minutes'
"""
# Events of the last week of which no delivery is known, neither done nor asked for.
_UNDELIVERED = """
SELECT count(DISTINCT event.batch) FROM plumbing_outboxevent event
WHERE event.happened_at > now() - interval '7 days'
  AND NOT EXISTS (SELECT 1 FROM plumbing_receipt WHERE event_id = event.id)
  AND EXISTS (SELECT 1 FROM procrastinate_jobs job WHERE job.task_name = 'plumbing.deliver' AND job.status = 'failed'
              AND job.args ->> 'batch' = event.batch::text)
"""


def _count(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
