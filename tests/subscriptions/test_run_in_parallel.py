"""Each period is billed once, however many workers run at once, however often, and however they die.

``COUNTERFOIL_TEST_KILLS`` and ``COUNTERFOIL_TEST_SUBSCRIPTIONS`` make the second test as long as one likes: 100 kills
in a run of 10,000.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from subscriptions_world import SYSTEM, Billing, add_account, item, make_billing

from counterfoil.accounts.queries import accounts_paid_by, billing_facts, payer_sql
from counterfoil.core.ids import new_id
from counterfoil.invoicing.models import Invoice, SeriesCounter
from counterfoil.ledger.models import JournalEntry
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.agreements import load
from counterfoil.subscriptions.commands import running
from counterfoil.subscriptions.models import BilledPeriod, Subscription
from counterfoil.subscriptions.rules.billing import Due, differences
from counterfoil.subscriptions.rules.orders import SubscriptionOrder

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 10
JANUARY = [date(2026, 1, 1) + timedelta(days=day) for day in range(31)]
KILLS = int(os.environ.get("COUNTERFOIL_TEST_KILLS", "6"))
SUBSCRIPTIONS = int(os.environ.get("COUNTERFOIL_TEST_SUBSCRIPTIONS", "120"))

Row = tuple[UUID, str, date, date, str]


@pytest.fixture
def billing(transactional_db: None) -> Iterator[Billing]:
    yield make_billing()
    connections.close_all()


def subscribed(billing: Billing, count: int, days: int) -> None:
    """So many subscriptions of two prices, one in advance and one in arrears, on different days from 1 December on;
    four of each customer.
    """
    customers = [add_account(f"Customer{place} AG") for place in range(-(-count // 4))]
    orders = [
        SubscriptionOrder(
            account_id=customers[place // 4],
            items=(item("basic"), item("support", "2")),
            start=date(2025, 12, 1) + timedelta(days=place * 7 % days),
            po_number=f"PO {place % 4}",
        )
        for place in range(count)
    ]
    commands.start_subscriptions(actor=SYSTEM, orders=orders, on=billing.on, at=billing.at, is_billed=False)


def to_be_billed(before: date) -> list[Row]:
    """What the rules say that there is to bill up to a day, when nothing is billed yet."""
    return sorted(
        (one.item_id, one.kind, one.start, one.end, f"{one.net:.2f}")
        for loaded in load(list(Subscription.objects.order_by("id")))
        for one in differences(loaded.agreement, (), Due(before))
    )


def billed() -> list[Row]:
    return sorted(
        (row.item_id, row.kind, row.starts_at.date(), row.ends_at.date(), f"{row.net:.2f}")
        for row in BilledPeriod.objects.all()
    )


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def assert_whole(expected: list[Row]) -> None:
    """Every row of the ledger once, numbers without a gap, each document posted and told once, every promise kept."""
    assert billed() == expected
    found = Invoice.objects.order_by("sequence").values_list("status", "sequence", "total")
    documents = len({(row.subscription_id, row.invoice_id) for row in BilledPeriod.objects.all()})
    assert [(status, number) for status, number, _ in found] == [("issued", place) for place in range(1, documents + 1)]
    assert SeriesCounter.objects.get().last == documents
    assert JournalEntry.objects.count() == documents
    assert OutboxEvent.objects.filter(name="invoicing.invoice_issued").count() == documents
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT invoice_id) FROM procrastinate_jobs,"
            " jsonb_array_elements_text(args -> 'invoice_ids') AS invoice_id WHERE task_name = 'invoicing.deliver'"
        )
        assert cursor.fetchone() == (documents,)
    assert [finding.invariant.key for finding in verify() if not finding.holds] == []


def test_ten_workers_and_an_eager_scheduler(billing: Billing) -> None:
    """Ten workers bill every day of a month, each again and again until it twice finds nothing: each period once."""
    subscribed(billing, 40, days=40)
    expected = to_be_billed(date(2026, 2, 1))
    together = threading.Barrier(WORKERS, timeout=60)

    def work(_: int) -> None:
        try:
            for day in JANUARY:
                together.wait()
                idle = 0
                while idle < 2:
                    done = commands.bill_due(actor=SYSTEM, on=day, at=noon(day), chunk=3)
                    idle = 0 if done.subscriptions else idle + 1
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    assert len(expected) == 71 + 31  # periods in advance, and in arrears
    assert_whole(expected)


def test_what_shares_a_document_is_never_split_between_workers(billing: Billing) -> None:
    """Six workers with small chunks at the same accounts: one document of each account, with all five periods."""
    customers = [add_account(f"Customer{place} AG") for place in range(12)]
    orders = [
        SubscriptionOrder(account_id=customers[place % 12], items=(item("basic"),), start=date(2026, 1, 1))
        for place in range(60)
    ]
    commands.start_subscriptions(actor=SYSTEM, orders=orders, on=billing.on, at=billing.at, is_billed=False)
    together = threading.Barrier(6, timeout=60)

    def work(_: int) -> None:
        try:
            together.wait()
            while commands.bill_due(actor=SYSTEM, on=JANUARY[0], at=noon(JANUARY[0]), chunk=2).subscriptions:
                pass
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    while commands.bill_due(actor=SYSTEM, on=JANUARY[0], at=noon(JANUARY[0])).subscriptions:
        pass
    documents = [invoice.lines.count() for invoice in Invoice.objects.all()]
    assert documents == [5] * 12


def test_where_a_chunk_got_to_leaves_nothing_out(billing: Billing) -> None:
    """A worker goes on behind its last chunk, and comes back for what became due before it."""
    account = add_account("First AG")
    orders = [SubscriptionOrder(account_id=account, items=(item("basic"),), start=day) for day in JANUARY[:3]]
    others = [
        SubscriptionOrder(account_id=add_account(f"Other {day} AG"), items=(item("basic"),), start=day)
        for day in JANUARY[1:3]
    ]
    start = partial(commands.start_subscriptions, actor=SYSTEM, on=billing.on, at=billing.at, is_billed=False)
    start(orders=others)
    on, at = JANUARY[3], noon(JANUARY[3])
    first = commands.bill_due(actor=SYSTEM, on=on, at=at, chunk=1)
    assert (first.documents, first.reached is not None) == (1, True)
    start(orders=orders[:1])
    second = commands.bill_due(actor=SYSTEM, on=on, at=at, chunk=1, after=first.reached)
    third = commands.bill_due(actor=SYSTEM, on=on, at=at, chunk=1, after=second.reached)
    assert (second.documents, third.documents) == (1, 1)
    assert {one.account.legal_name for one in Invoice.objects.order_by("id")[2:]} == {"First AG"}
    assert not commands.bill_due(actor=SYSTEM, on=on, at=at, after=third.reached).subscriptions


def family() -> list[UUID]:
    """Accounts for which one payer pays, each for another reason; the last two pay for themselves."""
    head = add_account("Head AG")
    child = add_account("Child AG", parent=str(head), invoiced_account=str(head))
    friend = add_account("Friend AG", payer=str(head))
    below = add_account("Below AG", parent=str(friend))
    own = add_account("Own AG", parent=str(friend), payer=str(add_account("Bank AG")))
    return [head, child, friend, below, add_account("Alone AG", parent=str(head)), own]


@pytest.mark.parametrize("chunk", [1, 2, 500])
def test_accounts_of_one_payer_share_a_document_whatever_the_workers(billing: Billing, chunk: int) -> None:
    """While one worker holds its first chunk, another takes nothing of its payers: one document with the four of one
    payer, and one of each that pays for itself.
    """
    accounts = family()
    orders = [
        SubscriptionOrder(account_id=account_id, items=(item("basic"),), start=JANUARY[place % 2])
        for place, account_id in enumerate(accounts)
    ]
    commands.start_subscriptions(actor=SYSTEM, orders=orders, on=billing.on, at=billing.at, is_billed=False)

    def claimed() -> set[UUID]:
        try:
            with transaction.atomic():
                ids, _ = running._claim(running._DueOn(((billing.entity, JANUARY[1]),), ()), chunk)
                return set(Subscription.objects.filter(pk__in=ids).values_list("account_id", flat=True))
        finally:
            if threading.current_thread() is not threading.main_thread():
                connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        mine = claimed()
        theirs = pool.submit(claimed).result()
    of_head = {accounts[place] for place in (0, 1, 2, 3)}
    assert (mine & of_head, theirs & of_head) == (of_head, set())
    assert mine.isdisjoint(theirs)
    assert bool(theirs) is (chunk < len(accounts))  # behind what the first one holds, the next is looked at
    while commands.bill_due(actor=SYSTEM, on=JANUARY[1], at=noon(JANUARY[1]), chunk=chunk).subscriptions:
        pass
    documents = sorted((str(one.payer_id == accounts[0]), one.lines.count()) for one in Invoice.objects.all())
    assert documents == [("False", 1), ("False", 1), ("True", 4)]


def test_who_pays_is_the_same_in_sql() -> None:
    """A claim asks the database what ``billing_facts`` works out."""
    make_billing()
    accounts = family()
    facts = billing_facts(accounts, JANUARY[0])
    payers = {account_id: fact.payer.value for account_id, fact in facts.items()}
    assert len(set(payers.values())) == 3
    for payer_id in set(payers.values()):
        own = {account_id for account_id, each in payers.items() if each == payer_id}
        assert set(accounts_paid_by([payer_id])) & set(accounts) == own
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT a.id, {payer_sql('a')} FROM accounts_account a WHERE a.id = ANY(%s)", [accounts])
        assert dict(cursor.fetchall()) == payers


def test_killed_in_between(billing: Billing) -> None:
    """Workers that are killed in the middle of a chunk, again and again, leave what one that nobody disturbs leaves."""
    subscribed(billing, SUBSCRIPTIONS, days=31)
    expected = to_be_billed(date(2026, 2, 1))
    chance = random.Random(20260131)
    day, run_id, killed = JANUARY[-1], new_id(), 0
    connection.close()
    while killed < KILLS:
        pid, reading = forked(day, run_id)
        os.read(reading, 1)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(pid, signal.SIGKILL)
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            break
        killed += 1
    assert killed == KILLS
    while commands.bill_due(actor=SYSTEM, on=day, at=noon(day), run_id=run_id).subscriptions:
        pass
    assert_whole(expected)


def forked(day: date, run_id: UUID) -> tuple[int, int]:
    """A worker that bills chunk after chunk until it is killed: its id, and a pipe that says when it begins one."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        done = True
        while done:
            os.write(writing, b".")
            done = bool(commands.bill_due(actor=SYSTEM, on=day, at=noon(day), chunk=4, run_id=run_id).subscriptions)
        signal.pause()
    finally:
        os._exit(3)
    raise AssertionError("unreachable")
