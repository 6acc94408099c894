"""Scenarios whose lines bear several taxes at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.plumbing.invariants import verify
from counterfoil.simulating.playing import Played, Theatre
from counterfoil.simulating.reporting import Report
from counterfoil.simulating.rules.scenario import read_scenario

DOCS = Path(__file__).parents[2] / "docs"
Play = Callable[[dict[str, Any]], dict[str, Any]]

TAXES = [
    {"key": "gst", "rate": "5"},
    {"key": "qst", "rate": "9.975"},
    {"key": "gst in", "rate": "5", "included": True},
    {"key": "qst in", "rate": "9.975", "included": True},
    {"key": "cgst", "rate": "9"},
    {"key": "sgst", "rate": "9"},
]
BOTH, BOTH_IN = ["gst", "qst"], ["gst in", "qst in"]


@pytest.fixture
def play(db: None) -> Iterator[Play]:
    """A scenario's output; every promise of the books holds at its end."""

    def report(played: Played) -> dict[str, Any]:
        assert [finding.invariant.key for finding in verify() if not finding.holds] == []
        return Report(played).whole()

    with Theatre() as theatre:
        yield lambda raw: theatre.play(read_scenario(raw), report)


def scenario(*timeline: dict[str, Any], rounding: str = "per_rate", until: str = "2026-03-31", **more: Any) -> Any:
    return {
        "scenario": 1,
        "entity": {"currency": "CAD", "country": "CA", "timezone": "America/Toronto", "tax_rounding": rounding},
        "taxes": TAXES,
        "accounts": [{"key": "acme", "country": "CA"}],
        "timeline": list(timeline),
        "until": until,
        **more,
    }


def invoice(*lines: tuple[str, Any], on: str = "2026-01-05", **more: Any) -> dict[str, Any]:
    parts = [
        {"text": f"line {place}", "unit_price": amount, "tax": tax} for place, (amount, tax) in enumerate(lines, 1)
    ]
    return {"on": on, "do": "invoice", "as": "i1", "account": "acme", "lines": parts, **more}


def credit(on: str, *lines: tuple[int, str]) -> dict[str, Any]:
    parts = [{"line": line, "amount": amount} for line, amount in lines]
    return {"on": on, "do": "credit", "invoice": "i1", "lines": parts}


def taxes(document: dict[str, Any]) -> list[str]:
    return [f"{one['rate']}: {one['base']} → {one['amount']}" for one in document["taxes"]]


def sums(document: dict[str, Any]) -> tuple[str, str, str]:
    return document["net"], document["tax"], document["total"]


@pytest.mark.parametrize(
    ("lines", "rounding", "by_rate", "figures"),
    [
        pytest.param(
            [("10.10", BOTH)] * 3, "per_rate",
            ["9.975: 30.30 → 3.02", "5: 30.30 → 1.52"], ("30.30", "4.54", "34.84"), id="each rate once",
        ),
        pytest.param(
            [("10.10", BOTH)] * 3, "per_line",
            ["9.975: 30.30 → 3.03", "5: 30.30 → 1.53"], ("30.30", "4.56", "34.86"), id="each line by itself",
        ),
        pytest.param(
            [("114.98", BOTH_IN)], "per_rate",
            ["9.975: 100.00 → 9.98", "5: 100.00 → 5.00"], ("100.00", "14.98", "114.98"), id="in the price",
        ),
        pytest.param(
            [("1.00", BOTH_IN)] * 2, "per_line",
            ["9.975: 1.74 → 0.18", "5: 1.74 → 0.08"], ("1.74", "0.26", "2.00"), id="in the price of each line",
        ),
        pytest.param(
            [("105.00", ["gst in", "qst"])], "per_rate",
            ["9.975: 100.00 → 9.98", "5: 100.00 → 5.00"], ("100.00", "14.98", "114.98"), id="one in the price",
        ),
        pytest.param(
            [("10.10", BOTH), ("20.00", "gst"), ("7.00", ["qst"]), ("3.00", []), ("2.00", None)], "per_rate",
            ["9.975: 17.10 → 1.71", "5: 30.10 → 1.51"], ("42.10", "3.22", "45.32"), id="alone and beside others",
        ),
        pytest.param(
            [("105.00", "gst in"), ("114.98", BOTH_IN)], "per_rate",
            ["9.975: 100.00 → 9.98", "5: 200.00 → 10.00"], ("200.00", "19.98", "219.98"),
            id="in the price alone and beside others",
        ),
        pytest.param(
            [("100.50", ["cgst", "sgst"])], "per_rate",
            ["9: 100.50 → 9.05", "9: 100.50 → 9.05"], ("100.50", "18.10", "118.60"), id="two of one rate",
        ),
    ],
)  # fmt: skip
def test_taxes_of_an_invoice(
    play: Play, lines: list[tuple[str, Any]], rounding: str, by_rate: list[str], figures: tuple[str, str, str]
) -> None:
    """Each rate with its base and tax; naming the taxes in another order changes no figure."""
    turned = [(amount, tax[::-1] if isinstance(tax, list) else tax) for amount, tax in lines]
    for said in (lines, turned):
        (document,) = play(scenario(invoice(*said), rounding=rounding))["documents"]
        assert taxes(document) == by_rate
        assert sums(document) == figures
        assert [line["amount"] for line in document["lines"]] == [amount for amount, _ in said]


def test_a_line_names_its_rates_in_their_order(play: Play) -> None:
    """Joined by a plus; one rate as it is, and null without a tax."""
    lines = [("10.00", BOTH), ("10.00", ["qst", "gst"]), ("10.00", ["gst"]), ("10.00", [])]
    (document,) = play(scenario(invoice(*lines)))["documents"]
    assert [line["tax_rate"] for line in document["lines"]] == ["5+9.975", "9.975+5", "5", None]


@pytest.mark.parametrize(
    ("lines", "rounding", "credits", "notes"),
    [
        pytest.param(
            [("10.10", BOTH), ("10.10", BOTH)], "per_rate", [(1, "10.10"), (2, "10.10")],
            [("10.10", "0.51", "1.01"), ("10.10", "0.50", "1.00")], id="the last takes what is left of each rate",
        ),
        pytest.param(
            [("10.10", BOTH), ("10.10", BOTH)], "per_line", [(1, "5.05"), (1, "5.05"), (2, "10.10")],
            [("5.05", "0.25", "0.50"), ("5.05", "0.26", "0.51"), ("10.10", "0.51", "1.01")],
            id="the last of a line takes what is left of its taxes",
        ),
        pytest.param(
            [("1.00", BOTH_IN), ("1.00", BOTH_IN)], "per_rate", [(1, "1.00"), (2, "0.50"), (2, "0.50")],
            [("0.87", "0.04", "0.09"), ("0.44", "0.02", "0.04"), ("0.43", "0.03", "0.04")], id="in the price",
        ),
        pytest.param(
            [("0.30", BOTH), ("0.30", "gst")], "per_rate", [(1, "0.30"), (2, "0.30")],
            [("0.30", "0.02", "0.03"), ("0.30", "0.01", None)], id="a rate goes on without the other",
        ),
    ],
)  # fmt: skip
def test_credits_give_back_each_tax(
    play: Play, lines: list[tuple[str, Any]], rounding: str, credits: list[tuple[int, str]], notes: list[Any]
) -> None:
    """Net, GST and QST of each credit note; together they are those of the invoice, and nothing is owed any more."""
    timeline = [credit(f"2026-02-{place:02}", one) for place, one in enumerate(credits, 1)]
    found = play(scenario(invoice(*lines), *timeline, rounding=rounding))
    first, *made = found["documents"]
    said = [(one["net"], *({tax["rate"]: tax["amount"] for tax in one["taxes"]}.get(rate) for rate in ("5", "9.975")))
            for one in made]  # fmt: skip
    assert said == notes
    assert (first["credited"], first["open"]) == (first["total"], "0.00")
    assert found["ledger"] == {"receivable": "0.00", "revenue": "0.00", "tax_payable": "0.00"}


@pytest.mark.parametrize("rounding", ["per_rate", "per_line"])
@pytest.mark.parametrize("tax", [BOTH, BOTH_IN, ["gst in", "qst"]], ids=["on top", "in the price", "one of each"])
def test_a_subscription_that_changes(play: Play, tax: list[str], rounding: str) -> None:
    """Prorated charges, a credit on the next invoice, a credit note and the end: every promise holds, to the cent."""
    prices = [
        {"key": "seat", "model": "per_unit", "amount": "10.10", "tax": tax},
        {"key": "plain", "amount": "33.33", "tax": tax[0]},
    ]
    seats = [{"price": "seat", "quantity": "5"}, {"price": "plain", "quantity": "1"}]
    timeline = [
        {"on": "2026-01-15", "do": "subscribe", "as": "s1", "account": "acme", "items": seats, "anchor_day": 1},
        {"on": "2026-02-08", "do": "change", "subscription": "s1",
         "items": [{"price": "seat", "quantity": "2"}, {"price": "plain", "quantity": "1"}]},
        {"on": "2026-02-19", "do": "change", "subscription": "s1", "items": [{"price": "seat", "quantity": "7"}]},
        {"on": "2026-03-20", "do": "cancel", "subscription": "s1", "when": "now"},
    ]  # fmt: skip
    found = play(scenario(*timeline, rounding=rounding, prices=prices))
    kinds = {document["kind"] for document in found["documents"]}
    assert kinds == {"invoice", "credit_note"}
    for document in found["documents"]:
        assert {one["rate"] for one in document["taxes"]} <= {"5", "9.975"}
        amounts = sum(round(float(one["amount"]) * 100) for one in document["taxes"])
        assert amounts == round(float(document["tax"]) * 100)


def test_a_credit_beside_its_charge(play: Play) -> None:
    """A credit of the next invoice takes back both taxes there; figures worked out by hand."""
    prices = [{"key": "seat", "model": "per_unit", "amount": "10.00", "tax": BOTH}]
    timeline = [
        {"on": "2026-01-01", "do": "subscribe", "as": "s1", "account": "acme",
         "items": [{"price": "seat", "quantity": "5"}]},
        {"on": "2026-01-16", "do": "change", "subscription": "s1", "items": [{"price": "seat", "quantity": "2"}]},
    ]  # fmt: skip
    policies = {"proration": {"decrease": "next_invoice"}, "reminders": {"days_from_due": []}}
    first, second = play(scenario(*timeline, prices=prices, policies=policies, until="2026-02-01"))["documents"]
    assert sums(first) == ("50.00", "7.49", "57.49")
    assert [line["amount"] for line in second["lines"]] == ["-15.48", "20.00"]
    assert [line["tax_rate"] for line in second["lines"]] == ["5+9.975", "5+9.975"]
    assert taxes(second) == ["9.975: 4.52 → 0.45", "5: 4.52 → 0.23"]
    assert sums(second) == ("4.52", "0.68", "5.20")


@pytest.mark.parametrize(
    ("lines", "paid", "books"),
    [
        pytest.param([("100.00", BOTH)], "112.68", {"revenue": "-98.00", "tax_payable": "-14.68"}, id="both"),
        pytest.param(
            [("100.00", BOTH), ("100.00", "gst")], "215.58", {"revenue": "-196.00", "tax_payable": "-19.58"},
            id="both beside one",
        ),
        pytest.param(
            [("114.98", BOTH_IN)], "112.68", {"revenue": "-98.00", "tax_payable": "-14.68"}, id="in the price",
        ),
        pytest.param(
            [("119.00", "gst in"), ("119.00", "gst")], "239.07", {"revenue": "-227.68", "tax_payable": "-11.39"},
            id="one rate in the price and on top",
        ),
    ],
)  # fmt: skip
def test_an_early_payment(play: Play, lines: list[tuple[str, Any]], paid: str, books: dict[str, str]) -> None:
    """Two per cent less lowers the net and each of its taxes."""
    terms = [{"key": "early", "due": {"days": 30}, "early_discount": {"percent": "2", "days": 10}}]
    pay = {"on": "2026-01-10", "do": "pay", "account": "acme", "amount": paid, "for": ["i1"]}
    found = play(scenario(invoice(*lines, terms="early"), pay, terms=terms))
    (document,) = found["documents"]
    assert (document["paid"], document["open"]) == (paid, "0.00")
    assert found["ledger"] == {"bank": paid, "receivable": "0.00", **books}


def test_the_example(play: Play) -> None:
    """The example of the page can be played."""
    found = play(json.loads((DOCS / "examples" / "several-taxes.json").read_text()))
    assert [sums(one) for one in found["documents"]] == [("65.00", "8.49", "73.49"), ("20.00", "3.00", "23.00")]


@pytest.mark.parametrize("rounding", ["per_rate", "per_line"])
def test_a_rate_has_one_row_whether_prices_include_it_or_not(play: Play, rounding: str) -> None:
    """As on paper and in an e-invoice; a credit of both has one as well, and what a line bears twice stands apart."""
    lines = ("10.00", "gst in"), ("10.00", "gst"), ("100.00", ["cgst", "sgst"])
    found = play(scenario(invoice(*lines), credit("2026-01-10", (1, "10.00"), (2, "5.00")), rounding=rounding))
    first, second = found["documents"]
    assert sorted(taxes(first)) == ["5: 19.52 → 0.98", "9: 100.00 → 9.00", "9: 100.00 → 9.00"]
    assert sums(first) == ("119.52", "18.98", "138.50")
    assert taxes(second) == ["5: 14.52 → 0.73"]
    assert sums(second) == ("14.52", "0.73", "15.25")
