"""What a change would do: the very command runs in a scratch copy, and what it made is read and thrown away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row
from counterfoil.invoicing.queries import get_invoice
from counterfoil.plumbing.scratch import scratch
from counterfoil.subscriptions import commands, queries
from counterfoil.subscriptions.models import BilledPeriod
from counterfoil.subscriptions.queries import Sums, Upcoming
from counterfoil.surface.as_json import row_json

PREVIEWED = 200


@dataclass(frozen=True)
class Preview:
    """The documents that would be made, as the actor would see them, and what would be billed after them."""

    documents: tuple[Row, ...]
    subscription: Row
    next: Upcoming | None


def preview_start(actor: Actor, act: Callable[[], UUID], on: date) -> Preview:
    """What starting a subscription would do. Refused as the start itself would be."""
    with scratch():
        subscription_id = act()
        return _looked_at(actor, subscription_id, frozenset(), on)


def preview(actor: Actor, subscription_id: UUID, act: Callable[[], object], on: date) -> Preview:
    """What a change of a subscription would do. Refused as the change itself would be."""
    with scratch():
        before = frozenset(_documents(subscription_id))
        act()
        return _looked_at(actor, subscription_id, before, on)


@dataclass(frozen=True)
class IncreasePreview:
    """What a price increase would do to the first of ``expected`` subscriptions."""

    raises: tuple[Row, ...]
    sums: Sums
    expected: int
    looked_at: int
    notice: str

    def as_json(self) -> dict[str, Any]:
        """As the API answers it: raises without what would be another by then."""
        passing = ("id", "version", "increase", "title")
        return {
            "expected": self.expected,
            "looked_at": self.looked_at,
            "notice": self.notice,
            "states": self.sums.states,
            "reasons": self.sums.reasons,
            "raises": [
                {name: value for name, value in row_json(row).items() if name not in passing} for row in self.raises
            ],
        }


def preview_increase(actor: Actor, act: Callable[[], UUID], at: datetime) -> IncreasePreview:
    """What planning an increase would do, for the first subscriptions. Refused as the plan itself would be."""
    with scratch():
        increase_id = act()
        commands.plan_raises(actor=Actor.system(), increase_id=increase_id, at=at, chunk=PREVIEWED)
        row = queries.get_increase(actor, increase_id)
        raises, _ = queries.list_raises(actor, increase_id, limit=PREVIEWED)
        sums = queries.sums_of(actor, increase_id)
        return IncreasePreview(tuple(raises), sums, row.expected, row.looked_at, row.notice)


def _looked_at(actor: Actor, subscription_id: UUID, before: frozenset[UUID], on: date) -> Preview:
    made = [one for one in _documents(subscription_id) if one not in before]
    row = queries.get_subscription(actor, subscription_id, on)
    return Preview(tuple(get_invoice(actor, one, on) for one in made), row, row.next)


def _documents(subscription_id: UUID) -> list[UUID]:
    """The documents that bill the subscription, in the order in which they were made."""
    found = BilledPeriod.objects.filter(subscription=subscription_id, invoice_id__isnull=False)
    return list(dict.fromkeys(found.order_by("id").values_list("invoice_id", flat=True)))  # type: ignore[arg-type]
