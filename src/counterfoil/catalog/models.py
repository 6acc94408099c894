"""What can be sold, and what it costs again and again."""

from __future__ import annotations

from uuid import UUID

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, UUIDField, Value
from django.db.models.functions import Coalesce, Lower

from counterfoil.catalog.rules.pricing import FLAT, GRADUATED, PACKAGE, PER_UNIT, VOLUME, Pricing, tiers_from
from counterfoil.plumbing.audit import audit_all
from counterfoil.plumbing.fields import CurrencyField, DateRange, QuantityField, UnitPriceField
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
    ledger_code = models.CharField(max_length=20, blank=True, default="")
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


class PriceList(Record):
    """Prices that hold instead of the general ones: for the accounts of a service tier, or for one account."""

    name = models.CharField(max_length=100)
    tier = models.CharField(max_length=40, blank=True, default="")
    account_id = models.UUIDField(null=True, blank=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["name"], name="catalog_pricelist_name"),
            models.UniqueConstraint(Lower("tier"), condition=~Q(tier=""), name="catalog_pricelist_one_per_tier"),
            models.UniqueConstraint(fields=["account_id"], name="catalog_pricelist_one_per_account"),
            models.CheckConstraint(
                condition=(Q(tier="") & Q(account_id__isnull=False)) | (~Q(tier="") & Q(account_id=None)),
                name="catalog_pricelist_tier_or_account",
            ),
        ]


class PriceModel(models.TextChoices):
    """How a quantity becomes a price; see ``rules/pricing.py``."""

    FLAT = FLAT, "Flat fee"
    PER_UNIT = PER_UNIT, "Per unit"
    PACKAGE = PACKAGE, "Per package"
    GRADUATED = GRADUATED, "Graduated tiers"
    VOLUME = VOLUME, "Volume tiers"


class IntervalUnit(models.TextChoices):
    """The unit of a billing interval; a quarter is three months."""

    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"
    YEAR = "year", "Year"


class Billed(models.TextChoices):
    IN_ADVANCE = "in_advance", "In advance"
    IN_ARREARS = "in_arrears", "In arrears"


GENERAL = Value(UUID(int=0), output_field=UUIDField())
"""Stands for "no price list" where the database compares lists, since null equals nothing."""

COUNT_MAX = 1_000

# What a version says is fixed when it is added: who subscribed to it keeps it. Only its last day may come nearer or go.
_FIXED = """
IF (to_jsonb(OLD) - ARRAY['valid_to', 'version']) IS DISTINCT FROM (to_jsonb(NEW) - ARRAY['valid_to', 'version']) THEN
    RAISE EXCEPTION 'a version of a price never changes' USING ERRCODE = 'CF001';
END IF;
RETURN NEW;
"""


class TiersAreWhole(Func):
    """The database's own look at tiers; the function comes with the first migration."""

    function = "counterfoil_tiers_are_whole"
    output_field = models.BooleanField()


class Price(Record):
    """A version of a recurring or usage price. Another amount is another version; who holds this one keeps it.

    Versions of one price have the ``key``, the currency and the price list in common, and never hold on the same day.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="prices")
    price_list = models.ForeignKey(PriceList, on_delete=models.PROTECT, null=True, blank=True, related_name="prices")
    key = models.CharField(max_length=60)
    model = models.CharField(max_length=20, choices=PriceModel.choices)
    amount = UnitPriceField(null=True, blank=True)
    per = QuantityField(null=True, blank=True)
    tiers = models.JSONField(default=list, blank=True)
    currency = CurrencyField()
    interval = models.CharField(max_length=10, choices=IntervalUnit.choices)
    count = models.PositiveSmallIntegerField(default=1)
    billed = models.CharField(max_length=20, choices=Billed.choices, default=Billed.IN_ADVANCE)
    is_metered = models.BooleanField(default=False)
    meter = models.CharField(max_length=60, blank=True, default="")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta(Record.Meta):
        triggers = [
            *audit_all(),
            pgtrigger.Trigger(
                name="versions_never_change",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=_FIXED,
            ),
        ]
        indexes = [models.Index(fields=["product", "key", "valid_from"], name="catalog_price_of_product")]
        constraints = [
            ExclusionConstraint(
                name="catalog_price_one_version_at_a_time",
                expressions=[
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                    ("key", RangeOperators.EQUAL),
                    ("currency", RangeOperators.EQUAL),
                    (Coalesce("price_list", GENERAL), RangeOperators.EQUAL),
                ],
            ),
            ExclusionConstraint(
                name="catalog_price_key_of_one_product",
                expressions=[("key", RangeOperators.EQUAL), ("product", RangeOperators.NOT_EQUAL)],
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="catalog_price_runs_forward"
            ),
            models.CheckConstraint(condition=~Q(key=""), name="catalog_price_has_a_key"),
            models.CheckConstraint(condition=Q(count__gte=1) & Q(count__lte=COUNT_MAX), name="catalog_price_count"),
            models.CheckConstraint(
                condition=(
                    Q(model__in=[GRADUATED, VOLUME], amount=None) & Q(TiersAreWhole("tiers"))
                    | Q(model__in=[FLAT, PER_UNIT, PACKAGE], amount__isnull=False, amount__gte=0, tiers=[])
                ),
                name="catalog_price_amount_or_tiers",
            ),
            models.CheckConstraint(
                condition=Q(model=PACKAGE, per__isnull=False, per__gt=0) | ~Q(model=PACKAGE) & Q(per=None),
                name="catalog_price_package",
            ),
            models.CheckConstraint(
                condition=Q(is_metered=False, meter="") | Q(is_metered=True, billed=Billed.IN_ARREARS) & ~Q(meter=""),
                name="catalog_price_metered_in_arrears",
            ),
            models.CheckConstraint(
                condition=Q(model__in=PriceModel.values)
                & Q(interval__in=IntervalUnit.values)
                & Q(billed__in=Billed.values),
                name="catalog_price_known_words",
            ),
        ]

    @property
    def pricing(self) -> Pricing:
        """The price as ``rules/pricing.py`` calculates with it."""
        return Pricing(self.model, self.amount, self.per, tiers_from(self.tiers))
