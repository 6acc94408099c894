"""How a trigger that looks once at all rows of a statement is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pgtrigger


def after_statement(
    name: str,
    operation: pgtrigger.Operation,
    func: str,
    tables: Mapping[str, str],
    declare: Sequence[tuple[str, str]] | None = None,
) -> pgtrigger.Trigger:
    """Runs ``func`` after a statement; ``tables`` names those of its rows: as they were, ``old``, and are, ``new``."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(**tables),  # type: ignore[no-untyped-call]
        declare=None if declare is None else list(declare),
        func=func,
    )
