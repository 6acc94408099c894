"""Recurring prices from files: checked, loaded as versions, and taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from catalog_world import SYSTEM, add_price, add_product, days, version

from counterfoil.catalog import commands
from counterfoil.catalog.models import Price
from counterfoil.catalog.price_loading import check_prices, load_prices, unload_prices
from counterfoil.plumbing.importers import LoadRow

pytestmark = pytest.mark.django_db

D = Decimal
EURO = {"currency": "EUR"}
MARCH = date(2026, 3, 1)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def product() -> UUID:
    return add_product()


def rows(product: UUID, *given: dict[str, Any]) -> list[LoadRow]:
    usual = {"product": product, "key": "support", "model": "flat", "amount": D(100), "interval": "month"}
    return [LoadRow(number, usual | values) for number, values in enumerate(given, start=1)]


def load(found: list[LoadRow]) -> Any:
    return load_prices(actor=SYSTEM, rows=found, options=EURO, on=MARCH, at=AT)


def verdicts(found: list[LoadRow], options: dict[str, Any] = EURO) -> list[Any]:
    return [
        verdict.action if verdict.action != "error" else (verdict.problems[0].field, verdict.problems[0].code)
        for verdict in check_prices(found, options)
    ]


def test_prices_are_loaded(product: UUID) -> None:
    """Tiers from a cell, a quarter as three months, and a meter that bills in arrears."""
    calls = {"key": "calls", "model": "graduated", "amount": None, "tiers": "1000: 0.01; 0.005", "meter": "calls"}
    found = rows(product, {"interval": "quarter", "count": 2}, calls)
    assert verdicts(found) == ["new", "new"]
    assert [(one.number, one.action) for one in load(found)] == [(1, "new"), (2, "new")]
    assert days() == [version("100", "2026-03-01")]
    assert Price.objects.values_list("interval", "count").get(key="support") == ("month", 6)
    assert Price.objects.values_list("tiers", "billed", "meter").get(key="calls") == (
        [{"up_to": "1000", "amount": "0.01"}, {"up_to": None, "amount": "0.005"}], "in_arrears", "calls",
    )  # fmt: skip
    assert verdicts(found) == ["same", "same"]
    assert load(found) == []


def test_another_amount_is_the_next_version_and_is_taken_back(product: UUID) -> None:
    """Undoing the load offers again what held before."""
    add_price(product)
    found = rows(product, {"amount": D(120)})
    assert verdicts(found) == ["update"]
    loaded = load(found)
    assert days() == [version("100", "2026-01-01", "2026-03-01"), version("120", "2026-03-01")]
    assert unload_prices(actor=SYSTEM, loaded=loaded, on=MARCH, at=AT, reason="wrong file") == []
    assert days() == [version("100", "2026-01-01")]


def test_what_was_changed_after_the_load_is_kept(product: UUID) -> None:
    """Undoing leaves it alone and says so."""
    loaded = load(rows(product, {}))
    commands.retire_price(actor=SYSTEM, price_id=loaded[0].record_id, on=date(2026, 6, 1))
    kept = unload_prices(actor=SYSTEM, loaded=loaded, on=MARCH, at=AT, reason="wrong file")
    assert [one.why for one in kept] == ["It was changed after the import."]
    assert days() == [version("100", "2026-03-01", "2026-06-01")]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"amount": D(-1)}, ("amount", "negative")),
        ({"amount": None}, ("amount", "missing")),
        ({"tiers": "all"}, ("tiers", "not_tiers")),
        ({"tiers": "1000: NaN; 2"}, ("tiers", "not_tiers")),
        ({"tiers": "NaN: 1; 2"}, ("tiers", "not_tiers")),
        ({"tiers": "1e400: 1; 2"}, ("tiers", "not_tiers")),
        ({"tiers": "1_000: 1; 2"}, ("tiers", "not_tiers")),
        ({"model": "volume", "amount": None, "tiers": "5: 1; 5: 2; 3"}, ("tiers.1.up_to", "overlapping")),
        ({"model": "package"}, ("per", "missing")),
        ({"meter": "calls", "billed": "in_advance"}, ("billed", "metered_in_advance")),
        ({"valid_from": date(2025, 1, 1)}, ("valid_from", "not_offered")),
        ({"key": "old"}, ("valid_from", "overlaps")),
    ],
)
def test_a_bad_row_is_told_before_it_is_loaded(product: UUID, values: dict[str, Any], problem: tuple[str, str]) -> None:
    """The dry run names the place, and changes nothing."""
    add_price(product)
    add_price(product, key="old", valid_to="2026-02-01")
    assert verdicts(rows(product, values)) == [problem]
    assert Price.objects.count() == 2


def test_rows_are_compared_with_each_other(product: UUID) -> None:
    """The same price twice, one key for two products, and no currency at all."""
    other = add_product(name="Hosting", code="HST")
    found = rows(product, {}, {"amount": D(1)}, {"product": other, "currency": "USD"}, {"currency": "USD"})
    assert verdicts(found) == ["new", ("key", "twice_in_file"), ("key", "taken"), "new"]
    assert verdicts(rows(product, {}), {}) == [("currency", "missing")]


def test_a_retired_price_comes_back_later(product: UUID) -> None:
    """A row that begins after the end is a new version."""
    add_price(product, valid_to="2026-02-01")
    found = rows(product, {"valid_from": date(2026, 4, 1), "amount": D(90)})
    assert verdicts(found) == ["new"]
    load(found)
    assert days() == [version("100", "2026-01-01", "2026-02-01"), version("90", "2026-04-01")]
