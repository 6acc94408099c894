"""The one way to a deal that is going to change."""

from __future__ import annotations

from uuid import UUID

from counterfoil.core.errors import Conflict, NotFound, Stale
from counterfoil.deals.models import Deal, StageKind
from counterfoil.deals.queries import documents_of_deals, held_of, is_live
from counterfoil.plumbing.bulk import read_where


def locked_deal(deal_id: UUID, version: int | None = None) -> Deal:
    """The deal, held until the end of the transaction; raises ``Stale`` when it is not at that version any more."""
    # Without joins: after a wait PostgreSQL would drop a row whose stage has changed meanwhile, as if there were none.
    deal = next(iter(read_where(Deal, "id = %s", deal_id, lock=True)), None)
    if deal is None:
        raise NotFound()
    if version is not None and version != deal.version:
        raise Stale()
    return deal


def refuse_when_handed_over(deal: Deal, wish: str) -> None:
    """While billing holds a draft, an invoice or a subscription of the deal, what it was made from stays as it is."""
    if deal.status != StageKind.WON:
        return
    live = [document for document in documents_of_deals([deal.pk]) if is_live(document)]
    if live:
        raise Conflict(
            "handed_over",
            f"Billing holds this deal’s {live[0].words}, so {wish}. Ask billing to return it to sales first.",
        )
    last = deal.handoffs.order_by("-quote_version").first()
    held = held_of(last) if last is not None and last.invoice_id is None else ""
    if held:
        raise Conflict(
            "handed_over",
            f"Billing holds this deal’s {held}, so {wish}. Ask billing to end it from its first day.",
        )
    if deal.is_imported and last is None:
        raise Conflict(
            "won_elsewhere",
            f"This deal was won before it was imported, so {wish}. Open it again first.",
        )
