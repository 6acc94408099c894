"""What happens to drafts and invoices. Amounts are decimal strings with their currency beside them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _InvoiceEvent(Event):
    see: ClassVar[str] = "invoicing.see"
    topic: ClassVar[str] = "Invoices"
    icon: ClassVar[str] = "receipt"


class _DraftEvent(_InvoiceEvent):
    icon: ClassVar[str] = "file-pen"


@event("invoicing.draft_made")
class DraftMade(_DraftEvent):
    """``deal_id`` is set when the draft comes from a won deal."""

    words: ClassVar[str] = "Draft made, {total} {currency}"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    total: Decimal
    currency: str


@event("invoicing.draft_changed")
class DraftChanged(_DraftEvent):
    """``fields`` are the ids of the fields that a person changed."""

    words: ClassVar[str] = "Draft changed: {fields}"

    invoice_id: UUID
    account_id: UUID
    fields: tuple[str, ...]


@event("invoicing.draft_returned")
class DraftReturned(_DraftEvent):
    words: ClassVar[str] = "Draft returned to sales"
    detail: ClassVar[str] = "{reason}"
    icon: ClassVar[str] = "undo-2"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    reason: str


@event("invoicing.draft_discarded")
class DraftDiscarded(_DraftEvent):
    words: ClassVar[str] = "Draft discarded"
    icon: ClassVar[str] = "trash-2"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None


@event("invoicing.invoice_issued")
class InvoiceIssued(_InvoiceEvent):
    words: ClassVar[str] = "{number} issued, {total} {currency}, due {due_on}"

    invoice_id: UUID
    account_id: UUID
    payer_id: UUID
    deal_id: UUID | None
    number: str
    total: Decimal
    currency: str
    due_on: date


@event("invoicing.invoice_sent")
class InvoiceSent(_InvoiceEvent):
    """The mail with the invoice was accepted by the mail server for at least one recipient."""

    words: ClassVar[str] = "{number} sent"
    icon: ClassVar[str] = "send"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str


@event("invoicing.invoice_settled")
class InvoiceSettled(_InvoiceEvent):
    """What the invoice owes became less. ``open`` is what remains; zero means paid."""

    words: ClassVar[str] = "{number} settled by {amount} {currency}, {open} {currency} open"
    icon: ClassVar[str] = "check"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    amount: Decimal
    open: Decimal
    currency: str


@event("invoicing.invoice_reopened")
class InvoiceReopened(_InvoiceEvent):
    """Money that had settled the invoice was taken back."""

    words: ClassVar[str] = "{number} owes {amount} {currency} again, {open} {currency} open"
    icon: ClassVar[str] = "rotate-ccw"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    amount: Decimal
    open: Decimal
    currency: str


@event("invoicing.credit_note_issued")
class CreditNoteIssued(_InvoiceEvent):
    """``invoice_id`` is the credit note, ``invoice_ids`` what it credits. ``open`` is what no invoice owed any more."""

    words: ClassVar[str] = "{number} issued, {total} {currency}"
    icon: ClassVar[str] = "undo-2"

    invoice_id: UUID
    account_id: UUID
    payer_id: UUID
    number: str
    total: Decimal
    open: Decimal
    currency: str
    issued_on: date
    invoice_ids: tuple[UUID, ...]


@event("invoicing.invoice_credited")
class InvoiceCredited(_InvoiceEvent):
    """A credit note took something back of the invoice. ``open`` is what the invoice still owes."""

    words: ClassVar[str] = "{number} credited by {amount} {currency} with {credit_note}, {open} {currency} open"
    icon: ClassVar[str] = "undo-2"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    credit_note: str
    amount: Decimal
    open: Decimal
    currency: str


@event("invoicing.invoice_disputed")
class InvoiceDisputed(_InvoiceEvent):
    """The customer disputes the invoice, or (``disputed`` is false) no longer does. ``state`` says it for people."""

    words: ClassVar[str] = "{number} {state}"
    detail: ClassVar[str] = "{note}"
    icon: ClassVar[str] = "message-circle-warning"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    disputed: bool
    state: str
    note: str


@event("invoicing.invoice_voided")
class InvoiceVoided(_InvoiceEvent):
    words: ClassVar[str] = "{number} made void"
    detail: ClassVar[str] = "{reason}"
    icon: ClassVar[str] = "ban"

    invoice_id: UUID
    account_id: UUID
    deal_id: UUID | None
    number: str
    reason: str


@event("invoicing.invoice_taken_over")
class InvoiceTakenOver(_InvoiceEvent):
    """A document that another system had issued was recorded."""

    words: ClassVar[str] = "{number} taken over, {total} {currency}, due {due_on}"

    invoice_id: UUID
    account_id: UUID
    number: str
    total: Decimal
    currency: str
    due_on: date
