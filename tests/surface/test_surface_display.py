"""How values are written for people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import translation
from surface_gallery.records import Hidden

from counterfoil.core.money import Money
from counterfoil.surface import display


@pytest.mark.parametrize(
    ("value", "language", "written"),
    [
        (Decimal("1234567.5"), "en", "1,234,567.5"),
        (Decimal("-0.25"), "en", "−0.25"),
        (Decimal("1.500000"), "en", "1.5"),
        (Decimal("100"), "en", "100"),
        (1234, "de", "1.234"),
        (Decimal("1234.5"), "de", "1.234,5"),
        (0, "en", "0"),
    ],
)
def test_numbers(value: Decimal | int, language: str, written: str) -> None:
    """A number has grouped digits, a true minus and no zeros behind the last decimal."""
    with translation.override(language):
        assert display.number(value) == written


def test_amounts_keep_the_decimals_of_their_currency() -> None:
    """An amount is written with all decimals of its currency, in the reader's language."""
    with translation.override("de"):
        assert display.amount(Money(Decimal("-1234.5"), "EUR")) == "−1.234,50"
        assert display.amount_with_currency(Money(Decimal(1204000), "JPY")) == "1.204.000\u00a0JPY"


def test_days_and_moments() -> None:
    """A date is short with the year, a moment stands in the reader's time zone."""
    with translation.override("de"):
        assert display.day(date(2026, 5, 3)) == "3. Mai 2026"
        assert display.day_in_full(date(2026, 5, 3)) == "Sonntag, 3. Mai 2026"
    with translation.override("en-GB"):
        assert display.day(date(2026, 5, 3)) == "3 May 2026"
        assert display.instant(datetime(2026, 5, 3, 14, 5, tzinfo=UTC)) == "3 May 2026, 14:05"


def test_anything_as_plain_text() -> None:
    """Any value has a text: a dash for none, words for what the role may not see."""
    assert [display.plain(one) for one in (None, "", True, Decimal("2.50"), "text", Hidden())] == [
        "–", "–", "Yes", "2.5", "text", "hidden from your role",
    ]  # fmt: skip


def test_a_hidden_value_is_told_by_its_print_and_text_of_dots_is_not_one() -> None:
    """Three dots that somebody typed are text, not a hidden value."""
    assert display.is_hidden(Hidden())
    assert not display.is_hidden("•••")
