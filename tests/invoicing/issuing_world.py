"""A company that issues and a customer that lacks nothing, made by commands alone."""

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
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing.models import OutboxEvent

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system("Tests", origin="test")
COMPANY = {
    "name": "Berlin",
    "legal_name": "Counterfoil Works GmbH",
    "street": "Ring 1",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
    "tax_id": "DE136695976",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "language": "en",
    "email": "billing@works.example",
    "bank_name": "GLS Bank",
    "iban": "DE89370400440532013000",
    "bic": "GENODEM1GLS",
}


@dataclass
class Issuing:
    """The world of these tests. ``acme`` lacks nothing: a draft for it is clean from the second invoice on."""

    entity: UUID
    acme: UUID
    paula: UUID
    widget: UUID
    bea: Actor

    def account(self, name: str, email: str = "ap@customer.example", **values: Any) -> UUID:
        """A customer with an address and, if there is an e-mail, a billing contact."""
        address = {"kind": "invoice", "street": "Weg 2", "postcode": "4020", "city": "Linz", "country": "AT"}
        values = {"legal_name": name, "tax_profile": "standard", "addresses": [address], **values}
        account = accounts.add_account(actor=SYSTEM, on=ON, accept_duplicates=True, values=values)
        if email:
            self.contact(account, f"Contact of {name}", email)
        return account

    def contact(self, account: UUID, name: str, email: str, line: str = "to") -> UUID:
        contact = accounts.add_contact(actor=SYSTEM, values={"name": name, "email": email}, on=ON)
        accounts.give_role(actor=SYSTEM, account_id=account, contact_id=contact, role="billing", mail_line=line, on=ON)
        return contact

    def draft(self, account: UUID | None = None, price: str = "100", quantity: str = "2", **order: Any) -> UUID:
        """One line of work for Acme: 2 × 100.00, 238.00 with tax."""
        line = OrderLine(description="Work", quantity=Decimal(quantity), unit_price=Decimal(price))
        made = DraftOrder(account_id=account or self.acme, lines=(line,), **order)
        return commands.draft_invoices(actor=SYSTEM, orders=[made], on=ON, at=AT)[0]

    def issue(self, *invoice_ids: UUID, on: date = ON, send: bool = False) -> list[UUID]:
        return commands.issue_invoices(actor=self.bea, invoice_ids=list(invoice_ids), on=on, at=AT, send=send)

    def issued(self, price: str = "100", **order: Any) -> UUID:
        return self.issue(self.draft(price=price, **order))[0]

    def change(self, account: UUID | None = None, **values: Any) -> None:
        account_id = account or self.acme
        accounts.change_account(actor=SYSTEM, account_id=account_id, values=values, version=None)

    def invoice(self, invoice_id: UUID) -> Invoice:
        return Invoice.objects.get(pk=invoice_id)

    def numbers(self) -> list[str]:
        found = Invoice.objects.filter(status="issued", series__isnull=False).order_by("series", "year", "sequence")
        return list(found.values_list("number", flat=True))

    def checks(self, invoice_id: UUID) -> dict[str, str]:
        """The findings other than "ok", by code."""
        found = self.invoice(invoice_id).checks
        return {check["code"]: check["level"] for check in found if check["level"] != "ok"}

    def events(self, prefix: str = "invoicing.") -> list[str]:
        found = OutboxEvent.objects.filter(name__startswith=prefix).order_by("id")
        return [name.removeprefix("invoicing.") for name in found.values_list("name", flat=True)]


def make_issuing() -> Issuing:
    """Everything, by commands alone."""
    accounts.install_defaults(actor=SYSTEM)
    entity = ledger.add_entity(actor=SYSTEM, values=COMPANY)
    commands.install_defaults(actor=SYSTEM)
    widget = catalog.add_product(
        actor=SYSTEM, values={"code": "W", "name": "Widget", "unit": "pcs", "unit_price": "100", "currency": "EUR"}
    )
    bea, _ = User.objects.get_or_create(email="bea@works.example", defaults={"name": "Bea", "roles": ["billing"]})
    world = Issuing(entity=entity, acme=entity, paula=entity, widget=widget, bea=bea.actor())
    world.acme = world.account("Acme Corporation GmbH", email="", trading_name="Acme")
    world.paula = world.contact(world.acme, "Paula Payable", "ap@acme.example")
    return world
