"""What accounts owe by how long it has been due, each instalment by its own due day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.core.money import Money, sum_of
from counterfoil.payments.rules.aging import USUAL, labels

# What was settled or credited fills the instalments in their order; an invoice without any is due as a whole. Days late
# of 1 to the first limit are in the first bucket, and so on: each limit is inclusive.
_AGING = """
SELECT payer_id, currency, width_bucket(%(as_of)s::date - due_on, %(starts)s::int[]) AS bucket,
       SUM(LEAST(amount, upto - taken))
FROM (
    SELECT i.payer_id, i.currency, i.settled + i.credited AS taken, COALESCE(n.due_on, i.due_on) AS due_on,
           COALESCE(n.amount, i.total) AS amount,
           SUM(COALESCE(n.amount, i.total)) OVER (PARTITION BY i.id ORDER BY n.position) AS upto
    FROM invoicing_invoice i LEFT JOIN invoicing_instalment n ON n.invoice_id = i.id
    WHERE i.status = 'issued' AND i.kind = 'invoice' AND i.settled < i.total - i.credited
      AND (%(accounts)s::uuid[] IS NULL OR i.payer_id = ANY(%(accounts)s))
) part
WHERE upto > taken
GROUP BY payer_id, currency, bucket
ORDER BY payer_id, currency, bucket
"""


@dataclass(frozen=True)
class Aging:
    """What an account owes in one currency, by bucket in their order, none left out."""

    account_id: UUID
    currency: str
    buckets: Mapping[str, Money]

    @property
    def total(self) -> Money:
        return sum_of(self.buckets.values(), self.currency)


def aging(
    actor: Actor, account_ids: Iterable[UUID] | None, *, as_of: date, buckets: Sequence[int] = USUAL
) -> list[Aging]:
    """What the payers owe now, by how many days each instalment is late as of a day; ``None`` means every payer.

    One statement. An account that owes nothing in a currency is not there. Raises ``ValueError`` for buckets that do
    not rise.
    """
    names = labels(buckets)
    if not actor.may("invoicing.see") or "pricing" not in actor.reads:
        return []
    starts = [1, *(limit + 1 for limit in buckets)]
    wanted = None if account_ids is None else list(account_ids)
    found: dict[tuple[UUID, str], dict[str, Money]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_AGING, {"as_of": as_of, "starts": starts, "accounts": wanted})
        for payer_id, currency, bucket, amount in cursor.fetchall():
            zeros = dict.fromkeys(names, Money.zero(currency))
            found.setdefault((payer_id, currency), zeros)[names[bucket]] = Money.exact(amount, currency)
    return [Aging(payer_id, currency, parts) for (payer_id, currency), parts in found.items()]
