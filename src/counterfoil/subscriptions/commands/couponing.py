"""Coupons: a discount for a code. Its limit holds however many redeem it at once. A discount can be taken off again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.functions import Upper

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import load
from counterfoil.subscriptions.models import (
    BilledPeriod,
    Coupon,
    CouponRedemption,
    DiscountStop,
    Subscription,
    SubscriptionDiscount,
    SubscriptionItem,
)
from counterfoil.subscriptions.rules.billing import gives_from
from counterfoil.subscriptions.rules.grid import SECONDS, Moment, day_of, moment_of, restored, stored

COUPON = "subscriptions.coupon"
_FIXED = ("code", "percent", "amount", "currency")


@command("subscriptions.add_coupon", needs="catalog.change", takes={"values": Takes(COUPON)})
def add_coupon(*, actor: Actor, values: Mapping[str, Any], at: datetime) -> UUID:
    """Add a coupon. Its code is written in capitals, and one code is one coupon."""
    coupon = Coupon(id=new_id(), created_at=at, **_columns(values))
    _save(coupon, is_new=True)
    return coupon.pk


@command("subscriptions.change_coupon", needs="catalog.change", takes={"values": Takes(COUPON, partial=True)})
def change_coupon(*, actor: Actor, coupon_id: UUID, values: Mapping[str, Any], version: int | None = None) -> None:
    """Change a coupon for those who redeem it from now on. Who has its discount keeps that. What it gives is fixed once
    somebody redeemed it.
    """
    coupon = Coupon.objects.select_for_update().filter(pk=coupon_id).first()
    if coupon is None:
        raise NotFound()
    if version is not None and coupon.version != version:
        raise Stale()
    for name, value in _columns(values).items():
        if coupon.redeemed and name in _FIXED and getattr(coupon, name) != value:
            raise Refusal("fixed", "It was redeemed. Make another coupon instead.", name)
        setattr(coupon, name, value)
    coupon.version += 1
    _save(coupon, is_new=False)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = dict(values)
    if "code" in columns:
        columns["code"] = "".join((columns["code"] or "").split()).upper()
    if "products" in columns:
        columns["products"] = [str(row["product"]) for row in columns["products"] or ()]
    if "currency" in columns:
        columns["currency"] = columns["currency"] or ""
    if columns.get("is_active", True) is None:
        del columns["is_active"]
    return columns


def _save(coupon: Coupon, *, is_new: bool) -> None:
    problems: list[Problem] = []
    if not coupon.code:
        problems.append(Problem("code", "missing", "A coupon has a code."))
    if (coupon.percent is None) == (coupon.amount is None):
        problems.append(Problem("percent", "one_of_both", "Give a percentage or an amount."))
    if coupon.amount is not None and not coupon.currency:
        problems.append(Problem("currency", "missing", "Say in which currency the amount is."))
    elif coupon.amount is not None:
        try:
            Money.exact(coupon.amount, coupon.currency)
        except ValueError:
            problems.append(Problem("amount", "too_many_decimals", f"This is no amount in {coupon.currency}."))
    if coupon.periods is not None and coupon.until is not None:
        problems.append(Problem("until", "one_of_both", "It lasts for so many periods, or until a day."))
    if coupon.valid_from is not None and coupon.valid_to is not None and coupon.valid_to < coupon.valid_from:
        problems.append(Problem("valid_to", "before_start", "The last day lies before the first."))
    if coupon.most is not None and coupon.most < coupon.redeemed:
        problems.append(Problem("most", "too_few", f"It was redeemed {coupon.redeemed} times already."))
    if problems:
        raise Refusal.of(problems)
    try:
        with transaction.atomic():
            coupon.save(force_insert=is_new)
    except IntegrityError as error:
        if "subscriptions_coupon_code" not in str(error):
            raise
        raise Conflict("taken", "Another coupon has this code.", "code") from None


@command("subscriptions.redeem_coupon", needs="subscriptions.change")
def redeem_coupon(
    *, actor: Actor, subscription_id: UUID, code: str, on: date, at: datetime, version: int | None = None
) -> None:
    """Give a running subscription the discount of a coupon, from the first period on that begins on that day or later
    and is not billed yet.

    What was taken off goes on as the same redemption: its periods are counted from its first one.
    """
    subscription = _locked(subscription_id, version)
    redeem(subscription, code, _open_from(subscription, on), on=on, at=at)
    subscription.version += 1
    subscription.save()


@command("subscriptions.take_off_discount", needs="subscriptions.change")
def take_off_discount(
    *, actor: Actor, subscription_id: UUID, discount: int, on: date, at: datetime, version: int | None = None
) -> None:
    """End a discount, named by its position, with the first period that begins on that day or later and is not billed
    yet. What was billed stays, and what is given back of it is what was paid.
    """
    subscription = _locked(subscription_id, version)
    row = SubscriptionDiscount.objects.filter(subscription=subscription, position=discount).first()
    if row is None:
        raise Refusal("not_found", "This subscription has no such discount.", "discount")
    if DiscountStop.objects.filter(discount=row, ends_at=None).exists():
        raise Conflict("off_already", "This discount is taken off already.", "discount")
    moment = _open_from(subscription, on)
    if not _gives_from(subscription, row, moment):
        raise Conflict("over", "This discount is for no period that is still to be billed.", "discount")
    DiscountStop(id=new_id(), created_at=at, discount=row, starts_at=stored(moment)).save(force_insert=True)
    subscription.version += 1
    subscription.save()
    _tell(events.DiscountTakenOff, subscription, moment, row.coupon_code)


def _locked(subscription_id: UUID, version: int | None) -> Subscription:
    subscription = Subscription.objects.select_for_update().filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound("This subscription does not exist.", "subscription")
    if version is not None and version != subscription.version:
        raise Stale()
    return subscription


def _open_from(subscription: Subscription, on: date) -> Moment:
    """The moment from which on no period that begins then is billed yet."""
    day = moment_of(on, subscription.basis, subscription.zone)
    if subscription.ends_at is not None and subscription.ends_at <= stored(day):
        raise Conflict("ended", "This subscription has ended by then.")
    since = max(day, restored(subscription.starts_at, subscription.basis))
    kept = BilledPeriod.objects.filter(subscription=subscription).aggregate(last=Max("cell_starts_at"))["last"]
    if kept is None or (last := restored(kept, subscription.basis)) < since:
        return since
    return last + (timedelta(seconds=1) if subscription.basis == SECONDS else timedelta(days=1))


def _gives_from(subscription: Subscription, row: SubscriptionDiscount, moment: Moment) -> bool:
    positions = SubscriptionDiscount.objects.filter(subscription=subscription).order_by("position")
    agreement = load([subscription])[0].agreement
    discount = agreement.discounts[list(positions.values_list("id", flat=True)).index(row.pk)]
    return gives_from(agreement, discount, moment)


def redeem(subscription: Subscription, code: str, since: Moment | None, *, on: date, at: datetime) -> None:
    """Note a redemption and write its discount; ``since`` is none when it holds from the start. Bills nothing."""
    wanted = "".join(code.split()).upper()
    coupon = Coupon.objects.annotate(upper=Upper("code")).select_for_update().filter(upper=wanted).first()
    if coupon is None or not coupon.is_active:
        raise Refusal("not_found", "There is no such coupon.", "coupon")
    _refuse_unfit(coupon, subscription, on)
    earlier = (
        CouponRedemption.objects.select_related("discount").filter(coupon=coupon, subscription=subscription).first()
    )
    begins = since if since is not None else restored(subscription.starts_at, subscription.basis)
    if earlier is not None:
        _give_again(subscription, earlier.discount, begins)
        _tell(events.CouponRedeemed, subscription, begins, coupon.code)
        return
    if coupon.most is not None and coupon.redeemed >= coupon.most:
        raise Refusal("used_up", f"This coupon was redeemed {coupon.most} times, and no more.", "coupon")
    position = SubscriptionDiscount.objects.filter(subscription=subscription).aggregate(last=Max("position"))["last"]
    until = None if coupon.until is None else stored(moment_of(coupon.until, subscription.basis, subscription.zone))
    discount = SubscriptionDiscount(
        id=new_id(), created_at=at, subscription=subscription, position=(position or 0) + 1, percent=coupon.percent,
        amount=coupon.amount, periods=coupon.periods, since_at=None if since is None else stored(since),
        until_at=until, products=coupon.products, coupon_code=coupon.code,
    )  # fmt: skip
    discount.save(force_insert=True)
    coupon.redeemed += 1
    coupon.save(update_fields=["redeemed"])
    CouponRedemption(
        id=new_id(), coupon=coupon, subscription=subscription, discount=discount, number=coupon.redeemed,
        redeemed_at=at,
    ).save(force_insert=True)  # fmt: skip
    _tell(events.CouponRedeemed, subscription, begins, coupon.code)


def _give_again(subscription: Subscription, discount: SubscriptionDiscount, moment: Moment) -> None:
    """Let a discount that was taken off go on; when no period was billed without it, as if it had never been off."""
    stop = DiscountStop.objects.filter(discount=discount, ends_at=None).first()
    if stop is None:
        raise Conflict("redeemed_already", "This subscription has the discount of this coupon.", "coupon")
    if stored(moment) <= stop.starts_at:
        stop.delete()
    else:
        stop.ends_at = stored(moment)
        stop.version += 1
        stop.save()
    if not _gives_from(subscription, discount, moment):
        raise Conflict("over", "The periods of this coupon are over for this subscription.", "coupon")


def _tell(
    kind: type[events.CouponRedeemed | events.DiscountTakenOff], subscription: Subscription, moment: Moment, code: str
) -> None:
    emit(
        kind(
            subscription_id=subscription.pk,
            account_id=subscription.account_id,
            title=subscription.title,
            from_on=day_of(moment, subscription.zone),
            code=code,
        )
    )


def _refuse_unfit(coupon: Coupon, subscription: Subscription, on: date) -> None:
    if coupon.valid_from is not None and on < coupon.valid_from:
        raise Refusal("not_yet", f"This coupon is valid from {coupon.valid_from}.", "coupon")
    if coupon.valid_to is not None and on > coupon.valid_to:
        raise Refusal("expired", f"This coupon was valid until {coupon.valid_to}.", "coupon")
    if coupon.amount is not None and coupon.currency != subscription.currency:
        raise Refusal("other_currency", f"This coupon is for {coupon.currency}.", "coupon")
    sold = SubscriptionItem.objects.filter(subscription=subscription).values_list("product_id", flat=True)
    if coupon.products and not {str(product) for product in sold} & set(coupon.products):
        raise Refusal("not_for_these", "This coupon is for other products.", "coupon")
