"""Spans of days in which a role is held. A span is half-open; an end of ``None`` never comes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

Span = tuple[date, date | None]


def free_spans(wanted: Span, taken: Iterable[Span]) -> list[Span]:
    """The parts of the wanted span that no taken one covers, earliest first."""
    free: list[Span] = []
    start, end = wanted
    for taken_start, taken_end in sorted(taken, key=lambda span: span[0]):
        if end is not None and start >= end:
            break
        if taken_end is not None and taken_end <= start:
            continue
        if end is not None and taken_start >= end:
            break
        if taken_start > start:
            free.append((start, taken_start))
        if taken_end is None:
            return free
        start = taken_end
    if end is None or start < end:
        free.append((start, end))
    return free
