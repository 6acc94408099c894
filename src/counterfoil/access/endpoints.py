"""The right that each address of this room needs."""

from __future__ import annotations

from counterfoil.access.rules.endpoints import PUBLIC, SIGNED_IN

ENDPOINTS: dict[str, str] = {
    "GET settings/users/": "access.see",
    "GET settings/users/new/": "access.change",
    "POST settings/users/new/": "access.change",
    "GET settings/users/<uuid:user_id>/": "access.see",
    "POST settings/users/<uuid:user_id>/": "access.change",
    "POST settings/users/<uuid:user_id>/link/": "access.change",
    "GET settings/roles/": "access.see",
    "GET settings/api-keys/": "access.see",
    "POST settings/api-keys/": "access.change",
    "POST settings/api-keys/<uuid:key_id>/revoke/": "access.change",
    "GET settings/audit/": "audit.see",
    "GET history/<str:key>/<uuid:record_id>/": SIGNED_IN,
    "GET profile/": "access.self",
    "POST profile/": "access.self",
    "POST profile/theme/": "access.self",
    "GET profile/password/": "access.self",
    "POST profile/password/": "access.self",
    "POST profile/sessions/": "access.self",
    "GET password/<uuid:user_id>/<str:token>/": PUBLIC,
    "POST password/<uuid:user_id>/<str:token>/": PUBLIC,
    "GET api/v1/me": SIGNED_IN,
    "GET api/v1/roles": "access.see",
    "GET api/v1/users": "access.see",
    "POST api/v1/users": "access.change",
    "GET api/v1/users/<uuid:user_id>": "access.see",
    "PATCH api/v1/users/<uuid:user_id>": "access.change",
    "PUT api/v1/users/<uuid:user_id>/password": "access.change",
    "GET api/v1/api-keys": "access.see",
    "POST api/v1/api-keys": "access.change",
    "GET api/v1/api-keys/<uuid:key_id>": "access.see",
    "POST api/v1/api-keys/<uuid:key_id>/revoke": "access.change",
    "GET api/v1/changes": "audit.see",
}
