"""What a credit note leaves over is money of the payer."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from payments_world import AT, ON, SYSTEM, Money

from counterfoil.core.errors import Conflict, Refusal
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.payments import commands
from counterfoil.payments.models import Payment
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import run_waiting_jobs

D = Decimal


def credit(money: Money, invoice_id: UUID, amount: str) -> Invoice:
    invoicing.install_defaults(actor=SYSTEM)
    line = CreditLine(InvoiceLine.objects.get(invoice=invoice_id).pk, D(amount))
    (note,) = invoicing.credit(actor=money.bea, orders=[CreditOrder(lines=(line,))], on=ON, at=AT, send=False)
    return Invoice.objects.get(pk=note)


def state(money: Money) -> dict[str, str]:
    return {role: total for role, total in money.books().items() if role in ("receivable", "customer_credit")}


def test_what_a_paid_invoice_does_not_owe_becomes_credit(money: Money) -> None:
    """Of 100.00 paid by 70.00, a credit of 50.00 lowers the 30.00 that are open; 20.00 are the payer's."""
    invoice_id = money.invoice("A-1")
    money.pay("70.00", [(invoice_id, D(70))])
    note = credit(money, invoice_id, "50.00")
    assert [f"{one:.2f}" for one in (note.total, note.settled, note.open)] == ["50.00", "30.00", "20.00"]
    assert state(money) == {"receivable": "-20.00"}
    (payment_id,) = commands.take_credits(actor=SYSTEM, credit_note_ids=[note.pk], on=ON, at=AT)
    assert commands.take_credits(actor=SYSTEM, credit_note_ids=[note.pk], on=ON, at=AT) == []
    payment = Payment.objects.get(pk=payment_id)
    assert (payment.method, payment.reference, f"{payment.amount:.2f}", money.rest(payment_id)) == (
        "credit_note", note.number, "20.00", "20.00",
    )  # fmt: skip
    assert state(money) == {"customer_credit": "-20.00"}
    assert Invoice.objects.get(pk=note.pk).open == 0


def test_the_credit_settles_another_invoice(money: Money) -> None:
    """It is allocated and undone like money that came, but it cannot fail."""
    first, second = money.invoice("A-1"), money.invoice("A-2")
    money.pay("100.00", [(first, D(100))])
    note = credit(money, first, "40.00")
    (payment_id,) = commands.take_credits(actor=SYSTEM, credit_note_ids=[note.pk], on=ON, at=AT)
    (share,) = commands.allocate_payment(actor=money.bea, payment_id=payment_id, allocations="oldest", on=ON, at=AT)
    assert (money.open(second), money.rest(payment_id)) == ("60.00", "0.00")
    assert state(money) == {"receivable": "60.00"}
    before = money.counts()
    with pytest.raises(Conflict) as refused:
        commands.undo_payment(actor=money.bea, payment_id=payment_id, on=ON, at=AT)
    assert refused.value.code == "from_a_credit_note"
    assert money.counts() == before
    commands.undo_allocation(actor=money.bea, allocation_id=share, on=ON, at=AT)
    assert (money.open(second), money.rest(payment_id)) == ("100.00", "40.00")


def test_the_news_of_a_credit_note_takes_what_it_leaves(money: Money) -> None:
    """Without anybody asking; a note that its invoice owed whole leaves nothing."""
    paid, owing = money.invoice("A-1"), money.invoice("A-2")
    with clock.stopped_at(AT):
        money.pay("100.00", [(paid, D(100))])
        credit(money, owing, "10.00")
        note = credit(money, paid, "10.00")
        run_waiting_jobs()
    taken = Payment.objects.filter(method="credit_note")
    assert [(one.reference, f"{one.amount:.2f}") for one in taken] == [(note.number, "10.00")]
    assert "credit_taken" in money.events()


def test_money_settles_no_more_than_credits_leave(money: Money) -> None:
    """Of 100.00 with a credit of 30.00, 70.00 can be paid; a credit note itself cannot."""
    invoice_id = money.invoice("A-1")
    note = credit(money, invoice_id, "30.00")
    with pytest.raises(Refusal) as refused:
        money.pay("100.00", [(invoice_id, D("70.01"))])
    assert [one.code for one in refused.value.problems] == ["more_than_open"]
    with pytest.raises(Refusal) as refused:
        money.pay("1.00", [(note.pk, D("1.00"))])
    assert [one.code for one in refused.value.problems] == ["not_open"]
    payment = money.pay("100.00", "oldest")
    assert money.rest(payment) == "30.00"


def test_nobody_records_a_payment_by_credit_note(money: Money) -> None:
    """It comes by itself."""
    before = money.counts()
    with pytest.raises(Refusal) as refused:
        money.pay("1.00", method="credit_note")
    assert [(one.field, one.code) for one in refused.value.problems] == [("method", "not_a_choice")]
    assert money.counts() == before
