"""Several people and programs at once: every entry is billed once, and no grant is given twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from retainers_world import SYSTEM, Work, account, broken, make_work

from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.core.errors import Conflict
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing import clock
from counterfoil.retainers import commands, jobs
from counterfoil.retainers.models import Retainer, TimeEntry
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; the answer of each, or what it refused."""
    barrier = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[place] = call()
        except Exception as error:
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_eight_runs_at_once_bill_each_entry_once() -> None:
    """Twelve hours of a retainer of ten, and five without one: one draft, seven hours."""
    work = make_work()
    retainer = work.retainer()
    for day in range(1, 13):
        work.time("1", f"2026-03-{day:02}", retainer=retainer)
    work.time("5", rate="120")
    answers = at_once(*[work.bill] * 8)
    assert sum(one.entries for one in answers) == 13
    assert Invoice.objects.count() == 1
    assert sum(InvoiceLine.objects.values_list("quantity", flat=True)) == Decimal(7)
    assert work.burn(retainer)[-1] == "0 10 10 0 0 2"
    assert broken() == []


def test_approving_while_it_is_billed_loses_nothing() -> None:
    """Approvals and runs cross each other; what a run missed the next one finds."""
    work = make_work()
    retainer = work.retainer("4")
    ids = [work.time("1", f"2026-03-{day:02}", retainer=retainer, approved=False) for day in range(1, 9)]

    def approve(place: int) -> Callable[[], Any]:
        return lambda: commands.approve_entries(actor=work.bea, time_ids=ids[place : place + 2], at=work.at)

    answers = at_once(approve(0), work.bill, approve(2), work.bill, approve(4), work.bill, approve(6), work.bill)
    assert [one for one in answers if isinstance(one, Exception)] == []
    work.bill()
    assert set(TimeEntry.objects.values_list("status", flat=True)) == {"settled"}
    assert sum(InvoiceLine.objects.values_list("quantity", flat=True)) == Decimal(4)
    assert broken() == []


def test_two_people_decide_the_same_entry() -> None:
    work = make_work()
    entry = work.time("1", rate="1", approved=False)
    answers = at_once(
        *[lambda: commands.approve_entries(actor=work.bea, time_ids=[entry], at=work.at)] * 3,
        *[lambda: commands.reject_entries(actor=work.bea, time_ids=[entry], reason="No", at=work.at)] * 3,
    )
    assert answers.count(1) == 1
    assert {type(one) for one in answers if one != 1} == {Conflict}


# With the billing run -------------------------------------------------------------------------------------------------

WORKERS, KILLS = 10, 5
DUE = date(2026, 4, 1)
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def busy(work: Work, customers: int) -> None:
    """Customers with a subscription that is due, a retainer of ten hours, twelve hours on it and an hour without."""
    item = ItemOrder(
        price_key="basic", description="Basic", pricing=Pricing("flat", Decimal(100)), interval=Interval("month")
    )
    for place in range(customers):
        customer = account(f"Customer{place} AG")
        order = SubscriptionOrder(account_id=customer, items=(item,), start=DUE)
        subscriptions.start_subscriptions(actor=SYSTEM, orders=[order], on=work.on, at=work.at, is_billed=False)
        retainer = work.retainer(account=customer)
        for day in (3, 4):
            work.time("6", f"2026-03-{day:02}", account=customer, retainer=retainer)
        work.time("1", account=customer, rate="80", description="Extra")


def bill_due(chunk: int = 3) -> int:
    """Bill chunk after chunk until nothing is due; answers how many subscriptions that were."""
    found = 0
    while done := subscriptions.bill_due(actor=SYSTEM, on=DUE, at=NOON, chunk=chunk).subscriptions:
        found += done
    return found


def assert_billed_once(customers: int) -> None:
    """Of each customer ten hours borne, two hours beyond at 120 and one at 80, each once, and every promise kept."""
    commands.bill_unbilled(actor=SYSTEM, on=DUE, at=NOON)
    assert set(TimeEntry.objects.values_list("status", flat=True)) == {"settled"}
    nets = sorted(f"{line.description} {line.net:.2f}" for line in InvoiceLine.objects.all())
    assert nets == sorted(["Basic 100.00", "Work 240.00", "Extra 80.00"] * customers)
    assert broken() == []


def test_ten_workers_and_the_button_bill_each_entry_once() -> None:
    """Eight workers of the run, two people at the button: nobody waits for ever, and nothing is billed twice."""
    work = make_work()
    busy(work, 12)

    def press() -> Any:
        return commands.bill_unbilled(actor=work.bea, account_ids=None, on=DUE, at=NOON)

    answers = at_once(*[bill_due] * (WORKERS - 2), press, press)
    assert [one for one in answers if isinstance(one, Exception)] == []
    bill_due()
    assert_billed_once(12)


def test_the_run_does_not_wait_for_a_retainer_that_somebody_holds() -> None:
    """While Acme's retainer is being changed, its run goes on without the hours; the button bills them later."""
    work = make_work()
    busy(work, 1)
    retainer = Retainer.objects.get().pk
    is_held, is_done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1 FROM retainers_retainer WHERE id = %s FOR UPDATE", [retainer])
            is_held.set()
            is_done.wait(30)
            cursor.execute("ROLLBACK")
        connections.close_all()

    holding = threading.Thread(target=hold)
    holding.start()
    assert is_held.wait(30)
    assert bill_due() == 1
    is_done.set()
    holding.join()
    assert sorted(line.description for line in InvoiceLine.objects.all()) == ["Basic", "Extra"]
    assert_billed_once(1)


def test_the_run_leaves_a_retainer_to_who_is_billing_it() -> None:
    """Somebody bills the six hours of 3 March and has not committed yet: the run does not know what they leave of ten,
    so the six of the day after wait. Of these four are borne, and two are beyond.
    """
    work = make_work()
    busy(work, 1)
    with transaction.atomic():
        assert commands.bill_unbilled(actor=work.bea, on=date(2026, 3, 3), at=NOON).covered == 1
        assert at_once(bill_due) == [1]
    assert sorted(line.description for line in InvoiceLine.objects.all()) == ["Basic", "Extra"]
    assert_billed_once(1)


def test_a_sweep_over_companies_and_the_button_never_wait_for_each_other() -> None:
    """While somebody holds the other company's retainer, the sweep drafts the first one's and goes on; then the rest.

    It has the first one's in its transaction by then: were it to wait, it would wait for ever for who wants both.
    """
    work = make_work()
    ours = work.retainer()
    work.time("12", retainer=ours)
    other = other_company()
    theirs = work.retainer(account=work.brent, entity=other)
    work.time("12", account=work.brent, retainer=theirs)
    for mine, held in ((ours, theirs), (theirs, ours)):
        is_held, is_done = threading.Event(), threading.Event()
        holding = threading.Thread(target=held_until, args=(held, is_held, is_done))
        holding.start()
        assert is_held.wait(30)
        try:
            with clock.stopped_at(NOON), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '5s'")
                assert jobs.ended_periods() == 1
        finally:
            is_done.set()
            holding.join()
        assert TimeEntry.objects.get(retainer=mine).status == "settled"
    assert broken() == []


def held_until(retainer: UUID, is_held: threading.Event, is_done: threading.Event) -> None:
    """Hold a retainer as somebody does who bills it."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT 1 FROM retainers_retainer WHERE id = %s FOR NO KEY UPDATE", [retainer])
        is_held.set()
        is_done.wait(30)
        cursor.execute("ROLLBACK")
    connections.close_all()


def other_company() -> UUID:
    """A second company of ours, with its series and rates."""
    values = {
        "name": "Other", "legal_name": "Other Works GmbH", "street": "Ring 2", "postcode": "10115", "city": "Berlin",
        "country": "DE", "tax_id": "DE129273398", "currency": "EUR", "timezone": "Europe/Berlin", "language": "en",
        "iban": "DE89370400440532013000", "email": "other@works.example",
    }  # fmt: skip
    made = ledger.add_entity(actor=SYSTEM, values=values)
    invoicing.install_defaults(actor=SYSTEM)
    return made


def test_killed_in_between() -> None:
    """Workers that are killed in the middle of a chunk leave what one that nobody disturbs leaves."""
    work = make_work()
    busy(work, 30)
    chance = random.Random(20260401)
    connection.close()
    for _ in range(KILLS):
        pid, reading = forked()
        os.read(reading, 1)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(pid, signal.SIGKILL)
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status)
    bill_due()
    waiting = TimeEntry.objects.exclude(status="settled").count()
    assert waiting == 0
    assert Invoice.objects.count() == 30
    assert_billed_once(30)


def forked() -> tuple[int, int]:
    """A worker that bills chunk after chunk until it is killed: its id, and a pipe that says when it begins one."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        done = 1
        while done:
            os.write(writing, b".")
            done = subscriptions.bill_due(actor=SYSTEM, on=DUE, at=NOON, chunk=4).subscriptions
        signal.pause()
    finally:
        os._exit(3)
    raise AssertionError("unreachable")
