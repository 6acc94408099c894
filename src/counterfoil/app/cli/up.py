"""``counterfoil up``: PostgreSQL if it is embedded, the web server, a worker and the watchdog, as one tree of
processes.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, complain, say, set_up
from counterfoil.app.cli.listening import listen
from counterfoil.app.cli.processes import CONCURRENCY, check_concurrency, watch_until_told
from counterfoil.app.cli.supervisor import Child, Supervisor
from counterfoil.app.environment import Environment, present
from counterfoil.app.first_database import first_database
from counterfoil.plumbing.postgres import PostgresProblem, Server

if TYPE_CHECKING:
    import socket

    from counterfoil.app.cli.ground import Commands

FIRST_PAGE_SECONDS = 10


def register(commands: Commands) -> None:
    command = commands.add_parser("up", help="start everything: PostgreSQL if embedded, web server, worker, watchdog")
    command.add_argument("--concurrency", type=int, default=CONCURRENCY, help="jobs that the worker runs at a time")
    command.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    began = time.monotonic()
    check_concurrency(given.concurrency)
    gc.disable()  # what is loaded here stays
    environment = present()
    listener = listen(environment.address)
    server = Server(environment.data_folder, first=first_database()) if environment.is_embedded else None
    supervisor = Supervisor(server)
    supervisor.catch_signals()
    try:
        _start_server(server)
        supervisor.run_to_the_end(
            Child("collecting static files", _collect),
            Child("preparing the database", lambda: _prepare(environment)),
            meanwhile=_load_pages,
        )
        gc.freeze()
        gc.enable()
        if not supervisor.is_ending:
            supervisor.keep(Child("web server", lambda: _web(listener)))
            _wait_for_the_first_page(listener)
            say(f"Counterfoil is ready after {time.monotonic() - began:.1f} s: http://{environment.address}")
        if environment.demo and not supervisor.is_ending:
            # Pages are there already and fill while the demo company moves in; it works its own jobs, in order.
            try:
                supervisor.run_to_the_end(Child("loading the demo data", _load_demo))
            except Trouble:
                complain("The demo data could not be loaded whole; Counterfoil goes on without the rest.")
        if not supervisor.is_ending:
            supervisor.keep(Child("worker", lambda: _worker(given.concurrency)), Child("watchdog", watch_until_told))
            _announce(environment)
            supervisor.watch()
    except PostgresProblem as problem:
        raise Trouble(str(problem)) from None
    finally:
        supervisor.end()
    say("Counterfoil has ended.")
    return 0


def _start_server(server: Server | None) -> None:
    """Load the product while a new database folder is made and its server starts: each takes a second or two."""
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(set_up)
        if server is not None:
            server.start()
        loading.result()


def _load_pages() -> None:
    """Load every page here, once, while the database is prepared; the children are forks and have them."""
    import_module("counterfoil.app.urls")


def _wait_for_the_first_page(listener: socket.socket) -> None:
    """Ready means that a page was answered. Demo data, which come next, would slow the first one down."""
    host, port = listener.getsockname()[:2]
    connection = HTTPConnection(host, port, timeout=FIRST_PAGE_SECONDS)
    with closing(connection), suppress(OSError, HTTPException):
        connection.request("GET", "/login/")
        connection.getresponse().read()


def _collect() -> None:
    from counterfoil.app.collecting import collect_static

    collect_static()


def _prepare(environment: Environment) -> None:
    from counterfoil.app.cli.database import prepare

    prepare(environment)


def _load_demo() -> None:
    from counterfoil.app.cli.demo import load

    began = time.monotonic()
    if load():
        say(f"The demo data were loaded in {time.monotonic() - began:.1f} s.")


def _web(listener: socket.socket) -> None:
    from counterfoil.app.cli.web import serve

    serve(listener)


def _worker(concurrency: int) -> None:
    from counterfoil.plumbing.worker import work

    work(concurrency)


def _announce(environment: Environment) -> None:
    if environment.demo:
        from counterfoil.app.demo import PASSWORD, STAFF

        say(f"Log in as one of these; the password is {PASSWORD}")
        for person in STAFF:
            say(f"  {person.email:<32}{person.name}, {', '.join(person.roles)}")
    if environment.is_embedded:
        say(f"The data is in {environment.data_folder}")
    if not environment.email_url:
        say("EMAIL_URL is not set: mail is not sent but kept, and shown in the product.")
    say(f"Ctrl-C ends Counterfoil (process {os.getpid()}); the data stays.")
