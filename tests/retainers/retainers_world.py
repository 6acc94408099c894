"""A company that works by the hour, its customer, and the people who write their time down."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.retainers import commands, queries
from counterfoil.retainers.models import Draw, Expense, Retainer, TimeEntry
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.models import BillingPolicy
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

SYSTEM = Actor.system("Tests", origin="test")
APRIL = date(2026, 4, 1)


def user(name: str, role: str) -> Actor:
    found, _ = User.objects.get_or_create(email=f"{name.lower()}@example.com", defaults={"name": name, "roles": [role]})
    return found.actor()


@dataclass
class Work:
    """One company in Berlin, Acme and Brent in Bonn, Sam of sales who works and Bea of billing who approves."""

    entity: UUID
    acme: UUID
    brent: UUID
    sam: Actor
    bea: Actor
    archie: Actor
    on: date = date(2026, 3, 31)

    @property
    def at(self) -> datetime:
        return datetime.combine(self.on, time(12), UTC)

    def retainer_values(self, amount: str = "10", **more: Any) -> dict[str, Any]:
        return {
            "account": self.acme,
            "title": "Support",
            "unit": "hours",
            "amount": amount,
            "interval": "month",
            "starts_on": "2026-01-01",
            "roll_over": "none",
            "overage_rate": "120",
            **more,
        }

    def retainer(self, amount: str = "10", **more: Any) -> UUID:
        values = self.retainer_values(amount, **more)
        return commands.add_retainer(actor=self.bea, values=values, on=self.on, at=self.at)

    def time_values(self, hours: str, day: str, **more: Any) -> dict[str, Any]:
        return {"account": self.acme, "day": day, "hours": hours, "description": "Work", **more}

    def time(self, hours: str, day: str = "2026-03-10", *, approved: bool = True, **more: Any) -> UUID:
        values = self.time_values(hours, day, **more)
        entry = commands.enter_time(actor=self.sam, values=values, on=self.on, at=self.at)
        if approved:
            commands.approve_entries(actor=self.bea, time_ids=[entry], at=self.at)
        return entry

    def many_hours(self, count: int, **more: Any) -> None:
        """So many approved hours at 10, from 1 March on twenty a day: the first one by commands, and copies of it."""
        first = TimeEntry.objects.get(pk=self.time("1", "2026-03-01", rate="10", description="Call 000", **more))
        copies = [copy(first) for _ in range(1, count)]
        for number, one in enumerate(copies, 1):
            one.pk, one.day, one.description = new_id(), date(2026, 3, number // 20 + 1), f"Call {number:03}"
        TimeEntry.objects.bulk_create(copies)

    def expense(self, amount: str, day: str = "2026-03-10", *, approved: bool = True, **more: Any) -> UUID:
        values = {"account": self.acme, "day": day, "amount": amount, "description": "Train", **more}
        entry = commands.enter_expense(actor=self.sam, values=values, on=self.on, at=self.at)
        if approved:
            commands.approve_entries(actor=self.bea, expense_ids=[entry], at=self.at)
        return entry

    def bill(self, *accounts: UUID) -> commands.Settled:
        return commands.bill_unbilled(actor=self.bea, account_ids=accounts or None, on=self.on, at=self.at)

    def lines(self) -> list[str]:
        """Every line of every document: state, account's lines in order, quantity, price, net."""
        return [
            f"{line.description} {line.quantity.normalize():f} × {line.unit_price.normalize():f} = {line.net:.2f}"
            for line in InvoiceLine.objects.order_by("invoice__created_at", "invoice_id", "position")
        ]

    def burn(self, retainer_id: UUID) -> list[str]:
        """Opening, granted, used, expired, left and overage of each period, the first one first."""
        row = queries.get_retainer(self.bea, retainer_id, self.on)
        names = ("opening", "granted", "used", "expired", "left", "overage")
        return [" ".join(f"{one[name].normalize():f}" for name in names) for one in row.burn]

    def states(self) -> list[str]:
        found = [*TimeEntry.objects.all(), *Expense.objects.all()]
        return [f"{one.status} {one.covered.normalize():f}" for one in sorted(found, key=lambda one: one.pk)]

    def events(self) -> list[str]:
        found = OutboxEvent.objects.filter(name__startswith="retainers.").order_by("id")
        return [name.partition(".")[2] for name in found.values_list("name", flat=True)]

    def counts(self) -> tuple[int, ...]:
        """How many rows there are; a refusal leaves them alone."""
        kinds: tuple[Any, ...] = (Retainer, TimeEntry, Expense, Draw, Invoice, InvoiceLine, OutboxEvent)
        return tuple(kind.objects.count() for kind in kinds)


def broken() -> list[str]:
    """The promises that do not hold."""
    return [f"{one.invariant.key}: {one.examples}" for one in verify() if not one.holds]


def make_work() -> Work:
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
    return Work(
        entity=entity,
        acme=account("Acme AG"),
        brent=account("Brent AG"),
        sam=user("Sam", "sales"),
        bea=user("Bea", "billing"),
        archie=user("Archie", "accountant"),
    )


def account(name: str, **more: Any) -> UUID:
    on = date(2026, 1, 1)
    address = {"kind": "invoice", "street": "Weg 2", "postcode": "53111", "city": "Bonn", "country": "DE"}
    made = accounts.add_account(
        actor=SYSTEM, on=on, values={"legal_name": name, "tax_profile": "standard", "addresses": [address], **more}
    )
    contact = accounts.add_contact(
        actor=SYSTEM, on=on, values={"name": f"Ada of {name}", "email": f"ap@{name.split()[0].lower()}.example"}
    )
    accounts.give_role(actor=SYSTEM, account_id=made, contact_id=contact, role="billing", mail_line="to", on=on)
    return made


# Recurring documents -------------------------------------------------------------------------------------------------


def noon(on: date) -> datetime:
    return datetime(on.year, on.month, on.day, 12, tzinfo=UTC)


def subscribed(work: Work, *, to: UUID | None = None, amount: str = "100", every: str = "month", **more: Any) -> UUID:
    """A subscription that begins on 1 April and is not billed yet."""
    item = ItemOrder(
        price_key="basic", description="Basic", pricing=Pricing("flat", Decimal(amount)), interval=Interval(every)
    )
    order = SubscriptionOrder(account_id=to or work.acme, items=(item,), **{"start": APRIL, **more})
    made = subscriptions.start_subscriptions(actor=SYSTEM, orders=[order], on=work.on, at=work.at, is_billed=False)
    return made[0]


def run(on: date = APRIL) -> int:
    """Bill what is due; answers how many documents that made."""
    made = 0
    while (done := subscriptions.bill_due(actor=SYSTEM, on=on, at=noon(on))).subscriptions:
        made += done.documents
    return made


def reviewed_draft(work: Work) -> UUID:
    """A recurring draft that waits for its review: Basic, two hours of A and three of B, at 100 an hour."""
    BillingPolicy.objects.create(entity_id=work.entity, is_reviewed=True)
    subscribed(work)
    work.time("2", "2026-03-10", rate="100", description="A")
    work.time("3", "2026-03-11", rate="100", description="B")
    run()
    return Invoice.objects.get().pk
