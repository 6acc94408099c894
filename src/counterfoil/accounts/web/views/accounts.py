"""The list of accounts, a new account, and the account's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.queries import people
from counterfoil.access.requests import Request
from counterfoil.accounts import commands, queries
from counterfoil.accounts.web.forms import (
    READ_OR_SAVE,
    NewAccountForm,
    part_form,
    people_at,
    shown_part,
    terms_options,
)
from counterfoil.core.errors import Refusal
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import Panel, panels_on, record_type
from counterfoil.surface import export
from counterfoil.surface.fields import inline_edit
from counterfoil.surface.forms import record_form, values_from, version_from
from counterfoil.surface.htmx import go, is_htmx, page, reload, say
from counterfoil.surface.lists import Empty, Listing, day, text

KEY = "accounts.account"
LISTED = ("name", "status", "owner", "city", "country", "industry", "parent", "created_at")
EXPORTED = (
    "legal_name",
    "trading_name",
    "registration_number",
    "website",
    "status",
    "owner",
    "city",
    "country",
    "industry",
    "employees",
    "parent",
    "language",
    "currency",
    "terms",
    "tax_profile",
    "external_id",
    "created_at",
)
COMPANY = (
    "legal_name",
    "trading_name",
    "registration_number",
    "website",
    "parent",
    "owner",
    "status",
    "industry",
    "employees",
    "founded_in",
)
CHANGE = {
    "Company": [*COMPANY, "annual_revenue", "external_id"],
    "Billing": [
        "invoiced_account",
        "payer",
        "send_to",
        "terms",
        "po_policy",
        "billing_cycle",
        "delivery_channel",
        "currency",
        "language",
        "service_tier",
        "tax_profile",
        "tax_exemption_reason",
    ],
}
ALWAYS_SHOWN = {"website", "owner", "parent"}
# A change of these shows at other places of the page too.
REDRAWS = {"legal_name", "trading_name", "parent", "status", "owner", "invoiced_account", "payer", "send_to"}


@require_GET
def accounts(request: Request) -> HttpResponseBase:
    listing = Listing(
        KEY,
        request.GET,
        columns=EXPORTED if "export" in request.GET else LISTED,
        filters=["status", "owner", "country", "industry", "parent", "created_at"],
        sorts=["name", "status", "industry", "created_at"],
        sort="name",
        extra=[
            text("name", "Name", read=lambda row: row.title),
            day("created_at", "Added", read=lambda row: timezone.localtime(row.created_at).date()),
        ],
        search="Search by name, tax id, domain or number",
        options={"owner": people(request.actor)},
        titles=_titles(request.GET.getlist("parent")),
        empty=Empty(
            "No accounts yet",
            "An account is a customer company. Sales, billing and accounting work on the same one.",
            "New account" if request.actor.may("accounts.change") else "",
            reverse("accounts:new_account"),
            "building-2",
        ),
    )
    if listing.export:
        every = queries.every_account(request.actor, text=listing.text, filters=listing.filters, sort=listing.sort)
        return export.response(listing, every, "accounts")
    found = queries.list_accounts(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    return page(request, "accounts/accounts.html", {"listing": listing.filled(found.rows, count=found.count)})


def _titles(ids: list[str]) -> dict[str, str]:
    wanted = [one for one in (_as_id(text) for text in ids) if one is not None]
    return {str(key): title for key, title in queries.account_titles(wanted).items()}


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# A new account --------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def new_account(request: Request) -> HttpResponse:
    """A new account. Likely duplicates are shown with their reasons; one of them can be opened instead."""
    form = NewAccountForm(request)
    status = 200
    candidates = []
    if request.method == "POST":
        try:
            account_id = commands.add_account(
                actor=request.actor,
                values=form.values,
                billing_contact=form.billing_contact,
                on=clock.today(),
                accept_duplicates="accept_duplicates" in request.POST,
            )
            say(request, "The account was added.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status = refusal.status
            form.refuse(refusal)
            candidates = queries.likely_duplicates(request.actor, form.signs)
    return page(request, "accounts/new_account.html", {"form": form, "candidates": candidates}, status=status)


@require_POST
def duplicates(request: Request) -> HttpResponse:
    """Likely duplicates of what is typed so far."""
    candidates = queries.likely_duplicates(request.actor, NewAccountForm(request).signs)
    return page(request, "accounts/duplicates.html", {"candidates": candidates})


@require_GET
def similar(request: Request, account_id: UUID) -> HttpResponse:
    """The accounts that are probably the same customer as this one."""
    return page(request, "accounts/similar.html", {"candidates": queries.twins_of(request.actor, account_id)})


# The page -------------------------------------------------------------------------------------------------------------


@require_GET
def account(request: Request, account_id: UUID) -> HttpResponse:
    """The account: relationship on one half, money on the other, the perforation between."""
    row = queries.get_account(request.actor, account_id)
    nodes, is_cut = queries.tree_of(request.actor, account_id)
    facts = queries.account_facts_for_page(request.actor, account_id, clock.today())
    context = {
        "account": row,
        **_company(request, row),
        "addresses": [shown_part(request, row, kind) for kind in ("invoice", "registered", "delivery")],
        "people": people_at(request, account_id),
        "receives": _recipients(request, facts),
        "nodes": nodes,
        "self_level": next((node.level for node in nodes if node.is_self), 0),
        "tree_is_cut": is_cut,
        "billing": [_sourced_line(request, row, fact) for fact in facts],
        "may_change": request.actor.may("accounts.change"),
        "may_change_tax": request.actor.may("accounts.change") and "tax" in request.actor.writes,
        **{f"{half}_panels": found for half, found in _panels(request, account_id).items()},
    }
    return page(request, "accounts/account.html", context)


def _panels(request: Request, account_id: UUID) -> dict[str, list[dict[str, str]]]:
    """The slots of other rooms, by the half of the page on which they stand."""
    halves: dict[str, list[dict[str, str]]] = {"relationship": [], "money": [], "foot": []}
    for panel in panels_on(KEY):
        if request.actor.may(panel.needs):
            halves[panel.half].append({"title": panel.title, "url": _panel_url(panel, account_id)})
    return halves


def _panel_url(panel: Panel, account_id: UUID) -> str:
    return reverse(panel.url, args=[account_id])


def _company(request: Request, row: Any) -> dict[str, Any]:
    """The company's facts; those that nobody has filled in yet stand apart, so that they are no noise."""
    lines = [_line(request, row, name) for name in COMPANY]
    empty = [line for line in lines if line["value"] in ("", None) and line["field"] not in ALWAYS_SHOWN]
    return {"company": [line for line in lines if line not in empty], "not_filled_in": empty}


def _line(request: Request, row: Any, name: str) -> dict[str, Any]:
    """One of the account's own values, which can be changed in place."""
    described = record_type(KEY).by_id[name]
    is_closed = name in row.closed
    value = row[name]
    if described.to:
        value = row[name] if is_closed else row[f"{name}_title"]
    return {
        "label": described.label,
        "value": dict(described.options()).get(value, value) if isinstance(value, str) else value,
        "field": name,
        "edit": _edit_url(request, row, name),
    }


def _edit_url(request: Request, row: Any, name: str) -> str:
    group = record_type(KEY).by_id[name].group
    if not request.actor.may("accounts.change") or group not in request.actor.writes or name in row.closed:
        return ""
    return reverse("accounts:change_field", args=[row.id, name])


def _sourced_line(request: Request, row: Any, fact: queries.ShownFact) -> dict[str, Any]:
    """A value that holds for the account, with the account or default that says it."""
    described = record_type(KEY).by_id[fact.field]
    value = fact.value
    if isinstance(value, str) and not described.to:
        value = dict(described.options()).get(value, value)
    comes_from_elsewhere = fact.source_id not in (None, row.id)
    is_tax = fact.field == "tax_profile"
    return {
        "label": described.label,
        "value": value,
        "kind": "language" if fact.field == "language" else "",
        "source": "" if fact.is_own else fact.source.partition(" · ")[0],
        "source_title": fact.source,
        "source_url": reverse("accounts:account", args=[fact.source_id]) if comes_from_elsewhere else "",
        "field": fact.field,
        "edit": "" if is_tax else _edit_url(request, row, fact.field),
        "panel": reverse("accounts:change_part", args=[row.id, "tax"]) if is_tax else "",
        "may_panel": is_tax and bool(_edit_url(request, row, "tax_profile")),
    }


def _recipients(request: Request, facts: list[queries.ShownFact]) -> dict[str, Any]:
    """Who gets the invoices: the billing contacts of the account to which they are sent."""
    send_to = next(fact.links_to for fact in facts if fact.field == "send_to")
    if send_to is None:
        return {"people": [], "is_known": False}
    roles = queries.contacts_of(request.actor, send_to, clock.today())
    billing = [one for one in roles if one.role == "billing" and one.valid_from <= clock.today() and not one.left_on]
    return {"people": sorted(billing, key=lambda one: one.mail_line != "to"), "is_known": True}


# Changes --------------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def change_account(request: Request, account_id: UUID) -> HttpResponse:
    row = queries.get_account(request.actor, account_id)
    names = [name for part in CHANGE.values() for name in part]
    options = {"terms": terms_options(request.actor), "owner": people(request.actor)}
    typed: Mapping[str, Any] = {}
    problems: Any = ()
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, KEY, only=names)
        try:
            commands.change_account(
                actor=request.actor, account_id=account_id, values=typed, version=version_from(request.POST)
            )
            say(request, "Saved.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status, problems = refusal.status, refusal
    form = record_form(
        KEY,
        values=row,
        typed=typed,
        sections=CHANGE,
        problems=problems,
        writable=request.actor.writes,
        options=options,
    )
    return page(request, "accounts/change_account.html", {"account": row, "form": form}, status=status)


@require_http_methods(READ_OR_SAVE)
def change_field(request: Request, account_id: UUID, field: str) -> HttpResponse:
    """One value, changed in place. An emptied value that is inherited shows what holds then, and whence."""
    row = queries.get_account(request.actor, account_id)

    def save(values: Any, version: int | None) -> Any:
        commands.change_account(actor=request.actor, account_id=account_id, values=values, version=version)
        return queries.get_account(request.actor, account_id)

    if request.method == "GET" and "show" in request.GET:
        return _field_value(request, account_id, field) or reload(request)
    answer = inline_edit(
        request,
        row,
        field,
        url=reverse("accounts:change_field", args=[account_id, field]),
        save=save,
        writable=request.actor.writes,
        back=reverse("accounts:account", args=[account_id]),
        options={"terms": terms_options(request.actor), "owner": people(request.actor)},
    )
    if request.method != "POST" or answer.status_code != 200 or not is_htmx(request):
        return answer
    if field in REDRAWS:
        return reload(request)
    return _field_value(request, account_id, field) or answer


def _field_value(request: Request, account_id: UUID, field: str) -> HttpResponse | None:
    """The value of a fact that may be inherited, with its source; nothing for the others."""
    facts = queries.account_facts_for_page(request.actor, account_id, clock.today())
    fact = next((one for one in facts if one.field == field), None)
    if fact is None:
        return None
    row = queries.get_account(request.actor, account_id)
    return page(request, "accounts/fact_value.html", {"line": _sourced_line(request, row, fact)})


@require_http_methods(READ_OR_SAVE)
def change_part(request: Request, account_id: UUID, part: str) -> HttpResponse:
    """An address, the tax ids or the tax profile, in the side panel."""
    row = queries.get_account(request.actor, account_id)
    form = part_form(request, row, part)
    status = 200
    if request.method == "POST":
        try:
            commands.change_account(
                actor=request.actor,
                account_id=account_id,
                values=form.values(),
                version=version_from(request.POST),
            )
            say(request, "Saved.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status = refusal.status
            form.refuse(refusal)
    return page(request, "accounts/part.html", {"account": row, "part": form}, status=status)
