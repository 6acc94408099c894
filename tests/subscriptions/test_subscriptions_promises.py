"""Each promise over the ledger of billed periods turns red when it is broken behind the commands' back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from screens_world import Screens
from subscriptions_world import Billing, item

from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import jobs
from counterfoil.subscriptions.rules.agreement import Policy

pytestmark = pytest.mark.django_db

OURS = {f"S{number}" for number in range(1, 9)}
FIRST = "(SELECT id FROM subscriptions_billedperiod ORDER BY id LIMIT 1)"
LINE = f"(SELECT line_id FROM subscriptions_billedperiod WHERE id = {FIRST})"
INVOICE = f"(SELECT invoice_id FROM subscriptions_billedperiod WHERE id = {FIRST})"
COPY = """
    INSERT INTO subscriptions_billedperiod
    SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid()) || '{changes}')).*
    FROM subscriptions_billedperiod b WHERE id = {first}
"""
FREE = """
    ALTER TABLE subscriptions_billedperiod DROP CONSTRAINT subscriptions_billedperiod_recurring_once;
    ALTER TABLE subscriptions_billedperiod DISABLE TRIGGER USER;
    ALTER TABLE subscriptions_runparking DISABLE TRIGGER USER;
    ALTER TABLE invoicing_invoiceline DISABLE TRIGGER USER;
    ALTER TABLE invoicing_invoice DISABLE TRIGGER USER
"""


def broken() -> set[str]:
    return {one.invariant.key for one in verify() if not one.holds} & OURS


def copy(changes: str) -> str:
    return COPY.format(changes=changes, first=FIRST)


@pytest.fixture
def busy(screens: Screens, clock: Any) -> Screens:
    """A subscription that was changed, one with usage, and a run in May that billed both."""
    seats = screens.start(("seat", "2"))
    calls = screens.start(("calls", "0"))
    clock.set("2026-04-16")
    screens.call(
        "POST", f"subscriptions/{seats}/change", {"when": "2026-04-16", "items": [{"price": "seat", "quantity": "5"}]}
    )
    event = {"subscription": str(calls), "price": "calls", "quantity": "1500", "at": "2026-04-15", "id": "a"}
    screens.call("POST", "usage", {"events": [event]})
    clock.set("2026-05-01")
    jobs.due_subscriptions()
    run_waiting_jobs()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(FREE)
    return screens


def test_what_waits_is_looked_at_from_its_own_day_on(billing: Billing) -> None:
    """A change that looks back over three billed periods and waits: the next document charges all of them."""
    one = billing.start(item("seat", "1"), policy=Policy(increase="next_invoice"))
    billing.run("2026-03-01")
    billing.on = date(2026, 3, 10)
    billing.change(one, item("seat", "3"), when=date(2026, 1, 16))
    assert len(billing.books()) == 3
    billing.run("2026-04-01")
    assert [line.split(" ", 2)[2] for line in billing.books()[3:]] == [
        "proration_charge Seat 2026-01-16/2026-02-01 2 16/31 10.32",
        "proration_charge Seat 2026-02-01/2026-03-01 2 28/28 20.00",
        "proration_charge Seat 2026-03-01/2026-04-01 2 31/31 20.00",
        "recurring Seat 2026-04-01/2026-05-01 3 30/30 30.00",
    ]
    assert broken() == set()


def test_a_document_takes_along_what_waited_before_though_more_waits(billing: Billing) -> None:
    """A dearer price waits for the next document. A change that gives seats back at once, and adds what waits in its
    turn, makes that document: both lines of the dearer price are on it, and what is new is not.
    """
    one = billing.start(item("basic"), item("seat", "4"), policy=Policy(increase="next_invoice"))
    billing.on = date(2026, 1, 11)
    billing.change(one, item("pro"), item("seat", "4"))
    billing.on = date(2026, 1, 21)
    billing.change(one, item("pro"), item("seat", "1"), item("yearly"))
    assert sorted(line.split(" ", 2)[2] for line in billing.books() if line.startswith("INV 2026-01-21")) == [
        "proration_charge Pro 2026-01-11/2026-02-01 1 21/31 135.48",
        "proration_credit Basic 2026-01-11/2026-02-01 1 21/31 -67.74",
        "proration_credit Seat 2026-01-21/2026-02-01 3 11/31 -10.65",
    ]
    billing.run("2026-02-01")
    assert [line for line in billing.books() if "Yearly" in line]
    assert broken() == set()


def test_without_parts_a_period_of_which_nothing_is_used_is_given_back(billing: Billing) -> None:
    """Looking back, the period that is used stays paid; those that begin later are given back whole, and paid by what
    took over.
    """
    ended, changed = (billing.start(item("basic"), policy=Policy(basis="none")) for _ in range(2))
    billing.run("2026-03-01")
    billing.on = date(2026, 3, 10)
    billing.cancel(ended, when=date(2026, 1, 16))
    billing.change(changed, item("pro"), when=date(2026, 2, 16))
    billing.run("2026-04-01")
    assert sorted(line.split(" ", 2)[2] for line in billing.books() if " 2026-01-01/" not in line) == sorted(
        [
            *["recurring Basic 2026-02-01/2026-03-01 1 28/28 100.00"] * 2,
            *["recurring Basic 2026-03-01/2026-04-01 1 31/31 100.00"] * 2,
            "proration_credit Basic 2026-02-01/2026-03-01 1 28/28 100.00",
            "proration_credit Basic 2026-03-01/2026-04-01 1 31/31 100.00",
            "proration_credit Basic 2026-03-01/2026-04-01 1 31/31 -100.00",
            "recurring Pro 2026-03-01/2026-04-01 1 31/31 200.00",
            "recurring Pro 2026-04-01/2026-05-01 1 30/30 200.00",
        ]
    )
    assert broken() == set()


def test_without_parts_a_quantity_from_before_a_billed_period_is_that_of_the_period(billing: Billing) -> None:
    """Looking back, the period in which the quantity changed stays as it is; those that began with it are repaired."""
    one = billing.start(item("seat", "3"), policy=Policy(basis="none"))
    billing.run("2026-03-10")
    billing.change(one, item("seat", "5"), when=date(2026, 1, 16))
    billing.change(one, item("seat", "1"), when=date(2026, 2, 1))
    assert sorted(line.split(" ", 2)[2] for line in billing.books() if "proration" in line) == [
        "proration_charge Seat 2026-02-01/2026-03-01 2 28/28 20.00",
        "proration_charge Seat 2026-03-01/2026-04-01 2 31/31 20.00",
        "proration_credit Seat 2026-02-01/2026-03-01 4 28/28 10.00",
        "proration_credit Seat 2026-02-01/2026-03-01 4 28/28 30.00",
        "proration_credit Seat 2026-03-01/2026-04-01 4 31/31 10.00",
        "proration_credit Seat 2026-03-01/2026-04-01 4 31/31 30.00",
    ]
    assert broken() == set()


def test_without_parts_what_takes_over_on_the_same_document_costs_nothing_more(billing: Billing) -> None:
    """A dearer price from the first day waits for the document of the change that goes back on the 18th: January is
    paid once, at the dearer price.
    """
    one = billing.start(item("basic"), policy=Policy(basis="none", increase="next_invoice"))
    billing.run("2026-01-18")
    billing.change(one, item("pro"), when=date(2026, 1, 1))
    billing.change(one, item("basic"))
    billing.run("2026-02-01")
    assert [line.split(" ", 2)[2] for line in billing.books()[1:]] == [
        "proration_credit Basic 2026-01-01/2026-02-01 1 31/31 -100.00",
        "recurring Pro 2026-01-01/2026-02-01 1 31/31 200.00",
        "recurring Basic 2026-02-01/2026-03-01 1 28/28 100.00",
    ]
    assert broken() == set()


@pytest.mark.parametrize("basis", ["actual_days", "none"])
def test_a_first_part_that_is_free_is_free_on_every_basis(billing: Billing, basis: str) -> None:
    billing.on = date(2026, 1, 10)
    billing.start(item("basic"), anchor_day=1, policy=Policy(basis=basis, first_period="free"))
    billing.run("2026-02-01")
    assert billing.books() == ["INV 2026-02-01 recurring Basic 2026-02-01/2026-03-01 1 28/28 100.00"]


def test_an_end_with_the_period_moves_no_earlier_end_of_which_the_day_is_billed(billing: Billing) -> None:
    one = billing.start(item("basic"), end=date(2026, 1, 20), policy=Policy(end_day="billed"))
    before = billing.books()
    billing.on = date(2026, 1, 11)
    billing.cancel(one, is_at_period_end=True)
    assert (billing.run("2026-03-01"), billing.books()) == (0, before)
    assert before == ["INV 2026-01-01 recurring Basic 2026-01-01/2026-01-21 1 20/31 64.52"]


def test_what_waits_when_nothing_is_left_comes_when_a_document_was_due(billing: Billing) -> None:
    """A change to nothing: its credit waits for an invoice that never comes."""
    one = billing.start(item("basic"), policy=Policy(decrease="next_invoice"))
    billing.run("2026-01-11")
    billing.change(one, item("basic", "0"))
    assert billing.run("2026-01-31") == 0
    assert billing.run("2026-02-01") == 1
    assert [line.split(" ", 2)[2] for line in billing.books()[1:]] == [
        "proration_credit Basic 2026-01-11/2026-02-01 1 21/31 67.74"
    ]
    assert billing.subscription(one).due_at is None
    assert broken() == set()


@pytest.mark.parametrize(
    ("timing", "when", "lines"),
    [
        ("next_invoice", "2026-02-10", ["proration_charge Yearly 2026-02-10/2027-02-01 1 356/365 1170.41",
                                        "proration_credit Basic 2026-02-10/2026-03-01 1 19/28 -67.86"]),
        ("at_renewal", "2026-01-21", ["proration_credit Basic 2026-02-01/2026-03-01 1 28/28 -100.00",
                                      "recurring Yearly 2026-02-01/2027-02-01 1 365/365 1200.00"]),
    ],
)  # fmt: skip
def test_what_waits_comes_at_the_latest_when_a_document_was_due(
    billing: Billing, timing: str, when: str, lines: list[str]
) -> None:
    """A year takes over from a month: its price does not wait for the year's end."""
    one = billing.start(item("basic"), policy=Policy(increase=timing, decrease=timing))
    billing.run("2026-02-10")
    billing.change(one, item("yearly"), when=date.fromisoformat(when))
    assert billing.run("2026-02-28") == 0
    assert billing.run("2026-03-01") == 1
    assert sorted(line.split(" ", 2)[2] for line in billing.books()[2:]) == lines
    assert billing.subscription(one).due_at == datetime(2027, 2, 1, tzinfo=UTC)
    assert broken() == set()


@pytest.mark.parametrize("is_at_period_end", [False, True])
@pytest.mark.parametrize("when", ["2026-01-01", "2026-01-15", "2026-02-01", "2026-02-10"])
@pytest.mark.parametrize("items", [("basic",), ("basic", "yearly")])
def test_an_end_that_gives_nothing_back(
    billing: Billing, items: tuple[str, ...], when: str, is_at_period_end: bool
) -> None:
    """Looking back over a period that is billed, on the first day and at the end of one: what is billed stays billed,
    also of an item whose period ends before that of another, and the promises hold.
    """
    one = billing.start(*(item(key) for key in items))
    billing.run("2026-02-01")
    billing.on = date(2026, 2, 12)
    before = billing.books()
    billing.cancel(one, when=date.fromisoformat(when), is_at_period_end=is_at_period_end, is_credited=False)
    assert (billing.run("2027-02-01"), billing.books()) == (0, before)
    assert broken() == set()


def test_commands_keep_every_promise(busy: Screens) -> None:
    assert broken() == set()


@pytest.mark.parametrize(
    ("keys", "sql"),
    [
        ({"S1"}, copy("{}")),
        ({"S1"}, copy('{"kind": "proration_charge"}')),
        ({"S1"}, "UPDATE subscriptions_billedperiod SET quantity = quantity + 1 WHERE kind = 'usage'"),
        ({"S2"}, f"UPDATE invoicing_invoiceline SET net = net + 0.01 WHERE id = {LINE}"),
        ({"S2"}, f"UPDATE subscriptions_billedperiod SET invoice_id = gen_random_uuid() WHERE id = {FIRST}"),
        ({"S2", "S3"}, f"UPDATE subscriptions_billedperiod SET line_id = NULL WHERE id = {FIRST}"),
        ({"S2"}, f"UPDATE invoicing_invoice SET status = 'void' WHERE id = {INVOICE}"),
        ({"S3"}, f"DELETE FROM subscriptions_billedperiod WHERE id = {FIRST}"),
        ({"S2", "S4"}, f"UPDATE subscriptions_billedperiod SET net = -1000, credits = '[]' WHERE id = {FIRST}"),
        ({"S5"}, "UPDATE subscriptions_subscription SET due_at = '2026-04-20'"),
        ({"S6"}, "UPDATE subscriptions_subscription SET due_at = NULL"),
        ({"S7"}, f"UPDATE subscriptions_billedperiod SET starts_at = '2026-03-31' WHERE id = {FIRST}"),
        ({"S8"}, "UPDATE subscriptions_billingrun SET documents = documents + 1"),
        ({"S8"}, "UPDATE subscriptions_billingrun SET parked = 1"),
    ],
)  # fmt: skip
def test_each_breach_is_found(busy: Screens, keys: set[str], sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0
    assert broken() >= keys
    assert broken() - keys <= {"S1", "S3", "S4"} - keys if keys != {"S1"} else {"S2", "S4"}
