"""The way up from an account, and the branch below it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from counterfoil.plumbing.bulk import Asked, read_together

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


def _above_sql(account: str) -> str:
    """SQL for the payer and the invoiced account that an account says or takes over, each from the first of its chain
    that says one. Where there is a payer, nothing else matters.
    """
    return f"""
        WITH RECURSIVE chain (parent_id, payer_id, invoiced_id, depth) AS (
            SELECT {account}.parent_id, {account}.payer_id, {account}.invoiced_account_id, 0
            UNION ALL
            SELECT up.parent_id, up.payer_id, COALESCE(c.invoiced_id, up.invoiced_account_id), c.depth + 1
            FROM chain c JOIN accounts_account up ON up.id = c.parent_id
            WHERE c.payer_id IS NULL AND c.depth < 100
        )
        SELECT payer_id, invoiced_id FROM chain ORDER BY depth DESC LIMIT 1
    """  # noqa: S608 - the alias of a table


def payer_sql(account: str) -> str:
    """SQL for the id of who pays what is billed to an account, the row of which goes by this name: the first of its
    chain that says a payer, else whose name is on its invoices.
    """
    return f"""CASE
        WHEN {account}.payer_id IS NOT NULL THEN {account}.payer_id
        WHEN {account}.parent_id IS NULL THEN COALESCE({account}.invoiced_account_id, {account}.id)
        ELSE (SELECT COALESCE(payer_id, invoiced_id, {account}.id) FROM ({_above_sql(account)}) above)
    END"""  # noqa: S608 - the alias of a table


# From those who name a payer down. Each row is looked up by itself (OFFSET 0): the planner takes what is below for many
# times as much as it is, and would walk over all accounts.
_PAID_BY = f"""
WITH RECURSIVE below (id, payer_id, invoiced_id) AS (
    SELECT named.id, named.payer_id, named.invoiced_id FROM (
        SELECT id FROM accounts_account WHERE id = ANY(%s)
        UNION SELECT id FROM accounts_account WHERE payer_id = ANY(%s)
        UNION SELECT id FROM accounts_account WHERE invoiced_account_id = ANY(%s)
    ) naming CROSS JOIN LATERAL (
        SELECT a.id, above.payer_id, above.invoiced_id
        FROM accounts_account a CROSS JOIN LATERAL ({_above_sql("a")}) above
        WHERE a.id = naming.id OFFSET 0
    ) named
    UNION
    SELECT a.id, COALESCE(a.payer_id, b.payer_id), COALESCE(a.invoiced_account_id, b.invoiced_id)
    FROM below b CROSS JOIN LATERAL (
        SELECT id, payer_id, invoiced_account_id FROM accounts_account WHERE parent_id = b.id OFFSET 0
    ) a
)
SELECT DISTINCT id FROM below WHERE COALESCE(payer_id, invoiced_id, id) = ANY(%s)
"""  # noqa: S608 - constants


def accounts_paid_by(payer_ids: Collection[UUID]) -> list[UUID]:
    """The accounts for which one of these pays. One statement. For commands, never for output."""
    payers = list(payer_ids)
    (found,) = read_together(Asked(_PAID_BY, (payers, payers, payers, payers)))
    return [account_id for (account_id,) in found]


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
