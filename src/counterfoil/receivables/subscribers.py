"""What this room does about news from below."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.activities.events import MailFailed
from counterfoil.invoicing.events import InvoiceCredited, InvoiceSettled
from counterfoil.ledger.queries import default_zone
from counterfoil.plumbing import clock
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber
from counterfoil.receivables import commands


@subscriber("receivables.invoice_paid", InvoiceSettled, InvoiceCredited)
def invoice_paid(happened: OutboxEvent) -> None:
    """An invoice on which nothing is open any more needs no follow-up."""
    if Decimal(happened.payload["open"]) == 0:
        commands.close_paid_cases(actor=Actor.system(), invoice_id=UUID(happened.payload["invoice_id"]), at=clock.now())


@subscriber("receivables.mail_failed", MailFailed)
def mail_failed(happened: OutboxEvent) -> None:
    """A mail that did not arrive is a person's matter."""
    told = happened.payload
    commands.take_over_undelivered_mail(
        actor=Actor.system(),
        mail_id=UUID(told["mail_id"]),
        record_key=told["record_key"],
        record_id=UUID(told["record_id"]) if told["record_id"] else None,
        account_id=UUID(told["account_id"]) if told["account_id"] else None,
        subject=told["subject"],
        recipients=told["recipients"],
        bad_addresses=told["bad_addresses"],
        answer=told["answer"],
        on=clock.today(default_zone()),
    )
