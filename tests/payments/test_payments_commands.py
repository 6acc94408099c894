"""Recording, allocating, undoing and failing payments: the invoice, the books and the timeline move in one commit."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from payments_world import AT, ON, SYSTEM, Money, broken

from counterfoil.activities.models import Task
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.payments import commands
from counterfoil.payments.models import Allocation, Payment

D = Decimal


def codes(refused: pytest.ExceptionInfo[Refusal]) -> list[tuple[str, str]]:
    return [(one.field, one.code) for one in refused.value.problems]


def test_a_payment_settles_its_invoice_whole(money: Money) -> None:
    """100 for an invoice of 100: it is settled, the bank has the money, receivables are empty, credit is untouched."""
    invoice = money.invoice("R-1")
    assert money.books() == {"opening": "-100.00", "receivable": "100.00"}
    payment = money.pay("100.00", [(invoice, D("100.00"))])
    assert (money.open(invoice), money.rest(payment)) == ("0.00", "0.00")
    assert money.books() == {"bank": "100.00", "opening": "-100.00"}
    assert money.events() == ["payment_recorded"]
    assert money.events("invoicing.")[1:] == ["invoice_settled"]


def test_one_payment_over_several_invoices_keeps_the_rest_as_credit(money: Money) -> None:
    """250 over 100 and a part of 200 leaves 30 as the payer's credit."""
    first, second = money.invoice("R-1"), money.invoice("R-2", "200.00")
    payment = money.pay("250.00", [(first, D(100)), (second, D(120))])
    assert (money.open(first), money.open(second), money.rest(payment)) == ("0.00", "80.00", "30.00")
    assert money.books() == {
        "bank": "250.00",
        "customer_credit": "-30.00",
        "opening": "-300.00",
        "receivable": "80.00",
    }


def test_oldest_settles_by_due_day(money: Money) -> None:
    """“Oldest” fills the invoice that was due first, then the next, of this payer alone."""
    late = money.invoice("R-1", due_on="2026-03-20")
    early = money.invoice("R-2", due_on="2026-03-10")
    other = money.invoice("R-3", account=money.brent, due_on="2026-03-02")
    money.pay("130.00", "oldest")
    assert (money.open(early), money.open(late), money.open(other)) == ("0.00", "70.00", "100.00")


def test_credit_is_allocated_later_and_taken_back_again(money: Money) -> None:
    """Unallocated money settles an invoice later; undoing that makes it credit again, by a counter-entry."""
    invoice = money.invoice("R-1")
    payment = money.pay("100.00")
    assert money.books()["customer_credit"] == "-100.00"
    (allocation,) = commands.allocate_payment(
        actor=money.bea, payment_id=payment, allocations=[(invoice, D(60))], on=ON, at=AT
    )
    assert (money.open(invoice), money.rest(payment)) == ("40.00", "40.00")
    commands.undo_allocation(actor=money.bea, allocation_id=allocation, on=ON, at=AT)
    assert (money.open(invoice), money.rest(payment)) == ("100.00", "100.00")
    assert [str(one.amount) for one in Allocation.objects.order_by("id")] == ["60.0000", "-60.0000"]
    assert money.books() == {
        "bank": "100.00",
        "customer_credit": "-100.00",
        "opening": "-100.00",
        "receivable": "100.00",
    }
    assert money.events() == ["payment_recorded", "payment_allocated", "allocation_undone"]
    with pytest.raises(Conflict):
        commands.undo_allocation(actor=money.bea, allocation_id=allocation, on=ON, at=AT)


def test_undoing_a_payment_brings_everything_back(money: Money) -> None:
    """A payment that was recorded by mistake leaves no money, no credit and an open invoice, and opens no task."""
    invoice = money.invoice("R-1")
    payment = money.pay("150.00", [(invoice, D(100))])
    commands.undo_payment(actor=money.bea, payment_id=payment, on=ON, at=AT, reason="Wrong customer")
    assert money.open(invoice) == "100.00"
    assert money.books() == {"opening": "-100.00", "receivable": "100.00"}
    assert money.events() == ["payment_recorded", "payment_undone"]
    assert Payment.objects.get().ended_reason == "Wrong customer"
    assert not Task.objects.exists()
    with pytest.raises(Conflict):
        commands.undo_payment(actor=money.bea, payment_id=payment, on=ON, at=AT)


def test_a_bounced_payment_reopens_its_invoices_and_opens_a_task(money: Money) -> None:
    """The owner of the account gets one task with amount, reason and billing contact, in the same commit."""
    first, second = money.invoice("R-1"), money.invoice("R-2", "50.00")
    payment = money.pay("150.00", [(first, D(100)), (second, D(50))], method="cheque")
    assert money.books()["clearing"] == "150.00"
    commands.fail_payment(actor=money.bea, payment_id=payment, kind="bounced", reason="Refer to drawer", on=ON, at=AT)
    assert (money.open(first), money.open(second)) == ("100.00", "50.00")
    assert money.books() == {"opening": "-150.00", "receivable": "150.00"}
    task = Task.objects.get()
    assert task.title == "Payment bounced: €150.00 from Acme"
    assert task.detail == (
        "Reason: Refer to drawer.\nOpen again: R-1, R-2.\nBilling contact: Paula Payable, ap@acme.example."
    )
    assert (task.kind, task.amount, task.currency, task.due_on) == ("follow_up", D("150.0000"), "EUR", ON)
    assert (task.assignee_id, task.contact_id, task.account_id) == (money.sam.id, money.paula, money.acme)
    assert money.events() == ["payment_recorded", "payment_failed"]
    with pytest.raises(Conflict):
        commands.fail_payment(actor=money.bea, payment_id=payment, kind="failed", reason="Twice", on=ON, at=AT)


def test_failing_needs_a_reason(money: Money) -> None:
    """Whoever calls the customer must know why: a failure without a reason is refused and changes nothing."""
    payment = money.pay("10.00")
    before = money.counts()
    with pytest.raises(Refusal) as refused:
        commands.fail_payment(actor=money.bea, payment_id=payment, kind="failed", reason=" ", on=ON, at=AT)
    assert codes(refused) == [("reason", "missing")]
    assert money.counts() == before


def test_paying_more_than_is_open_is_refused(money: Money) -> None:
    """100.01 for an invoice of 100 is refused at its field, and nothing is written."""
    invoice = money.invoice("R-1")
    before = money.counts()
    with pytest.raises(Refusal) as refused:
        money.pay("200.00", [(invoice, D("100.01"))])
    assert codes(refused) == [("allocations.0.amount", "more_than_open")]
    assert refused.value.message == "R-1 has €100.00 open; €100.01 is more."
    assert money.counts() == before


def test_allocating_more_than_came_is_refused(money: Money) -> None:
    """50 cannot settle 100, not even over two invoices."""
    first, second = money.invoice("R-1"), money.invoice("R-2")
    before = money.counts()
    with pytest.raises(Refusal) as refused:
        money.pay("50.00", [(first, D(30)), (second, D("20.01"))])
    assert codes(refused) == [("allocations", "more_than_paid")]
    assert money.counts() == before


def test_a_paid_invoice_takes_no_more(money: Money) -> None:
    """A second payment of the same invoice is told that it is paid."""
    invoice = money.invoice("R-1")
    money.pay("100.00", [(invoice, D(100))])
    with pytest.raises(Refusal) as refused:
        money.pay("100.00", [(invoice, D(100))])
    assert refused.value.message == "R-1 is paid already; nothing of it is open."


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"currency": "USD"}, "other_currency"),
        ({"account": "brent"}, "other_payer"),
        ({"entity": "other_entity"}, "other_company"),
    ],
)
def test_money_settles_only_what_it_is_for(money: Money, made: dict[str, str], code: str) -> None:
    """Another currency, another payer and another of our companies are refused, each by its name."""
    chosen = {name: getattr(money, value, value) for name, value in made.items()}
    invoice = money.invoice("R-1", **chosen)  # type: ignore[arg-type]
    before = money.counts()
    with pytest.raises(Refusal) as refused:
        money.pay("100.00", [(invoice, D(100))], entity=str(money.entity))
    assert codes(refused) == [("allocations.0.invoice", code)]
    assert money.counts() == before


def test_an_unknown_invoice_is_refused(money: Money) -> None:
    """An id that is no issued invoice, and one that is named twice, are refused."""
    invoice = money.invoice("R-1")
    with pytest.raises(Refusal) as refused:
        money.pay("100.00", [(uuid4(), D(100))])
    assert codes(refused) == [("allocations.0.invoice", "not_open")]
    with pytest.raises(Refusal) as refused:
        money.pay("100.00", [(invoice, D(50)), (invoice, D(50))])
    assert codes(refused) == [("allocations", "twice")]


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"amount": "-1"}, "amount", "too_small"),
        ({"amount": "0"}, "amount", "too_small"),
        ({"amount": "1.001"}, "amount", "too_many_decimals"),
        ({"amount": "ten"}, "amount", "not_a_number"),
        ({"amount": 12.5}, "amount", "not_a_number"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"method": "barter"}, "method", "not_a_choice"),
        ({"received_on": "2026-02-30"}, "received_on", "not_a_date"),
        ({"received_on": "2026-04-02"}, "received_on", "not_yet"),
        ({"payer": str(uuid4())}, "payer", "no_such_record"),
        ({"reference": "x" * 141}, "reference", "too_long"),
        ({"reference": "a\x00b"}, "reference", "control_character"),
        ({"status": "received"}, "status", "read_only"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_bad_input_is_refused_at_its_field(money: Money, values: dict[str, str], field: str, code: str) -> None:
    """Each wrong value has its code and its field, and nothing is written."""
    before = money.counts()
    with pytest.raises(Refusal) as refused:
        money.pay(values.pop("amount", "10.00"), **values)
    assert codes(refused) == [(field, code)]
    assert money.counts() == before


def test_yen_has_no_decimals(money: Money) -> None:
    """An amount of 10.5 yen is refused; 10 yen is taken."""
    with pytest.raises(Refusal) as refused:
        money.pay("10.5", currency="JPY")
    assert codes(refused) == [("amount", "too_many_decimals")]
    assert money.rest(money.pay("10", currency="JPY")) == "10.00"


def test_the_same_request_records_once(money: Money) -> None:
    """A form that is sent twice answers the same payment; with other values it is refused."""
    invoice = money.invoice("R-1")
    first = money.pay("100.00", [(invoice, D(100))], key="form-1")
    assert money.pay("100.00", [(invoice, D(100))], key="form-1") == first
    assert Payment.objects.count() == 1
    with pytest.raises(Conflict) as refused:
        money.pay("90.00", [], key="form-1")
    assert refused.value.code == "sent_already"


def test_a_name_of_another_system_is_taken_once(money: Money) -> None:
    """The same external number is refused until the first payment of that name is undone."""
    first = money.pay("10.00", external_id="BANK-7")
    with pytest.raises(Refusal) as refused:
        money.pay("10.00", external_id="BANK-7")
    assert codes(refused) == [("external_id", "taken")]
    commands.undo_payment(actor=money.bea, payment_id=first, on=ON, at=AT)
    money.pay("10.00", external_id="BANK-7")


def test_many_at_once_are_all_or_none(money: Money) -> None:
    """Two orders for one invoice: the second sees what the first left. One bad order refuses the set by its number."""
    invoice = money.invoice("R-1")

    def order(amount: str, share: str) -> commands.PaymentOrder:
        return commands.PaymentOrder(
            payer_id=money.acme,
            method="transfer",
            amount=D(amount),
            currency="EUR",
            received_on=ON,
            allocations=(commands.Share(invoice, D(share)),),
        )

    before = money.counts()
    with pytest.raises(Refusal) as refused:
        commands.record_payments(actor=money.bea, orders=[order("80", "80"), order("30", "30")], at=AT)
    assert codes(refused) == [("1.allocations.0.amount", "more_than_open")]
    assert money.counts() == before
    made = commands.record_payments(actor=money.bea, orders=[order("80", "80"), order("30", "20")], at=AT)
    assert [money.rest(one) for one in made] == ["0.00", "10.00"]
    assert money.open(invoice) == "0.00"


def test_the_number_of_statements_does_not_grow(money: Money) -> None:
    """A hundred payments take as many statements as six; the rows of two go together."""

    def statements(count: int, prefix: str) -> int:
        invoices = [money.invoice(f"{prefix}-{number}") for number in range(count)]
        orders = [
            commands.PaymentOrder(
                payer_id=money.acme,
                method="transfer",
                amount=D(100),
                currency="EUR",
                received_on=ON,
                allocations=(commands.Share(one, D(100)),),
            )
            for one in invoices
        ]
        with CaptureQueriesContext(connection) as captured:
            commands.record_payments(actor=money.bea, orders=orders, at=AT)
        return sum(one["sql"].count(";\n") + 1 for one in captured.captured_queries)

    statements(1, "C")
    assert statements(100, "B") == statements(2, "A") == 13


def test_named_invoices_are_found_by_their_ids(money: Money) -> None:
    """However little the database knows of the table: not by the index of all issued documents."""
    invoice = money.invoice("R-1")
    with CaptureQueriesContext(connection) as captured:
        money.pay("100.00", [(invoice, D(100))])
    touching = [
        one["sql"]
        for one in captured.captured_queries
        if "invoicing_invoice" in one["sql"] and "INSERT" not in one["sql"]
    ]
    assert len(touching) == 2
    for sql in touching:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "invoicing_invoice_by_day" not in plan


def test_money_before_the_invoice_settles_it_on_its_day(money: Money) -> None:
    """Money of 25 March for an invoice of 28 March is credit until the 28th, in the books too."""
    invoice = money.invoice("R-1", issued_on="2026-03-28", due_on="2026-04-30")
    money.pay("100.00", [(invoice, D(100))], received_on="2026-03-25")
    assert Allocation.objects.get().allocated_on.isoformat() == "2026-03-28"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.posted_on::text, SUM(p.amount)::text FROM ledger_posting p"
            " JOIN ledger_journalentry e ON e.id = p.entry_id"
            " JOIN ledger_ledgeraccount l ON l.id = p.ledger_account_id WHERE l.role = 'customer_credit'"
            " GROUP BY 1 ORDER BY 1"
        )
        assert cursor.fetchall() == [("2026-03-25", "-100.0000"), ("2026-03-28", "100.0000")]


def test_only_those_who_may_record_do(money: Money) -> None:
    """Sales and the accountant are refused, and nothing is written."""
    before = money.counts()
    for actor in (money.sam, money.archie):
        with pytest.raises(NotAllowed):
            money.pay("10.00", actor=actor)
    assert money.counts() == before


def test_a_stale_or_missing_payment_is_refused(money: Money) -> None:
    """A version that was overtaken is stale, and an id of nothing is not found."""
    payment = money.pay("10.00")
    with pytest.raises(Stale):
        commands.undo_payment(actor=money.bea, payment_id=payment, on=ON, at=AT, version=7)
    with pytest.raises(NotFound):
        commands.undo_payment(actor=money.bea, payment_id=uuid4(), on=ON, at=AT)


def test_the_database_keeps_the_promises_too(money: Money) -> None:
    """SQL past the commands cannot over-allocate, allocate what the payment does not count, or change an allocation."""
    invoice = money.invoice("R-1")
    payment = money.pay("100.00", [(invoice, D(40))])
    for statement, error in (
        ("UPDATE payments_payment SET allocated = 100.01", IntegrityError),
        ("UPDATE payments_payment SET status = 'failed'", IntegrityError),
        ("UPDATE payments_allocation SET amount = 1", DatabaseError),
        ("DELETE FROM payments_allocation", DatabaseError),
        (
            "INSERT INTO payments_allocation"
            " (id, payment_id, invoice_id, amount, currency, allocated_on, created_at, by_name)"
            " SELECT gen_random_uuid(), payment_id, invoice_id, 1, currency, allocated_on, created_at, by_name"
            " FROM payments_allocation",
            DatabaseError,
        ),
    ):
        with pytest.raises(error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert money.rest(payment) == "60.00"


@pytest.mark.parametrize(
    ("key", "statement"),
    [
        ("L9a", "UPDATE payments_payment SET allocated = 10"),
        ("L9b", "UPDATE invoicing_invoice SET settled = 10"),
        ("L10a", "UPDATE payments_payment SET amount = 101"),
        ("L10b", "UPDATE invoicing_invoice SET settled = 10"),
        ("L11", "UPDATE payments_payment SET amount = 101"),
    ],
)
def test_a_planted_breach_is_found(money: Money, key: str, statement: str) -> None:
    """Each promise turns red when somebody changes a row past the commands."""
    invoice = money.invoice("R-1")
    money.pay("100.00", [(invoice, D(40))])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        assert key in [one.split(":")[0] for one in broken()]
        transaction.set_rollback(True)


def test_the_system_may_record(money: Money) -> None:
    """The product itself records what an import asks for."""
    assert money.rest(money.pay("5.00", actor=SYSTEM)) == "5.00"
