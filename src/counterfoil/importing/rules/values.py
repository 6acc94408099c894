"""Values of a file that stand for something: known ones, and for unknown ones what they probably mean."""

from __future__ import annotations

from collections.abc import Sequence

from counterfoil.importing.rules.mapping import plain

_PROBABLE = 70


def exact_choice(text: str, options: Sequence[tuple[str, str]]) -> str | None:
    """The option that the text names by key or label, whatever its case and punctuation."""
    wanted = plain(text)
    for key, label in options:
        if wanted in (plain(key), plain(label)):
            return key
    return None


def probable(text: str, options: Sequence[tuple[str, str]]) -> str | None:
    """The option that the text was most likely meant to be, for a person to confirm; ``None`` when nothing is near."""
    if not options:
        return None
    labels = [plain(label).replace(" ", "") for _, label in options]
    from rapidfuzz import fuzz, process  # loaded when a file is read: it delays every start

    found = process.extractOne(plain(text).replace(" ", ""), labels, scorer=fuzz.ratio, score_cutoff=_PROBABLE)
    return options[found[2]][0] if found else None
