"""Changes that meet others: what waits for the renewal, the first day, first part periods, other taxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from counterfoil.plumbing.invariants import verify
from counterfoil.simulating.playing import Played, Theatre
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
    assert on_day(found, "2026-01-21") == ["INV-2 usage calls None 1.00"]


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


# Several changes that wait for one document ---------------------------------------------------------------------------

NEXT = {"increase": "next_invoice", "decrease": "next_invoice"}


def shown(found: dict[str, Any], day: str) -> list[str]:
    """The lines of what was issued on a day: document, kind, price, the days of January, quantity, share, amount."""
    return [
        f"{document['key']} {line['kind']} {line['price']} {line['period'][0][-2:]}-{line['period'][1][-2:]}"
        f" {line['quantity']} {line['share']} {line['amount']}"
        for document in found["documents"]
        if document["issued_on"] == day
        for line in document["lines"]
    ]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(
            [entry("change", "2026-01-05", "seat 3"), entry("change", "2026-01-20", "seat 7"),
             entry("change", "2026-01-25", "seat 1")],
            ["INV-2 proration_charge seat 05-01 1 27/31 8.71", "INV-2 proration_charge seat 20-01 4 12/31 15.48",
             "INV-2 proration_credit seat 25-01 6 7/31 -13.55", "INV-2 recurring seat 01-01 1 28/28 10.00"],
            id="quantities",
        ),
        pytest.param(
            [entry("change", "2026-01-11", "basic"), entry("change", "2026-01-16", "seat 2")],
            ["INV-2 proration_credit seat 11-01 2 21/31 -13.55", "INV-2 proration_charge basic 11-01 1 21/31 67.74",
             "INV-2 proration_credit basic 16-01 1 16/31 -51.61", "INV-2 proration_charge seat 16-01 2 16/31 10.32",
             "INV-2 recurring seat 01-01 2 28/28 20.00"],
            id="another price and back",
        ),
        pytest.param(
            [entry("change", "2026-01-01", "basic"), entry("change", "2026-01-16", "basic 2")],
            ["INV-2 proration_credit seat 01-01 2 31/31 -20.00", "INV-2 proration_charge basic 01-01 1 31/31 100.00",
             "INV-2 proration_charge basic 16-01 1 16/31 51.61", "INV-2 recurring basic 01-01 2 28/28 200.00"],
            id="from the first day on",
        ),
        pytest.param(
            [entry("change", "2026-01-11", "seat 12"), entry("pause", "2026-01-16"), entry("resume", "2026-01-21")],
            ["INV-3 recurring seat 01-01 12 28/28 120.00"],
            id="a pause that goes on",
        ),
    ],
)  # fmt: skip
def test_each_change_that_waited_has_its_lines(play: Play, entries: list[Any], expected: list[str]) -> None:
    """They are those that it would have had at once, each with the share from its day to the end of the period."""
    found = played(play, [entry("subscribe", "2026-01-01", "seat 2"), *entries], "2026-02-01", NEXT)
    assert sorted(shown(found, "2026-02-01")) == sorted(expected)


def test_a_pause_that_waited_goes_with_its_resumption(play: Play) -> None:
    """The credit waits for the next document, and the charge of the resumption is that."""
    entries = [entry("subscribe", "2026-01-01", "seat 2"), entry("change", "2026-01-11", "seat 12")]
    entries += [entry("pause", "2026-01-16"), entry("resume", "2026-01-21")]
    assert shown(played(play, entries, "2026-01-31", NEXT), "2026-01-21") == [
        "INV-2 proration_charge seat 11-01 10 21/31 67.74",
        "INV-2 proration_credit seat 16-01 12 16/31 -61.94",
        "INV-2 proration_charge seat 21-01 12 11/31 42.58",
    ]


def test_a_credit_note_takes_back_only_what_was_issued(play: Play) -> None:
    """Where credits exceed charges, what was charged and given back since is in neither document."""
    entries = [entry("subscribe", "2026-01-01", "pro"), entry("change", "2026-01-11", "basic")]
    found = played(play, [*entries, entry("change", "2026-01-21", "seat 1")], "2026-02-01", NEXT)
    assert shown(found, "2026-02-01") == [
        "INV-2 proration_charge basic 11-21 1 10/31 32.26",
        "INV-2 proration_charge seat 21-01 1 11/31 3.55",
        "INV-2 recurring seat 01-01 1 28/28 10.00",
        "CN-1 proration_credit pro 11-01 1 21/31 135.48",
    ]
    assert found["balances"] == {"acme": {"EUR": "110.33"}}


def test_a_waiting_credit_of_several_lines_keeps_every_promise(db: None) -> None:
    """It takes back a line that is issued and two of its own document: one line to read, and the books agree."""
    entries = [entry("subscribe", "2026-01-01", "seat 2"), entry("change", "2026-01-06", "seat 5")]
    entries += [entry("change", "2026-01-11", "seat 9"), entry("change", "2026-01-21", "basic")]
    broken: list[str] = []

    def told(done: Played) -> dict[str, Any]:
        broken.extend(f"{one.invariant.key}: {one.examples}" for one in verify() if not one.holds)
        return Report(done).whole()

    with Theatre() as theatre:
        found = played(lambda raw: theatre.play(read_scenario(raw), told), entries, "2026-02-01", NEXT)
    assert broken == []
    assert shown(found, "2026-02-01") == [
        "INV-2 proration_charge seat 06-01 3 26/31 25.16",
        "INV-2 proration_charge seat 11-01 4 21/31 27.10",
        "INV-2 proration_credit seat 21-01 9 11/31 -31.94",
        "INV-2 proration_charge basic 21-01 1 11/31 35.48",
        "INV-2 recurring basic 01-01 1 28/28 100.00",
    ]
    assert found["balances"] == {"acme": {"EUR": "175.80"}}


@pytest.mark.parametrize(
    ("items", "total", "line"),
    [
        (["seat 1"], "-3.55", "CN-1 proration_credit seat 11/31 3.55"),
        (["seat 4"], "7.10", "INV-2 proration_charge seat 11/31 7.10"),
    ],
)
def test_what_waits_for_a_document_that_never_comes(play: Play, items: list[str], total: str, line: str) -> None:
    """The end is known and no period begins any more: what waits is billed, or given back, when it ends."""
    entries = [entry("subscribe", "2026-01-01", "seat 2", end_on="2026-02-01"), entry("change", "2026-01-21", *items)]
    assert on_day(played(play, entries, "2026-01-31", NEXT), "2026-01-21") == []
    found = played(play, entries, "2026-03-01", NEXT)
    assert on_day(found, "2026-02-01") == [line]
    assert found["balances"] == {"acme": {"EUR": f"{Decimal('20.00') + Decimal(total)}"}}


def test_what_joins_on_a_renewal_day_is_renewed_with_the_rest(play: Play) -> None:
    """A change on a renewal day issues nothing by itself: the day's run bills the old and the new on one document."""
    entries = [entry("subscribe", "2026-01-01", "seat 2"), entry("change", "2026-02-01", "seat 5", "basic")]
    assert on_day(played(play, entries, "2026-02-01"), "2026-02-01") == [
        "INV-2 recurring seat 28/28 50.00",
        "INV-2 recurring basic 28/28 100.00",
    ]


@pytest.mark.parametrize(
    ("items", "amount"), [(["seat 5"], "50.00"), (["basic"], "100.00"), (["seat 1"], "10.00"), (["small"], "40.00")]
)
def test_without_proration_a_change_waits_for_its_period(play: Play, items: list[str], amount: str) -> None:
    """What is used at all is paid in full, once: another price costs nothing more until the next period."""
    entries = [entry("subscribe", "2026-01-15", "seat 2", anchor_day=1), entry("change", "2026-01-20", *items)]
    found = played(play, entries, "2026-02-01", {"basis": "none"})
    assert [(one["issued_on"], one["total"]) for one in found["documents"]] == [
        ("2026-01-15", "20.00"),
        ("2026-02-01", amount),
    ]


@pytest.mark.parametrize("rounding", ["half_up", "half_even", "down"])
def test_usage_has_no_share_and_is_rounded_half_up(play: Play, rounding: str) -> None:
    """Nothing of it is prorated, also not in a part of a period; the policy rounds lines that have a share."""
    usage = {"on": "2026-01-20", "do": "usage", "subscription": "s", "price": "calls", "quantity": "100.5"}
    entries = [entry("subscribe", "2026-01-15", "basic", anchor_day=1), usage]
    found = played(play, entries, "2026-02-01", {"rounding": rounding})
    assert on_day(found, "2026-02-01")[-1] == "INV-2 usage calls None 1.01"


def test_the_first_year_of_the_calendar(play: Play) -> None:
    found = played(play, [entry("subscribe", "0001-01-01", "basic")], "0001-02-01")
    assert on_day(found, "0001-02-01") == ["INV-2 recurring basic 28/28 100.00"]


# After an early payment -----------------------------------------------------------------------------------------------

EARLY = {
    "taxes": [{"key": "std", "rate": "19"}],
    "terms": [{"key": "early", "due": {"days": 30}, "early_discount": {"percent": "2", "days": 10}}],
    "accounts": [{"key": "acme", "terms": "early"}],
}


def test_a_full_credit_after_an_early_payment_gives_back_what_was_paid(play: Play) -> None:
    """100.00 and 19.00 were settled by 116.62: a part is credited as named, all of the rest as it was paid."""
    lines = [{"text": "Work", "unit_price": "100.00", "tax": "std"}]
    entries = [
        {"on": "2026-01-05", "do": "invoice", "as": "i", "account": "acme", "lines": lines},
        {"on": "2026-01-15", "do": "pay", "account": "acme", "amount": "116.62", "for": ["i"]},
        {"on": "2026-01-20", "do": "credit", "invoice": "i", "lines": [{"line": 1, "amount": "40.00"}]},
        {"on": "2026-01-21", "do": "credit", "invoice": "i", "lines": [{"line": 1, "amount": "60.00"}]},
    ]
    found = played(play, entries, "2026-01-31", **EARLY)
    notes = [(one["net"], one["tax"], one["total"]) for one in found["documents"] if one["kind"] == "credit_note"]
    assert notes == [("40.00", "7.60", "47.60"), ("58.00", "11.02", "69.02")]
    assert found["balances"] == {"acme": {"EUR": "-116.62"}}
    assert {role: amount for role, amount in found["ledger"].items() if amount != "0.00"} == {
        "bank": "116.62",
        "customer_credit": "-116.62",
    }


@pytest.mark.parametrize(
    ("day", "share", "net", "total"),
    [("2026-01-01", "31/31", "98.00", "116.62"), ("2026-01-17", "15/31", "47.42", "56.43")],
)
def test_a_period_paid_early_gives_back_its_share_of_what_was_paid(
    play: Play, day: str, share: str, net: str, total: str
) -> None:
    """A subscription of 100.00 and 19.00, settled by 116.62, ends: whole, or 15/31 × 98.00 with its tax."""
    prices = [{"key": "basic", "amount": "100.00", "tax": "std"}]
    start = entry("subscribe", "2026-01-01", "basic")
    paid = {"on": "2026-01-01", "do": "pay", "account": "acme", "amount": "116.62"}
    found = played(play, [start, paid, entry("cancel", day, when="now")], "2026-01-31", prices=prices, **EARLY)
    note = found["documents"][-1]
    assert (note["lines"][0]["share"], note["net"], note["total"]) == (share, net, total)
    assert found["balances"] == {"acme": {"EUR": f"-{total}"}}
