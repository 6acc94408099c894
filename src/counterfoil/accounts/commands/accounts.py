"""The verbs of accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts import events
from counterfoil.accounts.commands.contacts import add_contact, give_role
from counterfoil.accounts.commands.saving import changed_columns, locked, save
from counterfoil.accounts.derived import derive_account, derive_tax_identifier, refresh_search
from counterfoil.accounts.duplicates import find_duplicates
from counterfoil.accounts.models import HIERARCHY_LOCK, Account, AccountStatus, Address, ContactRole, TaxIdentifier
from counterfoil.accounts.queries import ancestors, height_of
from counterfoil.accounts.rules.inheritance import LEVELS_MAX, would_be_circle, would_be_too_deep
from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.bulk import insert_rows, new_row, read_where
from counterfoil.plumbing.outbox import emit

_LINKS = ("parent", "owner", "terms", "invoiced_account", "payer", "send_to")
_ROWS = ("addresses", "tax_identifiers")
_ADDRESS_COLUMNS = ("attention", "street", "street_2", "postcode", "city", "region", "country")


@command(
    "accounts.add_account",
    needs="accounts.change",
    takes={"values": Takes("accounts.account"), "billing_contact": Takes("accounts.contact")},
)
def add_account(
    *,
    actor: Actor,
    values: Mapping[str, Any],
    on: date,
    accept_duplicates: bool = False,
    billing_contact: Mapping[str, Any] | None = None,
) -> UUID:
    """Add a customer company, and with it the person who gets its invoices, if one is named.

    Likely duplicates are refused with their reasons unless they are accepted.
    """
    columns = _columns(values)
    if not columns.get("status"):
        columns["status"] = AccountStatus.PROSPECT
    account = Account(id=new_id(), created_at=clock.now(), **columns)
    _check(account)
    _check_rows(values)
    if account.parent_id is not None:
        _check_hierarchy(account, height=1)
    if not accept_duplicates:
        _refuse_duplicates({**values, "email": (billing_contact or {}).get("email", "")})
    derive_account(account)
    save(account, is_new=True)
    insert_rows(
        new_row(Address, account_id=account.pk, kind=kind, **columns) for kind, columns in _addresses(values).items()
    )
    if _replace_tax_identifiers(account, values):
        refresh_search([account.pk])
    emit(events.AccountAdded(account_id=account.pk, name=account.legal_name))
    if billing_contact is not None:
        contact_id = add_contact(actor=actor, values=billing_contact, on=on)
        give_role(actor=actor, account_id=account.pk, contact_id=contact_id, role=ContactRole.BILLING, on=on)
    return account.pk


@command("accounts.change_account", needs="accounts.change", takes={"values": Takes("accounts.account", partial=True)})
def change_account(*, actor: Actor, account_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change what is named in ``values``; addresses and tax ids are replaced as a whole.

    Drafts read the account anew; what was issued keeps what was printed.
    """
    if values.get("parent") is not None:
        _lock_hierarchy()
    account = locked(Account, account_id, version)
    changed = changed_columns(account, _columns(values))
    _check(account)
    _check_rows(values)
    if "parent_id" in changed and account.parent_id is not None:
        _check_hierarchy(account, height=height_of(account.pk))
    rows = [
        name
        for name, replace in (("addresses", _replace_addresses), ("tax_identifiers", _replace_tax_identifiers))
        if replace(account, values)
    ]
    if not changed and not rows:
        return
    derive_account(account, _tax_ids_of(account))
    save(account)
    fields = sorted([name.removesuffix("_id") if name != "external_id" else name for name in changed] + rows)
    emit(events.AccountChanged(account_id=account.pk, name=account.legal_name, fields=tuple(fields)))


@command("accounts.become_customers", needs="accounts.change")
def become_customers(*, actor: Actor, account_ids: Sequence[UUID]) -> None:
    """Leads and prospects that bought something, and former customers that came back, are customers from now on."""
    others = [status for status in AccountStatus if status is not AccountStatus.CUSTOMER]
    accounts = list(
        Account.objects.select_for_update(no_key=True).filter(id__in=account_ids, status__in=others).order_by("id")
    )
    for account in accounts:
        account.status = AccountStatus.CUSTOMER
        account.version += 1
        emit(events.AccountChanged(account_id=account.pk, name=account.legal_name, fields=("status",)))
    Account.objects.bulk_update(accounts, ["status", "version"])


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {(f"{name}_id" if name in _LINKS else name): value for name, value in values.items() if name not in _ROWS}


def _check(account: Account) -> None:
    if not account.status:
        raise Refusal("missing", "Status is missing.", "status")
    if account.parent_id == account.pk:
        raise Refusal("circle", "An account cannot be its own parent.", "parent")
    if account.tax_profile == "exempt" and not account.tax_exemption_reason:
        raise Refusal("missing", "Say why this account is exempt; the reason is printed.", "tax_exemption_reason")


def _check_rows(values: Mapping[str, Any]) -> None:
    kinds = [row["kind"] for row in values.get("addresses") or ()]
    twice = [place for place, kind in enumerate(kinds) if kind in kinds[:place]]
    if twice:
        raise Refusal.of(
            Problem(f"addresses.{place}.kind", "twice", "There is one address of each kind.") for place in twice
        )


# The hierarchy ------------------------------------------------------------------------------------------------------


def _lock_hierarchy() -> None:
    """Two moves at once could each be fine and together a circle, so moves of parents wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [HIERARCHY_LOCK])


def _check_hierarchy(account: Account, *, height: int) -> None:
    assert account.parent_id is not None
    chain = ancestors([account.parent_id])[account.parent_id]
    if would_be_circle(account.pk, chain):
        raise Refusal("circle", "This account stands above the one you chose; that would be a circle.", "parent")
    if would_be_too_deep(height, chain):
        raise Refusal("too_deep", f"At most {LEVELS_MAX} accounts can stand above one another.", "parent")


# Addresses and tax ids ----------------------------------------------------------------------------------------------


def _replace_addresses(account: Account, values: Mapping[str, Any]) -> bool:
    """Give the account exactly these addresses. Says whether anything changed."""
    if "addresses" not in values:
        return False
    wanted = _addresses(values)
    present = {address.kind: address for address in read_where(Address, "account_id = %s", account.pk)}
    stale = [
        kind
        for kind, columns in wanted.items()
        if kind not in present or any(getattr(present[kind], name) != value for name, value in columns.items())
    ]
    gone = present.keys() - wanted.keys()
    if gone:
        Address.objects.filter(account=account, kind__in=gone).delete()
    if stale:
        Address.objects.bulk_create(
            [Address(account=account, kind=kind, **wanted[kind]) for kind in stale],
            update_conflicts=True,
            unique_fields=["account", "kind"],
            update_fields=list(_ADDRESS_COLUMNS),
        )
    return bool(gone or stale)


def _addresses(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The addresses that the values name, by kind; one without content is none."""
    return {
        row["kind"]: {name: row.get(name, "") for name in _ADDRESS_COLUMNS}
        for row in values.get("addresses") or ()
        if any(row.get(name) for name in _ADDRESS_COLUMNS)
    }


def _replace_tax_identifiers(account: Account, values: Mapping[str, Any]) -> bool:
    """Give the account exactly these tax ids. Says whether anything changed."""
    if "tax_identifiers" not in values:
        return False
    country = _country_of(account)
    wanted: dict[str, TaxIdentifier] = {}
    for row in values["tax_identifiers"]:
        tax_id = TaxIdentifier(account=account, country=row.get("country") or "", value=row["value"])
        derive_tax_identifier(tax_id, country)
        wanted[tax_id.normalised] = tax_id
    present = {tax_id.normalised: tax_id for tax_id in TaxIdentifier.objects.filter(account=account)}
    stale = [
        tax_id
        for key, tax_id in wanted.items()
        if key not in present or (present[key].value, present[key].country) != (tax_id.value, tax_id.country)
    ]
    gone = present.keys() - wanted.keys()
    if gone:
        TaxIdentifier.objects.filter(account=account, normalised__in=gone).delete()
    if stale:
        TaxIdentifier.objects.bulk_create(
            stale,
            update_conflicts=True,
            unique_fields=["account", "normalised"],
            update_fields=["country", "value", "is_format_valid"],
        )
    return bool(gone or stale)


def _tax_ids_of(account: Account) -> list[str]:
    pairs = TaxIdentifier.objects.filter(account=account).order_by("id").values_list("value", "normalised")
    return [text for pair in pairs for text in pair]


def _country_of(account: Account) -> str:
    """Where the account is: the country of its invoice address, else of its registered office."""
    countries = dict(Address.objects.filter(account=account).exclude(country="").values_list("kind", "country"))
    return countries.get("invoice") or countries.get("registered") or next(iter(countries.values()), "")


# Duplicates ---------------------------------------------------------------------------------------------------------


def _refuse_duplicates(values: Mapping[str, Any]) -> None:
    """A name that is merely similar is shown in the form, but refuses nothing."""
    found = [candidate for candidate in find_duplicates(values) if candidate.is_strong]
    if found:
        raise Conflict(
            "likely_duplicate",
            f"{found[0].title} is probably the same customer: {', '.join(found[0].reasons)}.",
            "legal_name",
            [Problem("legal_name", "likely_duplicate", f"{one.title}: {', '.join(one.reasons)}.") for one in found],
        )
