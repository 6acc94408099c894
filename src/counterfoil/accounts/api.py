"""Accounts, contacts, roles, terms and defaults on the API."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.projection import CLOSED
from counterfoil.access.requests import Request
from counterfoil.accounts import commands, queries
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import plain, row_json

router = Router()

ACCOUNT, CONTACT, ROLE, TERMS = "accounts.account", "accounts.contact", "accounts.role", "accounts.terms"
DEFAULTS = "accounts.defaults"


class AccountFilters(Paging):
    """Which accounts. ``q`` is looked for in names, ids, registration numbers, tax ids and domains."""

    q: str = SchemaField(default="", max_length=200)
    status: str = SchemaField(default="", max_length=20)
    country: str = SchemaField(default="", max_length=2)
    owner: UUID | None = None
    parent: UUID | None = None


class ContactFilters(Paging):
    """Which contacts. ``q`` is looked for in names, addresses and ids; ``account`` and ``role`` mean present roles."""

    q: str = SchemaField(default="", max_length=200)
    email_state: str = SchemaField(default="", max_length=20)
    account: UUID | None = None
    role: str = SchemaField(default="", max_length=20)


class RoleOrder(Order):
    """A role to give. It begins today unless ``valid_from`` names another day."""

    contact: UUID
    role: Words
    mail_line: Words = "to"
    valid_from: date | None = None


class RoleChange(Order):
    mail_line: Words
    version: int | None = None


class DayOrder(Order):
    """The first day on which it no longer holds; without it: today."""

    on: date | None = None


class Leaving(Order):
    """Who takes over all open roles, if anybody, and the first day without the leaver; without a day: today."""

    successor: UUID | None = None
    on: date | None = None


class Ended(Schema):
    """How many open roles ended with the leaving."""

    roles: int


class CandidateAnswer(Schema):
    """An account that is probably the same customer, and why. A merely similar name is not ``is_strong``."""

    account: UUID
    title: str
    reasons: list[str]
    is_strong: bool


class FactAnswer(Schema):
    """What billing uses for the account, and where it comes from. A closed value is null and named as closed."""

    field: str
    label: str
    value: Any
    source: str
    source_id: UUID | None
    is_own: bool
    is_closed: bool


class NodeAnswer(Schema):
    """One account of the group. ``level`` counts from the top, which is 0."""

    account: UUID
    title: str
    status: str
    level: int
    is_self: bool


class TreeAnswer(Schema):
    """The way from the top of the group to the account, and the branch below it; ``is_cut`` when it is too long."""

    nodes: list[NodeAnswer]
    is_cut: bool


# Accounts -------------------------------------------------------------------------------------------------------------


@router.get("/accounts", response=page_of(ACCOUNT), summary="List accounts")
def list_accounts(request: Request, paging: Query[AccountFilters]) -> Any:
    return paging.page(
        queries.accounts_after(
            request.actor,
            after=paging.after,
            take=paging.take,
            text=paging.q,
            status=paging.status,
            country=paging.country.upper(),
            owner=paging.owner,
            parent=paging.parent,
        )
    )


@router.post("/accounts", response={201: schema_for(ACCOUNT)}, summary="Add an account")
def add_account(
    request: Request,
    values: schema_for(ACCOUNT, "create"),  # type: ignore[valid-type]
    accept_duplicates: bool = False,
) -> Any:
    """Likely duplicates answer 409 `likely_duplicate` with their reasons, unless `accept_duplicates` is true."""
    account_id = commands.add_account(
        actor=request.actor, values=values.values(), on=clock.today(), accept_duplicates=accept_duplicates
    )
    return Status(201, row_json(queries.get_account(request.actor, account_id)))


@router.post("/accounts/duplicates", response=list[CandidateAnswer], summary="Find likely duplicates")
def duplicates(request: Request, values: schema_for(ACCOUNT, "change")) -> Any:  # type: ignore[valid-type]
    """Which accounts a new one with these values would probably repeat. Adds nothing."""
    given, _ = values.change()
    return [
        {"account": one.account_id, "title": one.title, "reasons": list(one.reasons), "is_strong": one.is_strong}
        for one in queries.likely_duplicates(request.actor, given)
    ]


@router.get("/accounts/{uuid:account_id}", response=schema_for(ACCOUNT), summary="Get an account")
def get_account(request: Request, account_id: UUID) -> Any:
    return row_json(queries.get_account(request.actor, account_id))


@router.patch("/accounts/{uuid:account_id}", response=schema_for(ACCOUNT), summary="Change an account")
def change_account(request: Request, account_id: UUID, values: schema_for(ACCOUNT, "change")) -> Any:  # type: ignore[valid-type]
    """Addresses and tax ids are replaced as a whole when they are sent."""
    changes, version = values.change()
    commands.change_account(actor=request.actor, account_id=account_id, values=changes, version=version)
    return row_json(queries.get_account(request.actor, account_id))


@router.get("/accounts/{uuid:account_id}/facts", response=list[FactAnswer], summary="What billing uses, and its source")
def account_facts(request: Request, account_id: UUID, on: date | None = None) -> Any:
    facts = queries.account_facts_for_page(request.actor, account_id, on or clock.today())
    return [
        {
            "field": fact.field,
            "label": fact.label,
            "value": None if fact.value is CLOSED else plain(fact.links_to or fact.value),
            "source": fact.source,
            "source_id": fact.source_id,
            "is_own": fact.is_own,
            "is_closed": fact.value is CLOSED,
        }
        for fact in facts
    ]


@router.get("/accounts/{uuid:account_id}/tree", response=TreeAnswer, summary="The group around an account")
def account_tree(request: Request, account_id: UUID) -> Any:
    queries.get_account(request.actor, account_id)
    nodes, is_cut = queries.tree_of(request.actor, account_id)
    return {
        "nodes": [
            {
                "account": node.row.id,
                "title": node.row.title,
                "status": node.row.status,
                "level": node.level,
                "is_self": node.is_self,
            }
            for node in nodes
        ],
        "is_cut": is_cut,
    }


# Roles ----------------------------------------------------------------------------------------------------------------


@router.get("/accounts/{uuid:account_id}/roles", response=list[schema_for(ROLE)], summary="Who has which role")  # type: ignore[misc]
def account_roles(request: Request, account_id: UUID, with_past: bool = False) -> Any:
    queries.get_account(request.actor, account_id)
    rows = queries.contacts_of(request.actor, account_id, clock.today(), with_past=with_past)
    return [row_json(row) for row in rows]


@router.post("/accounts/{uuid:account_id}/roles", response={201: schema_for(ROLE)}, summary="Give a role")
def give_role(request: Request, account_id: UUID, order: RoleOrder) -> Any:
    role_id = commands.give_role(
        actor=request.actor,
        account_id=account_id,
        contact_id=order.contact,
        role=order.role,
        mail_line=order.mail_line,
        on=order.valid_from or clock.today(),
    )
    return Status(201, row_json(queries.get_role(request.actor, role_id)))


@router.patch("/roles/{uuid:role_id}", response=schema_for(ROLE), summary="Move a role's mail to To or Cc")
def change_role(request: Request, role_id: UUID, order: RoleChange) -> Any:
    commands.change_role(actor=request.actor, role_id=role_id, mail_line=order.mail_line, version=order.version)
    return row_json(queries.get_role(request.actor, role_id))


@router.post("/roles/{uuid:role_id}/end", response=schema_for(ROLE), summary="End a role")
def end_role(request: Request, role_id: UUID, order: DayOrder | None = None) -> Any:
    """The role stays in the history."""
    on = order.on if order is not None and order.on is not None else clock.today()
    commands.end_role(actor=request.actor, role_id=role_id, on=on)
    return row_json(queries.get_role(request.actor, role_id))


# Contacts -------------------------------------------------------------------------------------------------------------


@router.get("/contacts", response=page_of(CONTACT), summary="List contacts")
def list_contacts(request: Request, paging: Query[ContactFilters]) -> Any:
    return paging.page(
        queries.contacts_after(
            request.actor,
            after=paging.after,
            take=paging.take,
            text=paging.q,
            email_state=paging.email_state,
            account=paging.account,
            role=paging.role,
        )
    )


@router.post("/contacts", response={201: schema_for(CONTACT)}, summary="Add a contact")
def add_contact(
    request: Request,
    values: schema_for(CONTACT, "create"),  # type: ignore[valid-type]
    accept_duplicates: bool = False,
) -> Any:
    """Somebody with the same e-mail address answers 409 `known_email`, unless `accept_duplicates` is true."""
    contact_id = commands.add_contact(
        actor=request.actor, values=values.values(), on=clock.today(), accept_duplicates=accept_duplicates
    )
    return Status(201, row_json(queries.get_contact(request.actor, contact_id)))


@router.get("/contacts/{uuid:contact_id}", response=schema_for(CONTACT), summary="Get a contact")
def get_contact(request: Request, contact_id: UUID) -> Any:
    return row_json(queries.get_contact(request.actor, contact_id))


@router.patch("/contacts/{uuid:contact_id}", response=schema_for(CONTACT), summary="Change a contact")
def change_contact(request: Request, contact_id: UUID, values: schema_for(CONTACT, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_contact(actor=request.actor, contact_id=contact_id, values=changes, version=version)
    return row_json(queries.get_contact(request.actor, contact_id))


@router.get("/contacts/{uuid:contact_id}/roles", response=list[schema_for(ROLE)], summary="A person's roles")  # type: ignore[misc]
def contact_roles(request: Request, contact_id: UUID) -> Any:
    """All roles that the person ever had, the present ones first."""
    return [row_json(role) for role in queries.get_contact(request.actor, contact_id).roles]


@router.post("/contacts/{uuid:contact_id}/leave", response=Ended, summary="A person leaves and is replaced")
def replace_leaver(request: Request, contact_id: UUID, order: Leaving) -> Any:
    """All open roles end and go to the successor in one step. The history stays."""
    ended = commands.replace_leaver(
        actor=request.actor, contact_id=contact_id, successor_id=order.successor, on=order.on or clock.today()
    )
    return {"roles": ended}


@router.post("/contacts/{uuid:contact_id}/return", response=schema_for(CONTACT), summary="A person is back")
def reinstate_contact(request: Request, contact_id: UUID) -> Any:
    """Gives no roles back: those went to somebody else."""
    commands.reinstate_contact(actor=request.actor, contact_id=contact_id, version=None)
    return row_json(queries.get_contact(request.actor, contact_id))


# Terms and defaults ---------------------------------------------------------------------------------------------------


@router.get("/terms", response=list[schema_for(TERMS)], summary="List payment terms")  # type: ignore[misc]
def list_terms(request: Request) -> Any:
    return [row_json(row) for row in queries.list_terms(request.actor, with_unused=True)]


@router.post("/terms", response={201: schema_for(TERMS)}, summary="Add payment terms")
def add_terms(request: Request, values: schema_for(TERMS, "create")) -> Any:  # type: ignore[valid-type]
    terms_id = commands.add_terms(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_terms(request.actor, terms_id)))


@router.patch("/terms/{uuid:terms_id}", response=schema_for(TERMS), summary="Change payment terms")
def change_terms(request: Request, terms_id: UUID, values: schema_for(TERMS, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_terms(actor=request.actor, terms_id=terms_id, values=changes, version=version)
    return row_json(queries.get_terms(request.actor, terms_id))


@router.get("/billing-defaults", response=schema_for(DEFAULTS), summary="What holds where nobody says anything")
def get_defaults(request: Request) -> Any:
    return row_json(queries.get_defaults(request.actor))


@router.patch("/billing-defaults", response=schema_for(DEFAULTS), summary="Change the billing defaults")
def change_defaults(request: Request, values: schema_for(DEFAULTS, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_billing_defaults(actor=request.actor, values=changes, version=version)
    return row_json(queries.get_defaults(request.actor))
