"""Accounts from files: checked and loaded in sets, and taken back.

A row is recognised by its own id, else by its normalised name. A parent that stands later in the file is made at once
by its name and filled in when its row comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, ProtectedError

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.derived import (
    ACCOUNT_COLUMNS,
    derive_account,
    derive_contact,
    derive_tax_identifier,
    refresh_search,
)
from counterfoil.accounts.events import AccountAdded, AccountChanged
from counterfoil.accounts.models import Account, AccountContact, Address, Contact, TaxIdentifier
from counterfoil.accounts.rules.tax_ids import normalised_tax_id, tax_country
from counterfoil.core.errors import Problem
from counterfoil.core.ids import new_id
from counterfoil.core.text import NewText, normalised_name
from counterfoil.plumbing.importers import Kept, Loaded, LoadRow, Verdict
from counterfoil.plumbing.outbox import emit

KEY = "accounts.account"
OWN_COLUMNS = (
    "legal_name", "trading_name", "registration_number", "website", "industry", "employees", "founded_in",
    "annual_revenue", "external_id", "status", "language", "currency", "tax_profile",
)  # fmt: skip
LINKS = ("owner", "terms")
ADDRESS_COLUMNS = ("street", "postcode", "city", "region", "country")
_SCALE = {"": 1, "units": 1, "thousands": 1_000, "millions": 1_000_000}


def recognised(rows: Sequence[LoadRow]) -> dict[int, Account]:
    """The account that each row is about, by row number: by its own id first, then by its normalised name."""
    ids = {str(row.values["external_id"]) for row in rows if row.values.get("external_id")}
    names = {normalised_name(str(row.values["legal_name"])) for row in rows}
    by_id = {account.external_id: account for account in Account.objects.filter(external_id__in=ids)}
    by_name: dict[str, Account] = {}
    for account in Account.objects.filter(normalised_name__in=names).order_by("-created_at"):
        by_name[account.normalised_name] = account
    found: dict[int, Account] = {}
    for row in rows:
        same_id = by_id.get(str(row.values.get("external_id") or ""))
        match = same_id or by_name.get(normalised_name(str(row.values["legal_name"])))
        if match is not None:
            found[row.number] = match
    return found


def check_accounts(rows: Sequence[LoadRow], options: Mapping[str, Any]) -> list[Verdict]:
    """New, an update of a known account, the same as it, or a likely duplicate by tax id."""
    known = recognised(rows)
    taxed = _accounts_by_tax_id(rows)
    countries = dict(
        Address.objects.filter(account__in=list(known.values()), kind="invoice").values_list("account_id", "country")
    )
    seen: dict[str, int] = {}
    verdicts: list[Verdict] = []
    for row in rows:
        name = normalised_name(str(row.values["legal_name"]))
        if name in seen:
            message = f"Row {seen[name]} of this file has the same name."
            verdicts.append(Verdict("error", problems=(Problem("legal_name", "twice_in_file", message),)))
            continue
        seen[name] = row.number
        account = known.get(row.number)
        tax_id = _tax_id(row)
        if account is None and tax_id in taxed:
            other = taxed[tax_id]
            problem = Problem("tax_id", "same_tax_id", f"{other.legal_name} has this tax id.")
            verdicts.append(Verdict("duplicate", other.pk, other.legal_name, (problem,)))
        elif account is None:
            verdicts.append(Verdict("new"))
        else:
            changed = _changes(account, row, options) or _new_country(row, countries.get(account.pk))
            verdicts.append(Verdict("update" if changed else "same", account.pk, account.legal_name))
    return verdicts


def _new_country(row: LoadRow, present: str | None) -> bool:
    return bool(row.values.get("country")) and row.values["country"] != present


def _accounts_by_tax_id(rows: Sequence[LoadRow]) -> dict[str, Account]:
    wanted = {_tax_id(row) for row in rows} - {""}
    found = TaxIdentifier.objects.filter(normalised__in=wanted).select_related("account")
    return {item.normalised: item.account for item in found}


def _tax_id(row: LoadRow) -> str:
    value = str(row.values.get("tax_id") or "")
    return normalised_tax_id(tax_country("", value, str(row.values.get("country") or "")), value)


def _changes(account: Account, row: LoadRow, options: Mapping[str, Any]) -> dict[str, Any]:
    """The columns whose value the row changes. An empty cell changes nothing."""
    values = _own_values(row, options)
    changes = {name: value for name, value in values.items() if getattr(account, name) != value}
    parent = row.values.get("parent")
    if isinstance(parent, UUID) and parent != account.parent_id:
        changes["parent_id"] = parent
    if isinstance(parent, NewText):
        changes["parent_id"] = None
    return changes


def _own_values(row: LoadRow, options: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row.values[name] for name in OWN_COLUMNS if row.values.get(name) not in (None, "")}
    if "annual_revenue" in values:
        scale = _SCALE[str(options.get("revenue_unit") or "")]
        values["annual_revenue"] = (Decimal(values["annual_revenue"]) * scale).quantize(Decimal("0.01"))
    for name in LINKS:
        if isinstance(row.values.get(name), UUID):
            values[f"{name}_id"] = row.values[name]
    return values


@command("accounts.load_accounts", needs="importing.run")
def load_accounts(
    *, actor: Actor, rows: Sequence[LoadRow], options: Mapping[str, Any], on: date, at: datetime
) -> list[Loaded]:
    """Add the new accounts of a file and change the known ones. A fixed number of statements, however many rows."""
    known = recognised(rows)
    fresh = {row.number: _fresh(row, options, at) for row in rows if row.number not in known}
    Account.objects.bulk_create(fresh.values(), batch_size=1000)
    by_number = {**known, **fresh}
    parents = _parents(rows, at)
    before: dict[int, dict[str, Any]] = {}
    changed: list[Account] = []
    for row in rows:
        account = by_number[row.number]
        changes = _changes(account, row, options) if row.number in known else {}
        parent = row.values.get("parent")
        parent_id = parents.get(normalised_name(parent.text)) if isinstance(parent, NewText) else parent
        changes.pop("parent_id", None)
        if parent_id is not None and parent_id not in (account.parent_id, account.pk):
            changes["parent_id"] = parent_id
        before[row.number] = {name: _plain(getattr(account, name)) for name in changes}
        if changes:
            for name, value in changes.items():
                setattr(account, name, value)
            derive_account(account)
            if row.number in known:
                account.version += 1
            changed.append(account)
    Account.objects.bulk_update(changed, _UPDATED, batch_size=500)
    _load_details(rows, by_number, on, at)
    refresh_search([account.pk for account in by_number.values()])
    for row in rows:
        account = by_number[row.number]
        if row.number in fresh:
            emit(AccountAdded(account_id=account.pk, name=account.legal_name))
        else:
            fields = tuple(sorted(before[row.number]))
            emit(AccountChanged(account_id=account.pk, name=account.legal_name, fields=fields))
    return [
        Loaded(
            row.number,
            "new" if row.number in fresh else "updated",
            KEY,
            by_number[row.number].pk,
            by_number[row.number].version,
            before[row.number] if row.number in known else {},
        )
        for row in rows
    ]


_UPDATED = [*OWN_COLUMNS, "owner", "terms", "parent", "version", *ACCOUNT_COLUMNS]


def _fresh(row: LoadRow, options: Mapping[str, Any], at: datetime) -> Account:
    account = Account(id=new_id(), created_at=at, **_own_values(row, options))
    derive_account(account)
    return account


def _parents(rows: Sequence[LoadRow], at: datetime) -> dict[str, UUID]:
    """Ids of parents that are named by text, by normalised name; those that are nowhere yet are made by their name."""
    texts: dict[str, str] = {}
    for row in rows:
        parent = row.values.get("parent")
        if isinstance(parent, NewText):
            texts[normalised_name(parent.text)] = parent.text
    found = dict(Account.objects.filter(normalised_name__in=texts).values_list("normalised_name", "id"))
    missing = [Account(id=new_id(), created_at=at, legal_name=text) for key, text in texts.items() if key not in found]
    for account in missing:
        derive_account(account)
    Account.objects.bulk_create(missing, batch_size=1000)
    return {**found, **{account.normalised_name: account.pk for account in missing}}


def _load_details(rows: Sequence[LoadRow], accounts: Mapping[int, Account], on: date, at: datetime) -> None:
    addresses: list[Address] = []
    tax_ids: list[TaxIdentifier] = []
    contacts: list[Contact] = []
    roles: list[AccountContact] = []
    for row in rows:
        account = accounts[row.number]
        address = {name: row.values[name] for name in ADDRESS_COLUMNS if row.values.get(name)}
        if address:
            addresses.append(Address(id=new_id(), created_at=at, account=account, kind="invoice", **address))
        if row.values.get("tax_id"):
            value = str(row.values["tax_id"])
            tax_id = TaxIdentifier(id=new_id(), created_at=at, account=account, value=value)
            derive_tax_identifier(tax_id, str(row.values.get("country") or ""))
            tax_ids.append(tax_id)
        email = str(row.values.get("billing_email") or "")
        if email:
            name = str(row.values.get("billing_name") or email)
            contact = Contact(id=new_id(), created_at=at, name=name, email=email)
            derive_contact(contact)
            contacts.append(contact)
            roles.append(
                AccountContact(
                    id=new_id(), created_at=at, account=account, contact=contact, role="billing", valid_from=on
                )
            )
    Address.objects.bulk_create(
        addresses,
        update_conflicts=True,
        unique_fields=["account", "kind"],
        update_fields=list(ADDRESS_COLUMNS),
        batch_size=1000,
    )
    TaxIdentifier.objects.bulk_create(tax_ids, ignore_conflicts=True, batch_size=1000)
    present = set(
        AccountContact.objects.filter(account__in=[role.account_id for role in roles], role="billing", valid_to=None)
        .annotate(address=F("contact__email"))
        .values_list("account_id", "address")
    )
    wanted = [role for role in roles if (role.account_id, role.contact.email) not in present]
    new_people = {role.contact_id for role in wanted}
    Contact.objects.bulk_create([person for person in contacts if person.pk in new_people], batch_size=1000)
    AccountContact.objects.bulk_create(wanted, batch_size=1000)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID | Decimal) else value


@command("accounts.unload_accounts", needs="importing.run")
def unload_accounts(*, actor: Actor, loaded: Sequence[Loaded], on: date, at: datetime, reason: str) -> list[Kept]:
    """Remove accounts that a file added, and give changed ones their old values, unless they were changed or used
    since.
    """
    kept: list[Kept] = []
    accounts = {account.pk: account for account in Account.objects.filter(id__in=[one.record_id for one in loaded])}
    for one in sorted(loaded, key=lambda item: -item.number):
        account = accounts.get(one.record_id)
        if account is None:
            continue
        if account.version != one.version:
            kept.append(Kept(KEY, one.record_id, "It was changed after the import."))
        elif one.action == "updated":
            for name, value in one.before.items():
                setattr(account, name, value)
            derive_account(account)
            account.version += 1
            account.save()
            refresh_search([account.pk])
        else:
            why = _why_not_removable(account)
            if why:
                kept.append(Kept(KEY, one.record_id, why))
    return kept


def _why_not_removable(account: Account) -> str:
    """Remove the account if nothing hangs on it; else say what does."""
    try:
        with transaction.atomic():
            people = list(account.contact_roles.values_list("contact_id", flat=True))
            Account.objects.filter(id=account.pk).delete()
            Contact.objects.filter(id__in=people, account_roles=None).delete()
    except ProtectedError as error:
        what = next((str(one._meta.verbose_name) for one in error.protected_objects), "record")
        return f"A {what} refers to it."
    return ""


@command("accounts.add_named_accounts", needs="importing.run")
def add_named_accounts(*, actor: Actor, names: Sequence[str], at: datetime) -> Mapping[str, UUID]:
    """New accounts that are known by a name or number only, such as the customers of an imported list of invoices."""
    fresh = {name: Account(id=new_id(), created_at=at, legal_name=name[:200], status="customer") for name in names}
    for name, account in fresh.items():
        account.external_id = name[:100]
        derive_account(account)
        emit(AccountAdded(account_id=account.pk, name=account.legal_name))
    Account.objects.bulk_create(fresh.values(), batch_size=1000)
    return {name: account.pk for name, account in fresh.items()}
