"""Records and refusals as JSON, exactly: what the API answers, and what pages and exports take from the same door."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Protocol
from uuid import UUID

from django.http import HttpResponse

from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import Money
from counterfoil.plumbing.record_types import record_type

PROBLEMS_MAX = 200
PROBLEM_TYPE = "application/problem+json"

# Values ----------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as JSON: decimals and ids as text, money as its amount alone, dates in ISO form. A float is a bug."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Money):
        return decimal_text(value.amount)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def decimal_text(number: Decimal) -> str:
    """The number in full, never in scientific notation."""
    return format(number, "f")


class ProjectedRow(Protocol):
    """What ``row_json`` needs of ``access.projection.Row``."""

    id: UUID
    key: str
    title: str
    version: int | None
    closed: tuple[str, ...]

    def items(self) -> Iterable[tuple[str, Any]]: ...


def row_json(row: ProjectedRow, **more: Any) -> dict[str, Any]:
    """A projected row as JSON: ``id``, ``title``, ``version``, the open fields, and ``closed`` with the names of the
    others.

    An amount is a decimal text; its currency stands beside it under the name that the field's description gives.
    ``more`` are values that the endpoint adds.
    """
    described = record_type(row.key)
    found: dict[str, Any] = {"id": str(row.id), "title": row.title}
    if row.version is not None:
        found["version"] = row.version
    for name, value in row.items():
        found[name] = plain(value)
        if isinstance(value, Money):
            found.setdefault(described.by_id[name].currency, value.currency)
    found.update({name: plain(value) for name, value in more.items()})
    found["closed"] = list(row.closed)
    return found


# Problems ----------------------------------------------------------------------------------------------------------


def problem_answer(error: Refusal) -> HttpResponse:
    """The refusal as problem JSON."""
    return problem_response(error.status, error.code, error.message, error.problems)


def problem_response(status: int, code: str, detail: str, problems: Sequence[Problem] = ()) -> HttpResponse:
    """An answer of ``application/problem+json``. Texts are cut so that an input of ten megabytes is not sent back."""
    body = {
        "type": f"urn:counterfoil:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail[:1000],
        "problems": [
            {"field": item.field[:200], "code": item.code, "message": item.message[:1000]}
            for item in list(problems)[:PROBLEMS_MAX]
        ],
    }
    return HttpResponse(json.dumps(body), status=status, content_type=PROBLEM_TYPE)
