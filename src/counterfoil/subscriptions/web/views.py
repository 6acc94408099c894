"""Subscriptions on the screen."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import Conflict, NotFound
from counterfoil.core.ids import parse_id
from counterfoil.invoicing.queries import local_today
from counterfoil.ledger.queries import list_entities
from counterfoil.plumbing.record_types import panels_on, record_type
from counterfoil.subscriptions import commands, queries
from counterfoil.subscriptions.record_types import SUBSCRIPTION
from counterfoil.subscriptions.web.phases import told
from counterfoil.surface import display, export
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Bulk, Empty, Listing, amount, defined_columns, text

PANEL_ROWS = 5
BILLED_ROWS = 24
DAYS = (30, 60, 90, 180, 365)
UNPARKED_AT_ONCE = 500


@require_GET
def subscriptions(request: Request) -> HttpResponseBase:
    """All subscriptions, or those that are parked. The address holds every filter."""
    only_parked = request.GET.getlist("state") == ["parked"]
    shown = ["name", "account", "what", "state", *_second(only_parked)]
    is_export = bool(request.GET.get("export"))
    defined = defined_columns(record_type(SUBSCRIPTION).by_id["reference_values"])
    listing = Listing(
        SUBSCRIPTION,
        request.GET,
        columns=[*shown, "po_number", "references", *(column.id for column in defined)],
        shown=shown,
        filters=["state", "account", "owner", "entity", "currency", "due_on", "committed_to"],
        sorts=["name", "account", "number", "start", "due_on", "committed_to", "created_at"],
        extra=[
            text("what", "Items", read=lambda row: row.all_items if is_export else row.what),
            amount("next_net", "Next, net"),
            text("parked_reason", "Parked because"),
            *defined,
        ],
        sort="-created_at",
        options={"entity": [(row.id, row.name) for row in list_entities(request.actor)]},
        titles=queries.titles_of(request.actor, [*request.GET.getlist("account"), *request.GET.getlist("owner")]),
        search="Name, number or account",
        bulk=_bulk(request, only_parked),
        empty=_empty(request, only_parked),
        about=["state"] if only_parked else [],
    )
    found = queries.list_subscriptions(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "subscriptions")
    context = {
        "listing": listing.filled(found.rows, count=found.count),
        "tab": "parked" if only_parked else "all",
        "parked": queries.count_parked(request.actor),
    }
    return page(request, "subscriptions/subscriptions.html", context)


def _second(only_parked: bool) -> list[str]:
    return ["parked_reason", "parked_at"] if only_parked else ["due_on", "next_net", "committed_to", "owner"]


def _bulk(request: Request, only_parked: bool) -> list[Bulk]:
    if not only_parked or not request.actor.may("subscriptions.change"):
        return []
    return [Bulk("Un-park", reverse("subscriptions:unpark_selected"))]


def _empty(request: Request, only_parked: bool) -> Empty:
    if only_parked:
        return Empty("Nothing is parked", "What cannot be billed waits here with its reason.", icon="check-check")
    action = "Start subscription" if request.actor.may("subscriptions.change") else ""
    hint = "What customers pay again and again, billed by itself."
    return Empty("No subscriptions yet", hint, action, reverse("subscriptions:new"), "repeat")


@require_GET
def renewals(request: Request) -> HttpResponse:
    """Subscriptions whose committed term ends soon."""
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(one) for one in DAYS} else 90
    context = {
        "rows": queries.renewals(request.actor, days=days),
        "days": days,
        "choices": DAYS,
        "tab": "renewals",
        "parked": queries.count_parked(request.actor),
    }
    return page(request, "subscriptions/renewals.html", context)


@require_GET
def subscription(request: Request, subscription_id: UUID) -> HttpResponse:
    """What is agreed and what comes next on one half, what was billed on the other."""
    today = local_today()
    row = queries.get_subscription(request.actor, subscription_id, today)
    billed = queries.billed_periods(request.actor, subscription_id, limit=BILLED_ROWS + 1)
    may_change = request.actor.may("subscriptions.change")
    context = {
        "subscription": row,
        "phases": told(queries.phases_of(request.actor, subscription_id, today, display.language())),
        "billed": billed[:BILLED_ROWS],
        "has_more": len(billed) > BILLED_ROWS,
        "several_companies": len(list_entities(request.actor)) > 1,
        "may_change": may_change and row.state != "ended",
        "may_unpark": may_change and row.state == "parked",
        "can_take_off": bool(queries.discounts_to_take_off(row)),
        "is_paused": is_paused(row),
        "today": today,
        "raises": queries.raises_of_subscription(request.actor, subscription_id),
        "panels": [
            {"title": panel.title, "url": reverse(panel.url, args=[subscription_id])}
            for panel in panels_on(SUBSCRIPTION)
            if request.actor.may(panel.needs)
        ],
    }
    return page(request, "subscriptions/subscription.html", context)


def is_paused(row: Row) -> bool:
    """Whether a pause runs or is to come."""
    return any(not pause["is_over"] for pause in row.pauses)


@require_POST
def unpark(request: Request, subscription_id: UUID) -> HttpResponse:
    commands.unpark_subscription(actor=request.actor, subscription_id=subscription_id, on=local_today())
    say(request, "It is billed again, from the next run on.")
    return go(request, reverse("subscriptions:subscription", args=[subscription_id]))


@require_POST
def unpark_selected(request: Request) -> HttpResponse:
    """Un-park what was selected, or everything that is parked. ``run`` is the billing run to come back to."""
    if request.POST.get("all"):
        found = queries.list_subscriptions(request.actor, filters={"state": ["parked"]}, limit=UNPARKED_AT_ONCE)
        wanted = [row.id for row in found.rows]
    else:
        wanted = [parse_id(one) for one in request.POST.getlist("ids")[:UNPARKED_AT_ONCE]]
    if not wanted:
        raise NotFound("Nothing was selected.")
    count = 0
    for subscription_id in wanted:
        with suppress(Conflict):  # somebody else un-parked it meanwhile
            commands.unpark_subscription(actor=request.actor, subscription_id=subscription_id, on=local_today())
            count += 1
    say(request, f"{count} {'subscription is' if count == 1 else 'subscriptions are'} billed again.")
    run = request.POST.get("run", "")
    return go(
        request, reverse("subscriptions:run", args=[parse_id(run)]) if run else reverse("subscriptions:subscriptions")
    )


@require_GET
def account_panel(request: Request, account_id: UUID) -> HttpResponse:
    """What an account subscribed to, and when each is billed next."""
    found = queries.subscriptions_of_account(request.actor, account_id, limit=PANEL_ROWS + 1)
    shown: list[Row] = found[:PANEL_ROWS]
    context = {
        "subscriptions": shown,
        "has_more": len(found) > PANEL_ROWS,
        "account_id": account_id,
        "may_change": request.actor.may("subscriptions.change"),
    }
    return page(request, "subscriptions/account_panel.html", context)
