"""Price increases: planned for a set of subscriptions at once.

A plan is a row for each price that is raised or left out. It is carried out on the day that the row names
(``raising.py``); until then it can be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.catalog.models import Price
from counterfoil.catalog.rules.pricing import Pricing, price_of, tiers_as_rows, tiers_from
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import rounded
from counterfoil.core.periods import add_months
from counterfoil.invoicing.rules.totals import LARGEST
from counterfoil.plumbing.bulk import insert_rows, update_rows
from counterfoil.plumbing.jobs import enqueue
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.models import (
    IncreaseState,
    PriceIncrease,
    PriceRaise,
    RaiseState,
    SubscriptionItem,
)
from counterfoil.subscriptions.ordering import check_day
from counterfoil.subscriptions.queries.increases import chosen, local_day
from counterfoil.subscriptions.rules.agreement import AT_RENEWAL, Item
from counterfoil.subscriptions.rules.grid import Moment, day_of, moment_of
from counterfoil.subscriptions.rules.raising import (
    a_year,
    changes_later,
    first_document,
    reason_left_out,
    takes_effect,
    used_lately,
    with_new_price,
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
    tell(events.PriceIncreasePlanned, (row for row in rows if row.state == RaiseState.PLANNED))
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
        item if not ends else item._replace(versions=(item.versions[0]._replace(end=takes),)),
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
    """The moment at which a day begins where the subscription is billed."""
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
        _check_known(increase, raise_ids)
        rows = rows.filter(pk__in=raise_ids)
    undone = list(rows)
    if not undone and increase.state != IncreaseState.PLANNING:
        raise Conflict("nothing_to_undo", "Nothing of it is left to undo.", "raises" if raise_ids else "increase")
    told = [row for row in undone if row.noticed_at is not None]
    for row in undone:
        row.state, row.problem = RaiseState.UNDONE, ""
        row.version += 1
    for row in told:
        row.notice_on = local_day(row.subscription, at)
    update_rows(undone, ["state", "problem", "notice_on", "version"])
    tell(events.PriceIncreaseUndone, undone)
    if not raise_ids:
        increase.state = IncreaseState.UNDONE
        increase.version += 1
        increase.save()
    return Undone(len(undone), len({row.subscription_id for row in told}))


def _check_known(increase: PriceIncrease, raise_ids: Sequence[UUID]) -> None:
    known = set(PriceRaise.objects.filter(increase=increase, pk__in=raise_ids).values_list("pk", flat=True))
    problems = [
        Problem(f"raises.{place}", "no_such_record", "This increase raises no such price.")
        for place, raise_id in enumerate(raise_ids)
        if raise_id not in known
    ]
    if problems:
        raise Refusal.of(problems)


def new_pricing(row: PriceRaise) -> Pricing:
    """What a raise puts in the place of the old price."""
    return Pricing(row.item.model, row.new_amount, row.item.per, tiers_from(row.new_tiers))


def tell(kind: type[events.PriceRaised] | type, rows: Iterable[PriceRaise]) -> None:
    """Say of each raise what became of it, by an event of this kind."""
    for row in rows:
        emit(
            kind(
                subscription_id=row.subscription_id,
                account_id=row.subscription.account_id,
                title=row.subscription.title,
                from_on=row.takes_on,
            )
        )
