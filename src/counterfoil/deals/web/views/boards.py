"""Deals as a board and as a list."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import NotFound
from counterfoil.deals import queries
from counterfoil.deals.web.days import today
from counterfoil.plumbing.record_types import Kind, record_type
from counterfoil.surface import export
from counterfoil.surface.htmx import page
from counterfoil.surface.lists import Column, Listing, defined_columns

FILTERS = ("status", "stage", "owner", "account", "expected_close_on", "amount")
BOARD_FILTERS = ("owner", "account", "expected_close_on", "amount")
COLUMNS = (
    "name",
    "account",
    "stage",
    "amount",
    "expected_close_on",
    "owner",
    "next_step",
    "days_in_stage",
    "closed_on",
)


def deals(request: Request) -> HttpResponseBase:
    """The list; its address is its whole state."""
    on = today()
    listing = _listing(request, FILTERS)
    found = queries.list_deals(
        request.actor,
        on=on,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "deals")
    context = {"listing": listing.filled(found.rows, count=found.count, sums=found.sums)}
    return page(request, "deals/deals.html", context)


def _listing(request: Request, filters: tuple[str, ...]) -> Listing:
    stages = [
        (stage.id, stage.name if len(pipelines) == 1 else f"{pipeline.name}: {stage.name}")
        for pipelines in [queries.list_pipelines(request.actor)]
        for pipeline in pipelines
        for stage in pipeline.stages
    ]
    defined = defined_columns(record_type("deals.deal").by_id["reference_values"])
    return Listing(
        "deals.deal",
        request.GET,
        columns=[*COLUMNS, "po_number", "references", *(column.id for column in defined)],
        shown=COLUMNS,
        filters=filters,
        sorts=tuple(queries.SORTS),
        sort="-created_at",
        extra=[Column("days_in_stage", "Days in stage", Kind.INTEGER), *defined],
        search="Search deals and accounts",
        options={"stage": stages},
        titles=queries.titles_of(request.actor, request.GET.getlist("owner") + request.GET.getlist("account")),
    )


def board(request: Request) -> HttpResponse:
    """The pipeline's columns. Filters narrow it as they narrow the list."""
    on = today()
    pipelines = queries.list_pipelines(request.actor, in_use_only=True)
    listing = _listing(request, BOARD_FILTERS)
    context: dict[str, Any] = {"listing": listing, "pipelines": pipelines, "pipeline": None, "columns": []}
    if pipelines:
        pipeline = _chosen(request, pipelines)
        columns = queries.board(request.actor, pipeline.id, on=on, text=listing.text, filters=listing.filters)
        for one in columns:
            aged(one.cards)
        context |= {
            "pipeline": pipeline,
            "columns": columns,
            "stages": pipeline.stages,
            "count": sum(column.count for column in columns),
        }
    return page(request, "deals/board.html", context)


WARM, HOT = 30, 90
"""Days in one stage after which a card asks to be looked at, and after which it is late."""


def aged(cards: list[Row]) -> None:
    """Say of each open card how long it has been in its stage."""
    for card in cards:
        days = card.days_in_stage or 0
        is_open = card.status == "open"
        card.plus(age="hot" if is_open and days > HOT else "warm" if is_open and days > WARM else "")


def heads(request: Request) -> HttpResponse:
    """The heads of all columns, after a card has moved."""
    listing = _listing(request, BOARD_FILTERS)
    pipelines = queries.list_pipelines(request.actor, in_use_only=True)
    if not pipelines:
        raise NotFound()
    columns = queries.column_heads(
        request.actor, _chosen(request, pipelines).id, on=today(), text=listing.text, filters=listing.filters
    )
    return page(request, "deals/heads.html", {"columns": columns})


def _chosen(request: Request, pipelines: list[Row]) -> Row:
    wanted = request.GET.get("pipeline", "")
    return next((one for one in pipelines if str(one.id) == wanted), pipelines[0])


def column(request: Request, stage_id: UUID) -> HttpResponse:
    """More cards of one column: those after the cursor."""
    on = today()
    listing = _listing(request, BOARD_FILTERS)
    stage = queries.get_stage(request.actor, stage_id)
    cards, following = queries.more_cards(
        request.actor,
        stage_id,
        on=on,
        after=request.GET.get("after", ""),
        text=listing.text,
        filters=listing.filters,
    )
    pipelines = queries.list_pipelines(request.actor)
    pipeline = next((one for one in pipelines if one.id == stage.pipeline), None)
    if pipeline is None:
        raise NotFound()
    aged(cards)
    context = {"cards": cards, "next": following, "stage": stage, "stages": pipeline.stages, "pipeline": pipeline}
    return page(request, "deals/column.html", context)


def account_panel(request: Request, account_id: UUID) -> HttpResponse:
    """The deals of one account, for the account's page."""
    found = queries.deals_of_account(request.actor, account_id, today())
    everything = f"{reverse('deals:deals')}?account={account_id}"
    context = {"found": found, "account_id": account_id, "everything": everything}
    return page(request, "deals/account_panel.html", context)
