"""Tax ids, spans of roles and inheritance, on plain values."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from counterfoil.accounts.derived import web_domain
from counterfoil.accounts.rules.inheritance import (
    LEVELS_MAX,
    Said,
    Sourced,
    resolve,
    would_be_circle,
    would_be_too_deep,
)
from counterfoil.accounts.rules.spans import Span, free_spans
from counterfoil.accounts.rules.tax_ids import is_well_formed, normalised_tax_id, tax_country

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("country", "value", "normalised", "is_right"),
    [
        ("DE", "DE 136 695 976", "DE136695976", True),
        ("DE", "136695976", "DE136695976", True),
        ("DE", "DE136695975", "DE136695975", False),
        ("", "DE136695976", "DE136695976", True),
        ("GR", "EL 094259216", "GR094259216", True),
        ("CH", "CHE-107.787.577 IVA", "CH107787577", True),
        ("CH", "CHE-107.787.577", "CH107787577", True),
        ("NO", "NO 995 525 828 MVA", "NO995525828", True),
        ("US", "12-3456789", "US123456789", True),
        ("FR", "FR 40 303 265 045", "FR40303265045", True),
        ("PH", "000-123-456", "PH000123456", None),
        ("DE", "'; DROP TABLE", "DEDROPTABLE", False),
        ("", "12345", "12345", None),
    ],
)
def test_tax_id(country: str, value: str, normalised: str, is_right: bool | None) -> None:
    """A tax id meets its other spellings, and its check digits are judged by the rules of its country."""
    whose = tax_country(country, value)
    assert normalised_tax_id(whose, value) == normalised
    assert is_well_formed(whose, value) is is_right


def test_tax_id_without_a_country_is_the_accounts_own() -> None:
    """A number that names no country belongs to the country of the account's address."""
    assert tax_country("", "136695976", "DE") == "DE"
    assert tax_country("", "HRB 12345", "DE") == "DE"
    assert tax_country("AT", "136695976", "DE") == "AT"


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.Acme.example/about?x=1", "acme.example"),
        ("acme.example:8080", "acme.example"),
        ("http://user@acme.example", "acme.example"),
        ("gmail.com", ""),
        ("localhost", ""),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_web_domain(website: str, domain: str) -> None:
    """A web address is reduced to its host; public mail providers and nonsense say nothing."""
    assert web_domain(website) == domain


def day(number: int) -> date:
    return date(2026, 4, number)


@pytest.mark.parametrize(
    ("wanted", "taken", "free"),
    [
        ((day(1), None), [], [(day(1), None)]),
        ((day(1), None), [(day(1), None)], []),
        ((day(1), None), [(day(5), None)], [(day(1), day(5))]),
        ((day(1), None), [(day(5), day(8))], [(day(1), day(5)), (day(8), None)]),
        (
            (day(1), day(9)),
            [(day(5), day(8)), (day(2), day(3))],
            [(day(1), day(2)), (day(3), day(5)), (day(8), day(9))],
        ),
        ((day(5), day(9)), [(day(1), day(5)), (day(9), None)], [(day(5), day(9))]),
        ((day(5), day(5)), [], []),
        ((day(1), day(4)), [(day(1), day(9))], []),
    ],
)
def test_free_spans(wanted: Span, taken: list[Span], free: list[Span]) -> None:
    """What is left of a span are the days that no taken one covers."""
    assert free_spans(wanted, taken) == free


def test_nearest_value_wins() -> None:
    """A value comes from the account, else the nearest parent that says one, else the company's default."""
    own, parent = Said(ONE, "Acme East", "it", is_own=True), Said(TWO, "Acme", "de", is_own=False)
    assert resolve(own, "en", "language") == Sourced("it", "own", "Acme East · language", ONE)
    assert resolve(parent, "en", "language") == Sourced("de", "parent", "Acme · language", TWO)
    assert resolve(None, "en", "language") == Sourced("en", "default", "Company default · language", None)
    assert resolve(None, "", "language") == Sourced("", "none", "No language anywhere", None)


def test_circles_and_towers() -> None:
    """An account cannot hang below itself, and a branch cannot grow past the limit."""
    assert would_be_circle(ONE, [THREE, TWO, ONE])
    assert not would_be_circle(ONE, [THREE, TWO])
    assert would_be_too_deep(2, [ONE] * (LEVELS_MAX - 1))
    assert not would_be_too_deep(1, [ONE] * (LEVELS_MAX - 1))
