"""The journal entries of money: what goes on the debit and on the credit side.

Received money is debited to the bank, the cash box or the clearing account. As far as it settles invoices it is
credited to
receivables, and the rest to customer credit; so customer credit always is what is not allocated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder

_ROLE_OF = {"transfer": "bank", "cash": "cash", "cheque": "clearing", "card_terminal": "clearing"}


def received(
    *,
    payment_id: UUID,
    entity_id: UUID,
    payer_id: UUID,
    method: str,
    currency: str,
    amount: Decimal,
    settled: Mapping[UUID, Decimal],
    on: date,
) -> EntryOrder:
    """Money came, and settles what ``settled`` says by the payer of the invoice."""
    rest = amount - sum(settled.values(), Decimal(0))
    return EntryOrder(
        entity_id=entity_id,
        source=f"payment:{payment_id}",
        document_id=payment_id,
        memo="Payment received",
        posted_on=on,
        postings=(
            PostingOrder(_ROLE_OF[method], amount, currency),
            *(PostingOrder("receivable", -part, currency, payer) for payer, part in settled.items() if part),
            *_credit(-rest, currency, payer_id),
        ),
    )


def credited(
    *, payment_id: UUID, entity_id: UUID, payer_id: UUID, currency: str, amount: Decimal, on: date
) -> EntryOrder:
    """What a credit note leaves over is no receivable any more, but money that its payer has with us."""
    return EntryOrder(
        entity_id=entity_id,
        source=f"payment:{payment_id}",
        document_id=payment_id,
        memo="Credit of a credit note",
        posted_on=on,
        postings=(PostingOrder("receivable", amount, currency, payer_id), *_credit(-amount, currency, payer_id)),
    )


def taken_back(
    *,
    payment_id: UUID,
    entity_id: UUID,
    payer_id: UUID,
    method: str,
    currency: str,
    amount: Decimal,
    settled: Mapping[UUID, Decimal],
    on: date,
    memo: str,
) -> EntryOrder:
    """The money is gone again: invoices owe again what it had settled, and the credit that was left of it vanishes."""
    rest = amount - sum(settled.values(), Decimal(0))
    return EntryOrder(
        entity_id=entity_id,
        source=f"payment:{payment_id}:taken-back",
        document_id=payment_id,
        memo=memo,
        posted_on=on,
        postings=(
            PostingOrder(_ROLE_OF[method], -amount, currency),
            *(PostingOrder("receivable", part, currency, payer) for payer, part in settled.items() if part),
            *_credit(rest, currency, payer_id),
        ),
    )


def allocated(
    *,
    source: str,
    payment_id: UUID,
    entity_id: UUID,
    payer_id: UUID,
    currency: str,
    settled: Mapping[UUID, Decimal],
    on: date,
    memo: str,
) -> EntryOrder:
    """Credit becomes settlement; a negative amount turns settlement back into credit."""
    total = sum(settled.values(), Decimal(0))
    return EntryOrder(
        entity_id=entity_id,
        source=source,
        document_id=payment_id,
        memo=memo,
        posted_on=on,
        postings=(
            *_credit(total, currency, payer_id),
            *(PostingOrder("receivable", -part, currency, payer) for payer, part in settled.items() if part),
        ),
    )


def by_payer(parts: Iterable[tuple[UUID, Decimal]]) -> dict[UUID, Decimal]:
    """Amounts summed by the payer of their invoice."""
    sums: dict[UUID, Decimal] = {}
    for payer, amount in parts:
        sums[payer] = sums.get(payer, Decimal(0)) + amount
    return sums


def _credit(amount: Decimal, currency: str, payer_id: UUID) -> tuple[PostingOrder, ...]:
    return (PostingOrder("customer_credit", amount, currency, payer_id),) if amount else ()


def allowed(
    *,
    source: str,
    payment_id: UUID,
    entity_id: UUID,
    payer_id: UUID,
    currency: str,
    net: Decimal,
    tax: Decimal,
    on: date,
    memo: str,
) -> EntryOrder:
    """What an early payment need not pay lowers revenue and tax; negative amounts take it back."""
    return EntryOrder(
        entity_id=entity_id,
        source=source,
        document_id=payment_id,
        memo=memo,
        posted_on=on,
        postings=(
            *((PostingOrder("revenue", net, currency),) if net else ()),
            *((PostingOrder("tax_payable", tax, currency),) if tax else ()),
            PostingOrder("receivable", -(net + tax), currency, payer_id),
        ),
    )
