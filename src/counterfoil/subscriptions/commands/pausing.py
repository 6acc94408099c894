"""Letting subscriptions rest and go on, in each of three modes; see ``docs/concepts/pauses.md``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.core.ids import new_id
from counterfoil.plumbing.bulk import insert_rows, read_where, update_rows
from counterfoil.plumbing.outbox import part_of_a_wish
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.commands.billing import Written
from counterfoil.subscriptions.commands.changing import (
    Rows,
    _bill,
    _locked,
    _moment,
    _refuse_outside,
    _tell,
    billed_at,
    check_reason,
    refuse_stood_still,
    write_rows,
)
from counterfoil.subscriptions.commands.lines import Charged, Line, billed_row
from counterfoil.subscriptions.commands.running import CHUNK, park
from counterfoil.subscriptions.models import ItemVersion, Pause, PauseMode, Subscription, SubscriptionItem
from counterfoil.subscriptions.rules.agreement import AT_RENEWAL, NOW, Difference, Item
from counterfoil.subscriptions.rules.billing import Due
from counterfoil.subscriptions.rules.changes import renewal_of, running
from counterfoil.subscriptions.rules.extending import Continued, continued, last_billed_start, moved
from counterfoil.subscriptions.rules.grid import Moment, day_of, moment_of, restored, stored


@command("subscriptions.pause_subscription", needs="subscriptions.change")
def pause_subscription(
    *,
    actor: Actor,
    subscription_id: UUID,
    when: Moment,
    on: date,
    at: datetime,
    mode: str = PauseMode.SKIP,
    until: Moment | None = None,
    reason: str = "",
    version: int | None = None,
) -> Written:
    """Let the subscription rest from a day on, until it goes on or until before a day that is known already.

    With ``skip`` what is billed beyond the day is credited like a change to nothing. With ``void`` the periods that
    begin in the pause come to nothing. With ``extend`` what is left of the billed period goes on after the pause.
    """
    check_reason(reason)
    loaded = _locked(subscription_id, version)
    moment = _moment(loaded, when)
    _refuse_outside(loaded, moment)
    if mode not in PauseMode.values:
        raise Refusal("unknown_choice", "A pause skips, voids or extends.", "mode")
    subscription = loaded.subscription
    start = moment
    resting: list[Item] = []
    if mode == PauseMode.SKIP and subscription.decrease == AT_RENEWAL:
        resting = running(loaded.agreement, moment)
        billed = billed_at(loaded, moment)
        ends = [renewal_of(item.grid, moment, is_billed=item.id in billed) for item in resting]
        start = max(ends, default=moment)
    end = None if until is None else _moment(loaded, until)
    if end is not None and end <= start:
        raise Refusal("before_start", "It goes on after it rested: give a later day.", "until")
    _refuse_overlap(loaded, start, end if mode != PauseMode.EXTEND else None)
    refuse_stood_still(loaded, start, on)
    if mode == PauseMode.EXTEND:
        _refuse_extension(loaded, start, on)
    is_over = end is not None and day_of(end, subscription.zone) <= on
    pause = Pause(
        id=new_id(), created_at=at, subscription=subscription, starts_at=stored(start), mode=mode, reason=reason,
        ends_at=None if end is None else stored(end), is_over=is_over and mode != PauseMode.EXTEND,
    )  # fmt: skip
    insert_rows([pause])
    _raise_version(subscription)
    _tell(events.SubscriptionPaused, loaded, start)
    is_billed = bool({item.id for item in resting} & billed_at(loaded, start))
    is_whole = mode != PauseMode.SKIP or subscription.decrease == NOW or is_billed
    written = _bill(actor, loaded, moment, on=on, at=at, items=None if is_whole else ())
    if is_over and end is not None:
        if mode != PauseMode.EXTEND:
            _tell(events.SubscriptionResumed, loaded, end)
            return written
        return _go_on(actor, _locked(subscription_id, None), pause, end, on=on, at=at)
    return written


@command("subscriptions.resume_subscription", needs="subscriptions.change")
def resume_subscription(
    *, actor: Actor, subscription_id: UUID, when: Moment, on: date, at: datetime, version: int | None = None
) -> Written:
    """Go on from a day, also before or after the day that was planned. The anchor stays unless the pause extends.

    After ``skip`` the rest of the period that contains the day is charged; after ``void`` the period that begins next.
    """
    loaded = _locked(subscription_id, version)
    moment = _moment(loaded, when)
    resting = "subscription_id = %s AND NOT is_over"
    pause = next(iter(read_where(Pause, resting, loaded.subscription.pk, order="id", lock=True)), None)
    if pause is None:
        raise Conflict("not_paused", "This subscription is not paused.")
    if stored(moment) < pause.starts_at:
        starts = loaded.moment(pause.starts_at)
        if day_of(starts, loaded.subscription.zone) > on:  # it waits still, and never begins
            return _go_on(actor, loaded, pause, starts, on=on, at=at)
        raise Refusal("before_pause", "It cannot go on before it was paused.", "when")
    if pause.mode == PauseMode.EXTEND and day_of(moment, loaded.subscription.zone) > on:
        pause.ends_at = stored(moment)
        pause.version += 1
        update_rows([pause], ["ends_at", "version"])
        _raise_version(loaded.subscription)
        return Written()
    return _go_on(actor, loaded, pause, moment, on=on, at=at)


@command("subscriptions.end_pauses", needs="subscriptions.run")
def end_pauses(*, actor: Actor, at: datetime, chunk: int = CHUNK) -> int:
    """Let go on what was to rest until a day that has come; answers how many. What cannot go on is parked."""
    done = 0
    for pause in _planned(at, chunk):
        loaded = _locked(pause.subscription_id, None)
        subscription = loaded.subscription
        on = day_of(moment_of(at, subscription.basis, subscription.zone), subscription.zone)
        assert pause.ends_at is not None
        try:
            with part_of_a_wish():
                _go_on(actor, loaded, pause, loaded.moment(pause.ends_at), on=on, at=at)
        except (Refusal, ValueError, ArithmeticError) as error:
            park([(_locked(pause.subscription_id, None).subscription, f"It could not go on: {error}")], on, at)
            continue
        done += 1
    return done


def _planned(at: datetime, chunk: int) -> list[Pause]:
    """Lock the pauses whose planned end has come, each by the day of its subscription."""
    found = Pause.objects.select_for_update(of=("self",), skip_locked=True).select_related("subscription")
    return list(_due(found, at))[:chunk]


def _due(found: QuerySet[Pause], at: datetime) -> Iterator[Pause]:
    waiting = found.filter(is_over=False, subscription__parked_at=None, ends_at__lte=at + timedelta(days=1))
    for pause in waiting.order_by("ends_at", "id"):
        one = pause.subscription
        assert pause.ends_at is not None
        if restored(pause.ends_at, one.basis) <= moment_of(at, one.basis, one.zone):
            yield pause


def _go_on(actor: Actor, loaded: Loaded, pause: Pause, moment: Moment, *, on: date, at: datetime) -> Written:
    """End the pause at the moment, and bill what is due from then on."""
    if pause.mode == PauseMode.EXTEND:
        _extend(loaded, loaded.moment(pause.starts_at), moment, at)
        (loaded,) = load([loaded.subscription], whole=True)
    pause.ends_at, pause.is_over = stored(moment), True
    pause.version += 1
    update_rows([pause], ["ends_at", "is_over", "version"])
    _raise_version(loaded.subscription)
    _tell(events.SubscriptionResumed, loaded, moment)
    return _bill(actor, loaded, moment, on=on, at=at)


def _raise_version(subscription: Subscription) -> None:
    """Write what a pause may have set on the subscription itself."""
    rows = Rows()
    rows.change(subscription)
    write_rows([rows])


# Extending ------------------------------------------------------------------------------------------------------------


def _extend(loaded: Loaded, start: Moment, moment: Moment, at: datetime) -> None:
    """Let each item go on as another whose first period is what is left of the interrupted one. The end and the
    committed term move by as much.
    """
    by = moment - start
    if not by:
        return
    subscription = loaded.subscription
    last = max((item.position for item in loaded.items.values()), default=0)
    ended = Rows()
    for place, one in enumerate(continued(loaded.agreement, start, by, loaded.billed), last + 1):
        ended.set_versions(loaded, one.old)
        row = _continued_row(loaded.items[one.old.id], one, place, at)
        insert_rows([row])
        insert_rows(
            ItemVersion(
                id=new_id(), created_at=at, item=row, starts_at=stored(each.start),
                ends_at=None if each.end is None else stored(each.end), quantity=each.quantity,
            )
            for each in one.versions
        )  # fmt: skip
        written: list[tuple[Difference, UUID]] = []
        for part in moved(loaded.agreement, loaded.billed, one, start, by):
            written += [(part.taken, one.old.id), (part.given, row.pk)]
        charged = Charged(loaded, [], Due(start))
        rows = [(billed_row(Line(charged, difference, new_id()), None, at), item_id) for difference, item_id in written]
        for each, item_id in rows:
            each.item_id = item_id
        insert_rows(each for each, _ in rows)
    write_rows([ended])
    if subscription.ends_at is not None:
        subscription.ends_at += by
    if subscription.committed_to is not None:
        subscription.committed_to += day_of(moment, subscription.zone) - day_of(start, subscription.zone)


def _continued_row(old: SubscriptionItem, one: Continued, position: int, at: datetime) -> SubscriptionItem:
    kept = {
        field.attname: getattr(old, field.attname)
        for field in SubscriptionItem._meta.concrete_fields
        if field.name not in ("id", "version", "created_at", "position", "billed_to", "cut_at")
    }
    grid = one.grid
    kept.update(
        grid_from=stored(grid.base),
        grid_day=grid.anchor_day,
        grid_lead=None if grid.lead is None else stored(grid.lead),
        grid_ordinal=grid.ordinal,
    )
    return SubscriptionItem(id=new_id(), created_at=at, position=position, **kept)


# Refusing -------------------------------------------------------------------------------------------------------------


def _refuse_overlap(loaded: Loaded, start: Moment, end: Moment | None) -> None:
    """A subscription rests once at a time."""
    if any(
        (pause.ends_at is None or pause.ends_at > max(stored(start), pause.starts_at))
        and (end is None or pause.starts_at < stored(end))
        for pause in loaded.pauses
    ):
        raise Conflict("paused", "This subscription is paused already.")


def _refuse_extension(loaded: Loaded, start: Moment, on: date) -> None:
    """Time that has been billed, or changed, since then cannot stand still any more."""
    agreement = loaded.agreement
    if start < agreement.start:
        day = day_of(agreement.start, loaded.subscription.zone)
        raise Refusal(
            "in_trial", f"It is free until {day:%Y-%m-%d}. A pause that extends begins then or later.", "when"
        )
    billed = last_billed_start(agreement, loaded.billed)
    if billed is not None and billed > start:
        day = day_of(billed, loaded.subscription.zone)
        text = f"The period from {day:%Y-%m-%d} is billed. A pause that extends begins then or later."
        raise Refusal("billed_since", text, "when")
    for item in agreement.items:
        for version in item.versions:
            day = day_of(version.start, loaded.subscription.zone)
            if not item.is_metered and version.start > start and day <= on:
                raise Refusal("changed_since", f"It changed on {day:%Y-%m-%d}. Pause it from then on.", "when")
