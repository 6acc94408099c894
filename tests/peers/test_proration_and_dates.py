"""Shares, days and clocks that came out wrong in other systems: each test names its bug and states what is right.

That every anchor, interval and zone keeps its periods is tried in ``tests/subscriptions/test_rules_periods.py``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from screens_world import Screens
from subscriptions_world import SYSTEM, Billing, add_account, item

from counterfoil.invoicing.models import Invoice
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands, jobs
from counterfoil.subscriptions.models import BilledPeriod, Subscription
from counterfoil.subscriptions.rules.agreement import Policy
from counterfoil.subscriptions.rules.grid import Interval

pytestmark = pytest.mark.django_db


def broken() -> list[str]:
    return [one.invariant.key for one in verify() if not one.holds]


def periods(what: str = "") -> list[str]:
    found = BilledPeriod.objects.filter(kind="recurring", item__description__startswith=what)
    return [f"{row.starts_at:%Y-%m-%d} {row.ends_at:%Y-%m-%d} {row.net:.2f}" for row in found.order_by("starts_at")]


def run_monthly(billing: Billing, until: date) -> None:
    """The daily job, asked on the days on which something can be due."""
    while billing.on < until:
        billing.on += timedelta(days=1)
        if Subscription.objects.filter(due_at__lte=datetime(*billing.on.timetuple()[:3], tzinfo=UTC)).exists():
            billing.run()


@pytest.mark.parametrize(
    ("start", "ends"),
    [
        ("2027-12-29", ["2028-01-29", "2028-02-29", "2028-03-29", "2028-04-29"]),
        ("2027-12-30", ["2028-01-30", "2028-02-29", "2028-03-30", "2028-04-30"]),
        ("2028-12-29", ["2029-01-29", "2029-02-28", "2029-03-29", "2029-04-29"]),
        ("2028-12-31", ["2029-01-31", "2029-02-28", "2029-03-31", "2029-04-30"]),
    ],
)
def test_from_the_29th_on_periods_neither_overlap_nor_skip(billing: Billing, start: str, ends: list[str]) -> None:
    """Lago #6173 https://github.com/getlago/lago-api/pull/6173: subscriptions of the 29th, 30th and 31st through a
    February with and without a leap day: each month 100.00, each period begins where the last one ended.
    """
    billing.on = date.fromisoformat(start)
    billing.start(item("basic"))
    run_monthly(billing, date.fromisoformat(ends[-1]) - timedelta(days=1))
    starts = [start, *ends[:-1]]
    assert periods() == [f"{left} {right} 100.00" for left, right in zip(starts, ends, strict=True)]
    assert broken() == []


def test_a_yearly_one_of_the_leap_day(billing: Billing) -> None:
    """Lago #6173 https://github.com/getlago/lago-api/pull/6173: begun on 29 February 2028, renewed on 28 February, and
    on the leap day again in 2032.
    """
    billing.on = date(2028, 2, 29)
    billing.start(item("yearly"))
    for year in range(2029, 2033):
        billing.run(f"{year}-02-27")
        billing.run(f"{year}-03-01")
    assert periods() == [
        "2028-02-29 2029-02-28 1200.00", "2029-02-28 2030-02-28 1200.00", "2030-02-28 2031-02-28 1200.00",
        "2031-02-28 2032-02-29 1200.00", "2032-02-29 2033-02-28 1200.00",
    ]  # fmt: skip
    assert broken() == []


def test_after_an_upgrade_the_share_is_of_the_new_period(billing: Billing) -> None:
    """Lago #6194 https://github.com/getlago/lago-api/pull/6194: from monthly to yearly in mid month, keeping the
    anchor: 17 of 31 days come back, and the stub of the year is 351 of its 365 days, not of the month's.
    """
    billing.start(item("basic"), anchor_day=1)
    billing.on = date(2026, 1, 15)
    billing.change(billing_of(), item("yearly"))
    assert billing.books()[1:] == [
        "INV 2026-01-15 proration_credit Basic 2026-01-15/2026-02-01 1 17/31 -54.84",
        "INV 2026-01-15 proration_charge Yearly 2026-01-15/2027-01-01 1 351/365 1153.97",
    ]
    assert (billing.run("2026-12-31"), billing.run("2027-01-01")) == (0, 1)
    assert billing.books()[-1] == "INV 2027-01-01 recurring Yearly 2027-01-01/2028-01-01 1 365/365 1200.00"
    assert broken() == []


def billing_of() -> Any:
    return Subscription.objects.get().pk


def test_a_second_change_is_a_share_of_the_whole_period(billing: Billing) -> None:
    """Lago #6194 https://github.com/getlago/lago-api/pull/6194: of two changes in a month the second one's share is of
    the month's 30 days, not of the days that were left after the first.
    """
    billing.on = date(2026, 4, 1)
    subscription = billing.start(item("basic"))
    billing.on = date(2026, 4, 16)
    billing.change(subscription, item("pro"))
    billing.on = date(2026, 4, 26)
    billing.change(subscription, item("basic"))
    assert billing.books()[1:] == [
        "INV 2026-04-16 proration_credit Basic 2026-04-16/2026-05-01 1 15/30 -50.00",
        "INV 2026-04-16 proration_charge Pro 2026-04-16/2026-05-01 1 15/30 100.00",
        "INV 2026-04-26 proration_charge Basic 2026-04-26/2026-05-01 1 5/30 16.67",
        "CN 2026-04-26 proration_credit Pro 2026-04-26/2026-05-01 1 5/30 33.33",
    ]
    assert broken() == []


@pytest.mark.parametrize("day", [1, 2, 16])
def test_the_day_of_an_upgrade_is_paid_once(billing: Billing, day: int) -> None:
    """Lago #1695 https://github.com/getlago/lago-api/pull/1695: the day of an upgrade belongs to the new plan alone;
    on the very first day all of the old one comes back.
    """
    billing.on = date(2026, 4, 1)
    subscription = billing.start(item("basic"))
    billing.on = date(2026, 4, day)
    billing.change(subscription, item("pro"))
    billing.run()
    left = 31 - day
    rows = {(row.item.description, row.kind): row for row in BilledPeriod.objects.select_related("item")}
    back = rows["Basic", "proration_credit"]
    assert (back.starts_at.day, back.share_part, back.share_whole) == (day, left, 30)
    assert back.net == -(Decimal(100 * left) / 30).quantize(Decimal("0.01"))
    (new,) = (row for (what, _), row in rows.items() if what == "Pro")
    assert (new.starts_at.day, new.share_part, new.net) == (
        day, left, (Decimal(200 * left) / 30).quantize(Decimal("0.01")),
    )  # fmt: skip
    assert broken() == []


def test_another_plan_on_the_first_day_costs_its_own_price(billing: Billing) -> None:
    """Lago #1695 https://github.com/getlago/lago-api/pull/1695: chosen wrong and put right on the same day, also by a
    change that is made later as of that day: what is paid is the right plan, and what was billed of the wrong one is
    given back to the cent.
    """
    first = billing.start(item("pro", "3"))
    billing.change(first, item("basic"))
    late = billing.start(item("yearly"), account=add_account("Bolt AG"))
    billing.run("2026-03-01")
    billing.change(late, item("basic"), when=date(2026, 1, 1))
    for subscription in (first, late):
        net = sum((row.net for row in BilledPeriod.objects.filter(subscription=subscription)), Decimal(0))
        assert net == 300
    assert billing.run("2026-03-01") == 0
    assert [line for line in billing.books() if "proration_credit" in line] == [
        "CN 2026-01-01 proration_credit Pro 2026-01-01/2026-02-01 3 31/31 600.00",
        "CN 2026-03-01 proration_credit Yearly 2026-01-01/2027-01-01 1 365/365 1200.00",
    ]
    assert broken() == []


@pytest.mark.parametrize(
    ("zone", "march", "november"),
    [("Europe/Berlin", 31 * 86400 - 3600, 30 * 86400), ("America/New_York", 31 * 86400 - 3600, 30 * 86400 + 3600)],
)
def test_a_month_by_the_second_with_a_change_of_clocks(billing: Billing, zone: str, march: int, november: int) -> None:
    """Lago #1438 https://github.com/getlago/lago-api/pull/1438, #1442 https://github.com/getlago/lago-api/pull/1442 and
    Kill Bill #743 https://github.com/killbill/killbill/issues/743: a month in which the clocks change is an hour
    shorter or longer, begins and ends at local midnight, and costs 100.00.
    """
    LegalEntity.objects.update(timezone=zone)
    subscription = billing.start(item("basic"), policy=Policy(basis="seconds"))
    for month in range(2, 13):
        billing.run(f"2026-{month:02}-01")
    rows = {row.starts_at.month % 12 + (row.starts_at.day < 15) - 1: row for row in BilledPeriod.objects.all()}
    assert {f"{row.net:.2f}" for row in rows.values()} == {"100.00"}
    by_month = sorted(BilledPeriod.objects.values_list("starts_at", "share_whole"))
    assert len(by_month) == 12
    assert (by_month[2][1], by_month[10][1]) == (march, november)
    assert len({start for start, _ in by_month}) == 12
    ends = sorted(BilledPeriod.objects.values_list("ends_at", flat=True))
    assert [start for start, _ in by_month][1:] == ends[:-1]
    assert subscription is not None
    assert broken() == []


def test_a_month_by_the_second_is_cut_at_an_hour_that_the_clocks_skip(billing: Billing) -> None:
    """Lago #1438 https://github.com/getlago/lago-api/pull/1438: of March 2026 in Berlin, 743 hours, the rest from the
    29th at three o'clock is 69 hours whether the 29th has 23 hours or not.
    """
    billing.on = date(2026, 3, 1)
    subscription = billing.start(item("basic"), policy=Policy(basis="seconds"))
    billing.on = date(2026, 3, 29)
    commands.cancel_subscription(
        actor=SYSTEM, subscription_id=subscription, when=datetime(2026, 3, 29, 1, tzinfo=UTC),
        on=billing.on, at=billing.at,
    )  # fmt: skip
    (back,) = BilledPeriod.objects.filter(net__lt=0)
    assert (back.share_part, back.share_whole, f"{back.net:.2f}") == (69 * 3600, 743 * 3600, "-9.29")
    assert broken() == []


def test_a_quarter_is_its_price(billing: Billing) -> None:
    """ERPNext #23681 https://github.com/frappe/erpnext/issues/23681: a quarter of 92 days costs 300.00, not 300 ÷ 92,
    and one that begins in its middle its share.
    """
    billing.on = date(2026, 7, 1)
    quarter = item("basic", "3", interval=Interval("month", 3))
    billing.start(quarter)
    billing.on = date(2026, 8, 16)
    billing.start(quarter, account=add_account("Bolt AG"), anchor_on=date(2026, 7, 1))
    assert billing.books() == [
        "INV 2026-07-01 recurring Basic 2026-07-01/2026-10-01 3 92/92 300.00",
        "INV 2026-08-16 recurring Basic 2026-08-16/2026-10-01 3 46/92 150.00",
    ]
    assert broken() == []


def test_billed_early_nothing_is_below_zero(billing: Billing) -> None:
    """ERPNext #49635 https://github.com/frappe/erpnext/pull/49635: a subscription that is made before it starts, looked
    at and billed before its day, has no line at all, and then its whole first period.
    """
    billing.start(item("basic"), start=date(2026, 3, 10))
    assert [billing.run(day) for day in ("2026-01-01", "2026-02-28", "2026-03-09", "2026-03-10")] == [0, 0, 0, 1]
    assert billing.books() == ["INV 2026-03-10 recurring Basic 2026-03-10/2026-04-10 1 31/31 100.00"]
    assert BilledPeriod.objects.filter(share_part__lte=0).count() == 0
    assert broken() == []


def test_an_end_before_the_start_stops_nobody(screens: Screens, clock: Any) -> None:
    """ERPNext #48941 https://github.com/frappe/erpnext/issues/48941: an end before the start is refused at its field,
    by the command and by the database, and a subscription that ends on its first day bills nothing and stops nobody.
    """
    order = {"account": str(screens.billing.acme), "start": "2026-05-01", "items": [{"price": "hosting"}]}
    status, refused = screens.call("POST", "subscriptions", {**order, "end": "2026-04-30"})
    assert (status, refused["problems"][0]["field"], refused["problems"][0]["code"]) == (422, "end", "before_start")
    assert Subscription.objects.count() == 0
    never = screens.start(("hosting", "1"), start="2026-05-01", end="2026-05-01")
    screens.start(("seat", "1"))
    clock.set("2026-05-01")
    jobs.due_subscriptions()
    run_waiting_jobs()
    assert [f"{one.net:.2f}" for one in Invoice.objects.order_by("id")] == ["10.00", "10.00"]
    assert not BilledPeriod.objects.filter(subscription=never).exists()
    assert broken() == []


@pytest.mark.parametrize("anchor", [28, 29, 30, 31])
def test_billing_does_not_stop_after_february(billing: Billing, anchor: int) -> None:
    """Kill Bill #127 https://github.com/killbill/killbill/issues/127: anchored to the 31st, two years are billed: 24
    periods, the next one is due, and nothing fell silent.
    """
    billing.on = date(2026, 1, anchor)
    subscription = billing.start(item("basic"), anchor_day=anchor)
    for month in range(1, 24):
        billing.run(f"{2026 + month // 12}-{month % 12 + 1:02}-{28 if month % 12 == 1 else 30}")
        billing.run(f"{2026 + (month + 1) // 12}-{(month + 1) % 12 + 1:02}-01")
    found = periods()
    assert len(found) == 24
    assert [one.split()[1] for one in found[:-1]] == [one.split()[0] for one in found[1:]]
    assert {one.split()[2] for one in found} == {"100.00"}
    due = billing.subscription(subscription).due_at
    assert due is not None
    assert due.date() == date(2028, 1, anchor)
    assert broken() == []


def test_ten_years_of_standstill_end(billing: Billing) -> None:
    """Kill Bill #445 https://github.com/killbill/killbill/issues/445: ten years of days that nobody billed are worked
    out in one pass that ends: 3,653 periods on one document, and nothing is left.
    """
    billing.start(item("seat", "1", interval=Interval("day")))
    assert billing.run("2036-01-01") == 1
    assert BilledPeriod.objects.count() == 3653
    assert sum((row.net for row in BilledPeriod.objects.all()), Decimal(0)) == 36530
    assert billing.run("2036-01-01") == 0
    assert broken() == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Europe/Berlin", "Pacific/Honolulu"])
def test_a_trial_ends_on_the_day_of_the_company(screens: Screens, clock: Any, zone: str) -> None:
    """Kill Bill #1923 https://github.com/killbill/killbill/issues/1923: a trial until 15 April ends when it is the 15th
    where the company is, not where the server is; the first period begins then, and is billed once.
    """
    LegalEntity.objects.update(timezone=zone)
    clock.set("2026-04-03")
    screens.start(("hosting", "1"), start="2026-04-02", trial_end="2026-04-15")
    instant = {
        "Pacific/Kiritimati": "2026-04-14T10:00:00", "Europe/Berlin": "2026-04-14T22:00:00",
        "Pacific/Honolulu": "2026-04-15T10:00:00",
    }[zone]  # fmt: skip
    begins = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    clock.set(begins - timedelta(seconds=1))
    assert jobs.due_subscriptions() == 0
    clock.set(begins)
    assert jobs.due_subscriptions() == 1
    run_waiting_jobs()
    assert jobs.due_subscriptions() == 0
    assert periods() == ["2026-04-15 2026-05-15 100.00"]
    assert [str(one.issued_on) for one in Invoice.objects.all()] == ["2026-04-15"]
    assert broken() == []
