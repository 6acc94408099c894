"""Secrets of links: 256 random bits, of which only the SHA-256 is kept. A fast hash is enough for as many bits."""

from __future__ import annotations

import hashlib
import re
import secrets

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(text: str) -> bool:
    """Whether it can be one at all."""
    return _SECRET.fullmatch(text) is not None
