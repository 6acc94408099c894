"""What another room asks of this one: a task, a mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

RECIPIENTS_MAX = 50
"""One mail goes to so many addresses at most."""


@dataclass(frozen=True, kw_only=True)
class TaskOrder:
    """A task to open. With a ``cause`` there is at most one open task for it."""

    kind: str
    title: str
    detail: str = ""
    assignee_id: UUID | None = None
    due_on: date | None = None
    record_key: str = ""
    record_id: UUID | None = None
    record_title: str = ""
    account_id: UUID | None = None
    contact_id: UUID | None = None
    contact_name: str = ""
    amount: Decimal | None = None
    currency: str = ""
    cause: str = ""


@dataclass(frozen=True)
class NewRecipient:
    """One recipient. ``line`` is ``to`` or ``cc``."""

    line: str
    address: str
    name: str = ""
    contact_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class MailOrder:
    """A mail to send. ``cause`` says why, and one cause sends one mail."""

    cause: str
    sender: str
    subject: str
    body: str
    recipients: tuple[NewRecipient, ...]
    reply_to: str = ""
    attachment_ids: tuple[UUID, ...] = ()
    record_key: str = ""
    record_id: UUID | None = None
    account_id: UUID | None = None
