"""How the product speaks to PostgreSQL, whoever runs the server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection


@pytest.mark.django_db(transaction=True)
def test_queries_are_not_compiled() -> None:
    """A query that runs for milliseconds is never compiled for seconds, though PostgreSQL's own default is to do so."""
    connection.close()
    with connection.cursor() as cursor:
        assert cursor.execute("SHOW jit").fetchone() == ("off",)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0001-01-01 00:00:00+00", datetime(1, 1, 1, tzinfo=UTC)),
        ("2026-03-29 02:30:00.5+02", datetime(2026, 3, 29, 0, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-11-30 07:38:17.000001+00", datetime(2026, 11, 30, 7, 38, 17, 1, tzinfo=UTC)),
        ("9999-12-31 23:59:59.999999+00", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_instants_are_read_exactly(written: str, read: datetime) -> None:
    """An instant comes back in UTC, to the microsecond, at both ends of the calendar."""
    with connection.cursor() as cursor:
        (found,) = cursor.execute("SELECT %s::timestamptz", [written]).fetchone()
    assert found == read
    assert found.tzinfo is UTC


@pytest.mark.django_db
@pytest.mark.parametrize("written", ["infinity", "-infinity", "12026-01-01 00:00:00+00", "0044-03-15 BC"])
def test_an_instant_beyond_the_calendar_is_an_error(written: str) -> None:
    """What no datetime can hold is an error of the data, never another instant."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [written])
        with pytest.raises(DataError):
            cursor.fetchone()
