"""Billing runs on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.queries import account_titles
from counterfoil.core.money import Money
from counterfoil.plumbing import clock
from counterfoil.subscriptions import commands, queries
from counterfoil.surface.htmx import go, is_htmx, page, say

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
    is_running = row.state == "running"
    context = {
        "run": row,
        "is_running": is_running,
        "billed": max(row.subscriptions - row.parked, 0),
        "held_back": _by_account(row),
        # The list stands still while one reads it: what asks each second gets it when there is more on it.
        "is_news": is_htmx(request) and request.GET.get("held_back") != str(len(row.parkings)),
        "expected": max(row.expected, row.subscriptions),
        "may_change": request.actor.may("subscriptions.change"),
    }
    return page(request, "subscriptions/run.html", context)


@dataclass(frozen=True)
class HeldBack:
    """What a run held back of an account for one reason; ``parked`` are those that still are."""

    account_id: UUID
    account_title: str
    reason: str
    rows: list[dict[str, Any]]

    @property
    def parked(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["is_parked"]]


def _by_account(run: Row) -> list[HeldBack]:
    """In the order in which they were held back."""
    titles = account_titles({row["account"] for row in run.parkings})
    found: dict[tuple[UUID, str], HeldBack] = {}
    for row in run.parkings:
        account_id, reason = row["account"], row["reason"]
        empty = HeldBack(account_id, titles.get(account_id, ""), reason, [])
        found.setdefault((account_id, reason), empty).rows.append(row)
    return list(found.values())


def _with_sums(row: Row) -> Row:
    """With the sums as money; nothing for whom they are closed."""
    if "totals" in row.closed:
        return row.plus(sums=[])
    totals: list[dict[str, Any]] = row.totals
    return row.plus(sums=[Money.exact(Decimal(one["net"]), one["currency"]) for one in totals])
