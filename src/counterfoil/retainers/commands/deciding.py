"""Approving and rejecting what was entered, and waiving what was approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.plumbing.bulk import update_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.retainers import events
from counterfoil.retainers.commands.checking import unbillable
from counterfoil.retainers.models import EntryStatus, Expense, Retainer, TimeEntry
from counterfoil.subscriptions.queries import local_days

REASON_MAX = 300


@command("retainers.approve_entries", needs="retainers.approve")
def approve_entries(
    *, actor: Actor, time_ids: Sequence[UUID] = (), expense_ids: Sequence[UUID] = (), at: datetime
) -> int:
    """Approve time and expenses, all or none; from then on they never change. Answers how many.

    Raises ``Refusal`` for what could not be billed: see ``unbillable``.
    """
    return _decide(actor, time_ids, expense_ids, EntryStatus.APPROVED, "", at)


@command("retainers.reject_entries", needs="retainers.approve")
def reject_entries(
    *, actor: Actor, time_ids: Sequence[UUID] = (), expense_ids: Sequence[UUID] = (), reason: str, at: datetime
) -> int:
    """Reject time and expenses, with the reason. Changed, they wait for approval again. Answers how many."""
    reason = _reason(reason, "Say what is wrong with it.")
    return _decide(actor, time_ids, expense_ids, EntryStatus.REJECTED, reason, at)


@command("retainers.waive_entries", needs="retainers.bill")
def waive_entries(*, actor: Actor, time_ids: Sequence[UUID] = (), expense_ids: Sequence[UUID] = (), reason: str) -> int:
    """Decide that approved time and expenses will not be billed, with the reason, all or none. Answers how many.

    They take nothing from a retainer. ``restore_entries`` takes it back. Raises ``Conflict`` for what is not approved
    and billable, or is billed already.
    """
    reason = _reason(reason, "Say why it is not billed.")
    entries = _moved(time_ids, expense_ids, EntryStatus.APPROVED, EntryStatus.WAIVED, reason)
    for account_id, count in _by_account(entries):
        emit(events.EntriesWaived(account_id=account_id, count=count, why=reason))
    return len(entries)


@command("retainers.restore_entries", needs="retainers.bill")
def restore_entries(*, actor: Actor, time_ids: Sequence[UUID] = (), expense_ids: Sequence[UUID] = ()) -> int:
    """Take back that time and expenses will not be billed, all or none: they are unbilled as before. Answers how many.

    Raises ``Conflict`` for what was not waived.
    """
    entries = _moved(time_ids, expense_ids, EntryStatus.WAIVED, EntryStatus.APPROVED, "")
    for account_id, count in _by_account(entries):
        emit(events.EntriesRestored(account_id=account_id, count=count))
    return len(entries)


def _reason(given: str, missing: str) -> str:
    reason = " ".join(given.split())
    check(bool(reason), "missing", missing, "reason")
    check(len(reason) <= REASON_MAX, "too_long", f"A reason can have at most {REASON_MAX} characters.", "reason")
    return reason


def _moved(
    time_ids: Sequence[UUID], expense_ids: Sequence[UUID], before: EntryStatus, after: EntryStatus, reason: str
) -> list[TimeEntry | Expense]:
    """Lock these and move them from one state to another, all or none."""
    time = _locked(TimeEntry, time_ids)
    expenses = _locked(Expense, expense_ids)
    entries = [*time, *expenses]
    wrong = [
        Problem(str(one.pk), f"not_{before.value}", f"“{one.description}” {_WRONG[before]}")
        for one in entries
        if one.status != before or not one.is_billable
    ]
    if wrong:
        raise Conflict(wrong[0].code, wrong[0].message, wrong[0].field, wrong)
    for one in entries:
        one.status, one.reason = after, reason
        one.version += 1
    for rows in (time, expenses):
        update_rows(rows, ["status", "reason", "version"])
    return entries


_WRONG = {
    EntryStatus.APPROVED: "is not approved, not billable, or billed already.",
    EntryStatus.WAIVED: "will be billed already.",
}


def _by_account(entries: Sequence[TimeEntry | Expense]) -> list[tuple[UUID, int]]:
    return sorted(Counter(one.account_id for one in entries).items())


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
    if status == EntryStatus.APPROVED:
        _refuse_unbillable(entries, at)
    for one in entries:
        one.status, one.decided_at, one.decided_by_name, one.reason = status, at, actor.name, reason
        one.version += 1
    for rows in (time, expenses):
        update_rows(rows, ["status", "decided_at", "decided_by_name", "reason", "version"])
    for account_id, count in _by_account(entries):
        emit(events.EntriesDecided(account_id=account_id, count=count, decision=status.value))
    return len(entries)


def _refuse_unbillable(entries: Sequence[TimeEntry | Expense], at: datetime) -> None:
    retainers = Retainer.objects.in_bulk({one.retainer_id for one in entries if one.retainer_id is not None})
    wrong = [
        Problem(str(one.pk), problem.code, f"“{one.description}”: {problem.message}")
        for one, problem in unbillable(entries, retainers, local_days(at))
    ]
    if wrong:
        raise Refusal.of(wrong)


def _locked(kind: Any, ids: Sequence[UUID]) -> list[Any]:
    """Locked in the order of their ids, so that two sets never wait for each other."""
    wanted = set(ids)
    found = list(kind.objects.select_for_update(of=("self",)).filter(id__in=wanted).order_by("id")) if wanted else []
    if len(found) != len(wanted):
        raise NotFound()
    return found
