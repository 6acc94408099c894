"""The worlds of subscriptions and of invoicing, for tests that retell what went wrong elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

for room in ("subscriptions", "invoicing", "deals"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))

if TYPE_CHECKING:
    from issuing_world import Issuing
    from screens_world import Screens
    from subscriptions_world import Billing

    from staff import Staff


@pytest.fixture
def billing(db: None) -> Billing:
    """A company and a customer, on 1 January 2026."""
    from subscriptions_world import make_billing

    return make_billing()


@pytest.fixture
def screens(clock: Any, staff: Staff) -> Screens:
    """The same with people, programs and prices, on 1 April 2026."""
    from screens_world import make_screens

    return make_screens(staff)


@pytest.fixture
def world(db: None) -> Issuing:
    """A company that issues and a customer that lacks nothing."""
    from issuing_world import make_issuing

    return make_issuing()
