"""Several people and programs at once: every entry is billed once, and no grant is given twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from retainers_world import broken, make_work

from counterfoil.core.errors import Conflict
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.retainers import commands
from counterfoil.retainers.models import TimeEntry

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_eight_runs_at_once_bill_each_entry_once() -> None:
    """Twelve hours of a retainer of ten, and five without one: one draft, seven hours."""
    work = make_work()
    retainer = work.retainer()
    for day in range(1, 13):
        work.time("1", f"2026-03-{day:02}", retainer=retainer)
    work.time("5", rate="120")
    answers = at_once(*[work.bill] * 8)
    assert sum(one.entries for one in answers) == 13
    assert Invoice.objects.count() == 1
    assert sum(InvoiceLine.objects.values_list("quantity", flat=True)) == Decimal(7)
    assert work.burn(retainer)[-1] == "0 10 10 0 0 2"
    assert broken() == []


def test_approving_while_it_is_billed_loses_nothing() -> None:
    """Approvals and runs cross each other; what a run missed the next one finds."""
    work = make_work()
    retainer = work.retainer("4")
    ids = [work.time("1", f"2026-03-{day:02}", retainer=retainer, approved=False) for day in range(1, 9)]

    def approve(place: int) -> Callable[[], Any]:
        return lambda: commands.approve_entries(actor=work.bea, time_ids=ids[place : place + 2], at=work.at)

    answers = at_once(approve(0), work.bill, approve(2), work.bill, approve(4), work.bill, approve(6), work.bill)
    assert [one for one in answers if isinstance(one, Exception)] == []
    work.bill()
    assert set(TimeEntry.objects.values_list("status", flat=True)) == {"settled"}
    assert sum(InvoiceLine.objects.values_list("quantity", flat=True)) == Decimal(4)
    assert broken() == []


def test_two_people_decide_the_same_entry() -> None:
    work = make_work()
    entry = work.time("1", rate="1", approved=False)
    answers = at_once(
        *[lambda: commands.approve_entries(actor=work.bea, time_ids=[entry], at=work.at)] * 3,
        *[lambda: commands.reject_entries(actor=work.bea, time_ids=[entry], reason="No", at=work.at)] * 3,
    )
    assert answers.count(1) == 1
    assert {type(one) for one in answers if one != 1} == {Conflict}
