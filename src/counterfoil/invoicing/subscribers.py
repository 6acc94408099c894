"""What this room does about news from below."""

from __future__ import annotations

from counterfoil.access.actors import Actor
from counterfoil.activities.events import MailSent
from counterfoil.invoicing import commands
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber


@subscriber("invoicing.mail_of_invoice_sent", MailSent)
def mail_of_invoice_sent(happened: OutboxEvent) -> None:
    """The mail with an invoice was accepted: the invoice's own story says so."""
    if happened.payload["record_id"] and happened.payload["state"] == "sent":
        commands.mark_sent(actor=Actor.system(), invoice_id=happened.payload["record_id"])
