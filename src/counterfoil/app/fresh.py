"""The tables of a new installation, laid at once.

Planning and rendering every migration takes seconds that a first start, and every test database, would wait for.
``fresh.sql`` is the SQL that these very migrations ran on an empty database, written down by ``make install``,
migration by migration. It is used only when it was written from exactly the migrations that are there now; without
it, and on every database that is not empty, the migrations run as usual. Each migration is laid and noted in one
transaction, so a start that was killed is finished by the usual way. A test compares the two results.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db import connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

SNAPSHOT = Path(__file__).with_name("fresh.sql")
_WRITTEN_FROM = "-- written from: "
_MIGRATION = "\n-- migration: "
_BETWEEN = "\n;\n"


def lay_tables() -> bool:
    """Lay all tables of an empty database from the snapshot. Returns whether it did; changes nothing otherwise."""
    if not _is_empty() or not SNAPSHOT.exists():
        return False
    text = SNAPSHOT.read_text()
    loader = MigrationLoader(None)
    if text.split("\n", 1)[0] != _WRITTEN_FROM + digest(loader):
        return False
    recorder = MigrationRecorder(connection)
    recorder.ensure_schema()
    for app, name, statements in _sections(text):
        is_atomic = loader.disk_migrations[app, name].atomic
        with transaction.atomic() if is_atomic else nullcontext(), connection.cursor() as cursor:
            for statement in [_BETWEEN.join(statements)] if is_atomic else statements:
                if statement.strip():
                    cursor.execute(statement)
            recorder.record_applied(app, name)
    return True


def digest(loader: MigrationLoader) -> str:
    """What the snapshot must have been written from: every migration there is, byte for byte."""
    found = hashlib.sha256()
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        found.update(f"{app}.{name}\0".encode())
        found.update(Path(inspect.getfile(type(migration))).read_bytes())
    return found.hexdigest()


def write_snapshot() -> None:
    """Run all migrations on the present database, which must be empty, and write down what they execute."""
    if not _is_empty():
        raise AssertionError("a snapshot is written from an empty database only")
    sections: list[tuple[str, list[str]]] = []

    def begin(action: str, migration: Migration | None = None, fake: bool | None = False) -> None:
        if action == "apply_start" and migration is not None:
            sections.append((f"{migration.app_label}.{migration.name}", []))

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        with context["connection"].connection.cursor() as plain:
            text = plain.mogrify(sql, params) if params else str(sql)
        if sections and not text.lstrip().upper().startswith("SELECT") and '"django_migrations"' not in text:
            sections[-1][1].append(text.strip().rstrip(";"))
        return execute(sql, params, many, context)

    executor = MigrationExecutor(connection, begin)
    with connection.execute_wrapper(note):
        executor.migrate(executor.loader.graph.leaf_nodes())
    text = _WRITTEN_FROM + digest(executor.loader)
    text += "".join(f"{_MIGRATION}{name}\n{_BETWEEN.join(statements)}" for name, statements in sections)
    SNAPSHOT.write_text(text)


def main() -> None:
    """Write the snapshot with a PostgreSQL that lives only for it, and keep its folder for a first start; nothing is
    done when both are current.
    """
    from django.core.management import call_command

    from counterfoil.app.cli.ground import set_up
    from counterfoil.app.first_database import first_database, keep
    from counterfoil.plumbing.postgres import Server, connection_settings

    set_up()
    present = _WRITTEN_FROM + digest(MigrationLoader(None)) + "\n"
    if SNAPSHOT.exists() and SNAPSHOT.read_text().startswith(present) and first_database() is not None:
        return
    with TemporaryDirectory(prefix="counterfoil-") as folder:
        server = Server(Path(folder), durable=False)
        server.start()
        try:
            connection.settings_dict.update(connection_settings(Path(folder)))
            write_snapshot()
            call_command("migrate", interactive=False, verbosity=0)
            connection.close()
        finally:
            server.stop()
        server.forget_log()
        keep(server.database)


def _sections(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Each migration's app, name and statements, in the order in which they ran."""
    for section in text.split(_MIGRATION)[1:]:
        heading, _, body = section.partition("\n")
        app, _, name = heading.partition(".")
        yield app, name, body.split(_BETWEEN)


def _is_empty() -> bool:
    return not connection.introspection.table_names()


if __name__ == "__main__":
    main()
