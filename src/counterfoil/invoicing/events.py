"""What happens to drafts and invoices. Amounts are decimal strings with their currency beside them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("invoicing.draft_made")
class DraftMade(Event):
    """``deal_id`` is set when the draft comes from a won deal."""

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    total: Decimal
    currency: str


@event("invoicing.draft_changed")
class DraftChanged(Event):
    invoice_id: UUID
    account_id: UUID
    fields: tuple[str, ...]


@event("invoicing.draft_returned")
class DraftReturned(Event):
    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    reason: str


@event("invoicing.draft_discarded")
class DraftDiscarded(Event):
    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None


@event("invoicing.invoice_issued")
class InvoiceIssued(Event):
    invoice_id: UUID
    account_id: UUID
    payer_id: UUID
    deal_id: UUID | None
    number: str
    total: Decimal
    currency: str
    due_on: date


@event("invoicing.invoice_sent")
class InvoiceSent(Event):
    """The mail with the invoice was accepted by the mail server for at least one recipient."""

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str


@event("invoicing.invoice_settled")
class InvoiceSettled(Event):
    """What the invoice owes became less. ``open`` is what remains; zero means paid."""

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    amount: Decimal
    open: Decimal
    currency: str


@event("invoicing.invoice_reopened")
class InvoiceReopened(Event):
    """Money that had settled the invoice was taken back."""

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    amount: Decimal
    open: Decimal
    currency: str


@event("invoicing.invoice_disputed")
class InvoiceDisputed(Event):
    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    disputed: bool
    note: str


@event("invoicing.invoice_voided")
class InvoiceVoided(Event):
    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    reason: str


@event("invoicing.invoice_taken_over")
class InvoiceTakenOver(Event):
    """A document that another system had issued was recorded."""

    invoice_id: UUID
    account_id: UUID
    number: str
    total: Decimal
    currency: str
    due_on: date
