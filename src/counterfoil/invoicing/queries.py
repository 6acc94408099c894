"""Drafts and invoices as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When, prefetch_related_objects

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.access.projection import Row, project, project_one
from counterfoil.accounts.queries import account_titles, billing_facts
from counterfoil.accounts.rules.facts import Recipient
from counterfoil.activities.models import Mail
from counterfoil.core.errors import Conflict, NotAllowed, NotFound
from counterfoil.core.money import Money
from counterfoil.core.text import normalised_name
from counterfoil.documents.models import StoredFile
from counterfoil.documents.pdf import render_preview
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.invoicing.computing import Draft, compute, surroundings
from counterfoil.invoicing.drafting import apply_values, follow_account, new_draft, order_of
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceStatus, Series, TaxRate
from counterfoil.invoicing.printing import printed_document, printed_draft
from counterfoil.invoicing.rules.due import due_date
from counterfoil.invoicing.rules.status import status_of
from counterfoil.ledger.models import LegalEntity
from counterfoil.ledger.queries import default_zone
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import clean

INVOICE, TAX_RATE, SERIES = "invoicing.invoice", "invoicing.tax_rate", "invoicing.series"
_SORTS = {
    "number": "number", "issued_on": "issued_on", "due_on": "due_on", "total": "total", "created_at": "created_at",
    "account": "account__sort_key", "waiting_since": "waiting_since",
}  # fmt: skip
_STATES = ("draft", "returned", "issued", "part_paid", "paid", "overdue", "void")


@dataclass(frozen=True)
class Found:
    """A page of documents, how many there are, and the sums of total and open by currency over all of them."""

    rows: list[Row]
    count: int
    totals: dict[str, Money]
    opens: dict[str, Money]


def local_today() -> date:
    """The day at our main company."""
    return clock.today(default_zone())


def day_of(invoice_id: UUID, at: datetime) -> date:
    """The day at the company that issues the document."""
    zone = Invoice.objects.filter(id=invoice_id).values_list("entity__timezone", flat=True).first()
    return at.astimezone(ZoneInfo(zone or default_zone())).date()


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
    """Documents filtered by ``state`` (a word of ``rules/status``), account, payer, owner, entity, dates and amounts."""
    if not actor.may("invoicing.see"):
        return Found([], 0, {}, {})
    on = today or local_today()
    invoices = _filtered(Invoice.objects.all(), filters or {}, on)
    if text:
        names = Q(invoiced_account__normalised_name__contains=normalised_name(text) or text.lower())
        invoices = invoices.filter(Q(number__icontains=text) | Q(po_number__icontains=text) | names)
    order = _SORTS.get(sort.lstrip("-"), "issued_on")
    direction = F(order).desc(nulls_first=True) if sort.startswith("-") else F(order).asc(nulls_last=True)
    page = list(invoices.order_by(direction, "-id")[offset : offset + limit])
    count = 0
    totals: dict[str, Money] = {}
    opens: dict[str, Money] = {}
    issued = Q(status=InvoiceStatus.ISSUED)
    owed = Sum(F("total") - F("settled"), filter=issued, default=Decimal(0))
    sums = invoices.order_by().values_list("currency").annotate(Count("id"), Sum("total"), owed)
    for currency, found, total, left in sums:
        count += found
        totals[currency] = Money.exact(total, currency)
        opens[currency] = Money.exact(left, currency)
    return Found(_rows(actor, page, on), count, totals, opens)


def _filtered(invoices: QuerySet[Invoice], filters: Mapping[str, Any], today: date) -> QuerySet[Invoice]:
    for name, value in filters.items():
        if name == "state":
            wanted = Q()
            for state in value:
                wanted |= _state_is(state, today)
            invoices = invoices.filter(wanted)
        elif name in ("account", "payer", "entity", "sales_owner", "invoiced_account"):
            invoices = invoices.filter(**{f"{name}__in": value})
        elif name == "deal":
            invoices = invoices.filter(deal_id__in=value)
        elif name in ("status", "kind", "origin", "currency") or name in ("is_clean", "disputed"):
            invoices = invoices.filter(**{f"{name}__in": value})
        elif name in ("issued_on", "due_on", "total"):
            start, end = value
            if start is not None:
                invoices = invoices.filter(**{f"{name}__gte": start})
            if end is not None:
                invoices = invoices.filter(**{f"{name}__lte": end})
    return invoices


def _state_is(state: str, today: date) -> Q:
    """The condition of a worked-out state; the same words as ``rules/status.status_of``."""
    issued = Q(status=InvoiceStatus.ISSUED)
    unpaid = issued & Q(settled__lt=F("total"))
    if state == "paid":
        return issued & Q(settled__gte=F("total"))
    if state == "overdue":
        return unpaid & Q(due_on__lt=today)
    if state == "part_paid":
        return unpaid & Q(due_on__gte=today, settled__gt=0)
    if state == "issued":
        return unpaid & Q(due_on__gte=today, settled=0)
    return Q(status=state)


def _rows(actor: Actor, invoices: Sequence[Invoice], today: date) -> list[Row]:
    """Rows with ``state`` and the titles of what they link to, in a fixed number of statements."""
    for invoice in invoices:
        invoice.as_of = today  # type: ignore[attr-defined]  # read by the field ``state``
    rows = project(actor, INVOICE, _with_lines(invoices))
    titles = account_titles(
        account_id
        for invoice in invoices
        for account_id in (invoice.account_id, invoice.invoiced_account_id, invoice.payer_id, invoice.send_to_id)
    )
    entities = dict(LegalEntity.objects.filter(id__in={one.entity_id for one in invoices}).values_list("id", "name"))
    owners = dict(
        User.objects.filter(id__in={one.sales_owner_id for one in invoices if one.sales_owner_id}).values_list(
            "id", "name"
        )
    )
    for row, invoice in zip(rows, invoices, strict=False):
        row.plus(
            state=status_of(invoice.status, invoice.total, invoice.settled, invoice.due_on, today),
            account_title=titles.get(invoice.account_id, ""),
            invoiced_account_title=titles.get(invoice.invoiced_account_id, ""),
            payer_title=titles.get(invoice.payer_id, ""),
            send_to_title=titles.get(invoice.send_to_id, ""),
            entity_title=entities.get(invoice.entity_id, ""),
            sales_owner_title=owners.get(invoice.sales_owner_id, "") if invoice.sales_owner_id else "",
            warnings=sum(check["level"] != "ok" for check in invoice.checks),
            is_blocked=any(check["level"] == "blocking" for check in invoice.checks),
        )
    return rows


def _with_lines(invoices: Sequence[Invoice]) -> Sequence[Invoice]:
    prefetch_related_objects(list(invoices), "lines")
    return invoices


def get_invoice(actor: Actor, invoice_id: UUID, today: date | None = None) -> Row:
    """One document, with ``state``, ``checks``, ``sources``, ``taxes``, ``party``, ``touched``; raises ``NotFound``."""
    invoice = Invoice.objects.select_related("terms").filter(id=invoice_id).first()
    project_one(actor, INVOICE, invoice)
    assert invoice is not None
    on = today or local_today()
    row = _rows(actor, [invoice], on)[0]
    closed = set(row.closed)
    facts = billing_facts([invoice.account_id], on)[invoice.account_id]
    groups = actor.reads
    is_open = invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.RETURNED)
    terms = (
        facts.terms.value
        if is_open and invoice.terms_id == (facts.terms.value.id if facts.terms.value else None)
        else None
    )
    return row.plus(
        checks=[check for check in invoice.checks if _may_know(check["code"], groups)],
        sources={name: source for name, source in invoice.sources.items() if name not in closed},
        touched=invoice.touched,
        terms_title=invoice.terms.name if invoice.terms else "",
        taxes=[
            {
                "label": tax.label,
                "percent": tax.percent,
                "category": tax.category,
                "base": Money.exact(tax.base, invoice.currency),
                "amount": Money.exact(tax.amount, invoice.currency),
                "reason": tax.reason,
            }
            for tax in invoice.taxes.order_by("-percent", "category")
        ]
        if "tax" in groups
        else [],
        party=(invoice.party or {}) if not is_open else {"legal_name": facts.party.legal_name},
        expected_due_on=due_date(on, terms) if terms else None,
        recipients=_recipients(facts.deliverable) if is_open else [],
        pdf_id=invoice.pdf_id,
        pdf_hash=_hash_of(invoice.pdf_id),
        mails=mails_of(actor, invoice.pk),
        deal_id=invoice.deal_id,
    )


def _hash_of(file_id: UUID | None) -> str:
    """The SHA-256 of the stored document, by which anybody can tell it from another one."""
    return StoredFile.objects.filter(id=file_id).values_list("sha256", flat=True).first() or "" if file_id else ""


def _recipients(people: Iterable[Recipient]) -> list[dict[str, Any]]:
    """Who would get the mail: each address once, To before Cc."""
    found: dict[str, Recipient] = {}
    for person in people:
        found.setdefault(person.email.lower(), person)
    return [{"line": person.line, "name": person.name, "email": person.email} for person in found.values()]


def _may_know(code: str, groups: frozenset[str]) -> bool:
    """Findings about a closed group are not told."""
    about = {"no_bank": "bank", "no_own_tax_id": "tax", "tax_undecided": "tax", "no_tax_id": "tax"}
    return about.get(code, "general") in groups


def mails_of(actor: Actor, invoice_id: UUID) -> list[dict[str, Any]]:
    """The mails that carried the document, newest first, with the state per recipient."""
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
                for one in mail.recipients.all()
            ],
        }
        for mail in mails
    ]


def review_queue(actor: Actor, *, limit: int = 500) -> list[Row]:
    """Drafts that wait for review, those with findings first, then the longest waiting."""
    if not actor.may("invoicing.see"):
        return []
    drafts = Invoice.objects.filter(status=InvoiceStatus.DRAFT).order_by("is_clean", "waiting_since", "id")[:limit]
    return _rows(actor, list(drafts), local_today())


def count_drafts_to_review(actor: Actor) -> int:
    """How many drafts wait."""
    return Invoice.objects.filter(status=InvoiceStatus.DRAFT).count() if actor.may("invoicing.draft") else 0


def clean_drafts(actor: Actor) -> int:
    """How many drafts wait on which nothing warns or blocks."""
    return (
        Invoice.objects.filter(status=InvoiceStatus.DRAFT, is_clean=True).count() if actor.may("invoicing.see") else 0
    )


def invoices_of_deals(actor: Actor, deal_ids: Sequence[UUID], today: date | None = None) -> dict[UUID, list[Row]]:
    """The documents of each deal, newest first, with ``state`` and ``open``: what became of the handoff."""
    if not actor.may("invoicing.see"):
        return {}
    invoices = list(Invoice.objects.filter(deal_id__in=list(deal_ids)).order_by("-created_at"))
    found: dict[UUID, list[Row]] = {}
    for row, invoice in zip(_rows(actor, invoices, today or local_today()), invoices, strict=False):
        assert invoice.deal_id is not None
        found.setdefault(invoice.deal_id, []).append(row)
    return found


def open_invoices_of_payer(actor: Actor, payer_id: UUID, currency: str = "", today: date | None = None) -> list[Row]:
    """What a payer owes, the first due first."""
    if not actor.may("invoicing.see"):
        return []
    invoices = Invoice.objects.filter(
        status=InvoiceStatus.ISSUED, kind="invoice", payer=payer_id, settled__lt=F("total")
    )
    if currency:
        invoices = invoices.filter(currency=currency)
    return _rows(actor, list(invoices.order_by("due_on", "issued_on", "number")[:1000]), today or local_today())


def last_invoices_of(actor: Actor, account_id: UUID, limit: int = 5, today: date | None = None) -> list[Row]:
    """The newest drafts and documents that an account bought, was invoiced for or pays."""
    if not actor.may("invoicing.see"):
        return []
    mine = Q(account=account_id) | Q(invoiced_account=account_id) | Q(payer=account_id)
    found = Invoice.objects.filter(mine).order_by(F("issued_on").desc(nulls_first=True), "-id")[:limit]
    return _rows(actor, list(found), today or local_today())


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
    late = Case(When(due_on__lt=on, then=F("total") - F("settled")), default=Value(Decimal(0)))
    rows = (
        Invoice.objects.filter(
            status=InvoiceStatus.ISSUED, kind="invoice", settled__lt=F("total"), payer__in=list(account_ids)
        )
        .values_list("payer_id", "currency")
        .annotate(owed=Sum(F("total") - F("settled")), late=Sum(late), documents=Count("id"))
        .order_by("currency")
    )
    found: dict[UUID, list[Balance]] = {}
    for payer_id, currency, owed, overdue, documents in rows:
        balance = Balance(Money.exact(owed, currency), Money.exact(overdue, currency), documents)
        found.setdefault(payer_id, []).append(balance)
    return found


def preview(actor: Actor, invoice_id: UUID, form: str = "png") -> list[bytes]:
    """The pages of the true document as pictures. A draft is shown as it would be if it were issued today."""
    invoice = Invoice.objects.select_related("terms", "entity").filter(id=invoice_id).first()
    project_one(actor, INVOICE, invoice)
    assert invoice is not None
    lines: list[InvoiceLine] = list(invoice.lines.order_by("position"))
    draft = Draft(invoice, lines, list(invoice.taxes.order_by("-percent")))
    return render_preview(_printed(draft, local_today()), "svg" if form == "svg" else "png")


def _printed(draft: Draft, on: date) -> PrintedInvoice:
    invoice = draft.invoice
    if invoice.party is not None:
        return printed_document(invoice, draft.lines, draft.taxes)
    around = surroundings([invoice.account_id], on)
    return printed_draft(
        invoice,
        draft.lines,
        draft.taxes,
        around.facts[invoice.account_id],
        around.entities[invoice.entity_id],
        around.terms.get(invoice.terms_id) if invoice.terms_id else None,
        on,
    )


@dataclass(frozen=True)
class Preview:
    """The pages of a document that nobody has saved, and the sums that the server works out for it."""

    pages: list[bytes]
    net: Money
    tax: Money
    total: Money


def preview_of_values(
    actor: Actor, invoice_id: UUID | None, values: Mapping[str, Any], at: datetime, form: str = "svg"
) -> Preview:
    """What the document would look like with these values, those of a new draft when there is no ``invoice_id``.

    Cleans and computes as the commands do, and saves nothing. Raises the refusal that saving would raise.
    """
    if not actor.may("invoicing.draft"):
        raise NotAllowed("not_allowed", "You may not make drafts.")
    on = local_today()
    cleaned = clean(INVOICE, values, partial=invoice_id is not None)
    if invoice_id is None:
        around = surroundings([cleaned["account"]], on)
        draft = new_draft(order_of(cleaned, around, actor.name), around, at, actor.name)
        rest = {name: cleaned[name] for name in ("terms", "language", "delivery_channel") if cleaned.get(name)}
        apply_values(draft, rest, around, actor.name)
    else:
        invoice = Invoice.objects.select_related("entity").filter(id=invoice_id).first()
        project_one(actor, INVOICE, invoice)
        assert invoice is not None
        if invoice.status != InvoiceStatus.DRAFT:
            raise Conflict("not_a_draft", f"{invoice.number or 'This draft'} is no draft any more.")
        around = surroundings([invoice.account_id], on)
        draft = Draft(invoice, list(invoice.lines.order_by("position")), [])
        apply_values(draft, cleaned, around, actor.name)
    follow_account(draft, around)
    totals = compute(draft, around)
    pages = render_preview(_printed(draft, on), "svg" if form == "svg" else "png")
    return Preview(pages, totals.net, totals.tax, totals.total)


def document_file(actor: Actor, invoice_id: UUID) -> tuple[str, bytes]:
    """Name and bytes of the stored document; raises ``NotFound`` while there is none."""
    invoice = Invoice.objects.select_related("pdf").filter(id=invoice_id).first()
    project_one(actor, INVOICE, invoice)
    if invoice is None or invoice.pdf is None:
        raise NotFound("The document is being printed. Try again in a moment.")
    return f"{invoice.number}.pdf", bytes(invoice.pdf.content)


def list_tax_rates(actor: Actor) -> list[Row]:
    """All tax rates by company, class and day."""
    rates = list(TaxRate.objects.select_related("entity").order_by("entity__name", "tax_class", "-valid_from"))
    rows = project(actor, TAX_RATE, rates)
    for row, rate in zip(rows, rates, strict=False):
        row.plus(entity_title=rate.entity.name)
    return rows


def get_tax_rate(actor: Actor, rate_id: UUID) -> Row:
    rate = TaxRate.objects.select_related("entity").filter(id=rate_id).first()
    row = project_one(actor, TAX_RATE, rate)
    assert rate is not None
    return row.plus(entity_title=rate.entity.name)


def list_series(actor: Actor) -> list[Row]:
    """All series with the last number taken, ``last``."""
    series = list(Series.objects.select_related("entity").prefetch_related("counters").order_by("entity__name", "kind"))
    rows = project(actor, SERIES, series)
    for row, one in zip(rows, series, strict=False):
        latest = max(one.counters.all(), key=lambda counter: counter.year, default=None)
        row.plus(entity_title=one.entity.name, last=f"{latest.year}: {latest.last}" if latest else "")
    return rows


def get_series(actor: Actor, series_id: UUID) -> Row:
    series = Series.objects.select_related("entity").filter(id=series_id).first()
    row = project_one(actor, SERIES, series)
    assert series is not None
    return row.plus(entity_title=series.entity.name)
