"""The day on which the surfaces of this room act."""

from __future__ import annotations

from datetime import date

from counterfoil.ledger.queries import default_zone
from counterfoil.plumbing import clock


def today() -> date:
    """The local day of the company that sells by default."""
    return clock.today(default_zone())
