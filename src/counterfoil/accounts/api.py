"""Accounts, contacts, roles, terms and defaults on the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.accounts import commands, queries
from counterfoil.accounts.duplicates import find_duplicates
from counterfoil.plumbing import clock
from counterfoil.surface.api import Paging, page_of, plain, row_json, schema_for

router = Router()

ACCOUNT, CONTACT, ROLE, TERMS = "accounts.account", "accounts.contact", "accounts.role", "accounts.terms"
DEFAULTS = "accounts.defaults"
NewAccount, ChangedAccount = schema_for(ACCOUNT, "create"), schema_for(ACCOUNT, "change")
NewContact, ChangedContact = schema_for(CONTACT, "create"), schema_for(CONTACT, "change")
NewTerms, ChangedTerms = schema_for(TERMS, "create"), schema_for(TERMS, "change")
ChangedDefaults = schema_for(DEFAULTS, "change")


class Texts(Paging):
    """``q`` is looked for in names, ids and domains."""

    q: str = SchemaField(default="", max_length=200)


class RoleOrder(Schema):
    contact: UUID
    role: str
    mail_line: str = "to"


class Successor(Schema):
    successor: UUID


class Moved(Schema):
    moved: int


class CandidateAnswer(Schema):
    """An account that is probably the same customer, and why."""

    account: UUID
    title: str
    reasons: list[str]


class FactAnswer(Schema):
    """What billing uses for the account, and where it comes from."""

    field: str
    label: str
    value: Any
    source: str
    source_id: UUID | None
    is_own: bool


@router.get("/accounts", response=page_of(ACCOUNT), summary="List accounts")
def list_accounts(request: Request, paging: Query[Texts]) -> Any:
    rows = queries.accounts_after(request.actor, after=paging.after, take=paging.take, text=paging.q)
    return paging.page(rows)


@router.post("/accounts", response={201: schema_for(ACCOUNT)}, summary="Add an account")
def add_account(request: Request, values: NewAccount, accept_duplicates: bool = False) -> Any:  # type: ignore[valid-type]
    """Likely duplicates answer 409 `likely_duplicate` with their reasons, unless `accept_duplicates` is set."""
    account_id = commands.add_account(
        actor=request.actor, values=values.values(), on=clock.today(), accept_duplicates=accept_duplicates
    )
    return Status(201, row_json(queries.get_account(request.actor, account_id)))


@router.post("/accounts/duplicates", response=list[CandidateAnswer], summary="Find likely duplicates")
def duplicates(request: Request, values: ChangedAccount) -> Any:  # type: ignore[valid-type]
    """Which accounts a new one with these values would probably repeat. Adds nothing."""
    typed, _ = values.change()
    return [
        {"account": one.account_id, "title": one.title, "reasons": list(one.reasons)} for one in find_duplicates(typed)
    ]


@router.get("/accounts/{uuid:account_id}", response=schema_for(ACCOUNT), summary="Get an account")
def get_account(request: Request, account_id: UUID) -> Any:
    return row_json(queries.get_account(request.actor, account_id))


@router.patch("/accounts/{uuid:account_id}", response=schema_for(ACCOUNT), summary="Change an account")
def change_account(request: Request, account_id: UUID, values: ChangedAccount) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_account(actor=request.actor, account_id=account_id, values=changes, version=version)
    return row_json(queries.get_account(request.actor, account_id))


@router.get(
    "/accounts/{uuid:account_id}/facts", response=list[FactAnswer], summary="What billing uses, with its source"
)
def account_facts(request: Request, account_id: UUID) -> Any:
    facts = queries.account_facts_for_page(request.actor, account_id, clock.today())
    return [
        {
            "field": fact.field,
            "label": fact.label,
            "value": None if fact.value is queries.CLOSED else plain(fact.value),
            "source": fact.source,
            "source_id": fact.source_id,
            "is_own": fact.is_own,
        }
        for fact in facts
    ]


@router.get("/accounts/{uuid:account_id}/roles", response=list[schema_for(ROLE)], summary="Who has which role")
def account_roles(request: Request, account_id: UUID, with_past: bool = False) -> Any:
    queries.get_account(request.actor, account_id)
    return [row_json(row) for row in queries.contacts_of(request.actor, account_id, clock.today(), with_past=with_past)]


@router.post("/accounts/{uuid:account_id}/roles", response={201: list[schema_for(ROLE)]}, summary="Give a role")
def give_role(request: Request, account_id: UUID, order: RoleOrder) -> Any:
    commands.give_role(
        actor=request.actor, account_id=account_id, contact_id=order.contact, role=order.role,
        mail_line=order.mail_line, on=clock.today(),
    )  # fmt: skip
    return Status(201, account_roles(request, account_id))


@router.post("/roles/{uuid:role_id}/end", response={204: None}, summary="End a role")
def end_role(request: Request, role_id: UUID) -> Any:
    commands.end_role(actor=request.actor, role_id=role_id, on=clock.today())
    return Status(204, None)


@router.get("/contacts", response=page_of(CONTACT), summary="List contacts")
def list_contacts(request: Request, paging: Query[Texts]) -> Any:
    rows = queries.contacts_after(request.actor, after=paging.after, take=paging.take, text=paging.q)
    return paging.page(rows)


@router.post("/contacts", response={201: schema_for(CONTACT)}, summary="Add a contact")
def add_contact(request: Request, values: NewContact) -> Any:  # type: ignore[valid-type]
    contact_id = commands.add_contact(actor=request.actor, values=values.values(), on=clock.today())
    return Status(201, row_json(queries.get_contact(request.actor, contact_id)))


@router.get("/contacts/{uuid:contact_id}", response=schema_for(CONTACT), summary="Get a contact")
def get_contact(request: Request, contact_id: UUID) -> Any:
    return row_json(queries.get_contact(request.actor, contact_id))


@router.patch("/contacts/{uuid:contact_id}", response=schema_for(CONTACT), summary="Change a contact")
def change_contact(request: Request, contact_id: UUID, values: ChangedContact) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_contact(actor=request.actor, contact_id=contact_id, values=changes, version=version)
    return row_json(queries.get_contact(request.actor, contact_id))


@router.post("/contacts/{uuid:contact_id}/replace", response=Moved, summary="Replace a leaver in all open roles")
def replace_leaver(request: Request, contact_id: UUID, order: Successor) -> Any:
    moved = commands.replace_leaver(
        actor=request.actor, contact_id=contact_id, successor_id=order.successor, on=clock.today()
    )
    return {"moved": moved}


@router.get("/terms", response=list[schema_for(TERMS)], summary="List payment terms")
def list_terms(request: Request) -> Any:
    return [row_json(row) for row in queries.list_terms(request.actor, with_unused=True)]


@router.post("/terms", response={201: schema_for(TERMS)}, summary="Add payment terms")
def add_terms(request: Request, values: NewTerms) -> Any:  # type: ignore[valid-type]
    terms_id = commands.add_terms(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_terms(request.actor, terms_id)))


@router.patch("/terms/{uuid:terms_id}", response=schema_for(TERMS), summary="Change payment terms")
def change_terms(request: Request, terms_id: UUID, values: ChangedTerms) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_terms(actor=request.actor, terms_id=terms_id, values=changes, version=version)
    return row_json(queries.get_terms(request.actor, terms_id))


@router.get("/billing-defaults", response=schema_for(DEFAULTS), summary="What holds where nobody says anything")
def get_defaults(request: Request) -> Any:
    return row_json(queries.get_defaults(request.actor))


@router.patch("/billing-defaults", response=schema_for(DEFAULTS), summary="Change the billing defaults")
def change_defaults(request: Request, values: ChangedDefaults) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_billing_defaults(actor=request.actor, values=changes, version=version)
    return row_json(queries.get_defaults(request.actor))
