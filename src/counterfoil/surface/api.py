"""What every room's API router is made of: schemas from record types, and pages by cursor.

How to use it stands in ``app/README.md``.
"""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from uuid import UUID

from ninja import Schema
from ninja.renderers import BaseRenderer
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationInfo,
    WithJsonSchema,
    create_model,
    field_validator,
    model_serializer,
)
from pydantic import Field as SchemaField
from pydantic_core import PydanticCustomError

from counterfoil.core.errors import Refusal
from counterfoil.plumbing.record_types import DAY, NUMBER, PARAGRAPH_LENGTH, Field, Kind, record_type
from counterfoil.surface.as_json import ProjectedRow, plain, row_json

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200

Purpose = Literal["read", "create", "change"]


def _printable(text: str) -> str:
    """The text without surrounding space; what cannot be printed is refused, as the command door does."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise PydanticCustomError("control_character", "This holds a character that cannot be printed")
    return text


Words = Annotated[str, SchemaField(max_length=PARAGRAPH_LENGTH), AfterValidator(_printable)]
"""Text in the schema of an action, such as a reason."""


class Order(Schema):
    """Base of what an action takes, such as the day of an end.

    A name that it does not know is refused, since a misspelt one would otherwise do something else in silence. So is a
    value of another type of JSON: `5` is no day, and `"5"` no whole number.
    """

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_type(cls, raw: Any, info: ValidationInfo) -> Any:
        wanted = _types_of(cls.model_fields[str(info.field_name)].annotation)
        if raw is None or not wanted & {bool, int, date, datetime, Decimal}:
            return raw
        if bool in wanted and not isinstance(raw, bool):
            raise PydanticCustomError("bool_type", "This is either true or false")
        if int in wanted and (isinstance(raw, bool) or not isinstance(raw, int)):
            raise PydanticCustomError("int_type", "This must be a whole number")
        if Decimal in wanted and isinstance(raw, str) and not NUMBER.fullmatch(raw):
            raise PydanticCustomError("decimal_parsing", "This must be a number")
        if datetime in wanted:
            return _moment(raw)
        return _day(raw) if date in wanted else raw


def _types_of(annotation: Any) -> set[Any]:
    """The types that a value may have: those of `date | None` are both."""
    parts = get_args(annotation)
    if not parts or get_origin(annotation) in (list, dict, Literal):
        return {annotation}
    return set().union(*(_types_of(part) for part in parts))


def _day(raw: Any) -> date:
    if isinstance(raw, str) and DAY.fullmatch(raw):
        try:
            return date.fromisoformat(raw)
        except ValueError:
            pass
    raise PydanticCustomError("date_parsing", "This must be a date such as 2026-03-31")


def _moment(raw: Any) -> date:
    """A day, or an instant with its zone."""
    if isinstance(raw, str) and DAY.match(raw):
        try:
            moment = date.fromisoformat(raw) if DAY.fullmatch(raw) else datetime.fromisoformat(raw)
        except ValueError:
            moment = None
        if isinstance(moment, datetime) and moment.tzinfo is None:
            raise PydanticCustomError("timezone_missing", "An instant must name its time zone")
        if moment is not None:
            return moment
    raise PydanticCustomError(
        "datetime_parsing", "This must be a date such as 2026-03-31, or an instant such as 2026-03-31T12:00:00Z"
    )


class ExactJSON(BaseRenderer):
    """Renders with ``plain``; a float raises, so that no rounding hides in an answer."""

    media_type = "application/json"

    def render(self, request: Any, data: Any, *, response_status: int) -> str:
        return json.dumps(plain(data))


# Schemas ----------------------------------------------------------------------------------------------------------

DECIMAL = {"type": "string", "format": "decimal", "examples": ["12.50"]}
_SHAPES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.PARAGRAPH: {"type": "string"},
    Kind.EMAIL: {"type": "string", "format": "email"},
    Kind.CHOICE: {"type": "string"},
    Kind.YES_NO: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer"},
    Kind.DECIMAL: DECIMAL,
    Kind.AMOUNT: DECIMAL,
    Kind.DAY: {"type": "string", "format": "date"},
    Kind.INSTANT: {"type": "string", "format": "date-time"},
    Kind.LINK: {"type": "string", "format": "uuid"},
    Kind.COUNTRY: {"type": "string", "examples": ["DE"], "description": "ISO 3166-1 alpha-2"},
    Kind.CURRENCY: {"type": "string", "examples": ["EUR"], "description": "ISO 4217"},
    Kind.LANGUAGE: {"type": "string", "examples": ["en"]},
}
_NEVER_NULL = {
    Kind.TEXT,
    Kind.PARAGRAPH,
    Kind.EMAIL,
    Kind.CHOICE,
    Kind.COUNTRY,
    Kind.CURRENCY,
    Kind.LANGUAGE,
    Kind.YES_NO,
}


def shape_of(item: Field, purpose: Purpose) -> dict[str, Any]:
    """The JSON schema of one field."""
    if item.kind is Kind.ROWS:
        inner = [sub for sub in item.rows if purpose == "read" or not sub.computed]
        row: dict[str, Any] = {
            "type": "object",
            "properties": {sub.id: shape_of(sub, purpose) for sub in inner},
        }
        needed = [sub.id for sub in inner if sub.required]
        if needed:
            row["required"] = needed
        return {"type": "array", "items": row, "title": item.label}
    if item.kind is Kind.DEFINED:
        text = {"type": "string" if purpose == "read" else ["string", "null"]}
        values: dict[str, Any] = {"type": "object", "additionalProperties": text, "title": item.label}
        return {**values, "description": item.help} if item.help else values
    if item.kind is Kind.CHOICES:
        one = {"type": "string", "enum": [key for key, _ in item.options()]}
        return {"type": "array", "items": one, "title": item.label, "uniqueItems": True}
    shape = dict(_SHAPES[item.kind])
    if item.kind is Kind.CHOICE and not callable(item.choices) and item.choices:
        shape["enum"] = [key for key, _ in item.choices] + ([] if item.required else [""])
    if item.max_length:
        shape["maxLength"] = item.max_length
    if item.help:
        shape["description"] = item.help
    shape["title"] = item.label
    if item.kind not in _NEVER_NULL and not item.required:
        shape["type"] = [shape["type"], "null"]
    return shape


class Described(BaseModel):
    """Base of the schemas that are made from record types.

    They document and do not judge: every value passes as it came, and the command door cleans it, so that the API, the
    forms and the import give the same problem with the same code at the same field.
    """

    model_config = ConfigDict(extra="allow")

    def values(self) -> dict[str, Any]:
        """What was given and nothing else, unknown names included: the door refuses those."""
        return {name: value for name, value in self if name in self.model_fields_set}

    def change(self) -> tuple[dict[str, Any], int | None]:
        """The values of a change, and the version that the client had read."""
        values = self.values()
        return values, version_of(values.pop("version", None))

    @model_serializer(mode="plain")
    def _as_given(self):  # type: ignore[no-untyped-def]  # a return type would replace the schema in the documentation
        return self.values()


def version_of(raw: Any) -> int | None:
    """A version as a client may send it."""
    if raw is None or (isinstance(raw, int) and not isinstance(raw, bool)):
        return raw
    raise Refusal("not_whole", "The version must be a whole number.", "version")


_made: dict[tuple[str, Purpose], type[Any]] = {}
_pages: dict[str, type[Any]] = {}


def schema_for(key: str, purpose: Purpose = "read") -> type[Any]:
    """The schema of a kind of record: as it is read, as it is created, or the part of it that a change names.

    A change carries ``version`` besides the fields. The answer is ``type[Any]``: its fields are known at run time only.
    """
    if (key, purpose) not in _made:
        _made[key, purpose] = _make_schema(key, purpose)
    return _made[key, purpose]


def page_of(key: str) -> type[Any]:
    """The schema of one page of a list."""
    if key not in _pages:
        _pages[key] = create_model(
            f"{_schema_name(key)}Page",
            items=(_list_of(schema_for(key)), ...),
            next_cursor=(
                str | None,
                SchemaField(default=None, description="Send it as `cursor`; null on the last page."),
            ),
        )
    return _pages[key]


def _list_of(schema: type[Any]) -> Any:
    return list[schema]  # type: ignore[valid-type]


def _schema_name(key: str) -> str:
    return "".join(part.title() for part in key.replace(".", "_").split("_"))


def _make_schema(key: str, purpose: Purpose) -> type[Any]:
    described = record_type(key)
    properties: dict[str, dict[str, Any]] = {}
    if purpose == "read":
        properties["id"] = {"type": "string", "format": "uuid"}
        properties["title"] = {"type": "string", "description": "What the record is called on screens."}
    if purpose != "create":
        properties["version"] = {
            "type": ["integer", "null"],
            "description": "Raised by every change. A change that carries another than the present one answers 409.",
        }
    fields = described.fields if purpose == "read" else tuple(described.writable())
    properties.update({item.id: shape_of(item, purpose) for item in fields})
    if purpose == "read":
        for item in fields:
            if item.kind is Kind.AMOUNT:
                properties.setdefault(item.currency, _SHAPES[Kind.CURRENCY])
        properties["closed"] = {
            "type": "array",
            "items": {"type": "string"},
            "description": "Fields that this key may not read. They are left out.",
        }
    required = {item.id for item in fields if item.required} if purpose == "create" else set()
    annotations: dict[str, Any] = {
        name: (Annotated[Any, WithJsonSchema(shape)], None) for name, shape in properties.items()
    }

    def name_required(schema: dict[str, Any]) -> None:
        if required:
            schema["required"] = [name for name in properties if name in required]

    made = create_model(
        _schema_name(key) + {"read": "", "create": "Create", "change": "Change"}[purpose],
        __base__=Described,
        __doc__=f"{described.label}, as its record type describes it.",
        **annotations,
    )
    made.model_config["json_schema_extra"] = name_required
    made.model_rebuild(force=True)
    return made


# Pages ----------------------------------------------------------------------------------------------------------

R = TypeVar("R", bound=ProjectedRow)


class Paging(Schema):
    """The query parameters of a list: ``paging: Query[Paging]``. Rows come in the order of their ids, oldest first.

    The query reads ``take`` rows with an id above ``after``; ``page`` makes the answer of them.
    """

    cursor: str = SchemaField(default="", max_length=40, description="`next_cursor` of the page before.")
    limit: int = SchemaField(default=PAGE_SIZE, ge=1, le=PAGE_SIZE_MAX)

    @property
    def after(self) -> UUID | None:
        """The id after which this page begins."""
        if not self.cursor:
            return None
        try:
            return UUID(bytes=base64.urlsafe_b64decode(self.cursor + "=="))
        except (ValueError, binascii.Error):
            raise Refusal("bad_cursor", "This cursor is not one that a list has given.", "cursor") from None

    @property
    def take(self) -> int:
        """One row more than the page shows, to know whether there is a next one."""
        return self.limit + 1

    def page(self, rows: Sequence[R], to_json: Callable[[R], dict[str, Any]] = row_json) -> dict[str, Any]:
        shown = rows[: self.limit]
        last = base64.urlsafe_b64encode(shown[-1].id.bytes).rstrip(b"=").decode() if len(rows) > self.limit else None
        return {"items": [to_json(row) for row in shown], "next_cursor": last}
