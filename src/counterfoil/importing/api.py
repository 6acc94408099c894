"""Imports on the API: the wizard's steps as operations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ninja import File, Form, Query, Router, Schema, Status, UploadedFile
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.importing import commands, queries
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, schema_for
from counterfoil.surface.as_json import row_json

router = Router()

BATCH = "importing.batch"


class Columns(Order):
    """Which column is which field; how dates are written, by field; and what the file does not say."""

    mapping: dict[str, str]
    date_orders: dict[str, str] = SchemaField(default_factory=dict)
    options: dict[str, str] = SchemaField(default_factory=dict)


class Meanings(Order):
    """By field and text, the id or key that it stands for; empty for "leave empty"."""

    meanings: dict[str, dict[str, str]]


class UnknownValue(Schema):
    field: str
    label: str
    text: str
    rows: int
    suggestion: str


class RowAnswer(Schema):
    number: int
    cells: list[str]
    action: str
    problems: list[dict[str, str]]
    record: UUID | None
    title: str
    fate: str
    kept_because: str


class RowsFilter(Schema):
    action: str = SchemaField(default="", max_length=20)
    fate: str = SchemaField(default="", max_length=20)
    after: int = SchemaField(default=0, ge=0)
    limit: int = SchemaField(default=100, ge=1, le=1000)


@router.get("/imports", response=list[schema_for(BATCH)], summary="List imports")  # type: ignore[misc]
def list_imports(request: Request, paging: Query[Paging]) -> Any:
    return [row_json(row) for row in queries.list_batches(request.actor, limit=paging.limit).rows]


@router.post("/imports", response={201: schema_for(BATCH)}, summary="Upload a file")
def upload(request: Request, file: File[UploadedFile], kind: Form[str] = "") -> Any:
    """Reads it and matches its columns as well as can be guessed. Loads nothing."""
    batch_id = commands.upload_file(
        actor=request.actor, name=file.name or "file", content=file.read(), kind=kind, at=clock.now()
    )
    return Status(201, row_json(queries.get_batch(request.actor, batch_id)))


@router.get("/imports/{uuid:batch_id}", response=schema_for(BATCH), summary="Get an import")
def get_import(request: Request, batch_id: UUID) -> Any:
    return row_json(queries.get_batch(request.actor, batch_id))


@router.get("/imports/{uuid:batch_id}/rows", response=list[RowAnswer], summary="Rows with their verdict or fate")
def get_rows(request: Request, batch_id: UUID, wanted: Query[RowsFilter]) -> Any:
    rows = queries.rows_of(
        request.actor, batch_id, action=wanted.action, loaded_action=wanted.fate, after=wanted.after, limit=wanted.limit
    )
    return [
        {
            "number": row.number,
            "cells": list(row.cells),
            "action": row.action,
            "problems": [dict(problem) for problem in row.problems],
            "record": row.target_id,
            "title": row.target_title,
            "fate": row.loaded_action,
            "kept_because": row.kept_because,
        }
        for row in rows
    ]


@router.get("/imports/{uuid:batch_id}/unknown-values", response=list[UnknownValue], summary="What must be asked")
def get_unknown_values(request: Request, batch_id: UUID) -> Any:
    return [
        {
            "field": item.unknown.field_id,
            "label": item.unknown.label,
            "text": item.unknown.text,
            "rows": item.unknown.count,
            "suggestion": item.said,
        }
        for item in queries.asked_values(request.actor, batch_id)
    ]


@router.post("/imports/{uuid:batch_id}/columns", response=schema_for(BATCH), summary="Match the columns and check")
def match_columns(request: Request, batch_id: UUID, order: Columns) -> Any:
    commands.match_columns(
        actor=request.actor,
        batch_id=batch_id,
        mapping=order.mapping,
        date_orders=order.date_orders,
        options=order.options,
    )
    return row_json(queries.get_batch(request.actor, batch_id))


@router.post("/imports/{uuid:batch_id}/values", response=schema_for(BATCH), summary="Say what values stand for")
def say_meanings(request: Request, batch_id: UUID, order: Meanings) -> Any:
    commands.say_meanings(actor=request.actor, batch_id=batch_id, meanings=order.meanings)
    return row_json(queries.get_batch(request.actor, batch_id))


@router.post("/imports/{uuid:batch_id}/load", response=schema_for(BATCH), summary="Load in the background")
def load(request: Request, batch_id: UUID) -> Any:
    commands.start_loading(actor=request.actor, batch_id=batch_id)
    return row_json(queries.get_batch(request.actor, batch_id))


@router.post("/imports/{uuid:batch_id}/undo", response=schema_for(BATCH), summary="Take back what was loaded")
def undo(request: Request, batch_id: UUID) -> Any:
    commands.start_undoing(actor=request.actor, batch_id=batch_id)
    return row_json(queries.get_batch(request.actor, batch_id))


@router.delete("/imports/{uuid:batch_id}", response={204: None}, summary="Discard an upload")
def discard(request: Request, batch_id: UUID) -> Any:
    commands.discard_batch(actor=request.actor, batch_id=batch_id)
    return Status(204, None)
