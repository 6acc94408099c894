"""Queueing mail, and writing down each try to send it. The network is asked between two of these verbs, never within
one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.activities import events
from counterfoil.activities.models import AttemptOutcome, Mail, MailAttempt, MailRecipient, MailState
from counterfoil.activities.rules.message import Envelope, address_of, one_line
from counterfoil.activities.rules.orders import RECIPIENTS_MAX, MailOrder, NewRecipient
from counterfoil.activities.rules.sending import is_bad_address, is_exhausted, next_attempt_at
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.plumbing.jobs import enqueue, enqueue_many
from counterfoil.plumbing.mail import Delivery, Outcome
from counterfoil.plumbing.outbox import emit

PENDING = (MailState.QUEUED, MailState.SENDING)
INTERRUPTED = "The product was stopped before the server's answer was noted; a second copy may be sent."
STILL_UNKNOWN = "Nobody knows whether the mail arrived. Ask the recipient before you send it again."


@command("activities.queue_mails", needs="activities.change")
def queue_mails(*, actor: Actor, orders: Sequence[MailOrder], at: datetime) -> list[UUID]:
    """Queue mails to be sent soon, and answer their ids in the same order. One cause makes one mail, however often
    asked.
    """
    check_mails(orders)
    rows = {order.cause: _mail(order, at) for order in orders}
    # A mail of the same cause that somebody else is queueing in this moment is waited for, and then found below.
    Mail.objects.bulk_create(rows.values(), ignore_conflicts=True, batch_size=500)
    there = dict(Mail.objects.filter(cause__in=rows).values_list("cause", "id"))
    new = {order.cause: order for order in orders if there[order.cause] == rows[order.cause].pk}
    MailRecipient.objects.bulk_create(
        (
            MailRecipient(
                mail_id=there[order.cause],
                created_at=at,
                line=person.line,
                address=person.address,
                name=one_line(person.name)[:200],
                contact_id=person.contact_id,
            )
            for order in new.values()
            for person in _each_address_once(order.recipients)
        ),
        batch_size=1000,
    )
    attached = Mail.attachments.through
    attached.objects.bulk_create(
        (
            attached(mail_id=there[order.cause], storedfile_id=file_id)
            for order in new.values()
            for file_id in dict.fromkeys(order.attachment_ids)
        ),
        batch_size=1000,
    )
    enqueue_many("activities.send_mail", [{"mail_id": there[cause]} for cause in new])
    return [there[order.cause] for order in orders]


def check_mails(orders: Sequence[MailOrder]) -> None:
    """Refuse what ``queue_mails`` would, for one who has mails that do not depend on each other."""
    problems: list[Problem] = []
    for number, order in enumerate(orders):
        problems += _problems(order, f"{number}." if len(orders) > 1 else "")
    if problems:
        raise Refusal.of(problems)


@command("activities.queue_mail", needs="activities.change")
def queue_mail(
    *,
    actor: Actor,
    cause: str,
    sender: str,
    subject: str,
    body: str,
    recipients: Sequence[NewRecipient | tuple[str, str, str, UUID | None]],
    at: datetime,
    reply_to: str = "",
    attachment_ids: Sequence[UUID] = (),
    record_key: str = "",
    record_id: UUID | None = None,
    account_id: UUID | None = None,
) -> UUID:
    """Queue one mail. ``sender`` may be a bare address or ``Name <address>``."""
    order = MailOrder(
        cause=cause,
        sender=sender,
        reply_to=reply_to,
        subject=subject,
        body=body,
        recipients=tuple(
            person if isinstance(person, NewRecipient) else NewRecipient(*person) for person in recipients
        ),
        attachment_ids=tuple(attachment_ids),
        record_key=record_key,
        record_id=record_id,
        account_id=account_id,
    )
    return queue_mails(actor=actor, orders=[order], at=at)[0]


@command("activities.retry_mail", needs="activities.change")
def retry_mail(*, actor: Actor, mail_id: UUID, at: datetime) -> None:
    """Send a mail that failed, waits or was kept, now: to those recipients who do not have it. Its text does not
    change.
    """
    mail = _locked(mail_id)
    if mail is None or not actor.may("mail.see"):
        raise NotFound()
    people = list(mail.recipients.all())
    again = [person for person in people if person.state != MailState.SENT]
    if mail.state == MailState.SENDING:
        raise Conflict("being_sent", "This mail is being sent at this moment.")
    if not again:
        raise Conflict("already_sent", "Everybody has this mail already.")
    for person in again:
        person.state = MailState.QUEUED
        person.version += 1
    MailRecipient.objects.bulk_update(again, ["state", "version"])
    mail.state, mail.next_attempt_at, mail.tried_since = MailState.QUEUED, None, None
    mail.version += 1
    mail.save()
    enqueue("activities.send_mail", once=f"mail:{mail.pk}", mail_id=mail.pk)


@command("activities.begin_attempt", needs="activities.change")
def begin_attempt(*, actor: Actor, mail_id: UUID, at: datetime) -> Envelope | None:
    """Write down that a mail is about to be handed to the server, and answer what to hand over; ``None`` if nothing is
    due.

    The caller alone is sending this mail: a try that was begun and never ended was interrupted, and that is written
    down.
    """
    mail = _locked(mail_id)
    if mail is None or mail.state not in PENDING or (mail.next_attempt_at is not None and mail.next_attempt_at > at):
        return None
    interrupted = mail.tries.filter(ended_at=None).first()
    if interrupted is not None:
        _end(interrupted, AttemptOutcome.INTERRUPTED, INTERRUPTED, at)
    people = list(mail.recipients.order_by("created_at", "id"))
    waiting = [person for person in people if person.state in PENDING]
    mail.tried_since = mail.tried_since or at
    if interrupted is not None and _is_exhausted(mail):
        _give_up(mail, people, waiting, STILL_UNKNOWN)
        return None
    mail.attempts += 1
    mail.state, mail.next_attempt_at = MailState.SENDING, None
    mail.version += 1
    mail.save()
    MailAttempt.objects.create(id=new_id(), mail=mail, number=mail.attempts, began_at=at)
    return Envelope(
        mail_id=mail.pk,
        attempt=mail.attempts,
        message_id=mail.message_id,
        sender=mail.sender,
        reply_to=mail.reply_to,
        subject=mail.subject,
        body=mail.body,
        to=tuple((person.name, person.address) for person in people if person.line == "to"),
        cc=tuple((person.name, person.address) for person in people if person.line == "cc"),
        waiting=tuple(person.address for person in waiting),
        attachment_ids=tuple(mail.attachments.order_by("name").values_list("id", flat=True)),
        written_at=mail.created_at,
    )


@command("activities.record_outcome", needs="activities.change")
def record_outcome(*, actor: Actor, mail_id: UUID, attempt: int, answers: Mapping[str, Delivery], at: datetime) -> None:
    """Write down what the server said of each recipient, and when the mail is tried again if it must be."""
    mail = _locked(mail_id)
    tried = MailAttempt.objects.filter(mail=mail_id, number=attempt, ended_at=None).first()
    if mail is None or tried is None:
        return
    people = list(mail.recipients.order_by("created_at", "id"))
    asked = [person for person in people if person.state in PENDING and person.address in answers]
    for person in asked:
        answer = answers[person.address]
        person.state = _STATE_OF.get(answer.outcome, MailState.QUEUED)
        person.answer = _words(answer)
    outcomes = {answers[person.address].outcome for person in asked}
    worst = next((person.answer for person in asked if person.state in (MailState.FAILED, MailState.QUEUED)), "")
    _end(tried, _attempt_outcome(outcomes), worst or next((person.answer for person in asked), ""), at)
    mail.last_error = worst
    _tell_accepted(mail, asked, at)
    _tell_refused(mail, [person for person in asked if person.state == MailState.FAILED], answers)
    waiting = [person for person in people if person.state in PENDING]
    again = next_attempt_at(
        attempt=mail.tries.filter(began_at__gte=mail.tried_since).count(),
        first_at=mail.tried_since or at,
        at=at,
        seed=mail.pk.int,
    )
    if waiting and (again is None or _is_exhausted(mail)):
        _give_up(mail, people, waiting, STILL_UNKNOWN if Outcome.UNKNOWN in outcomes else worst)
        return
    _settle(mail, people, again)


_STATE_OF = {Outcome.SENT: MailState.SENT, Outcome.KEPT: MailState.KEPT, Outcome.REFUSED: MailState.FAILED}


def _attempt_outcome(outcomes: set[Outcome]) -> AttemptOutcome:
    for seen, meant in (
        (Outcome.UNKNOWN, AttemptOutcome.UNKNOWN),
        (Outcome.KEPT, AttemptOutcome.KEPT),
        (Outcome.SENT, AttemptOutcome.ACCEPTED),
        (Outcome.TEMPORARY, AttemptOutcome.DELAYED),
    ):
        if seen in outcomes:
            return meant
    return AttemptOutcome.REFUSED


def _settle(mail: Mail, people: Sequence[MailRecipient], again: datetime | None) -> None:
    """The mail's own state follows from those of its recipients."""
    states = {person.state for person in people}
    mail.next_attempt_at = None
    if states & set(PENDING):
        mail.state, mail.next_attempt_at = MailState.QUEUED, again
    elif MailState.SENT in states:
        mail.state = MailState.SENT
    else:
        mail.state = MailState.KEPT if MailState.KEPT in states else MailState.FAILED
    mail.version += 1
    mail.save()
    for person in people:
        person.version += 1
    MailRecipient.objects.bulk_update(people, ["state", "answer", "version"])


def _give_up(mail: Mail, people: Sequence[MailRecipient], waiting: Sequence[MailRecipient], why: str) -> None:
    """Nothing more is tried by itself. A person hears of it by ``MailFailed``."""
    for person in waiting:
        person.state = MailState.FAILED
        person.answer = person.answer or why
    mail.last_error = why[:500]
    _tell_failed(mail, waiting, (), why)
    _settle(mail, people, None)


def _tell_accepted(mail: Mail, asked: Sequence[MailRecipient], at: datetime) -> None:
    for state in (MailState.SENT, MailState.KEPT):
        addresses = tuple(person.address for person in asked if person.state == state)
        if addresses:
            if state == MailState.SENT:
                mail.sent_at = mail.sent_at or at
            emit(
                events.MailSent(
                    mail_id=mail.pk,
                    record_key=mail.record_key,
                    record_id=mail.record_id,
                    account_id=mail.account_id,
                    subject=mail.subject,
                    recipients=addresses,
                    state=state.value,
                )
            )


def _tell_refused(mail: Mail, refused: Sequence[MailRecipient], answers: Mapping[str, Delivery]) -> None:
    if refused:
        bad = tuple(
            person.address
            for person in refused
            if is_bad_address(answers[person.address].code, answers[person.address].text)
        )
        _tell_failed(mail, refused, bad, refused[0].answer)


def _tell_failed(mail: Mail, people: Sequence[MailRecipient], bad_addresses: tuple[str, ...], why: str) -> None:
    emit(
        events.MailFailed(
            mail_id=mail.pk,
            record_key=mail.record_key,
            record_id=mail.record_id,
            account_id=mail.account_id,
            subject=mail.subject,
            recipients=tuple(person.address for person in people),
            bad_addresses=bad_addresses,
            answer=why[:500],
        )
    )


def _is_exhausted(mail: Mail) -> bool:
    return is_exhausted(mail.tries.filter(began_at__gte=mail.tried_since).values_list("outcome", flat=True))


def _end(attempt: MailAttempt, outcome: AttemptOutcome, answer: str, at: datetime) -> None:
    attempt.outcome, attempt.answer, attempt.ended_at = outcome, answer[:500], at
    attempt.save(update_fields=["outcome", "answer", "ended_at"])


def _words(answer: Delivery) -> str:
    return one_line(f"{answer.code or ''} {answer.text}")[:500]


def _locked(mail_id: UUID) -> Mail | None:
    return Mail.objects.select_for_update().filter(id=mail_id).first()


def _mail(order: MailOrder, at: datetime) -> Mail:
    made = new_id()
    domain = address_of(order.sender)[1].rpartition("@")[2]
    return Mail(
        id=made,
        created_at=at,
        cause=order.cause,
        message_id=f"<{made.hex}@{domain}>",
        sender=one_line(order.sender)[:300],
        reply_to=one_line(order.reply_to)[:300],
        subject=one_line(order.subject)[:300],
        body=order.body,
        record_key=order.record_key,
        record_id=order.record_id,
        account_id=order.account_id,
    )


def _each_address_once(recipients: Sequence[NewRecipient]) -> list[NewRecipient]:
    """An address that stands on several lines gets one copy, by the first of them."""
    return list({person.address.lower(): person for person in reversed(recipients)}.values())[::-1]


def _problems(order: MailOrder, path: str) -> list[Problem]:
    found = []
    if not order.recipients:
        found.append(Problem(f"{path}recipients", "missing", "The mail has nobody to go to."))
    if len(order.recipients) > RECIPIENTS_MAX:
        text = f"One mail goes to at most {RECIPIENTS_MAX} addresses."
        found.append(Problem(f"{path}recipients", "too_many", text))
    senders = [(f"{path}sender", order.sender)] + ([(f"{path}reply_to", order.reply_to)] if order.reply_to else [])
    people = [(f"{path}recipients.{number}", person.address) for number, person in enumerate(order.recipients)]
    for field, text in [*((field, address_of(text)[1]) for field, text in senders), *people]:
        try:
            validate_email(text)
        except ValidationError:
            # A machine without a domain may still send to itself, as a demo does.
            if not text.endswith("@localhost"):
                found.append(Problem(field, "not_an_email", f"“{text[:80]}” is not an e-mail address."))
    check(bool(order.cause) and len(order.cause) <= 200, "bad_cause", "A mail needs a cause.", f"{path}cause")
    return found
