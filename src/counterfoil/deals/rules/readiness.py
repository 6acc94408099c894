"""What billing needs before a deal can become a draft, and where each missing part is entered."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from counterfoil.access.rules.roles import ROLES
from counterfoil.accounts.rules.facts import BillingFacts, Party
from counterfoil.core.places import country_name

ASKED = "deals.readiness"
"""How the cause of a task begins that asks for a missing item: ``deals.readiness:<deal>:<code>``."""

REFERENCE = "reference-"
"""How the code of a defined reference begins; its key follows."""

ACCOUNT = "accounts.account"
CONTACT = "accounts.contact"
DEAL = "deals.deal"


@dataclass(frozen=True)
class Fix:
    """Where a value is entered: the record, its field, and the right and field group that this takes."""

    record: str
    record_id: UUID | None
    field: str
    needs: str
    group: str


@dataclass(frozen=True)
class Item:
    """One thing that billing needs. ``value`` is what there is, ``source`` whence, ``missing`` what to do if not."""

    code: str
    label: str
    ok: bool
    value: str
    source: str
    missing: str
    fix: Fix

    @property
    def path(self) -> str:
        """Where a refusal puts what is missing."""
        return self.fix.field if self.code.startswith(REFERENCE) else self.code


@dataclass(frozen=True)
class RequiredReference:
    """A reference that no deal is won without, with what the deal says of it."""

    key: str
    name: str
    value: str


@dataclass(frozen=True)
class DealFacts:
    """What the deal itself says. ``lines`` counts its lines, ``priced`` those that come to more than nothing.
    ``required`` are the defined references that it must have.
    """

    deal_id: UUID | None
    account_id: UUID | None
    currency: str
    po_number: str
    lines: int
    priced: int
    required: tuple[RequiredReference, ...] = ()


def readiness(deal: DealFacts, billing: BillingFacts | None) -> tuple[Item, ...]:
    """Everything that billing needs of this deal, in the order in which a person would enter it.

    Without an account nothing can be said about its facts, so only what the deal itself lacks is listed.
    """
    found = [_account(deal, billing)]
    if billing is not None:
        found += [_legal_name(billing), _address(billing), _billing_contact(billing), _terms(billing)]
        found += [_tax_profile(billing), *_tax_id(billing), *_po_number(deal, billing)]
    return (*found, *_references(deal), _lines(deal), _currency(deal))


def missing(items: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(item for item in items if not item.ok)


def who_may(fix: Fix) -> tuple[str, ...]:
    """The roles that may enter the value, by their names."""
    return tuple(role.label for role in ROLES.values() if fix.needs in role.permissions and fix.group in role.writes)


def _account(deal: DealFacts, billing: BillingFacts | None) -> Item:
    return Item(
        code="account",
        label="Account",
        ok=billing is not None,
        value=billing.title if billing else "",
        source="Deal" if billing else "",
        missing="Choose the account that buys.",
        fix=Fix(DEAL, deal.deal_id, "account", "deals.change", "general"),
    )


def _legal_name(billing: BillingFacts) -> Item:
    name = billing.party.legal_name
    return Item(
        code="legal_name",
        label="Legal name",
        ok=bool(name.strip()),
        value=name,
        source=billing.invoiced_account.label,
        missing="Enter the legal name that stands on the invoice.",
        fix=Fix(ACCOUNT, billing.party.account_id, "legal_name", "accounts.change", "identity"),
    )


def _address(billing: BillingFacts) -> Item:
    party = billing.party
    lacks = [
        word
        for word, value in (
            ("street or PO box", party.street),
            ("city", party.city),
            ("country", party.country),
        )
        if not value.strip()
    ]
    return Item(
        code="invoice_address",
        label="Invoice address",
        ok=not lacks,
        value=one_line_address(party),
        source=billing.invoiced_account.label,
        missing=f"Enter the invoice address: {', '.join(lacks)}.",
        fix=Fix(ACCOUNT, party.account_id, "addresses", "accounts.change", "identity"),
    )


def one_line_address(party: Party) -> str:
    """The address on one line; empty when there is none."""
    city = f"{party.postcode} {party.city}".strip()
    country = country_name(party.country) if party.country else ""
    parts = (party.street, party.street_2, city, party.region, country)
    return ", ".join(part for part in parts if part)


def _billing_contact(billing: BillingFacts) -> Item:
    by_post = billing.delivery_channel.value == "post"
    addressed = [one for one in billing.recipients if one.line == "to"]
    reached = [one for one in addressed if one.is_deliverable]
    bounced = [one for one in addressed if one.email and not one.is_deliverable]
    without = [one for one in addressed if not one.email]
    if reached:
        value = ", ".join(f"{one.name} <{one.email}>" for one in reached)
        source = billing.recipients_source.label
    else:
        value, source = ("Sent by post", billing.delivery_channel.label) if by_post else ("", "")
    if bounced:
        todo = f"Mail to {bounced[0].email} bounced. Enter a billing contact whose e-mail address works."
    elif without:
        todo = f"Enter an e-mail address for {without[0].name}, or another billing contact."
    else:
        todo = "Add a billing contact with an e-mail address."
    return Item(
        code="billing_contact",
        label="Billing contact",
        ok=bool(reached) or by_post,
        value=value,
        source=source,
        missing=todo,
        fix=Fix(CONTACT, billing.send_to.value, "email", "accounts.change", "general"),
    )


def _terms(billing: BillingFacts) -> Item:
    terms = billing.terms.value
    return Item(
        code="terms",
        label="Payment terms",
        ok=terms is not None,
        value=terms.name if terms else "",
        source=billing.terms.label if terms else "",
        missing="Choose the payment terms.",
        fix=Fix(ACCOUNT, billing.account_id, "terms", "accounts.change", "terms"),
    )


TAX_PROFILES = {
    "standard": "Taxed",
    "exempt": "Exempt",
    "reverse_charge": "Reverse charge",
    "outside_scope": "Outside the scope of tax",
}


def _tax_profile(billing: BillingFacts) -> Item:
    profile = billing.tax_profile.value
    lacks_reason = profile == "exempt" and not billing.tax_exemption_reason.strip()
    value = TAX_PROFILES.get(profile, profile)
    if profile == "exempt" and not lacks_reason:
        value = f"{value}: {billing.tax_exemption_reason}"
    return Item(
        code="tax_profile",
        label="Tax profile",
        ok=bool(profile) and not lacks_reason,
        value=value,
        source=billing.tax_profile.label if profile else "",
        missing="Enter the reason for the tax exemption." if lacks_reason else "Choose the tax profile.",
        fix=Fix(ACCOUNT, billing.party.account_id, "tax_profile", "accounts.change", "tax"),
    )


def _tax_id(billing: BillingFacts) -> tuple[Item, ...]:
    """Under reverse charge the customer owes the tax, so the invoice must name the customer's tax id."""
    if billing.tax_profile.value != "reverse_charge":
        return ()
    ids = billing.party.tax_ids
    return (
        Item(
            code="tax_id",
            label="Tax id",
            ok=bool(ids),
            value=", ".join(ids),
            source=billing.invoiced_account.label,
            missing="Enter the tax id that a reverse-charge invoice must name.",
            fix=Fix(ACCOUNT, billing.party.account_id, "tax_identifiers", "accounts.change", "identity"),
        ),
    )


def _po_number(deal: DealFacts, billing: BillingFacts) -> tuple[Item, ...]:
    is_required = billing.po_policy.value == "required"
    if not is_required and not deal.po_number:
        return ()
    return (
        Item(
            code="po_number",
            label="PO number",
            ok=bool(deal.po_number),
            value=deal.po_number,
            source="Deal" if deal.po_number else "",
            missing="Enter the customer’s purchase order number.",
            fix=Fix(DEAL, deal.deal_id, "po_number", "deals.change", "general"),
        ),
    )


def _references(deal: DealFacts) -> tuple[Item, ...]:
    return tuple(
        Item(
            code=f"{REFERENCE}{one.key}",
            label=one.name,
            ok=bool(one.value),
            value=one.value,
            source="Deal" if one.value else "",
            missing=f"Enter “{one.name}”: no deal is won without it.",
            fix=Fix(DEAL, deal.deal_id, f"reference_values.{one.key}", "deals.change", "general"),
        )
        for one in deal.required
    )


def _lines(deal: DealFacts) -> Item:
    count = f"{deal.lines} line" if deal.lines == 1 else f"{deal.lines} lines"
    return Item(
        code="lines",
        label="Lines",
        ok=deal.priced > 0,
        value=count if deal.lines else "",
        source="Deal" if deal.lines else "",
        missing="Give at least one line a price." if deal.lines else "Add at least one line with a price.",
        fix=Fix(DEAL, deal.deal_id, "lines", "deals.change", "pricing"),
    )


def _currency(deal: DealFacts) -> Item:
    return Item(
        code="currency",
        label="Currency",
        ok=bool(deal.currency),
        value=deal.currency,
        source="Deal" if deal.currency else "",
        missing="Choose the currency of the deal.",
        fix=Fix(DEAL, deal.deal_id, "currency", "deals.change", "general"),
    )
