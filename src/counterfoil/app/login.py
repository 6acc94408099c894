"""Logging in: members of staff only, made by an admin. Nobody signs up."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class StaffOnly(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """allauth's log-in without its sign-up and without its messages."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """The page itself shows who is logged in."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that counts for the limit of attempts: the peer's, and behind our own proxy the last one it
        added.
        """
        from django.conf import settings

        peer: str = request.META.get("REMOTE_ADDR", "")
        if not settings.COUNTERFOIL.behind_https:
            return peer
        return request.headers.get("X-Forwarded-For", peer).rpartition(",")[2].strip() or peer
