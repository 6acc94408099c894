"""The HTML of one input. Built in Python because a grid of a hundred lines holds a thousand of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from counterfoil.plumbing.record_types import PARAGRAPH_LENGTH, TEXT_LENGTH, Kind

if TYPE_CHECKING:
    from counterfoil.surface.forms import Input

_NUMBERS = {Kind.DECIMAL, Kind.AMOUNT, Kind.INTEGER}
_TYPES = {Kind.DAY: "date", Kind.INSTANT: "datetime-local", Kind.EMAIL: "email"}


def control(item: Input) -> SafeString:
    """The input element, with its label's and message's ids, without its label."""
    if item.is_key:
        return format_html('<input type="hidden" name="{}" value="{}">', item.name, item.value)
    if item.locked:
        return _locked(item)
    if item.kind is Kind.PARAGRAPH:
        return format_html(
            '<textarea class="input" rows="{}" maxlength="{}"{}>{}</textarea>',
            item.lines,
            item.field.max_length or PARAGRAPH_LENGTH,
            _attributes(item),
            "\n" + item.value,
        )
    if item.kind is Kind.YES_NO:
        return format_html(
            '<input type="hidden" name="{}" value="no"><input type="checkbox" class="checkbox" value="yes"{}{}>',
            item.name,
            mark_safe(" checked") if item.value == "yes" else "",
            _attributes(item),
        )
    if item.kind is Kind.LINK and not item.options:
        return _combobox(item)
    if item.options:
        return _select(item)
    return _text(item)


def _attributes(item: Input) -> SafeString:
    parts: list[tuple[str, str]] = [("id", item.id), ("name", item.name)]
    if item.described_by:
        parts.append(("aria-describedby", item.described_by))
    if item.problem:
        parts.append(("aria-invalid", "true"))
    if item.required:
        parts.append(("aria-required", "true"))
    if item.in_grid:
        parts.append(("aria-label", item.label))
    written = format_html_join("", ' {}="{}"', parts)
    return format_html("{}{}", written, mark_safe(" autofocus") if item.autofocus else "")


def _text(item: Input) -> SafeString:
    kind = _TYPES.get(item.kind, "text")
    more = ""
    if item.kind in _NUMBERS:
        more = mark_safe(' inputmode="decimal" autocomplete="off"')
    elif kind == "text":
        more = format_html(' maxlength="{}" autocomplete="off"', item.field.max_length or TEXT_LENGTH)
    element = format_html(
        '<input type="{}" class="input{}" value="{}"{}{}>',
        kind,
        " number" if item.kind in _NUMBERS else "",
        item.value,
        more,
        _attributes(item),
    )
    if item.unit:
        return format_html('<span class="with-unit">{}<span class="unit">{}</span></span>', element, item.unit)
    return element


def _select(item: Input) -> SafeString:
    options = format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((key, mark_safe(" selected") if key == item.value else "", label) for key, label in item.options),
    )
    known = not item.value or any(key == item.value for key, _ in item.options)
    strange = "" if known else format_html('<option value="{0}" selected>{0}</option>', item.value)
    empty = ""
    if not item.required or not item.value:
        empty = format_html('<option value="">{}</option>', "Choose…" if item.required else "–")
    return format_html('<select class="input"{}>{}{}{}</select>', _attributes(item), empty, strange, options)


def _combobox(item: Input) -> SafeString:
    """A text box that finds records; the id travels in a hidden input."""
    return format_html(
        '<span class="combobox" data-combobox="{}"><input type="hidden" name="{}" value="{}" data-combobox-value>'
        '<input type="text" class="input" role="combobox" aria-expanded="false" aria-autocomplete="list" '
        'aria-controls="{}-options" autocomplete="off" spellcheck="false" placeholder="{}" value="{}"{}>'
        '<span class="options" id="{}-options" role="listbox" aria-label="{}" popover="manual" hidden></span></span>',
        item.find_url,
        item.name,
        item.value,
        item.id,
        item.placeholder or "Type to find…",
        item.title,
        _renamed(item),
        item.id,
        item.label,
    )


def _renamed(item: Input) -> SafeString:
    """The visible box keeps what was typed under ``<name>-title``, so a refused form can show it again."""
    attributes = str(_attributes(item))
    return mark_safe(  # noqa: S308 - made by format_html above
        attributes.replace(format_html(' name="{}"', item.name), format_html(' name="{}-title"', item.name), 1)
    )


def _locked(item: Input) -> SafeString:
    """A value that cannot be changed here: no input at all, so nothing is posted for it."""
    return format_html('<output class="locked-value" id="{}">{}</output>', item.id, item.shown)
