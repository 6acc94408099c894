"""Pipelines and stages, in the settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import parse_id
from counterfoil.deals import commands, queries
from counterfoil.surface.forms import Form, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say

STAGE = ("name", "probability", "shows_readiness")


def pipelines(request: Request) -> HttpResponse:
    """All pipelines; POST adds one."""
    typed = values_from(request.POST, "deals.pipeline", only=["name"])
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            pipeline_id = commands.add_pipeline(actor=request.actor, values=typed)
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "Pipeline added.")
            return go(request, reverse("deals:pipeline", args=[pipeline_id]))
    form = record_form("deals.pipeline", typed=typed, only=["name"], problems=refusal or ())
    context = {"pipelines": queries.list_pipelines(request.actor), "form": form}
    return page(request, "deals/pipelines.html", context, status=refusal.status if refusal else 200)


def pipeline(request: Request, pipeline_id: UUID) -> HttpResponse:
    """One pipeline with its stages; POST changes its name and use."""
    row = queries.get_pipeline(request.actor, pipeline_id)
    if request.method != "POST":
        return _page(request, row)
    typed = values_from(request.POST, "deals.pipeline", only=["name", "is_active"])
    try:
        commands.change_pipeline(
            actor=request.actor, pipeline_id=pipeline_id, values=typed, version=version_from(request.POST)
        )
    except Refusal as refusal:
        return _page(request, row, form=_form(row, typed, refusal), status=refusal.status)
    say(request, "Saved.")
    return go(request, reverse("deals:pipeline", args=[pipeline_id]))


def _form(row: Row, typed: Any = None, refusal: Refusal | None = None) -> Form:
    return record_form("deals.pipeline", values=row, typed=typed, only=["name", "is_active"], problems=refusal or ())


def _page(
    request: Request,
    row: Row,
    *,
    form: Form | None = None,
    new: Form | None = None,
    stage: Any = None,
    status: int = 200,
) -> HttpResponse:
    """``stage`` is a stage's id with its refused form."""
    refused = dict([stage]) if stage else {}
    open_stages = [one for one in row.stages if one.kind == "open"]
    stages = [
        {
            "stage": one,
            "form": refused.get(one.id) or _stage_form(one),
            "held": row.held.get(one.id, 0),
            "order_up": _swapped(open_stages, one, -1),
            "order_down": _swapped(open_stages, one, 1),
            "may_go": one.kind == "open" and len(open_stages) > 1 and not row.held.get(one.id, 0),
        }
        for one in row.stages
    ]
    context = {
        "pipeline": row,
        "form": form or _form(row),
        "stages": stages,
        "new": new or record_form("deals.stage", only=STAGE, values={"shows_readiness": True}, prefix="new"),
    }
    return page(request, "deals/pipeline.html", context, status=status)


def _swapped(stages: list[Row], stage: Row, by: int) -> str:
    """The order of the open stages with this one moved, as ids with commas; empty when it cannot move that way."""
    ids = [str(one.id) for one in stages]
    here = ids.index(str(stage.id)) if str(stage.id) in ids else -1
    there = here + by
    if here < 0 or not 0 <= there < len(ids):
        return ""
    ids[here], ids[there] = ids[there], ids[here]
    return ",".join(ids)


def _stage_form(stage: Row, typed: Any = None, refusal: Refusal | None = None) -> Form:
    locked = {} if stage.kind == "open" else {"probability": "Fixed for won and lost."}
    return record_form(
        "deals.stage",
        values=stage,
        typed=typed,
        only=STAGE,
        problems=refusal or (),
        locked=locked,
        prefix=f"stage-{stage.position}",
    )


def add_stage(request: Request, pipeline_id: UUID) -> HttpResponse:
    typed = values_from(request.POST, "deals.stage", only=STAGE, prefix="new")
    try:
        commands.add_stage(actor=request.actor, pipeline_id=pipeline_id, values=typed)
    except Refusal as refusal:
        row = queries.get_pipeline(request.actor, pipeline_id)
        new = record_form("deals.stage", typed=typed, only=STAGE, problems=refusal, prefix="new")
        return _page(request, row, new=new, status=refusal.status)
    say(request, "Stage added.")
    return go(request, reverse("deals:pipeline", args=[pipeline_id]))


def order(request: Request, pipeline_id: UUID) -> HttpResponse:
    ids = [parse_id(part) for part in request.POST.get("stages", "").split(",")]
    commands.order_stages(actor=request.actor, pipeline_id=pipeline_id, stage_ids=ids)
    return go(request, reverse("deals:pipeline", args=[pipeline_id]))


def stage(request: Request, stage_id: UUID) -> HttpResponse:
    row = queries.get_stage(request.actor, stage_id)
    typed = values_from(request.POST, "deals.stage", only=STAGE, prefix=f"stage-{row.position}")
    try:
        commands.change_stage(actor=request.actor, stage_id=stage_id, values=typed, version=version_from(request.POST))
    except Refusal as refusal:
        pipeline_row = queries.get_pipeline(request.actor, row.pipeline)
        form = _stage_form(row, typed, refusal)
        return _page(request, pipeline_row, stage=(stage_id, form), status=refusal.status)
    say(request, f"{typed.get('name', row.title)} saved.")
    return go(request, reverse("deals:pipeline", args=[row.pipeline]))


def remove_stage(request: Request, stage_id: UUID) -> HttpResponse:
    row = queries.get_stage(request.actor, stage_id)
    commands.remove_stage(actor=request.actor, stage_id=stage_id)
    say(request, f"{row.title} removed.")
    return go(request, reverse("deals:pipeline", args=[row.pipeline]))
