"""Forms of this room that are more than the fields of one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.queries import people
from counterfoil.access.requests import Request
from counterfoil.accounts import queries
from counterfoil.accounts.models import AccountStatus, AddressKind, ContactRole
from counterfoil.core.errors import NotFound, Problem, Refusal
from counterfoil.core.ids import parse_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import Field, record_type
from counterfoil.surface.forms import Form, Typed, record_form, values_from

READ_OR_SAVE = ["GET", "HEAD", "POST"]
ACCOUNT, CONTACT = "accounts.account", "accounts.contact"
NEW_COMPANY = ("legal_name", "trading_name", "website", "registration_number", "industry", "parent", "status", "owner")
NEW_BILLING = ("terms", "currency", "language", "po_policy", "tax_profile", "tax_exemption_reason")
NEW_CONTACT = ("name", "email", "job_title", "phone")


def terms_options(actor: Actor) -> list[tuple[UUID, str]]:
    """The payment terms that can be chosen."""
    return [(row.id, row.title) for row in queries.list_terms(actor)]


def row_fields(name: str, without: Sequence[str] = ()) -> tuple[Field, ...]:
    """The fields of one of the account's rows that a person fills in."""
    rows = record_type(ACCOUNT).by_id[name].rows
    return tuple(item for item in rows if not item.computed and item.id not in without)


def optional(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The same fields, none of which has to be filled in."""
    return tuple(replace(item, required=False) for item in fields)


def plain_rows(rows: Sequence[Mapping[str, Any]], fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Rows as a command takes them: without what is worked out."""
    return [{item.id: row[item.id] for item in fields} for row in rows]


def under(problems: Sequence[Problem], path: str) -> list[Problem]:
    """The problems of one row, as problems of a form over that row alone."""
    return [replace(one, field=one.field.removeprefix(path)) for one in problems if one.field.startswith(path)]


class NewAccountForm:
    """A new account on one page: the company, one address, one tax id, billing, and who gets the invoices.

    Empty parts add nothing. ``signs`` is what likely duplicates are recognised by.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        post = request.POST
        writes = request.actor.writes
        names = [*NEW_COMPANY, *NEW_BILLING]
        open_names = [name for name in names if record_type(ACCOUNT).by_id[name].group in writes]
        self._billing_names = [name for name in NEW_BILLING if name in open_names]
        self.typed = values_from(post, ACCOUNT, only=open_names)
        self._address_fields = row_fields("addresses", without=["kind"])
        # These parts may stay empty as a whole, so nothing in them has to be filled in.
        self._tax_fields = optional(row_fields("tax_identifiers"))
        self._contact_fields = optional([record_type(CONTACT).by_id[name] for name in NEW_CONTACT])
        self.typed_address = values_from(post, ACCOUNT, prefix="address", fields=self._address_fields)
        self.typed_tax_id = values_from(post, ACCOUNT, prefix="tax", fields=self._tax_fields)
        self.typed_contact = values_from(post, CONTACT, only=NEW_CONTACT, prefix="contact")
        self._problems: tuple[Problem, ...] = ()
        if request.method != "POST":
            self._begin(request)

    def _begin(self, request: Request) -> None:
        """What stands in the form before anybody typed: a prospect of one's own, below the account one came from."""
        self.typed = Typed({"status": AccountStatus.PROSPECT})
        if request.actor.kind == "user":
            self.typed["owner"] = str(request.actor.id)
        if "parent" in request.GET:
            parent = queries.get_account(request.actor, parse_id(request.GET["parent"]))
            self.typed["parent"] = str(parent.id)
            self.typed.titles["parent"] = parent.title

    @property
    def values(self) -> dict[str, Any]:
        """The account's values, as the command takes them."""
        values: dict[str, Any] = {name: value for name, value in self.typed.items() if value != ""}
        values.setdefault("legal_name", "")
        if any(self.typed_address.values()):
            values["addresses"] = [{"kind": AddressKind.INVOICE, **self.typed_address}]
        if self.typed_tax_id.get("value"):
            values["tax_identifiers"] = [dict(self.typed_tax_id)]
        return values

    @property
    def billing_contact(self) -> dict[str, Any] | None:
        return dict(self.typed_contact) if any(self.typed_contact.values()) else None

    @property
    def signs(self) -> dict[str, Any]:
        return {**self.values, "email": self.typed_contact.get("email", "")}

    def refuse(self, refusal: Refusal) -> None:
        """Show these problems. Likely duplicates have a place of their own on the page."""
        self._problems = tuple(one for one in refusal.problems if one.code != "likely_duplicate")

    @property
    def company(self) -> Form:
        return self._form(NEW_COMPANY, {"owner": people(self._request.actor)})

    @property
    def billing(self) -> Form | None:
        """What billing uses; nothing for a role that may not set it."""
        options = {"terms": terms_options(self._request.actor)}
        return self._form(self._billing_names, options) if self._billing_names else None

    @property
    def address(self) -> Form:
        problems = under(self._problems, "addresses.0.")
        return record_form(
            ACCOUNT, fields=self._address_fields, typed=self.typed_address, problems=problems, prefix="address"
        )

    @property
    def tax_id(self) -> Form:
        problems = under(self._problems, "tax_identifiers.0.")
        return record_form(ACCOUNT, fields=self._tax_fields, typed=self.typed_tax_id, problems=problems, prefix="tax")

    @property
    def contact(self) -> Form:
        problems = [one for one in self._problems if one.field in NEW_CONTACT]
        return record_form(
            CONTACT, fields=self._contact_fields, typed=self.typed_contact, problems=problems, prefix="contact"
        )

    @property
    def other_problems(self) -> list[Problem]:
        """What belongs to no field of this page."""
        shown = {*NEW_COMPANY, *self._billing_names, *NEW_CONTACT}
        parts = ("addresses.0.", "tax_identifiers.0.")
        return [one for one in self._problems if one.field not in shown and not one.field.startswith(parts)]

    @property
    def problem_count(self) -> int:
        return len(self._problems)

    def _form(self, names: Sequence[str], options: Mapping[str, Any]) -> Form:
        problems = [one for one in self._problems if one.field in names]
        return record_form(
            ACCOUNT,
            only=names,
            typed=self.typed,
            problems=problems,
            writable=self._request.actor.writes,
            options=options,
        )


# Parts of an account that are changed in the side panel ---------------------------------------------------------------


class Part:
    """One part of an account as a form: its title, its fields, and the account's values that it saves."""

    def __init__(self, request: Request, row: Any, name: str, title: str, fields: Sequence[Field], shown: Any) -> None:
        self.name = name
        self.title = title
        self._row = row
        self._fields = fields
        self._shown = shown
        self._typed = values_from(request.POST, ACCOUNT, fields=fields) if request.method == "POST" else Typed()
        self._problems: list[Problem] = []
        self._writes = request.actor.writes
        self._version = row.version

    def values(self) -> dict[str, Any]:
        """What the command takes. Addresses and tax ids are saved whole, so the others go along as they are."""
        if self.name == "tax":
            return dict(self._typed)
        if self.name == "tax-ids":
            return {"tax_identifiers": self._typed.get("tax_identifiers", [])}
        others = plain_rows(self._row.addresses, row_fields("addresses"))
        kept = [one for one in others if one["kind"] != self.name]
        return {"addresses": [{"kind": self.name, **self._typed}, *kept]}

    def refuse(self, refusal: Refusal) -> None:
        is_address = self.name not in ("tax", "tax-ids")
        row_problems = under(refusal.problems, "addresses.0.") if is_address else []
        self._problems = row_problems or list(refusal.problems)

    @property
    def form(self) -> Form:
        return record_form(
            ACCOUNT,
            fields=self._fields,
            values=self._shown,
            typed=self._typed,
            problems=self._problems,
            writable=self._writes,
            version=self._version,
        )


def part_form(request: Request, row: Any, name: str) -> Part:
    """The form of one part of the account; ``NotFound`` for a part that does not exist."""
    fields = record_type(ACCOUNT).by_id
    if name == "tax":
        return Part(request, row, name, "Tax", [fields["tax_profile"], fields["tax_exemption_reason"]], row)
    if name == "tax-ids":
        return Part(request, row, name, "Tax ids", [fields["tax_identifiers"]], row)
    if name not in AddressKind.values:
        raise NotFound()
    address = _address(row, name)
    return Part(request, row, name, AddressKind(name).label, row_fields("addresses", without=["kind"]), address)


def _address(row: Any, kind: str) -> Mapping[str, Any] | None:
    found = [] if "addresses" in row.closed else row.addresses
    return next((one for one in found if one["kind"] == kind), None)


def shown_part(request: Request, row: Any, kind: str) -> dict[str, Any]:
    """An address of the account's page."""
    may_change = request.actor.may("accounts.change") and "identity" in request.actor.writes
    return {
        "kind": kind,
        "label": AddressKind(kind).label,
        "address": _address(row, kind),
        "may_change": may_change and "addresses" not in row.closed,
    }


def people_at(request: Request, account_id: UUID) -> list[dict[str, Any]]:
    """The persons of an account with all their present roles, billing first."""
    found: dict[UUID, dict[str, Any]] = {}
    for role in queries.contacts_of(request.actor, account_id, clock.today()):
        person = found.setdefault(role.contact, {"id": role.contact, "row": role, "roles": []})
        person["roles"].append(
            {
                "id": role.id,
                "label": role.role_name,
                "is_billing": role.role == ContactRole.BILLING,
                "line": role.mail_line,
                "begins": role.valid_from if role.valid_from > clock.today() else None,
                "ends": role.valid_to,
            }
        )
    return list(found.values())
