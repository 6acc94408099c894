"""One value changed in place: the view behind ``{% fact … edit=… %}``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string

from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.plumbing.record_types import Field, Kind, record_type, value_of_text
from counterfoil.surface.forms import Typed, record_form, values_from, version_from
from counterfoil.surface.htmx import is_htmx, own_referer, with_toasts

Save = Callable[[Typed, int | None], Any]


def inline_edit(
    request: HttpRequest,
    row: Any,
    field_id: str,
    *,
    url: str,
    save: Save,
    writable: Collection[str] | None = None,
    back: str = "/",
    kind: str = "",
    options: Mapping[str, Sequence[tuple[Any, str]]] | None = None,
) -> HttpResponse:
    """GET gives the input, POST saves and gives the value back.

    ``save`` takes the typed values and the version that the person saw, calls the room's command, and returns the row.
    A refusal answers with its own status and the input, the message beside it. ``back`` is the page without JavaScript.
    ``options`` makes a list of choices of a link. The value of a defined field is named ``<field>.<key>``.
    """
    if _described(row, field_id) is None:
        raise NotFound()
    if request.method == "POST":
        return _save(request, row, field_id, url, save, writable, back, kind, options)
    if request.GET.get("show"):
        return _value(request, row, field_id, url, kind)
    form = record_form(row.key, values=row, only=[_base(field_id)], writable=writable, options=options)
    if field_id not in form:
        raise NotFound()
    return _draw(request, form, field_id, url, back)


def _save(
    request: HttpRequest,
    row: Any,
    field_id: str,
    url: str,
    save: Save,
    writable: Collection[str] | None,
    back: str,
    kind: str,
    options: Mapping[str, Sequence[tuple[Any, str]]] | None,
) -> HttpResponse:
    typed = values_from(request.POST, row.key, [_base(field_id)])
    try:
        saved = save(typed, version_from(request.POST))
    except Refusal as refusal:
        version = row.version if isinstance(refusal, Conflict) else version_from(request.POST)
        form = record_form(
            row.key,
            values=row,
            typed=typed,
            only=[_base(field_id)],
            writable=writable,
            problems=refusal,
            version=version,
            options=options,
        )
        return _draw(request, form, field_id, url, back, status=refusal.status)
    if not is_htmx(request):
        return HttpResponseRedirect(own_referer(request, back))
    return with_toasts(request, _value(request, saved, field_id, url, kind))


def _draw(request: HttpRequest, form: Any, field_id: str, url: str, back: str, status: int = 200) -> HttpResponse:
    context = {"form": form, "input": form[field_id], "action": url, "back": back}
    template = "surface/components/inline_form.html" if is_htmx(request) else "surface/inline_page.html"
    return HttpResponse(render_to_string(template, context, request), status=status)


def _value(request: HttpRequest, row: Any, field_id: str, url: str, kind: str) -> HttpResponse:
    described = _described(row, field_id)
    assert described is not None
    key = field_id.partition(".")[2]
    if key:
        text = row[_base(field_id)].get(key, "")
        value = text if described.kind is Kind.DECIMAL else value_of_text(described.kind, text)
    else:
        value = row[field_id]
    labels = dict(described.options())
    try:
        shown = row[f"{field_id}_title"] if described.to else labels.get(value, value)
    except KeyError:
        shown = value
    context = {"value": shown, "kind": kind, "edit": url, "label": described.label}
    return HttpResponse(render_to_string("surface/components/editable.html", context, request))


def _base(field_id: str) -> str:
    return field_id.partition(".")[0]


def _described(row: Any, field_id: str) -> Field | None:
    """The field of a value: the record's own, or one whose values a field of the record holds."""
    name, _, key = field_id.partition(".")
    own = record_type(row.key).by_id.get(name)
    if own is None or not key:
        return own
    return next((one for one in own.definitions() if one.id == key), None)
