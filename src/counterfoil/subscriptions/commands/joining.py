"""Subscriptions that start with a won deal: their first period stands on the deal's own draft, and goes with it.

What a deal sells once and what it sells again and again is reviewed as one document. Until that document is issued
nothing more is billed; if it is returned to sales, the subscription is taken back as if it had never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.ids import new_id
from counterfoil.invoicing.commands import draft_invoices
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.invoicing.rules.orders import DraftOrder
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions import events
from counterfoil.subscriptions.agreements import load
from counterfoil.subscriptions.commands.billing import settle
from counterfoil.subscriptions.commands.changing import cancel_subscription
from counterfoil.subscriptions.commands.lines import Line, billed_row, order_lines
from counterfoil.subscriptions.commands.starting import first_charge, insert_subscriptions
from counterfoil.subscriptions.models import BilledPeriod, Subscription
from counterfoil.subscriptions.rules.agreement import PRORATION_CREDIT
from counterfoil.subscriptions.rules.grid import day_of, moment_of, restored, stored
from counterfoil.subscriptions.rules.orders import REASON_MAX, SubscriptionOrder


@dataclass(frozen=True)
class Joined:
    """A subscription and the draft that its first period joined; none when nothing at all stands on it yet."""

    subscription_id: UUID
    invoice_id: UUID | None


@command("subscriptions.start_with_draft", needs="subscriptions.change")
def start_with_draft(*, actor: Actor, order: SubscriptionOrder, draft: DraftOrder, on: date, at: datetime) -> Joined:
    """Start a subscription, and make the draft with what is due of it as of ``on`` behind the draft's own lines.

    A draft without any line is not made. The ledger of billed periods names the draft.
    """
    (subscription,) = insert_subscriptions([order], on, at)
    (loaded,) = load([subscription])
    charge = first_charge(loaded, on)
    lines = [Line(charge, one, new_id()) for one in charge.differences]
    due = tuple(part for line in lines if line.net for part in order_lines(line))
    invoice_id: UUID | None = None
    if draft.lines or due:
        whole = draft._replace(lines=(*draft.lines, *due))
        (invoice_id,) = draft_invoices(actor=actor, orders=[whole], on=on, at=at)
    for line in lines:
        line.document_id = invoice_id if line.net else None
    insert_rows(billed_row(line, None, at) for line in lines)
    settle([charge])
    return Joined(subscription.pk, invoice_id)


@command("subscriptions.take_back", needs="subscriptions.change")
def take_back(*, actor: Actor, deal_id: UUID, quote_version: int, on: date, at: datetime, reason: str) -> bool:
    """End the subscription of a deal's quote version, whose draft was returned, as if it had never run.

    Every row of its ledger is taken back by its opposite, which stands on no document: the draft was never issued. A
    subscription of which something was issued is cancelled as of ``on`` instead. Answers whether it did anything:
    what is taken back stays so. A reason that is longer than an end can keep is cut.
    """
    reason = reason[:REASON_MAX]
    subscription = Subscription.objects.select_for_update().filter(deal_id=deal_id, quote_version=quote_version).first()
    if subscription is None or subscription.never_ran:
        return False
    rows = list(BilledPeriod.objects.filter(subscription=subscription).order_by("id"))
    documents = {row.invoice_id for row in rows if row.invoice_id is not None}
    if Invoice.objects.filter(pk__in=documents).exclude(status__in=UNISSUED).exists():
        day = stored(moment_of(on, subscription.basis, subscription.zone))
        if subscription.ends_at is not None and subscription.ends_at <= day:
            return False
        cancel_subscription(actor=actor, subscription_id=subscription.pk, when=on, on=on, at=at, reason=reason)
        return True
    insert_rows(_opposite(row, at) for row in rows)
    subscription.ends_at = subscription.starts_at
    subscription.is_credited_at_end = False
    subscription.end_reason = reason
    subscription.due_at = None
    subscription.version += 1
    subscription.save()
    emit(
        events.SubscriptionCancelled(
            subscription_id=subscription.pk,
            account_id=subscription.account_id,
            title=subscription.title,
            from_on=day_of(restored(subscription.starts_at, subscription.basis), subscription.zone),
        )
    )
    return True


UNISSUED = (InvoiceStatus.DRAFT, InvoiceStatus.RETURNED)


def _opposite(row: BilledPeriod, at: datetime) -> BilledPeriod:
    return BilledPeriod(
        id=new_id(),
        subscription_id=row.subscription_id,
        item_id=row.item_id,
        kind=PRORATION_CREDIT,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        cell_starts_at=row.cell_starts_at,
        cell_ends_at=row.cell_ends_at,
        quantity=-row.quantity,
        gross=-row.gross,
        net=-row.net,
        share_part=row.share_part,
        share_whole=row.share_whole,
        credits=[[str(row.line_id), str(row.net)]] if row.line_id is not None and row.net > 0 else [],
        created_at=at,
    )
