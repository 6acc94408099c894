"""The tables of a new installation, laid at once.

Running all migrations one after the other takes seconds that a first start, and every test database, would wait for.
``fresh.sql`` is the SQL that these very migrations ran on an empty database, written down by ``make install``. It is
used only when it was written from exactly the migrations that are there now; without it, and on every database that is
not empty, the migrations run as usual. A test compares the two results.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

SNAPSHOT = Path(__file__).with_name("fresh.sql")
_MARK = "-- written from: "
_BETWEEN = "\n;\n"


def lay_tables() -> bool:
    """Lay all tables of an empty database from the snapshot. Returns whether it did; changes nothing otherwise."""
    if not _is_empty() or not SNAPSHOT.exists():
        return False
    text = SNAPSHOT.read_text()
    loader = MigrationLoader(None)
    if text.split("\n", 1)[0] != _MARK + digest(loader):
        return False
    recorder = MigrationRecorder(connection)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(text)
        recorder.ensure_schema()
        recorder.migration_qs.bulk_create(
            [recorder.Migration(app=app, name=name) for app, name in sorted(loader.disk_migrations)]
        )
    return True


def digest(loader: MigrationLoader) -> str:
    """What the snapshot must have been written from: every migration there is, byte for byte."""
    found = hashlib.sha256()
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        found.update(f"{app}.{name}\0".encode())
        found.update(Path(inspect.getfile(type(migration))).read_bytes())
    return found.hexdigest()


def write_snapshot() -> None:
    """Run all migrations on the present database, which must be empty, and write down what they executed."""
    if not _is_empty():
        raise AssertionError("a snapshot is written from an empty database only")
    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        with context["connection"].connection.cursor() as plain:
            text = plain.mogrify(sql, params) if params else str(sql)
        if not text.lstrip().upper().startswith("SELECT") and '"django_migrations"' not in text:
            statements.append(text.strip().rstrip(";"))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call_command("migrate", interactive=False, verbosity=0, snapshot=False)
    laid = [text for text in statements if not _is_about_content_types(text)]
    header = _MARK + digest(MigrationLoader(None))
    SNAPSHOT.write_text(header + "\n" + _BETWEEN.join(laid) + "\n")


def main() -> None:
    """Write the snapshot with a PostgreSQL that lives only for it; nothing is done when it is current."""
    from counterfoil.app.cli.ground import set_up
    from counterfoil.plumbing.postgres import Server, connection_settings

    with TemporaryDirectory(prefix="counterfoil-") as folder:
        server = Server(Path(folder), durable=False)
        set_up()
        if SNAPSHOT.exists() and SNAPSHOT.read_text().startswith(_MARK + digest(MigrationLoader(None)) + "\n"):
            return
        server.start()
        try:
            connection.settings_dict.update(connection_settings(Path(folder)))
            write_snapshot()
            connection.close()
        finally:
            server.stop()


def _is_about_content_types(text: str) -> bool:
    """The rows that Django writes after every migration, in fresh databases too."""
    return text.upper().startswith("INSERT INTO") and ('"django_content_type"' in text or '"auth_permission"' in text)


def _is_empty() -> bool:
    return not connection.introspection.table_names()


if __name__ == "__main__":
    main()
