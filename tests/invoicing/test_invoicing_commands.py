"""Drafts name their sources; issued documents are numbered without a gap and never change again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from billing_world import AT, ON, SYSTEM, Billing, user
from django.db import connection, transaction
from django.db.utils import DatabaseError

from counterfoil.accounts import commands as accounts
from counterfoil.core.errors import Conflict, NotAllowed, Refusal, Stale
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.ledger.models import JournalEntry, Posting


def test_every_value_of_a_draft_names_its_source(billing: Billing) -> None:
    """A draft of a deal says what the deal gave, what the account said and what was nobody's."""
    row = queries.get_invoice(SYSTEM, billing.draft())
    kinds = {name: source["kind"] for name, source in row.sources.items()}
    assert kinds["lines"] == kinds["account"] == "deal"
    assert kinds["party"] == "own"
    assert kinds["terms"] == "default"
    assert kinds["po_number"] == "none"
    assert all(source["label"] for source in row.sources.values())
    assert (row.net.amount, row.tax.amount, row.total.amount) == (
        Decimal("200.00"),
        Decimal("40.00"),
        Decimal("240.00"),
    )


def test_an_edited_value_says_who_edited_it_and_counts_as_a_touch(billing: Billing) -> None:
    """Only the field that changed is marked, and the version rises by one."""
    draft = billing.draft()
    bea = user("Bea", "billing").actor()
    commands.change_draft(actor=bea, invoice_id=draft, values={"po_number": "PO 7"}, version=1, on=ON)
    invoice = billing.get(draft)
    assert invoice.sources["po_number"]["label"] == "Edited by Bea"
    assert invoice.touched == ["po_number"]
    assert invoice.version == 2


def test_two_people_cannot_edit_one_draft_unseen(billing: Billing) -> None:
    """The second one, who saw the version before, is refused, and nothing of theirs is kept."""
    draft = billing.draft()
    commands.change_draft(actor=SYSTEM, invoice_id=draft, values={"notes": "first"}, version=1, on=ON)
    with pytest.raises(Stale):
        commands.change_draft(actor=SYSTEM, invoice_id=draft, values={"notes": "second"}, version=1, on=ON)
    assert billing.get(draft).notes == "first"


def test_an_unsaved_preview_saves_nothing(billing: Billing) -> None:
    """The preview of other values has their total, and the draft keeps its own."""
    draft = billing.draft()
    values = {"lines": [{"description": "Consulting", "quantity": "3", "unit_price": "50"}]}
    drawn = queries.preview_of_values(SYSTEM, draft, values, AT)
    assert drawn.total.amount == Decimal("180.00")
    assert drawn.pages[0].lstrip().startswith(b"<svg")
    assert billing.get(draft).total == Decimal("240.00")
    assert billing.get(draft).version == 1


def test_a_new_draft_can_be_previewed_before_it_exists(billing: Billing) -> None:
    """Nothing is made by looking."""
    values = {"account": str(billing.acme), "lines": [{"product": str(billing.widget), "quantity": "1"}]}
    assert queries.preview_of_values(SYSTEM, None, values, AT).total.amount == Decimal("120.00")
    assert not Invoice.objects.exists()


def test_issuing_numbers_without_a_gap_and_posts_what_is_owed(billing: Billing) -> None:
    """Three drafts get 1 to 3 in the order in which they waited; each entry sums to zero."""
    drafts = [billing.draft(at=AT + timedelta(minutes=minute)) for minute in (3, 1, 2)]
    issued = billing.issue(*drafts)
    assert [invoice.number for invoice in issued] == ["INV-2026-00003", "INV-2026-00001", "INV-2026-00002"]
    assert JournalEntry.objects.count() == 3
    amounts = Posting.objects.filter(entry__document_id=drafts[0]).values_list("ledger_account__role", "amount")
    assert dict(amounts) == {
        "receivable": Decimal("240.00"),
        "revenue": Decimal("-200.00"),
        "tax_payable": Decimal("-40.00"),
    }


def test_issuing_is_all_or_none(billing: Billing) -> None:
    """One blocked draft keeps the others back too: no number is taken and no entry is written."""
    good, bad = billing.draft(), billing.draft(account=billing.bare)
    with pytest.raises(Refusal) as refused:
        billing.issue(good, bad)
    assert {problem.field for problem in refused.value.problems} == {str(bad)}
    assert billing.get(good).status == billing.get(bad).status == "draft"
    assert not JournalEntry.objects.exists()
    assert billing.issue(good)[0].number == "INV-2026-00001"


def test_a_later_number_never_bears_an_earlier_day(billing: Billing) -> None:
    """The day before the last issue is refused, and the number is not lost."""
    billing.issue(billing.draft())
    late = billing.draft()
    with pytest.raises(Refusal) as refused:
        billing.issue(late, on=ON - timedelta(days=1))
    assert refused.value.problems[0].code == "earlier_than_last"
    assert billing.issue(late)[0].number == "INV-2026-00002"


def test_an_empty_draft_and_one_of_zero_are_not_issued(billing: Billing) -> None:
    """Both are refused with the finding that says why."""
    for draft in (billing.by_hand(lines=[]), billing.draft(price="0")):
        with pytest.raises(Refusal):
            billing.issue(draft)
        assert billing.get(draft).number == ""


def _by_model(invoice: Invoice) -> None:
    invoice.notes = "other"
    invoice.save()


def _raw(statement: str) -> Callable[[Invoice], None]:
    def run(invoice: Invoice) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, [invoice.pk])

    return run


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_by_model, id="model"),
        pytest.param(lambda invoice: Invoice.objects.filter(pk=invoice.pk).update(total=1, net=1, tax=0), id="update"),
        pytest.param(lambda invoice: invoice.delete(), id="delete"),
        pytest.param(lambda invoice: InvoiceLine.objects.filter(invoice=invoice).update(quantity=9), id="line"),
        pytest.param(lambda invoice: InvoiceLine.objects.filter(invoice=invoice).delete(), id="no line"),
        pytest.param(_raw("UPDATE invoicing_invoice SET number = 'X' WHERE id = %s"), id="SQL number"),
        pytest.param(_raw("UPDATE invoicing_invoice SET status = 'draft' WHERE id = %s"), id="SQL status"),
        pytest.param(_raw("UPDATE invoicing_invoicetax SET amount = 0 WHERE invoice_id = %s"), id="SQL tax"),
        pytest.param(_raw("DELETE FROM invoicing_invoiceline WHERE invoice_id = %s"), id="SQL lines"),
    ],
)
def test_an_issued_document_cannot_be_changed_by_anyone(billing: Billing, change: Callable[[Invoice], None]) -> None:
    """The database refuses, whichever way the change comes."""
    (invoice,) = billing.issue(billing.draft())
    with pytest.raises(DatabaseError), transaction.atomic():
        change(billing.get(invoice.pk))
    after = billing.get(invoice.pk)
    assert (after.number, after.total, after.notes) == (invoice.number, Decimal("240.00"), "")
    assert InvoiceLine.objects.get(invoice=invoice).quantity == 2


def test_what_is_printed_stays_when_the_account_moves(billing: Billing) -> None:
    """The party block is frozen; a later draft has the new name."""
    (invoice,) = billing.issue(billing.draft())
    accounts.change_account(actor=SYSTEM, account_id=billing.acme, values={"legal_name": "Acme AG"}, version=None)
    assert billing.get(invoice.pk).party is not None
    assert queries.get_invoice(SYSTEM, invoice.pk).party["legal_name"] == "Acme Corporation GmbH"
    assert queries.get_invoice(SYSTEM, billing.draft()).party["legal_name"] == "Acme AG"


def test_a_draft_follows_its_account_until_it_is_edited(billing: Billing) -> None:
    """The language is the account's, then the person's, then, emptied, the account's again."""
    draft = billing.draft()
    accounts.change_account(actor=SYSTEM, account_id=billing.acme, values={"language": "de"}, version=None)
    assert queries.get_invoice(SYSTEM, draft).language == "de"
    commands.change_draft(actor=SYSTEM, invoice_id=draft, values={"language": "fr"}, version=None, on=ON)
    assert queries.get_invoice(SYSTEM, draft).language == "fr"
    commands.change_draft(actor=SYSTEM, invoice_id=draft, values={"language": ""}, version=None, on=ON)
    assert queries.get_invoice(SYSTEM, draft).language == "de"


def test_a_returned_draft_leaves_the_queue_and_is_not_issued(billing: Billing) -> None:
    """Sales gets the reason; a return without one is refused."""
    draft = billing.draft()
    with pytest.raises(Refusal):
        commands.return_drafts(actor=SYSTEM, invoice_ids=[draft], reason="  ", at=AT)
    assert len(queries.review_queue(SYSTEM)) == 1
    commands.return_drafts(actor=SYSTEM, invoice_ids=[draft], reason="Wrong quantity", at=AT)
    assert queries.review_queue(SYSTEM) == []
    with pytest.raises(Conflict):
        billing.issue(draft)


def test_only_a_draft_made_by_hand_is_discarded(billing: Billing) -> None:
    """One of a deal is returned instead, so that nothing is lost."""
    by_hand, of_deal = billing.by_hand(), billing.draft()
    commands.discard_draft(actor=SYSTEM, invoice_id=by_hand, version=None)
    with pytest.raises(Refusal):
        commands.discard_draft(actor=SYSTEM, invoice_id=of_deal, version=None)
    assert list(Invoice.objects.values_list("id", flat=True)) == [of_deal]


def test_sales_may_see_drafts_and_issue_none(billing: Billing) -> None:
    """The door refuses, and the draft stays one."""
    draft = billing.draft()
    sam = user("Sam", "sales").actor()
    assert len(queries.review_queue(sam)) == 1
    with pytest.raises(NotAllowed):
        commands.issue_invoices(actor=sam, invoice_ids=[draft], on=ON, at=AT, send=True)
    assert billing.get(draft).status == "draft"
