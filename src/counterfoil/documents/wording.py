"""The words of printed documents, their mails and customers' pages, one file per language in ``wording/``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from babel.core import Locale
from babel.dates import format_date, format_interval
from babel.languages import get_official_languages
from babel.numbers import NumberPattern, format_decimal, parse_pattern
from babel.units import format_unit

from counterfoil.core.periods import Period
from counterfoil.core.places import is_language, locale_of

FOLDER = Path(__file__).parent / "wording"
LANGUAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
"""The languages that documents are written in; a customer with another one gets English."""


@dataclass(frozen=True)
class Wording:
    """The words of one language, and how it writes dates and numbers.

    ``language`` may name a region (``de-AT``), which decides over dates and numbers; the words are those of ``de``.
    """

    language: str
    document: Mapping[str, str]
    tax: Mapping[str, str]
    mail: Mapping[str, str]
    retainer: Mapping[str, str]
    reason: Mapping[str, str]

    @property
    def locale(self) -> Locale:
        return locale_of(self.language)

    def date(self, day: date) -> str:
        return format_date(day, "long", locale=self.locale)

    def period(self, period: Period) -> str:
        """The days of a half-open period as people write them, with the last day in."""
        if period.days == 1:
            return format_date(period.start, "medium", locale=self.locale)
        return format_interval(period.start, period.last_day, "yMMMd", locale=self.locale)

    def number(self, number: Decimal, decimals: int = 0) -> str:
        """The number with at least so many decimals, without zeros beyond them, and with a true minus."""
        written: str = _number_pattern(decimals).apply(abs(number), self.locale)
        return "\u2212" + written if number < 0 else written

    def figure(self, number: Decimal) -> str:
        """The number without groups, as in a reference."""
        written: str = format_decimal(
            abs(number), locale=self.locale, decimal_quantization=False, group_separator=False
        )
        return "\u2212" + written if number < 0 else written

    def tax_words(self, text: str) -> str:
        """A label or reason of a tax in this language, where it is one of ours; a company's own words stay."""
        ours = wording("en").tax
        rate = re.fullmatch(rf"{ours['vat']} (\d+(?:\.\d+)?) %", text)
        if rate is not None:
            return f"{self.tax['vat']} {self.number(Decimal(rate[1]))} %"
        key = next((key for key, words in ours.items() if words == text), None)
        return text if key is None else self.tax[key]

    def unit(self, unit: str, quantity: Decimal) -> str:
        """A unit of time as this language counts so many of it; any other stays as it was written."""
        name = unit.strip().lower().removesuffix("s")
        if self.language.partition("-")[0] == "en" or name not in _UNITS_OF_TIME:
            return unit
        number = format_decimal(quantity, locale=self.locale)
        for length in _LENGTHS:  # where the long form is the short one, Babel does not know it
            said = format_unit(quantity, f"duration-{name}", length, locale=self.locale)
            if "duration-" not in said:
                return said.replace(number, "").strip() or unit
        return unit


_LENGTHS: tuple[Literal["long", "short"], ...] = ("long", "short")
_UNITS_OF_TIME = frozenset({"hour", "day", "week", "month", "quarter", "year"})


def wording(language: str, country: str = "") -> Wording:
    """The words of the language, or of English where a document cannot be written in it.

    A language without a region writes dates and numbers as ``country`` does, if it is one of that country's own.
    """
    tag = language.strip().replace("_", "-")
    main = tag.partition("-")[0].lower()
    if main not in LANGUAGES:
        tag = main = "en"
    if tag == main and country and main in get_official_languages(country) and is_language(f"{main}-{country}"):
        tag = f"{main}-{country}"
    return Wording(tag, *_texts(main))


def grouped_iban(iban: str) -> str:
    """The IBAN in groups of four, as banks print it."""
    bare = "".join(iban.split())
    return " ".join(bare[start : start + 4] for start in range(0, len(bare), 4))


@cache
def _texts(language: str) -> tuple[Mapping[str, str], ...]:
    texts = tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))
    return texts["document"], texts["tax"], texts["mail"], texts["retainer"], texts["reason"]


@cache
def _number_pattern(decimals: int) -> NumberPattern:
    return parse_pattern("#,##0." + "0" * decimals + "#" * (12 - decimals))
