"""What was agreed, as plain values: items with their quantities over time, pauses, the end, and the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.core.money import Rounding
from counterfoil.subscriptions.rules.grid import ACTUAL_DAYS, Cell, Grid, Interval, Moment, Share

NOW, NEXT_INVOICE, AT_RENEWAL = "now", "next_invoice", "at_renewal"
PRORATE, FULL, FREE = "prorate", "full", "free"
KEEP_ANCHOR, RESTART = "keep_anchor", "restart"
END_FREE, END_BILLED = "free", "billed"

SKIP, VOID, EXTEND = "skip", "void", "extend"
PAUSE_MODES = (SKIP, VOID, EXTEND)

RECURRING, PRORATION_CHARGE, PRORATION_CREDIT, USAGE = "recurring", "proration_charge", "proration_credit", "usage"
MOVED = "moved"
"""A part of a billed period that goes on after a pause. It is taken off where it was and stands where it goes on."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How parts of periods are counted and when changes are billed; see ``docs/concepts/proration.md``."""

    basis: str = ACTUAL_DAYS
    increase: str = NOW
    decrease: str = NOW
    first_period: str = PRORATE
    end_day: str = END_FREE
    interval_change: str = KEEP_ANCHOR
    rounding: Rounding = "half_up"


class Span(NamedTuple):
    """From ``start`` until before ``end``; without an end it goes on."""

    start: Moment
    end: Moment | None


class Version(NamedTuple):
    """The quantity of an item from one moment until before another."""

    start: Moment
    end: Moment | None
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Usage:
    """So much was used at a moment."""

    at: Moment
    quantity: Decimal


class PastPrice(NamedTuple):
    """What usage cost in periods that begin before a moment."""

    before: Moment
    pricing: Pricing


class Item(NamedTuple):
    """One price of a subscription and how much of it was agreed over time.

    ``price`` names what is sold: two items of one price never run at once. ``cut_at`` ends the present period early:
    another interval took over. An item that is metered is billed by its usage after each period; ``past_prices`` are
    what it cost before its price rose, the earliest first.
    """

    id: UUID
    price: str
    pricing: Pricing
    grid: Grid
    is_in_advance: bool
    versions: tuple[Version, ...]
    is_metered: bool = False
    cut_at: Moment | None = None
    usage: tuple[Usage, ...] = ()
    product: UUID | None = None
    past_prices: tuple[PastPrice, ...] = ()

    @property
    def start(self) -> Moment:
        return self.versions[0].start

    @property
    def interval(self) -> Interval:
        return self.grid.interval

    def pricing_of(self, cell: Cell) -> Pricing:
        """The price of a period."""
        return next((past.pricing for past in self.past_prices if cell.start < past.before), self.pricing)

    def version_at(self, moment: Moment) -> Version | None:
        """What is agreed at the moment, if anything."""
        return next(
            (one for one in self.versions if one.start <= moment and (one.end is None or moment < one.end)), None
        )


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage or an amount off the first ``periods`` periods, or off all of them.

    With ``since`` periods are counted from the first that begins then or later; with ``until`` it ends before the first
    that begins then or later. With ``products`` it is for items of these only. Periods that begin in one of the
    ``stops`` are without it, and counted.
    """

    percent: Decimal | None = None
    amount: Decimal | None = None
    periods: int | None = None
    since: Moment | None = None
    until: Moment | None = None
    products: frozenset[UUID] = frozenset()
    stops: tuple[Span, ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether it was taken off and not given again."""
        return any(span.end is None for span in self.stops)

    @property
    def is_for_ever(self) -> bool:
        """Whether it is for every period to come, of every item."""
        return self.periods is None and self.until is None and not self.products and not self.is_off

    def covers(self, ordinal: int, begins: Moment, product: UUID | None, first: int) -> bool:
        """Whether it is for a period with this number that begins then; ``first`` is the number of its own first."""
        return (
            (not self.products or product in self.products)
            and (self.since is None or begins >= self.since)
            and (self.until is None or begins < self.until)
            and not any(span.start <= begins and (span.end is None or begins < span.end) for span in self.stops)
            and (self.periods is None or ordinal - first < self.periods)
        )


class Agreement(NamedTuple):
    """A subscription as billing sees it. ``start`` is the first moment that is billed; ``end`` the first that is not.

    With ``is_credited_at_end`` false, what is billed beyond the end is not given back. During ``pauses`` it is not
    billed; periods that begin in one of the ``voids`` come to nothing; from ``stands_from`` on its time stands still.
    See ``docs/concepts/pauses.md``.
    """

    id: UUID
    currency: str
    start: Moment
    items: tuple[Item, ...]
    policy: Policy = Policy()
    end: Moment | None = None
    is_credited_at_end: bool = True
    pauses: tuple[Span, ...] = ()
    voids: tuple[Span, ...] = ()
    stands_from: Moment | None = None
    discounts: tuple[Discount, ...] = ()
    zone: str = "UTC"

    def agreed(self, item: Item) -> Iterator[Version]:
        """The item's quantities as they are to be billed: until the end, and not while it rests. What is metered never
        rests.
        """
        last = self.last_of(item)
        for version in item.versions:
            spans = [Span(version.start, _earlier(version.end, last))]
            for pause in () if item.is_metered else self.pauses:
                spans = [part for span in spans for part in _without(span, pause)]
            for span in spans:
                if span.end is None or span.start < span.end:
                    yield Version(span.start, span.end, version.quantity)

    def last_of(self, item: Item) -> Moment | None:
        """From when on nothing of the item is billed: it ended, or its time stands still. What is used goes on."""
        return self.end if item.is_metered else _earlier(self.end, self.stands_from)

    def is_void(self, item: Item, cell: Cell) -> bool:
        """Whether a period of the item comes to nothing, since it begins in a pause that voids it."""
        begins = max(cell.start, item.start, self.start)
        return not item.is_metered and any(
            span.start <= begins and (span.end is None or begins < span.end) for span in self.voids
        )


@dataclass(frozen=True, slots=True)
class Billed:
    """A row of the ledger of billed periods: so much of an item was charged, or given back, for part of a period.

    ``quantity`` and ``gross`` (the price of the whole period after percentages) are signed like ``net``. ``credits``
    are the lines that a negative row takes back, each with its part; those of a positive one are where it was billed
    before a pause. ``given`` is what credit notes by hand and early payments took off its line, signed like ``net``.
    ``is_void`` says that its period came to nothing.
    """

    item_id: UUID
    start: Moment
    end: Moment
    cell: Cell
    quantity: Decimal
    gross: Decimal
    share: Share
    net: Decimal
    line_id: UUID | None = None
    credits: tuple[tuple[UUID, Decimal], ...] = ()
    given: Decimal = Decimal(0)
    is_void: bool = False


class Difference(NamedTuple):
    """What should be billed and is not yet, for part of a period of one item: a line of a document to be.

    ``quantity``, ``gross`` and ``net`` are signed; ``before_discount`` is the amount before the discounts. ``credits``
    are the lines that a negative one takes back, each with its part, also lines to be by their ``id``; ``discounts``
    those that cover its period.
    """

    item_id: UUID
    kind: str
    start: Moment
    end: Moment
    cell: Cell
    quantity: Decimal
    gross: Decimal
    share: Share
    net: Decimal
    before_discount: Decimal
    discounts: tuple[Discount, ...] = ()
    credits: tuple[tuple[UUID, Decimal], ...] = ()
    is_void: bool = False
    id: UUID | None = None

    @property
    def is_credit(self) -> bool:
        return self.net < 0


def _earlier(one: Moment | None, other: Moment | None) -> Moment | None:
    return other if one is None else one if other is None else min(one, other)


def _without(span: Span, pause: Span) -> Iterator[Span]:
    """What is left of a span when it rests during the pause."""
    if (span.end is not None and pause.start >= span.end) or (pause.end is not None and pause.end <= span.start):
        yield span
        return
    if span.start < pause.start:
        yield Span(span.start, pause.start)
    if pause.end is not None and (span.end is None or pause.end < span.end):
        yield Span(pause.end, span.end)
