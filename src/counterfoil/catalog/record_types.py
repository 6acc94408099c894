"""Products, prices and price lists, described once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from counterfoil.catalog.models import (
    COUNT_MAX,
    Billed,
    Interval,
    IntervalUnit,
    Price,
    PriceList,
    PriceModel,
    Product,
    TaxClass,
)
from counterfoil.plumbing.record_types import Field, Group, Kind, RecordType, register
from counterfoil.surface.states import register_state

register_state("offered", "Offered", "dot", "green")
register_state("planned", "Planned", "circle", "blue")
register_state("past", "Past", "dash", "muted")

register(
    RecordType(
        key="catalog.product",
        model=Product,
        label="Product",
        plural="Products",
        title=lambda product: product.name,
        see="catalog.see",
        page="catalog:product",
        search={"name": "name", "code": "code"},
        hint=("code", "code"),
        create="catalog.add_product",
        change="catalog.change_product",
        fields=(
            Field("name", "Name", required=True),
            Field("code", "Code", required=True, max_length=60),
            Field("family", "Family", max_length=60),
            Field("description", "Description", Kind.PARAGRAPH, max_length=1000),
            Field("unit", "Unit", max_length=20, help="Such as day, hour or piece. May be empty."),
            Field("unit_price", "List price", Kind.DECIMAL, Group.PRICING, required=True, minimum=Decimal(0)),
            Field("currency", "Currency", Kind.CURRENCY, Group.PRICING, required=True),
            Field("interval", "Billed", Kind.CHOICE, choices=Interval.choices),
            Field("tax_class", "Tax class", Kind.CHOICE, Group.TAX, choices=TaxClass.choices),
            Field(
                "ledger_code", "Ledger account", max_length=20, help="The revenue account's code, if it has its own."
            ),
            Field("is_active", "In use", Kind.YES_NO, help="Offered for new lines of deals and invoices."),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)


def _tiers(price: Price) -> list[dict[str, Any]]:
    return [{"up_to": tier.up_to, "amount": tier.amount} for tier in price.pricing.tiers]


PRICE_STATES = (("offered", "Offered"), ("planned", "Planned"), ("past", "Past"))


def _state(price: Price) -> str:
    """What the version is on the day for which a query asked; without a day nothing."""
    return getattr(price, "state", "")


TIER_FIELDS = (
    Field("up_to", "Up to and with", Kind.DECIMAL, Group.PRICING),
    Field("amount", "Each costs", Kind.DECIMAL, Group.PRICING, required=True),
)

register(
    RecordType(
        key="catalog.price",
        model=Price,
        label="Price",
        plural="Prices",
        title=lambda price: price.key,
        see="catalog.see",
        page="catalog:price",
        search={"key": "key", "product": "product__name"},
        hint=("product", "product__name"),
        create="catalog.add_price",
        change="catalog.change_price",
        fields=(
            Field("product", "Product", Kind.LINK, required=True, to="catalog.product"),
            Field("key", "Key", required=True, max_length=60, help="All versions of a price have it in common."),
            Field("price_list", "Price list", Kind.LINK, to="catalog.price_list", help="Without one, for everybody."),
            Field("model", "Model", Kind.CHOICE, Group.PRICING, required=True, choices=PriceModel.choices),
            Field("amount", "Amount", Kind.DECIMAL, Group.PRICING, help="Empty for tiers."),
            Field("per", "Units in a package", Kind.DECIMAL, Group.PRICING, help="Only for packages."),
            Field(
                "tiers",
                "Tiers",
                Kind.ROWS,
                Group.PRICING,
                rows=TIER_FIELDS,
                read=_tiers,
                help="A limit belongs to its tier. The last tier has none.",
            ),
            Field("currency", "Currency", Kind.CURRENCY, Group.PRICING, required=True),
            Field(
                "count",
                "Every",
                Kind.INTEGER,
                minimum=Decimal(1),
                maximum=Decimal(COUNT_MAX),
                help="Every so many; a quarter is 3 months.",
            ),
            Field("interval", "Interval", Kind.CHOICE, required=True, choices=IntervalUnit.choices),
            Field("billed", "Billed", Kind.CHOICE, choices=Billed.choices),
            Field("is_metered", "Metered", Kind.YES_NO, help="Billed by what was used."),
            Field("meter", "What is measured", max_length=60, help="Such as calls or gigabytes."),
            Field("valid_from", "From", Kind.DAY),
            Field("valid_to", "Until before", Kind.DAY),
            Field("state", "State", Kind.CHOICE, computed=True, choices=PRICE_STATES, read=_state),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)

register(
    RecordType(
        key="catalog.price_list",
        model=PriceList,
        label="Price list",
        plural="Price lists",
        title=lambda price_list: price_list.name,
        see="catalog.see",
        page="catalog:price_list",
        search={"name": "name"},
        hint=("tier", "tier"),
        create="catalog.add_price_list",
        change="catalog.change_price_list",
        fields=(
            Field("name", "Name", required=True, max_length=100),
            Field("tier", "Service tier", max_length=40, help="For all accounts of this tier."),
            Field("account", "Account", Kind.LINK, to="accounts.account", help="For this account alone."),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)
