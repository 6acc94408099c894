"""Retainers, the time and expenses that are entered on accounts, and what was drawn from which grant."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q

from counterfoil.catalog.models import TaxClass
from counterfoil.plumbing.audit import audit_all
from counterfoil.plumbing.checks import check_written
from counterfoil.plumbing.fields import AmountField, CurrencyField, QuantityField, UnitPriceField, exact_amounts
from counterfoil.plumbing.models import Record


class Unit(models.TextChoices):
    HOURS = "hours", "Hours"
    MONEY = "money", "Money"


class Every(models.TextChoices):
    WEEK = "week", "Weeks"
    MONTH = "month", "Months"
    YEAR = "year", "Years"


class RollOver(models.TextChoices):
    NONE = "none", "Nothing rolls over"
    ALL = "all", "All of it rolls over"
    UP_TO = "up_to", "Up to an amount rolls over"
    PERIODS = "periods", "Each period’s rest lives for some periods"


class EntryStatus(models.TextChoices):
    """``settled`` is what was approved and billed, or taken from a retainer; ``waived`` what was approved and will not
    be billed after all.
    """

    ENTERED = "entered", "Waits for approval"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    SETTLED = "settled", "Settled"
    WAIVED = "waived", "Will not be billed"


_TERMS_STAND = """
IF EXISTS (SELECT 1 FROM retainers_draw d WHERE d.retainer_id = OLD.id) AND (
    (NEW.account_id, NEW.entity_id, NEW.currency, NEW.unit, NEW.amount, NEW.interval, NEW.count, NEW.starts_on,
     NEW.anchor_day, NEW.roll_over, NEW.most_rolled, NEW.rolled_periods)
    IS DISTINCT FROM
    (OLD.account_id, OLD.entity_id, OLD.currency, OLD.unit, OLD.amount, OLD.interval, OLD.count, OLD.starts_on,
     OLD.anchor_day, OLD.roll_over, OLD.most_rolled, OLD.rolled_periods)
) THEN
    RAISE EXCEPTION 'retainer % was drawn on and keeps its terms', OLD.id USING ERRCODE = 'CF003';
END IF;
RETURN NEW;
"""


class Retainer(Record):
    """So many hours, or so much money, that an account has by the period.

    ``ends_on`` is the first day on which nothing of it is left. ``price`` is what a period costs and is billed by a
    subscription of its own, ``subscription_item``. ``overage_rate`` is the price of an hour beyond; without one, the
    hour's own. Once it is drawn on its terms stand.
    """

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=200)
    currency = CurrencyField()
    unit = models.CharField(max_length=10, choices=Unit.choices)
    amount = AmountField()
    interval = models.CharField(max_length=10, choices=Every.choices, default=Every.MONTH)
    count = models.PositiveSmallIntegerField(default=1)
    starts_on = models.DateField()
    anchor_day = models.PositiveSmallIntegerField(null=True)
    ends_on = models.DateField(null=True)
    roll_over = models.CharField(max_length=10, choices=RollOver.choices, default=RollOver.NONE)
    most_rolled = AmountField(null=True)
    rolled_periods = models.PositiveSmallIntegerField(null=True)
    overage_rate = UnitPriceField(null=True)
    price = AmountField(null=True)
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices, default=TaxClass.STANDARD)
    subscription_item = models.ForeignKey(
        "subscriptions.SubscriptionItem", null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta(Record.Meta):
        triggers = [
            *audit_all(),
            pgtrigger.Trigger(
                name="terms_stand",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=_TERMS_STAND,
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="retainers_retainer_amount_positive"),
            models.CheckConstraint(condition=Q(count__gte=1), name="retainers_retainer_count_positive"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="retainers_retainer_runs_forward"
            ),
            models.CheckConstraint(
                condition=Q(anchor_day=None) | Q(anchor_day__gte=1, anchor_day__lte=31) & ~Q(interval="week"),
                name="retainers_retainer_anchor_is_a_day",
            ),
            models.CheckConstraint(
                condition=Q(roll_over__in=("none", "all"), most_rolled=None, rolled_periods=None)
                | Q(roll_over="up_to", most_rolled__gte=0, rolled_periods=None)
                | Q(roll_over="periods", most_rolled=None, rolled_periods__gte=1),
                name="retainers_retainer_one_rule",
            ),
            models.CheckConstraint(
                condition=Q(overage_rate=None) | Q(overage_rate__gte=0, unit="hours"),
                name="retainers_retainer_overage_by_the_hour",
            ),
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0), name="retainers_retainer_price_not_negative"
            ),
            exact_amounts("price", name="retainers_retainer_exact"),
        ]
        indexes = [models.Index(fields=["account", "starts_on"], name="retainers_by_account")]


class RetainerLink(Record):
    """A link under which a customer sees the burn-down of a retainer, without logging in. Only its hash is kept.

    A retainer has one that is alive at most; one that was revoked opens nothing any more.
    """

    retainer = models.ForeignKey(Retainer, on_delete=models.PROTECT, related_name="links")
    secret_hash = models.CharField(max_length=64, unique=True)
    made_by_name = models.CharField(max_length=200, blank=True, default="")
    revoked_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        triggers = [
            *audit_all(without=("secret_hash",)),
            pgtrigger.Protect(
                name="revoked_for_good",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__revoked_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["retainer"], condition=Q(revoked_at=None), name="retainers_retainerlink_one_alive"
            ),
        ]


_FROZEN = """
IF OLD.status NOT IN ('approved', 'settled', 'waived') THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END IF;
IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'entry % is approved and cannot be deleted', OLD.id USING ERRCODE = 'CF003';
END IF;
allowed := OLD;
allowed.version := NEW.version;
allowed.status := NEW.status;
IF (OLD.status, NEW.status) IN (('approved', 'settled'), ('settled', 'approved')) THEN
    allowed.covered := NEW.covered;
    allowed.settled_at := NEW.settled_at;
    allowed.invoice_id := NEW.invoice_id;
    allowed.line_id := NEW.line_id;
    allowed.held_at := NEW.held_at;
ELSIF (OLD.status, NEW.status) IN (('approved', 'waived'), ('waived', 'approved')) THEN
    allowed.reason := NEW.reason;
ELSIF OLD.status <> NEW.status THEN
    RAISE EXCEPTION 'entry % is approved and cannot be changed', OLD.id USING ERRCODE = 'CF003';
END IF;
IF NEW IS DISTINCT FROM allowed OR (OLD.status = 'settled' AND NEW.status = 'approved' AND EXISTS (
    SELECT 1 FROM invoicing_invoiceline l WHERE l.id = OLD.line_id
)) THEN
    RAISE EXCEPTION 'entry % is approved and cannot be changed', OLD.id USING ERRCODE = 'CF003';
END IF;
RETURN NEW;
"""


def _entry_triggers(table: str) -> list[pgtrigger.Trigger]:
    return [
        *audit_all(),
        pgtrigger.Trigger(
            name="frozen_when_approved",
            level=pgtrigger.Row,
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            declare=[("allowed", f"{table}%ROWTYPE")],
            func=_FROZEN,
        ),
    ]


class Entry(Record):
    """What time entries and expenses share. Approved, an entry never changes; settled, it is frozen.

    ``covered`` is how much of it a retainer bore: hours, or money. ``line_id`` is the line of the document that bills
    the rest; while that line exists, the entry stays settled. ``held_at`` is when its line was taken off a draft, or
    the draft discarded: from then on only a person bills it. ``reason`` is why it was rejected, or waived.
    """

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    retainer = models.ForeignKey(Retainer, null=True, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey("access.User", null=True, on_delete=models.PROTECT, related_name="+")
    person_name = models.CharField(max_length=200, blank=True, default="")
    day = models.DateField()
    currency = CurrencyField()
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices, default=TaxClass.STANDARD)
    description = models.CharField(max_length=250)
    is_billable = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=EntryStatus.choices, default=EntryStatus.ENTERED)
    decided_by_name = models.CharField(max_length=200, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    held_at = models.DateTimeField(null=True)
    covered = QuantityField(default=0)
    settled_at = models.DateTimeField(null=True)
    invoice_id = models.UUIDField(null=True)
    line_id = models.UUIDField(null=True, unique=True)

    class Meta(Record.Meta):
        abstract = True


def _entry_constraints(table: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(status="settled", settled_at__isnull=False, is_billable=True)
            | ~Q(status="settled") & Q(settled_at=None, invoice_id=None, line_id=None, covered=0),
            name=f"{table}_settled_says_how",
        ),
        models.CheckConstraint(
            condition=Q(status="entered") | Q(decided_at__isnull=False), name=f"{table}_decided_says_when"
        ),
        models.CheckConstraint(
            condition=Q(held_at=None) | Q(status__in=("approved", "waived")), name=f"{table}_held_while_unbilled"
        ),
        models.CheckConstraint(
            condition=~Q(status="waived") | ~Q(reason="") & Q(is_billable=True), name=f"{table}_waived_says_why"
        ),
        models.CheckConstraint(
            condition=Q(invoice_id=None, line_id=None) | Q(invoice_id__isnull=False, line_id__isnull=False),
            name=f"{table}_line_of_an_invoice",
        ),
    ]


def _entry_indexes(table: str) -> list[models.Index]:
    return [
        models.Index(fields=["account", "-day"], name=f"{table}_of_account"),
        models.Index(fields=["retainer", "day"], condition=Q(retainer__isnull=False), name=f"{table}_of_retainer"),
        models.Index(fields=["day", "id"], condition=Q(status="entered"), name=f"{table}_waiting"),
        models.Index(
            fields=["account", "id"], condition=Q(status="approved", is_billable=True), name=f"{table}_unbilled"
        ),
        models.Index(fields=["invoice_id"], condition=Q(invoice_id__isnull=False), name=f"{table}_by_invoice"),
    ]


class TimeEntry(Entry):
    """So many hours that a person worked for an account. ``rate`` is the price of an hour."""

    hours = models.DecimalField(max_digits=6, decimal_places=2)
    rate = UnitPriceField(null=True)

    class Meta(Entry.Meta):
        triggers = _entry_triggers("retainers_timeentry")
        constraints = [
            *_entry_constraints("retainers_timeentry"),
            models.CheckConstraint(condition=Q(hours__gt=0, hours__lte=24), name="retainers_timeentry_hours_of_a_day"),
            models.CheckConstraint(
                condition=Q(rate=None) | Q(rate__gte=0), name="retainers_timeentry_rate_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(is_billable=False) | Q(rate__isnull=False) | Q(retainer__isnull=False),
                name="retainers_timeentry_has_a_price",
            ),
            models.CheckConstraint(condition=Q(covered__gte=0), name="retainers_timeentry_covered_not_negative"),
        ]
        indexes = _entry_indexes("retainers_time")


class Expense(Entry):
    """What a person laid out for an account, without tax. ``receipt`` is the file that proves it."""

    amount = AmountField()
    receipt = models.ForeignKey("documents.StoredFile", null=True, on_delete=models.PROTECT, related_name="+")

    class Meta(Entry.Meta):
        triggers = _entry_triggers("retainers_expense")
        constraints = [
            *_entry_constraints("retainers_expense"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="retainers_expense_positive"),
            models.CheckConstraint(
                condition=Q(covered__gte=0) & Q(covered__lte=F("amount")), name="retainers_expense_covered_in_range"
            ),
            exact_amounts("amount", name="retainers_expense_exact"),
        ]
        indexes = _entry_indexes("retainers_expense")


class PutOff(Record):
    """What an account has unbilled at one of our companies could not be drafted on ``day``: it is tried again later."""

    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    day = models.DateField()

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [models.UniqueConstraint(fields=["account", "entity"], name="retainers_putoff_once")]


_WITHIN_THE_GRANT = """
IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT n.retainer_id AS id, n.granted_on FROM <written> n) drawn CROSS JOIN LATERAL (
        SELECT 1 FROM retainers_retainer r WHERE r.id = drawn.id AND r.amount < (
            SELECT SUM(d.quantity) FROM retainers_draw d WHERE d.retainer_id = r.id AND d.granted_on = drawn.granted_on
        )
        LIMIT 1
    ) off
) THEN
    RAISE EXCEPTION 'more is drawn from a period of a retainer than it grants' USING ERRCODE = 'CF004';
END IF;
"""


class Draw(Record):
    """So much of an entry was taken from what a retainer granted with the period that begins on ``granted_on``.

    Goes with its entry's settlement: taken back together with it.
    """

    retainer = models.ForeignKey(Retainer, on_delete=models.PROTECT, related_name="draws")
    time = models.ForeignKey(TimeEntry, null=True, on_delete=models.PROTECT, related_name="draws")
    expense = models.ForeignKey(Expense, null=True, on_delete=models.PROTECT, related_name="draws")
    granted_on = models.DateField()
    quantity = QuantityField()

    class Meta(Record.Meta):
        triggers = [
            *audit_all(),
            check_written("within_the_grant", _WITHIN_THE_GRANT),
            pgtrigger.Protect(name="never_changed", operation=pgtrigger.Update),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="retainers_draw_positive"),
            models.CheckConstraint(
                condition=Q(time__isnull=False, expense=None) | Q(time=None, expense__isnull=False),
                name="retainers_draw_of_one_entry",
            ),
            models.UniqueConstraint(fields=["time", "granted_on"], name="retainers_draw_time_once"),
            models.UniqueConstraint(fields=["expense", "granted_on"], name="retainers_draw_expense_once"),
        ]
        indexes = [models.Index(fields=["retainer", "granted_on"], name="retainers_draw_by_grant")]
