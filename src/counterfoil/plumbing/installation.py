"""What this installation is: production or demo, and how far a demo's clock was moved."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from counterfoil.core.errors import Refusal
from counterfoil.plumbing.models import Installation

DAYS_MAX = 3650


@dataclass(frozen=True)
class InstallationFacts:
    is_demo: bool
    clock_days_ahead: int


def establish(*, is_demo: bool) -> InstallationFacts:
    """Write the facts down the first time; afterwards they stand, whatever is asked. Returns what stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plumbing_installation (id, is_demo, clock_days_ahead, made_at) VALUES (1, %s, 0, now()) "
            "ON CONFLICT (id) DO NOTHING",
            [is_demo],
        )
    found = installation()
    if found is None:
        raise AssertionError("the installation's row was just written")
    return found


def installation() -> InstallationFacts | None:
    """The facts; ``None`` before the first migration was followed by ``establish``."""
    row = Installation.objects.filter(pk=1).first()
    return None if row is None else InstallationFacts(row.is_demo, row.clock_days_ahead)


def advance_demo_clock(days: int) -> InstallationFacts:
    """Move a demo installation's clock forward.

    A production installation's clock cannot be moved, and none runs back.
    """
    if not 1 <= days <= DAYS_MAX:
        raise Refusal("out_of_range", f"The clock can be moved by 1 to {DAYS_MAX} days at a time.", "days")
    updated = Installation.objects.filter(pk=1, is_demo=True).first()
    if updated is None:
        raise Refusal("not_a_demo", "This is no demo installation, and its clock cannot be moved.")
    if updated.clock_days_ahead + days > DAYS_MAX:
        raise Refusal("out_of_range", f"A demo's clock can be {DAYS_MAX} days ahead at most.", "days")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE plumbing_installation SET clock_days_ahead = clock_days_ahead + %s WHERE id = 1 AND is_demo", [days]
        )
    found = installation()
    if found is None:
        raise AssertionError("the installation's row was just changed")
    return found
