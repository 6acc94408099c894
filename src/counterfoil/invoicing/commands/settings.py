"""Tax rates and number series of our companies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.invoicing.models import DocumentKind, Series, TaxRate
from counterfoil.invoicing.rules.numbering import bad_pattern
from counterfoil.invoicing.rules.usual_rates import UsualRate, is_provisional, usual_rates
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing import clock
from counterfoil.plumbing.bulk import insert_rows, read_where

_PREFIXES = {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CN"}


@command("invoicing.add_tax_rate", needs="settings.change", takes={"values": Takes("invoicing.tax_rate")})
def add_tax_rate(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add a rate from a day on. An open-ended rate of the same class and part ends before that day.

    A rate of another part stands beside those of the class: each of its lines bears both taxes.
    """
    rate = TaxRate(id=new_id(), created_at=clock.now(), **_columns(values))
    _check(rate)
    before = TaxRate.objects.select_for_update().filter(
        entity=rate.entity_id, tax_class=rate.tax_class, part=rate.part, valid_to=None, valid_from__lt=rate.valid_from
    )
    for ending in before:
        ending.valid_to = rate.valid_from
        ending.version += 1
        ending.save(update_fields=["valid_to", "version"])
    _save(rate, is_new=True)
    return rate.pk


@command(
    "invoicing.change_tax_rate", needs="settings.change", takes={"values": Takes("invoicing.tax_rate", partial=True)}
)
def change_tax_rate(*, actor: Actor, rate_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a rate. Issued documents keep the tax that is frozen on them."""
    rate = TaxRate.objects.select_for_update().filter(id=rate_id).first()
    if rate is None:
        raise NotFound()
    if version is not None and rate.version != version:
        raise Stale()
    for name, value in _columns(values).items():
        setattr(rate, name, value)
    _check(rate)
    rate.version += 1
    _save(rate, is_new=False)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = {"entity_id" if name == "entity" else name: value for name, value in values.items()}
    if columns.get("part") is None:
        columns.pop("part", None)
    if not columns.get("category"):
        columns.pop("category", None)
        if columns.get("percent") == 0:
            columns["category"] = "Z"
    return columns


def _check(rate: TaxRate) -> None:
    if rate.valid_to is not None and rate.valid_to <= rate.valid_from:
        raise Refusal("runs_backward", "The rate would end before it begins.", "valid_to")
    if rate.category != "S" and rate.percent:
        raise Refusal("not_zero", "Only what is taxed has a rate above zero.", "percent")
    if rate.category == "S" and not rate.percent:
        raise Refusal(
            "zero", "What is taxed has a rate above zero. For no tax choose zero-rated or exempt.", "category"
        )


def _save(rate: TaxRate, *, is_new: bool) -> None:
    try:
        with transaction.atomic():
            rate.save(force_insert=is_new)
    except IntegrityError as error:
        if "one_at_a_time" in str(error):
            text = (
                "Another rate of this class holds on some of these days. A further tax of the class has another part."
            )
            raise Conflict("overlaps", text, "valid_from") from None
        raise


@command("invoicing.change_series", needs="settings.change", takes={"values": Takes("invoicing.series", partial=True)})
def change_series(*, actor: Actor, series_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change how future documents are numbered. Numbers that were given stay, and the counter goes on.

    A pattern that names a year for the first time, or no longer, begins a counter of its own.
    """
    series = Series.objects.select_for_update().filter(id=series_id).first()
    if series is None:
        raise NotFound()
    if version is not None and series.version != version:
        raise Stale()
    for name, value in values.items():
        if value is not None:
            setattr(series, name, value)
    bad = bad_pattern(series.pattern)
    if bad:
        raise Refusal("bad_pattern", bad, "pattern")
    same = Series.objects.filter(entity=series.entity_id, pattern=series.pattern).exclude(id=series.pk)
    if same.exists():
        raise Conflict("taken", "Another series of this company has this pattern.", "pattern")
    series.version += 1
    series.save()


@command("invoicing.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor, entity_id: UUID | None = None) -> None:
    """Give every company, or this one, its series and the usual tax rates of its country, unless it has them.

    Rates that stand in for an unknown country are replaced once the country is known, unless somebody changed them.
    """
    at = clock.now()
    wanted = ("TRUE",) if entity_id is None else ("id = %s", entity_id)
    entities = read_where(LegalEntity, *wanted, order="created_at, id", lock=True)
    known: dict[UUID, list[TaxRate]] = {entity.pk: [] for entity in entities}
    for rate in read_where(TaxRate, "entity_id = ANY(%s)", list(known)):
        known[rate.entity_id].append(rate)
    for entity in entities:
        held = known[entity.pk]
        if held and is_provisional([_usual(rate) for rate in held]) and all(rate.version == 1 for rate in held):
            fresh = usual_rates(entity.country)
            if fresh != usual_rates(""):
                TaxRate.objects.filter(entity=entity).delete()
                held = []
        if not held:
            insert_rows(_rate(entity, rate, at) for rate in usual_rates(entity.country))
    _install_series(entities)


def _usual(rate: TaxRate) -> UsualRate:
    return UsualRate(rate.tax_class, rate.label, rate.percent, rate.category, rate.legal_note, rate.valid_from)


def _rate(entity: LegalEntity, rate: UsualRate, at: Any) -> TaxRate:
    return TaxRate(
        created_at=at,
        entity=entity,
        tax_class=rate.tax_class,
        label=rate.label,
        percent=rate.percent,
        category=rate.category,
        legal_note=rate.legal_note,
        valid_from=rate.valid_from,
    )


def _install_series(entities: Sequence[LegalEntity]) -> None:
    everyone = [one.pk for one in read_where(LegalEntity, "TRUE", order="created_at, id", only=("id",))]
    known = read_where(Series, "entity_id = ANY(%s)", [entity.pk for entity in entities])
    there = {(one.entity_id, one.kind) for one in known}
    insert_rows(
        Series(created_at=clock.now(), entity=entity, kind=kind, pattern=_pattern(prefix, everyone.index(entity.pk)))
        for entity in entities
        for kind, prefix in _PREFIXES.items()
        if (entity.pk, kind.value) not in there
    )


def _pattern(prefix: str, place: int) -> str:
    """The first company's numbers are plain; others say which company, since payers see several."""
    return f"{prefix}-{{year}}-{{number}}" if place == 0 else f"{prefix}{place + 1}-{{year}}-{{number}}"
