"""The tax rates that a new company starts with: those of its country that were in force at the beginning of 2026.

Sources: the European Commission's "Taxes in Europe" database; HMRC (GB); the Swiss FTA (CH). A company's own rates are
kept in the settings, each with the days on which it holds; nothing here is read again after they were installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class UsualRate:
    """A rate of a country for a tax class, from a day on."""

    tax_class: str
    label: str
    percent: Decimal
    category: str
    legal_note: str
    valid_from: date


# Standard and reduced percent, and the day since which both hold without a break.
_BY_COUNTRY: dict[str, tuple[str, str, date]] = {
    "AT": ("20", "10", date(2016, 1, 1)),
    "BE": ("21", "6", date(2000, 1, 1)),
    "CH": ("8.1", "2.6", date(2024, 1, 1)),
    "DE": ("19", "7", date(2021, 1, 1)),
    "DK": ("25", "25", date(2000, 1, 1)),
    "ES": ("21", "10", date(2012, 9, 1)),
    "FI": ("25.5", "13.5", date(2026, 1, 1)),
    "FR": ("20", "5.5", date(2014, 1, 1)),
    "GB": ("20", "5", date(2011, 1, 4)),
    "IE": ("23", "13.5", date(2021, 3, 1)),
    "IT": ("22", "10", date(2013, 10, 1)),
    "LU": ("17", "8", date(2024, 1, 1)),
    "NL": ("21", "9", date(2019, 1, 1)),
    "PL": ("23", "8", date(2011, 1, 1)),
    "PT": ("23", "6", date(2011, 1, 1)),
    "SE": ("25", "12", date(2000, 1, 1)),
}
_LONG_AGO = date(2000, 1, 1)


def usual_rates(country: str) -> tuple[UsualRate, ...]:
    """Four rates, one per tax class. A country that is not listed has no tax until somebody enters one."""
    zero, exempt = Decimal(0), "Exempt supply"
    if country in _BY_COUNTRY:
        standard, reduced, since = _BY_COUNTRY[country]
        taxed = [("standard", standard), ("reduced", reduced)]
        first = [UsualRate(name, f"VAT {rate} %", Decimal(rate), "S", "", since) for name, rate in taxed]
    else:
        label = "No sales tax" if country == "US" else "No tax"
        first = [UsualRate(name, label, zero, "Z", "", _LONG_AGO) for name in ("standard", "reduced")]
    return (
        *first,
        UsualRate("zero", "VAT 0 %" if country in _BY_COUNTRY else "Zero-rated", zero, "Z", "", _LONG_AGO),
        UsualRate("exempt", "Exempt", zero, "E", exempt, _LONG_AGO),
    )


def is_provisional(rates: Sequence[UsualRate]) -> bool:
    """Whether these are the rates that stand in while nobody has said the country."""
    return sorted(rates, key=lambda rate: rate.tax_class) == sorted(usual_rates(""), key=lambda rate: rate.tax_class)
