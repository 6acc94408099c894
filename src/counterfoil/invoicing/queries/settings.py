"""Tax rates and number series as an actor may see them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project
from counterfoil.core.errors import NotFound
from counterfoil.invoicing.models import Series, TaxRate
from counterfoil.invoicing.queries.rows import SERIES, TAX_RATE
from counterfoil.invoicing.rules.numbering import counter_year, document_number
from counterfoil.ledger.days import today_of


def list_tax_rates(actor: Actor) -> list[Row]:
    """All tax rates by company, class and day."""
    return _rates(
        actor,
        list(TaxRate.objects.select_related("entity").order_by("entity__name", "tax_class", "part", "-valid_from")),
    )


def tax_rates_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """The tax rates with an id above ``after``: a page by cursor."""
    rates = TaxRate.objects.select_related("entity").order_by("id")
    return _rates(actor, list((rates.filter(id__gt=after) if after else rates)[:take]))


def get_tax_rate(actor: Actor, rate_id: UUID) -> Row:
    """One tax rate; raises ``NotFound``."""
    return _only(_rates(actor, list(TaxRate.objects.select_related("entity").filter(id=rate_id))))


def _rates(actor: Actor, rates: Sequence[TaxRate]) -> list[Row]:
    rows = project(actor, TAX_RATE, rates)
    for row, rate in zip(rows, rates, strict=False):
        row.plus(entity_title=rate.entity.name)
    return rows


def list_series(actor: Actor) -> list[Row]:
    """All series with the last number taken, ``last``, and how the next one will read, ``next_number``."""
    known = Series.objects.select_related("entity").prefetch_related("counters")
    return _series(actor, list(known.order_by("entity__name", "kind")))


def series_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """The series with an id above ``after``: a page by cursor."""
    known = Series.objects.select_related("entity").prefetch_related("counters").order_by("id")
    return _series(actor, list((known.filter(id__gt=after) if after else known)[:take]))


def get_series(actor: Actor, series_id: UUID) -> Row:
    """One series; raises ``NotFound``."""
    known = Series.objects.select_related("entity").prefetch_related("counters")
    return _only(_series(actor, list(known.filter(id=series_id))))


def _series(actor: Actor, known: Sequence[Series]) -> list[Row]:
    rows = project(actor, SERIES, known)
    for row, one in zip(rows, known, strict=False):
        year = today_of(one.entity_id).year
        counters = {counter.year: counter.last for counter in one.counters.all()}
        taken = counters.get(counter_year(one.pattern, year), 0)
        row.plus(
            entity_title=one.entity.name,
            last=document_number(one.pattern, one.digits, year, taken) if taken else "",
            next_number=document_number(one.pattern, one.digits, year, taken + 1),
        )
    return rows


def _only(rows: Sequence[Row]) -> Row:
    if not rows:
        raise NotFound()
    return rows[0]
