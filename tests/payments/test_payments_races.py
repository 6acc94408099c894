"""Several people at once: the second one gets a clear answer, and the sums hold."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from payments_world import AT, ON, broken, make_money

from counterfoil.core.errors import Refusal
from counterfoil.payments import commands
from counterfoil.payments.models import Payment

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; the answer of each, or what it refused."""
    barrier = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[place] = call()
        except Exception as error:
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_clerks_record_the_same_cheque() -> None:
    """Eight clerks settle one invoice at once: one does, the others hear that it is paid already."""
    money = make_money()
    invoice = money.invoice("R-1")
    answers = at_once(*[lambda: money.pay("100.00", [(invoice, D(100))])] * 8)
    assert [isinstance(one, UUID) for one in answers].count(True) == 1
    refused = [one for one in answers if not isinstance(one, UUID)]
    assert {type(one) for one in refused} == {Refusal}
    assert {one.message for one in refused} == {"R-1 is paid already; nothing of it is open."}
    assert Payment.objects.count() == 1
    assert broken() == []


def test_payments_crossing_each_other() -> None:
    """Payments that name the same invoices in opposite order wait for each other and do not lock up."""
    money = make_money()
    first, second = money.invoice("R-1", "1000.00"), money.invoice("R-2", "1000.00")
    forth = [(first, D(10)), (second, D(10))]
    answers = at_once(*[lambda: money.pay("20.00", forth), lambda: money.pay("20.00", forth[::-1])] * 4)
    assert all(isinstance(one, UUID) for one in answers), answers
    assert (money.open(first), money.open(second)) == ("920.00", "920.00")
    assert broken() == []


def test_a_form_sent_twice_at_once_records_once() -> None:
    """The double click: four requests of one form get one payment, also when it names no invoice."""
    money = make_money()
    answers = at_once(*[lambda: money.pay("100.00", key="form-1")] * 4)
    assert len(set(answers)) == 1
    assert Payment.objects.count() == 1


def test_undoing_and_allocating_at_once() -> None:
    """A payment that is undone while it is being allocated ends in one of both orders, and the sums hold."""
    money = make_money()
    invoice = money.invoice("R-1")
    payment = money.pay("100.00")

    def allocate() -> Any:
        return commands.allocate_payment(
            actor=money.bea, payment_id=payment, allocations=[(invoice, D(100))], on=ON, at=AT
        )

    def undo() -> Any:
        return commands.undo_payment(actor=money.bea, payment_id=payment, on=ON, at=AT)

    answers = at_once(allocate, undo)
    assert all(one is None or isinstance(one, list | Refusal) for one in answers), answers
    assert Payment.objects.get().status == "undone"
    assert money.open(invoice) == "100.00"
    assert broken() == []
