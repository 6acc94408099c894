"""How the product speaks to PostgreSQL, whoever runs the server."""

from __future__ import annotations

import pytest
from django.db import connection


@pytest.mark.django_db(transaction=True)
def test_queries_are_not_compiled() -> None:
    """A query that runs for milliseconds is never compiled for seconds, though PostgreSQL's own default is to do so."""
    connection.close()
    with connection.cursor() as cursor:
        assert cursor.execute("SHOW jit").fetchone() == ("off",)
