"""One's own profile, and the link with which a password is set."""

from __future__ import annotations

from uuid import UUID

from allauth.core import ratelimit
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.urls import reverse

from counterfoil.access import commands, queries
from counterfoil.access.actors import Actor
from counterfoil.access.passwords import user_of_link
from counterfoil.access.requests import Request
from counterfoil.access.rules.preferences import LANGUAGES, THEMES
from counterfoil.core.errors import Refusal
from counterfoil.surface.htmx import go, page, say, stay


def profile(request: Request) -> HttpResponse:
    """Theme, rows and language."""
    if request.method != "POST":
        return _profile(request)
    try:
        commands.set_preferences(
            actor=request.actor,
            theme=request.POST.get("theme", ""),
            dense=request.POST.get("dense") == "yes",
            language=request.POST.get("language", ""),
        )
    except Refusal as refusal:
        return _profile(request, refusal)
    say(request, "Saved.")
    return go(request, reverse("access:profile"))


def _profile(request: Request, refusal: Refusal | None = None) -> HttpResponse:
    context = {
        "row": queries.get_user(request.actor, request.user.pk),
        "themes": THEMES,
        "languages": LANGUAGES,
        "problems": refusal.problems if refusal else (),
    }
    return page(request, "access/profile.html", context, status=refusal.status if refusal else 200)


def theme(request: Request) -> HttpResponse:
    """Remember the theme that the button in the top bar chose."""
    commands.set_preferences(actor=request.actor, theme=request.POST.get("theme", ""))
    return stay(request)


def password(request: Request) -> HttpResponse:
    """Set one's own password; the old one is asked for, a few times a minute at most."""
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            _change_password(request)
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "Your password was changed. You are logged out everywhere else.")
            return go(request, reverse("access:profile"))
    context = {"problems": _by_field(refusal), "asks_old": True}
    return page(request, "access/password.html", context, status=refusal.status if refusal else 200)


def _change_password(request: Request) -> None:
    if not ratelimit.consume(request, action="change_password"):
        raise Refusal("too_many_attempts", "Too many attempts. Wait a minute.", "old_password")
    commands.set_own_password(
        actor=request.actor,
        password=request.POST.get("password", ""),
        old_password=request.POST.get("old_password", ""),
    )
    request.user.refresh_from_db()
    update_session_auth_hash(request, request.user)


def _by_field(refusal: Refusal | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in refusal.problems if refusal else ():
        found.setdefault(problem.field or "password", []).append(problem.message)
    return found


def sessions(request: Request) -> HttpResponse:
    """Log out everywhere else."""
    commands.end_own_sessions(actor=request.actor)
    request.user.refresh_from_db()
    update_session_auth_hash(request, request.user)
    say(request, "You are logged out everywhere else.")
    return go(request, reverse("access:profile"))


def set_password(request: Request, user_id: UUID, token: str) -> HttpResponse:
    """The page behind a link: whoever holds it is the user, once."""
    user = user_of_link(user_id, token)
    if user is None:
        return page(request, "access/dead_link.html", status=404)
    refusal: Refusal | None = None
    if request.method == "POST":
        actor = Actor("user", user.pk, user.name, frozenset(user.roles), "web")
        try:
            commands.set_own_password(actor=actor, password=request.POST.get("password", ""), token=token)
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "Your password is set. Log in with it.")
            return go(request, reverse("account_login"))
    context = {"problems": _by_field(refusal), "person": user.name, "email": user.email}
    response = page(request, "access/set_password.html", context, status=refusal.status if refusal else 200)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
