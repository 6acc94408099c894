"""Pipelines and their stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Max

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.deals.models import Deal, Pipeline, Stage, StageKind

SALES = "Sales"
SALES_STAGES = (
    ("Prospecting", StageKind.OPEN, 10, False),
    ("Engaging", StageKind.OPEN, 30, True),
    ("Proposal", StageKind.OPEN, 60, True),
    ("Negotiation", StageKind.OPEN, 80, True),
    ("Won", StageKind.WON, 100, True),
    ("Lost", StageKind.LOST, 0, False),
)
"""Name, kind, probability, and whether a deal lists there what billing needs."""


@command("deals.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor) -> UUID:
    """Make the pipeline with which an installation starts. Does nothing when there is one already."""
    known = Pipeline.objects.order_by("position", "name").first()
    if known is not None:
        return known.pk
    return _new_pipeline(SALES)


@command("deals.add_pipeline", needs="settings.change", takes={"values": Takes("deals.pipeline")})
def add_pipeline(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add a pipeline with the usual stages, which can then be renamed, ordered and removed."""
    _refuse_second_name(values["name"], None)
    return _new_pipeline(values["name"])


def _new_pipeline(name: str) -> UUID:
    last = Pipeline.objects.aggregate(last=Max("position"))["last"]
    pipeline = Pipeline.objects.create(name=name, position=0 if last is None else last + 1)
    Stage.objects.bulk_create(
        Stage(
            pipeline=pipeline,
            name=stage,
            position=position,
            kind=kind,
            probability=probability,
            shows_readiness=shows_readiness,
        )
        for position, (stage, kind, probability, shows_readiness) in enumerate(SALES_STAGES)
    )
    return pipeline.pk


@command("deals.change_pipeline", needs="settings.change", takes={"values": Takes("deals.pipeline", partial=True)})
def change_pipeline(*, actor: Actor, pipeline_id: UUID, values: Mapping[str, Any], version: int | None = None) -> None:
    """Rename a pipeline or take it out of use, which needs that no deal is open in it."""
    pipeline = Pipeline.objects.select_for_update().filter(pk=pipeline_id).first()
    if pipeline is None:
        raise NotFound()
    if version is not None and version != pipeline.version:
        raise Stale()
    if "name" in values:
        _refuse_second_name(values["name"], pipeline_id)
        pipeline.name = values["name"]
    if values.get("is_active") is False and pipeline.is_active:
        open_deals = Deal.objects.filter(pipeline=pipeline, status=StageKind.OPEN).count()
        if open_deals:
            raise Conflict("in_use", f"{_deals(open_deals)} still open in this pipeline. Move or close them first.")
        if not Pipeline.objects.filter(is_active=True).exclude(pk=pipeline_id).exists():
            raise Conflict("last_one", "This is the only pipeline in use.", "is_active")
    if "is_active" in values:
        pipeline.is_active = values["is_active"]
    pipeline.version += 1
    pipeline.save()


def _deals(count: int) -> str:
    return "1 deal is" if count == 1 else f"{count:,} deals are"


def _refuse_second_name(name: str, except_id: UUID | None) -> None:
    others = Pipeline.objects.filter(name=name)
    if (others.exclude(pk=except_id) if except_id else others).exists():
        raise Refusal("taken", "Another pipeline has this name.", "name")


@command("deals.add_stage", needs="settings.change", takes={"values": Takes("deals.stage")})
def add_stage(*, actor: Actor, pipeline_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Add an open stage behind the other open ones."""
    stages = _locked_stages(pipeline_id)
    _refuse_second_stage(stages, values["name"], None)
    before = [stage for stage in stages if stage.kind == StageKind.OPEN]
    new = Stage(pipeline_id=pipeline_id, name=values["name"], position=len(before), kind=StageKind.OPEN)
    _set(new, values)
    behind = [stage for stage in stages if stage.kind != StageKind.OPEN]
    _renumber([*before, new, *behind])
    new.save(force_insert=True)
    return new.pk


@command("deals.change_stage", needs="settings.change", takes={"values": Takes("deals.stage", partial=True)})
def change_stage(*, actor: Actor, stage_id: UUID, values: Mapping[str, Any], version: int | None = None) -> None:
    """Rename a stage, or change its probability or whether deals list there what billing needs."""
    stage = Stage.objects.select_for_update().filter(pk=stage_id).first()
    if stage is None:
        raise NotFound()
    if version is not None and version != stage.version:
        raise Stale()
    if "name" in values:
        _refuse_second_stage(list(Stage.objects.filter(pipeline_id=stage.pipeline_id)), values["name"], stage_id)
    _set(stage, values)
    stage.version += 1
    stage.save()


@command("deals.order_stages", needs="settings.change")
def order_stages(*, actor: Actor, pipeline_id: UUID, stage_ids: Sequence[UUID]) -> None:
    """Put the open stages of a pipeline in this order. Won and lost stay at the end."""
    stages = {stage.pk: stage for stage in _locked_stages(pipeline_id)}
    open_ids = [pk for pk, stage in stages.items() if stage.kind == StageKind.OPEN]
    wanted = [pk for pk in stage_ids if pk in open_ids]
    if len(stage_ids) != len(set(stage_ids)) or set(wanted) != set(open_ids):
        raise Refusal("not_all", "Name every open stage of this pipeline once.", "stages")
    behind = [stage for pk, stage in stages.items() if pk not in open_ids]
    _renumber([*(stages[pk] for pk in wanted), *behind])


@command("deals.remove_stage", needs="settings.change")
def remove_stage(*, actor: Actor, stage_id: UUID) -> None:
    """Remove an open stage that holds no deal. A pipeline keeps one open stage at least."""
    stage = Stage.objects.filter(pk=stage_id).first()
    if stage is None:
        raise NotFound()
    stages = _locked_stages(stage.pipeline_id)
    if stage.kind != StageKind.OPEN:
        raise Conflict("needed", "A pipeline always has a stage for won and one for lost deals.")
    rest = [other for other in stages if other.pk != stage_id]
    if not any(other.kind == StageKind.OPEN for other in rest):
        raise Conflict("last_one", "This is the only open stage of the pipeline.")
    held = Deal.objects.filter(stage=stage).count()
    if held:
        raise Conflict("in_use", f"{_deals(held)} in this stage. Move them first.")
    stage.delete()
    _renumber(rest)


def _locked_stages(pipeline_id: UUID) -> list[Stage]:
    if Pipeline.objects.select_for_update().filter(pk=pipeline_id).first() is None:
        raise NotFound()
    return list(Stage.objects.select_for_update().filter(pipeline_id=pipeline_id).order_by("position"))


def _refuse_second_stage(stages: Sequence[Stage], name: str, except_id: UUID | None) -> None:
    if any(stage.name == name and stage.pk != except_id for stage in stages):
        raise Refusal("taken", "Another stage of this pipeline has this name.", "name")


def _set(stage: Stage, values: Mapping[str, Any]) -> None:
    if "name" in values:
        stage.name = values["name"]
    if values.get("probability") is not None and stage.kind == StageKind.OPEN:
        stage.probability = values["probability"]
    if "shows_readiness" in values:
        stage.shows_readiness = values["shows_readiness"]


def _renumber(stages: Sequence[Stage]) -> None:
    moved = []
    for position, stage in enumerate(stages):
        if stage.position != position:
            stage.position = position
            if not stage._state.adding:
                stage.version += 1
                moved.append(stage)
    Stage.objects.bulk_update(moved, ["position", "version"])
