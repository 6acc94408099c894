"""The tags of every page, built in: no ``{% load %}`` is needed. The catalogue stands in ``surface/README.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID
from xml.etree import ElementTree
from zipfile import ZipFile

from django import template
from django.http import QueryDict
from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from lucide import IconDoesNotExist
from lucide import __file__ as _lucide_file

from counterfoil.core.money import Money
from counterfoil.plumbing.record_types import Kind
from counterfoil.surface import display
from counterfoil.surface.codes import code_name
from counterfoil.surface.forms import Form, Input
from counterfoil.surface.states import SHAPES, state_named

register = template.Library()


# Icons and states ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _icon_paths(name: str) -> str:
    with ZipFile(_lucide_file.replace("__init__.py", "lucide.zip")) as icons:
        try:
            drawing = icons.read(f"{name}.svg").decode()
        except KeyError:
            raise IconDoesNotExist(f"There is no icon {name!r}.") from None
    root = ElementTree.fromstring(drawing)  # noqa: S314 - a file of an installed package
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return "".join(ElementTree.tostring(node, encoding="unicode").strip() for node in root)


@lru_cache(maxsize=512)
def _icon(name: str, size: int, label: str, css: str) -> SafeString:
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon{}" width="{}" height="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        'stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" focusable="false" {}>{}</svg>',
        f" {css}" if css else "",
        size,
        size,
        spoken,
        mark_safe(_icon_paths(name)),  # noqa: S308 - drawings of an installed package
    )


@register.simple_tag
def icon(name: str, size: int = 16, label: str = "", css: str = "") -> SafeString:
    """An icon of the lucide set. Silent for screen readers unless it has a label."""
    return _icon(name, size, label, css)


@register.simple_tag
def state(name: Any, label: str = "") -> SafeString:
    """A state as hue, shape and word. ``label`` replaces the word."""
    if display.is_hidden(name):
        return _hidden()
    if name is None or name == "":
        return _no_value()
    return _state(str(name), str(label))


@lru_cache(maxsize=256)
def _state(name: str, label: str) -> SafeString:
    found = state_named(name)
    return format_html(
        '<span class="state {}{}"><svg class="shape" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" '
        'focusable="false">{}</svg><span class="word">{}</span></span>',
        found.hue,
        " struck" if found.struck else "",
        mark_safe(SHAPES[found.shape]),  # noqa: S308 - constants
        label or found.word,
    )


# Values -------------------------------------------------------------------------------------------------------------


def _no_value() -> SafeString:
    return format_html('<span class="no-value">{}</span>', display.NO_VALUE)


def _hidden() -> SafeString:
    return format_html(
        '<span class="hidden-value" title="Hidden from your role">{}<span class="visually-hidden">hidden from your role'
        "</span></span>",
        _icon("lock", 12, "", ""),
    )


@register.simple_tag
def money(value: Any, zero: str = "show", currency: str = "show", css: str = "") -> SafeString:
    """An amount in tabular figures, its currency small and muted. ``zero="dash"`` writes nothing owed as a dash.

    ``currency="hide"`` is for columns whose heading names the currency.
    """
    if display.is_hidden(value):
        return _hidden()
    if value is None or value == "" or (zero == "dash" and not value.amount):
        return _no_value()
    assert isinstance(value, Money)
    kind = " negative" if value.amount < 0 else ""
    after = format_html('<span class="currency">{}</span>', value.currency) if currency == "show" else ""
    return format_html(
        '<span class="money{}{}">{}{}</span>', kind, f" {css}" if css else "", display.amount(value), after
    )


@register.simple_tag
def sums(values: Any) -> SafeString:
    """Amounts of several currencies side by side: a mapping by currency, or a sequence of them."""
    if display.is_hidden(values):
        return _hidden()
    found: Iterable[Any] = values.values() if isinstance(values, Mapping) else (values or ())
    written = format_html_join(" ", "{}", ((money(one),) for one in found))
    return format_html('<span class="sums">{}</span>', written) if written else _no_value()


@register.simple_tag
def day(value: date | None) -> SafeString:
    """A date, short, with the full one on hover."""
    if display.is_hidden(value):
        return _hidden()
    if not value:
        return _no_value()
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), display.day_in_full(value), display.day(value)
    )


@register.simple_tag
def days(start: date | None, end: date | None) -> SafeString:
    """The days from ``start`` until before ``end``, with the last one named, as a bill does."""
    if display.is_hidden(start) or display.is_hidden(end):
        return _hidden()
    if not start or not end or end - start <= timedelta(days=1):
        return day(start)
    return format_html("{} – {}", day(start), day(end - timedelta(days=1)))


@register.simple_tag
def instant(value: datetime | None) -> SafeString:
    """A moment in the reader's time zone, with the full one on hover."""
    if display.is_hidden(value):
        return _hidden()
    if not value:
        return _no_value()
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        display.instant_in_full(value),
        display.instant(value),
    )


@register.simple_tag
def number(value: Decimal | int | None, unit: str = "") -> SafeString:
    """A number with grouped digits."""
    if display.is_hidden(value):
        return _hidden()
    if value is None or value == "":
        return _no_value()
    after = format_html('<span class="currency">{}</span>', unit) if unit else ""
    return format_html('<span class="money">{}{}</span>', display.number(value), after)


@register.simple_tag
def percent(value: Decimal | None) -> SafeString:
    """A rate that is kept in percent: ``19`` is 19 %."""
    if display.is_hidden(value) or value is None:
        return shown(value)
    return format_html('<span class="money">{}\u202f%</span>', display.number(value))


@register.simple_tag
def shown(value: Any, kind: str = "") -> SafeString:
    """Any value as it should look: money, date, moment, yes or no, text; a dash for none, a lock for a hidden one.

    ``kind`` says more about text: ``state``, ``email``, ``country``, ``currency``, ``language``.
    """
    if display.is_hidden(value):
        return _hidden()
    if value is None or value == "":
        return _no_value()
    if isinstance(value, Money):
        return money(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return day(value)
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return number(value)
    if kind == "state":
        return state(value)
    if kind == "email":
        return format_html('<a href="mailto:{0}">{0}</a>', value)
    if kind in (Kind.COUNTRY, Kind.LANGUAGE):
        return format_html("{}", code_name(Kind(kind), str(value)))
    return format_html("{}", display.plain(value))


@register.filter(name="plain")
def plain_text(value: Any) -> str:
    """The value as text without markup, for titles and attributes."""
    return display.plain(value)


# Small parts --------------------------------------------------------------------------------------------------------


@register.simple_tag
def source(text: str, url: str = "", title: str = "") -> SafeString:
    """Where a value comes from: ``from account``."""
    if not text:
        return SafeString("")
    about = format_html(' title="{}"', title) if title else ""
    if url:
        return format_html('<a class="source" href="{}"{}>{}</a>', url, about, text)
    return format_html('<span class="source"{}>{}</span>', about, text)


@register.simple_tag
def perforation(label: str = "") -> SafeString:
    """The dashed line that parts two halves of one record."""
    if label:
        return format_html('<div class="perforation labelled"><span>{}</span></div>', label)
    return SafeString('<hr class="perforation">')


@register.simple_tag
def initials(name: str) -> SafeString:
    """One or two letters in a disc, for people. Silent for screen readers: the name stands beside it."""
    words = [word for word in str(name).split() if word[:1].isalnum()]
    letters = "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words[:1])).upper()
    return format_html('<span class="initials" aria-hidden="true">{}</span>', letters or "?")


@register.simple_tag
def keys(sequence: str) -> SafeString:
    """Keys to press, as ``{% keys "g a" %}``. Hidden where there is no keyboard."""
    return format_html(
        '<span class="keys" aria-hidden="true">{}</span>',
        format_html_join("", "<kbd>{}</kbd>", ((_KEY_NAMES.get(key, key.upper()),) for key in sequence.split())),
    )


_KEY_NAMES = {"ctrl+k": "Ctrl K", "enter": "↵", "esc": "Esc", "?": "?", "/": "/"}


@register.simple_tag
def progress(done: int, total: int, label: str) -> SafeString:
    """A bar for long work, with its numbers in words."""
    return format_html(
        '<span class="progress"><progress max="{}" value="{}" aria-label="{}"></progress><span>{} of {}</span></span>',
        max(total, 1),
        done,
        label,
        display.number(done),
        display.number(total),
    )


@register.simple_tag(takes_context=True)
def query_string(context: Context, **changes: Any) -> SafeString:
    """The address's query with these parameters set; ``None`` or ``""`` removes one. Starts with ``?``."""
    request = context.get("request")
    query = request.GET.copy() if request is not None else QueryDict(mutable=True)
    for name, value in changes.items():
        if value is None or value == "":
            query.pop(name, None)
        elif isinstance(value, list | tuple):
            query.setlist(name, [str(one) for one in value])
        else:
            query[name] = str(value)
    return format_html("?{}", query.urlencode())


# Components ---------------------------------------------------------------------------------------------------------


@register.inclusion_tag("surface/components/fact.html")
def fact(
    label: str,
    value: Any = None,
    kind: str = "",
    source: str = "",
    source_url: str = "",
    href: str = "",
    edit: str = "",
    field: str = "",
) -> dict[str, Any]:
    """One label and value of a ``<dl class="facts">``. ``edit`` is the address of the value's inline editor."""
    return {
        "label": label,
        "value": value,
        "kind": kind,
        "source": source,
        "source_url": source_url,
        "href": href,
        "edit": "" if display.is_hidden(value) else edit,
        "field": field,
    }


@register.inclusion_tag("surface/components/field.html")
def field_input(form_field: Input, label: str = "", css: str = "") -> dict[str, Any]:
    """One input of a form with label, help, problem and lock."""
    return {"input": form_field.labelled(label) if label else form_field, "css": css}


@register.inclusion_tag("surface/components/form_fields.html")
def form_fields(form: Form) -> dict[str, Any]:
    """All inputs of a form, by section, with its problems above and its version inside. The ``<form>`` is yours."""
    return {"form": form}


@register.inclusion_tag("surface/components/problems.html")
def form_problems(form: Form) -> dict[str, Any]:
    """What is wrong, above the form: problems that belong to no field, or how many fields need attention."""
    return {"form": form, "count": len(form.all_problems)}


@register.inclusion_tag("surface/components/line_grid.html")
def line_grid(form_field: Input, add: str = "Add a line") -> dict[str, Any]:
    """The editor of a field of rows."""
    return {"input": form_field, "add": add}


@register.inclusion_tag("surface/components/empty_state.html")
def empty_state(
    title: str, hint: str = "", action: str = "", url: str = "", icon: str = "", keys: str = ""
) -> dict[str, Any]:
    """What belongs here, in one line, and one action."""
    return {"title": title, "hint": hint, "action": action, "url": url, "icon": icon, "keys": keys}


@register.inclusion_tag("surface/components/page_links.html", takes_context=True)
def page_links(context: Context, listing: Any) -> dict[str, Any]:
    """``1–50 of 1,243`` with the links to the next and the previous page."""
    return {"listing": listing, "request": context.get("request")}


@register.simple_tag
def cell(row: Any, column: Any) -> SafeString:
    """A list's value in the form that its column asks for."""
    value = column.value_of(row)
    if isinstance(value, UUID):
        value = column.title_of(row)
    url = column.url_of(row)
    if url and not display.is_hidden(value):
        return format_html('<a href="{}">{}</a>', url, shown(value, column.shown_as))
    if column.is_choice and column.shown_as != "state":
        return shown(column.label_of(value))
    return shown(value, column.shown_as)
