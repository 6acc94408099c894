"""Settings: payment terms and billing defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from counterfoil.access.requests import Request
from counterfoil.accounts import commands, queries
from counterfoil.accounts.web.forms import READ_OR_SAVE, terms_options
from counterfoil.surface.forms import Typed, save_sent
from counterfoil.surface.htmx import go, page, say

TERMS, DEFAULTS = "accounts.terms", "accounts.defaults"
TERMS_FIELDS = {
    "": ("name", "key", "is_active"),
    "Due": ("days", "from_end_of_month", "then_end_of_month", "day_of_month", "months"),
    "In instalments instead": ("instalments",),
    "Discount for an early payment": ("discount_percent", "discount_days"),
}
DEFAULTS_FIELDS = {
    "Documents": ["terms", "currency", "language", "delivery_channel"],
    "Agreements": ["po_policy", "billing_cycle", "service_tier", "tax_profile"],
}


@require_GET
def list_terms(request: Request) -> HttpResponse:
    rows = queries.list_terms(request.actor, with_unused=True)
    context = {"terms": rows, "may_change": request.actor.may("settings.change")}
    return page(request, "accounts/list_terms.html", context)


@require_http_methods(READ_OR_SAVE)
def new_terms(request: Request) -> HttpResponse:
    def save(typed: Typed) -> str:
        commands.add_terms(actor=request.actor, values=typed)
        return reverse("accounts:list_terms")

    return _form(request, TERMS, TERMS_FIELDS, "New payment terms", {"is_active": True, "days": 14}, save)


@require_http_methods(READ_OR_SAVE)
def terms(request: Request, terms_id: UUID) -> HttpResponse:
    row = queries.get_terms(request.actor, terms_id)

    def save(typed: Typed) -> str:
        commands.change_terms(actor=request.actor, terms_id=terms_id, values=typed, version=typed.version)
        return reverse("accounts:list_terms")

    return _form(request, TERMS, TERMS_FIELDS, row.title, row, save)


@require_http_methods(READ_OR_SAVE)
def defaults(request: Request) -> HttpResponse:
    row = queries.get_defaults(request.actor)

    def save(typed: Typed) -> str:
        commands.change_billing_defaults(actor=request.actor, values=typed, version=typed.version)
        return reverse("accounts:defaults")

    options = {"terms": terms_options(request.actor)}
    return _form(request, DEFAULTS, DEFAULTS_FIELDS, "Billing defaults", row, save, options)


def _form(
    request: Request,
    key: str,
    sections: Mapping[str, Any],
    title: str,
    values: Any,
    save: Callable[[Typed], str],
    options: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """A page with one form: shown, saved, or shown again with what is wrong."""
    may_save = request.actor.may("settings.change")
    sent = save_sent(request, key, save, only=[name for names in sections.values() for name in names])
    if sent.is_saved:
        say(request, "Saved.")
        return go(request, sent.answer)
    form = sent.form(
        key,
        values=values,
        sections=sections,
        writable=request.actor.writes if may_save else frozenset(),
        options=options,
    )
    summary = getattr(values, "summary", "") if key == TERMS else ""
    context = {"form": form, "form_title": title, "may_save": may_save, "is_defaults": key == DEFAULTS}
    context["summary"] = summary
    return page(request, "accounts/settings_form.html", context, status=sent.status)
