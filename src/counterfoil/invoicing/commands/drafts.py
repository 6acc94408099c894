"""Making, changing, returning and discarding drafts. A draft has no number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, check, command
from counterfoil.accounts.rules.facts import BillingFacts
from counterfoil.activities.commands import open_task
from counterfoil.core.errors import Conflict, NotFound, Problem, Stale
from counterfoil.invoicing import events
from counterfoil.invoicing.borne import TAX_COLUMNS
from counterfoil.invoicing.computing import Draft, Surroundings, compute, surroundings
from counterfoil.invoicing.drafting import apply_values, follow_account, new_draft, order_of
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax, Origin
from counterfoil.invoicing.rules.orders import DraftOrder
from counterfoil.plumbing.bulk import insert_rows, one_trip, read_where, update_rows
from counterfoil.plumbing.outbox import emit

REASON_MAX = 500
BILLS_A_SUBSCRIPTION = (
    "This draft bills a subscription, whose periods would be lost with it. Approve it; if it is wrong, change, pause "
    "or end the subscription, which gives back what was billed too much."
)
CHANGE_THE_SUBSCRIPTION = (
    "Quantities, prices and the company of what a subscription bills are changed on the subscription; the difference "
    "is billed or given back. Texts may be changed here, and lines added."
)
RECHECKED_AT_ONCE = 500

CURRENT_COLUMNS = (
    "invoiced_account", "payer", "send_to", "terms", "language", "delivery_channel", "tax_profile",
    "tax_exemption_reason", "net", "tax", "total", "checks", "is_clean", "sources",
)  # fmt: skip
"""What a draft takes over from its account and from the rules."""
_CURRENT_FIELDS = {field.name: field for field in Invoice._meta.concrete_fields if field.name in CURRENT_COLUMNS}
FIGURES = ("net", "before_discount", "tax", *TAX_COLUMNS, "sources")
"""What the rules set on a line."""

# Drafts of the accounts that these ids name, and of all accounts below them, which may inherit.
_TOUCHED_BY = """
WITH RECURSIVE below (id) AS (
    SELECT unnest(%s::uuid[])
    UNION
    SELECT a.id FROM accounts_account a JOIN below b ON a.parent_id = b.id
)
SELECT i.id FROM invoicing_invoice i
WHERE i.status = 'draft' AND (i.account_id IN (SELECT id FROM below)
    OR i.invoiced_account_id = ANY(%s) OR i.payer_id = ANY(%s) OR i.send_to_id = ANY(%s))
ORDER BY i.id LIMIT %s FOR UPDATE OF i SKIP LOCKED
"""


# Making ---------------------------------------------------------------------------------------------------------------


@command("invoicing.draft_invoices", needs="invoicing.draft")
def draft_invoices(
    *,
    actor: Actor,
    orders: Sequence[DraftOrder],
    on: date,
    at: datetime,
    facts: Mapping[UUID, BillingFacts] | None = None,
) -> list[UUID]:
    """Make one draft per order, in a fixed number of statements. Every value names its source.

    ``facts`` spares a caller who read the accounts' billing facts in this transaction a second reading. Issues and
    sends nothing.
    """
    credited = {line.credits_line_id for order in orders for line in order.lines if line.credits_line_id}
    around = surroundings((order.account_id for order in orders), on, facts, credited)
    return _make(orders, around, at, actor)


@command("invoicing.add_draft", needs="invoicing.draft", takes={"values": Takes("invoicing.invoice")})
def add_draft(*, actor: Actor, values: Mapping[str, Any], on: date, at: datetime) -> UUID:
    """Make a draft by hand. What ``values`` does not say comes from the account."""
    around = surroundings([values["account"]], on)
    order = order_of(values, around, actor.name)
    rest = {name: values[name] for name in ("terms", "language", "delivery_channel") if values.get(name)}
    return _make([order], around, at, actor, rest)[0]


def _make(
    orders: Sequence[DraftOrder],
    around: Surroundings,
    at: datetime,
    actor: Actor,
    rest: Mapping[str, Any] | None = None,
) -> list[UUID]:
    drafts = [computed_draft(order, around, at, actor, rest) for order in orders]
    write_drafts(drafts)
    return [draft.invoice.pk for draft in drafts]


def computed_draft(
    order: DraftOrder, around: Surroundings, at: datetime, actor: Actor, rest: Mapping[str, Any] | None = None
) -> Draft:
    """The draft of an order with its figures and checks. Saves nothing."""
    draft = new_draft(order, around, at, actor.name)
    if rest:
        apply_values(draft, rest, around, actor.name)
    compute(draft, around)
    return draft


def write_drafts(drafts: Sequence[Draft]) -> None:
    """Write new drafts whole, in three statements, and tell of them."""
    with one_trip():
        insert_rows(draft.invoice for draft in drafts)
        insert_rows(line for draft in drafts for line in draft.lines)
        insert_rows(tax for draft in drafts for tax in draft.taxes)
    for draft in drafts:
        invoice = draft.invoice
        emit(
            events.DraftMade(
                invoice_id=invoice.pk,
                account_id=invoice.account_id,
                deal_id=invoice.deal_id,
                total=invoice.total,
                currency=invoice.currency,
            )
        )


# Changing -------------------------------------------------------------------------------------------------------------


@command("invoicing.change_draft", needs="invoicing.draft", takes={"values": Takes("invoicing.invoice", partial=True)})
def change_draft(*, actor: Actor, invoice_id: UUID, values: Mapping[str, Any], version: int | None, on: date) -> None:
    """Change what ``values`` names. The rest is worked out anew from the account as it is.

    Lines are replaced as a whole. One that names its ``id`` stays that line, whatever else of it changes; one that
    names none is a line that stands there already just like that, or else a new one.

    Each changed field says from then on that a person edited it, and counts as a touch when the draft comes from a
    deal.
    """
    draft = load_draft(invoice_id, version)
    invoice = draft.invoice
    around = surroundings([invoice.account_id], on)
    periods = _periods(draft)
    changed = apply_values(draft, values, around, actor.name)
    if not changed:
        return
    if invoice.origin == Origin.DEAL:
        invoice.touched = sorted({*invoice.touched, *changed})
    make_current([draft], around)
    if not periods <= _periods(draft):
        raise Conflict("bills_a_subscription", CHANGE_THE_SUBSCRIPTION, "lines")
    invoice.version += 1
    _save(draft)
    emit(events.DraftChanged(invoice_id=invoice.pk, account_id=invoice.account_id, fields=tuple(sorted(changed))))


def _periods(draft: Draft) -> set[tuple[Any, ...]]:
    """What the draft bills of subscriptions: the ledger of billed periods names these very lines and amounts."""
    invoice = draft.invoice
    return {
        (invoice.entity_id, invoice.currency, line.pk, line.kind, line.quantity, line.net)
        for line in draft.lines
        if line.subscription_id is not None
    }


def _save(draft: Draft) -> None:
    """Write the draft with its lines and taxes."""
    draft.invoice.save()
    InvoiceLine.objects.filter(invoice=draft.invoice).exclude(id__in=[line.pk for line in draft.lines]).delete()
    written = [field.name for field in InvoiceLine._meta.concrete_fields if field.name not in ("id", "created_at")]
    InvoiceLine.objects.bulk_create(draft.lines, update_conflicts=True, unique_fields=["id"], update_fields=written)
    replace_taxes([draft])


def replace_taxes(drafts: Sequence[Draft]) -> None:
    """Write the tax rows of drafts anew."""
    InvoiceTax.objects.filter(invoice__in=[draft.invoice.pk for draft in drafts]).delete()
    insert_rows(tax for draft in drafts for tax in draft.taxes)


@command("invoicing.recheck_drafts", needs="invoicing.draft")
def recheck_drafts(*, actor: Actor, account_ids: Sequence[UUID], on: date) -> int:
    """Work out anew the drafts that take anything from these accounts; answers how many changed.

    A draft that somebody is changing or issuing in this moment is left alone: that works it out anew too. The version
    rises only where a value changed, so that new findings alone disturb nobody who edits the draft.
    """
    ids = list(account_ids)
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHED_BY, [ids, ids, ids, ids, RECHECKED_AT_ONCE])
        drafts = load_drafts([invoice_id for (invoice_id,) in cursor.fetchall()])
    if not drafts:
        return 0
    around = surroundings((draft.invoice.account_id for draft in drafts), on)
    before = {draft.invoice.pk: _values(draft.invoice) for draft in drafts}
    make_current(drafts, around)
    changed = [draft for draft in drafts if _values(draft.invoice) != before[draft.invoice.pk]]
    for draft in changed:
        was, now = before[draft.invoice.pk], _values(draft.invoice)
        draft.invoice.version += any(was[name] != now[name] for name in was if name not in ("checks", "is_clean"))
    save_current(changed)
    return len(changed)


def _values(invoice: Invoice) -> dict[str, Any]:
    return {name: field.value_from_object(invoice) for name, field in _CURRENT_FIELDS.items()}


def make_current(drafts: Sequence[Draft], around: Surroundings) -> None:
    """Take over what the accounts say now, and work everything out anew. Saves nothing."""
    for draft in drafts:
        follow_account(draft, around)
        compute(draft, around)


def save_current(drafts: Sequence[Draft], also: Sequence[str] = ("version",)) -> None:
    """Write what ``make_current`` set, in four statements at most, however many drafts."""
    if not drafts:
        return
    update_rows([line for draft in drafts for line in draft.lines], FIGURES)
    replace_taxes(drafts)
    update_rows([draft.invoice for draft in drafts], (*CURRENT_COLUMNS, *also))


# Returning, discarding ------------------------------------------------------------------------------------------------


@command("invoicing.return_drafts", needs="invoicing.draft")
def return_drafts(*, actor: Actor, invoice_ids: Sequence[UUID], reason: str, at: datetime) -> None:
    """Give drafts of won deals back to sales, with a reason and a task for the deal's owner.

    The deal stays won and is handed over again as its next quote version.
    """
    reason = reason.strip()
    check(bool(reason), "missing", "Say what sales should correct.", "reason")
    check(len(reason) <= REASON_MAX, "too_long", f"A reason can have at most {REASON_MAX} characters.", "reason")
    drafts = load_drafts(invoice_ids)
    refuse_to_lose_periods(draft.invoice for draft in drafts)
    by_hand = [
        Problem(str(draft.invoice.pk), "by_hand", "This draft was made by hand. Change or discard it instead.")
        for draft in drafts
        if draft.invoice.deal_id is None
    ]
    if by_hand:
        raise Conflict("by_hand", by_hand[0].message, by_hand[0].field, by_hand)
    for draft in drafts:
        invoice = draft.invoice
        invoice.status, invoice.returned_reason, invoice.returned_at = InvoiceStatus.RETURNED, reason, at
        invoice.version += 1
        _ask_sales(actor, invoice)
        emit(
            events.DraftReturned(
                invoice_id=invoice.pk, account_id=invoice.account_id, deal_id=invoice.deal_id, reason=reason
            )
        )
    update_rows([draft.invoice for draft in drafts], ["status", "returned_reason", "returned_at", "version"])


def _ask_sales(actor: Actor, invoice: Invoice) -> None:
    open_task(
        actor=actor,
        kind="returned_draft",
        title=f"Billing returned the draft of {invoice.deal_title}"[:300],
        detail=invoice.returned_reason,
        assignee_id=invoice.sales_owner_id,
        record_key="deals.deal",
        record_id=invoice.deal_id,
        record_title=invoice.deal_title,
        account_id=invoice.account_id,
        amount=invoice.total,
        currency=invoice.currency,
        cause=f"returned:{invoice.pk}",
    )


@command("invoicing.discard_draft", needs="invoicing.draft")
def discard_draft(*, actor: Actor, invoice_id: UUID, version: int | None) -> None:
    """Remove a draft that was made by hand. One that comes from a deal is returned to sales instead, and one that
    bills a subscription stays, so nothing is lost.
    """
    invoice = load_draft(invoice_id, version).invoice
    refuse_to_lose_periods([invoice])
    if invoice.deal_id is not None:
        raise Conflict("from_a_deal", "This draft comes from a won deal. Return it to sales instead.")
    emit(events.DraftDiscarded(invoice_id=invoice.pk, account_id=invoice.account_id, deal_id=None))
    invoice.delete()


def refuse_to_lose_periods(invoices: Iterable[Invoice]) -> None:
    """A draft that bills a subscription is issued or stays: its periods count as billed and would never be again."""
    problems = [
        Problem(str(invoice.pk), "bills_a_subscription", BILLS_A_SUBSCRIPTION)
        for invoice in invoices
        if invoice.origin == Origin.SUBSCRIPTION
    ]
    if problems:
        raise Conflict("bills_a_subscription", problems[0].message, problems[0].field, problems)


# Finding --------------------------------------------------------------------------------------------------------------


def load_draft(invoice_id: UUID, version: int | None) -> Draft:
    """The draft, locked; refused when it was changed since ``version`` or is no draft any more."""
    return load_drafts([invoice_id], {invoice_id: version} if version is not None else None)[0]


def load_drafts(invoice_ids: Iterable[UUID], versions: Mapping[UUID, int] | None = None) -> list[Draft]:
    """Drafts with their lines, in the order asked for, in two statements.

    They are locked in the order of their ids, so that two sets never wait for each other.
    """
    wanted = list(dict.fromkeys(invoice_ids))
    if not wanted:
        return []
    found = {invoice.pk: invoice for invoice in read_where(Invoice, "id = ANY(%s)", wanted, order="id", lock=True)}
    problems = []
    for invoice_id in wanted:
        invoice = found.get(invoice_id)
        if invoice is None:
            raise NotFound()
        if invoice.status != InvoiceStatus.DRAFT:
            text = f"{invoice.number or 'This draft'} is {InvoiceStatus(invoice.status).label.lower()} already."
            problems.append(Problem(str(invoice_id), "not_a_draft", text))
    if problems:
        raise Conflict("not_a_draft", problems[0].message, problems[0].field, problems)
    for invoice_id, version in (versions or {}).items():
        if invoice_id in found and found[invoice_id].version != version:
            raise Stale()
    lines: dict[UUID, list[InvoiceLine]] = {}
    for line in read_where(InvoiceLine, "invoice_id = ANY(%s)", wanted, order="invoice_id, position"):
        lines.setdefault(line.invoice_id, []).append(line)
    return [Draft(found[invoice_id], lines.get(invoice_id, []), []) for invoice_id in wanted]
