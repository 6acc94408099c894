"""A company that bills, a customer that can be billed, and one that cannot."""

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
from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.ledger import commands as ledger

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system("Tests", origin="test")


def user(name: str, role: str) -> User:
    found, _ = User.objects.get_or_create(email=f"{name.lower()}@example.com", defaults={"name": name, "roles": [role]})
    return found


@dataclass
class Billing:
    """The world of these tests. ``acme`` lacks nothing; ``bare`` has neither address nor billing contact."""

    entity: UUID
    acme: UUID
    bare: UUID
    widget: UUID

    def draft(self, *, account: UUID | None = None, deal: str = "Fleet", price: str = "100", at: datetime = AT) -> UUID:
        """A draft of two widgets from a won deal: 240.00 EUR with 20 % VAT."""
        line = OrderLine(
            description="Widget",
            quantity=Decimal(2),
            unit="pcs",
            unit_price=Decimal(price),
            product_id=self.widget,
        )
        order = DraftOrder(
            account_id=account or self.acme,
            lines=(line,),
            origin="deal",
            deal_id=new_id(),
            deal_title=deal,
            quote_version=1,
        )
        return commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=at)[0]

    def by_hand(self, **values: Any) -> UUID:
        values.setdefault("account", self.acme)
        values.setdefault("lines", [{"product": self.widget, "quantity": "2"}])
        return commands.add_draft(actor=SYSTEM, values=values, on=ON, at=AT)

    def issue(self, *ids: UUID, on: date = ON, at: datetime = AT, send: bool = False) -> list[Invoice]:
        commands.issue_invoices(actor=SYSTEM, invoice_ids=ids, on=on, at=at, send=send)
        return [self.get(one) for one in ids]

    def get(self, invoice_id: UUID) -> Invoice:
        return Invoice.objects.get(pk=invoice_id)


def make_billing() -> Billing:
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
            "iban": "AT611904300234573201",
            "currency": "EUR",
            "timezone": "Europe/Vienna",
            "language": "en",
            "email": "billing@works.example",
        },
    )
    commands.install_defaults(actor=SYSTEM)
    acme = accounts.add_account(
        actor=SYSTEM,
        on=ON,
        values={
            "legal_name": "Acme Corporation GmbH",
            "tax_profile": "standard",
            "addresses": [
                {"kind": "invoice", "street": "Hauptstr. 1", "postcode": "4020", "city": "Linz", "country": "AT"}
            ],
        },
    )
    contact = accounts.add_contact(actor=SYSTEM, values={"name": "Paula Payable", "email": "ap@acme.example"}, on=ON)
    accounts.give_role(
        actor=SYSTEM, account_id=acme, contact_id=contact, role="billing", mail_line="to", on=date(2026, 1, 1)
    )
    bare = accounts.add_account(actor=SYSTEM, on=ON, values={"legal_name": "Bare Ltd"})
    widget = catalog.add_product(
        actor=SYSTEM, values={"code": "W", "name": "Widget", "unit": "pcs", "unit_price": "100", "currency": "EUR"}
    )
    return Billing(entity, acme, bare, widget)
