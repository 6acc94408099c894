"""Our own companies on the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ninja import Query, Router, Status

from counterfoil.access.requests import Request
from counterfoil.ledger import commands, queries
from counterfoil.surface.api import Paging, page_of, schema_for
from counterfoil.surface.as_json import row_json

router = Router()

ENTITY = "ledger.entity"


@router.get("/entities", response=page_of(ENTITY), summary="List our companies")
def list_entities(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.entities_after(request.actor, after=paging.after, take=paging.take))


@router.post("/entities", response={201: schema_for(ENTITY)}, summary="Add a company")
def add_entity(request: Request, values: schema_for(ENTITY, "create")) -> Any:  # type: ignore[valid-type]
    entity_id = commands.add_entity(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_entity(request.actor, entity_id)))


@router.get("/entities/{uuid:entity_id}", response=schema_for(ENTITY), summary="Get a company")
def get_entity(request: Request, entity_id: UUID) -> Any:
    return row_json(queries.get_entity(request.actor, entity_id))


@router.patch("/entities/{uuid:entity_id}", response=schema_for(ENTITY), summary="Change a company")
def change_entity(request: Request, entity_id: UUID, values: schema_for(ENTITY, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_entity(actor=request.actor, entity_id=entity_id, values=changes, version=version)
    return row_json(queries.get_entity(request.actor, entity_id))
