"""Customers and the people beneath them, made by commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.accounts import commands
from counterfoil.accounts.models import Account, AccountContact, Contact
from counterfoil.plumbing.models import OutboxEvent

ON = date(2026, 4, 1)
SYSTEM = Actor.system("Tests", origin="test")


def user(name: str, *roles: str) -> User:
    """A member of staff with these roles."""
    found, _ = User.objects.get_or_create(
        email=f"{name.lower()}@example.com", defaults={"name": name, "roles": list(roles)}
    )
    return found


@dataclass
class World:
    """What the tests of this room start from: terms and defaults, and one person for each role of the product."""

    sam: Actor
    bea: Actor
    archie: Actor
    ann: Actor

    def account(self, legal_name: str, actor: Actor = SYSTEM, **values: Any) -> UUID:
        return commands.add_account(
            actor=actor, values={"legal_name": legal_name, **values}, on=ON, accept_duplicates=True
        )

    def change(self, account_id: UUID, actor: Actor = SYSTEM, version: int | None = None, **values: Any) -> None:
        commands.change_account(actor=actor, account_id=account_id, values=values, version=version)

    def contact(self, name: str, email: str = "", **values: Any) -> UUID:
        return commands.add_contact(actor=SYSTEM, values={"name": name, "email": email, **values}, on=ON)

    def role(self, account_id: UUID, contact_id: UUID, role: str = "billing", line: str = "to", on: date = ON) -> UUID:
        return commands.give_role(
            actor=SYSTEM, account_id=account_id, contact_id=contact_id, role=role, mail_line=line, on=on
        )

    def terms(self, key: str) -> UUID:
        from counterfoil.accounts.queries import terms_by_key

        return terms_by_key()[key]

    def roles_of(self, contact_id: UUID) -> list[tuple[str, str, str, date, date | None]]:
        """Account, role, mail line and days of every role that the person ever had."""
        return list(
            AccountContact.objects.filter(contact=contact_id)
            .order_by("account__legal_name", "role", "valid_from")
            .values_list("account__legal_name", "role", "mail_line", "valid_from", "valid_to")
        )

    def events(self) -> list[str]:
        return [name.partition(".")[2] for name in OutboxEvent.objects.order_by("id").values_list("name", flat=True)]

    def forget_events(self) -> int:
        """How many events there are, to look only at later ones."""
        return OutboxEvent.objects.count()


def stored(account_id: UUID) -> Account:
    return Account.objects.get(pk=account_id)


def person(contact_id: UUID) -> Contact:
    return Contact.objects.get(pk=contact_id)


def make_world() -> World:
    commands.install_defaults(actor=SYSTEM)
    return World(
        sam=user("Sam", "sales").actor(),
        bea=user("Bea", "billing").actor(),
        archie=user("Archie", "accountant").actor(),
        ann=user("Ann", "admin").actor(),
    )
