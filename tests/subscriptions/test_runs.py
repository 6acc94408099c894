"""Billing runs: repeated, at once on several connections, with an account that cannot be billed, beyond bounds."""

from __future__ import annotations

import threading
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from screens_world import Screens, make_screens
from subscriptions_world import add_account, item

from counterfoil.core.errors import Conflict, Refusal
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing import clock as product_clock
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands, jobs, queries
from counterfoil.subscriptions.models import BilledPeriod, BillingRun, RunParking, Subscription
from counterfoil.subscriptions.rules.agreement import Policy
from staff import SYSTEM, Staff

pytestmark = pytest.mark.django_db

OURS = {f"S{number}" for number in range(1, 9)}


def broken() -> set[str]:
    return {one.invariant.key for one in verify() if not one.holds} & OURS


def test_the_list_filters_by_the_day_that_it_shows(screens: Screens) -> None:
    """Where seconds are counted the next bill of May is due at midnight in Berlin, which in UTC is still April."""
    start = datetime(2026, 4, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    one = screens.billing.start(item("basic"), start=start, policy=Policy(basis="seconds"))

    def found(first: date | None, last: date | None) -> list[UUID]:
        filters = {"due_on": (first, last)}
        return [row.id for row in queries.list_subscriptions(SYSTEM, filters=filters, today=date(2026, 4, 1)).rows]

    screens.billing.run("2026-04-01")
    assert queries.get_subscription(SYSTEM, one).due_on == date(2026, 5, 1)
    assert found(date(2026, 5, 1), date(2026, 5, 1)) == [one]
    assert found(None, date(2026, 4, 30)) == []


def test_the_sweep_bills_what_is_due_once(screens: Screens, clock: Any) -> None:
    """Asked again and again, it bills May once; the run says what it made; nothing due asks for nothing."""
    screens.start(("hosting", "1"))
    screens.start(("seat", "3"))
    assert (jobs.due_subscriptions(), BillingRun.objects.count()) == (0, 0)
    clock.set("2026-05-01")
    assert (jobs.due_subscriptions(), jobs.due_subscriptions()) == (2, 2)
    run_waiting_jobs()
    assert jobs.due_subscriptions() == 0
    run_waiting_jobs()
    run = BillingRun.objects.get()
    assert (run.state, run.expected, run.subscriptions, run.documents, run.parked) == ("done", 2, 2, 1, 0)
    assert {name: Decimal(net) for name, net in run.totals.items()} == {"EUR": Decimal("130.00")}
    assert BilledPeriod.objects.filter(run_id=run.pk).count() == 2
    assert broken() == set()


def test_bounds_park_an_account_with_its_reason_on_the_run(screens: Screens, clock: Any) -> None:
    """Beyond 50.00 a day the account waits; the run names it and why, the other is billed, un-parked it is billed."""
    other = add_account("Bolt AG")
    big = screens.start(("hosting", "1"))
    screens.start(("seat", "1"), account=str(other))
    screens.policy(most_amount_a_day=Decimal("50.00"))
    clock.set("2026-05-01")
    run_id = commands.start_run(actor=SYSTEM, at=clock.now)
    run_waiting_jobs()
    _, run = screens.call("GET", f"billing-runs/{run_id}")
    assert (run["subscriptions"], run["documents"], run["parked"]) == (2, 1, 1)
    assert [(one["subscription"], one["is_parked"]) for one in run["parkings"]] == [(str(big), True)]
    reason = run["parkings"][0]["reason"]
    assert (Decimal(reason.split()[0]), reason.endswith("is held back.")) == (Decimal(100), True)
    _, page = screens.call("GET", "subscriptions?state=parked")
    assert [one["id"] for one in page["items"]] == [str(big)]
    screens.policy(most_amount_a_day=None)
    assert screens.call("POST", f"subscriptions/{big}/unpark")[0] == 200
    assert screens.call("POST", f"subscriptions/{big}/unpark")[1]["code"] == "not_parked"
    jobs.due_subscriptions()
    run_waiting_jobs()
    assert BilledPeriod.objects.filter(subscription=big).count() == 2
    assert RunParking.objects.get().subscription_id == big
    assert broken() == set()


def test_many_are_held_back_by_as_many_statements(screens: Screens, clock: Any) -> None:
    """Twelve accounts beyond their bounds are parked and noted by as many statements as six."""
    screens.policy(most_amount_a_day=Decimal("1.00"))

    def statements(count: int, day: str) -> int:
        for number in range(count):
            screens.start(("hosting", "1"), account=str(add_account(f"Firm {count} {number}")))
        clock.set(day)
        run_id = commands.start_run(actor=SYSTEM, at=clock.now)
        assert run_id is not None
        with CaptureQueriesContext(connection) as captured:
            commands.bill_chunk(actor=SYSTEM, run_id=run_id, at=clock.now)
        assert RunParking.objects.filter(run=run_id).count() == count
        return len(captured)

    assert statements(6, "2026-05-01") == statements(12, "2026-06-01")


def test_one_account_that_breaks_is_parked_and_the_others_go_on(screens: Screens, clock: Any) -> None:
    """A row that the engine cannot take stops nobody: it is parked with what went wrong."""
    other = add_account("Bolt AG")
    bad = screens.start(("hosting", "1"))
    good = screens.start(("seat", "1"), account=str(other))
    with connection.cursor() as cursor:
        # The price has lost its amount behind the product's back.
        cursor.execute(
            "UPDATE subscriptions_subscriptionitem SET amount = NULL, model = 'package' WHERE subscription_id = %s",
            [bad],
        )
    clock.set("2026-05-01")
    run_id = commands.start_run(actor=SYSTEM, at=clock.now)
    run_waiting_jobs()
    run = BillingRun.objects.get(pk=run_id)
    assert (run.state, run.documents, run.parked) == ("done", 1, 1)
    assert BilledPeriod.objects.filter(subscription=good).count() == 2
    parked = Subscription.objects.get(pk=bad)
    assert parked.parked_at == clock.now
    assert parked.parked_reason.startswith("It could not be")
    assert broken() == set()


def test_an_account_whose_documents_fail_is_parked(screens: Screens, clock: Any) -> None:
    """A failure that nobody foresaw, in the middle of writing: its account alone is parked."""
    other = add_account("Bolt AG")
    bad = screens.start(("hosting", "1"))
    good = screens.start(("seat", "1"), account=str(other))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE subscriptions_subscription SET currency = 'XXQ' WHERE id = %s", [bad])
    clock.set("2026-05-01")
    run_id = commands.start_run(actor=SYSTEM, at=clock.now)
    run_waiting_jobs()
    run = BillingRun.objects.get(pk=run_id)
    assert (run.state, run.documents, run.parked) == ("done", 1, 1)
    assert (BilledPeriod.objects.filter(subscription=good).count(), Invoice.objects.count()) == (2, 3)
    assert Subscription.objects.get(pk=bad).parked_at is not None


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_bill_each_period_once(clock: Any) -> None:
    """Four workers and the sweep between them, over thirty accounts: one document and one row each."""
    screens = make_screens(Staff())
    for number in range(30):
        screens.start(("hosting", "1"), account=str(add_account(f"Firm{number} AG")))
    clock.set("2026-05-01")
    at = clock.now
    run_id = commands.start_run(actor=SYSTEM, at=at)
    assert run_id is not None
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with product_clock.stopped_at(at):
                jobs.due_subscriptions()
                while commands.bill_chunk(actor=SYSTEM, run_id=run_id, at=at, chunk=3):
                    continue
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    commands.bill_chunk(actor=SYSTEM, run_id=run_id, at=at)
    run = BillingRun.objects.get()
    assert (run.state, run.expected, run.subscriptions, run.documents) == ("done", 30, 30, 30)
    assert {name: Decimal(net) for name, net in run.totals.items()} == {"EUR": Decimal("3000.00")}
    assert BilledPeriod.objects.filter(run_id=run_id).count() == 30
    assert broken() == set()


# A draft that bills a subscription -----------------------------------------------------------------------------------


@pytest.fixture
def draft(screens: Screens, clock: Any) -> UUID:
    """The draft that a reviewed run made."""
    screens.start(("hosting", "1"))
    screens.policy(is_reviewed=True)
    clock.set("2026-05-01")
    jobs.due_subscriptions()
    run_waiting_jobs()
    return Invoice.objects.get(status="draft").pk


def test_a_draft_of_a_subscription_is_not_lost(screens: Screens, draft: UUID) -> None:
    """It is neither discarded nor returned, by a person or by SQL; issued it is."""
    for act in (
        lambda: invoicing.discard_draft(actor=SYSTEM, invoice_id=draft, version=None),
        lambda: invoicing.return_drafts(actor=SYSTEM, invoice_ids=[draft], reason="Wrong", at=product_clock.now()),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "bills_a_subscription"
        assert "change, pause or end the subscription" in refused.value.message

    for sql in (
        "DELETE FROM invoicing_invoice WHERE id = %s",
        "UPDATE invoicing_invoice SET status = 'void' WHERE id = %s",
    ):
        with (
            pytest.raises(DatabaseError, match="bills a subscription"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, [draft])
    assert Invoice.objects.get(pk=draft).status == "draft"
    on = product_clock.today()
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[draft], on=on, at=product_clock.now(), send=False)
    assert Invoice.objects.get(pk=draft).status == "issued"
    assert broken() == set()


def test_lines_of_a_subscription_keep_their_amounts(screens: Screens, draft: UUID) -> None:
    """A reviewer may write another text and add a line; another quantity or a missing line is refused."""
    line = Invoice.objects.get(pk=draft).lines.get()
    same = {"id": str(line.pk), "product": str(line.product_id),
            "quantity": "1", "unit_price": "100.00", "description": "Hosting, May",
            "service_from": "2026-05-01", "service_to": "2026-06-01"}  # fmt: skip
    on = product_clock.today()

    def change(*lines: dict[str, str]) -> None:
        invoicing.change_draft(actor=SYSTEM, invoice_id=draft, values={"lines": list(lines)}, version=None, on=on)

    for lines in ([{**same, "quantity": "2"}], []):
        with pytest.raises(Conflict) as refused:
            change(*lines)
        assert (refused.value.code, refused.value.field) == ("bills_a_subscription", "lines")
    with pytest.raises(Refusal) as unnamed:
        change({"description": "Other", "quantity": "1", "unit_price": "5.00"})
    assert (unnamed.value.code, unnamed.value.field) == ("missing", "lines.0.id")
    assert Invoice.objects.get(pk=draft).lines.get().description == "Hosting"
    change(same, {"description": "Set-up", "quantity": "1", "unit_price": "50.00"})
    kept = Invoice.objects.get(pk=draft).lines.order_by("position")
    assert [(one.description, f"{one.net:.2f}") for one in kept] == [
        ("Hosting, May", "100.00"), ("Set-up", "50.00"),
    ]  # fmt: skip
    assert broken() == set()
