"""Where a room above adds lines of its own to the documents that a billing run writes.

The run asks whoever registered here, once for each chunk. What it asks for is a fixed number of statements, and one
statement where there is nothing to add. Where an account has a bound of the day, it also asks what was added earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from counterfoil.core.references import ReferencePairs
from counterfoil.invoicing.rules.orders import OrderLine


@dataclass(frozen=True)
class Rider:
    """A line that goes out on a recurring document of its account, where one has room and the same company, currency,
    terms, PO number and references; it makes no document by itself. Without ``terms_id`` its terms are those of the
    account.

    ``net`` is what its line comes to. ``line`` names its ``line_id``.
    """

    account_id: UUID
    entity_id: UUID
    currency: str
    line: OrderLine
    net: Decimal
    terms_id: UUID | None = None
    po_number: str = ""
    references: str = ""
    reference_values: ReferencePairs = ()


class Riders(Protocol):
    """The lines that a room adds to a chunk, locked for the transaction."""

    @property
    def riders(self) -> Sequence[Rider]: ...

    def settle(self, placed: Mapping[UUID, UUID]) -> None:
        """Note what was billed: the invoice of each line that found one. The others were not billed."""


FindRiders = Callable[[Sequence[UUID], date, datetime], Riders | None]
SumRidden = Callable[[Sequence[UUID], datetime], Mapping[UUID, Decimal]]
_finders: dict[str, FindRiders] = {}
_sums: dict[str, SumRidden] = {}


def adds_riders(name: str, *, ridden: SumRidden) -> Callable[[FindRiders], FindRiders]:
    """Register what finds the lines of a room for these accounts as of a day; it never waits for another worker.

    ``ridden`` says, in one statement, what its lines on recurring documents since a moment come to, by account.
    """

    def register(find: FindRiders) -> FindRiders:
        _finders[name] = find
        _sums[name] = ridden
        return find

    return register


def riders_of(account_ids: Sequence[UUID], on: date, at: datetime) -> list[Riders]:
    """What the rooms above add to the documents of these accounts."""
    found = [_finders[name](account_ids, on, at) for name in sorted(_finders)]
    return [one for one in found if one is not None]


def ridden_since(account_ids: Sequence[UUID], since: datetime) -> dict[UUID, Decimal]:
    """What the lines of the rooms above on recurring documents since a moment come to, by account."""
    found: dict[UUID, Decimal] = {}
    for name in sorted(_sums):
        for account_id, amount in _sums[name](account_ids, since).items():
            found[account_id] = found.get(account_id, Decimal(0)) + amount
    return found
