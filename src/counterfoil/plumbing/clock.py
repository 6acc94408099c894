"""The only place that reads the time.

Surfaces and jobs ask it once and pass the answer on: rules and commands take ``on`` or ``at`` as a parameter.
A demo installation's clock may be moved forward; a production one's cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

_frozen: ContextVar[datetime | None] = ContextVar("counterfoil_frozen_clock", default=None)


def now() -> datetime:
    """The present instant in UTC, moved by the demo installation's offset."""
    frozen = _frozen.get()
    if frozen is not None:
        return frozen
    return datetime.now(UTC) + demo_offset()


def today(zone: str = "UTC") -> date:
    """The local date in ``zone`` (an IANA name such as ``Europe/Berlin``)."""
    return now().astimezone(ZoneInfo(zone)).date()


def demo_offset() -> timedelta:
    """How far the demo clock has been moved forward; zero in every other installation."""
    if not settings.COUNTERFOIL.demo:
        return timedelta(0)
    from counterfoil.plumbing.models import Installation

    days = Installation.objects.filter(is_demo=True).values_list("clock_days_ahead", flat=True).first()
    return timedelta(days=days or 0)


@contextmanager
def stopped_at(instant: datetime) -> Iterator[None]:
    """Stop the clock of this context at ``instant``. For previews, simulations and tests."""
    token = _frozen.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _frozen.reset(token)
