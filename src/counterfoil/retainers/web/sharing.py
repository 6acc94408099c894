"""The customer's page of a retainer, and the link to it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from counterfoil.access.requests import Request
from counterfoil.core.ids import parse_id
from counterfoil.core.periods import Period
from counterfoil.documents.wording import Wording, wording
from counterfoil.invoicing.queries import local_today
from counterfoil.plumbing import clock
from counterfoil.retainers import commands, queries
from counterfoil.retainers.shared import SharedRetainer, retainer_behind
from counterfoil.surface.htmx import go, page, say

SELDOM = ("opening", "expired", "overage")


@require_POST
def share(request: Request, retainer_id: UUID) -> HttpResponse:
    """Make a link to the customer's page. It is shown once; a reload makes no other."""
    replaces = request.POST.get("replaces", "")
    secret = commands.share_retainer(
        actor=request.actor,
        retainer_id=retainer_id,
        at=clock.now(),
        replaces=parse_id(replaces) if replaces else "none",
    )
    context = {
        "retainer": queries.get_retainer(request.actor, retainer_id, local_today()),
        "address": request.build_absolute_uri(reverse("retainers:burn_down", args=[secret])),
    }
    return page(request, "retainers/link.html", context)


@require_POST
def unshare(request: Request, retainer_id: UUID) -> HttpResponse:
    commands.unshare_retainer(actor=request.actor, retainer_id=retainer_id, at=clock.now())
    say(request, "The customer’s page is closed.")
    return go(request, reverse("retainers:retainer", args=[retainer_id]))


# The customer's page --------------------------------------------------------------------------------------------------


@require_safe
def burn_down(request: HttpRequest, secret: str) -> HttpResponse:
    """How a retainer burns down, for whoever holds its link. Every other address gets the same answer: there is none.

    No cookie, no script, nothing that leads elsewhere, and nothing that a search engine or a cache keeps.
    """
    found = retainer_behind(secret, clock.now())
    if found is None:
        response = HttpResponse(render_to_string("retainers/no_burn_down.html"), status=404)
    else:
        response = HttpResponse(render_to_string("retainers/burn_down.html", _context(found)))
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response


def _context(found: SharedRetainer) -> dict[str, Any]:
    """Everything as the customer's language writes it."""
    words = wording(found.language, found.country)
    now = found.now
    return {
        "words": words.retainer,
        "language": words.language,
        "title": found.title,
        "customer": words.retainer["customer"].format(seller=found.seller, customer=found.customer),
        "standing": _standing(found, words),
        "beyond": _beyond(found, words),
        "share_left": _share_left(found) if now else None,
        "as_of": words.retainer["as_of"].format(date=words.date(found.as_of)),
        "periods": _periods(found, words),
        "unit": words.retainer["amount"] + " " + found.currency if found.currency else words.retainer["hours"],
        "entries": [
            {
                "day": words.period(Period(one.day, one.day + timedelta(days=1))),
                "text": one.text,
                "quantity": words.number(one.quantity, found.decimals),
            }
            for one in found.entries
        ],
        "newest": words.retainer["newest"].format(count=len(found.entries)) if found.has_more else "",
    }


def _standing(found: SharedRetainer, words: Wording) -> str:
    """The one sentence that matters."""
    if found.is_ended and found.ends_on is not None:
        return words.retainer["ended"].format(date=words.date(found.ends_on))
    if found.now is None:
        return words.retainer["begins"].format(date=words.date(found.starts_on))
    left = f"{words.number(found.now.left, found.decimals)} {found.currency or 'h'}"
    return words.retainer["left"].format(left=left, date=words.date(found.now.end - timedelta(days=1)))


def _beyond(found: SharedRetainer, words: Wording) -> str:
    """What went beyond it in the present period; empty when nothing did."""
    if found.is_ended or found.now is None or not found.now.overage:
        return ""
    return f"{words.retainer['beyond']}: {words.number(found.now.overage, found.decimals)} {found.currency or 'h'}"


def _share_left(found: SharedRetainer) -> int:
    """How much of what the period has is left, in whole per cent."""
    assert found.now is not None
    there = found.now.opening + found.now.granted
    return int(found.now.left * 100 / there) if there else 0


def _periods(found: SharedRetainer, words: Wording) -> list[dict[str, Any]]:
    """The rows of the table, each with its figures beside their words."""
    names = {
        "opening": "carried",
        "granted": "granted",
        "used": "used",
        "expired": "expired",
        "left": "rest",
        "overage": "beyond",
    }
    return [
        {
            "days": words.period(Period(one.start, one.end)),
            "figures": [
                (words.retainer[word], _figure(name, getattr(one, name), found, words)) for name, word in names.items()
            ],
        }
        for one in found.periods
    ]


def _figure(name: str, figure: Decimal, found: SharedRetainer, words: Wording) -> str:
    """A figure; a dash for nothing where that is the usual case."""
    return "–" if name in SELDOM and not figure else words.number(figure, found.decimals)
