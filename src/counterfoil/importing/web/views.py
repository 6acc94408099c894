"""The import wizard: file → columns → unknown values → dry run → load → result, each an address of its own."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.requests import Request
from counterfoil.core.errors import Refusal
from counterfoil.core.text import whole_number
from counterfoil.importing import commands, queries
from counterfoil.importing.rules.dates import ORDERS
from counterfoil.importing.rules.reading import FILE_BYTES_MAX
from counterfoil.plumbing import clock
from counterfoil.surface.export import csv_cell
from counterfoil.surface.htmx import go, page, say

PAGE = 50
BUSY = ("checking", "loading", "undoing")
VERDICTS = (("new", "New"), ("update", "Update"), ("same", "Unchanged"), ("duplicate", "Duplicate"), ("error", "Error"))
FATES = (("new", "New"), ("updated", "Updated"), ("left_out", "Left out"), ("undone", "Undone"), ("kept", "Kept"))


@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: Request) -> HttpResponse:
    """All imports, and the first step: a file."""
    problems: tuple[Any, ...] = ()
    status = 200
    if request.method == "POST":
        uploaded = request.FILES.get("file")
        try:
            if uploaded is None:
                raise Refusal("missing", "Choose a file.", "file")
            if (uploaded.size or 0) > FILE_BYTES_MAX:
                raise Refusal("file_too_large", "This file is too large. Split it.", "file")
            batch_id = commands.upload_file(
                actor=request.actor,
                name=uploaded.name or "file",
                content=uploaded.read(),
                kind=request.POST.get("kind", ""),
                at=clock.now(),
            )
            return go(request, reverse("importing:columns", args=[batch_id]))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    found = queries.list_batches(request.actor)
    context = {
        "batches": found.rows,
        "kinds": queries.kinds(request.actor),
        "may_run": request.actor.may("importing.run"),
        "problems": problems,
        "kind": request.POST.get("kind", ""),
    }
    return page(request, "importing/batches.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def columns(request: Request, batch_id: UUID) -> HttpResponse:
    """The second step: which column is which field, how dates are written, and what the file does not say."""
    problems: tuple[Any, ...] = ()
    status = 200
    if request.method == "POST":
        try:
            heading = queries.get_batch(request.actor, batch_id).heading
            commands.match_columns(
                actor=request.actor,
                batch_id=batch_id,
                mapping={name: request.POST.get(f"column-{place}", "") for place, name in enumerate(heading)},
                date_orders=_named(request, "dates-"),
                options=_named(request, "option-"),
            )
            return go(request, reverse("importing:batch", args=[batch_id]))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    row = queries.get_batch(request.actor, batch_id)
    context = {
        "batch": row,
        "columns": queries.matched_columns(request.actor, batch_id),
        "fields": [column.field for column in row.described.columns],
        "options": queries.asked_options(request.actor, batch_id),
        "orders": ORDERS,
        "problems": problems,
        "step": 2,
    }
    return page(request, "importing/columns.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def values(request: Request, batch_id: UUID) -> HttpResponse:
    """The third step: what each unknown text stands for, asked once."""
    asked = queries.asked_values(request.actor, batch_id)
    problems: tuple[Any, ...] = ()
    status = 200
    if request.method == "POST":
        meanings: dict[str, dict[str, str]] = {}
        for place, item in enumerate(asked):
            said = request.POST.get(f"value-{place}", "")
            if said == "-":
                meanings.setdefault(item.unknown.field_id, {})[item.unknown.text] = ""
            elif said:
                meanings.setdefault(item.unknown.field_id, {})[item.unknown.text] = said
        try:
            commands.say_meanings(actor=request.actor, batch_id=batch_id, meanings=meanings)
            return go(request, reverse("importing:batch", args=[batch_id]))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    row = queries.get_batch(request.actor, batch_id)
    return page(
        request, "importing/values.html", {"batch": row, "asked": asked, "problems": problems, "step": 3}, status=status
    )


@require_GET
def batch(request: Request, batch_id: UUID) -> HttpResponse:
    """The dry run, the progress, or the result, by where the import stands."""
    row = queries.get_batch(request.actor, batch_id)
    if row.state == "uploaded" and request.actor.may("importing.run"):
        return go(request, reverse("importing:columns", args=[batch_id]))
    is_result = row.state in ("loaded", "undone", "undoing")
    shown = request.GET.get("rows", "")
    after = whole_number(request.GET.get("after", ""), 9) or 0
    rows: list[queries.CheckedRow] = []
    asked: list[queries.AskedValue] = []
    if request.actor.may("importing.run") and row.state not in BUSY:
        choice = {"loaded_action": shown} if is_result else {"action": shown}
        rows = queries.rows_of(request.actor, batch_id, after=after, limit=PAGE + 1, **choice)
        if row.state == "checked":
            asked = queries.asked_values(request.actor, batch_id)
    context = {
        "batch": row,
        "busy": row.state in BUSY,
        "is_result": is_result,
        "choices": [(key, label, _count(row, key)) for key, label in (FATES if is_result else VERDICTS)],
        "shown": shown,
        "rows": rows[:PAGE],
        "next_after": rows[PAGE - 1].number if len(rows) > PAGE else None,
        "asked": asked,
        "may_run": request.actor.may("importing.run"),
        "loadable": (row.new or 0) + (row.update or 0),
        "step": 4 if row.state in ("checking", "checked") else 5,
    }
    return page(request, "importing/batch.html", context)


def _count(row: Any, key: str) -> int:
    return int(row["update" if key == "updated" else key] or 0)


@require_POST
def load(request: Request, batch_id: UUID) -> HttpResponse:
    commands.start_loading(actor=request.actor, batch_id=batch_id)
    return go(request, reverse("importing:batch", args=[batch_id]))


@require_POST
def undo(request: Request, batch_id: UUID) -> HttpResponse:
    commands.start_undoing(actor=request.actor, batch_id=batch_id)
    return go(request, reverse("importing:batch", args=[batch_id]))


@require_POST
def discard(request: Request, batch_id: UUID) -> HttpResponse:
    commands.discard_batch(actor=request.actor, batch_id=batch_id)
    say(request, "The upload was discarded.")
    return go(request, reverse("importing:batches"))


@require_GET
def errors(request: Request, batch_id: UUID) -> HttpResponseBase:
    """The rows that were left out, as a file to mend and take in again."""
    row = queries.get_batch(request.actor, batch_id)
    response = StreamingHttpResponse(_csv_lines(request, batch_id), content_type="text/csv; charset=utf-8")
    name = f"{row.file_name.rsplit('.', 1)[0]} errors.csv"
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _csv_lines(request: Request, batch_id: UUID) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for cells in queries.error_file(request.actor, batch_id):
        yield writer.writerow([csv_cell(cell) for cell in cells])


def _named(request: Request, start: str) -> dict[str, str]:
    return {name.removeprefix(start): str(value) for name, value in request.POST.items() if name.startswith(start)}
