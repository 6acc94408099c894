"""Text as it is compared and sorted. What people typed is kept elsewhere; these forms are only for searching."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "NewText",
    "email_domain",
    "is_public_mail_domain",
    "normalised_code",
    "normalised_name",
    "plain",
    "sort_key",
    "whole_number",
]

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ß": "ss"}
)

_FOLDER = Path(__file__).parent
# Legal forms as they stand at the end of a name, without dots and accents; longer ones are tried first.
_LEGAL_FORMS = sorted(
    (tuple(line.split()) for line in (_FOLDER / "legal_forms.txt").read_text("utf-8").splitlines()),
    key=lambda words: (-len(words), words),
)
# Legal forms that are written without a space before or after the name.
_JOINED_FORMS = re.compile(
    unicodedata.normalize(
        "NFKD",
        r"\(株\)|\(有\)|\(주\)|株式会社|有限会社|合同会社|股份有限公司|有限责任公司|有限公司|股份公司|주식회사|유한회사",
    )
)
_INITIALS = re.compile(r"\b(?:[^\W\d_][./]\s?)+[^\W\d_]?(?![^\W_])")

_PUBLIC_MAIL_DOMAINS = frozenset((_FOLDER / "public_mail_domains.txt").read_text("utf-8").split())


@dataclass(frozen=True)
class NewText:
    """A text that should name a record and names none yet, so that it may become a new one."""

    text: str


def plain(text: str) -> str:
    """The text without case and without the accents of Latin, Greek and Cyrillic letters."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not "\u0300" <= letter <= "\u036f").translate(_LETTERS)


def normalised_name(text: str) -> str:
    """A company's or person's name for the search of duplicates: no case, accents, punctuation or legal form.

    A name that consists of nothing but a legal form keeps it. Two names that meet here may still be two companies.
    """
    bare = plain(text).replace("&", " and ").replace("+", " and ")
    unjoined = _JOINED_FORMS.sub(" ", bare)
    words = _words(unjoined) or _words(bare)
    while len(words) > 1:
        form = next(
            (form for form in _LEGAL_FORMS if len(form) < len(words) and tuple(words[-len(form) :]) == form), None
        )
        if form is None:
            break
        del words[-len(form) :]
        if len(words) > 1 and words[-1] == "and":
            del words[-1]
    return unicodedata.normalize("NFC", " ".join(words))


def normalised_code(text: str) -> str:
    """A tax id or registration number for comparison: its letters and digits in upper case."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).upper() if letter.isalnum())


def email_domain(address: str) -> str:
    """What stands behind the last @, in lower case and without a closing dot; empty where there is none."""
    name, at, domain = address.strip().rpartition("@")
    return domain.strip().rstrip(".>").lower() if at and name else ""


def is_public_mail_domain(domain: str) -> bool:
    """Whether anybody can have an address there, so that it says nothing about a company."""
    return domain.strip().rstrip(".").lower() in _PUBLIC_MAIL_DOMAINS


def sort_key(text: str) -> str:
    """What a list of names is ordered by: as people expect in any language, without leading punctuation."""
    return unicodedata.normalize("NFC", " ".join(plain(text).split())).lstrip("\"'«»„“”‘’([{-–—.,*# ")


def whole_number(text: str, digits: int) -> int | None:
    """The number that at most so many digits from 0 to 9 say; none for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def _words(text: str) -> list[str]:
    """Words of letters and digits; initials such as G.m.b.H. or A/S become one word."""
    joined = _INITIALS.sub(lambda found: re.sub(r"[./\s]", "", found.group()) + " ", text)
    joined = re.sub(r"['’`´]", "", joined)
    return "".join(letter if _is_part(letter) else " " for letter in joined).split()


def _is_part(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc")
