"""Sending mail, and finding mail that is due."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from counterfoil.access.actors import Actor
from counterfoil.activities import queries
from counterfoil.activities.commands import begin_attempt, record_outcome
from counterfoil.activities.rules.message import Attachment, Envelope, address_of, message_of
from counterfoil.documents.queries import file_content
from counterfoil.plumbing import clock, mail
from counterfoil.plumbing.jobs import enqueue, job, sweep
from counterfoil.plumbing.locks import held_alone

AT_ONCE = 500


@job("activities.send_mail", queue_name="mail")
def send_mail(mail_id: str) -> None:
    """Begin a try (committed), hand the mail to the server, write down what it said. Two workers never send one mail at
    once.

    When this process dies between the server's 250 and the last step, the next try finds the first one unended: it is
    written
    down as interrupted, and the mail goes out once more under the same Message-ID.
    """
    actor = Actor.system()
    with held_alone(f"mail:{mail_id}") as alone:
        if not alone:
            return
        envelope = begin_attempt(actor=actor, mail_id=UUID(mail_id), at=clock.now())
        if envelope is None:
            return
        answers = _hand_over(actor, envelope)
        record_outcome(actor=actor, mail_id=envelope.mail_id, attempt=envelope.attempt, answers=answers, at=clock.now())


def _hand_over(actor: Actor, envelope: Envelope) -> dict[str, mail.Delivery]:
    try:
        transport = mail.transport_from(settings.COUNTERFOIL.email_url)
    except mail.BadEmailUrl as error:
        return dict.fromkeys(envelope.waiting, mail.Delivery(mail.Outcome.TEMPORARY, None, str(error)))
    files = [file_content(actor, file_id) for file_id in envelope.attachment_ids]
    message = message_of(envelope, [Attachment(file.name, file.media_type, file.content) for file in files])
    return dict(mail.send(message, address_of(envelope.sender)[1], envelope.waiting, transport))


@sweep("activities.mail_due")
def mail_due() -> int:
    """Mail that waits and is due, or whose try was interrupted, and that no job will send."""
    due = queries.due_mail(at=clock.now(), limit=AT_ONCE)
    for mail_id in due:
        enqueue("activities.send_mail", once=f"mail:{mail_id}", mail_id=mail_id)
    return len(due)
