"""A company that bills again and again, and a customer who agreed to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.catalog.rules.pricing import Pricing, Tier
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

SYSTEM = Actor.system("Tests", origin="test")

PRICES: dict[str, dict[str, Any]] = {
    "basic": {"pricing": Pricing("flat", Decimal("100.00"))},
    "pro": {"pricing": Pricing("flat", Decimal("200.00"))},
    "seat": {"pricing": Pricing("per_unit", Decimal("10.00"))},
    "yearly": {"pricing": Pricing("flat", Decimal("1200.00")), "interval": Interval("year")},
    "support": {"pricing": Pricing("flat", Decimal("60.00")), "is_in_advance": False},
    "calls": {
        "pricing": Pricing("graduated", tiers=(Tier(Decimal(1000), Decimal("0.01")), Tier(None, Decimal("0.005")))),
        "is_in_advance": False,
        "is_metered": True,
    },
}


def item(key: str, quantity: str = "1", **more: Any) -> ItemOrder:
    values = {"interval": Interval("month"), **PRICES[key], **more}
    return ItemOrder(price_key=key, description=key.capitalize(), quantity=Decimal(quantity), **values)


@dataclass
class Billing:
    """One company in Berlin, one customer in Bonn, and a day that moves."""

    entity: UUID
    acme: UUID
    on: date = date(2026, 1, 1)

    @property
    def at(self) -> datetime:
        return datetime.combine(self.on, time(12), UTC)

    def start(self, *items: ItemOrder, account: UUID | None = None, **more: Any) -> UUID:
        more.setdefault("start", self.on)
        order = SubscriptionOrder(account_id=account or self.acme, items=items, **more)
        return commands.start_subscriptions(actor=SYSTEM, orders=[order], on=self.on, at=self.at)[0]

    def change(self, subscription: UUID, *items: ItemOrder, when: date | None = None) -> None:
        commands.change_subscription(
            actor=SYSTEM, subscription_id=subscription, items=items, when=when or self.on, on=self.on, at=self.at
        )

    def pause(self, subscription: UUID) -> None:
        commands.pause_subscription(actor=SYSTEM, subscription_id=subscription, when=self.on, on=self.on, at=self.at)

    def resume(self, subscription: UUID) -> None:
        commands.resume_subscription(actor=SYSTEM, subscription_id=subscription, when=self.on, on=self.on, at=self.at)

    def cancel(self, subscription: UUID, **more: Any) -> None:
        more.setdefault("when", self.on)
        commands.cancel_subscription(actor=SYSTEM, subscription_id=subscription, on=self.on, at=self.at, **more)

    def use(self, subscription: UUID, key: str, quantity: str, **more: Any) -> int:
        order = commands.UsageOrder(subscription, key, Decimal(quantity), more.pop("when", self.on), **more)
        return commands.record_usage(actor=SYSTEM, orders=[order], at=self.at)

    def run(self, on: str | None = None) -> int:
        """Bill what is due; answers how many documents that made."""
        if on is not None:
            self.on = date.fromisoformat(on)
        made = 0
        while (done := commands.bill_due(actor=SYSTEM, on=self.on, at=self.at)).subscriptions:
            made += done.documents
        return made

    def subscription(self, subscription: UUID) -> Subscription:
        return Subscription.objects.get(pk=subscription)

    def books(self) -> list[str]:
        """Every line of every issued document: document, day, what, period, amount."""
        lines = InvoiceLine.objects.select_related("invoice").filter(invoice__status="issued")
        return [
            f"{'CN' if line.invoice.kind == 'credit_note' else 'INV'} {line.invoice.issued_on} {line.kind} "
            f"{line.description} {line.service_from}/{line.service_to} {line.quantity.normalize():f} {line.share} "
            f"{line.net:.2f}"
            for line in lines.order_by("invoice__issued_at", "invoice__created_at", "invoice_id", "position")
        ]

    def documents(self) -> list[str]:
        return [
            f"{one.number} {one.issued_on} {one.total:.2f}"
            for one in Invoice.objects.filter(status="issued").order_by("created_at", "id")
        ]

    def events(self) -> list[str]:
        found = OutboxEvent.objects.filter(name__startswith="subscriptions.").order_by("id")
        return list(found.values_list("name", flat=True))


def make_billing() -> Billing:
    """Everything, by commands alone."""
    accounts.install_defaults(actor=SYSTEM)
    entity = ledger.add_entity(
        actor=SYSTEM,
        values={
            "name": "Main",
            "legal_name": "Counterfoil Works GmbH",
            "street": "Ring 1",
            "postcode": "10115",
            "city": "Berlin",
            "country": "DE",
            "tax_id": "DE136695976",
            "currency": "EUR",
            "timezone": "Europe/Berlin",
            "language": "en",
            "iban": "DE89370400440532013000",
            "email": "billing@works.example",
        },
    )
    invoicing.install_defaults(actor=SYSTEM)
    return Billing(entity=entity, acme=add_account("Acme AG"))


def add_account(name: str, **values: Any) -> UUID:
    """A customer that lacks nothing that billing needs."""
    on = date(2026, 1, 1)
    address = {"kind": "invoice", "street": "Weg 2", "postcode": "53111", "city": "Bonn", "country": "DE"}
    account = accounts.add_account(
        actor=SYSTEM, on=on, values={"legal_name": name, "tax_profile": "standard", "addresses": [address], **values}
    )
    contact = accounts.add_contact(
        actor=SYSTEM, on=on, values={"name": f"Ada of {name}", "email": f"ap@{name.split()[0].lower()}.example"}
    )
    accounts.give_role(actor=SYSTEM, account_id=account, contact_id=contact, role="billing", mail_line="to", on=on)
    return account
