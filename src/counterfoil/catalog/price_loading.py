"""Recurring prices from files: a row is a version of the price that its key, currency and list name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.catalog.commands.prices import add_price, change_price, terms_of
from counterfoil.catalog.models import IntervalUnit, Price
from counterfoil.catalog.rules.pricing import tiers_as_rows, tiers_in_text
from counterfoil.core.errors import Refusal
from counterfoil.plumbing.importers import Kept, Loaded, LoadRow, Verdict

KEY = "catalog.price"
QUARTER = "quarter"
TERMS = ("model", "amount", "per", "interval", "count", "billed", "meter")


def values_of(row: LoadRow, options: Mapping[str, Any]) -> dict[str, Any]:
    """The row as ``add_price`` takes it; a ``Refusal`` for tiers that cannot be read."""
    values = {name: row.values[name] for name in TERMS if row.values.get(name) not in (None, "")}
    if values.get("interval") == QUARTER:
        values |= {"interval": IntervalUnit.MONTH.value, "count": 3 * int(values.get("count", 1))}
    try:
        values["tiers"] = tiers_as_rows(tiers_in_text(str(row.values.get("tiers") or "")))
    except ValueError as error:
        raise Refusal("not_tiers", f"Write tiers as “1000: 0.01; 0.005”. {error}", "tiers") from None
    values["is_metered"] = bool(values.get("meter"))
    return values | {
        "product": row.values["product"],
        "key": row.values["key"],
        "price_list": row.values.get("price_list") or None,
        "currency": str(row.values.get("currency") or options.get("currency") or ""),
        "valid_from": row.values.get("valid_from"),
    }


def check_prices(rows: Sequence[LoadRow], options: Mapping[str, Any]) -> list[Verdict]:
    """New, the next version, the same, or an error with its place."""
    latest = _latest(rows)
    products: dict[str, UUID] = {price.key: price.product_id for price in latest.values()}
    seen: dict[Identity, int] = {}
    verdicts = []
    for row in rows:
        try:
            values = values_of(row, options)
            terms = terms_of(values)
            identity = _identity(values)
            _check_row(values, latest.get(identity), products, seen.get(identity))
        except Refusal as refusal:
            verdicts.append(Verdict("error", problems=refusal.problems))
            continue
        seen[identity] = row.number
        products.setdefault(values["key"], values["product"])
        known = latest.get(identity)
        if known is None or known.valid_to is not None:
            verdicts.append(Verdict("new"))
        else:
            is_same = all(getattr(known, name) == value for name, value in terms.items())
            verdicts.append(Verdict("same" if is_same else "update", known.pk, known.key))
    return verdicts


def _check_row(values: Mapping[str, Any], known: Price | None, products: Mapping[str, UUID], twice: int | None) -> None:
    """What would make loading fail is told for the row."""
    if not values["currency"]:
        raise Refusal("missing", "Say in which currency the prices are.", "currency")
    if twice is not None:
        raise Refusal("twice_in_file", f"Row {twice} of this file is the same price.", "key")
    if products.get(values["key"], values["product"]) != values["product"]:
        raise Refusal("taken", "This key is of another product.", "key")
    day = values["valid_from"]
    if known is None:
        return
    if known.valid_to is None and day is not None and day < known.valid_from:
        raise Refusal("not_offered", "A later version is there already.", "valid_from")
    if known.valid_to is not None and (day is None or day < known.valid_to):
        raise Refusal("overlaps", f"It is offered until {known.valid_to}. Say from which later day on.", "valid_from")


Identity = tuple[str, str, UUID | None]


def _identity(values: Mapping[str, Any]) -> Identity:
    return values["key"], values["currency"], values["price_list"]


def _latest(rows: Sequence[LoadRow]) -> dict[Identity, Price]:
    """The latest version of each price whose key the rows name."""
    keys = {str(row.values["key"]) for row in rows}
    prices = Price.objects.filter(key__in=keys).order_by("valid_from", "id")
    return {(price.key, price.currency, price.price_list_id): price for price in prices}


@command("catalog.load_prices", needs="importing.run")
def load_prices(
    *, actor: Actor, rows: Sequence[LoadRow], options: Mapping[str, Any], on: date, at: datetime
) -> list[Loaded]:
    """Add the new prices of a file, and make the next version of the known ones that it changes."""
    latest = _latest(rows)
    loaded = []
    for row in rows:
        values = values_of(row, options)
        day = values.pop("valid_from") or on
        known = latest.get(_identity(values))
        if known is None or known.valid_to is not None:
            price_id = add_price(actor=actor, values=values, on=day)
            loaded.append(Loaded(row.number, "new", KEY, price_id, 1))
            continue
        day = max(day, known.valid_from)
        price_id = change_price(actor=actor, price_id=known.pk, values=terms_of(values), on=day)
        if price_id != known.pk:
            loaded.append(Loaded(row.number, "updated", KEY, price_id, 1, {"before": str(known.pk)}))
    return loaded


@command("catalog.unload_prices", needs="importing.run")
def unload_prices(*, actor: Actor, loaded: Sequence[Loaded], on: date, at: datetime, reason: str) -> list[Kept]:
    """Remove versions that a file made and nobody holds, and offer again what held before them."""
    kept: list[Kept] = []
    prices = Price.objects.select_for_update().in_bulk([one.record_id for one in loaded])
    for one in loaded:
        price = prices.get(one.record_id)
        if price is None:
            continue
        if price.version != one.version:
            kept.append(Kept(KEY, price.pk, "It was changed after the import."))
            continue
        try:
            with transaction.atomic():
                Price.objects.filter(id=price.pk).delete()
        except ProtectedError:
            kept.append(Kept(KEY, price.pk, "A subscription holds it."))
            continue
        ended = one.before.get("before")
        before = Price.objects.filter(id=ended, valid_to=price.valid_from).first() if ended else None
        if before is not None:
            before.valid_to = price.valid_to
            before.version += 1
            before.save(update_fields=["valid_to", "version"])
    return kept
