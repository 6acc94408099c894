"""What will be billed next, when and why: the engine's own answer for the day on which the next document is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.core.money import Money
from counterfoil.invoicing.models import LineKind
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.agreement import Difference, Item
from counterfoil.subscriptions.rules.billing import Due, differences
from counterfoil.subscriptions.rules.grid import Moment, day_of, moment_of, next_day, restored
from counterfoil.subscriptions.rules.wording import why


@dataclass(frozen=True)
class UpcomingLine:
    """A line that will be. ``net`` and ``why`` are closed for whom prices are; ``last_day`` is in."""

    item_id: UUID
    description: str
    kind: str
    first_day: date
    last_day: date
    quantity: Decimal
    net: Any
    why: Any


@dataclass(frozen=True)
class Upcoming:
    """The next bill of a subscription. ``because`` says why on this day; ``is_waiting`` that the day has come."""

    on: date
    because: str
    lines: tuple[UpcomingLine, ...]
    net: Any
    is_waiting: bool
    problem: str = ""


def next_bill(actor: Actor, subscription_id: UUID, today: date) -> Upcoming | None:
    """The next bill of one subscription, before tax; none when nothing is to come. Raises ``NotFound``."""
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None or not actor.may("subscriptions.see"):
        raise NotFound()
    return upcoming_of(actor, load([subscription])[0], today)


def upcoming_of(actor: Actor, loaded: Loaded, today: date) -> Upcoming | None:
    """The next bill of a subscription that was read already."""
    subscription, agreement = loaded.subscription, loaded.agreement
    if subscription.due_at is None:
        return None
    due = restored(subscription.due_at, subscription.basis)
    due_on = day_of(due, subscription.zone)
    on = max(due_on, today)
    day = next_day(moment_of(on, subscription.basis, subscription.zone), subscription.zone)
    try:
        found = differences(agreement, loaded.billed, Due(day), since=loaded.settled_to)
    except (Refusal, ValueError, ArithmeticError) as error:
        return Upcoming(on, "", (), None, due_on <= today, f"It cannot be worked out: {error}")
    items = {item.id: item for item in agreement.items}
    may_know = "pricing" in actor.reads
    lines = tuple(_line(loaded, one, items[one.item_id], may_know) for one in found if one.net)
    net = Money.exact(sum((one.net for one in found), Decimal(0)), subscription.currency) if may_know else CLOSED
    return Upcoming(on, _because(loaded, due), lines, net, due_on <= today)


def _line(loaded: Loaded, one: Difference, item: Item, may_know: bool) -> UpcomingLine:
    subscription, row = loaded.subscription, loaded.items[one.item_id]
    return UpcomingLine(
        item_id=one.item_id,
        description=row.description,
        kind=str(LineKind(one.kind).label),
        first_day=day_of(one.start, subscription.zone),
        last_day=_last_day(one.end, subscription.zone),
        quantity=one.quantity,
        net=Money.exact(one.net, subscription.currency) if may_know else CLOSED,
        why=why(one, item, subscription.basis, subscription.currency) if may_know else CLOSED,
    )


def _last_day(end: Moment, zone: str) -> date:
    """The last day that lies before the end."""
    day = day_of(end, zone)
    return (
        day
        if moment_of(day, "seconds", zone) < moment_of(end, "seconds", zone)
        else date.fromordinal(day.toordinal() - 1)
    )


def _because(loaded: Loaded, due: Moment) -> str:
    """Which item makes it due on this day."""
    agreement = loaded.agreement
    if agreement.end is not None and agreement.end <= due:
        return "The subscription ends, and the rest is settled."
    rests = any(pause.start <= due and (pause.end is None or due < pause.end) for pause in loaded.rests)
    for item in agreement.items:
        billed_to = loaded.items[item.id].billed_to
        start = max(item.start, agreement.start) if billed_to is None else loaded.moment(billed_to)
        name = loaded.items[item.id].description
        if item.is_in_advance and start == due and not rests:
            return f"{name} is billed in advance, and a period begins."
        if not item.is_in_advance and start < due and item.grid.cell_at(start).end == due:
            return f"{name} is billed in arrears, and a period has ended."
    if rests:
        return "It rests; what was used or changed until then is settled."
    return "Something changed or was used since the last document."
