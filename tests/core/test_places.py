"""Countries and languages are found by what people write for them."""

from __future__ import annotations

import pytest

from counterfoil.core.places import (
    COUNTRIES,
    country_name,
    find_country,
    is_country,
    is_language,
    language_name,
    locale_of,
    similar_countries,
)


def test_countries_are_those_of_the_standard() -> None:
    """There are the 249 countries of ISO 3166-1, and Kosovo."""
    assert len(COUNTRIES) == 250
    assert {"DE", "US", "TW", "XK", "AQ"} <= set(COUNTRIES)


@pytest.mark.parametrize("code", ["EU", "UN", "ZZ", "XA", "UK", "de", "", "DEU", "SU"])
def test_no_country(code: str) -> None:
    """Unions, test codes, past countries and other spellings are no country codes."""
    assert not is_country(code)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("Germany", "DE"), ("germany ", "DE"), ("Deutschland", "DE"),
        ("USA", "US"), ("U.S.A.", "US"), ("United States of America", "US"), ("United States", "US"),
        ("UK", "GB"), ("Great Britain", "GB"), ("England", "GB"), ("GBR", "GB"), ("United Kingdom", "GB"),
        ("Korea", "KR"), ("South Korea", "KR"), ("Korea, Republic of", "KR"), ("North Korea", "KP"), ("대한민국", "KR"),
        ("Côte d’Ivoire", "CI"), ("Cote d'Ivoire", "CI"), ("Ivory Coast", "CI"), ("España", "ES"), ("Espana", "ES"),
        ("日本", "JP"), ("Ελλάδα", "GR"), ("مصر", "EG"), ("Schweiz", "CH"), ("Suisse", "CH"), ("Niemcy", "DE"),
        ("Turkey", "TR"), ("Türkiye", "TR"), ("Trinidad and Tobago", "TT"), ("Viet Nam", "VN"), ("Holland", "NL"),
        ("Russian Federation", "RU"), ("Czech Republic", "CZ"), ("Österreich", "AT"), ("Hong Kong", "HK"),
    ],
)  # fmt: skip
def test_find_country(text: str, code: str) -> None:
    """Codes, aliases and names in common languages are understood, whatever their case, accents and punctuation."""
    assert find_country(text) == code


@pytest.mark.parametrize("text", ["", "  ", "xx", "Philipines", "Atlantis", "Europe", "?", "D\0E" * 1000])
def test_unknown_country(text: str) -> None:
    """What is not exactly a country is none; nothing is guessed."""
    assert find_country(text) is None


def test_every_country_is_found_by_its_own_name() -> None:
    """Every country is found by its code and its names in English and German."""
    for code in COUNTRIES:
        assert find_country(code) == code
        assert find_country(country_name(code)) == code
        assert find_country(country_name(code, "de")) == code


@pytest.mark.parametrize(
    ("text", "first"),
    [("Philipines", "PH"), ("Phillippines", "PH"), ("Germny", "DE"), ("Brazill", "BR"), ("Unted Kingdom", "GB")],
)
def test_similar_countries(text: str, first: str) -> None:
    """A misspelt name brings the country that was probably meant first."""
    assert similar_countries(text)[0] == first


def test_nothing_similar() -> None:
    """Nothing is offered for what looks like no country."""
    assert similar_countries("qwertz") == []
    assert similar_countries("") == []


def test_names_in_a_language() -> None:
    """Countries and languages have names in each language; unknown codes name themselves."""
    assert country_name("AT", "fr") == "Autriche"
    assert country_name("QQ", "fr") == "QQ"
    assert language_name("de") == "German"
    assert language_name("pt-BR", "de") == "Portugiesisch (Brasilien)"
    assert language_name("klingon") == "klingon"


@pytest.mark.parametrize("code", ["de", "en-GB", "pt-BR", "zh-Hant", "ja", "ar"])
def test_languages(code: str) -> None:
    """A language is written as in the web: language, script, country."""
    assert is_language(code)


@pytest.mark.parametrize("code", ["", "xx", "klingon", "de_DE", " de", "de-XX", "english", "d", "../etc"])
def test_no_language(code: str) -> None:
    """Anything else is no language."""
    assert not is_language(code)


def test_locale_falls_back() -> None:
    """An unknown region leaves its language, an unknown language leaves English."""
    assert str(locale_of("pt-BR")) == "pt_BR"
    assert str(locale_of("de-XX")) == "de"
    assert str(locale_of("klingon")) == "en"
    assert str(locale_of("")) == "en"
