"""Countries, languages and time zones: their codes, their names, and what people write for them."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from zoneinfo import available_timezones

from babel.core import Locale, UnknownLocaleError, get_global

__all__ = [
    "COUNTRIES",
    "country_name",
    "find_country",
    "is_country",
    "is_language",
    "language_name",
    "locale_of",
    "similar_countries",
    "time_zones",
]

# What babel lists beside the countries: reserved codes, unions, islands without a code of their own, test data.
_NOT_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}

_ALIASES = {
    "america": "US", "u s": "US", "u s a": "US", "united states of america": "US", "the united states": "US",
    "uk": "GB", "u k": "GB", "great britain": "GB", "britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northern ireland": "GB", "united kingdom of great britain and northern ireland": "GB",
    "korea": "KR", "republic of korea": "KR", "korea republic of": "KR", "korea south": "KR",
    "democratic peoples republic of korea": "KP", "korea north": "KP", "dprk": "KP",
    "holland": "NL", "the netherlands": "NL", "czech republic": "CZ", "slovak republic": "SK",
    "russian federation": "RU", "viet nam": "VN", "ivory coast": "CI", "cote d ivoire": "CI", "cape verde": "CV",
    "burma": "MM", "swaziland": "SZ", "macedonia": "MK", "republic of north macedonia": "MK", "east timor": "TL",
    "turkey": "TR", "republic of turkiye": "TR", "iran islamic republic of": "IR", "islamic republic of iran": "IR",
    "syrian arab republic": "SY", "lao peoples democratic republic": "LA", "lao pdr": "LA", "brunei darussalam": "BN",
    "republic of moldova": "MD", "moldova republic of": "MD", "united republic of tanzania": "TZ",
    "tanzania united republic of": "TZ", "bolivia plurinational state of": "BO", "bosnia": "BA", "palestine": "PS",
    "venezuela bolivarian republic of": "VE", "hong kong": "HK", "hongkong": "HK", "macau": "MO", "macao": "MO",
    "peoples republic of china": "CN", "prc": "CN", "mainland china": "CN", "republic of china": "TW",
    "taiwan province of china": "TW", "uae": "AE", "emirates": "AE", "ksa": "SA", "kingdom of saudi arabia": "SA",
    "congo": "CG", "republic of the congo": "CG", "congo brazzaville": "CG", "drc": "CD", "dr congo": "CD",
    "democratic republic of the congo": "CD", "congo kinshasa": "CD", "vatican": "VA", "holy see": "VA",
    "eire": "IE", "republic of ireland": "IE", "federal republic of germany": "DE", "brd": "DE", "brasil": "BR",
    "micronesia federated states of": "FM", "the bahamas": "BS", "the gambia": "GM", "the philippines": "PH",
    "saint lucia": "LC", "saint kitts and nevis": "KN", "saint vincent and the grenadines": "VC",
    "falkland islands malvinas": "FK", "virgin islands british": "VG", "virgin islands u s": "VI", "reunion": "RE",
}  # fmt: skip

# Languages whose names of countries are understood beside the English ones.
_UNDERSTOOD = (
    "de", "fr", "es", "it", "nl", "pt", "pl", "da", "sv", "nb", "fi", "is", "cs", "sk", "hu", "sl", "hr", "ro", "bg",
    "el", "tr", "ru", "uk", "lt", "lv", "et", "ja", "ko", "zh", "zh-Hant", "ar", "he", "vi", "th",
)  # fmt: skip
_SIMILAR = 78


@cache
def time_zones() -> frozenset[str]:
    """The names of the time zones that this machine knows."""
    return frozenset(available_timezones())


def _countries() -> tuple[str, ...]:
    named = [str(code) for code in Locale("en").territories]
    return tuple(sorted(code for code in named if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES))


COUNTRIES = _countries()
"""The codes of ISO 3166-1 and XK for Kosovo."""

_KNOWN = frozenset(COUNTRIES)


@lru_cache(maxsize=256)
def locale_of(language: str) -> Locale:
    """Babel's data for a language such as ``de`` or ``pt-BR``; else its main language, else English."""
    tag = language.strip().replace("_", "-")
    for attempt in (tag, tag.partition("-")[0]):
        try:
            return Locale.parse(attempt, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def is_country(code: str) -> bool:
    """Whether ``code`` is an alpha-2 code of a country; upper case only."""
    return code in _KNOWN


def country_name(code: str, language: str = "en") -> str:
    """The country's name in that language; the code itself where there is none."""
    return locale_of(language).territories.get(code) or Locale("en").territories.get(code) or code


def find_country(text: str) -> str | None:
    """The code of the country that the text names exactly, by code, alias, or name in one of the common languages."""
    words = _words(text)
    if not words:
        return None
    code = words.upper()
    if code in _KNOWN:
        return code
    return _aliases().get(words) or _english().get(words) or _other_names().get(words)


def similar_countries(text: str, limit: int = 3) -> list[str]:
    """Codes of the countries whose names look like the text, most alike first. For asking back, never for deciding."""
    words = _words(text)
    if len(words) < 3:
        return []
    from rapidfuzz import fuzz, process  # loaded when something is misspelt: it delays every start

    names = {**_aliases(), **_english()}
    found = process.extract(words, names.keys(), scorer=fuzz.ratio, score_cutoff=_SIMILAR, limit=limit * 3)
    codes = dict.fromkeys(names[name] for name, _score, _place in found)
    return list(codes)[:limit]


def is_language(code: str) -> bool:
    """Whether ``code`` is a language that babel can write, such as ``de``, ``en-GB`` or ``zh-Hant``."""
    if not code or "_" in code or code != code.strip():
        return False
    try:
        Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return False
    return True


def language_name(code: str, language: str = "en") -> str:
    """The language's name in another language; the code itself where there is none."""
    if not is_language(code):
        return code
    return Locale.parse(code, sep="-").get_display_name(locale_of(language)) or code


def _words(text: str) -> str:
    """The text without case, accents and punctuation, so that spellings of one name meet."""
    plain = unicodedata.normalize("NFKD", text[:200].replace("&", " and ")).casefold()
    plain = plain.replace("'", "").replace("’", "")
    kept = (letter if letter.isalnum() else " " for letter in plain if not "\u0300" <= letter <= "\u036f")
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


@cache
def _aliases() -> dict[str, str]:
    three_letters = {
        code.casefold(): to[0]
        for code, to in get_global("territory_aliases").items()
        if len(code) == 3 and code.isalpha() and len(to) == 1 and to[0] in _KNOWN
    }
    return {**three_letters, **_ALIASES}


@cache
def _english() -> dict[str, str]:
    return _names("en")


@cache
def _other_names() -> dict[str, str]:
    """Names in the other languages; a name that means two countries means none. Built at the first miss."""
    meanings: dict[str, set[str]] = {}
    for language in _UNDERSTOOD:
        for name, code in _names(language).items():
            meanings.setdefault(name, set()).add(code)
    return {name: codes.pop() for name, codes in meanings.items() if len(codes) == 1}


def _names(language: str) -> dict[str, str]:
    territories = locale_of(language).territories
    return {_words(territories[code]): code for code in COUNTRIES if code in territories}
