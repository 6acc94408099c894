"""Finding the actor behind an API key.

A key is ``cf_<prefix>_<secret>``. The prefix finds the row; the SHA-256 of the whole key is compared in constant time.
The key has 256 random bits, so a fast hash is enough. Noting when a key was used is no wish of anybody: it goes past
the command door.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from counterfoil.access.actors import Actor
from counterfoil.access.models import ApiKey

NOTED_EVERY = timedelta(minutes=1)
LENGTH_MAX = 200
_NOBODYS_HASH = hashlib.sha256(b"").hexdigest()


def new_secret() -> tuple[str, str]:
    """A new key: its prefix, and the whole key that is shown once."""
    prefix = secrets.token_hex(6)
    return prefix, f"cf_{prefix}_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def actor_of_key(key: str, *, at: datetime) -> Actor | None:
    """The actor of a key that exists, was not revoked and has not run out; notes its use at most once a minute."""
    if len(key) > LENGTH_MAX or not key.isascii():
        return None
    parts = key.split("_", 2)
    prefix = parts[1] if len(parts) == 3 and parts[0] == "cf" else ""
    found = ApiKey.objects.filter(prefix=prefix).first() if prefix.isalnum() else None
    matches = hmac.compare_digest(hash_of(key), found.secret_hash if found else _NOBODYS_HASH)
    if found is None or not matches:
        return None
    if found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= at):
        return None
    if found.last_used_at is None or at - found.last_used_at >= NOTED_EVERY:
        ApiKey.objects.filter(pk=found.pk).update(last_used_at=at)
    return found.actor()
