"""Measure, print a table, and write ``bench/results.json``.

``--only P3`` measures one row; ``--scale 0.1`` shrinks the sizes. Everything runs against a PostgreSQL of its own with
fsync on,
and each figure stands beside the limit that it is compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


@dataclass(frozen=True)
class Measured:
    """One row. ``limit`` is what should be reached, ``ratio`` how far above it the value is: one or more is good."""

    key: str
    work: str
    value: float
    unit: str
    limit: float
    ratio: float
    more: dict[str, Any] = field(default_factory=dict)


def rows() -> dict[str, Callable[[float], list[Measured]]]:
    from bench import billing_run, measures

    # The billing runs come last: they forget all documents before, and number theirs on a later day.
    return {
        "P3": measures.handoffs,
        "P4": measures.payments,
        "P8": measures.documents,
        "P12": measures.start,
        "P14": measures.page_weight,
        "P1": billing_run.billing_run,
        "P2": billing_run.growth,
        "P15": billing_run.cores,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="one row, such as P3")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks or grows the sizes")
    given = parser.parse_args()
    # The server ends after the folder is gone, and may still write into it meanwhile.
    with tempfile.TemporaryDirectory(prefix="counterfoil-bench-", ignore_cleanup_errors=True) as folder:
        _use_own_database(Path(folder))
        table = rows()
        wanted = [given.only.upper()] if given.only else list(table)
        unknown = [key for key in wanted if key not in table]
        if unknown:
            parser.error(f"there is no row {unknown[0]}; there are {', '.join(table)}")
        measured = [one for key in wanted for one in table[key](given.scale)]
        _print(measured)
        _write(measured)
    return 0


def _use_own_database(folder: Path) -> None:
    """A server of the product's own kind, durable as in production, for the length of the run."""
    import atexit

    os.environ.setdefault("COUNTERFOIL_DATA", str(folder))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "counterfoil.app.settings")
    if not os.environ.get("DATABASE_URL"):
        from counterfoil.plumbing.postgres import Server, connection_settings

        server = Server(folder)
        server.start()
        atexit.register(server.stop)
        connection = connection_settings(folder)
        host = quote(connection["HOST"], safe="")
        os.environ["DATABASE_URL"] = f"postgres://{connection['USER']}@{host}:{connection['PORT']}/{connection['NAME']}"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _print(measured: list[Measured]) -> None:
    width = max(len(one.work) for one in measured)
    print(f"{'row':<6}{'work':<{width + 2}}{'value':>12}  {'unit':<12}{'limit':>10}{'ratio':>8}")
    for one in measured:
        print(
            f"{one.key:<6}{one.work:<{width + 2}}{one.value:>12,.1f}  {one.unit:<11}{one.limit:>9,.0f}{one.ratio:>7.2f}"
        )


def _write(measured: list[Measured]) -> None:
    path = HERE / "results.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for one in measured:
        known[one.key] = {name: value for name, value in asdict(one).items() if name != "key"}
    path.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
