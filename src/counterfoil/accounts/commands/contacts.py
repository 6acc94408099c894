"""The verbs of contacts and their roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Lower

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts import events
from counterfoil.accounts.commands.saving import changed_columns, locked, save
from counterfoil.accounts.derived import derive_contact
from counterfoil.accounts.models import Account, AccountContact, Contact, ContactRole, EmailState, MailLine
from counterfoil.accounts.rules.spans import Span, free_spans
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import emit


@command("accounts.add_contact", needs="accounts.change", takes={"values": Takes("accounts.contact")})
def add_contact(*, actor: Actor, values: Mapping[str, Any], on: date, accept_duplicates: bool = True) -> UUID:
    """Add a person. Gives no role; see ``give_role``. Somebody with that e-mail address is refused unless accepted."""
    contact = Contact(id=new_id(), created_at=clock.now(), **values)
    if contact.email and not accept_duplicates:
        known = _with_email([contact.email]).order_by("created_at").first()
        if known is not None:
            raise Conflict("known_email", f"{known.name} has this e-mail address already.", "email")
    derive_contact(contact)
    save(contact, is_new=True)
    emit(events.ContactAdded(contact_id=contact.pk, name=contact.name))
    return contact.pk


@command("accounts.change_contact", needs="accounts.change", takes={"values": Takes("accounts.contact", partial=True)})
def change_contact(*, actor: Actor, contact_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a person. A new e-mail address starts without a history of bounces."""
    contact = locked(Contact, contact_id, version)
    changed = changed_columns(contact, values)
    if not changed:
        return
    if "email" in changed:
        contact.email_state = EmailState.UNKNOWN
    derive_contact(contact)
    save(contact)
    _tell_changed([contact], tuple(sorted(changed)))


@command("accounts.give_role", needs="accounts.change")
def give_role(*, actor: Actor, account_id: UUID, contact_id: UUID, role: str, mail_line: str = "to", on: date) -> UUID:
    """Give a person a role at an account from ``on``. Giving it again while it is held is refused."""
    if role not in ContactRole.values:
        raise Refusal("not_a_choice", "Role is one of: " + ", ".join(ContactRole.values) + ".", "role")
    if mail_line not in MailLine.values:
        raise Refusal("not_a_choice", "Mail goes To or Cc.", "mail_line")
    account = Account.objects.select_for_update(no_key=True).filter(id=account_id).first()
    if account is None:
        raise NotFound(field="account")
    contact = Contact.objects.select_for_update(no_key=True).filter(id=contact_id).first()
    if contact is None:
        raise NotFound(field="contact")
    if contact.left_on is not None:
        raise Conflict("contact_left", f"{contact.name} left on {contact.left_on.isoformat()}.", "contact")
    held = AccountContact.objects.filter(account=account, contact=contact, role=role)
    if held.filter(Q(valid_to=None) | Q(valid_to__gt=on)).exists():
        raise Conflict("role_held", f"{contact.name} has this role already.", "role")
    given = AccountContact.objects.create(
        account=account, contact=contact, role=role, mail_line=mail_line, valid_from=on
    )
    emit(
        events.RoleGiven(
            account_id=account.pk,
            contact_id=contact.pk,
            contact_name=contact.name,
            role=role,
            role_name=ContactRole(role).label.lower(),
        )
    )
    return given.pk


@command("accounts.give_roles", needs="accounts.change", takes={"values": Takes("accounts.contact")})
def give_roles(
    *,
    actor: Actor,
    account_id: UUID,
    contact_id: UUID | None,
    values: Mapping[str, Any] | None,
    roles: Sequence[str],
    mail_line: str = "to",
    on: date,
) -> UUID:
    """Give several roles at once: to the person of that id, or to somebody new with these values."""
    if not roles:
        raise Refusal("missing", "Choose one role at least.", "roles")
    if contact_id is None:
        if values is None:
            raise Refusal("missing", "Name a person.", "contact")
        contact_id = add_contact(actor=actor, values=values, on=on, accept_duplicates=False)
    for role in dict.fromkeys(roles):
        give_role(actor=actor, account_id=account_id, contact_id=contact_id, role=role, mail_line=mail_line, on=on)
    return contact_id


@command("accounts.change_role", needs="accounts.change")
def change_role(*, actor: Actor, role_id: UUID, mail_line: str, version: int | None) -> None:
    """Say whether the person's mail goes To or Cc."""
    if mail_line not in MailLine.values:
        raise Refusal("not_a_choice", "Mail goes To or Cc.", "mail_line")
    role = locked(AccountContact, role_id, version)
    if changed_columns(role, {"mail_line": mail_line}):
        save(role)


@command("accounts.end_role", needs="accounts.change")
def end_role(*, actor: Actor, role_id: UUID, on: date) -> None:
    """End a role before ``on``. It stays in the history."""
    role = locked(AccountContact, role_id, None)
    if role.valid_to is not None and role.valid_to <= on:
        raise Conflict("role_ended", "This role ended already.")
    role.valid_to = max(on, role.valid_from)
    save(role)
    emit(
        events.RoleEnded(
            account_id=role.account_id,
            contact_id=role.contact_id,
            contact_name=role.contact.name,
            role=role.role,
            role_name=ContactRole(role.role).label.lower(),
        )
    )


@command("accounts.replace_leaver", needs="accounts.change")
def replace_leaver(*, actor: Actor, contact_id: UUID, successor_id: UUID | None, on: date) -> int:
    """The person leaves: all open roles end before ``on`` and go to the successor, if there is one.

    Returns how many roles ended. A role that the successor holds already is only ended. Nothing of the past changes.
    """
    if contact_id == successor_id:
        raise Refusal("same_person", "Choose somebody else as the successor.", "successor")
    wanted = [contact_id] if successor_id is None else [contact_id, successor_id]
    people = Contact.objects.select_for_update().filter(id__in=wanted).order_by("id").in_bulk()
    for person_id in wanted:
        if person_id not in people:
            raise NotFound(field="contact" if person_id == contact_id else "successor")
    leaver, successor = people[contact_id], people.get(successor_id) if successor_id else None
    if leaver.left_on is not None:
        raise Conflict("already_left", f"{leaver.name} left on {leaver.left_on.isoformat()}.")
    if successor is not None and successor.left_on is not None:
        raise Refusal("successor_left", f"{successor.name} has left too.", "successor")
    roles = list(
        AccountContact.objects.select_for_update()
        .filter(Q(valid_to=None) | Q(valid_to__gt=on), contact=leaver)
        .order_by("id")
    )
    taken_over = _taken_over(roles, successor, on) if successor is not None else []
    for role in roles:
        role.valid_to = max(on, role.valid_from)
        role.version += 1
    AccountContact.objects.bulk_update(roles, ["valid_to", "version"])
    AccountContact.objects.bulk_create(taken_over)
    leaver.left_on = on
    save(leaver)
    account_ids = tuple(dict.fromkeys(role.account_id for role in roles))
    if successor is None:
        emit(events.ContactLeft(contact_id=leaver.pk, account_ids=account_ids, contact_name=leaver.name))
    else:
        emit(
            events.LeaverReplaced(
                contact_id=leaver.pk,
                successor_id=successor.pk,
                account_ids=account_ids,
                contact_name=leaver.name,
                successor_name=successor.name,
            )
        )
    return len(roles)


def _taken_over(roles: Sequence[AccountContact], successor: Contact, on: date) -> list[AccountContact]:
    """The leaver's roles from ``on``, for the successor, but for the days on which the successor has them anyway."""
    held: dict[tuple[UUID, str], list[Span]] = {}
    for own in AccountContact.objects.filter(contact=successor, account__in={role.account_id for role in roles}):
        held.setdefault((own.account_id, own.role), []).append((own.valid_from, own.valid_to))
    taken: list[AccountContact] = []
    for role in roles:
        wanted = (max(on, role.valid_from), role.valid_to)
        for start, end in free_spans(wanted, held.get((role.account_id, role.role), ())):
            taken.append(
                AccountContact(
                    account_id=role.account_id,
                    contact=successor,
                    role=role.role,
                    mail_line=role.mail_line,
                    valid_from=start,
                    valid_to=end,
                )
            )
            held.setdefault((role.account_id, role.role), []).append((start, end))
    return taken


@command("accounts.reinstate_contact", needs="accounts.change")
def reinstate_contact(*, actor: Actor, contact_id: UUID, version: int | None) -> None:
    """The person is back. Gives no role: those went to somebody else."""
    contact = locked(Contact, contact_id, version)
    if contact.left_on is None:
        return
    contact.left_on = None
    save(contact)
    _tell_changed([contact], ("left_on",))


@command("accounts.mark_email", needs="accounts.change")
def mark_email(*, actor: Actor, emails: Sequence[str], state: str) -> None:
    """Note of addresses whether mail arrives there: deliverable or bounced."""
    if state not in EmailState.values:
        raise Refusal("not_a_choice", "There is no such state of an address.", "state")
    contacts = list(_with_email(emails).exclude(email_state=state).select_for_update().order_by("id"))
    Contact.objects.filter(id__in=[contact.pk for contact in contacts]).update(
        email_state=state, version=F("version") + 1
    )
    if state == EmailState.BOUNCED:
        _tell_changed(contacts, ("email_state",))


def _with_email(emails: Sequence[str]) -> Any:
    """Persons with any of the addresses, however they are capitalised."""
    wanted = [address.strip().lower() for address in emails if address.strip()]
    return Contact.objects.annotate(address=Lower("email")).filter(address__in=wanted)


def _tell_changed(contacts: Sequence[Contact], fields: tuple[str, ...]) -> None:
    accounts: dict[UUID, list[UUID]] = {}
    for contact_id, account_id in (
        AccountContact.objects.filter(contact__in=contacts).order_by("id").values_list("contact_id", "account_id")
    ):
        accounts.setdefault(contact_id, []).append(account_id)
    for contact in contacts:
        account_ids = tuple(dict.fromkeys(accounts.get(contact.pk, ())))
        emit(events.ContactChanged(contact_id=contact.pk, account_ids=account_ids, name=contact.name, fields=fields))
