"""What happens to accounts and contacts."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _AccountEvent(Event):
    see: ClassVar[str] = "accounts.see"
    topic: ClassVar[str] = "Account"
    icon: ClassVar[str] = "building-2"


class _ContactEvent(_AccountEvent):
    topic: ClassVar[str] = "Contacts"
    icon: ClassVar[str] = "user"


@event("accounts.account_added")
class AccountAdded(_AccountEvent):
    words: ClassVar[str] = "{name} added as an account"

    account_id: UUID
    name: str


@event("accounts.account_changed")
class AccountChanged(_AccountEvent):
    """``fields`` are the ids of the changed fields."""

    words: ClassVar[str] = "Account changed: {fields}"
    icon: ClassVar[str] = "pencil"

    account_id: UUID
    name: str
    fields: tuple[str, ...]


@event("accounts.contact_added")
class ContactAdded(_ContactEvent):
    words: ClassVar[str] = "{name} added as a contact"
    icon: ClassVar[str] = "user-plus"

    contact_id: UUID
    name: str


@event("accounts.contact_changed")
class ContactChanged(_ContactEvent):
    words: ClassVar[str] = "{name} changed: {fields}"
    icon: ClassVar[str] = "user-pen"

    contact_id: UUID
    account_ids: tuple[UUID, ...]
    name: str
    fields: tuple[str, ...]


@event("accounts.role_given")
class RoleGiven(_ContactEvent):
    words: ClassVar[str] = "{contact_name} is now {role_name} contact"
    icon: ClassVar[str] = "user-plus"

    account_id: UUID
    contact_id: UUID
    contact_name: str
    role: str
    role_name: str


@event("accounts.role_ended")
class RoleEnded(_ContactEvent):
    words: ClassVar[str] = "{contact_name} is no longer {role_name} contact"
    icon: ClassVar[str] = "user-minus"

    account_id: UUID
    contact_id: UUID
    contact_name: str
    role: str
    role_name: str


@event("accounts.leaver_replaced")
class LeaverReplaced(_ContactEvent):
    """All open roles of the leaver went to the successor."""

    words: ClassVar[str] = "{contact_name} left; {successor_name} took over"
    icon: ClassVar[str] = "arrow-right-left"

    contact_id: UUID
    successor_id: UUID
    account_ids: tuple[UUID, ...]
    contact_name: str
    successor_name: str


@event("accounts.contact_left")
class ContactLeft(_ContactEvent):
    """The person left and nobody took over the roles."""

    words: ClassVar[str] = "{contact_name} left"
    icon: ClassVar[str] = "user-minus"

    contact_id: UUID
    account_ids: tuple[UUID, ...]
    contact_name: str
