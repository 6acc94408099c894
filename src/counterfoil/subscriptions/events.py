"""What happens to subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


@dataclass(frozen=True, kw_only=True)
class _SubscriptionEvent(Event):
    see: ClassVar[str] = "subscriptions.see"
    topic: ClassVar[str] = "Subscriptions"
    icon: ClassVar[str] = "repeat"

    subscription_id: UUID
    account_id: UUID
    title: str
    from_on: date


@event("subscriptions.subscription_started")
class SubscriptionStarted(_SubscriptionEvent):
    words: ClassVar[str] = "{title} started, from {from_on}"


@event("subscriptions.subscription_changed")
class SubscriptionChanged(_SubscriptionEvent):
    words: ClassVar[str] = "{title} changed, from {from_on}"


@event("subscriptions.subscription_paused")
class SubscriptionPaused(_SubscriptionEvent):
    words: ClassVar[str] = "{title} paused, from {from_on}"
    icon: ClassVar[str] = "pause"


@event("subscriptions.subscription_resumed")
class SubscriptionResumed(_SubscriptionEvent):
    words: ClassVar[str] = "{title} resumed, from {from_on}"
    icon: ClassVar[str] = "play"


@event("subscriptions.subscription_cancelled")
class SubscriptionCancelled(_SubscriptionEvent):
    """``from_on`` is the day from which it is not billed any more."""

    words: ClassVar[str] = "{title} cancelled, from {from_on}"
    icon: ClassVar[str] = "circle-x"


@event("subscriptions.subscription_parked")
class SubscriptionParked(_SubscriptionEvent):
    words: ClassVar[str] = "{title} is not billed until somebody looks at it"
    detail: ClassVar[str] = "{reason}"
    icon: ClassVar[str] = "circle-alert"

    reason: str


@event("subscriptions.subscription_unparked")
class SubscriptionUnparked(_SubscriptionEvent):
    words: ClassVar[str] = "{title} is billed again"


@event("subscriptions.price_increase_planned")
class PriceIncreasePlanned(_SubscriptionEvent):
    words: ClassVar[str] = "{title}: a price rises from {from_on}"
    icon: ClassVar[str] = "trending-up"


@event("subscriptions.price_increase_undone")
class PriceIncreaseUndone(_SubscriptionEvent):
    words: ClassVar[str] = "{title}: the price does not rise on {from_on} after all"
    icon: ClassVar[str] = "undo-2"


@event("subscriptions.price_raised")
class PriceRaised(_SubscriptionEvent):
    words: ClassVar[str] = "{title}: a price has risen, from {from_on}"
    icon: ClassVar[str] = "trending-up"


@event("subscriptions.coupon_redeemed")
class CouponRedeemed(_SubscriptionEvent):
    words: ClassVar[str] = "{title} gets the discount of coupon {code}, from {from_on}"
    icon: ClassVar[str] = "ticket-percent"

    code: str


@event("subscriptions.discount_taken_off")
class DiscountTakenOff(_SubscriptionEvent):
    """``code`` is that of its coupon; empty for a discount without one."""

    words: ClassVar[str] = "{title}: a discount ends, from {from_on}"
    detail: ClassVar[str] = "{code}"
    icon: ClassVar[str] = "ticket-percent"

    code: str
