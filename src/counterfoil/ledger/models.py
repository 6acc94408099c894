"""Our own companies and their books."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from counterfoil.plumbing.audit import append_only, audit_all
from counterfoil.plumbing.checks import check_written
from counterfoil.plumbing.fields import AmountField, CountryField, CurrencyField, exact_amounts
from counterfoil.plumbing.models import Record


class TaxRounding(models.TextChoices):
    PER_RATE = "per_rate", "Per rate (EN 16931)"
    PER_LINE = "per_line", "Per line"


class LegalEntity(Record):
    """One of our own companies: who issues invoices, with its bank account and the layout of its documents."""

    name = models.CharField(max_length=100, unique=True)
    legal_name = models.CharField(max_length=200)
    street = models.CharField(max_length=200, blank=True, default="")
    street_2 = models.CharField(max_length=200, blank=True, default="")
    postcode = models.CharField(max_length=20, blank=True, default="")
    city = models.CharField(max_length=100, blank=True, default="")
    region = models.CharField(max_length=100, blank=True, default="")
    country = CountryField()
    tax_id = models.CharField(max_length=40, blank=True, default="")
    registration_number = models.CharField(max_length=100, blank=True, default="")
    currency = CurrencyField(default="EUR")
    timezone = models.CharField(max_length=60, default="UTC")
    language = models.CharField(max_length=10, default="en")
    email = models.EmailField(blank=True, default="")
    phone = models.CharField(max_length=60, blank=True, default="")
    bank_name = models.CharField(max_length=100, blank=True, default="")
    iban = models.CharField(max_length=40, blank=True, default="")
    bic = models.CharField(max_length=20, blank=True, default="")
    tax_rounding = models.CharField(max_length=20, choices=TaxRounding.choices, default=TaxRounding.PER_RATE)
    layout = models.CharField(
        max_length=20, choices=[("classic", "Classic"), ("compact", "Compact")], default="classic"
    )
    accent_colour = models.CharField(max_length=7, default="#1f5d46")
    footer = models.CharField(max_length=500, blank=True, default="")
    is_default = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="ledger_legalentity_one_default"
            ),
        ]


class LedgerKind(models.TextChoices):
    ASSET = "asset", "Asset"
    LIABILITY = "liability", "Liability"
    INCOME = "income", "Income"
    EQUITY = "equity", "Equity"


class LedgerAccount(Record):
    """A bookkeeping account of an entity. ``role`` is how the product finds it; the code is the accountant's own."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="ledger_accounts")
    role = models.CharField(
        max_length=30,
        choices=[
            ("receivable", "Receivables"),
            ("revenue", "Revenue"),
            ("tax_payable", "Tax payable"),
            ("bank", "Bank"),
            ("cash", "Cash"),
            ("clearing", "Cheques and cards on their way"),
            ("customer_credit", "Customer money not allocated"),
            ("opening", "Opening balances"),
        ],
    )
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=LedgerKind.choices)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["entity", "role"], name="ledger_ledgeraccount_one_per_role"),
            models.UniqueConstraint(fields=["entity", "code"], name="ledger_ledgeraccount_code_once"),
        ]


class JournalEntry(models.Model):
    """One event of the books. ``source`` (what it is of) is unique: nothing is posted twice. Never changed or
    removed.
    """

    id = models.UUIDField(primary_key=True)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+", db_index=False)
    posted_on = models.DateField(db_index=True)
    source = models.CharField(max_length=120)
    document_id = models.UUIDField(db_index=True)
    memo = models.CharField(max_length=200)
    command_run = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        triggers = [append_only()]
        constraints = [models.UniqueConstraint(fields=["source"], name="ledger_journalentry_source_once")]


_SUM_IS_ZERO = """
SELECT entry.id INTO unbalanced FROM (SELECT DISTINCT n.entry_id AS id FROM <written> n) entry
CROSS JOIN LATERAL (
    SELECT p.currency FROM ledger_posting p WHERE p.entry_id = entry.id
    GROUP BY p.currency HAVING SUM(p.amount) <> 0
) off LIMIT 1;
IF FOUND THEN
    RAISE EXCEPTION 'the postings of entry % do not sum to zero', unbalanced USING ERRCODE = 'CF002';
END IF;
"""


class Posting(models.Model):
    """An amount on a ledger account: debit positive, credit negative.

    The postings of an entry sum to zero per currency, and are written by one statement.

    ``account_id`` is the customer whom a receivable or credit concerns.
    """

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    ledger_account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    account = models.ForeignKey(
        "accounts.Account", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    amount = AmountField()
    currency = CurrencyField()

    class Meta:
        triggers = [
            append_only(),
            check_written("sum_is_zero", _SUM_IS_ZERO, declare=[("unbalanced", "uuid")]),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_posting_not_zero"),
            exact_amounts("amount", name="ledger_posting_exact"),
        ]
        indexes = [
            models.Index(
                fields=["account", "ledger_account"],
                condition=Q(account__isnull=False),
                name="ledger_posting_of_account",
            ),
        ]
