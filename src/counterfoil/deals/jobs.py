"""What deals do by themselves."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.deals import commands, queries
from counterfoil.ledger.days import today_of
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import enqueue, job, sweep

AT_ONCE = 500


@job("deals.open_renewal")
def open_renewal(subscription_id: str) -> None:
    """Open the renewal deal of a subscription, unless it was opened meanwhile."""
    commands.open_renewal(
        actor=Actor.system(), subscription_id=UUID(subscription_id), on=today_of(None), at=clock.now()
    )


@sweep("deals.renewals_due")
def renewals_due() -> int:
    """Subscriptions whose committed term ends soon, and about which no deal was opened."""
    due = queries.due_renewals(on=today_of(None), limit=AT_ONCE)
    for subscription_id in due:
        enqueue("deals.open_renewal", once=f"renewal:{subscription_id}", subscription_id=str(subscription_id))
    return len(due)
