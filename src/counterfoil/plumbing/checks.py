"""Triggers that check what a statement wrote: the database's half of a promise that spans rows or tables."""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger

_BY_INDEX = """
PERFORM set_config('enable_seqscan', 'off', true);
{checks}
PERFORM set_config('enable_seqscan', usual, true);
RETURN NULL;
"""


def check_written(
    name: str,
    checks: str,
    operation: pgtrigger.Operation = pgtrigger.Insert,
    declare: Sequence[tuple[str, str]] = (),
) -> pgtrigger.Trigger:
    """Looks once at all rows that a statement adds: ``new_rows``, or changes: ``old_rows`` too. ``checks`` are
    statements of PL/pgSQL that raise where the promise is broken and else come to their end.

    A connection plans them once, often while the tables are empty, when walking over a table looks cheapest, and would
    walk over all of it ever after. So what has an index is looked up by it. Rows of other tables are to be looked up
    each by itself (``LATERAL``): joined, an index may be read from end to end.
    """
    tables = {"new": "new_rows"} if operation is pgtrigger.Insert else {"old": "old_rows", "new": "new_rows"}
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(**tables),  # type: ignore[no-untyped-call]
        declare=[("usual", "text := current_setting('enable_seqscan')"), *declare],
        func=_BY_INDEX.format(checks=checks.strip()),
    )
