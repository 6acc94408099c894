"""Lists: what the address asks for, as plain values for a query, and what the query gave, ready for a template.

Makes no query. The address is the whole state: reload, Back and a shared link show the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode

from counterfoil.core.money import Money
from counterfoil.core.text import whole_number
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value, record_type, value_of_text
from counterfoil.surface import display
from counterfoil.surface.codes import code_choices, code_name
from counterfoil.surface.forms import find_url, plain_number
from counterfoil.surface.states import is_state

PAGE_SIZE = 50
PAGE_MAX = 2_000
TEXT_MAX = 200
VALUES_MAX = 50
EXPORTS = ("csv", "xlsx")
_RANGES = {Kind.DAY, Kind.INSTANT, Kind.AMOUNT, Kind.DECIMAL, Kind.INTEGER}
_FIGURES = {Kind.AMOUNT, Kind.DECIMAL, Kind.INTEGER}


@dataclass(frozen=True)
class Column:
    """One column. ``shown_as`` is a kind for ``{% shown %}``; ``read`` overrides where the value comes from."""

    id: str
    label: str
    kind: Kind = Kind.TEXT
    shown_as: str = ""
    sort: str = ""
    is_first: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Any], Any] | None = None
    link: Callable[[Any], str] | None = None

    @property
    def is_figure(self) -> bool:
        return self.kind in _FIGURES

    @property
    def is_choice(self) -> bool:
        return bool(self.labels)

    def value_of(self, row: Any) -> Any:
        if self.read is not None:
            return self.read(row)
        try:
            return row[self.id]
        except KeyError:
            return None

    def title_of(self, row: Any) -> str:
        """The title of the record that a link names; its id when the query gave none."""
        try:
            return str(row[f"{self.id}_title"])
        except KeyError:
            return str(self.value_of(row) or "")

    def label_of(self, value: Any) -> str:
        return self.labels.get(str(value), str(value))

    def url_of(self, row: Any) -> str:
        if self.link is not None:
            return self.link(row)
        if self.is_first:
            return row_url(row)
        return str(getattr(row, f"{self.id}_url", "")) if self.kind is Kind.LINK else ""


def row_url(row: Any) -> str:
    """The record's page: the row's ``url``, or the page of its kind."""
    given = getattr(row, "url", "")
    name = getattr(row, "page", "")
    if given or not name:
        return str(given)
    try:
        return reverse(name, args=[row.id])
    except NoReverseMatch:
        return ""


def amount(id: str, label: str, **more: Any) -> Column:
    """A column of ``Money`` that the query works out."""
    return Column(id, label, Kind.AMOUNT, **more)


def text(id: str, label: str, **more: Any) -> Column:
    return Column(id, label, **more)


def count(id: str, label: str, **more: Any) -> Column:
    return Column(id, label, Kind.INTEGER, **more)


def day(id: str, label: str, **more: Any) -> Column:
    return Column(id, label, Kind.DAY, **more)


def moment(id: str, label: str, **more: Any) -> Column:
    return Column(id, label, Kind.INSTANT, **more)


def state_column(id: str, label: str, **more: Any) -> Column:
    return Column(id, label, Kind.TEXT, shown_as="state", **more)


def column_of(item: Field, sort: str = "", is_first: bool = False) -> Column:
    """The column of a described field. A choice whose keys are states is shown as state."""
    labels = {str(key): str(label) for key, label in item.options()} if item.kind is Kind.CHOICE else {}
    shown_as = str(item.kind) if item.kind in (Kind.EMAIL, Kind.COUNTRY, Kind.LANGUAGE) else ""
    if labels and all(is_state(key) for key in labels):
        shown_as = "state"
    return Column(item.id, item.label, item.kind, shown_as, sort, is_first, labels)


def defined_columns(item: Field) -> list[Column]:
    """A column for each of the fields whose values a field holds, numbers and days as such."""

    def column(one: Field) -> Column:
        def read(row: Any) -> Any:
            return value_of_text(one.kind, (row[item.id] or {}).get(one.id, ""))

        return Column(f"{item.id}.{one.id}", one.label, one.kind, read=read)

    return [column(one) for one in item.definitions()]


@dataclass(frozen=True)
class Filter:
    """One filter as a template draws it. ``chosen`` are the raw values, for a range ``("from", "to")``."""

    id: str
    label: str
    kind: Kind
    options: tuple[tuple[str, str], ...] = ()
    chosen: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    find_url: str = ""

    @property
    def is_range(self) -> bool:
        return self.kind in _RANGES

    @property
    def input_type(self) -> str:
        return "date" if self.kind in (Kind.DAY, Kind.INSTANT) else "text"

    @property
    def is_on(self) -> bool:
        return any(self.chosen)

    @property
    def start(self) -> str:
        return self.chosen[0] if self.chosen else ""

    @property
    def end(self) -> str:
        return self.chosen[1] if len(self.chosen) > 1 else ""

    @property
    def words(self) -> str:
        """What the filter lets through, in words."""
        if self.is_range:
            parts = [("from", self.start), ("to", self.end)]
            return " ".join(f"{word} {self._value_in_words(value)}" for word, value in parts if value)
        labels = dict(self.options)
        return ", ".join(self.titles.get(value) or labels.get(value) or value for value in self.chosen)

    def _value_in_words(self, value: str) -> str:
        try:
            return display.day(date.fromisoformat(value)) if self.input_type == "date" else value
        except ValueError:
            return value

    @property
    def names(self) -> list[str]:
        return [f"{self.id}_from", f"{self.id}_to"] if self.is_range else [self.id]


@dataclass(frozen=True)
class Bulk:
    """What can be done with the selected rows: a POST of ``ids``, or of ``all=1`` with the address's query."""

    label: str
    url: str
    keys: str = ""
    confirm: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Empty:
    """What a list says while it has no rows at all: what belongs here, and one action."""

    title: str
    hint: str = ""
    action: str = ""
    url: str = ""
    icon: str = ""


class Listing:
    """One list page: reads the address, then carries the rows. The template is ``surface/components/listing.html``.

    ``about`` are filters that the page itself is about, such as a tab: ``empty`` holds under them too.
    """

    def __init__(
        self,
        key: str,
        query: QueryDict,
        *,
        columns: Sequence[str],
        filters: Sequence[str] = (),
        sorts: Sequence[str] = (),
        extra: Sequence[Column] = (),
        shown: Sequence[str] = (),
        sort: str = "",
        size: int = PAGE_SIZE,
        bulk: Sequence[Bulk] = (),
        search: str = "",
        options: Mapping[str, Sequence[tuple[Any, str]]] | None = None,
        titles: Mapping[str, str] | None = None,
        empty: Empty | None = None,
        about: Collection[str] = (),
    ) -> None:
        self.described = record_type(key)
        self.query = query
        self.problems: list[str] = []
        self.size = size
        self.bulk = tuple(bulk)
        self.search = search or f"Search {self.described.plural.lower()}"
        self.empty = empty or Empty(f"No {self.described.plural.lower()} yet")
        self.about = frozenset(about)
        self.sorts = tuple(sorts)
        self._extra = {column.id: column for column in extra}
        self._all_columns = tuple(columns)
        self._shown = tuple(shown)
        self.text = query.get("q", "").replace("\x00", "").strip()[:TEXT_MAX]
        self.sort = self._read_sort(sort or (self.sorts[0] if self.sorts else ""))
        self.page = self._read_page()
        self.export = query.get("export", "") if query.get("export", "") in EXPORTS else ""
        self.filters: dict[str, Any] = {}
        self.filter_fields = tuple(self._read_filter(name, options or {}, titles or {}) for name in filters)
        self.rows: list[Any] = []
        self.count = 0
        self.sums: Mapping[str, Money] = {}

    # What the address says.

    def _read_sort(self, otherwise: str) -> str:
        wanted = self.query.get("sort", "")
        if wanted.removeprefix("-") in self.sorts:
            return wanted
        return otherwise

    def _read_page(self) -> int:
        return min(max(whole_number(self.query.get("page", ""), 6) or 1, 1), PAGE_MAX)

    def _read_filter(
        self, name: str, options: Mapping[str, Sequence[tuple[Any, str]]], titles: Mapping[str, str]
    ) -> Filter:
        item = self.described.by_id[name]
        choices = tuple((str(key), label) for key, label in options.get(name, ())) or _choices(item)
        if item.kind in _RANGES:
            chosen = tuple(self.query.get(f"{name}_{end}", "").strip() for end in ("from", "to"))
            bounds = tuple(self._value(item, raw) for raw in chosen)
            if any(bound is not None for bound in bounds):
                self.filters[name] = bounds
        else:
            chosen = tuple(raw for raw in self.query.getlist(name)[:VALUES_MAX] if raw.strip())
            values = [value for raw in chosen if (value := self._value(item, raw)) is not None]
            if values:
                self.filters[name] = values
        return Filter(name, item.label, item.kind, choices, chosen, titles, find_url(item) if not choices else "")

    def _value(self, item: Field, raw: str) -> Any:
        """A filter's value, or ``None`` with a word to the reader: a filter that cannot be read is left out."""
        if not raw:
            return None
        kind = Kind.DAY if item.kind is Kind.INSTANT else item.kind
        try:
            written = plain_number(raw) if kind in _FIGURES else raw
            return clean_value(_as(item, kind), written.replace("\x00", ""))
        except BadValue as bad:
            self.problems.append(f"The filter was left out. {bad.message}")
            return None

    @property
    def offset(self) -> int:
        return 0 if self.export else (self.page - 1) * self.size

    @property
    def limit(self) -> int:
        from counterfoil.surface.export import ROWS_MAX

        return ROWS_MAX if self.export else self.size

    @cached_property
    def every_column(self) -> tuple[Column, ...]:
        return tuple(self._column(name, place == 0) for place, name in enumerate(self._all_columns))

    def _column(self, name: str, is_first: bool) -> Column:
        sort = name if name in self.sorts else ""
        if name in self._extra:
            own = self._extra[name]
            return Column(own.id, own.label, own.kind, own.shown_as, sort, is_first, own.labels, own.read, own.link)
        return column_of(self.described.by_id[name], sort, is_first)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that the reader chose, or else those that are shown at first; the first one always stays."""
        chosen = set(self.query.getlist("columns") or self._shown)
        if not chosen:
            return self.every_column
        return tuple(column for column in self.every_column if column.is_first or column.id in chosen)

    # What the query gave.

    def filled(self, rows: Iterable[Any], *, count: int, sums: Mapping[str, Money] | None = None) -> Listing:
        """The same list with its rows. ``count`` and ``sums`` are of all rows that match, not of this page."""
        self.rows = list(rows)
        self.count = count
        self.sums = sums or {}
        return self

    @property
    def plural(self) -> str:
        return self.described.plural

    @property
    def counted(self) -> str:
        """``1,243 invoices``."""
        word = self.described.label if self.count == 1 else self.described.plural
        return f"{display.number(self.count)} {word[:1].lower()}{word[1:]}"

    @property
    def active_filters(self) -> list[Filter]:
        return [one for one in self.filter_fields if one.is_on]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text or self.active_filters)

    @property
    def hides_rows(self) -> bool:
        """Whether a search or a filter beyond what the page is about may be why there are no rows."""
        return bool(self.text) or any(one.id not in self.about for one in self.active_filters)

    @property
    def has_pages(self) -> bool:
        return self.count > self.size

    @property
    def previous_page(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def next_page(self) -> int | None:
        return self.page + 1 if self.page * self.size < self.count and self.page < PAGE_MAX else None

    @property
    def range_text(self) -> str:
        if not self.rows:
            return ""
        first = self.offset + 1
        return f"{display.number(first)}–{display.number(first + len(self.rows) - 1)} of {display.number(self.count)}"

    def address(self, **changes: Any) -> str:
        """This list's address with changes; the page starts over. ``None`` removes a parameter."""
        kept = self.query.copy()
        kept.pop("page", None)
        kept.pop("export", None)
        for name, value in changes.items():
            kept.pop(name, None)
            if value not in (None, ""):
                kept[name] = str(value)
        return "?" + kept.urlencode()

    @property
    def heads(self) -> list[dict[str, Any]]:
        """Column heads with the address that sorts by them."""
        return [self._head(column) for column in self.columns]

    def _head(self, column: Column) -> dict[str, Any]:
        is_rising, is_falling = self.sort == column.sort, self.sort == f"-{column.sort}"
        turned = f"-{column.sort}" if is_rising else column.sort
        return {
            "column": column,
            "url": self.address(sort=turned) if column.sort else "",
            "direction": ("ascending" if is_rising else "descending" if is_falling else "") if column.sort else "",
        }

    @property
    def filter_chips(self) -> list[dict[str, str]]:
        """The filters that are on, with the address without them."""
        return [
            {
                "label": one.label,
                "words": one.words,
                "without": self.address(**dict.fromkeys(one.names)),
            }
            for one in self.active_filters
        ]

    @property
    def without_filters(self) -> str:
        kept = {name: self.query.getlist(name) for name in ("sort", "columns", "view") if name in self.query}
        return "?" + urlencode(kept, doseq=True)

    @property
    def kept_parameters(self) -> list[tuple[str, str]]:
        """What a search or filter form must carry along."""
        own = {"q", "page", "export", *(name for one in self.filter_fields for name in one.names)}
        return self._parameters(own)

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What the form that chooses columns must carry along."""
        return self._parameters({"columns", "page", "export"})

    def _parameters(self, without: set[str]) -> list[tuple[str, str]]:
        return [(name, value) for name, values in self.query.lists() if name not in without for value in values]

    @property
    def column_choices(self) -> list[dict[str, Any]]:
        shown = {column.id for column in self.columns}
        return [{"column": column, "shown": column.id in shown} for column in self.every_column[1:]]

    @property
    def export_addresses(self) -> dict[str, str]:
        return {kind: self.address(export=kind) for kind in EXPORTS}


def _as(item: Field, kind: Kind) -> Field:
    """The field as a filter reads it: without bounds, and a moment as its day."""
    return Field(item.id, item.label, kind, choices=item.choices, to=item.to)


def _choices(item: Field) -> tuple[tuple[str, str], ...]:
    if item.kind is Kind.CHOICE:
        return tuple((str(key), str(label)) for key, label in item.options())
    if item.kind is Kind.YES_NO:
        return (("yes", "Yes"), ("no", "No"))
    return code_choices(item.kind, display.language()) if item.kind in (Kind.COUNTRY, Kind.CURRENCY) else ()


def value_in_words(column: Column, row: Any) -> Any:
    """A column's value as a file holds it: numbers and dates as such, links by title, choices by label."""
    value = column.value_of(row)
    if value is None or display.is_hidden(value):
        return None
    if column.kind is Kind.LINK:
        return column.title_of(row)
    if column.kind in (Kind.COUNTRY, Kind.LANGUAGE):
        return code_name(column.kind, str(value))
    if column.is_choice:
        return column.label_of(value)
    return value
