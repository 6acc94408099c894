"""The document itself: its pages as pictures, and its stored file."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from counterfoil.access.requests import Request
from counterfoil.core.errors import NotFound
from counterfoil.invoicing import queries
from counterfoil.surface.htmx import page

POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:"
"""What a picture may do when somebody opens it by itself: show itself, and nothing else."""


@require_safe
def pages(request: Request, invoice_id: UUID) -> HttpResponse:
    """The pages after the first one, for a page that shows the first one already."""
    count = len(queries.preview(request.actor, invoice_id))
    context = {"invoice_id": invoice_id, "numbers": range(2, count + 1), "count": count}
    return page(request, "invoicing/pages.html", context)


@require_safe
def one_page(request: Request, invoice_id: UUID, number: int) -> HttpResponse:
    """One page as a picture, of a draft as it would be printed now."""
    drawn = queries.preview(request.actor, invoice_id, "svg")
    if not 1 <= number <= len(drawn):
        raise NotFound("The document has no such page.")
    response = HttpResponse(drawn[number - 1], content_type="image/svg+xml")
    response["Content-Security-Policy"] = POLICY
    return response


@require_safe
def pdf(request: Request, invoice_id: UUID) -> HttpResponse:
    """The file as it was stored, byte by byte."""
    name, content = queries.document_file(request.actor, invoice_id)
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header("download" in request.GET, name) or "inline"
    return response
