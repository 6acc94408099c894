"""Documents that go out by themselves are written in one pass, and stand there as if they had been drafts before."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.accounts import commands as accounts
from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice, InvoiceLine, TaxRate
from counterfoil.invoicing.rules.discounts import Discount
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.models import OutboxEvent

D = Decimal
BASIC = OrderLine(
    description="Basic",
    quantity=D(1),
    unit_price=D(100),
    kind="recurring",
    net=D("54.84"),
    share="17/31",
    why="17 of 31 days × 1 × 100.00",
    service_from=date(2026, 1, 15),
    service_to=date(2026, 2, 1),
    subscription_id=new_id(),
    subscription_item_id=new_id(),
)
SEATS = OrderLine("Seats", D(3), D("10.015"), kind="recurring", net=D("30.05"))
WORK = OrderLine("Work", D(2), D(10), discount_percent=D(5), tax_class="reduced")
TABLES = {
    "invoicing_invoice": "",
    "invoicing_invoiceline": "",
    "invoicing_invoicetax": "",
    "invoicing_instalment": "- 'id'",
    "invoicing_seriescounter": "- 'id'",
    "ledger_journalentry": "",
    "ledger_posting": "- 'id'",
}
# Of the two steps the first tells of a draft, which in one pass there never is.
TOLD = """
SELECT to_jsonb(e) - ARRAY['id', 'batch', 'happened_at', 'command'] FROM plumbing_outboxevent e
WHERE name <> 'invoicing.draft_made' ORDER BY e.id
"""
ASKED = "SELECT task_name, args, queue_name FROM procrastinate_jobs WHERE task_name LIKE 'invoicing.%' ORDER BY id"
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def two_steps(orders: Sequence[DraftOrder]) -> None:
    ids = commands.draft_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)
    blocked = {
        one.pk
        for one in Invoice.objects.filter(id__in=ids)
        if any(check["level"] == "blocking" for check in one.checks)
    }
    free = [invoice_id for invoice_id in ids if invoice_id not in blocked]
    commands.issue_invoices(actor=SYSTEM, invoice_ids=free, on=ON, at=AT, send=True)


def one_pass(orders: Sequence[DraftOrder]) -> commands.BilledOrders:
    return commands.bill_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)


def written_by(way: Callable[[Sequence[DraftOrder]], Any], orders: Sequence[DraftOrder]) -> list[str]:
    """Every row that a way wrote, in the order of its keys, with new ids in the order of their appearance. Undone."""
    known: set[str] = set()
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT to_jsonb(r)::text FROM {table} r")
            known |= {row for (row,) in cursor.fetchall()}
        told_before = len(OutboxEvent.objects.exclude(name="invoicing.draft_made"))
        cursor.execute(ASKED)
        asked_before = len(cursor.fetchall())
    with transaction.atomic():
        way(orders)
        rows: list[str] = []
        with connection.cursor() as cursor:
            for table, less in TABLES.items():
                cursor.execute(f"SELECT to_jsonb(r)::text, (to_jsonb(r) {less})::text FROM {table} r ORDER BY id")
                rows += [f"{table} {text}" for whole, text in cursor.fetchall() if whole not in known]
            cursor.execute(TOLD)
            rows += [str(row) for row in cursor.fetchall()[told_before:]]
            cursor.execute(ASKED)
            rows += [str(row) for row in cursor.fetchall()[asked_before:]]
        transaction.set_rollback(True)
    places: dict[str, str] = {}
    kept = {str(pk) for pk in Invoice.objects.values_list("id", flat=True)}
    kept |= {str(pk) for pk in InvoiceLine.objects.values_list("id", flat=True)}

    def named(found: re.Match[str]) -> str:
        return found[0] if found[0] in kept else places.setdefault(found[0], f"#{len(places)}")

    return [_ID.sub(named, row) for row in rows]


def orders_of_all_kinds(world: Issuing) -> list[DraftOrder]:
    """Plain, discounted, credited, in instalments, with an early discount, reverse charge, zero, and blocked."""
    thirds = accounts.add_terms(
        actor=SYSTEM,
        values={
            "key": "thirds",
            "name": "Thirds",
            "instalments": [
                {"percent": "30"},
                {"percent": "30", "days": 30},
                {"rest": True, "days": 60},
            ],
        },
    )
    early = accounts.add_terms(
        actor=SYSTEM,
        values={"key": "early", "name": "Early", "days": 30, "discount_days": 10, "discount_percent": "2"},
    )
    abroad = world.account(
        "Abroad SA", tax_profile="reverse_charge", tax_identifiers=[{"country": "AT", "value": "ATU37675002"}]
    )
    unknown = world.account("Abroad Ltd", tax_profile="reverse_charge")
    (first,) = world.issue(world.draft())
    (old,) = InvoiceLine.objects.filter(invoice=first)
    back = OrderLine("Work", D(1), D(10), kind="proration_credit", net=D("-10.00"), credits_line_id=old.pk)
    even = OrderLine("Even", D(1), D(5), kind="proration_credit", net=D("-54.84"))

    def order(*lines: OrderLine, account: UUID = world.acme, **more: Any) -> DraftOrder:
        return DraftOrder(account_id=account, lines=lines, origin="subscription", **more)

    return [
        order(BASIC, SEATS, po_number="4711", sales_owner_id=world.bea.id),
        order(BASIC, WORK, discounts=(Discount(percent=D(10)), Discount(amount=D(3)))),
        order(BASIC, back, notes="Thank you"),
        order(SEATS, terms_id=thirds),
        order(SEATS, terms_id=early, currency="USD"),
        order(BASIC, account=abroad),
        order(BASIC, even),
        order(BASIC, account=unknown),
    ]


def test_both_ways_write_the_same(world: Issuing) -> None:
    """Documents, lines, taxes, instalments, numbers, postings, news and jobs are the same but for their ids."""
    orders = orders_of_all_kinds(world)
    one, two = written_by(one_pass, orders), written_by(two_steps, orders)
    assert sum(row.startswith("invoicing_invoice ") for row in one) == 8
    assert one == two


def test_both_ways_write_the_same_where_prices_include_tax_per_line(world: Issuing) -> None:
    """The same, where prices include the tax, and where it is rounded per line."""
    orders = orders_of_all_kinds(world)
    TaxRate.objects.filter(tax_class="standard").update(included=True)
    assert written_by(one_pass, orders) == written_by(two_steps, orders)
    LegalEntity.objects.update(tax_rounding="per_line")
    assert written_by(one_pass, orders) == written_by(two_steps, orders)


def test_what_is_blocked_waits_and_the_rest_goes_out(world: Issuing) -> None:
    """A customer whose tax id is missing gets a draft in the review queue; the numbers have no gap."""
    unknown = world.account("Abroad Ltd", tax_profile="reverse_charge")
    orders = [DraftOrder(account, (BASIC,), origin="subscription") for account in (world.acme, unknown, world.acme)]
    billed = one_pass(orders)
    states = [
        (one.status, one.number, one.version, one.send_requested_at) for one in map(world.invoice, billed.invoice_ids)
    ]
    assert states == [
        ("issued", "INV-2026-00001", 2, AT),
        ("draft", "", 1, None),
        ("issued", "INV-2026-00002", 2, AT),
    ]
    assert billed.waiting == {billed.invoice_ids[1]}
    assert world.checks(billed.invoice_ids[1])["no_tax_id"] == "blocking"
    assert world.events() == ["draft_made", "invoice_issued", "invoice_issued"]
    world.change(unknown, tax_profile="standard")
    commands.recheck_drafts(actor=SYSTEM, account_ids=[unknown], on=ON)
    world.issue(billed.invoice_ids[1])
    assert world.numbers() == ["INV-2026-00001", "INV-2026-00002", "INV-2026-00003"]
    assert [one.invariant.key for one in verify() if not one.holds and one.invariant.key != "S3"] == []  # nobody agreed


def test_an_order_keeps_its_own_terms(world: Issuing) -> None:
    """The terms of a subscription stay on its document when the account says others, in one pass and in two steps."""
    early = accounts.add_terms(actor=SYSTEM, values={"key": "early", "name": "Early", "days": 3})
    orders = [DraftOrder(world.acme, (BASIC,), origin="subscription", terms_id=early)]
    one_pass(orders)
    two_steps(orders)
    found = Invoice.objects.order_by("id").values_list("terms_id", "due_on", "sources__terms__kind")
    assert list(found) == [(early, date(2026, 4, 4), "subscription")] * 2


def test_nothing_is_written_of_nothing(world: Issuing) -> None:
    assert one_pass([]) == commands.BilledOrders()
    assert world.events() == []


def test_as_many_statements_for_twelve_as_for_six(world: Issuing) -> None:
    """Twelve documents take the statements of six; the rows of two go together."""
    customers = [world.account(f"Customer {place}") for place in range(12)]
    orders = [DraftOrder(account, (BASIC, SEATS), origin="subscription") for account in customers]
    one_pass(orders[:2])
    counts = []
    for part in (orders[:2], orders[:6], orders):
        with CaptureQueriesContext(connection) as captured:
            one_pass(part)
        counts.append(len(captured))
    assert counts[0] <= counts[1] == counts[2]
