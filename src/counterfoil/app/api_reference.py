"""The API's document as a page for people: grouped, with every reference followed.

Swagger's and Redoc's own pages fail WCAG 2.2 AA in contrast and in nested controls; see docs/decisions/0007.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from counterfoil.app.api_document import openapi

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Value:
    """A parameter, or a field of a body or an answer. ``path`` is dotted for fields of rows."""

    path: str
    kind: str
    is_required: bool
    note: SafeString


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    note: SafeString
    parameters: tuple[Value, ...]
    body: tuple[Value, ...]
    status: str
    answer: tuple[Value, ...]
    example: str


@dataclass(frozen=True)
class Chapter:
    """The operations of one room."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Reference:
    introduction: SafeString
    chapters: tuple[Chapter, ...]

    def narrowed(self, text: str) -> Reference:
        """Only the operations in whose address or summary every word of ``text`` stands."""
        words = text.lower().split()
        found = (
            Chapter(
                chapter.name,
                tuple(
                    one
                    for one in chapter.operations
                    if all(word in f"{one.method} {one.path} {one.summary}".lower() for word in words)
                ),
            )
            for chapter in self.chapters
        )
        return Reference(self.introduction, tuple(chapter for chapter in found if chapter.operations))


@cache
def reference() -> Reference:
    """Everything on the page, in the order of the document."""
    document = openapi()
    schemas = document["components"]["schemas"]
    chapters: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                chapters.setdefault(methods[method]["tags"][0], []).append(
                    _operation(path, method, methods[method], schemas)
                )
    return Reference(
        paragraphs(document["info"]["description"]),
        tuple(Chapter(name, tuple(operations)) for name, operations in chapters.items()),
    )


def _operation(path: str, method: str, told: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    body = _content(told.get("requestBody", {}))
    status, answer = next(iter(told["responses"].items()))
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        note=paragraphs(told.get("description", "")),
        parameters=tuple(
            Value(one["name"], _kind(one["schema"], schemas), one.get("required", False), _note(one["schema"]))
            for one in told.get("parameters", ())
        ),
        body=tuple(_fields(body, schemas)),
        status=str(status),
        answer=tuple(_fields(_content(answer), schemas)),
        example=_example(path, method, bool(body)),
    )


def _content(part: Mapping[str, Any]) -> Mapping[str, Any]:
    for content in part.get("content", {}).values():
        schema: Mapping[str, Any] = content["schema"]
        return schema
    return {}


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[Value]:
    """The fields of a schema, those of rows beneath their own; four levels are deeper than any."""
    whole = _followed(schema, schemas)
    required = whole.get("required", ())
    for name, field in whole.get("properties", {}).items():
        inner = _followed(field, schemas)
        rows = _followed(inner.get("items", {}), schemas)
        is_list = bool(rows.get("properties"))
        path = f"{before}{name}"
        yield Value(path, _kind(field, schemas), name in required, _note(field))
        if depth < 4 and (is_list or inner.get("properties")):
            yield from _fields(rows if is_list else inner, schemas, f"{path}[]." if is_list else f"{path}.", depth + 1)


def _followed(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind references, and of a value that may be missing the one that it has when it is there."""
    while True:
        choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif len(choices) == 1:
            schema = choices[0]
        else:
            return schema


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """What a value is, in a word or two."""
    whole = _followed(schema, schemas)
    if "enum" in whole:
        return " | ".join(str(one) for one in whole["enum"])
    if "const" in whole:
        return str(whole["const"])
    if "anyOf" in whole:
        return " or ".join(dict.fromkeys(_kind(one, schemas) for one in whole["anyOf"] if one.get("type") != "null"))
    if whole.get("type") == "array":
        return f"list of {_kind(whole.get('items', {}), schemas)}"
    kind = whole.get("format") or whole.get("type") or "any"
    kind = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return {"date-time": "instant", "uuid": "id", "string": "text"}.get(kind, kind)


def _note(schema: Mapping[str, Any]) -> SafeString:
    told = [str(schema["description"])] if schema.get("description") else []
    if schema.get("default"):
        told.append(f"Default `{schema['default']}`.")
    return inline(" ".join(told))


def _example(path: str, method: str, has_body: bool) -> str:
    parts = ["curl", f'-H "Authorization: Bearer $KEY" "$COUNTERFOIL{path}"']
    if method != "get":
        parts.insert(1, f"-X {method.upper()} -H 'Idempotency-Key: <yours>'")
    if has_body:
        parts.append("--json '{…}'")
    return " ".join(parts)


def inline(text: str) -> SafeString:
    """Escaped text in which `` `code` `` and ``**strong**`` are marked."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return mark_safe(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked))  # noqa: S308 - escaped above


def paragraphs(text: str) -> SafeString:
    """As ``inline``, in paragraphs."""
    return mark_safe("".join(f"<p>{inline(one.strip())}</p>" for one in text.split("\n\n") if one.strip()))  # noqa: S308
