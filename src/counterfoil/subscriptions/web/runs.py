"""Billing runs on the screen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.money import Money
from counterfoil.plumbing import clock
from counterfoil.subscriptions import commands, queries
from counterfoil.surface.htmx import go, page, say

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
def runs(request: Request) -> HttpResponse:
    """The runs, the newest first, and what is due now. A POST bills it."""
    if request.method == "POST":
        run_id = commands.start_run(actor=request.actor, at=clock.now())
        if run_id is None:
            say(request, "Nothing is due.", kind="info")
            return go(request, reverse("subscriptions:runs"))
        return go(request, reverse("subscriptions:run", args=[run_id]))
    found, count = queries.list_runs(request.actor, limit=PAGE)
    context = {
        "runs": [_with_sums(row) for row in found],
        "count": count,
        "due": queries.count_due(clock.now()),
        "parked": queries.count_parked(request.actor),
        "may_run": request.actor.may("subscriptions.run"),
    }
    return page(request, "subscriptions/runs.html", context)


@require_safe
def run(request: Request, run_id: UUID) -> HttpResponse:
    """One run: how far it is, what it made, and what it held back and why."""
    row = _with_sums(queries.get_run(request.actor, run_id))
    context = {
        "run": row,
        "is_running": row.state == "running",
        "expected": max(row.expected, row.subscriptions),
        "may_change": request.actor.may("subscriptions.change"),
    }
    return page(request, "subscriptions/run.html", context)


def _with_sums(row: Row) -> Row:
    """With the sums as money; nothing for whom they are closed."""
    if "totals" in row.closed:
        return row.plus(sums=[])
    totals: list[dict[str, Any]] = row.totals
    return row.plus(sums=[Money.exact(Decimal(one["net"]), one["currency"]) for one in totals])
