"""``counterfoil user add``: a member of staff, above all the first one."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from counterfoil.app.cli.ground import Trouble, say, the_product

if TYPE_CHECKING:
    from counterfoil.app.cli.ground import Commands


def register(commands: Commands) -> None:
    user = commands.add_parser("user", help="members of staff")
    actions = user.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = actions.add_parser(
        "add", help="add a member of staff; the password is asked for, or read from standard input"
    )
    add.add_argument("email")
    add.add_argument("--name", required=True)
    add.add_argument("--role", action="append", required=True, choices=("sales", "billing", "accountant", "admin"))
    add.set_defaults(run=run_add)


def run_add(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.access import commands
        from counterfoil.access.actors import Actor

        user = commands.add_user(
            actor=Actor.system("Command line", origin="cli"),
            values={"email": given.email, "name": given.name, "roles": sorted(set(given.role))},
            password=_password(),
        )
        say(f"{given.name} may log in with {given.email} now ({user}).")
    return 0


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password (at least 10 characters): ")
    if password != getpass.getpass("Once more: "):
        raise Trouble("The two passwords differ; nothing was added.")
    return password
