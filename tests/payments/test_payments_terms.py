"""Early discounts, instalments and credit: what money settles under terms."""

from __future__ import annotations

from decimal import Decimal
from unittest import mock
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from terms_world import NOON, THIRD_AND_REST, TWO_IN_TEN, Selling, day, make_selling

from counterfoil.access.actors import Actor
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import new_id
from counterfoil.invoicing.models import Instalment, Invoice, InvoiceLine, LineAllowance
from counterfoil.invoicing.rules.crediting import Creditable
from counterfoil.payments import commands
from counterfoil.payments.models import Allocation, Allowance, Payment
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.models import OutboxEvent

SYSTEM = Actor.system("Tests", origin="test")
D = Decimal


def broken() -> list[str]:
    return [one.invariant.key for one in verify() if not one.holds]


# Issuing -------------------------------------------------------------------------------------------------------------


def test_instalments_are_frozen_when_the_invoice_is_issued(selling: Selling) -> None:
    """Two rows that make the total; the invoice's due day is that of the last one."""
    invoice_id = selling.invoice("119", **THIRD_AND_REST)
    assert selling.instalments(invoice_id) == ["35.70 on 02-01", "83.30 on 03-03"]
    assert Invoice.objects.get(pk=invoice_id).due_on == day("03-03")


def test_an_invoice_that_is_due_in_one_payment_has_no_instalments(selling: Selling) -> None:
    """Nor one of so little that one part takes it all."""
    assert selling.instalments(selling.invoice("119", days="30")) == []
    small = selling.invoice("0.01", instalments=[{"percent": "50"}, {"percent": "50", "days": "10"}])
    assert (selling.instalments(small), Invoice.objects.get(pk=small).due_on) == ([], day("02-01"))
    assert Instalment.objects.count() == 0


def test_the_early_discount_is_frozen_when_the_invoice_is_issued(selling: Selling) -> None:
    """Until the tenth day after the issue, of the total with tax."""
    found = Invoice.objects.get(pk=selling.invoice("100", tax="standard", **TWO_IN_TEN))
    assert (found.early_discount_until, found.early_discount_amount) == (day("02-11"), D("2.38"))
    assert Invoice.objects.get(pk=selling.invoice("100", days="30")).early_discount_until is None


def test_instalments_are_never_changed(selling: Selling) -> None:
    """The database refuses whoever asks: to change, to remove and to add."""
    invoice_id = selling.invoice("119", **THIRD_AND_REST)
    for statement in (
        "UPDATE invoicing_instalment SET amount = amount + 1",
        "DELETE FROM invoicing_instalment",
        "INSERT INTO invoicing_instalment (invoice_id, position, due_on, amount) "
        f"VALUES ('{invoice_id}', 3, '2026-05-01', 5)",
        "UPDATE invoicing_invoice SET early_discount_until = '2026-02-11', early_discount_amount = 5",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert selling.instalments(invoice_id) == ["35.70 on 02-01", "83.30 on 03-03"]


# Early discounts -----------------------------------------------------------------------------------------------------


def test_a_payment_in_time_settles_with_the_discount(selling: Selling) -> None:
    """98 % on the last day: nothing is open, and revenue and tax are less by their rates."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    payment_id = selling.pay("116.62", "02-11", [(invoice_id, D("116.62"))])
    assert (selling.open(invoice_id), selling.rest(payment_id)) == ("0.00", "0.00")
    assert selling.allowances() == ["19 %: 2.00 + 0.38"]
    assert selling.books() == {"bank": "116.62", "revenue": "-98.00", "tax_payable": "-18.62"}
    names = OutboxEvent.objects.filter(name__startswith="payments.").order_by("id").values_list("name", flat=True)
    assert list(names) == ["payments.payment_recorded", "payments.discount_allowed"]


def test_a_day_late_is_too_late(selling: Selling) -> None:
    """The same money on the day after leaves the difference open."""
    invoice_id = selling.invoice("100", **TWO_IN_TEN)
    selling.pay("98", "02-12", [(invoice_id, D(98))])
    assert (selling.open(invoice_id), selling.allowances()) == ("2.00", [])


def test_the_discount_is_split_by_rate(selling: Selling) -> None:
    """Two rates share it in proportion to what each has with tax."""
    invoice_id = selling.invoice("standard: 100; reduced: 100", **TWO_IN_TEN)
    selling.pay("221.48", "02-05", "oldest")
    assert selling.open(invoice_id) == "0.00"
    assert selling.allowances() == ["19 %: 2.00 + 0.38", "7 %: 2.00 + 0.14"]
    assert selling.books() == {"bank": "221.48", "revenue": "-196.00", "tax_payable": "-25.48"}


def test_a_payment_covers_several_invoices_less_their_discounts(selling: Selling) -> None:
    """For both together 196 are enough; 195.99 are not, and then nothing is allowed."""
    first, second = selling.invoice("100", **TWO_IN_TEN), selling.invoice("100", **TWO_IN_TEN)
    selling.pay("196", "02-10", invoices=[first, second])
    assert (selling.open(first), selling.open(second)) == ("0.00", "0.00")
    assert selling.allowances() == ["0 %: 2.00 + 0.00"] * 2
    third, fourth = selling.invoice("100", **TWO_IN_TEN), selling.invoice("100", **TWO_IN_TEN)
    selling.pay("195.99", "02-10", invoices=[third, fourth])
    assert (selling.open(third), selling.open(fourth)) == ("0.00", "4.01")
    assert len(selling.allowances()) == 2


def test_two_payments_in_time_settle_together(selling: Selling) -> None:
    """What the second pays less than what is open is within the discount."""
    invoice_id = selling.invoice("100", **TWO_IN_TEN)
    selling.pay("50", "02-05", [(invoice_id, D(50))])
    assert (selling.open(invoice_id), selling.allowances()) == ("50.00", [])
    selling.pay("48", "02-11", "oldest")
    assert (selling.open(invoice_id), selling.allowances()) == ("0.00", ["0 %: 2.00 + 0.00"])


def test_an_undone_payment_takes_its_allowance_back(selling: Selling) -> None:
    """The invoice owes all of it again, and the books are as after the issue. A new payment in time settles again."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    before = selling.books()
    payment_id = selling.pay("116.62", "02-11", "oldest")
    commands.undo_payment(actor=selling.bea, payment_id=payment_id, on=day("02-12"), at=NOON)
    assert (selling.open(invoice_id), selling.books()) == ("119.00", before)
    assert selling.allowances() == ["19 %: 2.00 + 0.38", "19 %: -2.00 + -0.38"]
    selling.pay("116.62", "02-11", [(invoice_id, D("116.62"))])
    assert selling.open(invoice_id) == "0.00"


def test_a_full_credit_gives_back_what_was_paid(selling: Selling) -> None:
    """116.62 settled 119.00; crediting all of the line gives back 116.62: all that is left is the payer's money."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    selling.pay("116.62", "02-11", [(invoice_id, D("116.62"))])
    assert selling.credit(invoice_id, "100.00") == "98.00 + 18.62"
    assert selling.books() == {"bank": "116.62", "receivable": "-116.62"}
    note = Invoice.objects.get(kind="credit_note").pk
    commands.take_credits(actor=SYSTEM, credit_note_ids=[note], on=NOON.date(), at=NOON)
    assert selling.books() == {"bank": "116.62", "customer_credit": "-116.62"}
    assert selling.credit(invoice_id, "0.01") == "more_than_left"
    assert broken() == []


def test_a_credit_in_parts_completes_what_was_paid(selling: Selling) -> None:
    """Half of the line at its amount, and then all that earlier credits left of it: together what was paid."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    selling.pay("116.62", "02-11", "oldest")
    assert selling.credit(invoice_id, "98.01") == "more_than_left"
    assert selling.credit(invoice_id, "50.00") == "50.00 + 9.50"
    assert selling.credit(invoice_id, "48.01") == "more_than_left"
    assert selling.credit(invoice_id, "50.00") == "48.00 + 9.12"
    assert selling.books() == {"bank": "116.62", "receivable": "-116.62"}
    assert broken() == []


def test_every_rate_is_completed_by_its_last_credit(selling: Selling) -> None:
    """Two rates and two lines of one: each line gives back what the allowance left of it, to the cent."""
    invoice_id = selling.invoice("standard: 33.33; standard: 66.66; reduced: 100", **TWO_IN_TEN)
    selling.pay("221.47", "02-05", "oldest")
    assert selling.allowances() == ["19 %: 2.00 + 0.38", "7 %: 2.00 + 0.14"]
    assert selling.credit(invoice_id, "33.33") == "32.66 + 6.21"
    assert selling.credit(invoice_id, "0", "66.66", "100") == "163.33 + 19.27"
    assert selling.books() == {"bank": "221.47", "receivable": "-221.47"}
    assert broken() == []


def test_a_credit_before_the_payment_leaves_less_to_allow(selling: Selling) -> None:
    """One of two lines is gone, so the allowance is off the other one, and so is its credit."""
    invoice_id = selling.invoice("standard: 100; reduced: 100", **TWO_IN_TEN)
    assert selling.credit(invoice_id, "100") == "100.00 + 19.00"
    selling.pay("102.48", "02-05", "oldest")
    assert selling.allowances() == ["7 %: 4.22 + 0.30"]
    assert selling.credit(invoice_id, "0", "100") == "95.78 + 6.70"
    assert selling.books() == {"bank": "102.48", "receivable": "-102.48"}
    assert broken() == []


def test_no_more_is_allowed_than_credits_left(selling: Selling) -> None:
    """The invoice was paid and credited whole before its money bounced: what it owes again is allowed nothing."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    payment_id = selling.pay("119", "02-05", "oldest")
    assert selling.credit(invoice_id, "100") == "100.00 + 19.00"
    commands.undo_payment(actor=selling.bea, payment_id=payment_id, on=day("02-06"), at=NOON)
    selling.pay("116.62", "02-07", "oldest")
    assert (selling.open(invoice_id), selling.allowances()) == ("2.38", [])
    assert broken() == []


def test_an_allowance_that_ends_is_charged_again(selling: Selling) -> None:
    """All was credited less the allowance; the payment is undone, and then the rest can be credited too."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    payment_id = selling.pay("116.62", "02-11", "oldest")
    assert selling.credit(invoice_id, "100") == "98.00 + 18.62"
    commands.undo_payment(actor=selling.bea, payment_id=payment_id, on=day("02-12"), at=NOON)
    assert selling.open(invoice_id) == "119.00"
    assert selling.credit(invoice_id, "2.00") == "2.00 + 0.38"
    assert selling.books() == {}
    assert broken() == []


def test_the_database_refuses_to_give_back_an_allowance(selling: Selling) -> None:
    """Whoever asks: more than a line has is neither allowed, nor credited once it was allowed."""
    invoice_id = selling.invoice("100", tax="standard", **TWO_IN_TEN)
    payment_id = selling.pay("116.62", "02-11", "oldest")
    with pytest.raises(DatabaseError, match="more is allowed of a line"), transaction.atomic():
        LineAllowance.objects.bulk_create(
            [
                LineAllowance(
                    id=new_id(), line_id=InvoiceLine.objects.get().pk, source_id=payment_id, category="S",
                    percent=D(19), included=False, again=0, said=D("98.01"), net=D("98.01"), tax=D(0), currency="EUR",
                    created_at=NOON,
                )
            ]
        )  # fmt: skip
    with (
        pytest.raises(DatabaseError, match="more is taken back of a line"),
        transaction.atomic(),
        mock.patch.object(Creditable, "left", property(lambda line: line.said - line.taken)),
    ):
        selling.credit(invoice_id, "100")


def test_any_allocation_that_is_undone_ends_the_allowance(selling: Selling) -> None:
    """The discount was for paying in full: when the first of two payments goes, the second keeps what it paid alone."""
    invoice_id = selling.invoice("100", **TWO_IN_TEN)
    first = selling.pay("50", "02-05", [(invoice_id, D(50))])
    selling.pay("48", "02-11", "oldest")
    allocation = Allocation.objects.get(payment=first)
    commands.undo_allocation(actor=selling.bea, allocation_id=allocation.pk, on=day("02-20"), at=NOON)
    assert (selling.open(invoice_id), selling.rest(first)) == ("52.00", "50.00")
    assert sum(one.amount for one in Allowance.objects.all()) == 0
    commands.allocate_payment(actor=selling.bea, payment_id=first, allocations="oldest", on=day("02-21"), at=NOON)
    assert (selling.open(invoice_id), selling.rest(first)) == ("0.00", "0.00")


def test_a_failed_payment_takes_its_allowance_back(selling: Selling) -> None:
    """As for an undone one."""
    invoice_id = selling.invoice("100", **TWO_IN_TEN)
    payment_id = selling.pay("98", "02-11", "oldest")
    commands.fail_payment(
        actor=selling.bea, payment_id=payment_id, kind="bounced", reason="No funds", on=day("02-14"), at=NOON
    )
    assert (selling.open(invoice_id), selling.books()) == ("100.00", {"receivable": "100.00", "revenue": "-100.00"})


def test_no_more_than_the_discount_is_allowed(selling: Selling) -> None:
    """The database refuses an allowance beyond it, and one that is not its net and tax; none is ever changed."""
    invoice_id = selling.invoice("100", **TWO_IN_TEN)
    selling.pay("98", "02-11", "oldest")
    insert = (
        "INSERT INTO payments_allowance (id, tax_category, tax_percent, net, tax, amount, currency, allowed_on,"
        " created_at, allocation_id, invoice_id) SELECT gen_random_uuid(), 'Z', 1, 1, 0, {amount}, currency,"
        " allowed_on, created_at, allocation_id, invoice_id FROM payments_allowance"
    )
    for statement in (
        insert.format(amount=1),
        insert.format(amount=-1),
        "UPDATE payments_allowance SET net = net + 1, amount = amount + 1",
        "DELETE FROM payments_allowance",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert (selling.allowances(), selling.open(invoice_id)) == (["0 %: 2.00 + 0.00"], "0.00")


@pytest.mark.parametrize(
    ("key", "statement"),
    [
        ("L9b", "UPDATE payments_allowance SET net = 1, amount = 1"),
        ("L9d", "UPDATE payments_allowance SET tax_percent = 7"),
        ("L9d", "UPDATE payments_payment SET received_on = '2026-02-12'"),
        ("L9e", "UPDATE invoicing_invoice SET settled = settled - 1"),
        ("L9f", "UPDATE ledger_journalentry SET source = 'allowance:other' WHERE source LIKE 'allowance:%'"),
    ],
)
def test_a_planted_breach_of_an_allowance_is_found(db: None, key: str, statement: str) -> None:
    """What the commands never do is found behind their back."""
    world = make_selling()
    world.invoice("100", **TWO_IN_TEN)
    world.pay("98", "02-11", "oldest")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert [one.invariant.key for one in verify() if not one.holds] == []
        for table in ("payments_allowance", "payments_payment", "invoicing_invoice", "ledger_journalentry"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)
    assert key in [one.invariant.key for one in verify() if not one.holds]


# Where money goes ----------------------------------------------------------------------------------------------------


def test_money_goes_to_the_invoice_due_first(selling: Selling) -> None:
    """By its first open instalment: one that is due at once comes before one that is due in between."""
    parts = selling.invoice("100", **THIRD_AND_REST)
    between = selling.invoice("100", days="10")
    selling.pay("20", "02-02", "oldest")
    assert (selling.open(parts), selling.open(between)) == ("80.00", "100.00")
    selling.pay("10", "02-02", "oldest")
    assert (selling.open(parts), selling.open(between)) == ("70.00", "100.00")
    # Its first instalment is paid; the next one is due after the other invoice.
    selling.pay("110", "02-02", "oldest")
    assert (selling.open(parts), selling.open(between)) == ("60.00", "0.00")


def test_invoices_can_be_named_without_amounts(selling: Selling) -> None:
    """Money goes to them in their order, and what is left over is the payer's credit."""
    first, second = selling.invoice("100", days="30"), selling.invoice("50", days="10")
    payment_id = selling.pay("170", "02-02", invoices=[first])
    assert (selling.open(first), selling.open(second), selling.rest(payment_id)) == ("0.00", "50.00", "70.00")


def test_named_invoices_that_do_not_fit_are_refused(selling: Selling) -> None:
    """Another payer's, one that is none, and one named twice; nothing is written."""
    mine, other = selling.invoice("100"), selling.invoice("100", account=selling.brent)
    before = selling.counts()
    for named, field, code in (
        ([other], "invoices.0", "other_payer"),
        ([mine, UUID(int=7)], "invoices.1", "not_open"),
        ([mine, mine], "invoices", "twice"),
    ):
        with pytest.raises(Refusal) as refused:
            selling.pay("100", "02-02", invoices=named)
        assert (refused.value.field, refused.value.code) == (field, code)
    assert selling.counts() == before


# Credit --------------------------------------------------------------------------------------------------------------


def test_credit_pays_the_next_invoice_when_it_is_issued(selling: Selling) -> None:
    """On the day of the issue, as far as it goes; told again, nothing happens twice."""
    payment_id = selling.pay("150", "01-20")
    first = selling.invoice("100", days="30")
    selling.deliver()
    assert (selling.open(first), selling.rest(payment_id)) == ("0.00", "50.00")
    assert Allocation.objects.get(invoice=first).allocated_on == day("02-01")
    second = selling.invoice("80", "02-03", days="30")
    selling.deliver()
    assert (selling.open(second), selling.rest(payment_id)) == ("30.00", "0.00")
    before = selling.counts()
    assert commands.apply_credit(actor=SYSTEM, invoice_ids=[first, second], at=NOON) == []
    selling.deliver()
    assert selling.counts() == before
    assert selling.books() == {"bank": "150.00", "receivable": "30.00", "revenue": "-180.00"}


def test_credit_is_not_anybody_elses(selling: Selling) -> None:
    """Neither another payer's nor money in another currency, nor what was undone."""
    selling.pay("150", "01-20", payer=selling.brent)
    undone = selling.pay("150", "01-20")
    commands.undo_payment(actor=selling.bea, payment_id=undone, on=day("01-21"), at=NOON)
    values = {"payer": str(selling.acme), "method": "cash", "amount": "99", "currency": "USD"}
    commands.record_payment(actor=selling.bea, values={**values, "received_on": "2026-01-20"}, on=NOON.date(), at=NOON)
    invoice_id = selling.invoice("100")
    before = selling.counts()
    selling.deliver()
    assert (selling.open(invoice_id), selling.counts()) == ("100.00", before)


def test_credit_is_early(selling: Selling) -> None:
    """Money that was there before the invoice settles it less its discount; the oldest money goes first."""
    newer = selling.pay("60", "01-25")
    older = selling.pay("48", "01-20")
    invoice_id = selling.invoice("100", **TWO_IN_TEN)
    selling.deliver()
    assert (selling.open(invoice_id), selling.rest(older), selling.rest(newer)) == ("0.00", "0.00", "8.00")
    assert selling.allowances() == []
    selling.pay("90", "02-01")
    late = selling.invoice("100", "02-02", **TWO_IN_TEN)
    selling.deliver()
    assert (selling.open(late), selling.allowances()) == ("0.00", ["0 %: 2.00 + 0.00"])
    assert Payment.objects.get(pk=newer).allocated == 60


def test_credit_of_several_payments_pays_several_invoices(selling: Selling) -> None:
    """Asked for many at once, the invoice due first comes first."""
    selling.pay("70", "01-20")
    selling.pay("70", "01-21")
    late, soon = selling.invoice("100", days="30"), selling.invoice("100", days="5")
    made = commands.apply_credit(actor=SYSTEM, invoice_ids=[late, soon], at=NOON)
    assert (selling.open(soon), selling.open(late), len(made)) == ("0.00", "60.00", 3)
