"""The document's file and its mail. The row of the invoice says what is due; a job only does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.activities.commands import finish_tasks, open_task, queue_mail
from counterfoil.activities.rules.orders import NewRecipient
from counterfoil.core.errors import Conflict, NotFound, Problem
from counterfoil.documents.commands import store_file
from counterfoil.invoicing import events
from counterfoil.invoicing.mailing import mail_of, recipients_of, sender_of
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.invoicing.rules.checks import CHANNELS
from counterfoil.plumbing.jobs import enqueue_many
from counterfoil.plumbing.outbox import emit

PDF = "application/pdf"
KEY = "invoicing.invoice"
# A second or two of work: so much is done again when a worker dies, and others can share a large run.
_IN_ONE_JOB = 20


@command("invoicing.store_pdf", needs="invoicing.issue")
def store_pdf(*, actor: Actor, invoice_id: UUID, content: bytes) -> UUID:
    """Keep the document's file, once and for good: a file that is there already is never replaced. Returns its id."""
    invoice = Invoice.objects.select_for_update().filter(id=invoice_id).first()
    if invoice is None:
        raise NotFound()
    if invoice.status != InvoiceStatus.ISSUED:
        raise Conflict("not_issued", "Only an issued document has a file.")
    if invoice.pdf_id is not None:
        return invoice.pdf_id
    file_id = store_file(
        actor=actor, content=content, name=f"{invoice.number}.pdf", media_type=PDF, see="invoicing.see"
    )
    Invoice.objects.filter(id=invoice_id, pdf=None).update(pdf=file_id)
    return file_id


def ask_to_deliver(invoice_ids: Sequence[UUID], *, together: int = _IN_ONE_JOB) -> None:
    """Ask for jobs that print documents and queue their mails, each of so many, part of the present transaction."""
    parts = [invoice_ids[start : start + together] for start in range(0, len(invoice_ids), together)]
    enqueue_many("invoicing.deliver", [{"invoice_ids": [str(one) for one in part]} for part in parts])


@command("invoicing.send_invoices", needs="invoicing.issue")
def send_invoices(*, actor: Actor, invoice_ids: Sequence[UUID], at: datetime) -> None:
    """Ask for the mail of issued documents, again if it was sent before. Each request makes one mail.

    Refused for documents that go another way, and for those that another system issued: there is no file of them.
    """
    wanted = set(invoice_ids)
    invoices = list(Invoice.objects.select_for_update().filter(id__in=wanted).order_by("id"))
    if len(invoices) < len(wanted):
        raise NotFound()
    problems = [problem for invoice in invoices if (problem := _not_sendable(invoice)) is not None]
    if problems:
        raise Conflict(problems[0].code, problems[0].message, problems[0].field, problems)
    Invoice.objects.filter(id__in=wanted).update(send_requested_at=at)
    ask_to_deliver([invoice.pk for invoice in invoices])


def _not_sendable(invoice: Invoice) -> Problem | None:
    field = str(invoice.pk)
    if invoice.status != InvoiceStatus.ISSUED:
        return Problem(field, "not_issued", "Only an issued document can be sent.")
    if invoice.origin == "imported":
        return Problem(field, "not_ours", f"{invoice.number} was issued by another system, which has its file.")
    if invoice.delivery_channel != "email":
        way = CHANNELS.get(invoice.delivery_channel, f"by {invoice.delivery_channel}")
        return Problem(field, "not_by_mail", f"The customer gets {invoice.number} {way}; there is no mail to send.")
    return None


@command("invoicing.deliver_invoices", needs="invoicing.issue")
def deliver_invoices(*, actor: Actor, invoice_ids: Sequence[UUID], on: date, at: datetime) -> None:
    """Queue the mail that was asked for, to the billing contacts of the account that it is sent to: one mail, To and
    Cc.

    Asking twice for the same request makes one mail. Documents without a file wait. For one that goes by post, and for
    one that nobody would receive, a task is opened instead, so that it does not end here unseen.
    """
    invoices = Invoice.objects.select_for_update(of=("self",)).filter(
        id__in=list(invoice_ids), status=InvoiceStatus.ISSUED, send_requested_at__isnull=False, pdf__isnull=False
    )
    due = list(invoices.select_related("terms").order_by("id"))
    facts = billing_facts([invoice.account_id for invoice in due], on)
    for invoice in due:
        if invoice.delivery_channel == "email":
            _mail(actor, invoice, facts[invoice.account_id], at)
        elif invoice.delivery_channel == "post":
            _post_by_hand(actor, invoice)


def mail_cause(invoice: Invoice) -> str:
    """What makes a mail of an invoice one and the same: the invoice and the moment it was asked for."""
    assert invoice.send_requested_at is not None
    return f"invoice:{invoice.pk}:{invoice.send_requested_at.isoformat()}"


def _mail(actor: Actor, invoice: Invoice, facts: BillingFacts, at: datetime) -> None:
    people = recipients_of(facts)
    nobody = f"unsent:{invoice.pk}"
    if not people:
        _open_task(
            actor,
            invoice,
            title=f"Nobody can receive {invoice.number}",
            detail="No billing contact has an address that works. Once there is one, the mail goes out by itself.",
            cause=nobody,
        )
        return
    text = mail_of(invoice, people)
    sender, reply_to = sender_of(invoice)
    queue_mail(
        actor=actor,
        cause=mail_cause(invoice),
        sender=sender,
        reply_to=reply_to,
        subject=text.subject,
        body=text.body,
        recipients=[NewRecipient(one.line, one.email, one.name, one.contact_id) for one in people],
        attachment_ids=[invoice.pdf_id] if invoice.pdf_id else [],
        record_key=KEY,
        record_id=invoice.pk,
        account_id=invoice.account_id,
        at=at,
    )
    finish_tasks(actor=actor, cause=nobody, outcome="The invoice was mailed.", at=at)


def _post_by_hand(actor: Actor, invoice: Invoice) -> None:
    _open_task(
        actor,
        invoice,
        title=f"Print {invoice.number} and post it",
        detail="This customer gets invoices by post.",
        cause=f"post:{invoice.pk}",
    )


def _open_task(actor: Actor, invoice: Invoice, *, title: str, detail: str, cause: str) -> None:
    open_task(
        actor=actor,
        kind="to_do",
        title=title,
        detail=detail,
        record_key=KEY,
        record_id=invoice.pk,
        record_title=invoice.number,
        account_id=invoice.account_id,
        amount=invoice.total,
        currency=invoice.currency,
        cause=cause,
    )


@command("invoicing.mark_sent", needs="invoicing.issue")
def mark_sent(*, actor: Actor, invoice_id: UUID) -> None:
    """Say on the timeline that the mail with this invoice was accepted. The state itself is the mail's."""
    invoice = Invoice.objects.filter(id=invoice_id).only("account_id", "deal_id", "number").first()
    if invoice is None:
        return
    emit(
        events.InvoiceSent(
            invoice_id=invoice.pk, account_id=invoice.account_id, deal_id=invoice.deal_id, number=invoice.number
        )
    )
