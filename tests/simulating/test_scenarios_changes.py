"""Changes that meet others: what waits for the renewal, the first day, first part periods, other taxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from counterfoil.simulating.playing import Theatre
from counterfoil.simulating.reporting import Report
from counterfoil.simulating.rules.scenario import read_scenario

Play = Callable[[dict[str, Any]], dict[str, Any]]
PRICES = [
    {"key": "basic", "amount": "100.00"},
    {"key": "pro", "amount": "200.00"},
    {"key": "small", "amount": "40.00"},
    {"key": "more", "amount": "110.00"},
    {"key": "seat", "model": "per_unit", "amount": "10.00"},
    {"key": "calls", "model": "per_unit", "amount": "0.01", "billed": "in_arrears"},
    {"key": "quarter", "amount": "270.00", "count": 3},
]
WAITS = {"decrease": "at_renewal"}
LATER = {"increase": "at_renewal"}


@pytest.fixture
def play(db: None) -> Iterator[Play]:
    with Theatre() as theatre:
        yield lambda raw: theatre.play(read_scenario(raw), lambda played: Report(played).whole())


def entry(do: str, on: str, *items: str, **more: Any) -> dict[str, Any]:
    """``entry("change", day, "basic", "seat 2")``."""
    named = {"as": "s", "account": "acme"} if do == "subscribe" else {"subscription": "s"}
    parts = [dict(zip(("price", "quantity"), item.split(), strict=False)) for item in items]
    return {"on": on, "do": do, **named, **({"items": parts} if parts else {}), **more}


def played(play: Play, timeline: list[dict[str, Any]], until: str, policy: Any = None, **more: Any) -> dict[str, Any]:
    return play(
        {
            "scenario": 1,
            "entity": {"currency": "EUR"},
            "prices": PRICES,
            "accounts": [{"key": "acme"}],
            "policies": {"reminders": {"days_from_due": []}, **({"proration": policy} if policy else {})},
            "timeline": timeline,
            "until": until,
            **more,
        }
    )


def on_day(found: dict[str, Any], day: str) -> list[str]:
    """The lines of what was issued on a day: document, kind, price, share, amount."""
    return [
        f"{document['key']} {line['kind']} {line['price']} {line['share']} {line['amount']}"
        for document in found["documents"]
        if document["issued_on"] == day
        for line in document["lines"]
    ]


@pytest.mark.parametrize(
    ("policy", "changes", "renewed"),
    [
        pytest.param(WAITS, [("11", "small", "seat 2"), ("21", "small", "seat 5")], "seat 50.00, small 40.00",
                     id="what waits is named again"),
        pytest.param(WAITS, [("11", "small", "seat 2"), ("21", "basic", "seat 5")], "seat 50.00, small 40.00",
                     id="another item is changed meanwhile"),
        pytest.param(WAITS, [("11", "small", "seat 2"), ("12", "seat 1")], "seat 10.00",
                     id="what waits loses its place"),
        pytest.param(WAITS, [("11", "small", "seat 2"), ("21", "pro", "seat 2")], "seat 20.00, pro 200.00",
                     id="what was to be replaced is replaced now"),
        pytest.param(WAITS, [("11", "small", "seat 2"), ("21", "basic", "seat 2")], "basic 100.00, seat 20.00",
                     id="it stays as it is"),
        pytest.param(WAITS, [("11", "basic", "seat 1"), ("21", "basic", "seat 2")], "basic 100.00, seat 20.00",
                     id="the quantity stays as it is"),
        pytest.param(LATER, [("11", "basic", "seat 2", "more"), ("12", "basic", "seat 2", "more")],
                     "basic 100.00, seat 20.00, more 110.00", id="the same again"),
        pytest.param(LATER, [("11", "basic", "seat 2", "more 1"), ("12", "basic", "seat 2", "more 2")],
                     "basic 100.00, seat 20.00, more 220.00", id="more of what waits"),
        pytest.param(LATER, [("11", "basic", "seat 2", "more"), ("12", "basic", "seat 2")], "basic 100.00, seat 20.00",
                     id="not at all"),
    ],
)  # fmt: skip
def test_what_waits_for_the_renewal(play: Play, policy: Any, changes: list[tuple[str, ...]], renewed: str) -> None:
    """Whatever waits and whatever is changed meanwhile: each price is billed once at the renewal."""
    timeline = [entry("subscribe", "2026-01-01", "basic", "seat 2")]
    timeline += [entry("change", f"2026-01-{day}", *items) for day, *items in changes]
    found = played(play, timeline, "2026-02-01", policy)
    last = found["documents"][-1]
    assert last["issued_on"] == "2026-02-01"
    assert ", ".join(f"{line['price']} {line['amount']}" for line in last["lines"]) == renewed


@pytest.mark.parametrize(
    ("increase", "first", "renewed"),
    [
        ("now", ["INV-2 proration_credit basic 31/31 -100.00", "INV-2 proration_charge pro 31/31 200.00"],
         ["INV-3 recurring pro 28/28 200.00"]),
        ("next_invoice", [], ["INV-2 proration_credit basic 31/31 -100.00", "INV-2 proration_charge pro 31/31 200.00",
                              "INV-2 recurring pro 28/28 200.00"]),
        ("at_renewal", [], ["INV-2 recurring pro 28/28 200.00"]),
    ],
)  # fmt: skip
def test_on_the_first_day(play: Play, increase: str, first: list[str], renewed: list[str]) -> None:
    """The first period is billed already: a change on its first day is prorated, or waits, like one on any other."""
    timeline = [entry("subscribe", "2026-01-01", "basic"), entry("change", "2026-01-01", "pro")]
    found = played(play, timeline, "2026-02-01", {"increase": increase})
    assert on_day(found, "2026-01-01") == ["INV-1 recurring basic 31/31 100.00", *first]
    assert on_day(found, "2026-02-01") == renewed


def test_what_is_added_at_the_renewal_comes_with_it(play: Play) -> None:
    """An item of another interval waits for the end of the running period, not of one of its own."""
    timeline = [entry("subscribe", "2026-01-15", "basic"), entry("change", "2026-01-20", "basic", "quarter")]
    found = played(play, timeline, "2026-02-15", LATER)
    assert on_day(found, "2026-02-15") == ["INV-2 recurring basic 28/28 100.00", "INV-2 recurring quarter 89/89 270.00"]


@pytest.mark.parametrize(
    ("first_period", "expected"),
    [
        ("full", ["INV-2 proration_credit basic 7/17 -41.18", "INV-2 proration_charge more 7/17 45.29"]),
        ("free", []),
        ("prorate", ["INV-2 proration_credit basic 7/31 -22.58", "INV-2 proration_charge more 7/31 24.84"]),
    ],
)
def test_another_price_in_a_first_part_period(play: Play, first_period: str, expected: list[str]) -> None:
    """What is credited and what is charged is measured by the same whole."""
    timeline = [entry("subscribe", "2026-01-15", "basic", anchor_day=1), entry("change", "2026-01-25", "more")]
    found = played(play, timeline, "2026-01-31", {"first_period": first_period})
    assert on_day(found, "2026-01-25") == expected


def test_a_pause_that_never_began(play: Play) -> None:
    """A pause that waits for the renewal, and is over before it: as if nobody had asked for it."""
    timeline = [entry("subscribe", "2026-01-01", "basic"), entry("pause", "2026-01-11"), entry("resume", "2026-01-21")]
    found = played(play, timeline, "2026-02-01", WAITS)
    assert [document["issued_on"] for document in found["documents"]] == ["2026-01-01", "2026-02-01"]
    assert on_day(found, "2026-02-01") == ["INV-2 recurring basic 28/28 100.00"]


def test_usage_on_an_end_day_that_is_billed(play: Play) -> None:
    """The day is used and paid for."""
    usage = {"on": "2026-01-20", "do": "usage", "subscription": "s", "price": "calls", "quantity": "100"}
    timeline = [entry("subscribe", "2026-01-01", "basic", end_on="2026-01-20"), usage]
    found = played(play, timeline, "2026-02-01", {"end_day": "billed"})
    assert on_day(found, "2026-01-21") == ["INV-2 usage calls 31/31 1.00"]


def test_usage_by_the_second(play: Play) -> None:
    """The periods of usage begin at the start's time of day: a second before belongs to the period before."""
    timeline = [entry("subscribe", "2026-01-15T12:00:00Z", "basic")] + [
        {"on": on, "do": "usage", "subscription": "s", "price": "calls", "quantity": "100"}
        for on in ("2026-02-15T11:59:59Z", "2026-02-15T12:00:00Z")
    ]
    found = played(play, timeline, "2026-03-15T12:00:00Z", {"basis": "seconds"})
    for day in ("2026-02-15", "2026-03-15"):
        assert [line.split()[-1] for line in on_day(found, day) if " usage " in line] == ["1.00"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("std", "red", {"INV-2": "53.50", "CN-1": "59.50"}),
        ("red", "std", {"INV-2": "6.00"}),
        ("std", "std", {"INV-2": "0.00"}),
    ],
)
def test_other_taxes(play: Play, before: str, after: str, expected: dict[str, str]) -> None:
    """As much is charged as is credited, but for the tax: they share an invoice unless its total is below zero."""
    prices = [{"key": "old", "amount": "100.00", "tax": before}, {"key": "new", "amount": "100.00", "tax": after}]
    timeline = [entry("subscribe", "2026-04-01", "old"), entry("change", "2026-04-16", "new")]
    taxes = [{"key": "std", "rate": "19"}, {"key": "red", "rate": "7"}]
    found = played(play, timeline, "2026-04-20", prices=prices, taxes=taxes)
    assert {one["key"]: one["total"] for one in found["documents"] if one["issued_on"] == "2026-04-16"} == expected
