"""Which column of a file is which field: guessed from names, and remembered by the file's heading."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

_SURE = 88


def plain(name: str) -> str:
    """A heading for comparing: ``InvoiceDate``, ``invoice_date`` and ``Invoice date`` are one."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.sub(r"[^a-z0-9]+", " ", spaced.lower()).strip()


def guessed_mapping(heading: Sequence[str], names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Field id by column name.

    ``names`` are all names of each field, the best first. Each field is given at most once.
    """
    scores: list[tuple[float, int, str, str]] = []
    for place, column in enumerate(heading):
        wanted = plain(column)
        for field_id, known in names.items():
            best = max((_alike(wanted, plain(name)) for name in known), default=0)
            if best >= _SURE:
                scores.append((-best, place, column, field_id))
    mapping: dict[str, str] = {}
    taken: set[str] = set()
    for _, _, column, field_id in sorted(scores):
        if column not in mapping and field_id not in taken:
            mapping[column] = field_id
            taken.add(field_id)
    return mapping


def _alike(left: str, right: str) -> float:
    if left == right:
        return 100
    if len(left) < 4 or len(right) < 4:
        return 0
    from rapidfuzz import fuzz  # loaded when a file is read: it delays every start

    return fuzz.ratio(left, right)


def fit(heading: Sequence[str], names: Mapping[str, Sequence[str]], required: Sequence[str]) -> float:
    """How well a file fits a kind of record:

    the share of its columns that are known, nothing when a required one is missing.
    """
    mapping = guessed_mapping(heading, names)
    if any(field_id not in mapping.values() for field_id in required):
        return 0
    return len(mapping) / max(len(heading), 1)


def signature(heading: Sequence[str]) -> str:
    """The same for every file with this heading, so that its mapping can be remembered."""
    return hashlib.sha256("\x1f".join(plain(name) for name in heading).encode()).hexdigest()
