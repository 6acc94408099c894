"""A company that issues invoices under terms, and the money that comes for them. Made by commands alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from payments_world import SYSTEM, user

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.core.errors import Refusal
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Instalment, Invoice, InvoiceLine
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.ledger import commands as ledger
from counterfoil.ledger.models import Posting
from counterfoil.payments import commands
from counterfoil.payments.models import Allocation, Allowance, Payment
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import deliver

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
    "email": "billing@works.example",
    "iban": "DE89370400440532013000",
}
ADDRESS = {"kind": "invoice", "street": "Weg 2", "postcode": "10115", "city": "Berlin", "country": "DE"}
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
TWO_IN_TEN = {"discount_percent": "2", "discount_days": "10", "days": "30"}
THIRD_AND_REST = {"instalments": [{"percent": "30"}, {"rest": True, "days": "30"}]}


def day(text: str) -> date:
    """``02-11`` of 2026."""
    return date.fromisoformat(f"2026-{text}")


@dataclass
class Selling:
    """Acme and Brent buy; Bea of billing issues and records."""

    entity: UUID
    acme: UUID
    brent: UUID
    bea: Actor
    count: int = 0

    def terms(self, **values: Any) -> UUID:
        self.count += 1
        key = f"terms-{self.count}"
        return accounts.add_terms(actor=SYSTEM, values={"key": key, "name": key, "is_active": True, **values})

    def invoice(
        self, net: str = "100", on: str = "02-01", *, account: UUID | None = None, tax: str = "zero", **terms: Any
    ) -> UUID:
        """One line of a tax class, or several of ``standard: 100; reduced: 50``, issued under these terms."""
        parts = [one.split(":") for one in net.split(";")] if ":" in net else [[tax, net]]
        lines = tuple(
            OrderLine(
                description="Work", quantity=Decimal(1), unit_price=Decimal(price.strip()), tax_class=name.strip()
            )
            for name, price in parts
        )
        order = DraftOrder(account_id=account or self.acme, lines=lines)
        draft = invoicing.draft_invoices(actor=SYSTEM, orders=[order], on=day(on), at=NOON)[0]
        if terms:
            values = {"terms": str(self.terms(**terms))}
            invoicing.change_draft(actor=SYSTEM, invoice_id=draft, values=values, on=day(on), version=None)
        return invoicing.issue_invoices(actor=self.bea, invoice_ids=[draft], on=day(on), at=NOON, send=False)[0]

    def pay(self, amount: str, on: str, allocations: Any = (), *, payer: UUID | None = None, **more: Any) -> UUID:
        values = {
            "payer": str(payer or self.acme), "method": "transfer", "amount": amount, "currency": "EUR",
            "received_on": day(on).isoformat(),
        }  # fmt: skip
        return commands.record_payment(
            actor=self.bea, values=values, allocations=allocations, on=NOON.date(), at=NOON, **more
        )

    def credit(self, invoice_id: UUID, *amounts: str) -> str:
        """Of the lines in their order, zero for none of one; net and tax of the credit note, or why it is refused."""
        ids = InvoiceLine.objects.filter(invoice=invoice_id).order_by("position").values_list("id", flat=True)
        pairs = zip(ids, map(Decimal, amounts), strict=False)
        order = CreditOrder(tuple(CreditLine(line, amount) for line, amount in pairs if amount))
        try:
            (note,) = invoicing.credit(actor=SYSTEM, orders=[order], on=NOON.date(), at=NOON, send=False)
        except Refusal as refusal:
            return refusal.code
        found = Invoice.objects.get(pk=note)
        return f"{found.net:.2f} + {found.tax:.2f}"

    def deliver(self) -> None:
        """What the jobs would do: the news of issued invoices reaches this room."""
        for batch in OutboxEvent.objects.filter(name="invoicing.invoice_issued").values_list("batch").distinct():
            deliver("payments.invoice_issued", str(batch[0]))

    def open(self, invoice_id: UUID) -> str:
        found = Invoice.objects.get(pk=invoice_id)
        return f"{found.total - found.settled:.2f}"

    def rest(self, payment_id: UUID) -> str:
        found = Payment.objects.get(pk=payment_id)
        return f"{found.amount - found.allocated:.2f}"

    def instalments(self, invoice_id: UUID) -> list[str]:
        found = Instalment.objects.filter(invoice=invoice_id).order_by("position")
        return [f"{one.amount:.2f} on {one.due_on:%m-%d}" for one in found]

    def allowances(self) -> list[str]:
        found = Allowance.objects.order_by("created_at", "id")
        return [f"{one.tax_percent:.0f} %: {one.net:.2f} + {one.tax:.2f}" for one in found]

    def books(self) -> dict[str, str]:
        sums: dict[str, Decimal] = {}
        for role, amount in Posting.objects.values_list("ledger_account__role", "amount"):
            sums[role] = sums.get(role, Decimal(0)) + amount
        return {role: f"{total:.2f}" for role, total in sorted(sums.items()) if total}

    def counts(self) -> tuple[int, ...]:
        kinds: tuple[Any, ...] = (Payment, Allocation, Allowance, Posting, OutboxEvent)
        return tuple(kind.objects.count() for kind in kinds)


def make_selling() -> Selling:
    accounts.install_defaults(actor=SYSTEM)
    entity = ledger.add_entity(actor=SYSTEM, values=COMPANY)
    invoicing.install_defaults(actor=SYSTEM)

    def customer(name: str) -> UUID:
        values = {"legal_name": name, "tax_profile": "standard", "addresses": [ADDRESS], "delivery_channel": "post"}
        return accounts.add_account(actor=SYSTEM, on=day("01-01"), values=values)

    return Selling(entity, customer("Acme GmbH"), customer("Brent AG"), user("Bea", "billing"))
