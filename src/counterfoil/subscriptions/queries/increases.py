"""Price increases, and what each does to which subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, DateField, DateTimeField, Exists, F, Func, OuterRef, Q, QuerySet, Sum, Value

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project
from counterfoil.accounts.queries import account_titles
from counterfoil.catalog.models import Price
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.subscriptions.models import (
    IncreaseState,
    PriceIncrease,
    PriceRaise,
    RaiseState,
    Subscription,
    SubscriptionItem,
)
from counterfoil.subscriptions.rules.grid import day_of, moment_of, stored
from counterfoil.subscriptions.rules.raising import LEFT_OUT

KEY, RAISE = "subscriptions.increase", "subscriptions.raise"


@dataclass(frozen=True)
class Sums:
    """How many raises there are in each state, for each reason, and what the planned ones come to in a year. ``told``
    subscriptions have one that can be undone and of which the customer was told.
    """

    states: dict[str, int]
    reasons: dict[str, int]
    a_year: tuple[Money, ...]
    told: int


def local_day(one: Subscription, at: datetime) -> date:
    """The day at a subscription's company in a moment."""
    return day_of(moment_of(at, "actual_days", one.zone), one.zone)


def has_come(column: str, at: datetime) -> Q:
    """Whether the day of a raise has come, at its subscription's company, in a moment."""
    today = Func(
        F("subscription__zone"),
        Value(at, output_field=DateTimeField()),
        function="timezone",
        template="(%(function)s(%(expressions)s))::date",
        output_field=DateField(),
    )
    # The second says the same as the first to an index, give or take a time zone.
    return Q(**{f"{column}__lte": today}) & Q(**{f"{column}__lte": at.date() + timedelta(days=1)})


def chosen(increase: PriceIncrease) -> QuerySet[Subscription]:
    """The subscriptions with a price that an increase concerns, of those that have not ended by its day."""
    items = SubscriptionItem.objects.filter(subscription=OuterRef("pk"))
    if increase.product_id is not None:
        items = items.filter(product=increase.product_id)
    if increase.price_key:
        items = items.filter(price_key=increase.price_key)
    if increase.prices:
        items = items.filter(price_key__in=[row["price"] for row in increase.prices])
    if increase.price_list_id is not None:
        items = items.filter(price_id__in=Price.objects.filter(price_list=increase.price_list_id).values("id"))
    day = stored(increase.from_on)
    found = Subscription.objects.filter(Q(ends_at=None) | Q(ends_at__gt=day - timedelta(days=1)), Exists(items))
    if increase.entity_id is not None:
        found = found.filter(entity=increase.entity_id)
    if increase.currency:
        found = found.filter(currency=increase.currency)
    return found


def list_increases(actor: Actor, *, limit: int = 50) -> list[Row]:
    """The increases, the newest first."""
    if not actor.may("subscriptions.see"):
        return []
    return _rows(actor, list(PriceIncrease.objects.order_by("-created_at", "-id")[:limit]))


def increases_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Increases with an id above ``after``, in the order of their ids."""
    found = PriceIncrease.objects.order_by("id")
    return _rows(actor, list((found.filter(id__gt=after) if after is not None else found)[:take]))


def get_increase(actor: Actor, increase_id: UUID) -> Row:
    """One increase; raises ``NotFound``."""
    rows = _rows(actor, list(PriceIncrease.objects.filter(pk=increase_id)))
    if not rows:
        raise NotFound()
    return rows[0]


def _rows(actor: Actor, increases: Sequence[PriceIncrease]) -> list[Row]:
    counts: dict[UUID, dict[str, int]] = {}
    found = PriceRaise.objects.filter(increase__in=[one.pk for one in increases]).values("increase", "state")
    for row in found.annotate(count=Count("id")).order_by():
        counts.setdefault(row["increase"], {})[row["state"]] = row["count"]
    return [row.plus(counts=counts.get(row.id, {})) for row in project(actor, KEY, increases)]


def sums_of(actor: Actor, increase_id: UUID) -> Sums:
    """What an increase comes to."""
    if not actor.may("subscriptions.see"):
        raise NotFound()
    rows = PriceRaise.objects.filter(increase=increase_id)
    states = dict(rows.values("state").annotate(count=Count("id")).order_by().values_list("state", "count"))
    reasons = rows.filter(state=RaiseState.LEFT_OUT).values("reason").annotate(count=Count("id")).order_by()
    money: list[Money] = []
    if "pricing" in actor.reads:
        live = rows.filter(state__in=[RaiseState.PLANNED, RaiseState.RAISED])
        sums = live.values("currency").annotate(sum=Sum("a_year")).order_by("currency")
        money = [Money.exact(Decimal(one["sum"]), one["currency"]) for one in sums]
    left = rows.filter(state__in=[RaiseState.PLANNED, RaiseState.FAILED], noticed_at__isnull=False)
    told = left.aggregate(told=Count("subscription", distinct=True))["told"]
    return Sums(states, dict(reasons.values_list("reason", "count")), tuple(money), told)


def list_raises(
    actor: Actor,
    increase_id: UUID,
    *,
    states: Sequence[str] = (),
    offset: int = 0,
    limit: int = 50,
) -> tuple[list[Row], int]:
    """What an increase does to each item, and how many there are."""
    found = PriceRaise.objects.filter(increase=increase_id)
    if states:
        found = found.filter(state__in=states)
    return _raise_rows(actor, found.order_by("id")[offset : offset + limit]), found.count()


def raises_after(actor: Actor, increase_id: UUID, *, after: UUID | None, take: int) -> list[Row]:
    """What an increase does, with ids above ``after``."""
    found = PriceRaise.objects.filter(increase=increase_id).order_by("id")
    return _raise_rows(actor, (found.filter(id__gt=after) if after is not None else found)[:take])


def raises_of_subscription(actor: Actor, subscription_id: UUID) -> list[Row]:
    """What is planned for a subscription."""
    found = PriceRaise.objects.filter(subscription=subscription_id, state=RaiseState.PLANNED)
    return _raise_rows(actor, found.order_by("takes_on", "id"))


def _raise_rows(actor: Actor, found: QuerySet[PriceRaise]) -> list[Row]:
    if not actor.may("subscriptions.see"):
        return []
    raises = list(found.select_related("subscription", "item"))
    accounts = account_titles({one.subscription.account_id for one in raises})
    return [
        row.plus(account_title=accounts.get(one.subscription.account_id, ""), reason_words=LEFT_OUT.get(one.reason, ""))
        for row, one in zip(project(actor, RAISE, raises), raises, strict=True)
    ]


def unplanned_increases() -> list[UUID]:
    """Increases that are not worked out. For the sweep."""
    return list(PriceIncrease.objects.filter(state=IncreaseState.PLANNING).order_by("id").values_list("id", flat=True))
