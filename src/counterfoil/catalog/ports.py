"""Where the room of our companies says in which currency they sell: new products begin with it."""

from __future__ import annotations

from collections.abc import Callable

_named: dict[str, Callable[[], str]] = {}


def names_currency(find: Callable[[], str]) -> Callable[[], str]:
    """Register what names the currency; the last one that was registered is asked."""
    _named["currency"] = find
    return find


def usual_currency() -> str:
    """The currency in which we usually sell; empty while nobody says so."""
    find = _named.get("currency")
    return find() if find is not None else ""
