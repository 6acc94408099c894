"""No input gives a 500: every endpoint meets what no well-behaved client would send."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from doors import API, Endpoint, World, declared

from counterfoil.app.api_document import openapi_document
from counterfoil.plumbing.record_types import record_types

pytestmark = pytest.mark.django_db

ENDPOINTS = [one for one in declared() if not one.route.startswith(("login", "logout"))]
UNSAFE = [one for one in ENDPOINTS if not one.is_safe]
WHO = "admin"

ODD_TEXTS = (
    "a\x00b",
    "\ud800",
    "x" * 100_000,
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "\u202e\u200b\ufeff",
    "{{ 7*7 }}{% debug %}",
)
ODD_NUMBERS = ("-1", "0", "1e999999", "NaN", "Infinity", "9" * 400, "1,5", "1.23456789012345", "٣", "--1")
ODD_DATES = ("2026-02-30", "0000-00-00", "99999-01-01", "yesterday", "2026-01-01T00:00:00", "1" * 50)
ODD_VALUES = (*ODD_TEXTS, *ODD_NUMBERS, *ODD_DATES, "XXX", "00000000-0000-0000-0000-000000000000", "not-an-id")
ODD_JSON: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, [], {}, [[]], [None], {"a": {"b": []}}, "", *ODD_VALUES, [{"x": 1}] * 3, ["a"] * 5000,
)  # fmt: skip


IS_WHOLE = os.environ.get("COUNTERFOIL_TEST_WHOLE") == "1"
"""With it every place meets every odd value; else each address, and each name alone, meets a third of them in turn."""


def some(values: Sequence[Any], place: int) -> Sequence[Any]:
    return values if IS_WHOLE else values[place % 3 :: 3]


def alone(names: Iterable[str], values: Sequence[Any]) -> list[dict[str, Any]]:
    """Each name with one odd value beside nothing else."""
    return [{name: value} for place, name in enumerate(sorted(set(names))) for value in some(values, place)]


def fits(answer: HttpResponse) -> bool:
    return answer.status_code < 500


QUERY_NAMES = (
    "q", "sort", "page", "cursor", "limit", "columns", "export", "before", "status", "state", "owner", "due_on_from",
)  # fmt: skip
EACH_ALONE = ("a\x00b", "9" * 400, "2026-02-30")
"""Where one odd value hides another, each name has these to itself."""


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.is_safe], ids=str)
def test_odd_addresses(world: World, endpoint: Endpoint) -> None:
    """Odd queries are answered below 500: ignored, 400, 404 or 422."""
    path = world.path(endpoint)
    turn = ENDPOINTS.index(endpoint)
    queries = [dict.fromkeys(QUERY_NAMES, value) for value in some((*ODD_VALUES, "%", "csv", "xlsx"), turn)]
    queries += alone(QUERY_NAMES, EACH_ALONE)
    raw = ("%00", "q=%ff%fe", "=&&==", "q[]=1", "&".join(f"a{n}=1" for n in range(3000)))
    wrong = []
    for query in (*(urlencode(one, errors="surrogatepass") for one in queries), *raw):
        if not fits(answer := world.ask(WHO, endpoint, f"{path}?{query}")):
            wrong.append((query[:60], answer.status_code))
    assert wrong == []


@cache
def api_document() -> Any:
    return json.loads(openapi_document())


def body_names(endpoint: Endpoint) -> list[str]:
    """The names that the endpoint's body may hold, by the API's own document."""
    document = api_document()
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", endpoint.route)
    operation = document["paths"][path][endpoint.method.lower()]
    text = json.dumps(operation.get("requestBody", {}))
    found: list[str] = []
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        found += document["components"]["schemas"][name].get("properties", {})
    return found


@pytest.mark.parametrize("endpoint", [one for one in UNSAFE if one.is_api], ids=str)
def test_odd_bodies(world: World, endpoint: Endpoint) -> None:
    """Every value of every kind in every place of a body is answered below 500, as problem JSON when it is refused."""
    names = body_names(endpoint)
    wrong = []
    bodies: list[Any] = [*ODD_JSON, dict.fromkeys(names), {"no such": 1}]
    bodies += alone(names, ODD_JSON)
    bodies += [dict.fromkeys(names, value) for value in some(ODD_JSON, ENDPOINTS.index(endpoint))]
    bodies += [b"", b"{", b"\xff\xfe{\x00", b"[" * 50_000, b'{"a":' * 20_000, b'{"a": NaN}']
    for body in bodies:
        answer = world.ask(WHO, endpoint, body=body if body is not None else b"null")
        if not fits(answer):
            wrong.append((repr(body)[:80], answer.status_code))
        elif answer.status_code >= 400:
            told = json.loads(answer.content)
            if answer.headers["Content-Type"] != "application/problem+json" or not told["code"]:
                wrong.append((repr(body)[:80], "no problem JSON"))
            if len(answer.content) > 200_000:
                wrong.append((repr(body)[:80], f"an echo of {len(answer.content)} bytes"))
    assert wrong == []


def form_names(world: World, endpoint: Endpoint) -> list[str]:
    """The names of the form that the page shows, and of every field that the room describes."""
    names = {
        "version",
        "lines-0-quantity",
        "lines-0-unit_price",
        "lines-0-description",
        "ids",
        "all",
        "to",
        "reason",
        "next",
    }
    page = world.ask(WHO, Endpoint("GET", endpoint.route, ""))
    if page.status_code == 200 and not getattr(page, "streaming", False):
        names |= set(re.findall(r'name="([\w-]+)"', html.unescape(page.content.decode(errors="replace"))))
    room = endpoint.route.split("/")[0]
    for kind in record_types():
        if kind.key.startswith(room[:4]) or kind.plural.lower() in endpoint.route:
            names |= {item.id for item in kind.fields}
    return sorted(names - {"csrfmiddlewaretoken"})


@pytest.mark.parametrize("endpoint", [one for one in UNSAFE if not one.is_api], ids=str)
def test_odd_forms(world: World, endpoint: Endpoint) -> None:
    """Every odd text in every field of a form is answered below 500."""
    names = form_names(world, endpoint)
    wrong = []
    forms: list[Any] = [{}]
    forms += [dict.fromkeys(names, value) for value in some(ODD_VALUES, ENDPOINTS.index(endpoint))]
    forms += alone(names, EACH_ALONE)
    for form in forms:
        answer = world.ask(WHO, endpoint, body=urlencode(form, errors="surrogatepass").encode())
        if not fits(answer):
            wrong.append((repr(form)[:80], answer.status_code))
        if answer.status_code in (302, 204):
            world.forget(WHO)
    for raw in (b"\xff\xfe\x00", b"a=%ff&b=%00", b"&" * 10_000, b"a=1&" * 6_000, b"x" * (6 * 1024 * 1024)):
        if not fits(answer := world.ask(WHO, endpoint, body=raw)):
            wrong.append((repr(raw)[:30], answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if "<" in one.route], ids=str)
def test_odd_ids(world: World, endpoint: Endpoint) -> None:
    """An id that is none, or nobody's, in an address is answered below 500."""
    wrong = []
    for odd in ("0", "%00", "..", "x" * 500, "00000000-0000-0000-0000-000000000000", "%F0%9F%92%B6", "' OR 1=1", "{}"):
        path = "/" + re.sub(r"<(?:\w+:)?\w+>", lambda found, value=odd: value, endpoint.route)
        if not fits(answer := world.ask(WHO, endpoint, path)):
            wrong.append((odd[:30], answer.status_code))
    assert wrong == []


def test_a_name_of_ten_megabytes(world: World) -> None:
    """A form or a body with a name of ten megabytes is too large, and says so."""
    name = "x" * (10 * 1024 * 1024)
    form = world.ask(WHO, Endpoint("POST", "accounts/new/", ""), body=urlencode({"legal_name": name}).encode())
    assert form.status_code == 413
    api = world.ask(WHO, Endpoint("POST", f"{API}accounts", ""), body={"legal_name": name})
    assert (api.status_code, json.loads(api.content)["code"]) == (413, "too_large")
