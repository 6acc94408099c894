"""Giving drafts their numbers and making them final."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import party_block, seller_block
from counterfoil.invoicing.commands.delivery import ask_to_deliver
from counterfoil.invoicing.commands.drafts import (
    CURRENT_COLUMNS,
    FIGURES,
    load_drafts,
    make_current,
    replace_taxes,
)
from counterfoil.invoicing.commands.due_days import DUE_COLUMNS, write_due
from counterfoil.invoicing.computing import Draft, Surroundings, surroundings
from counterfoil.invoicing.crediting import refuse_more_than_left
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceStatus, InvoiceTax, Series
from counterfoil.invoicing.references import all_defined
from counterfoil.invoicing.rules.checks import BLOCKING
from counterfoil.invoicing.rules.numbering import counter_year, document_number
from counterfoil.invoicing.rules.references import frozen
from counterfoil.ledger.commands import post
from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder
from counterfoil.plumbing.bulk import one_trip, read_where, update_rows
from counterfoil.plumbing.outbox import emit, frame
from counterfoil.plumbing.scratch import read_once

# Nothing comes back when the last number of the counter bears a later day.
_TAKE_NUMBERS = """
INSERT INTO invoicing_seriescounter AS counter (series_id, year, last, last_on) VALUES (%s, %s, %s, %s)
ON CONFLICT (series_id, year) DO UPDATE SET last = counter.last + EXCLUDED.last, last_on = EXCLUDED.last_on
    WHERE counter.last_on <= EXCLUDED.last_on
RETURNING last
"""
_ISSUED_COLUMNS = (
    "status", "series", "year", "sequence", "number", "issued_on", "issued_at", "issued_by_name",
    "command_run", "party", "seller", "reference_facts", "send_requested_at", "version",
)  # fmt: skip
CLEAN_AT_ONCE = 500


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

    All or none: what blocks any of them is refused with a problem per draft (its id is the field), and nothing changes.
    Everything is worked out anew as of ``on``. The numbers are taken last, so the counter is held for the shortest
    time.
    """
    drafts = load_drafts(invoice_ids, versions)
    if not drafts:
        return []
    around = surroundings((draft.invoice.account_id for draft in drafts), on)
    taxed_before = {draft.invoice.id: _figures(draft) for draft in drafts}
    make_current(drafts, around)
    _refuse_blocked(drafts)
    refuse_more_than_left(line for draft in drafts for line in draft.lines)
    _write_figures(drafts, taxed_before)
    invoices = [draft.invoice for draft in drafts]
    with one_trip():
        post_documents(actor, invoices, on, at)
        freeze(actor, drafts, around, on, at, send=send)
        write_due(invoices, around.terms, on)
    number_documents(invoices, on)
    with numbers_once(invoices):
        update_rows(invoices, (*CURRENT_COLUMNS, *_ISSUED_COLUMNS, *DUE_COLUMNS))
    announce(invoices)
    return [invoice.id for invoice in invoices]


@command("invoicing.issue_clean", needs="invoicing.issue")
def issue_clean(*, actor: Actor, on: date, at: datetime, limit: int = CLEAN_AT_ONCE) -> list[UUID]:
    """Issue and send the drafts on which nothing warns or blocks as of ``on``, the longest waiting first.

    One that somebody is changing or issuing in this moment is left alone.
    """
    waiting = Invoice.objects.filter(status=InvoiceStatus.DRAFT, kind=DocumentKind.INVOICE)
    free = waiting.order_by("waiting_since", "id").select_for_update(skip_locked=True)
    drafts = load_drafts(free.values_list("id", flat=True)[: limit * 4])
    around = surroundings((draft.invoice.account_id for draft in drafts), on)
    make_current(drafts, around)
    clean = [draft.invoice.id for draft in drafts if draft.invoice.is_clean][:limit]
    if not clean:
        raise Conflict("none_clean", "There is no draft on which nothing warns. Look at them one by one.")
    return issue_invoices(actor=actor, invoice_ids=clean, on=on, at=at, send=True)


def _refuse_blocked(drafts: Sequence[Draft]) -> None:
    problems = [problem for draft in drafts for problem in blocking(draft.invoice)]
    if problems:
        raise Refusal("not_issuable", problems[0].message, problems[0].field, problems)


def blocking(invoice: Invoice) -> list[Problem]:
    """What keeps a draft from being issued, as its checks found it."""
    return [
        Problem(str(invoice.id), check["code"], check["message"])
        for check in invoice.checks
        if check["level"] == BLOCKING
    ]


def _figures(draft: Draft) -> list[tuple[object, ...]]:
    return [tuple(getattr(line, name) for name in FIGURES) for line in draft.lines]


def _write_figures(drafts: Sequence[Draft], before: Mapping[UUID, list[tuple[object, ...]]]) -> None:
    """Write lines and taxes that the day or the account changed since the draft was made; most drafts have none."""
    changed = [draft for draft in drafts if _figures(draft) != before[draft.invoice.id]]
    taxes: dict[UUID, list[tuple[object, ...]]] = {draft.invoice.id: [] for draft in drafts}
    order = "percent DESC, category, included, again"
    for tax in read_where(InvoiceTax, "invoice_id = ANY(%s)", list(taxes), order=order):
        taxes[tax.invoice_id].append(_tax_values(tax))
    update_rows([line for draft in changed for line in draft.lines], FIGURES)
    retaxed = [draft for draft in drafts if [_tax_values(tax) for tax in draft.taxes] != taxes[draft.invoice.id]]
    if retaxed:
        replace_taxes(retaxed)


def _tax_values(tax: InvoiceTax) -> tuple[object, ...]:
    return tax.category, tax.percent, tax.included, tax.again, tax.label, tax.base, tax.amount, tax.reason


def post_documents(actor: Actor, invoices: Sequence[Invoice], on: date, at: datetime) -> None:
    """Write what documents mean in the books. One whose charges and credits weigh each other up means nothing there."""
    moving = [invoice for invoice in invoices if invoice.net or invoice.tax]
    post(actor=actor, entries=[posted_entry(invoice, on) for invoice in moving], at=at)


def posted_entry(invoice: Invoice, on: date) -> EntryOrder:
    """What a document means in the books; a credit note is the other way round."""
    sign = 1 if invoice.kind == DocumentKind.INVOICE else -1
    return EntryOrder(
        entity_id=invoice.entity_id,
        source=f"invoice:{invoice.id}",
        document_id=invoice.id,
        memo=f"{DocumentKind(invoice.kind).label} issued",
        posted_on=on,
        postings=(
            PostingOrder("receivable", sign * invoice.total, invoice.currency, invoice.payer_id),
            PostingOrder("revenue", -sign * invoice.net, invoice.currency),
            PostingOrder("tax_payable", -sign * invoice.tax, invoice.currency),
        ),
    )


def freeze(actor: Actor, drafts: Sequence[Draft], around: Surroundings, on: date, at: datetime, *, send: bool) -> None:
    """Make drafts issued in memory, with their parties as they are now; numbers and due days are set apart."""
    current = frame.get()
    assert current is not None
    has_references = any(draft.invoice.reference_values for draft in drafts)
    defined = all_defined() if has_references else []
    sellers = {entity_id: seller_block(entity) for entity_id, entity in around.entities.items()}
    for draft in drafts:
        invoice = draft.invoice
        invoice.status = InvoiceStatus.ISSUED
        invoice.issued_on, invoice.issued_at, invoice.issued_by_name = on, at, actor.name
        invoice.command_run = current.run
        invoice.party = party_block(around.facts[invoice.account_id].party)
        invoice.seller = sellers[invoice.entity_id]
        invoice.reference_facts = frozen(defined, invoice.reference_values)
        invoice.send_requested_at = at if send else None
        invoice.version += 1


def number_documents(invoices: Sequence[Invoice], on: date) -> None:
    """A block of numbers per series, taken in one update each, in the order in which the drafts waited."""
    wanted: dict[tuple[UUID, str], list[Invoice]] = {}
    for invoice in sorted(invoices, key=lambda invoice: (invoice.waiting_since or invoice.created_at, invoice.id)):
        wanted.setdefault((invoice.entity_id, invoice.kind), []).append(invoice)
    series = _series(frozenset(entity_id for entity_id, _ in wanted))
    if wanted.keys() - series.keys():
        raise Refusal("no_series", "This company has no number series for this kind of document.", "series")
    # Always in the same order, so that two sets never wait for each other's counters.
    for key in sorted(wanted, key=lambda key: series[key].id):
        one, numbered = series[key], wanted[key]
        year = counter_year(one.pattern, on.year)
        last = _take_numbers(one, year, on, len(numbered))
        for sequence, invoice in enumerate(numbered, last - len(numbered) + 1):
            invoice.series, invoice.year, invoice.sequence = one, year, sequence
            invoice.number = document_number(one.pattern, one.digits, on.year, sequence)


@read_once(lambda entity_ids: entity_ids)
def _series(entity_ids: frozenset[UUID]) -> dict[tuple[UUID, str], Series]:
    found = read_where(Series, "entity_id = ANY(%s)", list(entity_ids))
    return {(one.entity_id, one.kind): one for one in found}


def _take_numbers(series: Series, year: int, on: date, count: int) -> int:
    """The last of ``count`` new numbers. The counter's row stays locked until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_NUMBERS, [series.id, year, count, on])
        found = cursor.fetchone()
    if found is not None:
        last: int = found[0]
        return last
    latest = Invoice.objects.filter(series=series, year=year).order_by("-sequence").first()
    assert latest is not None
    assert latest.issued_on is not None
    raise Conflict(
        "earlier_than_last",
        f"{latest.number} was issued on {latest.issued_on.isoformat()}. A later number cannot bear an earlier day, "
        f"such as {on.isoformat()}.",
        "on",
    )


@contextmanager
def numbers_once(invoices: Sequence[Invoice]) -> Iterator[None]:
    """Writing numbered documents: one whose number is taken is refused in words."""
    try:
        yield
    except IntegrityError as error:
        if "number_once" not in str(error):
            raise
        numbers = ", ".join(sorted(invoice.number for invoice in invoices)[:3])
        raise Conflict(
            "number_taken",
            f"A document with one of these numbers is here already: {numbers}. It may come from another "
            "system. Change the pattern of the series in the settings.",
            "series",
        ) from None


def announce(invoices: Sequence[Invoice]) -> None:
    """Tell that documents were issued, and ask for their delivery."""
    for invoice in invoices:
        assert invoice.due_on is not None
        emit(
            events.InvoiceIssued(
                invoice_id=invoice.id,
                account_id=invoice.account_id,
                payer_id=invoice.payer_id,
                deal_id=invoice.deal_id,
                number=invoice.number,
                total=invoice.total,
                currency=invoice.currency,
                due_on=invoice.due_on,
            )
        )
    ask_to_deliver([invoice.id for invoice in invoices])
