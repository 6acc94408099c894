"""The form that takes back lines of an invoice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.credit_wishes import clean_credit
from counterfoil.invoicing.queries import CreditableLine
from counterfoil.plumbing import clock
from counterfoil.surface.forms import plain_number
from counterfoil.surface.htmx import go, page, say

AMOUNT = "amount-"


@dataclass(frozen=True)
class AskedLine:
    """A line of the form, with what was typed and what is wrong with it."""

    line: CreditableLine
    typed: str
    problem: str


@require_http_methods(["GET", "HEAD", "POST"])
def credit(request: Request, invoice_id: UUID) -> HttpResponse:
    """Choose lines and amounts, or the whole invoice; then the credit note is issued, and sent if asked."""
    row = queries.get_invoice(request.actor, invoice_id)
    is_creditable = row.kind == "invoice" and row.status == "issued"
    lines = queries.creditable_lines(request.actor, invoice_id)
    if request.method != "POST":
        return _page(request, row, lines) if is_creditable else go(request, _address(invoice_id))
    if not is_creditable:
        raise Conflict("not_open", "Only an issued invoice can be credited.")
    rows = _asked(request, lines)
    now = clock.now()
    try:
        (note_id,) = commands.credit(
            actor=request.actor,
            orders=[clean_credit(invoice_id, rows, request.POST.get("reason", ""))],
            on=queries.day_of(invoice_id, now),
            at=now,
            send=request.POST.get("send") == "1",
        )
    except Refusal as refusal:
        return _page(request, row, lines, rows, refusal)
    say(request, "The credit note is issued.")
    return go(request, _address(note_id))


def _address(invoice_id: UUID) -> str:
    return reverse("invoicing:invoice", args=[invoice_id])


def _asked(request: Request, lines: list[CreditableLine]) -> list[dict[str, Any]]:
    """What is to be taken back: all that is left, or what was typed beside the lines."""
    if request.POST.get("whole") == "1":
        return [{"line": line.id, "amount": str(line.left.amount)} for line in lines if line.left]
    typed = ((line, plain_number(request.POST.get(f"{AMOUNT}{line.id}", ""))) for line in lines)
    return [{"line": line.id, "amount": amount} for line, amount in typed if amount]


def _page(
    request: Request,
    row: Row,
    lines: list[CreditableLine],
    rows: list[dict[str, Any]] | None = None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    places = {f"lines.{place}": asked["line"] for place, asked in enumerate(rows or [])}
    told: dict[UUID, str] = {}
    for problem in refusal.problems if refusal else ():
        place = ".".join(problem.field.split(".")[:2])
        if place in places:
            told.setdefault(places[place], problem.message)
    context = {
        "row": row,
        "asked": [AskedLine(line, request.POST.get(f"{AMOUNT}{line.id}", ""), told.get(line.id, "")) for line in lines],
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
        "is_left": any(line.left for line in lines),
        "by_mail": row.delivery_channel == "email",
    }
    return page(request, "invoicing/credit.html", context, status=refusal.status if refusal else 200)
