"""Price increases: carried out on their days.

By an ordinary change of the subscription; a price by usage, which has no quantity to change, gets the new one for the
periods from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import itemgetter
from uuid import UUID

from django.db.models import Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.catalog.rules.pricing import Pricing, tiers_from
from counterfoil.core.errors import Refusal
from counterfoil.plumbing.bulk import Asked, one_trip, read_together, read_where, update_rows
from counterfoil.plumbing.outbox import part_of_a_wish
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load, past_prices_as_rows
from counterfoil.subscriptions.commands.billing import still_in_review, waiting_for_review
from counterfoil.subscriptions.commands.changing import Change, carry_out, planned_change
from counterfoil.subscriptions.commands.increasing import CHUNK, moment_at, new_pricing, tell, waits
from counterfoil.subscriptions.models import IncreaseState, PriceRaise, RaiseState, Subscription, SubscriptionItem
from counterfoil.subscriptions.ordering import order_of_item
from counterfoil.subscriptions.queries.increases import has_come, local_day
from counterfoil.subscriptions.rules.agreement import Item
from counterfoil.subscriptions.rules.grid import Moment, day_of
from counterfoil.subscriptions.rules.orders import ItemOrder
from counterfoil.subscriptions.rules.raising import changes_later, with_past_price


@command("subscriptions.raise_prices", needs="subscriptions.run")
def raise_prices(
    *, actor: Actor, at: datetime, chunk: int | None = CHUNK, subscription_ids: Sequence[UUID] | None = None
) -> int:
    """Carry out the raises whose day has come, of these subscriptions or of all, up to a chunk; answers how many it
    looked at. A fixed number of statements for each day on which prices of one subscription rise, however many rise.

    What fails stays as it was, with its reason; the others go on. A raise of which the customer was to be told, and was
    not yet, waits for that.
    """
    due = raises_due(at).exclude(_TO_BE_TOLD)
    if subscription_ids is not None:
        due = due.filter(subscription__among=subscription_ids)
    # What another worker bills is left to it: to wait for a subscription while documents are numbered would be a
    # deadlock.
    wanted = list(due.values_list("subscription_id", flat=True)[:chunk])
    locked = Subscription.objects.filter(pk__among=wanted).order_by("pk").select_for_update(skip_locked=True)
    rows = list(
        due.filter(subscription__among=list(locked.values_list("pk", flat=True))).select_for_update(
            of=("self",), skip_locked=True
        )
    )
    turns: dict[UUID, list[list[PriceRaise]]] = {}
    for row in rows:
        row.version += 1
        own = turns.setdefault(row.subscription_id, [])
        if own and own[-1][0].takes_on == row.takes_on:
            own[-1].append(row)
        else:
            own.append([row])
    while turns:  # mostly once: each subscription has one day on which prices of it rise
        for group in reversed(_carry_out_together(actor, [own.pop(0) for own in turns.values()], at)):
            turns[group[0].subscription_id].insert(0, group)
        turns = {subscription_id: own for subscription_id, own in turns.items() if own}
    update_rows(rows, ["state", "reason", "problem", "takes_on", "raised_at", "version"])
    return len(rows)


def any_planned(subscription_ids: Sequence[UUID]) -> bool:
    """Whether a price of these is going to rise, some day."""
    ((found,),) = read_together(Asked(_ANY_PLANNED, (list(subscription_ids),)))[0]
    return bool(found)


_ANY_PLANNED = """
SELECT EXISTS (SELECT FROM subscriptions_priceraise WHERE state = 'planned' AND subscription_id = ANY(%s))
"""


def unraised(at: datetime, subscription_ids: Sequence[UUID]) -> set[UUID]:
    """Those of which a price should have risen by now: it is to be told first, or another worker is at it."""
    return set(raises_due(at).filter(subscription__among=subscription_ids).values_list("subscription_id", flat=True))


# The customer has to be told, and nobody has tried yet.
_TO_BE_TOLD = Q(notice_on__isnull=False, noticed_at=None, problem="")


def raises_due(at: datetime) -> QuerySet[PriceRaise]:
    """Planned raises whose day has come by now; a time that stands still has none."""
    found = PriceRaise.objects.filter(state=RaiseState.PLANNED).filter(has_come("takes_on", at))
    standing = Q(subscription__pauses__mode="extend", subscription__pauses__is_over=False)
    ids = found.filter(standing, subscription__pauses__starts_at__lte=at).values("pk")
    return found.exclude(pk__in=ids).exclude(increase__state=IncreaseState.PLANNING).select_related(
        "subscription", "increase", "item"
    ).order_by("takes_on", "id")  # fmt: skip


@dataclass(frozen=True)
class _Rise:
    """Prices of a subscription that rise at one moment, with their items, and the change that lets them."""

    loaded: Loaded
    moment: Moment
    on: date
    ready: Sequence[tuple[PriceRaise, Item]]
    change: Change | None

    @property
    def rows(self) -> list[PriceRaise]:
        return [row for row, _ in self.ready]


def _carry_out_together(actor: Actor, groups: Sequence[list[PriceRaise]], at: datetime) -> list[list[PriceRaise]]:
    """Let the subscriptions consist of what they have, with the new prices from their days on: of each subscription one
    group of prices with one day. A fixed number of statements, however many.

    Answers the groups that are to be carried out next: one by one those that cannot rise together, and prices that rise
    at a later moment of the day. What cannot rise by itself has failed; the others go on.
    """
    found = read_where(Subscription, "id = ANY(%s)", [rows[0].subscription_id for rows in groups])
    several = {one.subscription.pk: one for one in load(found, whole=True)}
    rises: list[_Rise] = []
    next_ones: list[list[PriceRaise]] = []
    later: list[list[PriceRaise]] = []
    for rows in groups:
        loaded = several[rows[0].subscription_id]
        by_moment = _by_moment(loaded, rows)
        later += [[row for row, _ in ready] for _, ready in by_moment[1:]]
        for moment, ready in by_moment[:1]:
            try:
                rises.append(_planned(loaded, moment, ready, at))
            except _STOPS as error:
                next_ones += _failed([row for row, _ in ready], error)
    drafted = {id(one) for one in waiting_for_review([rise.change.charge for rise in rises if rise.change is not None])}
    free: dict[date, list[_Rise]] = {}
    for rise in rises:
        if rise.change is not None and id(rise.change.charge) in drafted:
            next_ones += _failed(rise.rows, still_in_review())
        else:
            free.setdefault(rise.on, []).append(rise)
    for on, together in free.items():
        try:
            with part_of_a_wish():
                _write(actor, together, on, at)
        except _STOPS as error:
            # Nothing says who it is: each half is tried by itself.
            half = len(together) // 2
            if not half:
                next_ones += _failed(together[0].rows, error)
                continue
            for some in (together[:half], together[half:]):
                next_ones += _carry_out_together(actor, [rise.rows for rise in some], at)
    return [*next_ones, *later]


_STOPS = (Refusal, ValueError, ArithmeticError)


def _failed(rows: Sequence[PriceRaise], error: Exception) -> list[list[PriceRaise]]:
    """Those of several that are to be tried by themselves; one alone keeps the reason."""
    if len(rows) > 1:
        return [[row] for row in rows]
    rows[0].state, rows[0].problem = RaiseState.FAILED, str(error)[:500]
    return []


def _by_moment(loaded: Loaded, rows: Sequence[PriceRaise]) -> list[tuple[Moment, list[tuple[PriceRaise, Item]]]]:
    """The raises that are ready, each with its item, by the moments at which they rise, the earliest first."""
    ready: dict[Moment, list[tuple[PriceRaise, Item]]] = {}
    for row in rows:
        try:
            found = _ready(loaded, row)
        except _STOPS as error:
            _failed([row], error)
            continue
        if found is not None:
            item, moment = found
            ready.setdefault(moment, []).append((row, item))
    return sorted(ready.items(), key=itemgetter(0))


def _planned(loaded: Loaded, moment: Moment, ready: Sequence[tuple[PriceRaise, Item]], at: datetime) -> _Rise:
    """Work out what the raises change. Raises ``Refusal``."""
    on = local_day(loaded.subscription, at)
    new = {item.price: new_pricing(row) for row, item in ready if not item.is_metered}
    change = planned_change(loaded, _orders(loaded, new, moment), moment, on=on, at=at) if new else None
    return _Rise(loaded, moment, on, ready, change)


def _write(actor: Actor, rises: Sequence[_Rise], on: date, at: datetime) -> None:
    """Carry out what was planned, and note it."""
    changes = [rise.change for rise in rises if rise.change is not None]
    if changes:
        carry_out(actor, changes, on=on, at=at, is_apart=True)
    _raise_usage([rise for rise in rises if any(item.is_metered for _, item in rise.ready)])
    for rise in rises:
        for row in rise.rows:
            row.state, row.raised_at, row.problem = RaiseState.RAISED, at, ""
        tell(events.PriceRaised, rise.rows)


def _ready(loaded: Loaded, row: PriceRaise) -> tuple[Item, Moment] | None:
    """The item whose price rises, and when; none when it is left out, or its day has moved, as its row then says."""
    subscription = loaded.subscription
    item = still_rises(loaded, row)
    if item is not None and row.notice_on is not None and row.noticed_at is None:
        leave_out(row, "no_notice")
        item = None
    if item is None:
        return None
    moment = moment_at(loaded, row.takes_on)
    if (waits(loaded, row.increase) or item.is_metered) and item.grid.cell_at(moment).start != moment:
        moment = item.grid.cell_at(moment).end  # a period need not begin at midnight
        if day_of(moment, subscription.zone) != row.takes_on:
            # its time stood still meanwhile, and its periods begin on other days
            row.takes_on = day_of(moment, subscription.zone)
            return None
    return item, moment


def still_rises(loaded: Loaded, row: PriceRaise) -> Item | None:
    """The item whose price rises on the row's day. None, and the row is left out, where it does not any more."""
    moment, fixed_to = moment_at(loaded, row.takes_on), loaded.subscription.price_fixed_to
    item = running(loaded, row, moment)
    version = item.version_at(moment) if item is not None else None
    if item is None or version is None:
        leave_out(row, "changed")
    elif changes_later(loaded.agreement, version):
        leave_out(row, "arranged")
    elif fixed_to is not None and fixed_to >= row.takes_on:
        leave_out(row, "protected")
    else:
        return item
    return None


def leave_out(row: PriceRaise, reason: str) -> None:
    row.state, row.reason = RaiseState.LEFT_OUT, reason


def _raise_usage(rises: Sequence[_Rise]) -> None:
    """Let what is used in periods from a moment on have the new price; nothing is billed before its period ends."""
    items: list[SubscriptionItem] = []
    for rise in rises:
        for row, item in rise.ready:
            if item.is_metered:
                kept = rise.loaded.items[item.id]
                kept.amount, kept.tiers = row.new_amount, row.new_tiers
                kept.past_prices = past_prices_as_rows(with_past_price(item, new_pricing(row), rise.moment))
                kept.version += 1
                items.append(kept)
        if rise.change is None:
            rise.loaded.subscription.version += 1
    with one_trip():
        update_rows(items, ["amount", "tiers", "past_prices", "version"])
        update_rows([rise.loaded.subscription for rise in rises], ["version"])


def running(loaded: Loaded, row: PriceRaise, moment: Moment) -> Item | None:
    """The item that runs at its old price: the one that was planned, or what it went on as. None once it has ended."""
    if loaded.agreement.end is not None and loaded.agreement.end <= moment:
        return None
    old = Pricing(row.item.model, row.old_amount, row.item.per, tiers_from(row.old_tiers))
    for item in loaded.agreement.items:
        version = item.version_at(moment)
        runs = version is not None and (version.quantity or item.is_metered)
        if item.price == row.item.price_key and item.pricing == old and runs:
            return item
    return None


def _orders(loaded: Loaded, new: Mapping[str, Pricing], moment: Moment) -> list[ItemOrder]:
    """What runs at the moment, with the new prices by their keys."""
    found = []
    for one in loaded.agreement.items:
        version = one.version_at(moment)
        if not one.is_metered and version is not None and version.quantity:
            order = order_of_item(loaded.items[one.id], version.quantity)
            found.append(replace(order, pricing=new.get(one.price, order.pricing)))
    return found
