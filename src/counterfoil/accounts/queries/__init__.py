"""What is known of accounts, contacts and terms.

``billing_facts``, ``ancestors``, ``accounts_paid_by``, ``payer_sql`` and the lookups by key are for commands, never for
output; everything else gives rows for an actor.
"""

from __future__ import annotations

from counterfoil.accounts.queries.accounts import (
    Found,
    Node,
    ShownFact,
    account_facts_for_page,
    account_titles,
    accounts_after,
    every_account,
    get_account,
    likely_duplicates,
    list_accounts,
    tree_of,
    twins_of,
)
from counterfoil.accounts.queries.billing import billing_facts, default_currency, terms_by_key
from counterfoil.accounts.queries.contacts import (
    contacts_after,
    contacts_of,
    every_contact,
    get_contact,
    get_role,
    list_contacts,
)
from counterfoil.accounts.queries.hierarchy import accounts_paid_by, ancestors, height_of, payer_sql
from counterfoil.accounts.queries.terms import get_defaults, get_terms, list_terms, terms_fact

__all__ = [
    "Found",
    "Node",
    "ShownFact",
    "account_facts_for_page",
    "account_titles",
    "accounts_after",
    "accounts_paid_by",
    "ancestors",
    "billing_facts",
    "contacts_after",
    "contacts_of",
    "default_currency",
    "every_account",
    "every_contact",
    "get_account",
    "get_contact",
    "get_defaults",
    "get_role",
    "get_terms",
    "height_of",
    "likely_duplicates",
    "list_accounts",
    "list_contacts",
    "list_terms",
    "payer_sql",
    "terms_by_key",
    "terms_fact",
    "tree_of",
    "twins_of",
]
