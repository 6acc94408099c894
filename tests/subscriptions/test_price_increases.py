"""Price increases: previewed, planned once, told in the account's language, carried out on their day, and undone."""

from __future__ import annotations

import html
import re
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from screens_world import Screens
from subscriptions_world import add_account

from counterfoil.accounts.models import Contact
from counterfoil.activities.models import Mail
from counterfoil.core.errors import Refusal
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.jobs import increases
from counterfoil.subscriptions.models import BilledPeriod, PriceIncrease, PriceRaise
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
    assert screens.call("POST", path, {"raises": [str(one.pk)]}) == (200, {"undone": 1})
    assert screens.call("POST", path, {"raises": [str(one.pk)]})[0] == 409
    day(screens, clock, "2026-05-01")
    day(screens, clock, "2026-06-01")
    assert screens.call("POST", path, {})[0] == 409
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
    ]
    for values, field in cases:
        status, answer = screens.call("POST", "price-increases", values)
        assert (status, answer["problems"][0]["field"]) == (422, field), answer
    assert screens.call("POST", "price-increases", RISE, who="sales")[0] == 403
    assert PriceIncrease.objects.count() == 0
    with pytest.raises(Refusal):
        commands.plan_increase(actor=SYSTEM, values={"name": "x"}, on=clock.today, at=clock.now)


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
    assert "2 subscriptions concerned. 1 price would rise, 24.00 EUR more in a year." in preview
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
    assert screens.call("POST", "price-increases/preview", RISE)[1]["reasons"] == {"already_raised": 1, "in_term": 1}
    assert browser.post(f"{address}undo/").status_code == 302
    assert "Rise Undone" in words(browser.get("/price-increases/"))
