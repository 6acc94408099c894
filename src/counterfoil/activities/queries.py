"""Mail and tasks as other rooms ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from counterfoil.activities.models import Mail


def mail_causes(causes: Sequence[str]) -> set[str]:
    """Which of the causes have a mail. For other rooms' sweeps."""
    return set(Mail.objects.filter(cause__in=list(causes)).values_list("cause", flat=True))
