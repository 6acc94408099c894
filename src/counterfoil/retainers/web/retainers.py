"""Retainers: the list, the page with the burn-down, and the forms."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.queries import account_titles
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import parse_id
from counterfoil.invoicing.queries import local_today
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import BadValue, clean_value, record_type
from counterfoil.retainers import commands, queries
from counterfoil.surface import export
from counterfoil.surface.forms import record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, text

KEY = "retainers.retainer"
READ_OR_SAVE = ["GET", "HEAD", "POST"]
SECTIONS = {
    "What is agreed": ["account", "title", "unit", "amount", "interval", "count", "starts_on", "ends_on"],
    "What is left at the end of a period": ["roll_over", "most_rolled", "rolled_periods"],
    "What it costs": ["price", "overage_rate", "currency", "tax_class"],
    "Periods": ["anchor_day", "entity"],
}
STAYS = "Stays. Retire the retainer and agree another one."
PANEL_ROWS = 5


def account_from(request: Request) -> UUID | None:
    """The account that the address names."""
    given = request.GET.get("account", "")
    return parse_id(given) if given else None


@require_GET
def retainers(request: Request) -> HttpResponseBase:
    """Retainers that run, or those that have ended."""
    ended = "ended" in request.GET
    listing = Listing(
        KEY,
        request.GET,
        columns=["title", "account", "unit", "amount", "left_words", "roll_over", "starts_on", "ends_on"],
        filters=["account", "unit", "starts_on"],
        sorts=["title", "starts_on"],
        extra=[text("left_words", "Left now", read=_left)],
        sort="title",
        titles={str(key): title for key, title in account_titles(_named(request)).items()},
        search="Retainer or account",
        empty=_empty(request, ended),
    )
    found = queries.list_retainers(
        request.actor,
        on=local_today(),
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        only_ended=ended,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "retainers")
    return page(
        request, "retainers/retainers.html", {"listing": listing.filled(found.rows, count=found.count), "ended": ended}
    )


def _named(request: Request) -> list[UUID]:
    found = []
    for given in request.GET.getlist("account"):
        try:
            found.append(UUID(given))
        except ValueError:
            continue
    return found


def _left(row: Row) -> str:
    """What is left of the period that runs, in words."""
    if row.now is None:
        return ""
    return f"{row.left.normalize():f} of {(row.now.opening + row.now.granted).normalize():f} {row.unit_word}"


def _empty(request: Request, ended: bool) -> Empty:
    if ended:
        return Empty("No retainer has ended", "What is retired stands here.", icon="hourglass")
    action = "New retainer" if request.actor.may("retainers.change") else ""
    hint = "Hours or money that a customer has by the period."
    return Empty("No retainers yet", hint, action, reverse("retainers:new"), "hourglass")


# One retainer ---------------------------------------------------------------------------------------------------------


@require_GET
def retainer(request: Request, retainer_id: UUID) -> HttpResponse:
    return _retainer_page(request, retainer_id)


def _retainer_page(request: Request, retainer_id: UUID, refusal: Refusal | None = None) -> HttpResponse:
    row = queries.get_retainer(request.actor, retainer_id, local_today())
    context = {
        "retainer": row,
        "entries": queries.entries_of_retainer(request.actor, retainer_id),
        "roll_over": record_type(KEY).by_id["roll_over"],
        "words": _words(row),
        "refusal": refusal,
        "today": local_today(),
        "ends_on": request.POST.get("ends_on", "") if refusal else local_today().isoformat(),
    }
    return page(request, "retainers/retainer.html", context, status=refusal.status if refusal else 200)


def _words(row: Row) -> dict[str, str]:
    """The terms as sentences."""
    every = {"week": "week", "month": "month", "year": "year"}[row.interval]
    of = f"{row.count} {every}s" if row.count > 1 else every
    rule = {
        "none": "Nothing rolls over",
        "all": "Everything rolls over",
        "up_to": f"Up to {_plain(row.most_rolled)} {row.unit_word} roll over",
        "periods": f"The rest lives for {row.rolled_periods} further period{'' if row.rolled_periods == 1 else 's'}",
    }[row.roll_over]
    return {"every": of, "granted": f"{_plain(row.amount)} {row.unit_word} every {of}", "rule": rule}


def _plain(number: Any) -> str:
    return f"{number.normalize():f}" if number is not None else ""


@require_http_methods(READ_OR_SAVE)
def new(request: Request) -> HttpResponse:
    account_id = account_from(request)
    values: dict[str, Any] = {
        "unit": "hours", "interval": "month", "count": 1, "roll_over": "none", "starts_on": local_today(),
    }  # fmt: skip
    if account_id is not None:
        values |= {"account": account_id, "account_title": account_titles([account_id]).get(account_id, "")}
    if request.method == "POST":
        typed = values_from(request.POST, KEY)
        try:
            retainer_id = commands.add_retainer(actor=request.actor, values=typed, on=local_today(), at=clock.now())
        except Refusal as refusal:
            return _form(request, values, typed=typed, refusal=refusal)
        say(request, "The retainer is agreed.")
        return go(request, reverse("retainers:retainer", args=[retainer_id]))
    return _form(request, values)


@require_http_methods(READ_OR_SAVE)
def edit(request: Request, retainer_id: UUID) -> HttpResponse:
    row = queries.get_retainer(request.actor, retainer_id, local_today())
    if request.method == "POST":
        typed = values_from(request.POST, KEY)
        try:
            commands.change_retainer(
                actor=request.actor, retainer_id=retainer_id, values=typed, version=version_from(request.POST),
                on=local_today(),
            )  # fmt: skip
        except Refusal as refusal:
            return _form(request, row, row=row, typed=typed, refusal=refusal)
        say(request, "Saved.")
        return go(request, reverse("retainers:retainer", args=[retainer_id]))
    return _form(request, row, row=row)


def _form(
    request: Request, values: Any, *, row: Row | None = None, typed: Any = None, refusal: Refusal | None = None
) -> HttpResponse:
    companies = queries.companies(request.actor)
    sections = {
        title: [name for name in names if name != "entity" or len(companies) > 1] for title, names in SECTIONS.items()
    }
    stays = ("account", "unit", "price", "currency", "entity", "ends_on")
    form = record_form(
        KEY,
        values=values,
        typed=typed,
        sections=sections,
        problems=refusal or (),
        writable=request.actor.writes,
        options={"entity": companies},
        locked=dict.fromkeys(stays, STAYS) if row is not None else {},
    )
    back = reverse("retainers:retainer", args=[row.id]) if row is not None else reverse("retainers:retainers")
    context = {"form": form, "retainer": row, "back": back, "action": request.get_full_path()}
    return page(request, "retainers/retainer_form.html", context, status=refusal.status if refusal else 200)


@require_POST
def retire(request: Request, retainer_id: UUID) -> HttpResponse:
    try:
        try:
            ends_on = clean_value(record_type(KEY).by_id["ends_on"], request.POST.get("ends_on", ""))
        except BadValue as bad:
            raise Refusal(bad.code, bad.message, "ends_on") from None
        if ends_on is None:
            raise Refusal("missing", "Say on which day it ends.", "ends_on")
        commands.retire_retainer(
            actor=request.actor, retainer_id=retainer_id, ends_on=ends_on, version=version_from(request.POST),
            on=local_today(), at=clock.now(),
        )  # fmt: skip
    except Refusal as refusal:
        return _retainer_page(request, retainer_id, refusal)
    say(request, "The retainer ends.")
    return go(request, reverse("retainers:retainer", args=[retainer_id]))


@require_GET
def account_panel(request: Request, account_id: UUID) -> HttpResponse:
    """What an account has left of its retainers, and the time and expenses that were entered last."""
    found = queries.entries_of_account(request.actor, account_id, limit=PANEL_ROWS + 1)
    context = {
        "retainers": queries.retainers_of_account(request.actor, account_id, local_today()),
        "entries": found[:PANEL_ROWS],
        "has_more": len(found) > PANEL_ROWS,
        "waiting": queries.waiting(request.actor, account_id),
        "account_id": account_id,
    }
    return page(request, "retainers/account_panel.html", context)
