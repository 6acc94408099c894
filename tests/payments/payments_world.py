"""A company with open invoices, the people who pay them and the people who write the money down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.ledger import commands as ledger
from counterfoil.ledger.models import JournalEntry, Posting
from counterfoil.payments import commands
from counterfoil.payments.models import Allocation, Payment
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.models import OutboxEvent

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system("Tests", origin="test")
Shares = Sequence[tuple[UUID, Decimal]] | Literal["oldest"]


def user(name: str, role: str) -> Actor:
    found, _ = User.objects.get_or_create(email=f"{name.lower()}@example.com", defaults={"name": name, "roles": [role]})
    return found.actor()


@dataclass
class Money:
    """The world of these tests: Acme and Brent owe money, Bea of billing records it, Sam of sales owns Acme."""

    entity: UUID
    other_entity: UUID
    acme: UUID
    brent: UUID
    paula: UUID
    bea: Actor
    sam: Actor
    archie: Actor

    def invoice(
        self,
        number: str,
        total: str = "100.00",
        *,
        account: UUID | None = None,
        due_on: str = "2026-03-31",
        issued_on: str = "2026-03-01",
        currency: str = "EUR",
        entity: UUID | None = None,
    ) -> UUID:
        order = TakeOver(
            account_id=account or self.acme,
            entity_id=entity or self.entity,
            number=number,
            issued_on=date.fromisoformat(issued_on),
            due_on=date.fromisoformat(due_on),
            total=Decimal(total),
            currency=currency,
        )
        return invoicing.take_over_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)[0]

    def values(self, amount: str, **more: Any) -> dict[str, Any]:
        given = {"payer": str(self.acme), "method": "transfer", "amount": amount, "currency": "EUR"}
        return {**given, "received_on": "2026-04-01", **more}

    def pay(self, amount: str, shares: Shares = (), *, actor: Actor | None = None, key: str = "", **more: Any) -> UUID:
        return commands.record_payment(
            actor=actor or self.bea,
            values=self.values(amount, **more),
            allocations=shares,
            on=ON,
            at=AT,
            request_key=key,
        )

    def open(self, invoice_id: UUID) -> str:
        found = Invoice.objects.get(pk=invoice_id)
        return f"{found.open:.2f}"

    def rest(self, payment_id: UUID) -> str:
        found = Payment.objects.get(pk=payment_id)
        return f"{found.amount - found.allocated:.2f}"

    def books(self) -> dict[str, str]:
        """What stands on each ledger account, zero left out."""
        found: dict[str, Decimal] = {}
        for role, amount in Posting.objects.values_list("ledger_account__role", "amount"):
            found[role] = found.get(role, Decimal(0)) + amount
        return {role: f"{total:.2f}" for role, total in sorted(found.items()) if total}

    def events(self, prefix: str = "payments.") -> list[str]:
        rows = OutboxEvent.objects.filter(name__startswith=prefix).order_by("id").values_list("name", flat=True)
        return [name.partition(".")[2] for name in rows]

    def counts(self) -> tuple[int, ...]:
        """How many rows there are; a refusal leaves them alone."""
        kinds: Sequence[Any] = (Payment, Allocation, JournalEntry, Posting, OutboxEvent)
        return tuple(kind.objects.count() for kind in kinds)


def broken() -> list[str]:
    """The promises that do not hold."""
    return [f"{one.invariant.key}: {one.examples}" for one in verify() if not one.holds]


def make_money() -> Money:
    """Everything, by commands alone."""
    accounts.install_defaults(actor=SYSTEM)
    company = {"legal_name": "Counterfoil Works GmbH", "country": "AT", "currency": "EUR", "timezone": "Europe/Vienna"}
    entity = ledger.add_entity(actor=SYSTEM, values={**company, "name": "Main"})
    other = ledger.add_entity(actor=SYSTEM, values={**company, "name": "Other"})
    sam = user("Sam", "sales")
    acme = accounts.add_account(
        actor=SYSTEM,
        on=ON,
        values={"legal_name": "Acme Corporation GmbH", "trading_name": "Acme", "owner": str(sam.id)},
    )
    brent = accounts.add_account(actor=SYSTEM, on=ON, values={"legal_name": "Brent Ltd"})
    paula = accounts.add_contact(actor=SYSTEM, values={"name": "Paula Payable", "email": "ap@acme.example"}, on=ON)
    accounts.give_role(actor=SYSTEM, account_id=acme, contact_id=paula, role="billing", mail_line="to", on=ON)
    return Money(
        entity=entity,
        other_entity=other,
        acme=acme,
        brent=brent,
        paula=paula,
        bea=user("Bea", "billing"),
        sam=sam,
        archie=user("Archie", "accountant"),
    )
