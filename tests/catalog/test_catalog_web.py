"""Prices and price lists on the screen, as a clerk uses them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from catalog_world import ON, SYSTEM, TIERS, add_price, add_product, days, version

from counterfoil.accounts import commands as accounts
from counterfoil.catalog import commands, queries
from counterfoil.catalog.models import Price, PriceList, Product
from counterfoil.ledger.commands import add_entity
from staff import Browser, Staff

if TYPE_CHECKING:
    from conftest import Clock

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def billing(staff: Staff, clock: Clock) -> Browser:
    return staff.browser("billing")


@pytest.fixture
def product() -> UUID:
    return add_product()


def posted(**values: Any) -> dict[str, Any]:
    """A form as the browser sends it: boxes that the model hides are sent too."""
    given = {
        "key": "support",
        "price_list": "",
        "currency": "EUR",
        "model": "flat",
        "amount": "100,00",
        "per": "",
        "tiers-shown": "1",
        "tiers-0-up_to": "1000",
        "tiers-0-amount": "",
        "tiers-1-up_to": "",
        "tiers-1-amount": "",
        "count": "1",
        "interval": "month",
        "billed": "in_advance",
        "is_metered": "no",
        "meter": "",
        "valid_from": "2026-04-01",
        "valid_to": "",
        "quantity": "",
    }
    return given | values


def text(response: Any) -> str:
    """The page's text without markup and with single spaces."""
    words = re.sub(r"<[^>]*>", " ", response.content.decode()).replace("\u00a0", " ").replace("&nbsp;", " ")
    return re.sub(r"\s+", " ", words)


def test_a_quarterly_price_is_added(billing: Browser, product: UUID) -> None:
    """A quarter is three months, a comma is a point, and what the model does not need is left out."""
    answer = billing.post(f"/catalog/{product}/prices/new/", posted(interval="quarter", count="2", per="7"))
    price = Price.objects.get()
    assert answer.headers["Location"] == f"/catalog/prices/{price.pk}/"
    assert (price.amount, price.interval, price.count, price.per, price.tiers) == (D(100), "month", 6, None, [])
    assert "€100.00 half-yearly, in advance" in text(billing.get(answer.headers["Location"]))


def test_a_metered_price_with_tiers_is_added(billing: Browser, product: UUID) -> None:
    """Tiers come from the grid; the amount that stands in a hidden box is left out."""
    tiers = {"tiers-0-amount": "0,01", "tiers-1-amount": "0.005"}
    more = {"is_metered": "yes", "meter": "calls", "billed": "in_arrears"}
    billing.post(f"/catalog/{product}/prices/new/", posted(model="graduated", **tiers, **more))
    price = Price.objects.get()
    assert (price.amount, price.meter, price.billed) == (None, "calls", "in_arrears")
    assert price.tiers == [{"up_to": "1000", "amount": "0.01"}, {"up_to": None, "amount": "0.005"}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"amount": "-5"}, "A recurring price cannot be negative."),
        ({"model": "volume"}, "Each costs is missing."),
        ({"model": "volume", "tiers-0-amount": "1"}, "The last tier has no limit"),
        ({"valid_to": "2026-03-01"}, "The price would end before it begins."),
        ({"is_metered": "yes"}, "Say what is measured, such as calls."),
        ({"count": "many", "interval": "quarter"}, "Every must be a number"),
    ],
)
def test_a_refused_form_keeps_what_was_typed(
    billing: Browser, product: UUID, values: dict[str, str], message: str
) -> None:
    """The message stands on the page, the key that was typed too, and nothing was added."""
    answer = billing.post(f"/catalog/{product}/prices/new/", posted(key="typed-key", **values))
    assert answer.status_code == 422
    assert message in text(answer)
    assert 'value="typed-key"' in answer.content.decode()
    assert not Price.objects.exists()


def test_the_preview_is_what_the_price_asks(billing: Browser, product: UUID) -> None:
    """While typing the form says what quantities cost, by the rules that bill them; it saves nothing."""
    tiers = {"tiers-0-amount": "0.01", "tiers-1-amount": "0.005"}
    shown = text(billing.post("/catalog/prices/preview/", posted(model="graduated", quantity="1.500", **tiers)))
    assert "1.5 1.5 × 0.01 €0.015" in shown
    shown = text(billing.post("/catalog/prices/preview/", posted(model="graduated", quantity="1500", **tiers)))
    assert "1,500 1,000 × 0.01 + 500 × 0.005 €12.50" in shown
    assert "1,001 1,000 × 0.01 + 1 × 0.005 €10.005" in shown
    assert not Price.objects.exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"amount": ""}, "Say what it costs"),
        ({"amount": "ten"}, "Amount must be a number"),
        ({"model": "hourly"}, "The model is one of"),
        ({"model": "package", "per": "0"}, "A package holds more than nothing."),
        ({"model": "graduated"}, "Say what each unit costs."),
        ({"quantity": "-1"}, "Quantity must be at least 0."),
        ({"quantity": "lots"}, "Quantity must be a number"),
        ({"currency": "EUX"}, "Say what it costs, and in which currency."),
    ],
)
def test_the_preview_says_what_is_wrong(billing: Browser, values: dict[str, str], message: str) -> None:
    """A price that is not finished yet is no error; one word says what it lacks."""
    answer = billing.post("/catalog/prices/preview/", posted(**values))
    assert answer.status_code == 200
    assert message in text(answer)


def test_a_price_is_changed_from_a_day_on(billing: Browser, product: UUID) -> None:
    """The form begins with the present version and makes the next one; the old one stays on the page."""
    price = add_price(product, amount="100")
    form = billing.get(f"/catalog/prices/{price}/change/")
    assert 'value="2026-04-01"' in form.content.decode()
    answer = billing.post(
        f"/catalog/prices/{price}/change/", posted(amount="120", valid_from="2026-06-01") | {"version": "1"}
    )
    assert days() == [version("100", "2026-01-01", "2026-06-01"), version("120", "2026-06-01")]
    shown = text(billing.get(answer.headers["Location"]))
    assert "€120.00 monthly, in advance" in shown
    assert "€100.00 monthly, in advance" in shown
    assert "Planned" in shown


def test_a_stale_change_is_refused(billing: Browser, product: UUID) -> None:
    """Who has an old page before them is told, and nothing changed."""
    price = add_price(product)
    commands.change_price(actor=SYSTEM, price_id=price, values={"amount": "110"}, on=date(2026, 8, 1))
    answer = billing.post(f"/catalog/prices/{price}/change/", posted(amount="120") | {"version": "1"})
    assert answer.status_code == 409
    assert [amount for amount, _, _ in days()] == [D(100), D(110)]


def test_a_price_is_retired(billing: Browser, product: UUID) -> None:
    """From a day on; a day on which it is not offered any more is refused on the page."""
    price = add_price(product)
    billing.post(f"/catalog/prices/{price}/retire/", {"valid_from": "2026-06-01", "version": "1"})
    assert days() == [version("100", "2026-01-01", "2026-06-01")]
    answer = billing.post(f"/catalog/prices/{price}/retire/", {"valid_from": "2026-07-01"})
    assert (answer.status_code, days()) == (409, [version("100", "2026-01-01", "2026-06-01")])
    answer = billing.post(f"/catalog/prices/{price}/retire/", {"valid_from": "soon", "version": "1"})
    assert 'value="soon" autofocus aria-required="true" aria-invalid="true"' in answer.content.decode()
    answer = billing.post(f"/catalog/prices/{price}/retire/", {"valid_from": ""})
    assert (answer.status_code, "Say from which day on." in text(answer)) == (422, True)


def test_a_price_to_come_is_retired_from_its_first_day(billing: Browser, product: UUID) -> None:
    """The page offers that day, and refuses an earlier one."""
    price = add_price(product, on=date(2027, 1, 1))
    assert 'name="valid_from" value="2027-01-01"' in billing.get(f"/catalog/prices/{price}/").content.decode()
    answer = billing.post(f"/catalog/prices/{price}/retire/", {"valid_from": "2026-12-31", "version": "1"})
    assert (answer.status_code, "It is offered from 2027-01-01 on." in text(answer)) == (422, True)
    assert days() == [version("100", "2027-01-01")]


def test_a_product_shows_its_prices(billing: Browser, product: UUID) -> None:
    """Each price once, in words, with its other versions beneath; prices that were stand last."""
    first = add_price(product)
    commands.change_price(actor=SYSTEM, price_id=first, values={"amount": "120"}, on=date(2026, 3, 1))
    add_price(product, key="calls", model="volume", tiers=TIERS, meter="calls", is_metered=True)
    add_price(product, key="old", amount="80", valid_to="2026-02-01")
    shown = text(billing.get(f"/catalog/{product}/"))
    assert "€120.00 monthly, in advance support · from Mar 1, 2026 1 other version €100.00 monthly" in shown
    assert "€0.005 to €0.01 per seat, by volume, monthly, in arrears calls · measures calls" in shown
    assert shown.index("€0.005 to") < shown.index("€120.00") < shown.index("€80.00")


def test_the_list_says_prices_in_words(billing: Browser, product: UUID) -> None:
    """Offered and planned ones, unless past ones are asked for; it is exported as it is shown."""
    add_price(product)
    add_price(product, key="old", amount="80", valid_to="2026-02-01")
    shown = text(billing.get("/catalog/prices/"))
    assert "€100.00 monthly, in advance" in shown
    assert "€80.00" not in shown
    past = text(billing.get("/catalog/prices/?state=past"))
    assert ("€80.00 monthly, in advance" in past, "€100.00" in past) == (True, False)
    assert "€100.00" in text(billing.get("/catalog/prices/?q=supp&price_list=&model=flat"))
    table = b"".join(billing.get("/catalog/prices/?export=csv&state=past")).decode("utf-8-sig")  # type: ignore[call-overload]
    assert table.splitlines()[1].startswith('"€80.00 monthly, in advance",Support,old,')


def test_a_price_page_answers_for_a_quantity(billing: Browser, product: UUID) -> None:
    """The page says what a quantity costs, and htmx gets that part alone."""
    price = add_price(product, model="package", amount="5", per="1000")
    shown = text(billing.get(f"/catalog/prices/{price}/?quantity=2500"))
    assert "2,500 3 packages of 1,000 × 5.00 €15.00" in shown
    part = billing.get(f"/catalog/prices/{price}/?quantity=2500", headers={"HX-Request": "true", "HX-Target": "trial"})
    assert "<html" not in part.content.decode()
    assert "3 packages of 1,000 × 5.00" in text(part)


def test_a_price_list_for_a_tier_and_for_an_account(billing: Browser, product: UUID) -> None:
    """Lists are added, shown with their account's name and their prices, and changed."""
    accounts.install_defaults(actor=SYSTEM)
    acme = accounts.add_account(actor=SYSTEM, on=ON, values={"legal_name": "Acme GmbH"})
    billing.post("/catalog/lists/new/", {"name": "Gold", "tier": "gold", "account": "", "account-title": ""})
    billing.post(
        "/catalog/lists/new/", {"name": "Acme", "tier": "", "account": str(acme), "account-title": "Acme GmbH"}
    )
    gold, own = PriceList.objects.get(name="Gold"), PriceList.objects.get(name="Acme")
    assert (gold.tier, own.account_id) == ("gold", acme)
    billing.post(f"/catalog/{product}/prices/new/", posted(price_list=str(gold.pk), amount="90"))
    shown = text(billing.get("/catalog/lists/"))
    assert "Acme Acme GmbH 0" in shown
    assert "Gold Accounts of tier gold 1" in shown
    assert "€90.00 monthly, in advance" in text(billing.get(f"/catalog/lists/{gold.pk}/"))
    answer = billing.post(f"/catalog/lists/{gold.pk}/", {"name": "Gold", "tier": "", "account": "", "version": "1"})
    assert (answer.status_code, PriceList.objects.get(pk=gold.pk).tier) == (422, "gold")


def test_sales_reads_prices_and_changes_none(staff: Staff, clock: Clock, product: UUID) -> None:
    """Pages show no button for what the role may not do, and its addresses refuse."""
    price = add_price(product)
    sales = staff.browser("sales")
    page = sales.get(f"/catalog/prices/{price}/").content.decode()
    assert ("Change price" in page, "Retire" in page) == (False, False)
    assert "Add price" not in sales.get(f"/catalog/{product}/").content.decode()
    for path in (f"/catalog/{product}/prices/new/", f"/catalog/prices/{price}/change/", "/catalog/lists/new/"):
        assert sales.get(path).status_code == 403
    assert sales.post(f"/catalog/prices/{price}/retire/", {"valid_from": "2026-06-01"}).status_code == 403
    assert days() == [version("100", "2026-01-01")]


def test_a_product_keeps_its_ledger_account(billing: Browser, product: UUID) -> None:
    """The revenue account's code is typed on the product's page."""
    row = queries.get_product(SYSTEM, product)
    values = {"name": row.name, "code": row.code, "unit_price": "100", "currency": "EUR", "unit": "seat"}
    more = {"interval": "one_off", "tax_class": "standard", "is_active": "yes", "ledger_code": "8400", "version": "1"}
    billing.post(f"/catalog/{product}/", values | more)
    assert Product.objects.get().ledger_code == "8400"


def test_a_new_product_is_sold_in_the_currency_of_our_company(billing: Browser) -> None:
    """Before there is a company nothing is chosen; what was typed comes before it."""
    chosen = '<option value="{}" selected'
    assert chosen.format("GBP") not in billing.get("/catalog/new/").content.decode()
    entity = {"name": "London", "legal_name": "Works Ltd", "country": "GB", "currency": "GBP", "is_default": True}
    add_entity(actor=SYSTEM, values=entity)
    assert chosen.format("GBP") in billing.get("/catalog/new/").content.decode()
    refused = billing.post("/catalog/new/", {"name": "", "currency": "EUR"}).content.decode()
    assert (chosen.format("EUR") in refused, chosen.format("GBP") in refused) == (True, False)
