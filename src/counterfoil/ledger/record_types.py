"""Legal entities, described once."""

from __future__ import annotations

from counterfoil.core.places import time_zones
from counterfoil.ledger.models import LegalEntity, TaxRounding
from counterfoil.plumbing.record_types import Choices, Field, Group, Kind, RecordType, register

IDENTITY, TAX, BANK = Group.IDENTITY, Group.TAX, Group.BANK


def _zones() -> Choices:
    return [(name, name) for name in sorted(time_zones()) if "/" in name or name == "UTC"]


register(
    RecordType(
        key="ledger.entity",
        model=LegalEntity,
        label="Company",
        plural="Companies",
        title=lambda entity: entity.name,
        see="ledger.see",
        page="ledger:entity",
        create="ledger.add_entity",
        change="ledger.change_entity",
        search={"name": "name", "legal_name": "legal_name"},
        fields=(
            Field("name", "Name", required=True, max_length=100, help="How colleagues call it."),
            Field("legal_name", "Legal name", group=IDENTITY, required=True),
            Field("street", "Street", group=IDENTITY),
            Field("street_2", "Second line", group=IDENTITY),
            Field("postcode", "Postcode", group=IDENTITY, max_length=20),
            Field("city", "City", group=IDENTITY, max_length=100),
            Field("region", "Region", group=IDENTITY, max_length=100),
            Field("country", "Country", Kind.COUNTRY, IDENTITY),
            Field("tax_id", "Tax id", group=TAX, max_length=40),
            Field("registration_number", "Registration number", group=IDENTITY, max_length=100),
            Field("currency", "Currency", Kind.CURRENCY, Group.TERMS),
            Field("timezone", "Time zone", Kind.CHOICE, choices=_zones),
            Field("language", "Language", Kind.LANGUAGE),
            Field("email", "E-mail", Kind.EMAIL, help="Invoices are sent from it."),
            Field("phone", "Phone", max_length=60),
            Field("bank_name", "Bank", group=BANK, max_length=100),
            Field("iban", "IBAN", group=BANK, max_length=40),
            Field("bic", "BIC", group=BANK, max_length=20),
            Field("tax_rounding", "Tax is rounded", Kind.CHOICE, TAX, choices=TaxRounding.choices),
            Field("layout", "Layout", Kind.CHOICE, choices=[("classic", "Classic"), ("compact", "Compact")]),
            Field("accent_colour", "Accent colour", max_length=7),
            Field("footer", "Footer", max_length=500),
            Field("is_default", "Issues what names no other", Kind.YES_NO),
            Field("is_active", "In use", Kind.YES_NO),
        ),
    )
)
