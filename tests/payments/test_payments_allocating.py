"""Which money settles which invoice, as pure values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from counterfoil.payments.rules import booking
from counterfoil.payments.rules.allocating import OpenInvoice, oldest_first

PAYER, ENTITY, PAYMENT = UUID(int=1), UUID(int=2), UUID(int=3)


def invoice(number: str, open_: str, due: int) -> OpenInvoice:
    return OpenInvoice(
        id=uuid4(),
        number=number,
        payer_id=PAYER,
        payers=frozenset({PAYER}),
        entity_id=ENTITY,
        currency="EUR",
        open=Decimal(open_),
        issued_on=date(2026, 1, 1),
        due_on=date(2026, 3, due),
    )


def test_oldest_first_fills_by_due_day() -> None:
    """250 over 100 due on the 5th, 100 due on the 1st and 100 due on the 9th settles the first two and half of the
    last.
    """
    middle, first, last = invoice("A", "100", 5), invoice("B", "100", 1), invoice("C", "100", 9)
    left = {one.id: one.open for one in (middle, first, last)}
    shares = oldest_first(Decimal("250"), [middle, first, last], left)
    assert [(share.invoice_id, share.amount) for share in shares] == [
        (first.id, Decimal(100)),
        (middle.id, Decimal(100)),
        (last.id, Decimal(50)),
    ]


@given(
    amount=st.decimals("0.01", "9999.99", places=2),
    opens=st.lists(st.decimals("0.00", "999.99", places=2), max_size=12),
)
def test_oldest_first_gives_all_it_can_and_no_more(amount: Decimal, opens: list[Decimal]) -> None:
    """The shares sum to the smaller of the money and what is open, and no invoice gets more than it owes."""
    invoices = [invoice(str(number), str(one), 1 + number) for number, one in enumerate(opens)]
    left = {one.id: one.open for one in invoices}
    shares = oldest_first(amount, invoices, left)
    assert sum(share.amount for share in shares) == min(amount, sum(opens, Decimal(0)))
    assert all(Decimal(0) < share.amount <= left[share.invoice_id] for share in shares)


@given(
    amount=st.decimals("0.01", "9999.99", places=2),
    parts=st.lists(st.decimals("0.01", "99.99", places=2), max_size=5),
)
def test_entries_of_money_balance(amount: Decimal, parts: list[Decimal]) -> None:
    """Received money and its taking back sum to zero each, and cancel each other on every ledger account."""
    settled = {UUID(int=10 + number): part for number, part in enumerate(parts)}
    total = amount + sum(parts, Decimal(0))
    known = {"payment_id": PAYMENT, "entity_id": ENTITY, "payer_id": PAYER, "method": "cheque", "currency": "EUR"}
    came = booking.received(**known, amount=total, settled=settled, on=date(2026, 4, 1))
    went = booking.taken_back(**known, amount=total, settled=settled, on=date(2026, 4, 9), memo="Bounced")
    assert sum(one.amount for one in came.postings) == 0
    assert sum(one.amount for one in went.postings) == 0
    sums: dict[tuple[str, UUID | None], Decimal] = {}
    for one in (*came.postings, *went.postings):
        key = (one.role, one.account_id)
        sums[key] = sums.get(key, Decimal(0)) + one.amount
    assert set(sums.values()) == {Decimal(0)}
    assert came.postings[0].role == "clearing"
