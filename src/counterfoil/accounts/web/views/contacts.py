"""The list of contacts, a person's page, roles, and leaving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.requests import Request
from counterfoil.accounts import commands, queries
from counterfoil.accounts.models import ContactRole, MailLine
from counterfoil.accounts.web.forms import READ_OR_SAVE, optional
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import parse_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value, record_type
from counterfoil.surface import export
from counterfoil.surface.fields import inline_edit
from counterfoil.surface.forms import Form, Typed, record_form, values_from
from counterfoil.surface.htmx import go, own_referer, page, say
from counterfoil.surface.lists import Empty, Listing, text

KEY = "accounts.contact"
NEW = ("name", "email", "job_title", "phone", "language")
FACTS = ("name", "email", "phone", "job_title", "language", "external_id")
PERSON = Field("contact", "Person", Kind.LINK, to="accounts.contact")
# Nothing of these is needed when the person is known.
NEW_PERSON = optional([record_type(KEY).by_id[name] for name in NEW[:4]])
SUCCESSOR = Field("successor", "Successor", Kind.LINK, to="accounts.contact")
LAST_DAY = Field("on", "From", Kind.DAY, required=True, help="The first day without the leaver.")


@require_GET
def contacts(request: Request) -> HttpResponseBase:
    listing = Listing(
        KEY,
        request.GET,
        columns=["name", "email", "accounts", "role_names", "job_title", "phone", "email_state"],
        filters=["email_state", "created_at"],
        sorts=["name", "created_at"],
        extra=[text("accounts", "Accounts"), text("role_names", "Roles")],
        sort="name",
        search="Search by name or address",
        empty=Empty(
            "No contacts yet",
            "Contacts are people. Their roles say who buys, who approves and who gets the invoices.",
            "New contact" if request.actor.may("accounts.change") else "",
            reverse("accounts:new_contact"),
            "users",
        ),
    )
    if listing.export:
        every = queries.every_contact(request.actor, text=listing.text, filters=listing.filters, sort=listing.sort)
        return export.response(listing, every, "contacts")
    found = queries.list_contacts(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    return page(request, "accounts/contacts.html", {"listing": listing.filled(found.rows, count=found.count)})


@require_http_methods(READ_OR_SAVE)
def new_contact(request: Request) -> HttpResponse:
    """A new person. Somebody with the same e-mail address is shown first."""
    typed: Mapping[str, Any] = {}
    problems: Any = ()
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, KEY, only=NEW)
        try:
            contact_id = commands.add_contact(
                actor=request.actor,
                values=typed,
                on=clock.today(),
                accept_duplicates="accept_duplicates" in request.POST,
            )
            say(request, "The contact was added.")
            return go(request, reverse("accounts:contact", args=[contact_id]))
        except Refusal as refusal:
            status, problems = refusal.status, refusal
    form = record_form(KEY, only=NEW, typed=typed, problems=problems, writable=request.actor.writes)
    context = {"form": form, "is_known": _is_known(problems)}
    return page(request, "accounts/new_contact.html", context, status=status)


def _is_known(refusal: Any) -> bool:
    return isinstance(refusal, Refusal) and refusal.code == "known_email"


@require_GET
def contact(request: Request, contact_id: UUID) -> HttpResponse:
    """A person: facts, present roles and the history of roles."""
    row = queries.get_contact(request.actor, contact_id)
    today = clock.today()
    may_change = request.actor.may("accounts.change") and "general" in request.actor.writes
    described = record_type(KEY).by_id
    context = {
        "contact": row,
        "facts": [
            {
                "label": described[name].label,
                "value": row[name],
                "kind": "language" if name == "language" else "",
                "field": name,
                "edit": reverse("accounts:change_contact_field", args=[contact_id, name]) if may_change else "",
            }
            for name in FACTS
        ],
        "present": [role for role in row.roles if role.valid_to is None or role.valid_to > today],
        "past": [role for role in row.roles if role.valid_to is not None and role.valid_to <= today],
        "may_change": may_change,
    }
    return page(request, "accounts/contact.html", context)


@require_http_methods(READ_OR_SAVE)
def change_contact_field(request: Request, contact_id: UUID, field: str) -> HttpResponse:
    """One value of a person, changed in place."""
    row = queries.get_contact(request.actor, contact_id)

    def save(values: Any, version: int | None) -> Any:
        commands.change_contact(actor=request.actor, contact_id=contact_id, values=values, version=version)
        return queries.get_contact(request.actor, contact_id)

    return inline_edit(
        request,
        row,
        field,
        url=reverse("accounts:change_contact_field", args=[contact_id, field]),
        save=save,
        writable=request.actor.writes,
        back=reverse("accounts:contact", args=[contact_id]),
        kind="language" if field == "language" else "",
    )


# Roles ----------------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def add_role(request: Request, account_id: UUID) -> HttpResponse:
    """Give a person roles here: somebody who is known, or somebody new."""
    row = queries.get_account(request.actor, account_id)
    posted = request.method == "POST"
    chosen = request.POST.getlist("role") if posted else [request.GET.get("role", ContactRole.BILLING)]
    person = values_from(request.POST, KEY, fields=[PERSON])
    typed = values_from(request.POST, KEY, fields=NEW_PERSON)
    problems: Any = ()
    status = 200
    if posted:
        try:
            commands.give_roles(
                actor=request.actor,
                account_id=account_id,
                contact_id=parse_id(person["contact"]) if person.get("contact") else None,
                values=typed if not person.get("contact") else None,
                roles=chosen,
                mail_line=request.POST.get("mail_line", MailLine.TO),
                on=clock.today(),
            )
            say(request, "The contact was added.")
            return go(request, reverse("accounts:account", args=[account_id]))
        except Refusal as refusal:
            status, problems = refusal.status, refusal
    context = {
        "account": row,
        "person": record_form(KEY, fields=[PERSON], typed=person, problems=problems)["contact"],
        "form": record_form(KEY, fields=NEW_PERSON, typed=typed, problems=problems, writable=request.actor.writes),
        "roles": [(key, label, key in chosen) for key, label in ContactRole.choices],
        "lines": MailLine.choices,
        "line": request.POST.get("mail_line", MailLine.TO),
        "role_problem": next((one.message for one in getattr(problems, "problems", ()) if one.field == "roles"), ""),
    }
    return page(request, "accounts/add_role.html", context, status=status)


@require_POST
def end_role(request: Request, role_id: UUID) -> HttpResponse:
    row = queries.get_role(request.actor, role_id)
    commands.end_role(actor=request.actor, role_id=role_id, on=clock.today())
    say(request, f"{row.contact_title} is no longer {row.role_name.lower()} contact. The history keeps it.")
    return go(request, own_referer(request, reverse("accounts:account", args=[row.account])))


@require_POST
def change_role(request: Request, role_id: UUID) -> HttpResponse:
    """Mail of this role goes To or Cc."""
    row = queries.get_role(request.actor, role_id)
    commands.change_role(
        actor=request.actor, role_id=role_id, mail_line=request.POST.get("mail_line", ""), version=None
    )
    return go(request, own_referer(request, reverse("accounts:account", args=[row.account])))


# Leaving --------------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def replace_leaver(request: Request, contact_id: UUID) -> HttpResponse:
    """A person leaves: all open roles go to a successor in one step, or end."""
    row = queries.get_contact(request.actor, contact_id)
    today = clock.today()
    typed = values_from(request.POST, KEY, fields=[SUCCESSOR, LAST_DAY])
    problems: Any = ()
    status = 200
    if request.method == "POST":
        try:
            ended = commands.replace_leaver(
                actor=request.actor,
                contact_id=contact_id,
                successor_id=parse_id(typed["successor"]) if typed.get("successor") else None,
                on=_day(typed),
            )
            say(request, _left(row.title, ended, bool(typed.get("successor"))))
            return go(request, reverse("accounts:contact", args=[contact_id]))
        except Refusal as refusal:
            status, problems = refusal.status, refusal
    form: Form = record_form(
        KEY, fields=[SUCCESSOR, LAST_DAY], values={"on": today}, typed=typed, problems=problems, version=None
    )
    context = {
        "contact": row,
        "form": form,
        "open_roles": [role for role in row.roles if role.valid_to is None or role.valid_to > today],
    }
    return page(request, "accounts/replace_leaver.html", context, status=status)


def _day(typed: Typed) -> Any:
    try:
        found = clean_value(LAST_DAY, typed.get("on"))
    except BadValue as bad:
        raise Refusal(bad.code, bad.message, "on") from None
    if found is None:
        raise Refusal("missing", "Name the first day without the leaver.", "on")
    return found


def _left(name: str, ended: int, is_replaced: bool) -> str:
    roles = f"{ended} role{'' if ended == 1 else 's'}"
    return f"{name} left; {roles} went to the successor." if is_replaced else f"{name} left; {roles} ended."


@require_POST
def reinstate_contact(request: Request, contact_id: UUID) -> HttpResponse:
    row = queries.get_contact(request.actor, contact_id)
    commands.reinstate_contact(actor=request.actor, contact_id=contact_id, version=None)
    say(request, f"{row.title} is back, without roles.")
    return go(request, reverse("accounts:contact", args=[contact_id]))
