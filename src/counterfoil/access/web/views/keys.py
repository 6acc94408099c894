"""API keys."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse

from counterfoil.access import commands, queries
from counterfoil.access.requests import Request
from counterfoil.access.rules.roles import ROLES
from counterfoil.core.errors import Refusal
from counterfoil.plumbing import clock
from counterfoil.surface.forms import Typed, record_form, values_from
from counterfoil.surface.htmx import go, page, say

KEY = "access.api_key"
FIELDS = ("name", "expires_at")


def api_keys(request: Request) -> HttpResponse:
    """All keys; POST makes one and shows it this once."""
    if request.method != "POST":
        return _keys(request, Typed(), [])
    typed, chosen = values_from(request.POST, KEY, only=FIELDS), request.POST.getlist("roles")
    try:
        key_id, secret = commands.make_api_key(actor=request.actor, values={**typed, "roles": chosen}, at=clock.now())
    except Refusal as refusal:
        return _keys(request, typed, chosen, refusal)
    return page(request, "access/new_key.html", {"key": queries.get_api_key(request.actor, key_id), "secret": secret})


def _keys(request: Request, typed: Typed, chosen: list[str], refusal: Refusal | None = None) -> HttpResponse:
    problems = [one for one in refusal.problems if one.field != "roles"] if refusal else []
    at_roles = [one.message for one in refusal.problems if one.field == "roles"] if refusal else []
    now = clock.now()
    keys = [
        (key, "cancelled" if key.revoked_at else "stopped" if key.expires_at and key.expires_at <= now else "active")
        for key in queries.list_api_keys(request.actor)
    ]
    context = {
        "keys": keys,
        "form": record_form(KEY, typed=typed, only=FIELDS, problems=problems),
        "roles": [(role, role.key in chosen) for role in ROLES.values()],
        "roles_problem": at_roles[0] if at_roles else "",
    }
    return page(request, "access/api_keys.html", context, status=refusal.status if refusal else 200)


def revoke(request: Request, key_id: UUID) -> HttpResponse:
    """End a key."""
    commands.revoke_api_key(actor=request.actor, key_id=key_id, at=clock.now())
    say(request, "The key was revoked. Programs that use it are refused from now on.")
    return go(request, reverse("access:api_keys"))
