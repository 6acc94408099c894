"""The day at one of our companies: a document bears the date of the place where it is issued."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from counterfoil.ledger.queries import default_zone, zone_of
from counterfoil.plumbing import clock


def today_of(entity_id: UUID | None) -> date:
    """The present day at that company; without one, at the default company."""
    return clock.today(zone_of(entity_id) if entity_id is not None else default_zone())
