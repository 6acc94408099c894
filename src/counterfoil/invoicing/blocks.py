"""Parts of a document that are frozen when it is issued."""

from __future__ import annotations

from typing import Any

from counterfoil.accounts.rules.facts import Party
from counterfoil.ledger.models import LegalEntity

_PARTY = (
    "legal_name", "trading_name", "registration_number", "attention", "street", "street_2", "postcode", "city",
    "region", "country",
)  # fmt: skip
_SELLER = (
    "name", "legal_name", "street", "street_2", "postcode", "city", "region", "country", "tax_id",
    "registration_number", "email", "phone", "bank_name", "iban", "bic", "layout", "accent_colour", "footer",
)  # fmt: skip


def party_block(party: Party) -> dict[str, Any]:
    """The buyer as printed, to be frozen: all facts of one account."""
    facts = {name: getattr(party, name) for name in _PARTY}
    return {**facts, "account_id": str(party.account_id), "tax_ids": list(party.tax_ids)}


def seller_block(entity: LegalEntity) -> dict[str, Any]:
    """Our own company as printed, to be frozen."""
    return {name: getattr(entity, name) for name in _SELLER}
