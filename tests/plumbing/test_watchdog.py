"""Killed workers, returned jobs, bounds and alarms; with real worker processes where the promise is about processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db import InterfaceError, OperationalError, connection
from procrastinate.contrib.django import app as queue
from procrastinate.jobs import Job

from counterfoil.plumbing.alarms import close_alarm, open_alarm, open_alarms
from counterfoil.plumbing.jobs import MAX_ATTEMPTS, all_sweeps, enqueue, job, run_waiting_jobs, sweep
from counterfoil.plumbing.watchdog import Watchdog, attempts_allowed, retry_failed_jobs, return_jobs

JOBS = """
import os, signal, time
from django.db import connection
from counterfoil.plumbing.jobs import enqueue, job

def note(text):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plumbing_receipt (event_id, subscriber, taken_at) "
            "VALUES (gen_random_uuid(), %s, now())",
            [text],
        )

@job("tests.sleep")
def sleep(label, seconds):
    note(f"begun {label}")
    time.sleep(seconds)
    note(f"done {label}")

@job("tests.poison", attempts=2)
def poison():
    note("poisoned")
    os.kill(os.getpid(), signal.SIGKILL)

@job("tests.parent")
def parent():
    from django.db import transaction
    try:
        with transaction.atomic():
            note("rolled back")
            enqueue("tests.child")
            raise RuntimeError("undo")
    except RuntimeError:
        pass
    with transaction.atomic():
        enqueue("tests.child")
        note("kept")

@job("tests.child")
def child():
    note("child ran")
"""

PROGRAM = f"""
import django; django.setup()
from django.db import connection
{JOBS}
from counterfoil.plumbing.worker import work
work(2, wait=True)
"""


@job("tests.sleep")
def _sleep(label: str, seconds: int) -> None:
    raise AssertionError("only the worker process runs this")


@job("tests.poison", attempts=2)
def _poison() -> None:
    raise AssertionError("only the worker process runs this")


@job("tests.parent")
def _parent() -> None:
    raise AssertionError("only the worker process runs this")


@job("tests.child")
def _child() -> None:
    raise AssertionError("only the worker process runs this")


@pytest.fixture
def start_worker() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts real workers on the test database."""
    workers: list[subprocess.Popen[bytes]] = []
    settings = connection.settings_dict
    host = settings["HOST"].replace("/", "%2F")
    password = f":{settings['PASSWORD']}" if settings["PASSWORD"] else ""
    address = f"postgres://{settings['USER']}{password}@{host}:{settings['PORT'] or 5432}/{settings['NAME']}"

    def start() -> subprocess.Popen[bytes]:
        environment = os.environ | {"DATABASE_URL": address}
        workers.append(subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 40, watchdog: Watchdog | None = None) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this did not happen in time"
        if watchdog is not None:
            watchdog.round()
        time.sleep(0.2)


def notes() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT subscriber FROM plumbing_receipt ORDER BY id")
        return [text for (text,) in cursor.fetchall()]


def jobs() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, status, attempts FROM procrastinate_jobs ORDER BY id")
        return cursor.fetchall()


@pytest.mark.django_db(transaction=True)
def test_killed_workers_job_is_done_by_the_next(start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    """kill -9 of a worker in the middle of a job: the watchdog returns the job and the next worker does it."""
    enqueue("tests.sleep", label="a", seconds=2)
    first = start_worker()
    wait_for(lambda: notes() == ["begun a"])
    assert jobs() == [("tests.sleep", "doing", 0)]
    first.kill()
    first.wait()
    watchdog = Watchdog()
    wait_for(lambda: jobs() == [("tests.sleep", "todo", 1)], seconds=10, watchdog=watchdog)
    start_worker()
    wait_for(lambda: jobs() == [("tests.sleep", "succeeded", 2)], watchdog=watchdog)
    assert notes() == ["begun a", "begun a", "done a"]


@pytest.mark.django_db(transaction=True)
def test_living_worker_keeps_its_job(start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    """A job that a living worker runs is left to it, however often the watchdog comes round."""
    enqueue("tests.sleep", label="long", seconds=4)
    start_worker()
    watchdog = Watchdog()
    wait_for(lambda: jobs() == [("tests.sleep", "succeeded", 1)], watchdog=watchdog)
    assert notes() == ["begun long", "done long"]


@pytest.mark.django_db(transaction=True)
def test_poison_job_is_parked(start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    """A job that kills every worker is given up after its attempts, and an alarm says so until it is put back."""
    enqueue("tests.poison")
    watchdog = Watchdog()
    for _ in range(2):
        worker = start_worker()
        wait_for(lambda worker=worker: worker.poll() is not None)  # type: ignore[misc]
        assert worker.returncode == -signal.SIGKILL
        wait_for(lambda: jobs()[0][1] != "doing", seconds=10, watchdog=watchdog)
    assert jobs() == [("tests.poison", "failed", 2)]
    assert notes() == ["poisoned", "poisoned"]
    watchdog.round()
    assert "1 job was given up after every attempt failed: tests.poison." in [one.message for one in open_alarms()]
    assert retry_failed_jobs() == 1
    assert jobs() == [("tests.poison", "todo", 0)]
    watchdog.round()
    assert [one.key for one in open_alarms() if one.key.startswith("job.failed")] == []


@pytest.mark.django_db(transaction=True)
def test_jobs_of_a_job_share_its_transaction(start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    """What a job asks for inside a worker commits or vanishes with what the job changed."""
    enqueue("tests.parent")
    start_worker()
    wait_for(lambda: [row[:2] for row in jobs()] == [("tests.parent", "succeeded"), ("tests.child", "succeeded")])
    assert notes() == ["kept", "child ran"]


@pytest.mark.django_db(transaction=True)
def test_worker_ends_gracefully(start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    """SIGTERM lets the running job finish, starts no other, and the worker ends with code 0."""
    enqueue("tests.sleep", label="running", seconds=2)
    worker = start_worker()
    wait_for(lambda: notes() == ["begun running"])
    enqueue("tests.sleep", label="later", seconds=0)
    wait_for(lambda: "done later" in notes())
    enqueue("tests.sleep", label="last", seconds=2)
    wait_for(lambda: "begun last" in notes())
    worker.terminate()
    time.sleep(0.3)
    enqueue("tests.sleep", label="never", seconds=0)
    assert worker.wait(15) == 0
    assert jobs()[-2:] == [("tests.sleep", "succeeded", 1), ("tests.sleep", "todo", 0)]


def stall(key: str | None = None, attempts: int = 0, task: str = "tests.sleep") -> int:
    """A job left behind by a worker that is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, queueing_lock, attempts) "
            "VALUES ('default', %s, 'doing', %s, %s) RETURNING id",
            [task, key, attempts],
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_stalled_job_whose_work_waits_again() -> None:
    """A stalled job is closed when the same work waits already under its key, since two may not wait at once."""
    first = stall(key="same work")
    enqueue("tests.sleep", once="same work", label="b", seconds=0)
    return_jobs([first])
    assert [row[1] for row in jobs()] == ["aborted", "todo"]


@pytest.mark.django_db
def test_returns_are_bounded() -> None:
    """Each return counts as an attempt, and the last attempt's death parks the job."""
    assert attempts_allowed("tests.sleep") == MAX_ATTEMPTS
    almost, last = stall(attempts=MAX_ATTEMPTS - 2), stall(attempts=MAX_ATTEMPTS - 1)
    return_jobs([almost, last])
    assert jobs() == [("tests.sleep", "todo", MAX_ATTEMPTS - 1), ("tests.sleep", "failed", MAX_ATTEMPTS)]


@pytest.mark.django_db
def test_a_returned_job_does_not_wait_for_minutes() -> None:
    """At once the first time, then later and later, half a minute at most: the dead do not come back to their work."""
    returned = [stall(attempts=attempts) for attempts in range(MAX_ATTEMPTS - 1)]
    return_jobs(returned)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM scheduled_at - now())::integer FROM procrastinate_jobs ORDER BY id")
        assert [seconds for (seconds,) in cursor.fetchall()] == [0, 1, 3, 7, 15, 30, 30]


LOST = OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (ValueError("a bug"), [2, 4, 8, 16, 32, 64, 128, 256, *[None] * 10]),
        (LOST, [2, 4, 8, 16, *[30] * 12, None, None]),
        (InterfaceError("the connection is closed"), [2, 4, 8, 16, *[30] * 12, None, None]),
        (ExceptionGroup("2 documents", [LOST, ExceptionGroup("1", [LOST])]), [2, 4, 8, 16, *[30] * 12, None, None]),
        (ExceptionGroup("2 documents", [LOST, ValueError("a bug")]), [2, 4, 8, 16, 32, 64, 128, 256, *[None] * 10]),
    ],
)
def test_a_job_waits_less_for_the_database_than_for_itself(error: Exception, waits: list[int | None]) -> None:
    """What was cut off since PostgreSQL was gone is tried again soon, and more often; a job's own trouble has time."""
    task = queue.tasks["tests.sleep"]
    assert task.retry_strategy is not None
    found: list[int | None] = []
    for attempts in range(18):
        before = datetime.now(UTC)
        again = task.retry_strategy.get_retry_decision(
            exception=error, job=cast("Job", SimpleNamespace(attempts=attempts))
        )
        found.append(
            None if again is None or again.retry_at is None else round((again.retry_at - before).total_seconds())
        )
    assert found == waits


@pytest.mark.django_db
def test_failing_sweep_stops_no_other(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A sweep that breaks becomes an alarm, the others run, and the alarm closes when it works again."""
    ran: list[str] = []
    broken = [True]

    def first() -> int:
        if broken[0]:
            raise ValueError("no such column")
        return 0

    def second() -> int:
        ran.append("second")
        return 0

    monkeypatch.setattr("counterfoil.plumbing.jobs._sweeps", {})
    sweep("a.first")(first)
    sweep("b.second")(second)
    assert [one.name for one in all_sweeps()] == ["a.first", "b.second"]
    monkeypatch.setattr("counterfoil.plumbing.watchdog.SWEEP_SECONDS", 0)
    watchdog = Watchdog()
    watchdog.round()
    assert ran == ["second"]
    messages = {one.key: one.message for one in open_alarms()}
    assert messages["watchdog.a.first"] == "The watchdog's step “a.first” fails: no such column"
    broken[0] = False
    watchdog.round()
    assert "watchdog.a.first" not in {one.key for one in open_alarms()}


@pytest.mark.django_db
def test_missing_worker_is_an_alarm() -> None:
    """A worker that was not seen for long is an alarm, and its return closes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plumbing_heartbeat (process, seen_at, detail) "
            "VALUES ('worker', now() - interval '5 minutes', '{}')"
        )
    Watchdog().round()
    assert [one.message for one in open_alarms() if one.key == "worker.missing"] == [
        "No worker has been alive for 300 seconds: nothing is sent or delivered."
    ]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE plumbing_heartbeat SET seen_at = now() WHERE process = 'worker'")
    Watchdog().round()
    assert [one.key for one in open_alarms() if one.key == "worker.missing"] == []


@pytest.mark.django_db
def test_alarm_is_one_row_while_it_lasts() -> None:
    """An alarm that is seen twice is one row with the latest words; after closing, the next is a new row."""
    open_alarm("disk", "Nearly full")
    open_alarm("disk", "Full")
    assert [(one.key, one.message) for one in open_alarms()] == [("disk", "Full")]
    close_alarm("disk")
    close_alarm("disk")
    assert list(open_alarms()) == []
    open_alarm("disk", "Full again")
    assert [one.message for one in open_alarms()] == ["Full again"]


@pytest.mark.django_db
def test_old_finished_jobs_are_forgotten() -> None:
    """Jobs that ended a week ago are forgotten; failed ones are kept for a person to see."""
    from counterfoil.plumbing.watchdog import tidy

    for status in ("succeeded", "failed"):
        enqueue("tests.child")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE status = 'todo'", [status])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '8 days'")
    enqueue("tests.child")
    tidy()
    assert [row[1] for row in jobs()] == ["failed", "todo"]


@pytest.mark.django_db
def test_waiting_jobs_can_be_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests and demos run the waiting jobs in this process, in order; a job's error is raised."""
    ran: list[int] = []
    from procrastinate.contrib.django import app as queue

    monkeypatch.setattr(queue.tasks["tests.child"], "func", lambda n: ran.append(n))
    enqueue("tests.child", n=1)
    enqueue("tests.child", n=2)
    assert run_waiting_jobs() == 2
    assert ran == [1, 2]
    assert run_waiting_jobs() == 0
