"""Countries, currencies and languages as choices, named in the reader's language."""

from __future__ import annotations

from functools import lru_cache

from counterfoil.core.money import CURRENCIES, currency_name
from counterfoil.core.places import COUNTRIES, country_name, language_name
from counterfoil.core.text import sort_key
from counterfoil.plumbing.record_types import Kind
from counterfoil.surface import display

# The languages that can be picked; a record may hold any other one, which is then shown too.
LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "et", "fi", "fr", "he", "hr", "hu", "id", "it", "ja", "ko",
    "lt", "lv", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv", "th", "tr", "uk", "vi", "zh", "zh-Hant",
)  # fmt: skip


@lru_cache(maxsize=64)
def code_choices(kind: Kind, language: str) -> tuple[tuple[str, str], ...]:
    """Code and name of every value of such a field, sorted by what the reader sees."""
    if kind is Kind.CURRENCY:
        return tuple((code, f"{code} – {currency_name(code, language)}") for code in sorted(CURRENCIES))
    codes, name = (COUNTRIES, country_name) if kind is Kind.COUNTRY else (LANGUAGES, language_name)
    named = [(code, name(code, language)) for code in codes]
    return tuple(sorted(named, key=lambda pair: sort_key(pair[1])))


def code_name(kind: Kind, code: str) -> str:
    """What a code means, in the reader's language."""
    name = {Kind.COUNTRY: country_name, Kind.LANGUAGE: language_name}.get(kind)
    return name(code, display.language()) if name else code
