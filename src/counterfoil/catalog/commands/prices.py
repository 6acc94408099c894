"""The verbs of recurring prices. A version never changes: a change makes the next one, from a day on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.catalog.events import PriceAdded, PriceChanged, PriceRetired
from counterfoil.catalog.models import Billed, Price
from counterfoil.catalog.rules.pricing import PACKAGE, TIERED, Pricing, problems_of, tiers_as_rows, tiers_from
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import emit

TERMS = ("model", "amount", "per", "tiers", "interval", "count", "billed", "is_metered", "meter")
"""What a version says, and the next one may say otherwise."""


@command("catalog.add_price", needs="catalog.change", takes={"values": Takes("catalog.price")})
def add_price(*, actor: Actor, values: Mapping[str, Any], on: date) -> UUID:
    """Add a recurring or usage price of a product, from ``valid_from`` on or else from the day ``on``."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    price = Price(
        id=new_id(),
        created_at=clock.now(),
        product_id=given["product"],
        price_list_id=given.get("price_list"),
        key=given["key"],
        currency=given["currency"],
        valid_from=given.get("valid_from", on),
        valid_to=given.get("valid_to"),
        **terms_of(given),
    )
    if price.valid_to is not None and price.valid_to <= price.valid_from:
        raise Refusal("runs_backward", "The price would end before it begins.", "valid_to")
    _insert(price)
    emit(PriceAdded(price_id=price.pk, product_id=price.product_id, key=price.key, valid_from=price.valid_from))
    return price.pk


@command("catalog.change_price", needs="catalog.change", takes={"values": Takes("catalog.price", partial=True)})
def change_price(
    *, actor: Actor, price_id: UUID, values: Mapping[str, Any], on: date, version: int | None = None
) -> UUID:
    """Make the next version from the day ``on``, until the version that is already planned after it, if there is one.

    ``price_id`` names any version of the price. The version that holds on the day ends before it; one that begins on
    that very day gives way, and stays with those who hold it. Answers the version that then holds on the day.
    """
    versions = _versions(price_id, version)
    _refuse_identity(versions[0], values)
    present = next((one for one in versions if _holds(one, on)), None)
    if present is None:
        raise Conflict("not_offered", "The price is not offered on this day. Add it again from a day on.", "on")
    said = {name: getattr(present, name) for name in TERMS if name != "tiers"}
    said["tiers"] = [] if present.model not in TIERED else present.tiers
    terms = terms_of(said | _without_leftovers(said, values))
    if all(getattr(present, name) == value for name, value in terms.items()):
        return present.pk
    following = Price(
        id=new_id(),
        created_at=clock.now(),
        product_id=present.product_id,
        price_list_id=present.price_list_id,
        key=present.key,
        currency=present.currency,
        valid_from=on,
        valid_to=present.valid_to,
        **terms,
    )
    _end(present, on)
    _insert(following)
    emit(
        PriceChanged(
            price_id=following.pk,
            before_id=present.pk,
            product_id=following.product_id,
            key=following.key,
            valid_from=on,
        )
    )
    return following.pk


@command("catalog.retire_price", needs="catalog.change")
def retire_price(*, actor: Actor, price_id: UUID, on: date, version: int | None = None) -> None:
    """Offer the price no more from the day ``on``, nor any version planned after it. Who holds a version keeps it.

    From the day on which it was first offered, it was never offered; an earlier day is refused.
    """
    versions = _versions(price_id, version)
    first_on = versions[-1].valid_from
    if on < first_on:
        raise Refusal("before_start", f"It is offered from {first_on} on. Give that day or a later one.", "on")
    ending = [one for one in versions if one.valid_to is None or one.valid_to > on]
    if not ending:
        raise Conflict("not_offered", "The price is not offered on this day or later.", "on")
    for one in ending:
        _end(one, max(on, one.valid_from))
    known = versions[0]
    emit(PriceRetired(price_id=price_id, product_id=known.product_id, key=known.key, valid_to=on))


# What a version says --------------------------------------------------------------------------------------------------


def terms_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what a version says, or a refusal that names all that does not hold together."""
    tiers = tiers_from(given.get("tiers") or ())
    pricing = Pricing(given.get("model", ""), given.get("amount"), given.get("per"), tiers)
    problems = problems_of(pricing)
    meter = given.get("meter") or ""
    is_metered = bool(given.get("is_metered", bool(meter)))
    billed = given.get("billed") or (Billed.IN_ARREARS if is_metered else Billed.IN_ADVANCE)
    if is_metered and not meter:
        problems.append(Problem("meter", "missing", "Say what is measured, such as calls."))
    if meter and not is_metered:
        problems.append(Problem("meter", "not_used", "Only what is metered has a meter."))
    if is_metered and billed != Billed.IN_ARREARS:
        problems.append(Problem("billed", "metered_in_advance", "What is metered is billed in arrears."))
    if problems:
        raise Refusal.of(problems)
    return {
        "model": pricing.model,
        "amount": pricing.amount,
        "per": pricing.per,
        "tiers": tiers_as_rows(pricing.tiers),
        "interval": given["interval"],
        "count": given.get("count") or 1,
        "billed": billed,
        "is_metered": is_metered,
        "meter": meter,
    }


def _without_leftovers(said: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The wished values, and what another model leaves unsaid: an amount gives way to tiers, a package's size goes."""
    wished = {name: value for name, value in values.items() if name in TERMS}
    model = wished.get("model") or said["model"]
    if model != said["model"]:
        unused = {"amount"} if model in TIERED else {"tiers"}
        unused |= set() if model == PACKAGE else {"per"}
        wished = dict.fromkeys(unused) | wished
    if wished.get("is_metered") is False:
        wished.setdefault("meter", "")
    return {name: value for name, value in wished.items() if value or name not in ("count", "billed")}


def _refuse_identity(price: Price, values: Mapping[str, Any]) -> None:
    """Another product, key, currency or list is another price, and a version's days are not among its terms."""
    same = {
        "product": price.product_id,
        "key": price.key,
        "currency": price.currency,
        "price_list": price.price_list_id,
        "valid_from": None,
        "valid_to": None,
    }
    problems = [
        Problem(name, "fixed", "All versions of a price have this in common. Add another price.")
        for name, value in values.items()
        if name in same and value != same[name]
    ]
    if problems:
        raise Refusal.of(problems)


# Versions -------------------------------------------------------------------------------------------------------------


def _versions(price_id: UUID, version: int | None) -> list[Price]:
    """All versions of the price, the latest first, locked."""
    price = Price.objects.filter(id=price_id).first()
    if price is None:
        raise NotFound()
    same = Price.objects.filter(key=price.key, currency=price.currency, price_list=price.price_list_id)
    versions = list(same.select_for_update(of=("self",)).order_by("-valid_from", "-id"))
    read = next((one for one in versions if one.pk == price_id), None)
    if read is None or (version is not None and read.version != version):
        raise Stale()
    return versions


def _holds(price: Price, on: date) -> bool:
    return price.valid_from <= on and (price.valid_to is None or on < price.valid_to)


def _end(price: Price, on: date) -> None:
    """The version holds until before ``on``. One that would never have held goes, unless somebody holds it."""
    if on <= price.valid_from:
        try:
            with transaction.atomic():
                Price.objects.filter(id=price.pk).delete()
            return
        except (ProtectedError, IntegrityError):
            on = price.valid_from
    price.valid_to = on
    price.version += 1
    price.save(update_fields=["valid_to", "version"])


def _insert(price: Price) -> None:
    try:
        with transaction.atomic():
            price.save(force_insert=True)
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        if "one_version" in constraint:
            text = "This key has a price on some of these days already. Change that one, or begin after it."
            raise Conflict("overlaps", text, "valid_from") from None
        if "key_of_one_product" in constraint:
            raise Conflict("taken", "This key is of another product.", "key") from None
        raise
