"""Which money settles which invoice: plain values in, plain values out.

An invoice never takes more than it owes, a payment never gives more than it has, and both are of one company and
currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.core.errors import Problem
from counterfoil.core.money import Money, formatted
from counterfoil.payments.rules.orders import PaymentOrder, Share


@dataclass(frozen=True)
class OpenInvoice:
    """What is known of an invoice that money may settle. ``payers`` are the accounts whose money it takes."""

    id: UUID
    number: str
    payer_id: UUID
    payers: frozenset[UUID]
    entity_id: UUID
    currency: str
    open: Decimal
    issued_on: date
    due_on: date


def oldest_first(amount: Decimal, invoices: Iterable[OpenInvoice], left: Mapping[UUID, Decimal]) -> tuple[Share, ...]:
    """The amount over the invoices in the order of their due days, each as far as it is open."""
    shares = []
    for invoice in sorted(invoices, key=lambda one: (one.due_on, one.issued_on, one.number)):
        taken = min(amount, left[invoice.id])
        if taken > 0:
            shares.append(Share(invoice.id, taken))
            amount -= taken
    return tuple(shares)


def entity_of(order: PaymentOrder, invoices: Mapping[UUID, OpenInvoice], default: UUID) -> UUID:
    """Whose money it is: the company named, else that of the first invoice, else the default one."""
    if order.entity_id is not None:
        return order.entity_id
    named = order.allocations if isinstance(order.allocations, tuple) else ()
    return next((invoices[share.invoice_id].entity_id for share in named if share.invoice_id in invoices), default)


def problems_of_shares(
    *,
    payer_id: UUID,
    entity_id: UUID,
    currency: str,
    available: Decimal,
    shares: Sequence[Share],
    invoices: Mapping[UUID, OpenInvoice],
    left: Mapping[UUID, Decimal],
    path: str,
) -> list[Problem]:
    """Why the shares cannot be given, each at its field. ``left`` is what each invoice still owes."""
    found = []
    for number, share in enumerate(shares):
        field = f"{path}allocations.{number}"
        invoice = invoices.get(share.invoice_id)
        if invoice is None:
            found.append(Problem(f"{field}.invoice", "not_open", "This is not an issued invoice."))
            continue
        wrong = _problem(payer_id, entity_id, currency, share, invoice, left[share.invoice_id])
        if wrong is not None:
            found.append(Problem(f"{field}.{wrong[0]}", wrong[1], wrong[2]))
    if len({share.invoice_id for share in shares}) < len(shares):
        found.append(Problem(f"{path}allocations", "twice", "Name each invoice once."))
    total = sum((share.amount for share in shares), Decimal(0))
    if not found and total > available:
        text = f"{_money(total, currency)} is allocated, but only {_money(available, currency)} is there."
        found.append(Problem(f"{path}allocations", "more_than_paid", text))
    return found


def _problem(
    payer_id: UUID, entity_id: UUID, currency: str, share: Share, invoice: OpenInvoice, left: Decimal
) -> tuple[str, str, str] | None:
    if invoice.currency != currency:
        text = f"{invoice.number} is in {invoice.currency}; money in {currency} cannot settle it."
        return "invoice", "other_currency", text
    if invoice.entity_id != entity_id:
        return "invoice", "other_company", f"{invoice.number} was issued by another of our companies."
    if payer_id not in invoice.payers:
        return "invoice", "other_payer", f"{invoice.number} is not for this payer to settle."
    try:
        Money.exact(share.amount, currency)
    except ValueError:
        return "amount", "too_many_decimals", f"{currency} has fewer decimals than this amount."
    if share.amount <= 0:
        return "amount", "too_small", "The amount must be above zero."
    if share.amount > left:
        if left <= 0:
            return "amount", "more_than_open", f"{invoice.number} is paid already; nothing of it is open."
        text = f"{invoice.number} has {_money(left, currency)} open; {_money(share.amount, currency)} is more."
        return "amount", "more_than_open", text
    return None


def _money(amount: Decimal, currency: str) -> str:
    return formatted(Money.exact(amount, currency), "en")
