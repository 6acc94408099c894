"""Today: what needs this person, in strips, each with its count and its way on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.http import urlencode

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row
from counterfoil.activities import queries as activities
from counterfoil.app.context import address
from counterfoil.core.money import Money
from counterfoil.deals import queries as deals
from counterfoil.invoicing import queries as invoicing
from counterfoil.plumbing.alarms import open_alarms

SHOWN = 6


@dataclass(frozen=True)
class Line:
    """One thing to do: what, about whom, how much, since or until when."""

    title: str
    href: str
    note: str = ""
    amount: Money | None = None
    state: str = ""
    day: date | None = None


@dataclass(frozen=True)
class Strip:
    """A kind of work that waits. ``href`` leads to all of it."""

    title: str
    count: int
    href: str
    lines: Sequence[Line]
    quiet: str
    sums: Sequence[Money] = field(default_factory=tuple)
    is_urgent: bool = False


def strips(actor: Actor, on: date) -> list[Strip]:
    """The strips of this actor: tasks, drafts and overdue money for billing, one's own deals for sales, alarms."""
    found: list[Strip] = []
    if actor.may("activities.see"):
        found.append(_tasks(actor, on))
    if actor.may("invoicing.draft"):
        found.append(_drafts(actor))
    if actor.may("deals.win") and not actor.may("invoicing.issue"):
        found.append(_own_deals(actor, on))
    elif actor.may("invoicing.see"):
        found.append(_at_risk(actor, on))
    if actor.may("system.see"):
        found.extend(_systems())
    return found


def _tasks(actor: Actor, on: date) -> Strip:
    due = activities.list_tasks(actor, mine=True, filters={"due_on": (None, on)}, limit=SHOWN)
    found = due if due.count else activities.list_tasks(actor, mine=True, limit=SHOWN)
    lines = [
        Line(
            title=row.title,
            href=address("activities:task", row.id),
            note=row.account_title,
            day=row.due_on,
            state="overdue" if row.due_on and row.due_on < on else "",
        )
        for row in found.rows
    ]
    title = "Needs me" if due.count else "Next for me"
    return Strip(
        title, found.count, address("activities:tasks"), lines, "No open task is yours.", is_urgent=bool(due.count)
    )


def _drafts(actor: Actor) -> Strip:
    waiting = invoicing.list_invoices(actor, filters={"status": ["draft"]}, sort="created_at", limit=0)
    lines = [
        Line(
            title=row.invoiced_account_title or row.title,
            href=address("invoicing:review", row.id),
            amount=_amount(row.total),
            state="ok" if row.is_clean else "warning",
        )
        for row in invoicing.review_queue(actor, limit=SHOWN)
    ]
    return Strip(
        "Drafts to review",
        waiting.count,
        address("invoicing:review_queue"),
        lines,
        "No draft waits.",
        tuple(waiting.totals.values()),
        is_urgent=bool(waiting.count),
    )


def _at_risk(actor: Actor, on: date) -> Strip:
    late = invoicing.list_invoices(actor, filters={"state": ["overdue"]}, sort="due_on", limit=SHOWN, today=on)
    lines = [
        Line(
            title=row.title,
            href=address("invoicing:invoice", row.id),
            note=row.invoiced_account_title,
            amount=_amount(row.open),
            day=row.due_on,
        )
        for row in late.rows
    ]
    href = f"{address('invoicing:invoices')}?{urlencode({'state': 'overdue'})}"
    return Strip("Overdue", late.count, href, lines, "Nobody is late.", tuple(late.opens.values()), bool(late.count))


def _own_deals(actor: Actor, on: date) -> Strip:
    own = deals.list_deals(
        actor, on=on, filters={"owner": [actor.id], "status": ["open"]}, sort="expected_close_on", limit=SHOWN
    )
    lines = [_deal(row) for row in own.rows]
    query = urlencode({"owner": str(actor.id), "status": "open"})
    return Strip(
        "My open deals",
        own.count,
        f"{address('deals:deals')}?{query}",
        lines,
        "You have no open deal.",
        tuple(own.sums.values()),
    )


def _deal(row: Row) -> Line:
    return Line(
        title=row.title,
        href=address("deals:deal", row.id),
        note=row.account_title,
        amount=_amount(row.amount),
        day=row.expected_close_on,
    )


def _amount(value: Any) -> Money | None:
    """An amount that the reader may see."""
    return value if isinstance(value, Money) else None


def _systems() -> list[Strip]:
    alarms = open_alarms()
    if not alarms:
        return []
    lines = [Line(alarm.message, address("system"), state="error") for alarm in alarms[:SHOWN]]
    return [Strip("Systems", len(alarms), address("system"), lines, "", is_urgent=True)]
