"""Giving drafts their numbers and making them final."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.models import PaymentTerms
from counterfoil.accounts.rules.facts import TermsFact
from counterfoil.core.errors import Conflict, Problem, Refusal, Stale
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import party_block, seller_block
from counterfoil.invoicing.commands.drafts import load_drafts
from counterfoil.invoicing.computing import Draft, Surroundings, compute, surroundings
from counterfoil.invoicing.editing import refresh
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, InvoiceTax, Series
from counterfoil.invoicing.rules.checks import BLOCKING
from counterfoil.invoicing.rules.due import due_date
from counterfoil.invoicing.rules.numbering import document_number
from counterfoil.ledger.commands import post
from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder
from counterfoil.plumbing.jobs import enqueue
from counterfoil.plumbing.outbox import emit, frame

_TAKE_NUMBERS = """
INSERT INTO invoicing_seriescounter (series_id, year, last) VALUES (%s, %s, %s)
ON CONFLICT (series_id, year) DO UPDATE SET last = invoicing_seriescounter.last + EXCLUDED.last
RETURNING last
"""

_DRAFT_COLUMNS = (
    "invoiced_account", "payer", "send_to", "terms", "language", "delivery_channel", "tax_profile",
    "tax_exemption_reason", "net", "tax", "total", "checks", "is_clean", "sources",
)  # fmt: skip
_ISSUED_COLUMNS = (
    "status", "series", "year", "sequence", "number", "issued_on", "due_on", "issued_at", "issued_by_name",
    "command_run", "party", "seller", "send_requested_at", "version",
)  # fmt: skip


@command("invoicing.issue_invoices", needs="invoicing.issue")
def issue_invoices(
    *,
    actor: Actor,
    invoice_ids: Sequence[UUID],
    on: date,
    at: datetime,
    send: bool,
    versions: Mapping[UUID, int] | None = None,
) -> list[UUID]:
    """Give drafts their numbers and make them final; with ``send``, ask for their mail. Collects no money.

    All or none: what blocks any of them is refused with a problem per draft (its id is the field), and nothing
    changes. Everything is worked out anew as of ``on``. The numbers are taken last, so the counter is held for the
    shortest time.
    """
    drafts = load_drafts(invoice_ids)
    for draft in drafts:
        expected = (versions or {}).get(draft.invoice.pk)
        if expected is not None and expected != draft.invoice.version:
            raise Stale()
    around = surroundings(
        (draft.invoice.account_id for draft in drafts), (draft.invoice.entity_id for draft in drafts), on
    )
    terms = _terms(drafts, around)
    _make_current(drafts, around, terms)
    _refuse_blocked(drafts)
    _save_current(drafts)
    post(actor=actor, entries=[_entry(draft.invoice, on) for draft in drafts], at=at)
    _freeze(actor, drafts, around, terms, on, at, send)
    _number(drafts, on)
    Invoice.objects.bulk_update([draft.invoice for draft in drafts], _ISSUED_COLUMNS, batch_size=200)
    for draft in drafts:
        invoice = draft.invoice
        assert invoice.due_on is not None
        emit(
            events.InvoiceIssued(
                invoice_id=invoice.pk,
                account_id=invoice.account_id,
                payer_id=invoice.payer_id,
                deal_id=invoice.deal_id,
                number=invoice.number,
                total=invoice.total,
                currency=invoice.currency,
                due_on=invoice.due_on,
            )
        )
        enqueue("invoicing.deliver", invoice_id=invoice.pk)
    return [draft.invoice.pk for draft in drafts]


@command("invoicing.issue_clean", needs="invoicing.issue")
def issue_clean(*, actor: Actor, on: date, at: datetime, limit: int = 500) -> list[UUID]:
    """Issue and send every draft on which nothing warns or blocks. One that stopped being clean meanwhile is left."""
    waiting = Invoice.objects.filter(status=InvoiceStatus.DRAFT, is_clean=True).order_by("id")
    ids = list(waiting.select_for_update(skip_locked=True).values_list("id", flat=True)[:limit])
    drafts = load_drafts(ids)
    if not drafts:
        raise Conflict("none_clean", "No draft is clean at the moment.")
    around = surroundings(
        (draft.invoice.account_id for draft in drafts), (draft.invoice.entity_id for draft in drafts), on
    )
    _make_current(drafts, around, _terms(drafts, around))
    clean = [draft.invoice.pk for draft in drafts if draft.invoice.is_clean]
    if not clean:
        raise Conflict("none_clean", "No draft is clean at the moment.")
    return issue_invoices(actor=actor, invoice_ids=clean, on=on, at=at, send=True)


def _terms(drafts: Sequence[Draft], around: Surroundings) -> dict[UUID, TermsFact]:
    wanted = {draft.invoice.terms_id for draft in drafts if draft.invoice.terms_id}
    wanted |= {fact.terms.value.id for fact in around.facts.values() if fact.terms.value is not None}
    return {
        terms.pk: TermsFact(terms.pk, terms.key, terms.name, terms.days, terms.from_end_of_month)
        for terms in PaymentTerms.objects.filter(id__in=wanted)
    }


def _make_current(drafts: Sequence[Draft], around: Surroundings, terms: Mapping[UUID, TermsFact]) -> None:
    for draft in drafts:
        refresh(draft, around)
        compute(draft, around, terms.get(draft.invoice.terms_id) if draft.invoice.terms_id else None)


def _refuse_blocked(drafts: Sequence[Draft]) -> None:
    problems = [
        Problem(str(draft.invoice.pk), check["code"], check["message"])
        for draft in drafts
        for check in draft.invoice.checks
        if check["level"] == BLOCKING
    ]
    if problems:
        raise Refusal("not_issuable", problems[0].message, problems[0].field, problems)


def _save_current(drafts: Sequence[Draft]) -> None:
    """Write the draft as it is issued, while its lines may still change."""
    ids = [draft.invoice.pk for draft in drafts]
    Invoice.objects.bulk_update([draft.invoice for draft in drafts], _DRAFT_COLUMNS, batch_size=200)
    InvoiceLine.objects.bulk_update(
        [line for draft in drafts for line in draft.lines],
        ["net", "tax", "tax_label", "tax_percent", "tax_category", "sources"],
        batch_size=500,
    )
    InvoiceTax.objects.filter(invoice__in=ids).delete()
    InvoiceTax.objects.bulk_create([tax for draft in drafts for tax in draft.taxes], batch_size=1000)


def _entry(invoice: Invoice, on: date) -> EntryOrder:
    sign = 1 if invoice.kind == "invoice" else -1
    return EntryOrder(
        entity_id=invoice.entity_id,
        source=f"invoice:{invoice.pk}",
        document_id=invoice.pk,
        memo=f"{'Invoice' if sign == 1 else 'Credit note'} issued",
        posted_on=on,
        postings=(
            PostingOrder("receivable", sign * invoice.total, invoice.currency, invoice.payer_id),
            PostingOrder("revenue", -sign * invoice.net, invoice.currency),
            PostingOrder("tax_payable", -sign * invoice.tax, invoice.currency),
        ),
    )


def _freeze(
    actor: Actor,
    drafts: Sequence[Draft],
    around: Surroundings,
    terms: Mapping[UUID, TermsFact],
    on: date,
    at: datetime,
    send: bool,
) -> None:
    current = frame.get()
    assert current is not None
    for draft in drafts:
        invoice = draft.invoice
        facts = around.facts[invoice.account_id]
        invoice.status = InvoiceStatus.ISSUED
        invoice.issued_on, invoice.issued_at, invoice.issued_by_name = on, at, actor.name
        invoice.due_on = due_date(on, terms.get(invoice.terms_id) if invoice.terms_id else None)
        invoice.command_run = current.run
        invoice.party = party_block(facts.party)
        invoice.seller = seller_block(around.entities[invoice.entity_id])
        invoice.send_requested_at = at if send else None
        invoice.version += 1


def _number(drafts: Sequence[Draft], on: date) -> None:
    """A block of numbers per series, taken in one update each, in the order in which the drafts waited."""
    kinds: dict[tuple[UUID, str], list[Invoice]] = defaultdict(list)
    for draft in drafts:
        kinds[draft.invoice.entity_id, draft.invoice.kind].append(draft.invoice)
    series = {
        (one.entity_id, one.kind): one for one in Series.objects.filter(entity__in={entity for entity, _ in kinds})
    }
    for key in sorted(kinds, key=str):
        if key not in series:
            raise Refusal("no_series", "This company has no number series for this kind of document.", "series")
        one, invoices = series[key], kinds[key]
        last = _take_numbers(one, on, len(invoices))
        invoices.sort(key=lambda invoice: (invoice.waiting_since or invoice.created_at, invoice.pk))
        for sequence, invoice in enumerate(invoices, last - len(invoices) + 1):
            invoice.series, invoice.year, invoice.sequence = one, on.year, sequence
            invoice.number = document_number(one.pattern, one.digits, on.year, sequence)


def _take_numbers(series: Series, on: date, count: int) -> int:
    """The last of ``count`` new numbers. The counter's row stays locked until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_NUMBERS, [series.pk, on.year, count])
        last: int = cursor.fetchone()[0]
    latest = Invoice.objects.filter(series=series, year__lte=on.year).order_by("-year", "-sequence").first()
    if latest is not None and latest.issued_on is not None and latest.issued_on > on:
        raise Refusal(
            "earlier_than_last",
            f"{latest.number} was issued on {latest.issued_on.isoformat()}; a later number cannot have an earlier day.",
            "on",
        )
    return last
