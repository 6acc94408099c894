"""What billing needs to know of accounts, as of a day. For commands of this and other rooms, never for output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from counterfoil.accounts.models import (
    Account,
    Address,
    BillingDefaults,
    PaymentTerms,
    TaxIdentifier,
)
from counterfoil.accounts.queries.hierarchy import MEMBERS
from counterfoil.accounts.queries.terms import terms_fact
from counterfoil.accounts.rules.facts import BillingFacts, Party, Recipient
from counterfoil.accounts.rules.inheritance import DEFAULT, NONE, OWN, PARENT, Said, Sourced, is_said, resolve
from counterfoil.plumbing.bulk import Asked, Wanted, read_together, read_where
from counterfoil.plumbing.scratch import read_once

_SUBJECTS = {
    "billing_cycle": "billing cycle",
    "po_policy": "purchase order rule",
    "language": "language",
    "currency": "currency",
    "service_tier": "service tier",
    "delivery_channel": "delivery",
}
_RECIPIENTS = """
SELECT r.account_id, r.contact_id, c.name, c.email, r.mail_line, c.email_state
FROM accounts_accountcontact r JOIN accounts_contact c ON c.id = r.contact_id
WHERE r.account_id = ANY(%s) AND r.role = 'billing' AND r.valid_from <= %s
    AND (r.valid_to IS NULL OR r.valid_to > %s) AND (c.left_on IS NULL OR c.left_on > %s)
ORDER BY r.mail_line DESC, r.valid_from, r.id
"""


def terms_by_key() -> dict[str, UUID]:
    """The ids of the payment terms by key."""
    return dict(PaymentTerms.objects.values_list("key", "id"))


def default_currency() -> str:
    """The currency of accounts that name none and inherit none."""
    return BillingDefaults.objects.values_list("currency", flat=True).first() or "EUR"


@read_once(lambda account_ids, on: tuple(account_ids))
def billing_facts(account_ids: Sequence[UUID], on: date) -> dict[UUID, BillingFacts]:
    """The facts of each account as of ``on``, in a fixed number of statements. Unknown ids are left out."""
    found, every, all_terms = read_together(
        Wanted(Account, f"id = ANY(ARRAY({MEMBERS}))", (list(account_ids),)),
        Wanted(BillingDefaults, "TRUE", order="id LIMIT 1"),
        Wanted(PaymentTerms, "TRUE"),
    )
    accounts: dict[UUID, Account] = {account.id: account for account in found}
    chains = {start: _chain(start, accounts) for start in sorted(set(account_ids)) if start in accounts}
    terms: dict[UUID, PaymentTerms] = {one.id: one for one in all_terms}
    defaults: BillingDefaults | None = next(iter(every), None)
    arranged = {start: _arrangement([accounts[member] for member in chain]) for start, chain in chains.items()}
    others = {account.value for three in arranged.values() for account in three} - accounts.keys()
    accounts |= _accounts(others)
    parties, recipients = _parties_and_recipients(
        {three[0].value for three in arranged.values()}, {three[2].value for three in arranged.values()}, accounts, on
    )
    return {
        start: _facts(
            [accounts[member] for member in chain], arranged[start], accounts, terms, parties, recipients, defaults
        )
        for start, chain in chains.items()
    }


def _accounts(account_ids: set[UUID]) -> dict[UUID, Account]:
    if not account_ids:
        return {}
    return {account.id: account for account in read_where(Account, "id = ANY(%s)", list(account_ids))}


def _chain(account_id: UUID, accounts: Mapping[UUID, Account]) -> list[UUID]:
    """The account, its parent, and so on up; a circle, which there cannot be, ends it."""
    chain = [account_id]
    parent_id = accounts[account_id].parent_id
    while parent_id is not None and parent_id in accounts and parent_id not in chain:
        chain.append(parent_id)
        parent_id = accounts[parent_id].parent_id
    return chain


Arrangement = tuple[Sourced[UUID], Sourced[UUID], Sourced[UUID]]


def _arrangement(chain: Sequence[Account]) -> Arrangement:
    """Whose name is on the invoice, who pays, who receives it."""
    own = chain[0]
    invoiced = _explicit(chain, "invoiced_account_id", "invoiced account") or Sourced(
        own.id, DEFAULT, "The account itself", own.id
    )
    payer = _explicit(chain, "payer_id", "payer") or Sourced(invoiced.value, DEFAULT, "The invoiced account", None)
    send_to = _explicit(chain, "send_to_id", "send to") or Sourced(
        invoiced.value, DEFAULT, "The invoiced account", None
    )
    return invoiced, payer, send_to


def _explicit(chain: Sequence[Account], attribute: str, subject: str) -> Sourced[UUID] | None:
    nearest = _nearest(chain, attribute)
    return None if nearest is None else resolve(nearest, nearest.value, subject)


def _nearest(chain: Sequence[Account], attribute: str) -> Said[Any] | None:
    """The first of the chain that says anything."""
    for account in chain:
        value = getattr(account, attribute)
        if is_said(value):
            return Said(account.id, account.title, value, account is chain[0])
    return None


def _facts(
    chain: Sequence[Account],
    arranged: Arrangement,
    accounts: dict[UUID, Account],
    terms: dict[UUID, PaymentTerms],
    parties: dict[UUID, Party],
    recipients: dict[UUID, tuple[Recipient, ...]],
    defaults: BillingDefaults | None,
) -> BillingFacts:
    own = chain[0]
    invoiced, payer, send_to = arranged
    texts: dict[str, Sourced[str]] = {
        name: resolve(_nearest(chain, name), getattr(defaults, name, ""), subject)
        for name, subject in _SUBJECTS.items()
    }
    terms_source = resolve(_nearest(chain, "terms_id"), defaults.terms_id if defaults else None, "payment terms")
    known = terms.get(terms_source.value) if terms_source.value else None
    legal = accounts[invoiced.value]
    return BillingFacts(
        account_id=own.id,
        legal_name=own.legal_name,
        title=own.title,
        status=own.status,
        owner_id=own.owner_id,
        invoiced_account=invoiced,
        payer=payer,
        send_to=send_to,
        party=parties[invoiced.value],
        recipients=recipients.get(send_to.value, ()),
        recipients_source=Sourced(
            send_to.value, send_to.kind, f"{accounts[send_to.value].title} · billing contacts", send_to.value
        ),
        terms=Sourced(
            terms_fact(known) if known else None, terms_source.kind, terms_source.label, terms_source.record_id
        ),
        tax_profile=_tax_profile(own, legal, defaults),
        tax_exemption_reason=legal.tax_exemption_reason,
        **texts,
    )


def _tax_profile(own: Account, legal: Account, defaults: BillingDefaults | None) -> Sourced[str]:
    """Never inherited: it goes with the legal identity, so it is the invoiced account's or the company's default."""
    if legal.tax_profile:
        kind = OWN if legal.id == own.id else PARENT
        return Sourced(legal.tax_profile, kind, f"{legal.title} · tax profile", legal.id)
    default = defaults.tax_profile if defaults else ""
    kind = DEFAULT if default else NONE
    return Sourced(default, kind, "Company default · tax profile" if default else "No tax profile anywhere")


def _parties_and_recipients(
    legal_ids: set[UUID], sent_to_ids: set[UUID], accounts: dict[UUID, Account], on: date
) -> tuple[dict[UUID, Party], dict[UUID, tuple[Recipient, ...]]]:
    """Legal identities with their invoice address, else their registered office; and the billing contacts of accounts
    on that day, To before Cc, in the order in which they got the role.
    """
    kinds = {"registered": 0, "invoice": 1}
    all_addresses, all_tax_ids, people = read_together(
        Wanted(Address, "account_id = ANY(%s) AND kind = ANY(%s)", (list(legal_ids), list(kinds))),
        Wanted(TaxIdentifier, "account_id = ANY(%s)", (list(legal_ids),), "id"),
        Asked(_RECIPIENTS, (list(sent_to_ids), on, on, on)),
    )
    addresses: dict[UUID, Address] = {}
    for address in all_addresses:
        known = addresses.get(address.account_id)
        if known is None or kinds[address.kind] > kinds[known.kind]:
            addresses[address.account_id] = address
    tax_ids: dict[UUID, list[str]] = {}
    for row in all_tax_ids:
        tax_ids.setdefault(row.account_id, []).append(row.value)
    none = Address()
    recipients: dict[UUID, list[Recipient]] = {}
    for account_id, *person in people:
        recipients.setdefault(account_id, []).append(Recipient(*person))
    return (
        {pk: _party(accounts[pk], addresses.get(pk, none), tuple(tax_ids.get(pk, ()))) for pk in legal_ids},
        {account_id: tuple(found) for account_id, found in recipients.items()},
    )


def _party(account: Account, address: Address, tax_ids: tuple[str, ...]) -> Party:
    return Party(
        account_id=account.id,
        legal_name=account.legal_name,
        trading_name=account.trading_name,
        registration_number=account.registration_number,
        tax_ids=tax_ids,
        attention=address.attention,
        street=address.street,
        street_2=address.street_2,
        postcode=address.postcode,
        city=address.city,
        region=address.region,
        country=address.country,
    )
