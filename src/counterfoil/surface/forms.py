"""Forms made from the descriptions of records.

A form shows inputs, keeps what was typed and puts each problem at its field. It checks nothing: commands do, and raise
``Refusal`` with the problems that a form is then given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import Money
from counterfoil.core.text import whole_number
from counterfoil.plumbing.record_types import Field, Kind, record_type
from counterfoil.surface import controls, display
from counterfoil.surface.codes import code_choices

LOCKED = "Your role may not change this."
HIDDEN = "Hidden from your role."
NEW_ROW = "NEW"
"""Stands for the row number in the blank row that the grid editor copies."""

_SHORT = {
    Kind.DAY, Kind.INSTANT, Kind.AMOUNT, Kind.DECIMAL, Kind.INTEGER, Kind.CURRENCY, Kind.LANGUAGE, Kind.COUNTRY,
    Kind.CHOICE,
}  # fmt: skip
WORDS_OF_A_SHORT_FIELD = 24
"""So many letters of a choice can be read in a short field."""
_CODED = {Kind.COUNTRY, Kind.CURRENCY, Kind.LANGUAGE}


class Typed(dict[str, Any]):
    """What was typed, by field id, as commands take it. ``titles`` are the texts in the boxes that find records,
    ``version`` is what the person saw.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, titles: Mapping[str, str] | None = None) -> None:
        super().__init__(values or {})
        self.titles: dict[str, str] = dict(titles or {})
        self.version: int | None = None


@dataclass(frozen=True)
class Input:
    """One input bound to its value, ready for a template. ``value`` is the text in the box."""

    field: Field
    id: str
    name: str
    value: str = ""
    title: str = ""
    problem: str = ""
    locked: str = ""
    hidden: bool = False
    autofocus: bool = False
    in_grid: bool = False
    unit: str = ""
    source: str = ""
    placeholder: str = ""
    find_url: str = ""
    options: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Input, ...], ...] = ()
    blank: tuple[Input, ...] = ()

    @property
    def kind(self) -> Kind:
        return self.field.kind

    @property
    def label(self) -> str:
        return self.field.label

    @property
    def help(self) -> str:
        return self.field.help

    @property
    def required(self) -> bool:
        return self.field.required

    @property
    def is_checkbox(self) -> bool:
        return self.kind is Kind.YES_NO and not self.locked

    @property
    def is_rows(self) -> bool:
        return self.kind is Kind.ROWS

    @property
    def is_key(self) -> bool:
        """Whether it names its row, and is carried unseen."""
        return self.field.is_key

    @property
    def is_number(self) -> bool:
        return self.kind in (Kind.AMOUNT, Kind.DECIMAL, Kind.INTEGER)

    @property
    def width(self) -> str:
        """How much of the form's line the field takes: ``short`` or ``full``."""
        is_wordy = any(len(label) > WORDS_OF_A_SHORT_FIELD for _, label in self.options)
        if self.kind not in _SHORT or (self.kind is Kind.INTEGER and self.options):
            return "full"
        return "full" if self.kind is Kind.CHOICE and is_wordy else "short"

    @property
    def lines(self) -> int:
        return 1 if self.in_grid else min(8, max(3, self.value.count("\n") + 1))

    @property
    def described_by(self) -> str:
        """The ids of the texts that belong to the input, the problem first."""
        if self.in_grid:
            return f"{self.id}-problem" if self.problem else ""
        parts = (("problem", self.problem), ("locked", "" if self.hidden else self.locked), ("help", self.help))
        return " ".join(f"{self.id}-{part}" for part, text in parts if text)

    @property
    def shown(self) -> str:
        """The value as people read it, for locked fields."""
        if self.hidden:
            return HIDDEN
        if self.kind is Kind.YES_NO:
            return display.yes_or_no(self.value == "yes")
        labels = dict(self.options)
        return self.title or labels.get(self.value) or self.value or display.NO_VALUE

    @property
    def control(self) -> SafeString:
        return controls.control(self)

    def labelled(self, label: str) -> Input:
        """The same input under another label."""
        return replace(self, field=replace(self.field, label=label))


@dataclass(frozen=True)
class Section:
    """A titled part of a form."""

    title: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True)
class Form:
    """Bound inputs by field id: ``{{ form.legal_name }}``. ``problems`` are those that belong to no shown field."""

    key: str
    inputs: Mapping[str, Input]
    sections: tuple[Section, ...]
    version: int | None = None
    problems: tuple[Problem, ...] = ()
    all_problems: tuple[Problem, ...] = ()

    def __getitem__(self, name: str) -> Input:
        return self.inputs[name]

    def __iter__(self) -> Iterator[Input]:
        return iter(self.inputs.values())

    def __contains__(self, name: object) -> bool:
        return name in self.inputs

    @property
    def is_refused(self) -> bool:
        return bool(self.all_problems)


@dataclass
class _Making:
    """What is the same for all inputs of one form."""

    values: Any
    typed: Mapping[str, Any]
    writable: Collection[str] | None
    locked: Mapping[str, str]
    options: Mapping[str, Sequence[tuple[str, str]]]
    titles: Mapping[str, str]
    sources: Mapping[str, str]
    placeholders: Mapping[str, str]
    messages: dict[str, str]
    prefix: str
    used: set[str] = field(default_factory=set)
    focused: bool = False


def record_form(
    key: str,
    *,
    values: Any = None,
    typed: Mapping[str, Any] | None = None,
    only: Iterable[str] = (),
    sections: Mapping[str, Iterable[str]] | None = None,
    writable: Collection[str] | None = None,
    problems: Iterable[Problem] | Refusal = (),
    version: int | None = None,
    locked: Mapping[str, str] | None = None,
    options: Mapping[str, Sequence[tuple[Any, str]]] | None = None,
    titles: Mapping[str, str] | None = None,
    sources: Mapping[str, str] | None = None,
    placeholders: Mapping[str, str] | None = None,
    prefix: str = "",
    fields: Sequence[Field] = (),
) -> Form:
    """A form over fields of one kind of record.

    ``values`` is the record (a ``Row`` or mapping); ``typed`` what came back refused, which wins. ``writable`` are the
    field groups that may be changed, ``None`` all. ``locked`` gives further fields that cannot change, with the reason.
    ``options`` turns a link into a list of choices. ``titles`` are the names of linked records, ``sources`` say where
    values come from. ``fields`` are asked instead of the record's own: those of one of its rows, or of a command that
    takes more.
    """
    described = record_type(key)
    by_id = {item.id: item for item in fields} or described.by_id
    found = problems.problems if isinstance(problems, Refusal) else tuple(problems)
    wanted = list(only) or [name for names in (sections or {}).values() for name in names]
    wanted = wanted or [item.id for item in by_id.values() if not item.computed]
    making = _Making(
        values=values,
        typed=typed or {},
        writable=writable,
        locked=locked or {},
        options={name: [(str(value), label) for value, label in pairs] for name, pairs in (options or {}).items()},
        titles=titles or {},
        sources=sources or {},
        placeholders=placeholders or {},
        messages=_first_messages(found),
        prefix=f"{prefix}-" if prefix else "",
    )
    asked = {name: _inputs(by_id[name], making) for name in wanted}
    inputs = {name: one for name in wanted for name, one in asked[name].items()}
    parts = tuple(
        Section(title, tuple(one for name in names for one in asked[name].values()))
        for title, names in (sections or {"": wanted}).items()
    )
    seen = getattr(typed, "version", None)  # what somebody else saved meanwhile is not taken for seen
    if seen is not None or version is None:
        version = seen if seen is not None else getattr(values, "version", None)
    return Form(
        key=key,
        inputs=inputs,
        sections=parts,
        version=version,
        problems=tuple(one for one in found if one.field not in making.used),
        all_problems=found,
    )


def _first_messages(problems: Iterable[Problem]) -> dict[str, str]:
    messages: dict[str, str] = {}
    for one in problems:
        messages.setdefault(one.field, one.message)
    return messages


def _inputs(item: Field, making: _Making) -> dict[str, Input]:
    """The input of a field; of one that holds the values of defined fields, an input for each of these: under
    ``<field>.<key>``. A field that takes no new values is asked where it has one.
    """
    if item.kind is not Kind.DEFINED:
        return {item.id: _input(item, making)}
    kept, typed = _attribute(making.values, item.id) or {}, making.typed.get(item.id) or {}
    found = {}
    for one in item.definitions():
        if one.is_retired and not kept.get(one.id):
            continue
        path = f"{item.id}.{one.id}"
        raw = typed[one.id] if one.id in typed else kept.get(one.id)
        name = f"{making.prefix}{item.id}-{one.id}"
        bound = Input(
            field=replace(one, group=item.group),
            id=f"id-{name}",
            name=name,
            value=text_of(one, raw),
            locked=_lock(item, hidden=False, making=making),
            source=making.sources.get(item.id, "") if kept.get(one.id) else "",
            options=_options(one, {}),
        )
        found[path] = _with_problem(bound, path, making)
    return found


def _input(item: Field, making: _Making) -> Input:
    raw = making.typed[item.id] if item.id in making.typed else _attribute(making.values, item.id)
    hidden = display.is_hidden(raw)
    bound = Input(
        field=item,
        id=f"id-{making.prefix}{item.id}",
        name=f"{making.prefix}{item.id}",
        value="" if hidden or item.kind is Kind.ROWS else text_of(item, raw),
        title="" if hidden else _title(item, making),
        locked=_lock(item, hidden, making),
        hidden=hidden,
        unit=_unit(item, making),
        source=making.sources.get(item.id, ""),
        placeholder=making.placeholders.get(item.id, ""),
        find_url=find_url(item),
        options=_options(item, making.options),
    )
    if item.kind is Kind.ROWS:
        bound = _with_rows(bound, raw, making)
    return _with_problem(bound, item.id, making)


def _with_problem(bound: Input, path: str, making: _Making) -> Input:
    message = making.messages.get(path, "")
    if not message:
        return bound
    making.used.add(path)
    if bound.kind is Kind.LINK and bound.title and bound.title == bound.value:
        message = f"“{bound.title[:60]}” was not found. Pick one from the list."
        bound = replace(bound, value="")
    focus = not making.focused and not bound.locked
    making.focused = making.focused or focus
    return replace(bound, problem=message, autofocus=focus)


def _with_rows(bound: Input, raw: Any, making: _Making) -> Input:
    shown = [sub for sub in bound.field.rows if not sub.computed]
    given = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else []
    rows = tuple(tuple(_cell(bound, sub, number, row, making) for sub in shown) for number, row in enumerate(given))
    blank = tuple(_cell(bound, sub, NEW_ROW, {}, making) for sub in shown)
    return replace(bound, rows=rows, blank=blank)


def _cell(parent: Input, item: Field, number: int | str, row: Any, making: _Making) -> Input:
    raw = _attribute(row, item.id)
    hidden = display.is_hidden(raw)
    titles = getattr(row, "titles", {})
    bound = Input(
        field=item,
        id=f"{parent.id}-{number}-{item.id}",
        name=f"{parent.name}-{number}-{item.id}",
        value="" if hidden else text_of(item, raw),
        title=titles.get(item.id) or str(_attribute(row, f"{item.id}_title") or ""),
        locked=parent.locked or _lock(item, hidden, making),
        hidden=hidden,
        in_grid=True,
        find_url=find_url(item),
        options=_options(item, making.options),
    )
    return bound if item.is_key else _with_problem(bound, f"{parent.field.id}.{number}.{item.id}", making)


def _attribute(values: Any, name: str) -> Any:
    if values is None:
        return None
    if isinstance(values, Mapping):
        try:
            return values[name]
        except KeyError:
            return None
    return getattr(values, name, None)


def _title(item: Field, making: _Making) -> str:
    if item.kind is not Kind.LINK:
        return ""
    typed = getattr(making.typed, "titles", {})
    if item.id in typed:
        return str(typed[item.id])
    return making.titles.get(item.id) or str(_attribute(making.values, f"{item.id}_title") or "")


def _lock(item: Field, hidden: bool, making: _Making) -> str:
    if hidden:
        return HIDDEN
    if item.id in making.locked:
        return making.locked[item.id]
    if item.computed:
        return "Worked out by the product."
    if making.writable is not None and item.group not in making.writable:
        return LOCKED
    return ""


def _unit(item: Field, making: _Making) -> str:
    if item.kind is not Kind.AMOUNT:
        return ""
    found = _attribute(making.typed, item.currency) or _attribute(making.values, item.currency)
    return str(found or "")


def find_url(item: Field) -> str:
    """Where a box that finds records of the linked kind asks."""
    if item.kind is not Kind.LINK:
        return ""
    try:
        return reverse("find", args=[item.to])
    except NoReverseMatch:
        return f"/find/{item.to}"


def _options(item: Field, given: Mapping[str, Sequence[tuple[str, str]]]) -> tuple[tuple[str, str], ...]:
    if item.id in given:
        return tuple(given[item.id])
    if item.kind is Kind.CHOICE:
        return tuple((str(key), str(label)) for key, label in item.options())
    return code_choices(item.kind, display.language()) if item.kind in _CODED else ()


def text_of(item: Field, raw: Any) -> str:
    """A value as the text that stands in its box; what was typed stays as it was typed."""
    if raw is None:
        return ""
    if item.kind is Kind.YES_NO:
        return "yes" if raw is True or str(raw).lower() in ("yes", "true", "on", "1") else ""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, Decimal):
        return _plain_decimal(raw)
    if isinstance(raw, datetime):
        return timezone.localtime(raw).strftime("%Y-%m-%dT%H:%M") if raw.tzinfo else raw.isoformat("T", "minutes")
    if isinstance(raw, date):
        return raw.isoformat()
    if isinstance(raw, Money):
        return f"{raw.amount:f}"
    return str(raw)


def _plain_decimal(value: Decimal) -> str:
    """All digits, no zeros behind the last one."""
    return f"{value.normalize():f}" if value.is_finite() else str(value)


# What was posted ----------------------------------------------------------------------------------------------------


def values_from(post: Any, key: str, only: Iterable[str] = (), prefix: str = "", fields: Sequence[Field] = ()) -> Typed:
    """What was typed, by field id, as raw values that a command takes. Fields that were not posted are left out.

    Rows are posted as ``lines-0-quantity``; wholly empty ones and those ticked ``lines-0-remove`` are dropped.
    """
    by_id = {item.id: item for item in fields} or record_type(key).by_id
    names = list(only) or [item.id for item in by_id.values() if not item.computed]
    typed = _typed([by_id[name] for name in names], post, f"{prefix}-" if prefix else "")
    typed.version = version_from(post)
    return typed


@dataclass(frozen=True)
class Sent:
    """What came with a request for a page with one form: nothing while it is only shown. ``answer`` is what saving it
    answered, ``refused`` why it was not saved.
    """

    typed: Typed | None = None
    answer: Any = None
    refused: Refusal | None = None

    @property
    def is_saved(self) -> bool:
        return self.typed is not None and self.refused is None

    @property
    def status(self) -> int:
        """The status of the page that shows the form, if need be once more."""
        return self.refused.status if self.refused else 200

    def form(self, key: str, **asked: Any) -> Form:
        """The form to be shown, as ``record_form`` makes it: refused, with what was typed and why."""
        return record_form(key, typed=self.typed, problems=self.refused or (), **asked)


def save_sent(request: HttpRequest, key: str, save: Callable[[Typed], Any], only: Iterable[str] = ()) -> Sent:
    """Have what was posted, by field id, saved by a command; of these fields alone where some are named."""
    if request.method != "POST":
        return Sent()
    typed = values_from(request.POST, key, only)
    try:
        return Sent(typed, save(typed))
    except Refusal as refusal:
        return Sent(typed, refused=refusal)


def version_from(post: Any) -> int | None:
    """The version that the person saw, or ``None`` when the form carried none."""
    return whole_number(str(post.get("version", "")).strip(), 9)


def _typed(fields: Iterable[Field], post: Any, start: str) -> Typed:
    found = Typed()
    for item in fields:
        name = f"{start}{item.id}"
        if item.kind is Kind.ROWS:
            rows = _rows(item, post, name)
            if rows is not None:
                found[item.id] = rows
        elif item.kind is Kind.DEFINED:
            shown = [(one, f"{name}-{one.id}") for one in item.definitions()]
            typed = {one.id: _raw(one, _last(post, at)) for one, at in shown if at in post}
            if typed:
                found[item.id] = typed
        elif name in post:
            found[item.id] = _raw(item, _last(post, name))
            if f"{name}-title" in post:
                found.titles[item.id] = _last(post, f"{name}-title").strip()
                # Text that was not picked from the list goes on, so that it is refused and not lost.
                found[item.id] = found[item.id] or found.titles[item.id]
    return found


def _last(post: Any, name: str) -> str:
    values = post.getlist(name) if hasattr(post, "getlist") else [post[name]]
    return str(values[-1]) if values else ""


def _rows(item: Field, post: Any, name: str) -> list[Typed] | None:
    """The rows in the order of their numbers, or ``None`` when the form did not show them."""
    pattern = re.compile(rf"{re.escape(name)}-(\d{{1,6}})-")
    numbers = sorted({int(match[1]) for posted in post if (match := pattern.match(posted))})
    if not numbers and f"{name}-shown" not in post:
        return None
    rows = []
    for number in numbers:
        start = f"{name}-{number}-"
        if f"{start}remove" in post:
            continue
        row = _typed(item.rows, post, start)
        seen = [row[sub.id] for sub in item.rows if sub.id in row and not sub.is_key]
        if any(value.strip() not in ("", "no") for value in seen if isinstance(value, str)):
            rows.append(row)
    return rows


def _raw(item: Field, text: str) -> str:
    if item.kind in (Kind.AMOUNT, Kind.DECIMAL, Kind.INTEGER):
        return plain_number(text)
    if item.kind is Kind.INSTANT and text and re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", text):
        return _with_zone(text)
    return text


def _with_zone(text: str) -> str:
    try:
        return timezone.make_aware(datetime.fromisoformat(text)).isoformat()
    except ValueError:
        return text


def plain_number(text: str) -> str:
    """``1 234,50`` and ``1.234,50`` as ``1234.50``. What could mean two numbers is left for the command to refuse."""
    squeezed = re.sub(r"[\s\u00a0\u202f\u2009'’]", "", text).replace(display.TRUE_MINUS, "-")
    if not re.fullmatch(r"-?[\d.,]+", squeezed):
        return text
    last = max(squeezed.rfind("."), squeezed.rfind(","))
    if last < 0:
        return squeezed
    mark, other = squeezed[last], "." if squeezed[last] == "," else ","
    whole, tail = squeezed[:last], squeezed[last + 1 :]
    grouped = other in whole
    if grouped and re.fullmatch(rf"-?\d{{1,3}}({re.escape(other)}\d{{3}})+", whole):
        return f"{whole.replace(other, '')}.{tail}"
    if grouped or mark in whole:
        several = not grouped and re.fullmatch(rf"-?\d{{1,3}}({re.escape(mark)}\d{{3}})+", squeezed)
        return squeezed.replace(mark, "") if several else text
    if mark == "," and len(tail) == 3 and whole.lstrip("-") not in ("", "0"):
        return text
    return f"{whole}.{tail}"
