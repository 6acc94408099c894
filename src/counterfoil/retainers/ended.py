"""What is approved and unbilled though its period has ended, and that no recurring document is about to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.accounts.queries import billing_facts
from counterfoil.retainers.burndown import terms_of
from counterfoil.retainers.models import Retainer
from counterfoil.subscriptions.rules.grid import Interval, Moment, grid_from, stored

AT_ONCE = 200
PAGE = 500
_MONTH = Interval("month")
_CYCLES = {"quarterly": Interval("month", 3), "yearly": Interval("year")}

# ``takers`` are the terms of the subscriptions that are due soon and would share a document but for their terms.
# Most of what waits is left out here, and the rest is looked at one by one: what has a taker of the same terms, and
# what cannot be older than its retainer's period. ``begun`` is, for each day of a month, the last one on which a period
# of months or years that are counted from that day can have begun.
_UNBILLED = """
SELECT g.account_id, g.retainer_id, g.currency, g.oldest, own.terms_id, t.takers
FROM (
    SELECT account_id, retainer_id, currency, MIN(day) AS oldest FROM (
        SELECT account_id, entity_id, retainer_id, currency, day FROM retainers_timeentry
        WHERE status = 'approved' AND is_billable AND held_at IS NULL
        UNION ALL
        SELECT account_id, entity_id, retainer_id, currency, day FROM retainers_expense
        WHERE status = 'approved' AND is_billable AND held_at IS NULL
    ) e
    WHERE entity_id = %(entity)s AND day <= %(on)s AND NOT EXISTS (
        SELECT FROM retainers_putoff p WHERE (p.account_id, p.entity_id, p.day) = (e.account_id, e.entity_id, %(on)s)
    ) AND (retainer_id IS NOT NULL OR day < %(month)s)
      AND (%(accounts)s::uuid[] IS NULL OR account_id = ANY(%(accounts)s))
    GROUP BY account_id, retainer_id, currency
) g
LEFT JOIN retainers_retainer r ON r.id = g.retainer_id
LEFT JOIN subscriptions_subscriptionitem i ON i.id = r.subscription_item_id
LEFT JOIN subscriptions_subscription own ON own.id = i.subscription_id
CROSS JOIN LATERAL (SELECT ARRAY(
    SELECT s.terms_id FROM subscriptions_subscription s
    WHERE s.account_id = g.account_id AND s.entity_id = %(entity)s AND s.currency = g.currency
      AND s.parked_at IS NULL AND s.due_at <= %(soon)s
      AND s.po_number = COALESCE(own.po_number, '') AND s."references" = COALESCE(own."references", '')
      AND s.reference_values = COALESCE(own.reference_values, '{}')
) AS takers) t
WHERE (g.oldest <= %(old)s OR array_position(t.takers, own.terms_id) IS NULL)
  AND (r.id IS NULL OR r.ends_on <= %(on)s OR g.oldest < CASE
      WHEN r.interval = 'week' THEN %(on)s - (%(on)s - r.starts_on) %% (7 * r.count)
      ELSE (%(begun)s::date[])[COALESCE(r.anchor_day, EXTRACT(DAY FROM r.starts_on))::int]
  END)
ORDER BY g.oldest, g.account_id, g.retainer_id
"""


@dataclass(frozen=True)
class Ended:
    """What an account has unbilled on one retainer, or without one, from days before ``before``."""

    account_id: UUID
    retainer_id: UUID | None
    currency: str
    before: date


@dataclass(frozen=True)
class _Unbilled:
    """What an account has unbilled, from which day on, and what might take it."""

    account_id: UUID
    retainer_id: UUID | None
    currency: str
    oldest: date
    terms_id: UUID | None
    takers: Sequence[UUID | None]

    @property
    def asks_account(self) -> bool:
        """Whether only the account's own terms say if a document would be shared."""
        return self.terms_id not in self.takers and (self.terms_id is None or None in self.takers) and bool(self.takers)

    def is_taken(self, terms_of_account: UUID | None) -> bool:
        """Whether a document that comes soon has its terms."""
        return (self.terms_id or terms_of_account) in {taker or terms_of_account for taker in self.takers}


def ended(entity_id: UUID, on: date, *, account_ids: Sequence[UUID] | None = None) -> list[Ended]:
    """What is due at one of our companies as of a day, the oldest first, at most ``AT_ONCE`` of them.

    Time and expenses on a retainer are due when the retainer's period has ended; without one, when the month, quarter
    or year of the account's billing cycle has. They wait for a recurring document of the account within a month, but
    no longer than two months after their day. What could not be drafted on this day waits for the next, and what was
    released from a draft is never due: a person bills it.
    """
    two_months_ago = _as_day(grid_from(_MONTH, on).boundary(-2))
    given: dict[str, Any] = {
        "entity": entity_id,
        "on": on,
        "accounts": None if account_ids is None else list(account_ids),
        "month": on.replace(day=1),
        "soon": stored(grid_from(_MONTH, on).boundary(1)),
        "old": two_months_ago,
        "begun": [_as_day(grid_from(_MONTH, date(2000, 1, day)).cell_at(on).start) for day in range(1, 32)],
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNBILLED, given)
        found = [_Unbilled(*row) for row in cursor.fetchall()]
    due: list[Ended] = []
    for first in range(0, len(found), PAGE):
        if len(due) >= AT_ONCE:
            break
        due += _due(found[first : first + PAGE], on, two_months_ago)
    return due[:AT_ONCE]


def _due(found: Sequence[_Unbilled], on: date, two_months_ago: date) -> list[Ended]:
    """What of these is due, with the day before which it is."""
    retainers = Retainer.objects.in_bulk({one.retainer_id for one in found if one.retainer_id is not None})
    starts = {key: _start_of_period(retainer, on) for key, retainer in retainers.items()}
    found = [one for one in found if one.retainer_id is None or one.oldest < starts[one.retainer_id]]
    asked = sorted({one.account_id for one in found if one.retainer_id is None or one.asks_account})
    facts = billing_facts(asked, on) if asked else {}
    due = []
    for one in found:
        of_account = facts.get(one.account_id)
        terms = of_account.terms.value if of_account is not None else None
        if one.retainer_id is not None:
            before = starts[one.retainer_id]
        else:
            before = _start_of_cycle(facts[one.account_id].billing_cycle.value, on)
        if one.is_taken(terms.id if terms is not None else None):
            before = min(before, two_months_ago + timedelta(days=1))
        if one.oldest < before:
            due.append(Ended(one.account_id, one.retainer_id, one.currency, before))
    return due


def _as_day(moment: Moment) -> date:
    assert not isinstance(moment, datetime)
    return moment


def _start_of_cycle(cycle: str, on: date) -> date:
    """The first day of the account's cycle that runs. What is billed as delivered is billed by the month."""
    return _as_day(grid_from(_CYCLES.get(cycle, _MONTH), on.replace(month=1, day=1)).cell_at(on).start)


def _start_of_period(retainer: Retainer, on: date) -> date:
    """The first day of the retainer's period that runs; of one that has ended, the day after."""
    if retainer.ends_on is not None and retainer.ends_on <= on:
        return on + timedelta(days=1)
    terms = terms_of(retainer)
    return _as_day(grid_from(terms.interval, terms.start, terms.anchor_day).cell_at(on).start)
