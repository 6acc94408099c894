"""What is done to users and API keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, check, command
from counterfoil.access.keys import hash_of, new_secret
from counterfoil.access.models import ApiKey, User
from counterfoil.access.passwords import check_strength, link_token, user_of_link
from counterfoil.access.rules.preferences import LANGUAGES, THEMES
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id


@command("access.add_user", needs="access.change", takes={"values": Takes("access.user")})
def add_user(*, actor: Actor, values: Mapping[str, Any], password: str | None = None) -> UUID:
    """Add a member of staff. Without a password nobody can log in as this user until a link was used to set one."""
    user = User(id=new_id(), **values)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(check_strength(password, user))
    _save(user, is_new=True)
    return user.pk


@command("access.change_user", needs="access.change", takes={"values": Takes("access.user", partial=True)})
def change_user(*, actor: Actor, user_id: UUID, values: Mapping[str, Any], version: int | None = None) -> None:
    """Change name, e-mail address, roles or whether the user may log in.

    A deactivated user's sessions end at once. The last active admin keeps the role and stays active: the admins are
    locked in the order of their ids, so that two who would each remove the other wait for one another.
    """
    locked = {
        user.pk: user
        for user in User.objects.select_for_update()
        .filter(Q(pk=user_id) | Q(is_active=True, roles__contains=["admin"]))
        .order_by("id")
    }
    user = locked.get(user_id)
    if user is None:
        raise NotFound()
    if version is not None and version != user.version:
        raise Stale()
    changed = {name: value for name, value in values.items() if getattr(user, name) != value}
    if not changed:
        return
    was_active = user.is_active
    for name, value in changed.items():
        setattr(user, name, value)
    if not any(one.is_active and "admin" in one.roles for one in locked.values()):
        field = "is_active" if not user.is_active else "roles"
        raise Conflict("last_admin", "This is the last active admin. Make somebody else an admin first.", field)
    if was_active and not user.is_active:
        user.login_generation += 1
    user.version += 1
    _save(user)


def _save(user: User, *, is_new: bool = False) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=is_new)
    except IntegrityError as error:
        if "access_user_email_once" not in str(error):
            raise
        raise Conflict("email_taken", "Another user logs in with this e-mail address.", "email") from None


@command("access.set_password", needs="access.change")
def set_password(*, actor: Actor, user_id: UUID, password: str) -> None:
    """Give a user a password. Every session of the user ends."""
    user = _locked(user_id)
    user.set_password(check_strength(password, user))
    user.version += 1
    user.save(update_fields=["password", "version"])


@command("access.make_password_link", needs="access.change")
def make_password_link(*, actor: Actor, user_id: UUID) -> str:
    """The token of a link by which the user sets a password. Links made before stop working, and sessions end."""
    user = _locked(user_id)
    check(user.is_active, "not_active", "This user was deactivated. Activate the user first.")
    user.login_generation += 1
    user.version += 1
    user.save(update_fields=["login_generation", "version"])
    return link_token(user)


def _locked(user_id: UUID) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound()
    return user


def _self(actor: Actor) -> User:
    """The user that the actor is. A key or the product itself has no profile."""
    if actor.kind != "user" or actor.id is None:
        raise NotAllowed("not_a_user", "Only a person has a profile.")
    return _locked(actor.id)


@command("access.set_own_password", needs="access.self")
def set_own_password(*, actor: Actor, password: str, old_password: str | None = None, token: str | None = None) -> None:
    """Set one's own password, proved by the old one or by the token of a link. Every session ends, this one too."""
    user = _self(actor)
    if token is not None:
        check(user_of_link(user.pk, token) is not None, "dead_link", "This link was used already or is too old.")
    elif old_password is None or "\x00" in old_password or not user.check_password(old_password):
        raise Refusal("wrong_password", "This is not your present password.", "old_password")
    user.set_password(check_strength(password, user))
    user.version += 1
    user.save(update_fields=["password", "version"])


@command("access.end_own_sessions", needs="access.self")
def end_own_sessions(*, actor: Actor) -> None:
    """Log out everywhere."""
    user = _self(actor)
    user.login_generation += 1
    user.version += 1
    user.save(update_fields=["login_generation", "version"])


@command("access.set_preferences", needs="access.self")
def set_preferences(
    *, actor: Actor, theme: str | None = None, dense: bool | None = None, language: str | None = None
) -> None:
    """How one likes to see the screens. What is ``None`` stays."""
    user = _self(actor)
    if theme is not None:
        check(theme in dict(THEMES), "not_a_choice", "There is no such theme.", "theme")
        user.theme = theme
    if language is not None:
        check(language in dict(LANGUAGES), "not_a_choice", "The screens do not speak this language.", "language")
        user.language = language
    if dense is not None:
        user.dense = dense
    user.version += 1
    user.save(update_fields=["theme", "dense", "language", "version"])


@command("access.make_api_key", needs="access.change", takes={"values": Takes("access.api_key")})
def make_api_key(*, actor: Actor, values: Mapping[str, Any], at: datetime) -> tuple[UUID, str]:
    """A new key: its id, and the key itself, which nobody can see again."""
    runs_out = values.get("expires_at")
    check(runs_out is None or runs_out > at, "in_the_past", "This moment has passed already.", "expires_at")
    prefix, secret = new_secret()
    key = ApiKey.objects.create(
        name=values["name"],
        roles=values["roles"],
        expires_at=runs_out,
        prefix=prefix,
        secret_hash=hash_of(secret),
        made_by_id=actor.id if actor.kind == "user" else None,
    )
    return key.pk, secret


@command("access.revoke_api_key", needs="access.change")
def revoke_api_key(*, actor: Actor, key_id: UUID, at: datetime) -> None:
    """End a key for good. Revoking it again changes nothing."""
    key = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound()
    if key.revoked_at is not None:
        return
    key.revoked_at = at
    key.version += 1
    key.save(update_fields=["revoked_at", "version"])
