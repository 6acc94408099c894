"""Phases in words: the items of a phase where they are few, and of many what changes from phase to phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterfoil.subscriptions.queries import Phase, PhaseItem
from counterfoil.surface import display

NAMED = 5


@dataclass(frozen=True)
class ToldPhase:
    """A phase with what is to be said of its items."""

    phase: Phase
    words: str


def told(phases: Sequence[Phase]) -> list[ToldPhase]:
    """The phases in their order. One of more than a few items says what differs from the last one that had items."""
    found: list[ToldPhase] = []
    before: tuple[PhaseItem, ...] = ()
    for phase in phases:
        if phase.kind == "running" and not phase.items:
            words = "No items"
        elif len(phase.items) > NAMED and before:
            words = _changes(before, phase.items)
        else:
            words = _listed([_named(item) for item in phase.items], "more")
        found.append(ToldPhase(phase, words))
        before = phase.items or before
    return found


def _changes(before: tuple[PhaseItem, ...], after: tuple[PhaseItem, ...]) -> str:
    was = {item.item_id: item for item in before}
    stays = {item.item_id for item in after}
    said = []
    for item in after:
        old = was.get(item.item_id)
        if old is None:
            said.append(f"{_named(item)}, new")
        elif old.quantity != item.quantity:
            said.append(f"{_named(item)}, was {display.number(old.quantity)}")
    said += [f"{item.description} ends" for item in before if item.item_id not in stays]
    return _listed(said, "more changes", separator="; ") or f"The same {len(after)} items"


def _named(item: PhaseItem) -> str:
    if item.is_metered or item.quantity == 1:
        return item.description
    return f"{item.description} ×\N{NO-BREAK SPACE}{display.number(item.quantity)}"


def _listed(said: list[str], more: str, *, separator: str = ", ") -> str:
    rest = len(said) - NAMED
    shown = separator.join(said[:NAMED])
    return f"{shown} and {rest} {more}" if rest > 0 else shown
