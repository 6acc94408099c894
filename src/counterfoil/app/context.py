"""What every page gets: who is here, how they like to see things, and the way around the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from counterfoil.access.actors import Actor


@dataclass(frozen=True)
class Place:
    """One entry of the navigation. ``count`` names a query ``(actor) -> int``; zero is not shown."""

    label: str
    url: str
    icon: str
    needs: str | None = None
    key: str = ""
    count: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the way that work takes."""

    label: str
    places: tuple[Place, ...]


NAVIGATION: tuple[Section, ...] = (
    Section(
        "",
        (
            Place("Today", "today", "sun", key="g t"),
            Place("Tasks", "activities:tasks", "list-checks", "activities.see", "g k", "activities:count_due_tasks"),
        ),
    ),
    Section(
        "Relationship",
        (
            Place("Accounts", "accounts:accounts", "building-2", "accounts.see", "g a"),
            Place("Contacts", "accounts:contacts", "users", "accounts.see", "g c"),
            Place("Deals", "deals:board", "handshake", "deals.see", "g d"),
        ),
    ),
    Section(
        "Money",
        (
            Place("Review", "invoicing:review", "inbox", "invoicing.see", "g r", "invoicing:count_drafts_to_review"),
            Place("Invoices", "invoicing:invoices", "receipt", "invoicing.see", "g i"),
            Place("Payments", "payments:payments", "banknote", "payments.see", "g p"),
        ),
    ),
    Section(
        "Workshop",
        (
            Place("Catalog", "catalog:products", "package", "catalog.see"),
            Place("Import", "importing:imports", "upload", "importing.see"),
            Place("Mail", "documents:mail", "mail", "mail.see"),
            Place("Settings", "settings", "settings", key="g s"),
        ),
    ),
)


@dataclass(frozen=True)
class Link:
    """An entry of the navigation as one actor sees it on one page."""

    label: str
    href: str
    icon: str
    key: str
    count: int
    is_current: bool


@dataclass(frozen=True)
class LinkGroup:
    label: str
    links: tuple[Link, ...]


class Rights:
    """The actor's rights for templates: ``{% if may.deals.win %}``. A permission that does not exist is a bug."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __getitem__(self, room: str) -> _RoomRights:
        return _RoomRights(self._actor, room)

    def __iter__(self) -> Iterator[None]:
        raise TypeError("rights are asked for by name")


class _RoomRights:
    def __init__(self, actor: Actor, room: str) -> None:
        self._actor = actor
        self._room = room

    def __getitem__(self, verb: str) -> bool:
        return self._actor.may(f"{self._room}.{verb}")

    def __iter__(self) -> Iterator[None]:
        raise TypeError("rights are asked for by name")


def page(request: HttpRequest) -> dict[str, Any]:
    """The variables of every template: ``actor``, ``may``, ``navigation``, ``theme``, ``dense``."""
    actor: Actor = getattr(request, "actor", Actor.nobody())
    if not actor.is_known or actor.kind != "user":
        return {"actor": actor, "may": Rights(actor), "navigation": (), "theme": "system", "dense": False}
    user = request.user
    return {
        "actor": actor,
        "may": Rights(actor),
        "navigation": SimpleLazyObject(lambda: navigation(actor, request.path)),
        "theme": user.theme,  # type: ignore[union-attr]
        "dense": user.dense,  # type: ignore[union-attr]
    }


def navigation(actor: Actor, path: str) -> tuple[LinkGroup, ...]:
    """The places that the actor may go to, with what waits there. ``path`` marks the present one."""
    groups = []
    for section in NAVIGATION:
        links = tuple(link for place in section.places if (link := _link(place, actor, path)) is not None)
        if links:
            groups.append(LinkGroup(section.label, links))
    return tuple(groups)


def _link(place: Place, actor: Actor, path: str) -> Link | None:
    if place.needs is not None and not actor.may(place.needs):
        return None
    try:
        href = reverse(place.url)
    except NoReverseMatch:
        return None
    count = _query(place.count)(actor) if place.count else 0
    is_current = path == href or (href != "/" and path.startswith(href))
    return Link(place.label, href, place.icon, place.key, count, is_current)


def _query(name: str) -> Callable[[Actor], int]:
    """The query ``room:name``; one that does not exist yet counts nothing."""
    room, _, function = name.partition(":")
    module = f"counterfoil.{room}.queries"
    if find_spec(module) is None:
        return lambda actor: 0
    found: Callable[[Actor], int] = getattr(import_module(module), function, lambda actor: 0)
    return found
