"""A company that sells, a customer that can be billed, and the people of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.catalog import commands as catalog
from counterfoil.core.money import Money
from counterfoil.deals import commands, queries
from counterfoil.deals.models import Deal, Stage
from counterfoil.invoicing import commands as invoicing
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing.models import OutboxEvent

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system("Tests", origin="test")


def user(name: str, role: str) -> Actor:
    found, _ = User.objects.get_or_create(email=f"{name.lower()}@example.com", defaults={"name": name, "roles": [role]})
    return found.actor()


@dataclass
class Sales:
    """The world of these tests. ``acme`` lacks nothing that billing needs; ``bare`` lacks everything."""

    entity: UUID
    acme: UUID
    bare: UUID
    widget: UUID
    support: UUID
    pipeline: UUID
    sam: Actor
    bea: Actor
    archie: Actor

    def stage(self, name: str) -> UUID:
        return Stage.objects.get(pipeline_id=self.pipeline, name=name).pk

    def add(self, actor: Actor | None = None, **values: Any) -> UUID:
        values.setdefault("name", "Fleet")
        return commands.add_deal(actor=actor or self.sam, values=values, on=ON)

    def ready(self, **values: Any) -> UUID:
        """A deal that can be won: two widgets for Acme, 200.00 EUR."""
        values.setdefault("account", self.acme)
        values.setdefault("lines", [{"product": self.widget, "quantity": "2"}])
        return self.add(**values)

    def win(self, deal_id: UUID, actor: Actor | None = None, **more: Any) -> commands.Handover:
        return commands.win_deal(actor=actor or self.sam, deal_id=deal_id, on=ON, at=AT, **more)

    def deal(self, deal_id: UUID) -> Deal:
        return Deal.objects.select_related("stage").get(pk=deal_id)

    def amount(self, deal_id: UUID) -> Money:
        deal = self.deal(deal_id)
        return Money.exact(deal.amount, deal.currency)

    def lacking(self, deal_id: UUID) -> list[str]:
        return [need.code for need in queries.readiness_of(SYSTEM, deal_id, ON) if not need.ok]

    def events(self, name: str = "deals.") -> list[str]:
        return list(OutboxEvent.objects.filter(name__startswith=name).order_by("id").values_list("name", flat=True))


def make_sales() -> Sales:
    """Everything, by commands alone."""
    accounts.install_defaults(actor=SYSTEM)
    entity = ledger.add_entity(
        actor=SYSTEM,
        values={
            "name": "Main",
            "legal_name": "Counterfoil Works GmbH",
            "street": "Ring 1",
            "postcode": "1010",
            "city": "Wien",
            "country": "AT",
            "tax_id": "ATU12345675",
            "currency": "EUR",
            "timezone": "Europe/Vienna",
            "language": "en",
        },
    )
    invoicing.install_defaults(actor=SYSTEM)
    pipeline = commands.install_defaults(actor=SYSTEM)
    acme = accounts.add_account(
        actor=SYSTEM,
        on=ON,
        values={
            "legal_name": "Acme Corporation GmbH",
            "trading_name": "Acme",
            "tax_profile": "standard",
            "addresses": [
                {"kind": "invoice", "street": "Hauptstr. 1", "postcode": "4020", "city": "Linz", "country": "AT"}
            ],
        },
    )
    contact = accounts.add_contact(actor=SYSTEM, values={"name": "Paula Payable", "email": "ap@acme.example"}, on=ON)
    accounts.give_role(actor=SYSTEM, account_id=acme, contact_id=contact, role="billing", mail_line="to", on=ON)
    bare = accounts.add_account(actor=SYSTEM, on=ON, values={"legal_name": "Bare Ltd", "po_policy": "required"})
    widget = catalog.add_product(
        actor=SYSTEM,
        values={"code": "W", "name": "Widget", "unit": "pcs", "unit_price": "100", "currency": "EUR"},
    )
    support = catalog.add_product(
        actor=SYSTEM,
        values={"code": "S", "name": "Support", "unit_price": "25", "currency": "EUR", "interval": "month"},
    )
    return Sales(
        entity=entity,
        acme=acme,
        bare=bare,
        widget=widget,
        support=support,
        pipeline=pipeline,
        sam=user("Sam", "sales"),
        bea=user("Bea", "billing"),
        archie=user("Archie", "accountant"),
    )


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")
