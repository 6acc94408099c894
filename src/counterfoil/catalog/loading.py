"""Products from files: checked and loaded in sets, and taken back. A row is known by its code, else by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.catalog.events import ProductAdded, ProductChanged
from counterfoil.catalog.models import Product
from counterfoil.core.errors import Problem
from counterfoil.core.ids import new_id
from counterfoil.core.text import normalised_name
from counterfoil.plumbing.importers import Kept, Loaded, LoadRow, Verdict
from counterfoil.plumbing.outbox import emit

KEY = "catalog.product"
COLUMNS = ("name", "family", "description", "unit", "tax_class", "interval", "unit_price", "currency")


def _code(row: LoadRow) -> str:
    return str(row.values.get("code") or row.values["name"])[:60]


def recognised(rows: Sequence[LoadRow]) -> dict[int, Product]:
    """The product that each row is about, by row number."""
    by_code = {product.code: product for product in Product.objects.filter(code__in=[_code(row) for row in rows])}
    names = [normalised_name(str(row.values["name"])) for row in rows]
    by_name = {product.normalised_name: product for product in Product.objects.filter(normalised_name__in=names)}
    found = {row.number: by_code.get(_code(row)) or by_name.get(name) for row, name in zip(rows, names, strict=True)}
    return {number: product for number, product in found.items() if product is not None}


def _values(row: LoadRow, options: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row.values[name] for name in COLUMNS if row.values.get(name) not in (None, "")}
    values.setdefault("currency", str(options.get("currency") or ""))
    return values


def check_products(rows: Sequence[LoadRow], options: Mapping[str, Any]) -> list[Verdict]:
    """New, an update, the same, or an error when a code stands twice or no currency is known."""
    known = recognised(rows)
    seen: dict[str, int] = {}
    verdicts: list[Verdict] = []
    for row in rows:
        problem = None
        if _code(row) in seen:
            problem = Problem("code", "twice_in_file", f"Row {seen[_code(row)]} of this file has the same code.")
        elif not _values(row, options)["currency"]:
            problem = Problem("currency", "missing", "Say in which currency the prices are.")
        elif Decimal(row.values["unit_price"]) < 0:
            problem = Problem("unit_price", "too_small", "A price cannot be negative.")
        seen.setdefault(_code(row), row.number)
        product = known.get(row.number)
        if problem is not None:
            verdicts.append(Verdict("error", problems=(problem,)))
        elif product is None:
            verdicts.append(Verdict("new"))
        else:
            changed = any(getattr(product, name) != value for name, value in _values(row, options).items())
            verdicts.append(Verdict("update" if changed else "same", product.pk, product.name))
    return verdicts


@command("catalog.load_products", needs="importing.run")
def load_products(
    *, actor: Actor, rows: Sequence[LoadRow], options: Mapping[str, Any], on: date, at: datetime
) -> list[Loaded]:
    """Add the new products of a file and change the known ones."""
    known = recognised(rows)
    fresh: list[Product] = []
    changed: list[Product] = []
    loaded: list[Loaded] = []
    for row in rows:
        values = _values(row, options)
        name = normalised_name(str(values["name"]))
        product = known.get(row.number)
        if product is None:
            product = Product(id=new_id(), created_at=at, code=_code(row), normalised_name=name, **values)
            fresh.append(product)
            emit(ProductAdded(product_id=product.pk, name=product.name))
            loaded.append(Loaded(row.number, "new", KEY, product.pk, product.version))
            continue
        before = {key: getattr(product, key) for key, value in values.items() if getattr(product, key) != value}
        for key, value in values.items():
            setattr(product, key, value)
        product.normalised_name = name
        product.version += 1
        changed.append(product)
        emit(ProductChanged(product_id=product.pk, name=product.name, fields=tuple(sorted(before))))
        plain = {key: str(value) for key, value in before.items()}
        loaded.append(Loaded(row.number, "updated", KEY, product.pk, product.version, plain))
    Product.objects.bulk_create(fresh, batch_size=1000)
    Product.objects.bulk_update(changed, [*COLUMNS, "normalised_name", "version"], batch_size=500)
    return loaded


@command("catalog.unload_products", needs="importing.run")
def unload_products(*, actor: Actor, loaded: Sequence[Loaded], on: date, at: datetime, reason: str) -> list[Kept]:
    """Remove products that a file added and nothing uses, and give changed ones their old values."""
    kept: list[Kept] = []
    products = Product.objects.in_bulk([one.record_id for one in loaded])
    for one in sorted(loaded, key=lambda item: -item.number):
        product = products.get(one.record_id)
        if product is None:
            continue
        if product.version != one.version:
            kept.append(Kept(KEY, one.record_id, "It was changed after the import."))
        elif one.action == "updated":
            for name, value in one.before.items():
                setattr(product, name, Decimal(value) if name == "unit_price" else value)
            product.normalised_name = normalised_name(product.name)
            product.version += 1
            product.save()
        else:
            try:
                with transaction.atomic():
                    Product.objects.filter(id=product.pk).delete()
            except ProtectedError:
                kept.append(Kept(KEY, one.record_id, "A deal or an invoice has it on a line."))
    return kept
