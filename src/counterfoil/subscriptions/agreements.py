"""Subscriptions as plain values and back: read whole, for many at once, in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.catalog.rules.pricing import Pricing, tiers_as_rows, tiers_from
from counterfoil.invoicing.queries import taken_off_besides
from counterfoil.plumbing.bulk import Wanted, read_together, read_where
from counterfoil.subscriptions.models import (
    BilledPeriod,
    DiscountStop,
    ItemVersion,
    Pause,
    PauseMode,
    PolicyFields,
    Subscription,
    SubscriptionDiscount,
    SubscriptionItem,
    UsageRecord,
)
from counterfoil.subscriptions.rules.agreement import (
    END_BILLED,
    Agreement,
    Billed,
    Discount,
    Item,
    PastPrice,
    Policy,
    Span,
    Usage,
    Version,
)
from counterfoil.subscriptions.rules.grid import Cell, Moment, Share, next_day, restored, shared_grid, stored

_THEIRS = "subscription_id = ANY(%s)"


@dataclass
class Loaded:
    """A subscription with its items, what was agreed, and what was billed since it was last settled. ``rests`` are its
    pauses of every mode, and ``pauses`` those as they are kept; ``versions`` are the quantities as they are kept, by
    item.
    """

    subscription: Subscription
    items: dict[UUID, SubscriptionItem]
    agreement: Agreement
    billed: list[Billed]
    rests: tuple[Span, ...] = ()
    pauses: Sequence[Pause] = ()
    versions: dict[UUID, list[ItemVersion]] = field(default_factory=dict)
    _kept: _Kept | None = None

    @property
    def settled_to(self) -> Moment | None:
        kept = self.subscription.settled_to
        return None if kept is None else restored(kept, self.subscription.basis)

    def moment(self, kept: datetime) -> Moment:
        return restored(kept, self.subscription.basis)


def load(subscriptions: Sequence[Subscription], *, whole: bool = False) -> list[Loaded]:
    """The subscriptions with everything that billing asks of them, in at most four round trips, in the order given.

    Of what was billed, only what ends after ``settled_to`` is read unless ``whole``.
    """
    if not subscriptions:
        return []
    ids = [one.id for one in subscriptions]
    discounts = Wanted(SubscriptionDiscount, _THEIRS, (ids,), "subscription_id, position")
    *agreed, discounted, billed = read_together(*_agreed(ids), discounts, _billed(subscriptions, whole))
    by_discount = _by_subscription(discounted)
    kept = _Kept(by_discount, _stops(by_discount), _usage(agreed[0]), _by_subscription(billed), _given(billed))
    return _loaded(subscriptions, agreed, kept)


def load_again(loaded: Loaded) -> Loaded:
    """What is agreed now, of a subscription that is locked: its items and pauses are read anew, in one round trip. What
    was billed, used and discounted is as it was.
    """
    kept = loaded._kept
    assert kept is not None
    return _loaded([loaded.subscription], read_together(*_agreed([loaded.subscription.id])), kept)[0]


def as_in_memory(loaded: Loaded) -> Loaded:
    """What is agreed by the rows of a subscription as they are in memory, whether they are written already or not."""
    kept = loaded._kept
    assert kept is not None
    versions = [version for item_id in loaded.items for version in loaded.versions.get(item_id, ())]
    return _loaded([loaded.subscription], (list(loaded.items.values()), versions, loaded.pauses), kept)[0]


@dataclass(frozen=True)
class _Kept:
    """What a change of what was agreed leaves as it is."""

    discounts: Mapping[UUID, Sequence[SubscriptionDiscount]]
    stops: Mapping[UUID, Sequence[DiscountStop]]
    usage: Mapping[UUID, Sequence[UsageRecord]]
    billed: Mapping[UUID, Sequence[BilledPeriod]]
    given: Mapping[UUID, Decimal]


def _agreed(ids: list[UUID]) -> tuple[Wanted, ...]:
    """The items of subscriptions, their quantities, and the pauses."""
    theirs = f"item_id IN (SELECT id FROM subscriptions_subscriptionitem WHERE {_THEIRS})"  # noqa: S608 - constants
    return (
        Wanted(SubscriptionItem, _THEIRS, (ids,), "subscription_id, position"),
        Wanted(ItemVersion, theirs, (ids,), "item_id, starts_at"),
        Wanted(Pause, _THEIRS, (ids,), "subscription_id, starts_at"),
    )


def _by_subscription(rows: Iterable[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.subscription_id].append(row)
    return found


def _loaded(subscriptions: Sequence[Subscription], agreed: Sequence[Sequence[Any]], kept: _Kept) -> list[Loaded]:
    rows, pauses = _by_subscription(agreed[0]), _by_subscription(agreed[2])
    versions: dict[UUID, list[ItemVersion]] = defaultdict(list)
    for version in agreed[1]:
        versions[version.item_id].append(version)
    billed = {one.id: kept.billed.get(one.id, ()) for one in subscriptions}
    return [
        Loaded(
            one,
            {item.id: item for item in rows[one.id]},
            _agreement(
                one,
                _seen(rows[one.id], versions, billed[one.id]),
                versions,
                kept.usage,
                pauses[one.id],
                kept.discounts.get(one.id, ()),
                kept.stops,
            ),
            [billed_of(row, one.basis, kept.given) for row in billed[one.id]],
            _spans(one, pauses[one.id]),
            pauses[one.id],
            versions,
            kept,
        )
        for one in subscriptions
    ]


def _usage(items: Iterable[SubscriptionItem]) -> dict[UUID, list[UsageRecord]]:
    metered = [item.id for item in items if item.is_metered]
    found: dict[UUID, list[UsageRecord]] = defaultdict(list)
    if metered:
        for record in read_where(UsageRecord, "item_id = ANY(%s)", metered, order="item_id, used_at"):
            found[record.item_id].append(record)
    return found


def _stops(discounts: Mapping[UUID, Iterable[SubscriptionDiscount]]) -> dict[UUID, list[DiscountStop]]:
    ids = [discount.id for several in discounts.values() for discount in several]
    found: dict[UUID, list[DiscountStop]] = defaultdict(list)
    if ids:
        for stop in read_where(DiscountStop, "discount_id = ANY(%s)", ids, order="discount_id, starts_at"):
            found[stop.discount_id].append(stop)
    return found


def _billed(subscriptions: Sequence[Subscription], whole: bool) -> Wanted:
    ids = [one.id for one in subscriptions]
    settled = [one.settled_to for one in subscriptions]
    if whole or None in settled:
        return Wanted(BilledPeriod, _THEIRS, (ids,), "id")
    since = min(moment for moment in settled if moment is not None)
    return Wanted(BilledPeriod, f"{_THEIRS} AND cell_ends_at > %s", (ids, since), "id")


def _seen(
    items: Iterable[SubscriptionItem],
    versions: Mapping[UUID, Sequence[ItemVersion]],
    billed: Iterable[BilledPeriod],
) -> list[SubscriptionItem]:
    """The items that were ever agreed, or billed. One that ended at its very start has no quantity at any time, and
    what was billed of it is to be given back.
    """
    of_rows = {row.item_id for row in billed}
    return [item for item in items if versions.get(item.id) or item.id in of_rows]


def _given(billed: Iterable[BilledPeriod]) -> dict[UUID, Decimal]:
    """What credit notes by hand and early payments took off the lines of these rows, signed like them."""
    return taken_off_besides([row.line_id for row in billed if row.line_id is not None])


def _agreement(
    one: Subscription,
    items: Sequence[SubscriptionItem],
    versions: Mapping[UUID, Sequence[ItemVersion]],
    usage: Mapping[UUID, Sequence[UsageRecord]],
    pauses: Sequence[Pause],
    discounts: Sequence[SubscriptionDiscount],
    stops: Mapping[UUID, Sequence[DiscountStop]],
) -> Agreement:
    start = restored(one.trial_ends_at or one.starts_at, one.basis)
    return Agreement(
        id=one.id,
        currency=one.currency,
        start=start,
        items=tuple(item_of(item, one, versions.get(item.id, ()), usage.get(item.id, ())) for item in items),
        policy=policy_of(one),
        end=_maybe(one.ends_at, one.basis) if _ends_at_rest(one, pauses) else end_of(one),
        is_credited_at_end=one.is_credited_at_end,
        pauses=_spans(one, pauses, PauseMode.SKIP),
        voids=_spans(one, pauses, PauseMode.VOID),
        stands_from=next(
            (
                restored(pause.starts_at, one.basis)
                for pause in pauses
                if pause.mode == PauseMode.EXTEND and not pause.is_over
            ),
            None,
        ),
        discounts=tuple(
            Discount(
                each.percent,
                each.amount,
                each.periods,
                _maybe(each.since_at, one.basis),
                _maybe(each.until_at, one.basis),
                frozenset(UUID(product) for product in each.products),
                tuple(
                    Span(restored(stop.starts_at, one.basis), _maybe(stop.ends_at, one.basis))
                    for stop in stops.get(each.id, ())
                ),
            )
            for each in discounts
        ),
        zone=one.zone,
    )


def _ends_at_rest(one: Subscription, pauses: Iterable[Pause]) -> bool:
    """Whether it ended while its time stood still. The day from which that stood is not used."""
    return any(
        pause.mode == PauseMode.EXTEND and pause.is_over and pause.starts_at == one.ends_at != pause.ends_at
        for pause in pauses
    )


def _spans(one: Subscription, pauses: Iterable[Pause], *modes: str) -> tuple[Span, ...]:
    """The pauses of these modes, or all of them; an empty one is none."""
    return tuple(
        Span(restored(pause.starts_at, one.basis), _maybe(pause.ends_at, one.basis))
        for pause in pauses
        if (not modes or pause.mode in modes) and (pause.ends_at is None or pause.ends_at > pause.starts_at)
    )


def end_of(one: Subscription) -> Moment | None:
    """The first moment that is not billed. Where the end day is billed it is the day after."""
    end = _maybe(one.ends_at, one.basis)
    if end is None or one.end_day != END_BILLED:
        return end
    return next_day(end, one.zone)


def policy_of(row: PolicyFields) -> Policy:
    rounding: Any = row.rounding
    return Policy(row.basis, row.increase, row.decrease, row.first_period, row.end_day, row.interval_change, rounding)


def item_of(
    row: SubscriptionItem, one: Subscription, versions: Sequence[ItemVersion], usage: Sequence[UsageRecord] = ()
) -> Item:
    begins = restored(one.trial_ends_at or one.starts_at, one.basis)
    return Item(
        id=row.id,
        price=row.price_key,
        pricing=pricing_of(row),
        grid=shared_grid(
            row.interval,
            row.count,
            restored(row.grid_from, one.basis),
            row.grid_day,
            one.zone,
            _maybe(row.grid_lead, one.basis),
            row.grid_ordinal,
        ),
        is_in_advance=row.is_in_advance,
        versions=tuple(
            Version(restored(each.starts_at, one.basis), _maybe(each.ends_at, one.basis), each.quantity)
            for each in versions
        )
        or (Version(begins, begins, Decimal(0)),),
        is_metered=row.is_metered,
        cut_at=_maybe(row.cut_at, one.basis),
        usage=tuple(Usage(restored(each.used_at, one.basis), each.quantity) for each in usage),
        product=row.product_id,
        past_prices=tuple(_past_price(past, row, one.basis) for past in row.past_prices),
    )


def _past_price(past: Mapping[str, Any], row: SubscriptionItem, basis: str) -> PastPrice:
    amount = None if past["amount"] is None else Decimal(past["amount"])
    before = restored(datetime.fromisoformat(past["before"]), basis)
    return PastPrice(before, Pricing(row.model, amount, row.per, tiers_from(past["tiers"])))


def past_prices_as_rows(item: Item) -> list[dict[str, Any]]:
    """The past prices of an item as its row keeps them."""
    return [
        {
            "before": stored(past.before).isoformat(),
            "amount": None if past.pricing.amount is None else format(past.pricing.amount, "f"),
            "tiers": tiers_as_rows(past.pricing.tiers),
        }
        for past in item.past_prices
    ]


def pricing_of(row: SubscriptionItem) -> Pricing:
    return Pricing(row.model, row.amount, row.per, tiers_from(row.tiers))


def billed_of(row: BilledPeriod, basis: str, given: Mapping[UUID, Decimal]) -> Billed:
    return Billed(
        item_id=row.item_id,
        start=restored(row.starts_at, basis),
        end=restored(row.ends_at, basis),
        cell=Cell(restored(row.cell_starts_at, basis), restored(row.cell_ends_at, basis)),
        quantity=row.quantity,
        gross=row.gross,
        share=Share(row.share_part, row.share_whole),
        net=row.net,
        line_id=row.line_id,
        credits=tuple((UUID(line_id), Decimal(part)) for line_id, part in row.credits),
        given=given.get(row.line_id, Decimal(0)) if row.line_id is not None else Decimal(0),
        is_void=row.is_void,
    )


def with_items(agreement: Agreement, items: Iterable[Item]) -> Agreement:
    """The agreement with these items instead of those with their ids, and with those that are new."""
    changed = {item.id: item for item in items}
    kept = tuple(changed.pop(item.id, item) for item in agreement.items)
    return agreement._replace(items=(*kept, *changed.values()))


def _maybe(kept: datetime | None, basis: str) -> Moment | None:
    return None if kept is None else restored(kept, basis)
