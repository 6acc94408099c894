"""What a customer sees of a retainer behind its link: how it burns down, and what for.

It knows no prices, no people and nothing that waits for approval or was rejected. A retainer is worked out from its
first day on, so what a link opens is kept for half a minute in the process that worked it out: whoever asks again and
again costs one read of the link, which sees at once that it was revoked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import Lock
from typing import Any
from uuid import UUID

from counterfoil.accounts.queries import billing_facts
from counterfoil.core.money import currency_decimals
from counterfoil.ledger.days import today_of
from counterfoil.ledger.models import LegalEntity
from counterfoil.retainers.burndown import burned, quantity_of
from counterfoil.retainers.links import hash_of, is_secret
from counterfoil.retainers.models import EntryStatus, Expense, Retainer, RetainerLink, TimeEntry, Unit
from counterfoil.retainers.rules.burning import BurnedPeriod

PERIODS_SHOWN, ENTRIES_SHOWN = 36, 500
KEPT_FOR, KEPT_MOST = timedelta(seconds=30), 100


@dataclass(frozen=True)
class Done:
    """What was used on a day, in the retainer's unit, and what for."""

    day: date
    text: str
    quantity: Decimal


@dataclass(frozen=True)
class SharedRetainer:
    """A retainer as its customer may see it: periods and entries with the newest first. ``currency`` is empty for
    hours.
    """

    title: str
    seller: str
    customer: str
    language: str
    country: str
    currency: str
    decimals: int
    as_of: date
    starts_on: date
    ends_on: date | None
    now: BurnedPeriod | None
    periods: tuple[BurnedPeriod, ...]
    entries: tuple[Done, ...]
    has_more: bool

    @property
    def is_ended(self) -> bool:
        return self.ends_on is not None and self.ends_on <= self.as_of


class _Kept:
    """What a link opened last, and when. The lock lets one request work it out while the others wait for it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.at: datetime | None = None
        self.found: SharedRetainer | None = None


_all_kept: OrderedDict[UUID, _Kept] = OrderedDict()
_all_kept_lock = Lock()


def retainer_behind(secret: str, at: datetime) -> SharedRetainer | None:
    """The retainer that a link opens, at most ``KEPT_FOR`` old; nothing where it opens none: unknown, revoked, or no
    link at all.
    """
    link = RetainerLink.objects.filter(secret_hash=hash_of(secret)).first() if is_secret(secret) else None
    if link is None or link.revoked_at is not None:
        return None
    with _all_kept_lock:
        kept = _all_kept.setdefault(link.pk, _Kept())
        _all_kept.move_to_end(link.pk)
        if len(_all_kept) > KEPT_MOST:
            _all_kept.popitem(last=False)
    with kept.lock:
        if kept.found is None or kept.at is None or not kept.at <= at < kept.at + KEPT_FOR:
            kept.found, kept.at = _worked_out(link.retainer_id), at
        return kept.found


def _worked_out(retainer_id: UUID) -> SharedRetainer:
    retainer = Retainer.objects.get(pk=retainer_id)
    on = today_of(retainer.entity_id)
    facts = billing_facts([retainer.account_id], on)[retainer.account_id]
    periods = burned([retainer], on)[retainer.pk].periods
    entries = _done(retainer, on)
    return SharedRetainer(
        title=retainer.title,
        seller=_seller(retainer.entity_id),
        customer=facts.title,
        language=facts.language.value,
        country=facts.party.country,
        currency=retainer.currency if retainer.unit == Unit.MONEY else "",
        decimals=currency_decimals(retainer.currency) if retainer.unit == Unit.MONEY else 0,
        as_of=on,
        starts_on=retainer.starts_on,
        ends_on=retainer.ends_on,
        now=next((period for period in periods if period.start <= on < period.end), None),
        periods=tuple(reversed(periods))[:PERIODS_SHOWN],
        entries=tuple(entries[:ENTRIES_SHOWN]),
        has_more=len(entries) > ENTRIES_SHOWN,
    )


def _seller(entity_id: UUID) -> str:
    return LegalEntity.objects.values_list("legal_name", flat=True).get(pk=entity_id)


def _done(retainer: Retainer, on: date) -> Sequence[Done]:
    """What was approved and counts, the newest first, one more than is shown."""
    kinds: tuple[Any, ...] = (TimeEntry, Expense)
    found = [
        entry
        for kind in kinds
        for entry in kind.objects.filter(
            retainer=retainer,
            status__in=(EntryStatus.APPROVED, EntryStatus.SETTLED),
            is_billable=True,
            day__lte=on,
        ).order_by("-day", "-id")[: ENTRIES_SHOWN + 1]
    ]
    found.sort(key=lambda entry: (entry.day, entry.pk), reverse=True)
    return [Done(entry.day, entry.description, quantity_of(entry, retainer)) for entry in found]
