"""Numbers of documents: a pattern, a year, a counter."""

from __future__ import annotations

import re
import string

PARTS = ("number", "year")


def bad_pattern(pattern: str) -> str:
    """Why the pattern cannot be used, or empty.

    It must hold ``{number}``, may hold ``{year}``, and nothing else in braces.
    """
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]
    except ValueError:
        return "The braces of the pattern do not match."
    if any(name not in PARTS for name in names):
        return "A pattern may hold {number} and {year} only."
    if names.count("number") != 1:
        return "A pattern must hold {number} once."
    if re.search(r"\{[^}]*[:!]", pattern):
        return "A pattern holds {number} and {year} without anything added."
    if len(pattern) > 40:
        return "A pattern can have at most 40 characters."
    return ""


def document_number(pattern: str, digits: int, year: int, sequence: int) -> str:
    """``INV-{year}-{number}`` with 5 digits, 2026 and 42 gives ``INV-2026-00042``."""
    return pattern.replace("{year}", str(year)).replace("{number}", str(sequence).rjust(digits, "0"))
