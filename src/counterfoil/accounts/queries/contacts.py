"""Contacts and their roles as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.accounts.models import AccountContact, Contact
from counterfoil.accounts.queries.accounts import WORDS_MAX, Found

KEY, ROLE = "accounts.contact", "accounts.role"
_CHUNK = 1_000
_SORTS = {"name": "sort_key", "created_at": "created_at"}


def list_contacts(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "name",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """People by name, with the accounts at which they hold a role now."""
    contacts = _matching(text, filters or {})
    return Found(_rows(actor, contacts.order_by(*_order(sort))[offset : offset + limit]), contacts.count())


def every_contact(
    actor: Actor, *, text: str = "", filters: Mapping[str, Any] | None = None, sort: str = "name"
) -> Iterator[Row]:
    """All people of a list, a part at a time."""
    ids = list(_matching(text, filters or {}).order_by(*_order(sort)).values_list("id", flat=True))
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        found = {row.id: row for row in _rows(actor, Contact.objects.filter(id__in=part))}
        yield from (found[one] for one in part if one in found)


def contacts_after(actor: Actor, *, after: UUID | None, take: int, text: str = "", **filters: Any) -> list[Row]:
    """Contacts with an id above ``after``, in the order of their ids: a page by cursor."""
    contacts = _matching(text, {name: value for name, value in filters.items() if value})
    if after is not None:
        contacts = contacts.filter(id__gt=after)
    return _rows(actor, contacts.order_by("id")[:take])


def get_contact(actor: Actor, contact_id: UUID) -> Row:
    """One person with all roles ever held, the present ones first; raises ``NotFound``."""
    contact = Contact.objects.filter(id=contact_id).first()
    row = project_one(actor, KEY, contact)
    held = AccountContact.objects.filter(contact=contact_id).select_related("account")
    found = sorted(
        held, key=lambda role: (role.valid_to is not None, role.account.sort_key, role.role, role.valid_from)
    )
    roles = project(actor, ROLE, found)
    for given, role in zip(roles, found, strict=False):
        given.plus(account_title=role.account.title, role_name=role.get_role_display())
    return row.plus(roles=roles)


def get_role(actor: Actor, role_id: UUID) -> Row:
    """One role with the titles of both ends; raises ``NotFound``."""
    role = AccountContact.objects.select_related("account", "contact").filter(id=role_id).first()
    row = project_one(actor, ROLE, role)
    assert role is not None
    return row.plus(
        account_title=role.account.title, contact_title=role.contact.name, role_name=role.get_role_display()
    )


def contacts_of(actor: Actor, account_id: UUID, on: date, *, with_past: bool = False) -> list[Row]:
    """The roles at an account on that day or later, with ``name``, ``email`` and ``email_state`` of the person.

    With ``with_past`` also the ended ones. The order is that of a letter: billing first, then by name.
    """
    roles = AccountContact.objects.filter(account=account_id).select_related("contact")
    if not with_past:
        roles = roles.filter(Q(valid_to=None) | Q(valid_to__gt=on))
    found = sorted(roles, key=lambda role: (role.role != "billing", role.contact.sort_key, role.role, role.valid_from))
    rows = project(actor, ROLE, found)
    for row, role in zip(rows, found, strict=False):
        row.plus(
            name=role.contact.name,
            email=role.contact.email,
            email_state=role.contact.email_state,
            job_title=role.contact.job_title,
            phone=role.contact.phone,
            left_on=role.contact.left_on,
            role_name=role.get_role_display(),
        )
    return rows


def _matching(text: str, filters: Mapping[str, Any]) -> QuerySet[Contact]:
    contacts = Contact.objects.all()
    for name, value in filters.items():
        many = value if isinstance(value, list | tuple) else [value]
        if name == "email_state":
            contacts = contacts.filter(email_state__in=many)
        elif name == "left":
            contacts = contacts.filter(left_on__isnull=True not in many)
        elif name == "role":
            held = AccountContact.objects.filter(contact=OuterRef("pk"), role__in=many, valid_to=None)
            contacts = contacts.filter(Exists(held))
        elif name == "account":
            at = AccountContact.objects.filter(contact=OuterRef("pk"), account__in=many, valid_to=None)
            contacts = contacts.filter(Exists(at))
    for word in text.casefold().split()[:WORDS_MAX]:
        contacts = contacts.filter(search_text__icontains=word)
    return contacts


def _order(sort: str) -> tuple[str, str]:
    return ("-" if sort.startswith("-") else "") + _SORTS.get(sort.lstrip("-"), "sort_key"), "id"


def _rows(actor: Actor, contacts: QuerySet[Contact]) -> list[Row]:
    page: Sequence[Contact] = list(contacts.prefetch_related("account_roles__account"))
    rows = project(actor, KEY, page)
    for row, contact in zip(rows, page, strict=False):
        present = sorted(
            (role for role in contact.account_roles.all() if role.valid_to is None),
            key=lambda role: role.account.sort_key,
        )
        places = {role.account_id: role.account.title for role in present}
        roles = dict.fromkeys(role.get_role_display() for role in present)
        row.plus(accounts=", ".join(places.values()), account_links=list(places.items()), role_names=", ".join(roles))
    return rows
