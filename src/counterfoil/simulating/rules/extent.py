"""How long a scenario takes to play: what recurs is worked out period by period, and billed day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from counterfoil.core.errors import Refusal
from counterfoil.simulating.rules.scenario import (
    Cancel,
    Change,
    ItemPart,
    Pause,
    Price,
    Resume,
    Scenario,
    Subscribe,
    Usage,
    happening,
    local_day,
)

PERIODS_MAX = 20_000
"""Periods of a subscription that a scenario goes through: of every day for 54 years, of every year up to 9999."""
_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}


def refuse_endless(scenario: Scenario) -> None:
    """Refuse a scenario that goes through more periods than it may, before hours are spent on it.

    Only what is certain counts; what else there is shows while it is played.
    """
    periods = certain_periods(scenario)
    if periods > PERIODS_MAX:
        raise too_long(f"at least {periods:,} periods of a subscription")


def too_long(what: str) -> Refusal:
    return Refusal(
        "too_long", f"it goes through {what} until then, more than the {PERIODS_MAX:,} that can be played", "until"
    )


def certain_periods(scenario: Scenario) -> int:
    """At least so many periods begin of what has the most of them: a subscription, or its usage of a price."""
    prices = {price.key: price for price in scenario.prices}
    zone = scenario.entity.timezone
    until = local_day(scenario.until, zone).toordinal() + 1
    ways: dict[tuple[str, str], _Way] = {}
    for _, on, entry in happening(scenario):
        day = on.toordinal()
        match entry:
            case Subscribe():
                end = until if entry.end_on is None else min(until, local_day(entry.end_on, zone).toordinal())
                ways[entry.name, ""] = _Way(day, end, _step(entry.items, prices))
            case Usage() if (entry.subscription, "") in ways:
                # What is used of a price is looked at from the start of the subscription on.
                whole = ways[entry.subscription, ""]
                step = _step([ItemPart(price=entry.price)], prices)
                ways.setdefault((entry.subscription, entry.price), _Way(whole.start, whole.end, step))
            case Change() if (entry.subscription, "") in ways:
                ways[entry.subscription, ""].go_on(day, _step(entry.items, prices))
            case Pause() if (entry.subscription, "") in ways:
                ways[entry.subscription, ""].rest(day)
            case Resume() if (entry.subscription, "") in ways:
                ways[entry.subscription, ""].resume()
            case Cancel():
                for (name, _), way in ways.items():
                    if name == entry.subscription:
                        way.end = min(way.end, day)
    return max((way.whole() for way in ways.values()), default=0)


def _step(items: Iterable[ItemPart], prices: Mapping[str, Price]) -> int:
    """The most days from one beginning of a period to the next, of the items together; 0 where nothing recurs."""
    recurring = (prices[item.price] for item in items if item.quantity)
    return min((_DAYS[price.interval] * price.count for price in recurring), default=0)


class _Way:
    """What recurs, on its way through the days. The periods of a pause count once it is over."""

    def __init__(self, start: int, end: int, step: int) -> None:
        self.start, self.end = start, end
        self._since, self._step, self._periods = start, step, 0
        self._rests_from: int | None = None

    def go_on(self, day: int, step: int) -> None:
        """From the day on with other items; what it had may go on until its period ends."""
        self._count(day)
        self._since, self._step = day + max(self._step, step), step

    def rest(self, day: int) -> None:
        self._rests_from = day

    def resume(self) -> None:
        self._rests_from = None

    def whole(self) -> int:
        self._count(self.end if self._rests_from is None else self._rests_from)
        return self._periods

    def _count(self, day: int) -> None:
        days = min(day, self.end) - self._since
        if self._step and days > self._step:
            self._periods += days // self._step - 1  # one less is billed in arrears
