"""The world of the tests of invoicing."""

from __future__ import annotations

import pytest
from billing_world import Billing, make_billing
from issuing_world import Issuing, make_issuing


@pytest.fixture
def billing(db: None) -> Billing:
    """Everything that an invoice needs, made by commands."""
    return make_billing()


@pytest.fixture
def world(db: None) -> Issuing:
    """A company that issues and a customer that lacks nothing, made by commands."""
    return make_issuing()
