"""The verbs of price lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.catalog.events import PriceListAdded, PriceListChanged
from counterfoil.catalog.models import PriceList
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import emit

_TAKEN = {
    "catalog_pricelist_name": ("name", "Another price list has this name."),
    "catalog_pricelist_one_per_tier": ("tier", "This tier has a price list already."),
    "catalog_pricelist_one_per_account": ("account", "This account has a price list already."),
}


@command("catalog.add_price_list", needs="catalog.change", takes={"values": Takes("catalog.price_list")})
def add_price_list(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add a price list for a service tier or for one account."""
    price_list = PriceList(id=new_id(), created_at=clock.now(), **_columns(values))
    _save(price_list, is_new=True)
    emit(PriceListAdded(price_list_id=price_list.pk, name=price_list.name))
    return price_list.pk


@command(
    "catalog.change_price_list", needs="catalog.change", takes={"values": Takes("catalog.price_list", partial=True)}
)
def change_price_list(
    *, actor: Actor, price_list_id: UUID, values: Mapping[str, Any], version: int | None = None
) -> None:
    """Rename a price list, or give it to another tier or account. Who holds a price of it keeps that."""
    price_list = PriceList.objects.select_for_update().filter(id=price_list_id).first()
    if price_list is None:
        raise NotFound()
    if version is not None and price_list.version != version:
        raise Stale()
    columns = _columns(values)
    changed = [name for name, value in columns.items() if getattr(price_list, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(price_list, name, columns[name])
    price_list.version += 1
    _save(price_list, is_new=False)
    fields = tuple(sorted("account" if name == "account_id" else name for name in changed))
    emit(PriceListChanged(price_list_id=price_list.pk, name=price_list.name, fields=fields))


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"account_id" if name == "account" else name: value for name, value in values.items()}


def _save(price_list: PriceList, *, is_new: bool) -> None:
    if price_list.tier and price_list.account_id:
        raise Refusal("tier_and_account", "A price list is for a tier or for an account, not for both.", "account")
    if not price_list.tier and not price_list.account_id:
        raise Refusal("missing", "Say for which tier or account the list is.", "tier")
    try:
        with transaction.atomic():
            price_list.save(force_insert=is_new)
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        if constraint in _TAKEN:
            field, message = _TAKEN[constraint]
            raise Conflict("taken", message, field) from None
        raise
