"""The review queue: the list of drafts, and the one that is looked at, with everything that a reviewer decides by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.web import shown
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import record_type
from counterfoil.surface.forms import version_from
from counterfoil.surface.htmx import go, page, say


@require_safe
def queue(request: Request) -> HttpResponse:
    """The queue with its first draft open."""
    drafts = queries.review_queue(request.actor)
    return _screen(request, drafts, drafts[0].id if drafts else None)


@require_safe
def draft(request: Request, invoice_id: UUID) -> HttpResponse:
    """One draft of the queue. One that was issued or returned meanwhile is shown on its own page."""
    found = queries.get_invoice(request.actor, invoice_id)
    if found.status != "draft":
        return go(request, reverse("invoicing:invoice", args=[invoice_id]))
    return _screen(request, queries.review_queue(request.actor), invoice_id)


def _screen(
    request: Request, drafts: Sequence[Row], invoice_id: UUID | None, refusal: Refusal | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "drafts": drafts,
        "clean_count": sum(row.is_clean for row in drafts),
        "invoices_url": reverse("invoicing:invoices"),
        "issued": _just_issued(request),
        "refusal": refusal,
        "returning": refusal is not None and any(problem.field == "reason" for problem in refusal.problems),
        "reason": request.POST.get("reason", ""),
    }
    if invoice_id is not None:
        row = queries.get_invoice(request.actor, invoice_id)
        ids = [one.id for one in drafts]
        place = ids.index(invoice_id) if invoice_id in ids else -1
        findings = shown.findings(row, request.actor)
        context |= {
            "row": row,
            "lines": shown.lines(row),
            "place": place + 1,
            "previous": ids[place - 1] if place > 0 else None,
            "next": ids[place + 1] if 0 <= place < len(ids) - 1 else None,
            "findings": findings,
            "blocked": any(one.level == "blocking" for one in findings),
            "sources": shown.values_with_sources(row),
            "touched": _touched(row),
            "deal_url": shown.address("deals:deal", row.deal_id) if row.deal_id else "",
        }
    return page(request, "invoicing/review.html", context, status=refusal.status if refusal else 200)


def _touched(row: Row) -> list[str]:
    """What a person changed since the deal was won, in words."""
    fields = record_type(row.key).by_id
    return [fields[name].label for name in row.touched if name in fields] if row.deal_id else []


def _just_issued(request: Request) -> Row | None:
    try:
        row = queries.get_invoice(request.actor, UUID(request.GET.get("issued", "")))
    except (ValueError, NotFound):
        return None
    return row if row.number else None


@require_POST
def approve(request: Request, invoice_id: UUID) -> HttpResponse:
    """Issue the draft, and send it unless asked not to; then show the next one."""
    after = _after(request, invoice_id)
    version = version_from(request.POST)
    try:
        commands.issue_invoices(
            actor=request.actor,
            invoice_ids=[invoice_id],
            on=queries.day_of(invoice_id, clock.now()),
            at=clock.now(),
            send=request.POST.get("send", "1") == "1",
            versions={invoice_id: version} if version is not None else None,
        )
    except Refusal as refusal:
        if queries.get_invoice(request.actor, invoice_id).status != "draft":
            raise
        return _screen(request, queries.review_queue(request.actor), invoice_id, refusal)
    return go(request, _address_of(after) + "?" + urlencode({"issued": str(invoice_id)}))


@require_POST
def send_back(request: Request, invoice_id: UUID) -> HttpResponse:
    """Return the draft to sales with a reason; then show the next one."""
    after = _after(request, invoice_id)
    try:
        commands.return_drafts(
            actor=request.actor, invoice_ids=[invoice_id], reason=request.POST.get("reason", ""), at=clock.now()
        )
    except Refusal as refusal:
        if queries.get_invoice(request.actor, invoice_id).status != "draft":
            raise
        return _screen(request, queries.review_queue(request.actor), invoice_id, refusal)
    say(request, "Returned to sales. A task tells the deal's owner why.")
    return go(request, _address_of(after))


@require_POST
def approve_clean(request: Request) -> HttpResponse:
    """Issue and send every draft on which nothing warns or blocks."""
    now = clock.now()
    issued = commands.issue_clean(actor=request.actor, on=queries.local_today(), at=now)
    say(request, f"{len(issued)} invoice{'s' if len(issued) != 1 else ''} issued and on the way.")
    return go(request, reverse("invoicing:review_queue"))


def _after(request: Request, invoice_id: UUID) -> UUID | None:
    """The draft that is shown once this one has left the queue: the next one, or else the one before."""
    ids = [row.id for row in queries.review_queue(request.actor)]
    if invoice_id not in ids:
        return ids[0] if ids else None
    place = ids.index(invoice_id)
    rest = ids[place + 1 :] or ids[:place][-1:]
    return rest[0] if rest else None


def _address_of(invoice_id: UUID | None) -> str:
    if invoice_id is None:
        return reverse("invoicing:review_queue")
    return reverse("invoicing:review", args=[invoice_id])
