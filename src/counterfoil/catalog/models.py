"""What can be sold."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from counterfoil.plumbing.audit import audit_all
from counterfoil.plumbing.fields import CurrencyField, UnitPriceField
from counterfoil.plumbing.models import Record


class TaxClass(models.TextChoices):
    """What a product is to the tax rules. The rate itself depends on entity and day; see ``invoicing``."""

    STANDARD = "standard", "Standard"
    REDUCED = "reduced", "Reduced"
    ZERO = "zero", "Zero-rated"
    EXEMPT = "exempt", "Exempt by its nature"


class Interval(models.TextChoices):
    ONE_OFF = "one_off", "One-off"
    MONTH = "month", "Monthly"
    QUARTER = "quarter", "Quarterly"
    YEAR = "year", "Yearly"


class Product(Record):
    """A product or service with its list price."""

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    family = models.CharField(max_length=60, blank=True, default="")
    description = models.CharField(max_length=1000, blank=True, default="")
    unit = models.CharField(max_length=20, blank=True, default="")
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices, default=TaxClass.STANDARD)
    interval = models.CharField(max_length=20, choices=Interval.choices, default=Interval.ONE_OFF)
    unit_price = UnitPriceField()
    currency = CurrencyField()
    is_active = models.BooleanField(default=True)
    normalised_name = models.CharField(max_length=200, db_index=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        indexes = [
            GinIndex(fields=["normalised_name"], name="catalog_product_name_trgm", opclasses=["gin_trgm_ops"]),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="catalog_product_price_not_negative")
        ]
