"""What a kind of record is, described once.

Forms, API schemas, lists, import, export, search and field rights read these descriptions, so none of them needs to
know what an invoice is. A field's ``id`` never changes: mappings, views and rights refer to it, never to its label or
column.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models

from counterfoil.core.errors import Problem, Refusal
from counterfoil.plumbing.bulk import read_where

TEXT_LENGTH = 200
PARAGRAPH_LENGTH = 5_000
ROWS_MAX = 1_000

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number as text: in digits 0 to 9, with a point, and without ``1_000``, which Python alone would take."""


class Kind(StrEnum):
    """What values a field holds. Each kind has two real users at least."""

    TEXT = "text"
    PARAGRAPH = "paragraph"
    EMAIL = "email"
    CHOICE = "choice"
    CHOICES = "choices"
    YES_NO = "yes_no"
    INTEGER = "integer"
    DECIMAL = "decimal"
    AMOUNT = "amount"
    DAY = "day"
    INSTANT = "instant"
    LINK = "link"
    COUNTRY = "country"
    CURRENCY = "currency"
    LANGUAGE = "language"
    ROWS = "rows"
    DEFINED = "defined"


class Group(StrEnum):
    """Field groups. A role reads or writes a group only when it was granted; a new field says which group it is in."""

    GENERAL = "general"
    IDENTITY = "identity"
    TERMS = "terms"
    TAX = "tax"
    BANK = "bank"
    PRICING = "pricing"


Choices = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Field:
    """One field. ``column`` is the attribute of the model, by default the id; a ``computed`` field is never written.

    ``currency`` names the attribute that holds an amount's currency. ``aliases`` are other names under which files know
    it. The field of a row that ``is_key`` names the row itself: forms carry it unseen, and a new row has none.

    A ``DEFINED`` field holds a set of values by key, of the fields that somebody defined at run time: ``defined`` gives
    them, those included that take no new values: ``is_retired``.
    """

    id: str
    label: str
    kind: Kind = Kind.TEXT
    group: Group = Group.GENERAL
    required: bool = False
    computed: bool = False
    column: str = ""
    max_length: int | None = None
    max_lines: int | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimals: int = 6
    choices: Choices | Callable[[], Choices] = ()
    to: str = ""
    currency: str = "currency"
    rows: tuple[Field, ...] = ()
    defined: Callable[[], Sequence[Field]] | None = None
    help: str = ""
    aliases: tuple[str, ...] = ()
    is_key: bool = False
    is_retired: bool = False
    read: Callable[[Any], Any] | None = None

    def value_of(self, record: Any) -> Any:
        """The field's value on a model instance, or of a row that is a mapping by field id.

        A link gives the id, an amount a bare ``Decimal``.
        """
        if isinstance(record, Mapping):
            return record[self.id]
        if self.read is not None:
            return self.read(record)
        if self.kind is Kind.LINK:
            return getattr(record, f"{self.attribute}_id")
        return getattr(record, self.attribute)

    @property
    def attribute(self) -> str:
        return self.column or self.id

    def definitions(self) -> Sequence[Field]:
        """The fields whose values a ``DEFINED`` field holds, each with its key as its id."""
        return self.defined() if self.defined is not None else ()

    def options(self) -> Choices:
        return self.choices() if callable(self.choices) else self.choices


@dataclass(frozen=True)
class Panel:
    """A slot on another record's page, fetched from the room that registered it: ``url`` names a URL taking its id.

    What the URL answers stands beneath the slot's title. ``half`` is where the slot stands on a page of two halves:
    ``relationship`` or ``money``, or ``foot`` beneath both.
    """

    on: str
    title: str
    url: str
    needs: str
    order: int = 50
    half: str = "relationship"


@dataclass(frozen=True)
class RecordType:
    """The description of one kind of record. ``see`` is the permission without which it does not exist for an actor.

    ``search`` names the fields by which people find it, each with the column that is searched; ``hint`` is a field and
    the
    column of a text that tells two records of one title apart.
    """

    key: str
    model: type[models.Model]
    label: str
    plural: str
    fields: tuple[Field, ...]
    title: Callable[[Any], str]
    see: str
    page: str = ""
    create: str = ""
    change: str = ""
    search: Mapping[str, str] = field(default_factory=dict, compare=False)
    hint: tuple[str, str] | None = None
    panels: tuple[Panel, ...] = ()
    by_id: Mapping[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {item.id: item for item in self.fields})

    def writable(self) -> list[Field]:
        return [item for item in self.fields if not item.computed]


_types: dict[str, RecordType] = {}


def register(record_type: RecordType) -> RecordType:
    _types[record_type.key] = record_type
    return record_type


def record_type(key: str) -> RecordType:
    """The description; raises ``KeyError`` for an unknown key."""
    return _types[key]


def record_types() -> list[RecordType]:
    return [_types[key] for key in sorted(_types)]


def panels_on(key: str) -> list[Panel]:
    found = [panel for item in record_types() for panel in item.panels if panel.on == key]
    return sorted(found, key=lambda panel: (panel.order, panel.title))


# Input ----------------------------------------------------------------------------------------------------------------


class BadValue(Exception):
    """A value that its field cannot take: a code for programs and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def clean(key: str, values: Mapping[str, Any], *, partial: bool = False, path: str = "") -> dict[str, Any]:
    """The input as Python values by field id, or a ``Refusal`` that names every problem at its field.

    Unknown and computed fields are refused. With ``partial``, missing fields are left alone. Links must exist.
    """
    described = record_type(key)
    problems: list[Problem] = []
    found = _clean_fields(described.fields, values, partial, path, problems)
    _check_links(described.fields, found, path, problems)
    if problems:
        raise Refusal.of(problems)
    return found


def _clean_fields(
    fields: Sequence[Field], values: Any, partial: bool, path: str, problems: list[Problem]
) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        problems.append(Problem(path.rstrip("."), "not_an_object", "This must be a set of named values."))
        return {}
    known = {item.id: item for item in fields}
    for name in values:
        if name not in known:
            problems.append(Problem(path + _shown(name), "unknown_field", "There is no such field."))
        elif known[name].computed:
            problems.append(Problem(path + name, "read_only", "This value is worked out and cannot be set."))
    found: dict[str, Any] = {}
    for item in fields:
        if item.computed:
            continue
        if item.id not in values:
            if item.required and not partial:
                problems.append(Problem(path + item.id, "missing", f"{item.label} is missing."))
            continue
        raw = values[item.id]
        if item.kind is Kind.ROWS:
            found[item.id] = _clean_rows(item, raw, path, problems)
            continue
        if item.kind is Kind.DEFINED:
            found[item.id] = _clean_defined(item, raw, path, problems)
            continue
        try:
            value = clean_value(item, raw)
        except BadValue as bad:
            problems.append(Problem(path + item.id, bad.code, bad.message))
            continue
        if item.required and value in (None, "", []):
            problems.append(Problem(path + item.id, "missing", f"{item.label} is missing."))
            continue
        found[item.id] = value
    return found


def _clean_rows(item: Field, raw: Any, path: str, problems: list[Problem]) -> list[dict[str, Any]]:
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        problems.append(Problem(path + item.id, "not_a_list", f"{item.label} must be a list."))
        return []
    if len(raw) > ROWS_MAX:
        problems.append(Problem(path + item.id, "too_many", f"At most {ROWS_MAX} rows are possible."))
        return []
    return [
        _clean_fields(item.rows, row, False, f"{path}{item.id}.{number}.", problems) for number, row in enumerate(raw)
    ]


def _clean_defined(item: Field, raw: Any, path: str, problems: list[Problem]) -> dict[str, str]:
    """The values that are given, as their canonical texts by key; an emptied one is an empty text."""
    at = f"{path}{item.id}."
    found = _clean_fields(item.definitions() if raw else (), {} if raw is None else raw, True, at, problems)
    return {key: canonical(value) for key, value in found.items()}


def canonical(value: Any) -> str:
    """A clean value as the one text that is kept of it: ``12.5``, ``2026-03-31``; empty for none."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return value.isoformat() if isinstance(value, date) else str(value)


def value_of_text(kind: Kind, text: str) -> Any:
    """The value that a canonical text stands for."""
    if not text:
        return None
    return Decimal(text) if kind is Kind.DECIMAL else date.fromisoformat(text) if kind is Kind.DAY else text


def clean_value(item: Field, raw: Any) -> Any:
    """One value of a field as a Python value; raises ``BadValue``. Empty text stands for "no value"."""
    if item.kind is Kind.CHOICES:
        return _clean_choices(item, raw)
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return "" if item.kind in _TEXTUAL else (False if item.kind is Kind.YES_NO else None)
    return _CLEANERS[item.kind](item, raw)


_TEXTUAL = {Kind.TEXT, Kind.PARAGRAPH, Kind.EMAIL, Kind.CHOICE, Kind.COUNTRY, Kind.CURRENCY, Kind.LANGUAGE}


def _shown(name: object) -> str:
    return re.sub(r"[^\w.-]", "?", str(name))[:60]


def _clean_text(item: Field, raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | Decimal):
        raise BadValue("not_text", f"{item.label} must be text.")
    text = str(raw)
    limit = item.max_length or (PARAGRAPH_LENGTH if item.kind is Kind.PARAGRAPH else TEXT_LENGTH)
    if len(text) > limit:
        raise BadValue("too_long", f"{item.label} can have at most {limit} characters; this has {len(text):,}.")
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    if item.max_lines is not None and text.count("\n") >= item.max_lines:
        raise BadValue("too_many", f"{item.label} can have at most {item.max_lines} lines.")
    allowed = "\n\t" if item.kind is Kind.PARAGRAPH else ""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in allowed:
            raise BadValue("control_character", f"{item.label} holds a character that cannot be printed.")
    return text


def _clean_email(item: Field, raw: Any) -> str:
    text = _clean_text(item, raw)
    try:
        validate_email(text)
    except ValidationError:
        raise BadValue("not_an_email", f"“{text[:80]}” is not an e-mail address.") from None
    return text


def _clean_choice(item: Field, raw: Any) -> str:
    text = _clean_text(item, raw)
    options = item.options()
    if text not in {key for key, _ in options}:
        some = ", ".join(key for key, _ in options[:12])
        raise BadValue("not_a_choice", f"{item.label} cannot be “{text[:60]}”. It is one of: {some}.")
    return text


def _clean_choices(item: Field, raw: Any) -> list[str]:
    """Several of the choices, each once, in the order of the description; a text may hold them separated by commas."""
    parts = raw.split(",") if isinstance(raw, str) else raw
    if parts is None:
        return []
    if not isinstance(parts, Sequence) or isinstance(parts, bytes) or len(parts) > ROWS_MAX:
        raise BadValue("not_a_list", f"{item.label} must be a list.")
    chosen = {_clean_choice(item, part) for part in parts if part not in ("", None)}
    return [key for key, _ in item.options() if key in chosen]


def _clean_yes_no(item: Field, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise BadValue("not_yes_or_no", f"{item.label} is either yes or no.")


def _clean_integer(item: Field, raw: Any) -> int:
    number = _clean_decimal(item, raw)
    if number != number.to_integral_value():
        raise BadValue("not_whole", f"{item.label} must be a whole number.")
    return int(number)


def _clean_decimal(item: Field, raw: Any) -> Decimal:
    if isinstance(raw, bool | float) or not isinstance(raw, str | int | Decimal):
        raise BadValue("not_a_number", f'{item.label} must be a number, written as text: "12.50".')
    text = str(raw).strip().replace("\u2212", "-")
    if len(text) > 40:
        raise BadValue("too_long", f"{item.label} has too many digits.")
    if not NUMBER.fullmatch(text):
        raise BadValue("not_a_number", f"{item.label} must be a number; “{text[:40]}” is not one.")
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond what a Decimal can have
        raise BadValue("out_of_range", f"{item.label} is out of range.") from None
    if number and (number.adjusted() > 11 or number.adjusted() < -12):
        raise BadValue("out_of_range", f"{item.label} is out of range.")
    if number != number.quantize(Decimal(1).scaleb(-item.decimals)):
        raise BadValue("too_many_decimals", f"{item.label} can have at most {item.decimals} decimals.")
    if item.minimum is not None and number < item.minimum:
        raise BadValue("too_small", f"{item.label} must be at least {item.minimum}.")
    if item.maximum is not None and number > item.maximum:
        raise BadValue("too_large", f"{item.label} must be at most {item.maximum}.")
    return number


def _clean_day(item: Field, raw: Any) -> date:
    if isinstance(raw, datetime):
        raise BadValue("not_a_date", f"{item.label} must be a date without a time.")
    if isinstance(raw, date):
        return raw
    text = str(raw).strip()
    if not DAY.fullmatch(text):
        raise BadValue("not_a_date", f"{item.label} must be a date such as 2026-03-31.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadValue("not_a_date", f"There is no such day as {text}.") from None


def _clean_instant(item: Field, raw: Any) -> datetime:
    if isinstance(raw, datetime):
        instant = raw
    else:
        try:
            instant = datetime.fromisoformat(str(raw).strip())
        except ValueError:
            raise BadValue("not_an_instant", f"{item.label} must be an instant such as 2026-03-31T12:00:00Z.") from None
    if instant.tzinfo is None:
        raise BadValue("no_time_zone", f"{item.label} must name its time zone.")
    return instant


def _clean_link(item: Field, raw: Any) -> UUID:
    if isinstance(raw, UUID):
        return raw
    try:
        return UUID(str(raw).strip())
    except ValueError:
        raise BadValue("not_an_id", f"{item.label} must be the id of a record.") from None


def _clean_country(item: Field, raw: Any) -> str:
    from counterfoil.core.places import is_country

    text = _clean_text(item, raw).upper()
    if not is_country(text):
        raise BadValue("unknown_country", f"“{text[:20]}” is not a country code such as DE or US.")
    return text


def _clean_currency(item: Field, raw: Any) -> str:
    from counterfoil.core.money import is_currency

    text = _clean_text(item, raw).upper()
    if not is_currency(text):
        raise BadValue("unknown_currency", f"“{text[:20]}” is not a currency code such as EUR or USD.")
    return text


def _clean_language(item: Field, raw: Any) -> str:
    from counterfoil.core.places import is_language

    text = _clean_text(item, raw)
    if not is_language(text):
        raise BadValue("unknown_language", f"“{text[:20]}” is not a language code such as en or de.")
    return text


_CLEANERS: dict[Kind, Callable[[Field, Any], Any]] = {
    Kind.TEXT: _clean_text,
    Kind.PARAGRAPH: _clean_text,
    Kind.EMAIL: _clean_email,
    Kind.CHOICE: _clean_choice,
    Kind.CHOICES: _clean_choices,
    Kind.YES_NO: _clean_yes_no,
    Kind.INTEGER: _clean_integer,
    Kind.DECIMAL: _clean_decimal,
    Kind.AMOUNT: _clean_decimal,
    Kind.DAY: _clean_day,
    Kind.INSTANT: _clean_instant,
    Kind.LINK: _clean_link,
    Kind.COUNTRY: _clean_country,
    Kind.CURRENCY: _clean_currency,
    Kind.LANGUAGE: _clean_language,
}


def _check_links(fields: Sequence[Field], found: Mapping[str, Any], path: str, problems: list[Problem]) -> None:
    """One statement per kind of link, however many rows name it."""
    wanted: dict[str, dict[UUID, list[tuple[str, str]]]] = {}

    def collect(items: Sequence[Field], values: Mapping[str, Any], at: str) -> None:
        for item in items:
            value = values.get(item.id)
            if item.kind is Kind.LINK and value is not None:
                wanted.setdefault(item.to, {}).setdefault(value, []).append((at + item.id, item.label))
            elif item.kind is Kind.ROWS and value:
                for number, row in enumerate(value):
                    collect(item.rows, row, f"{at}{item.id}.{number}.")

    collect(fields, found, path)
    for key, places in wanted.items():
        model = record_type(key).model
        there = {one.pk for one in read_where(model, "id = ANY(%s)", list(places), only=("id",))}
        for missing in places.keys() - there:
            for at, label in places[missing]:
                problems.append(Problem(at, "no_such_record", f"{label}: there is no such record."))
