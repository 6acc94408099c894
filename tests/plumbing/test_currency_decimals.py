"""The database and ``core.money`` agree on how many decimals a currency has."""

from __future__ import annotations

import pytest
from django.db import connection

from counterfoil.core.money import CURRENCIES, currency_decimals


@pytest.mark.django_db
def test_database_counts_decimals_as_money_does() -> None:
    """Every currency has as many decimals in SQL as in Python."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, counterfoil_currency_decimals(code) FROM unnest(%s::text[]) code", [list(CURRENCIES)]
        )
        found = dict(cursor.fetchall())
    assert found == {code: currency_decimals(code) for code in CURRENCIES}
