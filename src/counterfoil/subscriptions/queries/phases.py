"""A subscription over time: from when until when it consists of what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED
from counterfoil.catalog.rules.wording import price_in_words
from counterfoil.core.errors import NotFound
from counterfoil.subscriptions.agreements import Loaded, load, pricing_of
from counterfoil.subscriptions.models import Subscription, SubscriptionItem
from counterfoil.subscriptions.rules.grid import Moment, day_of, restored


@dataclass(frozen=True)
class PhaseItem:
    """So much of an item during a phase. ``words`` is the price, closed for whom prices are."""

    item_id: UUID
    description: str
    quantity: Decimal
    is_metered: bool
    words: Any


@dataclass(frozen=True)
class Phase:
    """A stretch in which nothing changes. ``kind`` is running, trial, paused or ended; ``end`` is out."""

    start: date
    end: date | None
    kind: str
    items: tuple[PhaseItem, ...]
    is_present: bool


def phases_of(actor: Actor, subscription_id: UUID, today: date, language: str = "en") -> list[Phase]:
    """The phases of a subscription, the first first; raises ``NotFound``."""
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None or not actor.may("subscriptions.see"):
        raise NotFound()
    (loaded,) = load([subscription])
    return _phases(loaded, today, language, "pricing" in actor.reads)


def _phases(loaded: Loaded, today: date, language: str, may_know: bool) -> list[Phase]:
    one, agreement = loaded.subscription, loaded.agreement
    first = restored(one.starts_at, one.basis)
    marks: set[Moment] = {first, agreement.start}
    for item in agreement.items:
        marks.update(mark for version in item.versions for mark in (version.start, version.end) if mark is not None)
    marks.update(mark for pause in loaded.rests for mark in pause if mark is not None)
    if agreement.end is not None:
        marks = {mark for mark in marks if mark < agreement.end} | {agreement.end}
    places: list[Moment | None] = [*sorted(marks), None]
    found: list[Phase] = []
    for start, end in pairwise(places):
        assert start is not None
        kind = _kind(loaded, start)
        items = () if kind in ("paused", "ended") else tuple(_items(loaded, start, language, may_know))
        first_day = day_of(start, one.zone)
        last = None if end is None else day_of(end, one.zone)
        is_present = first_day <= today and (last is None or today < last)
        if found and (found[-1].kind, found[-1].items) == (kind, items):
            before = found.pop()
            found.append(Phase(before.start, last, kind, items, before.is_present or is_present))
        else:
            found.append(Phase(first_day, last, kind, items, is_present))
    return found


def _kind(loaded: Loaded, moment: Moment) -> str:
    agreement = loaded.agreement
    if agreement.end is not None and moment >= agreement.end:
        return "ended"
    if agreement.stands_from is not None and moment >= agreement.stands_from:
        return "paused"
    if any(pause.start <= moment and (pause.end is None or moment < pause.end) for pause in loaded.rests):
        return "paused"
    return "trial" if moment < agreement.start else "running"


def _items(loaded: Loaded, moment: Moment, language: str, may_know: bool) -> list[PhaseItem]:
    at = max(moment, loaded.agreement.start)
    found = []
    for item in loaded.agreement.items:
        version = item.version_at(at)
        if version is None or not (version.quantity or item.is_metered):
            continue
        row = loaded.items[item.id]
        words = _words(row, loaded.subscription.currency, language) if may_know else CLOSED
        found.append(PhaseItem(item.id, row.description, version.quantity, item.is_metered, words))
    return found


def _words(row: SubscriptionItem, currency: str, language: str) -> str:
    return price_in_words(
        pricing_of(row),
        currency=currency,
        unit=row.unit,
        interval=row.interval,
        count=row.count,
        billed="in_advance" if row.is_in_advance else "in_arrears",
        language=language,
    )
