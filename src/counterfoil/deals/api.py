"""Deals and pipelines on the API."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.core.errors import Refusal
from counterfoil.deals import commands, queries
from counterfoil.deals.web.days import today
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import plain, row_json

router = Router()

DEAL, PIPELINE, STAGE = "deals.deal", "deals.pipeline", "deals.stage"


class DealFilters(Paging):
    """Which deals; several values of one name, separated by commas, are alternatives."""

    status: str = SchemaField(default="", max_length=200)
    pipeline: str = SchemaField(default="", max_length=2000)
    stage: str = SchemaField(default="", max_length=2000)
    owner: str = SchemaField(default="", max_length=2000)
    account: str = SchemaField(default="", max_length=2000)

    def filters(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        if self.status:
            found["status"] = self.status.split(",")
        for name in ("pipeline", "stage", "owner", "account"):
            raw = getattr(self, name)
            if raw:
                found[name] = [_id(name, part) for part in raw.split(",")]
        return found


def _id(name: str, text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        raise Refusal("not_an_id", f"“{text[:40]}” is not the id of a record.", name) from None


class Move(Order):
    stage: UUID
    version: int | None = None
    since: date | None = SchemaField(default=None, description="Since when it is there. Without it: today.")


class Loss(Order):
    reason: Words
    version: int | None = None


class Reopening(Order):
    stage: UUID | None = SchemaField(default=None, description="An open stage. Without it: the last one.")
    version: int | None = None


class Win(Order):
    version: int | None = None


class HandoverAnswer(Schema):
    """What a won deal became. ``is_new`` is false when the deal had been handed over before."""

    deal: UUID
    invoice: UUID | None = SchemaField(description="Its draft; null while nothing is to be billed yet.")
    subscription: UUID | None = SchemaField(description="What its recurring lines became; null when it has none.")
    quote_version: int
    is_new: bool


class NeedAnswer(Schema):
    """One thing that billing needs before the deal can be won."""

    code: str
    label: str
    ok: bool
    value: str | None = SchemaField(description="What there is; null when the key may not read it.")
    source: str
    missing: str = SchemaField(description="What to do when it is missing.")
    record: str
    record_id: UUID | None
    field: str
    who: list[str] = SchemaField(description="The roles that may enter it.")


class ReadinessAnswer(Schema):
    ready: bool
    items: list[NeedAnswer]


class Part(Order):
    contact: UUID
    role: Words


class PartAnswer(Schema):
    id: UUID


class StageOrder(Order):
    stages: list[UUID] = SchemaField(max_length=100)


def _deal(request: Request, deal_id: UUID) -> dict[str, Any]:
    return row_json(queries.get_deal(request.actor, deal_id, today()))


@router.get("/deals", response=page_of(DEAL), summary="List deals")
def list_deals(request: Request, paging: Query[DealFilters]) -> dict[str, Any]:
    rows = queries.deals_after(
        request.actor, on=today(), after=paging.after, take=paging.take, filters=paging.filters()
    )
    return paging.page(rows)


@router.post("/deals", response={201: schema_for(DEAL)}, summary="Add a deal")
def add_deal(request: Request, values: schema_for(DEAL, "create")) -> Any:  # type: ignore[valid-type]
    deal_id = commands.add_deal(actor=request.actor, values=values.values(), on=today())
    return Status(201, _deal(request, deal_id))


@router.get("/deals/{uuid:deal_id}", response=schema_for(DEAL), summary="Read a deal")
def get_deal(request: Request, deal_id: UUID) -> dict[str, Any]:
    return _deal(request, deal_id)


@router.patch("/deals/{uuid:deal_id}", response=schema_for(DEAL), summary="Change a deal")
def change_deal(request: Request, deal_id: UUID, values: schema_for(DEAL, "change")) -> dict[str, Any]:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_deal(actor=request.actor, deal_id=deal_id, values=changes, version=version, on=today())
    return _deal(request, deal_id)


@router.post("/deals/{uuid:deal_id}/move", response=schema_for(DEAL), summary="Move an open deal to another open stage")
def move_deal(request: Request, deal_id: UUID, move: Move) -> dict[str, Any]:
    commands.move_deal(
        actor=request.actor,
        deal_id=deal_id,
        stage_id=move.stage,
        on=today(),
        version=move.version,
        since=move.since,
    )
    return _deal(request, deal_id)


@router.post("/deals/{uuid:deal_id}/win", response=HandoverAnswer, summary="Mark a deal won and hand it to billing")
def win_deal(request: Request, deal_id: UUID, win: Win | None = None) -> dict[str, Any]:
    """Makes one draft and, of its recurring lines, one subscription per deal and quote version.

    Winning again returns the same.
    """
    handover = commands.win_deal(
        actor=request.actor, deal_id=deal_id, on=today(), at=clock.now(), version=win.version if win else None
    )
    return {
        "deal": handover.deal_id,
        "invoice": handover.invoice_id,
        "subscription": handover.subscription_id,
        "quote_version": handover.quote_version,
        "is_new": handover.is_new,
    }


@router.post("/deals/{uuid:deal_id}/lose", response=schema_for(DEAL), summary="Mark a deal lost")
def lose_deal(request: Request, deal_id: UUID, loss: Loss) -> dict[str, Any]:
    commands.lose_deal(actor=request.actor, deal_id=deal_id, reason=loss.reason, on=today(), version=loss.version)
    return _deal(request, deal_id)


@router.post("/deals/{uuid:deal_id}/reopen", response=schema_for(DEAL), summary="Open a won or lost deal again")
def reopen_deal(request: Request, deal_id: UUID, reopening: Reopening | None = None) -> dict[str, Any]:
    commands.reopen_deal(
        actor=request.actor,
        deal_id=deal_id,
        on=today(),
        stage_id=reopening.stage if reopening else None,
        version=reopening.version if reopening else None,
    )
    return _deal(request, deal_id)


@router.get("/deals/{uuid:deal_id}/readiness", response=ReadinessAnswer, summary="What billing needs of a deal")
def readiness(request: Request, deal_id: UUID) -> dict[str, Any]:
    needs = queries.readiness_of(request.actor, deal_id, today())
    items = [
        {
            "code": need.code,
            "label": need.label,
            "ok": need.ok,
            "value": need.value if isinstance(need.value, str) else None,
            "source": need.source,
            "missing": "" if need.ok else need.missing,
            "record": need.fix.record,
            "record_id": need.fix.record_id,
            "field": need.fix.field,
            "who": list(need.who),
        }
        for need in needs
    ]
    return {"ready": all(need.ok for need in needs), "items": items}


@router.get("/deals/{uuid:deal_id}/handoff", response=dict[str, Any], summary="What became of a won deal")
def handoff(request: Request, deal_id: UUID) -> dict[str, Any]:
    """The drafts and invoices of the deal, newest first, with their state and what is still open, and its
    subscription with the next day on which it is billed.
    """
    state = queries.handoff_of(request.actor, deal_id, today())
    if state is None:
        return {"handed_over_at": None, "by": "", "documents": [], "subscription": None}
    documents = [*([state.document] if state.document else []), *state.earlier]
    return {
        "handed_over_at": plain(state.made_at),
        "by": state.by_name,
        "documents": [row_json(document, state=document.state) for document in documents],
        "subscription": _subscription(state.subscription),
    }


def _subscription(one: queries.Recurring | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "id": str(one.id),
        "number": one.number,
        "state": one.state,
        "starts_on": plain(one.starts_on),
        "next_on": plain(one.next_on),
        "ends_on": plain(one.ends_on),
    }


@router.post("/deals/{uuid:deal_id}/contacts", response={201: PartAnswer}, summary="Give a person a part in a deal")
def set_deal_contact(request: Request, deal_id: UUID, part: Part) -> Any:
    part_id = commands.set_deal_contact(actor=request.actor, deal_id=deal_id, contact_id=part.contact, role=part.role)
    return Status(201, {"id": part_id})


@router.delete("/deals/{uuid:deal_id}/contacts/{uuid:part_id}", response={204: None}, summary="End a person’s part")
def remove_deal_contact(request: Request, deal_id: UUID, part_id: UUID) -> Any:
    commands.remove_deal_contact(actor=request.actor, deal_id=deal_id, part_id=part_id)
    return Status(204, None)


# Pipelines ------------------------------------------------------------------------------------------------------------


def _pipeline(row: Any) -> dict[str, Any]:
    return row_json(row, stages=[row_json(stage) for stage in row.stages])


@router.get("/pipelines", response=list[dict[str, Any]], summary="List pipelines with their stages")
def list_pipelines(request: Request) -> list[dict[str, Any]]:
    return [_pipeline(row) for row in queries.list_pipelines(request.actor)]


@router.post("/pipelines", response={201: dict[str, Any]}, summary="Add a pipeline with the usual stages")
def add_pipeline(request: Request, values: schema_for(PIPELINE, "create")) -> Any:  # type: ignore[valid-type]
    pipeline_id = commands.add_pipeline(actor=request.actor, values=values.values())
    return Status(201, _pipeline(queries.get_pipeline(request.actor, pipeline_id)))


@router.get("/pipelines/{uuid:pipeline_id}", response=dict[str, Any], summary="Read a pipeline with its stages")
def get_pipeline(request: Request, pipeline_id: UUID) -> dict[str, Any]:
    return _pipeline(queries.get_pipeline(request.actor, pipeline_id))


@router.patch("/pipelines/{uuid:pipeline_id}", response=dict[str, Any], summary="Rename a pipeline or end its use")
def change_pipeline(
    request: Request,
    pipeline_id: UUID,
    values: schema_for(PIPELINE, "change"),  # type: ignore[valid-type]
) -> dict[str, Any]:
    changes, version = values.change()
    commands.change_pipeline(actor=request.actor, pipeline_id=pipeline_id, values=changes, version=version)
    return _pipeline(queries.get_pipeline(request.actor, pipeline_id))


@router.post("/pipelines/{uuid:pipeline_id}/stages", response={201: schema_for(STAGE)}, summary="Add a stage")
def add_stage(
    request: Request,
    pipeline_id: UUID,
    values: schema_for(STAGE, "create"),  # type: ignore[valid-type]
) -> Any:
    stage_id = commands.add_stage(actor=request.actor, pipeline_id=pipeline_id, values=values.values())
    return Status(201, row_json(queries.get_stage(request.actor, stage_id)))


@router.put("/pipelines/{uuid:pipeline_id}/stages/order", response=dict[str, Any], summary="Order the open stages")
def order_stages(request: Request, pipeline_id: UUID, order: StageOrder) -> dict[str, Any]:
    commands.order_stages(actor=request.actor, pipeline_id=pipeline_id, stage_ids=order.stages)
    return _pipeline(queries.get_pipeline(request.actor, pipeline_id))


@router.patch("/stages/{uuid:stage_id}", response=schema_for(STAGE), summary="Change a stage")
def change_stage(request: Request, stage_id: UUID, values: schema_for(STAGE, "change")) -> dict[str, Any]:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_stage(actor=request.actor, stage_id=stage_id, values=changes, version=version)
    return row_json(queries.get_stage(request.actor, stage_id))


@router.delete("/stages/{uuid:stage_id}", response={204: None}, summary="Remove an empty stage")
def remove_stage(request: Request, stage_id: UUID) -> Any:
    commands.remove_stage(actor=request.actor, stage_id=stage_id)
    return Status(204, None)
