"""Django's ``migrate``, which lays the tables of an empty database at once when it can (see ``app/fresh.py``)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as Migrate

from counterfoil.app.fresh import lay_tables


class Command(Migrate):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--no-snapshot",
            action="store_false",
            dest="snapshot",
            help="Run every migration, also on an empty database.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        narrow = ("app_label", "plan", "fake", "fake_initial", "check_unapplied", "prune")
        if options.get("snapshot", True) and not any(options.get(name) for name in narrow):
            lay_tables()
        super().handle(*args, **options)
