"""Subscriptions over the API: started, changed, previewed, billed; refused with a code at its field."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from screens_world import Screens

from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions.models import BilledPeriod, BillingRun, Pause, Subscription, UsageRecord

pytestmark = pytest.mark.django_db


def lines(documents: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return [
        (line["description"], line["kind"], f"{Decimal(line['quantity']):f}", f"{Decimal(line['net']):.2f}")
        for document in documents
        for line in document["lines"]
    ]


def written(subscription: UUID) -> list[tuple[str, str, str, str]]:
    """What the ledger says, in the words of ``lines``."""
    return [
        (row.item.description, row.kind, f"{abs(row.quantity):f}", f"{row.net:.2f}")
        for row in BilledPeriod.objects.filter(subscription=subscription).select_related("item").order_by("id")
    ]


def test_start_bills_at_once_and_says_what_comes(screens: Screens) -> None:
    """Two items are billed for April on one invoice of 142.80 with tax; the next bill is on 1 May."""
    subscription = screens.start(("hosting", "1"), ("seat", "2"))
    status, answer = screens.call("GET", f"subscriptions/{subscription}")
    assert status == 200
    assert (answer["state"], answer["start"], answer["due_on"]) == ("active", "2026-04-01", "2026-05-01")
    assert [(one["price"], one["quantity"], one["words"]) for one in answer["items"]] == [
        ("hosting", "1.000000", "€100.00 monthly, in advance"),
        ("seat", "2.000000", "€10.00 per unit monthly, in advance"),
    ]
    assert [(one.status, f"{one.total:.2f}") for one in Invoice.objects.all()] == [("issued", "142.80")]
    _, coming = screens.call("GET", f"subscriptions/{subscription}/next")
    assert (coming["on"], coming["net"]) == ("2026-05-01", "120.00")
    assert coming["because"] == "Hosting is billed in advance, and a period begins."
    assert [(one["start"], one["last_day"], one["net"], one["why"]) for one in coming["lines"]] == [
        ("2026-05-01", "2026-05-31", "100.00", "1 × 100.00"),
        ("2026-05-01", "2026-05-31", "20.00", "2 × 10.00"),
    ]


def test_preview_of_a_start_is_the_start(screens: Screens) -> None:
    """The preview shows the line and total that the start then makes, and leaves nothing behind."""
    order = {
        "account": str(screens.billing.acme), "start": "2026-03-16", "anchor_day": 1,
        "items": [{"price": "seat", "quantity": "3"}], "discounts": [{"percent": "10", "periods": 2}],
    }  # fmt: skip
    status, preview = screens.call("POST", "subscriptions/preview", order)
    assert status == 200, preview
    assert lines(preview["documents"]) == [
        ("Seat", "recurring", "3.000000", "13.93"),
        ("Seat", "recurring", "3.000000", "27.00"),
    ]
    assert (Subscription.objects.count(), Invoice.objects.count(), BilledPeriod.objects.count()) == (0, 0, 0)
    assert (preview["next"]["on"], preview["next"]["net"]) == ("2026-05-01", "30.00")
    status, started = screens.call("POST", "subscriptions", order)
    assert status == 201
    assert written(UUID(started["id"])) == lines(preview["documents"])
    invoice = Invoice.objects.get()
    assert f"{invoice.total:.2f}" == f"{Decimal(preview['documents'][0]['total']):.2f}"


@pytest.mark.parametrize("when", ["2026-04-01", "2026-04-16"])
def test_preview_of_a_change_is_the_change(screens: Screens, clock: Any, when: str) -> None:
    """More seats from a day on: the preview's line and total are those of the invoice that the change makes."""
    subscription = screens.start(("seat", "2"))
    clock.set(when)
    order = {"when": when, "items": [{"price": "seat", "quantity": "5"}]}
    before = Invoice.objects.count()
    status, preview = screens.call("POST", f"subscriptions/{subscription}/change/preview", order)
    assert status == 200, preview
    net = {"2026-04-01": "30.00", "2026-04-16": "15.00"}[when]
    assert lines(preview["documents"]) == [("Seat", "proration_charge", "3.000000", net)]
    assert (preview["next"]["on"], preview["next"]["net"]) == ("2026-05-01", "50.00")
    assert Invoice.objects.count() == before
    assert Subscription.objects.get().version == 1
    status, changed = screens.call("POST", f"subscriptions/{subscription}/change", order)
    assert (status, changed["items"][0]["quantity"]) == (200, "5.000000")
    assert written(subscription)[-1:] == lines(preview["documents"])
    invoice = Invoice.objects.order_by("-id")[0]
    assert invoice.total == Decimal(preview["documents"][0]["total"])


def test_a_change_keeps_the_price_that_was_agreed(screens: Screens) -> None:
    """The catalog's price rises; the subscription's seats stay at 10.00, a new item costs what the catalog says."""
    from counterfoil.catalog import commands as catalog
    from staff import SYSTEM

    subscription = screens.start(("seat", "2"))
    for key in ("seat", "hosting"):
        catalog.change_price(
            actor=SYSTEM, price_id=screens.prices[key], values={"amount": "33.00"}, on=date(2026, 4, 1)
        )
    order = {"when": "2026-04-01", "items": [{"price": "seat", "quantity": "4"}, {"price": "hosting"}]}
    status, _ = screens.call("POST", f"subscriptions/{subscription}/change", order)
    assert status == 200
    assert written(subscription)[1:] == [
        ("Seat", "proration_charge", "2.000000", "20.00"),
        ("Hosting", "recurring", "1.000000", "33.00"),
    ]


def test_pause_resume_and_cancel(screens: Screens, clock: Any) -> None:
    """With changes at the renewal nothing is given back: a pause rests from the next period on, and an end ends it."""
    screens.policy(decrease="at_renewal")
    subscription = screens.start(("hosting", "1"))
    clock.set("2026-04-10")
    status, preview = screens.call("POST", f"subscriptions/{subscription}/pause/preview", {"when": "2026-04-10"})
    assert (status, preview["documents"], preview["next"]["on"]) == (200, [], None)
    assert Pause.objects.count() == 0
    status, paused = screens.call(
        "POST", f"subscriptions/{subscription}/pause", {"when": "2026-04-10", "reason": "Away"}
    )
    assert (status, paused["pauses"]) == (
        200,
        [{"from": "2026-05-01", "to": None, "mode": "skip", "is_over": False, "reason": "Away"}],
    )
    clock.set("2026-05-11")
    assert screens.call("GET", f"subscriptions/{subscription}")[1]["state"] == "paused"
    status, preview = screens.call("POST", f"subscriptions/{subscription}/resume/preview", {"when": "2026-05-11"})
    status, resumed = screens.call("POST", f"subscriptions/{subscription}/resume", {"when": "2026-05-11"})
    assert (status, resumed["state"]) == (200, "active")
    assert lines(preview["documents"]) == written(subscription)[1:] == [
        ("Hosting", "proration_charge", "1.000000", "67.74"),
    ]  # fmt: skip
    order = {"when": "2026-05-20", "at_period_end": True, "reason": "Moved on"}
    status, ended = screens.call("POST", f"subscriptions/{subscription}/cancel", order)
    assert (status, ended["state"], ended["end"], ended["due_on"]) == (200, "ending", "2026-06-01", None)
    _, phases = screens.call("GET", f"subscriptions/{subscription}/phases")
    assert [(one["kind"], one["start"], one["end"]) for one in phases] == [
        ("running", "2026-04-01", "2026-05-01"),
        ("paused", "2026-05-01", "2026-05-11"),
        ("running", "2026-05-11", "2026-06-01"),
        ("ended", "2026-06-01", None),
    ]


def test_the_end_of_a_period_never_puts_an_end_off(screens: Screens, clock: Any) -> None:
    """What ends on 15 May and is cancelled at the end of its period, 1 June, still ends on 15 May."""
    subscription = screens.start(("hosting", "1"), end="2026-05-15")
    order = {"when": "2026-05-10", "at_period_end": True}
    status, ended = screens.call("POST", f"subscriptions/{subscription}/cancel", order)
    assert (status, ended["end"]) == (200, "2026-05-15")


def test_usage_counts_once(screens: Screens, clock: Any) -> None:
    """An event sent twice is taken once, and what was used is in the next bill."""
    subscription = screens.start(("calls", "0"))
    clock.set("2026-04-20")
    event = {"subscription": str(subscription), "price": "calls", "quantity": "1500", "at": "2026-04-19", "id": "a"}
    assert screens.call("POST", "usage", {"events": [event]}) == (200, {"new": 1})
    other = {**event, "id": "b", "quantity": "500"}
    assert screens.call("POST", "usage", {"events": [event, other, other]}) == (200, {"new": 1})
    assert UsageRecord.objects.count() == 2
    _, coming = screens.call("GET", f"subscriptions/{subscription}/next")
    assert (coming["on"], coming["net"], coming["lines"][0]["why"]) == ("2026-05-01", "20.00", "2,000 × 0.01")
    late = {**event, "id": "c", "at": "2026-03-01"}
    status, refused = screens.call("POST", "usage", {"events": [other, late]})
    assert (status, refused["problems"][0]["field"], refused["problems"][0]["code"]) == (
        422,
        "events.1.at",
        "before_start",
    )
    assert UsageRecord.objects.count() == 2


def test_a_run_over_the_api(screens: Screens, clock: Any) -> None:
    """A run bills May once, counts it, and asking again says that nothing is due."""
    screens.start(("hosting", "1"))
    clock.set("2026-05-01")
    status, started = screens.call("POST", "billing-runs")
    assert status == 202
    assert screens.call("POST", "billing-runs")[1] == started
    run_waiting_jobs()
    _, run = screens.call("GET", f"billing-runs/{started['run']}")
    assert (run["state"], run["expected"], run["subscriptions"], run["documents"], run["parked"]) == (
        "done",
        1,
        1,
        1,
        0,
    )
    assert run["totals"] == [{"currency": "EUR", "net": "100.00"}]
    assert screens.call("POST", "billing-runs") == (202, {"run": None})
    assert (BillingRun.objects.count(), BilledPeriod.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"items": []}, "items", "missing"),
        ({"items": [{"price": "nothing"}]}, "items.0.price", "not_offered"),
        ({"items": [{"price": "seat", "quantity": "-1"}]}, "items.0.quantity", "too_small"),
        ({"items": [{"price": "seat", "quantity": "1e12"}]}, "items.0.quantity", "out_of_range"),
        ({"items": [{"price": "seat"}, {"price": "seat"}]}, "items.1.price", "twice"),
        ({"start": "2010-01-01"}, "start", "too_long_ago"),
        ({"start": "2300-01-01"}, "start", "out_of_range"),
        ({"end": "2026-03-01"}, "end", "before_start"),
        ({"anchor_day": 32}, "anchor_day", "too_large"),
        ({"anchor_day": 1, "anchor_on": "2026-01-01"}, "anchor_on", "two_anchors"),
        ({"discounts": [{"periods": 1}]}, "discounts.0.percent", "one_of_both"),
        ({"discounts": [{"amount": "0.001"}]}, "discounts.0.amount", "too_many_decimals"),
        ({"currency": "USD"}, "items.0.price", "not_offered"),
        ({"number": "SUB-1"}, "number", "read_only"),
    ],
)
def test_a_start_is_refused_at_its_field(screens: Screens, change: dict[str, Any], field: str, code: str) -> None:
    order = {"account": str(screens.billing.acme), "start": "2026-04-01", "items": [{"price": "seat"}], **change}
    status, refused = screens.call("POST", "subscriptions", order)
    assert (status, refused["problems"][0]["field"], refused["problems"][0]["code"]) == (422, field, code)
    assert Subscription.objects.count() == 0


def test_lists_are_filtered_and_paged(screens: Screens) -> None:
    """By state, account, currency and text; two pages by cursor."""
    first, second = screens.start(("seat", "1"), name="Alpha"), screens.start(("seat", "1"), start="2026-06-01")
    _, page = screens.call("GET", "subscriptions?limit=1")
    assert [one["id"] for one in page["items"]] == [str(first)]
    _, rest = screens.call("GET", f"subscriptions?cursor={page['next_cursor']}")
    assert [(one["id"], one["state"]) for one in rest["items"]] == [(str(second), "planned")]
    for query, wanted in (
        ("state=planned", [second]), ("q=alpha", [first]), ("currency=usd", []), ("state=parked", []),
        (f"account={screens.billing.acme}&state=active", [first]), (f"owner={uuid4()}", []),
    ):  # fmt: skip
        _, found = screens.call("GET", f"subscriptions?{query}")
        assert [one["id"] for one in found["items"]] == [str(one) for one in wanted], query


def test_details_change_without_billing(screens: Screens) -> None:
    """Name and term change; items do not, and a version that is stale is refused."""
    subscription = screens.start(("seat", "1"))
    status, changed = screens.call(
        "PATCH", f"subscriptions/{subscription}",
        {"name": "Desks", "committed_to": "2026-12-31", "is_renewed": False, "version": 1},
    )  # fmt: skip
    assert (status, changed["committed_to"], changed["is_renewed"]) == (200, "2026-12-31", False)
    assert (changed["name"], changed["title"]) == ("Desks", f"{changed['number']} Desks")
    status, refused = screens.call("PATCH", f"subscriptions/{subscription}", {"name": "Chairs", "version": 1})
    assert (status, refused["code"]) == (409, "stale")
    status, refused = screens.call("PATCH", f"subscriptions/{subscription}", {"currency": "USD"})
    assert (status, refused["code"]) == (422, "fixed")
    assert Invoice.objects.count() == 1


def test_sales_sees_and_changes_nothing(screens: Screens) -> None:
    subscription = screens.start(("seat", "1"))
    assert screens.call("GET", f"subscriptions/{subscription}", who="sales")[0] == 200
    for path, body in (
        (f"subscriptions/{subscription}/pause", {"when": "2026-04-01"}),
        (f"subscriptions/{subscription}/pause/preview", {"when": "2026-04-01"}),
        ("billing-runs", None),
    ):
        assert screens.call("POST", path, body, who="sales")[0] == 403
    assert Pause.objects.count() == 0


def test_policy_of_a_company(screens: Screens) -> None:
    """It is set by an admin, holds for what starts later, and is not billing's to set."""
    old = screens.start(("seat", "1"))
    path = f"billing-policies/{screens.billing.entity}"
    assert screens.call("PUT", path, {"first_period": "free"})[0] == 403
    status, policy = screens.call("PUT", path, {"first_period": "free", "most_documents_a_day": 3}, who="admin")
    assert (status, policy["first_period"], policy["basis"], policy["most_documents_a_day"]) == (
        200, "free", "actual_days", 3,
    )  # fmt: skip
    new = screens.start(("seat", "1"), start="2026-04-01", anchor_day=15)
    assert [screens.call("GET", f"subscriptions/{one}")[1]["first_period"] for one in (old, new)] == ["prorate", "free"]
    assert written(new) == []
