"""Price lists, as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.access.queries.finding import titles_of
from counterfoil.catalog.models import PriceList

KEY = "catalog.price_list"
ACCOUNT = "accounts.account"


def list_price_lists(actor: Actor, on: date) -> list[Row]:
    """All price lists by name, each with how many prices it offers on the day."""
    lists = PriceList.objects.annotate(
        offered=Count(
            "prices",
            filter=Q(prices__valid_from__lte=on) & (Q(prices__valid_to=None) | Q(prices__valid_to__gt=on)),
        )
    ).order_by("name")
    found = list(lists)
    counts = {one.pk: one.offered for one in found}
    return [row.plus(offered=counts[row.id]) for row in _rows(actor, found)]


def price_lists_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Price lists with an id above ``after``, in the order of their ids: a page by cursor."""
    lists: QuerySet[PriceList] = PriceList.objects.all()
    if after is not None:
        lists = lists.filter(id__gt=after)
    return _rows(actor, lists.order_by("id")[:take])


def get_price_list(actor: Actor, price_list_id: UUID) -> Row:
    """One price list; raises ``NotFound``."""
    found = PriceList.objects.filter(id=price_list_id).first()
    row = project_one(actor, KEY, found)
    return _with_account(actor, [row])[0]


def _rows(actor: Actor, lists: Iterable[PriceList]) -> list[Row]:
    return _with_account(actor, project(actor, KEY, lists))


def _with_account(actor: Actor, rows: list[Row]) -> list[Row]:
    """With the accounts' names, for an actor who may see accounts."""
    ids = {row.account for row in rows if row.account}
    titles = titles_of({ACCOUNT: ids}) if ids and actor.may("accounts.see") else {}
    return [row.plus(account_title=titles.get(row.account, "")) for row in rows]
