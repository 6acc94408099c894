"""When a person takes over, and when nobody needs to any more."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from payments_world import AT, ON, SYSTEM, Money, broken, make_money

from counterfoil.accounts.models import Contact
from counterfoil.activities import commands as activities
from counterfoil.activities.models import Mail, MailAttempt, Task
from counterfoil.payments import commands
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.plumbing.mail import Delivery, Outcome

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def money() -> Iterator[Money]:
    with clock.stopped_at(AT):
        yield make_money()
        assert broken() == []


def bounce(money: Money, *invoices: object) -> None:
    shares = [(one, D(100)) for one in invoices]
    payment = money.pay(f"{100 * len(invoices) or 50}.00", shares, method="cheque")  # type: ignore[arg-type]
    commands.fail_payment(actor=money.bea, payment_id=payment, kind="bounced", reason="Refer to drawer", on=ON, at=AT)


def test_the_case_closes_when_the_last_invoice_is_paid(money: Money) -> None:
    """A bounced cheque over two invoices: its task stays open after the first is paid, and closes with the second."""
    first, second = money.invoice("R-1"), money.invoice("R-2")
    bounce(money, first, second)
    run_waiting_jobs()
    money.pay("100.00", [(first, D(100))])
    run_waiting_jobs()
    assert Task.objects.get().done_at is None
    money.pay("100.00", [(second, D(60))])
    run_waiting_jobs()
    assert Task.objects.get().done_at is None
    money.pay("40.00", [(second, D(40))])
    run_waiting_jobs()
    task = Task.objects.get()
    assert (task.done_at, task.outcome, task.done_by_name) == (AT, "Paid in the meantime.", "Counterfoil")


def test_a_payment_that_had_settled_nothing_stays_a_persons_case(money: Money) -> None:
    """Paying some invoice does not close the task of a bounced payment that had settled none."""
    bounce(money)
    invoice = money.invoice("R-1")
    money.pay("100.00", [(invoice, D(100))])
    run_waiting_jobs()
    assert Task.objects.get().done_at is None


def test_a_mail_that_did_not_arrive_is_a_persons_case(money: Money) -> None:
    """A refused recipient: one task for the account's owner, and the contact's address is marked as bounced."""
    mail_id = activities.queue_mail(
        actor=SYSTEM,
        cause="invoice:1",
        sender="billing@works.example",
        subject="Invoice 2026-1",
        body="Dear Paula",
        recipients=[activities.NewRecipient("to", "AP@acme.example", "Paula Payable", money.paula)],
        record_key="invoicing.invoice",
        record_id=money.invoice("R-1"),
        account_id=money.acme,
        at=AT,
    )
    activities.begin_attempt(actor=SYSTEM, mail_id=mail_id, at=AT)
    answers = {"AP@acme.example": Delivery(Outcome.REFUSED, 550, "5.1.1 no such user")}
    activities.record_outcome(actor=SYSTEM, mail_id=mail_id, attempt=1, answers=answers, at=AT)
    run_waiting_jobs()
    run_waiting_jobs()
    assert (Mail.objects.get().state, MailAttempt.objects.get().outcome) == ("failed", "refused")
    task = Task.objects.get()
    assert task.title == "Mail not delivered to Acme: Invoice 2026-1"
    assert task.detail == (
        "AP@acme.example did not get it: 550 5.1.1 no such user\n"
        "Ask for the right address, enter it on the contact, and send the document again."
    )
    assert (task.assignee_id, task.account_id, task.record_key) == (money.sam.id, money.acme, "invoicing.invoice")
    assert Contact.objects.get(pk=money.paula).email_state == "bounced"
