"""What every command stands on: words on the terminal, the environment, and Django with a database that answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from counterfoil.app.environment import Environment, present, use_settings
from counterfoil.plumbing import postgres

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class Trouble(Exception):
    """The command cannot do its work; the message is for a person."""


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> None:
    """Columns under their heads, as wide as they need; those in ``numbers`` stand at the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def the_product(*, migrated: bool = True) -> Iterator[Environment]:
    """Django and a database that answers, for the length of a command.

    The embedded PostgreSQL is used when it runs and started otherwise. Refusals and database trouble become plain
    words. With ``migrated``, the tables must be those of this release.
    """
    environment = present()
    try:
        with _server(environment):
            set_up()
            if migrated:
                _require_migrated()
            yield environment
    except postgres.PostgresProblem as problem:
        raise Trouble(str(problem)) from None
    except Exception as error:
        raise _in_plain_words(error) from error


def set_up() -> None:
    """Load Django and every room; asks nothing of the database."""
    use_settings()
    import django

    django.setup()


@contextmanager
def _server(environment: Environment) -> Iterator[None]:
    if environment.is_embedded:
        with postgres.running(environment.data_folder):
            yield
    else:
        yield


def _require_migrated() -> None:
    from counterfoil.app.cli.database import pending_migrations

    pending = pending_migrations()
    if pending:
        raise Trouble(f"The database misses {len(pending)} migrations, {pending[0]} first. Run: counterfoil migrate")


def _in_plain_words(error: Exception) -> Exception:
    """Trouble for what a person can mend; anything else is a bug and stays as it is."""
    from django.db import OperationalError

    from counterfoil.core.errors import Refusal

    if isinstance(error, Refusal):
        lines = [
            f"{problem.field}: {problem.message}" if problem.field else problem.message for problem in error.problems
        ]
        return Trouble("\n".join(lines))
    if isinstance(error, OperationalError):
        return Trouble(f"The database does not answer: {str(error).strip().splitlines()[0]}")
    return error
