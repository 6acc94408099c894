"""What the terms of an invoice say when it is issued: its due day, its instalments, its early discount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from counterfoil.accounts.rules.facts import TermsFact
from counterfoil.core.money import Money
from counterfoil.invoicing.models import DocumentKind, Instalment, Invoice
from counterfoil.invoicing.rules.due import due_plan
from counterfoil.plumbing.bulk import insert_rows

DUE_COLUMNS = ("due_on", "early_discount_until", "early_discount_amount")


def write_due(invoices: Sequence[Invoice], terms: Mapping[UUID, TermsFact], on: date) -> None:
    """Set the due columns of documents that are being issued, and write their instalments.

    These go in while the rows still are drafts: nothing can be added to what is issued. Most invoices are due in one
    payment and have none; a credit note has neither terms nor instalments.
    """
    rows: list[Instalment] = []
    for invoice in invoices:
        fact = terms.get(invoice.terms_id) if invoice.terms_id and invoice.kind == DocumentKind.INVOICE else None
        plan = due_plan(Money.exact(invoice.total, invoice.currency), on, fact.rule if fact else None)
        invoice.due_on = plan.due_on
        if plan.early_discount is not None:
            invoice.early_discount_until = plan.early_discount.until
            invoice.early_discount_amount = plan.early_discount.amount.amount
        if len(plan.instalments) > 1:
            rows += [
                Instalment(invoice_id=invoice.pk, position=place, due_on=one.due_on, amount=one.amount.amount)
                for place, one in enumerate(plan.instalments, 1)
            ]
    insert_rows(rows)
