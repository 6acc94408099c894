"""The tables laid at once are those of the migrations."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from counterfoil.app import fresh
from counterfoil.plumbing.postgres import Server, connection_settings, program

ORDERLESS = ("--exclude-table-data=auth_permission", "--exclude-table-data=django_content_type")

pytestmark = pytest.mark.slow


@contextmanager
def database(name: str) -> Iterator[None]:
    """Django's connection on another, empty database of the same server."""
    kept = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = kept


def dumped(server: Server) -> str:
    """The whole schema of the present database and the rows that migrations leave, as text.

    The rows that Django itself writes after every migration come in an order of their own.
    """
    connection.close()
    settings = connection_settings(server.data_folder)
    command = [program("pg_dump"), "-h", settings["HOST"], "-U", settings["USER"], connection.settings_dict["NAME"]]
    text = subprocess.run([*command, "--no-owner", *ORDERLESS], capture_output=True, text=True, check=True).stdout
    text = re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)
    return re.sub(r"^\d+\t\w+\t\w+\t\d{4}-.*$", "", text, flags=re.MULTILINE)  # django_migrations: when each ran


@pytest.fixture
def server(tmp_path: Path, django_db_blocker: object) -> Iterator[Server]:
    server = Server(tmp_path, durable=False)
    server.start()
    kept = dict(connection.settings_dict)
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connection.close()
        connection.settings_dict.update(connection_settings(tmp_path))
        yield server
        connection.close()
    connection.settings_dict.update(kept)
    server.stop()


def test_laid_at_once_or_one_after_the_other(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database laid from the snapshot is, to the last constraint and trigger, the one that the migrations make."""
    monkeypatch.setattr(fresh, "SNAPSHOT", tmp_path / "fresh.sql")
    with database("one_after_the_other"):
        fresh.write_snapshot()
        call_command("migrate", verbosity=0, interactive=False)
        expected = dumped(server)
        names = set(MigrationRecorder(connection).applied_migrations())
    with database("at_once"):
        assert fresh.lay_tables()
        call_command("migrate", verbosity=0, interactive=False)
        assert dumped(server) == expected
        assert set(MigrationRecorder(connection).applied_migrations()) == names
        assert names == set(MigrationLoader(None).disk_migrations)
        assert not fresh.lay_tables(), "a database with tables is left alone"
    with database("another_release"):
        stale = (tmp_path / "fresh.sql").read_text().split("\n", 1)[1]
        (tmp_path / "fresh.sql").write_text("-- written from: other migrations\n" + stale)
        assert not fresh.lay_tables(), "a snapshot of other migrations is not used"
        assert connection.introspection.table_names() == []
