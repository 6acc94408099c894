"""Credit notes that gave back a cent too much, or that two doors counted differently: each test names its bug."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.core.errors import Refusal
from counterfoil.core.money import CURRENCIES, currency_decimals, rounded
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice, InvoiceLine
from counterfoil.invoicing.queries import creditable_lines
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.invoicing.rules.totals import TaxKey, taxes_of
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.invariants import verify
from staff import Staff

D = Decimal


def broken() -> list[str]:
    return [one.invariant.key for one in verify() if not one.holds]


def issued(world: Issuing, *prices: str, quantity: str = "1") -> UUID:
    lines = tuple(OrderLine(f"Line {place}", D(quantity), D(price)) for place, price in enumerate(prices))
    order = DraftOrder(account_id=world.acme, lines=lines)
    return world.issue(commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)[0])[0]


def line_ids(invoice_id: UUID) -> list[UUID]:
    return list(InvoiceLine.objects.filter(invoice=invoice_id).order_by("position").values_list("id", flat=True))


def credit(*parts: tuple[UUID, str]) -> Invoice:
    order = CreditOrder(tuple(CreditLine(line_id, D(amount)) for line_id, amount in parts), reason="Sorry")
    (note,) = commands.credit(actor=SYSTEM, orders=[order], on=ON, at=AT, send=False)
    return Invoice.objects.get(pk=note)


@pytest.mark.django_db
@pytest.mark.parametrize("rounding", ["per_rate", "per_line"])
@pytest.mark.parametrize(
    ("prices", "parts"),
    [
        (("10.00",), ("3.33", "3.33", "3.34")),
        (("0.03", "0.03", "0.03"), ("0.01", "0.02", "0.03")),
        (("99.99", "0.01", "33.33"), ("0.50", "33.34", "1.01")),
        (("0.13",) * 7, ("0.01", "0.05", "0.07")),
    ],
)
def test_credits_in_parts_are_never_a_cent_more(
    world: Issuing, rounding: str, prices: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """Lago #2643 https://github.com/getlago/lago-api/pull/2643: each line taken back in parts, the tax of each part
    rounded by itself: at no time is more credited than the invoice says, and in the end exactly that.
    """
    LegalEntity.objects.update(tax_rounding=rounding)
    invoice_id = issued(world, *prices)
    whole = Invoice.objects.get(pk=invoice_id)
    total = D(0)
    for line_id, price in zip(line_ids(invoice_id), prices, strict=True):
        left = D(price)
        for part in (*parts, "1000"):
            amount = min(D(part), left)
            if amount <= 0:
                break
            total += credit((line_id, f"{amount:.2f}")).total
            left -= amount
            assert total <= whole.total
    assert total == whole.total
    assert [f"{one.left.amount:.2f}" for one in creditable_lines(SYSTEM, invoice_id)] == ["0.00"] * len(prices)
    with pytest.raises(Refusal) as refused:
        credit((line_ids(invoice_id)[0], "0.01"))
    assert (refused.value.code, broken()) == ("more_than_left", [])


@pytest.mark.django_db
def test_what_is_paid_and_what_is_credited_are_not_more_than_all(world: Issuing) -> None:
    """Lago #4553 https://github.com/getlago/lago-api/pull/4553: of a paid invoice a credit lowers nothing that is open:
    it stands to the customer's credit, and the invoice is not below zero.
    """
    invoice_id = issued(world, "100.00")
    from counterfoil.payments import commands as payments

    values = {
        "payer": str(world.acme), "method": "transfer", "amount": "119.00", "currency": "EUR",
        "received_on": "2026-04-01",
    }  # fmt: skip
    payments.record_payment(actor=SYSTEM, values=values, invoices=[invoice_id], on=ON, at=AT)
    note = credit((line_ids(invoice_id)[0], "40.00"))
    invoice = Invoice.objects.get(pk=invoice_id)
    assert (f"{invoice.open:.2f}", f"{note.total:.2f}") == ("0.00", "47.60")
    assert broken() == []


@pytest.mark.django_db
def test_page_and_program_say_the_same_is_left(world: Issuing, staff: Staff, clock: Any) -> None:
    """Lago #1187 https://github.com/getlago/lago-api/pull/1187: what the page says is left is what a program can take
    back: a cent more is refused by both with the same words, the rest is taken by either.
    """
    invoice_id = issued(world, "100.00", "33.33")
    first, second = line_ids(invoice_id)
    credit((first, "12.34"))
    browser, program = staff.browser("billing"), staff.program("billing")
    address = f"/invoices/{invoice_id}/credit/"
    page = browser.get(address).content.decode()
    for line_id, left in ((first, "87.66"), (second, "33.33")):
        row = re.search(rf"<li>(?:(?!</li>).)*amount-{line_id}(?:(?!</li>).)*</li>", page, re.DOTALL)
        assert row is not None
        assert left in row[0]
        more = f"{D(left) + D('0.01'):.2f}"
        by_hand = browser.post(address, {f"amount-{line_id}": more})
        answer = program("POST", f"invoices/{invoice_id}/credit", {"lines": [{"line": str(line_id), "amount": more}]})
        assert (by_hand.status_code, answer.status_code) == (422, 422)
        problem = answer.json()["problems"][0]
        assert (problem["field"], problem["code"]) == ("lines.0.amount", "more_than_left")
        assert problem["message"].split(";")[0] in by_hand.content.decode()
    answer = program("POST", f"invoices/{invoice_id}/credit", {"lines": [{"line": str(first), "amount": "87.66"}]})
    assert answer.status_code == 201
    browser.post(address, {f"amount-{second}": "33.33"})
    assert f"{sum(note.total for note in Invoice.objects.filter(kind='credit_note')):.2f}" == "158.66"
    assert f"{Invoice.objects.get(pk=invoice_id).open:.2f}" == "0.00"
    assert broken() == []


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.decimals("-99999999", "99999999", places=6), st.sampled_from(sorted(CURRENCIES)),
    st.sampled_from(["half_up", "half_even", "down"]),
    st.sampled_from([D(0), D(7), D("8.1"), D(19), D("25.5")]), st.booleans(),
)  # fmt: skip
def test_below_zero_is_rounded_as_above(value: D, currency: str, mode: Any, percent: D, included: bool) -> None:
    """india-compliance #4763 https://github.com/resilient-tech/india-compliance/pull/4763: rounding the amount without
    its sign, and taking the sign off what was rounded, come to the same, for amounts and for their taxes.
    """
    assert rounded(abs(value), currency, mode) == abs(rounded(value, currency, mode))
    said = rounded(value, currency)
    key = TaxKey("S", percent, included)
    assert taxes_of(abs(said), (key,))[0] == abs(taxes_of(said, (key,))[0])
    assert currency_decimals(currency) >= 0
