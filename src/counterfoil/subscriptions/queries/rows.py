"""Projected rows of subscriptions with what a page shows besides their own fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Case, CharField, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Value, When

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.access.projection import Row, project
from counterfoil.accounts.models import PaymentTerms
from counterfoil.accounts.queries import account_titles
from counterfoil.ledger.models import LegalEntity
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.models import (
    DiscountStop,
    EndDay,
    Pause,
    PauseMode,
    Subscription,
    SubscriptionDiscount,
    SubscriptionItem,
)
from counterfoil.subscriptions.queries.upcoming import upcoming_of
from counterfoil.subscriptions.rules.grid import SECONDS, day_of, moment_of, stored

KEY = "subscriptions.subscription"
ITEMS_NAMED = 3


def with_state(found: QuerySet[Subscription], today: date) -> QuerySet[Subscription]:
    """With the ``state`` of each on the day: one definition for what is shown and what is filtered by.

    Where seconds are counted it is the state at the end of the day.
    """
    present = Case(
        When(basis=SECONDS, then=Value(_end_of(today))), default=Value(stored(today)), output_field=DateTimeField()
    )
    begun = Pause.objects.filter(subscription=OuterRef("pk"), starts_at__lte=OuterRef("present"))
    rests = begun.filter(Q(ends_at=None) | Q(ends_at__gt=OuterRef("present")))
    stands = begun.filter(mode=PauseMode.EXTEND, is_over=False)
    has_ended = Q(ends_at__lt=F("present")) | Q(ends_at=F("present"), end_day=EndDay.FREE)
    state = Case(
        When(parked_at__isnull=False, then=Value("parked")),
        When(Exists(stands), then=Value("paused")),
        When(has_ended, then=Value("ended")),
        When(starts_at__gt=F("present"), then=Value("planned")),
        When(Exists(rests), then=Value("paused")),
        When(trial_ends_at__gt=F("present"), then=Value("trial")),
        When(ends_at__isnull=False, then=Value("ending")),
        default=Value("active"),
        output_field=CharField(),
    )
    return found.annotate(present=present).annotate(state=state)  # type: ignore[no-redef]


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def rows_of(actor: Actor, found: Iterable[Subscription], today: date) -> list[Row]:
    """Rows with their items, titles and ``next`` bill, in a fixed number of statements, however many."""
    subscriptions = list(found)
    if not actor.may("subscriptions.see") or not subscriptions:
        return []
    loaded = load(subscriptions)
    _with_parts(loaded, today)
    rows = project(actor, KEY, subscriptions)
    accounts = account_titles({one.account_id for one in subscriptions})
    entities = dict(LegalEntity.objects.values_list("id", "name"))
    owners = _names(one.owner_id for one in subscriptions)
    terms = _terms(one.terms_id for one in subscriptions)
    for row, one in zip(rows, loaded, strict=True):
        subscription = one.subscription
        upcoming = upcoming_of(actor, one, today)
        row.plus(
            account_title=accounts.get(subscription.account_id, ""),
            entity_title=entities.get(subscription.entity_id, ""),
            owner_title=owners.get(subscription.owner_id, ""),
            terms_title=terms.get(subscription.terms_id, "") if "terms" in actor.reads else "",
            what=_in_short(one.subscription.shown_items),
            all_items=", ".join(_what(item) for item in subscription.shown_items),
            next=upcoming,
            next_net=upcoming.net if upcoming is not None else None,
        )
    return rows


def _with_parts(loaded: Sequence[Loaded], today: date) -> None:
    """Put on each subscription what its record type reads: items with their present quantities, discounts, pauses."""
    ids = [one.subscription.pk for one in loaded]
    discounts: dict[UUID, list[SubscriptionDiscount]] = {}
    for discount in SubscriptionDiscount.objects.filter(subscription__in=ids).order_by("subscription", "position"):
        discounts.setdefault(discount.subscription_id, []).append(discount)
    off = _off_from(each.pk for several in discounts.values() for each in several)
    pauses: dict[UUID, list[Pause]] = {}
    for pause in Pause.objects.filter(subscription__in=ids).order_by("subscription", "starts_at"):
        pauses.setdefault(pause.subscription_id, []).append(pause)
    for one in loaded:
        subscription = one.subscription
        for pause in pauses.get(subscription.pk, []):
            pause.subscription = subscription
        subscription.shown_items = _present_items(one, today)
        subscription.shown_discounts = discounts.get(subscription.pk, [])
        for discount in discounts.get(subscription.pk, []):
            moment = off.get(discount.pk)
            discount.off_from = None if moment is None else day_of(one.moment(moment), subscription.zone)
        subscription.shown_pauses = pauses.get(subscription.pk, [])


def _off_from(discount_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """From when on those discounts are taken off that are."""
    wanted = list(discount_ids)
    found = DiscountStop.objects.filter(discount__in=wanted, ends_at=None) if wanted else DiscountStop.objects.none()
    return dict(found.values_list("discount_id", "starts_at"))


def _present_items(one: Loaded, today: date) -> list[SubscriptionItem]:
    """What runs on the day; of a subscription that has not begun what it begins with, of one that ended its last."""
    subscription = one.subscription
    day: date = _end_of(today) if subscription.basis == SECONDS else today
    moment = moment_of(day, subscription.basis, subscription.zone)
    starts = [item.start for item in one.agreement.items]
    if starts and moment < min(starts):
        moment = min(starts)
    found = []
    for item in one.agreement.items:
        row = one.items[item.id]
        row.subscription = subscription
        version = item.version_at(moment)
        row.present_quantity = version.quantity if version is not None else Decimal(0)
        if version is not None and (version.quantity or item.is_metered):
            found.append(row)
    return found


def _in_short(items: Sequence[SubscriptionItem]) -> str:
    """The first few items, and how many there are besides."""
    rest = len(items) - ITEMS_NAMED
    shown = ", ".join(_what(item) for item in items[:ITEMS_NAMED])
    return f"{shown} and {rest} more" if rest > 0 else shown


def _what(item: SubscriptionItem) -> str:
    quantity = item.present_quantity
    return item.description if item.is_metered or quantity == 1 else f"{item.description} × {quantity.normalize():f}"


def _names(user_ids: Iterable[UUID | None]) -> dict[UUID | None, str]:
    wanted = {user_id for user_id in user_ids if user_id is not None}
    return dict(User.objects.filter(id__in=wanted).values_list("id", "name")) if wanted else {}


def _terms(terms_ids: Iterable[UUID | None]) -> dict[UUID | None, str]:
    wanted = {terms_id for terms_id in terms_ids if terms_id is not None}
    return dict(PaymentTerms.objects.filter(id__in=wanted).values_list("id", "name")) if wanted else {}
