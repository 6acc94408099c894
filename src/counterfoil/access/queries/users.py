"""Users, their roles, and API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.models import ApiKey, User
from counterfoil.access.projection import Row, project, project_one
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.access.rules.roles import ROLES, Role

USER, API_KEY = "access.user", "access.api_key"
_SORTS = {"name": "name", "email": "email", "created_at": "created_at", "last_login": "last_login"}


@dataclass(frozen=True)
class Found:
    """One page of a list, and how many rows there are."""

    rows: list[Row]
    count: int


def list_users(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "name",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Users by name. ``filters`` may hold ``is_active`` and ``roles`` as lists of what is wanted."""
    users = User.objects.all()
    given = filters or {}
    if "is_active" in given:
        users = users.filter(is_active__in=given["is_active"])
    if "roles" in given:
        users = users.filter(roles__overlap=given["roles"])
    if text:
        users = users.filter(Q(name__icontains=text) | Q(email__icontains=text))
    order = _SORTS.get(sort.lstrip("-"), "name")
    users = users.order_by(f"{'-' if sort.startswith('-') else ''}{order}", "id")
    rows = [_with_roles(row) for row in project(actor, USER, users[offset : offset + limit])]
    return Found(rows, users.count())


def _with_roles(row: Row) -> Row:
    names = [ROLES[key].label for key in row.roles] if row.roles else []
    return row.plus(role_names=", ".join(names), state="active" if row.is_active else "inactive")


def get_user(actor: Actor, user_id: UUID) -> Row:
    """One user; raises ``NotFound``."""
    user = User.objects.filter(pk=user_id).first()
    row = _with_roles(project_one(actor, USER, user))
    return row.plus(has_password=user is not None and user.has_usable_password())


def users_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Users in the order of their ids."""
    users = User.objects.order_by("id")
    return project(actor, USER, (users.filter(id__gt=after) if after else users)[:take])


def people(actor: Actor) -> list[tuple[UUID, str]]:
    """The active colleagues by name, for lists of owners."""
    rows = project(actor, USER, User.objects.filter(is_active=True).order_by("name"))
    return [(row.id, row.name) for row in rows]


def list_api_keys(actor: Actor) -> list[Row]:
    """Every key, newest first, with who made it and whether it works."""
    keys = list(ApiKey.objects.select_related("made_by").order_by("-id"))
    rows = project(actor, API_KEY, keys)
    for row, key in zip(rows, keys, strict=False):
        names = [ROLES[role].label for role in key.roles]
        row.plus(made_by_title=key.made_by.name if key.made_by else "", role_names=", ".join(names))
    return rows


def get_api_key(actor: Actor, key_id: UUID) -> Row:
    """One key; raises ``NotFound``."""
    return project_one(actor, API_KEY, ApiKey.objects.filter(pk=key_id).first())


def api_keys_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Keys in the order of their ids."""
    keys = ApiKey.objects.order_by("id")
    return project(actor, API_KEY, (keys.filter(id__gt=after) if after else keys)[:take])


@dataclass(frozen=True)
class Matrix:
    """What each role may do: a line per permission and per field group, a cell per role."""

    roles: Sequence[Role]
    permissions: Sequence[tuple[str, str, tuple[bool, ...]]]
    groups: Sequence[tuple[str, tuple[str, ...]]]


def roles() -> Matrix:
    """Roles are data of the product, the same for every reader."""
    known = list(ROLES.values())
    permissions = [
        (name, what, tuple(name in role.permissions for role in known)) for name, what in PERMISSIONS.items()
    ]
    every_group = ("general", "identity", "terms", "tax", "pricing", "bank")
    groups = [
        (
            group,
            tuple("change" if group in role.writes else "see" if group in role.reads else "none" for role in known),
        )
        for group in every_group
    ]
    return Matrix(known, permissions, groups)
