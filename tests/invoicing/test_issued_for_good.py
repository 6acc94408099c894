"""An issued document never changes, whoever asks and however."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.access.models import Change
from counterfoil.accounts import commands as accounts
from counterfoil.core.errors import Conflict
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax, TaxRate
from counterfoil.ledger import commands as ledger
from counterfoil.ledger.models import JournalEntry, Posting

pytestmark = pytest.mark.django_db


@pytest.fixture
def issued(world: Issuing) -> UUID:
    return world.issue(world.draft())[0]


def everything(invoice_id: UUID) -> list[Any]:
    return [
        *Invoice.objects.filter(pk=invoice_id).values(),
        *InvoiceLine.objects.filter(invoice=invoice_id).values(),
        *InvoiceTax.objects.filter(invoice=invoice_id).values(),
        *Posting.objects.order_by("id").values(),
        *JournalEntry.objects.order_by("id").values(),
    ]


def raw(sql: str) -> Callable[[UUID], None]:
    def change(invoice_id: UUID) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, [invoice_id])

    change.__name__ = sql[:40]
    return change


def by_object(invoice_id: UUID) -> None:
    invoice = Invoice.objects.get(pk=invoice_id)
    invoice.notes = "changed"
    invoice.save()


def by_delete(invoice_id: UUID) -> None:
    Invoice.objects.get(pk=invoice_id).delete()


def by_new_line(invoice_id: UUID) -> None:
    InvoiceLine.objects.create(
        invoice_id=invoice_id,
        position=9,
        description="More",
        quantity=Decimal(1),
        unit_price=Decimal(1),
        net=Decimal(1),
    )


def by_new_tax(invoice_id: UUID) -> None:
    InvoiceTax.objects.create(invoice_id=invoice_id, category="Z", percent=0, label="x", base=0, amount=0)


def by_bulk(invoice_id: UUID) -> None:
    lines = list(InvoiceLine.objects.filter(invoice=invoice_id))
    for line in lines:
        line.description = "changed"
    InvoiceLine.objects.bulk_update(lines, ["description"])


@pytest.mark.parametrize(
    "change",
    [
        by_object,
        by_delete,
        by_new_line,
        by_new_tax,
        by_bulk,
        lambda pk: Invoice.objects.filter(pk=pk).update(total=1, net=1, tax=0),
        lambda pk: Invoice.objects.filter(pk=pk).update(status="draft", number="", sequence=None),
        lambda pk: InvoiceLine.objects.filter(invoice=pk).update(net=1),
        lambda pk: InvoiceLine.objects.filter(invoice=pk).delete(),
        lambda pk: InvoiceTax.objects.filter(invoice=pk).update(percent=7),
        lambda pk: InvoiceTax.objects.filter(invoice=pk).delete(),
        lambda pk: JournalEntry.objects.filter(document_id=pk).update(memo="changed"),
        lambda pk: Posting.objects.filter(entry__document_id=pk).update(amount=1),
        lambda pk: Posting.objects.filter(entry__document_id=pk).delete(),
        raw("UPDATE invoicing_invoice SET number = 'INV-2026-99999' WHERE id = %s"),
        raw("UPDATE invoicing_invoice SET issued_on = '2020-01-01' WHERE id = %s"),
        raw("UPDATE invoicing_invoice SET party = '{}' WHERE id = %s"),
        raw("UPDATE invoicing_invoice SET due_on = due_on + 1 WHERE id = %s"),
        raw("UPDATE invoicing_invoice SET status = 'draft' WHERE id = %s"),
        raw("DELETE FROM invoicing_invoice WHERE id = %s"),
        raw("DELETE FROM invoicing_invoiceline WHERE invoice_id = %s"),
        raw("UPDATE invoicing_invoicetax SET amount = 0 WHERE invoice_id = %s"),
    ],
)
def test_no_way_changes_an_issued_document(issued: UUID, change: Callable[[UUID], None]) -> None:
    """ORM, bulk and bare SQL are refused by the database; document, lines, taxes and postings stay byte for byte."""
    before = everything(issued)
    with pytest.raises(DatabaseError), transaction.atomic():
        change(issued)
    assert everything(issued) == before


def test_a_line_cannot_be_moved_onto_an_issued_document(world: Issuing, issued: UUID) -> None:
    """A draft's line does not slip onto an issued document by changing its owner."""
    draft = world.draft()
    with pytest.raises(DatabaseError, match="issued document cannot be changed"), transaction.atomic():
        InvoiceLine.objects.filter(invoice=draft).update(invoice=issued, position=2)
    assert InvoiceLine.objects.filter(invoice=issued).count() == 1
    assert InvoiceLine.objects.filter(invoice=draft).count() == 1


def test_commands_refuse_too(world: Issuing, issued: UUID) -> None:
    """Every verb of drafts says that the document is issued already, and changes nothing."""
    before = everything(issued)
    calls: list[Callable[[], Any]] = [
        lambda: commands.change_draft(actor=SYSTEM, invoice_id=issued, values={"notes": "x"}, version=None, on=ON),
        lambda: commands.discard_draft(actor=SYSTEM, invoice_id=issued, version=None),
        lambda: commands.return_drafts(actor=SYSTEM, invoice_ids=[issued], reason="x", at=AT),
        lambda: world.issue(issued),
    ]
    for call in calls:
        with pytest.raises(Conflict) as refused:
            call()
        assert refused.value.code == "not_a_draft"
        assert refused.value.message == "INV-2026-00001 is issued already."
    assert everything(issued) == before


def test_what_changes_around_it_changes_nothing_on_it(world: Issuing, issued: UUID) -> None:
    """Account, company and tax rates may change later: the document keeps party, seller and tax as they were."""
    before = everything(issued)
    accounts.change_account(actor=SYSTEM, account_id=world.acme, values={"legal_name": "Other Name GmbH"}, version=None)
    ledger.change_entity(
        actor=SYSTEM, entity_id=world.entity, values={"legal_name": "Other Works GmbH", "iban": ""}, version=None
    )
    rate = TaxRate.objects.get(entity=world.entity, tax_class="standard")
    commands.change_tax_rate(actor=SYSTEM, rate_id=rate.pk, values={"percent": "25", "label": "VAT 25 %"}, version=None)
    assert everything(issued) == before
    invoice = world.invoice(issued)
    assert invoice.party is not None
    assert invoice.party["legal_name"] == "Acme Corporation GmbH"
    assert invoice.seller is not None
    assert invoice.seller["legal_name"] == "Counterfoil Works GmbH"
    assert invoice.lines.get().tax_percent == Decimal(19)
    later = world.issue(world.draft(), on=date(2026, 4, 2))[0]
    assert world.invoice(later).party["legal_name"] == "Other Name GmbH"  # type: ignore[index]
    assert world.invoice(later).lines.get().tax_percent == Decimal(25)


def test_the_few_things_that_may_change(world: Issuing, issued: UUID) -> None:
    """Settling, disputing and asking for the mail are no changes of the document."""
    commands.settle(actor=SYSTEM, amounts={issued: Decimal("38.00")}, on=ON)
    commands.dispute_invoice(actor=SYSTEM, invoice_id=issued, disputed=True, note="Not what we ordered")
    commands.send_invoices(actor=SYSTEM, invoice_ids=[issued], at=AT)
    invoice = world.invoice(issued)
    assert (invoice.settled, invoice.disputed, invoice.send_requested_at) == (Decimal(38), True, AT)
    assert world.events() == [
        "draft_made",
        "invoice_issued",
        "invoice_settled",
        "invoice_disputed",
    ]


def test_every_column_is_frozen_but_those_of_later_life(issued: UUID) -> None:
    """What the database does not look at when it is written is what may change; a new column is frozen by itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.attname FROM pg_attribute a JOIN pg_trigger t ON t.tgrelid = a.attrelid"
            " WHERE t.tgname LIKE 'pgtrigger_frozen_when_issued%' AND a.attnum = ANY(t.tgattr)"
        )
        looked_at = {name for (name,) in cursor.fetchall()}
    columns = {field.column for field in Invoice._meta.concrete_fields}
    assert columns - looked_at == {
        "settled", "credited", "disputed", "dispute_note", "version", "send_requested_at", "void_reason",
    }  # fmt: skip


def test_settling_is_written_down_and_nothing_beside_it(issued: UUID) -> None:
    """The history says what was settled before and after, and says more where more was changed in the same moment."""
    commands.settle(actor=SYSTEM, amounts={issued: Decimal("38.00")}, on=ON)
    Invoice.objects.filter(pk=issued).update(settled=Decimal("40.00"), disputed=True)
    Invoice.objects.filter(pk=issued).update(version=9)
    changes = Change.objects.filter(record_id=issued, operation="update").order_by("id").values_list("before", "after")
    assert list(changes)[-2:] == [
        ({"settled": 0.0}, {"settled": 38.0}),
        ({"settled": 38.0, "disputed": False}, {"settled": 40.0, "disputed": True}),
    ]
    assert Change.objects.filter(record_id=issued, context__command="invoicing.settle").count() == 1
