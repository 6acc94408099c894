"""What this room does about news from below."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.invoicing.events import DraftChanged, DraftDiscarded
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.outbox import subscriber
from counterfoil.retainers import commands


@subscriber("retainers.line_was_lost", DraftChanged, DraftDiscarded)
def line_was_lost(happened: OutboxEvent) -> None:
    """Time and expenses whose line is on no draft any more are unbilled again."""
    invoice_id = UUID(happened.payload["invoice_id"])
    commands.release_lost(actor=Actor.system(), invoice_ids=[invoice_id], at=happened.happened_at)
