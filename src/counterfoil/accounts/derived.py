"""Columns that follow from others: how accounts, contacts and tax ids are compared, searched and sorted.

Whoever saves one of them calls these first. What people typed stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit
from uuid import UUID

from counterfoil.accounts.models import Account, Contact, TaxIdentifier
from counterfoil.accounts.rules.tax_ids import is_well_formed, normalised_tax_id, tax_country
from counterfoil.core.text import (
    email_domain,
    is_public_mail_domain,
    normalised_code,
    normalised_name,
    plain,
    sort_key,
)

ACCOUNT_COLUMNS = (
    "normalised_name",
    "normalised_trading_name",
    "normalised_registration",
    "mail_domain",
    "sort_key",
    "search_text",
)


def derive_account(account: Account, tax_ids: Iterable[str] = ()) -> None:
    """Work out the account's columns for search, duplicates and sorting. ``tax_ids`` are those that it has."""
    account.normalised_name = normalised_name(account.legal_name)[:200]
    account.normalised_trading_name = normalised_name(account.trading_name)[:200]
    account.normalised_registration = normalised_code(account.registration_number)[:60]
    account.mail_domain = web_domain(account.website)
    account.sort_key = sort_key(account.trading_name or account.legal_name)[:200]
    account.search_text = search_text(
        account.trading_name,
        account.legal_name,
        account.external_id,
        account.mail_domain,
        account.registration_number,
        account.normalised_registration,
        *tax_ids,
    )


def derive_contact(contact: Contact) -> None:
    """Work out the contact's columns. The domain of a public mail provider says nothing and is left out."""
    domain = email_domain(contact.email)
    contact.mail_domain = "" if is_public_mail_domain(domain) else domain[:254]
    contact.sort_key = sort_key(contact.name)[:200]
    contact.search_text = search_text(contact.name, contact.email, contact.external_id)


def derive_tax_identifier(tax_id: TaxIdentifier, country_of_account: str) -> None:
    """Work out whose number it is, its form for comparing, and whether its form is right."""
    tax_id.country = tax_country(tax_id.country, tax_id.value, country_of_account)
    tax_id.normalised = normalised_tax_id(tax_id.country, tax_id.value)[:44]
    tax_id.is_format_valid = is_well_formed(tax_id.country, tax_id.value)


def search_text(*words: str) -> str:
    """What a search looks into: the words without case and accents, and as they are written where that differs."""
    folded = " ".join(dict.fromkeys(plain(word) for word in words if word))
    written = " ".join(dict.fromkeys(word.casefold() for word in words if word))
    return folded if written == folded else f"{folded} {written}"


def refresh_search(account_ids: Iterable[UUID]) -> None:
    """Work out anew the search text of those accounts that have tax ids, after they were saved in bulk."""
    known: dict[UUID, list[str]] = {}
    for account_id, value, normalised in TaxIdentifier.objects.filter(account__in=list(account_ids)).values_list(
        "account_id", "value", "normalised"
    ):
        known.setdefault(account_id, []).extend((value, normalised))
    accounts = list(Account.objects.filter(id__in=known))
    for account in accounts:
        derive_account(account, known[account.pk])
    Account.objects.bulk_update(accounts, ["search_text"], batch_size=500)


def web_domain(website: str) -> str:
    """The host that a web address names, without www; empty for a public mail provider and for what is no address."""
    text = website.strip().lower()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
    host = host.removeprefix("www.").rstrip(".")
    return "" if "." not in host or is_public_mail_domain(host) else host[:200]
