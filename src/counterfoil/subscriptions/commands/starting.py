"""Starting subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.catalog.rules.pricing import tiers_as_rows
from counterfoil.core.errors import NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import is_currency
from counterfoil.ledger.models import LegalEntity
from counterfoil.ledger.queries import default_of, entities
from counterfoil.plumbing.bulk import insert_rows, one_trip, read_where
from counterfoil.plumbing.outbox import emit
from counterfoil.plumbing.scratch import read_once
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.commands.billing import Written, write
from counterfoil.subscriptions.commands.couponing import redeem
from counterfoil.subscriptions.commands.lines import Charged
from counterfoil.subscriptions.models import (
    BillingPolicy,
    ItemVersion,
    Subscription,
    SubscriptionDiscount,
    SubscriptionItem,
)
from counterfoil.subscriptions.rules.agreement import Policy
from counterfoil.subscriptions.rules.billing import Due, differences
from counterfoil.subscriptions.rules.grid import Moment, day_of, grid_from, moment_of, next_day, stored
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder, item_problems

_NUMBERS = "SELECT nextval('subscriptions_number') FROM generate_series(1, %s)"


@command("subscriptions.start_subscriptions", needs="subscriptions.change")
def start_subscriptions(
    *,
    actor: Actor,
    orders: Sequence[SubscriptionOrder],
    on: date,
    at: datetime,
    is_billed: bool = True,
) -> list[UUID]:
    """Start subscriptions, each with its items, and bill at once what is due as of ``on``.

    With ``is_billed`` false the first document is left to the next run. A fixed number of statements, however many.
    """
    subscriptions = insert_subscriptions(orders, on, at)
    first_documents(actor, subscriptions, on=on, at=at, is_billed=is_billed)
    return [subscription.pk for subscription in subscriptions]


def insert_subscriptions(orders: Sequence[SubscriptionOrder], on: date, at: datetime) -> list[Subscription]:
    """Write new subscriptions with their items and discounts, and tell of them. Bills nothing."""
    made = _Making(orders, on)
    subscriptions = [made.subscription(order, at) for order in orders]
    items = [made.items(subscription, order, at) for subscription, order in zip(subscriptions, orders, strict=True)]
    with one_trip():
        insert_rows(subscriptions)
        insert_rows(item for rows in items for item in rows)
        insert_rows(
            ItemVersion(
                id=new_id(),
                created_at=at,
                item=item,
                starts_at=subscription.trial_ends_at or subscription.starts_at,
                ends_at=None,
                quantity=part.quantity,
            )
            for subscription, rows, order in zip(subscriptions, items, orders, strict=True)
            for item, part in zip(rows, order.items, strict=True)
        )
        insert_rows(
            SubscriptionDiscount(
                id=new_id(),
                created_at=at,
                subscription=subscription,
                position=place,
                percent=discount.percent,
                amount=discount.amount,
                periods=discount.periods,
            )
            for subscription, order in zip(subscriptions, orders, strict=True)
            for place, discount in enumerate(order.discounts, 1)
        )
    for subscription, order in zip(subscriptions, orders, strict=True):
        if order.coupon:
            redeem(subscription, order.coupon, None, on=on, at=at)
        emit(
            events.SubscriptionStarted(
                subscription_id=subscription.pk,
                account_id=subscription.account_id,
                title=subscription.title,
                from_on=day_of(order.start, subscription.zone),
            )
        )
    return subscriptions


def first_documents(
    actor: Actor, subscriptions: Sequence[Subscription], *, on: date, at: datetime, is_billed: bool
) -> Written:
    """Bill what is due of new subscriptions, or note when it is due."""
    charges = []
    for loaded in load(subscriptions):
        subscription = loaded.subscription
        if is_billed:
            charges.append(first_charge(loaded, on))
            continue
        day = moment_of(on, subscription.basis, subscription.zone)
        due = Due(min(day, loaded.agreement.start))
        charges.append(Charged(loaded, [], due))
    return write(actor, charges, on=on, at=at)


def first_charge(loaded: Loaded, on: date) -> Charged:
    """What is due of a new subscription as of ``on``."""
    subscription = loaded.subscription
    day = moment_of(on, subscription.basis, subscription.zone)
    fresh = tuple(item.id for item in loaded.agreement.items)
    due = Due(day, is_entry=True, fresh=fresh, fresh_before=next_day(day, subscription.zone))
    return Charged(loaded, differences(loaded.agreement, (), due), due)


class _Making:
    """What new subscriptions take from their accounts and companies, read once for all of them."""

    def __init__(self, orders: Sequence[SubscriptionOrder], on: date) -> None:
        self.facts = billing_facts(sorted({order.account_id for order in orders}), on)
        self.entities: Mapping[UUID, LegalEntity] = entities()
        self.policies = billing_policies()
        with connection.cursor() as cursor:
            cursor.execute(_NUMBERS, [len(orders)])
            self.numbers = iter([number for (number,) in cursor.fetchall()])
        problems = [
            Problem(f"{place}.{problem.field}", problem.code, problem.message)
            for place, order in enumerate(orders)
            for problem in self._problems(order)
        ]
        if problems:
            raise Refusal.of(problems)

    def _problems(self, order: SubscriptionOrder) -> list[Problem]:
        found: list[Problem] = []
        if order.account_id not in self.facts:
            raise NotFound("This account does not exist.", "account")
        found += item_problems(order.items)
        if order.currency is not None and not is_currency(order.currency):
            found.append(Problem("currency", "unknown_currency", f"“{order.currency[:20]}” is not a currency."))
        if order.anchor_day is not None and not all(item.interval.months for item in order.items):
            text = "Only months and years are anchored to a day of the month."
            found.append(Problem("anchor_day", "not_for_interval", text))
        if order.anchor_day is not None and not 1 <= order.anchor_day <= 31:
            found.append(Problem("anchor_day", "no_such_day", "An anchor is a day from 1 to 31."))
        if order.anchor_day is not None and order.anchor_on is not None:
            found.append(Problem("anchor_on", "two_anchors", "Give a day of the month or a date, not both."))
        if order.end is not None and order.end < order.start:
            found.append(Problem("end", "before_start", "The end lies before the start."))
        if order.trial_end is not None and order.trial_end < order.start:
            found.append(Problem("trial_end", "before_start", "The trial ends before the start."))
        if order.trial_end is not None and order.end is not None and order.trial_end > order.end:
            found.append(Problem("trial_end", "after_end", "The trial lasts longer than the subscription."))
        if order.trial_end is not None and order.committed_to is not None and order.trial_end > order.committed_to:
            found.append(Problem("trial_end", "after_term", "The trial takes up the whole committed term."))
        return found

    def subscription(self, order: SubscriptionOrder, at: datetime) -> Subscription:
        facts = self.facts[order.account_id]
        entity_id = order.entity_id or default_of(list(self.entities.values()))
        if entity_id not in self.entities:
            raise NotFound("This company does not exist.", "entity")
        entity = self.entities[entity_id]
        policy = order.policy or self._policy(entity_id)
        zone = entity.timezone
        number = f"SUB-{next(self.numbers):05d}"
        return Subscription(
            id=new_id(),
            created_at=at,
            number=number,
            account_id=order.account_id,
            entity=entity,
            owner_id=order.owner_id,
            deal_id=order.deal_id,
            quote_version=order.quote_version,
            title=(order.title or order.items[0].description or number)[:200],
            currency=order.currency or facts.currency.value,
            zone=zone,
            terms_id=order.terms_id,
            po_number=order.po_number,
            references=order.references,
            reference_values=dict(order.reference_values),
            starts_at=stored(moment_of(order.start, policy.basis, zone)),
            trial_ends_at=_kept(order.trial_end, policy.basis, zone),
            ends_at=_kept(order.end, policy.basis, zone),
            anchor_day=order.anchor_day,
            anchor_on=order.anchor_on,
            committed_to=order.committed_to,
            notice_days=order.notice_days,
            price_fixed_to=order.price_fixed_to,
            is_renewed=order.is_renewed,
            **policy_columns(policy),
        )

    def _policy(self, entity_id: UUID) -> Policy:
        row = self.policies.get(entity_id)
        if row is None:
            return Policy()
        from counterfoil.subscriptions.agreements import policy_of

        return policy_of(row)

    def items(self, subscription: Subscription, order: SubscriptionOrder, at: datetime) -> list[SubscriptionItem]:
        start = order.trial_end or order.start
        first = moment_of(start, subscription.basis, subscription.zone)
        return [
            new_item(subscription, place, item, first, order.anchor_day, order.anchor_on, at)
            for place, item in enumerate(order.items, 1)
        ]


def new_item(
    subscription: Subscription,
    position: int,
    order: ItemOrder,
    start: Moment,
    anchor_day: int | None,
    anchor_on: date | None,
    at: datetime,
) -> SubscriptionItem:
    """The row of an item on the grid that its anchor gives."""
    grid = grid_from(order.interval, start, anchor_day, anchor_on, subscription.zone)
    return SubscriptionItem(
        id=new_id(),
        created_at=at,
        subscription=subscription,
        position=position,
        product_id=order.product_id,
        price_id=order.price_id,
        price_key=order.price_key,
        description=order.description[:300],
        unit=order.unit,
        tax_class=order.tax_class,
        model=order.pricing.model,
        amount=order.pricing.amount,
        per=order.pricing.per,
        tiers=tiers_as_rows(order.pricing.tiers),
        interval=order.interval.unit,
        count=order.interval.count,
        is_in_advance=order.is_in_advance,
        is_metered=order.is_metered,
        grid_from=stored(grid.base),
        grid_day=grid.anchor_day,
    )


@read_once(lambda: "billing policies")
def billing_policies() -> dict[UUID, BillingPolicy]:
    """How companies bill, by company; those that never said it have none."""
    return {policy.entity_id: policy for policy in read_where(BillingPolicy, "TRUE")}


def policy_columns(policy: Policy) -> dict[str, str]:
    return {
        "basis": policy.basis,
        "increase": policy.increase,
        "decrease": policy.decrease,
        "first_period": policy.first_period,
        "end_day": policy.end_day,
        "interval_change": policy.interval_change,
        "rounding": policy.rounding,
    }


def _kept(moment: Moment | None, basis: str, zone: str) -> datetime | None:
    return None if moment is None else stored(moment_of(moment, basis, zone))
