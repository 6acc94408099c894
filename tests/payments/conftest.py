"""The world of the tests of payments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from payments_world import Money, broken, make_money


@pytest.fixture
def money(db: None) -> Iterator[Money]:
    """Open invoices and payers; after the test every promise must still hold."""
    yield make_money()
    assert broken() == []
