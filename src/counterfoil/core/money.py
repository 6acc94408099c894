"""Money: an exact amount in one currency, and the one door through which a calculation becomes money again.

Unit prices, rates and quotients are plain ``Decimal`` or ``Fraction``; only ``rounded`` turns them into ``Money``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation, Overflow
from fractions import Fraction
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal

from babel.core import Locale, get_global
from babel.numbers import NumberPattern, get_currency_symbol, parse_pattern

from counterfoil.core.places import locale_of

__all__ = [
    "CURRENCIES",
    "Money",
    "Rounding",
    "currency_decimals",
    "currency_name",
    "formatted",
    "formatted_amount",
    "formatted_price",
    "is_currency",
    "rounded",
    "sum_of",
]

Rounding = Literal["half_up", "half_even", "down"]

# An amount has at most 18 digits before the point, so that the sum of any real list stays exact in 28 digits.
_LIMIT = Decimal(10) ** 18
_EXACT = Context(prec=60, traps=[InvalidOperation, Overflow])
# A decimal this short is rounded as a decimal: the same figure as by the fraction, at a tenth of its cost.
_SHORT = 40
_DECIMAL_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}

# Babel counts the decimals that people write; ISO 4217 counts those that banks book, and decides here.
_ISO_DECIMALS = {
    "AFN": 2, "ALL": 2, "IQD": 3, "IRR": 2, "KPW": 2, "LAK": 2, "LBP": 2,
    "MGA": 2, "MMK": 2, "RSD": 2, "SOS": 2, "SYP": 2, "YER": 2,
}  # fmt: skip
# Units of account that ISO 4217 lists beside the currencies that people pay with. Metals, test codes and CNH stay out.
_FUNDS = ("BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "VED")


def _known_currencies() -> dict[str, int]:
    in_use = {
        code
        for history in get_global("territory_currencies").values()
        for code, _start, end, is_tender in history
        if end is None and is_tender
    }
    written = get_global("currency_fractions")
    usual = written["DEFAULT"][0]
    return {code: _ISO_DECIMALS.get(code, written.get(code, (usual,))[0]) for code in sorted(in_use.union(_FUNDS))}


CURRENCIES = MappingProxyType(_known_currencies())
"""Every currency that an invoice can have, with the number of its decimals."""


def is_currency(code: str) -> bool:
    """Whether ``code`` is a currency of ISO 4217 that is in use today; upper case only."""
    return code in CURRENCIES


def currency_decimals(code: str) -> int:
    """How many decimals the currency has; ``ValueError`` for a code that is no currency in use."""
    try:
        return CURRENCIES[code]
    except KeyError:
        raise ValueError(f"{code!r} is not a currency") from None


def currency_name(code: str, language: str = "en") -> str:
    """The currency's name, such as "Swiss Franc"."""
    name: str = locale_of(language).currencies.get(code, code)
    return name


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency, always written with all of that currency's decimals.

    Refuses an amount with more decimals than the currency has, and never rounds.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if _is_written_out(self.amount, self.currency):
            return
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"an amount is a Decimal, not {type(self.amount).__name__}")
        decimals = currency_decimals(self.currency)
        exponent = self.amount.as_tuple().exponent
        if not isinstance(exponent, int) or abs(self.amount) >= _LIMIT:
            raise ValueError(f"{self.amount} is not an amount")
        if -exponent > decimals:
            raise ValueError(f"{self.amount} has more decimals than {self.currency}, which has {decimals}")
        # Adding zero turns a negative zero into zero.
        written = self.amount.quantize(_unit(decimals), context=_EXACT) + 0
        object.__setattr__(self, "amount", written)

    @classmethod
    def exact(cls, amount: Decimal, currency: str) -> Money:
        """Money from an amount that may carry zeros behind the currency's last decimal, as a database column does."""
        if not isinstance(amount, Decimal):
            raise TypeError(f"an amount is a Decimal, not {type(amount).__name__}")
        if _is_written_out(amount, currency):
            return cls(amount, currency)
        decimals = currency_decimals(currency)
        if not amount.is_finite() or abs(amount) >= _LIMIT:
            raise ValueError(f"{amount} is not an amount")
        written = amount.quantize(_unit(decimals), context=_EXACT)
        if written != amount:
            raise ValueError(f"{amount} has more decimals than {currency}, which has {decimals}")
        return cls(written, currency)

    @staticmethod
    @cache
    def zero(currency: str) -> Money:
        return Money(Decimal(0), currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.amount), self.currency)

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def allocate(self, weights: Sequence[int | Decimal | Fraction]) -> list[Money]:
        """Split by weight without losing a cent: each part differs from its exact share by less than one unit.

        The units that are left over go to the largest remainders, earlier parts first. A weight of zero gets nothing;
        if all weights are zero the parts are equal. Weights may be negative unless they cancel each other out.
        """
        if not weights:
            raise ValueError("there is nobody to allocate to")
        shares = [Fraction(weight) for weight in weights]
        whole = sum(shares, Fraction(0))
        if not any(shares):
            shares, whole = [Fraction(1)] * len(shares), Fraction(len(shares))
        if not whole:
            raise ValueError("the weights cancel each other out")
        decimals = currency_decimals(self.currency)
        units = int(abs(self.amount).scaleb(decimals, context=_EXACT))
        exact = [units * share / whole for share in shares]
        parts = [share.numerator // share.denominator for share in exact]
        by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
        for place in by_remainder[: units - sum(parts)]:
            parts[place] += 1
        sign = -1 if self.amount < 0 else 1
        return [_of_units(sign * part, self.currency) for part in parts]

    def _same(self, other: object) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"money goes with money, not with {type(other).__name__}")
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.amount


def _is_written_out(amount: Decimal, currency: str) -> bool:
    """Whether it is an amount with just the currency's decimals and not zero, so that nothing is to be done to it."""
    unit = _UNITS.get(currency)
    return (
        unit is not None
        and isinstance(amount, Decimal)
        and amount.same_quantum(unit)
        and bool(amount)
        and -_LIMIT < amount < _LIMIT
    )


def rounded(value: Decimal | Fraction, currency: str, mode: Rounding = "half_up") -> Money:
    """The only door from a calculated value to money.

    ``half_up`` rounds a half away from zero, ``half_even`` to the even unit, ``down`` cuts off. Each is symmetric:
    the rounded negative is the negative of the rounded value.
    """
    if not isinstance(value, Decimal | Fraction):
        raise TypeError(f"money comes from a Decimal or a Fraction, not from {type(value).__name__}")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    if isinstance(value, Decimal) and mode in _DECIMAL_MODES and value.adjusted() < _SHORT:
        return Money(value.quantize(_unit(currency_decimals(currency)), _DECIMAL_MODES[mode], _EXACT), currency)
    exact = Fraction(value) * 10 ** currency_decimals(currency)
    units, rest = divmod(abs(exact.numerator), exact.denominator)
    twice = 2 * rest
    if mode == "half_up":
        units += twice >= exact.denominator
    elif mode == "half_even":
        units += twice > exact.denominator or (twice == exact.denominator and units % 2 == 1)
    elif mode != "down":
        raise ValueError(f"{mode!r} is not a way to round")
    return _of_units(-units if exact < 0 else units, currency)


def sum_of(moneys: Iterable[Money], currency: str) -> Money:
    """The sum, which is zero in ``currency`` for no money at all."""
    total = Money.zero(currency)
    for money in moneys:
        total += money
    return total


def formatted(money: Money, language: str) -> str:
    """The amount with its currency as the language writes it: "€1,234.50", "1.234,50 €". The minus is a true one."""
    pattern, locale = _money_pattern(language, money.currency, currency_decimals(money.currency))
    return _signed(money, pattern.apply(abs(money.amount), locale, currency=money.currency, currency_digits=False))


def formatted_price(price: Decimal, currency: str, language: str) -> str:
    """A unit price with its currency, with the currency's decimals or more where the price has more: "€0.005"."""
    exponent = price.normalize(_EXACT).as_tuple().exponent
    if not isinstance(exponent, int) or abs(price) >= _LIMIT:
        raise ValueError(f"{price} is not a price")
    pattern, locale = _money_pattern(language, currency, max(currency_decimals(currency), -exponent))
    written: str = pattern.apply(abs(price), locale, currency=currency, currency_digits=False)
    return "\u2212" + written if price < 0 else written


def formatted_amount(money: Money, language: str) -> str:
    """The amount alone as the language writes it, with all decimals and a true minus."""
    pattern, locale = _amount_pattern(language, money.currency)
    return _signed(money, pattern.apply(abs(money.amount), locale))


@lru_cache(maxsize=512)
def _money_pattern(language: str, currency: str, decimals: int) -> tuple[NumberPattern, Locale]:
    locale = locale_of(language)
    pattern = _with_decimals(locale.currency_formats["standard"].pattern, decimals)
    if get_currency_symbol(currency, locale)[-1].isalpha():
        # Letters would touch the figures: "CHF 5.00", never "CHF5.00".
        pattern = re.sub("¤(?=[#0])", "¤\u00a0", pattern)
    return parse_pattern(pattern), locale


@lru_cache(maxsize=512)
def _amount_pattern(language: str, currency: str) -> tuple[NumberPattern, Locale]:
    locale = locale_of(language)
    return parse_pattern(_with_decimals(locale.decimal_formats[None].pattern, currency_decimals(currency))), locale


def _with_decimals(pattern: str, decimals: int) -> str:
    """The language's number pattern with exactly so many decimals."""
    fraction = "." + "0" * decimals if decimals else ""
    return re.sub(r"0(\.[0#]+)?(?![0#,.])", "0" + fraction, pattern.split(";")[0], count=1)


def _signed(money: Money, written: str) -> str:
    return "\u2212" + written if money.amount < 0 else written


@cache
def _unit(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)


_UNITS = {code: _unit(decimals) for code, decimals in CURRENCIES.items()}


def _of_units(units: int, currency: str) -> Money:
    return Money(Decimal(units).scaleb(-currency_decimals(currency), context=_EXACT), currency)
