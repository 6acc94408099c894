"""What shares a document, and what a run makes when it is repeated, late, or stopped by a bound."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from subscriptions_world import SYSTEM, Billing, add_account, item

from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.invoicing.queries import creditable_lines
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.plumbing.invariants import verify
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.models import BilledPeriod, BillingPolicy
from counterfoil.subscriptions.rules.agreement import Policy

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "consolidation.md"


def expected() -> dict[str, int]:
    return {what: int(count) for what, count in re.findall(r"^\| (.+?) \| (\d+) \|$", PAGE.read_text(), re.M)}


@pytest.mark.parametrize(
    "what",
    [
        "two of one payer, same terms",
        "two of one payer, different PO numbers",
        "one of a parent, one of a child whose invoices the parent gets",
        "two of two payers",
    ],
)
def test_what_shares_a_document(billing: Billing, what: str) -> None:
    """The rows of the page."""
    other = billing.acme
    if "child" in what:
        other = add_account("Child AG", parent=str(billing.acme), invoiced_account=str(billing.acme))
    if "two payers" in what:
        other = add_account("Other AG")
    billing.start(item("basic"))
    billing.start(item("seat"), account=other, **({"po_number": "PO 7"} if "PO" in what else {}))
    assert billing.run("2026-01-31") == 0
    assert billing.run("2026-02-01") == expected()[what]
    assert billing.run("2026-02-01") == 0


def test_a_run_that_comes_late_catches_up(billing: Billing) -> None:
    """Three months of standstill are billed period by period, once."""
    billing.start(item("basic"))
    billing.run("2026-04-01")
    assert [line for line in billing.books() if "2026-04-01 recurring" in line] == [
        "INV 2026-04-01 recurring Basic 2026-02-01/2026-03-01 1 28/28 100.00",
        "INV 2026-04-01 recurring Basic 2026-03-01/2026-04-01 1 31/31 100.00",
        "INV 2026-04-01 recurring Basic 2026-04-01/2026-05-01 1 30/30 100.00",
    ]
    assert billing.run("2026-04-01") == 0


def test_beyond_its_bounds_an_account_is_parked(billing: Billing) -> None:
    """An account whose documents of a day would be too much money is parked with the reason; the other is billed."""
    BillingPolicy.objects.create(entity_id=billing.entity, most_amount_a_day=Decimal("500.00"))
    rich = add_account("Rich AG")
    dear = billing.start(item("seat", "100"), account=rich)
    cheap = billing.start(item("basic"))
    before = Invoice.objects.count()
    assert billing.run("2026-02-01") == 1
    assert Invoice.objects.count() == before + 1
    assert billing.subscription(dear).parked_reason == "1,000 EUR in one day; more than 500 EUR is held back."
    assert billing.subscription(cheap).parked_at is None
    BillingPolicy.objects.update(most_amount_a_day=None)
    commands.unpark_subscription(actor=SYSTEM, subscription_id=dear, on=billing.on)
    assert billing.run("2026-02-01") == 1


def test_a_first_year(billing: Billing) -> None:
    """Start, growth, a pause, a price that goes up, an end in the past: the books agree with the ledger at the end."""
    billing.on = billing.on.replace(day=15)
    one = billing.start(item("seat", "5"), item("support"), anchor_day=1)
    billing.run("2026-02-01")
    billing.run("2026-03-01")
    billing.on = billing.on.replace(day=11)
    billing.change(one, item("seat", "8"), item("support"))
    billing.run("2026-04-01")
    billing.on = billing.on.replace(day=10)
    billing.pause(one)
    billing.run("2026-05-01")
    billing.on = billing.on.replace(day=20)
    billing.resume(one)
    for day in ("2026-06-01", "2026-07-01", "2026-08-01"):
        billing.run(day)
    billing.on = billing.on.replace(day=5)
    billing.cancel(one, when=billing.on.replace(month=7, day=16))
    billing.run("2026-09-01")
    assert billing.books()[-3:] == [
        "CN 2026-08-05 proration_credit Seat 2026-07-16/2026-08-01 8 16/31 41.29",
        "CN 2026-08-05 proration_credit Seat 2026-08-01/2026-09-01 8 31/31 80.00",
        "CN 2026-08-05 proration_credit Support 2026-07-16/2026-08-01 1 16/31 30.97",
    ]
    rows = BilledPeriod.objects.filter(subscription=one)
    documents = Invoice.objects.filter(status="issued")
    signed = sum((doc.net if doc.kind == "invoice" else -doc.net for doc in documents), Decimal(0))
    assert sum((row.net for row in rows), Decimal(0)) == signed
    assert [finding.invariant.key for finding in verify() if finding.count] == []


def test_a_document_credited_by_hand_is_not_charged_again(billing: Billing) -> None:
    """Twenty seats on 11 January, ten on the 21st, billed on 1 February with the credit between them. A person credits
    all of that invoice; then the subscription ends as of 16 January. Of the seats nothing is left to give back, and
    nothing is charged.
    """
    waits = Policy(increase="next_invoice", decrease="next_invoice")
    subscription = billing.start(item("basic"), policy=waits)
    for day, seats in ((11, "20"), (21, "10")):
        billing.on = date(2026, 1, day)
        billing.change(subscription, item("basic"), item("seat", seats))
    billing.run("2026-02-01")
    february = [line for line in billing.books() if "2026-02-01" in line.split()[1]]
    assert sorted(line.split(" ", 2)[2] for line in february if "Seat" in line) == [
        "proration_charge Seat 2026-01-11/2026-02-01 20 21/31 135.48",
        "proration_credit Seat 2026-01-21/2026-02-01 10 11/31 -35.48",
        "recurring Seat 2026-02-01/2026-03-01 10 28/28 100.00",
    ]
    lines = creditable_lines(SYSTEM, Invoice.objects.get(issued_on="2026-02-01").pk)
    order = CreditOrder(tuple(CreditLine(one.id, one.left.amount) for one in lines), reason="All wrong")
    invoicing.credit(actor=SYSTEM, orders=[order], on=billing.on, at=billing.at, send=False)
    before = billing.books()
    billing.on = date(2026, 2, 5)
    billing.cancel(subscription, when=date(2026, 1, 16))
    made = billing.books()[len(before) :]
    assert [line.split(" ", 2)[2] for line in made] == ["proration_credit Basic 2026-01-16/2026-02-01 1 16/31 51.61"]
    assert [finding.invariant.key for finding in verify() if not finding.holds] == []


def february(billing: Billing, *parts: str) -> UUID:
    """Twenty seats from 11 January, ten from the 21st beside what is paid for: the invoice of 1 February has charges of
    135.48, 100.00 and 100.00 and gives 35.48 of the first on a line of its own. A person credits so much of its lines.
    """
    subscription = billing.start(item("basic"), policy=Policy(increase="next_invoice", decrease="next_invoice"))
    for day, seats in ((11, "20"), (21, "10")):
        billing.on = date(2026, 1, day)
        billing.change(subscription, item("basic"), item("seat", seats))
    billing.run("2026-02-01")
    lines = InvoiceLine.objects.filter(invoice__issued_on="2026-02-01")
    by_name = {f"{one.kind} {one.description}": one for one in lines}
    assert {name: f"{one.net:.2f}" for name, one in by_name.items()} == {
        "proration_charge Seat": "135.48",
        "proration_credit Seat": "-35.48",
        "recurring Seat": "100.00",
        "recurring Basic": "100.00",
    }
    wanted = (part.split(" of ") for part in parts)
    order = CreditOrder(tuple(CreditLine(by_name[name].pk, Decimal(amount)) for amount, name in wanted))
    invoicing.credit(actor=SYSTEM, orders=[order], on=billing.on, at=billing.at, send=False)
    return subscription


CHARGE, GIVEN = "proration_charge Seat", "proration_credit Seat"


@pytest.mark.parametrize(
    ("parts", "made"),
    [
        ([f"135.48 of {CHARGE}"], ["100.00", "100.00", "-35.48"]),
        ([f"135.48 of {CHARGE}", f"-35.48 of {GIVEN}"], ["100.00", "100.00"]),
        ([f"120.00 of {CHARGE}"], ["100.00", "100.00", "-20.00"]),
        ([f"100.00 of {CHARGE}"], ["100.00", "100.00"]),
        ([f"135.48 of {CHARGE}", "100.00 of recurring Basic", "64.52 of recurring Seat"], []),
    ],
)
def test_an_end_is_possible_after_any_credit_by_hand(billing: Billing, parts: list[str], made: list[str]) -> None:
    """The end on 1 February gives back what is left of that invoice: what a line of its own gave of a charge that was
    credited is set off. An end that is moved to the first day gives back the rest: in all, what was paid.
    """
    subscription = february(billing, *parts)
    before = len(billing.books())
    billing.on = date(2026, 2, 1)
    billing.cancel(subscription)
    assert [line.split()[-1] for line in billing.books()[before:]] == made
    billing.cancel(subscription, when=date(2026, 1, 1))
    notes, invoices = (
        sum((one.net for one in Invoice.objects.filter(kind=kind)), Decimal(0)) for kind in ("credit_note", "invoice")
    )
    assert (notes, invoices) == (Decimal("400.00"), Decimal("400.00"))
    assert [finding.invariant.key for finding in verify() if not finding.holds] == []
