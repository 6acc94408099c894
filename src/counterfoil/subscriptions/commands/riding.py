"""Lines of rooms above that ride on recurring documents: where there is room, and where they hold nothing up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.invoicing.queries import blocks_of, order_totals
from counterfoil.invoicing.rules.orders import LINES_MAX
from counterfoil.subscriptions.commands.lines import (
    Charged,
    Key,
    Line,
    draft_order,
    is_taxed_differently,
    key_of,
    own_lines,
)
from counterfoil.subscriptions.ports import Rider
from counterfoil.subscriptions.rules.documents import parted


def joinable(charges: Sequence[Charged], riders: Sequence[Rider], on: date) -> list[Rider]:
    """The riders that would share a document with these charges."""
    facts = billing_facts(sorted({one.loaded.subscription.account_id for one in charges}), on)
    subscriptions = [one.loaded.subscription for one in charges]
    keys = {key_of(one, facts[one.account_id]) for one in subscriptions}
    return [rider for key, found in riding_on(riders, facts).items() if key in keys for rider in found]


def riding_on(riders: Iterable[Rider], facts: Mapping[UUID, BillingFacts]) -> dict[Key, list[Rider]]:
    """The riders by the document that they would share."""
    found: dict[Key, list[Rider]] = defaultdict(list)
    for rider in riders:
        of_account = facts.get(rider.account_id)
        if of_account is not None:
            found[key_of(rider, of_account)].append(rider)
    return found


def with_room(riding: Mapping[Key, list[Rider]], groups: Mapping[Key, list[Line]]) -> dict[Key, list[Rider]]:
    """The first riders, so many that a document can be changed in one piece; the others wait for the next one."""
    found = {}
    for key in [key for key in riding if key in groups]:
        taken = sum(max(len(line.difference.credits), 1) for line in groups[key] if line.net)
        if room := max(LINES_MAX - taken, 0):
            found[key] = riding[key][:room]
    return found


def bearable(
    riding: Mapping[Key, list[Rider]],
    groups: Mapping[Key, list[Line]],
    facts: Mapping[UUID, BillingFacts],
    on: date,
    at: datetime,
) -> dict[Key, list[Rider]]:
    """The riders of documents that go out with them as they would without: what is due is never held up by a rider.

    Where all of them together hold one up, each that does so by itself stays off. Where the others do so only together,
    so many from the first on stay as it bears, which halving finds: a fixed number of rounds, however many ride.
    """
    trials = _Trials(groups, facts, on, at)
    found: dict[Key, list[Rider]] = {}
    held_up: list[Key] = []
    for key, is_borne in zip(riding, trials.bears(list(riding.items())), strict=True):
        if is_borne:
            found[key] = riding[key]
        else:
            held_up.append(key)
    alone = [(key, rider) for key in held_up for rider in riding[key]]
    harmless: dict[Key, list[Rider]] = defaultdict(list)
    for (key, rider), is_borne in zip(alone, trials.bears([(key, [one]) for key, one in alone]), strict=True):
        if is_borne:
            harmless[key].append(rider)
    ends: dict[Key, tuple[int, int]] = {}
    for (key, riders), is_borne in zip(harmless.items(), trials.bears(list(harmless.items())), strict=True):
        ends[key] = (len(riders), len(riders)) if is_borne else (1, len(riders))
    while open_keys := [key for key, (borne, refused) in ends.items() if refused - borne > 1]:
        middles = [sum(ends[key]) // 2 for key in open_keys]
        halves = [(key, harmless[key][:middle]) for key, middle in zip(open_keys, middles, strict=True)]
        for key, middle, is_borne in zip(open_keys, middles, trials.bears(halves), strict=True):
            borne, refused = ends[key]
            ends[key] = (middle, refused) if is_borne else (borne, middle)
    return found | {key: harmless[key][:borne] for key, (borne, _) in ends.items()}


@dataclass
class _Trials:
    """Documents that are worked out and thrown away, to see what they bear; ``usual`` is what blocks them anyway."""

    groups: Mapping[Key, list[Line]]
    facts: Mapping[UUID, BillingFacts]
    on: date
    at: datetime
    usual: dict[Key, frozenset[str]] = field(default_factory=dict)

    def bears(self, tries: Sequence[tuple[Key, Sequence[Rider]]]) -> list[bool]:
        """Whether each document goes out with these riders as it would without. A fixed number of statements."""
        found = self._blocks(tries)
        unknown = [key for (key, _), codes in zip(tries, found, strict=True) if codes and key not in self.usual]
        alone: list[tuple[Key, Sequence[Rider]]] = [(key, ()) for key in dict.fromkeys(unknown)]
        for (key, _), codes in zip(alone, self._blocks(alone), strict=True):
            self.usual[key] = codes or frozenset()
        return [
            codes is not None and codes <= self.usual.get(key, frozenset())
            for (key, _), codes in zip(tries, found, strict=True)
        ]

    def _blocks(self, tries: Sequence[tuple[Key, Sequence[Rider]]]) -> list[frozenset[str] | None]:
        """What would keep each document from going out; none where there is no invoice."""
        invoices = self._invoices(tries)
        orders = [draft_order(lines, self.facts) for lines in invoices if lines]
        codes = iter(blocks_of(orders, self.on, self.at, self.facts) if orders else ())
        return [next(codes) if lines else None for lines in invoices]

    def _invoices(self, tries: Sequence[tuple[Key, Sequence[Rider]]]) -> list[Sequence[Line | Rider]]:
        several: list[list[Line | Rider]] = [[*self.groups[key], *riders] for key, riders in tries]
        asked = [is_taxed_differently(lines) and _has_both_signs(lines) for lines in several]
        orders = [draft_order(lines, self.facts) for lines, is_asked in zip(several, asked, strict=True) if is_asked]
        totals = iter(order_totals(orders, self.on, self.at, self.facts) if orders else ())
        found = []
        for lines, (_, riders), is_asked in zip(several, tries, asked, strict=True):
            total = next(totals) if is_asked else None
            # What cannot be worked out is tried as one invoice, and then says so.
            together = Decimal(0) if total is None else total.amount
            parts = parted(lines, _always(together) if is_asked else None)
            found.append(with_free_riders(parts.invoice, riders))
        return found


def _always(total: Decimal) -> Callable[[Sequence[Line | Rider]], Decimal]:
    return lambda _: total


def _has_both_signs(lines: Sequence[Line | Rider]) -> bool:
    return any(line.net > 0 for line in lines) and any(line.net < 0 for line in lines)


def with_free_riders(lines: Sequence[Line | Rider], riders: Sequence[Rider]) -> Sequence[Line | Rider]:
    """The lines of an invoice, with the riders that cost nothing; none where all of them are riders."""
    if not riders:
        return lines
    return (*lines, *(rider for rider in riders if not rider.net)) if own_lines(lines) else ()
