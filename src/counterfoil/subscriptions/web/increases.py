"""Price increases on the screen: planned beside a preview, watched, and undone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from counterfoil.access.requests import Request
from counterfoil.catalog.queries import list_price_lists
from counterfoil.core.errors import NotAllowed, Refusal
from counterfoil.core.ids import parse_id
from counterfoil.core.text import whole_number
from counterfoil.invoicing.queries import local_today
from counterfoil.ledger.queries import list_entities
from counterfoil.plumbing import clock
from counterfoil.subscriptions import commands, previewing, queries
from counterfoil.subscriptions.models import RaiseState
from counterfoil.subscriptions.record_types import INCREASE
from counterfoil.subscriptions.rules.raising import LEFT_OUT
from counterfoil.surface.forms import Form, Typed, record_form, values_from
from counterfoil.surface.htmx import go, is_htmx, page, reload, say

SECTIONS: dict[str, list[str]] = {
    "Which prices": ["name", "product", "price_key", "price_list", "entity", "currency"],
    "By how much": ["percent", "prices"],
    "When": ["from_on", "is_at_renewal", "is_in_term", "months_apart", "notice_days"],
}
FIELDS = [name for names in SECTIONS.values() for name in names]
PAGE = 50
STATES = tuple(RaiseState.choices)


@require_safe
def increases(request: Request) -> HttpResponse:
    context = {
        "increases": queries.list_increases(request.actor),
        "may_change": request.actor.may("subscriptions.change"),
        "parked": queries.count_parked(request.actor),
    }
    return page(request, "subscriptions/increases.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_increase(request: Request) -> HttpResponse:
    """The form beside what it would do."""
    typed: Typed | None = None
    refusal: Refusal | None = None
    if request.method == "POST":
        typed = values_from(request.POST, INCREASE, FIELDS)
        try:
            increase_id = _plan(request, typed)
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "The price increase is planned.")
            return go(request, reverse("subscriptions:increase", args=[increase_id]))
    context = {"form": _form(request, typed, refusal)}
    return page(request, "subscriptions/new_increase.html", context, status=refusal.status if refusal else 200)


def _plan(request: Request, typed: Typed) -> UUID:
    return commands.plan_increase(actor=request.actor, values=typed, on=local_today(), at=clock.now())


def _form(request: Request, typed: Typed | None, refusal: Refusal | None) -> Form:
    return record_form(
        INCREASE,
        values={"from_on": local_today(), "is_at_renewal": True, "months_apart": 12, "notice_days": 30},
        typed=typed,
        sections=SECTIONS,
        writable=request.actor.writes,
        problems=refusal or (),
        options={
            "entity": [(row.id, row.name) for row in list_entities(request.actor)],
            "price_list": [(row.id, row.title) for row in list_price_lists(request.actor, local_today())],
        },
    )


@require_POST
def preview_increase(request: Request) -> HttpResponse:
    """What it would do to whom, worked out for the first subscriptions in a copy that nobody keeps."""
    typed = values_from(request.POST, INCREASE, FIELDS)
    context: dict[str, Any] = {"reasons": LEFT_OUT}
    try:
        found = previewing.preview_increase(request.actor, lambda: _plan(request, typed), clock.now())
        context.update(preview=found, left_out=_in_words(found.sums.reasons))
    except NotAllowed:
        raise
    except Refusal as refusal:
        context["problem"] = refusal.problems[0].message
    return page(request, "subscriptions/increase_preview.html", context)


@require_safe
def increase(request: Request, increase_id: UUID) -> HttpResponse:
    """How far it is, and what it does to each price or why it leaves it out."""
    row = queries.get_increase(request.actor, increase_id)
    if is_htmx(request) and row.state != "planning":
        return reload(request)  # what stands around the part that asks changes too
    state = request.GET.get("state", "")
    states = [state] if state in RaiseState.values else []
    offset = whole_number(request.GET.get("from", ""), 7) or 0
    raises, count = queries.list_raises(request.actor, increase_id, states=states, offset=offset, limit=PAGE)
    sums = queries.sums_of(request.actor, increase_id)
    left = sums.states.get(RaiseState.PLANNED, 0) + sums.states.get(RaiseState.FAILED, 0)
    context = {
        "increase": row,
        "is_planning": row.state == "planning",
        "raises": raises,
        "count": count,
        "state": state if states else "",
        "states": [(name, label, sums.states.get(name, 0)) for name, label in STATES],
        "left_out": _in_words(sums.reasons),
        "sums": sums,
        "first": offset + 1,
        "last": offset + len(raises),
        "before": max(offset - PAGE, 0) if offset else None,
        "after": offset + PAGE if offset + PAGE < count else None,
        "may_undo": request.actor.may("subscriptions.change") and bool(left or row.state == "planning"),
        "left": left,
    }
    return page(request, "subscriptions/increase.html", context)


def _in_words(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return [(LEFT_OUT[code], count) for code, count in sorted(reasons.items(), key=lambda one: -one[1])]


@require_POST
def undo_increase(request: Request, increase_id: UUID) -> HttpResponse:
    """Take back all that has not taken effect, or one raise of it."""
    one = request.POST.get("raise", "")
    undone = commands.undo_increase(
        actor=request.actor, increase_id=increase_id, at=clock.now(), raise_ids=[parse_id(one)] if one else []
    )
    told = f" Customers of {undone.told} subscriptions are told." if undone.told > 1 else ""
    told = " The customer is told." if undone.told == 1 else told
    say(request, f"{undone.prices} {'price does' if undone.prices == 1 else 'prices do'} not rise.{told}")
    return go(request, reverse("subscriptions:increase", args=[increase_id]))
