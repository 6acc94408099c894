"""What mail servers say of an address is noted at the persons who have it."""

from __future__ import annotations

from counterfoil.access.actors import Actor
from counterfoil.accounts.commands import mark_email
from counterfoil.activities.events import MailFailed, MailSent
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber


@subscriber("accounts.mail_arrived", MailSent)
def mail_arrived(event: OutboxEvent) -> None:
    """A server took the mail. One that was only kept here says nothing."""
    if event.payload["state"] == "sent":
        mark_email(actor=Actor.system(), emails=event.payload["recipients"], state="deliverable")


@subscriber("accounts.mail_bounced", MailFailed)
def mail_bounced(event: OutboxEvent) -> None:
    """The server says that there is no such address. A server that is away says nothing of the address."""
    if event.payload["bad_addresses"]:
        mark_email(actor=Actor.system(), emails=event.payload["bad_addresses"], state="bounced")
