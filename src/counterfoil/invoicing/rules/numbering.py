"""Numbers of documents: a pattern, a year, a counter. See ``docs/concepts/numbering.md``."""

from __future__ import annotations

import re

NUMBER, YEAR = "{number}", "{year}"
PATTERN_MAX = 40
FOREVER = 0
"""The counter's year of a pattern without a year: its numbers never begin again."""


def bad_pattern(pattern: str) -> str:
    """Why the pattern cannot be used, or empty. It holds ``{number}`` once, may hold ``{year}`` once, and no other
    braces.
    """
    if len(pattern) > PATTERN_MAX:
        return f"A pattern can have at most {PATTERN_MAX} characters."
    if pattern.count(NUMBER) != 1:
        return "A pattern must hold {number} once."
    if pattern.count(YEAR) > 1:
        return "A pattern may hold {year} once."
    rest = pattern.replace(NUMBER, "").replace(YEAR, "")
    if "{" in rest or "}" in rest:
        return "A pattern may hold {number} and {year}, and no other braces."
    if re.search(r"[^\S ]|[^\x20-\x7e]", rest):
        return "A pattern may hold plain letters, digits and signs only, so that every bank can carry the number."
    return ""


def counter_year(pattern: str, year: int) -> int:
    """Which counter numbers a document of that year: one per year, or one for ever when the pattern names no year."""
    return year if YEAR in pattern else FOREVER


def document_number(pattern: str, digits: int, year: int, sequence: int) -> str:
    """``INV-{year}-{number}`` with 5 digits, 2026 and 42 gives ``INV-2026-00042``. A longer number is written whole."""
    return pattern.replace(YEAR, str(year)).replace(NUMBER, str(sequence).rjust(digits, "0"))
