"""The lines of a deal: from what somebody typed to rows of the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.catalog.models import Interval, Product, TaxClass
from counterfoil.core.errors import Problem, Refusal
from counterfoil.deals.models import DealLine


@dataclass(frozen=True)
class Offered:
    """A line with nothing left open."""

    product_id: UUID | None
    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    discount_percent: Decimal
    tax_class: str
    interval: str

    @classmethod
    def of(cls, line: DealLine) -> Offered:
        return cls(
            line.product_id,
            line.description,
            line.quantity,
            line.unit,
            line.unit_price,
            line.discount_percent,
            line.tax_class,
            line.interval,
        )


def offered_lines(given: Sequence[Mapping[str, Any]], before: Sequence[DealLine], currency: str) -> list[Offered]:
    """The lines with what the product says filled in, or one refusal that names every line that lacks something.

    A price that is not given is the one that the line had before, else the product's list price if it is in the
    deal's currency.
    """
    products = {
        product.pk: product
        for product in Product.objects.filter(pk__in={line["product"] for line in given if line.get("product")})
    }
    known: dict[tuple[UUID | None, str], list[DealLine]] = {}
    for row in before:
        known.setdefault((row.product_id, row.description), []).append(row)
    problems: list[Problem] = []
    found = []
    for number, line in enumerate(given):
        product = products.get(line["product"]) if line.get("product") else None
        description = line.get("description") or (product.name if product else "")
        earlier = known.get((line.get("product"), description), [])
        found.append(
            _offered(line, product, description, earlier.pop(0) if earlier else None, currency, number, problems)
        )
    if problems:
        raise Refusal.of(problems)
    return found


def _offered(
    line: Mapping[str, Any],
    product: Product | None,
    description: str,
    earlier: DealLine | None,
    currency: str,
    number: int,
    problems: list[Problem],
) -> Offered:
    if not description:
        problems.append(
            Problem(f"lines.{number}.description", "missing", "Choose a product or describe what is offered.")
        )
    price = line.get("unit_price")
    discount = line.get("discount_percent")
    if price is None and earlier is not None and "unit_price" not in line:
        price = earlier.unit_price
    if discount is None and earlier is not None and "discount_percent" not in line:
        discount = earlier.discount_percent
    if price is None and product is not None and product.currency == currency:
        price = product.unit_price
    if price is None:
        message = "Unit price is missing."
        if product is not None:
            message = f"{product.name} is priced in {product.currency}. Enter its price in {currency}."
        problems.append(Problem(f"lines.{number}.unit_price", "missing", message))
    quantity = line.get("quantity")
    return Offered(
        product_id=product.pk if product else None,
        description=description,
        quantity=Decimal(1) if quantity is None else quantity,
        unit=line.get("unit") or (product.unit if product else ""),
        unit_price=price if price is not None else Decimal(0),
        discount_percent=discount if discount is not None else Decimal(0),
        tax_class=line.get("tax_class") or (product.tax_class if product else TaxClass.STANDARD),
        interval=line.get("interval") or (product.interval if product else Interval.ONE_OFF),
    )


def write_lines(deal_id: UUID, offered: Sequence[Offered], before: Sequence[DealLine]) -> None:
    """Make the deal's lines these, in three statements at most. A line that stays keeps its id."""
    kept, new = [], []
    for place, line in enumerate(offered):
        is_known = place < len(before)
        row = before[place] if is_known else DealLine(deal_id=deal_id)
        if is_known and Offered.of(row) == line and row.position == place + 1:
            continue
        row.position = place + 1
        for name, value in vars(line).items():
            setattr(row, name, value)
        if is_known:
            row.version += 1
            kept.append(row)
        else:
            new.append(row)
    surplus = [row.pk for row in before[len(offered) :]]
    if surplus:
        DealLine.objects.filter(pk__in=surplus).delete()
    if kept:
        DealLine.objects.bulk_update(kept, ["position", "version", *_COLUMNS])
    if new:
        DealLine.objects.bulk_create(new)


_COLUMNS = [
    "product",
    "description",
    "quantity",
    "unit",
    "unit_price",
    "discount_percent",
    "tax_class",
    "interval",
]
