"""How a retainer burns down: what each period grants, what was used of it, what expired and what rolled over.

Every period grants an amount of hours or of money. A use takes from the oldest grant that is alive; what it finds no
grant for is its overage. At the end of a period the roll-over rule says what stays: ``none`` of it, ``all``, the
newest ``up_to`` an amount, or each grant for so many further ``periods``. On the retainer's end all that is left
expires.

A use that was settled keeps the draws that it was given then, whatever is entered later. So for every sequence, and for
every period of it, what was there and what was granted is what was used, what expired and what is left. The worked
tables stand in ``docs/concepts/retainers.md``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple
from uuid import UUID

from counterfoil.subscriptions.rules.grid import Cell, Interval, grid_from

NONE, ALL, UP_TO, PERIODS = "none", "all", "up_to", "periods"
ZERO = Decimal(0)


@dataclass(frozen=True)
class RollOver:
    """What of a period's rest stays: ``most`` for ``up_to``, so many further ``periods`` for ``periods``."""

    kind: str = NONE
    most: Decimal | None = None
    periods: int | None = None


@dataclass(frozen=True)
class Terms:
    """What was agreed. ``end`` is the first day on which nothing is left; ``decimals`` those of a granted share."""

    amount: Decimal
    interval: Interval
    start: date
    anchor_day: int | None = None
    roll_over: RollOver = RollOver()
    end: date | None = None
    decimals: int = 2


class Draw(NamedTuple):
    """So much was taken from the grant of the period that begins on this day."""

    granted_on: date
    quantity: Decimal


@dataclass(frozen=True)
class Use:
    """So much was used on a day. ``settled`` are the draws that it keeps; nothing while it is not settled."""

    id: UUID
    day: date
    quantity: Decimal
    settled: tuple[Draw, ...] | None = None


@dataclass(frozen=True)
class BurnedPeriod:
    """One period: ``opening + granted = used + expired + left``.

    ``left`` rolls over into the next period; of the last one it is what is there. ``overage`` was used beyond.
    """

    start: date
    end: date
    opening: Decimal
    granted: Decimal
    used: Decimal
    expired: Decimal
    left: Decimal
    overage: Decimal


@dataclass(frozen=True)
class Burned:
    """A retainer up to a day: its periods, and of each use what it drew and what was beyond.

    ``outside`` is what was used before the start or from the end on.
    """

    periods: tuple[BurnedPeriod, ...]
    draws: Mapping[UUID, tuple[Draw, ...]]
    overage: Mapping[UUID, Decimal]
    outside: Decimal = ZERO

    def period_of(self, day: date) -> BurnedPeriod | None:
        """The period in which a day lies; nothing outside the run."""
        place = bisect_right(self.periods, day, key=lambda period: period.start) - 1
        return self.periods[place] if place >= 0 and day < self.periods[place].end else None


@dataclass
class _Grant:
    granted_on: date
    free: Decimal
    """What of it no use has, and none that is settled later has kept for itself."""
    last: int | None
    """The number of the last period in which it is alive; nothing while no period ends it."""


@dataclass
class _Burning:
    grants: list[_Grant] = field(default_factory=list)
    draws: dict[UUID, tuple[Draw, ...]] = field(default_factory=dict)
    overage: dict[UUID, Decimal] = field(default_factory=dict)


def cells_of(terms: Terms, until: date) -> list[Cell]:
    """The periods that begin on or before a day, the first one from the start on, none past the end."""
    grid = grid_from(terms.interval, terms.start, terms.anchor_day)
    found: list[Cell] = []
    number = grid.number_at(terms.start)
    while (cell := grid.cell(number)).start <= until and (terms.end is None or cell.start < terms.end):
        start = max(cell.start, terms.start)
        if terms.end is None or start < terms.end:
            found.append(Cell(start, cell.end if terms.end is None else min(cell.end, terms.end)))
        number += 1
    return found


def granted(terms: Terms, cell: Cell) -> Decimal:
    """What a period grants: the amount, or of a first period that begins late its share of days.

    A retainer that ends within a period has granted it whole: the rest expires.
    """
    whole = grid_from(terms.interval, terms.start, terms.anchor_day).cell_at(cell.start)
    if cell.start == whole.start:
        return terms.amount
    part, days = (whole.end - cell.start).days, (whole.end - whole.start).days
    return (terms.amount * part / days).quantize(Decimal(1).scaleb(-terms.decimals), ROUND_HALF_UP)


def burn(terms: Terms, uses: Iterable[Use], until: date) -> Burned:
    """The retainer up to and including the period of ``until``, with all uses, in the order of their days."""
    known = sorted(uses, key=lambda use: (use.day, use.id))
    cells = cells_of(terms, max([until, *(use.day for use in known)]))
    by_cell: list[list[Use]] = [[] for _ in cells]
    burning = _Burning()
    outside = ZERO
    for use in known:
        place = _place(cells, use.day)
        if place is None:
            burning.draws[use.id], burning.overage[use.id] = (), use.quantity
            outside += use.quantity
        else:
            by_cell[place].append(use)
    reserved = _reserved(by_cell)
    periods = []
    opening = ZERO
    for number, (cell, here) in enumerate(zip(cells, by_cell, strict=True)):
        amount = granted(terms, cell)
        burning.grants.append(_Grant(cell.start, amount - reserved.get(cell.start, ZERO), _last(terms, number)))
        _use(burning, here)
        used = sum((draw.quantity for use in here for draw in burning.draws[use.id]), ZERO)
        rest = opening + amount - used
        is_over = number + 1 < len(cells) or (terms.end is not None and cell.end >= terms.end and until >= terms.end)
        expired = _expire(burning.grants, terms, number, rest, cell) if is_over else ZERO
        burning.grants = [grant for grant in burning.grants if grant.free > 0]
        beyond = sum((burning.overage[use.id] for use in here), ZERO)
        periods.append(BurnedPeriod(cell.start, cell.end, opening, amount, used, expired, rest - expired, beyond))
        opening = rest - expired
    return Burned(tuple(periods), burning.draws, burning.overage, outside)


def _place(cells: Sequence[Cell], day: date) -> int | None:
    low, high = 0, len(cells)
    while low < high:
        middle = (low + high) // 2
        if cells[middle].end <= day:
            low = middle + 1
        else:
            high = middle
    return low if low < len(cells) and cells[low].start <= day else None


def _reserved(by_cell: Sequence[Sequence[Use]]) -> dict[date, Decimal]:
    """What settled uses keep of each grant, whenever they were."""
    found: dict[date, Decimal] = {}
    for use in (use for here in by_cell for use in here if use.settled is not None):
        for draw in use.settled or ():
            found[draw.granted_on] = found.get(draw.granted_on, ZERO) + draw.quantity
    return found


def _last(terms: Terms, number: int) -> int | None:
    if terms.roll_over.kind == NONE:
        return number
    return number + (terms.roll_over.periods or 0) if terms.roll_over.kind == PERIODS else None


def _use(burning: _Burning, here: Sequence[Use]) -> None:
    """Give each use of a period its draws, from the oldest grant on."""
    for use in here:
        draws = list(use.settled or ())
        missing = use.quantity - sum((draw.quantity for draw in draws), ZERO)
        for grant in burning.grants if use.settled is None else ():
            taken = min(grant.free, missing)
            if taken > 0:
                grant.free -= taken
                missing -= taken
                draws.append(Draw(grant.granted_on, taken))
        burning.draws[use.id], burning.overage[use.id] = tuple(draws), missing


def _expire(grants: Sequence[_Grant], terms: Terms, number: int, rest: Decimal, cell: Cell) -> Decimal:
    """Take away what does not roll over, the oldest first; answers how much."""
    ends = terms.end is not None and cell.end >= terms.end
    excess = rest - (terms.roll_over.most or ZERO) if terms.roll_over.kind == UP_TO else ZERO
    gone = ZERO
    for grant in grants:
        is_dead = ends or (grant.last is not None and grant.last <= number)
        taken = grant.free if is_dead else max(ZERO, min(grant.free, excess - gone))
        grant.free -= taken
        gone += taken
    return gone
