"""Changing and ending subscriptions, and what they use. Each bills its difference in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.plumbing.bulk import delete_rows, insert_rows, one_trip, read_where, update_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, as_in_memory, end_of, load, load_again, with_items
from counterfoil.subscriptions.commands.billing import Written, write
from counterfoil.subscriptions.commands.lines import Charged, charged
from counterfoil.subscriptions.commands.starting import new_item
from counterfoil.subscriptions.models import (
    ItemVersion,
    Pause,
    PauseMode,
    Subscription,
    SubscriptionItem,
    UsageRecord,
)
from counterfoil.subscriptions.rules.agreement import Agreement, Item
from counterfoil.subscriptions.rules.billing import Due
from counterfoil.subscriptions.rules.changes import Anchors, Step, Wanted, ended, plan_change, taken_back, with_quantity
from counterfoil.subscriptions.rules.grid import Moment, day_of, moment_of, next_day, stored
from counterfoil.subscriptions.rules.orders import QUANTITY_LIMIT, REASON_MAX, ItemOrder, item_problems


@dataclass(frozen=True)
class UsageOrder:
    """So much was used of a metered price. ``external_id`` is the meter's own name of the event: it counts once."""

    subscription_id: UUID
    price_key: str
    quantity: Decimal
    at: Moment
    external_id: str = ""


@command("subscriptions.change_subscription", needs="subscriptions.change")
def change_subscription(
    *,
    actor: Actor,
    subscription_id: UUID,
    items: Sequence[ItemOrder],
    when: Moment,
    on: date,
    at: datetime,
    version: int | None = None,
) -> Written:
    """Make the subscription consist of these items from a day on, and bill the difference as its policy says.

    A price that it has already gets the quantity; a price that is not named any more ends. The day may lie in the past:
    what was billed since is repaired by credits and charges.
    """
    change = planned_change(_locked(subscription_id, version), items, when, on=on, at=at)
    return Written() if change is None else carry_out(actor, [change], on=on, at=at)


@dataclass(frozen=True)
class Change:
    """A change of a subscription that is worked out and not written: its rows, and what it makes due at once."""

    loaded: Loaded
    moment: Moment
    rows: Rows
    charge: Charged


def planned_change(
    loaded: Loaded, items: Sequence[ItemOrder], when: Moment, *, on: date, at: datetime
) -> Change | None:
    """What makes a subscription consist of these items from a moment on; none where it does already. ``loaded`` is
    whole and locked, and its rows are afterwards what they are to become. Writes and reads nothing; raises ``Refusal``.
    """
    moment = _moment(loaded, when)
    _refuse_outside(loaded, moment)
    refuse_stood_still(loaded, moment, on)
    problems = item_problems(items)
    if problems:
        raise Refusal.of(problems)
    anchors = Anchors(loaded.subscription.anchor_day, loaded.subscription.anchor_on)
    wanted = [_wanted(order) for order in items]
    forgotten = taken_back(loaded.agreement, wanted, moment)
    billed = billed_at(loaded, moment)
    steps = plan_change(with_items(loaded.agreement, forgotten), wanted, moment, anchors, billed)
    if not steps and not forgotten:
        return None
    rows = Rows()
    for item in forgotten:
        rows.set_versions(loaded, item)
    orders = {order.price_key: order for order in items}
    now: set[UUID] = set()
    waits: set[UUID] = set()
    fresh: set[UUID] = set()
    for step in steps:
        changed = _take(rows, loaded, step, orders, at)
        (now if step.is_billed_now else waits).update(changed)
        if step.new is not None and not step.is_quantity and _begins_at_once(loaded.agreement, step, moment, billed):
            fresh.add(changed[-1])
    rows.change(loaded.subscription)
    changed_to = as_in_memory(loaded)
    # The document of what is billed now takes along whatever waited for the next one before.
    taken = {item.id for item in changed_to.agreement.items} - (waits - now) if now else set()
    return Change(changed_to, moment, rows, _charge(changed_to, moment, on, taken if waits else None, fresh))


def carry_out(actor: Actor, changes: Sequence[Change], *, on: date, at: datetime, is_apart: bool = False) -> Written:
    """Write changes of locked subscriptions, and bill what they make due: a fixed number of statements, however many.
    With ``is_apart`` each subscription has documents of its own.
    """
    write_rows([change.rows for change in changes])
    for change in changes:
        _tell(events.SubscriptionChanged, change.loaded, change.moment)
    return write(actor, [change.charge for change in changes], on=on, at=at, is_apart=is_apart)


@command("subscriptions.cancel_subscription", needs="subscriptions.change")
def cancel_subscription(
    *,
    actor: Actor,
    subscription_id: UUID,
    when: Moment,
    on: date,
    at: datetime,
    is_at_period_end: bool = False,
    is_credited: bool = True,
    reason: str = "",
    version: int | None = None,
) -> Written:
    """End the subscription from a day on, or at the end of the period that contains it.

    What is billed beyond the end is credited unless ``is_credited`` is false; what was used and not billed is billed.
    """
    check_reason(reason)
    loaded = _locked(subscription_id, version)
    moment = _moment(loaded, when)
    subscription = loaded.subscription
    if stored(moment) < subscription.starts_at:
        raise Refusal("before_start", "It cannot end before it starts.", "when")
    if subscription.ends_at is not None and subscription.ends_at <= stored(moment):
        raise Conflict("ended", "This subscription has ended already.", "when")
    stands_from = loaded.agreement.stands_from
    goes_on = moment if stands_from is None else max(moment, stands_from)
    if stands_from is not None and stands_from <= moment:
        if is_at_period_end:
            raise Conflict(
                "stands_still", "Its time stands still, and no period ends. End it now, or let it go on first."
            )
        moment = stands_from  # its time stood still, so it ends as of the moment at which it began to
    rows = Rows()
    end = _period_end(rows, loaded, moment) if is_at_period_end else moment
    if subscription.ends_at is not None:
        end = min(end, loaded.moment(subscription.ends_at))
    if stands_from is not None and end <= stands_from:
        _end_standing(loaded, goes_on)
    subscription.ends_at = stored(end)
    subscription.is_credited_at_end = is_credited
    subscription.end_reason = reason
    rows.change(subscription)
    write_rows([rows])
    _tell(events.SubscriptionCancelled, loaded, end)
    return _bill(actor, loaded, moment, on=on, at=at)


def _end_standing(loaded: Loaded, moment: Moment) -> None:
    """End the pause in which time stands still, or is to; nothing goes on after it."""
    still = "subscription_id = %s AND mode = 'extend' AND NOT is_over"
    (pause,) = read_where(Pause, still, loaded.subscription.pk, lock=True)
    pause.ends_at, pause.is_over = stored(moment), True
    pause.version += 1
    update_rows([pause], ["ends_at", "is_over", "version"])


def _period_end(rows: Rows, loaded: Loaded, moment: Moment) -> Moment:
    """The end of the last period that runs at the moment, whatever its item. Items that end earlier end earlier."""
    ends: list[Moment] = []
    for item in loaded.agreement.items:
        version = item.version_at(moment)
        if version is None:
            continue
        end = item.grid.cell_at(moment).end
        ends.append(end)
        rows.set_versions(loaded, ended(item, end))
    return max(ends, default=moment)


@command("subscriptions.record_usage", needs="subscriptions.change")
def record_usage(*, actor: Actor, orders: Sequence[UsageOrder], at: datetime) -> int:
    """Take what was used, each event once; answers how many were new. It is billed with its period.

    An event whose period was billed already is charged with the next document. One that comes again with another
    quantity or time is refused: nobody could tell which of the two holds.
    """
    wanted = {order.subscription_id for order in orders}
    locked = read_where(Subscription, "id = ANY(%s)", list(wanted), order="id", lock=True)
    subscriptions = {one.pk: one for one in locked}
    items = read_where(SubscriptionItem, "subscription_id = ANY(%s) AND is_metered", list(wanted), order="position")
    metered = {(item.subscription_id, item.price_key): item for item in items}
    problems: list[Problem] = []
    rows: list[UsageRecord] = []
    for place, order in enumerate(orders):
        item = metered.get((order.subscription_id, order.price_key))
        problem = _usage_problem(order, subscriptions.get(order.subscription_id), item)
        if problem is not None:
            problems.append(replace(problem, field=f"{place}.{problem.field}"))
            continue
        assert item is not None
        one = subscriptions[order.subscription_id]
        used_at = stored(moment_of(order.at, one.basis, one.zone))
        rows.append(UsageRecord(
            id=new_id(), item=item, used_at=used_at, quantity=order.quantity,
            external_id=order.external_id[:200], recorded_at=at,
        ))  # fmt: skip
        if one.settled_to is not None and used_at < one.settled_to:
            one.settled_to = min(one.settled_to, used_at)
            one.due_at = used_at if one.due_at is None else min(one.due_at, at)
    if problems:
        raise Refusal.of(problems)
    known = _known_events(rows)
    new: dict[tuple[UUID, str], UsageRecord] = {}
    for place, row in enumerate(rows):
        key = (row.item_id, row.external_id or str(row.pk))
        first = known.get(key) or new.setdefault(key, row)
        if (first.quantity, first.used_at) != (row.quantity, row.used_at):
            text = "An event with this id was counted with another quantity or time. Give each event an id of its own."
            problems.append(Problem(f"{place}.id", "counted_otherwise", text))
    if problems:
        raise Refusal.of(problems)
    with one_trip():
        insert_rows(new.values())
        update_rows(list(subscriptions.values()), ["settled_to", "due_at"])
    return len(new)


def _known_events(rows: Sequence[UsageRecord]) -> dict[tuple[UUID, str], UsageRecord]:
    """Those of the events that were taken already, by item and their meter's name for them."""
    names = [row.external_id for row in rows if row.external_id]
    if not names:
        return {}
    items = list({row.item_id for row in rows})
    found = read_where(UsageRecord, "item_id = ANY(%s) AND external_id = ANY(%s)", items, names)
    return {(row.item_id, row.external_id): row for row in found}


@command("subscriptions.add_metered_item", needs="subscriptions.change")
def add_metered_item(*, actor: Actor, subscription_id: UUID, item: ItemOrder, at: datetime) -> UUID:
    """Let the subscription be billed for usage of a price from its start on; the item that is there stays as it is."""
    loaded = _locked(subscription_id, None)
    for row in loaded.items.values():
        if row.price_key == item.price_key and row.is_metered:
            return row.pk
    if not item.is_metered or item.is_in_advance:
        raise Refusal("not_metered", "Only a metered price is billed by usage.", "item")
    start = loaded.agreement.start
    anchors = Anchors(loaded.subscription.anchor_day, loaded.subscription.anchor_on)
    (step,) = plan_change(loaded.agreement._replace(items=()), [_wanted(item)], start, anchors)
    rows = Rows()
    added = _add_item(rows, loaded, step, item, at)
    rows.change(loaded.subscription)
    write_rows([rows])
    again = load_again(loaded)
    before = again.settled_to if again.settled_to is not None else start
    write(actor, [Charged(again, [], Due(before), is_whole=False)], on=at.date(), at=at)
    return added


def _usage_problem(order: UsageOrder, one: Subscription | None, item: SubscriptionItem | None) -> Problem | None:
    if one is None:
        return Problem("subscription", "not_found", "There is no such subscription.")
    if item is None:
        return Problem("price", "not_metered", "This subscription has no metered item of this price.")
    if not order.quantity.is_finite() or order.quantity < 0 or order.quantity >= QUANTITY_LIMIT:
        return Problem("quantity", "out_of_range", "A quantity used is zero or more, with at most 12 digits.")
    used_at = stored(moment_of(order.at, one.basis, one.zone))
    if used_at < one.starts_at:
        return Problem("at", "before_start", "It was used before the subscription started.")
    end = end_of(one)
    if end is not None and used_at >= stored(end):
        return Problem("at", "after_end", "It was used after the subscription ended.")
    return None


# What they share ------------------------------------------------------------------------------------------------------


def _locked(subscription_id: UUID, version: int | None) -> Loaded:
    subscription = next(iter(read_where(Subscription, "id = %s", subscription_id, lock=True)), None)
    if subscription is None:
        raise NotFound("This subscription does not exist.", "subscription")
    if version is not None and version != subscription.version:
        raise Stale()
    return load([subscription], whole=True)[0]


def _moment(loaded: Loaded, when: Moment) -> Moment:
    return moment_of(when, loaded.subscription.basis, loaded.subscription.zone)


def _refuse_outside(loaded: Loaded, moment: Moment) -> None:
    subscription = loaded.subscription
    if stored(moment) < subscription.starts_at:
        raise Refusal("before_start", "This is before the subscription starts.", "when")
    if subscription.ends_at is not None and stored(moment) >= subscription.ends_at:
        raise Conflict("ended", "This subscription has ended by then.", "when")


def check_reason(reason: str) -> None:
    """Refuse a reason that would have to be cut to be kept."""
    check(len(reason) <= REASON_MAX, "too_long", f"A reason can have at most {REASON_MAX} characters.", "reason")


def refuse_stood_still(loaded: Loaded, moment: Moment, on: date) -> None:
    """What runs changes; a time that stands still, or that was left out, does not, and nothing changes meanwhile."""
    stands_from = loaded.agreement.stands_from
    if stands_from is not None and (stands_from <= moment or day_of(stands_from, loaded.subscription.zone) <= on):
        raise Conflict("stands_still", "Its time stands still. Let it go on first.", "when")
    stood = [pause for pause in loaded.pauses if pause.mode == PauseMode.EXTEND and pause.is_over]
    until = max((pause.ends_at for pause in stood if pause.ends_at and pause.ends_at > pause.starts_at), default=None)
    if until is not None and until > stored(moment):
        day = day_of(loaded.moment(until), loaded.subscription.zone)
        text = f"Its time stood still until {day:%Y-%m-%d}. Give that day or a later one."
        raise Refusal("stood_still", text, "when")


def _wanted(order: ItemOrder) -> Wanted:
    return Wanted(order.price_key, order.pricing, order.interval, order.quantity, order.is_in_advance, order.is_metered)


def billed_at(loaded: Loaded, moment: Moment) -> set[UUID]:
    """The items whose period that contains the moment is billed already."""
    at = stored(moment)
    return {row.pk for row in loaded.items.values() if row.billed_to is not None and row.billed_to > at}


def _begins_at_once(agreement: Agreement, step: Step, moment: Moment, billed: Collection[UUID]) -> bool:
    """Whether a new item starts a period of its own in the middle of another, or takes over one that is billed already,
    so that its charge travels with the change. What joins others whose renewal is still to come is renewed with them.
    """
    if step.new is None or step.grid is None or step.at != moment:
        return False
    if step.old is not None:
        return step.old.interval != step.new.interval or step.old.id in billed
    return not any(
        item.grid == step.grid
        and item.id not in billed
        and item.is_in_advance
        and item.grid.cell_at(moment).start == moment
        for item in agreement.items
        if item.version_at(moment) is not None
    )


def _take(rows: Rows, loaded: Loaded, step: Step, orders: dict[str, ItemOrder], at: datetime) -> list[UUID]:
    """Add what one step writes; answers the items that it touched, the new one last."""
    touched: list[UUID] = []
    if step.is_quantity and step.old is not None and step.new is not None:
        rows.set_versions(loaded, with_quantity(step.old, step.new.quantity, step.at))
        return [step.old.id]
    if step.old is not None:
        closed = ended(step.old, step.at, cuts=step.cuts)
        if step.cuts:
            row = loaded.items[step.old.id]
            row.cut_at = stored(step.at)
            row.version += 1
            rows.cut.append(row)
        rows.set_versions(loaded, closed)
        touched.append(step.old.id)
    if step.new is not None and step.grid is not None:
        touched.append(_add_item(rows, loaded, step, orders[step.new.price], at))
    return touched


def _add_item(rows: Rows, loaded: Loaded, step: Step, order: ItemOrder, at: datetime) -> UUID:
    assert step.grid is not None
    position = max((row.position for row in loaded.items.values()), default=0) + 1
    row = new_item(loaded.subscription, position, order, step.at, None, None, at)
    row.grid_from, row.grid_day = stored(step.grid.base), step.grid.anchor_day
    row.grid_lead = None if step.grid.lead is None else stored(step.grid.lead)
    row.grid_ordinal = step.grid.ordinal
    version = ItemVersion(id=new_id(), created_at=at, item=row, starts_at=stored(step.at), quantity=order.quantity)
    rows.items.append(row)
    rows.versions.append(version)
    loaded.items[row.pk], loaded.versions[row.pk] = row, [version]
    return row.pk


@dataclass
class Rows:
    """What a change of a subscription writes, gathered so that many are written at once. What is gathered stands in the
    rows of the ``Loaded`` already.
    """

    items: list[SubscriptionItem] = field(default_factory=list)
    cut: list[SubscriptionItem] = field(default_factory=list)
    versions: list[ItemVersion] = field(default_factory=list)
    gone: list[ItemVersion] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)

    def set_versions(self, loaded: Loaded, item: Item) -> None:
        """Let the quantities of an item be these; versions that stay are left alone."""
        row = loaded.items[item.id]
        wanted = {
            (stored(one.start), None if one.end is None else stored(one.end), one.quantity)
            for one in item.versions
            if one.end is None or one.start < one.end
        }
        kept: dict[tuple[datetime, datetime | None, Decimal], ItemVersion] = {}
        for one in loaded.versions.get(row.pk, ()):
            key = (one.starts_at, one.ends_at, one.quantity)
            if key in wanted:
                kept[key] = one
            elif one in self.versions:
                self.versions.remove(one)
            else:
                self.gone.append(one)
        new = [
            ItemVersion(id=new_id(), item=row, starts_at=start, ends_at=end, quantity=quantity)
            for start, end, quantity in sorted(wanted - kept.keys(), key=lambda key: key[0])
        ]
        self.versions += new
        loaded.versions[row.pk] = sorted((*kept.values(), *new), key=lambda one: one.starts_at)

    def change(self, subscription: Subscription) -> None:
        """Write what a change may have set on the subscription itself."""
        subscription.version += 1
        self.subscriptions.append(subscription)


def write_rows(several: Sequence[Rows]) -> None:
    """Write what changes gathered, in a fixed number of statements, however many."""
    with one_trip():
        update_rows([row for one in several for row in one.cut], ["cut_at", "version"])
        delete_rows([row for one in several for row in one.gone])
        insert_rows(row for one in several for row in one.items)
        insert_rows(row for one in several for row in one.versions)
        update_rows([row for one in several for row in one.subscriptions], _CHANGED)


_CHANGED = ("ends_at", "is_credited_at_end", "end_reason", "committed_to", "version")


def _tell(kind: type[events.SubscriptionChanged] | type, loaded: Loaded, moment: Moment) -> None:
    subscription = loaded.subscription
    emit(
        kind(
            subscription_id=subscription.pk,
            account_id=subscription.account_id,
            title=subscription.title,
            from_on=day_of(moment, subscription.zone),
        )
    )


def _bill(
    actor: Actor,
    loaded: Loaded,
    moment: Moment,
    *,
    on: date,
    at: datetime,
    items: Collection[UUID] | None = None,
) -> Written:
    """Bill what the change makes due at once: the differences of these items, or of all."""
    return write(actor, [_charge(load_again(loaded), moment, on, items)], on=on, at=at)


def _charge(
    loaded: Loaded, moment: Moment, on: date, items: Collection[UUID] | None = None, fresh: Collection[UUID] = ()
) -> Charged:
    """What a change makes due at once."""
    subscription = loaded.subscription
    day = moment_of(on, subscription.basis, subscription.zone)
    before = moment if day_of(moment, subscription.zone) == on else day
    due = Due(before, is_entry=True, fresh=tuple(fresh), fresh_before=next_day(before, subscription.zone))
    since = min(moment, loaded.settled_to) if loaded.settled_to is not None else None
    return charged(loaded, due, since, items)
