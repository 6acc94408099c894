"""Scenarios over thousands of years: played where little happens in them, refused at once where nobody could wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from counterfoil.core.errors import Refusal
from counterfoil.simulating import playing
from counterfoil.simulating.playing import Theatre
from counterfoil.simulating.reporting import Report
from counterfoil.simulating.rules.extent import PERIODS_MAX, certain_periods
from counterfoil.simulating.rules.scenario import read_scenario

Play = Callable[[dict[str, Any]], dict[str, Any]]
PRICES = [
    {"key": "daily", "amount": "1.00", "interval": "day"},
    {"key": "after", "amount": "1.00", "interval": "day", "billed": "in_arrears"},
    {"key": "monthly", "amount": "100.00"},
    {"key": "yearly", "amount": "100.00", "interval": "year"},
    {"key": "ages", "amount": "100.00", "interval": "year", "count": 1000},
]


@pytest.fixture
def play(db: None) -> Iterator[Play]:
    with Theatre() as theatre:
        yield lambda raw: theatre.play(read_scenario(raw), lambda played: Report(played).whole())


def scenario(*timeline: dict[str, Any], until: str) -> dict[str, Any]:
    return {
        "scenario": 1, "entity": {"currency": "EUR"}, "prices": PRICES, "accounts": [{"key": "acme"}],
        "policies": {"reminders": {"days_from_due": []}}, "timeline": list(timeline), "until": until,
    }  # fmt: skip


def subscribe(price: str, on: str = "2026-01-01", quantity: str = "1", **more: Any) -> dict[str, Any]:
    items = [{"price": price, "quantity": quantity}]
    return {"on": on, "do": "subscribe", "as": "s", "account": "acme", "items": items, **more}


def act(on: str, do: str, **more: Any) -> dict[str, Any]:
    return {"on": on, "do": do, "subscription": "s", **more}


def change(on: str, *prices: str) -> dict[str, Any]:
    return act(on, "change", items=[{"price": price} for price in prices])


FAR = "9990-01-01"


@pytest.mark.parametrize(
    ("timeline", "until"),
    [
        ([subscribe("daily")], FAR),
        ([subscribe("after")], FAR),
        ([subscribe("monthly")], FAR),
        ([subscribe("ages"), change("2026-02-01", "monthly")], FAR),
        ([subscribe("daily"), act("2026-01-05", "pause"), act("9980-01-01", "resume")], FAR),
        ([subscribe("ages"), act("9000-01-05", "usage", price="after", quantity="5")], "9000-01-06"),
        ([subscribe("ages"), subscribe("daily") | {"as": "t"}], "2085-01-01"),
    ],
)
def test_what_recurs_too_often_is_refused_at_once(play: Play, timeline: list[dict[str, Any]], until: str) -> None:
    """At ``until``, and the next scenario is played."""
    with pytest.raises(
        Refusal, match=r"^it goes through at least .* periods of a subscription until then, more than the 20,000"
    ) as refused:
        play(scenario(*timeline, until=until))
    assert [(one.field, one.code) for one in refused.value.problems] == [("until", "too_long")]
    assert len(play(scenario(subscribe("daily"), until="2026-01-02"))["documents"]) == 2


@pytest.mark.parametrize(
    ("timeline", "documents"),
    [
        ([subscribe("daily", end_on="2026-01-05")], 4),
        ([subscribe("daily"), act("2026-01-05", "cancel")], 4),
        ([subscribe("daily"), act("2026-01-05", "pause")], 4),
        ([subscribe("daily", quantity="0")], 0),
        ([subscribe("daily", on="9989-12-31")], 2),
        ([subscribe("monthly", on="9989-12-01", anchor_on=None)], 2),
    ],
)
def test_where_little_happens_the_end_may_be_far_away(
    play: Play, timeline: list[dict[str, Any]], documents: int
) -> None:
    assert len(play(scenario(*timeline, until=FAR))["documents"]) == documents


def test_what_is_parked_is_not_tried_again_every_day(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A period that would end after the calendar is parked as a run parks it; nothing waits for a person."""
    days: list[str] = []
    billed = playing.subscriptions.bill_due
    monkeypatch.setattr(
        playing.subscriptions, "bill_due", lambda **given: (days.append(str(given["on"])), billed(**given))[1]
    )
    found = play(scenario(subscribe("ages"), until=FAR))
    assert days == [f"{year}-01-01" for year in range(3026, 9026, 1000)]
    assert found["events"][-1] == ["8026-01-01", "SubscriptionParked"]
    assert len(found["documents"]) == 6


def test_what_is_certain_is_never_more_than_what_is_played(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends, changes that wait and pauses included; what is not certain is refused while it is played."""
    raw = scenario(
        subscribe("monthly", on="2026-01-15", anchor_day=1), change("2026-03-10", "daily"),
        act("2026-05-20", "pause"), act("2026-05-22", "resume"), change("2026-07-10", "monthly"),
        act("2026-09-10", "cancel", when="period_end"), until="2027-01-01",
    )  # fmt: skip
    days = {one["issued_on"] for one in play(raw)["documents"]}
    assert 50 < certain_periods(read_scenario(raw)) <= len(days)
    assert certain_periods(read_scenario(scenario(subscribe("after"), until="2039-09-10"))) <= PERIODS_MAX
    monkeypatch.setattr(playing, "PERIODS_MAX", 30)
    with pytest.raises(Refusal) as refused:
        play(scenario(subscribe("daily"), until="2026-02-01"))
    assert [(one.field, one.code) for one in refused.value.problems] == [("until", "too_long")]
    assert len(play(scenario(subscribe("daily"), until="2026-01-31"))["documents"]) == 31
