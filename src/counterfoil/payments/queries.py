"""Payments, and money that is not allocated, for those who may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet, Sum

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.accounts.queries import account_titles, default_currency
from counterfoil.core.money import Money
from counterfoil.invoicing.models import IS_OPEN, DocumentKind, Invoice, InvoiceStatus
from counterfoil.invoicing.queries import get_invoice, local_today, open_invoices_of_payer
from counterfoil.ledger.models import LegalEntity
from counterfoil.payments.models import Allocation, Allowance, Payment, PaymentStatus
from counterfoil.payments.open_invoices import known_invoices
from counterfoil.payments.rules.allocating import oldest_first

PAYMENT = "payments.payment"
_SORTS = {"received_on": "received_on", "amount": "amount", "created_at": "created_at"}


@dataclass(frozen=True)
class Found:
    """A page of payments, how many there are in all, and their sums by currency."""

    rows: list[Row]
    count: int
    sums: Mapping[str, Money] = field(default_factory=dict)
    unallocated: Mapping[str, Money] = field(default_factory=dict)


@dataclass(frozen=True)
class ShownShare:
    """So much of a payment for one invoice, with the payment as the actor may see it.

    ``allowance`` is what the early payment was spared.
    """

    allocation_id: UUID
    payment: Row
    share: Money
    allocated_on: date
    is_undone: bool
    allowance: Money


def list_payments(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "-received_on",
    only_unallocated: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Payments, the newest first. The sums count money that is there, not what failed or was undone."""
    found = Payment.objects.all() if actor.may("payments.see") else Payment.objects.none()
    for name, value in (filters or {}).items():
        found = _filtered(found, name, value)
    if only_unallocated:
        found = found.filter(status=PaymentStatus.RECEIVED, allocated__lt=F("amount"))
    if text:
        found = found.filter(_matches(text))
    column = _SORTS.get(sort.lstrip("-"), "received_on")
    sign = "-" if sort.startswith("-") else ""
    page = found.order_by(f"{sign}{column}", f"{sign}id")[offset : offset + limit]
    return Found(_rows(actor, page), found.count(), *_sums(found))


def _filtered(found: QuerySet[Payment], name: str, value: Any) -> QuerySet[Payment]:
    if name in ("status", "method", "payer", "currency", "entity"):
        return found.filter(**{f"{name}__in": value})
    if name in ("received_on", "amount"):
        start, end = value
        found = found.filter(**{f"{name}__gte": start}) if start is not None else found
        return found.filter(**{f"{name}__lte": end}) if end is not None else found
    return found


def _matches(text: str) -> Q:
    """The reference, the note, the other system's number, the payer's name, or the number of an invoice it settled."""
    settles = Allocation.objects.filter(payment=OuterRef("pk"), invoice__number__iexact=text)
    matches = Q(reference__icontains=text) | Q(note__icontains=text) | Q(external_id=text) | Q(Exists(settles))
    return matches | Q(payer__legal_name__icontains=text) | Q(payer__trading_name__icontains=text)


def _sums(found: QuerySet[Payment]) -> tuple[dict[str, Money], dict[str, Money]]:
    rows = (
        found.filter(status=PaymentStatus.RECEIVED)
        .order_by()
        .values_list("currency")
        .annotate(total=Sum("amount"), rest=Sum(F("amount") - F("allocated")))
    )
    known = list(rows)
    totals = {currency: Money.exact(total, currency) for currency, total, _ in known}
    return totals, {currency: Money.exact(rest, currency) for currency, _, rest in known if rest}


def payments_after(actor: Actor, *, after: UUID | None, take: int, filters: Mapping[str, Any]) -> list[Row]:
    """Payments in the order of their ids, for the API."""
    found = Payment.objects.all() if actor.may("payments.see") else Payment.objects.none()
    for name, value in filters.items():
        found = _filtered(found, name, value)
    if after is not None:
        found = found.filter(id__gt=after)
    return _rows(actor, found.order_by("id")[:take])


def get_payment(actor: Actor, payment_id: UUID) -> Row:
    """One payment with its allocations; raises ``NotFound``."""
    payment = _with_parts(Payment.objects.filter(id=payment_id)).first()
    project_one(actor, PAYMENT, payment)
    assert payment is not None
    return _projected(actor, [payment])[0]


def payments_of_invoice(actor: Actor, invoice_id: UUID) -> list[ShownShare]:
    """What money settled an invoice, the newest first. A counter-entry shows as its allocation being undone."""
    allocations = list(
        Allocation.objects.filter(invoice=invoice_id, undoes=None).order_by("-id").select_related("undone_by")
    )
    rows = {row.id: row for row in _rows(actor, Payment.objects.filter(id__in={one.payment_id for one in allocations}))}
    spared = dict(
        Allowance.objects.filter(invoice=invoice_id, undoes=None, undone_by=None)
        .order_by()
        .values_list("allocation")
        .annotate(amount=Sum("amount"))
    )
    return [
        _shown(one, rows[one.payment_id], spared.get(one.pk, Decimal(0)))
        for one in allocations
        if one.payment_id in rows
    ]


def payments_of_account(actor: Actor, account_id: UUID, *, limit: int = 6) -> list[Row]:
    """The newest payments of a payer, and those of others that settled an invoice of this account."""
    settles = Allocation.objects.filter(payment=OuterRef("pk"), invoice__account=account_id)
    found = Payment.objects.filter(Q(payer=account_id) | Q(Exists(settles)))
    return _rows(actor, found.order_by("-received_on", "-id")[:limit])


def unallocated(actor: Actor, account_ids: Iterable[UUID]) -> dict[UUID, list[Row]]:
    """The payments of each payer that are not allocated whole, the oldest first."""
    found = Payment.objects.filter(
        payer__in=set(account_ids), status=PaymentStatus.RECEIVED, allocated__lt=F("amount")
    ).order_by("received_on", "id")
    by_payer: dict[UUID, list[Row]] = {}
    for row in _rows(actor, found):
        by_payer.setdefault(row.payer, []).append(row)
    return by_payer


def payers_with_credit(payer_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the payers of whom any money is left over, for the jobs that let it pay new invoices."""
    left = Payment.objects.filter(status=PaymentStatus.RECEIVED, allocated__lt=F("amount"))
    return set(left.filter(payer__in=list(payer_ids)).values_list("payer_id", flat=True))


def credit(rows: Iterable[Row]) -> dict[str, Money]:
    """What the payments have left, by currency."""
    sums: dict[str, Money] = {}
    for row in rows:
        rest: Money = row.unallocated
        sums[rest.currency] = sums.get(rest.currency, Money.zero(rest.currency)) + rest
    return sums


def failed_payments_paid_again(invoice_id: UUID) -> list[UUID]:
    """Failed payments that had settled this invoice, and whose invoices are all paid by now. For other rooms'
    commands.
    """
    failed = Payment.objects.filter(
        status__in=(PaymentStatus.FAILED, PaymentStatus.BOUNCED), allocations__invoice=invoice_id
    )
    still_open = Allocation.objects.filter(
        payment=OuterRef("pk"),
        invoice__status=InvoiceStatus.ISSUED,
        invoice__settled__lt=F("invoice__total") - F("invoice__credited"),
    )
    return list(failed.exclude(Exists(still_open)).distinct().order_by("id").values_list("id", flat=True))


# What a form begins with --------------------------------------------------------------------------------------------


def beginning(actor: Actor, *, invoice_id: UUID | None, payer_id: UUID | None, on: date) -> dict[str, Any]:
    """The values of a new payment: of an invoice all that is open, of a payer the currency of what it owes."""
    values: dict[str, Any] = {"received_on": on, "method": "transfer", "currency": default_currency()}
    if invoice_id is not None:
        invoice = get_invoice(actor, invoice_id)
        payer_id = Invoice.objects.values_list("payer_id", flat=True).get(pk=invoice_id)
        values |= {"amount": invoice.open, "currency": invoice.currency, "entity": invoice.entity}
        values["reference"] = invoice.number
    if payer_id is not None:
        values["payer"] = payer_id
        values["payer_title"] = account_titles([payer_id]).get(payer_id, "")
        if invoice_id is None:
            values |= _currency_of(payer_id)
    return values


def _currency_of(payer_id: UUID) -> dict[str, Any]:
    """The currency and company of what a payer owes longest."""
    first = (
        Invoice.objects.filter(IS_OPEN, payer=payer_id, status=InvoiceStatus.ISSUED, kind=DocumentKind.INVOICE)
        .order_by("due_on", "number")
        .values("currency", "entity_id")
        .first()
    )
    return {"currency": first["currency"], "entity": first["entity_id"]} if first else {}


def payable_invoices(
    actor: Actor, payer_id: UUID, *, currency: str, entity_id: UUID | None = None, invoice_id: UUID | None = None
) -> list[Row]:
    """The open invoices that money of a payer may settle, the first due first; ``invoice_id`` is one more of them."""
    rows = [
        row for row in open_invoices_of_payer(actor, payer_id, currency) if entity_id is None or row.entity == entity_id
    ]
    if invoice_id is not None and all(row.id != invoice_id for row in rows):
        named = get_invoice(actor, invoice_id)
        rows += [named] if named.currency == currency else []
    return rows


def oldest_shares(rows: Sequence[Row], amount: Decimal, received_on: date | None = None) -> dict[UUID, Decimal]:
    """The amount over open invoices in the order of their due days, as ``record_payment`` would spread it."""
    owed = {row.id: row.open.amount for row in rows if isinstance(row.open, Money)}
    invoices = known_invoices(owed)
    left = {invoice_id: owed[invoice_id] for invoice_id in invoices}
    on = received_on or local_today()
    return {share.invoice_id: share.amount for share in oldest_first(amount, invoices.values(), left, on)}


def companies(actor: Actor) -> list[tuple[UUID, str]]:
    """Our own companies that may receive money, the default one first."""
    if not actor.may("payments.see"):
        return []
    found = LegalEntity.objects.filter(is_active=True).order_by("-is_default", "name")
    return list(found.values_list("id", "name"))


# Rows ---------------------------------------------------------------------------------------------------------------


def _shown(one: Allocation, row: Row, spared: Decimal) -> ShownShare:
    return ShownShare(
        allocation_id=one.pk,
        payment=row,
        share=Money.exact(one.amount, one.currency),
        allocated_on=one.allocated_on,
        is_undone=hasattr(one, "undone_by"),
        allowance=Money.exact(spared, one.currency),
    )


def _with_parts(found: QuerySet[Payment]) -> QuerySet[Payment]:
    parts = Allocation.objects.select_related("invoice", "undone_by").order_by("id")
    return found.prefetch_related(Prefetch("allocations", queryset=parts))


def _rows(actor: Actor, found: QuerySet[Payment]) -> list[Row]:
    return _projected(actor, list(_with_parts(found)))


def _projected(actor: Actor, payments: Sequence[Payment]) -> list[Row]:
    rows = project(actor, PAYMENT, payments)
    payers = account_titles(payment.payer_id for payment in payments) if rows else {}
    entities = dict(LegalEntity.objects.values_list("id", "name")) if rows else {}
    for row, payment in zip(rows, payments, strict=False):
        live = [one for one in payment.allocations.all() if one.undoes_id is None and not hasattr(one, "undone_by")]
        row.plus(
            payer_title=payers.get(payment.payer_id, ""),
            entity_title=entities.get(payment.entity_id, ""),
            settles=", ".join(dict.fromkeys(one.invoice.number for one in live)),
            is_live=payment.status == PaymentStatus.RECEIVED,
        )
    return rows
