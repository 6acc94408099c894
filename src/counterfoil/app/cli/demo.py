"""``counterfoil demo``: the demo company's data, and its movable clock."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, say, the_product

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands

WORKER_SEEN_SECONDS = 10
PATIENCE_SECONDS = 300


def register(commands: Commands) -> None:
    command = commands.add_parser("demo", help="load the demo company, or move its clock forward")
    command.add_argument("--advance", type=int, metavar="DAYS", help="move the demo clock, and do what became due")
    command.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    with the_product() as environment:
        from counterfoil.plumbing import clock
        from counterfoil.plumbing.installation import advance_demo_clock, installation

        found = installation()
        if found is None or not found.is_demo:
            raise Trouble(
                "This is no demo installation. A demo has a database of its own, first started with COUNTERFOIL_DEMO=1."
            )
        if not environment.demo:
            raise Trouble("Set COUNTERFOIL_DEMO=1: without it the product takes the real time for the demo's.")
        if given.advance is None:
            say("The demo data was loaded." if load() else "The demo data is there already.")
            return 0
        advance_demo_clock(given.advance)
        done = do_what_is_due()
        say(f"It is {clock.today():%A, %d %B %Y} in the demo now; {done} jobs were done.")
    return 0


def load() -> bool:
    """Load the demo data unless it is there; returns whether it was loaded now."""
    from counterfoil.app import demo
    from counterfoil.plumbing import clock

    return demo.load_demo(clock.today())


def do_what_is_due() -> int:
    """Sweep and work until nothing is due any more; a running worker does the work, else this process.

    Returns how many.
    """
    from counterfoil.plumbing.jobs import all_sweeps, run_waiting_jobs
    from counterfoil.plumbing.watchdog import seconds_since

    done = 0
    for _ in range(100):
        asked = sum(sweep.find() for sweep in all_sweeps())
        seen = seconds_since("worker")
        if seen is not None and seen < WORKER_SEEN_SECONDS:
            done += asked
            _wait_for_worker()
        else:
            done += run_waiting_jobs()
        if asked == 0:
            return done
    raise Trouble("The same work becomes due again and again; see: counterfoil doctor")


def _wait_for_worker() -> None:
    from django.db import connection

    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' "
                "OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))"
            )
            (waiting,) = cursor.fetchone()
        if not waiting:
            return
        time.sleep(0.2)
    raise Trouble("The worker has not finished; see: counterfoil doctor")
