"""A worker: takes jobs from the queue and runs them, several at a time, until it is asked to stop.

A worker holds a lock of its own in PostgreSQL for as long as it lives. The server frees the lock in the moment in which
the worker's connection ends, also after ``kill -9``, so the watchdog need not wait for a heartbeat to run out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import procrastinate
import psycopg
from procrastinate.contrib.django import app as queue
from procrastinate.contrib.django.utils import connector_params
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker
from psycopg.types.json import Jsonb

PULSE_SECONDS = 2.0
HEARTBEAT_SECONDS = 5.0
SILENT_AFTER_SECONDS = 20.0
GRACE_SECONDS = 20.0
CONNECTION_SECONDS = 5.0
"""How long a worker waits for a connection. It asks twice while it ends, and must not outlive its server for long."""
LOCK_CLASS = 0xCF01
"""First half of every worker's advisory lock; the second half is the number procrastinate gave the worker."""

log = logging.getLogger("counterfoil.worker")


def work(concurrency: int, *, wait: bool = True) -> None:
    """Work until a signal says stop; running jobs are finished first. Without ``wait``, only until no job is left."""
    asyncio.run(_work(concurrency, wait))


async def _work(concurrency: int, wait: bool) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(concurrency, thread_name_prefix="job"))
    # The worker fetches jobs over connections of its own, while jobs go on asking for jobs over Django's: so what a job
    # asks for still commits or vanishes with what it changes. That is why the queue's own connector is not replaced.
    app = procrastinate.App(
        connector=PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=2, timeout=CONNECTION_SECONDS),
        worker_defaults=queue.worker_defaults,
    )
    app.tasks = queue.tasks
    async with app.open_async():
        worker = Worker(
            app=app,
            concurrency=concurrency,
            wait=wait,
            fetch_job_polling_interval=2.0,
            shutdown_graceful_timeout=GRACE_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=SILENT_AFTER_SECONDS,
            task_middleware=list(queue.worker_defaults.get("task_middleware") or []),
        )
        pulse = asyncio.create_task(_pulse(worker))
        try:
            await worker.run()  # type: ignore[no-untyped-call]
        finally:
            pulse.cancel()


async def _pulse(worker: Worker) -> None:
    """Hold the worker's lock and say every other second that it lives. A lost connection is made anew."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**connector_params(), autocommit=True) as connection:
                await _hold(worker, connection)
        except psycopg.Error as error:
            log.warning("The worker's lock was lost: %s", error)
        await asyncio.sleep(PULSE_SECONDS)


async def _hold(worker: Worker, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    locked: int | None = None
    detail = {"host": socket.gethostname(), "pid": os.getpid(), "concurrency": worker.concurrency}
    while True:
        if worker.worker_id is not None and locked != worker.worker_id:
            locked = worker.worker_id
            await connection.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, locked])
        await connection.execute(
            "INSERT INTO plumbing_heartbeat (process, seen_at, detail) VALUES ('worker', now(), %s) "
            "ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at, detail = excluded.detail",
            [Jsonb(detail)],
        )
        await asyncio.sleep(PULSE_SECONDS if locked is not None else 0.05)
