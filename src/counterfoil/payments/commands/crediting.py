"""Money that was left over pays the next invoice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.money import Money
from counterfoil.invoicing.commands import settle
from counterfoil.ledger.commands import post
from counterfoil.ledger.rules.entries import EntryOrder
from counterfoil.payments import events
from counterfoil.payments.commands.allocating import allocation_of
from counterfoil.payments.commands.allowing import allow, spared_by
from counterfoil.payments.models import Allocation, Payment
from counterfoil.payments.open_invoices import locked_invoices
from counterfoil.payments.rules import booking
from counterfoil.payments.rules.allocating import OpenInvoice, Settlement, due_first, oldest_first
from counterfoil.plumbing.bulk import insert_rows, one_trip, read_where, update_rows
from counterfoil.plumbing.outbox import emit

# Money of the payers of these invoices, as far as they are open.
_LEFT_OVER = """status = 'received' AND allocated < amount AND EXISTS (
    SELECT 1 FROM invoicing_invoice i
    WHERE i.id = ANY(%s) AND i.status = 'issued' AND i.kind = 'invoice' AND i.settled < i.total - i.credited
      AND (i.payer_id, i.entity_id, i.currency) = (
          payments_payment.payer_id, payments_payment.entity_id, payments_payment.currency
      )
)"""


@command("payments.apply_credit", needs="payments.record")
def apply_credit(*, actor: Actor, invoice_ids: Sequence[UUID], at: datetime) -> list[UUID]:
    """Let what payments of the payers have left over pay these invoices, the invoice due first, the oldest money first.

    Money stays within its company and currency, and settles on the day of the issue, or on which it came if that is
    later. Done again it finds nothing: what is paid or used up is left alone. One statement where there is no credit.
    Returns the ids of the allocations.
    """
    payments = read_where(Payment, _LEFT_OVER, list(invoice_ids), order="id", lock=True)
    if not payments:
        return []
    invoices = locked_invoices(invoice_ids)
    shares = _shares(payments, invoices)
    if not shares:
        return []
    made = [
        allocation_of(payment, share, actor.name, _day(payment, invoices[share.invoice_id]), at)
        for payment, share in shares
    ]
    touched = {payment.pk: payment for payment, _ in shares}
    for payment, share in shares:
        payment.allocated += share.amount
    for payment in touched.values():
        payment.version += 1
    with one_trip():
        update_rows(list(touched.values()), ["allocated", "version"])
        insert_rows(made)
        discounts = allow(actor, spared_by(made, [share for _, share in shares], invoices), at)
    settled: dict[UUID, Decimal] = {}
    for _, share in shares:
        settled[share.invoice_id] = settled.get(share.invoice_id, Decimal(0)) + share.whole
    settle(actor=actor, amounts=settled, on=at.date())
    post(actor=actor, entries=[*_entries(shares, made, invoices), *discounts], at=at)
    _tell(shares)
    return [one.pk for one in made]


def _shares(payments: Sequence[Payment], invoices: dict[UUID, OpenInvoice]) -> list[tuple[Payment, Settlement]]:
    """Which money goes to which invoice: each payment, the oldest first, to the invoices of its payer by due day."""
    left = {invoice.id: invoice.open for invoice in invoices.values()}
    ordered = due_first(invoices.values())
    found = []
    for payment in sorted(payments, key=lambda one: (one.received_on, one.pk)):
        same = (payment.payer_id, payment.entity_id, payment.currency)
        mine = [one for one in ordered if (one.payer_id, one.entity_id, one.currency) == same]
        for share in oldest_first(payment.amount - payment.allocated, mine, left, payment.received_on):
            left[share.invoice_id] -= share.whole
            found.append((payment, share))
    return found


def _day(payment: Payment, invoice: OpenInvoice) -> date:
    return max(payment.received_on, invoice.issued_on)


def _entries(
    shares: Sequence[tuple[Payment, Settlement]], made: Sequence[Allocation], invoices: dict[UUID, OpenInvoice]
) -> list[EntryOrder]:
    return [
        booking.allocated(
            source=f"allocation:{one.pk}",
            payment_id=payment.pk,
            entity_id=payment.entity_id,
            payer_id=payment.payer_id,
            currency=payment.currency,
            settled={invoices[share.invoice_id].payer_id: share.amount},
            on=one.allocated_on,
            memo="Credit applied",
        )
        for (payment, share), one in zip(shares, made, strict=True)
    ]


def _tell(shares: Sequence[tuple[Payment, Settlement]]) -> None:
    by_payment: dict[UUID, list[tuple[Payment, Settlement]]] = {}
    for payment, share in shares:
        by_payment.setdefault(payment.pk, []).append((payment, share))
    for pairs in by_payment.values():
        payment = pairs[0][0]
        emit(
            events.PaymentAllocated(
                payment_id=payment.pk,
                account_id=payment.payer_id,
                invoice_ids=tuple(share.invoice_id for _, share in pairs),
                amount=Money.exact(sum((share.amount for _, share in pairs), Decimal(0)), payment.currency).amount,
                currency=payment.currency,
            )
        )
