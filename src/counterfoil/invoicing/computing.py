"""A draft's figures and checks from its lines, its account's facts and the rules:

one code path for making, changing and issuing.

Reads; the commands save. ``Surroundings`` is everything the rules need for a set of drafts, read in a fixed number of
statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts, TermsFact
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax, TaxRate
from counterfoil.invoicing.rules.checks import Checked, checks, is_clean
from counterfoil.invoicing.rules.tax import LineTax, Rate, line_tax
from counterfoil.invoicing.rules.totals import TaxKey, Totals, TotalsLine, invoice_totals
from counterfoil.ledger.models import LegalEntity

_HISTORY = """
SELECT invoiced_account_id, currency, COUNT(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY total)
FROM invoicing_invoice
WHERE status = 'issued' AND kind = 'invoice' AND invoiced_account_id = ANY(%s)
GROUP BY invoiced_account_id, currency
"""


@dataclass(frozen=True)
class Surroundings:
    """What the rules look at besides the draft itself, as of ``on``."""

    on: date
    facts: Mapping[UUID, BillingFacts]
    entities: Mapping[UUID, LegalEntity]
    rates: Sequence[Rate]
    history: Mapping[tuple[UUID, str], tuple[int, Decimal]]
    earlier: Mapping[UUID, int]


@dataclass
class Draft:
    """A draft with its lines and taxes in memory."""

    invoice: Invoice
    lines: list[InvoiceLine]
    taxes: list[InvoiceTax]


def surroundings(account_ids: Iterable[UUID], entity_ids: Iterable[UUID], on: date) -> Surroundings:
    facts = billing_facts(sorted(set(account_ids)), on)
    wanted = list(set(entity_ids))
    history: dict[tuple[UUID, str], tuple[int, Decimal]] = {}
    earlier: dict[UUID, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [list({fact.invoiced_account.value for fact in facts.values()})])
        for account_id, currency, count, median in cursor.fetchall():
            history[account_id, currency] = (count, median)
            earlier[account_id] = earlier.get(account_id, 0) + count
    rates = [
        Rate(
            rate.pk, rate.entity_id, rate.tax_class, rate.label, rate.percent, rate.category, rate.legal_note,
            rate.valid_from, rate.valid_to,
        )
        for rate in TaxRate.objects.filter(entity__in=wanted)
    ]  # fmt: skip
    return Surroundings(on, facts, LegalEntity.objects.in_bulk(wanted), rates, history, earlier)


def compute(draft: Draft, around: Surroundings, terms: TermsFact | None) -> Totals:
    """Set the tax of each line, all sums, the tax rows, the checks and ``is_clean``. Saves nothing."""
    invoice = draft.invoice
    entity = around.entities[invoice.entity_id]
    taxes = [
        line_tax(around.rates, entity.pk, line.tax_class, invoice.tax_profile, invoice.tax_exemption_reason, around.on)
        for line in draft.lines
    ]
    keys = [TaxKey(tax.category, tax.percent) for tax in taxes]
    totals = invoice_totals(
        [
            TotalsLine(line.quantity, line.unit_price, line.discount_percent, key)
            for line, key in zip(draft.lines, keys, strict=True)
        ],
        invoice.currency,
        entity.tax_rounding,
    )
    for place, (line, tax) in enumerate(zip(draft.lines, taxes, strict=True)):
        line.tax_label, line.tax_percent, line.tax_category = tax.label, tax.percent, tax.category
        line.net = totals.line_nets[place].amount
        line.tax = totals.line_taxes[place].amount if totals.line_taxes is not None else None
        line.sources = {**line.sources, "tax": {"kind": "rule", "label": tax.rule, "record": None}}
    by_key = dict(zip(keys, taxes, strict=True))
    draft.taxes = [
        InvoiceTax(
            invoice=invoice,
            category=subtotal.tax.category,
            percent=subtotal.tax.percent,
            label=by_key[subtotal.tax].label,
            base=subtotal.base.amount,
            amount=subtotal.amount.amount,
            reason=by_key[subtotal.tax].reason,
        )
        for subtotal in totals.taxes
    ]
    invoice.net, invoice.tax, invoice.total = totals.net.amount, totals.tax.amount, totals.total.amount
    found = checks(_checked(draft, around, taxes, terms))
    invoice.checks = [asdict(check) for check in found]
    invoice.is_clean = is_clean(found)
    return totals


def _checked(draft: Draft, around: Surroundings, taxes: Sequence[LineTax], terms: TermsFact | None) -> Checked:
    invoice = draft.invoice
    facts = around.facts[invoice.account_id]
    entity = around.entities[invoice.entity_id]
    _, median = around.history.get((invoice.invoiced_account_id, invoice.currency), (0, None))
    account_terms = facts.terms.value
    return Checked(
        total=invoice.total,
        line_count=len(draft.lines),
        currency=invoice.currency,
        tax_profile=invoice.tax_profile,
        tax_profile_kind=facts.tax_profile.kind,
        tax_exemption_reason=invoice.tax_exemption_reason,
        lines_without_rate=sum(not tax.found for tax in taxes),
        party_tax_ids=len(facts.party.tax_ids),
        discount_percent=effective_discount(draft.lines),
        deal_discount_percent=invoice.deal_discount_percent,
        po_policy=facts.po_policy.value,
        po_number=invoice.po_number,
        terms_name=terms.name if terms else "",
        account_terms_name=account_terms.name if account_terms else "",
        earlier_invoices=around.earlier.get(invoice.invoiced_account_id, 0),
        median_total=median,
        delivery_channel=invoice.delivery_channel,
        deliverable_recipients=len(facts.deliverable),
        has_address=facts.party.has_address,
        entity_has_bank=bool(entity.iban),
        entity_has_tax_id=bool(entity.tax_id),
    )


def effective_discount(lines: Iterable[Any]) -> Decimal:
    """The discount of all lines together, in percent of what they would cost without any, to 4 decimals."""
    full = Decimal(0)
    less = Decimal(0)
    for line in lines:
        amount = line.quantity * line.unit_price
        full += amount
        less += amount * line.discount_percent / 100
    return (less * 100 / full).quantize(Decimal("0.0001")) if full else Decimal(0)


def as_source(sourced: Sourced[Any]) -> dict[str, Any]:
    """A source as JSON, to be kept on the draft."""
    return {
        "kind": sourced.kind,
        "label": sourced.label,
        "record": str(sourced.record_id) if sourced.record_id else None,
    }
