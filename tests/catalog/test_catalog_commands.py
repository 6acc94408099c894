"""Adding, changing and retiring prices, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from catalog_world import ON, SYSTEM, TIERS, add_price, add_product, days, version
from django.db import connection
from test_rules_pricing import table

from counterfoil.catalog import commands, queries
from counterfoil.catalog.models import Price, PriceList
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.plumbing.models import OutboxEvent
from staff import Staff

pytestmark = pytest.mark.django_db

D = Decimal
MARCH, JUNE = date(2026, 3, 1), date(2026, 6, 1)


@pytest.fixture
def product() -> UUID:
    return add_product()


def change(price: UUID, on: date, **values: Any) -> UUID:
    return commands.change_price(actor=SYSTEM, price_id=price, values=values, on=on)


def problems(refused: pytest.ExceptionInfo[Any]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in refused.value.problems]


# Adding ---------------------------------------------------------------------------------------------------------------


def test_a_price_with_tiers_is_added(product: UUID) -> None:
    """What was typed is kept exactly, defaults are filled in, and an event says so."""
    price_id = add_price(product, key="calls", model="graduated", tiers=TIERS, meter="calls", is_metered=True)
    price = Price.objects.get(pk=price_id)
    assert price.tiers == [{"up_to": "1000", "amount": "0.01"}, {"up_to": None, "amount": "0.005"}]
    assert (price.amount, price.per, price.count, price.billed) == (None, None, 1, "in_arrears")
    assert (price.valid_from, price.valid_to, price.price_list_id) == (ON, None, None)
    happened = OutboxEvent.objects.get(name="catalog.price_added")
    assert happened.payload == {
        "price_id": str(price_id),
        "product_id": str(product),
        "key": "calls",
        "valid_from": "2026-01-01",
    }


def test_a_price_begins_when_it_says(product: UUID) -> None:
    """``valid_from`` wins over the day of adding, and an end may be given at once."""
    add_price(product, valid_from="2026-03-01", valid_to="2026-06-01", count="3", billed="in_arrears")
    assert days() == [version("100", "2026-03-01", "2026-06-01")]
    assert Price.objects.values_list("count", "billed").get() == (3, "in_arrears")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"amount": "-1"}, [("amount", "negative")]),
        ({"amount": ""}, [("amount", "missing")]),
        ({"amount": "1000000000000"}, [("amount", "out_of_range")]),
        ({"amount": "0.0000001"}, [("amount", "too_many_decimals")]),
        ({"amount": 1.5}, [("amount", "not_a_number")]),
        ({"model": "hourly"}, [("model", "not_a_choice")]),
        ({"model": "package"}, [("per", "missing")]),
        ({"model": "package", "per": "0"}, [("per", "too_small")]),
        ({"count": "0"}, [("count", "too_small")]),
        ({"count": "1001"}, [("count", "too_large")]),
        ({"count": "1.5"}, [("count", "not_whole")]),
        ({"interval": "quarter"}, [("interval", "not_a_choice")]),
        ({"currency": "EUX"}, [("currency", "unknown_currency")]),
        ({"key": " "}, [("key", "missing")]),
        ({"is_metered": True}, [("meter", "missing")]),
        ({"meter": "calls", "is_metered": False}, [("meter", "not_used")]),
        ({"meter": "calls", "billed": "in_advance"}, [("billed", "metered_in_advance")]),
        ({"valid_to": "2026-01-01"}, [("valid_to", "runs_backward")]),
        ({"valid_from": "2026-02-30"}, [("valid_from", "not_a_date")]),
        ({"product": str(uuid4())}, [("product", "no_such_record")]),
        ({"price_list": str(uuid4())}, [("price_list", "no_such_record")]),
        ({"state": "offered"}, [("state", "read_only")]),
        ({"discount": "5"}, [("discount", "unknown_field")]),
        ({"model": "graduated", "amount": "", "tiers": []}, [("tiers", "no_tiers")]),
        ({"model": "graduated", "amount": "1", "tiers": TIERS}, [("amount", "not_used")]),
        ({"model": "volume", "tiers": TIERS[:1]}, [("tiers.0.up_to", "not_open")]),
        ({"model": "volume", "tiers": [*TIERS[:1], *TIERS]}, [("tiers.1.up_to", "overlapping")]),
        (
            {"model": "volume", "tiers": [TIERS[1], *TIERS[:1]]},
            [("tiers.0.up_to", "overlapping"), ("tiers.1.up_to", "not_open")],
        ),
        ({"model": "volume", "tiers": [{"up_to": "", "amount": "-1"}]}, [("tiers.0.amount", "negative")]),
        ({"model": "volume", "tiers": [{"up_to": ""}]}, [("tiers.0.amount", "missing")]),
        ({"model": "volume", "tiers": [{"from": "5", "amount": "1"}]}, [("tiers.0.from", "unknown_field")]),
        ({"model": "volume", "tiers": "all"}, [("tiers", "not_a_list")]),
        ({"tiers": TIERS, "model": "flat", "amount": "1"}, [("tiers", "not_used")]),
    ],
)
def test_what_is_no_price_is_refused(product: UUID, values: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Each problem has its place and its code, and nothing was added."""
    with pytest.raises(Refusal) as refused:
        add_price(**{"product": product, **values})
    assert problems(refused) == found
    assert not Price.objects.exists()
    assert not OutboxEvent.objects.filter(name__startswith="catalog.price").exists()


def test_a_key_has_one_version_a_day(product: UUID) -> None:
    """A second price of the key on the same days is refused; another currency, another list or later days are not."""
    first = add_price(product, valid_to="2026-06-01")
    gold = commands.add_price_list(actor=SYSTEM, values={"name": "Gold", "tier": "gold"})
    with pytest.raises(Conflict) as refused:
        add_price(product, amount="90")
    assert problems(refused) == [("valid_from", "overlaps")]
    assert days() == [version("100", "2026-01-01", "2026-06-01")]
    add_price(product, amount="110", currency="USD")
    add_price(product, amount="90", price_list=str(gold))
    add_price(product, amount="120", on=JUNE)
    assert [amount for amount, _, _ in days()] == [D(100), D(110), D(90), D(120)]
    assert Price.objects.get(pk=first).amount == D(100)


def test_a_key_stays_with_its_product(product: UUID) -> None:
    """Another product's price cannot take the key, not even in another currency."""
    add_price(product)
    other = add_product(name="Hosting", code="HST")
    with pytest.raises(Conflict) as refused:
        add_price(other, currency="USD")
    assert problems(refused) == [("key", "taken")]
    assert Price.objects.get().product_id == product


# Changing -------------------------------------------------------------------------------------------------------------


def test_a_change_makes_the_next_version(product: UUID) -> None:
    """The present version ends the day before and keeps its money; what was not named stays as it is."""
    first = add_price(product, count="3", billed="in_arrears")
    second = change(first, MARCH, amount="120")
    assert days() == [version("100", "2026-01-01", "2026-03-01"), version("120", "2026-03-01")]
    assert Price.objects.values_list("count", "billed", "model").get(pk=second) == (3, "in_arrears", "flat")
    happened = OutboxEvent.objects.get(name="catalog.price_changed")
    assert happened.payload == {
        "price_id": str(second),
        "before_id": str(first),
        "product_id": str(product),
        "key": "support",
        "valid_from": "2026-03-01",
    }
    assert set(happened.about) == {first, second, product}


def test_versions_are_those_of_the_documentation(product: UUID) -> None:
    """The table of the page, line by line: what holds after each step."""
    verbs = {
        "added: 100.00": lambda: add_price(product),
        "changed from 1 June: 120.00": lambda: change(Price.objects.earliest("valid_from").pk, JUNE, amount="120"),
        "changed from 1 March: 110.00": lambda: change(Price.objects.earliest("valid_from").pk, MARCH, amount="110"),
        "changed from 1 March: 105.00": lambda: change(Price.objects.earliest("valid_from").pk, MARCH, amount="105"),
        "retired from 1 June": lambda: commands.retire_price(
            actor=SYSTEM, price_id=Price.objects.latest("valid_from").pk, on=JUNE
        ),
    }
    rows = table("On")
    assert [row[1] for row in rows] == list(verbs)
    for row in rows:
        verbs[row[1]]()
        shown = []
        for on in (date(2026, 2, 28), MARCH, JUNE):
            price = queries.prices_for(account_id=None, tier="", currency="EUR", on=on).get("support")
            shown.append(f"{price.amount:.2f}" if price and price.amount else "–")
        assert shown == row[2:], row[1]


def test_another_model_leaves_what_it_does_not_need(product: UUID) -> None:
    """An amount gives way to tiers and a package's size goes, without being named."""
    first = add_price(product, model="package", amount="5", per="1000")
    second = change(first, MARCH, model="volume", tiers=TIERS)
    assert Price.objects.values_list("amount", "per", "model").get(pk=second) == (None, None, "volume")
    third = change(first, JUNE, model="per_unit", amount="0.004")
    assert Price.objects.values_list("amount", "per", "tiers").get(pk=third) == (D("0.004"), None, [])
    with pytest.raises(Refusal) as refused:
        change(first, date(2026, 7, 1), model="graduated")
    assert problems(refused) == [("tiers", "no_tiers")]
    assert Price.objects.count() == 3


def test_a_metered_price_may_stop_being_metered(product: UUID) -> None:
    """Its meter goes with it."""
    first = add_price(product, meter="calls", is_metered=True)
    second = change(first, MARCH, is_metered=False, billed="in_advance")
    assert Price.objects.values_list("is_metered", "meter", "billed").get(pk=second) == (False, "", "in_advance")


def test_a_change_of_nothing_makes_no_version(product: UUID) -> None:
    """The same amount, however it is written, is no change."""
    first = add_price(product, key="calls", model="graduated", tiers=TIERS)
    assert change(first, MARCH, tiers=[{"up_to": "1000.00", "amount": "0.0100"}, {"amount": "0.005"}]) == first
    assert change(first, MARCH, count="", billed="") == first
    assert Price.objects.get().version == 1
    assert not OutboxEvent.objects.filter(name="catalog.price_changed").exists()


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"key": "other"}, [("key", "fixed")]),
        ({"currency": "USD"}, [("currency", "fixed")]),
        ({"product": "another"}, [("product", "fixed")]),
        ({"price_list": "gold"}, [("price_list", "fixed")]),
        ({"valid_to": "2026-12-01"}, [("valid_to", "fixed")]),
        ({"amount": "-1"}, [("amount", "negative")]),
        ({"amount": None}, [("amount", "missing")]),
        ({"billed": "in_advance", "meter": "calls", "is_metered": "yes"}, [("billed", "metered_in_advance")]),
    ],
)
def test_a_change_that_is_none_is_refused(product: UUID, values: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Another identity is another price; a bad amount is bad in every version. Nothing changed."""
    price = add_price(product)
    if "product" in values:
        values = {"product": str(add_product(name="Hosting", code="HST"))}
    if "price_list" in values:
        values = {"price_list": str(commands.add_price_list(actor=SYSTEM, values={"name": "Gold", "tier": "gold"}))}
    with pytest.raises(Refusal) as refused:
        change(price, MARCH, **values)
    assert problems(refused) == found
    assert days() == [version("100", "2026-01-01")]


def test_a_change_outside_the_offer_is_refused(product: UUID) -> None:
    """Before the first version and after the last there is nothing to change."""
    price = add_price(product, valid_to="2026-06-01")
    for day in (date(2025, 12, 31), JUNE):
        with pytest.raises(Conflict) as refused:
            change(price, day, amount="1")
        assert problems(refused) == [("on", "not_offered")]
    assert days() == [version("100", "2026-01-01", "2026-06-01")]


def test_a_change_of_what_somebody_changed_is_stale(product: UUID) -> None:
    """The version that was read must be the one that is there."""
    price = add_price(product)
    change(price, JUNE, amount="120")
    with pytest.raises(Stale):
        commands.change_price(actor=SYSTEM, price_id=price, values={"amount": "1"}, on=MARCH, version=1)
    assert [amount for amount, _, _ in days()] == [D(100), D(120)]
    commands.change_price(actor=SYSTEM, price_id=price, values={"amount": "110"}, on=MARCH, version=2)
    assert [amount for amount, _, _ in days()] == [D(100), D(110), D(120)]


def test_a_price_that_is_not_there(product: UUID) -> None:
    """Neither changes nor ends."""
    with pytest.raises(NotFound):
        change(uuid4(), MARCH, amount="1")
    with pytest.raises(NotFound):
        commands.retire_price(actor=SYSTEM, price_id=uuid4(), on=MARCH)


# Held versions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def hold() -> Any:
    """Somebody holds a version: a row of another table that protects it, as a room above would have it."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE tests_holder (price_id uuid REFERENCES catalog_price (id))")

    def holds(price_id: UUID) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO tests_holder VALUES (%s)", [price_id])

    return holds


def test_a_held_version_stays_with_its_holder(product: UUID, hold: Any) -> None:
    """A change from its first day offers it to nobody else; its row and its money stay."""
    first = add_price(product)
    hold(first)
    second = change(first, ON, amount="95")
    assert days() == [version("100", "2026-01-01", "2026-01-01"), version("95", "2026-01-01")]
    assert Price.objects.get(pk=first).pricing.amount == D(100)
    commands.retire_price(actor=SYSTEM, price_id=second, on=ON)
    assert days() == [version("100", "2026-01-01", "2026-01-01")]


def test_a_version_that_nobody_holds_gives_way(product: UUID) -> None:
    """A change from its first day replaces it."""
    first = add_price(product)
    second = change(first, ON, amount="95")
    assert days() == [version("95", "2026-01-01")]
    assert not Price.objects.filter(pk=first).exists()
    assert Price.objects.get(pk=second).version == 1


# Retiring -------------------------------------------------------------------------------------------------------------


def test_retiring_ends_the_offer(product: UUID) -> None:
    """The version of the day ends, planned ones go, and the price may be added again later."""
    first = add_price(product)
    change(first, JUNE, amount="120")
    commands.retire_price(actor=SYSTEM, price_id=first, on=MARCH)
    assert days() == [version("100", "2026-01-01", "2026-03-01")]
    happened = OutboxEvent.objects.get(name="catalog.price_retired")
    assert happened.payload == {
        "price_id": str(first),
        "product_id": str(product),
        "key": "support",
        "valid_to": "2026-03-01",
    }
    with pytest.raises(Conflict):
        commands.retire_price(actor=SYSTEM, price_id=first, on=JUNE)
    add_price(product, on=JUNE, amount="130")
    assert days() == [version("100", "2026-01-01", "2026-03-01"), version("130", "2026-06-01")]


def test_nothing_is_retired_before_it_was_offered(product: UUID) -> None:
    """An earlier day than the first version's is refused at its place, whichever version is named; the first day itself
    takes a price back that is still to come.
    """
    first = add_price(product, on=MARCH)
    second = change(first, JUNE, amount="120")
    before = days()
    for named in (first, second):
        with pytest.raises(Refusal) as refused:
            commands.retire_price(actor=SYSTEM, price_id=named, on=MARCH - timedelta(days=1))
        assert [(one.field, one.code) for one in refused.value.problems] == [("on", "before_start")]
        assert days() == before
    commands.retire_price(actor=SYSTEM, price_id=second, on=MARCH)
    assert days() == []


# Rights ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["sales", "accountant"])
def test_only_who_keeps_the_catalog_changes_prices(staff: Staff, product: UUID, role: str) -> None:
    """Sales and accountants read prices and change none."""
    price = add_price(product)
    actor = staff.actor(role)
    for wish in (
        lambda: add_price(product, key="other", actor=actor),
        lambda: commands.change_price(actor=actor, price_id=price, values={"amount": "1"}, on=MARCH),
        lambda: commands.retire_price(actor=actor, price_id=price, on=MARCH),
        lambda: commands.add_price_list(actor=actor, values={"name": "Gold", "tier": "gold"}),
    ):
        with pytest.raises(NotAllowed):
            wish()
    assert days() == [version("100", "2026-01-01")]
    assert not PriceList.objects.exists()
    assert queries.get_price(actor, price, on=ON).words == "€100.00 monthly, in advance"


# Price lists ----------------------------------------------------------------------------------------------------------


def test_an_account_gets_the_nearest_price() -> None:
    """The table of the page: its own list, else its tier's, else the general price; each line with its own key."""
    product, acme, other = add_product(), uuid4(), uuid4()
    gold = PriceList.objects.create(name="Gold", tier="gold").pk
    own = PriceList.objects.create(name="Acme", account_id=acme).pk
    rows = table("General")
    for place, (general, tier, account, *_) in enumerate(rows):
        for amount, price_list in ((general, None), (tier, gold), (account, own)):
            if amount != "–":
                add_price(product, key=str(place), amount=amount, price_list=price_list)
    for place, row in enumerate(rows):
        shown = []
        for account_id, tier in ((acme, "Gold"), (other, "gold"), (other, "standard")):
            price = queries.prices_for(account_id=account_id, tier=tier, currency="EUR", on=ON).get(str(place))
            shown.append(f"{price.amount:.2f}" if price and price.amount else "–")
        assert shown == row[3:], row


def test_the_nearest_price_is_one_statement(product: UUID, django_assert_num_queries: Any) -> None:
    """However many keys there are, and with their products; days, currencies and keys narrow it."""
    for number in range(20):
        add_price(product, key=f"price-{number}", valid_to="2026-06-01")
    add_price(product, key="dollars", currency="USD")
    with django_assert_num_queries(1):
        found = queries.prices_for(account_id=uuid4(), tier="gold", currency="EUR", on=MARCH)
        assert {price.product.name for price in found.values()} == {"Support"}
    assert set(found) == {f"price-{number}" for number in range(20)}
    narrowed = queries.prices_for(account_id=None, tier="", currency="EUR", on=MARCH, keys=["price-3", "dollars"])
    assert set(narrowed) == {"price-3"}
    assert queries.prices_for(account_id=None, tier="", currency="EUR", on=JUNE) == {}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"name": "Silver"}, [("tier", "missing")]),
        ({"name": "", "tier": "silver"}, [("name", "missing")]),
        ({"name": "Gold", "tier": "silver"}, [("name", "taken")]),
        ({"name": "Silver", "tier": "GOLD"}, [("tier", "taken")]),
        ({"name": "Silver", "account": str(uuid4())}, [("account", "no_such_record")]),
    ],
)
def test_what_is_no_price_list_is_refused(values: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """A list is for a tier or an account that has none yet."""
    commands.add_price_list(actor=SYSTEM, values={"name": "Gold", "tier": "gold"})
    with pytest.raises(Refusal) as refused:
        commands.add_price_list(actor=SYSTEM, values=values)
    assert problems(refused) == found
    assert list(PriceList.objects.values_list("name", "tier")) == [("Gold", "gold")]


def test_a_price_list_is_changed(product: UUID) -> None:
    """It may be renamed and given to another tier; who changed it meanwhile wins."""
    gold = commands.add_price_list(actor=SYSTEM, values={"name": "Gold", "tier": "gold"})
    commands.change_price_list(actor=SYSTEM, price_list_id=gold, values={"name": "Best", "tier": "gold"}, version=1)
    assert PriceList.objects.values_list("name", "tier", "version").get() == ("Best", "gold", 2)
    happened = OutboxEvent.objects.get(name="catalog.price_list_changed")
    assert happened.payload == {"price_list_id": str(gold), "name": "Best", "fields": ["name"]}
    with pytest.raises(Stale):
        commands.change_price_list(actor=SYSTEM, price_list_id=gold, values={"name": "No"}, version=1)
    with pytest.raises(Refusal) as refused:
        commands.change_price_list(actor=SYSTEM, price_list_id=gold, values={"tier": ""})
    assert problems(refused) == [("tier", "missing")]
    with pytest.raises(NotFound):
        commands.change_price_list(actor=SYSTEM, price_list_id=uuid4(), values={"name": "No"})
    assert PriceList.objects.values_list("name", "tier", "version").get() == ("Best", "gold", 2)
