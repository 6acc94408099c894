"""The command line: ``counterfoil …``. One file for each subject.

Exit codes: 0 when it was done, 1 when it could not be done or something is wrong, 2 when the command was not
understood.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from counterfoil import __version__
from counterfoil.app.cli import checks, coupons, database, demo, prices, processes, simulate, transfer, up, users
from counterfoil.app.cli.ground import Trouble, complain

SUBJECTS = (up, processes, database, demo, transfer, simulate, prices, coupons, checks, users)


def parser() -> argparse.ArgumentParser:
    """Every command with its options. Loads nothing of Django."""
    root = argparse.ArgumentParser(
        prog="counterfoil",
        description="A CRM and a billing system on one customer record.",
        epilog="Settings come from the environment; docs/operating.md explains each.",
    )
    root.add_argument("--version", action="version", version=f"Counterfoil {__version__}")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for subject in SUBJECTS:
        subject.register(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = parser().parse_args(arguments)
    try:
        code = given.run(given)
        return code if isinstance(code, int) else 0
    except Trouble as trouble:
        complain(str(trouble))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
