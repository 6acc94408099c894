"""What this room does about news from below."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts import events as accounts
from counterfoil.activities.events import MailSent
from counterfoil.invoicing import commands, queries
from counterfoil.ledger.days import today_of
from counterfoil.ledger.events import EntityAdded, EntityChanged
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber


@subscriber("invoicing.mail_of_invoice_sent", MailSent)
def mail_of_invoice_sent(happened: OutboxEvent) -> None:
    """The mail with an invoice was accepted: the invoice's own story says so."""
    if happened.payload["record_key"] == "invoicing.invoice" and happened.payload["state"] == "sent":
        commands.mark_sent(actor=Actor.system(), invoice_id=UUID(happened.payload["record_id"]))


@subscriber(
    "invoicing.account_of_draft_changed",
    accounts.AccountChanged,
    accounts.ContactChanged,
    accounts.RoleGiven,
    accounts.RoleEnded,
    accounts.LeaverReplaced,
)
def account_of_draft_changed(happened: OutboxEvent) -> None:
    """A draft says what its account says: it is worked out anew. Mail that nobody could receive is tried again."""
    payload = happened.payload
    ids = [payload["account_id"]] if payload.get("account_id") else payload.get("account_ids", [])
    commands.recheck_drafts(actor=Actor.system(), account_ids=[UUID(text) for text in ids], on=today_of(None))
    commands.ask_to_deliver(queries.unsent_for_want_of_recipients())


@subscriber("invoicing.company_needs_series", EntityAdded, EntityChanged)
def company_needs_series(happened: OutboxEvent) -> None:
    """A company that issues invoices has number series and the tax rates of its country."""
    if happened.name == EntityAdded.event_name or "country" in happened.payload["fields"]:
        commands.install_defaults(actor=Actor.system())
