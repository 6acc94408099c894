"""One document, lists of documents, and what customers owe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.access.projection import Row, project_one
from counterfoil.accounts.queries import account_titles
from counterfoil.activities.models import Mail
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.core.text import normalised_name
from counterfoil.documents.models import StoredFile
from counterfoil.invoicing.models import IS_OPEN, OWED, DocumentKind, Invoice, InvoiceStatus
from counterfoil.invoicing.queries.crediting import credits_of
from counterfoil.invoicing.queries.due import NO_PLAN, shown_plan
from counterfoil.invoicing.queries.review import get_draft
from counterfoil.invoicing.queries.rows import INVOICE, findings_for, rows_of, taxes_for
from counterfoil.invoicing.references import shown
from counterfoil.ledger.days import today_of
from counterfoil.ledger.queries import zone_of
from counterfoil.plumbing.fields import AmountField

OPEN_MAX = 1000
_SORTS = {
    "number": "number", "issued_on": "issued_on", "due_on": "due_on", "total": "total", "created_at": "created_at",
    "account": "account__sort_key", "waiting_since": "waiting_since",
}  # fmt: skip
_LINKS = ("account", "payer", "entity", "sales_owner", "invoiced_account", "send_to")
_WORDS = ("status", "kind", "origin", "currency", "is_clean", "disputed")
_RANGES = ("issued_on", "due_on", "total")


@dataclass(frozen=True)
class Found:
    """A page of documents, how many there are, and the sums of total and open by currency over all of them."""

    rows: list[Row]
    count: int
    totals: dict[str, Money]
    opens: dict[str, Money]


def local_today() -> date:
    """The day at our main company."""
    return today_of(None)


def day_of(invoice_id: UUID, at: datetime) -> date:
    """The day at the company that issues this document, which is the day that the document bears."""
    entity_id = Invoice.objects.filter(id=invoice_id).values_list("entity_id", flat=True).first()
    return at.astimezone(ZoneInfo(zone_of(entity_id))).date() if entity_id else local_today()


# Lists ----------------------------------------------------------------------------------------------------------------


def list_invoices(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "-issued_on",
    offset: int = 0,
    limit: int = 50,
    today: date | None = None,
) -> Found:
    """Documents filtered by ``state`` (a word of ``rules/status``), account, payer, owner, entity, dates and
    amounts.
    """
    if not actor.may("invoicing.see"):
        return Found([], 0, {}, {})
    on = today or local_today()
    invoices = _filtered(Invoice.objects.all(), filters or {}, on)
    if text:
        names = Q(invoiced_account__normalised_name__contains=normalised_name(text) or text.lower())
        invoices = invoices.filter(Q(number__icontains=text) | Q(po_number__icontains=text) | names)
    order = F(_SORTS.get(sort.removeprefix("-"), "issued_on"))
    direction = order.desc(nulls_first=True) if sort.startswith("-") else order.asc(nulls_last=True)
    page = list(invoices.order_by(direction, "-id")[offset : offset + limit])
    owed = Sum(_signed(OWED), filter=Q(status=InvoiceStatus.ISSUED), default=Decimal(0))
    totals = Sum(_signed(F("total")), default=Decimal(0))
    sums = list(invoices.order_by().values_list("currency").annotate(Count("id"), totals=totals, owed=owed))
    may_know = "pricing" in actor.reads
    return Found(
        rows_of(actor, page, on),
        sum(count for _, count, _, _ in sums),
        {currency: Money.exact(total, currency) for currency, _, total, _ in sums} if may_know else {},
        {currency: Money.exact(left, currency) for currency, _, _, left in sums} if may_know else {},
    )


def _signed(amount: Any) -> Case:
    """Credit notes count against invoices in a sum."""
    return Case(When(kind=DocumentKind.CREDIT_NOTE, then=-amount), default=amount, output_field=AmountField())


def invoices_after(
    actor: Actor, *, after: UUID | None, take: int, filters: Mapping[str, Any] | None = None, today: date | None = None
) -> list[Row]:
    """The documents with an id above ``after``, oldest first: a page by cursor. Filters as in ``list_invoices``."""
    if not actor.may("invoicing.see"):
        return []
    on = today or local_today()
    invoices = _filtered(Invoice.objects.order_by("id"), filters or {}, on)
    return rows_of(actor, list((invoices.filter(id__gt=after) if after else invoices)[:take]), on)


def _filtered(invoices: QuerySet[Invoice], filters: Mapping[str, Any], today: date) -> QuerySet[Invoice]:
    for name, value in filters.items():
        if name == "state":
            wanted = Q()
            for state in value:
                wanted |= _state_is(state, today)
            invoices = invoices.filter(wanted)
        elif name in _LINKS or name in _WORDS:
            invoices = invoices.filter(**{f"{name}__in": value})
        elif name == "deal":
            invoices = invoices.filter(deal_id__in=value)
        elif name in _RANGES:
            start, end = value
            limits = {f"{name}__gte": start, f"{name}__lte": end}
            invoices = invoices.filter(**{key: limit for key, limit in limits.items() if limit is not None})
    return invoices


def _state_is(state: str, today: date) -> Q:
    """The condition of a worked-out state: the same as ``rules/status.status_of``, in SQL."""
    issued = Q(status=InvoiceStatus.ISSUED)
    note = Q(kind=DocumentKind.CREDIT_NOTE)
    credited = Q(credited__gt=0, settled=0)
    unpaid = issued & IS_OPEN & ~note
    if state == "applied":
        return issued & note & ~IS_OPEN
    if state == "credited":
        return issued & ~note & ~IS_OPEN & credited
    if state == "paid":
        return issued & ~note & ~IS_OPEN & ~credited
    if state == "overdue":
        return unpaid & Q(due_on__lt=today)
    if state == "part_paid":
        return unpaid & Q(due_on__gte=today) & (Q(settled__gt=0) | Q(credited__gt=0))
    if state == "issued":
        return (unpaid & Q(due_on__gte=today, settled=0, credited=0)) | (issued & note & IS_OPEN)
    return Q(status=state)


def invoices_of_deals(actor: Actor, deal_ids: Sequence[UUID], today: date | None = None) -> dict[UUID, list[Row]]:
    """The documents of each deal, newest first, with ``state`` and ``open``: what became of the handoff."""
    if not actor.may("invoicing.see"):
        return {}
    invoices = list(Invoice.objects.filter(deal_id__in=list(deal_ids)).order_by("-created_at", "-id"))
    found: dict[UUID, list[Row]] = {}
    for row, invoice in zip(rows_of(actor, invoices, today or local_today()), invoices, strict=True):
        assert invoice.deal_id is not None
        found.setdefault(invoice.deal_id, []).append(row)
    return found


def open_invoices_of_payer(actor: Actor, payer_id: UUID, currency: str = "", today: date | None = None) -> list[Row]:
    """What a payer owes, the first due first."""
    if not actor.may("invoicing.see"):
        return []
    invoices = _open().filter(payer=payer_id)
    if currency:
        invoices = invoices.filter(currency=currency)
    found = invoices.order_by("due_on", "issued_on", "number")[:OPEN_MAX]
    return rows_of(actor, list(found), today or local_today())


def last_invoices_of(actor: Actor, account_id: UUID, limit: int = 5, today: date | None = None) -> list[Row]:
    """The newest drafts and documents that an account bought, was invoiced for or pays."""
    if not actor.may("invoicing.see"):
        return []
    mine = Q(account=account_id) | Q(invoiced_account=account_id) | Q(payer=account_id)
    found = Invoice.objects.filter(mine).order_by(F("issued_on").desc(nulls_first=True), "-id")[:limit]
    return rows_of(actor, list(found), today or local_today())


def titles_of(actor: Actor, ids: Iterable[str]) -> dict[str, str]:
    """The names of accounts and colleagues by their ids, for filters. What is no id has no name."""
    wanted = []
    for one in ids:
        with suppress(ValueError):
            wanted.append(UUID(one))
    found = {str(pk): name for pk, name in User.objects.filter(id__in=wanted).values_list("id", "name")}
    if actor.may("accounts.see"):
        found |= {str(pk): title for pk, title in account_titles(wanted).items()}
    return found


# What is owed ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Balance:
    """What an account owes in one currency, how much of it is overdue, and how many documents are open."""

    open: Money
    overdue: Money
    count: int


def account_balances(actor: Actor, account_ids: Iterable[UUID], today: date | None = None) -> dict[UUID, list[Balance]]:
    """Open and overdue by payer and currency."""
    if not actor.may("invoicing.see") or "pricing" not in actor.reads:
        return {}
    on = today or local_today()
    late = Case(When(due_on__lt=on, then=OWED), default=Value(Decimal(0)))
    rows = (
        _open()
        .filter(payer__in=list(account_ids))
        .values_list("payer_id", "currency")
        .annotate(owed=Sum(OWED), late=Sum(late), documents=Count("id"))
        .order_by("currency")
    )
    found: dict[UUID, list[Balance]] = {}
    for payer_id, currency, owed, overdue, documents in rows:
        balance = Balance(Money.exact(owed, currency), Money.exact(overdue, currency), documents)
        found.setdefault(payer_id, []).append(balance)
    return found


def _open() -> QuerySet[Invoice]:
    return Invoice.objects.filter(IS_OPEN, status=InvoiceStatus.ISSUED, kind=DocumentKind.INVOICE)


# One document ---------------------------------------------------------------------------------------------------------


def get_invoice(actor: Actor, invoice_id: UUID, today: date | None = None) -> Row:
    """One document with ``state``, ``checks``, ``sources``, ``taxes``, ``party``, ``touched``, ``instalments``,
    ``early_discount``, ``mails``, ``pdf_id`` and ``pdf_hash``; raises ``NotFound``.

    A draft is shown as it would be issued ``today``: with what its account says now.
    """
    invoice = Invoice.objects.select_related("terms").filter(id=invoice_id).first()
    if invoice is None or not actor.may("invoicing.see"):
        raise NotFound()
    on = today or local_today()
    if invoice.status == InvoiceStatus.DRAFT:
        return get_draft(actor, invoice, on).plus(mails=[], pdf_id=None, pdf_hash="", credits=[])
    row = rows_of(actor, [invoice], on)[0]
    return row.plus(
        checks=findings_for(actor, invoice.checks),
        sources={name: source for name, source in invoice.sources.items() if name not in row.closed},
        touched=invoice.touched,
        credits=credits_of(actor, invoice.pk),
        terms_title=invoice.terms.name if invoice.terms and "terms" in actor.reads else "",
        taxes=taxes_for(actor, invoice),
        party=(invoice.party or {}) if "identity" in actor.reads else {},
        **(shown_plan(invoice) if "pricing" in actor.reads else NO_PLAN),
        expected_due_on=None,
        recipients=[],
        pdf_id=invoice.pdf_id,
        pdf_hash=_hash_of(invoice.pdf_id),
        mails=mails_of(actor, invoice.pk),
        deal_id=invoice.deal_id,
        named=shown(invoice.reference_values, invoice.reference_facts),
    )


def _hash_of(file_id: UUID | None) -> str:
    """The SHA-256 of the stored document, by which anybody can tell it from another one."""
    return StoredFile.objects.filter(id=file_id).values_list("sha256", flat=True).first() or "" if file_id else ""


def mails_of(actor: Actor, invoice_id: UUID) -> list[dict[str, Any]]:
    """The mails that carried the document, newest first, with the state per recipient."""
    if not actor.may("invoicing.see"):
        return []
    mails = Mail.objects.filter(record_id=invoice_id).prefetch_related("recipients").order_by("-created_at")
    return [
        {
            "id": mail.pk,
            "state": mail.state,
            "subject": mail.subject,
            "at": mail.sent_at or mail.created_at,
            "error": mail.last_error,
            "recipients": [
                {"line": one.line, "name": one.name, "address": one.address, "state": one.state, "answer": one.answer}
                for one in sorted(mail.recipients.all(), key=lambda one: (one.line != "to", one.pk))
            ],
        }
        for mail in mails
    ]


def document_file(actor: Actor, invoice_id: UUID) -> tuple[str, bytes]:
    """Name and bytes of the stored document; raises ``NotFound`` while there is none."""
    invoice = Invoice.objects.select_related("pdf").filter(id=invoice_id).first()
    project_one(actor, INVOICE, invoice)
    if invoice is None or invoice.pdf is None:
        raise NotFound(
            "There is no file of this document: it is a draft, it is being printed, or it came from elsewhere."
        )
    return f"{invoice.number}.pdf", bytes(invoice.pdf.content)
