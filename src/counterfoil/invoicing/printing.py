"""An invoice as the documents room prints it: from frozen blocks when it is issued, from the facts of today as a
draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from counterfoil.accounts.rules.facts import BillingFacts, TermsFact
from counterfoil.core.money import Money
from counterfoil.core.periods import Period
from counterfoil.core.references import references_of
from counterfoil.documents.printed import Address, Buyer, PrintedInvoice, PrintedLine, PrintedPart, PrintedTax, Seller
from counterfoil.documents.reasons import reason_in
from counterfoil.documents.wording import Wording, wording
from counterfoil.invoicing.blocks import party_block, seller_block
from counterfoil.invoicing.borne import amounts_of, keys_of, labels_of, one_a_rate
from counterfoil.invoicing.models import Credit, DocumentKind, Invoice, InvoiceLine, InvoiceTax
from counterfoil.invoicing.plans import due_plans
from counterfoil.invoicing.references import facts_of
from counterfoil.invoicing.rules.due import DuePlan, due_plan
from counterfoil.invoicing.rules.references import named
from counterfoil.invoicing.rules.totals import TaxKey, included_percent
from counterfoil.ledger.models import LegalEntity


def printed_document(invoice: Invoice, lines: Sequence[InvoiceLine], taxes: Sequence[InvoiceTax]) -> PrintedInvoice:
    """An issued document, from what was frozen on it and nothing else."""
    assert invoice.party is not None
    assert invoice.seller is not None
    terms = invoice.terms.name if invoice.terms else ""
    plan = due_plans([invoice])[invoice.pk]
    return replace(
        _printed(invoice, lines, taxes, invoice.party, invoice.seller, terms, invoice.issued_on, plan),
        corrected=_corrected(invoice),
    )


def _corrected(invoice: Invoice) -> tuple[tuple[str, date | None], ...]:
    """The invoices that a credit note takes back, by number and day."""
    if invoice.kind != DocumentKind.CREDIT_NOTE:
        return ()
    named = Credit.objects.filter(credit_note=invoice).order_by("invoice__issued_on", "invoice__number")
    return tuple(named.values_list("invoice__number", "invoice__issued_on"))


def printed_draft(
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    taxes: Sequence[InvoiceTax],
    facts: BillingFacts,
    entity: LegalEntity,
    terms: TermsFact | None,
    on: date,
) -> PrintedInvoice:
    """A draft as it would be if it were issued ``on``."""
    party, seller = party_block(facts.party), seller_block(entity)
    name = terms.name if terms else ""
    plan = due_plan(Money.exact(invoice.total, invoice.currency), on, terms.rule if terms else None)
    return _printed(invoice, lines, taxes, party, seller, name, on, plan, is_preview=True)


def _printed(
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    taxes: Sequence[InvoiceTax],
    party: Mapping[str, Any],
    seller: Mapping[str, Any],
    terms: str,
    issued_on: date | None,
    plan: DuePlan,
    is_preview: bool = False,
) -> PrintedInvoice:
    currency = invoice.currency
    bases = _bases(lines, taxes, currency)
    words = wording(invoice.language, seller["country"])
    parts = tuple(PrintedPart(one.due_on, one.amount) for one in plan.instalments)
    early = plan.early_discount
    return PrintedInvoice(
        kind="credit_note" if invoice.kind == "credit_note" else "invoice",
        number=invoice.number,
        language=invoice.language,
        currency=currency,
        seller=_seller(seller),
        buyer=_buyer(party),
        lines=tuple(_line(line, words, currency, bases.get(line.position)) for line in lines),
        taxes=_taxes(taxes, currency),
        net=Money.exact(invoice.net, currency),
        tax=Money.exact(invoice.tax, currency),
        total=Money.exact(invoice.total, currency),
        paid=Money.zero(currency),
        issued_on=issued_on,
        due_on=plan.due_on,
        service=_period(invoice.service_from, invoice.service_to),
        po_number=invoice.po_number,
        references=references_of(invoice.references),
        named=named(facts_of(invoice.reference_values) if is_preview else invoice.reference_facts),
        terms=terms,
        instalments=parts if len(parts) > 1 else (),
        early=PrintedPart(early.until, early.pay) if early is not None else None,
        notes=invoice.notes,
        is_preview=is_preview,
    )


def _address(block: Mapping[str, Any]) -> Address:
    names = ("street", "street_2", "postcode", "city", "region", "country")
    return Address(**{name: block[name] for name in names})


def _seller(block: Mapping[str, Any]) -> Seller:
    names = (
        "legal_name", "tax_id", "registration_number", "email", "phone", "bank_name", "iban", "bic", "footer", "layout",
        "accent_colour",
    )  # fmt: skip
    return Seller(address=_address(block), **{name: block[name] for name in names})


def _buyer(block: Mapping[str, Any]) -> Buyer:
    return Buyer(
        legal_name=block["legal_name"],
        address=_address(block),
        tax_id=next(iter(block["tax_ids"]), ""),
        registration_number=block["registration_number"],
        attention=block["attention"],
    )


def _bases(lines: Sequence[InvoiceLine], taxes: Sequence[InvoiceTax], currency: str) -> dict[int, Money]:
    """What lines whose price includes a tax come to without it, by position; they sum to the base of their rate."""
    found: dict[int, Money] = {}
    borne = {line.position: keys_of(line) for line in lines}
    for tax in taxes:
        key = TaxKey(tax.category, tax.percent, tax.included, tax.again)
        same = [line for line in lines if tax.included and key in borne[line.position]]
        nets = [Money.exact(line.net, currency) for line in same]
        amount = Money.exact(tax.amount, currency)
        own = [_own(line, borne[line.position].index(key)) for line in same]
        if all(one is not None for one in own):
            parts = [Money.exact(one or Decimal(0), currency) for one in own]
        else:
            kept = [100 + included_percent(borne[line.position]) for line in same]
            weights = [Fraction(net.amount) / whole for net, whole in zip(nets, kept, strict=True)]
            parts = amount.allocate(weights) if sum(weights) else [Money.zero(currency)] * len(same)
        for line, net, part in zip(same, nets, parts, strict=True):
            found[line.position] = found.get(line.position, net) - part
    return found


def _own(line: InvoiceLine, place: int) -> Decimal | None:
    amounts = amounts_of(line)
    return None if amounts is None else amounts[place]


def _taxes(taxes: Sequence[InvoiceTax], currency: str) -> tuple[PrintedTax, ...]:
    return tuple(_tax(parts, currency) for parts in one_a_rate(taxes))


def _line(line: InvoiceLine, words: Wording, currency: str, base: Money | None) -> PrintedLine:
    return PrintedLine(
        position=line.position,
        text=line.description,
        detail="\n".join(part for part in (line.detail, reason_in(words, line.why)) if part),
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        net=Money.exact(line.net, currency),
        tax_label="\n".join(labels_of(line)),
        tax_percent=line.tax_percent,
        tax_category=line.tax_category,
        service=_period(line.service_from, line.service_to),
        is_net_given=line.is_net_given,
        before=Money.exact(line.before_discount, currency) if line.before_discount is not None else None,
        base=base,
        has_several_taxes=bool(line.more_taxes),
    )


def _tax(parts: Sequence[InvoiceTax], currency: str) -> PrintedTax:
    first = parts[0]
    base = sum((Money.exact(part.base, currency) for part in parts), Money.zero(currency))
    amount = sum((Money.exact(part.amount, currency) for part in parts), Money.zero(currency))
    return PrintedTax(first.label, first.percent, base, amount, first.category, first.reason)


def _period(start: date | None, end: date | None) -> Period | None:
    return Period(start, end) if start is not None and end is not None and start < end else None
