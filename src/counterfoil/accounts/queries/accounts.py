"""Accounts as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED, Row, project, project_one
from counterfoil.accounts.duplicates import Candidate, find_duplicates
from counterfoil.accounts.models import Account, Address
from counterfoil.accounts.queries.billing import billing_facts
from counterfoil.accounts.queries.hierarchy import ancestors, branch
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import OWN, Sourced
from counterfoil.plumbing.record_types import record_type

KEY = "accounts.account"
LINKS = ("owner", "parent", "terms", "invoiced_account", "payer", "send_to")
BRANCH_MAX = 200
WORDS_MAX = 8
_CHUNK = 1_000
_SORTS = {"name": "sort_key", "created_at": "created_at", "status": "status", "industry": "industry"}


@dataclass(frozen=True)
class Found:
    """A page of rows and how many there are in all."""

    rows: list[Row]
    count: int


def list_accounts(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "name",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Accounts by name, filtered by status, owner, industry, country, parent and day; links carry their titles."""
    accounts = _matching(actor, text, filters or {})
    page = list(_with_links(accounts.order_by(*_order(sort)))[offset : offset + limit])
    return Found(_rows(actor, page), accounts.count())


def every_account(
    actor: Actor, *, text: str = "", filters: Mapping[str, Any] | None = None, sort: str = "name"
) -> Iterator[Row]:
    """All accounts of a list, a part at a time, so that an export of any length fits into memory."""
    ids = list(_matching(actor, text, filters or {}).order_by(*_order(sort)).values_list("id", flat=True))
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        found = {account.pk: account for account in _with_links(Account.objects.filter(id__in=part))}
        yield from _rows(actor, [found[one] for one in part if one in found])


def accounts_after(actor: Actor, *, after: UUID | None, take: int, text: str = "", **filters: Any) -> list[Row]:
    """Accounts with an id above ``after``, in the order of their ids: a page by cursor."""
    accounts = _matching(actor, text, {name: value for name, value in filters.items() if value})
    if after is not None:
        accounts = accounts.filter(id__gt=after)
    return _rows(actor, list(_with_links(accounts.order_by("id"))[:take]))


def get_account(actor: Actor, account_id: UUID) -> Row:
    """One account with the titles of what it links to; raises ``NotFound``."""
    account = _with_links(Account.objects.filter(id=account_id)).first()
    project_one(actor, KEY, account)
    assert account is not None
    return _rows(actor, [account])[0]


def account_titles(account_ids: Iterable[UUID]) -> dict[UUID, str]:
    """How people call the accounts. For rows of other rooms that link to them; everybody who sees those may know it."""
    return {account.pk: account.title for account in Account.objects.filter(id__in=set(account_ids))}


def likely_duplicates(actor: Actor, values: Mapping[str, Any], exclude: UUID | None = None) -> list[Candidate]:
    """The accounts that these values probably repeat, for somebody who may see accounts."""
    return find_duplicates(values, exclude) if actor.may("accounts.see") else []


def _matching(actor: Actor, text: str, filters: Mapping[str, Any]) -> QuerySet[Account]:
    """The accounts that the filters let through. What an actor may not read filters nothing, or it would tell."""
    described = record_type(KEY).by_id
    accounts = Account.objects.all()
    for name, value in filters.items():
        group = described[name].group
        if group not in actor.reads:
            continue
        if name == "country":
            there = Address.objects.filter(account=OuterRef("pk"), country__in=_many(value))
            accounts = accounts.filter(Exists(there))
        elif name == "created_at":
            accounts = _between(accounts, "created_at__date", value)
        else:
            accounts = accounts.filter(**{f"{name}__in": _many(value)})
    if text:
        accounts = accounts.filter(_mentions(actor, text))
    return accounts


def _many(value: Any) -> Sequence[Any]:
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _mentions(actor: Actor, text: str) -> Q:
    """Every word occurs in the account's names, ids, registration number, tax ids or domain."""
    if record_type(KEY).by_id["legal_name"].group not in actor.reads:
        return Q(external_id__iexact=text.strip())
    matches = Q()
    for word in text.casefold().split()[:WORDS_MAX]:
        matches &= Q(search_text__icontains=word)
    return matches


def _between(rows: QuerySet[Account], name: str, value: tuple[date | None, date | None]) -> QuerySet[Account]:
    start, end = value
    if start is not None:
        rows = rows.filter(**{f"{name}__gte": start})
    return rows.filter(**{f"{name}__lte": end}) if end is not None else rows


def _order(sort: str) -> tuple[str, ...]:
    falls = "-" if sort.startswith("-") else ""
    column = _SORTS.get(sort.lstrip("-"), "sort_key")
    return (f"{falls}{column}", "id") if column == "sort_key" else (f"{falls}{column}", "sort_key", "id")


def _with_links(accounts: QuerySet[Account]) -> QuerySet[Account]:
    return accounts.select_related(*LINKS).prefetch_related("addresses", "tax_identifiers")


def _rows(actor: Actor, accounts: Sequence[Account]) -> list[Row]:
    rows = project(actor, KEY, accounts)
    for row, account in zip(rows, accounts, strict=False):
        titles = {}
        for name in set(LINKS) - set(row.closed):
            linked = getattr(account, name)
            titles[f"{name}_title"] = "" if linked is None else getattr(linked, "title", "") or linked.name
        row.plus(**titles)
    return rows


def twins_of(actor: Actor, account_id: UUID) -> list[Candidate]:
    """Other accounts that are probably the same customer as this one. Its own group is none of them."""
    row = get_account(actor, account_id)
    group = {one for one, _ in branch(ancestors([account_id])[account_id][-1], BRANCH_MAX)}
    found = likely_duplicates(actor, row, exclude=account_id)
    return [one for one in found if one.is_the_same and one.account_id not in group]


# The account's page ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownFact:
    """A value that holds for an account, with where it comes from; ``field`` is the account's own field behind it.

    ``links_to`` is the account that the value names, ``source_id`` the account that says it.
    """

    field: str
    label: str
    value: Any
    source: str
    source_id: UUID | None
    is_own: bool
    links_to: UUID | None = None


def account_facts_for_page(actor: Actor, account_id: UUID, on: date) -> list[ShownFact]:
    """What billing will use for the account on that day, each with its source. Closed groups give closed values."""
    row = get_account(actor, account_id)
    facts = billing_facts([account_id], on)[account_id]
    described = record_type(KEY).by_id
    titles = account_titles({facts.invoiced_account.value, facts.payer.value, facts.send_to.value})
    shown = []
    for name, sourced, value, links_to in _facts_in_order(facts, titles):
        is_closed = name in row.closed
        shown.append(
            ShownFact(
                field=name,
                label=described[name].label,
                value=CLOSED if is_closed else value,
                source="" if is_closed else sourced.label,
                source_id=None if is_closed else sourced.record_id,
                is_own=sourced.kind == OWN and sourced.record_id == account_id,
                links_to=None if is_closed else links_to,
            )
        )
    return shown


_Fact = tuple[str, Sourced[Any], Any, UUID | None]


def _facts_in_order(facts: BillingFacts, titles: Mapping[UUID, str]) -> Iterator[_Fact]:
    for name in ("invoiced_account", "payer", "send_to"):
        sourced = getattr(facts, name)
        yield name, sourced, titles.get(sourced.value, ""), sourced.value
    yield "terms", facts.terms, facts.terms.value.name if facts.terms.value else "", None
    for name in (
        "po_policy",
        "billing_cycle",
        "delivery_channel",
        "currency",
        "tax_profile",
        "language",
        "service_tier",
    ):
        sourced = getattr(facts, name)
        yield name, sourced, sourced.value, None


@dataclass(frozen=True)
class Node:
    """One account in its group. ``level`` counts from the top."""

    row: Row
    level: int
    is_self: bool


def tree_of(actor: Actor, account_id: UUID) -> tuple[list[Node], bool]:
    """The group around an account: the way down from the top, and all below it; and whether the list was cut."""
    above = ancestors([account_id]).get(account_id, [])[:0:-1]
    below = branch(account_id, BRANCH_MAX + 1)
    levels = {one: level for level, one in enumerate(above)}
    levels |= {one: len(above) + depth for one, depth in below[:BRANCH_MAX]}
    accounts = Account.objects.prefetch_related("addresses", "tax_identifiers").in_bulk(list(levels))
    rows = {row.id: row for row in project(actor, KEY, [accounts[one] for one in levels if one in accounts])}
    nodes = [Node(rows[one], level, one == account_id) for one, level in levels.items() if one in rows]
    return nodes, len(below) > BRANCH_MAX
