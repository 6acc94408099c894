"""The one table of endpoints: ``"METHOD route" -> permission | PUBLIC | SIGNED_IN``.

The route is the one that Django resolved (``request.resolver_match.route``), such as ``accounts/<uuid:account_id>/`` or
``api/v1/accounts/<account_id>``. Each room declares its own part in ``endpoints.py``; this file joins them with the
part of ``app``. The guard refuses what is not declared, and a house test fails for it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from counterfoil.access.rules.endpoints import PUBLIC, SIGNED_IN
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.plumbing.apps import rooms

OWN: dict[str, str] = {
    "GET ": SIGNED_IN,
    "GET search": SIGNED_IN,
    "GET find/<str:key>/": SIGNED_IN,
    "GET settings/": SIGNED_IN,
    "GET settings/system/": "system.see",
    "GET healthz": PUBLIC,
    "GET readyz": PUBLIC,
    "GET login/": PUBLIC,
    "POST login/": PUBLIC,
    "GET logout/": SIGNED_IN,
    "POST logout/": SIGNED_IN,
    "GET login/inactive/": PUBLIC,
    "GET api/docs": SIGNED_IN,
    "GET api/docs/openapi.json": SIGNED_IN,
    "GET api/v1/": SIGNED_IN,
    "GET api/v1/openapi.json": SIGNED_IN,
}


@cache
def table() -> dict[str, str]:
    """Every declared endpoint. A double declaration, or a need that is no permission, is a bug."""
    joined = dict(OWN)
    for room in rooms():
        name = f"{room}.endpoints"
        if room == "counterfoil.app" or find_spec(name) is None:
            continue
        declared: dict[str, str] = import_module(name).ENDPOINTS
        for endpoint, need in declared.items():
            if endpoint in joined:
                raise ValueError(f"{endpoint} is declared twice")
            joined[endpoint] = need
    for endpoint, need in joined.items():
        if need not in PERMISSIONS and need not in (PUBLIC, SIGNED_IN):
            raise ValueError(f"{endpoint} needs {need}, which is no permission")
    return joined


def declared_route(route: str) -> str:
    """The route as the table has it: Ninja serves ``{uuid:…}`` by a converter of its own, ``uuidstr``."""
    return route.replace("<uuidstr:", "<uuid:")


@cache
def methods() -> dict[str, frozenset[str]]:
    """The declared methods of each route."""
    found: dict[str, set[str]] = {}
    for endpoint in table():
        method, _, route = endpoint.partition(" ")
        found.setdefault(route, set()).add(method)
    return {route: frozenset(names) for route, names in found.items()}
