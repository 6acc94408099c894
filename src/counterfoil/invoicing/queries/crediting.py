"""What can still be taken back of an invoice, and what was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.core.money import Money
from counterfoil.invoicing.crediting import credited_invoices
from counterfoil.invoicing.models import Credit, InvoiceLine
from counterfoil.invoicing.rules.crediting import Wanted, set_offs


@dataclass(frozen=True)
class CreditableLine:
    """A line of an issued invoice that can be taken back: what it says, and how much of that is left."""

    id: UUID
    text: str
    service_from: date | None
    service_to: date | None
    said: Money
    left: Money


def creditable_lines(actor: Actor, invoice_id: UUID) -> list[CreditableLine]:
    """The lines of an invoice in their order; none of a draft or a credit note, or for one who may not know prices."""
    if not actor.may("invoicing.see") or "pricing" not in actor.reads:
        return []
    credited = credited_invoices([invoice_id])
    return [
        CreditableLine(row.pk, row.description, row.service_from, row.service_to, line.said, line.left)
        for row, line in ((row, credited.lines[row.pk]) for row in credited.rows.values())
        if not line.takes_back
    ]


_BESIDES = """
SELECT line_id, SUM(amount) FROM (
    SELECT l.credits_line_id AS line_id, l.net AS amount
    FROM invoicing_invoiceline l JOIN invoicing_invoice i ON i.id = l.invoice_id
    WHERE l.credits_line_id = ANY(%s) AND i.kind = 'credit_note' AND i.status = 'issued' AND i.origin <> 'subscription'
    UNION ALL
    SELECT line_id, said FROM invoicing_lineallowance WHERE line_id = ANY(%s)
) off GROUP BY line_id
"""
_UNISSUED = """
SELECT l.id FROM invoicing_invoiceline l JOIN invoicing_invoice i ON i.id = l.invoice_id
WHERE l.id = ANY(%s) AND i.status <> 'issued'
"""


def line_ids_of(invoice_id: UUID) -> frozenset[UUID]:
    """The ids of a document's lines. For commands, never for output."""
    return frozenset(InvoiceLine.objects.filter(invoice=invoice_id).values_list("id", flat=True))


def unissued_of(line_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of the lines that stand on documents that are not issued. For commands, never for output."""
    with connection.cursor() as cursor:
        cursor.execute(_UNISSUED, [list(line_ids)])
        return frozenset(line_id for (line_id,) in cursor.fetchall())


def taken_off_besides(line_ids: Collection[UUID]) -> dict[UUID, Decimal]:
    """How much was taken off issued lines otherwise than by billing: by credit notes that a person or a program asked
    for, and by what early payments need not pay. For commands, never for output.
    """
    if not line_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_BESIDES, [list(line_ids)] * 2)
        return dict(cursor.fetchall())


def given_already(asked: Sequence[tuple[UUID, Decimal]]) -> frozenset[UUID]:
    """Those issued lines whose invoices have nothing left that a credit note of these amounts would give back. For
    commands, never for output.
    """
    lines = [line_id for line_id, _ in asked]
    owners = InvoiceLine.objects.filter(pk__in=lines).values_list("invoice_id", flat=True)
    credited = credited_invoices(set(owners))
    wanted = [
        Wanted(line_id, Money.exact(amount, credited.lines[line_id].said.currency))
        for line_id, amount in asked
        if line_id in credited.lines
    ]
    sums: dict[UUID, Decimal] = defaultdict(Decimal)
    for one in (*wanted, *set_offs(wanted, credited.lines)):
        sums[credited.lines[one.line_id].invoice_id] += one.amount.amount
    return frozenset(one.line_id for one in wanted if sums[credited.lines[one.line_id].invoice_id] <= 0)


def credits_of(actor: Actor, invoice_id: UUID) -> list[dict[str, Any]]:
    """The credit notes of an invoice, or the invoices of a credit note, the oldest first: ``id``, ``number``,
    ``issued_on``, ``amount`` with tax, and ``applied``, which lowered what was open.
    """
    if not actor.may("invoicing.see") or "pricing" not in actor.reads:
        return []
    both = Credit.objects.filter(invoice=invoice_id) | Credit.objects.filter(credit_note=invoice_id)
    found = []
    for one in both.select_related("invoice", "credit_note").order_by("created_at", "id"):
        other = one.credit_note if one.invoice.pk == invoice_id else one.invoice
        found.append(
            {
                "id": other.pk,
                "number": other.number,
                "issued_on": other.issued_on,
                "amount": Money.exact(one.amount, one.currency),
                "applied": Money.exact(one.applied, one.currency),
            }
        )
    return found
