"""How a line says how its amount came about, and that paper can say it in another language."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from counterfoil.catalog.rules.pricing import Pricing, Tier
from counterfoil.documents.reasons import worked_out_in
from counterfoil.documents.wording import wording
from counterfoil.subscriptions.rules.agreement import Difference, Item, Version
from counterfoil.subscriptions.rules.grid import Cell, Interval, Share, grid_from
from counterfoil.subscriptions.rules.wording import why

D = Decimal
MAY = Cell(date(2026, 5, 1), date(2026, 6, 1))
TIERS = (Tier(D(1000), D("0.01")), Tier(None, D("0.005")))
WHOLE = Share(31, 31)


@pytest.mark.parametrize(
    ("pricing", "quantity", "share", "basis", "kept", "german"),
    [
        (Pricing("flat", D("100.00")), "1", WHOLE, "actual_days", "1 × 100.00", "1 × 100,00"),
        (Pricing("per_unit", D("0.011")), "1000.5", WHOLE, "actual_days", "1,000.5 × 0.011", "1.000,5 × 0,011"),
        (Pricing("package", D("20.00"), D(1000)), "1500", WHOLE, "actual_days",
         "2 packages of 1,000 × 20.00", "2 Pakete zu je 1.000 × 20,00"),
        (Pricing("package", D("20.00"), D("0.5")), "0.3", Share(17, 31), "actual_days",
         "17 of 31 days × 1 package of 0.5 × 20.00", "17 von 31 Tagen × 1 Paket zu 0,5 × 20,00"),
        (Pricing("graduated", tiers=TIERS), "1500", Share(15, 30), "fixed_30",
         "15 of 30 days (30/360) × (1,000 × 0.01 + 500 × 0.005)",
         "15 von 30 Tagen (30/360) × (1.000 × 0,01 + 500 × 0,005)"),
        (Pricing("volume", tiers=TIERS), "1500", Share(2629800, 2678400), "seconds",
         "2,629,800 of 2,678,400 seconds × 1,500 × 0.005", "2.629.800 von 2.678.400 Sekunden × 1.500 × 0,005"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("net", "before", "start", "end", "german_start", "german_end"),
    [
        ("9.90", "9.90", "", "", "", ""),
        ("-9.90", "-9.90", "not used: ", "", "nicht genutzt: ", ""),
        ("1200.00", "1234.50", "", " = 1,234.50, less discount", "", " = 1.234,50, abzüglich Rabatt"),
    ],
)
def test_every_kind_of_reason_is_said_in_the_language(
    pricing: Pricing, quantity: str, share: Share, basis: str, kept: str, german: str, net: str, before: str,
    start: str, end: str, german_start: str, german_end: str,
) -> None:  # fmt: skip
    """What is kept is English; German paper says the same with its own words and figures."""
    grid = grid_from(Interval("month"), MAY.start, 1)
    item = Item(uuid4(), "x", pricing, grid, True, (Version(MAY.start, None, D(quantity)),))
    one = Difference(item.id, "recurring", *MAY, MAY, D(quantity), D(before), share, D(net), D(before))
    said = why(one, item, basis, "EUR")
    assert said == f"{start}{kept}{end}"
    assert worked_out_in(wording("de"), said) == f"{german_start}{german}{german_end}"
    assert worked_out_in(wording("en"), said) == said


@pytest.mark.parametrize("tiers", [14, 15, 16, 40, 100])
def test_a_reason_of_many_tiers_is_said_in_the_language_too(tiers: int) -> None:
    """Of more than can be kept whole terms in the middle are left out, so that paper can still say the rest."""
    grid = grid_from(Interval("month"), MAY.start, 1)
    steps = [Tier(D(1000) * place, D("1.5") + D(place) / 10000) for place in range(1, tiers)]
    pricing = Pricing("graduated", tiers=(*steps, Tier(None, D("0.005"))))
    quantity = D(1000) * tiers
    item = Item(uuid4(), "x", pricing, grid, True, (Version(MAY.start, None, quantity),))
    one = Difference(item.id, "recurring", *MAY, MAY, quantity, D("-50000.00"), Share(17, 31), D(-9), D("-50000.00"))
    said = why(one, item, "actual_days", "EUR")
    assert len(said) <= 300
    assert (" + … + " in said) is (tiers > 14)
    assert said.startswith("not used: 17 of 31 days × (1,000 × 1.5001 + 1,000 × 1.5002 + ")
    assert said.endswith(" + 1,000 × 0.005) = -50,000.00, less discount")
    german = worked_out_in(wording("de"), said)
    assert german is not None
    assert german.startswith("nicht genutzt: 17 von 31 Tagen × (1.000 × 1,5001 + 1.000 × 1,5002 + ")
    assert german.count("1.000 ×") == said.count("1,000 ×") > 3


def test_the_longest_reason_that_can_be_is_kept() -> None:
    """Figures of as many digits as a price and a quantity can have."""
    grid = grid_from(Interval("month"), MAY.start, 1)
    step = D("9999999999.999999")
    tiers = (*(Tier(step * place, D("99999999999.999999")) for place in range(1, 100)), Tier(None, D("0.999999")))
    quantity = D("999999999999.999999")
    item = Item(uuid4(), "x", Pricing("graduated", tiers=tiers), grid, True, (Version(MAY.start, None, quantity),))
    before = D("-999999999999.99")
    one = Difference(item.id, "recurring", *MAY, MAY, quantity, before, Share(2629800, 2678400), D(-9), before)
    said = why(one, item, "seconds", "EUR")
    assert len(said) <= 300
    assert worked_out_in(wording("en"), said) == said.replace("-", "−")
