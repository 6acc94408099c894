"""An invoice as the documents room prints it:

from frozen blocks when it is issued, from the facts of today as a draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from counterfoil.accounts.queries import billing_facts
from counterfoil.core.money import Money
from counterfoil.core.periods import Period
from counterfoil.documents.printed import Address, Buyer, PrintedInvoice, PrintedLine, PrintedTax, Seller
from counterfoil.invoicing.blocks import party_block, seller_block, terms_of
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax
from counterfoil.invoicing.rules.due import due_date


def printed_invoice(
    invoice: Invoice, lines: Sequence[InvoiceLine], taxes: Sequence[InvoiceTax], on: date
) -> PrintedInvoice:
    """The document. A draft shows when it would be due if it were issued ``on``."""
    is_draft = invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.RETURNED)
    party, seller = invoice.party, invoice.seller
    if party is None or seller is None:
        party = party_block(billing_facts([invoice.account_id], on)[invoice.account_id].party)
        seller = seller_block(invoice.entity)
    currency = invoice.currency
    return PrintedInvoice(
        kind="credit_note" if invoice.kind == "credit_note" else "invoice",
        number=invoice.number,
        language=invoice.language,
        currency=currency,
        seller=_seller(seller),
        buyer=_buyer(party),
        lines=tuple(_line(line, currency) for line in lines),
        taxes=tuple(
            PrintedTax(
                tax.label, tax.percent, Money.exact(tax.base, currency), Money.exact(tax.amount, currency),
                tax.category, tax.reason,
            )
            for tax in taxes
        ),
        net=Money.exact(invoice.net, currency),
        tax=Money.exact(invoice.tax, currency),
        total=Money.exact(invoice.total, currency),
        paid=Money.zero(currency),
        issued_on=on if is_draft else invoice.issued_on,
        due_on=due_date(on, terms_of(invoice)) if is_draft else invoice.due_on,
        service=_period(invoice.service_from, invoice.service_to),
        po_number=invoice.po_number,
        terms=invoice.terms.name if invoice.terms else "",
        notes=invoice.notes,
        is_preview=is_draft,
    )  # fmt: skip


def _address(block: Mapping[str, Any]) -> Address:
    return Address(
        street=block["street"],
        street_2=block["street_2"],
        postcode=block["postcode"],
        city=block["city"],
        region=block["region"],
        country=block["country"],
    )


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
        tax_id=", ".join(block["tax_ids"][:1]),
        registration_number=block["registration_number"],
        attention=block["attention"],
    )


def _line(line: InvoiceLine, currency: str) -> PrintedLine:
    return PrintedLine(
        position=line.position,
        text=line.description,
        detail=line.detail,
        quantity=line.quantity.normalize(),
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        net=Money.exact(line.net, currency),
        tax_label=line.tax_label,
        tax_percent=line.tax_percent,
        tax_category=line.tax_category,
        service=_period(line.service_from, line.service_to),
    )


def _period(start: date | None, end: date | None) -> Period | None:
    return Period(start, end) if start is not None and end is not None and start < end else None
