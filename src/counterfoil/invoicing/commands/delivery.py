"""The document's file and its mail. The row of the invoice says what is due; a job only does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import Recipient
from counterfoil.activities.commands import queue_mail
from counterfoil.activities.rules.orders import NewRecipient
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.documents.commands import store_file
from counterfoil.documents.mail_texts import invoice_mail
from counterfoil.invoicing import events
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.invoicing.printing import printed_invoice
from counterfoil.plumbing.jobs import enqueue
from counterfoil.plumbing.outbox import emit

PDF = "application/pdf"


@command("invoicing.store_pdf", needs="invoicing.issue")
def store_pdf(*, actor: Actor, invoice_id: UUID, content: bytes) -> UUID:
    """Keep the document's file, once and for good: a file that is there already is never replaced. Returns its id."""
    invoice = Invoice.objects.select_for_update().filter(id=invoice_id).first()
    if invoice is None:
        raise NotFound()
    if invoice.pdf_id is not None:
        return invoice.pdf_id
    file_id = store_file(
        actor=actor, content=content, name=f"{invoice.number}.pdf", media_type=PDF, see="invoicing.see"
    )
    Invoice.objects.filter(id=invoice_id, pdf=None).update(pdf=file_id)
    return file_id


@command("invoicing.send_invoices", needs="invoicing.issue")
def send_invoices(*, actor: Actor, invoice_ids: Sequence[UUID], at: datetime) -> None:
    """Ask for the mail of issued documents, again if it was sent before. Each request makes one mail."""
    invoices = list(Invoice.objects.select_for_update().filter(id__in=list(invoice_ids)).order_by("id"))
    if len(invoices) < len(set(invoice_ids)):
        raise NotFound()
    for invoice in invoices:
        if invoice.status != InvoiceStatus.ISSUED:
            raise Conflict("not_issued", "Only an issued document can be sent.", str(invoice.pk))
        if invoice.delivery_channel != "email":
            text = f"This customer gets invoices by {invoice.delivery_channel}; there is no mail to send."
            raise Refusal("not_by_mail", text, str(invoice.pk))
    Invoice.objects.filter(id__in=[invoice.pk for invoice in invoices]).update(send_requested_at=at)
    for invoice in invoices:
        enqueue("invoicing.deliver", invoice_id=invoice.pk)


def mail_cause(invoice: Invoice) -> str:
    """What makes a mail of an invoice one and the same: the invoice and the moment it was asked for."""
    assert invoice.send_requested_at is not None
    return f"invoice:{invoice.pk}:{invoice.send_requested_at.isoformat()}"


@command("invoicing.deliver_invoices", needs="invoicing.issue")
def deliver_invoices(*, actor: Actor, invoice_ids: Sequence[UUID], on: date, at: datetime) -> None:
    """Queue the mail that was asked for, to the billing contacts of the account it is sent to: one mail, To and Cc.

    Asking twice for the same request makes one mail. Documents without a file wait; those that go another way have
    none.
    """
    invoices = Invoice.objects.select_for_update(of=("self",)).filter(id__in=list(invoice_ids)).order_by("id")
    for invoice in invoices.select_related("terms", "entity"):
        if invoice.send_requested_at is None or invoice.pdf_id is None or invoice.delivery_channel != "email":
            continue
        people = [
            NewRecipient(person.line, person.email, person.name, person.contact_id)
            for person in _recipients(invoice, on)
        ]
        if not people:
            continue
        printed = printed_invoice(
            invoice, list(invoice.lines.order_by("position")), list(invoice.taxes.order_by("-percent")), on
        )
        first = people[0].name if len(people) == 1 else ""
        text = invoice_mail(printed, first)
        sender = (invoice.seller or {}).get("email") or "billing@localhost"
        queue_mail(
            actor=actor,
            cause=mail_cause(invoice),
            sender=f"{(invoice.seller or {}).get('legal_name', '')} <{sender}>",
            reply_to=sender,
            subject=text.subject,
            body=text.body,
            recipients=people,
            attachment_ids=[invoice.pdf_id],
            record_key="invoicing.invoice",
            record_id=invoice.pk,
            account_id=invoice.account_id,
            at=at,
        )


def _recipients(invoice: Invoice, on: date) -> list[Recipient]:
    """Billing contacts with an address that works; the same address stands once, To before Cc."""
    facts = billing_facts([invoice.account_id], on)[invoice.account_id]
    found: dict[str, Recipient] = {}
    for person in facts.deliverable:
        found.setdefault(person.email.lower(), person)
    return list(found.values())


@command("invoicing.mark_sent", needs="invoicing.issue")
def mark_sent(*, actor: Actor, invoice_id: UUID) -> None:
    """Say on the timeline that the mail with this invoice was accepted. The state itself is the mail's."""
    invoice = Invoice.objects.filter(id=invoice_id).first()
    if invoice is None:
        return
    emit(
        events.InvoiceSent(
            invoice_id=invoice.pk, account_id=invoice.account_id, deal_id=invoice.deal_id, number=invoice.number
        )
    )
