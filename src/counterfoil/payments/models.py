"""Money received, and which invoices it settles. Allocations are added, never changed: an undo is a counter-entry."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from counterfoil.plumbing.audit import append_only, audit_all
from counterfoil.plumbing.checks import check_written
from counterfoil.plumbing.fields import AmountField, CurrencyField, exact_amounts
from counterfoil.plumbing.models import Record


class PaymentMethod(models.TextChoices):
    TRANSFER = "transfer", "Bank transfer"
    CHEQUE = "cheque", "Cheque"
    CASH = "cash", "Cash"
    CARD_TERMINAL = "card_terminal", "Card terminal"
    CREDIT_NOTE = "credit_note", "Credit note"


WAYS_TO_PAY = tuple(choice for choice in PaymentMethod.choices if choice[0] != PaymentMethod.CREDIT_NOTE)
"""How a person can say that money came. What a credit note leaves over comes by itself."""


class PaymentStatus(models.TextChoices):
    RECEIVED = "received", "Received"
    FAILED = "failed", "Failed"
    BOUNCED = "bounced", "Bounced"
    UNDONE = "undone", "Undone"


class Payment(Record):
    """Money from a payer. ``allocated`` is the sum of its allocations; the rest is the payer's credit.

    ``external_id`` is the payment's name in another system, ``request_key`` the form or program that asked for it: each
    is taken once.
    """

    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    payer = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    method = models.CharField(max_length=20, choices=PaymentMethod.choices)
    status = models.CharField(max_length=20, choices=PaymentStatus.choices, default=PaymentStatus.RECEIVED)
    amount = AmountField()
    allocated = AmountField(default=0)
    currency = CurrencyField()
    received_on = models.DateField()
    reference = models.CharField(max_length=140, blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")
    external_id = models.CharField(max_length=100, blank=True, default="")
    request_key = models.CharField(max_length=100, blank=True, default="")
    ended_on = models.DateField(null=True)
    ended_reason = models.CharField(max_length=300, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_payment_positive"),
            models.CheckConstraint(
                condition=Q(allocated__gte=0) & Q(allocated__lte=F("amount")),
                name="payments_payment_not_over_allocated",
            ),
            models.CheckConstraint(
                condition=Q(status="received") | Q(allocated=0), name="payments_payment_ended_allocates_nothing"
            ),
            models.UniqueConstraint(
                fields=["external_id"],
                condition=~Q(external_id="") & ~Q(status="undone"),
                name="payments_payment_external_id_once",
            ),
            models.UniqueConstraint(
                fields=["request_key"], condition=~Q(request_key=""), name="payments_payment_request_once"
            ),
            exact_amounts("amount", "allocated", name="payments_payment_exact"),
        ]
        indexes = [
            models.Index(fields=["payer", "received_on"], name="payments_payment_by_payer"),
            models.Index(fields=["received_on", "id"], name="payments_payment_by_day"),
            models.Index(
                fields=["payer"],
                condition=Q(status="received") & Q(allocated__lt=F("amount")),
                name="payments_payment_unallocated",
            ),
        ]


_SUM_IS_ALLOCATED = """
IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT n.payment_id AS id FROM <written> n) paid CROSS JOIN LATERAL (
        SELECT 1 FROM payments_payment p WHERE p.id = paid.id
        AND p.allocated <> (SELECT COALESCE(SUM(a.amount), 0) FROM payments_allocation a WHERE a.payment_id = p.id)
        LIMIT 1
    ) off
) THEN
    RAISE EXCEPTION 'the allocations of a payment do not sum to what it has allocated' USING ERRCODE = 'CF004';
END IF;
"""


class Allocation(models.Model):
    """So much of a payment settles so much of an invoice.

    A counter-entry has the negative amount and names what it undoes. The payment's row is written first: the database
    refuses an allocation that its payment does not count.
    """

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.PROTECT, related_name="+")
    amount = AmountField()
    currency = CurrencyField()
    allocated_on = models.DateField()
    undoes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="undone_by")
    created_at = models.DateTimeField()
    by_name = models.CharField(max_length=200)

    class Meta:
        triggers = [
            append_only(),
            check_written("sum_is_allocated", _SUM_IS_ALLOCATED),
        ]
        constraints = [
            models.CheckConstraint(
                condition=(Q(amount__gt=0) & Q(undoes=None)) | (Q(amount__lt=0) & Q(undoes__isnull=False)),
                name="payments_allocation_sign",
            ),
            exact_amounts("amount", name="payments_allocation_exact"),
        ]
        indexes = [models.Index(fields=["invoice"], name="payments_allocation_by_invoice")]


_WITHIN_THE_DISCOUNT = """
IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT n.invoice_id AS id FROM <written> n) allowed CROSS JOIN LATERAL (
        SELECT 1 FROM invoicing_invoice i WHERE i.id = allowed.id
        AND (SELECT SUM(a.amount) FROM payments_allowance a WHERE a.invoice_id = i.id)
            NOT BETWEEN 0 AND COALESCE(i.early_discount_amount, 0)
        LIMIT 1
    ) off
) THEN
    RAISE EXCEPTION 'an allowance is more than the early discount of its invoice' USING ERRCODE = 'CF004';
END IF;
"""


class Allowance(models.Model):
    """What an early payment need not pay of an invoice, one row for each of its tax rates: it lowers net and tax.

    It goes with the allocation that settled the invoice. A counter-entry has the negative amounts and names what it
    undoes.
    """

    id = models.UUIDField(primary_key=True)
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="allowances")
    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.PROTECT, related_name="+")
    tax_category = models.CharField(max_length=2)
    tax_percent = models.DecimalField(max_digits=7, decimal_places=4)
    net = AmountField()
    tax = AmountField()
    amount = AmountField()
    currency = CurrencyField()
    allowed_on = models.DateField()
    undoes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="undone_by")
    created_at = models.DateTimeField()

    class Meta:
        triggers = [
            append_only(),
            check_written("within_the_discount", _WITHIN_THE_DISCOUNT),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount=F("net") + F("tax")) & ~Q(amount=0), name="payments_allowance_adds_up"
            ),
            models.UniqueConstraint(
                fields=["allocation", "tax_category", "tax_percent"],
                condition=Q(undoes=None),
                name="payments_allowance_once",
            ),
            exact_amounts("net", "tax", "amount", name="payments_allowance_exact"),
        ]
        indexes = [models.Index(fields=["invoice"], name="payments_allowance_by_invoice")]
