"""``counterfoil migrate``: the tables of this release, and what a new installation needs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, say, the_product

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands
    from counterfoil.app.environment import Environment


PREPARING = 0xCF00
"""The advisory lock of a host that migrates."""


def register(commands: Commands) -> None:
    command = commands.add_parser("migrate", help="bring the database's tables to this release")
    command.add_argument("--check", action="store_true", help="change nothing; exit 1 when migrations are missing")
    command.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    with the_product(migrated=False) as environment:
        pending = pending_migrations()
        if given.check:
            for name in pending:
                say(f"missing: {name}")
            return 1 if pending else 0
        prepare(environment)
        say(f"{len(pending)} migrations were applied." if pending else "The database is up to date.")
    return 0


def pending_migrations() -> list[str]:
    """The names of migrations that this release has and the database has not."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def prepare(environment: Environment) -> None:
    """Migrate, and write down the first time whether this is a demo installation; a later start must say the same.

    Several hosts may start at once: one prepares, the others wait for it.
    """
    from django.core.management import call_command
    from django.db import connection

    from counterfoil.plumbing.installation import establish

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PREPARING])
    try:
        if pending_migrations():
            call_command("migrate", interactive=False, verbosity=0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PREPARING])
    installation = establish(is_demo=environment.demo)
    if installation.is_demo and not environment.demo:
        raise Trouble(
            "This database holds a demo installation, and COUNTERFOIL_DEMO is not set. "
            "Set COUNTERFOIL_DEMO=1, or choose another database for production."
        )
    if environment.demo and not installation.is_demo:
        raise Trouble(
            "This database belongs to a production installation: demo data and a movable clock are not for it. "
            "Unset COUNTERFOIL_DEMO and start with: counterfoil up"
        )
    if not environment.demo:  # the demo brings its own
        install_defaults()


def install_defaults() -> None:
    """Have every room give a new installation what it needs: payment terms, a pipeline. Does nothing where it is."""
    from django.conf import settings

    from counterfoil.access.actors import Actor
    from counterfoil.plumbing.registry import command_named, command_names

    known = set(command_names())
    for room in settings.ROOMS:
        if f"{room}.install_defaults" in known:
            command_named(f"{room}.install_defaults")(actor=Actor.system("Counterfoil", origin="cli"))
