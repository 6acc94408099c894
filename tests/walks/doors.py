"""The product as its callers see it: every endpoint with real ids, every role with a browser and a key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from counterfoil.access.passwords import link_token
from counterfoil.app import demo, endpoints
from counterfoil.app.api import api
from counterfoil.deals import commands as deals
from counterfoil.plumbing.apps import rooms
from counterfoil.retainers import commands as retainers
from staff import SYSTEM, Program, Staff

API = "api/v1/"
ROLES = ("sales", "billing", "accountant", "admin")
NOBODY = "nobody"
EVERYBODY = (NOBODY, *ROLES)
UNNOTED = ("django_session", "plumbing_cache")
"""Tables that a mere request may touch: the session, and the count of attempts."""


@dataclass(frozen=True)
class Endpoint:
    """One declared endpoint."""

    method: str
    route: str
    need: str

    def __str__(self) -> str:
        return f"{self.method} {self.route or '/'}"

    @property
    def is_api(self) -> bool:
        return self.route.startswith(API)

    @property
    def is_safe(self) -> bool:
        return self.method == "GET"


def declared() -> list[Endpoint]:
    found = []
    for key, need in endpoints.table().items():
        method, _, route = key.partition(" ")
        found.append(Endpoint(method, route, need))
    return sorted(found, key=lambda one: (one.route, one.method))


# What is really there -------------------------------------------------------------------------------------------------


def mounted_routes() -> set[str]:
    """Every route of the URL map, as Django writes it when it resolves one."""
    return {endpoints.declared_route(route) for route in _routes(get_resolver().url_patterns, "")}


def _routes(patterns: list[Any], before: str) -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _routes(one.url_patterns, before + str(one.pattern))
        elif isinstance(one, URLPattern):
            yield before + str(one.pattern)


def api_operations() -> set[tuple[str, str]]:
    """Every method and route that the API has."""
    found = set()
    for router in api._get_bound_routers():
        for path, view in router.path_operations.items():
            route = "/".join(part for part in (router.prefix, path) if part).replace("//", "/").strip("/")
            for operation in view.operations:
                for method in operation.methods:
                    found.add((method, endpoints.declared_route(API + route.replace("{", "<").replace("}", ">"))))
    return found


# Real ids -------------------------------------------------------------------------------------------------------------

KEYS = {"key": "accounts.account", "field_id": "name", "field": "website", "code": "legal_name", "number": "1"}
"""Parameters of routes that are no ids, with a value that means something."""


class World:
    """The demo company, and one real value for each parameter of each route."""

    def __init__(self) -> None:
        demo.load_demo(date(2026, 4, 1))
        self.staff = Staff()
        deals.set_deal_contact(actor=SYSTEM, deal_id=first_of("deal"), contact_id=first_of("contact"), role="buyer")
        self.secret = retainers.share_retainer(
            actor=SYSTEM, retainer_id=first_of("retainer"), at=datetime(2026, 4, 1, 12, tzinfo=UTC)
        )
        self._browsers: dict[str, Any] = {}
        self._programs: dict[str, Program] = {}
        for who in EVERYBODY:
            self.program(who)
            self.browser(who)
        self._sessions = {
            who: browser.cookies[settings.SESSION_COOKIE_NAME].value
            for who, browser in self._browsers.items()
            if who != NOBODY
        }
        self._users = dict(self.staff.users)

    def again(self) -> World:
        """As it was when it was made, for a test that comes after another: its sessions are there again too."""
        self.staff.users = dict(self._users)
        self._browsers = {NOBODY: self.staff.browser()}
        for who, session in self._sessions.items():
            self._browsers[who] = self.staff.browser()
            self._browsers[who].cookies[settings.SESSION_COOKIE_NAME] = session
        return self

    def path(self, endpoint: Endpoint) -> str:
        def fill(found: re.Match[str]) -> str:
            return str(self.value(endpoint, found["name"]))

        return "/" + re.sub(r"<(?:\w+:)?(?P<name>\w+)>", fill, endpoint.route)

    def value(self, endpoint: Endpoint, name: str) -> object:
        """The value of a route's parameter: the id of a record that the demo company has, when it names one."""
        user = self.staff.users["sales"]
        if name == "token":
            return link_token(user)
        if name == "secret":
            return self.secret
        if endpoint.route.startswith("password/"):
            return user.pk
        if name in KEYS and f"<uuid:{name}>" not in endpoint.route:
            return KEYS[name]
        if name == "record_id":
            return first_of("account")
        return first_of(name.removesuffix("_id"))

    def ask(self, who: str, endpoint: Endpoint, path: str = "", body: Any = None) -> HttpResponse:
        """Ask as nobody or as a role: a page with the person's browser, the API with a key of the role."""
        path = path or self.path(endpoint)
        if endpoint.is_api:
            data = {} if body is None and not endpoint.is_safe else body
            return self.program(who)(endpoint.method, path.removeprefix("/" + API), data)
        return self.browser(who).generic(
            endpoint.method, path, body or b"", content_type="application/x-www-form-urlencoded"
        )

    def browser(self, who: str) -> Any:
        """The person's browser. Logging in is noted with the user."""
        if who not in self._browsers:
            self._browsers[who] = self.staff.browser(None if who == NOBODY else who)
        return self._browsers[who]

    def program(self, who: str) -> Program:
        """The role's program. Its use is noted with its key, once a minute, and the tests' clock stands still."""
        if who not in self._programs:
            self._programs[who] = self.staff.program(None if who == NOBODY else who)
            self._programs[who]("GET", "me")
        return self._programs[who]

    def forget(self, who: str) -> None:
        """Log in anew, after a request that may have ended the session."""
        if who == NOBODY:
            return
        self._browsers.pop(who, None)
        self.staff.users = {role: type(user).objects.get(pk=user.pk) for role, user in self.staff.users.items()}


MODELS = {
    "role": "AccountContact",
    "terms": "PaymentTerms",
    "part": "DealContact",
    "key": "ApiKey",
    "rate": "TaxRate",
    "entity": "LegalEntity",
    "batch": "ImportBatch",
    "field": "ReferenceField",
    "increase": "PriceIncrease",
    "mail": "Mail",
    "address": "Address",
    "file": "StoredFile",
}
"""Names of parameters that are not the name of their model."""


def first_of(name: str) -> UUID:
    """The first record of the kind that a parameter names, or an id that no record has."""
    wanted = MODELS.get(name, name.replace("_", "")).lower()
    for model in our_models():
        if model.__name__.lower() == wanted:
            found = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
            if found is not None:
                return found  # type: ignore[no-any-return]
    return UUID("018f0000-0000-7000-8000-000000000000")


@cache
def our_models() -> list[type[models.Model]]:
    return [model for room in rooms() for model in apps.get_app_config(room.split(".")[1]).get_models()]


# What was touched -----------------------------------------------------------------------------------------------------


def writes() -> int:
    """How many rows this transaction has inserted, changed or deleted so far, undone ones too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables "
            "WHERE relname <> ALL(%s)",
            [list(UNNOTED)],
        )
        return int(cursor.fetchone()[0])


def checksum() -> str:
    """A fingerprint of every row of every table."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        for (table,) in cursor.fetchall():
            if table in UNNOTED:
                continue
            cursor.execute(f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t')
            digest.update(f"{table} {cursor.fetchone()[0]}\n".encode())
    return digest.hexdigest()
