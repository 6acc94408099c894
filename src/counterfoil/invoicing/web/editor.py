"""The editor of drafts: what is typed on the left, the true document of it on the right."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.queries import list_terms
from counterfoil.catalog.queries import products_by_id
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.invoicing import commands, queries
from counterfoil.ledger.queries import list_entities
from counterfoil.plumbing import clock
from counterfoil.surface.forms import Form, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say

KEY = "invoicing.invoice"
SECTIONS: dict[str, list[str]] = {
    "": ["account", "po_number", "reference_values", "references"],
    "Lines": ["lines"],
    "Terms": ["entity", "currency", "terms", "language", "delivery_channel", "service_from", "service_to"],
    "Notes": ["notes", "internal_notes"],
}
FIELDS = [name for names in SECTIONS.values() for name in names]


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request) -> HttpResponse:
    """A draft made by hand. ``?account=`` names the customer."""
    if request.method != "POST":
        account = request.GET.get("account", "")
        titles = queries.titles_of(request.actor, [account])
        values = {"account": account, "account_title": titles[account]} if account in titles else {}
        return _editor(request, None, _form(request, values))
    typed = values_from(request.POST, KEY, FIELDS)
    now = clock.now()
    try:
        invoice_id = commands.add_draft(actor=request.actor, values=typed, on=queries.local_today(), at=now)
    except Refusal as refusal:
        return _editor(request, None, _form(request, {}, typed, refusal), refusal)
    say(request, "The draft waits for review.")
    return go(request, reverse("invoicing:review", args=[invoice_id]))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: Request, invoice_id: UUID) -> HttpResponse:
    """Change a draft. Somebody else's change in between is told, and what was typed is kept."""
    row = queries.get_invoice(request.actor, invoice_id)
    if request.method != "POST":
        if row.status != "draft":
            return go(request, reverse("invoicing:invoice", args=[invoice_id]))
        return _editor(request, row, _form(request, _values(row)))
    typed = values_from(request.POST, KEY, [name for name in FIELDS if name != "account"])
    version = version_from(request.POST)
    try:
        on = queries.day_of(invoice_id, clock.now())
        commands.change_draft(actor=request.actor, invoice_id=invoice_id, values=typed, version=version, on=on)
    except Refusal as refusal:
        return _editor(request, row, _form(request, _values(row), typed, refusal, version), refusal)
    say(request, "Saved.")
    return go(request, reverse("invoicing:review", args=[invoice_id]))


def _values(row: Row) -> dict[str, Any]:
    """The draft as a form takes it, with the names of what it links to."""
    products = products_by_id([line["product"] for line in row.lines if line["product"]])
    lines = [{**line, "product_title": getattr(products.get(line["product"]), "name", "")} for line in row.lines]
    return {**row, "lines": lines, "account_title": row.account_title, "version": row.version, "sources": row.sources}


def _form(
    request: Request,
    values: Mapping[str, Any],
    typed: Mapping[str, Any] | None = None,
    refusal: Refusal | None = None,
    version: int | None = None,
) -> Form:
    locked = {"account": "A draft stays with its customer."} if "version" in values else {}
    sources: Mapping[str, Mapping[str, Any]] = values.get("sources", {})
    return record_form(
        KEY,
        values=values,
        typed=typed,
        sections=SECTIONS,
        writable=request.actor.writes,
        problems=refusal or (),
        version=version if version is not None else values.get("version"),
        locked=locked,
        options={
            "entity": [(row.id, row.name) for row in list_entities(request.actor)],
            "terms": [(row.id, row.name) for row in list_terms(request.actor)],
        },
        sources={name: source["label"] for name, source in sources.items() if source.get("label")},
    )


def _editor(request: Request, row: Row | None, form: Form, refusal: Refusal | None = None) -> HttpResponse:
    context = {
        "row": row,
        "form": form,
        "is_stale": isinstance(refusal, Conflict),
        "action": request.get_full_path(),
        "preview_url": reverse("invoicing:preview", args=[row.id]) if row else reverse("invoicing:preview_new"),
        "back": reverse("invoicing:review", args=[row.id]) if row else reverse("invoicing:invoices"),
    }
    return page(request, "invoicing/editor.html", context, status=refusal.status if refusal else 200)


@require_POST
def preview_new(request: Request) -> HttpResponse:
    """The pages of a draft that does not exist yet."""
    return _preview(request, None)


@require_POST
def preview(request: Request, invoice_id: UUID) -> HttpResponse:
    """The pages of a draft with values that nobody has saved."""
    return _preview(request, invoice_id)


def _preview(request: Request, invoice_id: UUID | None) -> HttpResponse:
    names = [name for name in FIELDS if name != "account" or invoice_id is None]
    typed = values_from(request.POST, KEY, names)
    context: dict[str, Any] = {}
    try:
        drawn = queries.preview_of_values(request.actor, invoice_id, typed, clock.now())
        context["preview"] = drawn
        context["pages"] = [f"data:image/svg+xml;base64,{b64encode(one).decode()}" for one in drawn.pages]
    except Refusal as refusal:
        # Half a line is typed most of the time: the preview says what it waits for, and the form is left in peace.
        context["problem"] = refusal.message
    return page(request, "invoicing/preview.html", context)


@require_POST
def discard(request: Request, invoice_id: UUID) -> HttpResponse:
    """Remove a draft that was made by hand."""
    commands.discard_draft(actor=request.actor, invoice_id=invoice_id, version=version_from(request.POST))
    say(request, "The draft is gone.")
    return go(request, reverse("invoicing:review_queue"))
