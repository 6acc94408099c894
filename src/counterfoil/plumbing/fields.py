"""Model fields that every room uses."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import DateRangeField
from django.db import models


class AmountField(models.DecimalField):
    """An amount of money: exact, up to 4 decimals, so that every currency's smallest unit fits.

    The currency stands in a column of its own on the same row; ``exact_amounts`` makes the database refuse more
    decimals than that currency has.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 19)
        kwargs.setdefault("decimal_places", 4)
        super().__init__(*args, **kwargs)


class UnitPriceField(models.DecimalField):
    """A price of one unit, which may have more decimals than its currency."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 19)
        kwargs.setdefault("decimal_places", 6)
        super().__init__(*args, **kwargs)


class QuantityField(models.DecimalField):
    """How many units; up to 6 decimals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 18)
        kwargs.setdefault("decimal_places", 6)
        super().__init__(*args, **kwargs)


class CurrencyField(models.CharField):
    """An ISO 4217 code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(*args, **kwargs)


class CountryField(models.CharField):
    """An ISO 3166-1 alpha-2 code, or empty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 2)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        super().__init__(*args, **kwargs)


class _CurrencyDecimals(models.Func):
    function = "counterfoil_currency_decimals"
    output_field = models.IntegerField()


class _Round(models.Func):
    function = "ROUND"
    output_field = models.DecimalField()


def exact_amounts(*columns: str, name: str, currency: str = "currency") -> models.CheckConstraint:
    """The database's half of the promise that no amount has more decimals than its currency."""
    whole = models.Q()
    for column in columns:
        whole &= models.Q(**{column: _Round(models.F(column), _CurrencyDecimals(models.F(currency)))})
    return models.CheckConstraint(condition=whole, name=name)


class DateRange(models.Func):
    """The half-open range of two date columns; an empty end never comes."""

    function = "DATERANGE"
    output_field = DateRangeField()
