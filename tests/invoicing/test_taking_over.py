"""Issued documents of another system are taken over with their own numbers, and taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.core.errors import Conflict, Refusal
from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.ledger.models import Posting
from counterfoil.ledger.queries import posted_by_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(world: Issuing) -> TakeOver:
    return TakeOver(
        account_id=world.acme,
        entity_id=world.entity,
        number="611365",
        issued_on=date(2013, 1, 2),
        due_on=date(2013, 2, 1),
        total=Decimal("55.94"),
        currency="USD",
        disputed=True,
        description="Services of December",
    )


def take_over(*orders: TakeOver) -> list[Invoice]:
    ids = commands.take_over_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)
    return [Invoice.objects.get(pk=invoice_id) for invoice_id in ids]


def test_it_is_an_issued_document_with_its_own_number(world: Issuing, order: TakeOver) -> None:
    """Number, days and amount are those of the other system; the receivable stands against opening balances."""
    (invoice,) = take_over(order)
    assert (invoice.number, invoice.issued_on, invoice.due_on, invoice.disputed) == (
        "611365",
        date(2013, 1, 2),
        date(2013, 2, 1),
        True,
    )
    assert (invoice.series_id, invoice.status, invoice.origin) == (None, "issued", "imported")
    assert queries.get_invoice(world.bea, invoice.pk, ON).state == "overdue"
    assert invoice.lines.get().description == "Services of December"
    books = Posting.objects.order_by("id").values_list("ledger_account__role", "amount", "currency", "entry__posted_on")
    assert list(books) == [
        ("receivable", Decimal("55.94"), "USD", date(2013, 1, 2)),
        ("opening", Decimal("-55.94"), "USD", date(2013, 1, 2)),
    ]
    assert world.events() == ["invoice_taken_over"]


def test_our_numbers_go_on(world: Issuing, order: TakeOver) -> None:
    """Documents taken over leave our own series alone, and count as earlier invoices of the customer."""
    take_over(order)
    draft = world.draft()
    assert world.checks(draft) == {}
    world.issue(draft)
    assert world.numbers() == ["INV-2026-00001"]


def test_a_number_of_ours_that_is_taken_is_told(world: Issuing, order: TakeOver) -> None:
    """When the next number of our series is borne by a document from elsewhere, nothing is issued and the way out is
    told.
    """
    take_over(replace(order, number="INV-2026-00001"))
    draft = world.draft()
    with pytest.raises(Conflict) as refused:
        world.issue(draft)
    assert (refused.value.code, refused.value.field) == ("number_taken", "series")
    assert world.invoice(draft).status == "draft"
    assert world.numbers() == []


def test_problems_are_named_by_place(world: Issuing, order: TakeOver) -> None:
    """All problems of a set are told at once with the document's place, and nothing of it is taken over."""
    with pytest.raises(Refusal) as refused:
        take_over(
            order,
            replace(order, number="2", account_id=new_id()),
            replace(order, number="3", currency="ZZZ"),
            replace(order, number="4", total=Decimal("-1")),
            replace(order, number="5", total=Decimal("1.001")),
            replace(order, number="6", due_on=date(2012, 1, 1)),
            replace(order, number="7", tax=Decimal(60)),
            replace(order, number="8"),
            replace(order, number="8"),
        )
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [
        ("1.account", "no_such_record"),
        ("2.currency", "unknown_currency"),
        ("3.total", "out_of_range"),
        ("3.tax", "out_of_range"),
        ("4.total", "not_an_amount"),
        ("5.due_on", "runs_backward"),
        ("6.tax", "out_of_range"),
        ("7.number", "number_taken"),
        ("8.number", "number_taken"),
    ]
    assert Invoice.objects.count() == 0


def test_twice_is_refused(world: Issuing, order: TakeOver) -> None:
    """A number is taken over once."""
    take_over(order)
    with pytest.raises(Refusal) as refused:
        take_over(order)
    assert refused.value.code == "number_taken"
    assert Invoice.objects.count() == 1


def test_taken_back(world: Issuing, order: TakeOver) -> None:
    """A document that was taken over by mistake is voided by a counter-entry, and its number is free again."""
    (invoice,) = take_over(order)
    commands.void_taken_over(actor=SYSTEM, invoice_ids=[invoice.pk], reason="Wrong file", on=ON)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.void_reason) == ("void", "Wrong file")
    assert posted_by_role(invoice.entity_id)["receivable", world.acme] == 0
    (again,) = take_over(order)
    assert again.number == invoice.number


def test_what_cannot_be_taken_back(world: Issuing, order: TakeOver) -> None:
    """Our own documents, void ones, and those on which money stands are left alone, all of the set."""
    own = world.issued()
    settled, void, good = take_over(order, replace(order, number="2"), replace(order, number="3"))
    commands.settle(actor=SYSTEM, amounts={settled.pk: Decimal(1)}, on=ON)
    commands.void_taken_over(actor=SYSTEM, invoice_ids=[void.pk], reason="x", on=ON)
    ids = [own, settled.pk, void.pk, good.pk]
    with pytest.raises(Conflict) as refused:
        commands.void_taken_over(actor=SYSTEM, invoice_ids=ids, reason="x", on=ON)
    assert {problem.field: problem.code for problem in refused.value.problems} == {
        str(own): "our_own",
        str(settled.pk): "settled",
        str(void.pk): "not_open",
    }
    good.refresh_from_db()
    assert good.status == "issued"
