"""Recurring prices, as an actor may see them, and as other rooms' commands need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.catalog.models import Price
from counterfoil.catalog.queries.products import Found
from counterfoil.catalog.rules.pricing import Part, Pricing, explain, parts_of, price_of, unit_price_shown
from counterfoil.catalog.rules.wording import price_in_words
from counterfoil.core.errors import NotAllowed, NotFound
from counterfoil.core.money import currency_decimals
from counterfoil.plumbing.record_types import record_type

KEY = "catalog.price"
WORDS_MAX = 8
_SORTS = {
    "key": ("key", "currency", "-valid_from"),
    "product": ("product__normalised_name", "key", "-valid_from"),
    "price_list": ("price_list__name", "key", "-valid_from"),
    "valid_from": ("valid_from", "key"),
}
_FILTERS = ("product", "price_list", "model", "currency", "interval", "billed", "is_metered", "key", "state")


def get_price(actor: Actor, price_id: UUID, *, on: date, language: str = "en") -> Row:
    """One version of a price; raises ``NotFound``."""
    rows = _rows(actor, _with_state(_all().filter(id=price_id), on), language)
    if not rows:
        raise NotFound()
    return rows[0]


def list_prices(
    actor: Actor,
    *,
    on: date,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "product",
    offset: int = 0,
    limit: int = 50,
    language: str = "en",
) -> Found:
    """Versions by product and key. The filter ``state`` is that of the day; without it past ones are left out."""
    prices = _matching(actor, text, {"state": ["offered", "planned"], **(filters or {})}, on)
    name = sort.lstrip("-")
    columns = _SORTS[name] if name in _SORTS and _is_open(actor, name) else _SORTS["product"]
    if sort.startswith("-"):
        columns = (f"-{columns[0]}", *columns[1:])
    found = list(prices.order_by(*columns, "id")[offset : offset + limit])
    return Found(_rows(actor, found, language), prices.count())


def prices_after(actor: Actor, *, on: date, after: UUID | None, take: int, text: str = "", **filters: Any) -> list[Row]:
    """Versions with an id above ``after``, in the order of their ids: a page by cursor."""
    given = {name: [value] for name, value in filters.items() if value not in (None, "")}
    prices = _matching(actor, text, given, on)
    if after is not None:
        prices = prices.filter(id__gt=after)
    return _rows(actor, prices.order_by("id")[:take], "en")


def prices_of_product(actor: Actor, product_id: UUID, *, on: date, language: str = "en") -> list[Row]:
    """All versions of the product's prices: by key, general ones first, the latest version first."""
    prices = _with_state(_all().filter(product=product_id), on)
    general_first = F("price_list__name").asc(nulls_first=True)
    return _rows(actor, prices.order_by("key", "currency", general_first, "-valid_from", "-id"), language)


def versions_of(actor: Actor, price_id: UUID, *, on: date, language: str = "en") -> list[Row]:
    """All versions of the price of which one version is named, the latest first; raises ``NotFound``."""
    price = Price.objects.filter(id=price_id).first()
    if price is None:
        raise NotFound()
    same = _all().filter(key=price.key, currency=price.currency, price_list=price.price_list_id)
    return _rows(actor, _with_state(same.order_by("-valid_from", "-id"), on), language)


# Which price an account gets ------------------------------------------------------------------------------------------


def prices_for(
    *, account_id: UUID | None, tier: str, currency: str, on: date, keys: Iterable[str] | None = None
) -> dict[str, Price]:
    """The price of each key that an account gets on a day: of its own list, else its tier's, else the general one.

    As other rooms' commands need them, never for output. ``keys`` narrows it to those; the products come along.
    """
    return {price.key: price for price in _best(account_id, tier, currency, on, keys)}


def offered_prices(
    actor: Actor, *, account_id: UUID | None, tier: str, currency: str, on: date, language: str = "en"
) -> list[Row]:
    """What ``prices_for`` finds, for showing, by product and key."""
    best = _with_state(_best(account_id, tier, currency, on, None), on)
    return _rows(actor, sorted(best, key=lambda price: (price.product.normalised_name, price.key)), language)


def _best(account_id: UUID | None, tier: str, currency: str, on: date, keys: Iterable[str] | None) -> QuerySet[Price]:
    """In one statement: of each key the version that holds on the day, from the nearest list."""
    lists = Q(price_list=None)
    ranks = []
    if account_id is not None:
        lists |= Q(price_list__account_id=account_id)
        ranks.append(When(price_list__account_id=account_id, then=Value(0)))
    if tier:
        lists |= Q(price_list__tier__iexact=tier)
        ranks.append(When(price_list__tier__iexact=tier, then=Value(1)))
    prices = _all().filter(lists, _offered(on), currency=currency)
    if keys is not None:
        prices = prices.filter(key__in=list(keys))
    nearest = Case(*ranks, default=Value(2), output_field=IntegerField())
    return prices.order_by("key", nearest).distinct("key")


# Parts ----------------------------------------------------------------------------------------------------------------


def _all() -> QuerySet[Price]:
    return Price.objects.select_related("product", "price_list")


def _offered(on: date) -> Q:
    return Q(valid_from__lte=on) & (Q(valid_to=None) | Q(valid_to__gt=on))


def _with_state(prices: QuerySet[Price], on: date) -> QuerySet[Price]:
    """With what each version is on the day: offered, planned, or past, as one is that gave way on its first day."""
    gone = Q(valid_to__lte=on) | Q(valid_to=F("valid_from"))
    state = Case(
        When(gone, then=Value("past")), When(valid_from__gt=on, then=Value("planned")), default=Value("offered")
    )
    return prices.annotate(state=state)


def _matching(actor: Actor, text: str, filters: Mapping[str, Any], on: date) -> QuerySet[Price]:
    prices = _with_state(_all(), on)
    for name, value in filters.items():
        if name in _FILTERS and _is_open(actor, name):
            prices = prices.filter(**{f"{name}__in": value})
    for word in text.split()[:WORDS_MAX]:
        named = Q(key__icontains=word) | Q(product__name__icontains=word) | Q(product__code__icontains=word)
        prices = prices.filter(named | Q(price_list__name__icontains=word) | Q(meter__icontains=word))
    return prices


def _is_open(actor: Actor, name: str) -> bool:
    return record_type(KEY).by_id[name].group in actor.reads


def _rows(actor: Actor, prices: Iterable[Price], language: str) -> list[Row]:
    """The prices with their products' and lists' names, and the price in words if it may be read."""
    known = list(prices)
    rows = project(actor, KEY, known)
    for row, price in zip(rows, known, strict=False):
        row.plus(
            product_title=price.product.name,
            price_list_title=price.price_list.name if price.price_list else "",
            unit=price.product.unit,
            words=row.amount if "amount" in row.closed else in_words(price, language),
        )
    return rows


@dataclass(frozen=True)
class Cost:
    """What a quantity costs: exact, not rounded to the currency. ``parts`` are pieces that each have a unit price."""

    quantity: Decimal
    price: Decimal
    unit_price: Decimal
    because: str
    parts: tuple[Part, ...]


def cost_of(actor: Actor, price_id: UUID, quantity: Decimal) -> Cost:
    """What a quantity costs at a version of a price; raises ``NotFound``, and ``NotAllowed`` without the right."""
    price = Price.objects.filter(id=price_id).first()
    row = project_one(actor, KEY, price)
    if price is None or "amount" in row.closed:
        raise NotAllowed("not_allowed", "Your role does not see prices.")
    return cost(price.pricing, quantity, price.currency)


def cost(pricing: Pricing, quantity: Decimal, currency: str) -> Cost:
    """What a quantity costs at a price, saved or not."""
    return Cost(
        quantity=quantity,
        price=price_of(pricing, quantity),
        unit_price=unit_price_shown(pricing, quantity),
        because=explain(pricing, quantity, decimals=currency_decimals(currency)),
        parts=parts_of(pricing, quantity),
    )


def in_words(price: Price, language: str) -> str:
    """The price as people say it: "€100.00 monthly, in advance"."""
    return price_in_words(
        price.pricing,
        currency=price.currency,
        unit=price.product.unit,
        interval=price.interval,
        count=price.count,
        billed=price.billed,
        language=language,
    )
