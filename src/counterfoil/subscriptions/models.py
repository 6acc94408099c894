"""Agreements that are billed again and again, and the ledger of what was billed for which period.

Moments are kept as instants. Where days are counted, a local day is kept as the midnight UTC that names it; on the
basis of seconds they are real instants. ``rules/grid.py`` turns one into the other.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from counterfoil.catalog.models import TaxClass
from counterfoil.plumbing.audit import append_only, audit_all, audit_changes
from counterfoil.plumbing.fields import AmountField, CurrencyField, QuantityField, UnitPriceField
from counterfoil.plumbing.models import Record


class InstantRange(models.Func):
    """The half-open range of two instants; an empty end never comes."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class Basis(models.TextChoices):
    ACTUAL_DAYS = "actual_days", "Days of the period"
    FIXED_30 = "fixed_30", "Months of 30 days (30/360)"
    SECONDS = "seconds", "Seconds of the period"
    NONE = "none", "No parts of periods"


class Timing(models.TextChoices):
    NOW = "now", "At once, on a document of its own"
    NEXT_INVOICE = "next_invoice", "On the next invoice"
    AT_RENEWAL = "at_renewal", "From the next period on"


class FirstPeriod(models.TextChoices):
    PRORATE = "prorate", "Its share"
    FULL = "full", "In full"
    FREE = "free", "Free"


class EndDay(models.TextChoices):
    FREE = "free", "Is not billed"
    BILLED = "billed", "Is billed"


class IntervalChange(models.TextChoices):
    KEEP_ANCHOR = "keep_anchor", "Keeps the anchor"
    RESTART = "restart", "Restarts on the day of the change"


class RoundingMode(models.TextChoices):
    HALF_UP = "half_up", "Half up"
    HALF_EVEN = "half_even", "Half to even"
    DOWN = "down", "Down, towards zero"


class PolicyFields(models.Model):
    """How parts of periods are billed. A subscription keeps the policy under which it was made."""

    basis = models.CharField(max_length=20, choices=Basis.choices, default=Basis.ACTUAL_DAYS)
    increase = models.CharField(max_length=20, choices=Timing.choices, default=Timing.NOW)
    decrease = models.CharField(max_length=20, choices=Timing.choices, default=Timing.NOW)
    first_period = models.CharField(max_length=20, choices=FirstPeriod.choices, default=FirstPeriod.PRORATE)
    end_day = models.CharField(max_length=20, choices=EndDay.choices, default=EndDay.FREE)
    interval_change = models.CharField(
        max_length=20, choices=IntervalChange.choices, default=IntervalChange.KEEP_ANCHOR
    )
    rounding = models.CharField(max_length=20, choices=RoundingMode.choices, default=RoundingMode.HALF_UP)

    class Meta:
        abstract = True


class BillingPolicy(Record, PolicyFields):
    """What a company's new subscriptions get. ``is_reviewed`` sends their documents to the review queue."""

    entity = models.OneToOneField("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    is_reviewed = models.BooleanField(default=False)
    most_documents_a_day = models.PositiveIntegerField(default=50)
    most_amount_a_day = AmountField(null=True)

    class Meta(Record.Meta):
        triggers = audit_all()


class Subscription(Record, PolicyFields):
    """An agreement with an account that is billed by periods until it ends.

    ``due_at`` is when the next document is due, ``settled_to`` the moment before which nothing is to be billed or given
    back any more. ``anchor_day`` and ``anchor_on`` are as in ``rules/grid.py``. A parked subscription is not billed
    until a person un-parks it. ``state`` and ``shown_…`` are put on it by queries whose rows its record type describes.
    """

    state: str
    shown_items: list[SubscriptionItem]
    shown_discounts: list[SubscriptionDiscount]
    shown_pauses: list[Pause]

    number = models.CharField(max_length=20)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+", db_index=False)
    owner = models.ForeignKey("access.User", null=True, on_delete=models.PROTECT, related_name="+")
    deal_id = models.UUIDField(null=True)
    quote_version = models.PositiveIntegerField(null=True)
    title = models.CharField(max_length=200)
    currency = CurrencyField()
    zone = models.CharField(max_length=60, default="UTC")
    terms = models.ForeignKey(
        "accounts.PaymentTerms", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    po_number = models.CharField(max_length=60, blank=True, default="")
    references = models.TextField(blank=True, default="")
    reference_values = models.JSONField(default=dict)
    starts_at = models.DateTimeField()
    trial_ends_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=300, blank=True, default="")
    is_credited_at_end = models.BooleanField(default=True)
    anchor_day = models.PositiveSmallIntegerField(null=True)
    anchor_on = models.DateField(null=True)
    committed_to = models.DateField(null=True)
    is_renewed = models.BooleanField(default=True)
    notice_days = models.PositiveSmallIntegerField(default=0)
    price_fixed_to = models.DateField(null=True)
    due_at = models.DateTimeField(null=True)
    settled_to = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    parked_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all(often=("due_at", "settled_to"))
        constraints = [
            models.UniqueConstraint(fields=["number"], name="subscriptions_subscription_number_once"),
            models.UniqueConstraint(
                fields=["deal_id", "quote_version"],
                condition=Q(deal_id__isnull=False),
                name="subscriptions_subscription_one_per_deal_and_quote",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
                name="subscriptions_subscription_runs_forward",
            ),
            models.CheckConstraint(
                condition=Q(anchor_day=None) | Q(anchor_day__gte=1, anchor_day__lte=31, anchor_on=None),
                name="subscriptions_subscription_one_anchor",
            ),
            models.CheckConstraint(
                condition=Q(reference_values__contains={}), name="subscriptions_subscription_values_have_keys"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                condition=Q(due_at__isnull=False, parked_at=None),
                name="subscriptions_due",
            ),
            models.Index(fields=["account", "starts_at"], name="subscriptions_by_account"),
        ]

    @property
    def never_ran(self) -> bool:
        """Whether it ended at its very start: it was taken back, or cancelled before anything came of it."""
        return self.ends_at is not None and self.ends_at <= self.starts_at


class SubscriptionItem(Record):
    """A price of a subscription, as it was when it was agreed. Its grid of periods is counted from ``grid_from``.

    ``grid_lead`` and ``grid_ordinal`` are those of an item that went on after its time stood still.
    ``price_id`` names the catalog's price from which it was copied, ``price_key`` what is sold. ``past_prices`` are
    what usage cost in periods that begin before a moment, the earliest first: ``{"before", "amount", "tiers"}``.
    ``present_quantity`` is put on it by a query.
    """

    present_quantity: Decimal

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="items", db_index=False)
    position = models.PositiveSmallIntegerField()
    product = models.ForeignKey("catalog.Product", null=True, on_delete=models.PROTECT, related_name="+")
    price_id = models.UUIDField(null=True)
    price_key = models.CharField(max_length=80)
    description = models.CharField(max_length=300)
    unit = models.CharField(max_length=20, blank=True, default="")
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices, default=TaxClass.STANDARD)
    model = models.CharField(max_length=20)
    amount = UnitPriceField(null=True)
    per = QuantityField(null=True)
    tiers = models.JSONField(default=list)
    interval = models.CharField(max_length=10)
    count = models.PositiveSmallIntegerField(default=1)
    is_in_advance = models.BooleanField(default=True)
    is_metered = models.BooleanField(default=False)
    grid_from = models.DateTimeField()
    grid_day = models.PositiveSmallIntegerField(null=True)
    grid_lead = models.DateTimeField(null=True)
    grid_ordinal = models.PositiveIntegerField(null=True)
    cut_at = models.DateTimeField(null=True)
    billed_to = models.DateTimeField(null=True)
    past_prices: Any = models.JSONField(default=list)

    class Meta(Record.Meta):
        triggers = audit_all(often=("billed_to",))
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "position"], name="subscriptions_subscriptionitem_position_once"
            ),
            models.CheckConstraint(condition=Q(count__gte=1), name="subscriptions_subscriptionitem_count_positive"),
            models.CheckConstraint(
                condition=Q(amount=None) | Q(amount__gte=0), name="subscriptions_subscriptionitem_amount_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(is_metered=False) | Q(is_in_advance=False),
                name="subscriptions_subscriptionitem_usage_in_arrears",
            ),
            models.CheckConstraint(
                condition=Q(is_metered=True) | Q(past_prices=[]),
                name="subscriptions_subscriptionitem_past_prices_of_usage",
            ),
        ]


class ItemVersion(Record):
    """How much of an item was agreed from one moment until before another."""

    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="versions")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    quantity = QuantityField()

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gte=0), name="subscriptions_itemversion_quantity_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="subscriptions_itemversion_runs_forward"
            ),
            ExclusionConstraint(
                name="subscriptions_itemversion_one_at_a_time",
                expressions=[
                    (InstantRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                    ("item", RangeOperators.EQUAL),
                ],
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]


class PauseMode(models.TextChoices):
    SKIP = "skip", "Skip"
    VOID = "void", "Void"
    EXTEND = "extend", "Extend"


class Pause(Record):
    """A subscription rests from one moment until before another. The end may lie ahead; ``is_over`` says that going on
    was carried out.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="pauses")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    mode = models.CharField(max_length=10, choices=PauseMode.choices, default=PauseMode.SKIP)
    is_over = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="subscriptions_pause_runs_forward"
            ),
            models.CheckConstraint(
                condition=Q(is_over=False) | Q(ends_at__isnull=False), name="subscriptions_pause_over_at_its_end"
            ),
            ExclusionConstraint(
                name="subscriptions_pause_one_at_a_time",
                expressions=[
                    (InstantRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                    ("subscription", RangeOperators.EQUAL),
                ],
            ),
        ]
        indexes = [
            models.Index(
                fields=["ends_at"],
                condition=Q(is_over=False, ends_at__isnull=False),
                name="subscriptions_pause_planned",
            ),
        ]


class Coupon(Record):
    """A discount that a subscription gets for a code. ``redeemed`` counts its redemptions: it is changed with a row of
    each, under the lock of this one.
    """

    code = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    amount = AmountField(null=True)
    currency = CurrencyField(blank=True, default="")
    periods = models.PositiveSmallIntegerField(null=True)
    until = models.DateField(null=True)
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    most = models.PositiveIntegerField(null=True)
    redeemed = models.PositiveIntegerField(default=0)
    products: Any = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        triggers = audit_all(often=("redeemed",))
        constraints = [
            models.UniqueConstraint(Upper("code"), name="subscriptions_coupon_code"),
            models.CheckConstraint(
                condition=Q(percent__gt=0, percent__lte=100, amount=None)
                | Q(percent=None, amount__gt=0) & ~Q(currency=""),
                name="subscriptions_coupon_one_of_both",
            ),
            models.CheckConstraint(
                condition=Q(most=None) | Q(redeemed__lte=F("most")), name="subscriptions_coupon_within_its_limit"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_from=None) | Q(valid_to__gte=F("valid_from")),
                name="subscriptions_coupon_runs_forward",
            ),
            models.CheckConstraint(
                condition=Q(periods=None) | Q(periods__gte=1), name="subscriptions_coupon_periods_positive"
            ),
        ]


class SubscriptionDiscount(Record):
    """A percentage or an amount off the first ``periods`` periods of a subscription, or off all of them, as in
    ``rules/agreement.py``. ``off_from`` is put on it by a query.
    """

    off_from: date | None

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="discounts")
    position = models.PositiveSmallIntegerField()
    percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    amount = AmountField(null=True)
    periods = models.PositiveSmallIntegerField(null=True)
    since_at = models.DateTimeField(null=True)
    until_at = models.DateTimeField(null=True)
    products: Any = models.JSONField(default=list)
    coupon_code = models.CharField(max_length=40, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "position"], name="subscriptions_subscriptiondiscount_position_once"
            ),
            models.CheckConstraint(
                condition=Q(percent__gt=0, percent__lte=100, amount=None) | Q(percent=None, amount__gt=0),
                name="subscriptions_subscriptiondiscount_one_of_both",
            ),
            models.CheckConstraint(
                condition=Q(periods=None) | Q(periods__gte=1),
                name="subscriptions_subscriptiondiscount_periods_positive",
            ),
        ]


class DiscountStop(Record):
    """A discount was taken off: it is not for periods that begin from one moment until before another. Without an end
    it stays off.
    """

    discount = models.ForeignKey(SubscriptionDiscount, on_delete=models.PROTECT, related_name="stops")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="subscriptions_discountstop_runs_forward",
            ),
            ExclusionConstraint(
                name="subscriptions_discountstop_one_at_a_time",
                expressions=[
                    (InstantRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                    ("discount", RangeOperators.EQUAL),
                ],
            ),
        ]


class CouponRedemption(models.Model):
    """A subscription got the discount of a coupon: once, and as the ``number``-th one."""

    id = models.UUIDField(primary_key=True)
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="+")
    discount = models.OneToOneField(SubscriptionDiscount, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    redeemed_at = models.DateTimeField()

    class Meta:
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(fields=["coupon", "subscription"], name="subscriptions_couponredemption_once"),
            models.UniqueConstraint(fields=["coupon", "number"], name="subscriptions_couponredemption_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="subscriptions_couponredemption_number_positive"),
        ]


class UsageRecord(models.Model):
    """So much of a metered item was used. ``external_id`` is the meter's own name of the event: it counts once."""

    id = models.UUIDField(primary_key=True)
    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="usage")
    used_at = models.DateTimeField()
    quantity = QuantityField()
    external_id = models.CharField(max_length=200, blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "external_id"], condition=~Q(external_id=""), name="subscriptions_usagerecord_once"
            ),
        ]
        indexes = [models.Index(fields=["item", "used_at"], name="subscriptions_usage_by_item")]


class BilledPeriod(models.Model):
    """A row of the ledger of billed periods: so much of an item was charged, or given back, for part of a period.

    ``quantity``, ``gross`` (the price of the whole period after percentages) and ``net`` are signed. ``line_id`` is the
    invoice line; a row that came to nothing has none. ``credits`` are the lines that a credit takes back, with their
    parts. ``is_void``: its period came to nothing, since the subscription rested. Of what was moved by a pause,
    ``credits`` of the row that stands where it goes on are the lines that billed it. Never changed: what is wrong is
    repaired by another row. No stretch of an item is charged twice.
    """

    id = models.UUIDField(primary_key=True)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="billed", db_index=False)
    kind = models.CharField(max_length=20)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cell_starts_at = models.DateTimeField()
    cell_ends_at = models.DateTimeField()
    quantity = QuantityField()
    gross = models.DecimalField(max_digits=60, decimal_places=24)
    net = AmountField()
    share_part = models.BigIntegerField()
    share_whole = models.BigIntegerField()
    invoice_id = models.UUIDField(null=True)
    line_id = models.UUIDField(null=True)
    credits: Any = models.JSONField(default=list)
    is_void = models.BooleanField(default=False)
    run_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        triggers = [append_only()]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="subscriptions_billedperiod_runs_forward"
            ),
            models.CheckConstraint(
                condition=Q(share_whole__gt=0) & Q(share_part__gte=0) & Q(share_part__lte=F("share_whole")),
                name="subscriptions_billedperiod_share_in_range",
            ),
            models.CheckConstraint(
                condition=Q(is_void=False) | Q(net=0, gross=0, line_id=None),
                name="subscriptions_billedperiod_void_is_nothing",
            ),
            ExclusionConstraint(
                name="subscriptions_billedperiod_recurring_once",
                # The item first: a run writes one range for all items, which would lead every search everywhere.
                expressions=[
                    ("item", RangeOperators.EQUAL),
                    (InstantRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                ],
                condition=Q(kind="recurring"),
            ),
        ]


class RunState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"


class BillingRun(Record):
    """One pass over what is due as of a day, with what it made. Chunks of it may run on several workers at once.

    ``expected`` is how many subscriptions were due when it started, ``totals`` are net sums by currency as texts.
    ``shown_parkings`` are put on it by a query.
    """

    shown_parkings: list[RunParking]

    on = models.DateField()
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.RUNNING)
    started_by_name = models.CharField(max_length=200, blank=True, default="")
    expected = models.PositiveIntegerField(default=0)
    subscriptions = models.PositiveIntegerField(default=0)
    documents = models.PositiveIntegerField(default=0)
    parked = models.PositiveIntegerField(default=0)
    totals: Any = models.JSONField(default=dict)
    ended_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        triggers = audit_changes()
        constraints = [
            models.UniqueConstraint(
                fields=["on"], condition=Q(state="running"), name="subscriptions_billingrun_one_running_a_day"
            )
        ]


class RunParking(models.Model):
    """A subscription that a run held back, and why. It stays written down when a person un-parks it."""

    id = models.UUIDField(primary_key=True)
    run = models.ForeignKey(BillingRun, on_delete=models.PROTECT, related_name="parkings")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    parked_at = models.DateTimeField()

    class Meta:
        triggers = [append_only()]
        indexes = [models.Index(fields=["run", "id"], name="subscriptions_parked_by_run")]


class IncreaseState(models.TextChoices):
    PLANNING = "planning", "Being worked out"
    PLANNED = "planned", "Planned"
    UNDONE = "undone", "Undone"


class PriceIncrease(Record):
    """A wish to raise what was agreed of some prices, by a percentage or to new amounts, from a day on.

    ``prices`` are the new amounts by key of price. ``looked_to`` is up to which subscription it is worked out.
    """

    name = models.CharField(max_length=200)
    product = models.ForeignKey("catalog.Product", null=True, on_delete=models.PROTECT, related_name="+")
    price_key = models.CharField(max_length=80, blank=True, default="")
    price_list = models.ForeignKey("catalog.PriceList", null=True, on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey("ledger.LegalEntity", null=True, on_delete=models.PROTECT, related_name="+")
    percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    currency = CurrencyField(blank=True, default="")
    prices: Any = models.JSONField(default=list)
    from_on = models.DateField()
    is_at_renewal = models.BooleanField(default=True)
    is_in_term = models.BooleanField(default=False)
    months_apart = models.PositiveSmallIntegerField(default=12)
    notice_days = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=20, choices=IncreaseState.choices, default=IncreaseState.PLANNING)
    planned_by_name = models.CharField(max_length=200, blank=True, default="")
    planned_on = models.DateField()
    expected = models.PositiveIntegerField(default=0)
    looked_at = models.PositiveIntegerField(default=0)
    looked_to = models.UUIDField(null=True)

    class Meta(Record.Meta):
        triggers = audit_all(often=("looked_at", "looked_to"))
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__gt=0, prices=[]) | Q(percent=None) & ~Q(prices=[]),
                name="subscriptions_priceincrease_percent_or_prices",
            ),
        ]


class RaiseState(models.TextChoices):
    PLANNED = "planned", "Planned"
    RAISED = "raised", "Raised"
    LEFT_OUT = "left_out", "Left out"
    FAILED = "failed", "Failed"
    UNDONE = "undone", "Undone"


NOT_RAISED = (RaiseState.UNDONE, RaiseState.LEFT_OUT)


class PriceRaise(Record):
    """What an increase does to one item of one subscription, or why it leaves it out. An item is raised by one increase
    at a time.

    ``notice_on`` is the day of the next mail about it, if any; ``noticed_at`` is when the customer was told that the
    price rises, ``recalled_at`` that it does not after all.
    """

    increase = models.ForeignKey(PriceIncrease, on_delete=models.PROTECT, related_name="raises")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, choices=RaiseState.choices)
    reason = models.CharField(max_length=20, blank=True, default="")
    problem = models.CharField(max_length=500, blank=True, default="")
    quantity = QuantityField()
    old_amount = UnitPriceField(null=True)
    new_amount = UnitPriceField(null=True)
    old_tiers: Any = models.JSONField(default=list)
    new_tiers: Any = models.JSONField(default=list)
    currency = CurrencyField()
    old_net = AmountField()
    new_net = AmountField()
    a_year = AmountField()
    takes_on = models.DateField()
    document_on = models.DateField()
    notice_on = models.DateField(null=True)
    noticed_at = models.DateTimeField(null=True)
    recalled_at = models.DateTimeField(null=True)
    raised_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        triggers = audit_changes()
        constraints = [
            models.UniqueConstraint(fields=["increase", "item"], name="subscriptions_priceraise_once"),
            models.UniqueConstraint(
                fields=["item"], condition=Q(state=RaiseState.PLANNED), name="subscriptions_priceraise_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state=RaiseState.LEFT_OUT) & ~Q(reason="") | ~Q(state=RaiseState.LEFT_OUT) & Q(reason=""),
                name="subscriptions_priceraise_left_out_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(state=RaiseState.RAISED, raised_at__isnull=False)
                | ~Q(state=RaiseState.RAISED) & Q(raised_at=None),
                name="subscriptions_priceraise_raised_at_an_instant",
            ),
            models.CheckConstraint(
                condition=Q(recalled_at=None) | Q(state__in=NOT_RAISED, noticed_at__isnull=False),
                name="subscriptions_priceraise_recalled_when_told",
            ),
        ]
        indexes = [
            models.Index(
                fields=["takes_on", "id"], condition=Q(state=RaiseState.PLANNED), name="subscriptions_raises_due"
            ),
            models.Index(
                fields=["notice_on", "id"],
                condition=Q(state=RaiseState.PLANNED, noticed_at=None, notice_on__isnull=False),
                name="subscriptions_notices_due",
            ),
            models.Index(
                fields=["notice_on", "id"],
                condition=Q(state__in=NOT_RAISED, noticed_at__isnull=False, recalled_at=None),
                name="subscriptions_recalls_due",
            ),
            models.Index(fields=["subscription", "takes_on"], name="subscriptions_raises_of_one"),
        ]
