"""What a mail server's answers mean, and when a mail is tried again.

A mail that the server puts off is tried again for five days, first soon and then every four hours. A mail whose fate
is not known is repeated, since a second copy is better than none, but not for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

WAITS_MINUTES = (1, 5, 15, 30, 60, 120, 240)
GIVEN_UP_AFTER = timedelta(days=5)
UNKNOWN_MAX = 2
"""So many silent servers in a row of tries, and a person decides: the reader may have two copies by now."""
INTERRUPTED_MAX = 5
"""So many times the product was stopped during a try, and a person decides: the mail itself may be the reason."""
_TENTHS = 21


def wait_before(attempt: int, seed: int) -> timedelta:
    """How long to wait after try number ``attempt``.

    ``seed`` moves it by up to a tenth, so that mails do not come in step.
    """
    minutes = WAITS_MINUTES[min(attempt, len(WAITS_MINUTES)) - 1]
    return timedelta(seconds=minutes * 60 * (90 + seed % _TENTHS) / 100)


def next_attempt_at(*, attempt: int, first_at: datetime, at: datetime, seed: int) -> datetime | None:
    """When to try again after try number ``attempt`` at ``at``; ``None`` when it has been tried for long enough."""
    due = at + wait_before(attempt, seed)
    return due if due - first_at <= GIVEN_UP_AFTER else None


def is_exhausted(outcomes: Iterable[str]) -> bool:
    """Whether the fate of a mail stayed open so often that a person must decide."""
    seen = list(outcomes)
    return seen.count("unknown") >= UNKNOWN_MAX or seen.count("interrupted") >= INTERRUPTED_MAX


def is_bad_address(code: int | None, text: str) -> bool:
    """Whether a refusal means that the address does not exist, and not that the server dislikes the message or us."""
    enhanced = re.match(r"(?:\d{3}[ -])?5\.(\d{1,3})\.\d{1,3}\b", text)
    if enhanced is not None:
        return enhanced[1] in ("1", "2") and code in (550, 551, 553, 554)
    return code in (550, 551, 553)
