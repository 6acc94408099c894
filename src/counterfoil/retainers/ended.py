"""What is approved and unbilled though its period has ended, and that no recurring document is about to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.accounts.queries import billing_facts
from counterfoil.retainers.burndown import terms_of
from counterfoil.retainers.models import Retainer
from counterfoil.subscriptions.rules.grid import Interval, grid_from, stored

AT_ONCE = 200
_MONTH = Interval("month")
_CYCLES = {"quarterly": Interval("month", 3), "yearly": Interval("year")}

# A subscription takes what would share its document: the terms, PO number and references that riders have as well. What
# two months of recurring documents did not take, such as those of a free subscription, waits no longer.
_UNBILLED = """
SELECT e.account_id, e.retainer_id, e.currency, MIN(e.day) FROM (
    SELECT account_id, entity_id, retainer_id, currency, day FROM retainers_timeentry
    WHERE status = 'approved' AND is_billable
    UNION ALL
    SELECT account_id, entity_id, retainer_id, currency, day FROM retainers_expense
    WHERE status = 'approved' AND is_billable
) e
LEFT JOIN retainers_retainer r ON r.id = e.retainer_id
LEFT JOIN subscriptions_subscriptionitem i ON i.id = r.subscription_item_id
LEFT JOIN subscriptions_subscription own ON own.id = i.subscription_id
WHERE e.entity_id = %(entity)s AND e.day <= %(on)s
  AND (%(accounts)s::uuid[] IS NULL OR e.account_id = ANY(%(accounts)s))
  AND (e.retainer_id IS NOT NULL OR e.day < %(month)s)
  AND (e.day <= %(patience)s OR NOT EXISTS (
    SELECT 1 FROM subscriptions_subscription s
    WHERE s.account_id = e.account_id AND s.entity_id = e.entity_id AND s.currency = e.currency
      AND s.parked_at IS NULL AND s.due_at <= %(soon)s AND s.terms_id IS NOT DISTINCT FROM own.terms_id
      AND s.po_number = COALESCE(own.po_number, '') AND s."references" = COALESCE(own."references", '')
  ))
GROUP BY e.account_id, e.retainer_id, e.currency
ORDER BY MIN(e.day), e.account_id
"""


@dataclass(frozen=True)
class Ended:
    """What an account has unbilled on one retainer, or without one, from days before ``before``."""

    account_id: UUID
    retainer_id: UUID | None
    currency: str
    before: date


def ended(entity_id: UUID, on: date, *, account_ids: Sequence[UUID] | None = None) -> list[Ended]:
    """What is due at one of our companies as of a day, the oldest first, at most ``AT_ONCE`` of them.

    Time and expenses on a retainer are due when the retainer's period has ended; without one, when the month, quarter
    or year of the account's billing cycle has. They wait for a recurring document of the account within a month.
    """
    given: dict[str, Any] = {
        "entity": entity_id,
        "on": on,
        "accounts": None if account_ids is None else list(account_ids),
        "month": on.replace(day=1),
        "soon": stored(grid_from(_MONTH, on).boundary(1)),
        "patience": grid_from(_MONTH, on).boundary(-2),
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNBILLED, given)
        found = cursor.fetchall()
    retainers = {one.pk: one for one in Retainer.objects.filter(id__in={row[1] for row in found} - {None})}
    without = sorted({account_id for account_id, retainer_id, _, _ in found if retainer_id is None})
    facts = billing_facts(without, on) if without else {}
    due = []
    for account_id, retainer_id, currency, oldest in found:
        if retainer_id is None:
            before = _start_of_cycle(facts[account_id].billing_cycle.value, on)
        else:
            before = _start_of_period(retainers[retainer_id], on)
        if oldest < before:
            due.append(Ended(account_id, retainer_id, currency, before))
    return due[:AT_ONCE]


def _start_of_cycle(cycle: str, on: date) -> date:
    """The first day of the account's cycle that runs. What is billed as delivered is billed by the month."""
    start = grid_from(_CYCLES.get(cycle, _MONTH), on.replace(month=1, day=1)).cell_at(on).start
    assert type(start) is date
    return start


def _start_of_period(retainer: Retainer, on: date) -> date:
    """The first day of the retainer's period that runs; of one that has ended, the day after."""
    if retainer.ends_on is not None and retainer.ends_on <= on:
        return on + timedelta(days=1)
    terms = terms_of(retainer)
    start = grid_from(terms.interval, terms.start, terms.anchor_day).cell_at(on).start
    assert type(start) is date
    return start
