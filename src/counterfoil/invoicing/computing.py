"""A draft's figures and checks from its lines, its account's facts and the rules: one way for making, changing,
issuing.

Reads; the commands save. ``Surroundings`` is everything that the rules need for a set of drafts, read in a fixed number
of statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from counterfoil.accounts.models import PaymentTerms
from counterfoil.accounts.queries import billing_facts, terms_fact
from counterfoil.accounts.rules.facts import BillingFacts, TermsFact
from counterfoil.core.errors import Refusal
from counterfoil.core.money import Money
from counterfoil.invoicing.borne import bear, frozen_taxes, keys_of, keys_of_taxes
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax, Origin, TaxRate
from counterfoil.invoicing.rules.checks import Check, Checked, checks, is_clean
from counterfoil.invoicing.rules.discounts import Discount
from counterfoil.invoicing.rules.tax import NEEDS_A_REASON, LineTax, Rate, Rates, line_taxes, rates_on
from counterfoil.invoicing.rules.totals import (
    TaxKey,
    Totals,
    TotalsLine,
    effective_discount,
    invoice_totals,
    too_large,
)
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.bulk import Asked, Wanted, new_row, read_together, read_where
from counterfoil.plumbing.scratch import read_once

# The latest hundred documents of a customer say what is usual, so that a customer of many years costs no more. The
# order names the account too, so that the planner never walks all documents backwards, whatever it believes.
HISTORY = 100
# Not “status is issued”: where nothing is known of a table yet, the index of all issued documents looks as good, and
# each account would read all of them.
_HISTORY = f"""
SELECT account.id, recent.currency, COUNT(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY recent.total)
FROM unnest(%s::uuid[]) AS account (id)
CROSS JOIN LATERAL (
    SELECT i.currency, i.total FROM invoicing_invoice i
    WHERE i.invoiced_account_id = account.id AND i.kind = 'invoice' AND NOT (i.number = '') AND i.status <> 'void'
    ORDER BY i.invoiced_account_id DESC, i.id DESC LIMIT {HISTORY}
) recent
GROUP BY account.id, recent.currency
"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class Surroundings:
    """What the rules look at besides the draft itself, as of ``on``.

    ``medians`` and ``earlier`` are by invoiced account: the usual total per currency, and how many documents there
    were.
    """

    on: date
    facts: Mapping[UUID, BillingFacts]
    entities: Mapping[UUID, LegalEntity]
    rates: Rates
    terms: Mapping[UUID, TermsFact]
    medians: Mapping[tuple[UUID, str], Money]
    earlier: Mapping[UUID, int]
    credited: Mapping[UUID, CreditedLine] = field(default_factory=dict)


@dataclass(frozen=True)
class CreditedLine:
    """An issued line that another one takes back: whose it is, and the taxes that were frozen on it."""

    payer_id: UUID
    entity_id: UUID
    currency: str
    tax_class: str
    taxes: tuple[LineTax, ...]


@dataclass
class Draft:
    """A draft with its lines and taxes in memory."""

    invoice: Invoice
    lines: list[InvoiceLine]
    taxes: list[InvoiceTax]


def surroundings(
    account_ids: Iterable[UUID],
    on: date,
    facts: Mapping[UUID, BillingFacts] | None = None,
    credited: Iterable[UUID] = (),
) -> Surroundings:
    """Everything that drafts for these accounts need: the accounts' facts, read unless given, and two round trips.

    ``credited`` are the issued lines that new drafts take back.
    """
    if facts is None:
        facts = billing_facts(sorted(set(account_ids)), on)
    medians, earlier = _history({fact.invoiced_account.value for fact in facts.values()})
    companies, rates, terms = _settings()
    return Surroundings(
        on=on,
        facts=facts,
        entities=companies,
        rates=rates_on(rates, on),
        terms=terms,
        medians=medians,
        earlier=earlier,
        credited=_credited(list(credited)),
    )


def _credited(line_ids: Sequence[UUID]) -> dict[UUID, CreditedLine]:
    if not line_ids:
        return {}
    lines = read_where(InvoiceLine, "id = ANY(%s)", list(line_ids))
    issued = "id = ANY(%s) AND kind = 'invoice' AND status = 'issued'"
    told = ("payer_id", "entity_id", "currency", "number")
    invoices = {one.pk: one for one in read_where(Invoice, issued, [line.invoice_id for line in lines], only=told)}
    taxes = read_where(InvoiceTax, "invoice_id = ANY(%s)", list(invoices))
    reasons = {
        (tax.invoice_id, TaxKey(tax.category, tax.percent, tax.included, tax.again)): tax.reason for tax in taxes
    }
    found = {}
    for line in lines:
        invoice = invoices.get(line.invoice_id)
        if invoice is None:
            continue
        why = [reasons.get((invoice.id, key), "") for key in keys_of(line)]
        borne = frozen_taxes(line, why, f"As on {invoice.number}, which it takes back")
        found[line.id] = CreditedLine(invoice.payer_id, invoice.entity_id, invoice.currency, line.tax_class, borne)
    return found


def _history(account_ids: Iterable[UUID]) -> tuple[dict[tuple[UUID, str], Money], dict[UUID, int]]:
    medians: dict[tuple[UUID, str], Money] = {}
    earlier: dict[UUID, int] = {}
    (found,) = read_together(Asked(_HISTORY, (list(account_ids),)))
    for account_id, currency, count, median in found:
        medians[account_id, currency] = Money.exact(median, currency)
        earlier[account_id] = earlier.get(account_id, 0) + count
    return medians, earlier


@read_once(lambda: "settings")
def _settings() -> tuple[dict[UUID, LegalEntity], list[Rate], dict[UUID, TermsFact]]:
    """Our companies, their tax rates and all payment terms, in one round trip; there are few."""
    companies, rates, terms = read_together(
        Wanted(LegalEntity, "TRUE"), Wanted(TaxRate, "TRUE"), Wanted(PaymentTerms, "TRUE")
    )
    return (
        {company.pk: company for company in companies},
        [_rate(rate) for rate in rates],
        {one.pk: terms_fact(one) for one in terms},
    )


def _rate(rate: TaxRate) -> Rate:
    return Rate(
        rate.id, rate.entity_id, rate.tax_class, rate.label, rate.percent, rate.category, rate.legal_note,
        rate.valid_from, rate.valid_to, rate.included, rate.part,
    )  # fmt: skip


def compute(draft: Draft, around: Surroundings) -> Totals:
    """Set the taxes of each line, all sums, the tax rows, the checks and ``is_clean``. Saves nothing."""
    invoice = draft.invoice
    entity = around.entities[invoice.entity_id]
    profile, reason = invoice.tax_profile, invoice.tax_exemption_reason
    taxes = [
        _frozen_taxes(line)
        if line.credits_line_id
        else line_taxes(around.rates, entity.id, line.tax_class, profile, reason, around.on)
        for line in draft.lines
    ]
    lines = [
        TotalsLine(
            line.quantity,
            line.unit_price,
            line.discount_percent,
            keys_of_taxes(borne),
            _given_net(line),
            line.credits_line_id is None,
        )
        for line, borne in zip(draft.lines, taxes, strict=True)
    ]
    outgrown = too_large(lines)
    if outgrown is not None:
        raise Refusal("too_large", "This amount is larger than any document can be.", f"lines.{outgrown}.unit_price")
    totals = invoice_totals(lines, invoice.currency, entity.tax_rounding, discounts_of(invoice))
    for place, (line, borne) in enumerate(zip(draft.lines, taxes, strict=True)):
        bear(line, borne, totals.line_taxes[place] if totals.line_taxes is not None else None)
        line.net = totals.line_nets[place].amount
        is_less = totals.full_nets[place] != totals.line_nets[place]
        line.before_discount = totals.full_nets[place].amount if is_less else None
        if not line.credits_line_id:
            rule = borne[0].rule if len(borne) == 1 else " · ".join(tax.rule for tax in borne)
            line.sources = {**line.sources, "tax": {"kind": "rule", "label": rule, "record": None}}
    draft.taxes = _tax_rows(invoice, totals, lines, taxes)
    invoice.net, invoice.tax, invoice.total = totals.net.amount, totals.tax.amount, totals.total.amount
    found = checks(_checked(draft, around, taxes, totals.total))
    invoice.checks = _as_kept(tuple(found))
    invoice.is_clean = is_clean(found)
    return totals


@lru_cache
def _as_kept(found: tuple[Check, ...]) -> list[dict[str, str]]:
    """Checks as JSON. Most documents of a run have the same ones, so they share a list, which nobody changes."""
    return [check._asdict() for check in found]


def discounts_of(invoice: Invoice) -> tuple[Discount, ...]:
    """The discounts of a document, which are kept as JSON with their figures as text."""
    return tuple(Discount(**{name: Decimal(text) for name, text in kept.items()}) for kept in invoice.discounts)


def _given_net(line: InvoiceLine) -> Decimal | None:
    """The net that was given, as it was before the document's discounts."""
    if not line.is_net_given:
        return None
    return line.net if line.before_discount is None else line.before_discount


def _frozen_taxes(line: InvoiceLine) -> tuple[LineTax, ...]:
    """The taxes of the issued line that this one takes back, as they were put on it when the draft was made."""
    source = line.sources.get("tax", {})
    reasons = [source.get("reason", ""), *(tax["reason"] for tax in line.more_taxes or ())]
    return frozen_taxes(line, reasons, source.get("label", ""))


def _tax_rows(
    invoice: Invoice, totals: Totals, lines: Sequence[TotalsLine], taxes: Sequence[Sequence[LineTax]]
) -> list[InvoiceTax]:
    """One row per category and rate. Of several labels the first stands; several reasons stand side by side."""
    told: dict[TaxKey, list[LineTax]] = defaultdict(list)
    for line, borne in zip(lines, taxes, strict=True):
        for key, tax in zip(line.taxes, borne, strict=True):
            told[key].append(tax)
    return [
        new_row(
            InvoiceTax,
            invoice_id=invoice.id,
            created_at=invoice.created_at,
            category=subtotal.tax.category,
            percent=subtotal.tax.percent,
            included=subtotal.tax.included,
            again=subtotal.tax.again,
            label=told[subtotal.tax][0].label,
            base=subtotal.base.amount,
            amount=subtotal.amount.amount,
            reason="; ".join(dict.fromkeys([tax.reason for tax in told[subtotal.tax] if tax.reason]))[:200],
        )
        for subtotal in totals.taxes
    ]


def _checked(draft: Draft, around: Surroundings, taxes: Sequence[Sequence[LineTax]], total: Money) -> Checked:
    invoice = draft.invoice
    facts = around.facts[invoice.account_id]
    entity = around.entities[invoice.entity_id]
    terms = around.terms.get(invoice.terms_id) if invoice.terms_id else None
    account_terms = facts.terms.value
    return Checked(
        total=total,
        may_be_zero=invoice.origin == Origin.SUBSCRIPTION,
        line_count=len(draft.lines),
        tax_profile=invoice.tax_profile,
        tax_exemption_reason=invoice.tax_exemption_reason,
        classes_without_rate=_sorted(
            [line.tax_class for line, borne in zip(draft.lines, taxes, strict=True) if not borne[0].found]
        ),
        rates_without_reason=_sorted(
            [tax.label for borne in taxes for tax in borne if tax.category in NEEDS_A_REASON and not tax.reason]
        ),
        on=around.on,
        party_name=facts.party.legal_name,
        party_tax_ids=len(facts.party.tax_ids),
        has_address=facts.party.has_address,
        discount_percent=effective_discount(
            [(line.quantity, line.unit_price, line.discount_percent) for line in draft.lines if not line.is_net_given]
        ),
        deal_discount_percent=invoice.deal_discount_percent,
        off_the_whole=_off_the_whole(draft),
        po_policy=facts.po_policy.value,
        po_number=invoice.po_number,
        terms_name=terms.name if terms else "",
        account_terms_name=account_terms.name if account_terms else "",
        earlier_invoices=around.earlier.get(invoice.invoiced_account_id, 0),
        median_total=around.medians.get((invoice.invoiced_account_id, invoice.currency)),
        delivery_channel=invoice.delivery_channel,
        deliverable_recipients=len(facts.deliverable),
        known_recipients=len(facts.recipients),
        entity_name=entity.name,
        entity_lacks=tuple(what for what, value in _needs(entity, invoice.delivery_channel) if not value),
    )


def _sorted(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words))) if words else ()


def _off_the_whole(draft: Draft) -> Money:
    off = [line.before_discount - line.net for line in draft.lines if line.before_discount is not None]
    currency = draft.invoice.currency
    return Money.exact(sum(off, Decimal(0)), currency) if off else Money.zero(currency)


def _needs(entity: LegalEntity, channel: str) -> tuple[tuple[str, str], ...]:
    """What our own company should say on a document. An account that has no IBAN stands in the name of the bank."""
    needs = (("bank account", entity.iban or entity.bank_name), ("tax id", entity.tax_id))
    return (*needs, ("e-mail address", entity.email)) if channel == "email" else needs
