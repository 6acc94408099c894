"""What the tests of subscriptions share."""

from __future__ import annotations

import pytest
from subscriptions_world import Billing, make_billing


@pytest.fixture
def billing(db: None) -> Billing:
    """A company and a customer, as subscriptions need them."""
    return make_billing()
