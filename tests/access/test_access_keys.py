"""API keys: shown once, kept as a hash, ended by time or by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from counterfoil.access import commands, queries
from counterfoil.access.keys import actor_of_key
from counterfoil.access.models import ApiKey, Change
from counterfoil.core.errors import NotAllowed, Refusal
from staff import SYSTEM, Program, Staff


def make(clock: Any, **values: Any) -> tuple[Any, str]:
    return commands.make_api_key(actor=SYSTEM, values={"name": "Shop", "roles": ["billing"], **values}, at=clock.now)


def test_a_key_is_kept_as_its_hash(db: None, clock: Any) -> None:
    """The key is given once; the row, the audit trail and the list hold its beginning only."""
    key_id, secret = make(clock)
    key = ApiKey.objects.get(pk=key_id)
    assert secret.startswith(f"cf_{key.prefix}_")
    assert len(secret.rpartition("_")[0]) >= 15
    assert secret not in repr(ApiKey.objects.values().get())
    assert not any(
        secret in f"{change.after}" or "secret_hash" in (change.after or {}) for change in Change.objects.all()
    )


def test_a_key_acts_with_its_roles(db: None, clock: Any) -> None:
    """The key's actor has its name and roles, and the key says when it was used, at most once a minute."""
    key_id, secret = make(clock)
    actor = actor_of_key(secret, at=clock.now)
    assert actor is not None
    assert (actor.kind, actor.id, actor.name, actor.roles, actor.origin) == (
        "api_key", key_id, "Shop", frozenset({"billing"}), "api",
    )  # fmt: skip
    first = clock.now
    clock.set(first + timedelta(seconds=59))
    actor_of_key(secret, at=clock.now)
    assert ApiKey.objects.get().last_used_at == first
    clock.set(first + timedelta(seconds=60))
    actor_of_key(secret, at=clock.now)
    assert ApiKey.objects.get().last_used_at == first + timedelta(seconds=60)


def test_other_keys_open_nothing(db: None, clock: Any) -> None:
    """A changed, cut, foreign, odd or enormous key is nobody's."""
    _, secret = make(clock)
    for wrong in (
        secret[:-1],
        secret + "x",
        secret[:-1] + "!",
        "",
        "cf_",
        "cf__",
        "cf_ü_x",
        "é" * 50,
        "x" * 100_000,
        "a b c",
    ):
        assert actor_of_key(wrong, at=clock.now) is None


def test_a_key_ends(staff: Staff, clock: Any) -> None:
    """A revoked key and one that has run out are refused with 401."""
    key_id, secret = make(clock, expires_at="2026-04-02T12:00:00Z")
    program = Program(secret)
    assert program("GET", "me").status_code == 200
    clock.set("2026-04-02T12:00:00+00:00")
    refused = program("GET", "me")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="counterfoil"')
    _, other = make(clock)
    assert Program(other)("GET", "me").status_code == 200
    commands.revoke_api_key(actor=SYSTEM, key_id=ApiKey.objects.exclude(pk=key_id).get().pk, at=clock.now)
    assert Program(other)("GET", "me").status_code == 401


def test_a_key_cannot_have_run_out_already(db: None, clock: Any) -> None:
    """A moment in the past is refused, and so is one without a zone."""
    for moment, code in (("2026-04-01T12:00:00Z", "in_the_past"), ("2026-05-01T12:00:00", "no_time_zone")):
        with pytest.raises(Refusal) as refused:
            make(clock, expires_at=moment)
        assert (refused.value.field, refused.value.code) == ("expires_at", code)
    assert not ApiKey.objects.exists()


def test_only_admins_make_keys(staff: Staff, clock: Any) -> None:
    """No other role makes, sees or revokes keys."""
    key_id, _ = make(clock)
    for role in ("sales", "billing", "accountant"):
        with pytest.raises(NotAllowed):
            commands.make_api_key(actor=staff.actor(role), values={"name": "Mine", "roles": ["admin"]}, at=clock.now)
        with pytest.raises(NotAllowed):
            commands.revoke_api_key(actor=staff.actor(role), key_id=key_id, at=clock.now)
        assert queries.list_api_keys(staff.actor(role)) == []
    assert ApiKey.objects.get().revoked_at is None


def test_pages_know_no_keys_and_the_api_no_cookies(staff: Staff, clock: Any) -> None:
    """A key opens no page, and a logged-in browser no API."""
    _, secret = make(clock, roles=["admin"])
    assert Client().get("/settings/users/", HTTP_AUTHORIZATION=f"Bearer {secret}").status_code == 302
    assert staff.browser("admin").get("/api/v1/users").status_code == 401


def test_the_key_is_shown_once_on_its_page(staff: Staff) -> None:
    """Making a key on the page shows it; the list shows its beginning."""
    browser = staff.browser("admin")
    made = browser.post("/settings/api-keys/", {"name": "Shop", "roles": ["billing", "sales"]})
    key = ApiKey.objects.get()
    assert made.status_code == 200
    assert f"cf_{key.prefix}_" in made.content.decode()
    assert key.roles == ["sales", "billing"]
    assert key.made_by == staff.users["admin"]
    listed = browser.get("/settings/api-keys/").content.decode()
    assert f"cf_{key.prefix}" in listed
    assert f"cf_{key.prefix}_" not in listed
    assert browser.post(f"/settings/api-keys/{key.pk}/revoke/").status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None
