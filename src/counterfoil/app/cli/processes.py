"""``counterfoil web``, ``worker`` and ``watchdog``: one process of each kind, for service managers.

``up`` starts all of them.
"""

from __future__ import annotations

import argparse
import signal
import threading
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, say, the_product

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands

CONCURRENCY = 4


def register(commands: Commands) -> None:
    web = commands.add_parser("web", help="serve pages and the API (part of up)")
    web.set_defaults(run=run_web)
    worker = commands.add_parser("worker", help="run jobs: mail, PDFs, imports, deliveries (part of up)")
    worker.add_argument("--concurrency", type=int, default=CONCURRENCY, help=f"jobs at a time (default {CONCURRENCY})")
    worker.add_argument("--until-empty", action="store_true", help="end when no job is waiting")
    worker.add_argument("--retry-failed", action="store_true", help="first put jobs back that were given up")
    worker.set_defaults(run=run_worker)
    watchdog = commands.add_parser("watchdog", help="return stalled jobs, find what is due, raise alarms (part of up)")
    watchdog.add_argument("--once", action="store_true", help="go round once and end")
    watchdog.set_defaults(run=run_watchdog)


def run_web(given: argparse.Namespace) -> int:
    with the_product() as environment:
        from counterfoil.app.cli.listening import listen
        from counterfoil.app.cli.web import serve
        from counterfoil.app.collecting import collect_static

        collect_static()
        listener = listen(environment.address)
        say(f"Counterfoil serves http://{environment.address}")
        serve(listener)
    return 0


def check_concurrency(jobs: int) -> None:
    if not 1 <= jobs <= 64:
        raise Trouble("--concurrency must be between 1 and 64.")


def run_worker(given: argparse.Namespace) -> int:
    check_concurrency(given.concurrency)
    with the_product():
        from counterfoil.plumbing.watchdog import retry_failed_jobs
        from counterfoil.plumbing.worker import work

        if given.retry_failed:
            say(f"{retry_failed_jobs()} jobs were put back.")
        work(given.concurrency, wait=not given.until_empty)
    return 0


def run_watchdog(given: argparse.Namespace) -> int:
    with the_product():
        watch_until_told(once=given.once)
    return 0


def watch_until_told(*, once: bool = False) -> None:
    """Go round until SIGTERM or SIGINT."""
    from counterfoil.plumbing.watchdog import Watchdog, watch

    if once:
        Watchdog().round()
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch(stop)
