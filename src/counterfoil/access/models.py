"""Users, API keys and the audit trail."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from counterfoil.access.actors import Actor
from counterfoil.access.rules.roles import ROLES
from counterfoil.plumbing.audit import append_only, audit_all
from counterfoil.plumbing.models import Record


class UserManager(BaseUserManager["User"]):
    """Looks users up; they are made by ``access.commands``."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, Record):
    """A member of staff. Logs in by e-mail address."""

    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20), default=list)
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=10, default="en")
    dense = models.BooleanField(default=False)
    theme = models.CharField(max_length=10, default="system")
    login_generation = models.PositiveIntegerField(default=1, editable=False)
    """Raised when every session of the user must end: all of them carry it in their hash."""

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]
    objects = UserManager()

    class Meta(Record.Meta):
        triggers = audit_all(without=("password", "last_login"))
        constraints = [
            models.UniqueConstraint(Lower("email"), name="access_user_email_once"),
            models.CheckConstraint(
                condition=models.Q(roles__contained_by=sorted(ROLES)), name="access_user_known_roles"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        """Django compares this with the session's on every request, so a new password or generation ends them all."""
        salt = "counterfoil.access.models.User.session"
        value = f"{self.login_generation}:{self.password}"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()

    def actor(self, origin: str = "web") -> Actor:
        return Actor("user", self.pk, self.name, frozenset(self.roles), origin)

    @property
    def is_staff(self) -> bool:
        return False

    def has_perm(self, *_: Any) -> bool:
        return False


class ApiKey(Record):
    """A key for a program. Only its hash is kept; ``prefix`` is shown so that people can tell keys apart."""

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=64)
    roles = ArrayField(models.CharField(max_length=20), default=list)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        triggers = audit_all(without=("secret_hash", "last_used_at"))
        constraints = [
            models.CheckConstraint(
                condition=models.Q(roles__contained_by=sorted(ROLES)), name="access_apikey_known_roles"
            ),
        ]

    def actor(self) -> Actor:
        return Actor("api_key", self.pk, self.name, frozenset(self.roles), "api")


class ExactDecoder(json.JSONDecoder):
    """Reads numbers of the audit trail without floats."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


class Change(models.Model):
    """Who changed what, when, before and after: written by triggers, never changed or removed."""

    id = models.BigAutoField(primary_key=True)
    table_name = models.CharField(max_length=63)
    record_id = models.UUIDField(db_index=True)
    operation = models.CharField(max_length=10)
    before = models.JSONField(null=True, decoder=ExactDecoder)
    after = models.JSONField(null=True, decoder=ExactDecoder)
    context = models.JSONField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [GinIndex(fields=["context"], name="access_change_context", opclasses=["jsonb_path_ops"])]
        triggers = [append_only()]
