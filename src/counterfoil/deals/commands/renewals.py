"""Renewals: before the committed term of a subscription ends, a deal is opened about what follows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.ids import new_id
from counterfoil.deals.commands.deals import add_deal
from counterfoil.deals.models import Deal, Renewal
from counterfoil.deals.queries import renewal_is_due
from counterfoil.deals.rules.recurring import as_long_again, offered, plain_number
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.commands import cancel_subscription
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.agreement import Item
from counterfoil.subscriptions.rules.grid import day_of, moment_of, restored, stored

NAME_LENGTH = 200


@command("deals.open_renewal", needs="deals.change")
def open_renewal(*, actor: Actor, subscription_id: UUID, on: date, at: datetime) -> UUID | None:
    """Open the deal about what follows the committed term of a subscription, with the lines that it has as of ``on``.

    At most one per term; answers none when it is not due, or was opened before. Its owner is the subscription's, and
    what it sells starts where the term ends. What its lines cannot say stands in its notes.
    """
    subscription = Subscription.objects.select_for_update().filter(pk=subscription_id).first()
    if subscription is None or not renewal_is_due(subscription, on):
        return None
    assert subscription.committed_to is not None
    lines, notes = _lines(load([subscription])[0], on)
    title = f"Renewal of {subscription.title}"[:NAME_LENGTH]
    deal_id = add_deal(
        actor=actor,
        values={
            "name": title,
            "account": subscription.account_id,
            "owner": subscription.owner_id,
            "entity": subscription.entity_id,
            "currency": subscription.currency,
            "po_number": subscription.po_number,
            "references": subscription.references,
            "expected_close_on": subscription.committed_to,
            "service_starts_on": subscription.committed_to,
            "lines": lines,
            "notes": "\n".join((f"Renews {subscription.number}, committed to {subscription.committed_to}.", *notes)),
        },
        on=on,
    )
    if subscription.reference_values:  # whole, since a retired reference goes on and is not given anew
        Deal.objects.filter(pk=deal_id).update(reference_values=subscription.reference_values)
    Renewal.objects.create(
        id=new_id(),
        subscription_id=subscription.pk,
        committed_to=subscription.committed_to,
        deal_id=deal_id,
        opened_at=at,
    )
    return deal_id


def _lines(loaded: Loaded, on: date) -> tuple[list[dict[str, Any]], list[str]]:
    """What runs as of a day as lines of a deal, and in words what no line can say."""
    subscription = loaded.subscription
    moment = moment_of(on, subscription.basis, subscription.zone)
    lines: list[dict[str, Any]] = []
    notes: list[str] = []
    for item in loaded.agreement.items:
        quantity = _quantity(item, max(moment, item.start))
        row = loaded.items[item.id]
        if not quantity and not item.is_metered:
            continue
        found = None
        if not item.is_metered:
            found = offered(item.pricing, quantity, item.interval, loaded.agreement.discounts)
        if found is None:
            notes.append(f"Not among the lines: {plain_number(quantity)} × {row.description}.")
            continue
        lines.append(
            {
                "product": row.product_id,
                "description": row.description,
                "unit": row.unit,
                "tax_class": row.tax_class,
                "quantity": found.quantity,
                "unit_price": found.unit_price,
                "discount_percent": found.discount_percent,
                "interval": found.interval,
            }
        )
    running = [one for one in loaded.agreement.discounts if not one.is_off]
    if any(one.amount is not None or not one.is_for_ever for one in running):
        notes.append("Discounts that end or are for some products, and amounts off, are not among the lines.")
    return lines, notes


def _quantity(item: Item, moment: date) -> Decimal:
    version = item.version_at(moment)
    return version.quantity if version is not None else Decimal(0)


@dataclass(frozen=True)
class Term:
    """For how long a renewal commits again, and how many days before its end notice is given."""

    committed_to: date
    notice_days: int


def end_predecessor(actor: Actor, deal: Deal, start: date, *, on: date, at: datetime) -> Term | None:
    """The subscription that a renewal follows ends where its successor starts; answers the successor's term.

    None for a deal that renews nothing.
    """
    renewal = Renewal.objects.filter(deal=deal).first()
    if renewal is None:
        return None
    before = Subscription.objects.select_for_update().get(pk=renewal.subscription_id)
    began = day_of(restored(before.starts_at, before.basis), before.zone)
    term = Term(as_long_again(began, renewal.committed_to, start), before.notice_days)
    ends = stored(moment_of(start, before.basis, before.zone))
    if ends >= before.starts_at and (before.ends_at is None or before.ends_at > ends):
        reason = f"Renewed by the deal {deal.name}"
        cancel_subscription(actor=actor, subscription_id=before.pk, when=start, on=on, at=at, reason=reason)
    return term
