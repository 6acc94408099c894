"""The world of the tests of payments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from payments_world import Money, broken, make_money
from terms_world import Selling, make_selling


@pytest.fixture
def money(db: None) -> Iterator[Money]:
    """Open invoices and payers; after the test every promise must still hold."""
    yield make_money()
    assert broken() == []


@pytest.fixture
def selling(db: None) -> Iterator[Selling]:
    """Customers who buy under terms; after the test every promise must still hold."""
    yield make_selling()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert broken() == []
