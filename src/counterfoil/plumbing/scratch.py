"""A scratch copy: what is done in it is seen by nobody else, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def scratch() -> Iterator[None]:
    """Run in a transaction, or a part of one, that is rolled back at the end, whatever happens.

    Promises that the database keeps for the end of a transaction are asked for before, so that what could not be kept
    for good fails here too. No mail leaves and no job runs: both are rows of the transaction.
    """
    with transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        transaction.set_rollback(True)
