"""Pipelines, deals, and the handoff of a won deal to billing."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from counterfoil.catalog.models import Interval, TaxClass
from counterfoil.plumbing.audit import append_only, audit_all
from counterfoil.plumbing.fields import AmountField, CurrencyField, QuantityField, UnitPriceField, exact_amounts
from counterfoil.plumbing.models import Record


class Pipeline(Record):
    """A way deals are won, as a row of stages."""

    name = models.CharField(max_length=100, unique=True)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        triggers = audit_all()


class StageKind(models.TextChoices):
    OPEN = "open", "Open"
    WON = "won", "Won"
    LOST = "lost", "Lost"


class Stage(Record):
    """A stage of a pipeline. From ``shows_readiness`` on, a deal lists what billing will need."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="stages")
    name = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=StageKind.choices, default=StageKind.OPEN)
    probability = models.PositiveSmallIntegerField(default=0)
    shows_readiness = models.BooleanField(default=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(
                fields=["pipeline", "position"], name="deals_stage_position_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.UniqueConstraint(fields=["pipeline", "name"], name="deals_stage_name_once"),
            models.UniqueConstraint(
                fields=["pipeline", "kind"], condition=~Q(kind="open"), name="deals_stage_one_won_one_lost"
            ),
            models.CheckConstraint(condition=Q(probability__lte=100), name="deals_stage_probability_in_range"),
        ]


class Deal(Record):
    """An opportunity to sell. ``amount`` is the sum of its one-off lines and first periods, kept by the commands.

    Without lines it is what somebody expects.

    ``quote_version`` rises when a returned draft is handed over again: there is one draft, and one subscription, per
    deal and quote version. The subscription starts on ``service_starts_on``, or else on the day of the win.
    """

    name = models.CharField(max_length=200)
    account = models.ForeignKey("accounts.Account", null=True, on_delete=models.PROTECT, related_name="+")
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="+")
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=10, choices=StageKind.choices, default=StageKind.OPEN)
    owner = models.ForeignKey("access.User", null=True, on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey("ledger.LegalEntity", null=True, on_delete=models.PROTECT, related_name="+")
    currency = CurrencyField()
    amount = AmountField(default=0)
    expected_close_on = models.DateField(null=True)
    service_starts_on = models.DateField(null=True)
    engaged_on = models.DateField(null=True)
    closed_on = models.DateField(null=True)
    stage_since = models.DateField(null=True)
    lost_reason = models.CharField(max_length=300, blank=True, default="")
    next_step = models.CharField(max_length=200, blank=True, default="")
    po_number = models.CharField(max_length=60, blank=True, default="")
    references = models.TextField(blank=True, default="")
    reference_values = models.JSONField(default=dict)
    notes = models.TextField(blank=True, default="")
    quote_version = models.PositiveIntegerField(default=1)
    external_id = models.CharField(max_length=100, blank=True, default="")
    is_imported = models.BooleanField(default=False)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(status="open", closed_on=None) | Q(status__in=["won", "lost"], closed_on__isnull=False),
                name="deals_deal_closed_has_a_day",
            ),
            models.CheckConstraint(
                condition=~Q(status="won") | Q(account__isnull=False), name="deals_deal_won_has_an_account"
            ),
            models.UniqueConstraint(
                fields=["external_id"], condition=~Q(external_id=""), name="deals_deal_external_id_once"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="deals_deal_has_a_name"),
            models.CheckConstraint(condition=Q(reference_values__contains={}), name="deals_deal_values_have_keys"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="deals_deal_amount_not_negative"),
            exact_amounts("amount", name="deals_deal_exact"),
        ]
        indexes = [
            models.Index(F("stage"), F("stage_since").desc(nulls_last=True), F("id").desc(), name="deals_deal_board"),
            models.Index(fields=["pipeline", "stage", "currency"], name="deals_deal_columns"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="deals_deal_name_trgm"),
            models.Index(fields=["account", "status"], name="deals_deal_by_account"),
            models.Index(fields=["owner", "status"], name="deals_deal_by_owner"),
        ]


class DealLine(Record):
    """What is offered. A recurring line tells its interval: winning the deal starts a subscription of those lines."""

    deal = models.ForeignKey(Deal, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    product = models.ForeignKey("catalog.Product", null=True, on_delete=models.PROTECT, related_name="+")
    description = models.CharField(max_length=300)
    quantity = QuantityField()
    unit = models.CharField(max_length=20, blank=True, default="")
    unit_price = UnitPriceField()
    discount_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices, default=TaxClass.STANDARD)
    interval = models.CharField(max_length=20, choices=Interval.choices, default=Interval.ONE_OFF)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(
                fields=["deal", "position"], name="deals_dealline_position_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="deals_dealline_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="deals_dealline_price_not_negative"),
            models.CheckConstraint(
                condition=Q(discount_percent__gte=0) & Q(discount_percent__lte=100),
                name="deals_dealline_discount_in_range",
            ),
        ]


class DealContact(Record):
    """A person's part in a deal."""

    deal = models.ForeignKey(Deal, on_delete=models.CASCADE, related_name="contacts")
    contact = models.ForeignKey("accounts.Contact", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["deal", "contact", "role"], name="deals_dealcontact_once"),
        ]


class Handoff(models.Model):
    """A win became a draft, a subscription or both: at most once per deal and quote version. Never changed or removed.

    There is no draft when nothing is to be billed yet, and no subscription without recurring lines.
    """

    id = models.UUIDField(primary_key=True)
    deal = models.ForeignKey(Deal, on_delete=models.PROTECT, related_name="handoffs")
    quote_version = models.PositiveIntegerField()
    invoice_id = models.UUIDField(null=True, unique=True)
    subscription_id = models.UUIDField(null=True, unique=True)
    made_at = models.DateTimeField()
    by_name = models.CharField(max_length=200)

    class Meta:
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(fields=["deal", "quote_version"], name="deals_handoff_once_per_quote"),
            models.CheckConstraint(
                condition=Q(invoice_id__isnull=False) | Q(subscription_id__isnull=False),
                name="deals_handoff_names_what_it_became",
            ),
        ]


class Renewal(models.Model):
    """The committed term of a subscription ends on ``committed_to``, and a deal was opened about what follows it.

    At most one per subscription and term. Never changed or removed.
    """

    id = models.UUIDField(primary_key=True)
    subscription_id = models.UUIDField()
    committed_to = models.DateField()
    deal = models.OneToOneField(Deal, on_delete=models.PROTECT, related_name="renewal")
    opened_at = models.DateTimeField()

    class Meta:
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(fields=["subscription_id", "committed_to"], name="deals_renewal_once_per_term"),
        ]
