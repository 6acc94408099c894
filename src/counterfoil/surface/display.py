"""How values are written for people, in the language of the reader.

Calculates nothing and rounds nothing: an amount is shown with all the decimals that it has.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_decimal
from django.utils import timezone
from django.utils.translation import get_language

from counterfoil.core.money import Money, formatted_amount
from counterfoil.core.places import locale_of

TRUE_MINUS = "\u2212"
NO_VALUE = "\u2013"
HIDDEN = "•••"
"""How the projection prints a value that the reader's role may not see."""


def language() -> str:
    return get_language() or "en"


def locale() -> Locale:
    """The reader's locale, for babel."""
    return locale_of(language())


def is_hidden(value: object) -> bool:
    """Whether the reader's role may not see the value. Compared by its print: access stands above this room."""
    return not isinstance(value, str) and str(value) == HIDDEN


def number(value: Decimal | int) -> str:
    """Grouped digits with a true minus and without zeros behind the last decimal."""
    exact = Decimal(value).normalize() if value else Decimal(0)
    exponent = exact.as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    pattern = "#,##0" + ("." + "0" * places if places else "")
    written: str = format_decimal(abs(exact), format=pattern, locale=locale(), decimal_quantization=False)
    return (TRUE_MINUS if exact < 0 else "") + written


def amount(value: Money) -> str:
    """The digits of an amount, without its currency."""
    return formatted_amount(value, language())


def amount_with_currency(value: Money) -> str:
    """``1,234.50 EUR``."""
    return f"{amount(value)}\u00a0{value.currency}"


def day(value: date) -> str:
    """``3 May 2026``, in the order that the reader's language has."""
    return str(format_skeleton("yMMMd", _as_moment(value), locale=locale()))


def day_in_full(value: date) -> str:
    return str(format_date(value, "full", locale=locale()))


def instant(value: datetime) -> str:
    """Day and minute in the reader's time zone."""
    local = timezone.localtime(value)
    return f"{day(local.date())}, {format_time(local, 'short', tzinfo=local.tzinfo, locale=locale())}"


def instant_in_full(value: datetime) -> str:
    local = timezone.localtime(value)
    written = format_time(local, "long", tzinfo=local.tzinfo, locale=locale())
    return f"{day_in_full(local.date())}, {written}"


def _as_moment(value: date) -> datetime:
    return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - babel formats a moment; a day has no zone


def yes_or_no(value: object) -> str:
    return "Yes" if value else "No"


def plain(value: object) -> str:
    """Any value as text, for titles, labels and places that hold no markup."""
    if value is None or value == "":
        return NO_VALUE
    if is_hidden(value):
        return "hidden from your role"
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return str(value)


_WRITERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, yes_or_no),
    (datetime, instant),
    (date, day),
    (Decimal, number),
    (int, number),
    (Money, amount_with_currency),
)
