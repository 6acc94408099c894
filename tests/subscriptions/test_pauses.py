"""Pauses that skip, void and extend: what is billed, given back and moved, and that they end by themselves."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from screens_world import Screens
from subscriptions_world import SYSTEM, Billing, item

from counterfoil.core.errors import Conflict, Refusal
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing.invariants import verify
from counterfoil.subscriptions import commands, queries
from counterfoil.subscriptions.jobs import pauses_to_end
from counterfoil.subscriptions.models import BilledPeriod, Pause
from counterfoil.subscriptions.rules.agreement import PAUSE_MODES, Discount, Policy
from counterfoil.subscriptions.rules.grid import Interval

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "pauses.md"


def day(text: str) -> date:
    return date.fromisoformat(text)


def pause(billing: Billing, subscription: Any, mode: str, **more: Any) -> None:
    more.setdefault("when", billing.on)
    commands.pause_subscription(
        actor=SYSTEM, subscription_id=subscription, on=billing.on, at=billing.at, mode=mode, **more
    )


def ledger() -> list[str]:
    """Every row of the ledger of billed periods."""
    rows = BilledPeriod.objects.order_by("id")
    return [
        f"{one.created_at.date()} {one.kind} {one.starts_at.date()}/{one.ends_at.date()} "
        f"{one.share_part}/{one.share_whole} {one.net:.2f}"
        for one in rows
    ]


def sound() -> None:
    """Every promise of the product holds."""
    assert [(one.invariant.key, one.examples) for one in verify() if not one.holds] == []


@pytest.mark.parametrize("mode", PAUSE_MODES)
def test_the_table_of_the_page(billing: Billing, mode: str) -> None:
    """Each mode bills the lines of the page, and nothing else."""
    rows = re.findall(r"^\| (\w+) \| (2026-\d\d-\d\d) \| (.+?) \|$", PAGE.read_text(), re.M)
    one = billing.start(item("basic"), committed_to=day("2026-12-31"))
    billing.run("2026-01-11")
    pause(billing, one, mode)
    for on in ("2026-02-01", "2026-02-21"):
        billing.run(on)
    billing.resume(one)
    for on in ("2026-03-01", "2026-03-14"):
        billing.run(on)
    assert [f"{mode} {line}" for line in ledger()] == [" ".join(row) for row in rows if row[0] == mode]
    ends = {"skip": "2026-12-31", "void": "2026-12-31", "extend": "2027-02-10"}
    assert billing.subscription(one).committed_to == day(ends[mode])
    assert len(rows) == 11
    sound()


def test_a_void_period_is_charged_when_the_pause_ended_before_it(billing: Billing) -> None:
    """Voided on 1 February; going on as of 25 January charges February after all."""
    one = billing.start(item("basic"))
    billing.run("2026-01-11")
    pause(billing, one, "void")
    billing.run("2026-02-10")
    commands.resume_subscription(
        actor=SYSTEM, subscription_id=one, when=day("2026-01-25"), on=billing.on, at=billing.at
    )
    assert ledger()[1:] == [
        "2026-02-10 recurring 2026-02-01/2026-03-01 28/28 0.00",
        "2026-02-10 proration_charge 2026-02-01/2026-03-01 28/28 100.00",
        "2026-02-10 proration_credit 2026-02-01/2026-03-01 28/28 0.00",
    ]
    assert billing.run("2026-02-28") == 0
    assert billing.run("2026-03-01") == 1
    sound()


def test_a_void_pause_in_the_past_gives_back_what_was_billed_of_its_periods(billing: Billing) -> None:
    one = billing.start(item("basic"))
    billing.run("2026-02-01")
    billing.on = day("2026-02-10")
    pause(billing, one, "void", when=day("2026-01-20"))
    assert ledger()[2:] == [
        "2026-02-10 proration_credit 2026-02-01/2026-03-01 28/28 -100.00",
        "2026-02-10 proration_charge 2026-02-01/2026-03-01 28/28 0.00",
    ]
    assert [one.kind for one in Invoice.objects.order_by("id")] == ["invoice", "invoice", "credit_note"]
    sound()


def test_a_change_in_a_void_period_bills_nothing_and_holds_after_it(billing: Billing) -> None:
    one = billing.start(item("seat", "2"))
    billing.run("2026-01-15")
    pause(billing, one, "void")
    billing.run("2026-02-10")
    billing.change(one, item("seat", "5"))
    billing.resume(one)
    assert billing.run("2026-03-01") == 1
    assert ledger()[1:] == [
        "2026-02-10 recurring 2026-02-01/2026-03-01 28/28 0.00",
        "2026-02-10 proration_charge 2026-02-10/2026-03-01 19/28 0.00",
        "2026-03-01 recurring 2026-03-01/2026-04-01 31/31 50.00",
    ]
    sound()


def test_a_change_after_an_extension_finds_the_days_that_are_left(billing: Billing) -> None:
    """21 of 31 days go on from 21 February; from 1 March 13 are left: 13/31 of two more seats."""
    one = billing.start(item("seat", "2"), end=day("2026-07-01"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-02-21")
    billing.resume(one)
    assert billing.run("2026-03-01") == 0
    billing.change(one, item("seat", "4"))
    assert billing.books()[-1] == ("INV 2026-03-01 proration_charge Seat 2026-03-01/2026-03-14 2 13/31 8.39")
    assert billing.subscription(one).ends_at == datetime(2026, 8, 11, tzinfo=UTC)
    with pytest.raises(Refusal, match="stood still until 2026-02-21"):
        billing.change(one, item("seat", "9"), when=day("2026-02-01"))
    billing.cancel(one, when=day("2026-03-01"))
    assert [line for line in billing.books() if line.startswith("CN")] == [
        "CN 2026-03-01 proration_credit Seat 2026-03-01/2026-03-14 4 13/31 8.39",
        "CN 2026-03-01 proration_credit Seat 2026-03-01/2026-03-14 4 13/31 8.38",
    ]
    sound()


def test_in_arrears_an_extension_bills_the_whole_once(billing: Billing) -> None:
    """10 of 31 days before the pause, 21 of 31 after it."""
    one = billing.start(item("support"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-02-01")
    billing.run("2026-02-21")
    billing.resume(one)
    billing.run("2026-04-14")
    assert ledger() == [
        "2026-02-01 recurring 2026-01-01/2026-01-11 10/31 19.35",
        "2026-04-14 recurring 2026-02-21/2026-03-14 21/31 40.65",
        "2026-04-14 recurring 2026-03-14/2026-04-14 31/31 60.00",
    ]
    sound()


def test_an_extension_keeps_what_waits_and_the_periods_of_a_discount(billing: Billing) -> None:
    """A price that comes with the renewal comes with the later one, and the discount of two periods covers two."""
    one = billing.start(
        item("basic"), discounts=(Discount(percent=Decimal(10), periods=2),), policy=Policy(increase="at_renewal")
    )
    billing.on = day("2026-01-05")
    billing.change(one, item("pro"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-02-21")
    billing.resume(one)
    billing.run("2026-03-14")
    billing.run("2026-04-14")
    assert [line for line in ledger() if "moved" not in line] == [
        "2026-01-01 recurring 2026-01-01/2026-02-01 31/31 90.00",
        "2026-03-14 recurring 2026-03-14/2026-04-14 31/31 180.00",
        "2026-04-14 recurring 2026-04-14/2026-05-14 30/30 200.00",
    ]
    sound()


def test_an_end_while_time_stands_still_gives_back_what_was_left(billing: Billing) -> None:
    one = billing.start(item("basic"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    with pytest.raises(Conflict, match="stands still"):
        billing.change(one, item("pro"))
    with pytest.raises(Conflict, match="no period ends"):
        billing.cancel(one, is_at_period_end=True)
    billing.run("2026-03-05")
    assert ledger()[1:] == []
    billing.cancel(one)
    assert ledger()[1:] == ["2026-03-05 proration_credit 2026-01-11/2026-02-01 21/31 -67.74"]
    assert billing.run("2027-01-01") == 0
    sound()


def test_where_seconds_are_counted_the_committed_term_moves_by_days(billing: Billing) -> None:
    """21 days over the night on which the clock goes forward, though it is an hour less."""
    one = billing.start(item("basic"), policy=Policy(basis="seconds"), committed_to=day("2026-12-31"))
    billing.run("2026-03-20")
    pause(billing, one, "extend")
    billing.run("2026-04-10")
    billing.resume(one)
    assert billing.subscription(one).committed_to == day("2027-01-21")
    sound()


def test_an_end_before_the_pause_gives_back_what_stood_still(billing: Billing) -> None:
    """Looking back from a pause that extends, to the first day: both months come back at once, and nothing goes on."""
    one = billing.start(item("basic"))
    billing.run("2026-02-01")
    pause(billing, one, "extend", until=day("2026-02-11"))
    billing.on = day("2026-02-02")
    billing.cancel(one, when=day("2026-01-01"))
    assert ledger()[2:] == [
        "2026-02-02 proration_credit 2026-01-01/2026-02-01 31/31 -100.00",
        "2026-02-02 proration_credit 2026-02-01/2026-03-01 28/28 -100.00",
    ]
    billing.run("2026-02-11")
    assert commands.end_pauses(actor=SYSTEM, at=billing.at) == 0
    assert (billing.subscription(one).ends_at, billing.run("2027-01-01")) == (datetime(2026, 1, 1, tzinfo=UTC), 0)
    sound()


def test_an_end_before_a_pause_that_waits_stays_where_it_is(billing: Billing) -> None:
    """Cancelled before time was to stand still: it does not end later for it, and is not billed again."""
    one = billing.start(item("basic"))
    billing.run("2026-01-11")
    pause(billing, one, "extend", when=day("2026-01-21"), until=day("2026-03-01"))
    billing.cancel(one)
    assert ledger()[1:] == ["2026-01-11 proration_credit 2026-01-11/2026-02-01 21/31 -67.74"]
    billing.run("2026-03-01")
    assert commands.end_pauses(actor=SYSTEM, at=billing.at) == 0
    assert (billing.subscription(one).ends_at, billing.run("2027-01-01")) == (datetime(2026, 1, 11, tzinfo=UTC), 0)
    sound()


def test_an_end_that_gives_nothing_back(billing: Billing) -> None:
    one = billing.start(item("basic"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-03-05")
    billing.cancel(one, is_credited=False)
    assert len(ledger()) == 1
    assert billing.run("2027-01-01") == 0
    sound()


@pytest.mark.parametrize(
    ("mode", "billed"),
    [
        ("skip", "2026-02-21 proration_charge 2026-02-21/2026-03-01 8/28 28.57"),
        ("void", "2026-02-01 recurring 2026-02-01/2026-03-01 28/28 0.00"),
        ("extend", "2026-02-21 moved 2026-02-21/2026-03-14 21/31 67.74"),
    ],
)
def test_a_planned_end_comes_by_itself(billing: Billing, clock: Any, mode: str, billed: str) -> None:
    """It goes on on the day that was said, once, and says so."""
    one = billing.start(item("basic"))
    billing.run("2026-01-11")
    pause(billing, one, mode, until=day("2026-02-21"))
    with pytest.raises(Conflict, match="paused already"):
        pause(billing, one, mode)
    for on in ("2026-02-01", "2026-02-20", "2026-02-21"):
        clock.set(on)
        assert pauses_to_end() == (1 if on == "2026-02-21" else 0)
        billing.run(on)
    assert pauses_to_end() == 0
    assert ledger()[-1] == billed
    assert billing.events() == [f"subscriptions.subscription_{what}" for what in ("started", "paused", "resumed")]
    assert [row.kind for row in queries.phases_of(SYSTEM, one, billing.on)] == ["running", "paused", "running"]
    sound()


def test_what_is_refused(billing: Billing) -> None:
    """Each refusal names its field and code, and nothing has changed."""
    one = billing.start(item("basic"), trial_end=day("2026-01-10"))
    refused: list[tuple[str, str]] = []
    for more in (
        {"mode": "sleep"},
        {"mode": "skip", "until": day("2026-01-01")},
        {"mode": "extend"},
    ):
        with pytest.raises(Refusal) as caught:
            pause(billing, one, **more)
        refused.append((caught.value.problems[0].field, caught.value.code))
    billing.run("2026-02-10")
    with pytest.raises(Refusal) as caught:
        pause(billing, one, "extend", when=day("2026-01-20"))
    refused.append((caught.value.problems[0].field, caught.value.code))
    assert refused == [
        ("mode", "unknown_choice"), ("until", "before_start"), ("when", "in_trial"), ("when", "billed_since"),
    ]  # fmt: skip
    assert Pause.objects.count() == 0


def test_an_extension_in_the_past_goes_on_at_once(billing: Billing) -> None:
    """A fortnight that is over already: the period ends a fortnight later."""
    one = billing.start(item("basic"))
    billing.run("2026-01-20")
    pause(billing, one, "extend", when=day("2026-01-05"), until=day("2026-01-19"))
    assert billing.run("2026-02-14") == 0
    assert billing.run("2026-02-15") == 1
    sound()


def test_what_is_paid_whole_is_not_charged_again_when_time_goes_on(billing: Billing) -> None:
    """Without parts of periods, what stayed of a period that a pause moved pays for all of it."""
    one = billing.start(item("basic"), policy=Policy(basis="none"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-01-21")
    billing.resume(one)
    assert [row.split()[1] for row in ledger()] == ["recurring", "moved", "moved"]
    sound()


@pytest.mark.parametrize(
    ("start", "goes_on", "ends", "length", "next_ends", "next_length"),
    [
        ("2026-02-01", "2026-03-05", "2026-04-02", "28/28", "2026-05-02", "30/30"),
        ("2026-03-01", "2026-04-02", "2026-05-03", "31/31", "2026-06-03", "31/31"),
    ],
)
def test_an_extension_from_the_first_day_of_a_billed_period(
    billing: Billing, start: str, goes_on: str, ends: str, length: str, next_ends: str, next_length: str
) -> None:
    """All of the period goes on with the days that it had, whatever the month; what follows is counted from its end."""
    billing.on = day(start)
    one = billing.start(item("basic"), item("support"))
    first_end = ledger()[0].split()[2].split("/")[1]
    pause(billing, one, "extend")
    billing.run(goes_on)
    billing.resume(one)
    billing.run(str(day(ends) - timedelta(days=1)))
    assert ledger() == [
        f"{start} recurring {start}/{first_end} {length} 100.00",
        f"{goes_on} moved {start}/{first_end} {length} -100.00",
        f"{goes_on} moved {goes_on}/{ends} {length} 100.00",
    ]
    billing.run(ends)
    assert ledger()[3:] == [
        f"{ends} recurring {ends}/{next_ends} {next_length} 100.00",
        f"{ends} recurring {goes_on}/{ends} {length} 60.00",
    ]
    sound()


def test_in_arrears_a_first_part_that_is_billed_in_full_stays_whole(billing: Billing) -> None:
    """From 10 January to the 1st are 22 days for 60.00: 10 before the pause, 12 after it."""
    billing.on = day("2026-01-10")
    one = billing.start(item("support"), anchor_day=1, policy=Policy(first_period="full"))
    billing.run("2026-01-20")
    pause(billing, one, "extend")
    billing.run("2026-02-10")
    billing.resume(one)
    billing.run("2026-03-22")
    assert ledger() == [
        "2026-02-10 recurring 2026-01-10/2026-01-20 10/22 27.27",
        "2026-03-22 recurring 2026-02-10/2026-02-22 12/22 32.73",
        "2026-03-22 recurring 2026-02-22/2026-03-22 28/28 60.00",
    ]
    sound()


def test_what_goes_on_of_a_void_period_comes_to_nothing(billing: Billing) -> None:
    """February began in a pause that voids it; half of it goes on from 25 February, and is not charged."""
    one = billing.start(item("basic"), item("support"))
    billing.run("2026-01-20")
    pause(billing, one, "void", until=day("2026-02-10"))
    billing.run("2026-02-10")
    commands.end_pauses(actor=SYSTEM, at=billing.at)
    billing.run("2026-02-15")
    pause(billing, one, "extend")
    billing.run("2026-02-25")
    billing.resume(one)
    billing.run("2026-03-11")
    assert [row for row in ledger() if not row.endswith(" 0.00")] == [
        "2026-01-01 recurring 2026-01-01/2026-02-01 31/31 100.00",
        "2026-02-10 recurring 2026-01-01/2026-02-01 31/31 60.00",
        "2026-03-11 recurring 2026-03-11/2026-04-11 31/31 100.00",
    ]
    sound()


def test_an_end_while_time_stands_still_does_not_bill_the_day_on_which_it_rested_already(billing: Billing) -> None:
    """Also where the day of an end is billed: 21 of 31 days were left."""
    one = billing.start(item("basic"), policy=Policy(end_day="billed"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-01-20")
    billing.cancel(one)
    assert ledger()[1:] == ["2026-01-20 proration_credit 2026-01-11/2026-02-01 21/31 -67.74"]
    sound()


def test_an_end_while_time_stands_still_that_gives_nothing_back_gives_back_no_day_of_it(billing: Billing) -> None:
    """Also where the day of an end is billed."""
    one = billing.start(item("basic"), policy=Policy(end_day="billed"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-01-20")
    billing.cancel(one, is_credited=False)
    assert len(ledger()) == 1
    assert billing.run("2027-01-01") == 0
    sound()


def test_a_pause_at_renewal_for_an_earlier_day_gives_back_the_period_that_was_billed_since(billing: Billing) -> None:
    """Entered on the day of the renewal, after its run, for the month before."""
    one = billing.start(item("basic"), policy=Policy(decrease="at_renewal"))
    billing.run("2026-02-01")
    pause(billing, one, "skip", when=day("2026-01-21"))
    assert ledger()[2:] == ["2026-02-01 proration_credit 2026-02-01/2026-03-01 28/28 -100.00"]
    sound()


def test_a_pause_at_renewal_does_not_wait_for_what_is_metered(billing: Billing) -> None:
    """The use is counted by the year, the price is by the month."""
    calls = item("calls", interval=Interval("year"))
    one = billing.start(item("basic"), calls, policy=Policy(decrease="at_renewal"))
    billing.run("2026-01-11")
    pause(billing, one, "skip")
    billing.run("2026-03-01")
    assert ledger() == ["2026-01-01 recurring 2026-01-01/2026-02-01 31/31 100.00"]
    sound()


@pytest.mark.parametrize("mode", PAUSE_MODES)
def test_what_is_metered_is_billed_as_it_is_used(billing: Billing, mode: str) -> None:
    """The pause has no end in sight; what was used in February is billed on 1 March."""
    one = billing.start(item("basic"), item("calls"))
    billing.run("2026-01-11")
    pause(billing, one, mode)
    billing.run("2026-02-05")
    billing.use(one, "calls", "2000")
    billing.run("2026-03-01")
    assert [row for row in ledger() if "usage" in row] == ["2026-03-01 usage 2026-02-01/2026-03-01 28/28 15.00"]
    sound()


def test_without_parts_a_void_pause_in_the_past_gives_back_its_periods_and_may_end_before_them(
    billing: Billing,
) -> None:
    one = billing.start(item("basic"), policy=Policy(basis="none"))
    billing.run("2026-02-10")
    pause(billing, one, "void", when=day("2026-01-20"))
    given_back = [
        "2026-02-10 proration_credit 2026-02-01/2026-03-01 28/28 -100.00",
        "2026-02-10 proration_charge 2026-02-01/2026-03-01 28/28 0.00",
    ]
    assert ledger()[2:] == given_back
    commands.resume_subscription(
        actor=SYSTEM, subscription_id=one, when=day("2026-01-25"), on=billing.on, at=billing.at
    )
    assert ledger()[2:] == [
        *given_back,
        "2026-02-10 proration_charge 2026-02-01/2026-03-01 28/28 100.00",
        "2026-02-10 proration_credit 2026-02-01/2026-03-01 28/28 0.00",
    ]
    sound()


@pytest.mark.parametrize(
    ("end", "given_back"),
    [
        ("2026-01-01", [("2026-01-01/2026-01-11 10/31", "-32.26"), ("2026-01-01/2026-02-01 31/31", "-60.00"),
                        ("2026-01-21/2026-02-11 21/31", "-67.74"), ("2026-02-11/2026-03-11 28/28", "-100.00")]),
        ("2026-01-05", [("2026-02-11/2026-03-11 28/28", "-100.00")]),
    ],
)  # fmt: skip
def test_without_parts_a_period_that_a_pause_interrupted_is_one(
    billing: Billing, end: str, given_back: list[tuple[str, str]]
) -> None:
    """It is paid once, also in arrears. Looking back, all of it is given back when not a day of it was used, and
    nothing of it when one was.
    """
    one = billing.start(item("basic"), item("support"), policy=Policy(basis="none"))
    billing.run("2026-01-11")
    pause(billing, one, "extend")
    billing.run("2026-01-21")
    billing.resume(one)
    billing.run("2026-02-11")
    assert [row for row in ledger() if "moved" not in row] == [
        "2026-01-01 recurring 2026-01-01/2026-02-01 31/31 100.00",
        "2026-02-11 recurring 2026-01-01/2026-02-01 31/31 60.00",
        "2026-02-11 recurring 2026-02-11/2026-03-11 28/28 100.00",
    ]
    billing.cancel(one, when=day(end))
    assert ledger()[5:] == [f"2026-02-11 proration_credit {period} {net}" for period, net in given_back]
    sound()


def test_while_time_stands_still_no_earlier_day_changes_either(billing: Billing) -> None:
    one = billing.start(item("seat", "3"))
    billing.run("2026-02-04")
    pause(billing, one, "extend")
    billing.run("2026-02-18")
    before = ledger()
    with pytest.raises(Conflict, match="stands still"):
        billing.change(one, item("seat", "2"), when=day("2026-01-29"))
    with pytest.raises(Conflict, match="stands still"):
        pause(billing, one, "skip", when=day("2026-01-29"), until=day("2026-02-01"))
    assert ledger() == before
    sound()


def test_a_pause_from_the_next_period_on_leaves_the_one_that_is_billed(billing: Billing) -> None:
    """On the first day of February, which is billed: it rests from March on."""
    one = billing.start(item("basic"), policy=Policy(decrease="at_renewal"))
    billing.run("2026-02-01")
    pause(billing, one, "skip")
    billing.run("2026-03-11")
    billing.resume(one)
    assert ledger()[1:] == [
        "2026-02-01 recurring 2026-02-01/2026-03-01 28/28 100.00",
        "2026-03-11 proration_charge 2026-03-11/2026-04-01 21/31 67.74",
    ]
    sound()


def test_a_pause_from_a_period_that_is_past_gives_it_back(billing: Billing) -> None:
    """From the period on that followed 21 January: February is billed, and comes back at once."""
    one = billing.start(item("basic"), policy=Policy(decrease="at_renewal"))
    billing.run("2026-02-10")
    pause(billing, one, "skip", when=day("2026-01-21"))
    assert ledger()[2:] == ["2026-02-10 proration_credit 2026-02-01/2026-03-01 28/28 -100.00"]
    sound()


LIFE = st.lists(
    st.tuples(st.sampled_from([*PAUSE_MODES, "change"]), st.integers(1, 40), st.integers(1, 45), st.booleans()),
    min_size=1,
    max_size=4,
)


@settings(
    deadline=None,
    max_examples=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(acts=LIFE, anchor=st.sampled_from([None, 1, 31]), basis=st.sampled_from(["actual_days", "fixed_30", "none"]))
@example(
    acts=[("void", 38, 32, True), ("skip", 10, 11, False), ("extend", 32, 14, False), ("void", 22, 44, False)],
    anchor=31,
    basis="none",
)
@example(acts=[("extend", 15, 32, True)] * 3 + [("extend", 17, 42, True)], anchor=31, basis="actual_days")
def test_any_row_of_pauses(
    billing: Billing, acts: list[tuple[str, int, int, bool]], anchor: int | None, basis: str
) -> None:
    """Whatever rests, changes and goes on in whatever order: every promise holds, and nothing falls silent."""
    with transaction.atomic():
        billing.on = day("2026-01-01")
        one = billing.start(
            item("basic"), item("support"), item("seat", "3"), anchor_day=anchor, policy=Policy(basis=basis)
        )
        for place, (what, after, length, is_planned) in enumerate(acts):
            billing.run(str(billing.on + timedelta(days=after)))
            if what == "change":
                billing.change(one, item("basic"), item("support"), item("seat", str(place + 4)))
                continue
            until = billing.on + timedelta(days=length)
            pause(billing, one, what, until=until if is_planned else None)
            billing.run(str(billing.on + timedelta(days=length // 2)))
            billing.run(str(until))
            if is_planned:
                commands.end_pauses(actor=SYSTEM, at=billing.at)
            else:
                billing.resume(one)
        billing.run(str(billing.on + timedelta(days=90)))
        assert billing.subscription(one).due_at is not None
        sound()
        transaction.set_rollback(True)


# Doors ----------------------------------------------------------------------------------------------------------------


def test_the_form_and_the_api_take_mode_and_until(screens: Screens, clock: Any) -> None:
    """The screen pauses in a mode with an end, shows it, and lets it go on; the API says the same."""
    one = screens.start(("hosting", "1"))
    clock.set("2026-04-11")
    browser = screens.staff.browser("billing")
    page = browser.get(f"/subscriptions/{one}/pause/").content.decode()
    assert "time stands still" in page
    form = {"mode": "extend", "when": "2026-04-11", "until": "2026-04-21", "version": "1"}
    wrong = browser.post(f"/subscriptions/{one}/pause/", {**form, "until": "2026-04-01"})
    assert (wrong.status_code, Pause.objects.count()) == (422, 0)
    assert browser.post(f"/subscriptions/{one}/pause/", form).status_code == 302
    shown = browser.get(f"/subscriptions/{one}/").content.decode()
    assert "Go on…" in shown
    status, answer = screens.call("GET", f"subscriptions/{one}")
    assert (status, answer["state"]) == (200, "paused")
    assert answer["pauses"] == [
        {"from": "2026-04-11", "to": "2026-04-21", "mode": "extend", "is_over": False, "reason": ""}
    ]
    clock.set("2026-04-21")
    assert pauses_to_end() == 1
    status, answer = screens.call("GET", f"subscriptions/{one}/next")
    assert (answer["on"], answer["net"]) == ("2026-05-11", "100.00")
    body = {"when": "2026-05-01", "mode": "void", "until": "2026-06-01"}
    assert screens.call("POST", f"subscriptions/{one}/pause/preview", body)[0] == 200
    assert screens.call("POST", f"subscriptions/{one}/pause", body)[0] == 200
    assert screens.call("POST", f"subscriptions/{one}/pause", {**body, "mode": "nap"})[0] == 422
    assert screens.call("POST", f"subscriptions/{one}/pause", body, who="sales")[0] == 403


def test_what_comes_in_a_pause_is_not_said_to_be_what_rests(screens: Screens, clock: Any) -> None:
    """Hosting rests over 1 May: what makes a bill due then is what was used in April."""
    subscription = screens.start(("hosting", "1"), ("calls", "1"))
    clock.set("2026-04-16")
    body = {"when": "2026-04-16", "mode": "skip"}
    assert screens.call("POST", f"subscriptions/{subscription}/pause", body)[0] == 200
    coming = queries.next_bill(SYSTEM, subscription, clock.today)
    assert coming is not None
    assert (coming.on, coming.because) == (day("2026-05-01"), "Calls is billed in arrears, and a period has ended.")
