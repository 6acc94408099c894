"""One subscription, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row
from counterfoil.catalog.queries.prices import in_words
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.core.text import normalised_name
from counterfoil.invoicing import queries as invoicing
from counterfoil.invoicing.references import shown
from counterfoil.subscriptions.models import Subscription, SubscriptionItem
from counterfoil.subscriptions.ordering import offered_to
from counterfoil.subscriptions.queries.rows import rows_of, with_state
from counterfoil.subscriptions.queries.runs import DUE_DAY

_SORTS = {
    "number": "number", "name": "title", "account": "account__sort_key", "start": "starts_at", "due_on": "due_at",
    "committed_to": "committed_to", "created_at": "created_at",
}  # fmt: skip
_WORDS = ("state", "account", "owner", "entity", "currency", "is_renewed")


@dataclass(frozen=True)
class Found:
    """A page of subscriptions and how many there are in all."""

    rows: list[Row]
    count: int


def list_subscriptions(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "-created_at",
    offset: int = 0,
    limit: int = 50,
    today: date | None = None,
) -> Found:
    """Subscriptions filtered by ``state``, account, owner, entity, currency, next bill and term."""
    on = today or invoicing.local_today()
    found = _matching(actor, text, filters or {}, on)
    order = F(_SORTS.get(sort.lstrip("-"), "created_at"))
    direction = order.desc(nulls_last=True) if sort.startswith("-") else order.asc(nulls_last=True)
    page = found.order_by(direction, "-id")[offset : offset + limit]
    return Found(rows_of(actor, page, on), found.count())


def subscriptions_after(
    actor: Actor, *, after: UUID | None, take: int, filters: Mapping[str, Any], text: str = ""
) -> list[Row]:
    """Subscriptions with an id above ``after``, in the order of their ids: a page by cursor."""
    on = invoicing.local_today()
    found = _matching(actor, text, filters, on)
    if after is not None:
        found = found.filter(id__gt=after)
    return rows_of(actor, found.order_by("id")[:take], on)


def _matching(actor: Actor, text: str, filters: Mapping[str, Any], today: date) -> QuerySet[Subscription]:
    if not actor.may("subscriptions.see"):
        return Subscription.objects.none()
    found = with_state(Subscription.objects.all(), today)
    for name, value in filters.items():
        if name in _WORDS:
            found = found.filter(**{f"{name}__in": value})
        elif name in ("due_on", "committed_to"):
            start, end = value
            column = "due_day" if name == "due_on" else name
            found = found.alias(due_day=DUE_DAY)
            found = found.filter(**{f"{column}__gte": start}) if start is not None else found
            found = found.filter(**{f"{column}__lte": end}) if end is not None else found
    if text:
        named = Q(number__icontains=text) | Q(title__icontains=text) | Q(po_number__icontains=text)
        of_account = Q(account__normalised_name__contains=normalised_name(text) or text.lower())
        found = found.filter(named | of_account)
    return found


def get_subscription(actor: Actor, subscription_id: UUID, today: date | None = None) -> Row:
    """One subscription with its items, discounts, pauses and ``next`` bill; raises ``NotFound``."""
    on = today or invoicing.local_today()
    found = with_state(Subscription.objects.filter(pk=subscription_id), on)
    rows = rows_of(actor, found, on)
    if not rows:
        raise NotFound()
    return rows[0].plus(named=shown(rows[0].reference_values))


def subscriptions_of_account(actor: Actor, account_id: UUID, *, limit: int = 6) -> list[Row]:
    """The subscriptions of an account, those that run first."""
    on = invoicing.local_today()
    found = with_state(Subscription.objects.filter(account=account_id), on)
    return rows_of(actor, found.order_by(F("due_at").asc(nulls_last=True), "-id")[:limit], on)


def count_parked(actor: Actor) -> int:
    """How many wait for a person."""
    if not actor.may("subscriptions.change"):
        return 0
    return Subscription.objects.filter(parked_at__isnull=False).count()


def renewals(actor: Actor, *, days: int, today: date | None = None) -> list[Row]:
    """Subscriptions whose committed term ends within so many days, the first first, with ``notice_by``: the last day
    for giving notice.
    """
    on = today or invoicing.local_today()
    if not actor.may("subscriptions.see") or "terms" not in actor.reads:
        return []
    found = Subscription.objects.filter(committed_to__gte=on, committed_to__lte=on + timedelta(days=days))
    page = with_state(found.order_by("committed_to", "id"), on)
    rows = [row for row in rows_of(actor, page, on) if row.state != "ended"]
    for row in rows:
        by = row.committed_to - timedelta(days=row.notice_days)
        row.plus(notice_by=by, is_too_late=by < on)
    return rows


def subscription_by_number(actor: Actor, number: str) -> Row | None:
    """The subscription with a number."""
    found = with_state(Subscription.objects.filter(number=number.strip().upper()), invoicing.local_today())
    return next(iter(rows_of(actor, found, invoicing.local_today())), None)


def titles_of(actor: Actor, ids: Iterable[str]) -> dict[str, str]:
    """The names of accounts and colleagues by their ids, for filters."""
    return invoicing.titles_of(actor, ids)


# What a form offers ---------------------------------------------------------------------------------------------------


def offered_prices(
    actor: Actor, account_id: UUID, currency: str, on: date, subscription_id: UUID | None = None
) -> list[tuple[str, str]]:
    """Keys of prices with their words, for choosing: what a subscription has, then what the account can get."""
    if not actor.may("subscriptions.change"):
        return []
    found: dict[str, str] = {}
    if subscription_id is not None:
        for item in SubscriptionItem.objects.filter(subscription=subscription_id).order_by("position"):
            found[item.price_key] = f"{item.description} (as agreed)"
    for key, price in offered_to(account_id, currency, on).items():
        found.setdefault(key, f"{price.product.name}, {in_words(price, 'en')}")
    return list(found.items())


def discounts_to_take_off(row: Row) -> list[tuple[int, str]]:
    """The discounts that a subscription has, by their positions, with their words."""
    return [
        (one["position"], _discount_words(one, row.currency))
        for one in row["discounts"] or ()
        if one["off_from"] is None
    ]


def _discount_words(one: Mapping[str, Any], currency: str) -> str:
    percent = one["percent"]
    amount = f"{percent.normalize():f} %" if percent else str(Money.exact(one["amount"], currency))
    words = f"{amount} of coupon {one['coupon']}" if one["coupon"] else amount
    return f"{words}, for {one['periods']} period{'' if one['periods'] == 1 else 's'}" if one["periods"] else words


def wanted_items(row: Row) -> list[dict[str, Any]]:
    """The items as a form of changes begins with them."""
    return [{"price": item["price"], "quantity": item["quantity"] or Decimal(0)} for item in row["items"]]
