"""Users and API keys, each described once."""

from __future__ import annotations

from counterfoil.access.models import ApiKey, User
from counterfoil.access.rules.preferences import LANGUAGES
from counterfoil.access.rules.roles import ROLES
from counterfoil.plumbing.record_types import Choices, Field, Kind, RecordType, register


def role_choices() -> Choices:
    return [(role.key, role.label) for role in ROLES.values()]


register(
    RecordType(
        key="access.user",
        model=User,
        label="User",
        plural="Users",
        title=lambda user: user.name,
        see="access.people",
        page="access:user",
        create="access.add_user",
        change="access.change_user",
        search={"name": "name", "email": "email"},
        hint=("email", "email"),
        fields=(
            Field("name", "Name", required=True),
            Field("email", "E-mail address", Kind.EMAIL, required=True, max_length=254, help="Logs in with it."),
            Field("roles", "Roles", Kind.CHOICES, required=True, choices=role_choices),
            Field("is_active", "Active", Kind.YES_NO, help="May log in."),
            Field("language", "Language", Kind.CHOICE, choices=LANGUAGES),
            Field("last_login", "Last log-in", Kind.INSTANT, computed=True),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)

register(
    RecordType(
        key="access.api_key",
        model=ApiKey,
        label="API key",
        plural="API keys",
        title=lambda key: key.name,
        see="access.see",
        page="access:api_keys",
        create="access.make_api_key",
        fields=(
            Field("name", "Name", required=True, help="Which program uses it."),
            Field("roles", "Roles", Kind.CHOICES, required=True, choices=role_choices),
            Field("expires_at", "Runs out", Kind.INSTANT),
            Field("prefix", "Begins with", computed=True, read=lambda key: f"cf_{key.prefix}"),
            Field("made_by", "Made by", Kind.LINK, computed=True, to="access.user"),
            Field("created_at", "Made", Kind.INSTANT, computed=True),
            Field("last_used_at", "Last used", Kind.INSTANT, computed=True),
            Field("revoked_at", "Revoked", Kind.INSTANT, computed=True),
        ),
    )
)
