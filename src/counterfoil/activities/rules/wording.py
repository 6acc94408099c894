"""An event as a sentence. Each event class brings its own words; nothing here knows what an invoice is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from string import Formatter
from typing import Any

from babel.dates import format_skeleton

from counterfoil.core.money import Money, formatted_amount, is_currency
from counterfoil.core.places import locale_of

LONGEST = 400


def sentence(words: str, payload: Mapping[str, Any], kinds: Mapping[str, str], language: str = "en") -> str:
    """The words with the payload's values in them, on one line."""
    return " ".join(text(words, payload, kinds, language).split())[:LONGEST]


def text(words: str, payload: Mapping[str, Any], kinds: Mapping[str, str], language: str = "en") -> str:
    """The words with the payload's values in them, as the language writes numbers and days; lines stay lines.

    ``kinds`` says of each value what it was before it became JSON: ``Decimal``, ``date`` or something else. An amount
    is written with the decimals of the payload's ``currency``. A value that is missing leaves nothing behind.
    """
    currency = str(payload.get("currency") or "")
    parts: list[str] = []
    for literal, name, _, _ in Formatter().parse(words):
        parts.append(literal)
        if name == "fields":
            # Ids of fields, such as legal_name.
            parts.append(", ".join(str(field).replace("_", " ") for field in payload.get(name) or ()))
        elif name:
            parts.append(_written(payload.get(name), kinds.get(name, ""), currency, language))
    return "".join(parts).strip()


def _written(value: Any, kind: str, currency: str, language: str) -> str:
    if value is None:
        return ""
    if kind.startswith("Decimal"):
        amount = Decimal(str(value))
        return formatted_amount(Money.exact(amount, currency), language) if is_currency(currency) else f"{amount:f}"
    if kind.startswith("date") and "datetime" not in kind:
        return str(format_skeleton("yMMMd", date.fromisoformat(str(value)), locale=locale_of(language)))
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def plain_sentence(name: str) -> str:
    """The sentence of an event that brings no words: its public name, readable."""
    return name.rpartition(".")[2].replace("_", " ").capitalize()
