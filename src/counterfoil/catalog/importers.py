"""Which files of products and prices can be taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from counterfoil.catalog.loading import check_products
from counterfoil.catalog.models import (
    COUNT_MAX,
    Billed,
    Interval,
    IntervalUnit,
    PriceList,
    PriceModel,
    Product,
    TaxClass,
)
from counterfoil.catalog.price_loading import QUARTER, check_prices
from counterfoil.core.text import normalised_name
from counterfoil.plumbing.importers import Column, Importer, register
from counterfoil.plumbing.record_types import Choices, Field, Group, Kind


def find_products(texts: Sequence[str]) -> Mapping[str, UUID]:
    """The products that the texts name by code or normalised name. A misspelt name is not found: a person decides."""
    by_name = {normalised_name(text): text for text in texts}
    named = Product.objects.filter(normalised_name__in=by_name).values_list("normalised_name", "id")
    coded = Product.objects.filter(code__in=texts).values_list("code", "id")
    return {**{by_name[name]: product_id for name, product_id in named}, **dict(coded)}


def product_options() -> Choices:
    return [(str(pk), name) for pk, name in Product.objects.order_by("name").values_list("id", "name")[:2000]]


register(
    Importer(
        key="catalog.product",
        label="Products",
        what="Products and services with their list prices.",
        load="catalog.load_products",
        unload="catalog.unload_products",
        check=check_products,
        options=(Field("currency", "Prices are in", Kind.CURRENCY, required=True),),
        columns=(
            Column(
                Field("name", "Name", required=True, aliases=("product", "product name", "service", "item")),
                identifies=True,
            ),
            Column(Field("code", "Code", aliases=("sku", "article number", "product code", "product id")), True),
            Column(
                Field(
                    "unit_price",
                    "List price",
                    Kind.DECIMAL,
                    Group.PRICING,
                    required=True,
                    aliases=("price", "sales price", "list price", "unit price", "rate"),
                )
            ),
            Column(Field("currency", "Currency", Kind.CURRENCY, Group.PRICING)),
            Column(Field("family", "Family", aliases=("series", "category", "group", "product line"))),
            Column(Field("description", "Description", Kind.PARAGRAPH, max_length=1000)),
            Column(Field("unit", "Unit", max_length=20, aliases=("unit of measure", "uom"))),
            Column(Field("tax_class", "Tax class", Kind.CHOICE, Group.TAX, choices=TaxClass.choices)),
            Column(
                Field(
                    "interval", "Billed", Kind.CHOICE, choices=Interval.choices, aliases=("billing period", "recurring")
                )
            ),
        ),
    )
)


def find_price_lists(texts: Sequence[str]) -> Mapping[str, UUID]:
    return dict(PriceList.objects.filter(name__in=texts).values_list("name", "id"))


def price_list_options() -> Choices:
    return [(str(pk), name) for pk, name in PriceList.objects.order_by("name").values_list("id", "name")]


INTERVALS = [*IntervalUnit.choices, (QUARTER, "Quarter")]

register(
    Importer(
        key="catalog.price",
        label="Recurring prices",
        what="What subscriptions and usage are billed by.",
        load="catalog.load_prices",
        unload="catalog.unload_prices",
        check=check_prices,
        options=(Field("currency", "Prices are in", Kind.CURRENCY, required=True),),
        columns=(
            Column(
                Field("product", "Product", Kind.LINK, required=True, to="catalog.product", aliases=("product code",)),
                find=find_products,
                options=product_options,
            ),
            Column(Field("key", "Key", required=True, max_length=60, aliases=("price", "plan", "price code")), True),
            Column(
                Field("price_list", "Price list", Kind.LINK, to="catalog.price_list"),
                find=find_price_lists,
                options=price_list_options,
            ),
            Column(Field("model", "Model", Kind.CHOICE, Group.PRICING, required=True, choices=PriceModel.choices)),
            Column(Field("amount", "Amount", Kind.DECIMAL, Group.PRICING, aliases=("unit price", "fee"))),
            Column(Field("per", "Units in a package", Kind.DECIMAL, Group.PRICING, aliases=("package size",))),
            Column(Field("tiers", "Tiers", group=Group.PRICING, help="Such as 1000: 0.01; 0.005", max_length=1000)),
            Column(Field("currency", "Currency", Kind.CURRENCY, Group.PRICING)),
            Column(Field("count", "Every", Kind.INTEGER, minimum=Decimal(1), maximum=Decimal(COUNT_MAX // 3))),
            Column(Field("interval", "Interval", Kind.CHOICE, required=True, choices=INTERVALS)),
            Column(Field("billed", "Billed", Kind.CHOICE, choices=Billed.choices)),
            Column(Field("meter", "What is measured", max_length=60, aliases=("meter",))),
            Column(Field("valid_from", "From", Kind.DAY, aliases=("valid from", "effective date"))),
        ),
    )
)
