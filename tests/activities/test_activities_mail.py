"""Mail goes out once for each cause, is sent only after the server's 250, and is never lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest
from activities_world import (
    AT,
    SYSTEM,
    Postbox,
    events,
    mailing,
    outcomes,
    queue,
    serving,
    state_of,
    user,
)

from counterfoil.activities import commands, jobs, queries
from counterfoil.activities.models import Mail, MailAttempt
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.documents.commands import store_file
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.plumbing.models import OutboxEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    """A mail server that takes everything, to which the product sends."""
    box = Postbox()
    with serving(box) as url, mailing(url):
        yield box


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.stopped_at(AT):
        yield


def sent_at(moment: timedelta, mail_id: UUID) -> None:
    """Run the mail's job so much later."""
    with clock.stopped_at(AT + moment):
        jobs.send_mail(str(mail_id))


def test_one_mail_reaches_everybody_with_its_file(postbox: Postbox) -> None:
    """To and Cc get one message with text, attachment and a Message-ID of our own, and the mail is sent."""
    file_id = store_file(
        actor=SYSTEM, content=b"%PDF-1.7", name="Ünvoice 1.pdf", media_type="application/pdf", see="invoicing.see"
    )
    mail_id = queue(cc="boss@acme.example", attachment_ids=[file_id])
    run_waiting_jobs()
    assert state_of(mail_id) == ("sent", 1, [("ap@acme.example", "sent"), ("boss@acme.example", "sent")])
    assert outcomes(mail_id) == ["accepted"]
    (taken,) = postbox.taken
    assert taken.mail_from == "billing@works.example"
    assert taken.rcpt_tos == ["ap@acme.example", "boss@acme.example"]
    assert isinstance(taken.content, bytes)
    message = message_from_bytes(taken.content, policy=default)
    assert message["From"] == '"Counterfoil Works, Vienna" <billing@works.example>'
    assert message["To"] == "Åse Öberg <ap@acme.example>"
    assert message["Cc"] == "boss@acme.example"
    assert message["Message-ID"] == f"<{mail_id.hex}@works.example>"
    body, attachment = message.iter_parts() if message.is_multipart() else (message, None)
    assert body.get_content().replace("\r\n", "\n") == "Dear Åse,\n.\nyour invoice.\n"
    assert attachment is not None
    assert (attachment.get_filename(), attachment.get_content()) == ("Ünvoice 1.pdf", b"%PDF-1.7")
    assert events("activities.mail") == ["mail_sent"]


def test_one_cause_makes_one_mail(postbox: Postbox) -> None:
    """Asking again for the same cause answers the same mail, and running the job again sends nothing."""
    mail_id = queue()
    assert queue() == mail_id
    run_waiting_jobs()
    jobs.send_mail(str(mail_id))
    jobs.send_mail(str(mail_id))
    assert len(postbox.taken) == 1
    assert Mail.objects.get().attempts == 1


def test_without_a_server_mail_is_kept(postbox: Postbox) -> None:
    """Without EMAIL_URL nothing is sent and nothing is lost: the mail is kept, and sent once there is a server."""
    with mailing(""):
        mail_id = queue()
        run_waiting_jobs()
    assert state_of(mail_id) == ("kept", 1, [("ap@acme.example", "kept")])
    assert Mail.objects.get().sent_at is None
    assert OutboxEvent.objects.get(name="activities.mail_sent").payload["state"] == "kept"
    commands.retry_mail(actor=SYSTEM, mail_id=mail_id, at=AT)
    run_waiting_jobs()
    assert state_of(mail_id) == ("sent", 2, [("ap@acme.example", "sent")])
    assert len(postbox.taken) == 1


def test_nothing_is_sent_before_the_250(postbox: Postbox) -> None:
    """A server that puts the message off is tried again after a minute, and only its 250 makes the mail sent."""
    postbox.answer = "451 try later"
    mail_id = queue()
    run_waiting_jobs()
    assert state_of(mail_id) == ("queued", 1, [("ap@acme.example", "queued")])
    assert Mail.objects.get().sent_at is None
    assert events("activities.mail") == []
    postbox.answer = "250 taken"
    sent_at(timedelta(seconds=30), mail_id)
    assert Mail.objects.get().attempts == 1
    sent_at(timedelta(seconds=90), mail_id)
    assert state_of(mail_id) == ("sent", 2, [("ap@acme.example", "sent")])
    assert Mail.objects.get().sent_at == AT + timedelta(seconds=90)
    assert outcomes(mail_id) == ["delayed", "accepted"]


def test_the_sweep_finds_what_is_due(postbox: Postbox) -> None:
    """Mail whose time has come and that no job will send is asked for again; what is not due is left alone."""
    postbox.answer = "451 try later"
    mail_id = queue()
    run_waiting_jobs()
    with clock.stopped_at(AT + timedelta(seconds=40)):
        assert jobs.mail_due() == 0
    postbox.answer = "250 taken"
    with clock.stopped_at(AT + timedelta(minutes=2)):
        assert jobs.mail_due() == 1
        run_waiting_jobs()
    assert state_of(mail_id)[0] == "sent"


def test_a_server_that_is_down_for_days_loses_nothing() -> None:
    """With nobody listening the mail waits; after five days of tries it fails and says so, once."""
    with mailing("smtp://127.0.0.1:9?tls=no&timeout=1"):
        mail_id = queue()
        run_waiting_jobs()
        for hours in range(1, 119):
            sent_at(timedelta(hours=hours), mail_id)
        assert state_of(mail_id)[0] == "queued"
        assert events("activities.mail") == []
        for hours in range(119, 140):
            sent_at(timedelta(hours=hours), mail_id)
    assert state_of(mail_id)[0] == "failed"
    assert events("activities.mail") == ["mail_failed"]
    assert MailAttempt.objects.count() == Mail.objects.get().attempts < 40


def test_one_recipient_refused_the_other_accepted(postbox: Postbox) -> None:
    """The mail is sent to the one; the other has failed for good, is told apart and named as a bad address."""
    postbox.refuse["boss@acme.example"] = "550 5.1.1 no such user"
    mail_id = queue(cc="boss@acme.example")
    run_waiting_jobs()
    assert state_of(mail_id) == ("sent", 1, [("ap@acme.example", "sent"), ("boss@acme.example", "failed")])
    assert events("activities.mail") == ["mail_sent", "mail_failed"]
    failed = OutboxEvent.objects.get(name="activities.mail_failed").payload
    assert failed["recipients"] == failed["bad_addresses"] == ["boss@acme.example"]
    assert failed["answer"] == "550 5.1.1 no such user"
    sent_at(timedelta(days=1), mail_id)
    assert len(postbox.taken) == 1


def test_one_recipient_put_off_gets_it_later_alone(postbox: Postbox) -> None:
    """Greylisting of one address: the other has the mail once, the one gets it at the next try, under the same id."""
    postbox.refuse["boss@acme.example"] = "451 4.7.1 greylisted"
    mail_id = queue(cc="boss@acme.example")
    run_waiting_jobs()
    assert state_of(mail_id) == ("queued", 1, [("ap@acme.example", "sent"), ("boss@acme.example", "queued")])
    postbox.refuse.clear()
    sent_at(timedelta(minutes=2), mail_id)
    assert state_of(mail_id)[0] == "sent"
    assert [one.rcpt_tos for one in postbox.taken] == [["ap@acme.example"], ["boss@acme.example"]]
    assert len(set(postbox.ids)) == 1


def test_a_refused_message_says_nothing_against_the_address(postbox: Postbox) -> None:
    """A message that is refused as spam fails, but the address is not called bad."""
    postbox.answer = "554 5.7.1 looks like spam"
    mail_id = queue()
    run_waiting_jobs()
    assert state_of(mail_id)[0] == "failed"
    assert OutboxEvent.objects.get(name="activities.mail_failed").payload["bad_addresses"] == []


def test_a_silent_server_gets_it_once_more_and_no_third_time(postbox: Postbox) -> None:
    """A connection that breaks before the answer leaves the outcome open: one repeat, written down, then a person."""
    postbox.is_silent = True
    mail_id = queue()
    run_waiting_jobs()
    assert (state_of(mail_id)[0], outcomes(mail_id)) == ("queued", ["unknown"])
    for minutes in (2, 20, 60, 300):
        sent_at(timedelta(minutes=minutes), mail_id)
    assert (state_of(mail_id)[0], outcomes(mail_id)) == ("failed", ["unknown", "unknown"])
    assert len(postbox.taken) == 2
    assert len(set(postbox.ids)) == 1
    assert events("activities.mail") == ["mail_failed"]
    assert queries.get_mail(SYSTEM, mail_id).may_have_two_copies


def test_a_bad_email_url_puts_mail_off() -> None:
    """A setting that cannot be read loses no mail: it waits, and the reason stands on it."""
    with mailing("http://mail.example"):
        mail_id = queue()
        run_waiting_jobs()
    assert state_of(mail_id)[0] == "queued"
    assert Mail.objects.get().last_error == "EMAIL_URL must begin with smtp:// or smtps://."


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipients": []}, "recipients"),
        ({"recipients": [commands.NewRecipient("to", "nobody")]}, "recipients.0"),
        ({"recipients": [commands.NewRecipient("to", "a@b.example\r\nBcc: c@d.example")]}, "recipients.0"),
        ({"sender": "nobody"}, "sender"),
        ({"reply_to": "no one"}, "reply_to"),
    ],
)
def test_a_mail_that_cannot_go_is_refused(change: dict[str, object], field: str) -> None:
    """Nobody to go to, and addresses that are none, are refused at their place, and nothing is queued."""
    with pytest.raises(Refusal) as refused:
        queue(**change)  # type: ignore[arg-type]
    assert [one.field for one in refused.value.problems] == [field]
    assert not Mail.objects.exists()


def test_a_line_break_in_the_subject_begins_no_header(postbox: Postbox) -> None:
    """A customer's name with a line break cannot add a header."""
    queue(subject="Invoice\r\nBcc: spy@evil.example")
    run_waiting_jobs()
    (taken,) = postbox.taken
    assert isinstance(taken.content, bytes)
    message = message_from_bytes(taken.content, policy=default)
    assert message["Bcc"] is None
    assert message["Subject"] == "Invoice Bcc: spy@evil.example"


def test_the_same_address_gets_one_copy(postbox: Postbox) -> None:
    """An address on To and Cc, in another case, is one recipient."""
    mail_id = queue(cc="AP@ACME.example")
    assert state_of(mail_id)[2] == [("ap@acme.example", "queued")]


def test_only_those_who_see_mail_send_it_again(postbox: Postbox) -> None:
    """Sales, who may not see mail, is told that there is none; a mail that everybody has is not sent again."""
    mail_id = queue()
    with pytest.raises(NotFound):
        commands.retry_mail(actor=user("Sam", "sales"), mail_id=mail_id, at=AT)
    run_waiting_jobs()
    with pytest.raises(Conflict):
        commands.retry_mail(actor=user("Bea", "billing"), mail_id=mail_id, at=AT)
    assert queries.list_mail(user("Sam", "sales")).rows == []
    assert [row.subject for row in queries.list_mail(user("Bea", "billing")).rows] == ["Invoice 2026-0001"]


def test_a_set_of_mails_is_queued_once() -> None:
    """A hundred orders make a hundred mails, in their order; the same orders again make none."""
    orders = [
        commands.MailOrder(
            cause=f"c{number}",
            sender="a@works.example",
            subject="S",
            body="B",
            recipients=(commands.NewRecipient("to", "a@b.example"),),
        )
        for number in range(100)
    ]
    ids = commands.queue_mails(actor=SYSTEM, orders=orders, at=AT)
    assert len(set(ids)) == 100
    assert commands.queue_mails(actor=SYSTEM, orders=orders[:50], at=AT) == ids[:50]
    assert Mail.objects.count() == 100
