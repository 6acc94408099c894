"""Drafts and issued documents, their numbers and their taxes.

A draft becomes an issued document by ``issue_invoices`` and never changes again: triggers refuse it, whoever asks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from counterfoil.catalog.models import TaxClass
from counterfoil.invoicing.rules.references import KEY
from counterfoil.invoicing.rules.tax import MOST_TAXES
from counterfoil.plumbing.audit import append_only, audit_all, audit_changes
from counterfoil.plumbing.checks import check_written
from counterfoil.plumbing.fields import (
    AmountField,
    CurrencyField,
    DateRange,
    QuantityField,
    UnitPriceField,
    exact_amounts,
)
from counterfoil.plumbing.models import Record


class DocumentKind(models.TextChoices):
    INVOICE = "invoice", "Invoice"
    CREDIT_NOTE = "credit_note", "Credit note"


class TaxRate(Record):
    """What an entity charges on a tax class from one day until before another.

    ``part`` tells several taxes of a class apart that hold at once, such as GST (1) and QST (2).
    """

    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices)
    part = models.PositiveSmallIntegerField(default=1)
    label = models.CharField(max_length=60)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    category = models.CharField(
        max_length=2,
        choices=[("S", "Taxed"), ("Z", "Zero-rated"), ("E", "Exempt")],
        default="S",
        help_text="EN 16931 (UNTDID 5305)",
    )
    legal_note = models.CharField(max_length=200, blank=True, default="")
    included = models.BooleanField(default=False, help_text="Prices include the tax")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__gte=0) & Q(percent__lt=100), name="invoicing_taxrate_percent_in_range"
            ),
            models.CheckConstraint(
                condition=Q(part__gte=1) & Q(part__lte=MOST_TAXES), name="invoicing_taxrate_part_in_range"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")), name="invoicing_taxrate_runs_forward"
            ),
            ExclusionConstraint(
                name="invoicing_taxrate_one_at_a_time",
                expressions=[
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                    ("entity", RangeOperators.EQUAL),
                    ("tax_class", RangeOperators.EQUAL),
                    ("part", RangeOperators.EQUAL),
                ],
            ),
        ]


class Series(Record):
    """How an entity numbers one kind of document. ``pattern`` may hold ``{year}`` and must hold ``{number}``."""

    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=DocumentKind.choices)
    pattern = models.CharField(max_length=60)
    digits = models.PositiveSmallIntegerField(default=5)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["entity", "kind"], name="invoicing_series_one_per_kind"),
            models.CheckConstraint(condition=Q(pattern__contains="{number}"), name="invoicing_series_has_a_number"),
        ]


class SeriesCounter(models.Model):
    """The last number taken of a series in a year, and the day of it. A pattern without a year counts under year 0.

    Its row is locked last, in the transaction that issues.
    """

    id = models.BigAutoField(primary_key=True)
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="counters")
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)
    last_on = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "year"], name="invoicing_seriescounter_one_per_year")]


class ReferenceKind(models.TextChoices):
    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    CHOICE = "choice", "Choice"


class Element(models.TextChoices):
    """What of an e-invoice a reference fills, by the business terms of EN 16931."""

    NONE = "none", "Nothing"
    NOTE = "note", "A note (BT-22)"
    BUYER_REFERENCE = "BT-10", "Buyer reference (BT-10)"
    PROJECT = "BT-11", "Project (BT-11)"
    CONTRACT = "BT-12", "Contract (BT-12)"
    PURCHASE_ORDER = "BT-13", "Purchase order (BT-13)"
    SALES_ORDER = "BT-14", "Sales order (BT-14)"
    TENDER_OR_LOT = "BT-17", "Tender or lot (BT-17)"
    INVOICED_OBJECT = "BT-18", "Invoiced object (BT-18)"
    ACCOUNTING_REFERENCE = "BT-19", "Buyer’s accounting reference (BT-19)"


class ReferenceField(Record):
    """A reference that an administrator defined, such as a cost centre. It is retired and never deleted, since what
    names its ``key`` stays; key and kind never change.

    Deals, subscriptions and documents hold values by key. An issued document keeps the name that the field had.
    """

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=ReferenceKind.choices, default=ReferenceKind.TEXT)
    options = models.JSONField(default=list)
    is_required = models.BooleanField(default=False)
    is_printed = models.BooleanField(default=True)
    element = models.CharField(max_length=10, choices=Element.choices, default=Element.NOTE)
    position = models.PositiveSmallIntegerField(default=1)
    is_retired = models.BooleanField(default=False)

    class Meta(Record.Meta):
        triggers = [
            *audit_all(),
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="stays_what_it_is", operation=pgtrigger.Update, condition=pgtrigger.AnyChange("key", "kind")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("name"), condition=Q(is_retired=False), name="invoicing_referencefield_name_once"
            ),
            models.UniqueConstraint(
                fields=["element"],
                condition=Q(is_retired=False) & ~Q(element__in=["none", "note"]),
                name="invoicing_referencefield_element_once",
            ),
            models.CheckConstraint(
                condition=Q(key__regex=f"^{KEY.pattern}$") & ~Q(name=""), name="invoicing_referencefield_has_a_name"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=ReferenceKind.values) & Q(element__in=Element.values),
                name="invoicing_referencefield_known",
            ),
            models.CheckConstraint(
                condition=Q(kind="choice") & ~Q(options=[]) | ~Q(kind="choice") & Q(options=[]),
                name="invoicing_referencefield_options_of_choice",
            ),
        ]


class InvoiceStatus(models.TextChoices):
    """Where a document stands. Whether it is paid is worked out from ``settled``; whether overdue, from the day."""

    DRAFT = "draft", "Draft"
    RETURNED = "returned", "Returned to sales"
    ISSUED = "issued", "Issued"
    VOID = "void", "Void"


class Origin(models.TextChoices):
    DEAL = "deal", "Won deal"
    MANUAL = "manual", "Entered by hand"
    SUBSCRIPTION = "subscription", "Subscription"
    IMPORTED = "imported", "Taken over from another system"


OWED = F("total") - F("settled") - F("credited")
"""What is open of an issued document."""
IS_OPEN = Q(settled__lt=F("total") - F("credited"))


class LineKind(models.TextChoices):
    """What a line bills. A ``proration_credit`` takes back part of an issued line and is never above zero."""

    RECURRING = "recurring", "Recurring"
    PRORATION_CHARGE = "proration_charge", "Charge for the rest of a period"
    PRORATION_CREDIT = "proration_credit", "Credit for the rest of a period"
    USAGE = "usage", "Usage"
    ONE_OFF = "one_off", "One-off"
    DISCOUNT = "discount", "Discount"
    MINIMUM = "minimum", "Minimum"
    LATE_FEE = "late_fee", "Late fee"


_MAY_CHANGE = (
    "settled", "credited", "disputed", "dispute_note", "version", "send_requested_at", "void_reason",
)  # fmt: skip
"""What of an issued document may change; see also what ``_FROZEN`` lets through once."""

# The row is compared with itself as it would be if only that had changed which may.
_FROZEN = """
IF OLD.status NOT IN ('issued', 'void') THEN
    IF OLD.origin = 'subscription' AND (TG_OP = 'DELETE' OR NEW.status NOT IN ('draft', 'issued')) THEN
        RAISE EXCEPTION 'a draft that bills a subscription is issued or stays' USING ERRCODE = 'CF003';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END IF;
IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'document % is issued and cannot be deleted', OLD.number USING ERRCODE = 'CF003';
END IF;
allowed := OLD;
<may_change>
IF OLD.pdf_id IS NULL THEN
    allowed.pdf_id := NEW.pdf_id;
END IF;
IF OLD.status = 'issued' AND NEW.status = 'void' THEN
    allowed.status := NEW.status;
END IF;
IF NEW IS DISTINCT FROM allowed THEN
    RAISE EXCEPTION 'document % is issued and cannot be changed', OLD.number USING ERRCODE = 'CF003';
END IF;
RETURN NEW;
""".replace("<may_change>", "\n".join(f"allowed.{column} := NEW.{column};" for column in _MAY_CHANGE))


class _FrozenWhenIssued(pgtrigger.Trigger):
    """Looks at deletes, and at updates that write any column but those that may change: money that settles a thousand
    documents asks it nothing. The migration lists the columns, so that a new one is in it.
    """

    name = "frozen_when_issued"
    level = pgtrigger.Row
    when = pgtrigger.Before
    operation = pgtrigger.Update | pgtrigger.Delete
    declare = [("allowed", "invoicing_invoice%ROWTYPE")]
    func = _FROZEN

    def compile(self, model: models.Model) -> Any:
        columns = sorted(str(field.column) for field in model._meta.concrete_fields if field.name not in _MAY_CHANGE)
        self.operation = pgtrigger.UpdateOf(*columns) | pgtrigger.Delete  # type: ignore[no-untyped-call]
        return super().compile(model)


_PARENT_FROZEN = """
parents := ARRAY[OLD.invoice_id];
IF TG_OP = 'UPDATE' THEN
    parents := parents || NEW.invoice_id;
END IF;
IF EXISTS (
    SELECT 1 FROM (SELECT i.status FROM invoicing_invoice i WHERE i.id = ANY(parents) OFFSET 0) parent
    WHERE parent.status IN ('issued', 'void')
) THEN
    RAISE EXCEPTION 'the lines and taxes of an issued document cannot be changed' USING ERRCODE = 'CF003';
END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
RETURN NEW;
"""

_PARENT_FROZEN_ON_INSERT = """
IF EXISTS (
    SELECT 1 FROM <written> n CROSS JOIN LATERAL (
        SELECT i.status FROM invoicing_invoice i WHERE i.id = n.invoice_id OFFSET 0
    ) parent WHERE parent.status IN ('issued', 'void')
) THEN
    RAISE EXCEPTION 'the lines and taxes of an issued document cannot be changed' USING ERRCODE = 'CF003';
END IF;
"""


def taxes_sql(line: str) -> str:
    """SQL that lists the taxes of a line, as ``LATERAL`` takes it: one row each, as its columns say, with ``in_price``
    and ``tax_in_price``, the sums of the rates and the amounts of those that the line's price includes.
    """
    return f"""(
        SELECT x.*, SUM(CASE WHEN x.included THEN x.percent ELSE 0 END) OVER () AS in_price,
               SUM(CASE WHEN x.included THEN x.amount ELSE 0 END) OVER () AS tax_in_price
        FROM (
            SELECT {line}.tax_category AS category, {line}.tax_percent AS percent, {line}.tax_included AS included,
                   0 AS again, {line}.tax AS amount
            UNION ALL
            SELECT m.category, m.percent, m.included, m.again, m.amount FROM jsonb_to_recordset({line}.more_taxes)
                AS m (category text, percent numeric, included boolean, again integer, amount numeric)
        ) x
    )"""  # noqa: S608 - the alias of a table


def allowed_tax_sql(tax: str) -> str:
    """SQL for what early payments need not pay of the tax of a rate, as far as it could be taken back."""
    return f"""
        SELECT SUM(a.tax) FROM invoicing_lineallowance a
        JOIN invoicing_invoiceline o ON o.id = a.line_id AND o.credits_line_id IS NULL
        WHERE o.invoice_id = {tax}.invoice_id AND (a.category, a.percent, a.included, a.again)
              = ({tax}.category, {tax}.percent, {tax}.included, {tax}.again)
    """  # noqa: S608 - the alias of a table


_DOCUMENT_OF_LINE = "(SELECT i.status, i.kind FROM invoicing_invoice i WHERE i.id = l.invoice_id OFFSET 0)"

# A document that becomes issued takes back no more of any line, nor of the tax of any rate, than it says. The lines are
# locked first, so that two documents at once are looked at one after the other.
_CREDITS_FIT = f"""
IF EXISTS (
    SELECT 1 FROM <became> n CROSS JOIN LATERAL (
        SELECT l.credits_line_id FROM invoicing_invoiceline l WHERE l.invoice_id = n.id OFFSET 0
    ) line WHERE line.credits_line_id IS NOT NULL
) THEN
    PERFORM 1 FROM invoicing_invoiceline c WHERE c.id IN (
        SELECT l.credits_line_id FROM <became> n JOIN invoicing_invoiceline l ON l.invoice_id = n.id
    ) ORDER BY c.id FOR UPDATE;
    IF EXISTS (
        SELECT 1 FROM invoicing_invoiceline c
        JOIN invoicing_invoiceline l ON l.credits_line_id = c.id
        JOIN LATERAL {_DOCUMENT_OF_LINE} d ON d.status = 'issued'
        WHERE c.id IN (SELECT t.credits_line_id FROM <became> n JOIN invoicing_invoiceline t ON t.invoice_id = n.id)
        GROUP BY c.id, c.net
        HAVING SUM(CASE d.kind WHEN 'credit_note' THEN l.net ELSE -l.net END)
               + COALESCE((SELECT SUM(a.said) FROM invoicing_lineallowance a WHERE a.line_id = c.id), 0)
               NOT BETWEEN LEAST(c.net, 0) AND GREATEST(c.net, 0)
    ) THEN
        RAISE EXCEPTION 'more is taken back of a line than it comes to' USING ERRCODE = 'CF005';
    END IF;
    IF EXISTS (
        SELECT 1 FROM <became> n JOIN invoicing_invoiceline l ON l.invoice_id = n.id
        JOIN invoicing_invoiceline c ON c.id = l.credits_line_id
        WHERE (SELECT array_agg((x.category, x.percent, x.included, x.again)) FROM {taxes_sql("l")} x)
              IS DISTINCT FROM (SELECT array_agg((x.category, x.percent, x.included, x.again)) FROM {taxes_sql("c")} x)
    ) THEN
        RAISE EXCEPTION 'a line bears other taxes than the one that it takes back' USING ERRCODE = 'CF005';
    END IF;
    IF EXISTS (
        SELECT 1 FROM invoicing_invoicetax t
        JOIN invoicing_invoice i ON i.id = t.invoice_id
        JOIN invoicing_invoiceline c ON c.invoice_id = t.invoice_id
        JOIN invoicing_invoiceline l ON l.credits_line_id = c.id
        JOIN LATERAL {taxes_sql("l")} x ON (x.category, x.percent, x.included, x.again)
             = (t.category, t.percent, t.included, t.again)
        JOIN LATERAL {_DOCUMENT_OF_LINE} d ON d.status = 'issued' AND d.kind = 'credit_note'
        WHERE c.invoice_id IN (
            SELECT o.invoice_id FROM <became> n JOIN invoicing_invoiceline b ON b.invoice_id = n.id
            JOIN invoicing_invoiceline o ON o.id = b.credits_line_id
        )
        GROUP BY t.id, i.currency
        HAVING SUM(x.amount) > t.amount - COALESCE((
            SELECT COALESCE(SUM(g.tax), ROUND(
                SUM(g.net * t.percent / (100 + g.in_price)), counterfoil_currency_decimals(i.currency)
            ))
            FROM (
                SELECT y.in_price, SUM(b.net) AS net, SUM(y.amount) AS tax
                FROM invoicing_invoiceline b JOIN LATERAL {taxes_sql("b")} y
                     ON (y.category, y.percent, y.included, y.again) = (t.category, t.percent, t.included, t.again)
                WHERE b.invoice_id = t.invoice_id AND b.credits_line_id IS NOT NULL
                GROUP BY y.in_price
            ) g
        ), 0) - COALESCE(({allowed_tax_sql("t")}), 0)
    ) THEN
        RAISE EXCEPTION 'more tax is taken back than was charged' USING ERRCODE = 'CF005';
    END IF;
END IF;
"""  # noqa: S608 - constants
_ISSUED_NOW = "(SELECT n.id FROM <written> n WHERE n.status = 'issued')"
_BECAME_ISSUED = (
    "(SELECT a.id FROM <written> a JOIN old_rows o ON o.id = a.id WHERE a.status = 'issued' AND o.status <> 'issued')"
)


def _credits_fit() -> list[pgtrigger.Trigger]:
    return [
        check_written("credits_fit_at_once", _CREDITS_FIT.replace("<became>", _ISSUED_NOW)),
        check_written("credits_fit", _CREDITS_FIT.replace("<became>", _BECAME_ISSUED), pgtrigger.Update),
    ]


def _with_parent() -> list[pgtrigger.Trigger]:
    # The lines of a document are there before it is issued: those of a draft, or those that were written before it.
    return [
        pgtrigger.Trigger(
            name="frozen_with_document",
            level=pgtrigger.Row,
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            declare=[("parents", "uuid[]")],
            func=_PARENT_FROZEN,
        ),
        check_written("frozen_against_more", _PARENT_FROZEN_ON_INSERT),
    ]


class Invoice(Record):
    """A draft or an issued document.

    ``due_on`` is when the whole is due: the day of the last instalment. An invoice that is due in one payment has no
    ``Instalment``. ``early_discount_amount`` less settles it until ``early_discount_until``, inclusive.
    ``account`` is the customer who was sold to; ``invoiced_account`` gives the printed identity, ``payer`` owes the
    money, ``send_to`` receives the mail. ``settled`` is what money took off it, ``credited`` what credit notes did. The
    figures of a credit note are positive; what is settled of it went to invoices or to its payer. ``party``,
    ``seller`` and ``reference_facts`` (the defined references with their names and elements) are frozen at issue.
    ``sources`` says of each value where it came from; ``touched`` are the fields that a person changed between the win
    and the send.
    """

    kind = models.CharField(max_length=20, choices=DocumentKind.choices, default=DocumentKind.INVOICE)
    status = models.CharField(max_length=20, choices=InvoiceStatus.choices, default=InvoiceStatus.DRAFT)
    origin = models.CharField(max_length=20, choices=Origin.choices)
    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+", db_index=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    invoiced_account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
    payer = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    send_to = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    sales_owner = models.ForeignKey(
        "access.User", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    deal_id = models.UUIDField(null=True)
    deal_title = models.CharField(max_length=300, blank=True, default="")
    quote_version = models.PositiveIntegerField(null=True)

    language = models.CharField(max_length=10)
    currency = CurrencyField()
    terms = models.ForeignKey(
        "accounts.PaymentTerms", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    delivery_channel = models.CharField(max_length=20)
    po_number = models.CharField(max_length=60, blank=True, default="")
    references = models.TextField(blank=True, default="")
    reference_values = models.JSONField(default=dict)
    reference_facts = models.JSONField(default=list)
    tax_profile = models.CharField(max_length=20)
    tax_exemption_reason = models.CharField(max_length=200, blank=True, default="")
    service_from = models.DateField(null=True, blank=True)
    service_to = models.DateField(null=True, blank=True)
    notes = models.TextField(blank=True, default="")
    internal_notes = models.TextField(blank=True, default="")
    deal_discount_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    discounts = models.JSONField(default=list)

    net = AmountField(default=0)
    tax = AmountField(default=0)
    total = AmountField(default=0)
    settled = AmountField(default=0)
    credited = AmountField(default=0)

    sources = models.JSONField(default=dict)
    touched = models.JSONField(default=list)
    checks = models.JSONField(default=list)
    is_clean = models.BooleanField(default=False)
    waiting_since = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    returned_reason = models.CharField(max_length=500, blank=True, default="")

    series = models.ForeignKey(Series, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    year = models.PositiveSmallIntegerField(null=True)
    sequence = models.PositiveIntegerField(null=True)
    number = models.CharField(max_length=60, blank=True, default="")
    issued_on = models.DateField(null=True)
    due_on = models.DateField(null=True)
    early_discount_until = models.DateField(null=True)
    early_discount_amount = AmountField(null=True)
    issued_at = models.DateTimeField(null=True)
    issued_by_name = models.CharField(max_length=200, blank=True, default="")
    command_run = models.UUIDField(null=True)
    party = models.JSONField(null=True)
    seller = models.JSONField(null=True)
    pdf = models.ForeignKey(
        "documents.StoredFile", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    send_requested_at = models.DateTimeField(null=True)
    disputed = models.BooleanField(default=False)
    dispute_note = models.CharField(max_length=500, blank=True, default="")
    void_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta(Record.Meta):
        triggers = [
            *audit_changes(alone="settled"),
            _FrozenWhenIssued(),
            *_credits_fit(),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["deal_id", "quote_version"],
                condition=Q(deal_id__isnull=False),
                name="invoicing_invoice_one_per_deal_and_quote",
            ),
            models.UniqueConstraint(
                fields=["entity", "kind", "number"],
                condition=~Q(number="") & ~Q(origin="imported", status="void"),
                name="invoicing_invoice_number_once",
            ),
            models.UniqueConstraint(fields=["series", "year", "sequence"], name="invoicing_invoice_sequence_once"),
            models.CheckConstraint(
                condition=(Q(status__in=["draft", "returned"]) & Q(number="") & Q(sequence=None))
                | (
                    Q(status__in=["issued", "void"])
                    & ~Q(number="")
                    & Q(issued_on__isnull=False)
                    & Q(due_on__isnull=False)
                    & Q(party__isnull=False)
                ),
                name="invoicing_invoice_number_means_issued",
            ),
            models.CheckConstraint(condition=Q(total=F("net") + F("tax")), name="invoicing_invoice_adds_up"),
            models.CheckConstraint(
                condition=Q(status__in=["issued", "void"]) | Q(reference_facts=[]),
                name="invoicing_invoice_references_of_issue",
            ),
            models.CheckConstraint(
                condition=Q(reference_values__contains={}), name="invoicing_invoice_values_have_keys"
            ),
            models.CheckConstraint(
                condition=Q(settled__gte=0)
                & Q(credited__gte=0)
                & (Q(settled__lte=F("total") - F("credited")) | Q(status="draft")),
                name="invoicing_invoice_settled_in_range",
            ),
            models.CheckConstraint(
                condition=Q(early_discount_until=None, early_discount_amount=None)
                | (
                    Q(early_discount_until__isnull=False, early_discount_until__gte=F("issued_on"))
                    & Q(early_discount_amount__isnull=False, early_discount_amount__gt=0)
                    & Q(early_discount_amount__lt=F("total"))
                ),
                name="invoicing_invoice_early_discount_in_range",
            ),
            exact_amounts("early_discount_amount", name="invoicing_invoice_early_discount_exact"),
            models.CheckConstraint(
                condition=~Q(kind="credit_note") | Q(credited=0, total__gt=0), name="invoicing_invoice_note_is_positive"
            ),
            exact_amounts("net", "tax", "total", "settled", "credited", name="invoicing_invoice_exact"),
        ]
        indexes = [
            models.Index(fields=["waiting_since"], condition=Q(status="draft"), name="invoicing_invoice_queue"),
            models.Index(
                fields=["payer", "due_on"],
                condition=Q(status="issued") & IS_OPEN,
                name="invoicing_invoice_open",
            ),
            models.Index(fields=["status", "issued_on"], name="invoicing_invoice_by_day"),
            models.Index(fields=["invoiced_account", "id"], name="invoicing_invoice_history"),
            models.Index(
                fields=["sales_owner"], condition=Q(sales_owner__isnull=False), name="invoicing_invoice_sales_owner"
            ),
            models.Index(fields=["pdf"], condition=Q(pdf__isnull=False), name="invoicing_invoice_pdf"),
        ]

    @property
    def open(self) -> Decimal:
        """What is left: of an invoice to be paid, of a credit note for its payer."""
        return self.total - self.settled - self.credited


_SUM_IS_CREDITED = """
IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT n.invoice_id AS id FROM <written> n) taken CROSS JOIN LATERAL (
        SELECT 1 FROM invoicing_invoice i WHERE i.id = taken.id
        AND i.credited <> (SELECT SUM(c.applied) FROM invoicing_credit c WHERE c.invoice_id = i.id) LIMIT 1
    ) off
) THEN
    RAISE EXCEPTION 'what credit notes took off an invoice does not sum to what it says' USING ERRCODE = 'CF006';
END IF;
"""


class Credit(models.Model):
    """What a credit note takes back of one invoice, with tax; ``applied`` of it lowered what was open there.

    The rest stays on the credit note as money of the payer. The invoice's row is written first: the database refuses a
    credit that its invoice does not count.
    """

    id = models.UUIDField(primary_key=True)
    credit_note = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credits")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credited_by")
    amount = AmountField()
    applied = AmountField()
    currency = CurrencyField()
    created_at = models.DateTimeField()

    class Meta:
        triggers = [
            append_only(),
            check_written("sum_is_credited", _SUM_IS_CREDITED),
        ]
        constraints = [
            models.UniqueConstraint(fields=["credit_note", "invoice"], name="invoicing_credit_once"),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & Q(applied__gte=0) & Q(applied__lte=F("amount")),
                name="invoicing_credit_in_range",
            ),
            exact_amounts("amount", "applied", name="invoicing_credit_exact"),
        ]


class InvoiceLine(Record):
    """A line.

    ``net`` is quantity × unit price less discount, rounded once, or the amount that was given (``is_net_given``), which
    may be below zero; ``share`` and ``why`` say how it came about. ``tax_percent`` is frozen with the document.
    ``before_discount`` is what the net was before the document's discounts. Where the price includes the tax
    (``tax_included``), the net is with tax. The columns of the tax are those of the first; ``more_taxes`` are the
    further ones of a line that bears several, as ``borne`` writes them. ``tax`` is an amount where tax is rounded per
    line. ``credits_line`` is the issued line that a line takes back, and whose tax it bears. The ids of the
    subscription mean something to whoever ordered the line.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    product = models.ForeignKey("catalog.Product", null=True, on_delete=models.PROTECT, related_name="+")
    description = models.CharField(max_length=300)
    detail = models.CharField(max_length=1000, blank=True, default="")
    quantity = QuantityField()
    unit = models.CharField(max_length=20, blank=True, default="")
    unit_price = UnitPriceField()
    discount_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    tax_class = models.CharField(max_length=20, choices=TaxClass.choices, default=TaxClass.STANDARD)
    tax_label = models.CharField(max_length=60, blank=True, default="")
    tax_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    tax_category = models.CharField(max_length=2, default="S")
    tax_included = models.BooleanField(default=False)
    before_discount = AmountField(null=True)
    net = AmountField()
    tax = AmountField(null=True)
    more_taxes = models.JSONField(null=True)
    service_from = models.DateField(null=True)
    service_to = models.DateField(null=True)
    deal_line_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=20, choices=LineKind.choices, default=LineKind.ONE_OFF)
    is_net_given = models.BooleanField(default=False)
    share = models.CharField(max_length=60, blank=True, default="")
    why = models.CharField(max_length=300, blank=True, default="")
    subscription_id = models.UUIDField(null=True)
    subscription_item_id = models.UUIDField(null=True)
    credits_line = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    sources = models.JSONField(default=dict)

    class Meta(Record.Meta):
        triggers = [*audit_changes(), *_with_parent()]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "position"],
                name="invoicing_invoiceline_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=Q(discount_percent__gte=0) & Q(discount_percent__lte=100),
                name="invoicing_invoiceline_discount_in_range",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="invoicing_invoiceline_quantity_positive"),
        ]
        indexes = [
            models.Index(
                fields=["credits_line"], condition=Q(credits_line__isnull=False), name="invoicing_invoiceline_credits"
            ),
            models.Index(
                fields=["subscription_id", "service_from"],
                condition=Q(subscription_id__isnull=False),
                name="invoicing_invoiceline_subscr",
            ),
        ]


# Credit notes lower what an invoice has, and an allowance is of what is left of that. What a later invoice takes back
# of a line still stands on this one. A status beside an id may be looked up by the index of all issued documents.
_ALLOWANCES_FIT = """
IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT n.line_id AS id FROM <written> n) allowed CROSS JOIN LATERAL (
        SELECT c.id, c.net, c.credits_line_id FROM invoicing_invoiceline c WHERE c.id = allowed.id OFFSET 0
    ) c WHERE c.credits_line_id IS NULL
      AND (SELECT SUM(a.said) FROM invoicing_lineallowance a WHERE a.line_id = c.id) + COALESCE((
              SELECT SUM(l.net) FROM invoicing_invoiceline l WHERE l.credits_line_id = c.id AND (
                  SELECT d.status = 'issued' AND d.kind = 'credit_note' FROM invoicing_invoice d
                  WHERE d.id = l.invoice_id
              )
          ), 0) NOT BETWEEN LEAST(c.net, 0) AND GREATEST(c.net, 0)
) THEN
    RAISE EXCEPTION 'more is allowed of a line than it comes to' USING ERRCODE = 'CF005';
END IF;
"""


class LineAllowance(models.Model):
    """What an early payment need not pay of an issued line, one row for each of its taxes: it lowers the line and the
    ``tax`` of that rate.

    ``said``, in the line's own terms, and ``net``, without any tax, stand at the first one. ``source_id`` names what
    settled the invoice. An allowance that ends has rows with the negative amounts.
    """

    id = models.UUIDField(primary_key=True)
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="+")
    source_id = models.UUIDField()
    category = models.CharField(max_length=2)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    included = models.BooleanField()
    again = models.PositiveSmallIntegerField()
    said = AmountField()
    net = AmountField()
    tax = AmountField()
    currency = CurrencyField()
    ends = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        triggers = [
            append_only(),
            check_written("allowances_fit", _ALLOWANCES_FIT),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source_id", "line", "category", "percent", "included", "again", "ends"],
                name="invoicing_lineallowance_once",
            ),
            exact_amounts("said", "net", "tax", name="invoicing_lineallowance_exact"),
        ]


class InvoiceTax(Record):
    """The tax of one rate and category of a document: base without tax, amount, and why (EN 16931 BG-23).

    Lines whose price includes the tax (``included``) are apart from those whose price does not, and so is what a line
    bears twice (``again``), such as CGST 9 % and SGST 9 %. The bases of taxes on the same lines overlap.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="taxes", db_index=False)
    category = models.CharField(max_length=2)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    label = models.CharField(max_length=60)
    included = models.BooleanField(default=False)
    again = models.PositiveSmallIntegerField(default=0)
    base = AmountField()
    amount = AmountField()
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta(Record.Meta):
        triggers = [*audit_changes(), *_with_parent()]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "category", "percent", "included", "again"], name="invoicing_invoicetax_once"
            ),
        ]


_MAKE_THE_WHOLE = """
IF EXISTS (
    SELECT 1 FROM invoicing_invoice i CROSS JOIN (
        SELECT SUM(n.amount) AS sum, MAX(n.due_on) AS last FROM invoicing_instalment n
        WHERE n.invoice_id = NEW.invoice_id
    ) parts
    WHERE i.id = NEW.invoice_id AND (i.total <> parts.sum OR i.due_on <> parts.last)
) THEN
    RAISE EXCEPTION 'the instalments of a document are not its total by its due day' USING ERRCODE = 'CF004';
END IF;
RETURN NULL;
"""


class Instalment(models.Model):
    """A part of an issued invoice with a due day of its own, in the order of the due days. Written at issue, never
    changed; together they are the total. Only where there are two or more.
    """

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="instalments")
    position = models.PositiveSmallIntegerField()
    due_on = models.DateField()
    amount = AmountField()

    class Meta:
        triggers = [
            *_with_parent(),
            pgtrigger.Trigger(
                name="make_the_whole",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                func=_MAKE_THE_WHOLE,
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoicing_instalment_position_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="invoicing_instalment_positive"),
        ]
