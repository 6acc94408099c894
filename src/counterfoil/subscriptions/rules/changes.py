"""What a change does to an agreement: which items change, from when, and when the difference is billed.

An item whose price stays and whose quantity changes is one change; a price that goes and a price that comes are
another, paired in their order. Each is an increase or a decrease by what a whole period costs per day, and the policy
says when it takes effect. See ``docs/concepts/proration.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from uuid import UUID
from zoneinfo import ZoneInfo

from counterfoil.catalog.rules.pricing import Pricing, price_of
from counterfoil.subscriptions.rules.agreement import (
    AT_RENEWAL,
    NOW,
    RESTART,
    Agreement,
    Item,
    Version,
)
from counterfoil.subscriptions.rules.grid import ACTUAL_DAYS, Grid, Interval, Moment, day_of, grid_from, units


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item as it shall be: so much of a price."""

    price: str
    pricing: Pricing
    interval: Interval
    quantity: Decimal
    is_in_advance: bool = True
    is_metered: bool = False


@dataclass(frozen=True, slots=True)
class Anchors:
    """To what a new grid is anchored: a day of the month, or a date from which whole intervals are counted."""

    day: int | None = None
    on: Moment | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One change: ``old`` ends or gets the quantity of ``new``, or ``new`` begins on ``grid``, at ``at``.

    With ``is_billed_now`` the difference is a document of its own; otherwise it joins the next one. ``cuts`` means that
    the old item's period ends there, since another interval takes over.
    """

    old: Item | None
    new: Wanted | None
    at: Moment
    is_billed_now: bool
    grid: Grid | None = None
    cuts: bool = False

    @property
    def is_quantity(self) -> bool:
        return (
            self.old is not None
            and self.new is not None
            and (self.old.price, self.old.pricing) == (self.new.price, self.new.pricing)
        )


def plan_change(
    agreement: Agreement, wanted: Sequence[Wanted], at: Moment, anchors: Anchors, billed: Collection[UUID] = ()
) -> list[Step]:
    """The steps from what runs at the moment to what is wanted. Items that stay as they are have none.

    ``billed`` are the items whose period that contains the moment is billed already: where one begins at the moment,
    its renewal is over. A metered item goes on unless the whole subscription ends, since it costs only what is used.
    """
    metered = {item.price for item in agreement.items if item.is_metered and item.version_at(at) is not None}
    running = _running(agreement, at)
    by_price = {one.price: one for one in wanted if not one.is_metered}
    kept = {
        item.price for item, _ in running if item.price in by_price and by_price[item.price].pricing == item.pricing
    }
    steps = [
        _step(agreement, item, by_price[item.price], at, anchors, billed)
        for item, version in running
        if item.price in kept and by_price[item.price].quantity != version.quantity
    ]
    coming = {
        item.price: item
        for item in _waiting(agreement, at)
        if item.price in by_price and by_price[item.price].pricing == item.pricing
    }
    steps += [
        Step(item, by_price[item.price], item.start, is_billed_now=False)
        for item in coming.values()
        if by_price[item.price].quantity != item.versions[0].quantity
    ]
    arranged = {item.start for item in coming.values()}
    gone = [item for item, version in running if item.price not in kept and version.end not in arranged]
    come = [one for one in by_price.values() if one.price not in kept | coming.keys() and one.quantity]
    steps += [_step(agreement, old, new, at, anchors, billed) for old, new in zip_longest(gone, come)]
    fresh = [one for one in wanted if one.is_metered and one.price not in metered]
    return steps + [_step(agreement, None, one, at, anchors, billed) for one in fresh]


def taken_back(agreement: Agreement, wanted: Sequence[Wanted], at: Moment) -> list[Item]:
    """The items of which something waited that the change takes back, as they are without it; the rest goes on waiting.

    To want what runs already takes back all that waits. A price that waits to replace another one never comes when that
    other one is replaced by this change.
    """
    running, waiting = _running(agreement, at), _waiting(agreement, at)
    quantities = {one.price: (one.pricing, one.quantity) for one in wanted if not one.is_metered and one.quantity}
    if agreement.end is None and quantities == {item.price: (item.pricing, one.quantity) for item, one in running}:
        again = [item._replace(versions=_as_it_runs(item, one)) for item, one in running if one.end is not None]
        return again + [ended(item, item.start) for item in waiting]
    ends = {version.end for item, version in running if item.price not in quantities}
    return [ended(item, item.start) for item in waiting if item.price not in quantities and item.start in ends]


def running(agreement: Agreement, at: Moment) -> list[Item]:
    """The items of which something is agreed at the moment, but for what is metered."""
    return [item for item, _ in _running(agreement, at)]


def _running(agreement: Agreement, at: Moment) -> list[tuple[Item, Version]]:
    """The same with how much of each."""
    return [
        (item, version)
        for item in agreement.items
        if not item.is_metered and (version := item.version_at(at)) and version.quantity
    ]


def _waiting(agreement: Agreement, at: Moment) -> list[Item]:
    """The items that begin after the moment."""
    return [
        item
        for item in agreement.items
        if not item.is_metered and item.start > at and any(version.quantity for version in item.versions)
    ]


def _as_it_runs(item: Item, present: Version) -> tuple[Version, ...]:
    before = tuple(version for version in item.versions if version.start < present.start)
    return (*before, Version(present.start, None, present.quantity))


def _step(
    agreement: Agreement,
    old: Item | None,
    new: Wanted | None,
    at: Moment,
    anchors: Anchors,
    billed: Collection[UUID],
) -> Step:
    policy = agreement.policy
    grid = _grid_of(agreement, old, new, at, anchors) if new is not None else None
    before = _per_day(old.pricing, _quantity(old, at), old.grid, at) if old is not None else Fraction(0)
    after = _per_day(new.pricing, new.quantity, grid, at) if new is not None and grid is not None else Fraction(0)
    timing = policy.increase if after >= before else policy.decrease
    effective = at
    if timing == AT_RENEWAL:
        ending = [old] if old is not None else [item for item, _ in _running(agreement, at)]
        effective = min((renewal_of(item.grid, at, is_billed=item.id in billed) for item in ending), default=at)
        if new is not None and effective != at:
            grid = _grid_of(agreement, old, new, effective, anchors)
    cuts = old is not None and new is not None and old.interval != new.interval and effective == at
    return Step(old, new, effective, timing == NOW, grid, cuts)


def renewal_of(grid: Grid, at: Moment, *, is_billed: bool = False) -> Moment:
    """When the period that runs at the moment ends; the moment itself when one begins then that is not billed yet."""
    cell = grid.cell_at(at)
    return at if cell.start == at and not is_billed else cell.end


def _grid_of(agreement: Agreement, old: Item | None, new: Wanted, at: Moment, anchors: Anchors) -> Grid:
    """The periods of a new price: those of the price that it replaces or of another item with the interval.

    A new interval starts as if subscribed then with the old anchor, or with ``restart`` on the day itself.
    """
    if old is not None and old.interval == new.interval:
        return old.grid
    if old is not None and agreement.policy.interval_change == RESTART:
        return grid_from(new.interval, at, zone=agreement.zone)
    if old is None:
        for item in agreement.items:
            if item.interval == new.interval and item.version_at(at) is not None:
                return item.grid
    if anchors.day is not None or anchors.on is not None:
        return grid_from(new.interval, at, anchors.day, anchors.on, agreement.zone)
    return _grid_like_the_start(agreement, new.interval, at)


def _grid_like_the_start(agreement: Agreement, interval: Interval, at: Moment) -> Grid:
    """Periods anchored to the day of the start, and where seconds are counted to its time of day."""
    day = day_of(agreement.start, agreement.zone).day
    grid = grid_from(interval, at, day, None, agreement.zone)
    if not interval.months or not isinstance(agreement.start, datetime):
        return grid
    zone = ZoneInfo(agreement.zone)
    time = agreement.start.astimezone(zone).time()
    base = datetime.combine(day_of(grid.base, agreement.zone), time, zone).astimezone(UTC)
    return replace(grid, base=base)


def _quantity(item: Item, at: Moment) -> Decimal:
    version = item.version_at(at)
    return version.quantity if version is not None else Decimal(0)


def _per_day(pricing: Pricing, quantity: Decimal, grid: Grid, at: Moment) -> Fraction:
    cell = grid.cell_at(at)
    return Fraction(price_of(pricing, quantity)) / units(cell.start, cell.end, ACTUAL_DAYS)


# Quantities over time -------------------------------------------------------------------------------------------------


def with_quantity(item: Item, quantity: Decimal, at: Moment) -> Item:
    """The item with another quantity from a moment until what was agreed for later."""
    return item._replace(versions=tuple(_split(item.versions, quantity, at)))


def _split(versions: Sequence[Version], quantity: Decimal, at: Moment) -> Iterator[Version]:
    is_found = False
    for version in versions:
        if not (version.start <= at and (version.end is None or at < version.end)):
            yield version
            continue
        is_found = True
        if version.start < at:
            yield Version(version.start, at, version.quantity)
        yield Version(at, version.end, quantity)
    if not is_found:
        last = versions[-1]
        assert last.end is not None and last.end <= at, "a quantity can change only while the item runs or after"  # noqa: PT018
        yield Version(at, None, quantity)


def ended(item: Item, at: Moment, *, cuts: bool = False) -> Item:
    """The item until a moment; what was agreed for later is dropped. An item that starts later never runs."""
    kept = tuple(
        version if version.end is not None and version.end <= at else Version(version.start, at, version.quantity)
        for version in item.versions
        if version.start < at
    )
    nothing = (Version(item.start, item.start, Decimal(0)),)
    return item._replace(versions=kept or nothing, cut_at=at if cuts else item.cut_at)
