"""References of a deal travel with it: to the draft, the subscription, what that bills later, the paper and the XML."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from deals_world import AT, ON, SYSTEM, Sales
from pypdf import PdfReader

from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.core.references import references_of
from counterfoil.deals import commands
from counterfoil.deals.models import Deal
from counterfoil.documents.einvoice import einvoice_xml
from counterfoil.documents.pdf import render_invoice
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.printing import printed_document
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

pytestmark = pytest.mark.django_db

REFERENCES = "Cost centre: 4711\nProject: Fleet & more\nas agreed"


def won(sales: Sales, **values: Any) -> UUID:
    lines = [{"product": sales.widget}, {"product": sales.support, "quantity": "2"}]
    deal_id = sales.ready(lines=lines, references=REFERENCES, **values)
    sales.win(deal_id)
    return deal_id


def run(on: date) -> None:
    at = datetime(on.year, on.month, on.day, 12, tzinfo=AT.tzinfo)
    while subscriptions.bill_due(actor=SYSTEM, on=on, at=at).subscriptions:
        pass


def test_from_the_deal_to_every_invoice(sales: Sales) -> None:
    """The draft of the win and what its subscription bills a month later bear them, word for word, with the source."""
    deal_id = won(sales)
    draft, subscription = Invoice.objects.get(), Subscription.objects.get()
    assert (draft.references, subscription.references) == (REFERENCES, REFERENCES)
    assert draft.sources["references"]["kind"] == "deal"
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[draft.pk], on=ON, at=AT, send=False)
    run(date(2026, 5, 1))
    assert [invoice.references for invoice in Invoice.objects.order_by("id")] == [REFERENCES, REFERENCES]
    with pytest.raises(Conflict):
        commands.change_deal(actor=SYSTEM, deal_id=deal_id, values={"references": "other"}, on=ON)
    assert Deal.objects.get(pk=deal_id).references == REFERENCES


def test_other_references_are_another_document(sales: Sales) -> None:
    """Two subscriptions of one customer share a document only when its references are theirs."""
    won(sales)
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[Invoice.objects.get().pk], on=ON, at=AT, send=False)
    first = Subscription.objects.get()
    item = ItemOrder("other", "Other", Pricing("flat", Decimal(10)), Interval("month"))
    order = SubscriptionOrder(first.account_id, (item,), date(2026, 5, 1), references="Cost centre: 42")
    subscriptions.start_subscriptions(actor=SYSTEM, orders=[order], on=ON, at=AT, is_billed=False)
    run(date(2026, 5, 1))
    billed = Invoice.objects.filter(issued_on=date(2026, 5, 1)).values_list("references", flat=True)
    assert sorted(billed) == ["Cost centre: 42", REFERENCES]


def test_on_the_paper_and_in_the_xml(sales: Sales) -> None:
    """They stand among the facts of the document, and as notes of the e-invoice."""
    won(sales)
    invoice = Invoice.objects.get()
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[invoice.pk], on=ON, at=AT, send=False)
    invoice.refresh_from_db()
    printed = printed_document(invoice, list(invoice.lines.order_by("position")), list(invoice.taxes.all()))
    assert printed.references == (("Cost centre", "4711"), ("Project", "Fleet & more"), ("", "as agreed"))
    text = " ".join("".join(page.extract_text() for page in PdfReader(BytesIO(render_invoice(printed))).pages).split())
    assert [word in text for word in ("Cost centre 4711", "Project Fleet & more", "Reference as agreed")] == [True] * 3
    xml = einvoice_xml(printed).decode()
    assert "<ram:Content>Cost centre: 4711</ram:Content>" in xml
    assert "<ram:Content>Project: Fleet &amp; more</ram:Content>" in xml


@pytest.mark.parametrize(
    ("references", "code"), [("\n".join(f"R{number}: 1" for number in range(11)), "too_many"), ("x" * 1001, "too_long")]
)
def test_too_many_are_refused(sales: Sales, references: str, code: str) -> None:
    """Ten lines, a thousand characters; what is refused changes nothing."""
    deal_id = sales.ready(references=REFERENCES)
    with pytest.raises(Refusal) as refused:
        commands.change_deal(actor=SYSTEM, deal_id=deal_id, values={"references": references}, on=ON)
    assert [(one.field, one.code) for one in refused.value.problems] == [("references", code)]
    assert Deal.objects.get(pk=deal_id).references == REFERENCES


def test_what_a_line_says() -> None:
    """What it is stands before a colon and a space; a line without them, or with nothing behind, is a value alone."""
    assert references_of("https://acme.example/7\nRef 12:30") == (("", "https://acme.example/7"), ("", "Ref 12:30"))
    assert references_of("A: 1: 2\n\n plain \nempty:\n: x") == (("A", "1: 2"), ("", "plain"), ("", "empty:"), ("", "x"))
