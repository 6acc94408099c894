"""The verbs of accounts and contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection
from django.db.models import F, Q
from django.db.models.functions import Lower
from stdnum.exceptions import ValidationError as BadNumber
from stdnum.util import get_cc_module

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts import events
from counterfoil.accounts.duplicates import find_duplicates
from counterfoil.accounts.models import (
    Account,
    AccountContact,
    Address,
    BillingDefaults,
    Contact,
    PaymentTerms,
    TaxIdentifier,
)
from counterfoil.accounts.queries import ancestors
from counterfoil.accounts.rules.inheritance import would_be_circle
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.core.text import normalised_code, normalised_name, sort_key
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import emit

_HIERARCHY_LOCK = 7_103_001
_LINKS = ("parent", "owner", "terms", "invoiced_account", "payer", "send_to")
_ROWS = ("addresses", "tax_identifiers")


@command("accounts.add_account", needs="accounts.change", takes={"values": Takes("accounts.account")})
def add_account(*, actor: Actor, values: Mapping[str, Any], on: date, accept_duplicates: bool = False) -> UUID:
    """Add a customer company. Likely duplicates are refused with their names unless they are accepted."""
    if not accept_duplicates:
        _refuse_duplicates(values)
    account = Account(id=new_id(), created_at=clock.now(), **_columns(values))
    _check(account)
    _normalise(account)
    _save_new(account)
    _replace_rows(account, values)
    emit(events.AccountAdded(account_id=account.pk, name=account.legal_name))
    return account.pk


@command("accounts.change_account", needs="accounts.change", takes={"values": Takes("accounts.account", partial=True)})
def change_account(*, actor: Actor, account_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change what is named in ``values``; rows of addresses and tax ids are replaced as a whole. Drafts read it anew."""
    if values.get("parent") is not None:
        _lock_hierarchy()
    account = _locked(account_id, version)
    before = {name: getattr(account, name) for name in _columns(values)}
    for name, value in _columns(values).items():
        setattr(account, name, value)
    _check(account)
    if account.parent_id is not None and "parent" in values:
        chain = ancestors([account.parent_id]).get(account.parent_id, [])
        if would_be_circle(account.pk, chain):
            raise Refusal("circle", "This account stands above the one you chose; that would be a circle.", "parent")
    _normalise(account)
    changed = [name.removesuffix("_id") for name, value in before.items() if getattr(account, name) != value]
    changed += [name for name in _ROWS if name in values]
    if not changed:
        return
    account.version += 1
    try:
        account.save()
    except IntegrityError as error:
        raise _taken(error) from None
    _replace_rows(account, values)
    emit(events.AccountChanged(account_id=account.pk, name=account.legal_name, fields=tuple(sorted(changed))))


@command("accounts.become_customers", needs="accounts.change")
def become_customers(*, actor: Actor, account_ids: Sequence[UUID]) -> None:
    """Leads and prospects that bought something are customers from now on."""
    Account.objects.filter(id__in=account_ids, status__in=["lead", "prospect"]).update(
        status="customer", version=F("version") + 1
    )


@command("accounts.add_contact", needs="accounts.change", takes={"values": Takes("accounts.contact")})
def add_contact(*, actor: Actor, values: Mapping[str, Any], on: date) -> UUID:
    """Add a person. Gives no role; see ``give_role``."""
    contact = Contact(id=new_id(), created_at=clock.now(), sort_key=sort_key(values["name"]), **values)
    contact.save(force_insert=True)
    emit(events.ContactAdded(contact_id=contact.pk, name=contact.name))
    return contact.pk


@command("accounts.change_contact", needs="accounts.change", takes={"values": Takes("accounts.contact", partial=True)})
def change_contact(*, actor: Actor, contact_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a person. A new e-mail address starts without a history of bounces."""
    contact = Contact.objects.select_for_update().filter(id=contact_id).first()
    if contact is None:
        raise NotFound()
    if version is not None and contact.version != version:
        raise Stale()
    changed = [name for name, value in values.items() if getattr(contact, name) != value]
    if not changed:
        return
    if "email" in changed and "email_state" not in values:
        contact.email_state = "unknown"
    for name in changed:
        setattr(contact, name, values[name])
    contact.sort_key = sort_key(contact.name)
    contact.version += 1
    contact.save()
    accounts = tuple(contact.account_roles.values_list("account_id", flat=True).distinct())
    emit(
        events.ContactChanged(
            contact_id=contact.pk, account_ids=accounts, name=contact.name, fields=tuple(sorted(changed))
        )
    )


@command("accounts.give_role", needs="accounts.change")
def give_role(*, actor: Actor, account_id: UUID, contact_id: UUID, role: str, mail_line: str = "to", on: date) -> UUID:
    """Give a person a role at an account from ``on``. Giving it again while it is held is refused."""
    if role not in dict(AccountContact._meta.get_field("role").choices or ()):
        raise Refusal("not_a_choice", "There is no such role.", "role")
    if mail_line not in ("to", "cc"):
        raise Refusal("not_a_choice", "A mail goes To or Cc.", "mail_line")
    account = Account.objects.select_for_update().filter(id=account_id).first()
    contact = Contact.objects.filter(id=contact_id).first()
    if account is None or contact is None:
        raise NotFound(field="account" if account is None else "contact")
    held = AccountContact.objects.filter(account=account, contact=contact, role=role)
    if held.filter(Q(valid_to=None) | Q(valid_to__gt=on)).exists():
        raise Conflict("role_held", f"{contact.name} has this role already.", "role")
    given = AccountContact.objects.create(
        account=account, contact=contact, role=role, mail_line=mail_line, valid_from=on
    )
    emit(events.RoleGiven(account_id=account.pk, contact_id=contact.pk, contact_name=contact.name, role=role))
    return given.pk


@command("accounts.end_role", needs="accounts.change")
def end_role(*, actor: Actor, role_id: UUID, on: date) -> None:
    """End a role before ``on``. It stays in the history."""
    role = AccountContact.objects.select_for_update().select_related("contact").filter(id=role_id).first()
    if role is None:
        raise NotFound()
    if role.valid_to is not None and role.valid_to <= on:
        raise Conflict("role_ended", "This role ended already.")
    role.valid_to = max(on, role.valid_from)
    role.version += 1
    role.save()
    emit(
        events.RoleEnded(
            account_id=role.account_id, contact_id=role.contact_id, contact_name=role.contact.name, role=role.role
        )
    )


@command("accounts.replace_leaver", needs="accounts.change")
def replace_leaver(*, actor: Actor, contact_id: UUID, successor_id: UUID, on: date) -> int:
    """The person leaves: all open roles end before ``on`` and go to the successor. Returns how many roles moved.

    A role that the successor holds already is only ended. Nothing of the past changes.
    """
    people = {
        person.pk: person for person in Contact.objects.select_for_update().filter(id__in=[contact_id, successor_id])
    }
    if contact_id == successor_id:
        raise Refusal("same_person", "Choose somebody else as the successor.", "successor")
    if len(people) < 2:
        raise NotFound(field="contact" if contact_id not in people else "successor")
    leaver, successor = people[contact_id], people[successor_id]
    if successor.left_on is not None:
        raise Refusal("successor_left", f"{successor.name} has left too.", "successor")
    still_open = Q(valid_to=None) | Q(valid_to__gt=on)
    open_roles = list(AccountContact.objects.select_for_update().filter(still_open, contact=leaver))
    held = set(AccountContact.objects.filter(still_open, contact=successor).values_list("account_id", "role"))
    taken = [
        AccountContact(account_id=role.account_id, contact=successor, role=role.role, mail_line=role.mail_line,
                       valid_from=on)
        for role in open_roles
        if (role.account_id, role.role) not in held
    ]  # fmt: skip
    for role in open_roles:
        role.valid_to = max(on, role.valid_from)
        role.version += 1
    AccountContact.objects.bulk_update(open_roles, ["valid_to", "version"])
    AccountContact.objects.bulk_create(taken)
    leaver.left_on = on
    leaver.version += 1
    leaver.save()
    emit(
        events.LeaverReplaced(
            contact_id=leaver.pk,
            successor_id=successor.pk,
            account_ids=tuple({role.account_id for role in open_roles}),
            contact_name=leaver.name,
            successor_name=successor.name,
        )
    )
    return len(taken)


@command("accounts.mark_email", needs="accounts.change")
def mark_email(*, actor: Actor, emails: Sequence[str], state: str) -> None:
    """Note of addresses whether mail arrives there: deliverable or bounced."""
    wanted = [address.lower() for address in emails]
    Contact.objects.annotate(address=Lower("email")).filter(address__in=wanted).exclude(email_state=state).update(
        email_state=state, version=F("version") + 1
    )


@command("accounts.add_terms", needs="settings.change", takes={"values": Takes("accounts.terms")})
def add_terms(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add payment terms that accounts may have."""
    terms = PaymentTerms(id=new_id(), created_at=clock.now(), **values)
    try:
        terms.save(force_insert=True)
    except IntegrityError as error:
        raise _taken(error) from None
    return terms.pk


@command("accounts.change_terms", needs="settings.change", takes={"values": Takes("accounts.terms", partial=True)})
def change_terms(*, actor: Actor, terms_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change payment terms. Issued invoices keep their due date."""
    terms = PaymentTerms.objects.select_for_update().filter(id=terms_id).first()
    if terms is None:
        raise NotFound()
    if version is not None and terms.version != version:
        raise Stale()
    for name, value in values.items():
        setattr(terms, name, value)
    terms.version += 1
    try:
        terms.save()
    except IntegrityError as error:
        raise _taken(error) from None


@command(
    "accounts.change_billing_defaults",
    needs="settings.change",
    takes={"values": Takes("accounts.defaults", partial=True)},
)
def change_billing_defaults(*, actor: Actor, values: Mapping[str, Any], version: int | None) -> None:
    """Change what holds where neither an account nor its parents say anything."""
    defaults = BillingDefaults.objects.select_for_update().first()
    if defaults is None:
        raise NotFound()
    if version is not None and defaults.version != version:
        raise Stale()
    for name, value in values.items():
        setattr(defaults, f"{name}_id" if name == "terms" else name, value)
    defaults.version += 1
    defaults.save()


@command("accounts.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor) -> None:
    """Give a new installation payment terms and billing defaults. Does nothing where they are."""
    if BillingDefaults.objects.exists():
        return
    usual = (
        ("immediately", "Due immediately", 0, False),
        ("net-14", "14 days net", 14, False),
        ("net-30", "30 days net", 30, False),
        ("net-60", "60 days net", 60, False),
        ("end-of-month-30", "30 days from end of month", 30, True),
    )
    PaymentTerms.objects.bulk_create(
        [
            PaymentTerms(key=key, name=name, days=days, from_end_of_month=from_end)
            for key, name, days, from_end in usual
        ],
        ignore_conflicts=True,
    )
    BillingDefaults.objects.create(terms=PaymentTerms.objects.get(key="net-14"))


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {(f"{name}_id" if name in _LINKS else name): value for name, value in values.items() if name not in _ROWS}


def _locked(account_id: UUID, version: int | None) -> Account:
    account = Account.objects.select_for_update().filter(id=account_id).first()
    if account is None:
        raise NotFound()
    if version is not None and account.version != version:
        raise Stale()
    return account


def _lock_hierarchy() -> None:
    """Two moves at once could each be fine and together a circle, so moves of parents wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_HIERARCHY_LOCK])


def _check(account: Account) -> None:
    if account.parent_id == account.pk:
        raise Refusal("circle", "An account cannot be its own parent.", "parent")
    if account.tax_profile == "exempt" and not account.tax_exemption_reason:
        raise Refusal("missing", "Say why this account is exempt; the reason is printed.", "tax_exemption_reason")


def _normalise(account: Account) -> None:
    account.normalised_name = normalised_name(account.legal_name)
    account.normalised_registration = normalised_code(account.registration_number)
    account.sort_key = sort_key(account.legal_name)
    domain = account.website.lower().split("//")[-1].removeprefix("www.").split("/")[0]
    account.mail_domain = domain[:200]


def _save_new(account: Account) -> None:
    try:
        account.save(force_insert=True)
    except IntegrityError as error:
        raise _taken(error) from None


def _taken(error: IntegrityError) -> Exception:
    """A unique value that somebody else has, as a refusal at its field; anything else is a bug and stays one."""
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
    for name, field in (("external_id", "external_id"), ("paymentterms_key", "key")):
        if name in constraint:
            return Conflict("taken", "Another record has this value already.", field)
    if "circle" in str(error):
        return Refusal("circle", "That would be a circle.", "parent")
    return error


def _replace_rows(account: Account, values: Mapping[str, Any]) -> None:
    if "addresses" in values:
        rows = values["addresses"]
        kinds = [row["kind"] for row in rows]
        for place, kind in enumerate(kinds):
            if kind in kinds[:place]:
                raise Refusal("twice", "There is one address of each kind.", f"addresses.{place}.kind")
        Address.objects.filter(account=account).exclude(kind__in=kinds).delete()
        Address.objects.bulk_create(
            [Address(account=account, **row) for row in rows],
            update_conflicts=True,
            unique_fields=["account", "kind"],
            update_fields=["attention", "street", "street_2", "postcode", "city", "region", "country"],
        )
    if "tax_identifiers" in values:
        fresh = [_tax_identifier(account, row) for row in values["tax_identifiers"]]
        wanted = {item.normalised: item for item in fresh}
        TaxIdentifier.objects.filter(account=account).exclude(normalised__in=wanted).delete()
        TaxIdentifier.objects.bulk_create(
            wanted.values(),
            update_conflicts=True,
            unique_fields=["account", "normalised"],
            update_fields=["country", "value", "is_format_valid"],
        )


def _tax_identifier(account: Account, row: Mapping[str, Any]) -> TaxIdentifier:
    value = row["value"]
    country = row.get("country") or ""
    return TaxIdentifier(
        account=account,
        country=country,
        value=value,
        normalised=normalised_code(value),
        is_format_valid=is_tax_id_well_formed(country, value),
    )


def is_tax_id_well_formed(country: str, value: str) -> bool | None:
    """Whether the number has the form and check digits of that country; ``None`` where no rule is known.

    A good form is no proof that the number exists.
    """
    module = get_cc_module(country.lower(), "vat") if country else None
    if module is None:
        return None
    try:
        module.validate(value)
    except BadNumber:
        return False
    return True


def _refuse_duplicates(values: Mapping[str, Any]) -> None:
    candidates = find_duplicates(values)
    if candidates:
        raise Conflict(
            "likely_duplicate",
            f"{candidates[0].title} is probably the same customer: {candidates[0].reasons[0]}.",
            "legal_name",
            [
                Problem("legal_name", "likely_duplicate", f"{item.title}: {', '.join(item.reasons)}")
                for item in candidates
            ],
        )
