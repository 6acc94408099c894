"""Accounts and the people beneath them.

An account is a customer company: one row serves sales, billing and accounting. A contact is a person, who may work
for several accounts, in dated roles. What an account does not say itself it inherits from its parents;
``rules/inheritance.py`` resolves it.
"""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from counterfoil.accounts.rules.terms import DAYS_MAX, MONTHS_MAX, Discount, Due, Terms, part_from
from counterfoil.plumbing.audit import audit_all
from counterfoil.plumbing.checks import check_written
from counterfoil.plumbing.fields import CountryField, CurrencyField, DateRange
from counterfoil.plumbing.models import Record

UNLOGGED = (
    "normalised_name",
    "normalised_trading_name",
    "normalised_registration",
    "mail_domain",
    "sort_key",
    "search_text",
)
"""Columns that follow from others; the audit trail holds those others."""

HIERARCHY_LOCK = 0x6366_6163_6301
"""Advisory lock of a transaction that gives an account another parent:

one after the other, so that no circle slips by.
"""

# Beyond any real company; a chain that is longer is a circle that the check did not start in.
_CHAIN_MAX = 100

_NO_CIRCLES = """
IF EXISTS (SELECT 1 FROM {changed}) THEN
    PERFORM pg_advisory_xact_lock({lock});
    IF EXISTS (
        WITH RECURSIVE up AS (
            SELECT n.id AS start, n.parent_id AS at, 1 AS level FROM {changed}
            UNION ALL
            SELECT up.start, a.parent_id, up.level + 1 FROM up JOIN accounts_account a ON a.id = up.at
            WHERE up.at <> up.start AND up.level < {longest} AND a.parent_id IS NOT NULL
        )
        SELECT 1 FROM up WHERE up.at = up.start OR up.level >= {longest}
    ) THEN
        RAISE EXCEPTION 'the parents of an account make a circle' USING ERRCODE = 'CF002';
    END IF;
END IF;
"""


def _no_circles() -> list[pgtrigger.Trigger]:
    """The database's half of the promise that the hierarchy has no circles, under concurrency and bare SQL too."""
    added = "<written> n WHERE n.parent_id IS NOT NULL"
    moved = (
        "(SELECT new_rows.id, new_rows.parent_id FROM <written> new_rows JOIN old_rows ON old_rows.id = new_rows.id"
        " WHERE new_rows.parent_id IS NOT NULL AND new_rows.parent_id IS DISTINCT FROM old_rows.parent_id) n"
    )
    return [
        check_written(name, _NO_CIRCLES.format(changed=changed, lock=HIERARCHY_LOCK, longest=_CHAIN_MAX), operation)
        for name, operation, changed in (
            ("no_circle_insert", pgtrigger.Insert, added),
            ("no_circle_update", pgtrigger.Update, moved),
        )
    ]


class PaymentTerms(Record):
    """When an invoice is due, what ``rules/terms.py`` reads: one due day or ``instalments``, in their written form,
    and perhaps a discount for an early payment.
    """

    key = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    days = models.PositiveSmallIntegerField(default=0)
    from_end_of_month = models.BooleanField(default=False)
    months = models.PositiveSmallIntegerField(default=0)
    then_end_of_month = models.BooleanField(default=False)
    day_of_month = models.PositiveSmallIntegerField(null=True)
    instalments = models.JSONField(default=list)
    discount_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    discount_days = models.PositiveSmallIntegerField(null=True)
    is_active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(days__lte=DAYS_MAX) & Q(months__lte=MONTHS_MAX), name="accounts_paymentterms_within_reach"
            ),
            models.CheckConstraint(
                condition=~Q(from_end_of_month=True, then_end_of_month=True)
                & (
                    Q(day_of_month=None)
                    | Q(
                        day_of_month__gte=1,
                        day_of_month__lte=31,
                        days=0,
                        from_end_of_month=False,
                        then_end_of_month=False,
                    )
                )
                & (Q(months=0) | Q(from_end_of_month=True) | Q(day_of_month__isnull=False)),
                name="accounts_paymentterms_one_due_day",
            ),
            models.CheckConstraint(
                condition=Q(instalments=[])
                | Q(days=0, from_end_of_month=False, months=0, then_end_of_month=False, day_of_month=None),
                name="accounts_paymentterms_due_day_or_instalments",
            ),
            models.CheckConstraint(
                condition=Q(discount_percent=None, discount_days=None)
                | Q(
                    discount_percent__gt=0,
                    discount_percent__lt=100,
                    discount_percent__isnull=False,
                    discount_days__lte=DAYS_MAX,
                    discount_days__isnull=False,
                ),
                name="accounts_paymentterms_discount_in_range",
            ),
        ]

    @property
    def rule(self) -> Terms:
        """What the row says, as plain values."""
        percent, days = self.discount_percent, self.discount_days
        return Terms(
            due=Due(self.days, self.from_end_of_month, self.months, self.then_end_of_month, self.day_of_month),
            instalments=tuple(part_from(part) for part in self.instalments),
            early_discount=None if percent is None or days is None else Discount(percent, days),
        )


class AccountStatus(models.TextChoices):
    LEAD = "lead", "Lead"
    PROSPECT = "prospect", "Prospect"
    CUSTOMER = "customer", "Customer"
    FORMER = "former", "Former customer"


class BillingCycle(models.TextChoices):
    AS_DELIVERED = "as_delivered", "As delivered"
    MONTHLY = "monthly", "Monthly"
    QUARTERLY = "quarterly", "Quarterly"
    YEARLY = "yearly", "Yearly"


class PurchaseOrderPolicy(models.TextChoices):
    NONE = "none", "Not used"
    OPTIONAL = "optional", "Printed when there is one"
    REQUIRED = "required", "Required before an invoice"


class TaxProfile(models.TextChoices):
    STANDARD = "standard", "Taxed"
    EXEMPT = "exempt", "Exempt"
    REVERSE_CHARGE = "reverse_charge", "Reverse charge"
    OUTSIDE_SCOPE = "outside_scope", "Outside the scope of tax"


class DeliveryChannel(models.TextChoices):
    EMAIL = "email", "E-mail"
    PORTAL = "portal", "Customer portal"
    POST = "post", "Post"


class Account(Record):
    """A customer company.

    Empty values in the lower half mean "as the parent says, else as the company's default says".

    ``invoiced_account``: whose legal identity stands on the invoice. ``payer``: who owes the money. ``send_to``:
    whose billing contacts receive it. Each is inherited by itself; legal name, tax ids and address always come from
    one account together.
    """

    legal_name = models.CharField(max_length=200)
    trading_name = models.CharField(max_length=200, blank=True, default="")
    registration_number = models.CharField(max_length=60, blank=True, default="")
    website = models.CharField(max_length=200, blank=True, default="")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    status = models.CharField(max_length=20, choices=AccountStatus.choices, default=AccountStatus.PROSPECT)
    owner = models.ForeignKey("access.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    industry = models.CharField(max_length=60, blank=True, default="")
    employees = models.PositiveIntegerField(null=True, blank=True)
    founded_in = models.PositiveSmallIntegerField(null=True, blank=True)
    annual_revenue = models.DecimalField(max_digits=19, decimal_places=2, null=True, blank=True)
    external_id = models.CharField(max_length=100, blank=True, default="")
    # Tax belongs to the legal identity and is never inherited. Empty means that nobody has decided yet.
    tax_profile = models.CharField(max_length=20, choices=TaxProfile.choices, blank=True, default="")
    tax_exemption_reason = models.CharField(max_length=200, blank=True, default="")
    # Inherited when empty.
    language = models.CharField(max_length=10, blank=True, default="")
    currency = CurrencyField(blank=True, default="")
    terms = models.ForeignKey(PaymentTerms, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    billing_cycle = models.CharField(max_length=20, choices=BillingCycle.choices, blank=True, default="")
    po_policy = models.CharField(max_length=20, choices=PurchaseOrderPolicy.choices, blank=True, default="")
    service_tier = models.CharField(max_length=40, blank=True, default="")
    delivery_channel = models.CharField(max_length=20, choices=DeliveryChannel.choices, blank=True, default="")
    invoiced_account = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    payer = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    send_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # Worked out by the commands, for search, duplicates and sorting.
    normalised_name = models.CharField(max_length=200, db_index=True)
    normalised_trading_name = models.CharField(max_length=200, blank=True, default="", db_index=True)
    normalised_registration = models.CharField(max_length=60, blank=True, default="", db_index=True)
    mail_domain = models.CharField(max_length=200, blank=True, default="", db_index=True)
    sort_key = models.CharField(max_length=200)
    search_text = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        triggers = [*audit_all(without=UNLOGGED), *_no_circles()]
        indexes = [
            GinIndex(fields=["normalised_name"], name="accounts_account_name_trgm", opclasses=["gin_trgm_ops"]),
            # Django's icontains compares in upper case.
            GinIndex(OpClass(Upper("search_text"), name="gin_trgm_ops"), name="accounts_account_search_trgm"),
            models.Index(fields=["sort_key", "id"], name="accounts_account_order"),
            models.Index(fields=["status", "sort_key"], name="accounts_account_by_status"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(legal_name=""), name="accounts_account_has_a_name"),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="accounts_account_not_its_own_parent"),
            models.CheckConstraint(
                condition=~Q(tax_profile="exempt") | ~Q(tax_exemption_reason=""),
                name="accounts_account_exempt_with_a_reason",
            ),
            models.UniqueConstraint(
                fields=["external_id"], condition=~Q(external_id=""), name="accounts_account_external_id_once"
            ),
        ]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.trading_name or self.legal_name

    @property
    def main_address(self) -> Address | None:
        """The invoice address, else the registered office, else any."""
        addresses = {address.kind: address for address in self.addresses.all()}
        return addresses.get("invoice") or addresses.get("registered") or next(iter(addresses.values()), None)


class TaxIdentifier(Record):
    """A tax id of an account, such as a VAT number. ``normalised`` is for comparing."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tax_identifiers")
    country = CountryField()
    value = models.CharField(max_length=40)
    normalised = models.CharField(max_length=44, db_index=True)
    is_format_valid = models.BooleanField(null=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["account", "normalised"], name="accounts_taxidentifier_once_per_account")
        ]


class AddressKind(models.TextChoices):
    INVOICE = "invoice", "Invoice address"
    REGISTERED = "registered", "Registered office"
    DELIVERY = "delivery", "Delivery address"


class Address(Record):
    """An address of an account. One of each kind."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="addresses")
    kind = models.CharField(max_length=20, choices=AddressKind.choices)
    attention = models.CharField(max_length=200, blank=True, default="")
    street = models.CharField(max_length=200, blank=True, default="")
    street_2 = models.CharField(max_length=200, blank=True, default="")
    postcode = models.CharField(max_length=20, blank=True, default="")
    city = models.CharField(max_length=100, blank=True, default="")
    region = models.CharField(max_length=100, blank=True, default="")
    country = CountryField()

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["account", "kind"], name="accounts_address_one_of_each_kind"),
        ]
        indexes = [models.Index(fields=["postcode"], name="accounts_address_postcode")]


class EmailState(models.TextChoices):
    UNKNOWN = "unknown", "Not tried yet"
    DELIVERABLE = "deliverable", "Mail arrives"
    BOUNCED = "bounced", "Mail bounced"


class Contact(Record):
    """A person. Belongs to accounts through dated roles; a person who left keeps the history."""

    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254, blank=True, default="")
    email_state = models.CharField(max_length=20, choices=EmailState.choices, default=EmailState.UNKNOWN)
    phone = models.CharField(max_length=60, blank=True, default="")
    job_title = models.CharField(max_length=100, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")
    external_id = models.CharField(max_length=100, blank=True, default="")
    left_on = models.DateField(null=True, blank=True)
    mail_domain = models.CharField(max_length=254, blank=True, default="", db_index=True)
    sort_key = models.CharField(max_length=200)
    search_text = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all(without=("mail_domain", "sort_key", "search_text"))
        indexes = [
            models.Index(models.functions.Lower("email"), name="accounts_contact_email"),
            models.Index(fields=["sort_key", "id"], name="accounts_contact_order"),
            GinIndex(OpClass(Upper("search_text"), name="gin_trgm_ops"), name="accounts_contact_search_trgm"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="accounts_contact_has_a_name"),
            models.UniqueConstraint(
                fields=["external_id"], condition=~Q(external_id=""), name="accounts_contact_external_id_once"
            ),
        ]


class ContactRole(models.TextChoices):
    BUYER = "buyer", "Buyer"
    APPROVER = "approver", "Approver"
    BILLING = "billing", "Billing"
    TECHNICAL = "technical", "Technical"
    SIGNER = "signer", "Signer"


class MailLine(models.TextChoices):
    TO = "to", "To"
    CC = "cc", "Cc"


class AccountContact(Record):
    """A person's role at an account from ``valid_from`` until before ``valid_to``; never held twice at once."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="contact_roles")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="account_roles")
    role = models.CharField(max_length=20, choices=ContactRole.choices)
    mail_line = models.CharField(max_length=2, choices=MailLine.choices, default=MailLine.TO)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="accounts_accountcontact_runs_forward",
            ),
            ExclusionConstraint(
                name="accounts_accountcontact_not_twice_at_once",
                expressions=[
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                    ("account", RangeOperators.EQUAL),
                    ("contact", RangeOperators.EQUAL),
                    ("role", RangeOperators.EQUAL),
                ],
            ),
        ]


class BillingDefaults(Record):
    """What holds for every account that neither says something itself nor has a parent that does. One row."""

    one = models.BooleanField(default=True, unique=True, editable=False)
    language = models.CharField(max_length=10, default="en")
    currency = CurrencyField(default="EUR")
    terms = models.ForeignKey(PaymentTerms, on_delete=models.PROTECT, related_name="+")
    billing_cycle = models.CharField(max_length=20, choices=BillingCycle.choices, default=BillingCycle.AS_DELIVERED)
    po_policy = models.CharField(
        max_length=20, choices=PurchaseOrderPolicy.choices, default=PurchaseOrderPolicy.OPTIONAL
    )
    service_tier = models.CharField(max_length=40, default="standard")
    delivery_channel = models.CharField(max_length=20, choices=DeliveryChannel.choices, default=DeliveryChannel.EMAIL)
    tax_profile = models.CharField(max_length=20, choices=TaxProfile.choices, default=TaxProfile.STANDARD)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [models.CheckConstraint(condition=Q(one=True), name="accounts_billingdefaults_one_row")]
