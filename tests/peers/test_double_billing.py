"""What billed twice, too much or never again in other systems, told again here: each test names its bug.

The halves that need a payment processor, a hosted checkout or incoming webhooks are not told.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections, transaction
from procrastinate.contrib.django.models import ProcrastinateJob
from screens_world import Screens, make_screens
from subscriptions_world import SYSTEM, Billing, add_account, item, make_billing

from counterfoil.core.errors import Refusal
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine, SeriesCounter
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.plumbing import clock as product_clock
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands, jobs, previewing
from counterfoil.subscriptions.models import BilledPeriod, BillingRun, Subscription
from staff import Staff

pytestmark = pytest.mark.django_db

D = Decimal


def broken() -> list[str]:
    return [one.invariant.key for one in verify() if not one.holds]


def on_threads(count: int, act: Callable[[int], Any]) -> list[Any]:
    """The act on so many connections at the same moment; answers what each came to."""
    together = threading.Barrier(count, timeout=60)

    def one(place: int) -> Any:
        try:
            together.wait()
            return act(place)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.fixture
def apart(transactional_db: None) -> Iterator[None]:
    """Real transactions, for several connections."""
    yield
    connections.close_all()


# Once, and exactly once -----------------------------------------------------------------------------------------------


def test_a_subscription_has_one_invoice_a_period(billing: Billing) -> None:
    """Lago #1086 https://github.com/getlago/lago-api/pull/1086: the same day billed again makes no second invoice."""
    billing.start(item("basic"))
    assert [billing.run("2026-02-01"), billing.run("2026-02-01"), billing.run("2026-02-02")] == [1, 0, 0]
    assert billing.documents() == ["INV-2026-00001 2026-01-01 119.00", "INV-2026-00002 2026-02-01 119.00"]
    assert broken() == []


def test_the_last_invoice_is_not_taken_for_a_duplicate(billing: Billing) -> None:
    """Lago #1110 https://github.com/getlago/lago-api/pull/1110: the end bills what was used since the renewal, though
    the renewal billed the same subscription on the same day or in the same month.
    """
    first, second = billing.start(item("support")), billing.start(item("support"), account=add_account("Bolt AG"))
    assert billing.run("2026-02-01") == 2
    billing.cancel(second)
    billing.on = date(2026, 2, 15)
    billing.cancel(first)
    billing.run("2026-04-01")
    assert billing.books() == [
        "INV 2026-02-01 recurring Support 2026-01-01/2026-02-01 1 31/31 60.00",
        "INV 2026-02-01 recurring Support 2026-01-01/2026-02-01 1 31/31 60.00",
        "INV 2026-02-15 recurring Support 2026-02-01/2026-02-15 1 14/28 30.00",
    ]
    assert broken() == []


def test_a_yearly_plan_with_monthly_charges(billing: Billing) -> None:
    """Lago #1203 https://github.com/getlago/lago-api/pull/1203: twelve months of usage beside one year, and the next
    year; none is taken for a duplicate of another.
    """
    both = billing.start(item("yearly"), item("calls", "0"))
    for month in range(2, 14):
        billing.use(both, "calls", "100", when=billing.on, external_id=f"event {month}")
        billing.run(f"{2026 + (month - 1) // 12}-{(month - 1) % 12 + 1:02}-01")
    rows = BilledPeriod.objects.order_by("starts_at", "id")
    assert [(row.starts_at.date().isoformat(), f"{row.net:.2f}") for row in rows if row.kind == "recurring"] == [
        ("2026-01-01", "1200.00"), ("2027-01-01", "1200.00"),
    ]  # fmt: skip
    assert [(row.starts_at.month, f"{row.net:.2f}") for row in rows if row.kind == "usage"] == [
        (month, "1.00") for month in range(1, 13)
    ]
    assert broken() == []


COPY = """
    INSERT INTO subscriptions_billedperiod
    SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(), 'kind', %(kind)s,
        'item_id', %(item)s::uuid, 'starts_at', starts_at + %(by)s * interval '1 day',
        'ends_at', ends_at + %(by)s * interval '1 day'))).*
    FROM subscriptions_billedperiod b WHERE b.item_id = %(of)s
"""


@pytest.mark.parametrize("by", [-31, -30, -1, 0, 1, 30, 31])
@pytest.mark.parametrize(("kind", "other"), [("recurring", False), ("recurring", True), ("proration_charge", False)])
def test_the_guard_refuses_exactly_true_duplicates(billing: Billing, by: int, kind: str, other: bool) -> None:
    """Lago #1203 https://github.com/getlago/lago-api/pull/1203: the database refuses a second period of the same item
    that shares a day with the first, and nothing else: not the period before or after, another item, or a correction.
    """
    subscription = billing.start(item("basic"), item("seat", "0"))
    first, second = Subscription.objects.get(pk=subscription).items.order_by("position").values_list("pk", flat=True)
    asked = {"kind": kind, "item": second if other else first, "of": first, "by": by}
    is_duplicate = kind == "recurring" and not other and abs(by) < 31
    refused = False
    with transaction.atomic():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(COPY, asked)
                assert cursor.rowcount == 1
        except DatabaseError as error:
            refused = "recurring_once" in str(error)
        transaction.set_rollback(True)
    assert refused is is_duplicate


@pytest.mark.django_db(transaction=True)
def test_eight_threads_start_one_subscription(apart: None, clock: Any) -> None:
    """Lago #1868 https://github.com/getlago/lago-api/pull/1868: eight requests with one key make one subscription and
    one invoice; who comes while the first is at work is told so, and asking again gives the first one's answer.
    """
    screens = make_screens(Staff())
    program, at = screens.staff.program("billing"), clock.now
    order = {"account": str(screens.billing.acme), "start": "2026-04-01", "items": [{"price": "hosting"}]}

    def start(_: int) -> tuple[int, str]:
        with product_clock.stopped_at(at):
            answer = program("POST", "subscriptions", order, idempotency_key="start-1")
            while answer.status_code == 409:
                time.sleep(0.05)
                answer = program("POST", "subscriptions", order, idempotency_key="start-1")
        return answer.status_code, answer.json()["id"]

    assert set(on_threads(8, start)) == {(201, str(Subscription.objects.get().pk))}
    assert [f"{one.total:.2f}" for one in Invoice.objects.all()] == ["119.00"]
    assert broken() == []


def test_a_clock_that_asks_again_while_nobody_works(screens: Screens, clock: Any) -> None:
    """Lago #1988 https://github.com/getlago/lago-api/pull/1988 and #2681 https://github.com/getlago/lago-api/pull/2681:
    asked five times, an hour apart, without a worker: one job waits, none failed, and then one invoice.
    """
    screens.start(("hosting", "1"))
    for hour in range(5):
        clock.set(f"2026-05-01T{6 + hour:02}:00")
        assert jobs.due_subscriptions() == 1
    waiting = ProcrastinateJob.objects.filter(task_name="subscriptions.bill")
    assert list(waiting.values_list("status", flat=True)) == ["todo"]
    run_waiting_jobs()
    assert list(waiting.values_list("status", flat=True)) == ["succeeded"]
    assert [f"{one.total:.2f}" for one in Invoice.objects.order_by("id")] == ["119.00", "119.00"]
    assert (BillingRun.objects.count(), broken()) == (1, [])


def test_ended_between_the_asking_and_the_run(screens: Screens, clock: Any) -> None:
    """Lago #958 https://github.com/getlago/lago-api/pull/958: a subscription that ends after its renewal was asked for,
    and before it is billed, is not billed.
    """
    subscription = screens.start(("hosting", "1"))
    clock.set("2026-05-01")
    assert jobs.due_subscriptions() == 1
    assert screens.call("POST", f"subscriptions/{subscription}/cancel", {"when": "2026-05-01"})[0] == 200
    run_waiting_jobs()
    assert [f"{one.total:.2f}" for one in Invoice.objects.all()] == ["119.00"]
    assert BillingRun.objects.get().documents == 0
    assert broken() == []


def reviewed_draft(screens: Screens, clock: Any) -> UUID:
    screens.start(("hosting", "1"))
    screens.policy(is_reviewed=True)
    clock.set("2026-05-01")
    jobs.due_subscriptions()
    run_waiting_jobs()
    return Invoice.objects.get(status="draft").pk


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_is_refreshed_at_once_has_its_lines_once(apart: None, clock: Any) -> None:
    """Lago #1484 https://github.com/getlago/lago-api/pull/1484: eight refreshes of one draft at once, and a run beside
    them, leave one line of 100.00 and its tax once.
    """
    screens = make_screens(Staff())
    draft, at = reviewed_draft(screens, clock), clock.now

    def refresh(place: int) -> int:
        if place == 8:
            return commands.bill_due(actor=SYSTEM, on=at.date(), at=at).documents
        return invoicing.recheck_drafts(actor=SYSTEM, account_ids=[screens.billing.acme], on=at.date())

    assert sum(on_threads(9, refresh)) == 0
    found = Invoice.objects.get(pk=draft)
    assert [f"{line.net:.2f}" for line in found.lines.all()] == ["100.00"]
    assert [f"{tax.amount:.2f}" for tax in found.taxes.all()] == ["19.00"]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_finalised_twice_it_has_one_number_and_its_tax_once(apart: None, clock: Any) -> None:
    """Lago #5523 https://github.com/getlago/lago-api/pull/5523: two who approve a draft at once, and one who does it
    again later, leave one number and 19.00 of tax.
    """
    screens = make_screens(Staff())
    draft, at = reviewed_draft(screens, clock), clock.now

    def approve(_: int) -> str:
        try:
            invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[draft], on=at.date(), at=at, send=False)
        except Refusal as refused:
            return refused.code
        return "issued"

    assert sorted(on_threads(2, approve)) == ["issued", "not_a_draft"]
    assert approve(0) == "not_a_draft"
    found = Invoice.objects.get(pk=draft)
    assert (found.number, f"{found.tax:.2f}", f"{found.total:.2f}") == ("INV-2026-00002", "19.00", "119.00")
    assert [f"{tax.amount:.2f}" for tax in found.taxes.all()] == ["19.00"]
    assert (SeriesCounter.objects.get().last, broken()) == (2, [])


# A run that fails -----------------------------------------------------------------------------------------------------


def sql(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_a_run_that_cannot_read_writes_nothing(screens: Screens, clock: Any) -> None:
    """Kill Bill #640 https://github.com/killbill/killbill/issues/640: when what was agreed cannot be read, nothing is
    billed and nobody loops: each subscription is parked with the reason, and billed once when that is mended.
    """
    subscription = screens.start(("hosting", "1"))
    clock.set("2026-05-01")
    assert jobs.due_subscriptions() == 1
    sql("ALTER TABLE subscriptions_pause RENAME TO lost")
    run_waiting_jobs()
    sql("ALTER TABLE lost RENAME TO subscriptions_pause")
    assert (Invoice.objects.count(), BilledPeriod.objects.count(), SeriesCounter.objects.get().last) == (1, 1, 1)
    reason = Subscription.objects.get().parked_reason
    assert "subscriptions_pause" in reason
    assert (BillingRun.objects.get().state, jobs.due_subscriptions()) == ("done", 0)
    assert screens.call("POST", f"subscriptions/{subscription}/unpark")[0] == 200
    assert jobs.due_subscriptions() == 1
    run_waiting_jobs()
    assert [f"{one.total:.2f}" for one in Invoice.objects.order_by("id")] == ["119.00", "119.00"]
    assert broken() == []


FAILS = """
    CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT account_id FROM subscriptions_subscription WHERE id = NEW.subscription_id) = '{account}' THEN
            {what}
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fails BEFORE INSERT ON subscriptions_billedperiod FOR EACH ROW EXECUTE FUNCTION fails();
"""


def test_one_that_cannot_be_written_stops_nobody(screens: Screens, clock: Any) -> None:
    """ERPNext #48941 https://github.com/frappe/erpnext/issues/48941: of three accounts the second one's document fails
    in the middle of writing: it leaves no number, no draft and no posting, and the others are billed without a gap.
    """
    accounts = [screens.billing.acme, add_account("Bolt AG"), add_account("Core AG")]
    for account in accounts:
        screens.start(("hosting", "1"), account=str(account))
    clock.set("2026-05-01")
    sql(FAILS.format(account=accounts[1], what="RAISE EXCEPTION 'no room';"))
    jobs.due_subscriptions()
    run_waiting_jobs()
    run = BillingRun.objects.get()
    assert (run.state, run.documents, run.parked) == ("done", 2, 1)
    may = Invoice.objects.filter(issued_on="2026-05-01").order_by("sequence")
    assert [(one.sequence, one.account_id, f"{one.total:.2f}") for one in may] == [
        (4, accounts[0], "119.00"), (5, accounts[2], "119.00"),
    ]  # fmt: skip
    assert Subscription.objects.exclude(parked_at=None).get().account_id == accounts[1]
    assert "no room" in Subscription.objects.exclude(parked_at=None).get().parked_reason
    assert broken() == []


def test_a_failure_parks_its_own_account_and_not_one_that_waits(db: None, clock: Any) -> None:
    """ERPNext #48941 https://github.com/frappe/erpnext/issues/48941 and #53308
    https://github.com/frappe/erpnext/issues/53308: a won deal's subscription that waits for the review of its draft is
    not due: it starts no run, keeps none from its end, and is not parked for the mistake of another.
    """
    from deals_world import make_sales

    sales = make_sales()
    lines = [{"product": sales.support, "quantity": "2"}]
    sales.win(sales.ready(lines=lines))
    clock.set("2026-06-01")
    assert (jobs.due_subscriptions(), BillingRun.objects.count()) == (0, 0)
    bad = Billing(sales.entity, add_account("Bolt AG"), date(2026, 6, 1))
    bad.on = date(2026, 5, 2)
    bad.start(item("basic"))
    sql(FAILS.format(account=bad.acme, what="RAISE EXCEPTION 'no room';"))
    clock.set("2026-06-02")
    assert jobs.due_subscriptions() == 1
    run_waiting_jobs()
    assert BillingRun.objects.get().state == "done"
    assert [one.account_id for one in Subscription.objects.exclude(parked_at=None)] == [bad.acme]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_a_serialisation_failure_is_tried_again_and_bills_once(apart: None) -> None:
    """Odoo #101243 https://github.com/odoo/odoo/pull/101243, the half without a processor: the first try of a run ends
    with 40001 after everything was written, the second goes through: one invoice, the numbers without a gap.
    """
    billing = make_billing()
    billing.start(item("basic"))
    sql(
        "CREATE SEQUENCE tries",
        FAILS.format(
            account=billing.acme,
            what="IF nextval('tries') = 1 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;",
        ),
    )
    try:
        assert billing.run("2026-02-01") == 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_value FROM tries")
            assert cursor.fetchone() == (2,)
    finally:
        sql("DROP TRIGGER fails ON subscriptions_billedperiod", "DROP FUNCTION fails", "DROP SEQUENCE tries")
    assert billing.documents() == ["INV-2026-00001 2026-01-01 119.00", "INV-2026-00002 2026-02-01 119.00"]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [1, 3, 6])
def test_killed_at_an_item_and_begun_again(apart: None, place: int) -> None:
    """OCA contract #1473 https://github.com/OCA/contract/pull/1473: the run dies at its first, third or last account
    and is begun again: six accounts have six invoices of February, numbered without a gap.
    """
    billing = make_billing()
    for number in range(6):
        billing.start(item("basic"), account=add_account(f"Firm{number} AG"))
    sql(
        "CREATE SEQUENCE places",
        FAILS.format(account="%", what="").replace("= '%'", "IS NOT NULL").replace(
            "THEN", f"AND nextval('places') = {place} THEN PERFORM pg_sleep(2);"
        ),
    )  # fmt: skip
    connection.close()
    try:
        pid = os.fork()
        if not pid:
            try:
                while commands.bill_due(
                    actor=SYSTEM, on=date(2026, 2, 1), at=datetime(2026, 2, 1, 12, tzinfo=UTC), chunk=1
                ).subscriptions:
                    continue
            finally:
                os._exit(3)
        _until_asleep()
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status)
        time.sleep(2)
    finally:
        sql("DROP TRIGGER fails ON subscriptions_billedperiod", "DROP FUNCTION fails", "DROP SEQUENCE places")
    february = Invoice.objects.filter(issued_on="2026-02-01")
    assert february.count() == place - 1
    assert billing.run("2026-02-01") == 7 - place
    assert list(february.order_by("sequence").values_list("sequence", flat=True)) == list(range(7, 13))
    assert broken() == []


def _until_asleep() -> None:
    """Until another connection sleeps in the middle of writing."""
    for _ in range(600):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
            if cursor.fetchone() == (1,):
                return
        time.sleep(0.05)
    raise AssertionError("it never came to the place")


# Schedulers, clicks ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland"])
def test_a_scheduler_that_asks_every_minute(screens: Screens, clock: Any, zone: str) -> None:
    """Invoice Ninja #9997 https://github.com/invoiceninja/invoiceninja/issues/9997, #12013
    https://github.com/invoiceninja/invoiceninja/issues/12013 and #2449
    https://github.com/invoiceninja/invoiceninja/issues/2449: asked every minute of a day around a renewal, one
    invoice, issued on the company's own day: in Auckland while it is still April in London.
    """
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_legalentity SET timezone = %s", [zone])
    screens.start(("hosting", "1"), start="2026-04-01")
    instant = clock.set("2026-04-30T10:00")
    for _ in range(24 * 60):
        with product_clock.stopped_at(instant):
            if jobs.due_subscriptions():
                run_waiting_jobs()
        instant += timedelta(minutes=1)
    found = Invoice.objects.order_by("id")
    assert [f"{one.total:.2f}" for one in found] == ["119.00", "119.00"]
    assert str(found[1].issued_on) == "2026-05-01"
    begins = {"Europe/Berlin": "2026-04-30T22:00:00+00:00", "Pacific/Auckland": "2026-04-30T12:00:00+00:00"}
    issued_at = found[1].issued_at
    assert issued_at is not None
    assert issued_at == datetime.fromisoformat(begins[zone])
    assert broken() == []


def test_a_form_that_is_sent_twice_counts_once(screens: Screens, clock: Any) -> None:
    """Invoice Ninja #4411 https://github.com/invoiceninja/invoiceninja/issues/4411: a change that a browser sends twice
    is billed once, a program's with one key too; the second browser is told, and the ledger holds.
    """
    subscription = screens.start(("seat", "2"))
    clock.set("2026-04-16")
    browser = screens.staff.browser("billing")
    form = {"items-0-price": "seat", "items-0-quantity": "5", "when": "2026-04-16", "version": "1"}
    answers = [browser.post(f"/subscriptions/{subscription}/change/", form).status_code for _ in range(2)]
    assert answers == [302, 409]
    program = screens.staff.program("billing")
    order = {"when": "2026-04-16", "items": [{"price": "seat", "quantity": "7"}]}
    for _ in range(2):
        answer = program("POST", f"subscriptions/{subscription}/change", order, idempotency_key="more")
        assert answer.status_code == 200
    assert [f"{one.net:.2f}" for one in Invoice.objects.order_by("id")] == ["20.00", "15.00", "10.00"]
    assert broken() == []


def test_three_clicks_and_a_scheduler_every_hour(screens: Screens, clock: Any) -> None:
    """ERPNext #28179 https://github.com/frappe/erpnext/issues/28179 and #28236
    https://github.com/frappe/erpnext/issues/28236: a click three times on “Bill what is due”, each hour again, and the
    scheduler between: one invoice and one run.
    """
    screens.start(("hosting", "1"))
    browser = screens.staff.browser("billing")
    for hour in range(24):
        clock.set(f"2026-05-01T{hour:02}:30")
        for _ in range(3):
            assert browser.post("/billing-runs/").status_code == 302
        jobs.due_subscriptions()
        if hour % 5 == 0:
            run_waiting_jobs()
    run_waiting_jobs()
    assert [f"{one.total:.2f}" for one in Invoice.objects.order_by("id")] == ["119.00", "119.00"]
    assert (BillingRun.objects.count(), broken()) == (1, [])


@pytest.mark.parametrize("order", [("sweep", "click"), ("click", "sweep")])
def test_the_scheduler_and_the_button_renew_once(screens: Screens, clock: Any, order: tuple[str, str]) -> None:
    """FOSSBilling #3106 https://github.com/FOSSBilling/FOSSBilling/issues/3106, with the button for the webhook: the
    daily job and the button both renew, in either order, at once and one after the other: one renewal.
    """
    screens.start(("hosting", "1"))
    clock.set("2026-05-01")
    ways: dict[str, Callable[[], Any]] = {
        "sweep": jobs.due_subscriptions,
        "click": lambda: screens.staff.browser("billing").post("/billing-runs/"),
    }
    for way in order:
        ways[way]()
    run_waiting_jobs()
    for way in order:
        ways[way]()
        run_waiting_jobs()
    assert [f"{one.total:.2f}" for one in Invoice.objects.order_by("id")] == ["119.00", "119.00"]
    assert (BillingRun.objects.count(), broken()) == (1, [])


# Never a dead end -----------------------------------------------------------------------------------------------------


def test_a_year_that_rests_is_not_parked_for_ever(billing: Billing) -> None:
    """Kill Bill #2306 https://github.com/killbill/killbill/issues/2306: a yearly price that rests for two months is
    given back by the day, charged again, and renewed.
    """
    yearly = billing.start(item("yearly"))
    billing.on = date(2026, 3, 1)
    billing.pause(yearly)
    billing.on = date(2026, 5, 1)
    billing.resume(yearly)
    assert (billing.run("2026-12-31"), billing.run("2027-01-01")) == (0, 1)
    assert billing.books() == [
        "INV 2026-01-01 recurring Yearly 2026-01-01/2027-01-01 1 365/365 1200.00",
        "CN 2026-03-01 proration_credit Yearly 2026-03-01/2027-01-01 1 306/365 1006.03",
        "INV 2026-05-01 proration_charge Yearly 2026-05-01/2027-01-01 1 245/365 805.48",
        "INV 2027-01-01 recurring Yearly 2027-01-01/2028-01-01 1 365/365 1200.00",
    ]
    assert billing.subscription(yearly).parked_at is None
    assert broken() == []


def credited(billing: Billing, amount: str, place: int = 0) -> None:
    """A credit note by a clerk of one of the charged lines, the first unless said."""
    line = InvoiceLine.objects.filter(invoice__kind="invoice", net__gt=0).order_by("invoice__id", "position")[place]
    order = CreditOrder((CreditLine(line.pk, D(amount)),), reason="Sorry")
    invoicing.credit(actor=SYSTEM, orders=[order], on=billing.on, at=billing.at, send=False)


@pytest.mark.parametrize(
    ("by_hand", "then"),
    [
        ("100.00", []),
        ("40.00", ["CN 2026-01-17 proration_credit Basic 2026-01-17/2026-02-01 1 15/31 29.03"]),
        ("0.01", ["CN 2026-01-17 proration_credit Basic 2026-01-17/2026-02-01 1 15/31 48.38"]),
    ],
)
def test_credited_by_hand_and_then_ended(billing: Billing, by_hand: str, then: list[str]) -> None:
    """Kill Bill #1505 https://github.com/killbill/killbill/issues/1505: an invoice that a clerk credited does not keep
    its subscription from ending: the rest is of what is left of it, 15/31 × (100.00 − 40.00), or nothing.
    """
    subscription = billing.start(item("basic"))
    credited(billing, by_hand)
    billing.on = date(2026, 1, 17)
    billing.cancel(subscription)
    assert billing.books()[2:] == then
    assert billing.run("2026-06-01") == 0
    assert broken() == []


def test_ended_and_then_credited_by_hand(billing: Billing) -> None:
    """Kill Bill #1505 https://github.com/killbill/killbill/issues/1505, the other way round: after the end a clerk
    credits what is left, and an end that is moved to the start has nothing more to give back.
    """
    subscription = billing.start(item("basic"))
    billing.on = date(2026, 1, 17)
    billing.cancel(subscription)
    with pytest.raises(Refusal) as refused:
        credited(billing, "51.62")
    assert refused.value.code == "more_than_left"
    credited(billing, "51.61")
    billing.cancel(subscription, when=date(2026, 1, 1))
    assert [f"{one.kind} {one.net:.2f}" for one in Invoice.objects.order_by("id")] == [
        "invoice 100.00", "credit_note 48.39", "credit_note 51.61",
    ]  # fmt: skip
    assert broken() == []


def test_more_seats_after_a_credit_by_hand(billing: Billing) -> None:
    """Kill Bill #1505 https://github.com/killbill/killbill/issues/1505: after a credit of all of it seats are added at
    their price, and taken away for no more than was paid for them.
    """
    subscription = billing.start(item("seat", "2"))
    credited(billing, "20.00")
    billing.on = date(2026, 1, 17)
    billing.change(subscription, item("seat", "4"))
    billing.change(subscription, item("seat", "1"))
    assert billing.books()[2:] == [
        "INV 2026-01-17 proration_charge Seat 2026-01-17/2026-02-01 2 15/31 9.68",
        "CN 2026-01-17 proration_credit Seat 2026-01-17/2026-02-01 3 15/31 9.68",
    ]
    assert broken() == []


def test_what_waits_for_review_says_so(screens: Screens, clock: Any) -> None:
    """Kill Bill #1505 https://github.com/killbill/killbill/issues/1505: an end that would give back what nobody has
    issued yet is refused in words, at its field; once the draft is issued, it ends.
    """
    draft = reviewed_draft(screens, clock)
    subscription = Subscription.objects.get().pk
    clock.set("2026-05-11")
    for path in ("cancel/preview", "cancel", "pause"):
        status, refused = screens.call("POST", f"subscriptions/{subscription}/{path}", {"when": "2026-05-11"})
        assert (status, refused["code"], refused["problems"][0]["field"]) == (409, "waits_for_review", "when")
    assert Subscription.objects.get().ends_at is None
    on, at = product_clock.today(), product_clock.now()
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[draft], on=on, at=at, send=False)
    assert screens.call("POST", f"subscriptions/{subscription}/cancel", {"when": "2026-05-11"})[0] == 200
    assert [f"{one.kind} {one.net:.2f}" for one in Invoice.objects.order_by("id")] == [
        "invoice 100.00", "invoice 100.00", "credit_note 67.74",
    ]  # fmt: skip
    assert broken() == []


KEYS = ("basic", "pro", "seat", "yearly", "support")
EXPECTED = {
    "paused", "not_paused", "before_pause", "before_start", "ended", "more_than_left", "earlier_than_last",
}  # fmt: skip


def tried(act: Callable[[], Any]) -> Any:
    """What it answers, or the code with which it was refused."""
    try:
        with transaction.atomic():
            return act()
    except Refusal as refused:
        return refused.code


def previewed(billing: Billing, subscription: UUID, act: Callable[[], Any]) -> list[tuple[str, Decimal, Decimal]]:
    found = previewing.preview(SYSTEM, subscription, act, billing.on)
    return sorted((one.kind, one.net.amount, one.total.amount) for one in found.documents)


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_acts_comes_to_an_end(billing: Billing, seed: int) -> None:
    """Kill Bill #2306 https://github.com/killbill/killbill/issues/2306 and #1505
    https://github.com/killbill/killbill/issues/1505: changed, paused, resumed, credited by hand, ended and billed in
    any order: an act does what its preview shows, or both are refused with the same known code; nothing is parked, and
    every promise holds.
    """
    chance = random.Random(seed)
    subscription = billing.start(item(chance.choice(KEYS), str(chance.randint(1, 4))))
    refused: set[str] = set()

    def back() -> date:
        return max(date(2026, 1, 1), billing.on - timedelta(days=chance.choice([0, 0, 0, 5, 40])))

    def change() -> None:
        wanted = [item(key, str(chance.randint(0, 4))) for key in chance.sample(KEYS, chance.randint(1, 2))]
        billing.change(subscription, *wanted, when=back())

    def pause() -> None:
        commands.pause_subscription(
            actor=SYSTEM, subscription_id=subscription, when=back(), on=billing.on, at=billing.at
        )

    def by_hand() -> None:
        lines = InvoiceLine.objects.filter(invoice__kind="invoice", net__gt=0).count()
        credited(billing, f"{chance.randint(1, 4000) / 100:.2f}", chance.randrange(lines))

    acts = [change, change, pause, lambda: billing.resume(subscription), by_hand, by_hand]
    for _ in range(10):
        billing.on += timedelta(days=chance.randint(0, 25))
        act, state = chance.choice(acts), chance.getstate()
        shown = tried(lambda act=act: previewed(billing, subscription, act))  # type: ignore[misc]
        chance.setstate(state)
        known = set(Invoice.objects.values_list("pk", flat=True))
        done = tried(act)
        if isinstance(done, str):
            refused.add(done)
            assert shown == done
        elif act is not by_hand:
            made = Invoice.objects.exclude(pk__in=known)
            assert shown == sorted((one.kind, one.net, one.total) for one in made)
        billing.run(billing.on.isoformat())
    billing.on += timedelta(days=10)
    billing.cancel(subscription, when=billing.on - timedelta(days=chance.choice([0, 30])))
    assert billing.run((billing.on + timedelta(days=400)).isoformat()) == 0
    assert refused <= EXPECTED
    assert billing.subscription(subscription).parked_at is None
    assert broken() == []


# The zones of machine and database ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """The machine in one time zone, the database, as its owner set it, in another."""
    machine, database = request.param
    before = os.environ.get("TZ")
    os.environ["TZ"] = machine
    time.tzset()
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    sql(f"ALTER DATABASE {name} SET timezone TO '{database}'")
    connection.close()
    yield database
    sql(f"ALTER DATABASE {name} RESET timezone")
    connection.close()
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "elsewhere",
    [("UTC", "UTC"), ("America/Los_Angeles", "Pacific/Kiritimati"), ("Pacific/Auckland", "America/Havana")],
    indirect=True,
)
def test_machine_and_database_in_other_zones(elsewhere: str) -> None:
    """Kill Bill #150 https://github.com/killbill/killbill/issues/150 and #1856
    https://github.com/killbill/killbill/pull/1856: wherever machine and database believe to be, usage at the edge of a
    month is billed once and in its month, and nothing is repaired again and again.
    """
    billing = make_billing()
    both = billing.start(item("basic"), item("calls", "0"))
    billing.on = date(2026, 1, 31)
    for place, at in enumerate(("2026-01-31T22:59:59+00:00", "2026-01-31T23:00:00+00:00")):
        billing.use(both, "calls", "100", when=datetime.fromisoformat(at), external_id=str(place))
    assert (billing.run("2026-02-01"), billing.run("2026-02-01"), billing.run("2026-03-01")) == (1, 0, 1)
    assert [line for line in billing.books() if "usage" in line] == [
        "INV 2026-02-01 usage Calls 2026-01-01/2026-02-01 100  1.00",
        "INV 2026-03-01 usage Calls 2026-02-01/2026-03-01 100  1.00",
    ]
    assert [line.split()[4] for line in billing.books() if "Basic" in line] == [
        "2026-01-01/2026-02-01", "2026-02-01/2026-03-01", "2026-03-01/2026-04-01",
    ]  # fmt: skip
    assert broken() == []
