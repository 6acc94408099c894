"""``counterfoil simulate``: what would be billed, played on a scratch copy of which nothing is kept."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from counterfoil.app.cli.ground import complain, say, set_up, the_product
from counterfoil.app.environment import present
from counterfoil.app.first_database import first_database
from counterfoil.plumbing.postgres import PostgresProblem, Server, connection_settings

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands

AT_ONCE = 4


def register(commands: Commands) -> None:
    command = commands.add_parser("simulate", help="play a scenario file and print what would be billed")
    command.add_argument("file", help="a scenario file, or - for the standard input")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="print one JSON object")
    kind.add_argument("--json-lines", action="store_true", help="a scenario a line in, a result a line out, in order")
    command.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    if given.file != "-" and not Path(given.file).is_file():
        complain(f"There is no file {given.file}.")
        return 2
    with _opened(given.file) as file, _scratch_copy():
        if given.json_lines:
            return _lines(file)
        return _one(file.read(), as_json=given.json)


@contextmanager
def _opened(name: str) -> Iterator[IO[str]]:
    """The text in UTF-8, with or without a byte order mark. Bytes that are none become lone surrogates, which the
    reader refuses where they stand.
    """
    if name == "-":
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")
        yield sys.stdin
        return
    with Path(name).open(encoding="utf-8-sig", errors="surrogateescape") as file:
        yield file


@contextmanager
def _scratch_copy() -> Iterator[None]:
    """A PostgreSQL of its own for the simulation; with ``DATABASE_URL``, transactions that are rolled back."""
    if not present().is_embedded:
        with the_product():
            yield
        return
    gc.disable()  # what is loaded here stays
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(_load)
        with _server() as server:
            try:
                if server.process is None:
                    server.start()
                loading.result()
                beside.shutdown()  # from here on this process forks
                _prepare(server)
                gc.freeze()
                gc.enable()
                yield
            finally:
                server.stop()


def _load() -> None:
    """Load what plays scenarios before any process is forked, so that it is loaded once."""
    set_up()
    for module in ("playing", "reporting"):
        import_module(f"counterfoil.simulating.{module}")


@contextmanager
def _server() -> Iterator[Server]:
    """The server that is kept beside the data, already running, when no other simulation has it; else one to start
    that is gone afterwards. What is kept holds tables and no data, and saves the seconds in which they are made.
    """
    kept = Server(present().data_folder / "simulation", durable=False, first=first_database())
    with suppress(PostgresProblem, OSError):
        kept.start()
    if kept.process is not None:
        yield kept
        return
    with TemporaryDirectory(prefix="counterfoil-simulate-") as folder:
        yield Server(Path(folder), durable=False)


def _prepare(server: Server) -> None:
    """Have Django use this server, and lay the tables of this release unless they are there."""
    from django.core.management import call_command
    from django.db import connection

    from counterfoil.app.fresh import SNAPSHOT

    connection.settings_dict.update(connection_settings(server.data_folder))
    release = SNAPSHOT.read_text().split("\n", 1)[0] if SNAPSHOT.exists() else ""
    noted = server.data_folder / "prepared"
    if release and noted.exists():
        if noted.read_text() == release:
            return
        server.stop()
        shutil.rmtree(server.database)
        server.start()
    noted.unlink(missing_ok=True)
    call_command("migrate", interactive=False, verbosity=0)
    if not _has_companies():
        _found_a_company()
    noted.write_text(release)


def _found_a_company() -> None:
    """The first company of a database is its default one, and there is only one of those: without another that is
    there for good, processes that play side by side would wait for each other's.
    """
    from counterfoil.ledger.commands import add_entity
    from counterfoil.simulating.stage import ACTOR

    add_entity(actor=ACTOR, values={"name": "Simulation", "legal_name": "Simulation", "country": "DE"})


def _one(text: str, *, as_json: bool) -> int:
    with _theatre() as simulated:
        found = simulated(text)
    if "error" in found:
        complain(found["error"])
        return 2
    if as_json:
        say(_as_json(found))
    else:
        from counterfoil.simulating.readable import readable

        say(readable(found))
    return 0


def _lines(file: IO[str]) -> int:
    """Every line on its own: a bad one gives its error, and the next goes on."""
    failed = False
    for found in _results(line for line in file if line.strip()):
        failed = failed or "error" in found
        say(_as_json(found))
    return 2 if failed else 0


def _as_json(found: dict[str, Any]) -> str:
    """One line of JSON; escaped where the output could not take its characters, such as half of a pair."""
    text = json.dumps(found, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(found)
    return text


def _results(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The results in order, worked out by as many processes as there are cores."""
    from multiprocessing import get_context

    from django.db import connections

    workers = min(os.cpu_count() or 1, AT_ONCE) if _has_companies() else 1
    if workers == 1:
        with _theatre() as simulated:
            yield from map(simulated, lines)
        return
    connections.close_all()  # a connection is not shared with a process that is forked
    with get_context("fork").Pool(workers, initializer=_begin) as pool:
        yield from pool.imap(_in_process, lines)


def _has_companies() -> bool:
    from counterfoil.ledger.queries import entities

    return bool(entities())


_of_process: Callable[[str], dict[str, Any]] | None = None


def _begin() -> None:
    global _of_process
    _of_process = _theatre().__enter__()


def _in_process(text: str) -> dict[str, Any]:
    assert _of_process is not None
    return _of_process(text)


@contextmanager
def _theatre() -> Iterator[Callable[[str], dict[str, Any]]]:
    """What makes of a scenario's text its result, or ``{"error": …}`` that names the JSON path.

    A bug is the error of its own scenario alone: it is logged, and the next one is played on a new stage.
    """
    from counterfoil.core.errors import Refusal
    from counterfoil.simulating.playing import Theatre
    from counterfoil.simulating.reporting import Report
    from counterfoil.simulating.rules.scenario import parsed, read_scenario

    with Theatre() as theatre:

        def simulated(text: str) -> dict[str, Any]:
            try:
                raw = parsed(text)
            except (ValueError, RecursionError) as error:
                return {"error": f"not JSON: {error}"}
            try:
                return theatre.play(read_scenario(raw), lambda played: Report(played).whole())
            except Refusal as refusal:
                said = [f"{one.field}: {one.message}" if one.field else one.message for one in refusal.problems[:5]]
                return {"error": "; ".join(said)}
            except Exception as error:
                logging.getLogger(__name__).exception("A scenario could not be played")
                theatre.start_over()
                return {"error": f"internal: this scenario could not be played ({type(error).__name__}: {error})"}

        yield simulated
