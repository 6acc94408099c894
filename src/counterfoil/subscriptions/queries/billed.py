"""What was billed of a subscription: the ledger of billed periods with the documents that bear them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.invoicing.models import Invoice, InvoiceLine, LineKind
from counterfoil.subscriptions.models import BilledPeriod, Subscription
from counterfoil.subscriptions.rules.agreement import MOVED
from counterfoil.subscriptions.rules.grid import day_of, restored


@dataclass(frozen=True)
class BilledRow:
    """A row of the ledger. ``net`` and ``why`` are closed for whom prices are. ``number`` is empty for a draft."""

    id: UUID
    item_id: UUID
    description: str
    kind: str
    kind_label: str
    start: date
    end: date
    quantity: Decimal
    share: str
    net: Any
    why: Any
    invoice_id: UUID | None
    number: str
    status: str
    document: str
    billed_at: datetime
    run_id: UUID | None


def billed_periods(actor: Actor, subscription_id: UUID, *, offset: int = 0, limit: int = 50) -> list[BilledRow]:
    """The rows, the newest first; raises ``NotFound``."""
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None or not actor.may("subscriptions.see"):
        raise NotFound()
    found = list(
        BilledPeriod.objects.filter(subscription=subscription)
        .select_related("item")
        .order_by("-id")[offset : offset + limit]
    )
    invoices = Invoice.objects.in_bulk({row.invoice_id for row in found if row.invoice_id})
    lines = InvoiceLine.objects.in_bulk({row.line_id for row in found if row.line_id})
    may_know = "pricing" in actor.reads
    may_open = actor.may("invoicing.see")
    return [
        _shown(row, subscription, invoices.get(row.invoice_id), lines.get(row.line_id), may_know, may_open)
        for row in found
    ]


def _words(row: BilledPeriod) -> str:
    if row.is_void:
        return "Rested, for nothing"
    if row.kind == MOVED:
        return "Goes on after the pause" if row.quantity > 0 else "Moved behind the pause"
    return str(LineKind(row.kind).label)


def _shown(
    row: BilledPeriod,
    subscription: Subscription,
    invoice: Invoice | None,
    line: InvoiceLine | None,
    may_know: bool,
    may_open: bool,
) -> BilledRow:
    return BilledRow(
        id=row.pk,
        item_id=row.item_id,
        description=row.item.description,
        kind=row.kind,
        kind_label=_words(row),
        start=day_of(restored(row.starts_at, subscription.basis), subscription.zone),
        end=day_of(restored(row.ends_at, subscription.basis), subscription.zone),
        quantity=row.quantity,
        share=f"{row.share_part}/{row.share_whole}",
        net=Money.exact(row.net, subscription.currency) if may_know else CLOSED,
        why=(line.why if line is not None else "") if may_know else CLOSED,
        invoice_id=row.invoice_id if may_open else None,
        number=invoice.number if invoice is not None and may_open else "",
        status=invoice.status if invoice is not None and may_open else "",
        document=invoice.kind if invoice is not None and may_open else "",
        billed_at=row.created_at,
        run_id=row.run_id,
    )
