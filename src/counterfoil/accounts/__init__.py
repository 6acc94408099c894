"""Accounts, contacts, roles, the hierarchy, duplicates."""
