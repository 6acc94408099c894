"""Passwords and the links by which a user sets one: signed, for one use, for three days."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError

from counterfoil.access.models import User
from counterfoil.core.errors import Problem, Refusal
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import TEXT_LENGTH


class _Links(PasswordResetTokenGenerator):
    """A link stops working once the password, the e-mail address, the generation of log-ins or the last log-in
    changed.
    """

    key_salt = "counterfoil.access.passwords"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.login_generation}"

    def _now(self) -> datetime:
        return clock.now().replace(tzinfo=None)


_links = _Links()


def link_token(user: User) -> str:
    return _links.make_token(user)


def user_of_link(user_id: UUID, token: str) -> User | None:
    """The active user whose link this is, or nobody."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user if user is not None and _links.check_token(user, token) else None


def check_strength(password: object, user: User) -> str:
    """The password, or a ``Refusal`` with every reason why it is too weak."""
    if not isinstance(password, str) or not password:
        raise Refusal("missing", "A password is missing.", "password")
    if len(password) > TEXT_LENGTH or "\x00" in password:
        raise Refusal("too_long", f"A password can have at most {TEXT_LENGTH} characters.", "password")
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise Refusal.of([Problem("password", "weak_password", message) for message in weak.messages]) from None
    return password
