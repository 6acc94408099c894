"""What every page gets: who is here, how they like to see things, and the way around the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from counterfoil.access.actors import Actor
from counterfoil.activities import queries as activities
from counterfoil.invoicing import queries as invoicing
from counterfoil.plumbing.installation import installation
from counterfoil.subscriptions import queries as subscriptions

COUNTS: dict[str, Callable[[Actor], int]] = {
    "tasks": lambda actor: activities.open_task_count(actor, on=invoicing.local_today())["due"],
    "drafts": invoicing.count_drafts_to_review,
    "parked": subscriptions.count_parked,
}


@dataclass(frozen=True)
class Place:
    """One entry of the navigation. ``count`` names a query of ``COUNTS``; zero is not shown."""

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
            Place("Tasks", "activities:tasks", "list-checks", "activities.see", "g k", "tasks"),
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
            Place("Review", "invoicing:review_queue", "inbox", "invoicing.see", "g r", "drafts"),
            Place("Invoices", "invoicing:invoices", "receipt", "invoicing.see", "g i"),
            Place("Subscriptions", "subscriptions:subscriptions", "repeat", "subscriptions.see", "g b", "parked"),
            Place("Time", "retainers:time", "clock", "retainers.see", "g h"),
            Place("Retainers", "retainers:retainers", "hourglass", "retainers.see", "g e"),
            Place("Payments", "payments:payments", "banknote", "payments.see", "g p"),
        ),
    ),
    Section(
        "Workshop",
        (
            Place("Catalog", "catalog:products", "package", "catalog.see"),
            Place("Import", "importing:batches", "upload", "importing.see"),
            Place("Mail", "activities:mail", "mail", "mail.see"),
            Place("Settings", "settings", "settings", key="g s"),
        ),
    ),
)


@dataclass(frozen=True)
class Action:
    """Something to do from anywhere. ``words`` are other names under which people look for it."""

    label: str
    url: str
    icon: str
    needs: str
    words: str = ""
    is_new: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("New account", "accounts:new_account", "building-2", "accounts.change", "add customer company", is_new=True),
    Action("New contact", "accounts:new_contact", "user-plus", "accounts.change", "add person", is_new=True),
    Action("New deal", "deals:new_deal", "handshake", "deals.change", "add opportunity", is_new=True),
    Action("New invoice", "invoicing:new", "receipt", "invoicing.draft", "draft bill", is_new=True),
    Action("Start subscription", "subscriptions:new", "repeat", "subscriptions.change", "recurring add", is_new=True),
    Action("Record payment", "payments:record", "banknote", "payments.record", "money received transfer", is_new=True),
    Action("Enter time", "retainers:new_time", "clock", "retainers.enter", "hours timesheet log", is_new=True),
    Action("Enter an expense", "retainers:new_expense", "wallet", "retainers.enter", "cost receipt travel"),
    Action("New retainer", "retainers:new", "hourglass", "retainers.change", "prepaid hours"),
    Action("New task", "activities:new_task", "list-checks", "activities.change", "add to do reminder", is_new=True),
    Action("New product", "catalog:new_product", "package", "catalog.change", "add price"),
    Action("Review drafts", "invoicing:review_queue", "inbox", "invoicing.draft", "approve send"),
    Action("Renewals", "subscriptions:renewals", "calendar-clock", "subscriptions.see", "term notice expiry"),
    Action("Billing runs", "subscriptions:runs", "refresh-cw", "subscriptions.see", "bill due parked"),
    Action("Price increases", "subscriptions:increases", "trending-up", "subscriptions.see", "raise uplift"),
    Action("Import a file", "importing:batches", "upload", "importing.run", "csv excel xlsx"),
    Action("Add user", "access:new_user", "user-plus", "access.change", "invite colleague"),
    Action("API documentation", "api_docs", "book-open", "access.self", "openapi swagger"),
)


@dataclass(frozen=True)
class Doing:
    """An action as one actor is offered it."""

    label: str
    href: str
    icon: str


def actions(actor: Actor, text: str = "", *, only_new: bool = False) -> list[Doing]:
    """What the actor may do from here; with ``text``, where every word occurs in the label or the other names."""
    wanted = text.lower().split()
    found = []
    for action in ACTIONS:
        haystack = f"{action.label} {action.words}".lower()
        if (only_new and not action.is_new) or not all(word in haystack for word in wanted):
            continue
        if actor.may(action.needs) and (href := address(action.url)):
            found.append(Doing(action.label, href, action.icon))
    for section in NAVIGATION if wanted else ():
        for place in section.places:
            is_meant = all(word in f"go to {place.label}".lower() for word in wanted)
            if is_meant and (place.needs is None or actor.may(place.needs)) and (href := address(place.url)):
                found.append(Doing(f"Go to {place.label}", href, place.icon))
    return found


def address(name: str, *args: object) -> str:
    """The address of a page, ``""`` when no room has it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


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
    """The variables of every template: see ``surface/README.md``, "The frame's context"."""
    actor: Actor = getattr(request, "actor", Actor.nobody())
    if not actor.is_known or actor.kind != "user":
        return {"actor": actor, "may": Rights(actor), "navigation": (), "theme": "system", "dense": False}
    user = request.user
    return {
        "actor": actor,
        "actor_email": user.email,  # type: ignore[union-attr]
        "may": Rights(actor),
        "navigation": SimpleLazyObject(lambda: navigation(actor, request.path)),
        "theme": user.theme,  # type: ignore[union-attr]
        "theme_url": reverse("access:theme"),
        "dense": user.dense,  # type: ignore[union-attr]
        "new_menu": SimpleLazyObject(lambda: actions(actor, only_new=True)),
        "user_menu": [Doing("Profile", reverse("access:profile"), "user-round")],
        "notices": SimpleLazyObject(notices),
    }


@dataclass(frozen=True)
class Notice:
    """A line under the top bar."""

    kind: str
    text: str
    url: str = ""
    action: str = ""


def notices() -> Sequence[Notice]:
    """That this is a demo whose clock was moved."""
    facts = installation()
    if facts is None or not facts.is_demo or not facts.clock_days_ahead:
        return ()
    days = facts.clock_days_ahead
    return (Notice("info", f"Demo: the clock is {days} {'day' if days == 1 else 'days'} ahead."),)


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
    href = address(place.url)
    if not href:
        return None
    count = COUNTS[place.count](actor) if place.count else 0
    is_current = path == href or (href != "/" and path.startswith(href))
    return Link(place.label, href, place.icon, place.key, count, is_current)
