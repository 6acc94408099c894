"""Drafts of what is unbilled when a period has ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import OperationalError

from counterfoil.access.actors import Actor
from counterfoil.core.errors import Refusal
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import sweep
from counterfoil.retainers import commands
from counterfoil.retainers.ended import ended
from counterfoil.subscriptions.queries import local_days

_log = logging.getLogger("counterfoil.retainers")
ACTOR = Actor.system("Billing run")


@sweep("retainers.ended_periods")
def ended_periods() -> int:
    """Approved time and expenses of periods that have ended, which no recurring document takes."""
    at = clock.now()
    return sum(
        _billed(entity_id, sorted({one.account_id for one in ended(entity_id, on)}), on, at)
        for entity_id, on in local_days(at).items()
    )


def _billed(entity_id: UUID, accounts: Sequence[UUID], on: date, at: datetime) -> int:
    """All in one go; where that fails one by one, so that no account stops the others. Its owner is told."""
    if not accounts:
        return 0
    try:
        done = commands.bill_ended(actor=ACTOR, entity_id=entity_id, account_ids=accounts, on=on, at=at)
    except OperationalError:
        raise
    except Exception as error:
        if len(accounts) == 1:
            _log.exception("time and expenses of account %s could not be billed", accounts[0])
            why = (
                str(error) if isinstance(error, Refusal) else "It failed for a reason that the log of the server says."
            )
            commands.put_off(actor=ACTOR, entity_id=entity_id, account_id=accounts[0], why=why, on=on, at=at)
            return 0
        return sum(_billed(entity_id, [one], on, at) for one in accounts)
    return done.entries
