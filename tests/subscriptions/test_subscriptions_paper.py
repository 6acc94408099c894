"""What stands on the paper of a subscription."""

from __future__ import annotations

from datetime import date

from subscriptions_world import SYSTEM, Billing, add_account, item

from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.printing import printed_document


def printed(invoice: Invoice) -> list[str]:
    return [
        line.detail for line in printed_document(invoice, list(invoice.lines.all()), list(invoice.taxes.all())).lines
    ]


def test_how_an_amount_came_about_is_printed_in_the_language_of_the_document(billing: Billing) -> None:
    """Invoice and credit note of a German customer are German; what is kept, and what colleagues read, is not."""
    german = add_account("Blau GmbH", language="de")
    billing.on = date(2026, 1, 15)
    seats = billing.start(item("seat", "1500"), account=german, anchor_day=1)
    billing.on = date(2026, 1, 20)
    billing.change(seats, item("seat", "2"))
    invoice, note = Invoice.objects.order_by("created_at")
    assert (note.kind, printed(invoice), printed(note)) == (
        "credit_note", ["17 von 31 Tagen × 1.500 × 10,00"], ["nicht genutzt: 12 von 31 Tagen × 1.498 × 10,00"],
    )  # fmt: skip
    assert [line.why for one in (invoice, note) for line in one.lines.all()] == [
        "17 of 31 days × 1,500 × 10.00", "not used: 12 of 31 days × 1,498 × 10.00",
    ]  # fmt: skip


def test_a_document_in_another_language_says_it_so(billing: Billing) -> None:
    """A person chooses French for one draft: its reasons are French."""
    account = add_account("Rouge SA", po_policy="required")
    billing.start(item("basic"), account=account, start=date(2025, 12, 17), anchor_day=1)
    draft = Invoice.objects.get()
    assert draft.status == "draft"
    values = {"language": "fr", "po_number": "12"}
    invoicing.change_draft(actor=SYSTEM, invoice_id=draft.pk, values=values, version=None, on=billing.on)
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[draft.pk], on=billing.on, at=billing.at, send=False)
    assert printed(Invoice.objects.get()) == ["15 sur 31 jours × 1 × 100,00", "1 × 100,00"]
