"""Coupons in the settings."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.plumbing import clock
from counterfoil.subscriptions import commands, queries
from counterfoil.subscriptions.record_types import COUPON
from counterfoil.surface.forms import Typed, save_sent
from counterfoil.surface.htmx import go, page, say

SECTIONS: dict[str, list[str]] = {
    "": ["code", "name", "is_active"],
    "What it gives": ["percent", "amount", "currency", "periods", "until", "products"],
    "Who gets it": ["valid_from", "valid_to", "most"],
}
FIELDS = [name for names in SECTIONS.values() for name in names]
READ_OR_SAVE = ["GET", "HEAD", "POST"]


@require_safe
def coupons(request: Request) -> HttpResponse:
    context = {
        "coupons": queries.list_coupons(request.actor),
        "may_change": request.actor.may("catalog.change"),
    }
    return page(request, "subscriptions/coupons.html", context)


@require_http_methods(READ_OR_SAVE)
def new_coupon(request: Request) -> HttpResponse:
    return _form(request, None)


@require_http_methods(READ_OR_SAVE)
def coupon(request: Request, coupon_id: UUID) -> HttpResponse:
    return _form(request, queries.get_coupon(request.actor, coupon_id))


def _form(request: Request, row: Row | None) -> HttpResponse:
    may_save = request.actor.may("catalog.change")

    def save(typed: Typed) -> None:
        if row is None:
            commands.add_coupon(actor=request.actor, values=typed, at=clock.now())
        else:
            commands.change_coupon(actor=request.actor, coupon_id=row.id, values=typed, version=typed.version)

    sent = save_sent(request, COUPON, save, only=FIELDS)
    if sent.is_saved:
        say(request, "Saved.")
        return go(request, reverse("subscriptions:coupons"))
    form = sent.form(
        COUPON,
        values=row if row is not None else {"is_active": True},
        sections=SECTIONS,
        writable=request.actor.writes if may_save else frozenset(),
    )
    context = {"coupon": row, "form": form, "may_save": may_save}
    return page(request, "subscriptions/coupon.html", context, status=sent.status)
