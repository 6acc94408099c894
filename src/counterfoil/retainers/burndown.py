"""Retainers as the rules know them: read for many at once, in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.core.money import currency_decimals, rounded
from counterfoil.retainers.models import Draw, EntryStatus, Expense, Retainer, TimeEntry, Unit
from counterfoil.retainers.rules import burning
from counterfoil.retainers.rules.burning import Burned, Terms, Use, burn
from counterfoil.subscriptions.rules.grid import Interval

HOURS_DECIMALS = 2


def terms_of(retainer: Retainer) -> Terms:
    rule = burning.RollOver(retainer.roll_over, retainer.most_rolled, retainer.rolled_periods)
    return Terms(
        amount=retainer.amount,
        interval=Interval(retainer.interval, retainer.count),
        start=retainer.starts_on,
        anchor_day=retainer.anchor_day,
        roll_over=rule,
        end=retainer.ends_on,
        decimals=HOURS_DECIMALS if retainer.unit == Unit.HOURS else currency_decimals(retainer.currency),
    )


def quantity_of(entry: TimeEntry | Expense, retainer: Retainer | None) -> Decimal:
    """How much of the retainer's unit an entry uses: hours, or its worth."""
    if isinstance(entry, TimeEntry) and retainer is not None and retainer.unit == Unit.HOURS:
        return entry.hours
    return worth_of(entry)


def worth_of(entry: TimeEntry | Expense) -> Decimal:
    """What an entry costs by itself, rounded once."""
    if isinstance(entry, Expense):
        return entry.amount
    return rounded(entry.hours * (entry.rate or Decimal(0)), entry.currency).amount


def uses_of(retainers: Sequence[Retainer], *, with_open: bool) -> dict[UUID, list[Use]]:
    """What was settled of each retainer, with its draws; with ``with_open``, also what is approved and not settled."""
    known = {one.pk: one for one in retainers}
    draws: dict[UUID, list[burning.Draw]] = defaultdict(list)
    for draw in Draw.objects.filter(retainer__in=known).order_by("granted_on"):
        draws[_entry_of(draw)].append(burning.Draw(draw.granted_on, draw.quantity))
    states = [EntryStatus.SETTLED, *([EntryStatus.APPROVED] if with_open else [])]
    uses: dict[UUID, list[Use]] = {one.pk: [] for one in retainers}
    for kind in (TimeEntry, Expense):
        for entry in _entries(kind, known, states):
            settled = tuple(draws.get(entry.pk, ())) if entry.status == EntryStatus.SETTLED else None
            uses[entry.retainer_id].append(
                Use(entry.pk, entry.day, quantity_of(entry, known[entry.retainer_id]), settled)
            )
    return uses


def _entry_of(draw: Draw) -> UUID:
    found = draw.time_id or draw.expense_id
    assert found is not None  # a constraint sees to it
    return found


def _entries(kind: Any, retainers: Iterable[UUID], states: Sequence[str]) -> Any:
    return kind.objects.filter(retainer__in=list(retainers), status__in=states, is_billable=True).order_by("id")


def burned(retainers: Sequence[Retainer], on: date) -> dict[UUID, Burned]:
    """Each retainer as of a day, with everything that was approved."""
    uses = uses_of(retainers, with_open=True)
    return {one.pk: burn(terms_of(one), uses[one.pk], on) for one in retainers}
