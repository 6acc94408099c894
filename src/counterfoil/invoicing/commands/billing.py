"""Documents that go out by themselves: drafted and issued in one pass, without being drafts in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.invoicing.commands.drafts import computed_draft, write_drafts
from counterfoil.invoicing.commands.due_days import write_due
from counterfoil.invoicing.commands.issuing import (
    announce,
    blocking,
    freeze,
    number_documents,
    numbers_once,
    post_documents,
)
from counterfoil.invoicing.computing import Draft, Surroundings, surroundings
from counterfoil.invoicing.crediting import refuse_more_than_left
from counterfoil.invoicing.rules.orders import DraftOrder
from counterfoil.plumbing.bulk import insert_rows, one_trip


@dataclass(frozen=True)
class BilledOrders:
    """The documents of orders, in their order; ``waiting`` are those of them that wait in the review queue."""

    invoice_ids: tuple[UUID, ...] = ()
    waiting: frozenset[UUID] = frozenset()


@command("invoicing.bill_invoices", needs="invoicing.issue")
def bill_invoices(
    *,
    actor: Actor,
    orders: Sequence[DraftOrder],
    on: date,
    at: datetime,
    facts: Mapping[UUID, BillingFacts] | None = None,
) -> BilledOrders:
    """Make one issued invoice per order, numbered, posted and mailed; what a check blocks becomes a draft to review.

    The same as ``draft_invoices`` and then ``issue_invoices``, but for the draft that was never there: the surroundings
    are read once, and every row is written once, as it stays. A fixed number of statements, however many orders.
    """
    if not orders:
        return BilledOrders()
    credited = {line.credits_line_id for order in orders for line in order.lines if line.credits_line_id}
    around = surroundings((order.account_id for order in orders), on, facts, credited)
    drafts = [computed_draft(order, around, at, actor) for order in orders]
    waiting = [draft for draft in drafts if blocking(draft.invoice)]
    if waiting:
        write_drafts(waiting)
    held = frozenset(draft.invoice.id for draft in waiting)
    _issue(actor, [draft for draft in drafts if draft.invoice.id not in held], around, on, at)
    return BilledOrders(tuple(draft.invoice.id for draft in drafts), held)


def _issue(actor: Actor, drafts: Sequence[Draft], around: Surroundings, on: date, at: datetime) -> None:
    """Write documents as issued. Lines and taxes go first: those of what is there and issued could not be added any
    more; the numbers are taken last.
    """
    if not drafts:
        return
    refuse_more_than_left(line for draft in drafts for line in draft.lines)
    invoices = [draft.invoice for draft in drafts]
    with one_trip():
        insert_rows(line for draft in drafts for line in draft.lines)
        insert_rows(tax for draft in drafts for tax in draft.taxes)
        post_documents(actor, invoices, on, at)
        freeze(actor, drafts, around, on, at, send=True)
        write_due(invoices, around.terms, on)
    number_documents(invoices, on)
    with numbers_once(invoices):
        insert_rows(invoices)
    announce(invoices)
