"""Price increases: planned for a set of subscriptions at once, and carried out on their days.

A plan is a row for each price that is raised or left out. It is carried out on the day that the row names, by an
ordinary change of the subscription; a price by usage, which has no quantity to change, gets the new one for the periods
from then on; until then it can be undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.catalog.models import Price
from counterfoil.catalog.rules.pricing import Pricing, price_of, tiers_as_rows, tiers_from
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import rounded
from counterfoil.core.periods import add_months
from counterfoil.invoicing.rules.totals import LARGEST
from counterfoil.plumbing.bulk import Asked, insert_rows, one_trip, read_together, read_where, update_rows
from counterfoil.plumbing.jobs import enqueue
from counterfoil.plumbing.outbox import emit, part_of_a_wish
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load, past_prices_as_rows
from counterfoil.subscriptions.commands.billing import still_in_review, waiting_for_review
from counterfoil.subscriptions.commands.changing import Change, carry_out, planned_change
from counterfoil.subscriptions.models import (
    IncreaseState,
    PriceIncrease,
    PriceRaise,
    RaiseState,
    Subscription,
    SubscriptionItem,
)
from counterfoil.subscriptions.ordering import check_day, order_of_item
from counterfoil.subscriptions.queries.increases import chosen, has_come, local_day
from counterfoil.subscriptions.rules.agreement import AT_RENEWAL, Item
from counterfoil.subscriptions.rules.grid import Moment, day_of, moment_of
from counterfoil.subscriptions.rules.orders import ItemOrder
from counterfoil.subscriptions.rules.raising import (
    a_year,
    changes_later,
    first_document,
    reason_left_out,
    takes_effect,
    used_lately,
    with_new_price,
    with_past_price,
)

INCREASE = "subscriptions.increase"
CHUNK = 500
_LINKS = ("product", "price_list", "entity")


@command("subscriptions.plan_increase", needs="subscriptions.change", takes={"values": Takes(INCREASE)})
def plan_increase(*, actor: Actor, values: Mapping[str, Any], on: date, at: datetime) -> UUID:
    """Plan to raise prices. Which subscriptions it concerns is worked out in the background, chunk by chunk; nothing
    is billed and nobody is told before that.
    """
    prices = [{"price": row["price"], "amount": str(row["amount"])} for row in values.get("prices") or ()]
    _refuse_bad(values, prices, on)
    increase = PriceIncrease(
        id=new_id(), created_at=at, planned_on=on, planned_by_name=actor.name[:200], prices=prices,
        **{
            f"{name}_id" if name in _LINKS else name: value
            for name, value in values.items()
            if name != "prices" and value is not None
        },
    )  # fmt: skip
    increase.expected = chosen(increase).count()
    increase.save(force_insert=True)
    enqueue("subscriptions.plan_increase", once=f"increase:{increase.pk}", increase_id=increase.pk)
    return increase.pk


def _is_sold(price_key: str) -> bool:
    """Whether the catalog has the price, or a subscription one of its own by that name."""
    return Price.objects.filter(key=price_key).exists() or SubscriptionItem.objects.filter(price_key=price_key).exists()


def _refuse_bad(values: Mapping[str, Any], prices: Sequence[Mapping[str, str]], on: date) -> None:
    problems: list[Problem] = []
    percent = values.get("percent")
    if (percent is None) == (not prices):
        problems.append(Problem("percent", "one_of_both", "Give a percentage or new amounts."))
    if prices and not values.get("currency"):
        problems.append(Problem("currency", "missing", "Say in which currency the new amounts are."))
    if values.get("price_key") and not _is_sold(values["price_key"]):
        problems.append(Problem("price_key", "not_found", "Nothing is sold at such a price."))
    keys = [row["price"] for row in prices]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            problems.append(Problem(f"prices.{place}.price", "twice", "Name each price once."))
        elif not _is_sold(key):
            problems.append(Problem(f"prices.{place}.price", "not_found", "Nothing is sold at such a price."))
    if values["from_on"] < on:
        problems.append(Problem("from_on", "in_the_past", "A price rises from today on at the earliest."))
    if problems:
        raise Refusal.of(problems)
    check_day(values["from_on"], "from_on", on)


@command("subscriptions.plan_raises", needs="subscriptions.run")
def plan_raises(*, actor: Actor, increase_id: UUID, at: datetime, chunk: int = CHUNK) -> bool:
    """Work out the next chunk of an increase; false when nothing is left. Asked again, it finds nothing to do."""
    increase = PriceIncrease.objects.select_for_update().filter(pk=increase_id).first()
    if increase is None or increase.state != IncreaseState.PLANNING:
        return False
    found = chosen(increase)
    if increase.looked_to is not None:
        found = found.filter(pk__gt=increase.looked_to)
    subscriptions = list(found.select_for_update(of=("self",)).order_by("pk")[:chunk])
    rows = list(_raises(increase, load(subscriptions), at))
    insert_rows(rows)
    _tell(events.PriceIncreasePlanned, (row for row in rows if row.state == RaiseState.PLANNED))
    increase.looked_at += len(subscriptions)
    if subscriptions:
        increase.looked_to = subscriptions[-1].pk
    if len(subscriptions) < chunk:
        increase.state = IncreaseState.PLANNED
    increase.version += 1
    increase.save()
    return increase.state == IncreaseState.PLANNING


def _raises(increase: PriceIncrease, several: Sequence[Loaded], at: datetime) -> Iterator[PriceRaise]:
    keys = {row["price"]: Decimal(row["amount"]) for row in increase.prices}
    listed = None
    if increase.price_list_id is not None:
        listed = set(Price.objects.filter(price_list=increase.price_list_id).values_list("id", flat=True))
    others: dict[tuple[UUID, str], list[PriceRaise]] = {}
    for other in PriceRaise.objects.filter(
        subscription__in=[one.subscription.pk for one in several], state__in=[RaiseState.PLANNED, RaiseState.RAISED]
    ).select_related("item"):
        others.setdefault((other.subscription_id, other.item.price_key), []).append(other)
    for loaded in several:
        for item in loaded.agreement.items:
            row = loaded.items[item.id]
            is_chosen = (
                (increase.product_id is None or row.product_id == increase.product_id)
                and (not increase.price_key or row.price_key == increase.price_key)
                and (not keys or row.price_key in keys)
                and (listed is None or row.price_id in listed)
            )
            if is_chosen:
                before = others.get((loaded.subscription.pk, row.price_key), ())
                amount = keys[row.price_key] if keys else None
                found = _raise(increase, loaded, item, before, amount, at)
                if found is not None:
                    yield found


def _raise(
    increase: PriceIncrease,
    loaded: Loaded,
    item: Item,
    before: Sequence[PriceRaise],
    amount: Decimal | None,
    at: datetime,
) -> PriceRaise | None:
    """What the increase does to an item; none for one that does not run by then."""
    one, row = loaded.subscription, loaded.items[item.id]
    today = local_day(one, at)
    earliest = moment_at(loaded, max(increase.from_on, today + timedelta(days=increase.notice_days or 0)))
    present = item.version_at(max(earliest, item.start))
    if present is None or (loaded.agreement.end is not None and loaded.agreement.end <= earliest):
        return None
    takes = takes_effect(item, earliest, is_at_renewal=waits(loaded, increase))
    takes_on = day_of(takes, one.zone)
    new = with_new_price(item, one.currency, increase.percent, amount)
    version = item.version_at(takes)
    ends = loaded.agreement.end is not None and loaded.agreement.end <= takes
    quantity = present.quantity if version is None else version.quantity
    if item.is_metered:
        quantity = used_lately(item, moment_at(loaded, today))
    since = add_months(takes_on, -increase.months_apart)
    reason = reason_left_out(
        item if not ends else replace(item, versions=(item.versions[0]._replace(end=takes),)),
        item.pricing,
        new,
        takes_on=takes,
        committed_beyond=not increase.is_in_term and one.committed_to is not None and one.committed_to >= takes_on,
        is_protected=one.price_fixed_to is not None and one.price_fixed_to >= takes_on,
        is_standing=loaded.agreement.stands_from is not None,
        is_arranged=version is not None and changes_later(loaded.agreement, version),
        was_raised=any(raised.state == RaiseState.PLANNED or raised.takes_on > since for raised in before),
    )
    if not reason and new is not None and not _fits(new, quantity, item, one.currency):
        reason, new = "too_large", None
    shown = new or item.pricing
    made = PriceRaise(
        id=new_id(), created_at=at, increase=increase, subscription=one, item=row,
        state=RaiseState.LEFT_OUT if reason else RaiseState.PLANNED, reason=reason,
        old_amount=item.pricing.amount, old_tiers=tiers_as_rows(item.pricing.tiers),
        new_amount=shown.amount, new_tiers=tiers_as_rows(shown.tiers), currency=one.currency,
        takes_on=takes_on, document_on=day_of(first_document(item, takes), one.zone),
        notice_on=None if increase.notice_days is None else takes_on - timedelta(days=increase.notice_days),
    )  # fmt: skip
    work_out(made, item, shown, quantity)
    return made


def work_out(row: PriceRaise, item: Item, new: Pricing, quantity: Decimal) -> None:
    """What so many come to in a period, at the old price and the new one."""
    row.quantity = quantity
    row.old_net = rounded(price_of(item.pricing, quantity), row.currency).amount
    row.new_net = rounded(price_of(new, quantity), row.currency).amount
    row.a_year = a_year(item.pricing, new, quantity, item.interval, row.currency)


def work_out_again(row: PriceRaise, item: Item, moment: Moment) -> bool:
    """The figures of a raise for the quantity that is agreed of the item at a moment; false where they are too large to
    be kept. Those of usage stay: how much will be used nobody knows.
    """
    version, new = item.version_at(moment), new_pricing(row)
    if item.is_metered or version is None:
        return True
    if not _fits(new, version.quantity, item, row.currency):
        return False
    work_out(row, item, new, version.quantity)
    return True


def waits(loaded: Loaded, increase: PriceIncrease) -> bool:
    """Whether a price rises with a period only: the increase says so, or what was agreed about what costs more."""
    return increase.is_at_renewal or loaded.agreement.policy.increase == AT_RENEWAL


def _fits(new: Pricing, quantity: Decimal, item: Item, currency: str) -> bool:
    """Whether the figures of a raise can be kept."""
    figures = (price_of(new, quantity), a_year(item.pricing, new, quantity, item.interval, currency))
    return all(abs(figure) < LARGEST for figure in figures)


def moment_at(loaded: Loaded, day: date) -> Moment:
    return moment_of(day, loaded.subscription.basis, loaded.subscription.zone)


@dataclass(frozen=True)
class Undone:
    """How many prices do not rise after all, and of how many subscriptions a customer had been told."""

    prices: int
    told: int


@command("subscriptions.undo_increase", needs="subscriptions.change")
def undo_increase(*, actor: Actor, increase_id: UUID, at: datetime, raise_ids: Sequence[UUID] = ()) -> Undone:
    """Take back what has not taken effect: all of an increase, or the raises that are named. Who was told that a price
    rises gets a mail that it does not.
    """
    increase = PriceIncrease.objects.select_for_update().filter(pk=increase_id).first()
    if increase is None:
        raise NotFound("This price increase does not exist.", "increase")
    rows = PriceRaise.objects.select_for_update(of=("self",)).select_related("subscription")
    rows = rows.filter(increase=increase, state__in=[RaiseState.PLANNED, RaiseState.FAILED]).order_by("id")
    if raise_ids:
        rows = rows.filter(pk__in=raise_ids)
    undone = list(rows)
    if not undone and increase.state != IncreaseState.PLANNING:
        raise Conflict("nothing_to_undo", "Nothing of it is left to undo.")
    told = [row for row in undone if row.noticed_at is not None]
    for row in undone:
        row.state, row.problem = RaiseState.UNDONE, ""
        row.version += 1
    for row in told:
        row.notice_on = local_day(row.subscription, at)
    update_rows(undone, ["state", "problem", "notice_on", "version"])
    _tell(events.PriceIncreaseUndone, undone)
    if not raise_ids:
        increase.state = IncreaseState.UNDONE
        increase.version += 1
        increase.save()
    return Undone(len(undone), len({row.subscription_id for row in told}))


# Carrying out ---------------------------------------------------------------------------------------------------------


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
        _tell(events.PriceRaised, rise.rows)


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


def new_pricing(row: PriceRaise) -> Pricing:
    return Pricing(row.item.model, row.new_amount, row.item.per, tiers_from(row.new_tiers))


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


def _tell(kind: type[events.PriceRaised] | type, rows: Any) -> None:
    for row in rows:
        emit(
            kind(
                subscription_id=row.subscription_id,
                account_id=row.subscription.account_id,
                title=row.subscription.title,
                from_on=row.takes_on,
            )
        )
