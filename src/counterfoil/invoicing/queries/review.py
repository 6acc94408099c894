"""Drafts as a reviewer sees them: worked out anew, so that a finding vanishes as soon as its cause is mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, QuerySet
from django.db.models.expressions import RawSQL

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row
from counterfoil.invoicing.computing import Draft, Surroundings, compute, surroundings
from counterfoil.invoicing.drafting import follow_account
from counterfoil.invoicing.mailing import recipients_of
from counterfoil.invoicing.models import Invoice, InvoiceStatus, Origin
from counterfoil.invoicing.queries.due import NO_PLAN, shown_draft_plan
from counterfoil.invoicing.queries.rows import findings_for, recipients_for, rows_of, taxes_for, with_parts
from counterfoil.invoicing.references import shown
from counterfoil.invoicing.rules.due import due_date
from counterfoil.ledger.days import today_of


def _waiting() -> QuerySet[Invoice]:
    return Invoice.objects.filter(status=InvoiceStatus.DRAFT)


def current_drafts(invoices: Sequence[Invoice], on: date) -> tuple[list[Draft], Surroundings]:
    """Drafts in memory as they would be issued ``on``. Saves nothing."""
    around = surroundings((invoice.account_id for invoice in invoices), on)
    drafts = []
    for invoice in with_parts(invoices):
        draft = Draft(invoice, list(invoice.lines.all()), [])
        follow_account(draft, around)
        compute(draft, around)
        _show(draft)
        drafts.append(draft)
    return drafts, around


def _show(draft: Draft) -> None:
    """Let the projection read the lines and taxes in memory, not those of the database."""
    cache: dict[str, Any] = {"lines": draft.lines, "taxes": draft.taxes}
    for name, parts in cache.items():
        found = getattr(draft.invoice, name).all()
        found._result_cache = parts
        draft.invoice._prefetched_objects_cache[name] = found  # type: ignore[attr-defined]


def review_queue(actor: Actor, *, limit: int = 500, on: date | None = None) -> list[Row]:
    """Drafts that wait for review with their ``checks``, those with findings first, then the longest waiting."""
    if not actor.may("invoicing.see"):
        return []
    invoices = list(_waiting().order_by("is_clean", "waiting_since", "id")[:limit])
    day = on or today_of(None)
    current_drafts(invoices, day)
    invoices.sort(key=lambda invoice: (invoice.is_clean, invoice.waiting_since or invoice.created_at, invoice.pk))
    rows = rows_of(actor, invoices, day)
    for row, invoice in zip(rows, invoices, strict=True):
        row.plus(checks=findings_for(actor, invoice.checks))
    return rows


def get_draft(actor: Actor, invoice: Invoice, on: date) -> Row:
    """One draft as it would be issued ``on``. The caller has made sure that the actor may see it."""
    (draft,), around = current_drafts([invoice], on)
    facts = around.facts[invoice.account_id]
    terms = around.terms.get(invoice.terms_id) if invoice.terms_id else None
    row = rows_of(actor, [invoice], on)[0]
    may_know = actor.reads
    return row.plus(
        checks=findings_for(actor, invoice.checks),
        sources={name: source for name, source in invoice.sources.items() if name not in row.closed},
        touched=invoice.touched,
        terms_title=terms.name if terms and "terms" in may_know else "",
        taxes=taxes_for(actor, draft.invoice),
        party={"legal_name": facts.party.legal_name} if "identity" in may_know else {},
        **(shown_draft_plan(draft.invoice, terms, on) if "pricing" in may_know else NO_PLAN),
        expected_due_on=due_date(on, terms.rule if terms else None),
        recipients=recipients_for(recipients_of(facts)),
        deal_id=invoice.deal_id,
        named=shown(invoice.reference_values),
    )


def count_drafts_to_review(actor: Actor) -> int:
    """How many drafts wait for this actor."""
    return _waiting().count() if actor.may("invoicing.draft") else 0


def touches(actor: Actor, start: date, end: date) -> tuple[Decimal, int]:
    """How many fields a person changed between win and send, on average, and over how many documents of won deals.

    For documents issued from ``start`` until before ``end``. The goal is none: nothing is retyped.
    """
    if not actor.may("invoicing.see"):
        return Decimal(0), 0
    count = RawSQL("jsonb_array_length(touched)", [])
    found = Invoice.objects.filter(
        origin=Origin.DEAL, status=InvoiceStatus.ISSUED, issued_on__gte=start, issued_on__lt=end
    ).aggregate(mean=Avg(count), documents=Count("id"))
    return Decimal(found["mean"] or 0).quantize(Decimal("0.01")), found["documents"]
