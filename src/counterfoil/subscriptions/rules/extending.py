"""A pause during which time stands still: what is left of the billed period goes on after it, and all that follows
moves by its length. The worked table stands in ``docs/concepts/pauses.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from counterfoil.subscriptions.rules.agreement import MOVED, Agreement, Billed, Difference, Item, Span, Version
from counterfoil.subscriptions.rules.billing import Due, differences, ordinal_of, whole_of
from counterfoil.subscriptions.rules.changes import ended
from counterfoil.subscriptions.rules.grid import ACTUAL_DAYS, NONE, Cell, Grid, Moment, day_of


@dataclass(frozen=True, slots=True)
class Continued:
    """An item that goes on after the pause as another: ``old`` ends with the pause, ``versions`` run on ``grid``."""

    old: Item
    versions: tuple[Version, ...]
    grid: Grid


@dataclass(frozen=True, slots=True)
class Moved:
    """A part of a billed period that was ``taken`` off where it was and is ``given`` where it goes on."""

    taken: Difference
    given: Difference


def last_billed_start(agreement: Agreement, billed: Iterable[Billed]) -> Moment | None:
    """The start of the last period of which something was billed. A pause that extends begins no earlier."""
    metered = {item.id for item in agreement.items if item.is_metered}
    return max((row.cell.start for row in billed if row.item_id not in metered), default=None)


def continued(agreement: Agreement, start: Moment, by: timedelta, billed: Sequence[Billed]) -> Iterator[Continued]:
    """How each item goes on after a pause that began at ``start`` and lasted ``by``.

    The period that it interrupted ends later by its length, and the following ones are counted from there. What is
    metered stays as it is.
    """
    for item in agreement.items:
        last = item.versions[-1].end
        if item.is_metered or (last is not None and last <= start):
            continue
        begins = max(start, item.start)
        cell = item.grid.cell_at(begins)
        whole = whole_of(agreement, item, cell, [row for row in billed if _is_of(row, item, cell)])
        if whole is None:  # what costs nothing does not go on
            begins, whole = cell.end, cell
        is_new = cell.start == begins and not _is_billed(agreement, item.grid, cell, billed)
        base = begins if is_new else cell.end
        yield Continued(
            ended(item, start),
            tuple(
                Version(max(one.start, begins) + by, None if one.end is None else one.end + by, one.quantity)
                for one in item.versions
                if one.end is None or one.end > begins
            ),
            Grid(
                item.interval,
                base + by,
                day_of(base + by, agreement.zone).day if item.interval.months else None,
                agreement.zone,
                lead=None if base == begins else base + by - (whole.end - whole.start),
                ordinal=ordinal_of(agreement, item.grid, cell) + (0 if base == cell.start else 1),
            ),
        )


def moved(
    agreement: Agreement, billed: Sequence[Billed], one: Continued, start: Moment, by: timedelta
) -> Iterator[Moved]:
    """What was billed of the item beyond the start of the pause, at its place after it: to the cent what a pause that
    skips would have given back.
    """
    policy = agreement.policy
    resting = agreement._replace(
        stands_from=None,
        end=None,
        pauses=(*agreement.pauses, Span(start, None)),
        policy=replace(policy, basis=ACTUAL_DAYS) if policy.basis == NONE else policy,
    )
    for taken in differences(resting, billed, Due(start), items=[one.old.id], is_joined=True):
        if taken.quantity >= 0 or taken.start < start or taken.is_void:
            continue
        lead = one.grid.lead if one.grid.lead is not None else taken.cell.start + by
        given = taken._replace(
            start=taken.start + by,
            end=taken.end + by,
            cell=Cell(lead, taken.cell.end + by),
            quantity=-taken.quantity,
            gross=-taken.gross,
            net=-taken.net,
            before_discount=-taken.before_discount,
            kind=MOVED,
        )
        yield Moved(taken._replace(kind=MOVED), given)


def _is_billed(agreement: Agreement, grid: Grid, cell: Cell, billed: Sequence[Billed]) -> bool:
    """Whether something is billed of a period, of whichever of the items that share it."""
    sharing = {item.id for item in agreement.items if item.grid == grid and not item.is_metered}
    return any(row.item_id in sharing and cell.start <= row.start < cell.end for row in billed)


def _is_of(row: Billed, item: Item, cell: Cell) -> bool:
    return row.item_id == item.id and cell.start <= row.start < cell.end
