"""People with tasks and mail, and a mail server on this machine that answers as a test wants."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.test import override_settings

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.activities import commands
from counterfoil.activities.models import Mail
from counterfoil.plumbing.models import OutboxEvent

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system("Tests", origin="test")


def user(name: str, role: str) -> Actor:
    found, _ = User.objects.get_or_create(email=f"{name.lower()}@example.com", defaults={"name": name, "roles": [role]})
    return found.actor()


class Postbox:
    """Takes mail. ``refuse`` answers an address; ``answer`` the whole message; ``"drop"`` breaks the connection."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.refuse: dict[str, str] = {}
        self.answer = "250 taken"
        self.is_silent = False

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.taken.append(envelope)
        if self.is_silent and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]
        return self.answer

    @property
    def ids(self) -> list[str]:
        """The Message-IDs of what was taken."""
        headers = [(one.content or b"") for one in self.taken]
        texts = [raw.decode() if isinstance(raw, bytes) else raw for raw in headers]
        return [line[12:].strip() for text in texts for line in text.splitlines() if line.startswith("Message-ID: ")]


@contextmanager
def serving(postbox: Postbox) -> Iterator[str]:
    """A mail server for the length of a test; gives its EMAIL_URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    controller = Controller(postbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}?tls=no&timeout=5"
    finally:
        controller.stop()


@contextmanager
def mailing(url: str) -> Iterator[None]:
    """The product with another EMAIL_URL."""
    with override_settings(COUNTERFOIL=replace(settings.COUNTERFOIL, email_url=url)):
        yield


def queue(cause: str = "invoice:1", to: str = "ap@acme.example", cc: str = "", **more: Any) -> UUID:
    people = [commands.NewRecipient("to", to, "Åse Öberg")]
    people += [commands.NewRecipient("cc", cc, "")] if cc else []
    values: dict[str, Any] = {
        "cause": cause,
        "sender": "Counterfoil Works, Vienna <billing@works.example>",
        "subject": "Invoice 2026-0001",
        "body": "Dear Åse,\n.\nyour invoice.\n",
        "recipients": people,
        "at": AT,
        **more,
    }
    return commands.queue_mail(actor=SYSTEM, **values)


def state_of(mail_id: UUID) -> tuple[str, int, list[tuple[str, str]]]:
    """The mail's state, its tries, and the state of each recipient."""
    mail = Mail.objects.get(pk=mail_id)
    people = mail.recipients.order_by("created_at", "id").values_list("address", "state")
    return mail.state, mail.attempts, list(people)


def outcomes(mail_id: UUID) -> list[str]:
    return list(Mail.objects.get(pk=mail_id).tries.order_by("number").values_list("outcome", flat=True))


def events(prefix: str = "activities.") -> list[str]:
    rows = OutboxEvent.objects.filter(name__startswith=prefix).order_by("id").values_list("name", flat=True)
    return [name.partition(".")[2] for name in rows]
