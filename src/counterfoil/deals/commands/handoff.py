"""The handoff: a deal is won, and what billing needs is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.commands import become_customers
from counterfoil.accounts.models import AccountStatus
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.activities.commands import finish_tasks
from counterfoil.activities.models import Task, TaskKind
from counterfoil.catalog.models import Interval
from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.deals.commands.locking import locked_deal
from counterfoil.deals.events import DealHandedOver, DealWon
from counterfoil.deals.models import Deal, DealLine, Handoff, Stage, StageKind
from counterfoil.deals.queries import deal_facts, documents_of_deals, facts_of_account, is_live
from counterfoil.deals.rules.readiness import ASKED, Item, missing, readiness
from counterfoil.deals.rules.wording import recurring_notes
from counterfoil.invoicing.commands import draft_invoices
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.plumbing.outbox import emit


@dataclass(frozen=True)
class Handover:
    """The draft of a won deal. ``is_new`` is false when the deal had been handed over before."""

    deal_id: UUID
    invoice_id: UUID
    quote_version: int
    is_new: bool


@command("deals.win_deal", needs="deals.win")
def win_deal(*, actor: Actor, deal_id: UUID, on: date, at: datetime, version: int | None = None) -> Handover:
    """Mark the deal won and hand it over: one draft per deal and quote version, and the account becomes a customer.

    Winning again returns the same draft. If billing returned it, the deal is handed over as the next quote
    version. A deal that lacks something is refused with every missing item named, and nothing changes. Issues and sends
    nothing.
    """
    deal = locked_deal(deal_id)
    present = deal.handoffs.order_by("-quote_version").first()
    if present is not None:
        documents = {document.invoice_id: document for document in documents_of_deals([deal.pk])}
        document = documents.get(present.invoice_id)
        if document is not None and is_live(document):
            return Handover(deal.pk, present.invoice_id, present.quote_version, is_new=False)
    elif deal.status == StageKind.WON:
        raise Conflict(
            "won_elsewhere",
            "This deal was won before it was imported, and billed where it came from. If it was never billed, open it "
            "again and mark it won here.",
        )
    if version is not None and version != deal.version:
        raise Conflict("stale", "Somebody changed this deal since you opened it. Reload to see it.", "version")
    if deal.status == StageKind.LOST:
        raise Conflict("closed", "This deal is lost. Open it again first.")
    lines = list(deal.lines.select_related("product").order_by("position"))
    facts = facts_of_account(deal.account_id, on)
    _refuse_unready(readiness(deal_facts(deal, lines), facts))
    assert facts is not None
    was_won = deal.status == StageKind.WON
    _mark_won(deal, on, quote_version=present.quote_version + 1 if present else deal.quote_version)
    (invoice_id,) = draft_invoices(
        actor=actor, orders=[_order(deal, lines)], on=on, at=at, facts={facts.account_id: facts}
    )
    Handoff.objects.create(
        id=new_id(),
        deal=deal,
        quote_version=deal.quote_version,
        invoice_id=invoice_id,
        made_at=at,
        by_name=actor.name,
    )
    if facts.status != AccountStatus.CUSTOMER:
        become_customers(actor=actor, account_ids=[facts.account_id])
    _finish_tasks(actor, deal, at)
    _tell(deal, invoice_id, was_won=was_won)
    return Handover(deal.pk, invoice_id, deal.quote_version, is_new=True)


def _refuse_unready(items: Sequence[Item]) -> None:
    lacking = missing(tuple(items))
    if not lacking:
        return
    names = ", ".join(item.label.lower() if item.label != "PO number" else item.label for item in lacking)
    raise Refusal(
        "not_ready",
        f"Billing cannot make a draft of this deal yet. Missing: {names}.",
        problems=[Problem(item.code, "missing", item.missing) for item in lacking],
    )


def _mark_won(deal: Deal, on: date, quote_version: int) -> None:
    """The first win dates the deal; handing it over again leaves its day alone."""
    if deal.status != StageKind.WON:
        stage = Stage.objects.filter(pipeline_id=deal.pipeline_id, kind=StageKind.WON).first()
        deal.stage = stage or deal.stage
        deal.status = StageKind.WON
        deal.stage_since = deal.closed_on = on
    deal.quote_version = quote_version
    deal.version += 1
    deal.save()


def _order(deal: Deal, lines: Sequence[DealLine]) -> DraftOrder:
    """What billing is asked for. Recurring lines are not on the draft: its internal notes tell the reviewer."""
    assert deal.account_id is not None
    return DraftOrder(
        account_id=deal.account_id,
        lines=tuple(_order_line(deal, line) for line in lines if line.interval == Interval.ONE_OFF),
        entity_id=deal.entity_id,
        currency=deal.currency,
        origin="deal",
        deal_id=deal.pk,
        deal_title=deal.name,
        quote_version=deal.quote_version,
        sales_owner_id=deal.owner_id,
        po_number=deal.po_number,
        internal_notes=recurring_notes(lines, deal.currency),
    )


def _order_line(deal: Deal, line: DealLine) -> OrderLine:
    product = line.product
    list_price = product.unit_price if product is not None and product.currency == deal.currency else None
    return OrderLine(
        product_id=line.product_id,
        description=line.description,
        detail=product.description if product is not None else "",
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        tax_class=line.tax_class,
        deal_line_id=line.pk,
        source=_line_source(deal, line, list_price),
        list_price=list_price,
    )


def _line_source(deal: Deal, line: DealLine, list_price: Decimal | None) -> Sourced[str]:
    """The catalog for a line at its list price, else the deal's line, where somebody entered another one."""
    if line.product is not None and line.unit_price == list_price and not line.discount_percent:
        return Sourced("", "catalog", f"Catalog · {line.product.name}", line.product_id)
    return Sourced("", "deal", f"Deal {deal.name} · line {line.position}", deal.pk)


def _finish_tasks(actor: Actor, deal: Deal, at: datetime) -> None:
    """Handing over does what these asked for: to enter what was missing, to correct what billing returned."""
    asked = Q(cause__startswith=f"{ASKED}:") | Q(kind=TaskKind.RETURNED_DRAFT)
    open_tasks = Task.objects.filter(asked, record_id=deal.pk, done_at=None).values_list("id", flat=True)
    task_ids = list(open_tasks)
    if task_ids:
        finish_tasks(actor=actor, task_ids=task_ids, outcome="The deal was handed over.", at=at)


def _tell(deal: Deal, invoice_id: UUID, *, was_won: bool) -> None:
    assert deal.account_id is not None
    if was_won:
        emit(
            DealHandedOver(
                deal_id=deal.pk,
                account_id=deal.account_id,
                invoice_id=invoice_id,
                title=deal.name,
                quote_version=deal.quote_version,
            )
        )
        return
    emit(
        DealWon(
            deal_id=deal.pk,
            account_id=deal.account_id,
            invoice_id=invoice_id,
            title=deal.name,
            amount=deal.amount,
            currency=deal.currency,
        )
    )
