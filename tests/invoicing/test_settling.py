"""What an issued document owes becomes less and more, never beyond its limits."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from issuing_world import ON, SYSTEM, Issuing

from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands, queries
from counterfoil.plumbing.models import OutboxEvent

pytestmark = pytest.mark.django_db


def test_part_then_whole_then_back(world: Issuing) -> None:
    """A part leaves the rest open, the rest pays it, and what is taken back is owed again; each step tells what is
    open.
    """
    one = world.issued()
    for amount in ("100.00", "138.00", "-38.00"):
        commands.settle(actor=SYSTEM, amounts={one: Decimal(amount)}, on=ON)
    told = OutboxEvent.objects.filter(name__regex="settled|reopened").order_by("id").values_list("name", "payload")
    assert [(name, payload["amount"], payload["open"]) for name, payload in told] == [
        ("invoicing.invoice_settled", "100.00", "138.00"),
        ("invoicing.invoice_settled", "138.00", "0.00"),
        ("invoicing.invoice_reopened", "38.00", "38.00"),
    ]
    assert world.invoice(one).settled == Decimal(200)
    assert world.invoice(one).version == 5


def test_limits_are_named_per_invoice(world: Issuing) -> None:
    """More than is open, more back than was settled, nothing, or parts of a cent are refused, and nothing changes."""
    one, two, three, four = (world.issued() for _ in range(4))
    draft = world.draft()
    amounts = {
        one: Decimal("238.01"),
        two: Decimal("-0.01"),
        three: Decimal("0.001"),
        four: Decimal(0),
        draft: Decimal(1),
    }
    with pytest.raises(Refusal) as refused:
        commands.settle(actor=SYSTEM, amounts=amounts, on=ON)
    assert {problem.field: problem.code for problem in refused.value.problems} == {
        str(one): "more_than_open",
        str(two): "more_than_settled",
        str(three): "too_many_decimals",
        str(four): "missing",
        str(draft): "not_open",
    }
    by_field = {problem.field: problem.message for problem in refused.value.problems}
    assert by_field[str(one)] == "INV-2026-00001 owes €238.00; more cannot be settled."
    assert all(not world.invoice(invoice_id).settled for invoice_id in amounts)
    with pytest.raises(NotFound):
        commands.settle(actor=SYSTEM, amounts={one: Decimal(1), new_id(): Decimal(1)}, on=ON)
    assert not world.invoice(one).settled


def test_states_by_day(world: Issuing) -> None:
    """An invoice is open, part-paid, overdue or paid, by what was settled and by the day; the due day is in time."""
    one = world.issued()
    due = world.invoice(one).due_on
    assert due is not None

    def state(days: int) -> str:
        return str(queries.get_invoice(world.bea, one, due + timedelta(days=days)).state)

    assert [state(-1), state(0), state(1)] == ["issued", "issued", "overdue"]
    commands.settle(actor=SYSTEM, amounts={one: Decimal(1)}, on=ON)
    assert [state(0), state(1)] == ["part_paid", "overdue"]
    commands.settle(actor=SYSTEM, amounts={one: Decimal(237)}, on=ON)
    assert [state(0), state(1)] == ["paid", "paid"]


def test_lists_and_balances_agree(world: Issuing) -> None:
    """The filter by state finds what the state says, and the balance of the payer is what the list sums to."""
    one, two, three = world.issued(), world.issued("50"), world.issued("10")
    commands.settle(actor=SYSTEM, amounts={one: Decimal(238), two: Decimal(19)}, on=ON)
    due = world.invoice(one).due_on
    assert due is not None
    for day, states in (
        (due, {"paid": [one], "part_paid": [two], "issued": [three], "overdue": []}),
        (due + timedelta(days=1), {"paid": [one], "overdue": [two, three], "issued": [], "part_paid": []}),
    ):
        for state, ids in states.items():
            found = queries.list_invoices(world.bea, filters={"state": [state]}, sort="number", today=day)
            assert [row.id for row in found.rows] == ids, state
    found = queries.list_invoices(world.bea, today=due)
    (balance,) = queries.account_balances(world.bea, [world.acme], due + timedelta(days=1))[world.acme]
    assert found.opens["EUR"] == balance.open == balance.overdue
    assert (str(balance.open), balance.count) == ("123.80 EUR", 2)
    assert [row.id for row in queries.open_invoices_of_payer(world.bea, world.acme, today=due)] == [two, three]


def test_disputes(world: Issuing) -> None:
    """A dispute is noted with who says what, changes nothing that is owed, and can be ended; a stale one is refused."""
    one = world.issued()
    commands.dispute_invoice(actor=world.bea, invoice_id=one, disputed=True, note="Wrong quantity", version=2)
    with pytest.raises(Stale):
        commands.dispute_invoice(actor=world.bea, invoice_id=one, disputed=False, note="", version=2)
    assert world.invoice(one).disputed
    commands.dispute_invoice(actor=world.bea, invoice_id=one, disputed=False, note="", version=3)
    assert not world.invoice(one).disputed
    with pytest.raises(Conflict):
        commands.dispute_invoice(actor=world.bea, invoice_id=world.draft(), disputed=True, note="")
    told = OutboxEvent.objects.filter(name="invoicing.invoice_disputed").order_by("id")
    assert [event.payload["state"] for event in told] == ["is disputed", "is no longer disputed"]
