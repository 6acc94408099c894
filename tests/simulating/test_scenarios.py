"""Scenarios that are played: what is billed, to the cent, by the commands that production uses."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from counterfoil.app.cli.simulate import _theatre
from counterfoil.core.errors import Refusal
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.simulating import playing, stage
from counterfoil.simulating.playing import Theatre
from counterfoil.simulating.readable import readable
from counterfoil.simulating.reporting import Report
from counterfoil.simulating.rules.scenario import parsed, read_scenario
from counterfoil.subscriptions.models import Subscription

DOCS = Path(__file__).parents[2] / "docs"
Play = Callable[[dict[str, Any]], dict[str, Any]]

PRICES = [
    {"key": "basic", "amount": "100.00"},
    {"key": "pro", "amount": "200.00"},
    {"key": "seat", "model": "per_unit", "amount": "10.00"},
    {"key": "yearly", "amount": "1200.00", "interval": "year"},
    {"key": "after", "amount": "60.00", "billed": "in_arrears"},
    {"key": "weekly", "amount": "70.00", "interval": "week"},
]


def subscribe(on: str, *items: tuple[str, str], name: str = "s1", **more: Any) -> dict[str, Any]:
    parts = [{"price": price, "quantity": quantity} for price, quantity in items]
    return {"on": on, "do": "subscribe", "as": name, "account": "acme", "items": parts, **more}


def change(on: str, *items: tuple[str, str]) -> dict[str, Any]:
    parts = [{"price": price, "quantity": quantity} for price, quantity in items]
    return {"on": on, "do": "change", "subscription": "s1", "items": parts}


def act(on: str, do: str, **more: Any) -> dict[str, Any]:
    return {"on": on, "do": do, "subscription": "s1", **more}


def invoice(on: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"on": on, "do": "invoice", "as": "i1", "account": "acme", "lines": list(parts), **more}


def credit(on: str, *parts: tuple[int, str]) -> dict[str, Any]:
    return {"on": on, "do": "credit", "invoice": "i1", "lines": [{"line": at, "amount": off} for at, off in parts]}


def usage(on: str) -> dict[str, Any]:
    return act(on, "usage", price="seat", quantity="1")


def declined(on: str, *outcomes: str) -> dict[str, Any]:
    return {"on": on, "do": "charge_outcomes", "account": "acme", "outcomes": list(outcomes or ["declined"])}


def scenario(*timeline: dict[str, Any], until: str, proration: Any = None, **more: Any) -> dict[str, Any]:
    found = {
        "scenario": 1,
        "entity": {"currency": "EUR"},
        "prices": PRICES,
        "accounts": [{"key": "acme"}],
        "policies": {"reminders": {"days_from_due": []}, **({"proration": proration} if proration else {})},
        "timeline": list(timeline),
        "until": until,
    }
    return {**found, **more}


@pytest.fixture
def play(db: None) -> Iterator[Play]:
    with Theatre() as theatre:
        yield lambda raw: theatre.play(read_scenario(raw), lambda played: Report(played).whole())


def lines(found: dict[str, Any]) -> list[str]:
    """Every line: its document's key and day, what it is, its period, share and amount."""
    return [
        f"{document['key']} {document['issued_on']} {line['kind']} {line['price'] or line['text']} "
        f"{'/'.join(line['period'] or ['-'])} {line['share']} {line['amount']}"
        for document in found["documents"]
        for line in document["lines"]
    ]


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "examples" / f"{name}.json").read_text())
    return found


# The examples of the docs ---------------------------------------------------------------------------------------------


def test_the_table_of_the_page(play: Play) -> None:
    """The page's table is what its example comes to."""
    rows = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| (.+?) \| (-?[\d.]+) \|$", (DOCS / "simulate.md").read_text(), re.M)
    found = play(example("upgrade"))
    assert rows == [
        (document["issued_on"], f"{line['kind']} {line['price']} {line['share']}", line["amount"])
        for document in found["documents"]
        for line in document["lines"]
    ]
    assert len(rows) == 4
    assert found["balances"] == {"acme": {"EUR": "351.62"}}
    assert found["ledger"] == {"receivable": "351.62", "revenue": "-351.62"}


def test_seats_that_come_and_go(play: Play) -> None:
    """A stub, an increase, a decrease that becomes a credit note, a cancellation: lines, taxes and what is owed."""
    found = play(example("seats"))
    assert lines(found) == [
        "INV-1 2026-01-15 recurring seat 2026-01-15/2026-02-01 17/31 27.42",
        "INV-2 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 50.00",
        "INV-3 2026-02-11 proration_charge seat 2026-02-11/2026-03-01 18/28 19.29",
        "CN-1 2026-02-15 proration_credit seat 2026-02-15/2026-03-01 14/28 30.00",
        "INV-4 2026-03-01 recurring seat 2026-03-01/2026-04-01 31/31 20.00",
        "CN-2 2026-03-10 proration_credit seat 2026-03-10/2026-04-01 22/31 14.19",
    ]
    assert [(one["tax"], one["total"], one["credited"], one["open"]) for one in found["documents"]] == [
        ("5.21", "32.63", "0.00", "32.63"),
        ("9.50", "59.50", "29.75", "29.75"),
        ("3.67", "22.96", "5.95", "17.01"),
        ("5.70", "35.70", "0.00", "0.00"),
        ("3.80", "23.80", "16.89", "6.91"),
        ("2.70", "16.89", "0.00", "0.00"),
    ]
    assert found["balances"] == {"acme": {"EUR": "86.30"}}
    assert found["ledger"] == {"receivable": "86.30", "revenue": "-72.52", "tax_payable": "-13.78"}
    assert found["events"][:2] == [["2026-01-15", "SubscriptionStarted"], ["2026-01-15", "InvoiceIssued"]]


def test_usage_in_tiers(play: Play) -> None:
    """What is used is billed after its period, each unit at its tier's price."""
    found = play(example("usage"))
    assert [line for line in lines(found) if "usage" in line] == [
        "INV-2 2026-02-01 usage calls 2026-01-15/2026-02-01 None 12.50",
        "INV-3 2026-03-01 usage calls 2026-02-01/2026-03-01 None 0.10",
    ]


def test_a_pause_over_a_renewal(play: Play) -> None:
    """A pause credits the rest, skips the renewal, and going on charges to the end of the period that contains it."""
    assert lines(play(example("pause"))) == [
        "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
        "CN-1 2026-01-11 proration_credit basic 2026-01-11/2026-02-01 21/31 67.74",
        "INV-2 2026-02-11 proration_charge basic 2026-02-11/2026-03-01 18/28 64.29",
        "INV-3 2026-03-01 recurring basic 2026-03-01/2026-04-01 31/31 100.00",
    ]


def test_terms_and_money(play: Play) -> None:
    """Instalments fill in their order, an early payment is spared its discount, a credit lowers what is open."""
    first, second, note = play(example("terms"))["documents"]
    assert first["instalments"] == [
        {"due_on": "2026-01-15", "amount": "257.04"},
        {"due_on": "2026-02-14", "amount": "599.76"},
    ]
    assert (first["paid"], first["credited"], first["open"]) == ("300.00", "119.00", "437.80")
    assert second["early_discount"] == {"until": "2026-01-16", "amount": "2.38", "pay": "116.62"}
    assert (second["paid"], second["open"]) == ("116.62", "0.00")
    assert (note["kind"], note["net"], note["tax"], note["total"]) == ("credit_note", "100.00", "19.00", "119.00")


def test_a_charge_that_fails_reaches_a_person(play: Play) -> None:
    """Three failures, each with its next day; after the last a task; a later reminder; the next invoice is paid."""
    found = play(example("collecting"))
    assert [(one["on"], one["document"], one["outcome"], one["next_on"]) for one in found["charges"]] == [
        ("2026-01-10", "INV-1", "declined", "2026-01-13"),
        ("2026-01-13", "INV-1", "declined", "2026-01-18"),
        ("2026-01-18", "INV-1", "declined", None),
        ("2026-02-10", "INV-2", "paid", None),
    ]
    assert [(one["on"], one["step"]) for one in found["receivables"]] == [
        ("2026-01-18", "task"),
        ("2026-01-20", "reminder"),
    ]
    assert found["aging"] == {
        "acme": {"not_due": "0.00", "1-30": "0.00", "31-60": "100.00", "61-90": "0.00", "91+": "0.00"}
    }


# Conventions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proration", "timeline", "until", "expected"),
    [
        pytest.param(
            {"increase": "next_invoice"},
            [subscribe("2026-01-01", ("seat", "5")), change("2026-01-11", ("seat", "8"))],
            "2026-02-01",
            [
                "INV-1 2026-01-01 recurring seat 2026-01-01/2026-02-01 31/31 50.00",
                "INV-2 2026-02-01 proration_charge seat 2026-01-11/2026-02-01 21/31 20.32",
                "INV-2 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 80.00",
            ],
            id="an increase on the next invoice",
        ),
        pytest.param(
            {"decrease": "next_invoice"},
            [subscribe("2026-01-01", ("seat", "5")), change("2026-01-16", ("seat", "2"))],
            "2026-02-01",
            [
                "INV-1 2026-01-01 recurring seat 2026-01-01/2026-02-01 31/31 50.00",
                "INV-2 2026-02-01 proration_credit seat 2026-01-16/2026-02-01 16/31 -15.48",
                "INV-2 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 20.00",
            ],
            id="a decrease on the next invoice",
        ),
        pytest.param(
            {"decrease": "at_renewal"},
            [
                subscribe("2026-01-01", ("seat", "5")),
                change("2026-01-16", ("seat", "2")),
                change("2026-01-18", ("seat", "9")),
            ],
            "2026-02-01",
            [
                "INV-1 2026-01-01 recurring seat 2026-01-01/2026-02-01 31/31 50.00",
                "INV-2 2026-01-18 proration_charge seat 2026-01-18/2026-02-01 14/31 18.06",
                "INV-3 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 20.00",
            ],
            id="a change does not drop the one that is scheduled",
        ),
        pytest.param(
            None,
            [subscribe("2026-01-01", ("basic", "1")), change("2026-01-16", ("yearly", "1"))],
            "2026-12-31",
            [
                "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
                "INV-2 2026-01-16 proration_credit basic 2026-01-16/2026-02-01 16/31 -51.61",
                "INV-2 2026-01-16 proration_charge yearly 2026-01-16/2027-01-01 350/365 1150.68",
            ],
            id="another interval keeps the anchor",
        ),
        pytest.param(
            {"interval_change": "restart"},
            [subscribe("2026-01-01", ("basic", "1")), change("2026-01-16", ("yearly", "1"))],
            "2026-12-31",
            [
                "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
                "INV-2 2026-01-16 proration_credit basic 2026-01-16/2026-02-01 16/31 -51.61",
                "INV-2 2026-01-16 recurring yearly 2026-01-16/2027-01-16 365/365 1200.00",
            ],
            id="another interval restarts",
        ),
        pytest.param(
            {"basis": "seconds"},
            [subscribe("2026-01-10T12:00:00Z", ("basic", "1")), change("2026-01-20T00:00:00Z", ("pro", "1"))],
            "2026-02-01",
            [
                "INV-1 2026-01-10 recurring basic 2026-01-10T12:00:00Z/2026-02-10T12:00:00Z 2678400/2678400 100.00",
                "INV-2 2026-01-20 proration_credit basic 2026-01-20T00:00:00Z/2026-02-10T12:00:00Z"
                " 1857600/2678400 -69.35",
                "INV-2 2026-01-20 proration_charge pro 2026-01-20T00:00:00Z/2026-02-10T12:00:00Z"
                " 1857600/2678400 138.71",
            ],
            id="seconds",
        ),
        pytest.param(
            {"basis": "fixed_30"},
            [subscribe("2026-01-15", ("basic", "1"), anchor_day=1), act("2026-02-16", "cancel", when="now")],
            "2026-03-01",
            [
                "INV-1 2026-01-15 recurring basic 2026-01-15/2026-02-01 16/30 53.33",
                "INV-2 2026-02-01 recurring basic 2026-02-01/2026-03-01 30/30 100.00",
                "CN-1 2026-02-16 proration_credit basic 2026-02-16/2026-03-01 15/30 50.00",
            ],
            id="months of thirty days",
        ),
        pytest.param(
            {"end_day": "billed"},
            [subscribe("2026-01-01", ("basic", "1")), act("2026-01-10", "cancel")],
            "2026-03-01",
            [
                "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
                "CN-1 2026-01-10 proration_credit basic 2026-01-11/2026-02-01 21/31 67.74",
            ],
            id="the last day is billed",
        ),
        pytest.param(
            None,
            [subscribe("2026-01-01", ("after", "1")), change("2026-01-16", ("basic", "1"))],
            "2026-02-01",
            [
                "INV-1 2026-01-16 proration_charge basic 2026-01-16/2026-02-01 16/31 51.61",
                "INV-2 2026-02-01 recurring after 2026-01-01/2026-01-16 15/31 29.03",
                "INV-2 2026-02-01 recurring basic 2026-02-01/2026-03-01 28/28 100.00",
            ],
            id="from arrears to advance",
        ),
        pytest.param(
            None,
            [subscribe("2026-01-01", ("weekly", "1"), anchor_on="2026-01-05")],
            "2026-01-05",
            [
                "INV-1 2026-01-01 recurring weekly 2026-01-01/2026-01-05 4/7 40.00",
                "INV-2 2026-01-05 recurring weekly 2026-01-05/2026-01-12 7/7 70.00",
            ],
            id="weeks counted from a date",
        ),
        pytest.param(
            None,
            [subscribe("2026-01-01", ("basic", "1")), act("2026-01-01", "cancel")],
            "2026-03-01",
            [
                "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
                "CN-1 2026-01-01 proration_credit basic 2026-01-01/2026-02-01 31/31 100.00",
            ],
            id="cancelled on the first day",
        ),
        pytest.param(
            None,
            [subscribe("2026-01-01", ("basic", "1")), act("2026-01-11", "cancel", when="period_end")],
            "2026-04-01",
            ["INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00"],
            id="cancelled at the end of the period",
        ),
        pytest.param(
            None,
            [
                subscribe(
                    "2026-01-01", ("basic", "1"), ("seat", "3"),
                    discounts=[{"percent": "10"}, {"amount": "5.00", "periods": 1}],
                )
            ],
            "2026-02-01",
            [
                "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 86.15",
                "INV-1 2026-01-01 recurring seat 2026-01-01/2026-02-01 31/31 25.85",
                "INV-2 2026-02-01 recurring basic 2026-02-01/2026-03-01 28/28 90.00",
                "INV-2 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 27.00",
            ],
            id="discounts",
        ),
        pytest.param(
            None,
            [subscribe("2026-01-01", ("basic", "1")), subscribe("2026-01-01", ("seat", "3"), name="s2")],
            "2026-02-01",
            [
                "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
                "INV-2 2026-01-01 recurring seat 2026-01-01/2026-02-01 31/31 30.00",
                "INV-3 2026-02-01 recurring basic 2026-02-01/2026-03-01 28/28 100.00",
                "INV-3 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 30.00",
            ],
            id="renewals of one payer share a document",
        ),
    ],
)  # fmt: skip
def test_conventions(
    play: Play, proration: Any, timeline: list[dict[str, Any]], until: str, expected: list[str]
) -> None:
    """Each convention with the lines that it gives."""
    assert lines(play(scenario(*timeline, until=until, proration=proration))) == expected


def test_nothing_is_kept_and_the_same_comes_out_again(play: Play) -> None:
    """A scenario leaves no row behind, and played again it gives the same."""
    first = play(example("seats"))
    assert Invoice.objects.count() == 0
    assert Subscription.objects.count() == 0
    assert not OutboxEvent.objects.filter(name__startswith="invoicing.").exists()
    assert play(example("seats")) == first


def test_an_until_before_the_first_entry(play: Play) -> None:
    """Entries after the end are checked but do not happen."""
    found = play(scenario(subscribe("2026-01-01", ("basic", "1")), until="2025-12-31"))
    assert (found["documents"], found["balances"]) == ([], {"acme": {"EUR": "0.00"}})


def test_a_report_to_read(play: Play) -> None:
    """The report names each document, its lines with their reason, and what is owed."""
    said = readable(play(example("upgrade")))
    assert "2026-01-16  INV-2  invoice for acme, due 2026-01-16" in said
    assert "16 of 31 days × 1 × 200.00" in said
    assert (
        said.endswith("acme owes 351.62 EUR (not_due 200.00, 1-30 51.62, 31-60 100.00)")
        or "acme owes 351.62 EUR" in said
    )


# What is refused ------------------------------------------------------------------------------------------------------


def _bad(path: str, value: Any) -> dict[str, Any]:
    """An example with one value put in, or taken out."""
    raw = copy.deepcopy(example("seats"))
    *way, last = re.findall(r"[^.\[\]]+", path)
    at: Any = raw
    for part in way:
        at = at[int(part)] if part.isdigit() else at[part]
    if value is KeyError:
        del at[last]
    else:
        at[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("timeline[3].on", "2026-02-30", "timeline[3].on: not a date"),
        ("timeline[3].on", "2026-02-03T10:00", "timeline[3].on: not a date"),
        ("timeline[3].onn", "2026-02-03", "timeline[3].onn: unknown"),
        ("timeline[3].on", KeyError, "timeline[3].on: missing"),
        ("timeline[3].do", "explode", "timeline[3].do: not one of"),
        ("timeline[0].items[0].quantity", "-1", "timeline[0].items[0].quantity: below zero"),
        ("timeline[0].items[0].quantity", 5, "timeline[0].items[0].quantity: not a decimal string"),
        ("timeline[0].items[0].price", "nothing", "timeline[0].items[0].price: there is no nothing"),
        ("timeline[0].anchor_day", 32, "timeline[0].anchor_day: above 31"),
        ("entity.currency", "EUX", "entity.currency: not a currency in use"),
        ("prices[0].amount", "-5", "prices[0].amount"),
        ("prices[0].tax", "none", "prices[0].tax: there is no none"),
        ("prices[0].tax", ["std", "std"], "prices[0].tax[1]: std is there already"),
        ("prices[0].tax", ["std", "none"], "prices[0].tax[1]: there is no none"),
        ("taxes[0].rat", "5", "taxes[0].rat: unknown"),
        ("until", "soon", "until: not a date"),
        ("scenario", 2, "scenario: not one of 1"),
        ("scenario", True, "scenario: not a whole number"),
        ("scenario", 1.0, "scenario: not a whole number"),
        ("taxes[0].rate", "100.01", "taxes[0].rate: above 100"),
        ("taxes[0].rate", "19.12345", "taxes[0].rate: more than 4 decimals"),
        ("prices[0].tax", 5, "prices[0].tax: not a name of 1 to 80 characters"),
        ("prices[0].tax", ["std", 5], "prices[0].tax[1]: not a name of 1 to 80 characters"),
        ("prices[0].amount", "\u0661.00", "prices[0].amount: not a decimal string"),
        ("prices[0].key", "\ud800", "prices[0].key: not a name of 1 to 80 characters"),
        ("name", "half \udc80", "name: not a text of at most 1,000 characters"),
        ("timeline[0].items[0].quantity", "1.0000001", "timeline[0].items[0].quantity: more than 6 decimals"),
        (
            "timeline[0].items[0].quantity", "1000000000000",
            "timeline[0].items[0].quantity: more than 12 digits before the point",
        ),
        (
            "timeline[0].discounts", [{"amount": "5", "periods": 32768}],
            "timeline[0].discounts[0].periods: above 32767",
        ),
        ("timeline[0].discounts", [{"percent": "100.1"}], "timeline[0].discounts[0].percent: above 100"),
        (
            "timeline[0].discounts", [{"percent": "12.345678"}],
            "timeline[0].discounts[0].percent: more than 4 decimals",
        ),
        ("timeline[0].discounts", [{"amount": "5.001"}], "timeline[0].discounts[0].amount: more than 2 decimals"),
        ("timeline[0].on", "9999-12-31T23:59:59-12:00", "timeline[0].on: not a date"),
        ("timeline[0].on", "0001-01-01T00:00:00+12:00", "timeline[0].on: not a date"),
        ("timeline[0].on", "\u0662\u0660\u0662\u0666-01-01", "timeline[0].on: not a date"),
        ("until", "9999-12-31T23:59:59-12:00", "until: not a date"),
        ("until", "9999-12-31T23:59:59Z", "until: not a date"),
        ("policies", {"retry": {"days_after_failure": [3, 0]}}, "policies.retry.days_after_failure[1]: below 1"),
        ("policies", {"retry": {"days_after_failure": [-3]}}, "policies.retry.days_after_failure[0]: below 1"),
        ("policies", {"retry": {"days_after_failure": [10**12]}}, "policies.retry.days_after_failure[0]: above 36500"),
        ("policies", {"reminders": {"days_from_due": [10**12]}}, "policies.reminders.days_from_due[0]: above 36500"),
        ("policies", {"reminders": {"days_from_due": [-4000000]}}, "policies.reminders.days_from_due[0]: below -36500"),
        ("policies", {"aging": {"buckets": [30, 30]}}, "policies.aging.buckets[1]: not above 30"),
        (
            "terms", [{"key": "early", "early_discount": {"percent": "\u0662", "days": 10}}],
            "terms[0].early_discount.percent: not a decimal string",
        ),
    ],
)  # fmt: skip
def test_bad_files_name_the_path(path: str, value: Any, said: str) -> None:
    """What cannot be read is refused with its JSON path."""
    with pytest.raises(Refusal, match=re.escape(said)):
        read_scenario(_bad(path, value))


TEN = {"unit_price": "10.00"}


def pay(on: str, *invoices: str, amount: str = "5.00", **more: Any) -> dict[str, Any]:
    return {"on": on, "do": "pay", "account": "acme", "amount": amount, "for": list(invoices), **more}


@pytest.mark.parametrize("until", ["2025-12-31", "2026-12-31"])
@pytest.mark.parametrize(
    ("timeline", "said"),
    [
        ([pay("2026-01-01", "i1"), invoice("2026-01-01", TEN)], "timeline[0].for[0]: i1 does not exist yet"),
        ([invoice("2026-01-02", TEN), pay("2026-01-01", "i1")], "timeline[1].for[0]: i1 does not exist yet"),
        (
            [invoice("2026-01-02", TEN), pay("2026-01-01T23:30:00Z", "i1", "i1")],
            "timeline[1].for[1]: i1 is there already",
        ),
        ([credit("2026-01-01", (1, "1.00")), invoice("2026-01-02", TEN)], "timeline[0].invoice: i1 does not exist yet"),
        ([invoice("2026-01-01", TEN), credit("2026-01-02", (1, "1.00"), (2, "1.00"))],
         "timeline[1].lines[1].line: i1 has no line 2"),
        ([invoice("2026-01-01", TEN), credit("2026-01-02", (1, "0.00"))],
         "timeline[1].lines[0].amount: say how much is to be taken back"),
        ([invoice("2026-01-01", TEN), credit("2026-01-02", (1, "-1.00"))],
         "timeline[1].lines[0].amount: the line is above zero, and so is what is taken back of it"),
        ([act("2026-01-01", "pause"), subscribe("2026-01-02", ("basic", "1"))],
         "timeline[0].subscription: s1 does not exist yet"),
        ([pay("2026-01-01", amount="0.00")], "timeline[0].amount: not above zero"),
        ([pay("2026-01-01", amount="-5.00")], "timeline[0].amount: below zero"),
    ],
)  # fmt: skip
def test_entries_that_cannot_happen_are_refused_also_after_the_end(
    timeline: list[dict[str, Any]], said: str, until: str
) -> None:
    """Entries after ``until`` are checked: what they name is there by their turn, whether that comes or not."""
    with pytest.raises(Refusal) as refused:
        read_scenario(scenario(*timeline, until=until))
    (problem,) = refused.value.problems
    assert f"{problem.field}: {problem.message}" == said


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({**invoice("2026-01-01", TEN), "name": "i2"}, "timeline[0].name"),
        ({**pay("2026-01-01"), "invoices": []}, "timeline[0].invoices"),
    ],
)
def test_a_key_that_the_file_does_not_have_is_refused(entry: dict[str, Any], path: str) -> None:
    """A key is known by what the file calls it alone: ``as`` and ``for``."""
    other = {"name": "as", "invoices": "for"}[path.split(".")[1]]
    with pytest.raises(Refusal) as refused:
        read_scenario(scenario({key: value for key, value in entry.items() if key != other}, until="2026-01-31"))
    assert (path, "unknown") in [(one.field, one.message) for one in refused.value.problems]


def test_more_than_is_left_of_a_line(play: Play) -> None:
    """A credit beyond its line is refused with its entry's path, and the next scenario goes on."""
    bad = example("terms")
    bad["timeline"][-1]["lines"][0]["amount"] = "720.01"
    with pytest.raises(Refusal) as refused:
        play(bad)
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("timeline[4].lines[0].amount", "more_than_left")
    assert problem.message.startswith("Of this line")
    assert play(example("upgrade"))["balances"] == {"acme": {"EUR": "351.62"}}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("unit_price", "0.0000001", "more than 6 decimals"),
        ("unit_price", "10000000000000", "more than 13 digits before the point"),
        ("quantity", "0.1234567", "more than 6 decimals"),
        ("quantity", "0", "not above zero"),
        ("discount_percent", "100.5", "above 100"),
        ("discount_percent", "12.34567", "more than 4 decimals"),
        ("text", "x" * 301, "not a text of at most 300 characters"),
        ("text", "half \ud83d", "not a text of at most 300 characters"),
    ],
)
def test_bad_lines_name_the_path(name: str, value: str, said: str) -> None:
    """What a line of an invoice cannot hold is refused when it is read; nothing is cut in silence."""
    line = {"text": "Workshop", "unit_price": "10.00", name: value}
    with pytest.raises(Refusal) as refused:
        read_scenario(scenario(invoice("2026-01-01", line), until="2026-01-31"))
    (problem,) = refused.value.problems
    assert (problem.field, problem.message) == (f"timeline[0].lines[0].{name}", said)


@pytest.mark.parametrize(
    ("once", "twice", "path"),
    [
        ('"until": ', '"until": "2026-01-01", "until": ', "until"),
        ('"price": "basic"', '"price": "pro", "price": "basic"', "timeline[0].items[0].price"),
    ],
)
def test_a_key_said_twice_is_refused(once: str, twice: str, path: str) -> None:
    """JSON readers take the last value; which one was meant nobody knows."""
    text = json.dumps(scenario(subscribe("2026-01-01", ("basic", "1")), until="2026-01-31"))
    assert read_scenario(parsed(text)).until == date(2026, 1, 31)
    with pytest.raises(Refusal) as refused:
        read_scenario(parsed(text.replace(once, twice)))
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == (path, "twice")


@pytest.mark.parametrize(
    ("timeline", "path", "code"),
    [
        pytest.param(
            [subscribe("2026-01-01", ("basic", "1")), act("2026-01-05", "cancel"), usage("2026-01-06")],
            "timeline[2].on", "after_end", id="a use after the end",
        ),
        pytest.param(
            [subscribe("2026-01-01", ("basic", "1"), end_on="2025-12-31")], "timeline[0].end_on", None,
            id="an end before the start",
        ),
        pytest.param(
            [subscribe("9000-01-01", ("long", "1"))], "timeline[0]", "beyond_calendar", id="a period without an end",
        ),
        pytest.param(
            [invoice("2026-01-01", {"unit_price": "9999999999999", "quantity": "999999999999"})],
            "timeline[0].lines[0].unit_price", None, id="a figure that no column holds",
        ),
    ],
)  # fmt: skip
def test_refusals_while_playing_name_the_field(
    play: Play, timeline: list[dict[str, Any]], path: str, code: str | None
) -> None:
    """What the product refuses, and what neither calendar nor columns hold, has the path of what the file says."""
    prices = [*PRICES, {"key": "long", "amount": "1.00", "interval": "year", "count": 1000}]
    with pytest.raises(Refusal) as refused:
        play(scenario(*timeline, until="9001-01-01", prices=prices))
    problem = refused.value.problems[0]
    assert problem.field == path
    assert code in (None, problem.code)


# What happens until the end -------------------------------------------------------------------------------------------


def test_usage_after_the_end_meters_nothing(play: Play) -> None:
    """Entries after ``until`` do not happen: seats that are used later are billed in advance before."""
    entries = [subscribe("2026-01-01", ("seat", "5")), usage("2026-03-01")]
    assert lines(play(scenario(*entries, until="2026-02-02"))) == [
        "INV-1 2026-01-01 recurring seat 2026-01-01/2026-02-01 31/31 50.00",
        "INV-2 2026-02-01 recurring seat 2026-02-01/2026-03-01 28/28 50.00",
    ]


def test_usage_of_another_subscription_meters_nothing(play: Play) -> None:
    """The same price is metered for one subscription and billed in advance for the other."""
    entries = [
        subscribe("2026-01-01", ("seat", "5")),
        subscribe("2026-01-01", ("basic", "1"), name="s2"),
        {**usage("2026-01-10"), "subscription": "s2", "quantity": "3"},
    ]
    found = play(scenario(*entries, until="2026-02-01"))
    seats = [line for document in found["documents"] for line in document["lines"] if line["price"] == "seat"]
    assert sorted((line["subscription"], line["kind"], line["amount"]) for line in seats) == [
        ("s1", "recurring", "50.00"),
        ("s1", "recurring", "50.00"),
        ("s2", "usage", "30.00"),
    ]


@pytest.mark.parametrize("timing", ["at_renewal", "next_invoice"])
def test_a_price_that_begins_on_a_renewal_is_billed_with_it(play: Play, timing: str) -> None:
    """A quarter takes over from a month, entered on the day of the renewal: it does not wait for its own next one."""
    raw = {
        "scenario": 1,
        "entity": {"currency": "EUR"},
        "policies": {"proration": {"increase": timing, "decrease": timing}},
        "prices": [
            {"key": "month", "model": "flat", "amount": "200.00"},
            {"key": "quarter", "model": "flat", "amount": "90.00", "count": 3},
        ],
        "accounts": [{"key": "acme"}],
        "timeline": [
            subscribe("2026-01-15", ("month", "1")),
            {
                "on": "2026-02-15",
                "do": "change",
                "subscription": "s1",
                "items": [{"price": "quarter", "quantity": "1"}],
            },
        ],
        "until": "2026-05-14",
    }
    assert lines(play(raw)) == [
        "INV-1 2026-01-15 recurring month 2026-01-15/2026-02-15 31/31 200.00",
        "INV-2 2026-02-15 recurring quarter 2026-02-15/2026-05-15 89/89 90.00",
    ]


def test_a_change_to_nothing_credits_what_is_left(play: Play) -> None:
    """17 of January's 31 days; the subscription stays and bills nothing. 0 of it says the same."""
    start = subscribe("2026-01-01", ("basic", "1"))
    change = {"on": "2026-01-15", "do": "change", "subscription": "s1"}
    found = [
        lines(play(scenario(start, {**change, "items": items}, until="2026-03-02")))
        for items in ([], [{"price": "basic", "quantity": "0"}])
    ]
    assert found[0] == found[1]
    assert found[0] == [
        "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
        "CN-1 2026-01-15 proration_credit basic 2026-01-15/2026-02-01 17/31 54.84",
    ]


def test_of_what_is_billed_by_usage_only_the_use_counts(play: Play) -> None:
    """The quantity of its item says nothing."""
    for quantity in ("1", "0.5", "5"):
        entries = [subscribe("2026-01-01", ("basic", "1"), ("seat", quantity)), usage("2026-01-10")]
        assert lines(play(scenario(*entries, until="2026-02-01"))) == [
            "INV-1 2026-01-01 recurring basic 2026-01-01/2026-02-01 31/31 100.00",
            "INV-2 2026-02-01 recurring basic 2026-02-01/2026-03-01 28/28 100.00",
            "INV-2 2026-02-01 usage seat 2026-01-01/2026-02-01 None 10.00",
        ]


@pytest.mark.parametrize(
    ("basis", "until", "issued"),
    [
        ("seconds", "2026-01-20T12:00:00Z", ["2026-01-01 100.00"]),
        ("seconds", "2026-01-20T18:00:00Z", ["2026-01-01 100.00", "2026-01-20 37.91"]),
        ("seconds", "2026-01-20", ["2026-01-01 100.00", "2026-01-20 37.91"]),
        ("actual_days", "2026-01-20T12:00:00Z", ["2026-01-01 100.00", "2026-01-20 38.71"]),
    ],
)
def test_the_end_as_an_instant(play: Play, basis: str, until: str, issued: list[str]) -> None:
    """On seconds an instant is the instant; on every other basis it stands for its local day."""
    entries = [subscribe("2026-01-01T12:00:00Z", ("basic", "1")), change("2026-01-20T18:00:00Z", ("pro", "1"))]
    found = play(scenario(*entries, until=until, proration={"basis": basis}))
    assert [f"{one['issued_on']} {one['net']}" for one in found["documents"]] == issued


@pytest.mark.parametrize(
    ("until", "count"), [("2026-02-01T11:00:00Z", 2), ("2026-02-01T12:00:00Z", 3), ("2026-02-01T13:00:00Z", 4)]
)
def test_renewals_after_the_end_as_an_instant(play: Play, until: str, count: int) -> None:
    """One subscription renews at noon, the other an hour later: what is not reached is not billed."""
    entries = [
        subscribe("2026-01-01T12:00:00Z", ("basic", "1")),
        subscribe("2026-01-01T13:00:00Z", ("seat", "1"), name="s2"),
    ]
    found = play(scenario(*entries, until=until, proration={"basis": "seconds"}))
    assert len([line for document in found["documents"] for line in document["lines"]]) == count


# Invoices of nothing, allowances and collecting -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(invoice("2026-01-01", {"unit_price": "10.00"}, discounts=[{"amount": "50"}]), id="an amount off"),
        pytest.param(invoice("2026-01-01", {"unit_price": "10.00"}, discounts=[{"percent": "100"}]), id="all off"),
        pytest.param(invoice("2026-01-01", {"unit_price": "10.00"}, {"unit_price": "-10.00"}), id="an allowance"),
    ],
)
def test_an_invoice_of_nothing(play: Play, entry: dict[str, Any]) -> None:
    """Only a negative total is refused: this one is issued, and nothing of it is owed or charged."""
    found = play(scenario(declined("2026-01-01"), entry, until="2026-01-31"))
    (document,) = found["documents"]
    assert (document["total"], document["open"], document["paid"]) == ("0.00", "0.00", "0.00")
    assert (found["charges"], found["balances"]) == ([], {"acme": {"EUR": "0.00"}})


@pytest.mark.parametrize("nothing", [{"percent": "0"}, {"amount": "0.00"}, {"amount": "0.00", "periods": 2}])
def test_a_discount_of_nothing(play: Play, nothing: dict[str, Any]) -> None:
    """It is no discount, neither of an invoice nor of a subscription."""
    entries = [
        invoice("2026-01-01", {"unit_price": "10.00"}, discounts=[nothing]),
        subscribe("2026-01-01", ("basic", "1"), discounts=[nothing]),
    ]
    found = play(scenario(*entries, until="2026-01-01"))
    assert [document["total"] for document in found["documents"]] == ["10.00", "100.00"]


def test_a_negative_line_is_taken_back_in_its_own_terms(play: Play) -> None:
    """An allowance goes back with what is below zero; alone it would raise what is owed and is refused."""
    entry = invoice("2026-01-01", {"unit_price": "100.00"}, {"unit_price": "-20.00"})
    found = play(scenario(entry, credit("2026-01-02", (1, "100.00"), (2, "-20.00")), until="2026-01-31"))
    first, note = found["documents"]
    assert (first["credited"], first["open"]) == ("80.00", "0.00")
    assert [line["amount"] for line in note["lines"]] == ["100.00", "-20.00"]
    for amount in ("20.00", "-20.01", "-20.00"):
        with pytest.raises(Refusal):
            play(scenario(entry, credit("2026-01-02", (2, amount)), until="2026-01-31"))


def test_outcomes_said_later_on_the_day_of_the_invoice(play: Play) -> None:
    """Charges run after the last entry of the date; the outcomes hold from their date on, not for what was before."""
    entries = [
        invoice("2026-01-01", {"unit_price": "10.00"}, **{"as": "i0"}),
        invoice("2026-01-02", {"unit_price": "20.00"}),
        declined("2026-01-02", "paid"),
    ]
    found = play(scenario(*entries, until="2026-01-31"))
    assert [(one["on"], one["document"], one["outcome"]) for one in found["charges"]] == [
        ("2026-01-02", "INV-2", "paid")
    ]
    assert [document["open"] for document in found["documents"]] == ["10.00", "0.00"]


def test_charges_of_one_day_run_in_the_order_of_issue(play: Play) -> None:
    """The outcomes go to the attempts in the order of issue, also when numbers begin again with a year in between."""
    entries = [
        declined("2025-12-01", "declined", "declined", "paid", "declined"),
        invoice("2025-12-30", {"unit_price": "10.00"}, **{"as": "i0"}),
        invoice("2025-12-30", {"unit_price": "20.00"}, **{"as": "i1"}),
        invoice("2026-01-02", {"unit_price": "30.00"}, **{"as": "i2"}),
    ]
    found = play(scenario(*entries, until="2026-01-04", policies={"retry": {"days_after_failure": [3]}}))
    assert [(one["on"], one["document"], one["outcome"]) for one in found["charges"]] == [
        ("2025-12-30", "INV-1", "declined"),
        ("2025-12-30", "INV-2", "declined"),
        ("2026-01-02", "INV-1", "paid"),
        ("2026-01-02", "INV-2", "declined"),
        ("2026-01-02", "INV-3", "declined"),
    ]


def test_reminders_while_a_charge_is_tried_again(play: Play) -> None:
    """The day's run is "renewals, then charges, then reminders": nothing holds a reminder back but the payment."""
    entries = [declined("2026-01-01"), invoice("2026-01-01", {"unit_price": "10.00"})]
    found = play(scenario(*entries, until="2026-01-31", policies={}))
    assert [(one["on"], one["next_on"]) for one in found["charges"]] == [
        ("2026-01-01", "2026-01-04"), ("2026-01-04", "2026-01-09"), ("2026-01-09", "2026-01-16"), ("2026-01-16", None),
    ]  # fmt: skip
    assert [(one["on"], one["step"]) for one in found["receivables"]] == [
        ("2026-01-02", "reminder"), ("2026-01-08", "reminder"), ("2026-01-15", "reminder"), ("2026-01-16", "task"),
    ]  # fmt: skip


# What nobody foresaw --------------------------------------------------------------------------------------------------


def told(*texts: str) -> list[dict[str, Any]]:
    """What the command says of each line, one after the other."""
    with _theatre() as simulated:
        return [simulated(text) for text in texts]


@pytest.mark.parametrize("at", ["the stage", "an entry", "the report"])
def test_a_bug_is_the_error_of_its_line_alone(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    """A failure of the database anywhere is logged and told; the lines after it come out as if it had not been."""
    module, name = {
        "the stage": (stage, "_taxes"),
        "an entry": (playing.Play, "_pay"),
        "the report": (Report, "whole"),
    }[at]
    proper = getattr(module, name)
    failing = iter([True])

    def broken(*given: Any) -> Any:
        if next(failing, False):
            with connection.cursor() as cursor:
                cursor.execute("SELECT nothing_of_this_name")
        return proper(*given)

    monkeypatch.setattr(module, name, broken)
    first, *more = told(*[json.dumps(example("terms"))] * 3)
    assert first["error"].startswith("internal: this scenario could not be played (ProgrammingError: column")
    assert [one.message for one in caplog.records if one.exc_info] == ["A scenario could not be played"]
    assert more[0] == more[1]
    assert [one["key"] for one in more[0]["documents"]] == ["INV-1", "INV-2", "CN-1"]


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line during which the database went away has an error; the next has a connection of its own."""
    proper = Report.whole
    failing = iter([True])

    def broken(report: Report) -> dict[str, Any]:
        if next(failing, False):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return proper(report)

    monkeypatch.setattr(Report, "whole", broken)
    first, second = told(*[json.dumps(example("upgrade"))] * 2)
    assert first["error"].startswith("internal: ")
    assert second["balances"] == {"acme": {"EUR": "351.62"}}
    assert Invoice.objects.count() == 0


# Scenarios in turns ---------------------------------------------------------------------------------------------------


def test_scenarios_that_take_turns_come_out_as_each_alone(play: Play) -> None:
    """Each company is made once and kept beside the others, and nothing of a scenario is seen by the next one."""
    names = ("upgrade", "several-taxes", "terms", "usage")
    alone = {}
    for name in names:
        with Theatre() as theatre:
            alone[name] = theatre.play(read_scenario(example(name)), lambda played: Report(played).whole())
    for name in (*names, *reversed(names)):
        assert play(example(name)) == alone[name]


def test_more_companies_than_are_kept_at_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "STAGES_AT_ONCE", 2)
    sums = []
    for rate in ("7", "19", "20", "7"):
        raw = scenario(invoice("2026-01-05", {"unit_price": "100.00", "tax": "std"}), until="2026-01-31")
        found = play({**raw, "taxes": [{"key": "std", "rate": rate}]})
        sums.append(found["documents"][0]["total"])
    assert sums == ["107.00", "119.00", "120.00", "107.00"]


def test_numbers_do_not_tell_of_the_companies_beside(play: Play) -> None:
    """A refusal names the document as that of a first company, whichever was played before."""
    play(example("upgrade"))
    pay = {"on": "2026-01-06", "do": "pay", "account": "other", "amount": "5.00", "for": ["i1"]}
    raw = scenario(invoice("2026-01-05", {"unit_price": "5.00"}), pay, until="2026-01-31")
    with pytest.raises(Refusal) as refused:
        play({**raw, "accounts": [{"key": "acme"}, {"key": "other"}]})
    (problem,) = refused.value.problems
    assert (problem.field, problem.message) == ("timeline[1].for[0]", "INV-2026-00001 is not for this payer to settle.")
    assert play(example("upgrade"))["documents"][0]["key"] == "INV-1"


def test_customers_whose_names_look_alike_are_two(play: Play) -> None:
    """A scenario says itself who is who; nothing in it is a likely duplicate."""
    to = [invoice("2026-01-05", {"unit_price": price}, **{"as": key, "account": key}) for key, price in ALIKE.items()]
    found = play({**scenario(*to, until="2026-01-31"), "accounts": [{"key": key} for key in ALIKE]})
    assert found["balances"] == {"acme": {"EUR": "5.00"}, "ACME GmbH": {"EUR": "7.00"}}


ALIKE = {"acme": "5.00", "ACME GmbH": "7.00"}
