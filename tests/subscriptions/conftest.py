"""What the tests of subscriptions share."""

from __future__ import annotations

from typing import Any

import pytest
from screens_world import Screens, make_screens
from subscriptions_world import Billing, make_billing

from staff import Staff


@pytest.fixture
def billing(db: None) -> Billing:
    """A company and a customer, as subscriptions need them."""
    return make_billing()


@pytest.fixture
def screens(clock: Any, staff: Staff) -> Screens:
    """The same with people, programs and prices, on 1 April 2026."""
    return make_screens(staff)
