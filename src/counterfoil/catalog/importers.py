"""Which files of products can be taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from counterfoil.catalog.loading import check_products
from counterfoil.catalog.models import Interval, Product, TaxClass
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
