"""The setting of how each of our companies bills subscriptions."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.requests import Request
from counterfoil.subscriptions import commands, queries
from counterfoil.surface.forms import Typed, save_sent
from counterfoil.surface.htmx import go, page, say

KEY = "subscriptions.policy"
SECTIONS: dict[str, list[str]] = {
    "Parts of periods": ["basis", "first_period", "end_day", "rounding"],
    "Changes": ["increase", "decrease", "interval_change"],
    "Runs": ["is_reviewed", "most_documents_a_day", "most_amount_a_day"],
}


@require_safe
def policies(request: Request) -> HttpResponse:
    return page(request, "subscriptions/policies.html", {"policies": queries.list_policies(request.actor)})


@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: Request, entity_id: UUID) -> HttpResponse:
    """A company's policy, to be read by all who see the settings and changed by those who keep them."""
    row = queries.get_policy(request.actor, entity_id)

    def save(typed: Typed) -> None:
        commands.set_policy(actor=request.actor, entity_id=entity_id, values=typed, version=typed.version)

    sent = save_sent(request, KEY, save, only=[name for names in SECTIONS.values() for name in names])
    if sent.is_saved:
        say(request, "Saved. Subscriptions that run keep what they were agreed with.")
        return go(request, reverse("subscriptions:policies"))
    may_change = request.actor.may("settings.change")
    form = sent.form(
        KEY,
        values=row,
        sections=SECTIONS,
        writable=request.actor.writes if may_change else frozenset(),
    )
    context = {"form": form, "row": row, "may_change": may_change}
    return page(request, "subscriptions/policy.html", context, status=sent.status)
