"""What this room does about news from below."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.invoicing.events import DraftReturned
from counterfoil.invoicing.models import Invoice
from counterfoil.ledger.days import today_of
from counterfoil.plumbing import clock
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber
from counterfoil.subscriptions import commands


@subscriber("subscriptions.draft_returned", DraftReturned)
def draft_returned(happened: OutboxEvent) -> None:
    """The draft on which a subscription's first period stands went back to sales: the subscription is taken back."""
    draft = Invoice.objects.filter(pk=UUID(happened.payload["invoice_id"])).first()
    if draft is None or draft.deal_id is None or draft.quote_version is None:
        return
    commands.take_back(
        actor=Actor.system(),
        deal_id=draft.deal_id,
        quote_version=draft.quote_version,
        on=today_of(draft.entity_id),
        at=clock.now(),
        reason=f"Billing returned the draft: {draft.returned_reason}",
    )
