"""How long what is owed has been due: into which bucket it goes, and what the buckets are called."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date

NOT_DUE = "not_due"
USUAL = (30, 60, 90)
BUCKETS_MAX = 12


def labels(limits: Sequence[int]) -> tuple[str, ...]:
    """The names of the buckets, the one that is not due first: ``1-30``, ``31-60``, ``61-90``, ``91+``.

    Limits are days, rising and above zero; each is inclusive. Raises ``ValueError`` for others.
    """
    if not 0 < len(limits) <= BUCKETS_MAX or list(limits) != sorted(set(limits)) or limits[0] < 1:
        raise ValueError(f"{list(limits)} are no limits of an aging")
    starts = [1, *(limit + 1 for limit in limits)]
    return (
        NOT_DUE,
        *(f"{start}-{end}" for start, end in zip(starts, limits, strict=False)),
        f"{starts[-1]}+",
    )


def bucket_of(due_on: date, as_of: date, limits: Sequence[int]) -> int:
    """The place among the labels. The due day itself is not due; day 30 is in ``1-30``."""
    late = (as_of - due_on).days
    return 0 if late <= 0 else 1 + bisect_left(limits, late)
