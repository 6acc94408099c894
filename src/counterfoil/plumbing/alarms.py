"""Alarms: what the product noticed by itself and a person must look at.

An alarm is opened by its key and stays one row until it is closed, however often the trouble is seen. The instants are
the database's own, not the clock's: a demo installation whose clock was moved still tells the truth about its
processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from counterfoil.plumbing.models import Alarm


@dataclass(frozen=True)
class OpenAlarm:
    key: str
    message: str
    opened_at: datetime
    seen_at: datetime


def open_alarm(key: str, message: str) -> None:
    """Open the alarm, or note that it is still there."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO plumbing_alarm (key, message, opened_at, seen_at) VALUES (%s, %s, now(), now())
            ON CONFLICT (key) WHERE closed_at IS NULL
            DO UPDATE SET message = excluded.message, seen_at = excluded.seen_at
            """,
            [key[:200], message],
        )


def close_alarm(key: str) -> None:
    """The trouble is over. Nothing happens when there was none."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE plumbing_alarm SET closed_at = now() WHERE key = %s AND closed_at IS NULL", [key[:200]])


def open_alarms() -> Sequence[OpenAlarm]:
    """What is open now, oldest first. Names processes and jobs, never a customer's data."""
    rows = Alarm.objects.filter(closed_at=None).order_by("opened_at")
    return [OpenAlarm(row.key, row.message, row.opened_at, row.seen_at) for row in rows]
