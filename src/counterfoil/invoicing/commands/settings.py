"""Tax rates and number series of our companies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.invoicing.models import Series, TaxRate
from counterfoil.invoicing.rules.numbering import bad_pattern
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing import clock

_SINCE = date(2015, 1, 1)
# (standard, reduced) in percent and what the tax is called; the rates in force in January 2026. Sources: the EU's
# taxes-in-Europe database, HMRC. An installation keeps its own in the settings.
_RATES: dict[str, tuple[str, str, str]] = {
    "AT": ("20", "10", "VAT"), "BE": ("21", "6", "VAT"), "DE": ("19", "7", "VAT"), "DK": ("25", "25", "VAT"),
    "ES": ("21", "10", "VAT"), "FI": ("25.5", "13.5", "VAT"), "FR": ("20", "5.5", "VAT"), "GB": ("20", "5", "VAT"),
    "IE": ("23", "13.5", "VAT"), "IT": ("22", "10", "VAT"), "LU": ("17", "8", "VAT"), "NL": ("21", "9", "VAT"),
    "PL": ("23", "8", "VAT"), "PT": ("23", "6", "VAT"), "SE": ("25", "12", "VAT"), "CH": ("8.1", "2.6", "VAT"),
}  # fmt: skip
_UNKNOWN = ("0", "0", "Tax")


@command("invoicing.add_tax_rate", needs="settings.change", takes={"values": Takes("invoicing.tax_rate")})
def add_tax_rate(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add a rate from a day on. An open-ended rate of the same class ends before that day."""
    columns = {**values, "entity_id": values["entity"]}
    del columns["entity"]
    _check_days(columns.get("valid_from"), columns.get("valid_to"))
    TaxRate.objects.filter(
        entity=columns["entity_id"], tax_class=columns["tax_class"], valid_to=None, valid_from__lt=columns["valid_from"]
    ).update(valid_to=columns["valid_from"])
    rate = TaxRate(id=new_id(), created_at=clock.now(), **columns)
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
    for name, value in values.items():
        setattr(rate, f"{name}_id" if name == "entity" else name, value)
    _check_days(rate.valid_from, rate.valid_to)
    rate.version += 1
    _save(rate, is_new=False)


def _check_days(start: date | None, end: date | None) -> None:
    if start is not None and end is not None and end <= start:
        raise Refusal("runs_backward", "The rate would end before it begins.", "valid_to")


def _save(rate: TaxRate, *, is_new: bool) -> None:
    try:
        rate.save(force_insert=is_new)
    except IntegrityError as error:
        if "one_at_a_time" in str(error):
            text = "Another rate of this class holds on some of these days."
            raise Conflict("overlaps", text, "valid_from") from None
        raise


@command("invoicing.change_series", needs="settings.change", takes={"values": Takes("invoicing.series", partial=True)})
def change_series(*, actor: Actor, series_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change how future documents are numbered. Numbers that were given stay, and the counter goes on."""
    series = Series.objects.select_for_update().filter(id=series_id).first()
    if series is None:
        raise NotFound()
    if version is not None and series.version != version:
        raise Stale()
    for name, value in values.items():
        setattr(series, f"{name}_id" if name == "entity" else name, value)
    bad = bad_pattern(series.pattern)
    if bad:
        raise Refusal("bad_pattern", bad, "pattern")
    same = Series.objects.filter(entity=series.entity_id, pattern=series.pattern).exclude(id=series.pk)
    if same.exists():
        raise Conflict("taken", "Another series of this company has this pattern.", "pattern")
    series.version += 1
    series.save()


@command("invoicing.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor) -> None:
    """Give every company that has none its series and the usual tax rates of its country."""
    with_series = set(Series.objects.values_list("entity_id", flat=True))
    with_rates = set(TaxRate.objects.values_list("entity_id", flat=True))
    entities = list(LegalEntity.objects.order_by("created_at"))
    Series.objects.bulk_create(
        Series(entity=entity, kind=kind, pattern=_pattern(prefix, place))
        for place, entity in enumerate(entities)
        if entity.pk not in with_series
        for kind, prefix in (("invoice", "INV"), ("credit_note", "CN"))
    )
    TaxRate.objects.bulk_create(
        rate for entity in entities if entity.pk not in with_rates for rate in _usual_rates(entity)
    )


def _pattern(prefix: str, place: int) -> str:
    """The first company's numbers are plain; others say which company, since payers see several."""
    return f"{prefix}-{{year}}-{{number}}" if place == 0 else f"{prefix}{place + 1}-{{year}}-{{number}}"


def _usual_rates(entity: LegalEntity) -> list[TaxRate]:
    standard, reduced, name = _RATES.get(entity.country, _UNKNOWN)
    wanted = (
        ("standard", f"{name} {standard} %", standard, "S" if Decimal(standard) else "Z", ""),
        ("reduced", f"{name} {reduced} %", reduced, "S" if Decimal(reduced) else "Z", ""),
        ("zero", f"{name} 0 %", "0", "Z", ""),
        ("exempt", "Exempt", "0", "E", "Exempt supply"),
    )
    return [
        TaxRate(
            entity=entity,
            tax_class=tax_class,
            label=label,
            percent=Decimal(percent),
            category=category,
            legal_note=note,
            valid_from=_SINCE,
        )
        for tax_class, label, percent, category, note in wanted
    ]
