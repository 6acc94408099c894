"""How late open money is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal


def bucket_names(limits: Sequence[int]) -> list[str]:
    """The names of the buckets: ``not_due``, then each up to its limit, then what is later."""
    starts = [1, *(limit + 1 for limit in limits)]
    names = [f"{start}-{limit}" for start, limit in zip(starts, limits, strict=False)]
    return ["not_due", *names, f"{starts[-1]}+"]


def aged(parts: Iterable[tuple[date, Decimal]], as_of: date, limits: Sequence[int]) -> list[Decimal]:
    """Amounts by days since their due day. The due day itself is not late; a limit belongs to its bucket."""
    sums = [Decimal(0)] * (len(limits) + 2)
    for due_on, amount in parts:
        late = (as_of - due_on).days
        place = 0 if late <= 0 else next((at for at, limit in enumerate(limits, 1) if late <= limit), len(limits) + 1)
        sums[place] += amount
    return sums
