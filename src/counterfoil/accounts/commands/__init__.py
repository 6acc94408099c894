"""The verbs of accounts, contacts, terms and defaults."""

from __future__ import annotations

from counterfoil.accounts.commands.accounts import add_account, become_customers, change_account
from counterfoil.accounts.commands.contacts import (
    add_contact,
    change_contact,
    change_role,
    end_role,
    give_role,
    give_roles,
    mark_email,
    reinstate_contact,
    replace_leaver,
)
from counterfoil.accounts.commands.terms import add_terms, change_billing_defaults, change_terms, install_defaults

__all__ = [
    "add_account",
    "add_contact",
    "add_terms",
    "become_customers",
    "change_account",
    "change_billing_defaults",
    "change_contact",
    "change_role",
    "change_terms",
    "end_role",
    "give_role",
    "give_roles",
    "install_defaults",
    "mark_email",
    "reinstate_contact",
    "replace_leaver",
]
