"""What a deal is worth."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.money import Money
from counterfoil.deals.rules.amounts import PricedLine, deal_amount, line_net, weighted


def line(quantity: str, price: str, discount: str = "0") -> PricedLine:
    return PricedLine(Decimal(quantity), Decimal(price), Decimal(discount))


@pytest.mark.parametrize(
    ("priced", "currency", "net"),
    [
        (line("3", "19.99"), "EUR", "59.97"),
        (line("1", "100", "12.5"), "EUR", "87.50"),
        (line("0.333333", "10"), "EUR", "3.33"),
        (line("1", "0.005"), "EUR", "0.01"),
        (line("1", "1234.5"), "JPY", "1235"),
        (line("7", "1.2345"), "BHD", "8.642"),
        (line("5", "80", "100"), "EUR", "0.00"),
    ],
)
def test_line_net(priced: PricedLine, currency: str, net: str) -> None:
    """A line is quantity times price less discount, rounded once to the currency's decimals."""
    assert line_net(priced, currency) == Money(Decimal(net), currency)


def test_amount_sums_rounded_lines() -> None:
    """Each line is rounded before the sum: three lines of 0.005 are 0.03, not 0.02."""
    assert deal_amount([line("1", "0.005")] * 3, "EUR") == Money(Decimal("0.03"), "EUR")
    assert deal_amount([], "USD") == Money(Decimal(0), "USD")


@given(
    st.lists(
        st.builds(
            PricedLine,
            st.decimals("0.000001", "1000", places=6),
            st.decimals("0", "100000", places=6),
            st.decimals("0", "100", places=4),
        ),
        max_size=20,
    )
)
def test_amount_is_never_far_from_exact(lines: list[PricedLine]) -> None:
    """The sum differs from the exact one by at most half a cent a line."""
    exact = sum((one.quantity * one.unit_price * (100 - one.discount_percent) / 100 for one in lines), Decimal(0))
    assert abs(deal_amount(lines, "EUR").amount - exact) <= Decimal("0.005") * len(lines) + Decimal("0.000001")


def test_weighted() -> None:
    """The weighted sum is the amount times the stage's probability."""
    assert weighted(Money(Decimal("1000.01"), "EUR"), 30) == Money(Decimal("300.00"), "EUR")
    assert weighted(Money(Decimal("500"), "JPY"), 33) == Money(Decimal("165"), "JPY")
    assert weighted(Money(Decimal("9.99"), "EUR"), 0) == Money(Decimal("0"), "EUR")
