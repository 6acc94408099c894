"""The room as a Django application; when Django is ready it reads what every room registers."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.db.backends.signals import connection_created
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader

REGISTERING = ("record_types", "commands", "loading", "importers", "subscribers", "jobs", "invariants")
"""The modules that register something on import: descriptions, verbs, imports, reactions, jobs, promises."""


class PlumbingConfig(AppConfig):
    name = "counterfoil.plumbing"

    def ready(self) -> None:
        """Import the registering modules of every room that has them. An error inside one of them is raised."""
        connection_created.connect(prepare)
        for room in rooms():
            for module in REGISTERING:
                if find_spec(f"{room}.{module}") is not None:
                    import_module(f"{room}.{module}")
        # What is loaded stays, and the rows of a command live until its end: looking through them for garbage as often
        # as Python does by itself takes a sixth of a billing run.
        gc.freeze()
        gc.set_threshold(150_000, 20, 20)


class Instants(TimestamptzLoader):
    """Reads an instant in UTC as Python does, in an eighth of the time; what Python cannot read goes psycopg's way."""

    timezone = UTC
    """What Django asks of a reader."""

    def load(self, data: Buffer) -> datetime:
        try:
            return datetime.fromisoformat(bytes(data).decode()).astimezone(UTC)
        except (ValueError, OverflowError):
            return super().load(data)


def prepare(*, connection: Any, **given: Any) -> None:
    """What each new connection is told.

    PostgreSQL compiles a query that it thinks costly, for seconds where ours run for milliseconds. It also starts other
    processes for one, which takes 10 ms, as much as 30,000 units of its costs: it counts 1,000 unless told. Both are
    said here because a pooler refuses options that come with a connection.
    """
    connection.connection.adapters.register_loader("timestamptz", Instants)
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off; SET parallel_setup_cost = 30000")


def rooms() -> list[str]:
    """The packages of the product's own rooms, lowest first."""
    return [config.name for config in apps.get_app_configs() if config.name.startswith("counterfoil.")]
