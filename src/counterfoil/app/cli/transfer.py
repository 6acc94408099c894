"""``counterfoil import`` and ``counterfoil export``."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, say, the_product

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands


def register(commands: Commands) -> None:
    if find_spec("counterfoil.importing.cli") is not None:
        from counterfoil.importing import cli as importing

        importing.register(commands, the_product=the_product, say=say, trouble=Trouble)
    export = commands.add_parser("export", help="write every record, and the stored files, into a folder or a zip")
    export.add_argument("target", type=Path, help="a new folder, or a file that ends in .zip")
    export.add_argument("--only", action="append", metavar="KIND", help="one kind of record, such as accounts.account")
    export.add_argument("--without-files", action="store_true", help="leave the stored documents out")
    export.set_defaults(run=run_export)


def run_export(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.access.actors import Actor
        from counterfoil.app.exporting import export_records

        actor = Actor.system("Command line", origin="cli")
        try:
            counts = export_records(actor, given.target, only=given.only, with_files=not given.without_files)
        except OSError as error:
            raise Trouble(f"{given.target} cannot be written: {error.strerror}.") from None
    for name, count in counts.items():
        say(f"{count:>10}  {name}")
    say(f"Written to {given.target}")
    return 0
