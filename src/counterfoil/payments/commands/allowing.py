"""Early discounts that a payment earned, and their end when the invoice owes again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.commands import AllowanceOrder
from counterfoil.invoicing.rules.allowances import TaxedPart
from counterfoil.ledger.rules.entries import EntryOrder
from counterfoil.payments import events
from counterfoil.payments.models import Allocation, Allowance
from counterfoil.payments.rules import booking
from counterfoil.payments.rules.allocating import OpenInvoice, Settlement
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.plumbing.outbox import emit

MEMO = "Early payment discount"


@dataclass(frozen=True)
class Spared:
    """An allocation that settled its invoice with so much less than was open."""

    allocation: Allocation
    invoice: OpenInvoice
    amount: Decimal


def spared_by(
    made: Sequence[Allocation], shares: Sequence[Settlement], invoices: Mapping[UUID, OpenInvoice]
) -> list[Spared]:
    """Those of the allocations that settled their invoice with less than was open; each goes with its share."""
    return [
        Spared(one, invoices[share.invoice_id], share.allowance)
        for one, share in zip(made, shares, strict=True)
        if share.allowance
    ]


def allow(actor: Actor, spared: Sequence[Spared], at: datetime) -> list[EntryOrder]:
    """Write the allowances of allocations that are there already, and answer the entries for the books.

    A fixed number of statements, however many; none for none. The caller settles the invoices.
    """
    if not spared:
        return []
    orders = [AllowanceOrder(one.allocation.pk, one.invoice.id, one.amount) for one in spared]
    rows: list[Allowance] = []
    entries: list[EntryOrder] = []
    for one, parts in zip(spared, invoicing.allow(actor=actor, orders=orders, at=at), strict=True):
        made = [_row(one.allocation, part) for part in parts]
        rows += made
        entries.append(_entry(made, one.allocation, one.invoice, f"allowance:{one.allocation.pk}", MEMO))
        emit(
            events.DiscountAllowed(
                payment_id=one.allocation.payment_id,
                account_id=one.invoice.payer_id,
                invoice_ids=(one.invoice.id,),
                amount=Money.exact(one.amount, one.invoice.currency).amount,
                currency=one.invoice.currency,
            )
        )
    insert_rows(rows)
    return entries


def take_back(
    actor: Actor, invoices: Mapping[UUID, OpenInvoice], day: date, at: datetime
) -> tuple[list[EntryOrder], dict[UUID, Decimal]]:
    """End the allowances of invoices that owe again: counter-entries, those for the books, and what each owes more.

    An allowance stands only as long as its invoice is settled, so any allocation that is undone ends it.
    """
    live = list(
        Allowance.objects.filter(invoice__in=list(invoices), undoes=None, undone_by=None)
        .select_related("allocation")
        .order_by("id")
    )
    by_allocation: dict[UUID, list[Allowance]] = {}
    amounts: dict[UUID, Decimal] = {}
    for one in live:
        by_allocation.setdefault(one.allocation_id, []).append(_counter(one, day, at))
        amounts[one.invoice_id] = amounts.get(one.invoice_id, Decimal(0)) + one.amount
    insert_rows(counter for counters in by_allocation.values() for counter in counters)
    invoicing.end_allowances(actor=actor, source_ids=list(by_allocation), at=at)
    allocations = {one.allocation_id: one.allocation for one in live}
    entries = [
        _entry(
            counters,
            allocations[key],
            invoices[allocations[key].invoice_id],
            f"allowance:{key}:undone",
            f"{MEMO} undone",
        )
        for key, counters in by_allocation.items()
    ]
    return entries, amounts


def _row(allocation: Allocation, part: TaxedPart) -> Allowance:
    return Allowance(
        id=new_id(),
        allocation_id=allocation.pk,
        invoice_id=allocation.invoice_id,
        tax_category=part.category,
        tax_percent=part.percent,
        net=part.net.amount,
        tax=part.tax.amount,
        amount=part.gross.amount,
        currency=allocation.currency,
        allowed_on=allocation.allocated_on,
        created_at=allocation.created_at,
    )


def _counter(one: Allowance, day: date, at: datetime) -> Allowance:
    return Allowance(
        id=new_id(),
        allocation_id=one.allocation_id,
        invoice_id=one.invoice_id,
        tax_category=one.tax_category,
        tax_percent=one.tax_percent,
        net=-one.net,
        tax=-one.tax,
        amount=-one.amount,
        currency=one.currency,
        allowed_on=max(day, one.allowed_on),
        undoes_id=one.pk,
        created_at=at,
    )


def _entry(
    rows: Collection[Allowance], allocation: Allocation, invoice: OpenInvoice, source: str, memo: str
) -> EntryOrder:
    return booking.allowed(
        source=source,
        payment_id=allocation.payment_id,
        entity_id=invoice.entity_id,
        payer_id=invoice.payer_id,
        currency=invoice.currency,
        net=sum((one.net for one in rows), Decimal(0)),
        tax=sum((one.tax for one in rows), Decimal(0)),
        on=max(one.allowed_on for one in rows),
        memo=memo,
    )
