"""References of a sale, such as a cost centre or the number of a contract: they travel with it and are printed.

They are kept as text, one on each line, with what it is before a colon: ``Cost centre: 4711``.
"""

from __future__ import annotations

REFERENCES_MAX = 10
REFERENCES_LENGTH = 1_000


def references_of(text: str) -> tuple[tuple[str, str], ...]:
    """What each reference is, and its value. A line without a colon is a value that says nothing about what it is."""
    found = []
    for line in text.splitlines():
        what, colon, value = line.partition(":")
        if line.strip():
            found.append((what.strip(), value.strip()) if colon and value.strip() else ("", line.strip()))
    return tuple(found)
