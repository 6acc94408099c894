"""Our own companies: who issues invoices, with which bank account and in which layout."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.ledger import commands, queries
from counterfoil.surface.forms import Sent, Typed, save_sent
from counterfoil.surface.htmx import go, page, say

KEY = "ledger.entity"
SECTIONS: dict[str, list[str]] = {
    "Company": ["name", "legal_name", "registration_number", "tax_id", "tax_rounding"],
    "Address": ["street", "street_2", "postcode", "city", "region", "country"],
    "Reached at": ["email", "phone"],
    "Bank account": ["bank_name", "iban", "bic"],
    "Documents": ["layout", "accent_colour", "footer", "language", "currency", "timezone"],
    "Use": ["is_default", "is_active"],
}
NEW = {"country": "DE", "currency": "EUR", "timezone": "UTC", "language": "en", "layout": "classic",
       "accent_colour": "#1f5d46", "tax_rounding": "per_rate", "is_active": True}  # fmt: skip


@require_safe
def entities(request: Request) -> HttpResponse:
    return page(request, "ledger/entities.html", {"entities": queries.list_entities(request.actor)})


@require_http_methods(["GET", "HEAD", "POST"])
def new_entity(request: Request) -> HttpResponse:
    sent = save_sent(request, KEY, lambda typed: commands.add_entity(actor=request.actor, values=typed))
    if sent.is_saved:
        say(request, "The company is there. Give it its number series and tax rates next.")
        return go(request, reverse("ledger:entity", args=[sent.answer]))
    return _form_page(request, NEW, sent, may_change=True)


@require_http_methods(["GET", "HEAD", "POST"])
def entity(request: Request, entity_id: UUID) -> HttpResponse:
    """A company's particulars, to be read by all who see the books and changed by those who keep the settings."""
    row = queries.get_entity(request.actor, entity_id)

    def save(typed: Typed) -> None:
        commands.change_entity(actor=request.actor, entity_id=entity_id, values=typed, version=typed.version)

    sent = save_sent(request, KEY, save)
    if sent.is_saved:
        say(request, "Saved. Issued invoices keep the particulars that they were issued with.")
        return go(request, reverse("ledger:entity", args=[entity_id]))
    return _form_page(request, row, sent, may_change=request.actor.may("settings.change"))


def _form_page(request: Request, values: Row | dict[str, Any], sent: Sent, *, may_change: bool) -> HttpResponse:
    form = sent.form(
        KEY,
        values=values,
        sections=SECTIONS,
        writable=request.actor.writes if may_change else frozenset(),
    )
    context = {"form": form, "row": values if isinstance(values, Row) else None, "may_change": may_change}
    return page(request, "ledger/entity.html", context, status=sent.status)
