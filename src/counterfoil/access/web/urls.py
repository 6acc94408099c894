"""Addresses of users, keys, the audit log and one's own profile."""

from __future__ import annotations

from django.urls import path

from counterfoil.access.web.views import history, keys, profile, users

app_name = "access"

urlpatterns = [
    path("settings/users/", users.users, name="users"),
    path("settings/users/new/", users.new_user, name="new_user"),
    path("settings/users/<uuid:user_id>/", users.user, name="user"),
    path("settings/users/<uuid:user_id>/link/", users.link, name="link"),
    path("settings/roles/", users.roles, name="roles"),
    path("settings/api-keys/", keys.api_keys, name="api_keys"),
    path("settings/api-keys/<uuid:key_id>/revoke/", keys.revoke, name="revoke_key"),
    path("settings/audit/", history.audit, name="audit"),
    path("history/<str:key>/<uuid:record_id>/", history.panel, name="history"),
    path("profile/", profile.profile, name="profile"),
    path("profile/theme/", profile.theme, name="theme"),
    path("profile/password/", profile.password, name="password"),
    path("profile/sessions/", profile.sessions, name="sessions"),
    path("password/<uuid:user_id>/<str:token>/", profile.set_password, name="set_password"),
]
