"""What a subscription has to be billed, on its way to a document: which one, as what line, and its row in the ledger of
billed periods.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.catalog.rules.pricing import unit_price_shown
from counterfoil.core.ids import new_id
from counterfoil.core.references import ReferencePairs, reference_pairs
from counterfoil.invoicing.queries import order_total
from counterfoil.invoicing.rules.orders import CreditLine, DraftOrder, OrderLine
from counterfoil.plumbing.bulk import new_row
from counterfoil.subscriptions.agreements import Loaded
from counterfoil.subscriptions.models import BilledPeriod, Subscription
from counterfoil.subscriptions.ports import Rider
from counterfoil.subscriptions.rules.agreement import MOVED, USAGE, Difference
from counterfoil.subscriptions.rules.billing import Due, differences
from counterfoil.subscriptions.rules.grid import Moment, day_of, stored
from counterfoil.subscriptions.rules.wording import why


@dataclass
class Charged:
    """What one subscription has to be billed now. Unless ``is_whole``, the rest of what is due since ``since`` waits.

    ``joined`` is the same with one line for each stretch, for documents that cannot take back their own lines.
    """

    loaded: Loaded
    differences: list[Difference]
    due: Due
    is_whole: bool = True
    joined: Callable[[], list[Difference]] | None = None
    since: Moment | None = None


def charged(loaded: Loaded, due: Due, since: Moment | None, items: Collection[UUID] | None = None) -> Charged:
    """What is to be billed now of a subscription, or of some of its items."""
    find = partial(differences, loaded.agreement, loaded.billed, due, since=since, items=items)
    return Charged(loaded, find(), due, items is None, partial(find, is_joined=True), since)


@dataclass
class Line:
    """A difference on its way to a document. ``own`` are the lines of the same document that it takes back."""

    charged: Charged
    difference: Difference
    line_id: UUID
    document_id: UUID | None = None
    own: frozenset[UUID] = frozenset()

    @property
    def net(self) -> Decimal:
        return self.difference.net


# What two lines have in common that share a document.
Key = tuple[UUID, UUID, str, UUID | None, str, str, ReferencePairs, UUID | None]


def key_of(one: Subscription | Rider, of_account: BillingFacts, *, apart: UUID | None = None) -> Key:
    """What makes subscriptions and riders share a document: payer, company, currency, terms, PO number and references.
    One that is ``apart`` shares none.
    """
    terms = of_account.terms.value
    terms_id = one.terms_id or (terms.id if terms is not None else None)
    pairs = one.reference_values if isinstance(one, Rider) else reference_pairs(one.reference_values)
    return (of_account.payer.value, one.entity_id, one.currency, terms_id, one.po_number, one.references, pairs, apart)


def own_lines(lines: Iterable[Line | Rider]) -> list[Line]:
    """Those that are no riders."""
    return [line for line in lines if isinstance(line, Line)]


def is_taxed_differently(lines: Sequence[Line | Rider]) -> bool:
    """Whether what is charged and what is given back bear other taxes, so that only their total says which is more."""
    return len({_tax_class(line) for line in lines}) > 1


def _tax_class(line: Line | Rider) -> str:
    if isinstance(line, Line):
        return line.charged.loaded.items[line.difference.item_id].tax_class
    return line.line.tax_class


def draft_order(lines: Sequence[Line | Rider], facts: Mapping[UUID, BillingFacts]) -> DraftOrder:
    """The invoice of lines that share one: for their account, or where there are several for whose name is on it."""
    subscription = next(line for line in lines if isinstance(line, Line)).charged.loaded.subscription
    accounts = {
        line.charged.loaded.subscription.account_id if isinstance(line, Line) else line.account_id for line in lines
    }
    shared = facts[subscription.account_id].invoiced_account.value
    return DraftOrder(
        account_id=subscription.account_id if len(accounts) == 1 else shared,
        lines=tuple(part for line in lines for part in (order_lines(line) if isinstance(line, Line) else (line.line,))),
        entity_id=subscription.entity_id,
        currency=subscription.currency,
        origin="subscription",
        sales_owner_id=subscription.owner_id,
        po_number=subscription.po_number,
        references=subscription.references,
        reference_values=reference_pairs(subscription.reference_values),
        terms_id=subscription.terms_id,
    )


def total_of(facts: Mapping[UUID, BillingFacts], on: date, at: datetime) -> Callable[[Sequence[Line | Rider]], Decimal]:
    """What works out what lines come to on one document, with tax."""
    return lambda lines: order_total(draft_order(lines, facts), on, at, facts).amount


def order_lines(line: Line) -> Iterable[OrderLine]:
    """A line; a credit that takes back parts of several lines is one line for each of them."""
    credits = line.difference.credits or ((None, -line.net),)
    for place, (credited, part) in enumerate(credits):
        issued = None if credited in line.own else credited
        yield _order_line(line, line.line_id if place == 0 else new_id(), issued, -part)


def _order_line(line: Line, line_id: UUID, credited: UUID | None, net: Decimal) -> OrderLine:
    difference = line.difference
    loaded = line.charged.loaded
    subscription, row = loaded.subscription, loaded.items[difference.item_id]
    item = next(one for one in loaded.agreement.items if one.id == difference.item_id)
    quantity = abs(difference.quantity)
    return OrderLine(
        line_id=line_id,
        description=row.description,
        quantity=quantity,
        unit=row.unit,
        unit_price=unit_price_shown(item.pricing_of(difference.cell), quantity),
        product_id=row.product_id,
        tax_class=row.tax_class,
        source=Sourced("", "subscription", f"Subscription {subscription.number}", subscription.id),
        service_from=day_of(difference.start, subscription.zone),
        service_to=day_of(difference.end, subscription.zone),
        kind=difference.kind,
        net=net,
        share="" if difference.kind == USAGE else str(difference.share),
        why=why(difference, item, subscription.basis, subscription.currency),
        subscription_id=subscription.id,
        subscription_item_id=row.id,
        credits_line_id=credited,
    )


def credit_lines(lines: Sequence[Line]) -> Iterable[CreditLine]:
    """The lines of a credit note: one for each issued line that is taken back in part."""
    for line in lines:
        for place, (credited, part) in enumerate(line.difference.credits):
            order = _order_line(line, line.line_id if place == 0 else new_id(), credited, part)
            assert order.service_from is not None and order.service_to is not None  # noqa: PT018
            yield CreditLine(
                invoice_line_id=credited,
                amount=part,
                line_id=order.line_id,
                description=order.description,
                kind=order.kind,
                quantity=order.quantity,
                unit_price=order.unit_price,
                service_from=order.service_from,
                service_to=order.service_to,
                share=order.share,
                why=order.why,
            )


def billed_row(line: Line, run_id: UUID | None, at: datetime) -> BilledPeriod:
    """The row of a line in the ledger of billed periods."""
    one = line.difference
    return new_row(
        BilledPeriod,
        id=new_id(),
        subscription_id=line.charged.loaded.subscription.id,
        item_id=one.item_id,
        kind=one.kind,
        starts_at=stored(one.start),
        ends_at=stored(one.end),
        cell_starts_at=stored(one.cell.start),
        cell_ends_at=stored(one.cell.end),
        quantity=one.quantity,
        gross=one.gross,
        net=one.net,
        share_part=one.share.part,
        share_whole=one.share.whole,
        invoice_id=line.document_id,
        line_id=line.line_id if one.net and one.kind != MOVED else None,
        credits=[[str(line_id), str(part)] for line_id, part in one.credits] if one.credits else (),
        is_void=one.is_void,
        run_id=run_id,
        created_at=at,
    )
