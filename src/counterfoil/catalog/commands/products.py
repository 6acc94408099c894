"""The verbs of products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.catalog.events import ProductAdded, ProductChanged
from counterfoil.catalog.models import Product
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.core.text import normalised_name
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import emit


@command("catalog.add_product", needs="catalog.change", takes={"values": Takes("catalog.product")})
def add_product(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add a product with its list price."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    given.setdefault("is_active", True)
    product = Product(id=new_id(), created_at=clock.now(), **given)
    _save(product, is_new=True)
    emit(ProductAdded(product_id=product.pk, name=product.name))
    return product.pk


@command("catalog.change_product", needs="catalog.change", takes={"values": Takes("catalog.product", partial=True)})
def change_product(*, actor: Actor, product_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a product. Deals and drafts that have it on a line keep their price."""
    product = Product.objects.select_for_update().filter(id=product_id).first()
    if product is None:
        raise NotFound()
    if version is not None and product.version != version:
        raise Stale()
    changed = [name for name, value in values.items() if getattr(product, name) != value]
    emptied = [name for name in ("tax_class", "interval") if name in changed and not values[name]]
    if emptied:
        raise Refusal.of(Problem(name, "missing", "Choose one.") for name in emptied)
    if not changed:
        return
    for name in changed:
        setattr(product, name, values[name])
    product.version += 1
    _save(product, is_new=False)
    emit(ProductChanged(product_id=product.pk, name=product.name, fields=tuple(sorted(changed))))


def _save(product: Product, *, is_new: bool) -> None:
    product.normalised_name = normalised_name(product.name)[:200]
    try:
        with transaction.atomic():
            product.save(force_insert=is_new)
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        if "code" in constraint:
            raise Conflict("taken", "Another product has this code already.", "code") from None
        raise
