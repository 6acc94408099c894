"""Prices and price lists on the API."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from catalog_world import SYSTEM, TIERS, add_price, add_product, days, version

from counterfoil.catalog import commands
from counterfoil.catalog.models import Price
from staff import Program, Staff

if TYPE_CHECKING:
    from conftest import Clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(staff: Staff, clock: Clock) -> Program:
    return staff.program("billing")


@pytest.fixture
def product() -> UUID:
    return add_product()


def body(answer: Any) -> Any:
    return json.loads(answer.content)


def test_a_price_through_its_life(api: Program, product: UUID) -> None:
    """Added, changed from a day on, read with its versions, and retired."""
    wanted = {
        "product": str(product),
        "key": "calls",
        "model": "graduated",
        "tiers": [{"up_to": "1000", "amount": "0.01"}, {"up_to": None, "amount": "0.005"}],
        "currency": "EUR",
        "interval": "month",
        "is_metered": True,
        "meter": "calls",
    }
    answer = api("POST", "prices", wanted)
    assert answer.status_code == 201, answer.content
    price = body(answer)
    assert price["tiers"] == wanted["tiers"]
    assert (price["amount"], price["billed"], price["valid_from"]) == (None, "in_arrears", "2026-04-01")
    assert (price["state"], price["product_title"]) == ("offered", "Support")
    assert price["words"] == "€0.005 to €0.01 per seat, graduated, monthly, in arrears"
    change = {"model": "per_unit", "amount": "0.008", "valid_from": "2026-06-01", "version": 1}
    answer = api("POST", f"prices/{price['id']}/versions", change)
    assert answer.status_code == 201, answer.content
    fresh = body(answer)
    assert (fresh["amount"], fresh["tiers"], fresh["state"]) == ("0.008000", [], "planned")
    versions = body(api("GET", f"prices/{price['id']}/versions"))
    assert [(one["id"], one["valid_from"], one["valid_to"]) for one in versions] == [
        (fresh["id"], "2026-06-01", None),
        (price["id"], "2026-04-01", "2026-06-01"),
    ]
    left = body(api("POST", f"prices/{price['id']}/retire", {"on": "2026-05-01"}))
    assert [(one["id"], one["valid_to"]) for one in left] == [(price["id"], "2026-05-01")]
    assert api("GET", f"prices/{fresh['id']}").status_code == 404


def test_a_price_to_come_is_retired(api: Program, product: UUID) -> None:
    """From its first day when no day is said; from a day before that it is refused at its place."""
    price = add_price(product, on=date(2027, 1, 1))
    answer = api("POST", f"prices/{price}/retire", {"on": "2026-12-31"})
    assert answer.status_code == 422
    assert [(one["field"], one["code"]) for one in body(answer)["problems"]] == [("on", "before_start")]
    assert Price.objects.filter(pk=price).exists()
    assert body(api("POST", f"prices/{price}/retire")) == []


def test_what_a_quantity_costs(api: Program, product: UUID) -> None:
    """Exact text, with the pieces of which it consists."""
    price = add_price(product, key="calls", model="graduated", tiers=TIERS)
    assert body(api("GET", f"prices/{price}/cost?quantity=1500.5")) == {
        "quantity": "1500.5",
        "price": "12.5025",
        "unit_price": "0.008332",
        "because": "1,000 × 0.01 + 500.5 × 0.005",
        "parts": [{"quantity": "1000", "unit_price": "0.01"}, {"quantity": "500.5", "unit_price": "0.005"}],
    }


@pytest.mark.parametrize(
    ("quantity", "code"), [("-1", "too_small"), ("x", "not_a_number"), ("1e400", "out_of_range"), ("", "missing")]
)
def test_a_quantity_that_is_none(api: Program, product: UUID, quantity: str, code: str) -> None:
    """Is refused at its name."""
    answer = api("GET", f"prices/{add_price(product)}/cost?quantity={quantity}")
    assert answer.status_code == 422
    assert [(one["field"], one["code"]) for one in body(answer)["problems"]] == [("quantity", code)]


def test_what_an_account_gets(api: Program, product: UUID) -> None:
    """Of each key the nearest price, of the day and the currency."""
    account = uuid4()
    gold = commands.add_price_list(actor=SYSTEM, values={"name": "Gold", "tier": "gold"})
    add_price(product)
    add_price(product, amount="90", price_list=str(gold))
    add_price(product, key="setup", amount="10", on=days()[0][1], valid_to="2026-02-01")
    asked = f"prices/offered?currency=EUR&account={account}"
    assert [(one["key"], one["amount"]) for one in body(api("GET", asked))] == [("support", "100.000000")]
    assert [one["price_list"] for one in body(api("GET", f"{asked}&tier=gold"))] == [str(gold)]
    earlier = body(api("GET", f"{asked}&on=2026-01-15"))
    assert [one["key"] for one in earlier] == ["setup", "support"]
    assert body(api("GET", "prices/offered?currency=USD")) == []


def test_prices_are_listed(api: Program, product: UUID) -> None:
    """By cursor; filters narrow the list."""
    for number in range(5):
        add_price(product, key=f"price-{number}")
    add_price(product, key="old", valid_to="2026-02-01")
    first = body(api("GET", "prices?limit=4"))
    assert len(first["items"]) == 4
    rest = body(api("GET", f"prices?limit=4&cursor={first['next_cursor']}"))
    assert [one["key"] for one in rest["items"]] == ["price-4", "old"]
    assert [one["key"] for one in body(api("GET", "prices?state=past"))["items"]] == ["old"]
    assert [one["key"] for one in body(api("GET", "prices?key=price-2"))["items"]] == ["price-2"]
    assert body(api("GET", f"prices?product={uuid4()}"))["items"] == []


@pytest.mark.parametrize(
    ("change", "status", "problems"),
    [
        ({"amount": "-1"}, 422, [("amount", "negative")]),
        ({"valid_from": "soon", "amount": "1"}, 422, [("valid_from", "not_a_date")]),
        ({"valid_from": "2025-01-01", "amount": "1"}, 409, [("on", "not_offered")]),
        ({"key": "other"}, 422, [("key", "fixed")]),
        ({"colour": "red"}, 422, [("colour", "unknown_field")]),
        ({"amount": "1", "version": 7}, 409, [("version", "stale")]),
    ],
)
def test_a_bad_change_changes_nothing(
    api: Program, product: UUID, change: dict[str, Any], status: int, problems: list[tuple[str, str]]
) -> None:
    """It is refused with its code and its place."""
    price = add_price(product)
    answer = api("POST", f"prices/{price}/versions", change)
    assert answer.status_code == status
    assert [(one["field"], one["code"]) for one in body(answer)["problems"]] == problems
    assert days() == [version("100", "2026-01-01")]


def test_price_lists(api: Program) -> None:
    """Added, read, renamed with the version that was read, and listed."""
    answer = api("POST", "price-lists", {"name": "Gold", "tier": "gold"})
    assert answer.status_code == 201
    made = body(answer)
    assert (made["tier"], made["account"]) == ("gold", None)
    changed = body(api("PATCH", f"price-lists/{made['id']}", {"name": "Best", "version": 1}))
    assert (changed["name"], changed["version"]) == ("Best", 2)
    assert api("PATCH", f"price-lists/{made['id']}", {"name": "No", "version": 1}).status_code == 409
    assert body(api("GET", f"price-lists/{made['id']}"))["name"] == "Best"
    assert [one["name"] for one in body(api("GET", "price-lists"))["items"]] == ["Best"]


def test_sales_reads_and_changes_nothing(staff: Staff, clock: Clock, product: UUID) -> None:
    """Its key may not add, change or retire."""
    price = add_price(product)
    sales = staff.program("sales")
    assert sales("GET", f"prices/{price}").status_code == 200
    for path, values in (("prices", {}), (f"prices/{price}/versions", {}), (f"prices/{price}/retire", {})):
        assert sales("POST", path, values).status_code == 403
    assert Price.objects.values_list("id", "valid_to").get() == (price, None)
