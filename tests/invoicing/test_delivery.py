"""An issued document is printed once and mailed once, and nothing about it ends unseen."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from issuing_world import AT, ON, SYSTEM, Issuing
from procrastinate.contrib.django.models import ProcrastinateJob
from pypdf import PdfReader

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.activities.models import Mail, Task
from counterfoil.core.errors import Conflict, NotFound
from counterfoil.documents.models import StoredFile
from counterfoil.invoicing import commands, jobs, queries
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.plumbing import clock, outbox
from counterfoil.plumbing.jobs import run_waiting_jobs

pytestmark = pytest.mark.django_db


def sent(world: Issuing, **values: object) -> UUID:
    """An invoice that was issued and asked to be sent, with all its jobs done."""
    account = world.account("Käufer & Söhne GmbH", email="", language="de", **values)
    world.contact(account, "Anna Alt", "anna@kaeufer.example")
    world.contact(account, "Carl Copy", "carl@kaeufer.example", line="cc")
    (invoice_id,) = world.issue(world.draft(account, po_number="PO-77"), send=True)
    with clock.stopped_at(AT):
        run_waiting_jobs()
    return invoice_id


def text_of(content: bytes) -> str:
    return " ".join("\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def test_the_file_says_what_the_record_says(world: Issuing) -> None:
    """The stored PDF bears number, party, line, tax and total in the account's language, and its hash is on the
    record.
    """
    invoice_id = sent(world)
    name, content = queries.document_file(world.bea, invoice_id)
    text = text_of(content)
    assert name == "INV-2026-00001.pdf"
    for words in ("INV-2026-00001", "Käufer & Söhne GmbH", "Work", "PO-77", "USt. 19 %", "238,00", "200,00", "38,00"):
        assert words in text
    row = queries.get_invoice(world.bea, invoice_id, ON)
    assert row.pdf_hash == hashlib.sha256(content).hexdigest()


def test_a_file_is_never_replaced(world: Issuing) -> None:
    """Printing again keeps the first file, byte for byte."""
    invoice_id = sent(world)
    _, before = queries.document_file(world.bea, invoice_id)
    kept = commands.store_pdf(actor=SYSTEM, invoice_id=invoice_id, content=b"%PDF-1.7 another")
    jobs.deliver([str(invoice_id)])
    assert kept == world.invoice(invoice_id).pdf_id
    assert queries.document_file(world.bea, invoice_id)[1] == before
    assert StoredFile.objects.count() == 1


def test_one_that_fails_holds_up_no_other(world: Issuing) -> None:
    """Of what a job is to deliver one fails: the others are printed and mailed, and the job fails and names it. Its
    next attempt does nothing twice.
    """
    first, last = world.issue(world.draft(), world.draft(), send=True)
    with clock.stopped_at(AT):
        for _ in range(2):
            with pytest.raises(ExceptionGroup, match="1 of 3 documents were not delivered") as failed:
                jobs.deliver([str(first), "broken", str(last)])
            assert [note for error in failed.value.exceptions for note in error.__notes__] == ["invoice broken"]
    assert [world.invoice(one).pdf_id is not None for one in (first, last)] == [True, True]
    assert sorted(Mail.objects.values_list("record_id", flat=True)) == sorted([first, last])


def test_a_draft_has_no_file(world: Issuing) -> None:
    """Only an issued document can be given a file, and a draft's file does not exist."""
    draft = world.draft()
    with pytest.raises(Conflict):
        commands.store_pdf(actor=SYSTEM, invoice_id=draft, content=b"%PDF")
    with pytest.raises(NotFound):
        queries.document_file(world.bea, draft)
    assert StoredFile.objects.count() == 0


def test_one_mail_to_and_cc(world: Issuing) -> None:
    """One mail goes to all billing contacts, To and Cc by role, in the account's language, with the file attached."""
    invoice_id = sent(world)
    mail = Mail.objects.get()
    people = [(one.line, one.name, one.address) for one in mail.recipients.order_by("line", "id")]
    assert people == [("cc", "Carl Copy", "carl@kaeufer.example"), ("to", "Anna Alt", "anna@kaeufer.example")]
    assert mail.sender == "Counterfoil Works GmbH <billing@works.example>"
    assert mail.subject == "Rechnung INV-2026-00001 von Counterfoil Works GmbH"
    assert "238,00" in mail.body
    assert "Anna Alt" in mail.body
    assert [file.pk for file in mail.attachments.all()] == [world.invoice(invoice_id).pdf_id]
    (shown,) = queries.get_invoice(world.bea, invoice_id, ON).mails
    assert [(one["line"], one["address"], one["state"]) for one in shown["recipients"]] == [
        ("to", "anna@kaeufer.example", "kept"),
        ("cc", "carl@kaeufer.example", "kept"),
    ]


def test_delivering_again_sends_nothing_more(world: Issuing) -> None:
    """A job that runs twice, or a sweep, makes no second mail; asking again makes exactly one more."""
    invoice_id = sent(world)
    with clock.stopped_at(AT):
        jobs.deliver([str(invoice_id)])
        jobs.deliver([str(invoice_id)])
    assert Mail.objects.count() == 1
    later = AT + timedelta(hours=1)
    commands.send_invoices(actor=world.bea, invoice_ids=[invoice_id], at=later)
    with clock.stopped_at(later):
        run_waiting_jobs()
        jobs.deliver([str(invoice_id)])
    assert Mail.objects.count() == 2


def test_issued_without_sending(world: Issuing) -> None:
    """Approving without sending prints the document and mails nothing."""
    (invoice_id,) = world.issue(world.draft())
    run_waiting_jobs()
    assert world.invoice(invoice_id).pdf_id is not None
    assert Mail.objects.count() == 0


def test_by_post(world: Issuing) -> None:
    """For a customer who gets invoices by post no mail is made: the check says so, and a task asks to post it."""
    account = world.account("Post AG", email="", delivery_channel="post")
    draft = world.draft(account)
    assert world.checks(draft) == {"first_invoice": "warning"}
    said = [check["message"] for check in world.invoice(draft).checks if check["code"] == "not_mailed"]
    assert said == ["The customer gets it by post: no mail is sent."]
    (invoice_id,) = world.issue(draft, send=True)
    run_waiting_jobs()
    assert Mail.objects.count() == 0
    assert Task.objects.get().title == "Print INV-2026-00001 and post it"
    with pytest.raises(Conflict) as refused:
        commands.send_invoices(actor=world.bea, invoice_ids=[invoice_id], at=AT)
    assert refused.value.code == "not_by_mail"


def test_nobody_left_to_receive_it(world: Issuing) -> None:
    """When the last contact's address bounces between issue and mail, a task says so; a new contact gets the mail."""
    (invoice_id,) = world.issue(world.draft(), send=True)
    accounts.mark_email(actor=SYSTEM, emails=["ap@acme.example"], state="bounced")
    with clock.stopped_at(AT):
        run_waiting_jobs()
    assert Mail.objects.count() == 0
    task = Task.objects.get(record_id=invoice_id)
    assert (task.title, task.done_at) == ("Nobody can receive INV-2026-00001", None)
    world.contact(world.acme, "Nina New", "nina@acme.example")
    with clock.stopped_at(AT):
        run_waiting_jobs()
    assert [one.address for one in Mail.objects.get().recipients.all()] == ["nina@acme.example"]
    task.refresh_from_db()
    assert task.outcome == "The invoice was mailed."


def test_the_sweep_finds_what_no_job_does(world: Issuing) -> None:
    """A document whose job was lost is printed and mailed by the sweep; one that has a job, or is done, is left
    alone.
    """
    (invoice_id,) = world.issue(world.draft(), send=True)
    with clock.stopped_at(AT + timedelta(minutes=5)):
        assert jobs.undelivered_invoices() == 0
        ProcrastinateJob.objects.all()._raw_delete("default")  # type: ignore[attr-defined]  # the queue was lost
        assert jobs.undelivered_invoices() == 1
        run_waiting_jobs()
        assert jobs.undelivered_invoices() == 0
    assert Mail.objects.count() == 1
    assert world.invoice(invoice_id).pdf_id is not None


def test_one_on_which_a_worker_dies_holds_up_no_other_for_good(world: Issuing) -> None:
    """A job of two was given up: the sweep asks for each by itself, and not again for one that is given up alone."""
    first, second = world.issue(world.draft(), world.draft(), send=True)
    with clock.stopped_at(AT + timedelta(minutes=5)):
        assert [one.args for one in ProcrastinateJob.objects.filter(task_name="invoicing.deliver")] == [
            {"invoice_ids": [str(first), str(second)]}
        ]
        give_up(2)
        assert jobs.undelivered_invoices() == 2
        assert jobs.undelivered_invoices() == 0
        give_up(1, str(first))
        run_waiting_jobs()
        assert jobs.undelivered_invoices() == 0
    assert [world.invoice(one).pdf_id is not None for one in (first, second)] == [False, True]


def give_up(together: int, *named: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed' WHERE task_name = 'invoicing.deliver' AND status = 'todo'"
            " AND jsonb_array_length(args -> 'invoice_ids') = %s AND args -> 'invoice_ids' @> %s::jsonb",
            [together, json.dumps(named)],
        )


def test_accepted_mail_is_on_the_timeline(world: Issuing) -> None:
    """The invoice says that it was sent when the server has accepted its mail, not before."""
    invoice_id = sent(world)
    assert "invoice_sent" not in world.events()
    _accept(invoice_id)
    run_waiting_jobs()
    assert world.events()[-1] == "invoice_sent"


def _accept(invoice_id: UUID) -> None:
    """What activities tells when the server answered 250."""
    from counterfoil.access.door import command
    from counterfoil.activities.events import MailSent

    @command("tests.accept_mail", needs="activities.change")
    def accept(*, actor: Actor) -> None:
        outbox.emit(
            MailSent(
                mail_id=Mail.objects.get().pk,
                record_key="invoicing.invoice",
                record_id=invoice_id,
                account_id=None,
                subject="",
                recipients=("anna@kaeufer.example",),
                state="sent",
            )
        )

    accept(actor=SYSTEM)


def test_taken_over_documents_are_not_printed(world: Issuing) -> None:
    """A document of another system has its file there: here it is neither printed nor sent."""
    order = TakeOver(
        account_id=world.acme,
        entity_id=world.entity,
        number="77",
        issued_on=ON,
        due_on=ON,
        total=Decimal(5),
        currency="EUR",
    )
    (invoice_id,) = commands.take_over_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)
    jobs.deliver([str(invoice_id)])
    with clock.stopped_at(AT + timedelta(hours=1)):
        assert jobs.undelivered_invoices() == 0
    assert StoredFile.objects.count() == 0
    with pytest.raises(Conflict) as refused:
        commands.send_invoices(actor=world.bea, invoice_ids=[invoice_id], at=AT)
    assert refused.value.code == "not_ours"


def test_previews_are_the_true_document(world: Issuing) -> None:
    """The preview of a draft shows what would be printed; unsaved values are shown and not kept."""
    draft = world.draft()
    (page,) = queries.preview(world.bea, draft, "svg", ON)
    assert page.lstrip().startswith(b"<svg")
    drawn = queries.preview_of_values(world.bea, draft, {"lines": [{"product": str(world.widget)}]}, AT)
    assert (str(drawn.net), str(drawn.tax), str(drawn.total)) == ("100.00 EUR", "19.00 EUR", "119.00 EUR")
    assert world.invoice(draft).total == Decimal(238)
