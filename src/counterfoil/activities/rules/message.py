"""A mail as the message that a server takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One try to send a mail: what it says, who is named on it, and who still waits for it."""

    mail_id: UUID
    attempt: int
    message_id: str
    sender: str
    reply_to: str
    subject: str
    body: str
    to: tuple[tuple[str, str], ...]
    cc: tuple[tuple[str, str], ...]
    waiting: tuple[str, ...]
    attachment_ids: tuple[UUID, ...]
    written_at: datetime


@dataclass(frozen=True)
class Attachment:
    name: str
    media_type: str
    content: bytes


def one_line(text: str) -> str:
    """The text on one line: nothing in it can begin another header."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def address_of(text: str) -> tuple[str, str]:
    """Name and bare address of ``Name <address>`` or of an address alone. The name may hold any character."""
    plain = one_line(text)
    name, bracket, rest = plain.rpartition("<")
    if not bracket or not rest.endswith(">"):
        return "", plain
    return name.strip().strip('"'), rest[:-1].strip()


def message_of(envelope: Envelope, attachments: Sequence[Attachment]) -> EmailMessage:
    """The message with its headers, text and attachments. Every try makes the same one."""
    message = EmailMessage(policy=SMTPUTF8)
    message["From"] = _address(*address_of(envelope.sender))
    message["To"] = [_address(*person) for person in envelope.to]
    if envelope.cc:
        message["Cc"] = [_address(*person) for person in envelope.cc]
    if envelope.reply_to:
        message["Reply-To"] = _address(*address_of(envelope.reply_to))
    message["Subject"] = envelope.subject
    message["Date"] = format_datetime(envelope.written_at)
    message["Message-ID"] = envelope.message_id
    message.set_content(envelope.body)
    for part in attachments:
        main, _, sub = part.media_type.partition("/")
        message.add_attachment(part.content, maintype=main, subtype=sub or "octet-stream", filename=part.name)
    return message


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(one_line(name), local, domain)
