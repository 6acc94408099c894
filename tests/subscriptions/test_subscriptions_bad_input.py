"""What nobody can mean: refused with a code at its place, by the commands and over the API, and nothing changes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from screens_world import Screens
from subscriptions_world import SYSTEM, Billing, add_account, item

from counterfoil.catalog.rules.pricing import Pricing, Tier
from counterfoil.core.errors import Refusal
from counterfoil.invoicing.models import Invoice, SeriesCounter
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.subscriptions import commands, jobs
from counterfoil.subscriptions.models import (
    BilledPeriod,
    ItemVersion,
    Pause,
    Subscription,
    SubscriptionItem,
    UsageRecord,
)
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import SubscriptionOrder

pytestmark = pytest.mark.django_db

D = Decimal
TABLES = (
    Subscription, SubscriptionItem, ItemVersion, Pause, UsageRecord, BilledPeriod, Invoice, SeriesCounter, OutboxEvent,
)  # fmt: skip


def everything() -> list[Any]:
    return [list(table.objects.order_by("pk").values()) for table in TABLES]


def tiers(*limits: str | None, amount: str = "1") -> dict[str, Any]:
    found = tuple(Tier(None if limit is None else D(limit), D(amount)) for limit in limits)
    return {"pricing": Pricing("graduated", tiers=found)}


ITEMS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("basic", "-1", {}, "quantity", "negative"),
    ("basic", "NaN", {}, "quantity", "negative"),
    ("basic", "Infinity", {}, "quantity", "negative"),
    ("basic", "1e12", {}, "quantity", "too_large"),
    ("basic", "1.0000001", {}, "quantity", "too_many_decimals"),
    ("basic", "999999999999", {}, "quantity", "too_large"),
    ("basic", "1", {"pricing": Pricing("flat", D("-0.01"))}, "amount", "negative"),
    ("basic", "1", {"pricing": Pricing("flat", D("1e12"))}, "amount", "too_large"),
    ("basic", "1", {"pricing": Pricing("flat")}, "amount", "missing"),
    ("basic", "1", {"pricing": Pricing("package", D(1))}, "per", "missing"),
    ("basic", "1", {"pricing": Pricing("package", D(1), D(0))}, "per", "too_small"),
    ("basic", "1", {"pricing": Pricing("guess", D(1))}, "model", "not_a_choice"),
    ("basic", "1", tiers(), "tiers", "no_tiers"),
    ("basic", "1", tiers("10", "5", None), "tiers.1.up_to", "overlapping"),
    ("basic", "1", tiers("10", "10", None), "tiers.1.up_to", "overlapping"),
    ("basic", "1", tiers("10", None, "20"), "tiers.1.up_to", "overlapping"),
    ("basic", "1", tiers("10", "20"), "tiers.1.up_to", "not_open"),
    ("basic", "1", tiers("10", None, amount="-1"), "tiers.0.amount", "negative"),
    ("calls", "1", {"is_in_advance": True}, "billed", "usage_in_advance"),
    ("calls", "5", {}, "quantity", "metered"),
    ("calls", "0.5", {}, "quantity", "metered"),
    ("basic", "1", {"interval": Interval("month", 1001)}, "count", "too_large"),
]


@pytest.mark.parametrize(("key", "quantity", "values", "field", "code"), ITEMS)
def test_an_item_that_nobody_can_mean(
    billing: Billing, key: str, quantity: str, values: dict[str, Any], field: str, code: str
) -> None:
    """It starts nothing, and it changes nothing of what runs: as the first item and as the second."""
    running = billing.start(item("seat"))
    before = everything()
    wrong, right = item(key, quantity, **values), item("pro")
    for items, place in (((wrong,), 0), ((right, wrong), 1)):
        for act in (lambda items=items: billing.start(*items), lambda items=items: billing.change(running, *items)):  # type: ignore[misc]
            with pytest.raises(Refusal) as refused:
                act()
            (problem, *_) = refused.value.problems
            assert (problem.field.removeprefix("0."), problem.code) == (f"items.{place}.{field}", code)
            assert everything() == before


def test_a_change_to_nothing(billing: Billing) -> None:
    """It is no change but an end, and says so; what is billed by usage alone is something."""
    one = billing.start(item("seat"), item("calls"))
    before = everything()
    with pytest.raises(Refusal, match="end the subscription") as refused:
        billing.change(one)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [("items", "missing")]
    assert everything() == before
    billing.change(one, item("calls"))
    assert billing.use(one, "calls", "100") == 1


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"currency": "eur"}, "currency", "unknown_currency"),
        ({"anchor_day": 0}, "anchor_day", "no_such_day"),
        ({"anchor_day": 32}, "anchor_day", "no_such_day"),
        ({"anchor_day": 1, "anchor_on": date(2026, 1, 1)}, "anchor_on", "two_anchors"),
        ({"end": date(2025, 12, 31)}, "end", "before_start"),
        ({"trial_end": date(2025, 12, 31)}, "trial_end", "before_start"),
        ({"trial_end": date(2026, 3, 2), "end": date(2026, 3, 1)}, "trial_end", "after_end"),
        ({"trial_end": date(2027, 1, 1), "committed_to": date(2026, 12, 31)}, "trial_end", "after_term"),
    ],
)
def test_a_subscription_that_nobody_can_mean(billing: Billing, values: dict[str, Any], field: str, code: str) -> None:
    """Of two that start together the second is wrong: neither starts, and the place says which."""
    before = everything()
    orders = [
        SubscriptionOrder(account_id=billing.acme, items=(item("basic"),), start=billing.on, **more)
        for more in ({}, values)
    ]
    with pytest.raises(Refusal) as refused:
        commands.start_subscriptions(actor=SYSTEM, orders=orders, on=billing.on, at=billing.at)
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == (f"1.{field}", code)
    assert everything() == before


def test_an_anchor_of_weeks(billing: Billing) -> None:
    """Weeks have no day of the month, whatever else the subscription has."""
    before = everything()
    with pytest.raises(Refusal) as refused:
        billing.start(item("basic"), item("seat", interval=Interval("week")), anchor_day=1)
    assert [(one.field, one.code) for one in refused.value.problems] == [("0.anchor_day", "not_for_interval")]
    assert everything() == before


def test_changes_outside_the_life(billing: Billing) -> None:
    """Before the start and after the end nothing changes, rests or ends; within it, on its last day, it does."""
    billing.on = date(2026, 3, 1)
    one = billing.start(item("seat", "2"), end=date(2026, 5, 1))
    before = everything()
    for when, code in ((date(2026, 2, 28), "before_start"), (date(2026, 5, 1), "ended"), (date(2027, 1, 1), "ended")):
        for act in (
            lambda when=when: billing.change(one, item("seat", "3"), when=when),  # type: ignore[misc]
            lambda when=when: commands.pause_subscription(  # type: ignore[misc]
                actor=SYSTEM, subscription_id=one, when=when, on=billing.on, at=billing.at
            ),
            lambda when=when: billing.cancel(one, when=when),  # type: ignore[misc]
        ):
            with pytest.raises(Refusal) as refused:
                act()
            assert (refused.value.problems[0].field, refused.value.code) == ("when", code)
            assert everything() == before
    billing.on = date(2026, 4, 30)
    billing.run()
    billing.change(one, item("seat", "5"), when=date(2026, 4, 30))
    assert billing.books()[-1] == "INV 2026-04-30 proration_charge Seat 2026-04-30/2026-05-01 3 1/30 1.00"


def test_a_pause_within_a_pause(billing: Billing) -> None:
    """Looking back, it cannot rest twice at once: refused at its field, also where the older pause begins later."""
    one = billing.start(item("basic"))
    billing.on = date(2026, 1, 10)
    billing.pause(one)
    billing.on = date(2026, 1, 20)
    billing.resume(one)
    before = everything()
    for when in (date(2026, 1, 5), date(2026, 1, 10), date(2026, 1, 19)):
        with pytest.raises(Refusal) as refused:
            commands.pause_subscription(actor=SYSTEM, subscription_id=one, when=when, on=billing.on, at=billing.at)
        assert refused.value.code == "paused"
        assert everything() == before
    billing.pause(one)
    assert Pause.objects.count() == 2


def test_nothing_of_a_price_bills_nothing(billing: Billing) -> None:
    """A quantity of zero is agreed, not billed, and charged from the day on which it grows."""
    one = billing.start(item("seat", "0"))
    assert (billing.run("2026-02-01"), Invoice.objects.count()) == (0, 0)
    billing.on = date(2026, 2, 15)
    billing.change(one, item("seat", "2"))
    assert billing.run("2026-03-01") == 1
    assert [line.split(" ", 2)[2] for line in billing.books()] == [
        "proration_charge Seat 2026-02-15/2026-03-01 2 14/28 10.00",
        "recurring Seat 2026-03-01/2026-04-01 2 31/31 20.00",
    ]
    assert [one.invariant.key for one in verify() if not one.holds] == []


USED: list[tuple[dict[str, Any], str, str]] = [
    ({"quantity": D(-1)}, "quantity", "out_of_range"),
    ({"quantity": D("NaN")}, "quantity", "out_of_range"),
    ({"quantity": D("1e12")}, "quantity", "out_of_range"),
    ({"price_key": "basic"}, "price", "not_metered"),
    ({"at": date(2025, 12, 31)}, "at", "before_start"),
    ({"at": date(2026, 3, 1)}, "at", "after_end"),
]


@pytest.mark.parametrize(("values", "field", "code"), USED)
def test_usage_that_nobody_can_mean(billing: Billing, values: dict[str, Any], field: str, code: str) -> None:
    """Of two events the second is wrong: neither counts."""
    one = billing.start(item("basic"), item("calls", "0"), end=date(2026, 3, 1))
    before = everything()
    right = {"subscription_id": one, "price_key": "calls", "quantity": D(5), "at": date(2026, 1, 5)}
    orders = [commands.UsageOrder(**right), commands.UsageOrder(**{**right, **values})]
    with pytest.raises(Refusal) as refused:
        commands.record_usage(actor=SYSTEM, orders=orders, at=billing.at)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [(f"1.{field}", code)]
    assert everything() == before


@pytest.mark.parametrize("values", [{"quantity": D(6)}, {"at": date(2026, 1, 6)}])
def test_an_event_that_comes_again_as_another(billing: Billing, values: dict[str, Any]) -> None:
    """Which of the two holds nobody can tell: it is refused in one call and in the next, while a repetition is taken
    once.
    """
    one = billing.start(item("calls", "0"))
    first = {"subscription_id": one, "price_key": "calls", "quantity": D(5), "at": date(2026, 1, 5)}
    same, other = (commands.UsageOrder(**{**first, **more}, external_id="e1") for more in ({}, values))
    before = everything()
    for place in (1, 0):
        with pytest.raises(Refusal) as refused:
            commands.record_usage(actor=SYSTEM, orders=[same, other] if place else [other], at=billing.at)
        assert [(problem.field, problem.code) for problem in refused.value.problems] == [
            (f"{place}.id", "counted_otherwise")
        ]
        assert everything() == before
        commands.record_usage(actor=SYSTEM, orders=[same, same], at=billing.at)
        before = everything()
    assert UsageRecord.objects.count() == 1


def test_more_used_than_any_document_can_bill(screens: Screens, clock: Any) -> None:
    """What is beyond every document is parked with its reason; the other account is billed, and nothing is lost."""
    big = screens.start(("calls", "0"))
    other = screens.start(("hosting", "1"), account=str(add_account("Bolt AG")))
    events = [
        commands.UsageOrder(
            big, "calls", D("999999999999"), datetime.fromisoformat("2026-04-01T10:00:00+00:00"), f"e{n}"
        )
        for n in range(1100)
    ]
    commands.record_usage(actor=SYSTEM, orders=events, at=clock.now)
    clock.set("2026-05-01")
    jobs.due_subscriptions()
    run_waiting_jobs()
    parked = Subscription.objects.exclude(parked_at=None).get()
    assert parked.pk == big
    assert "larger than any document" in parked.parked_reason
    assert BilledPeriod.objects.filter(subscription=other).count() == 2
    assert not BilledPeriod.objects.filter(subscription=big).exists()
    assert UsageRecord.objects.count() == 1100
    assert [one.invariant.key for one in verify() if not one.holds] == []


# Over the API ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "field", "code"),
    [
        ("change", {"items": [{"price": "seat", "quantity": "-1"}]}, "items.0.quantity", "too_small"),
        ("change", {"items": [{"price": "seat", "quantity": "1e12"}]}, "items.0.quantity", "out_of_range"),
        ("change", {"items": [{"price": "hosting", "quantity": "999999999999"}]}, "items.0.quantity", "too_large"),
        ("change", {"items": [{"price": "seat", "quantity": "1.1234567"}]}, "items.0.quantity", "too_many_decimals"),
        ("change", {"items": [{"price": "seat"}, {"price": "seat"}]}, "items.1.price", "twice"),
        ("change", {"items": [{"price": "nothing"}]}, "items.0.price", "not_offered"),
        ("change", {"items": []}, "items", "missing"),
        ("change", {"items": [{"price": "seat"}, {"price": "calls", "quantity": "5"}]}, "items.1.quantity", "metered"),
        ("change", {"items": [{"price": "dollars"}]}, "items.0.price", "not_offered"),
        ("change", {"items": [{"price": "seat"}], "when": "2026-03-31"}, "when", "before_start"),
        ("change", {"items": [{"price": "seat"}], "when": "2026-07-01"}, "when", "ended"),
        ("change", {"items": [{"price": "seat"}], "when": "2300-01-01"}, "when", "out_of_range"),
        ("pause", {"when": "2026-03-31"}, "when", "before_start"),
        ("pause", {"when": "2026-07-01"}, "when", "ended"),
        ("cancel", {"when": "2026-03-31"}, "when", "before_start"),
        ("cancel", {"when": "2026-07-01"}, "when", "ended"),
        ("change", {"items": [{"price": "seat", "quantity": "1_000"}]}, "items.0.quantity", "not_a_number"),
        ("change", {"items": [{"price": "seat", "quantity": "１２"}]}, "items.0.quantity", "not_a_number"),
        ("change", {"items": [{"price": "seat", "quantity": "1e999"}]}, "items.0.quantity", "out_of_range"),
        (
            "change",
            {"items": [{"price": "seat", "quantity": "1e9999999999999999999"}]},
            "items.0.quantity",
            "out_of_range",
        ),
        ("change", {"items": [{"price": "seat", "amount": "5"}]}, "items.0.amount", "unknown_field"),
        ("change", {"items": [{"price": "seat"}], "when": "2026-04-01T00:00"}, "when", "not_a_date"),
        ("change", {"items": [{"price": "seat"}], "version": "1"}, "version", "not_whole"),
        ("change", {"items": [{"price": "seat"}], "version": True}, "version", "not_whole"),
        ("pause", {"until": 1_790_000_000}, "until", "not_a_date"),
        ("pause", {"reason": "x" * 5001}, "reason", "too_long"),
        ("resume", {"when": None}, "when", "not_a_date"),
        ("pause", {"reason": "x" * 301}, "reason", "too_long"),
        ("cancel", {"reason": "x" * 301}, "reason", "too_long"),
        ("cancel", {"credit": False}, "credit", "unknown_field"),
        ("cancel", {"credited": "no"}, "credited", "not_yes_or_no"),
        ("cancel", {"at_period_end": 1}, "at_period_end", "not_yes_or_no"),
    ],
)
def test_a_change_is_refused_at_its_field(
    screens: Screens, path: str, body: dict[str, Any], field: str, code: str
) -> None:
    """The change and its preview alike."""
    add_dollars(screens)
    one = screens.start(("seat", "2"), end="2026-07-01")
    before = everything()
    for door in (path, f"{path}/preview"):
        status, refused = screens.call("POST", f"subscriptions/{one}/{door}", {"when": "2026-04-01", **body})
        assert (status in (409, 422), refused["problems"][0]["field"], refused["problems"][0]["code"]) == (
            True, field, code,
        )  # fmt: skip
        assert everything() == before


@pytest.mark.parametrize(
    ("values", "field", "code", "message"),
    [
        ({"quantity": "１２"}, "quantity", "not_a_number", "This must be a number."),
        ({"quantity": "NaN"}, "quantity", "not_a_number", "This must be a number."),
        ({"quantity": "-1"}, "quantity", "too_small", "This must be at least 0."),
        ({"quantity": "0.1234567"}, "quantity", "too_many_decimals", "This can have at most 6 decimals."),
        ({"at": "2026-04-05T10:00:00"}, "at", "no_time_zone", "An instant must name its time zone."),
        ({"at": "tomorrow"}, "at", "not_an_instant", None),
        ({"at": 1_790_000_000}, "at", "not_an_instant", None),
        ({"id": "a\x00"}, "id", "control_character", None),
        ({"ID": "a"}, "ID", "unknown_field", "There is no such field."),
    ],
)
def test_an_event_of_a_meter_is_refused_at_its_field(
    screens: Screens, values: dict[str, Any], field: str, code: str, message: str | None
) -> None:
    """One problem, in plain words, and no other event of the call counts."""
    one = screens.start(("calls", "0"))
    right = {"subscription": str(one), "price": "calls", "quantity": "5", "at": "2026-04-01"}
    status, refused = screens.call("POST", "usage", {"events": [right, {**right, **values}]})
    (problem,) = refused["problems"]
    assert (status, problem["field"], problem["code"]) == (422, f"events.1.{field}", code)
    assert message is None or problem["message"] == message
    assert not UsageRecord.objects.exists()


def add_dollars(screens: Screens) -> None:
    """A price in a currency that the account is not billed in."""
    from counterfoil.catalog import commands as catalog

    product = catalog.add_product(
        actor=SYSTEM, values={"name": "Dollars", "code": "dollars", "unit_price": "1.00", "currency": "USD"}
    )
    values = {"key": "dollars", "product": product, "model": "flat", "amount": "5.00", "currency": "USD"}
    catalog.add_price(
        actor=SYSTEM, values={**values, "interval": "month", "valid_from": "2020-01-01"}, on=date(2026, 4, 1)
    )


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"items": [{"price": "dollars"}]}, "items.0.price", "not_offered"),
        ({"items": []}, "items", "missing"),
        ({"items": [{"price": "calls", "quantity": "5"}]}, "items.0.quantity", "metered"),
        ({"items": [{"price": "hosting", "quantity": "999999999999"}]}, "items.0.quantity", "too_large"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"anchor_day": 0}, "anchor_day", "too_small"),
        ({"anchor_on": "2026-02-30"}, "anchor_on", "not_a_date"),
        ({"start": "2026-02-29"}, "start", "not_a_date"),
        ({"start": "2026-04-31"}, "start", "not_a_date"),
        ({"trial_end": "2026-03-01"}, "trial_end", "before_start"),
    ],
)
def test_a_start_is_refused_at_its_place(screens: Screens, values: dict[str, Any], field: str, code: str) -> None:
    """The start and its preview alike: another currency, a cost beyond every document, days that do not exist."""
    add_dollars(screens)
    order = {"account": str(screens.billing.acme), "start": "2026-04-01", "items": [{"price": "seat"}], **values}
    before = everything()
    for door in ("subscriptions", "subscriptions/preview"):
        status, refused = screens.call("POST", door, order)
        assert (status, refused["problems"][0]["field"], refused["problems"][0]["code"]) == (422, field, code)
        assert everything() == before


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        (
            [{"up_to": "10", "amount": "1"}, {"up_to": "5", "amount": "1"}, {"amount": "1"}],
            "tiers.1.up_to",
            "overlapping",
        ),
        ([{"up_to": "10", "amount": "1"}, {"up_to": "20", "amount": "1"}], "tiers.1.up_to", "not_open"),
        ([{"amount": "1"}, {"up_to": "20", "amount": "1"}], "tiers.0.up_to", "overlapping"),
        ([{"up_to": "10", "amount": "-1"}, {"amount": "1"}], "tiers.0.amount", None),
        ([], "tiers", "no_tiers"),
    ],
)
def test_a_price_with_tiers_that_overlap_or_have_holes(
    screens: Screens, values: list[dict[str, str]], field: str, code: str | None
) -> None:
    """It never comes to be, so that no run meets it."""
    from counterfoil.catalog.models import Price

    before = Price.objects.count()
    product = Price.objects.get(key="seat").product_id
    body = {
        "key": "tiered", "product": str(product), "model": "graduated", "tiers": values, "currency": "EUR",
        "interval": "month",
    }  # fmt: skip
    status, refused = screens.call("POST", "prices", body, who="admin")
    assert (status, refused["problems"][0]["field"]) == (422, field)
    assert code is None or refused["problems"][0]["code"] == code
    assert Price.objects.count() == before
