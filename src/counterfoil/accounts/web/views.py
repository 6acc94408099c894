"""Accounts and contacts on the screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.requests import Request
from counterfoil.accounts import commands, queries
from counterfoil.accounts.duplicates import find_duplicates
from counterfoil.accounts.models import ContactRole, MailLine
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import parse_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import panels_on
from counterfoil.surface import export
from counterfoil.surface.fields import inline_edit
from counterfoil.surface.forms import Form, Typed, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, text

ACCOUNT, CONTACT = "accounts.account", "accounts.contact"
NEW_ACCOUNT = {
    "Company": [
        "legal_name",
        "trading_name",
        "website",
        "registration_number",
        "parent",
        "status",
        "owner",
        "industry",
    ],
    "Address and tax": ["addresses", "tax_identifiers", "tax_profile", "tax_exemption_reason"],
    "Billing": ["terms", "po_policy", "currency", "language"],
}
CHANGE_ACCOUNT = {
    "Company": ["legal_name", "trading_name", "registration_number", "website", "parent", "status", "owner", "industry",
                "employees", "founded_in", "annual_revenue", "external_id"],
    "Address and tax": ["addresses", "tax_identifiers", "tax_profile", "tax_exemption_reason"],
    "Billing": ["invoiced_account", "payer", "send_to", "terms", "billing_cycle", "po_policy", "delivery_channel",
                "currency", "language", "service_tier"],
}  # fmt: skip
COMPANY_FACTS = ("legal_name", "registration_number", "website", "parent", "status", "owner", "industry", "employees")
NEW_CONTACT = ("name", "email", "phone", "job_title", "language")
READ = ["GET", "HEAD"]
READ_OR_SAVE = ["GET", "HEAD", "POST"]


def today() -> date:
    return clock.today()


@require_GET
def accounts(request: Request) -> HttpResponseBase:
    listing = Listing(
        ACCOUNT,
        request.GET,
        columns=["legal_name", "status", "owner", "industry", "parent", "created_at"],
        filters=["status", "owner", "industry", "parent"],
        sorts=["legal_name", "status", "industry", "created_at"],
        extra=[text("city", "City"), text("country", "Country")],
        sort="legal_name",
        empty=Empty(
            "No accounts yet",
            "An account is a customer company, with the people beneath it.",
            "New account" if request.actor.may("accounts.change") else "",
            reverse("accounts:new_account"),
            "building-2",
        ),
    )
    found = queries.list_accounts(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "accounts")
    return page(request, "accounts/accounts.html", {"listing": listing.filled(found.rows, count=found.count)})


@require_http_methods(READ_OR_SAVE)
def new_account(request: Request) -> HttpResponse:
    """A new account. A likely duplicate is shown with its reasons first; it can be opened instead, or accepted."""
    form = record_form(ACCOUNT, sections=NEW_ACCOUNT, writable=request.actor.writes)
    status = 200
    candidates: list[Any] = []
    if request.method == "POST":
        typed = values_from(request.POST, ACCOUNT, only=_fields(NEW_ACCOUNT))
        try:
            account_id = commands.add_account(
                actor=request.actor, values=typed, on=today(), accept_duplicates="accept" in request.POST
            )
            say(request, "The account was added.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status = refusal.status
            problems: Any = refusal
            if refusal.code == "likely_duplicate":
                candidates, problems = find_duplicates(typed), ()
            form = record_form(
                ACCOUNT, typed=typed, sections=NEW_ACCOUNT, problems=problems, writable=request.actor.writes
            )
    return page(request, "accounts/new_account.html", {"form": form, "candidates": candidates}, status=status)


@require_POST
def duplicates(request: Request) -> HttpResponse:
    """Likely duplicates of what is typed so far."""
    typed = values_from(request.POST, ACCOUNT, only=["legal_name", "registration_number", "website", "addresses",
                                                     "tax_identifiers"])  # fmt: skip
    candidates = find_duplicates(typed) if len(str(typed.get("legal_name") or "")) > 2 else []
    return page(request, "accounts/duplicates.html", {"candidates": candidates})


@require_GET
def account(request: Request, account_id: UUID) -> HttpResponse:
    """The account: relationship on one half, money on the other."""
    row = queries.get_account(request.actor, account_id)
    above, below = queries.hierarchy_of(request.actor, account_id)
    may_change = request.actor.may("accounts.change")
    panels = [panel for panel in panels_on(ACCOUNT) if request.actor.may(panel.needs)]
    context = {
        "account": row,
        "company": [_fact(row, name, may_change, request) for name in COMPANY_FACTS],
        "billing": [_sourced(fact, row, may_change, request) for fact in queries.account_facts_for_page(
            request.actor, account_id, today())],
        "above": above,
        "below": below,
        "people": _people(request, account_id),
        "panels": [{"title": panel.title, "url": reverse(panel.url, args=[account_id])} for panel in panels],
        "may_change": may_change,
    }  # fmt: skip
    return page(request, "accounts/account.html", context)


def _fact(row: Any, name: str, may_change: bool, request: Request) -> dict[str, Any]:
    described = queries.record_type(ACCOUNT).by_id[name]
    is_open = may_change and described.group in request.actor.writes and name not in row.closed
    value = row[f"{name}_title"] if described.to and name not in row.closed else row[name]
    return {
        "label": described.label,
        "value": value,
        "field": name,
        "edit": reverse("accounts:change_field", args=[row.id, name]) if is_open else "",
    }


def _sourced(fact: queries.ShownFact, row: Any, may_change: bool, request: Request) -> dict[str, Any]:
    described = queries.record_type(ACCOUNT).by_id[fact.field]
    is_open = may_change and described.group in request.actor.writes
    labels = dict(described.options()) if not described.to else {}
    return {
        "label": fact.label,
        "value": labels.get(fact.value, fact.value) if isinstance(fact.value, str) else fact.value,
        "source": "" if fact.is_own else fact.source,
        "source_url": reverse("accounts:account", args=[fact.source_id])
        if fact.source_id and fact.source_id != row.id and fact.field != "terms"
        else "",
        "field": fact.field,
        "edit": reverse("accounts:change_field", args=[row.id, fact.field]) if is_open else "",
    }


def _people(request: Request, account_id: UUID) -> list[dict[str, Any]]:
    """Persons with all their roles here, in the order of their first role."""
    found: dict[UUID, dict[str, Any]] = {}
    for role in queries.contacts_of(request.actor, account_id, today()):
        person = found.setdefault(role.contact, {"id": role.contact, "row": role, "roles": []})
        person["roles"].append({"id": role.id, "label": ContactRole(role.role).label, "line": role.mail_line})
    return list(found.values())


@require_http_methods(READ_OR_SAVE)
def change_account(request: Request, account_id: UUID) -> HttpResponse:
    row = queries.get_account(request.actor, account_id)
    form = record_form(ACCOUNT, values=row, sections=CHANGE_ACCOUNT, writable=request.actor.writes)
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, ACCOUNT, only=_fields(CHANGE_ACCOUNT))
        try:
            commands.change_account(
                actor=request.actor, account_id=account_id, values=typed, version=version_from(request.POST)
            )
            say(request, "Saved.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status = refusal.status
            form = record_form(ACCOUNT, values=row, typed=typed, sections=CHANGE_ACCOUNT, problems=refusal,
                               writable=request.actor.writes)  # fmt: skip
    return page(request, "accounts/change_account.html", {"account": row, "form": form}, status=status)


@require_http_methods(READ_OR_SAVE)
def change_field(request: Request, account_id: UUID, field: str) -> HttpResponse:
    """One value, changed in place."""
    row = queries.get_account(request.actor, account_id)

    def save(values: Any, version: int | None) -> Any:
        commands.change_account(actor=request.actor, account_id=account_id, values=values, version=version)
        return queries.get_account(request.actor, account_id)

    return inline_edit(
        request,
        row,
        field,
        url=reverse("accounts:change_field", args=[account_id, field]),
        save=save,
        writable=request.actor.writes,
        back=reverse("accounts:account", args=[account_id]),
    )


@require_http_methods(READ_OR_SAVE)
def add_role(request: Request, account_id: UUID) -> HttpResponse:
    """Give a person a role here: one who is known, or a new one."""
    row = queries.get_account(request.actor, account_id)
    form = record_form(CONTACT, only=NEW_CONTACT, writable=request.actor.writes)
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, CONTACT, only=NEW_CONTACT)
        try:
            known = request.POST.get("contact", "")
            contact_id = (
                parse_id(known) if known else commands.add_contact(actor=request.actor, values=typed, on=today())
            )
            commands.give_role(
                actor=request.actor, account_id=account_id, contact_id=contact_id, role=request.POST.get("role", ""),
                mail_line=request.POST.get("mail_line", "to"), on=today(),
            )  # fmt: skip
            say(request, "The contact was added.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status = refusal.status
            form = record_form(CONTACT, typed=typed, only=NEW_CONTACT, problems=refusal, writable=request.actor.writes)
    context = {
        "account": row,
        "form": form,
        "roles": ContactRole.choices,
        "lines": MailLine.choices,
        "role": request.POST.get("role", "billing"),
        "known": queries.list_contacts(request.actor, limit=500).rows,
    }
    return page(request, "accounts/add_role.html", context, status=status)


@require_POST
def end_role(request: Request, role_id: UUID) -> HttpResponse:
    commands.end_role(actor=request.actor, role_id=role_id, on=today())
    say(request, "The role has ended. It stays in the history.")
    back = request.POST.get("account", "")
    return go(request, reverse("accounts:account", args=[parse_id(back)]) if back else reverse("accounts:contacts"))


@require_GET
def contacts(request: Request) -> HttpResponseBase:
    listing = Listing(
        CONTACT,
        request.GET,
        columns=["name", "email", "email_state", "phone", "job_title"],
        filters=["email_state"],
        sorts=["name"],
        extra=[text("accounts", "Accounts")],
        sort="name",
        empty=Empty(
            "No contacts yet",
            "Contacts are people. They belong to accounts by their roles.",
            "New contact" if request.actor.may("accounts.change") else "",
            reverse("accounts:new_contact"),
            "users",
        ),
    )
    found = queries.list_contacts(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "contacts")
    return page(request, "accounts/contacts.html", {"listing": listing.filled(found.rows, count=found.count)})


@require_http_methods(READ_OR_SAVE)
def new_contact(request: Request) -> HttpResponse:
    def save(typed: Typed) -> str:
        contact_id = commands.add_contact(actor=request.actor, values=typed, on=today())
        return reverse("accounts:contact", args=[contact_id])

    return _saved_form(request, CONTACT, NEW_CONTACT, "New contact", None, save)


@require_GET
def contact(request: Request, contact_id: UUID) -> HttpResponse:
    row = queries.get_contact(request.actor, contact_id)
    roles = [{"row": role, "label": ContactRole(role.role).label} for role in row.roles]
    context = {"contact": row, "roles": roles, "may_change": request.actor.may("accounts.change")}
    return page(request, "accounts/contact.html", context)


@require_http_methods(READ_OR_SAVE)
def change_contact(request: Request, contact_id: UUID) -> HttpResponse:
    row = queries.get_contact(request.actor, contact_id)

    def save(typed: Typed) -> str:
        commands.change_contact(
            actor=request.actor, contact_id=contact_id, values=typed, version=version_from(request.POST)
        )
        return reverse("accounts:contact", args=[contact_id])

    return _saved_form(request, CONTACT, NEW_CONTACT, row.title, row, save)


@require_http_methods(READ_OR_SAVE)
def replace_leaver(request: Request, contact_id: UUID) -> HttpResponse:
    """A person leaves: all open roles go to a successor in one step."""
    row = queries.get_contact(request.actor, contact_id)
    problems: tuple[Any, ...] = ()
    status = 200
    if request.method == "POST":
        try:
            moved = commands.replace_leaver(
                actor=request.actor, contact_id=contact_id, successor_id=parse_id(request.POST.get("successor")),
                on=today(),
            )  # fmt: skip
            say(request, f"{moved} role{'' if moved == 1 else 's'} went to the successor.")
            return go(request, reverse("accounts:contact", args=[contact_id]))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    people = [one for one in queries.list_contacts(request.actor, limit=500).rows if one.id != contact_id]
    context = {
        "contact": row,
        "people": [one for one in people if not one.left_on],
        "open_roles": [role for role in row.roles if not role.valid_to],
        "problems": problems,
    }
    return page(request, "accounts/replace_leaver.html", context, status=status)


@require_GET
def list_terms(request: Request) -> HttpResponse:
    rows = queries.list_terms(request.actor, with_unused=True)
    return page(
        request, "accounts/list_terms.html", {"terms": rows, "may_change": request.actor.may("settings.change")}
    )


@require_http_methods(READ_OR_SAVE)
def new_terms(request: Request) -> HttpResponse:
    def save(typed: Typed) -> str:
        commands.add_terms(actor=request.actor, values=typed)
        return reverse("accounts:list_terms")

    return _saved_form(request, "accounts.terms", ("name", "key", "days", "from_end_of_month"), "New terms", None, save)


@require_http_methods(READ_OR_SAVE)
def terms(request: Request, terms_id: UUID) -> HttpResponse:
    row = queries.get_terms(request.actor, terms_id)

    def save(typed: Typed) -> str:
        commands.change_terms(actor=request.actor, terms_id=terms_id, values=typed, version=version_from(request.POST))
        return reverse("accounts:list_terms")

    names = ("name", "key", "days", "from_end_of_month", "is_active")
    return _saved_form(request, "accounts.terms", names, row.title, row, save)


@require_http_methods(READ_OR_SAVE)
def defaults(request: Request) -> HttpResponse:
    row = queries.get_defaults(request.actor)

    def save(typed: Typed) -> str:
        commands.change_billing_defaults(actor=request.actor, values=typed, version=version_from(request.POST))
        return reverse("accounts:defaults")

    names = ("terms", "currency", "language", "po_policy", "billing_cycle", "delivery_channel", "service_tier",
             "tax_profile")  # fmt: skip
    options = {"terms": [(str(one.id), one.title) for one in queries.list_terms(request.actor)]}
    return _saved_form(request, "accounts.defaults", names, "Billing defaults", row, save, options)


def _saved_form(
    request: Request,
    key: str,
    names: tuple[str, ...],
    title: str,
    row: Any,
    save: Callable[[Typed], str],
    options: dict[str, Any] | None = None,
) -> HttpResponse:
    """A page with one form: shown, saved, or shown again with what is wrong."""
    writable = request.actor.writes if key.endswith("contact") or request.actor.may("settings.change") else frozenset()
    form: Form = record_form(key, values=row, only=names, writable=writable, options=options or {})
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, key, only=names)
        try:
            where = save(typed)
            say(request, "Saved.")
            return go(request, where)
        except Refusal as refusal:
            status = refusal.status
            form = record_form(key, values=row, typed=typed, only=names, problems=refusal, writable=writable,
                               options=options or {})  # fmt: skip
    return page(request, "accounts/form.html", {"form": form, "form_title": title, "may_save": bool(writable)},
                status=status)  # fmt: skip


def _fields(sections: dict[str, list[str]]) -> list[str]:
    return [name for names in sections.values() for name in names]
