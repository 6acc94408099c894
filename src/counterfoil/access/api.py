"""Users, keys, roles and the audit log on the API."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access import commands, queries
from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.access.rules.roles import EVERY_GROUP
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, page_of, schema_for
from counterfoil.surface.as_json import plain, row_json

router = Router()

USER, API_KEY = "access.user", "access.api_key"


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


class Me(Schema):
    """The key with which this was asked, and what it may do."""

    kind: str
    id: UUID | None
    name: str
    roles: list[str]
    permissions: list[str]
    reads: list[str] = SchemaField(description="Field groups that it sees.")
    writes: list[str] = SchemaField(description="Field groups that it may change.")


@router.get("/me", response=Me, summary="Who am I, and what may I do")
def me(request: HttpRequest) -> dict[str, Any]:
    actor = _actor(request)
    return {
        "kind": actor.kind,
        "id": actor.id,
        "name": actor.name,
        "roles": sorted(actor.roles),
        "permissions": [name for name in PERMISSIONS if actor.may(name)],
        "reads": sorted(actor.reads & EVERY_GROUP),
        "writes": sorted(actor.writes & EVERY_GROUP),
    }


class RoleAnswer(Schema):
    key: str
    label: str
    what: str
    permissions: list[str]
    reads: list[str]
    writes: list[str]


@router.get("/roles", response=list[RoleAnswer], summary="What each role may do")
def list_roles(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "key": role.key,
            "label": role.label,
            "what": role.what,
            "permissions": sorted(role.permissions),
            "reads": sorted(role.reads),
            "writes": sorted(role.writes),
        }
        for role in queries.roles().roles
    ]


@router.get("/users", response=page_of(USER), summary="List users")
def list_users(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    return paging.page(queries.users_after(_actor(request), after=paging.after, take=paging.take))


@router.post("/users", response={201: schema_for(USER)}, summary="Add a user")
def add_user(request: HttpRequest, values: schema_for(USER, "create")) -> Any:  # type: ignore[valid-type]
    """The user cannot log in before a password is set."""
    user_id = commands.add_user(actor=_actor(request), values=values.values())
    return Status(201, row_json(queries.get_user(_actor(request), user_id)))


@router.get("/users/{uuid:user_id}", response=schema_for(USER), summary="Read a user")
def get_user(request: HttpRequest, user_id: UUID) -> dict[str, Any]:
    return row_json(queries.get_user(_actor(request), user_id))


@router.patch("/users/{uuid:user_id}", response=schema_for(USER), summary="Change a user")
def change_user(request: HttpRequest, user_id: UUID, values: schema_for(USER, "change")) -> dict[str, Any]:  # type: ignore[valid-type]
    """Roles hold from the next request on. A deactivated user is logged out at once."""
    changes, version = values.change()
    commands.change_user(actor=_actor(request), user_id=user_id, values=changes, version=version)
    return row_json(queries.get_user(_actor(request), user_id))


class Password(Order):
    password: str


@router.put("/users/{uuid:user_id}/password", response={204: None}, summary="Give a user a password")
def set_password(request: HttpRequest, user_id: UUID, body: Password) -> Any:
    commands.set_password(actor=_actor(request), user_id=user_id, password=body.password)
    return Status(204, None)


class NewKey(Schema):
    """The only answer that holds the key itself."""

    id: UUID
    key: str | None = SchemaField(description="Null when the answer is repeated: only the key's hash is kept.")


@router.get("/api-keys", response=page_of(API_KEY), summary="List API keys")
def list_api_keys(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    return paging.page(queries.api_keys_after(_actor(request), after=paging.after, take=paging.take))


@router.post("/api-keys", response={201: NewKey}, summary="Make an API key")
def make_api_key(request: HttpRequest, values: schema_for(API_KEY, "create")) -> Any:  # type: ignore[valid-type]
    key_id, secret = commands.make_api_key(
        actor=_actor(request),
        values=values.values(),
        at=clock.now(),
    )
    request.kept_answer = {"id": str(key_id), "key": None}  # type: ignore[attr-defined]  # see app/once.py
    return Status(201, {"id": key_id, "key": secret})


@router.get("/api-keys/{uuid:key_id}", response=schema_for(API_KEY), summary="Read an API key")
def get_api_key(request: HttpRequest, key_id: UUID) -> dict[str, Any]:
    return row_json(queries.get_api_key(_actor(request), key_id))


@router.post("/api-keys/{uuid:key_id}/revoke", response=schema_for(API_KEY), summary="Revoke an API key")
def revoke_api_key(request: HttpRequest, key_id: UUID) -> dict[str, Any]:
    commands.revoke_api_key(actor=_actor(request), key_id=key_id, at=clock.now())
    return row_json(queries.get_api_key(_actor(request), key_id))


class ChangeFilters(Schema):
    """Newest first. ``before`` is the ``next_before`` of the page before."""

    by: UUID | None = SchemaField(default=None, description="The id of the user or key that acted.")
    kind: str = SchemaField(default="", max_length=100, description="A record type, such as accounts.account.")
    record: UUID | None = None
    command: str = SchemaField(default="", max_length=100)
    since: date | None = None
    until: date | None = None
    before: int | None = SchemaField(default=None, ge=1, le=2**63 - 1)
    limit: int = SchemaField(default=50, ge=1, le=200)


class DifferenceAnswer(Schema):
    label: str
    before: Any = None
    after: Any = None
    is_closed: bool = SchemaField(description="The value belongs to a group that this key may not read.")


class ChangeAnswer(Schema):
    id: int
    at: str
    who: str
    who_kind: str
    origin: str
    what: str
    reason: str
    operation: str
    kind: str
    record: UUID
    title: str
    differences: list[DifferenceAnswer]


class ChangesPage(Schema):
    items: list[ChangeAnswer]
    next_before: int | None


@router.get("/changes", response=ChangesPage, summary="Who changed what, when, before and after")
def list_changes(request: HttpRequest, filters: Query[ChangeFilters]) -> dict[str, Any]:
    found = queries.list_changes(
        _actor(request),
        by=filters.by,
        key=filters.kind,
        record_id=filters.record,
        command=filters.command,
        since=filters.since,
        until=filters.until,
        before=filters.before,
        limit=filters.limit + 1,
    )
    shown = found[: filters.limit]
    return {
        "items": [_change(change) for change in shown],
        "next_before": shown[-1].id if len(found) > filters.limit else None,
    }


def _change(change: queries.Changed) -> dict[str, Any]:
    return {
        "id": change.id,
        "at": plain(change.at),
        "who": change.who,
        "who_kind": change.who_kind,
        "origin": change.origin,
        "what": change.what,
        "reason": change.reason,
        "operation": change.operation,
        "kind": change.key,
        "record": change.record_id,
        "title": change.title,
        "differences": [_difference(one) for one in change.differences],
    }


def _difference(one: queries.Difference) -> dict[str, Any]:
    if CLOSED in (one.before, one.after):
        return {"label": one.label, "is_closed": True}
    return {"label": one.label, "before": plain(one.before), "after": plain(one.after), "is_closed": False}
