"""A member of staff for each role, with a browser and with a key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

from counterfoil.access import commands
from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.access.rules.roles import ROLES
from counterfoil.plumbing import clock

PASSWORD = "correct horse battery"
SYSTEM = Actor.system("Tests", origin="test")


class Browser(Client):
    """Django's client; a bug is raised, so that a test shows it."""


class Program:
    """A program with a key: JSON in, JSON out."""

    def __init__(self, key: str) -> None:
        self._client = Client(raise_request_exception=True)
        self.key = key

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """``path`` begins below ``/api/v1/``. ``idempotency_key="a"`` and other keywords become headers."""
        extra = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        if self.key:
            extra["HTTP_AUTHORIZATION"] = f"Bearer {self.key}"
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self._client.generic(method, f"/api/v1/{path}", data, content_type="application/json", **extra)


@dataclass
class Staff:
    """Made once per test. ``users`` by role; browsers and programs when they are asked for."""

    users: dict[str, User] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in ROLES:
            commands.add_user(
                actor=SYSTEM, values={"name": f"{role.title()} Person", "email": f"{role}@example.com", "roles": [role]}
            )
            self.users[role] = User.objects.get(email=f"{role}@example.com")

    def actor(self, role: str) -> Actor:
        return self.users[role].actor()

    def browser(self, role: str | None = None) -> Browser:
        """A browser in which the person of the role is logged in; without a role, nobody is."""
        client = Browser()
        if role is not None:
            client.force_login(self.users[role], backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    def program(self, role: str | None = None) -> Program:
        """A program with a key of the role; without a role, it has none."""
        if role is None:
            return Program("")
        _, secret = commands.make_api_key(
            actor=SYSTEM, values={"name": f"{role} program", "roles": [role]}, at=clock.now()
        )
        return Program(secret)
