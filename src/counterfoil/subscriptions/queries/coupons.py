"""Coupons."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project
from counterfoil.core.errors import NotFound
from counterfoil.subscriptions.models import Coupon

KEY = "subscriptions.coupon"


def list_coupons(actor: Actor, *, limit: int = 500) -> list[Row]:
    """The coupons, the newest first."""
    return project(actor, KEY, list(Coupon.objects.order_by("-created_at", "-id")[:limit]))


def coupons_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Coupons with an id above ``after``, in the order of their ids."""
    found = Coupon.objects.order_by("id")
    return project(actor, KEY, list((found.filter(id__gt=after) if after is not None else found)[:take]))


def coupon_by_code(actor: Actor, code: str) -> Row | None:
    """The coupon with a code, in capitals or not."""
    wanted = "".join(code.split()).upper()
    return next(iter(project(actor, KEY, list(Coupon.objects.filter(code__iexact=wanted)))), None)


def get_coupon(actor: Actor, coupon_id: UUID) -> Row:
    """One coupon; raises ``NotFound``."""
    rows = project(actor, KEY, list(Coupon.objects.filter(pk=coupon_id)))
    if not rows:
        raise NotFound()
    return rows[0]
