"""Users and what their roles may do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from counterfoil.access import commands, queries
from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.access.rules.roles import ROLES
from counterfoil.core.errors import Refusal
from counterfoil.surface import export
from counterfoil.surface.forms import Typed, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, state_column, text

USER = "access.user"
NAMES = ("name", "email")


def users(request: Request) -> HttpResponseBase:
    """Everybody who may log in, or might once."""
    listing = Listing(
        USER,
        request.GET,
        columns=["name", "email", "role_names", "last_login", "state"],
        filters=["is_active"],
        sorts=["name", "email", "last_login", "created_at"],
        extra=[text("role_names", "Roles"), state_column("state", "State")],
        sort="name",
        empty=Empty(
            "No users yet", "Everybody who works with the product is one.", "Add user", reverse("access:new_user")
        ),
    )
    found = queries.list_users(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, rows=found.rows, name="users")
    return page(request, "access/users.html", {"listing": listing.filled(found.rows, count=found.count)})


def new_user(request: Request) -> HttpResponse:
    """Add a user; the answer is a link with which the user sets a password."""
    if request.method != "POST":
        return _new(request, Typed(), ["sales"])
    typed, chosen = values_from(request.POST, USER, only=NAMES), request.POST.getlist("roles")
    try:
        user_id = commands.add_user(actor=request.actor, values={**typed, "roles": chosen})
        token = commands.make_password_link(actor=request.actor, user_id=user_id)
    except Refusal as refusal:
        return _new(request, typed, chosen, refusal)
    return _link(request, queries.get_user(request.actor, user_id), token)


def _new(request: Request, typed: Typed, chosen: list[str], refusal: Refusal | None = None) -> HttpResponse:
    context = {
        "form": record_form(USER, typed=typed, only=NAMES, problems=_others(refusal)),
        **_roles(chosen, refusal),
    }
    return page(request, "access/new_user.html", context, status=refusal.status if refusal else 200)


def _roles(chosen: list[str], refusal: Refusal | None) -> dict[str, Any]:
    """The checkboxes of the roles, and what is wrong with them."""
    problem = next((one.message for one in refusal.problems if one.field == "roles"), "") if refusal else ""
    return {"roles": [(role, role.key in chosen) for role in ROLES.values()], "roles_problem": problem}


def _others(refusal: Refusal | None) -> list[Any]:
    """The problems that do not stand at the roles."""
    return [one for one in refusal.problems if one.field != "roles"] if refusal else []


def user(request: Request, user_id: UUID) -> HttpResponse:
    """One user: name, address, roles, whether active; and what was changed about them."""
    row = queries.get_user(request.actor, user_id)
    if request.method != "POST":
        return _user(request, row)
    fields = [*NAMES, "is_active"]
    typed, chosen = values_from(request.POST, USER, only=fields), request.POST.getlist("roles")
    try:
        commands.change_user(
            actor=request.actor,
            user_id=user_id,
            values={**typed, "roles": chosen},
            version=version_from(request.POST),
        )
    except Refusal as refusal:
        return _user(request, row, typed, chosen, refusal)
    say(request, "Saved.")
    return go(request, reverse("access:user", args=[user_id]))


def _user(
    request: Request,
    row: Row,
    typed: Typed | None = None,
    chosen: list[str] | None = None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    writable = request.actor.writes if request.actor.may("access.change") else ()
    context = {
        "user_row": row,
        "form": record_form(
            USER, values=row, typed=typed, only=[*NAMES, "is_active"], problems=_others(refusal), writable=writable
        ),
        **_roles(chosen if chosen is not None else row.roles, refusal),
    }
    return page(request, "access/user.html", context, status=refusal.status if refusal else 200)


def link(request: Request, user_id: UUID) -> HttpResponse:
    """Make a link with which the user sets a new password. It is shown once."""
    token = commands.make_password_link(actor=request.actor, user_id=user_id)
    return _link(request, queries.get_user(request.actor, user_id), token)


def _link(request: Request, row: Row, token: str) -> HttpResponse:
    address = request.build_absolute_uri(reverse("access:set_password", args=[row.id, token]))
    return page(request, "access/link.html", {"user_row": row, "address": address})


def roles(request: Request) -> HttpResponse:
    """What each role may do."""
    return page(request, "access/roles.html", {"matrix": queries.roles()})
