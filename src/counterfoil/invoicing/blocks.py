"""Parts of a document that are frozen when it is issued."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from counterfoil.accounts.models import PaymentTerms
from counterfoil.accounts.rules.facts import Party, TermsFact
from counterfoil.invoicing.models import Invoice
from counterfoil.ledger.models import LegalEntity


def party_block(party: Party) -> dict[str, Any]:
    """The buyer as printed, to be frozen: all facts of one account."""
    block = asdict(party)
    return {**block, "account_id": str(party.account_id), "tax_ids": list(party.tax_ids)}


def seller_block(entity: LegalEntity) -> dict[str, Any]:
    """Our own company as printed, to be frozen."""
    names = (
        "legal_name", "street", "street_2", "postcode", "city", "region", "country", "tax_id", "registration_number",
        "email", "phone", "bank_name", "iban", "bic", "layout", "accent_colour", "footer", "name",
    )  # fmt: skip
    return {name: getattr(entity, name) for name in names}


def terms_of(invoice: Invoice) -> TermsFact | None:
    """The draft's own payment terms."""
    terms = PaymentTerms.objects.filter(id=invoice.terms_id).first() if invoice.terms_id else None
    return TermsFact(terms.pk, terms.key, terms.name, terms.days, terms.from_end_of_month) if terms else None
