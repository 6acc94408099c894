"""What the database promises about prices, whoever asks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from counterfoil.catalog.models import Price, PriceList, Product
from counterfoil.catalog.rules.pricing import Pricing, Tier

pytestmark = pytest.mark.django_db

D = Decimal
TIERS = [{"up_to": "1000", "amount": "0.01"}, {"up_to": None, "amount": "0.005"}]


def product(code: str = "SUP") -> Product:
    values = {"name": code, "normalised_name": code.lower(), "unit_price": D(100), "currency": "EUR"}
    return Product.objects.get_or_create(code=code, defaults=values)[0]


def price(**values: Any) -> Price:
    given = {
        "key": "support",
        "model": "flat",
        "amount": None if values.get("tiers") else D(100),
        "currency": "EUR",
        "interval": "month",
        "valid_from": date(2026, 1, 1),
        **values,
    }
    given.setdefault("product", product())
    with transaction.atomic():
        return Price.objects.create(**given)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"amount": D(-1)}, "amount_or_tiers"),
        ({"amount": None}, "amount_or_tiers"),
        ({"tiers": TIERS}, "amount_or_tiers"),
        ({"model": "graduated"}, "amount_or_tiers"),
        ({"model": "graduated", "amount": D(1), "tiers": TIERS}, "amount_or_tiers"),
        ({"model": "package"}, "package"),
        ({"model": "package", "per": D(0)}, "package"),
        ({"per": D(10)}, "package"),
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"key": ""}, "has_a_key"),
        ({"valid_to": date(2025, 12, 31)}, "runs_forward"),
        ({"is_metered": True, "meter": "", "billed": "in_arrears"}, "metered_in_arrears"),
        ({"is_metered": True, "meter": "calls", "billed": "in_advance"}, "metered_in_arrears"),
        ({"is_metered": False, "meter": "calls", "billed": "in_arrears"}, "metered_in_arrears"),
        ({"model": "hourly"}, "amount_or_tiers"),
        ({"interval": "quarter"}, "known_words"),
        ({"billed": "later"}, "known_words"),
    ],
)
def test_no_price_is_half_a_price(values: dict[str, Any], constraint: str) -> None:
    """A price that does not hold together is refused by the database itself."""
    with pytest.raises(IntegrityError, match=f"catalog_price_{constraint}"):
        price(**values)
    assert not Price.objects.exists()


@pytest.mark.parametrize(
    "tiers",
    [
        {},
        "all",
        ["0.01"],
        [None],
        [{"up_to": "1000", "amount": "0.01"}],
        [{"up_to": None, "amount": "-0.01"}],
        [{"up_to": None, "amount": 0.01}],
        [{"up_to": None, "amount": None}],
        [{"up_to": None}],
        [{"up_to": None, "amount": ""}],
        [{"up_to": None, "amount": "0.0000001"}],
        [{"up_to": None, "amount": "1", "from": "0"}],
        [{"up_to": 1000, "amount": "1"}, {"up_to": None, "amount": "1"}],
        [{"up_to": "0", "amount": "1"}, {"up_to": None, "amount": "1"}],
        [{"up_to": "x", "amount": "1"}, {"up_to": None, "amount": "1"}],
        [{"up_to": None, "amount": "1"}, {"up_to": None, "amount": "1"}],
        [{"up_to": "5", "amount": "1"}, {"up_to": "5", "amount": "1"}, {"up_to": None, "amount": "1"}],
        [{"up_to": "9", "amount": "1"}, {"up_to": "10.5", "amount": "1"}, {"up_to": "10", "amount": "1"}],
        [{"up_to": "9", "amount": "1"}, {"up_to": "10", "amount": "1"}, {"up_to": "9.5", "amount": "1"}, TIERS[1]],
        [{"up_to": str(place), "amount": "1"} for place in range(1, 101)] + [TIERS[1]],
    ],
)
def test_tiers_are_whole_in_the_database(tiers: Any) -> None:
    """Gaps, overlaps, amounts below zero and foreign names are refused, however they got there."""
    with pytest.raises(IntegrityError, match="catalog_price_amount_or_tiers"):
        price(model="volume", amount=None, tiers=tiers)
    assert not Price.objects.exists()


def test_tiers_come_back_from_the_database() -> None:
    """A price with tiers calculates with what was kept; so does one with an amount."""
    kept = Price.objects.get(pk=price(model="graduated", tiers=[*TIERS[:1], {"amount": "0.005"}]).pk)
    assert kept.pricing == Pricing("graduated", None, None, (Tier(D(1000), D("0.01")), Tier(None, D("0.005"))))
    kept = Price.objects.get(pk=price(key="calls", model="package", amount=D(5), per=D(1000)).pk)
    assert kept.pricing == Pricing("package", D(5), D(1000))


def test_one_version_at_a_time() -> None:
    """Versions of one key, currency and list never hold on the same day; their ends are half-open."""
    first = price(valid_to=date(2026, 3, 1))
    price(valid_from=date(2026, 3, 1))
    gold = PriceList.objects.create(name="Gold", tier="gold")
    price(price_list=gold)
    price(currency="USD")
    for clash in ({}, {"valid_from": date(2026, 2, 28), "valid_to": date(2026, 3, 1)}, {"price_list": gold}):
        with pytest.raises(IntegrityError, match="one_version_at_a_time"):
            price(**clash)
    price(valid_from=date(2026, 2, 1), valid_to=date(2026, 2, 1))
    assert Price.objects.filter(key="support").count() == 5
    assert Price.objects.get(pk=first.pk).valid_to == date(2026, 3, 1)


def test_a_key_is_of_one_product() -> None:
    """A key that stood for a product never stands for another, in no list and on no day."""
    price(valid_to=date(2026, 2, 1))
    with pytest.raises(IntegrityError, match="key_of_one_product"):
        price(product=product("OTHER"), valid_from=date(2027, 1, 1), currency="USD")
    assert Price.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": D(99)},
        {"model": "per_unit"},
        {"currency": "USD"},
        {"key": "other"},
        {"interval": "year"},
        {"count": 2},
        {"billed": "in_arrears"},
        {"valid_from": date(2026, 1, 2)},
        {"product_id": UUID(int=7)},
    ],
)
def test_a_version_never_changes(change: dict[str, Any]) -> None:
    """No statement changes what a version says; its last day may be set, and taken back."""
    kept = price()
    with pytest.raises(DatabaseError, match="a version of a price never changes"), transaction.atomic():
        Price.objects.update(**change)
    Price.objects.update(valid_to=date(2026, 5, 1), version=2)
    Price.objects.update(valid_to=None)
    assert Price.objects.values("amount", "model", "currency", "key", "valid_from", "valid_to").get(pk=kept.pk) == {
        "amount": D(100),
        "model": "flat",
        "currency": "EUR",
        "key": "support",
        "valid_from": date(2026, 1, 1),
        "valid_to": None,
    }


def test_a_price_list_is_for_a_tier_or_an_account() -> None:
    """One list for a tier whatever its case, one for an account, and each list for exactly one of both."""
    account = UUID(int=1)
    PriceList.objects.create(name="Gold", tier="gold")
    PriceList.objects.create(name="Acme", account_id=account)
    for values in ({}, {"tier": "silver", "account_id": UUID(int=2)}, {"tier": "GOLD"}, {"account_id": account}):
        with pytest.raises(IntegrityError, match="catalog_pricelist_"), transaction.atomic():
            PriceList.objects.create(name="Another", **values)
    assert set(PriceList.objects.values_list("name", flat=True)) == {"Gold", "Acme"}


def test_every_version_is_in_the_audit_trail() -> None:
    """Adding and ending a version is written down."""
    kept = price()
    Price.objects.update(valid_to=date(2026, 5, 1))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT operation, after ->> 'valid_to' FROM access_change WHERE record_id = %s ORDER BY id", [kept.pk]
        )
        assert cursor.fetchall() == [("insert", None), ("update", "2026-05-01")]
