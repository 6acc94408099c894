"""A lock that lives as long as the process that holds it.

PostgreSQL frees it in the moment in which the connection ends, also after ``kill -9``, so nobody waits for a timeout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def held_alone(name: str) -> Iterator[bool]:
    """Hold the lock of this name over transactions. Gives ``False`` at once when another connection holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        # A connection that broke meanwhile has freed the lock already.
        if alone and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
