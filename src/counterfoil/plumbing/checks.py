"""Triggers that check what a statement wrote: the database's half of a promise that spans rows or tables."""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger

from counterfoil.plumbing.triggers import after_statement

_MANY = 50
_BY_INDEX = """
PERFORM set_config('enable_seqscan', 'off', true);
IF written > {many} THEN
    PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
END IF;
{checks}
PERFORM set_config('enable_seqscan', walking, true);
PERFORM set_config('plan_cache_mode', planning, true);
RETURN NULL;
"""
_DECLARED = (
    ("walking", "text := current_setting('enable_seqscan')"),
    ("planning", "text := current_setting('plan_cache_mode')"),
    ("written", "bigint := (SELECT count(*) FROM new_rows)"),
)


def check_written(
    name: str,
    checks: str,
    operation: pgtrigger.Operation = pgtrigger.Insert,
    declare: Sequence[tuple[str, str]] = (),
) -> pgtrigger.Trigger:
    """Looks once at all rows that a statement adds or changes. ``checks`` are statements of PL/pgSQL that raise where
    the promise is broken and else come to their end; ``<written>`` in them stands for the rows, ``old_rows`` for
    changed ones as they were.

    A connection plans them once, often while the tables are empty, when to walk over a table or an index looks as cheap
    as to look something up, and would walk over all of it for each row ever after. So what has an index is looked up by
    it; rows of other tables are to be looked up each by itself (``LATERAL``) and by the key alone (``OFFSET 0``), with
    further conditions outside; and for many rows the checks are planned anew, by how many there are.
    """
    tables = {"new": "new_rows"} if operation is pgtrigger.Insert else {"old": "old_rows", "new": "new_rows"}
    # Only a statement with a parameter is planned anew: this is one.
    told = checks.strip().replace("<written>", "(TABLE new_rows LIMIT written)")
    func = _BY_INDEX.format(checks=told, many=_MANY)
    return after_statement(name, operation, func, tables, [*_DECLARED, *declare])
