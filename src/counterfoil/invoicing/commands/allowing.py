"""What early payments need not pay of issued lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.invoicing.crediting import credited_invoices
from counterfoil.invoicing.models import LineAllowance
from counterfoil.invoicing.rules.allowances import LinePart, TaxedPart, allowance_by_line, by_rate
from counterfoil.plumbing.bulk import insert_rows, read_where


@dataclass(frozen=True, slots=True)
class AllowanceOrder:
    """So much less settles an issued invoice. ``source_id`` names what settled it, once."""

    source_id: UUID
    invoice_id: UUID
    amount: Decimal


@command("invoicing.allow", needs="payments.record")
def allow(*, actor: Actor, orders: Sequence[AllowanceOrder], at: datetime) -> list[tuple[TaxedPart, ...]]:
    """Take allowances off the lines of invoices that the caller has locked and settles; it posts them, too.

    Answers the parts of each by tax rate. A fixed number of statements; none for none.
    """
    if not orders:
        return []
    credited = credited_invoices({one.invoice_id for one in orders})
    rows: list[LineAllowance] = []
    found = []
    for one in orders:
        amount = Money.exact(one.amount, credited.invoices[one.invoice_id].currency)
        lines = [line for line in credited.lines.values() if line.invoice_id == one.invoice_id]
        parts = allowance_by_line(amount, lines, credited.rate_taxes)
        rows += [_row(one.source_id, part, at) for part in parts]
        found.append(by_rate(parts))
    insert_rows(rows)
    return found


@command("invoicing.end_allowances", needs="payments.record")
def end_allowances(*, actor: Actor, source_ids: Collection[UUID], at: datetime) -> None:
    """Charge again what was taken off for these sources; their invoices owe it again, by the caller."""
    if source_ids:
        live = "source_id = ANY(%s) AND NOT ends"
        insert_rows(_counter(one, at) for one in read_where(LineAllowance, live, list(source_ids), order="id"))


def _row(source_id: UUID, part: LinePart, at: datetime) -> LineAllowance:
    key = part.key
    return LineAllowance(
        id=new_id(),
        line_id=part.line_id,
        source_id=source_id,
        category=key.category,
        percent=key.percent,
        included=key.included,
        again=key.again,
        said=part.said.amount,
        net=part.net.amount,
        tax=part.tax.amount,
        currency=part.said.currency,
        created_at=at,
    )


def _counter(one: LineAllowance, at: datetime) -> LineAllowance:
    return LineAllowance(
        id=new_id(),
        line_id=one.line_id,
        source_id=one.source_id,
        category=one.category,
        percent=one.percent,
        included=one.included,
        again=one.again,
        said=-one.said,
        net=-one.net,
        tax=-one.tax,
        currency=one.currency,
        ends=True,
        created_at=at,
    )
