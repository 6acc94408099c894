"""The world of the tests of deals."""

from __future__ import annotations

import pytest
from deals_world import Sales, make_sales


@pytest.fixture
def sales(db: None) -> Sales:
    """Everything that a deal needs, made by commands."""
    return make_sales()
