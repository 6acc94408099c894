"""What happens to accounts and contacts."""

from __future__ import annotations

from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("accounts.account_added")
class AccountAdded(Event):
    account_id: UUID
    name: str


@event("accounts.account_changed")
class AccountChanged(Event):
    """``fields`` are the ids of the changed fields."""

    account_id: UUID
    name: str
    fields: tuple[str, ...]


@event("accounts.contact_added")
class ContactAdded(Event):
    contact_id: UUID
    name: str


@event("accounts.contact_changed")
class ContactChanged(Event):
    contact_id: UUID
    account_ids: tuple[UUID, ...]
    name: str
    fields: tuple[str, ...]


@event("accounts.role_given")
class RoleGiven(Event):
    account_id: UUID
    contact_id: UUID
    contact_name: str
    role: str


@event("accounts.role_ended")
class RoleEnded(Event):
    account_id: UUID
    contact_id: UUID
    contact_name: str
    role: str


@event("accounts.leaver_replaced")
class LeaverReplaced(Event):
    contact_id: UUID
    successor_id: UUID
    account_ids: tuple[UUID, ...]
    contact_name: str
    successor_name: str
