"""What people and programs ask of subscriptions: values are cleaned here, prices looked up, and days kept in reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.queries import billing_facts
from counterfoil.core.errors import NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.core.references import reference_pairs
from counterfoil.invoicing.references import changed_values
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing import clock
from counterfoil.subscriptions.commands.billing import Written
from counterfoil.subscriptions.commands.changing import UsageOrder, change_subscription, record_usage
from counterfoil.subscriptions.commands.starting import start_subscriptions
from counterfoil.subscriptions.models import BillingPolicy, Subscription
from counterfoil.subscriptions.ordering import changed_orders, check_day, new_orders
from counterfoil.subscriptions.rules.agreement import Discount
from counterfoil.subscriptions.rules.grid import day_of, restored
from counterfoil.subscriptions.rules.orders import SubscriptionOrder

SUBSCRIPTION, POLICY = "subscriptions.subscription", "subscriptions.policy"
DETAILS = (
    "name", "owner", "terms", "po_number", "references", "reference_values",
    "committed_to", "is_renewed", "notice_days", "price_fixed_to",
)  # fmt: skip
_LINKS = ("owner", "terms")
EVENTS_MAX = 1_000


@command("subscriptions.start_subscription", needs="subscriptions.change", takes={"values": Takes(SUBSCRIPTION)})
def start_subscription(
    *, actor: Actor, values: Mapping[str, Any], on: date, at: datetime, is_billed: bool = True
) -> UUID:
    """Start a subscription of prices that the account can get. What is due by ``on`` is billed at once unless
    ``is_billed`` is false: then the next run does.
    """
    for name in ("start", "trial_end", "end", "anchor_on", "committed_to", "price_fixed_to"):
        check_day(values.get(name), name, on)
    _check_term(values.get("committed_to"), values["start"])
    facts = billing_facts([values["account"]], on).get(values["account"])
    if facts is None:
        raise NotFound("This account does not exist.", "account")
    currency = values.get("currency") or facts.currency.value
    order = SubscriptionOrder(
        account_id=values["account"],
        items=tuple(new_orders(values["account"], currency, values["items"], max(on, values["start"]))),
        start=values["start"],
        end=values.get("end"),
        trial_end=values.get("trial_end"),
        anchor_day=values.get("anchor_day"),
        anchor_on=values.get("anchor_on"),
        discounts=tuple(_discounts(values.get("discounts") or (), currency)),
        coupon=values.get("coupon") or "",
        entity_id=values.get("entity"),
        currency=currency,
        terms_id=values.get("terms"),
        po_number=values.get("po_number") or "",
        references=values.get("references") or "",
        reference_values=reference_pairs(changed_values({}, values.get("reference_values"))),
        title=values.get("name") or "",
        owner_id=values.get("owner"),
        committed_to=values.get("committed_to"),
        notice_days=values.get("notice_days") or 0,
        price_fixed_to=values.get("price_fixed_to"),
        is_renewed=values.get("is_renewed") is not False,
    )
    try:
        return start_subscriptions(actor=actor, orders=[order], on=on, at=at, is_billed=is_billed)[0]
    except Refusal as refusal:
        raise _of_one(refusal) from None


def _of_one(refusal: Refusal) -> Refusal:
    """The refusal of a set of one order, at the fields of that order."""
    if type(refusal) is not Refusal:
        return refusal
    return Refusal.of(Problem(one.field.removeprefix("0."), one.code, one.message) for one in refusal.problems)


def _discounts(rows: Sequence[Mapping[str, Any]], currency: str) -> list[Discount]:
    found: list[Discount] = []
    problems: list[Problem] = []
    for place, row in enumerate(rows):
        percent, amount = row.get("percent"), row.get("amount")
        if (percent is None) == (amount is None):
            problems.append(Problem(f"discounts.{place}.percent", "one_of_both", "Give a percentage or an amount."))
            continue
        try:
            Money.exact(amount or Decimal(0), currency)
        except ValueError:
            problems.append(
                Problem(f"discounts.{place}.amount", "too_many_decimals", f"This is no amount in {currency}.")
            )
            continue
        found.append(Discount(percent, amount, row.get("periods")))
    if problems:
        raise Refusal.of(problems)
    return found


@command(
    "subscriptions.change_items", needs="subscriptions.change", takes={"values": Takes(SUBSCRIPTION, partial=True)}
)
def change_items(
    *,
    actor: Actor,
    subscription_id: UUID,
    values: Mapping[str, Any],
    when: date,
    on: date,
    at: datetime,
    version: int | None = None,
) -> Written:
    """Make the subscription consist of the ``items`` of the values from a day on. A price that is there already stays
    as it was agreed; a new one comes from the catalog.
    """
    for name in values.keys() - {"items"}:
        raise Refusal("unknown_field", "Only items are changed from a day on.", name)
    if "items" not in values:
        raise Refusal("missing", "Say which items it shall have.", "items")
    check_day(when, "when", on)
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound("This subscription does not exist.", "subscription")
    return change_subscription(
        actor=actor,
        subscription_id=subscription_id,
        items=changed_orders(subscription, values["items"], when, max(on, when)),
        when=when,
        on=on,
        at=at,
        version=version,
    )


@command(
    "subscriptions.change_details", needs="subscriptions.change", takes={"values": Takes(SUBSCRIPTION, partial=True)}
)
def change_details(
    *, actor: Actor, subscription_id: UUID, values: Mapping[str, Any], version: int | None = None
) -> None:
    """Change what bills nothing by itself: name, owner, terms and PO number of the next documents, term and notice."""
    for name in values:
        if name not in DETAILS:
            raise Refusal("fixed", "This changes from a day on: change, pause or end the subscription.", name)
    subscription = Subscription.objects.select_for_update().filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound()
    if version is not None and subscription.version != version:
        raise Stale()
    starts = restored(subscription.starts_at, subscription.basis)
    _check_term(values.get("committed_to"), day_of(starts, subscription.zone))
    for name, value in values.items():
        if name == "name" and not value:
            raise Refusal("missing", "A subscription has a name.", "name")
        if name == "reference_values":
            value = changed_values(subscription.reference_values, value)
        attribute = f"{name}_id" if name in _LINKS else "title" if name == "name" else name
        setattr(subscription, attribute, (value or 0) if name == "notice_days" else value)
    subscription.version += 1
    subscription.save()


def _check_term(committed_to: date | None, start: date) -> None:
    if committed_to is not None and committed_to < start:
        raise Refusal("before_start", "The term ends before the subscription starts.", "committed_to")


@command("subscriptions.take_usage", needs="subscriptions.change")
def take_usage(*, actor: Actor, orders: Sequence[UsageOrder], on: date, at: datetime) -> int:
    """Take events of a meter, each once by its own id; answers how many were new."""
    if len(orders) > EVENTS_MAX:
        raise Refusal("too_many", f"At most {EVENTS_MAX} events at a time.", "events")
    for place, order in enumerate(orders):
        day = order.at.date() if isinstance(order.at, datetime) else order.at
        check_day(day, f"events.{place}.at", on)
        if day > on and (day - on).days > 1:
            raise Refusal("in_the_future", "This was not used yet.", f"events.{place}.at")
    try:
        return record_usage(actor=actor, orders=orders, at=at)
    except Refusal as refusal:
        if type(refusal) is not Refusal:
            raise
        raise Refusal.of(Problem(f"events.{one.field}", one.code, one.message) for one in refusal.problems) from None


@command("subscriptions.set_policy", needs="settings.change", takes={"values": Takes(POLICY, partial=True)})
def set_policy(*, actor: Actor, entity_id: UUID, values: Mapping[str, Any], version: int | None = None) -> None:
    """Say how a company's new subscriptions are billed. Those that run keep what they were agreed with; whether a run's
    documents are reviewed, and the bounds of a day, hold for all of them.
    """
    entity = LegalEntity.objects.select_for_update().filter(pk=entity_id).first()
    if entity is None:
        raise NotFound("This company does not exist.", "entity")
    policy = BillingPolicy.objects.filter(entity=entity).first()
    if version is not None and version != (policy.version if policy is not None else 0):
        raise Stale()
    is_new = policy is None
    policy = policy or BillingPolicy(id=new_id(), created_at=clock.now(), entity=entity)
    for name, value in values.items():
        if value in ("", None) and name != "most_amount_a_day":
            continue
        setattr(policy, name, value)
    if not is_new:
        policy.version += 1
    policy.save(force_insert=is_new)
