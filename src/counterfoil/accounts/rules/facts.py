"""What billing needs to know of an account, as plain values with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.accounts.rules.terms import Terms


class Party(NamedTuple):
    """A legal identity as it is printed: always the facts of one account together."""

    account_id: UUID
    legal_name: str
    trading_name: str
    registration_number: str
    tax_ids: tuple[str, ...]
    attention: str
    street: str
    street_2: str
    postcode: str
    city: str
    region: str
    country: str

    @property
    def has_address(self) -> bool:
        """Enough for a letter to arrive: a street or box, a city, a country."""
        return bool(self.street and self.city and self.country)


class Recipient(NamedTuple):
    """A person to whom invoices are sent: ``line`` is to or cc."""

    contact_id: UUID
    name: str
    email: str
    line: str
    email_state: str

    @property
    def is_deliverable(self) -> bool:
        return bool(self.email) and self.email_state != "bounced"


@dataclass(frozen=True)
class TermsFact:
    """Payment terms, and what they say."""

    id: UUID
    key: str
    name: str
    rule: Terms


class BillingFacts(NamedTuple):
    """All that a draft takes from an account. The party and the tax profile are those of the invoiced account."""

    account_id: UUID
    legal_name: str
    title: str
    status: str
    owner_id: UUID | None
    invoiced_account: Sourced[UUID]
    payer: Sourced[UUID]
    send_to: Sourced[UUID]
    party: Party
    recipients: tuple[Recipient, ...]
    recipients_source: Sourced[UUID]
    terms: Sourced[TermsFact | None]
    billing_cycle: Sourced[str]
    po_policy: Sourced[str]
    language: Sourced[str]
    currency: Sourced[str]
    service_tier: Sourced[str]
    delivery_channel: Sourced[str]
    tax_profile: Sourced[str]
    tax_exemption_reason: str

    @property
    def deliverable(self) -> tuple[Recipient, ...]:
        return tuple(recipient for recipient in self.recipients if recipient.is_deliverable)
