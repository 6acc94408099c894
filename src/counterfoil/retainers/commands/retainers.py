"""Agreeing retainers, changing and ending them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.queries import billing_facts
from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.ledger.queries import default_entity_id
from counterfoil.plumbing.outbox import emit
from counterfoil.retainers import events
from counterfoil.retainers.burndown import HOURS_DECIMALS
from counterfoil.retainers.models import Draw, EntryStatus, Expense, Retainer, RollOver, TimeEntry, Unit
from counterfoil.subscriptions.commands import cancel_subscription, start_subscriptions
from counterfoil.subscriptions.models import SubscriptionItem
from counterfoil.subscriptions.ordering import check_day
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

YEARS_BACK = 20
_FIXED = ("account", "entity", "currency", "unit", "price", "ends_on")
"""What a retainer keeps: another one is agreed instead, and it ends by being retired."""
_TERMS = ("amount", "interval", "count", "starts_on", "anchor_day", "roll_over", "most_rolled", "rolled_periods")


@command("retainers.add_retainer", needs="retainers.change", takes={"values": Takes("retainers.retainer")})
def add_retainer(*, actor: Actor, values: Mapping[str, Any], on: date, at: datetime) -> UUID:
    """Agree a retainer. With a price, a subscription of its own bills each period in advance, from the next run on."""
    facts = billing_facts([values["account"]], on).get(values["account"])
    if facts is None:
        raise NotFound("This account does not exist.", "account")
    retainer = Retainer(
        id=new_id(),
        created_at=at,
        account_id=values["account"],
        entity_id=values.get("entity") or default_entity_id(),
        currency=values.get("currency") or facts.currency.value,
        unit=values["unit"],
        price=values.get("price"),
        ends_on=values.get("ends_on"),
    )
    _apply(retainer, values)
    _refuse(_problems(retainer, on))
    if retainer.price:
        retainer.subscription_item = _started(actor, retainer, on, at)
    retainer.save(force_insert=True)
    emit(events.RetainerAdded(retainer_id=retainer.pk, account_id=retainer.account_id, title=retainer.title))
    return retainer.pk


def _apply(retainer: Retainer, values: Mapping[str, Any]) -> list[str]:
    """Put what may be set on the retainer; answers what that changed. A figure that its rule does not ask for goes."""
    wanted: dict[str, Any] = {name: values[name] for name in (*_TERMS, "title", "overage_rate") if name in values}
    if "count" in wanted:
        wanted["count"] = wanted["count"] or 1
    if "tax_class" in values:
        wanted["tax_class"] = values["tax_class"] or "standard"
    rule = wanted.get("roll_over", retainer.roll_over)
    if rule != RollOver.UP_TO:
        wanted["most_rolled"] = None
    if rule != RollOver.PERIODS:
        wanted["rolled_periods"] = None
    changed = [name for name, value in wanted.items() if getattr(retainer, name) != value]
    for name in changed:
        setattr(retainer, name, wanted[name])
    return changed


def _problems(retainer: Retainer, on: date) -> list[Problem]:
    found = []
    if retainer.roll_over == RollOver.UP_TO and retainer.most_rolled is None:
        found.append(Problem("most_rolled", "missing", "Say how much rolls over at most."))
    if retainer.roll_over == RollOver.PERIODS and retainer.rolled_periods is None:
        found.append(Problem("rolled_periods", "missing", "Say for how many further periods the rest lives."))
    if retainer.anchor_day is not None and retainer.interval == "week":
        found.append(Problem("anchor_day", "not_for_interval", "Only months and years begin on a day of the month."))
    if retainer.unit == Unit.MONEY and retainer.overage_rate is not None:
        text = "A retainer of money has no price of an hour; what is beyond costs what it costs."
        found.append(Problem("overage_rate", "not_for_money", text))
    if retainer.ends_on is not None and retainer.ends_on <= retainer.starts_on:
        found.append(Problem("ends_on", "runs_backward", "It ends before it starts."))
    if retainer.starts_on < on - timedelta(days=366 * YEARS_BACK):
        found.append(Problem("starts_on", "too_early", f"It starts more than {YEARS_BACK} years ago."))
    for name, kept in (("amount", retainer.unit == Unit.MONEY), ("price", True)):
        if kept and not _is_amount(getattr(retainer, name), retainer.currency):
            text = f"{retainer.currency} has fewer decimals than this amount."
            found.append(Problem(name, "too_many_decimals", text))
    if retainer.unit == Unit.HOURS and retainer.amount != round(retainer.amount, HOURS_DECIMALS):
        found.append(Problem("amount", "too_many_decimals", f"Hours have at most {HOURS_DECIMALS} decimals."))
    return found


def _is_amount(value: Decimal | None, currency: str) -> bool:
    try:
        Money.exact(value or Decimal(0), currency)
    except ValueError:
        return False
    return True


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Refusal.of(problems)


def _started(actor: Actor, retainer: Retainer, on: date, at: datetime) -> SubscriptionItem:
    """The subscription that bills the price of each period."""
    assert retainer.price is not None
    item = ItemOrder(
        price_key=f"retainer:{retainer.pk}",
        description=retainer.title,
        pricing=Pricing("flat", retainer.price),
        interval=Interval(retainer.interval, retainer.count),
        tax_class=retainer.tax_class,
    )
    order = SubscriptionOrder(
        account_id=retainer.account_id,
        items=(item,),
        start=retainer.starts_on,
        end=retainer.ends_on,
        anchor_day=retainer.anchor_day,
        entity_id=retainer.entity_id,
        currency=retainer.currency,
        title=retainer.title,
    )
    subscription = start_subscriptions(actor=actor, orders=[order], on=on, at=at, is_billed=False)[0]
    return SubscriptionItem.objects.get(subscription=subscription)


@command(
    "retainers.change_retainer",
    needs="retainers.change",
    takes={"values": Takes("retainers.retainer", partial=True)},
)
def change_retainer(
    *, actor: Actor, retainer_id: UUID, values: Mapping[str, Any], version: int | None, on: date
) -> None:
    """Change what ``values`` names. What was agreed stands once time was taken from it, or a subscription bills it."""
    retainer = _locked(retainer_id, version)
    current = {name: getattr(retainer, f"{name}_id" if name in ("account", "entity") else name) for name in _FIXED}
    _refuse(
        [
            Problem(name, "fixed", "This stays. Retire the retainer and agree another one.")
            for name in _FIXED
            if name in values and values[name] not in (None, "", current[name])
        ]
    )
    changed = _apply(retainer, values)
    if not changed:
        return
    _refuse(_problems(retainer, on))
    agreed = [name for name in changed if name in _TERMS]
    if agreed and Draw.objects.filter(retainer=retainer).exists():
        text = "Time was taken from it already. Retire the retainer and agree another one."
        raise Conflict("drawn_on", text, agreed[0])
    if retainer.subscription_item_id and {"interval", "count", "starts_on", "anchor_day"} & set(agreed):
        text = "A subscription bills its periods. Retire the retainer and agree another one."
        raise Conflict("billed_by_subscription", text, agreed[0])
    if "overage_rate" in changed and retainer.overage_rate is None and _needs_the_rate(retainer):
        text = "Time without a price of its own waits to be billed at this price."
        raise Conflict("needed", text, "overage_rate")
    retainer.version += 1
    retainer.save()
    emit(
        events.RetainerChanged(
            retainer_id=retainer.pk, account_id=retainer.account_id, title=retainer.title, fields=tuple(sorted(changed))
        )
    )


def _needs_the_rate(retainer: Retainer) -> bool:
    waiting = TimeEntry.objects.filter(retainer=retainer, rate=None).exclude(status=EntryStatus.SETTLED)
    return waiting.exists()


@command("retainers.retire_retainer", needs="retainers.change")
def retire_retainer(
    *, actor: Actor, retainer_id: UUID, ends_on: date, version: int | None, on: date, at: datetime
) -> None:
    """Let the retainer end: from that day on nothing of it is left. Its own subscription ends with it.

    What was settled stays, so it cannot end before.
    """
    retainer = _locked(retainer_id, version)
    if ends_on < retainer.starts_on:
        raise Refusal("before_start", "It cannot end before it starts.", "ends_on")
    check_day(ends_on, "ends_on", ends_on)
    if retainer.ends_on is not None and retainer.ends_on <= on:
        raise Conflict("ended", "This retainer has ended already.")
    last = _last_settled(retainer)
    if last is not None and ends_on <= last:
        raise Refusal("was_used", f"Time of {last.isoformat()} was settled with it. End it after that day.", "ends_on")
    if ends_on == retainer.ends_on:
        return
    retainer.ends_on = ends_on
    retainer.version += 1
    retainer.save()
    emit(
        events.RetainerRetired(
            retainer_id=retainer.pk, account_id=retainer.account_id, title=retainer.title, ends_on=ends_on
        )
    )
    if retainer.subscription_item is not None:
        subscription = retainer.subscription_item.subscription_id
        # The period that runs was granted whole, so its price is not given back.
        cancel_subscription(
            actor=actor, subscription_id=subscription, when=ends_on, on=on, at=at, is_credited=False,
            reason=f"The retainer {retainer.title} ended.",
        )  # fmt: skip


def _last_settled(retainer: Retainer) -> date | None:
    days = [
        kind.objects.filter(retainer=retainer, status=EntryStatus.SETTLED)
        .order_by("-day").values_list("day", flat=True).first()
        for kind in (TimeEntry, Expense)
    ]  # fmt: skip
    return max((day for day in days if day is not None), default=None)


def _locked(retainer_id: UUID, version: int | None) -> Retainer:
    retainer = Retainer.objects.select_for_update(of=("self",)).filter(id=retainer_id).first()
    if retainer is None:
        raise NotFound()
    if version is not None and retainer.version != version:
        raise Stale()
    return retainer
