"""The settings of tax rates, number series and references."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.rules.numbering import bad_pattern, document_number
from counterfoil.ledger.queries import list_entities
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import record_type
from counterfoil.surface.forms import Form, Sent, Typed, save_sent
from counterfoil.surface.htmx import go, page, say

RATE, SERIES, REFERENCE = "invoicing.tax_rate", "invoicing.series", "invoicing.reference_field"
REFERENCE_FIELDS = ["name", "key", "kind", "options", "is_required", "is_printed", "element"]
RATE_FIELDS = [
    "entity",
    "tax_class",
    "part",
    "label",
    "percent",
    "category",
    "included",
    "legal_note",
    "valid_from",
    "valid_to",
]


@require_safe
def tax_rates(request: Request) -> HttpResponse:
    today = queries.local_today()
    rates = [
        row.plus(is_past=bool(row.valid_to and row.valid_to <= today)) for row in queries.list_tax_rates(request.actor)
    ]
    return page(request, "invoicing/tax_rates.html", {"rates": rates})


@require_http_methods(["GET", "HEAD", "POST"])
def new_tax_rate(request: Request) -> HttpResponse:
    """A rate from a day on. The open-ended one of the same class and part ends before it."""
    sent = save_sent(
        request, RATE, lambda typed: commands.add_tax_rate(actor=request.actor, values=typed), only=RATE_FIELDS
    )
    if sent.is_saved:
        say(request, "The rate is there.")
        return go(request, reverse("invoicing:tax_rates"))
    form = _rate_form(request, {"category": "S", "part": 1, "valid_from": queries.local_today()}, sent)
    return _form_page(request, "invoicing/tax_rate.html", form, None, sent)


@require_http_methods(["GET", "HEAD", "POST"])
def tax_rate(request: Request, rate_id: UUID) -> HttpResponse:
    row = queries.get_tax_rate(request.actor, rate_id)

    def save(typed: Typed) -> None:
        commands.change_tax_rate(actor=request.actor, rate_id=rate_id, values=typed, version=typed.version)

    sent = save_sent(request, RATE, save, only=RATE_FIELDS)
    if sent.is_saved:
        say(request, "Saved. Issued invoices keep the tax that they were issued with.")
        return go(request, reverse("invoicing:tax_rates"))
    return _form_page(request, "invoicing/tax_rate.html", _rate_form(request, row, sent), row, sent)


def _rate_form(request: Request, values: Any, sent: Sent) -> Form:
    entities = [(row.id, row.name) for row in list_entities(request.actor)]
    return sent.form(
        RATE,
        values=values,
        only=RATE_FIELDS,
        writable=_writable(request),
        options={"entity": entities},
    )


@require_safe
def reference_fields(request: Request) -> HttpResponse:
    rows = queries.list_reference_fields(request.actor)
    words = {item.id: dict(item.options()) for item in record_type(REFERENCE).fields}
    for row in rows:
        row.plus(kind_name=words["kind"][row.kind], element_name=words["element"][row.element])
    return page(request, "invoicing/reference_fields.html", {"fields": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def new_reference_field(request: Request) -> HttpResponse:
    def save(typed: Typed) -> None:
        commands.add_reference_field(actor=request.actor, values=typed)

    sent = save_sent(request, REFERENCE, save, only=REFERENCE_FIELDS)
    if sent.is_saved:
        say(request, "The reference is there: deals, subscriptions and drafts ask for it.")
        return go(request, reverse("invoicing:reference_fields"))
    form = sent.form(
        REFERENCE,
        values={"kind": "text", "element": "note", "is_printed": True},
        only=REFERENCE_FIELDS,
    )
    return _form_page(request, "invoicing/reference_field.html", form, None, sent)


@require_http_methods(["GET", "HEAD", "POST"])
def reference_field(request: Request, field_id: UUID) -> HttpResponse:
    row = queries.get_reference_field(request.actor, field_id)
    names = [
        name for name in [*REFERENCE_FIELDS, "position", "is_retired"] if row.kind == "choice" or name != "options"
    ]

    def save(typed: Typed) -> None:
        commands.change_reference_field(actor=request.actor, field_id=field_id, values=typed, version=typed.version)

    sent = save_sent(request, REFERENCE, save, only=[name for name in names if name not in ("key", "kind")])
    if sent.is_saved:
        say(request, "Saved. Issued documents keep what they say.")
        return go(request, reverse("invoicing:reference_fields"))
    form = sent.form(
        REFERENCE,
        values=row,
        only=names,
        writable=_writable(request),
        locked={"key": "Programs may know it.", "kind": "Values of it may be there."},
    )
    return _form_page(request, "invoicing/reference_field.html", form, row, sent)


@require_safe
def all_series(request: Request) -> HttpResponse:
    rows = [_with_example(row) for row in queries.list_series(request.actor)]
    return page(request, "invoicing/all_series.html", {"series": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def series(request: Request, series_id: UUID) -> HttpResponse:
    row = _with_example(queries.get_series(request.actor, series_id))

    def save(typed: Typed) -> None:
        commands.change_series(actor=request.actor, series_id=series_id, values=typed, version=typed.version)

    sent = save_sent(request, SERIES, save)
    if sent.is_saved:
        say(request, "Saved. Numbers that were given stay, and the counter goes on.")
        return go(request, reverse("invoicing:all_series"))
    form = sent.form(SERIES, values=row, writable=_writable(request))
    return _form_page(request, "invoicing/series.html", form, row, sent)


def _with_example(row: Row) -> Row:
    """With the number that the series would give as its 42nd of this year."""
    year = clock.today().year
    return row.plus(example="" if bad_pattern(row.pattern) else document_number(row.pattern, row.digits, year, 42))


def _writable(request: Request) -> frozenset[str]:
    return request.actor.writes if request.actor.may("settings.change") else frozenset()


def _form_page(request: Request, template: str, form: Form, row: Row | None, sent: Sent) -> HttpResponse:
    context = {"form": form, "row": row, "may_change": request.actor.may("settings.change")}
    return page(request, template, context, status=sent.status)
