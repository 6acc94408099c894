"""The room as a Django application; when Django is ready it reads what every room registers."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.db.backends.signals import connection_created

REGISTERING = ("record_types", "commands", "loading", "importers", "subscribers", "jobs", "invariants")
"""The modules that register something on import: descriptions, verbs, imports, reactions, jobs, promises."""


class PlumbingConfig(AppConfig):
    name = "counterfoil.plumbing"

    def ready(self) -> None:
        """Import the registering modules of every room that has them. An error inside one of them is raised."""
        connection_created.connect(compile_nothing)
        for room in rooms():
            for module in REGISTERING:
                if find_spec(f"{room}.{module}") is not None:
                    import_module(f"{room}.{module}")


def compile_nothing(*, connection: Any, **given: Any) -> None:
    """PostgreSQL compiles a query that it thinks costly, for seconds where ours run for milliseconds.

    Said on each new connection, because a pooler refuses options that come with it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")


def rooms() -> list[str]:
    """The packages of the product's own rooms, lowest first."""
    return [config.name for config in apps.get_app_configs() if config.name.startswith("counterfoil.")]
