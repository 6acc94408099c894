"""The audit log, and the history of one record."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.http import HttpResponse, QueryDict

from counterfoil.access import queries
from counterfoil.access.requests import Request
from counterfoil.core.text import whole_number
from counterfoil.plumbing.record_types import record_types
from counterfoil.plumbing.registry import command_names
from counterfoil.surface.htmx import page

SIZE = 50


def audit(request: Request) -> HttpResponse:
    """Who changed what, newest first; the address holds the filters."""
    asked = request.GET
    kinds = [(item.key, item.plural) for item in record_types() if request.actor.may(item.see)]
    filters = {
        "by": _id(asked, "by"),
        "key": asked.get("kind", "") if asked.get("kind", "") in dict(kinds) else "",
        "record_id": _id(asked, "record"),
        "command": asked.get("command", "") if asked.get("command", "") in command_names() else "",
        "since": _day(asked, "since"),
        "until": _day(asked, "until"),
    }
    changes = queries.list_changes(
        request.actor,
        **filters,  # type: ignore[arg-type]
        before=whole_number(asked.get("before", ""), 18),
        limit=SIZE + 1,
    )
    context = {
        "changes": changes[:SIZE],
        "next": changes[SIZE - 1].id if len(changes) > SIZE else None,
        "filters": filters,
        "is_filtered": any(filters.values()),
        "people": queries.people(request.actor),
        "kinds": sorted(kinds, key=lambda kind: kind[1]),
        "commands": [(name, queries.command_in_words(name)) for name in command_names()],
    }
    return page(request, "access/audit.html", context)


def _id(asked: QueryDict, name: str) -> UUID | None:
    try:
        return UUID(asked.get(name, ""))
    except ValueError:
        return None


def _day(asked: QueryDict, name: str) -> date | None:
    try:
        return date.fromisoformat(asked.get(name, ""))
    except ValueError:
        return None


def panel(request: Request, key: str, record_id: UUID) -> HttpResponse:
    """The history of one record: a part of its page, or a page of its own."""
    before = whole_number(request.GET.get("before", ""), 18)
    changes = queries.changes_of(request.actor, key, record_id, before=before, limit=21)
    context = {"changes": changes[:20], "next": changes[19].id if len(changes) > 20 else None, "path": request.path}
    template = "access/history_panel.html" if request.htmx else "access/history.html"
    return page(request, template, context)
