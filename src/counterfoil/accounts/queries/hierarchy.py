"""The way up from an account, and the branch below it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

# Each walk ends after a hundred levels, more than there can be, even if the data were broken.

_CHAINS = """
WITH RECURSIVE chain (start_id, id, depth) AS (
    SELECT a.id, a.id, 0 FROM accounts_account a WHERE a.id = ANY(%s)
    UNION ALL
    SELECT c.start_id, a.parent_id, c.depth + 1 FROM chain c JOIN accounts_account a ON a.id = c.id
    WHERE a.parent_id IS NOT NULL AND c.depth < 100
)
SELECT start_id, id FROM chain ORDER BY start_id, depth
"""

MEMBERS = f"SELECT step.id FROM ({_CHAINS}) step"  # noqa: S608 - a constant
"""SQL for the ids of some accounts and all that are above them."""

_BRANCH = """
WITH RECURSIVE branch (id, depth, path) AS (
    SELECT a.id, 0, ARRAY[]::text[] FROM accounts_account a WHERE a.id = %s
    UNION ALL
    SELECT a.id, b.depth + 1, b.path || (a.sort_key || a.id::text) FROM branch b
    JOIN accounts_account a ON a.parent_id = b.id
    WHERE b.depth < 100
)
SELECT id, depth FROM branch ORDER BY path LIMIT %s
"""

_HEIGHT = """
WITH RECURSIVE branch (id, depth) AS (
    SELECT %s::uuid, 1
    UNION ALL
    SELECT a.id, b.depth + 1 FROM branch b JOIN accounts_account a ON a.parent_id = b.id WHERE b.depth < 100
)
SELECT max(depth) FROM branch
"""


def ancestors(account_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The chain of each account: itself, its parent, and so on up. One statement."""
    chains: dict[UUID, list[UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CHAINS, [list(account_ids)])
        for start, member in cursor.fetchall():
            chains.setdefault(start, []).append(member)
    return chains


def branch(account_id: UUID, limit: int) -> list[tuple[UUID, int]]:
    """The account and all below it, each with how far below, as a tree is read: by name beneath its parent."""
    with connection.cursor() as cursor:
        cursor.execute(_BRANCH, [account_id, limit])
        return [(member, depth) for member, depth in cursor.fetchall()]


def height_of(account_id: UUID) -> int:
    """How many levels the account's branch has, itself included."""
    with connection.cursor() as cursor:
        cursor.execute(_HEIGHT, [account_id])
        return int(cursor.fetchone()[0])
