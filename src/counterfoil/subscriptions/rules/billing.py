"""The billing engine: what should be billed, compared with what is billed, gives what is still to be billed.

``differences`` is a pure function of the agreement, the ledger of billed periods and the day. Billing its answer and
asking again gives nothing: a run may be repeated, late, or interrupted, and no change is billed twice or forgotten. The
worked tables stand in ``docs/concepts/periods.md`` and ``docs/concepts/proration.md``; the tests read them there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID, uuid5

from counterfoil.catalog.rules.pricing import Pricing, price_of
from counterfoil.core.money import Rounding, rounded
from counterfoil.subscriptions.rules.agreement import (
    FREE,
    FULL,
    PRORATION_CHARGE,
    PRORATION_CREDIT,
    RECURRING,
    USAGE,
    Agreement,
    Billed,
    Difference,
    Discount,
    Item,
    Version,
)
from counterfoil.subscriptions.rules.discounting import discounted, factor
from counterfoil.subscriptions.rules.grid import NONE, Cell, Grid, Moment, Share, share_of

Discounts = tuple[Discount, ...]

_EXACT = Context(prec=120)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Due:
    """Up to when a document is written.

    A period in advance is due when it starts before ``before``, one in arrears when it ends before it. On an entry (a
    change, not the day's run) what was cut short is due when it ends there, and ``fresh`` items are due when they start
    before ``fresh_before``, since they begin as if subscribed then.
    """

    before: Moment
    is_entry: bool = False
    fresh: Collection[UUID] = ()
    fresh_before: Moment | None = None

    def reaches(self, agreement: Agreement, item: Item, cell: Cell) -> bool:
        if item.is_in_advance:
            before = self.fresh_before if item.id in self.fresh and self.fresh_before is not None else self.before
            return max(cell.start, item.start) < before if item.id in self.fresh else cell.start < before
        cut = _cut_of(agreement, item)
        if cut is not None and cut <= cell.end:
            return cut < self.before or (self.is_entry and cut <= self.before)
        return cell.end < self.before


class _Left:
    """What may still be given back of a period: in all, and of each line that billed it."""

    def __init__(self, rows: Sequence[Billed]) -> None:
        self.total = max(sum((row.net - row.given for row in rows), ZERO) + _given_twice(rows), ZERO)
        self.span = (min((row.start for row in rows), default=None), max((row.end for row in rows), default=None))
        self._lines: dict[UUID, Decimal] = {}
        for row in rows:
            if row.line_id is not None and row.net > 0:
                self._lines[row.line_id] = self._lines.get(row.line_id, ZERO) + row.net - row.given
        for row in rows:
            undone = -row.given if row.net < 0 else ZERO
            for line_id, part in row.credits:
                stands = part - min(part, undone)
                undone -= part - stands
                self._lines[line_id] = self._lines.get(line_id, ZERO) + (part if row.net > 0 else -stands)

    def take(self, amount: Decimal, wanted: Iterable[tuple[UUID, Decimal]]) -> tuple[tuple[UUID, Decimal], ...]:
        """Give back an amount: of each wanted line its part, then the rest of whatever line has some left."""
        self.total -= amount
        parts: dict[UUID, Decimal] = {}
        for line_id, most in (*wanted, *self._lines.items()):
            part = min(most, self._lines[line_id], amount)
            if part > 0:
                parts[line_id] = parts.get(line_id, ZERO) + part
                self._lines[line_id] -= part
                amount -= part
        return tuple(parts.items())


def _given_twice(rows: Sequence[Billed]) -> Decimal:
    """What was given back of charges before they were taken back by hand, beyond what was left of them: that is set
    off, so the earlier credit stands no more.
    """
    credited: dict[UUID, Decimal] = {}
    for row in rows:
        undone = -row.given if row.net < 0 else ZERO
        for line_id, part in row.credits if row.net < 0 else ():
            stands = part - min(part, undone)
            undone -= part - stands
            credited[line_id] = credited.get(line_id, ZERO) + stands
    return sum(
        (
            max(row.given + credited[row.line_id] - row.net, ZERO)
            for row in rows
            if row.line_id in credited and row.net > 0 and row.given > 0
        ),
        ZERO,
    )


class _Piece(NamedTuple):
    """A stretch of a period in which the agreed quantity and the billed rows stay the same. ``is_first`` says that no
    row at all was written of it.
    """

    start: Moment
    end: Moment
    quantity: Decimal
    rows: tuple[Billed, ...]
    is_first: bool

    @property
    def before(self) -> Decimal:
        return sum((row.quantity for row in self.rows), ZERO)


def differences(
    agreement: Agreement,
    billed: Iterable[Billed],
    due: Due,
    *,
    since: Moment | None = None,
    items: Collection[UUID] | None = None,
    is_joined: bool = False,
) -> list[Difference]:
    """What is to be billed of the items (all of them unless named), in the order of items and periods.

    Periods that end before ``since`` are taken as settled. Amounts are after the subscription's discounts. Credits
    never exceed what was billed for their period. Changes of a billed period that waited for this document have lines
    of their own each, as if billed at once, and a later one may take back a line of an earlier one; with ``is_joined``
    there is one line for each stretch instead, and only what is written is taken back.
    """
    by_item: dict[UUID, list[Billed]] = {}
    for row in billed:
        by_item.setdefault(row.item_id, []).append(row)
    found: list[Difference] = []
    for item in agreement.items:
        if items is None or item.id in items:
            rows = by_item.get(item.id, [])
            for cell in _cells(agreement, item, due, since, max((row.end for row in rows), default=None)):
                own = [row for row in rows if _within(row, cell)]
                taken_over = _taken_over(agreement, item, cell, by_item)
                found.extend(_of_cell(agreement, item, cell, own, taken_over, is_joined))
    return discounted(agreement, found)


def _taken_over(agreement: Agreement, item: Item, cell: Cell, by_item: Mapping[UUID, Sequence[Billed]]) -> list[Billed]:
    """What was billed in advance of the period for prices that are not agreed any more where this one begins: the
    charge of a price that takes over a billed period from its first day is no second renewal.
    """
    if not by_item:
        return []
    begins = max(cell.start, item.start)
    return [
        row
        for other in agreement.items
        if other.id != item.id and other.is_in_advance and other.grid == item.grid and not other.version_at(begins)
        for row in by_item.get(other.id, ())
        if row.start == begins
    ]


def written_to(agreement: Agreement, item: Item, due: Due, since: Moment | None = None) -> Moment | None:
    """Up to where the item's periods are written when everything due is; none when nothing after ``since`` is due."""
    end = None
    for cell in _cells(agreement, item, due, since, None):
        end = cell.end
    return end


def next_due(agreement: Agreement, billed_to: Mapping[UUID, Moment]) -> Moment | None:
    """The start of the moment at which the next document is due; none when nothing is to come.

    ``billed_to`` says up to where each item's periods are written. For a period in advance it is its first moment, for
    one in arrears the first moment after it.
    """
    return min(
        (moment for item in agreement.items if (moment := _next_of(agreement, item, billed_to.get(item.id)))),
        default=None,
    )


# Periods --------------------------------------------------------------------------------------------------------------


def _cells(
    agreement: Agreement, item: Item, due: Due, since: Moment | None, billed_to: Moment | None
) -> Iterator[Cell]:
    """The whole periods of an item that are due or billed, from the one that contains ``since``."""
    first = max(item.start, agreement.start)
    last = _last_moment(agreement, item)
    if last is not None and billed_to is not None:
        last = max(last, billed_to)
    number = item.grid.number_at(max(first, since) if since is not None else first)
    while True:
        cell = item.grid.cell(number)
        is_billed = billed_to is not None and cell.start < billed_to
        if (last is not None and cell.start >= last) or not (is_billed or due.reaches(agreement, item, cell)):
            return
        yield cell
        number += 1


def _last_moment(agreement: Agreement, item: Item) -> Moment | None:
    """The end of everything that was ever agreed of the item; none while it goes on."""
    ends = [version.end for version in item.versions]
    last = None if None in ends else max(end for end in ends if end is not None)
    stop = agreement.last_of(item)
    return stop if last is None else last if stop is None else min(last, stop)


def _cut_of(agreement: Agreement, item: Item) -> Moment | None:
    cuts = [cut for cut in (item.cut_at, agreement.end) if cut is not None]
    return min(cuts) if cuts else None


def _within(row: Billed, cell: Cell) -> bool:
    return cell.start <= row.start < cell.end


def _next_of(agreement: Agreement, item: Item, billed_to: Moment | None) -> Moment | None:
    """When the item is due next: the use of a period that is not written yet, looked for where something is agreed."""
    start = max(item.start, agreement.start) if billed_to is None else billed_to
    for version in agreement.agreed(item):
        if version.end is not None and version.end <= start:
            continue
        if not version.quantity and not item.is_metered:
            continue
        use = max(version.start, start)
        cell = item.grid.cell_at(use)
        if item.is_in_advance:
            return use
        cut = _cut_of(agreement, item)
        return cell.end if cut is None else min(cell.end, cut)
    return None


# One period -----------------------------------------------------------------------------------------------------------


def _of_cell(
    agreement: Agreement,
    item: Item,
    cell: Cell,
    rows: Sequence[Billed],
    taken_over: Sequence[Billed],
    is_joined: bool,
) -> Iterator[Difference]:
    covering = _covering(agreement, item, cell)
    whole = whole_of(agreement, item, cell, rows)
    if whole is None:
        return
    if item.is_metered:
        yield from _usage(agreement, item, whole, rows, covering)
        return
    agreed = [version for version in agreement.agreed(item) if _overlaps(version, whole)]
    begun = _begun(agreement, item, cell) if item.grid.lead is not None else ()
    is_void = agreement.is_void(*begun[-1]) if begun else agreement.is_void(item, cell)
    if agreement.policy.basis == NONE:
        if not any(_first_used(agreement, *part) for part in begun):  # else the part before the pause pays for it
            is_paid = _is_paid(agreement, item, cell)
            yield from _undivided(agreement, item, whole, agreed, rows, covering, is_paid=is_paid, is_void=is_void)
        return
    if len(agreed) == 1 and not (rows or taken_over or is_void) and _fills(agreed[0], whole):
        if agreed[0].quantity:  # as below, for what most periods are: nothing of them is billed, and nothing changes
            yield _charge(agreement, item, whole, _Piece(*whole, agreed[0].quantity, (), is_first=True), covering)
        return
    kept, void = [row for row in rows if not row.is_void], [row for row in rows if row.is_void]
    stages: list[Sequence[Version]] = [() if is_void else agreed]
    if not is_joined and not is_void and not void:
        stages = _as_known_then(agreement, item, whole, agreed, rows, is_taken_over=bool(taken_over))
    found: list[Difference] = []
    coming: list[Billed] = []
    left = _Left(rows)
    for known in stages:
        left = _Left([*rows, *coming])
        for piece in _pieces(known, [*kept, *coming], [*rows, *coming, *taken_over], whole):
            one = _of_piece(agreement, item, whole, piece, left, covering)
            if one is not None:
                is_named = one.net > 0 and len(stages) > 1
                found.append(one._replace(id=uuid5(item.id, f"{whole.start} {len(found)}")) if is_named else one)
        coming = [_as_billed(one) for one in found]
    is_over = is_void or not any(version.quantity for version in agreed)
    if is_over and found and left.total > 0 and (agreement.end is None or agreement.is_credited_at_end):
        found[-1] = _with_rest(found[-1], left)
    yield from (one for one in found if one.net or one.quantity)
    for piece in _pieces(agreed if is_void else (), void, rows, whole):
        if piece.quantity != piece.before:
            yield _void(agreement, item, whole, piece, covering)


def _as_known_then(
    agreement: Agreement,
    item: Item,
    whole: Cell,
    agreed: Sequence[Version],
    rows: Sequence[Billed],
    *,
    is_taken_over: bool,
) -> list[Sequence[Version]]:
    """What was agreed of a billed period in advance as it was known at each change since its last line; the last is
    what is agreed now. What is not billed in advance, and a period that begins, is looked at as it is now.
    """
    if not item.is_in_advance or not agreed:
        return [agreed]
    since, until = agreed[0].start, whole.end
    if rows:
        since, until = max(row.start for row in rows), max(row.end for row in rows)
    elif agreement.end is not None:
        until = min(until, agreement.end)
    marks = sorted(
        {mark for one in agreed for mark in (one.start, one.end) if mark is not None and since < mark < until}
    )
    is_in_the_middle = agreed[0].start == item.start > max(whole.start, agreement.start)
    if len(marks) < 2 if rows else not (is_in_the_middle or is_taken_over):
        return [agreed]
    return [*(_as_known_at(agreed, mark, until) for mark in (since, *marks[:-1])), agreed]


def _as_known_at(agreed: Sequence[Version], at: Moment, until: Moment) -> Sequence[Version]:
    """What ran at the moment was to go on."""
    known = [one for one in agreed if one.start <= at]
    if known and known[-1].end is not None and at < known[-1].end < until:
        known[-1] = known[-1]._replace(end=until)
    return known


def _as_billed(one: Difference) -> Billed:
    """A line to be, as its row in the ledger will be."""
    return Billed(
        one.item_id, one.start, one.end, one.cell, one.quantity, one.gross, one.share, one.net, one.id, one.credits
    )


def _with_rest(last: Difference, left: _Left) -> Difference:
    """The last credit of a period of which nothing stands any more: with the cents that its roundings left over."""
    parts = dict(last.credits)
    net = last.net - left.total
    for line_id, part in left.take(left.total, ()):
        parts[line_id] = parts.get(line_id, ZERO) + part
    return last._replace(kind=PRORATION_CREDIT, net=net, before_discount=net, credits=tuple(parts.items()))


def _covering(agreement: Agreement, item: Item, cell: Cell) -> Discounts:
    """The discounts that cover a period of the item."""
    if not agreement.discounts:
        return ()
    ordinal = ordinal_of(agreement, item.grid, cell)
    begins = max(cell.start, agreement.start)
    return tuple(
        one
        for one in agreement.discounts
        if one.covers(ordinal, begins, item.product, _first_of(agreement, item, one.since))
    )


def gives_from(agreement: Agreement, discount: Discount, moment: Moment) -> bool:
    """Whether a discount is for a period that begins at a moment or later."""
    for item in agreement.items:
        cell = item.grid.cell_at(max(moment, item.start, agreement.start))
        if max(cell.start, agreement.start) < moment:
            cell = item.grid.cell_at(cell.end)
        begins, last = max(cell.start, agreement.start), _last_moment(agreement, item)
        first = _first_of(agreement, item, discount.since)
        if (last is None or begins < last) and discount.covers(
            ordinal_of(agreement, item.grid, cell), begins, item.product, first
        ):
            return True
    return False


def _first_of(agreement: Agreement, item: Item, since: Moment | None) -> int:
    """The number of the first period that begins at a moment or later."""
    if since is None or since <= agreement.start:
        return 0
    cell = item.grid.cell_at(since)
    return ordinal_of(agreement, item.grid, cell) + (0 if cell.start >= since else 1)


def ordinal_of(agreement: Agreement, grid: Grid, cell: Cell) -> int:
    """The number of a period, the first being 0. A time that stood still is not counted."""
    number = grid.number_at(cell.start)
    if grid.ordinal is not None:
        return max(number + grid.ordinal, 0)
    return max(number - grid.number_at(agreement.start), 0)


def whole_of(agreement: Agreement, item: Item, cell: Cell, rows: Sequence[Billed]) -> Cell | None:
    """What counts as the whole of a period: the period itself, or a first part that is billed in full; none if free.

    What was billed before keeps the whole that it was billed with.
    """
    if rows:
        return rows[0].cell
    is_first_part = cell.start < agreement.start and _shares_the_start(agreement, item)
    if is_first_part and agreement.policy.first_period == FREE:
        return None
    if agreement.policy.basis == NONE:
        used = [version for version in agreement.agreed(item) if version.quantity and _overlaps(version, cell)]
        return Cell(max(cell.start, used[0].start), cell.end) if used else cell
    if is_first_part and agreement.policy.first_period == FULL:
        return Cell(agreement.start, cell.end)
    return cell


def _shares_the_start(agreement: Agreement, item: Item) -> bool:
    """Whether its periods are those of the start: its own, or of an item that it replaced or joined."""
    return any(one.start <= agreement.start and one.grid == item.grid for one in agreement.items)


def _overlaps(version: Version, cell: Cell) -> bool:
    return version.start < cell.end and (version.end is None or version.end > cell.start)


def _fills(version: Version, cell: Cell) -> bool:
    return version.start <= cell.start and (version.end is None or version.end >= cell.end)


def _pieces(agreed: Sequence[Version], rows: Sequence[Billed], every: Sequence[Billed], whole: Cell) -> list[_Piece]:
    """The period cut wherever the agreed quantity or the billed rows change, and joined again where neither does.

    ``every`` row of the period says where one was written already.
    """
    spans = [*((one.start, one.end) for one in agreed), *((row.start, row.end) for row in every)]
    inside = {mark for span in spans for mark in span if mark is not None and whole.start < mark < whole.end}
    places = sorted({whole.start, whole.end, *inside})
    pieces: list[_Piece] = []
    for start, end in pairwise(places):
        quantity = next((one.quantity for one in agreed if _overlaps(one, Cell(start, end))), ZERO)
        covering = tuple(row for row in rows if row.start <= start and row.end >= end)
        is_first = not any(row.start <= start and row.end >= end for row in every)
        last = pieces[-1] if pieces else None
        if last is not None and (last.quantity, last.rows, last.is_first) == (quantity, covering, is_first):
            pieces[-1] = last._replace(end=end)
        else:
            pieces.append(_Piece(start, end, quantity, covering, is_first))
    return pieces


def _of_piece(
    agreement: Agreement, item: Item, whole: Cell, piece: _Piece, left: _Left, covering: Discounts
) -> Difference | None:
    if piece.quantity == piece.before:
        return None
    if not piece.before:
        return _charge(agreement, item, whole, piece, covering)
    if _is_kept(agreement, item, whole, piece):
        return None
    if agreement.stands_from is not None and piece.start >= agreement.stands_from:
        return None
    return _adjustment(agreement, item, whole, piece, left, covering)


def _is_kept(agreement: Agreement, item: Item, whole: Cell, piece: _Piece) -> bool:
    """Whether a stretch lies beyond an end that gives nothing back: that of the subscription, or that of an item whose
    own period ended before the period of another with which the subscription ends.
    """
    if agreement.is_credited_at_end or agreement.end is None:
        return False
    if piece.start >= agreement.end:
        return True
    last = _last_moment(agreement, item)
    return last is not None and item.start < last <= whole.start and item.grid.cell_at(last).start == last


def _undivided(
    agreement: Agreement,
    item: Item,
    whole: Cell,
    agreed: Sequence[Version],
    rows: Sequence[Billed],
    covering: Discounts,
    *,
    is_paid: bool,
    is_void: bool,
) -> Iterator[Difference]:
    """A period of which no parts are counted: paid in full as it is first used, and given back in full when somebody
    looks back and not a day of it is used. ``is_paid`` says that another price pays for it.
    """
    kept, void = [row for row in rows if not row.is_void], [row for row in rows if row.is_void]
    first = next((version.quantity for version in agreed if version.quantity), ZERO)
    wanted = ZERO if is_void else first
    if wanted and not any(_billed_at(row.start, kept) for row in kept):
        if not is_paid:
            yield _charge(agreement, item, whole, _Piece(*whole, wanted, (), is_first=not rows), covering)
    elif kept and not (wanted and is_paid):
        yield from _repaired(agreement, item, whole, wanted, kept, covering)
    piece = _Piece(*whole, first if is_void else ZERO, tuple(void), is_first=not rows)
    if piece.quantity != piece.before:
        yield _void(agreement, item, whole, piece, covering)


def _begun(agreement: Agreement, item: Item, cell: Cell) -> list[tuple[Item, Cell]]:
    """The earlier parts of a period that pauses interrupted, as the items that had them and their periods, the first
    part last.
    """
    parts: list[tuple[Item, Cell]] = []
    while cell.start == item.grid.lead:
        before = next((part for other in agreement.items if (part := _interrupted(other, item))), None)
        if before is None:
            break
        parts.append(before)
        item, cell = before
    return parts


def _interrupted(other: Item, item: Item) -> tuple[Item, Cell] | None:
    """An item and its last period, when that goes on as the other item's first one."""
    stop = other.versions[-1].end
    if other.id == item.id or other.price != item.price or stop is None or not other.start < stop <= item.start:
        return None
    number = other.grid.number_at(stop)
    last = other.grid.cell(number - 1 if other.grid.boundary(number) == stop else number)
    return (other, last) if last.end + (item.start - stop) == item.grid.base else None


def _first_used(agreement: Agreement, item: Item, cell: Cell) -> Decimal:
    """The quantity with which a period, or a part of one, is first used; zero when it is not."""
    quantities = (version.quantity for version in agreement.agreed(item) if _overlaps(version, cell))
    return next((quantity for quantity in quantities if quantity), ZERO)


def _is_paid(agreement: Agreement, item: Item, cell: Cell) -> bool:
    """Whether a price that was used in the period before this one took its place pays for all of it."""
    start = max(cell.start, agreement.start)
    begins = max(start, item.start)
    return begins > start and any(
        other.id != item.id
        and not other.is_metered
        and other.grid == item.grid
        and not other.version_at(begins)
        and _first_used(agreement, other, Cell(start, begins))
        for other in agreement.items
    )


def _repaired(
    agreement: Agreement, item: Item, whole: Cell, wanted: Decimal, rows: Sequence[Billed], covering: Discounts
) -> Iterator[Difference]:
    """What stands of a period that is paid in full, brought to another quantity, or given back to the last cent."""
    left, found = _Left(rows), list[Difference]()
    for piece in _pieces([Version(*whole, wanted)], rows, rows, whole):
        one = _of_piece(agreement, item, whole, piece, left, covering) if piece.before else None
        if one is not None:
            found.append(one)
    if found and not wanted and left.total > 0 and (agreement.end is None or agreement.is_credited_at_end):
        found[-1] = _with_rest(found[-1], left)
    yield from found


def _billed_at(moment: Moment, rows: Sequence[Billed]) -> Decimal:
    return sum((row.quantity for row in rows if row.start <= moment < row.end), ZERO)


def _charge(agreement: Agreement, item: Item, whole: Cell, piece: _Piece, covering: Discounts) -> Difference:
    """A stretch of which nothing is billed: its share of the price."""
    is_recurring = _is_recurring(agreement, item, whole, piece)
    share = share_of(piece.start, piece.end, whole, item.interval, agreement.policy.basis)
    gross, full, after = _charged(
        item.pricing, piece.quantity, covering, share, agreement.currency, agreement.policy.rounding
    )
    return Difference(
        item.id,
        RECURRING if is_recurring else PRORATION_CHARGE,
        piece.start,
        piece.end,
        whole,
        piece.quantity,
        gross,
        share,
        full if is_recurring else after,  # a recurring line's discounts are spread over its document
        full,
        covering,
    )


@lru_cache(maxsize=4096)
def _charged(
    pricing: Pricing, quantity: Decimal, covering: Discounts, share: Share, currency: str, rounding: Rounding
) -> tuple[Decimal, Decimal, Decimal]:
    """What a quantity costs for the whole period after percentages, and what its share comes to before and after them.
    Most charges of a billing run are those of others, and are worked out once.
    """
    price = price_of(pricing, quantity)
    gross = _times(price, factor(covering))
    return gross, _amount(price, share, currency, rounding), _amount(gross, share, currency, rounding)


def _is_recurring(agreement: Agreement, item: Item, whole: Cell, piece: _Piece) -> bool:
    """What was billed, given back and is billed again is no second period."""
    begins = piece.start in (whole.start, agreement.start) or not item.is_in_advance
    return begins and piece.is_first


def _void(agreement: Agreement, item: Item, whole: Cell, piece: _Piece, covering: Discounts) -> Difference:
    """A stretch of a period that comes to nothing: it is written, so that the period is known, and bills nothing."""
    change = piece.quantity - piece.before
    kind = RECURRING if _is_recurring(agreement, item, whole, piece) else PRORATION_CHARGE
    share = share_of(piece.start, piece.end, whole, item.interval, agreement.policy.basis)
    return Difference(
        item.id, kind if change > 0 else PRORATION_CREDIT, piece.start, piece.end, whole, change, ZERO, share, ZERO,
        ZERO, covering, is_void=True,
    )  # fmt: skip


def _adjustment(
    agreement: Agreement, item: Item, whole: Cell, piece: _Piece, left: _Left, covering: Discounts
) -> Difference:
    """A stretch of which something else is billed: the difference of the full amounts times the share, rounded once."""
    share = share_of(piece.start, piece.end, whole, item.interval, agreement.policy.basis)
    old_gross = sum((row.gross for row in piece.rows), ZERO)
    gross = _times(price_of(item.pricing, piece.quantity), factor(covering)) - old_gross
    # What was given back of a charge that was then credited by hand is no debt of the customer.
    paid = max(sum((_value(agreement, row) for row in piece.rows), Fraction(0)), Fraction(0))
    change = max(Fraction(gross), -paid) if piece.quantity else -paid
    is_all = not piece.quantity and (piece.start, piece.end) == left.span
    net = -left.total if is_all else max(_rounded(agreement, change * share.fraction), -left.total)
    return Difference(
        item.id,
        PRORATION_CREDIT if net < 0 else PRORATION_CHARGE,
        piece.start,
        piece.end,
        whole,
        piece.quantity - piece.before,
        gross,
        share,
        net,
        net,
        covering,
        left.take(-net, _parts(agreement, piece, share)) if net < 0 else (),
    )


def _parts(agreement: Agreement, piece: _Piece, share: Share) -> Iterator[tuple[UUID, Decimal]]:
    """What each line that billed the stretch has to give back of it."""
    for row in piece.rows:
        if row.line_id is not None and row.net > 0:
            yield row.line_id, _rounded(agreement, _value(agreement, row) * share.fraction)


def _usage(
    agreement: Agreement, item: Item, whole: Cell, rows: Sequence[Billed], covering: Discounts
) -> Iterator[Difference]:
    """What was used in the period and is not billed yet, at the price of the whole quantity. It has no share."""
    used = sum((one.quantity for one in item.usage if whole.start <= one.at < whole.end), ZERO)
    before = sum((row.quantity for row in rows), ZERO)
    if used == before:
        return
    price = price_of(item.pricing_of(whole), max(used, ZERO))
    gross = _times(price, factor(covering)) - sum((row.gross for row in rows), ZERO)
    share = share_of(whole.start, whole.end, whole, item.interval, agreement.policy.basis)
    start, end = max(whole.start, agreement.start), whole.end
    if agreement.end is not None:
        end = min(end, agreement.end)
    counted = gross if rows else price
    left = _Left(rows)
    amount = max(rounded(counted, agreement.currency).amount, -left.total)
    yield Difference(
        item.id, USAGE, start, end, whole, used - before, gross, share, amount, amount, covering,
        left.take(-amount, ()) if amount < 0 else (),
    )  # fmt: skip


# Amounts --------------------------------------------------------------------------------------------------------------


def _amount(price: Decimal, share: Share, currency: str, rounding: Rounding) -> Decimal:
    whole = share.part == share.whole
    return rounded(price if whole else Fraction(price) * share.fraction, currency, rounding).amount


def _rounded(agreement: Agreement, exact: Fraction) -> Decimal:
    """The one rounding of a line that has a share, as the policy says."""
    return rounded(exact, agreement.currency, agreement.policy.rounding).amount


def _value(agreement: Agreement, row: Billed) -> Fraction:
    """What the whole period costs at what was really invoiced: after discounts and earlier credits, never from the
    list.
    """
    gross = Fraction(row.gross)
    if not row.given and _rounded(agreement, gross * row.share.fraction) == row.net:
        return gross
    return Fraction(row.net - row.given) / row.share.fraction


def _times(price: Decimal, by: Decimal) -> Decimal:
    return _EXACT.multiply(price, by)
