"""Price increases: previewed, planned once, told in the account's language, carried out on their day, and undone."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from screens_world import Screens
from subscriptions_world import Billing, add_account, item, make_billing

from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import Account, Contact
from counterfoil.activities.models import Mail
from counterfoil.core.errors import Refusal
from counterfoil.invoicing.models import InvoiceLine
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import all_sweeps, run_waiting_jobs
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.subscriptions import commands, jobs
from counterfoil.subscriptions.commands import raising
from counterfoil.subscriptions.commands.changing import carry_out
from counterfoil.subscriptions.jobs import due_subscriptions
from counterfoil.subscriptions.models import (
    BilledPeriod,
    BillingRun,
    PriceIncrease,
    PriceRaise,
    Subscription,
    SubscriptionItem,
)
from counterfoil.subscriptions.rules.agreement import Policy
from counterfoil.subscriptions.rules.orders import SubscriptionOrder
from staff import SYSTEM

pytestmark = pytest.mark.django_db

RISE: dict[str, Any] = {
    "name": "Rise",
    "price_key": "seat",
    "percent": "10",
    "from_on": "2026-05-10",
    "notice_days": 14,
}


def plan(screens: Screens, **more: Any) -> UUID:
    status, answer = screens.call("POST", "price-increases", {**RISE, **more})
    assert status == 202, answer
    run_waiting_jobs()
    return UUID(answer["id"])


def increases() -> None:
    jobs.increase_notices()
    jobs.increases()


def day(screens: Screens, clock: Any, on: str) -> None:
    """The sweeps and the run of a day."""
    clock.set(on)
    increases()
    screens.billing.run(on)
    run_waiting_jobs()


def raises() -> list[str]:
    return [
        f"{one.subscription.title} {one.state} {one.reason or one.takes_on} {one.old_net:.2f} {one.new_net:.2f} "
        f"{one.a_year:.2f}"
        for one in PriceRaise.objects.select_related("subscription").order_by("id")
    ]


def ledger(subscription: UUID) -> list[str]:
    rows = BilledPeriod.objects.filter(subscription=subscription).order_by("id")
    return [f"{one.starts_at.date()} {one.kind} {one.quantity:f} {one.net:.2f}".replace(".000000", "") for one in rows]


def sound() -> None:
    assert [(one.invariant.key, one.examples) for one in verify() if not one.holds] == []


def test_a_rise_at_the_renewal(screens: Screens, clock: Any) -> None:
    """Told on 18 May, higher from 1 June; a change of quantity meanwhile stays; nothing is prorated, nothing twice."""
    one = screens.start(("seat", "2"), ("hosting", "1"), name="Desks")
    plan(screens)
    assert raises() == ["Desks planned 2026-06-01 20.00 22.00 24.00"]
    for on in ("2026-05-01", "2026-05-17"):
        day(screens, clock, on)
    assert Mail.objects.filter(cause__startswith="price-increase").count() == 0
    day(screens, clock, "2026-05-18")
    (mail,) = Mail.objects.filter(cause__startswith="price-increase")
    assert mail.subject == "Change of price: Desks, Counterfoil Works GmbH"
    assert "Seat: €22.00 instead of €20.00, from June 1, 2026" in mail.body
    assert (mail.record_id, [person.address for person in mail.recipients.all()]) == (one, ["ap@acme.example"])
    clock.set("2026-05-20")
    screens.billing.on = date(2026, 5, 20)
    status, _ = screens.call(
        "POST", f"subscriptions/{one}/change",
        {"when": "2026-05-20", "items": [{"price": "seat", "quantity": "3"}, {"price": "hosting"}]},
    )  # fmt: skip
    assert status == 200
    day(screens, clock, "2026-06-01")
    day(screens, clock, "2026-06-01")
    day(screens, clock, "2026-07-01")
    assert [line for line in ledger(one) if "100.00" not in line][1:] == [
        "2026-05-01 recurring 2 20.00",
        "2026-05-20 proration_charge 1 3.87",
        "2026-06-01 recurring 3 33.00",
        "2026-07-01 recurring 3 33.00",
    ]
    assert raises()[0].startswith("Desks raised")
    assert Mail.objects.filter(cause__startswith="price-increase").count() == 1
    assert screens.billing.events()[1:] == [
        f"subscriptions.{what}"
        for what in ("price_increase_planned", "subscription_changed", "subscription_changed", "price_raised")
    ]
    sound()


def test_who_is_left_out_and_why(screens: Screens, clock: Any) -> None:
    screens.start(("seat", "1"), name="Rises")
    screens.start(("seat", "1"), name="Committed", committed_to="2026-12-31")
    screens.start(("seat", "1"), name="Fixed", price_fixed_to="2026-06-01")
    screens.start(("seat", "1"), name="Ends", end="2026-05-20")
    screens.start(("seat", "1"), name="Over", end="2026-04-20")
    screens.start(("hosting", "1"), name="Other")
    plan(screens)
    assert raises() == [
        "Rises planned 2026-06-01 10.00 11.00 12.00",
        "Committed left_out in_term 10.00 11.00 12.00",
        "Fixed left_out protected 10.00 11.00 12.00",
        "Ends left_out ends 10.00 11.00 12.00",
    ]
    plan(screens, name="Again", is_in_term=True)
    assert raises()[4:] == [
        "Rises left_out already_raised 10.00 11.00 12.00",
        "Committed planned 2026-06-01 10.00 11.00 12.00",
        "Fixed left_out protected 10.00 11.00 12.00",
        "Ends left_out ends 10.00 11.00 12.00",
    ]


def test_new_amounts_on_a_day_within_a_period(screens: Screens, clock: Any) -> None:
    """From 16 April hosting costs 120.00: half a month's difference is billed at once."""
    one = screens.start(("hosting", "1"))
    values = {"percent": None, "price_key": None, "currency": "EUR", "from_on": "2026-04-16", "is_at_renewal": False,
              "notice_days": None, "prices": [{"price": "hosting", "amount": "120.00"}]}  # fmt: skip
    plan(screens, **values)
    day(screens, clock, "2026-04-16")
    assert ledger(one) == [
        "2026-04-01 recurring 1 100.00",
        "2026-04-16 proration_credit -1 -50.00",
        "2026-04-16 proration_charge 1 60.00",
    ]
    sound()


def test_the_plan_is_worked_out_in_chunks_once(screens: Screens, clock: Any) -> None:
    """A worker that dies is gone on with; asked again, nothing changes."""
    for number in range(5):
        screens.start(("seat", "1"), name=f"Number {number}")
    _, answer = screens.call("POST", "price-increases", RISE)
    increase = UUID(answer["id"])
    asked = [commands.plan_raises(actor=SYSTEM, increase_id=increase, at=clock.now, chunk=2) for _ in range(5)]
    assert asked == [True, True, False, False, False]
    run_waiting_jobs()
    increases()
    assert (PriceRaise.objects.count(), PriceIncrease.objects.get().looked_at) == (5, 5)


def test_undone_before_it_takes_effect(screens: Screens, clock: Any) -> None:
    """One is taken out, then the rest; what has risen stays."""
    first, second = screens.start(("seat", "1"), name="First"), screens.start(("seat", "1"), name="Second")
    increase = plan(screens, notice_days=None)
    one = PriceRaise.objects.get(subscription=first)
    path = f"price-increases/{increase}/undo"
    assert screens.call("POST", path, {"raises": [str(one.pk)]}) == (200, {"undone": 1, "told": 0})
    status, refused = screens.call("POST", path, {"raises": [str(one.pk)]})
    assert (status, refused["code"], refused["problems"][0]["field"]) == (409, "nothing_to_undo", "raises")
    day(screens, clock, "2026-05-01")
    day(screens, clock, "2026-06-01")
    status, refused = screens.call("POST", path, {})
    assert (status, refused["code"], refused["problems"][0]["field"]) == (409, "nothing_to_undo", "increase")
    assert [line.split()[1] for line in raises()] == ["undone", "raised"]
    assert (ledger(first)[-1], ledger(second)[-1]) == ("2026-06-01 recurring 1 10.00", "2026-06-01 recurring 1 11.00")


def test_without_notice_no_rise_and_a_late_notice_moves_the_day(screens: Screens, clock: Any) -> None:
    """Nobody can be told: left out. Told five days late: the period after the next one rises."""
    lonely = add_account("Lonely Ltd", language="de")
    Contact.objects.filter(email__startswith="ap@lonely").update(email="")
    screens.start(("seat", "1"), name="Late")
    screens.start(("seat", "1"), name="Lonely", account=str(lonely))
    plan(screens)
    screens.billing.run("2026-05-01")
    day(screens, clock, "2026-05-23")
    assert raises() == [
        "Late planned 2026-07-01 10.00 11.00 12.00", "Lonely planned 2026-06-01 10.00 11.00 12.00",
    ]  # fmt: skip
    day(screens, clock, "2026-06-01")
    assert raises()[1] == "Lonely left_out no_notice 10.00 11.00 12.00"
    day(screens, clock, "2026-07-01")
    assert raises()[0].startswith("Late raised 2026-07-01")


def test_a_run_that_comes_before_the_notice_waits_for_it(screens: Screens, clock: Any) -> None:
    """Nobody told the customer while nothing ran. The first run bills nothing at a price of which it is not clear
    whether it rises; once told, the old price is billed, and the new one from the next period on.
    """
    one = screens.start(("seat", "1"), name="Late")
    plan(screens)
    day(screens, clock, "2026-05-01")
    clock.set("2026-06-01")
    screens.billing.run("2026-06-01")
    assert (raises(), len(ledger(one))) == (["Late planned 2026-06-01 10.00 11.00 12.00"], 2)
    day(screens, clock, "2026-06-01")
    assert raises() == ["Late planned 2026-07-01 10.00 11.00 12.00"]
    day(screens, clock, "2026-07-01")
    assert ledger(one)[2:] == ["2026-06-01 recurring 1 10.00", "2026-07-01 recurring 1 11.00"]
    sound()


def test_what_is_not_there_is_not_undone(screens: Screens, clock: Any) -> None:
    """An unknown increase and a raise of another one are refused at their places; what stands beside them stays."""
    screens.start(("seat", "1"), name="First")
    increase = plan(screens, notice_days=None)
    known, stranger = str(PriceRaise.objects.get().pk), str(uuid4())
    for address, named, status, field, code in (
        (stranger, [], 404, "increase", "not_found"),
        (increase, [known, stranger], 422, "raises.1", "no_such_record"),
    ):
        answer, refused = screens.call("POST", f"price-increases/{address}/undo", {"raises": named})
        problems = [(one["field"], one["code"]) for one in refused["problems"]]
        assert (answer, problems) == (status, [(field, code)])
    assert [line.split()[1] for line in raises()] == ["planned"]


def test_what_is_arranged_already_is_not_undone_by_a_rise(screens: Screens, clock: Any) -> None:
    """Two seats, one from 10 June on: a rise on 20 May would go on with two, so it is left out, also when the change
    was arranged after the plan.
    """
    before, after = screens.start(("seat", "2"), name="Before"), screens.start(("seat", "2"), name="After")
    fewer = {"when": "2026-06-10", "items": [{"price": "seat", "quantity": "1"}]}
    assert screens.call("POST", f"subscriptions/{before}/change", fewer)[0] == 200
    plan(screens, from_on="2026-05-20", is_at_renewal=False, notice_days=None)
    assert [line.split()[1:4] for line in raises()] == [
        ["left_out", "arranged", "20.00"], ["planned", "2026-05-20", "20.00"],
    ]  # fmt: skip
    assert screens.call("POST", f"subscriptions/{after}/change", fewer)[0] == 200
    for on in ("2026-05-01", "2026-05-20", "2026-06-10", "2026-07-01"):
        day(screens, clock, on)
    assert [line.split()[1:3] for line in raises()] == [["left_out", "arranged"]] * 2
    assert (ledger(before)[-1], ledger(after)[-1]) == ("2026-07-01 recurring 1 10.00",) * 2
    sound()


def test_a_figure_that_is_too_large_stops_nobody_else(screens: Screens, clock: Any) -> None:
    screens.start(("seat", "100000"), name="Many")
    screens.start(("seat", "1"), name="One")
    plan(screens, percent=None, price_key=None, currency="EUR", prices=[{"price": "seat", "amount": "99999999999"}])
    assert [line.split()[:3] for line in raises()] == [
        ["Many", "left_out", "too_large"], ["One", "planned", "2026-06-01"],
    ]  # fmt: skip


def test_a_policy_that_waits_for_the_renewal_is_kept(screens: Screens, clock: Any) -> None:
    """What costs more is agreed to begin at a renewal: a rise within a period says that day from the start."""
    screens.policy(increase="at_renewal")
    one = screens.start(("seat", "1"), name="Waits")
    plan(screens, from_on="2026-05-20", is_at_renewal=False, notice_days=None)
    assert raises() == ["Waits planned 2026-06-01 10.00 11.00 12.00"]
    for on in ("2026-05-01", "2026-06-01"):
        day(screens, clock, on)
    assert ledger(one)[1:] == ["2026-05-01 recurring 1 10.00", "2026-06-01 recurring 1 11.00"]


def test_a_notice_speaks_the_language_of_the_account(screens: Screens, clock: Any) -> None:
    account = add_account("Blau GmbH", language="de")
    screens.start(("seat", "1"), name="Plätze", account=str(account))
    plan(screens)
    day(screens, clock, "2026-05-18")
    (mail,) = Mail.objects.filter(cause__startswith="price-increase")
    assert "Seat: 11,00\xa0€ statt 10,00\xa0€, ab dem 1. Juni 2026" in mail.body


def test_time_that_stood_still_moves_the_rise(screens: Screens, clock: Any) -> None:
    """A pause of ten days lets the price rise with the period that begins ten days later."""
    one = screens.start(("seat", "1"))
    plan(screens, notice_days=None)
    day(screens, clock, "2026-05-01")
    clock.set("2026-05-21")
    screens.call("POST", f"subscriptions/{one}/pause", {"when": "2026-05-21", "mode": "extend", "until": "2026-05-31"})
    for on in ("2026-05-31", "2026-06-01", "2026-06-11"):
        clock.set(on)
        commands.end_pauses(actor=SYSTEM, at=clock.now)
        day(screens, clock, on)
    assert ledger(one)[-1] == "2026-06-11 recurring 1 11.00"
    assert raises()[0].startswith("Seat raised 2026-06-11")
    sound()


def test_what_is_refused(screens: Screens, clock: Any) -> None:
    """At the field, with a code; nothing is written."""
    cases = [
        ({**RISE, "percent": None}, "percent"),
        ({**RISE, "from_on": "2026-03-01"}, "from_on"),
        ({**RISE, "percent": "-1"}, "percent"),
        ({**RISE, "percent": None, "prices": [{"price": "nothing", "amount": "1"}]}, "currency"),
        ({**RISE, "name": ""}, "name"),
        ({**RISE, "price_key": "hostign"}, "price_key"),
    ]
    for values, field in cases:
        status, answer = screens.call("POST", "price-increases", values)
        assert (status, answer["problems"][0]["field"]) == (422, field), answer
    assert screens.call("POST", "price-increases", RISE, who="sales")[0] == 403
    assert PriceIncrease.objects.count() == 0
    with pytest.raises(Refusal):
        commands.plan_increase(actor=SYSTEM, values={"name": "x"}, on=clock.today, at=clock.now)


def mails(kind: str = "price-increase") -> list[str]:
    return [f"{one.subject}: {price}" for one in Mail.objects.filter(cause__startswith=f"{kind}:").order_by("id")
            for price in one.body.splitlines() if "€" in price]  # fmt: skip


def test_a_price_by_usage_rises_with_a_period(screens: Screens, clock: Any) -> None:
    """0.011 for calls from 1 June on: what was used before costs 0.01, also when it is recorded late."""
    one = screens.start(("calls", "1"), ("seat", "1"), name="Calls")
    billing = screens.billing
    billing.use(one, "calls", "1000", when=date(2026, 4, 10))
    day(screens, clock, "2026-05-01")
    clock.set("2026-05-02")
    plan(screens, price_key=None, product=None, is_at_renewal=False, percent="10")
    assert raises() == [
        "Calls planned 2026-06-01 10.00 11.00 12.00", "Calls planned 2026-05-16 10.00 11.00 12.00",
    ]  # fmt: skip
    day(screens, clock, "2026-05-18")
    (mail,) = Mail.objects.filter(cause__startswith="price-increase")
    periods, usage = (mail.body.index(words) for words in ("A billing period then comes to", "What is billed by usage"))
    assert periods < mail.body.index("Seat: €11.00 instead of €10.00, from June 1, 2026") < usage
    assert usage < mail.body.index("Calls: €0.011 instead of €0.01, from June 1, 2026")
    billing.use(one, "calls", "2000", when=date(2026, 5, 15))
    day(screens, clock, "2026-06-01")
    assert raises()[0] == "Calls raised 2026-06-01 10.00 11.00 12.00"
    billing.use(one, "calls", "3000", when=date(2026, 6, 5))
    billing.use(one, "calls", "100", when=date(2026, 5, 31))
    day(screens, clock, "2026-06-06")
    day(screens, clock, "2026-07-01")
    assert [line for line in ledger(one) if "usage" in line] == [
        "2026-04-01 usage 1000 10.00", "2026-05-01 usage 2000 20.00", "2026-05-01 usage 100 1.00",
        "2026-06-01 usage 3000 33.00",
    ]  # fmt: skip
    whys = InvoiceLine.objects.filter(subscription_item_id=PriceRaise.objects.order_by("id")[0].item_id)
    assert list(whys.order_by("invoice__created_at").values_list("unit_price", flat=True))[-1] == Decimal("0.011")
    assert "€0.011 per unit" in words(screens.staff.browser("billing").get(f"/subscriptions/{one}/"))
    plan(screens, price_key="calls", percent="5", from_on="2026-08-01", months_apart=0, notice_days=None)
    billing.use(one, "calls", "1000", when=date(2026, 7, 5))
    for on in ("2026-08-01", "2026-09-01"):
        billing.use(one, "calls", "1000", when=date.fromisoformat(on))
        day(screens, clock, on)
    assert [line for line in ledger(one) if "usage" in line][4:] == [
        "2026-07-01 usage 1000 11.00", "2026-08-01 usage 1000 11.55",
    ]  # fmt: skip
    sound()


def test_new_amounts_by_usage(screens: Screens, clock: Any) -> None:
    """A lower one is left out; what one call costs is compared, since nobody knows how many there will be."""
    one = screens.start(("calls", "1"), name="Calls")
    values = {"percent": None, "price_key": None, "currency": "EUR", "from_on": "2026-04-16", "notice_days": None}
    plan(screens, **values, prices=[{"price": "calls", "amount": "0.009"}])
    plan(screens, **values, prices=[{"price": "calls", "amount": "0.0125"}])
    assert [line.split()[1:3] for line in raises()] == [["left_out", "not_higher"], ["planned", "2026-05-01"]]
    screens.billing.use(one, "calls", "4", when=date(2026, 5, 2))
    screens.billing.use(one, "calls", "400", when=date(2026, 4, 2))
    for on in ("2026-05-01", "2026-06-01"):
        day(screens, clock, on)
    assert ledger(one) == ["2026-04-01 usage 400 4.00", "2026-05-01 usage 4 0.05"]


def test_who_was_told_of_what_is_undone_is_told_so_once(screens: Screens, clock: Any) -> None:
    """Only the price that does not rise is named, in the language of the account; who was not told gets no mail."""
    account = add_account("Blau GmbH", language="de")
    screens.start(("seat", "1"), ("hosting", "1"), name="Told")
    screens.start(("seat", "1"), name="Plätze", account=str(account))
    screens.start(("calls", "1"), name="Calls")
    increase = plan(screens, price_key=None)
    late = screens.start(("seat", "1"), name="Later", start="2026-04-20")
    other = plan(screens, name="Other", from_on="2026-06-05")
    day(screens, clock, "2026-05-18")
    assert len(mails()) == 4
    hosting = PriceRaise.objects.get(item__price_key="hosting")
    path = f"price-increases/{increase}/undo"
    clock.set("2026-05-20")
    assert screens.call("POST", path, {"raises": [str(hosting.pk)]}) == (200, {"undone": 1, "told": 1})
    assert mails("price-increase-off") == []
    asked = "Acme AG was told that this price rises, and gets a mail that it does not. Undo it?"
    browser = screens.staff.browser("billing")
    pages = [browser.get(f"/price-increases/{one}/").content.decode() for one in (increase, other)]
    assert [page.count(asked) for page in pages] == [2, 0]
    increases()
    assert mails("price-increase-off") == [
        "No change of price: Told, Counterfoil Works GmbH: Hosting: €100.00, also from June 1, 2026 on",
    ]
    page = words(browser.get(f"/price-increases/{increase}/"))
    assert "told that it does not rise May 20, 2026" in page
    question = "Take back what has not taken effect (3)? The customers of 3 subscriptions were told that a price rises"
    assert question in browser.get(f"/price-increases/{increase}/").content.decode()
    said = browser.post(f"/price-increases/{increase}/undo/", follow=True)
    assert "3 prices do not rise. Customers of 3 subscriptions are told." in words(said)
    assert screens.call("POST", f"price-increases/{other}/undo", {}) == (200, {"undone": 1, "told": 0})
    for _ in range(3):
        increases()
    assert mails("price-increase-off")[1:] == [
        "No change of price: Told, Counterfoil Works GmbH: Seat: €10.00, also from June 1, 2026 on",
        "Keine Preisänderung: Plätze, Counterfoil Works GmbH: Seat: 10,00\xa0€, auch ab dem 1. Juni 2026",
        "No change of price: Calls, Counterfoil Works GmbH: Calls: €0.01, also from June 1, 2026 on",
    ]
    outbox = words(screens.staff.browser("admin").get("/mail/"))
    assert "No change of price: Told, Counterfoil Works GmbH" in outbox
    day(screens, clock, "2026-06-01")
    assert {line.split()[1] for line in raises()} == {"undone", "left_out"}
    assert ledger(late)[-1] == "2026-05-20 recurring 1 10.00"
    sound()


def test_who_cannot_be_told_of_what_is_undone_is_told_when_there_is_an_address(screens: Screens, clock: Any) -> None:
    screens.start(("seat", "1"), name="Desks")
    increase = plan(screens)
    day(screens, clock, "2026-05-18")
    contact = Contact.objects.get()
    Contact.objects.update(email="")
    assert screens.call("POST", f"price-increases/{increase}/undo", {}) == (200, {"undone": 1, "told": 1})
    increases()
    one = PriceRaise.objects.get()
    assert (one.recalled_at, one.notice_on) == (None, date(2026, 5, 19))
    assert one.problem == "No billing contact has an address to which this can be sent."
    Contact.objects.update(email=contact.email)
    increases()
    assert mails("price-increase-off") == []
    clock.set("2026-05-19")
    increases()
    one.refresh_from_db()
    assert (one.recalled_at, one.problem, len(mails("price-increase-off"))) == (clock.now, "", 1)


def test_a_late_notice_moves_the_day_of_what_the_item_went_on_as(screens: Screens, clock: Any) -> None:
    """Time stood still for ten days, so another row of the same price runs: told late, the period after the next one
    rises.
    """
    one = screens.start(("seat", "1"), name="Desks")
    plan(screens)
    clock.set("2026-05-01")
    screens.billing.run("2026-05-01")
    clock.set("2026-05-11")
    pause = {"when": "2026-05-11", "mode": "extend", "until": "2026-05-21"}
    assert screens.call("POST", f"subscriptions/{one}/pause", pause)[0] == 200
    clock.set("2026-05-21")
    commands.end_pauses(actor=SYSTEM, at=clock.now)
    assert SubscriptionItem.objects.count() == 2
    clock.set("2026-05-30")
    increases()
    assert mails() == [
        "Change of price: Desks, Counterfoil Works GmbH: Seat: €11.00 instead of €10.00, from July 11, 2026"
    ]
    for on in ("2026-06-11", "2026-07-11"):
        day(screens, clock, on)
    assert ledger(one)[-2:] == ["2026-06-11 recurring 1 10.00", "2026-07-11 recurring 1 11.00"]
    sound()


def test_a_mail_names_the_quantity_that_is_agreed_by_then(screens: Screens, clock: Any) -> None:
    """Planned with ten seats; before the notice twenty are agreed, and thirty from 1 June: the mail says what thirty
    come to. Undone with forty, the mail says what forty come to.
    """
    one = screens.start(("seat", "10"), name="Desks")
    increase = plan(screens)
    assert raises() == ["Desks planned 2026-06-01 100.00 110.00 120.00"]
    day(screens, clock, "2026-05-01")
    for when, quantity in (("2026-05-02", "20"), ("2026-06-01", "30")):
        change = {"when": when, "items": [{"price": "seat", "quantity": quantity}]}
        clock.set("2026-05-02")
        assert screens.call("POST", f"subscriptions/{one}/change", change)[0] == 200
    day(screens, clock, "2026-05-18")
    subject = "hange of price: Desks, Counterfoil Works GmbH: Seat"
    assert mails() == [f"C{subject}: €330.00 instead of €300.00, from June 1, 2026"]
    assert raises() == ["Desks planned 2026-06-01 300.00 330.00 360.00"]
    clock.set("2026-05-20")
    change = {"when": "2026-06-01", "items": [{"price": "seat", "quantity": "40"}]}
    assert screens.call("POST", f"subscriptions/{one}/change", change)[0] == 200
    assert screens.call("POST", f"price-increases/{increase}/undo", {}) == (200, {"undone": 1, "told": 1})
    increases()
    assert mails("price-increase-off") == [f"No c{subject}: €400.00, also from June 1, 2026 on"]
    assert raises() == ["Desks undone 2026-06-01 400.00 440.00 480.00"]
    sound()


def test_who_leaves_is_not_told_of_a_rise(screens: Screens, clock: Any) -> None:
    """Cancelled as of the day, fixed until later, or changed already: left out on the day of the notice. One price of
    two is named alone.
    """
    leaver = screens.start(("seat", "1"), name="Leaver")
    fixed = screens.start(("seat", "1"), name="Fixed")
    both = screens.start(("seat", "1"), ("hosting", "1"), name="Both")
    plan(screens, price_key=None)
    screens.billing.run("2026-05-01")
    clock.set("2026-05-04")
    assert screens.call("POST", f"subscriptions/{leaver}/cancel", {"when": "2026-06-01"})[0] == 200
    Subscription.objects.filter(pk=fixed).update(price_fixed_to=date(2026, 6, 1))
    fewer = {"when": "2026-06-01", "items": [{"price": "seat", "quantity": "1"}]}
    assert screens.call("POST", f"subscriptions/{both}/change", fewer)[0] == 200
    day(screens, clock, "2026-05-18")
    assert mails() == [
        "Change of price: Both, Counterfoil Works GmbH: Seat: €11.00 instead of €10.00, from June 1, 2026"
    ]
    assert [line.split()[:3] for line in raises()] == [
        ["Leaver", "left_out", "changed"],
        ["Fixed", "left_out", "protected"],
        ["Both", "planned", "2026-06-01"],
        ["Both", "left_out", "changed"],
    ]
    for on in ("2026-06-01", "2026-07-01"):
        day(screens, clock, on)
    assert (ledger(fixed)[-1], mails("price-increase-off")) == ("2026-07-01 recurring 1 10.00", [])
    sound()


def test_who_was_told_of_what_is_left_out_is_told_so_once(screens: Screens, clock: Any) -> None:
    """Told on 18 May; then one price is fixed, one subscription ends, and one has another price by 1 June: only the
    first of them stays as it is.
    """
    fixed = screens.start(("seat", "2"), name="Fixed")
    leaver = screens.start(("seat", "1"), name="Leaver")
    other = screens.start(("seat", "1"), name="Other")
    increase = plan(screens)
    for on in ("2026-05-01", "2026-05-18"):
        day(screens, clock, on)
    assert len(mails()) == 3
    Subscription.objects.filter(pk=fixed).update(price_fixed_to=date(2026, 6, 30))
    assert screens.call("POST", f"subscriptions/{leaver}/cancel", {"when": "2026-06-01"})[0] == 200
    instead = {"when": "2026-06-01", "items": [{"price": "hosting"}]}
    assert screens.call("POST", f"subscriptions/{other}/change", instead)[0] == 200
    clock.set("2026-06-01")
    jobs.increases()
    address = f"/price-increases/{increase}/"
    assert words(screens.staff.browser("billing").get(address)).count("is told that it does not rise") == 3
    for on in ("2026-06-01", "2026-06-02"):
        day(screens, clock, on)
    assert mails("price-increase-off") == [
        "No change of price: Fixed, Counterfoil Works GmbH: Seat: €20.00, also from June 1, 2026 on",
    ]
    assert [(line.split()[1:3]) for line in raises()] == [
        ["left_out", "protected"], ["left_out", "changed"], ["left_out", "changed"],
    ]  # fmt: skip
    page = words(screens.staff.browser("billing").get(address))
    assert (page.count("is told that it does not rise"), page.count("told that it does not rise Jun 1, 2026")) == (0, 1)
    assert ledger(fixed)[-1] == "2026-06-01 recurring 2 20.00"
    sound()


def test_a_notice_that_cannot_be_sent_stops_no_other(screens: Screens, clock: Any) -> None:
    """An address that is none: its row says so, it is tried again the next day, and the others are told. Once its day
    has come it is left out, and billed at the price that it had.
    """
    bad, mute = add_account("Bad Ltd"), add_account("Mute Ltd")
    one = screens.start(("seat", "1"), name="Bad", account=str(bad))
    screens.start(("seat", "1"), name="Good")
    screens.start(("seat", "1"), name="Mute", account=str(mute))
    plan(screens)
    Contact.objects.filter(email="ap@bad.example").update(email="no address")
    Contact.objects.filter(email="ap@mute.example").update(email="no address either")
    clock.set("2026-05-18")
    increases()
    assert [text.partition(",")[0] for text in mails()] == ["Change of price: Good"]
    rows = PriceRaise.objects.order_by("id")
    assert [(row.noticed_at is None, row.problem, str(row.notice_on), str(row.takes_on)) for row in rows] == [
        (True, "“no address” is not an e-mail address.", "2026-05-19", "2026-06-01"),
        (False, "", "2026-05-18", "2026-06-01"),
        (True, "“no address either” is not an e-mail address.", "2026-05-19", "2026-06-01"),
    ]
    Contact.objects.filter(email="no address either").update(email="ap@mute.example")
    clock.set("2026-05-19")
    increases()
    assert [text.partition(",")[0] for text in mails()[1:]] == ["Change of price: Mute"]
    for on in ("2026-06-01", "2026-07-01"):
        clock.set(on)
        increases()
        screens.billing.run(on)
    assert [line.split()[:3] for line in raises()] == [
        ["Bad", "left_out", "no_notice"], ["Good", "raised", "2026-06-01"], ["Mute", "raised", "2026-07-01"],
    ]  # fmt: skip
    assert ledger(one)[-1] == "2026-07-01 recurring 1 10.00"
    sound()


def test_more_people_than_one_mail_takes(screens: Screens, clock: Any) -> None:
    """51 billing contacts: 50 of them are told, and get the invoice."""
    for number in range(50):
        values = {"name": f"Person {number}", "email": f"p{number}@acme.example"}
        contact = accounts.add_contact(actor=SYSTEM, values=values, on=clock.today)
        accounts.give_role(
            actor=SYSTEM, account_id=screens.billing.acme, contact_id=contact, role="billing", mail_line="to",
            on=clock.today,
        )  # fmt: skip
    screens.start(("seat", "1"), name="Desks")
    plan(screens)
    day(screens, clock, "2026-05-18")
    day(screens, clock, "2026-06-01")
    sent = Mail.objects.order_by("id")
    assert [(mail.cause.partition(":")[0], mail.recipients.count()) for mail in sent] == [
        ("invoice", 50), ("price-increase", 50), ("invoice", 50), ("invoice", 50),
    ]  # fmt: skip
    assert raises() == ["Desks raised 2026-06-01 10.00 11.00 12.00"]
    sound()


def test_trouble_with_the_notices_keeps_no_price_from_rising(
    screens: Screens, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sweep of the watchdog is a step of its own."""
    screens.start(("seat", "1"), name="Desks")
    plan(screens)
    day(screens, clock, "2026-05-18")

    def fails(**_: Any) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(commands, "send_notices", fails)
    clock.set("2026-06-01")
    found = [sweep for sweep in all_sweeps() if sweep.name.startswith("subscriptions.increase")]
    for sweep in found:
        with suppress(RuntimeError):
            sweep.find()
    assert raises() == ["Desks raised 2026-06-01 10.00 11.00 12.00"]


def test_a_mail_tells_of_all_prices_of_a_subscription_in_a_fixed_number_of_statements(
    screens: Screens, clock: Any
) -> None:
    """Two subscriptions or two hundred: as many statements, one mail each, and no chunk parts the prices of one."""
    counts = []
    for number in (2, 200):
        accounts = [add_account(f"A{number}x{place} Ltd") for place in range(number // 2)]
        orders = [
            SubscriptionOrder(account_id=account, items=(item("seat"), item("basic")), start=date(2026, 4, 1))
            for account in accounts * 2
        ]
        commands.start_subscriptions(actor=SYSTEM, orders=orders, on=clock.today, at=clock.now, is_billed=False)
        values = {"name": "All", "percent": "10", "from_on": "2026-05-10", "notice_days": 14, "months_apart": 0}
        commands.plan_increase(actor=SYSTEM, values=values, on=clock.today, at=clock.now)
        run_waiting_jobs()
        clock.set("2026-05-18")
        if number > 2:
            assert commands.send_notices(actor=SYSTEM, at=clock.now, chunk=1) == 1
            assert mails()[-2:] == [
                "Change of price: Seat, Counterfoil Works GmbH: Seat: €11.00 instead of €10.00, from June 1, 2026",
                "Change of price: Seat, Counterfoil Works GmbH: Basic: €110.00 instead of €100.00, from June 1, 2026",
            ]
        with CaptureQueriesContext(connection) as statements:
            told = commands.send_notices(actor=SYSTEM, at=clock.now)
        counts.append((told, len(statements)))
        clock.set("2026-04-01")
    assert [told for told, _ in counts] == [2, 199]
    assert counts[0][1] == counts[1][1]
    assert commands.send_notices(actor=SYSTEM, at=clock.set("2026-05-18")) == 0
    assert len(mails()) == 404


def test_periods_that_begin_in_the_morning(screens: Screens, clock: Any) -> None:
    """Where seconds are counted a period begins at half past ten: the price rises at that second, not at midnight. On
    the day itself it rises at midnight, and the difference is counted in seconds.
    """
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 4, 1, 10, 30, tzinfo=berlin)
    clock.set(start)
    screens.billing.on = date(2026, 4, 1)
    policy = Policy(basis="seconds")
    one = screens.billing.start(item("seat", "2"), start=start, policy=policy, title="Morning")
    plan(screens, from_on="2026-05-01", notice_days=None)
    assert raises() == ["Morning planned 2026-05-01 20.00 22.00 24.00"]
    clock.set("2026-05-01")
    increases()
    screens.billing.run("2026-05-01")
    noon = screens.billing.start(item("basic"), start=start, policy=policy, title="Within")
    plan(screens, price_key="basic", from_on="2026-05-02", is_at_renewal=False, notice_days=None)
    day(screens, clock, "2026-05-02")
    assert raises()[0] == "Morning raised 2026-05-01 20.00 22.00 24.00"
    rows = BilledPeriod.objects.filter(subscription__in=[one, noon]).order_by("id")
    assert [f"{row.starts_at.astimezone(berlin):%m-%d %H:%M} {row.kind} {row.net:.2f}" for row in rows] == [
        "04-01 10:30 recurring 20.00",
        "05-01 10:30 recurring 22.00",
        "04-01 10:30 recurring 100.00",
        "05-01 10:30 recurring 100.00",
        "05-02 00:00 proration_credit -98.19",  # 2,629,800 of 2,678,400 seconds
        "05-02 00:00 proration_charge 108.00",
    ]
    sound()


def test_what_waits_for_a_notice_does_not_keep_others_from_being_billed(
    screens: Screens, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of one: the first two wait, the third is billed, and the run is not over while they wait."""
    waiting = [screens.start(("seat", "1"), name=f"Waits {place}") for place in range(2)]
    plan(screens, from_on="2026-05-01", notice_days=0)
    free = screens.start(("hosting", "1"), start="2026-04-20", anchor_day=1)
    clock.set("2026-05-01")
    run_id = commands.start_run(actor=SYSTEM, at=clock.now)
    monkeypatch.setattr(commands, "bill_chunk", partial(commands.bill_chunk, chunk=1))
    run_waiting_jobs()
    assert [len(ledger(one)) for one in (*waiting, free)] == [1, 1, 1 + 1]
    assert BillingRun.objects.get(pk=run_id).state == "running"
    increases()
    due_subscriptions()
    run_waiting_jobs()
    assert [ledger(one)[-1] for one in waiting] == ["2026-05-01 recurring 1 11.00"] * 2
    run = BillingRun.objects.get(pk=run_id)
    assert (run.state, run.subscriptions, run.documents) == ("done", 3, 2)
    sound()


def test_more_than_five_hundred_prices_rise_in_one_chunk(screens: Screens, clock: Any) -> None:
    """65 subscriptions of eight prices: all of them rise before the chunk is billed."""
    items = tuple(replace(item("seat"), price_key=f"seat-{place}") for place in range(8))
    orders = [
        SubscriptionOrder(account_id=screens.billing.acme, items=items, start=date(2026, 4, 1)) for _ in range(65)
    ]
    commands.start_subscriptions(actor=SYSTEM, orders=orders, on=clock.today, at=clock.now)
    plan(screens, price_key=None, notice_days=None, from_on="2026-05-01")
    assert PriceRaise.objects.filter(state="planned").count() == 520
    clock.set("2026-05-01")
    done = commands.bill_due(actor=SYSTEM, on=clock.today, at=clock.now)
    assert (done.subscriptions, done.waiting, done.amounts) == (65, frozenset(), {"EUR": Decimal("5720.00")})
    assert PriceRaise.objects.filter(state="raised").count() == 520
    sound()


def test_as_many_statements_however_many_rise(screens: Screens, clock: Any) -> None:
    """One subscription or forty, each with a document of its own for what rises within its period, and then a price by
    usage.
    """
    counts = []
    for number, month in ((1, 4), (40, 6)):
        clock.set(f"2026-0{month}-01")
        seat, calls = (replace(item(key), price_key=f"{key}-{number}") for key in ("seat", "calls"))
        orders = [
            SubscriptionOrder(account_id=add_account(f"A{number}x{place} Ltd"), items=(seat, calls), start=clock.today)
            for place in range(number)
        ]
        commands.start_subscriptions(actor=SYSTEM, orders=orders, on=clock.today, at=clock.now)
        within = {"price_key": f"seat-{number}", "from_on": f"2026-0{month}-16", "is_at_renewal": False}
        plan(screens, notice_days=None, **within)
        plan(screens, notice_days=None, price_key=f"calls-{number}", from_on=f"2026-0{month + 1}-01")
        for on in (f"2026-0{month}-16", f"2026-0{month + 1}-01"):
            clock.set(on)
            with CaptureQueriesContext(connection) as captured:
                risen = commands.raise_prices(actor=SYSTEM, at=clock.now)
            counts.append((risen, sum(one["sql"].count(";\n") + 1 for one in captured.captured_queries)))
    assert [risen for risen, _ in counts] == [1, 1, 40, 40]
    assert [count for _, count in counts[:2]] == [count for _, count in counts[2:]]
    assert {one.state for one in PriceRaise.objects.all()} == {"raised"}
    charges = BilledPeriod.objects.filter(kind="proration_charge")
    assert (len({one.invoice_id for one in charges}), len(charges)) == (41, 41)
    sound()


def test_one_that_cannot_rise_keeps_its_reason_and_the_others_go_on(screens: Screens, clock: Any) -> None:
    """The invoice of May waits for its PO number, so nothing of it can be given back. Two of its prices are tried
    together, then each by itself.
    """
    waiting = add_account("Waits Ltd")
    names = ("First", "Waits", "Last")
    for name in names:
        account = waiting if name == "Waits" else screens.billing.acme
        screens.start(("seat", "2"), ("hosting", "1"), name=name, account=str(account))
    plan(screens, price_key=None, from_on="2026-05-16", is_at_renewal=False, notice_days=None)
    Account.objects.filter(pk=waiting).update(po_policy="required")
    day(screens, clock, "2026-05-01")
    before = OutboxEvent.objects.count()
    day(screens, clock, "2026-05-16")
    found = PriceRaise.objects.select_related("subscription").order_by("id")
    assert [(one.subscription.title, one.state, one.problem[:46]) for one in found] == [
        (name, *(("failed", "A draft that bills this subscription waits for") if name == "Waits" else ("raised", "")))
        for name in names
        for _ in range(2)
    ]
    told = OutboxEvent.objects.order_by("id")[before:]
    assert [(one.name.partition(".")[2], one.payload["title"]) for one in told if "title" in one.payload] == [
        ("subscription_changed", "First"), ("subscription_changed", "Last"),
        *[("price_raised", name) for name in ("First", "First", "Last", "Last")],
    ]  # fmt: skip
    assert [ledger(one.subscription_id)[-1] for one in found[::2]] == [
        "2026-05-16 proration_charge 1 56.77", "2026-05-01 recurring 1 100.00", "2026-05-16 proration_charge 1 56.77",
    ]  # fmt: skip
    sound()


def test_what_nobody_foresaw_stops_one_and_no_other(
    screens: Screens, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing seven at once is refused because of one: it is found, nothing of it is written or told, six rise."""
    ones = [screens.start(("seat", "2"), name=f"Number {place}") for place in range(7)]
    plan(screens, from_on="2026-04-16", is_at_renewal=False, notice_days=None)
    clock.set("2026-04-16")

    def refused(actor: Any, changes: Any, **more: Any) -> Any:
        written = carry_out(actor, changes, **more)
        if ones[4] in {change.loaded.subscription.pk for change in changes}:
            raise Refusal("odd", "Something odd.")
        return written

    monkeypatch.setattr(raising, "carry_out", refused)
    assert commands.raise_prices(actor=SYSTEM, at=clock.now) == 7
    states = [(one.state, one.problem) for one in PriceRaise.objects.order_by("id")]
    assert states == [("failed", "Something odd.") if place == 4 else ("raised", "") for place in range(7)]
    assert [len(ledger(one)) for one in ones] == [3, 3, 3, 3, 1, 3, 3]
    documents = BilledPeriod.objects.filter(kind="proration_charge").values_list("invoice_id", flat=True)
    assert len(set(documents)) == 6
    for name in ("subscription_changed", "price_raised"):
        told = OutboxEvent.objects.filter(name=f"subscriptions.{name}").order_by("id")
        assert [one.payload["title"][-1] for one in told] == ["0", "1", "2", "3", "5", "6"]
    sound()


@pytest.fixture
def real(transactional_db: None) -> Iterator[Billing]:
    yield make_billing()
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_the_sweep_and_the_run_at_once(real: Billing) -> None:
    """Two sweeps and three workers at the same subscriptions, where a rise makes documents of its own: none waits for
    another for ever, each price rises once, and what is billed of each period is what it costs.
    """
    accounts = [real.acme, *(add_account(f"A{place} Ltd") for place in range(5))]
    orders = [
        SubscriptionOrder(account_id=accounts[place % 6], items=(item("seat"), item("basic")), start=real.on)
        for place in range(36)
    ]
    commands.start_subscriptions(actor=SYSTEM, orders=orders, on=real.on, at=real.at)
    for values in (
        {"price_key": "seat", "from_on": "2026-02-01", "is_at_renewal": True},
        {"price_key": "basic", "from_on": "2026-01-20", "is_at_renewal": False},
    ):
        wish = {"name": "Rise", "percent": "10", **values}
        increase = commands.plan_increase(actor=SYSTEM, values=wish, on=real.on, at=real.at)
        while commands.plan_raises(actor=SYSTEM, increase_id=increase, at=real.at):
            pass
    real.on = date(2026, 2, 1)
    together = threading.Barrier(5, timeout=60)

    def work(turn: Callable[[], int]) -> None:
        try:
            together.wait()
            idle = 0
            while idle < 10:
                idle = 0 if turn() else idle + 1
        finally:
            connections.close_all()

    def sweep() -> int:
        return commands.raise_prices(actor=SYSTEM, at=real.at, chunk=5)

    def bill() -> int:
        return commands.bill_due(actor=SYSTEM, on=real.on, at=real.at, chunk=3).subscriptions

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, [sweep, sweep, bill, bill, bill]))
    real.run()
    assert [one.state for one in PriceRaise.objects.all()] == ["raised"] * 72
    rows = BilledPeriod.objects.values("subscription", "cell_starts_at").annotate(net=Sum("net"))
    assert sorted((f"{row['cell_starts_at']:%m-%d}", f"{row['net']:.2f}") for row in rows) == [
        *[("01-01", "113.87")] * 36,  # 10.00, 100.00, and 12 of 31 days of 10.00 more
        *[("02-01", "121.00")] * 36,
    ]
    sound()


def words(answer: Any) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(html.unescape(text).replace("\u00a0", " ").split())


def test_the_pages(screens: Screens, clock: Any) -> None:
    """The preview is what the plan then does; the page shows each price, and undoes."""
    one = screens.start(("seat", "2"), name="Desks")
    screens.start(("seat", "1"), name="Committed", committed_to="2026-12-31")
    browser = screens.staff.browser("billing")
    assert "No price increases yet" in words(browser.get("/price-increases/"))
    form = {**RISE, "is_at_renewal": "yes", "months_apart": "12"}
    preview = words(browser.post("/price-increases/new/preview/", form))
    assert "2 subscriptions concerned. 1 price would rise, 24.00 EUR more in a year. Customers are told 14" in preview
    assert "from Jun 1, 2026 , first document Jun 1, 2026 , told on May 18, 2026" in preview
    assert "Its committed term is not over. 1" in preview
    assert PriceIncrease.objects.count() == 0
    assert browser.post("/price-increases/new/", {**form, "percent": ""}).status_code == 422
    answer = browser.post("/price-increases/new/", form)
    address = answer.headers["Location"]
    assert "Being worked out" in words(browser.get(address))
    run_waiting_jobs()
    assert "20.00 EUR → 22.00 EUR 24.00 EUR a year" in words(browser.get(address))
    assert "Committed" not in words(browser.get(f"{address}?state=planned"))
    assert "Prices that rise Seat from Jun 1, 2026" in words(browser.get(f"/subscriptions/{one}/"))
    _, listed = screens.call("GET", f"price-increases/{PriceIncrease.objects.get().pk}/raises")
    assert [row["state"] for row in listed["items"]] == ["planned", "left_out"]
    _, seen = screens.call("POST", "price-increases/preview", {**RISE, "notice_days": None})
    assert (seen["reasons"], seen["notice"]) == ({"already_raised": 1, "in_term": 1}, "Customers are not told")
    assert "Customers are told 14 days before" in words(browser.get(address))
    assert browser.post(f"{address}undo/").status_code == 302
    assert "Rise Undone" in words(browser.get("/price-increases/"))
