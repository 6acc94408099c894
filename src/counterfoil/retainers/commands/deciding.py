"""Approving and rejecting what was entered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.core.errors import Conflict, NotFound, Problem
from counterfoil.plumbing.bulk import update_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.retainers import events
from counterfoil.retainers.models import EntryStatus, Expense, TimeEntry

REASON_MAX = 300


@command("retainers.approve_entries", needs="retainers.approve")
def approve_entries(
    *, actor: Actor, time_ids: Sequence[UUID] = (), expense_ids: Sequence[UUID] = (), at: datetime
) -> int:
    """Approve time and expenses, all or none; from then on they never change. Answers how many."""
    return _decide(actor, time_ids, expense_ids, EntryStatus.APPROVED, "", at)


@command("retainers.reject_entries", needs="retainers.approve")
def reject_entries(
    *, actor: Actor, time_ids: Sequence[UUID] = (), expense_ids: Sequence[UUID] = (), reason: str, at: datetime
) -> int:
    """Reject time and expenses, with the reason. Changed, they wait for approval again. Answers how many."""
    reason = " ".join(reason.split())
    check(bool(reason), "missing", "Say what is wrong with it.", "reason")
    check(len(reason) <= REASON_MAX, "too_long", f"A reason can have at most {REASON_MAX} characters.", "reason")
    return _decide(actor, time_ids, expense_ids, EntryStatus.REJECTED, reason, at)


def _decide(
    actor: Actor, time_ids: Sequence[UUID], expense_ids: Sequence[UUID], status: EntryStatus, reason: str, at: datetime
) -> int:
    time = _locked(TimeEntry, time_ids)
    expenses = _locked(Expense, expense_ids)
    entries = [*time, *expenses]
    decided = [
        Problem(str(one.pk), "decided", f"“{one.description}” was decided already.")
        for one in entries
        if one.status != EntryStatus.ENTERED
    ]
    if decided:
        raise Conflict("decided", decided[0].message, decided[0].field, decided)
    for one in entries:
        one.status, one.decided_at, one.decided_by_name, one.reason = status, at, actor.name, reason
        one.version += 1
    for rows in (time, expenses):
        update_rows(rows, ["status", "decided_at", "decided_by_name", "reason", "version"])
    for account_id, count in sorted(Counter(one.account_id for one in entries).items()):
        emit(events.EntriesDecided(account_id=account_id, count=count, decision=status.value))
    return len(entries)


def _locked(kind: Any, ids: Sequence[UUID]) -> list[Any]:
    """Locked in the order of their ids, so that two sets never wait for each other."""
    wanted = set(ids)
    found = list(kind.objects.select_for_update(of=("self",)).filter(id__in=wanted).order_by("id")) if wanted else []
    if len(found) != len(wanted):
        raise NotFound()
    return found
