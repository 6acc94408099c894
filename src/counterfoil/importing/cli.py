"""``counterfoil import``: the wizard's steps on one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID


def register(
    commands: Any, *, the_product: Callable[[], AbstractContextManager[Any]], say: Callable[[str], None],
    trouble: type[Exception],
) -> None:  # fmt: skip
    """Add the subcommand to the command line."""
    parser = commands.add_parser("import", help="check a CSV or XLSX file and, with --load, take it in")
    parser.add_argument("file", type=Path)
    parser.add_argument("--as", dest="kind", default="", help="what the file holds, such as accounts.account")
    parser.add_argument("--map", action="append", default=[], metavar="COLUMN=FIELD", help="match a column")
    parser.add_argument("--dates", action="append", default=[], metavar="FIELD=ORDER", help="day-month-year …")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="what the file does not say")
    parser.add_argument(
        "--value", action="append", default=[], metavar="FIELD:TEXT=NAME", help="what a text stands for"
    )
    parser.add_argument("--accept-suggestions", action="store_true", help="take what unknown values probably mean")
    parser.add_argument("--load", action="store_true", help="load it after the check")
    parser.add_argument("--undo", action="store_true", help="take back the last import of this file")

    def run(given: argparse.Namespace) -> int:
        with the_product():
            return _run(given, say, trouble)

    parser.set_defaults(run=run)


def _pairs(texts: list[str], trouble: type[Exception]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise trouble(f"{text} is not NAME=VALUE.")
        pairs[name] = value
    return pairs


def _run(given: argparse.Namespace, say: Callable[[str], None], trouble: type[Exception]) -> int:
    from counterfoil.access.actors import Actor
    from counterfoil.importing import commands, queries
    from counterfoil.plumbing import clock

    actor = Actor.system("Command line", "cli")
    if given.undo:
        return _undo(actor, given.file.name, say, trouble)
    if not given.file.is_file():
        raise trouble(f"There is no file {given.file}.")
    batch_id = commands.upload_file(
        actor=actor, name=given.file.name, content=given.file.read_bytes(), kind=given.kind, at=clock.now()
    )
    mapping = {column.name: column.field_id for column in queries.matched_columns(actor, batch_id)}
    mapping.update(_pairs(given.map, trouble))
    commands.match_columns(
        actor=actor, batch_id=batch_id, mapping=mapping, date_orders=_pairs(given.dates, trouble),
        options=_pairs(given.set, trouble),
    )  # fmt: skip
    _say_meanings(actor, batch_id, given, trouble)
    _work(batch_id)
    row = queries.get_batch(actor, batch_id)
    say(f"{row.file_name}: {row.row_count} rows of {row.described.label.lower()}")
    for name in ("new", "update", "same", "duplicate", "error"):
        say(f"{row[name]:>10}  {name}")
    for asked in queries.asked_values(actor, batch_id):
        probably = dict(asked.options).get(asked.said, "")
        hint = f", probably {probably}" if probably else ""
        say(f"{asked.unknown.label} “{asked.unknown.text}” is not known ({asked.unknown.count} rows){hint}")
    for bad in queries.rows_of(actor, batch_id, action="error", limit=10):
        say(f"row {bad.number}: {'; '.join(problem['message'] for problem in bad.problems)}")
    if not given.load:
        commands.discard_batch(actor=actor, batch_id=batch_id)
        say("Nothing was loaded. Add --load to load it.")
        return 0
    commands.start_loading(actor=actor, batch_id=batch_id)
    _work(batch_id)
    row = queries.get_batch(actor, batch_id)
    say(f"Loaded: {row.new} new, {row.update} updated, {row.left_out} left out")
    return 1 if row.state != "loaded" else 0


def _say_meanings(actor: Any, batch_id: UUID, given: argparse.Namespace, trouble: type[Exception]) -> None:
    from counterfoil.importing import commands, queries

    asked = queries.asked_values(actor, batch_id)
    meanings: dict[str, dict[str, str]] = {}
    wanted = _pairs(given.value, trouble)
    for item in asked:
        name = wanted.get(f"{item.unknown.field_id}:{item.unknown.text}")
        if name is not None:
            key = next((key for key, label in item.options if name in (key, label)), None)
            if key is None and name:
                raise trouble(f"{item.unknown.label} “{name}” is not known either.")
            meanings.setdefault(item.unknown.field_id, {})[item.unknown.text] = key or ""
        elif given.accept_suggestions and item.said:
            meanings.setdefault(item.unknown.field_id, {})[item.unknown.text] = item.said
    if meanings:
        commands.say_meanings(actor=actor, batch_id=batch_id, meanings=meanings)


def _work(batch_id: UUID) -> None:
    """Do the batch's work here and now; the job in the queue will find nothing left to do."""
    from counterfoil.importing.jobs import work

    work(str(batch_id))


def _undo(actor: Any, file_name: str, say: Callable[[str], None], trouble: type[Exception]) -> int:
    from counterfoil.importing import commands, queries

    found = next(
        (row for row in queries.list_batches(actor, limit=1000).rows
         if row.file_name == file_name and row.state in ("loaded", "failed")), None,
    )  # fmt: skip
    if found is None:
        raise trouble(f"There is no loaded import of {file_name}.")
    commands.start_undoing(actor=actor, batch_id=found.id)
    _work(found.id)
    row = queries.get_batch(actor, found.id)
    say(f"Undone: {row.undone} taken back, {row.kept} kept")
    return 0
