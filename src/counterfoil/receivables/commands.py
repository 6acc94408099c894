"""When a person takes over, and when nobody needs to any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.commands import mark_email
from counterfoil.accounts.queries import billing_facts
from counterfoil.activities.commands import finish_tasks, open_task
from counterfoil.payments.commands import task_cause
from counterfoil.payments.queries import failed_payments_paid_again


@command("receivables.close_paid_cases", needs="activities.change")
def close_paid_cases(*, actor: Actor, invoice_id: UUID, at: datetime) -> int:
    """Close the follow-up tasks of failed payments of which every invoice is paid, this one the last.

    Returns how many were closed. A task about a payment that had settled nothing is closed by a person.
    """
    payments = failed_payments_paid_again(invoice_id)
    causes = [task_cause(payment_id) for payment_id in payments]
    return finish_tasks(actor=actor, causes=causes, outcome="Paid in the meantime.", at=at) if causes else 0


@command("receivables.take_over_undelivered_mail", needs="activities.change")
def take_over_undelivered_mail(
    *,
    actor: Actor,
    mail_id: UUID,
    record_key: str,
    record_id: UUID | None,
    account_id: UUID | None,
    subject: str,
    recipients: Sequence[str],
    bad_addresses: Sequence[str],
    answer: str,
    on: date,
) -> UUID:
    """A mail did not reach the customer: the account's owner gets one task for it, and bad addresses are marked so."""
    if bad_addresses:
        mark_email(actor=actor, emails=list(bad_addresses), state="bounced")
    facts = billing_facts([account_id], on).get(account_id) if account_id is not None else None
    addresses = ", ".join(recipients)
    advice = (
        "Ask for the right address, enter it on the contact, and send the document again."
        if bad_addresses
        else "See what the mail server says, and send the mail again when that is mended."
    )
    return open_task(
        actor=actor,
        kind="follow_up",
        title=f"Mail not delivered{f' to {facts.title}' if facts else ''}: {subject}",
        detail=f"{addresses} did not get it: {answer}\n{advice}",
        assignee_id=facts.owner_id if facts else None,
        due_on=on,
        record_key=record_key if record_id else "activities.mail",
        record_id=record_id or mail_id,
        record_title=subject,
        account_id=account_id,
        cause=f"mail-failed:{mail_id}",
    )
