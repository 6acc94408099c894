"""References of a sale, such as a cost centre or the number of a contract: they travel with it and are printed.

They are kept as text, one on each line, with what it is before a colon and a space: ``Cost centre: 4711``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

REFERENCES_MAX = 10
REFERENCES_LENGTH = 1_000
_LABELLED = re.compile(r"([^:]*?)\s*:\s+(.+)")


def references_of(text: str) -> tuple[tuple[str, str], ...]:
    """What each reference is, and its value. A line without such a colon is a value that does not say what it is, as is
    an address on the web or a time of day.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return tuple((found[1], found[2]) if (found := _LABELLED.fullmatch(line)) else ("", line) for line in lines)


# Of fields that somebody defined --------------------------------------------------------------------------------------

ReferencePairs = tuple[tuple[str, str], ...]
"""Values of defined references by key, in the order of the keys: equal where they say the same."""


def reference_pairs(values: Mapping[str, str]) -> ReferencePairs:
    """The values as what can be compared and sorted."""
    return tuple(sorted(values.items()))
