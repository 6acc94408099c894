"""The handoff: a deal is won, and what billing needs is there.

What is sold once becomes a draft; what is sold again and again becomes a subscription, whose first period stands on the
same draft, so that billing reviews one document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.commands import become_customers
from counterfoil.accounts.models import AccountStatus
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.activities.commands import finish_tasks
from counterfoil.activities.models import Task, TaskKind
from counterfoil.catalog.models import Interval, Product
from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.references import reference_pairs
from counterfoil.deals.commands.locking import locked_deal
from counterfoil.deals.commands.renewals import Term, end_predecessor
from counterfoil.deals.events import DealHandedOver, DealWon
from counterfoil.deals.models import Deal, DealLine, Handoff, Stage, StageKind
from counterfoil.deals.queries import deal_facts, facts_of_account, held_of
from counterfoil.deals.rules.amounts import PricedLine
from counterfoil.deals.rules.readiness import ASKED, REFERENCE, Item, missing, readiness
from counterfoil.deals.rules.recurring import EVERY, agreed
from counterfoil.invoicing.commands import draft_invoices
from counterfoil.invoicing.models import ReferenceField
from counterfoil.invoicing.references import ORDER, REQUIRED
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.plumbing.bulk import Wanted, insert_rows, new_row, read_together, update_rows
from counterfoil.plumbing.outbox import emit
from counterfoil.subscriptions.commands import start_with_draft, take_back
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder


@dataclass(frozen=True)
class Handover:
    """What a won deal became. ``is_new`` is false when the deal had been handed over before.

    Without recurring lines there is no subscription; while nothing is to be billed yet there is no draft.
    """

    deal_id: UUID
    invoice_id: UUID | None
    quote_version: int
    is_new: bool
    subscription_id: UUID | None = None


@command("deals.win_deal", needs="deals.win")
def win_deal(*, actor: Actor, deal_id: UUID, on: date, at: datetime, version: int | None = None) -> Handover:
    """Mark the deal won and hand it over: one draft and, for its recurring lines, one subscription per deal and quote
    version, and the account becomes a customer.

    Winning again returns the same. If billing returned the draft, the deal is handed over as the next quote version,
    and the subscription of the one before it is taken back. A deal that lacks something is refused with every missing
    item named, and nothing changes. Issues and sends nothing.
    """
    deal = locked_deal(deal_id)
    present, lines, open_tasks, won_stage, required = _known_of(deal)
    if present is not None and held_of(present):
        return _handover(present, is_new=False)
    if present is None and deal.status == StageKind.WON:
        raise Conflict(
            "won_elsewhere",
            "This deal was won before it was imported, and billed where it came from. If it was never billed, open it "
            "again and mark it won here.",
        )
    if version is not None and version != deal.version:
        raise Conflict("stale", "Somebody changed this deal since you opened it. Reload to see it.", "version")
    if deal.status == StageKind.LOST:
        raise Conflict("closed", "This deal is lost. Open it again first.")
    facts = facts_of_account(deal.account_id, on)
    _refuse_unready(readiness(deal_facts(deal, lines, required), facts))
    assert facts is not None
    was_won = deal.status == StageKind.WON
    _mark_won(deal, won_stage, on, quote_version=present.quote_version + 1 if present else deal.quote_version)
    if present is not None and present.subscription_id is not None:
        reason = f"Handed over again as quote version {deal.quote_version}"
        take_back(actor=actor, deal_id=deal.pk, quote_version=present.quote_version, on=on, at=at, reason=reason)
    handoff = _hand_over(actor, deal, lines, facts, on, at)
    if facts.status != AccountStatus.CUSTOMER:
        become_customers(actor=actor, account_ids=[facts.account_id])
    if open_tasks:
        finish_tasks(actor=actor, task_ids=open_tasks, outcome="The deal was handed over.", at=at)
    _tell(deal, handoff, was_won=was_won)
    return _handover(handoff, is_new=True)


def _known_of(deal: Deal) -> tuple[Handoff | None, list[DealLine], list[UUID], Stage | None, list[ReferenceField]]:
    """The latest handoff of a locked deal, its lines with their products, the open tasks that handing it over does
    (to enter what was missing, to correct what billing returned), the stage of what is won, and the references that
    no deal is won without. One round trip.
    """
    handoffs, lines, products, tasks, stages, required = read_together(
        Wanted(Handoff, "deal_id = %s", (deal.pk,), "quote_version DESC LIMIT 1"),
        Wanted(DealLine, "deal_id = %s", (deal.pk,), "position"),
        Wanted(Product, "id IN (SELECT product_id FROM deals_dealline WHERE deal_id = %s)", (deal.pk,)),
        Wanted(
            Task,
            "record_id = %s AND done_at IS NULL AND (cause LIKE %s OR kind = %s)",
            (deal.pk, f"{ASKED}:%", str(TaskKind.RETURNED_DRAFT)),
        ),
        Wanted(Stage, "pipeline_id = %s AND kind = %s", (deal.pipeline_id, str(StageKind.WON))),
        Wanted(ReferenceField, REQUIRED, order=ORDER),
    )
    by_id = {product.pk: product for product in products}
    for line in lines:
        line.product = by_id.get(line.product_id)
    return next(iter(handoffs), None), lines, [task.pk for task in tasks], next(iter(stages), None), required


def _handover(handoff: Handoff, *, is_new: bool) -> Handover:
    return Handover(
        handoff.deal_id, handoff.invoice_id, handoff.quote_version, is_new, subscription_id=handoff.subscription_id
    )


def _hand_over(
    actor: Actor, deal: Deal, lines: Sequence[DealLine], facts: BillingFacts, on: date, at: datetime
) -> Handoff:
    """Make the draft, and the subscription if there are recurring lines, and note what the deal became."""
    recurring = [line for line in lines if line.interval != Interval.ONE_OFF]
    draft = _order(deal, [line for line in lines if line.interval == Interval.ONE_OFF])
    subscription_id: UUID | None = None
    invoice_id: UUID | None
    if recurring:
        start = deal.service_starts_on or on
        term = end_predecessor(actor, deal, start, on=on, at=at)
        joined = start_with_draft(
            actor=actor, order=_subscription(deal, recurring, start, term), draft=draft, on=on, at=at
        )
        subscription_id, invoice_id = joined.subscription_id, joined.invoice_id
    else:
        (invoice_id,) = draft_invoices(actor=actor, orders=[draft], on=on, at=at, facts={facts.account_id: facts})
    handoff = new_row(
        Handoff,
        id=new_id(),
        deal_id=deal.pk,
        quote_version=deal.quote_version,
        invoice_id=invoice_id,
        subscription_id=subscription_id,
        made_at=at,
        by_name=actor.name,
    )
    insert_rows([handoff])
    return handoff


def _refuse_unready(items: Sequence[Item]) -> None:
    lacking = missing(tuple(items))
    if not lacking:
        return
    own = [item.label == "PO number" or item.code.startswith(REFERENCE) for item in lacking]
    names = ", ".join(item.label if is_own else item.label.lower() for item, is_own in zip(lacking, own, strict=True))
    raise Refusal(
        "not_ready",
        f"Billing cannot make a draft of this deal yet. Missing: {names}.",
        problems=[Problem(item.path, "missing", item.missing) for item in lacking],
    )


def _mark_won(deal: Deal, stage: Stage | None, on: date, quote_version: int) -> None:
    """The first win dates the deal; handing it over again leaves its day alone."""
    if deal.status != StageKind.WON:
        if stage is not None:
            deal.stage = stage
        deal.status = StageKind.WON
        deal.stage_since = deal.closed_on = on
    deal.quote_version = quote_version
    deal.version += 1
    update_rows([deal], ["stage", "status", "stage_since", "closed_on", "quote_version", "version"])


def _order(deal: Deal, lines: Sequence[DealLine]) -> DraftOrder:
    """What billing is asked for of the lines that are sold once."""
    assert deal.account_id is not None
    return DraftOrder(
        account_id=deal.account_id,
        lines=tuple(_order_line(deal, line) for line in lines),
        entity_id=deal.entity_id,
        currency=deal.currency,
        origin="deal",
        deal_id=deal.pk,
        deal_title=deal.name,
        quote_version=deal.quote_version,
        sales_owner_id=deal.owner_id,
        po_number=deal.po_number,
        references=deal.references,
        reference_values=reference_pairs(deal.reference_values),
    )


def _subscription(deal: Deal, lines: Sequence[DealLine], start: date, term: Term | None) -> SubscriptionOrder:
    """The agreement that the recurring lines are; a renewal commits for as long as what it renews."""
    assert deal.account_id is not None
    return SubscriptionOrder(
        account_id=deal.account_id,
        items=tuple(_item(line, deal.currency) for line in lines),
        start=start,
        entity_id=deal.entity_id,
        currency=deal.currency,
        po_number=deal.po_number,
        references=deal.references,
        reference_values=reference_pairs(deal.reference_values),
        title=deal.name,
        owner_id=deal.owner_id,
        deal_id=deal.pk,
        quote_version=deal.quote_version,
        committed_to=term.committed_to if term is not None else None,
        notice_days=term.notice_days if term is not None else 0,
    )


def _item(line: DealLine, currency: str) -> ItemOrder:
    """A line is a price of its own: another line may sell the same product for less."""
    found = agreed(line.description, PricedLine(line.quantity, line.unit_price, line.discount_percent), currency)
    return ItemOrder(
        price_key=str(line.pk),
        description=found.description,
        pricing=found.pricing,
        interval=EVERY[line.interval],
        quantity=found.quantity,
        product_id=line.product_id,
        unit=line.unit,
        tax_class=line.tax_class,
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


def _tell(deal: Deal, handoff: Handoff, *, was_won: bool) -> None:
    assert deal.account_id is not None
    if was_won:
        emit(
            DealHandedOver(
                deal_id=deal.pk,
                account_id=deal.account_id,
                invoice_id=handoff.invoice_id,
                subscription_id=handoff.subscription_id,
                title=deal.name,
                quote_version=deal.quote_version,
            )
        )
        return
    emit(
        DealWon(
            deal_id=deal.pk,
            account_id=deal.account_id,
            invoice_id=handoff.invoice_id,
            subscription_id=handoff.subscription_id,
            title=deal.name,
            amount=deal.amount,
            currency=deal.currency,
        )
    )
