"""The API: one NinjaAPI at ``/api/v1`` into which every room's ``api.router`` is mounted.

Bearer keys only, exact numbers in and out, problem JSON for every "no", and ``Idempotency-Key`` (see ``once.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Router
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser
from ninja.security import HttpBearer

from counterfoil.access.actors import Actor
from counterfoil.app.once import once_only
from counterfoil.core.errors import NotFound, Problem, Refusal
from counterfoil.core.twice import object_of, said_twice
from counterfoil.plumbing.apps import rooms
from counterfoil.surface.api import ExactJSON
from counterfoil.surface.as_json import problem_answer, problem_response

DESCRIPTION = """
One record for the customer, from the deal to the payment.

**Keys.** Send `Authorization: Bearer <key>`. A key has roles like a user; what its roles may not read is
left out and named under `closed`.

**Numbers** with decimals are texts (`"12.50"`); JSON numbers are read exactly too.
Its currency stands beside an amount.

**Lists** come in pages: `?limit=` up to 200, and `?cursor=` with the `next_cursor` of the page before.

**Changes** may carry the `version` that was read; if somebody changed the record since, the answer is 409 `stale`.

**Once only.** `Idempotency-Key` on POST, PUT, PATCH and DELETE: a repetition with the same body gets the first answer
again, with `Idempotent-Replay: true`. The same key with another body is 422 `idempotency_key_reused`; while the first
still runs, 409. Refusals and failures changed nothing and are not kept. Keys are kept for two days.

**Problems** are `application/problem+json`: `code` for programs, `detail` for people, `problems` with each field's
path.
"""


class ExactParser(Parser):
    """JSON without floats: a number with a point is a ``Decimal``. ``NaN``, double names and deep nests are refused."""

    def parse_body(self, request: HttpRequest) -> Any:
        return exact_json(request.body)


def exact_json(body: bytes) -> Any:
    """The JSON document in ``body``; raises ``Refusal`` for anything else."""
    try:
        found = json.loads(body.decode(), parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=object_of)
    except (ValueError, RecursionError, ArithmeticError):
        raise Refusal("not_json", "The body is not valid JSON in UTF-8.") from None
    twice = [".".join(map(str, path)) for path in said_twice(found)]
    if twice:
        problems = [Problem(path, "double_name", "This is there twice.") for path in twice]
        raise Refusal("double_name", "An object in the body names a value twice.", twice[0], problems)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class ApiKey(HttpBearer):
    """For the documentation: the middleware has found the actor and the guard has judged it."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        actor: Actor = request.actor  # type: ignore[attr-defined]
        return actor if actor.is_known else None


class CounterfoilAPI(NinjaAPI):
    def get_openapi_operation_id(self, operation: Any) -> str:
        """``invoicing_issue_invoice``: the room and the function."""
        room = operation.view_func.__module__.split(".")[1]
        return f"{room}_{operation.view_func.__name__}"


def _make_api() -> NinjaAPI:
    api = CounterfoilAPI(
        title="Counterfoil",
        version="1",
        description=DESCRIPTION.strip(),
        urls_namespace="api",
        docs_url=None,
        openapi_url=None,
        auth=[ApiKey()],
        parser=ExactParser(),
        renderer=ExactJSON(),
    )
    api.add_decorator(once_only, mode="view")
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        Refusal: lambda request, error: problem_answer(error),
        Http404: lambda request, error: problem_answer(NotFound("There is nothing at this address.")),
        HttpError: _unreadable,
        ValidationError: _not_valid,
        Exception: _not_ours,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
    for room in rooms():
        if room != "counterfoil.app" and find_spec(f"{room}.api") is not None and room != "counterfoil.surface":
            router: Router = import_module(f"{room}.api").router
            api.add_router("", router, tags=[room.rpartition(".")[2]])
    return api


def _not_ours(request: HttpRequest, error: Exception) -> NoReturn:
    """Database errors and bugs go up: ``once_only`` may repeat the former, the middleware tells the rest."""
    raise error


def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    cause = error.__cause__
    if isinstance(cause, Refusal):
        return problem_response(error.status_code, cause.code, cause.message, cause.problems)
    return problem_response(error.status_code, "unreadable", error.message)


CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_type": "not_text",
    "string_too_long": "too_long",
    "string_too_short": "missing",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "list_type": "not_a_list",
    "too_long": "too_many",
    "too_short": "missing",
    "literal_error": "not_a_choice",
    "enum": "not_a_choice",
    "control_character": "control_character",
    "finite_number": "not_a_number",
    "decimal_max_places": "too_many_decimals",
}
"""Pydantic's error types as the codes of the command door; ``_KINDS`` for its families."""

_KINDS = (
    ("int_", "not_whole"),
    ("bool_", "not_yes_or_no"),
    ("uuid_", "not_an_id"),
    ("datetime_", "not_an_instant"),
    ("timezone_", "no_time_zone"),
    ("date_", "not_a_date"),
    ("decimal_", "not_a_number"),
    ("model_", "not_an_object"),
    ("dict_", "not_an_object"),
)


_MESSAGES = {
    "missing": "This is missing.",
    "unknown_field": "There is no such field.",
    "not_text": "This must be text.",
    "not_a_list": "This must be a list.",
    "not_an_object": "This must be a set of named values.",
    "not_whole": "This must be a whole number.",
    "not_yes_or_no": "This is either true or false.",
    "not_an_id": "This must be the id of a record.",
    "not_a_date": "This must be a date such as 2026-03-31.",
    "not_a_number": "This must be a number.",
}
_LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length", "decimal_places", "expected")
_LIMITED = {
    "too_small": "This must be at least {limit}.",
    "too_long": "This can have at most {limit} characters.",
    "too_many": "At most {limit} are possible.",
    "too_many_decimals": "This can have at most {limit} decimals.",
    "not_a_choice": "This is one of: {limit}.",
}


def _not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What a schema refused, in the codes of the command door. A path with a malformed id leads nowhere: 404."""
    if any(item["loc"][0] == "path" for item in error.errors):
        return problem_answer(NotFound())
    return problem_answer(Refusal.of([_problem(item) for item in error.errors]))


def _problem(item: dict[str, Any]) -> Problem:
    location = [str(part) for part in item["loc"]]
    # Ninja puts the source first, and for a body the name of the view's parameter after it.
    field = ".".join(location[2:] if location[0] in ("body", "form") else location[1:])
    kind = item["type"]
    code = CODES.get(kind) or next((code for start, code in _KINDS if kind.startswith(start)), "invalid")
    message = _MESSAGES.get(code)
    limit = next((value for name, value in (item.get("ctx") or {}).items() if name in _LIMITS), None)
    if limit is not None and code in _LIMITED:
        message = _LIMITED[code].format(limit=limit)
    return Problem(field, code, message or f"{item['msg']}.")


api = _make_api()
