"""The small forms that enter a missing item where it was found missing, and what saves them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.commands import change_account
from counterfoil.accounts.queries import contacts_of, get_account, list_terms
from counterfoil.core.errors import NotFound, Problem, Refusal
from counterfoil.deals import commands
from counterfoil.deals.queries import Need
from counterfoil.deals.rules.readiness import REFERENCE
from counterfoil.plumbing.record_types import Field, Kind, record_type
from counterfoil.surface.forms import Form, Typed, record_form, values_from

ADDRESS = ("street", "street_2", "postcode", "city", "region", "country")
TAX_ID = ("country", "value")
SOMEBODY = (
    Field("contact", "Person", Kind.LINK, to="accounts.contact"),
    Field("name", "Name of somebody new"),
    Field("email", "E-mail", Kind.EMAIL),
)


@dataclass(frozen=True)
class FixForm:
    """How one missing item is entered: the form, and the words of the button that opens it."""

    form: Form
    opens: str


_OPENS = {
    "account": "Choose the account",
    "legal_name": "Enter the legal name",
    "invoice_address": "Enter the address",
    "billing_contact": "Add a billing contact",
    "terms": "Choose terms",
    "tax_profile": "Choose the tax profile",
    "tax_id": "Enter the tax id",
    "po_number": "Enter the PO number",
    "currency": "Choose the currency",
}


def form_for(request: Request, deal: Row, need: Need, on: date, refusal: Refusal | None = None) -> FixForm | None:
    """The form of a missing item that the actor may enter; ``None`` for the others."""
    if need.ok or not need.may_fix or need.code == "lines":
        return None
    fields = _fields(need)
    typed = values_from(request.POST, need.fix.record, prefix=need.code, fields=fields) if refusal else Typed()
    found = refusal.problems if refusal else ()
    problems = [Problem(one.field.rpartition(".")[2], one.code, one.message) for one in found]
    form = record_form(
        need.fix.record,
        fields=fields,
        values=_values(request, need),
        typed=typed,
        problems=problems,
        prefix=need.code,
        options=_options(request, need, on),
    )
    return FixForm(form, _OPENS.get(need.code, "Enter it"))


def _record(need: Need) -> UUID:
    assert need.fix.record_id is not None
    return need.fix.record_id


def _fields(need: Need) -> tuple[Field, ...]:
    account = record_type("accounts.account").by_id
    deal = record_type("deals.deal").by_id
    if need.code.startswith(REFERENCE):
        key = need.code.removeprefix(REFERENCE)
        return tuple(one for one in deal["reference_values"].definitions() if one.id == key)
    match need.code:
        case "account" | "po_number" | "currency":
            return (deal[need.fix.field],)
        case "legal_name" | "terms":
            return (account[need.fix.field],)
        case "invoice_address":
            rows = {item.id: item for item in account["addresses"].rows}
            return tuple(rows[name] for name in ADDRESS)
        case "tax_id":
            rows = {item.id: item for item in account["tax_identifiers"].rows}
            return tuple(rows[name] for name in TAX_ID)
        case "tax_profile":
            return (account["tax_profile"], account["tax_exemption_reason"])
        case "billing_contact":
            return SOMEBODY
    raise NotFound("This is not needed any more.")


def _values(request: Request, need: Need) -> Any:
    """What is there already, so that nobody types it again."""
    if need.code == "invoice_address":
        row = get_account(request.actor, _record(need))
        return next((one for one in row.addresses if one["kind"] == "invoice"), None) or next(iter(row.addresses), None)
    if need.code == "tax_profile":
        return get_account(request.actor, _record(need))
    return None


def _options(request: Request, need: Need, on: date) -> dict[str, list[tuple[Any, str]]]:
    if need.code == "terms":
        return {"terms": [(row.id, row.title) for row in list_terms(request.actor)]}
    if need.code == "billing_contact":
        people = contacts_of(request.actor, _record(need), on)
        return {"contact": [(one.contact, f"{one.name} {one.email}".strip()) for one in people]}
    return {}


def save(request: Request, deal: Row, need: Need, on: date) -> None:
    """Enter the item by the command of the record that it belongs to."""
    typed = values_from(request.POST, need.fix.record, prefix=need.code, fields=_fields(need))
    if need.code.startswith(REFERENCE):
        commands.change_deal(actor=request.actor, deal_id=deal.id, values={"reference_values": typed}, on=on)
        return
    match need.code:
        case "account" | "po_number" | "currency":
            commands.change_deal(actor=request.actor, deal_id=deal.id, values=typed, on=on)
        case "legal_name" | "terms" | "tax_profile":
            change_account(actor=request.actor, account_id=_record(need), values=typed, version=None)
        case "invoice_address" | "tax_id":
            _save_row(request, need, typed)
        case "billing_contact":
            commands.name_billing_contact(
                actor=request.actor,
                account_id=_record(need),
                contact_id=typed.get("contact") or None,
                values={name: typed[name] for name in ("name", "email") if typed.get(name)},
                on=on,
            )
        case _:
            raise NotFound("This is not needed any more.")


def _save_row(request: Request, need: Need, typed: Typed) -> None:
    """One row among those of the account, which are saved whole."""
    account = get_account(request.actor, _record(need))
    kept = [dict(one) for one in account[need.fix.field]]
    row: dict[str, Any] = dict(typed)
    if need.code == "invoice_address":
        before = next((one for one in kept if one["kind"] == "invoice"), {})
        kept = [one for one in kept if one["kind"] != "invoice"]
        row = {**before, **row, "kind": "invoice"}
    writable = {item.id for item in record_type("accounts.account").by_id[need.fix.field].rows if not item.computed}
    rows = [{name: value for name, value in one.items() if name in writable} for one in [*kept, row]]
    change_account(actor=request.actor, account_id=account.id, values={need.fix.field: rows}, version=account.version)
