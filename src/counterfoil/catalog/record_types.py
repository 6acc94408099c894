"""Products, described once."""

from __future__ import annotations

from decimal import Decimal

from counterfoil.catalog.models import Interval, Product, TaxClass
from counterfoil.plumbing.record_types import Field, Group, Kind, RecordType, register

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
            Field("is_active", "In use", Kind.YES_NO, help="Offered for new lines of deals and invoices."),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)
