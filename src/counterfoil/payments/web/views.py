"""Payments on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.queries import account_titles
from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.ids import new_id, parse_id
from counterfoil.core.money import Money
from counterfoil.invoicing.queries import get_invoice
from counterfoil.ledger.queries import default_zone
from counterfoil.payments import commands, queries
from counterfoil.payments.models import WAYS_TO_PAY, PaymentMethod
from counterfoil.payments.web.aging import lines_of
from counterfoil.payments.web.split import amount_from, id_from, known_id, shares_from, split_of
from counterfoil.plumbing import clock
from counterfoil.surface import export
from counterfoil.surface.forms import Form, Typed, record_form, values_from
from counterfoil.surface.htmx import go, is_htmx, page, say
from counterfoil.surface.lists import Empty, Listing, amount, text

KEY = "payments.payment"
NEW = ("payer", "amount", "currency", "method", "received_on", "entity", "reference", "note")
READ_OR_SAVE = ["GET", "HEAD", "POST"]
PANEL_ROWS = 6


# The list ------------------------------------------------------------------------------------------------------------


@require_GET
def payments(request: Request) -> HttpResponseBase:
    """Money that came, or only what of it is not allocated. The address holds every filter."""
    only = "unallocated" in request.GET
    listing = Listing(
        KEY,
        request.GET,
        columns=["received_on", "payer", "method", "reference", "settles", "status", "amount", "unallocated"],
        filters=["status", "method", "payer", "received_on", "amount"],
        sorts=["received_on", "amount", "created_at"],
        extra=[amount("unallocated", "Unallocated", read=_rest), text("settles", "Settles")],
        sort="-received_on",
        titles=_titles(request),
        search="Payer, reference or invoice number",
        empty=_empty(request, only),
    )
    found = queries.list_payments(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        only_unallocated=only,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "payments")
    sums = found.unallocated if only else found.sums
    context = {"listing": listing.filled(found.rows, count=found.count, sums=dict(sums)), "only": only}
    return page(request, "payments/payments.html", context)


def _rest(row: Row) -> Money | None:
    """What is not allocated; of most payments nothing is, which is written as a dash."""
    return row.unallocated if row.unallocated.amount else None


def _empty(request: Request, only: bool) -> Empty:
    if only:
        return Empty("Everything is allocated", "Money that settles no invoice yet waits here.", icon="check-check")
    action = "Record payment" if request.actor.may("payments.record") else ""
    hint = "Money that customers sent, and which invoices it settles."
    return Empty("No payments yet", hint, action, reverse("payments:record"), "banknote")


def _titles(request: Request) -> dict[str, str]:
    """The names of the payers that the address filters by."""
    ids = [one for one in map(known_id, request.GET.getlist("payer")) if one is not None]
    return {str(account_id): title for account_id, title in account_titles(ids).items()}


# Recording -----------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def record(request: Request) -> HttpResponse:
    """Record money: from an invoice filled in whole, from an account with its open invoices, or from nothing.

    The form carries a key of its own, so that sending it twice records one payment.
    """
    on = clock.today(default_zone())
    invoice_id, account_id = id_from(request.GET.get("invoice")), id_from(request.GET.get("account"))
    invoice = get_invoice(request.actor, invoice_id) if invoice_id else None
    back = _back(invoice_id, account_id)
    typed: Typed | None = None
    refusal: Refusal | None = None
    request_key = str(new_id())
    if request.method == "POST":
        typed = values_from(request.POST, KEY, only=NEW)
        request_key = request.POST.get("request_key", request_key)[:100]
        try:
            payment_id = commands.record_payment(
                actor=request.actor, values=typed, allocations=shares_from(request.POST), on=on, at=clock.now(),
                request_key=request_key,
            )  # fmt: skip
            say(request, "The payment is recorded.", undo=reverse("payments:undo", args=[payment_id]))
            return go(request, back if invoice_id else reverse("payments:payment", args=[payment_id]))
        except Refusal as refused:
            refusal = refused
    values = queries.beginning(request.actor, invoice_id=invoice_id, payer_id=account_id, on=on)
    shown: Mapping[str, Any] = values if typed is None else typed
    context = {
        "form": _form(request, values, typed, refusal),
        "request_key": request_key,
        "invoice": invoice,
        "action": request.get_full_path(),
        "back": back or reverse("payments:payments"),
        "again": reverse("payments:shares"),
        **split_of(
            request.actor,
            request.POST,
            payer=known_id(shown.get("payer")),
            currency=str(shown.get("currency") or ""),
            entity=known_id(typed.get("entity")) if typed else None,
            amount=amount_from(request.POST),
            invoice_id=invoice_id,
            problems=refusal.problems if refusal else (),
        ),
    }
    return page(request, "payments/record.html", context, status=refusal.status if refusal else 200)


def _back(invoice_id: UUID | None, account_id: UUID | None) -> str:
    if invoice_id:
        return reverse("invoicing:invoice", args=[invoice_id])
    return reverse("accounts:account", args=[account_id]) if account_id else ""


def _form(request: Request, values: dict[str, Any], typed: Typed | None, refusal: Refusal | None) -> Form:
    """The company is asked for only where there are several. An amount that is nothing stays empty."""
    companies = queries.companies(request.actor)
    begin = {name: value.amount or None if isinstance(value, Money) else value for name, value in values.items()}
    return record_form(
        KEY,
        values=begin,
        typed=typed,
        only=[name for name in NEW if name != "entity" or len(companies) > 1],
        options={"entity": companies, "method": list(WAYS_TO_PAY)},
        titles={"payer": values.get("payer_title", "")},
        problems=refusal.problems if refusal else (),
        writable=request.actor.writes,
    )


@require_GET
def shares(request: Request) -> HttpResponse:
    """The open invoices of the payer that was just chosen, and what each gets of the amount typed so far."""
    form = request.GET
    split = split_of(
        request.actor,
        form,
        payer=known_id(form.get("payer")),
        currency=form.get("currency", "")[:3].upper(),
        entity=known_id(form.get("entity")),
        amount=amount_from(form),
        invoice_id=known_id(form.get("invoice")),
    )
    return page(request, "payments/shares.html", {**split, "again": request.path})


# One payment ---------------------------------------------------------------------------------------------------------


@require_GET
def payment(request: Request, payment_id: UUID) -> HttpResponse:
    return _payment_page(request, payment_id)


def _payment_page(request: Request, payment_id: UUID, refusal: Refusal | None = None, asked: str = "") -> HttpResponse:
    """On one half the money, on the other what it settles. ``asked`` is the dialog that a refusal opens again."""
    row = queries.get_payment(request.actor, payment_id)
    may_change = request.actor.may("payments.record") and row.is_live
    context = {
        "payment": row,
        "method": PaymentMethod(row.method).label,
        "allocations": _allocations(row),
        "several_companies": len(queries.companies(request.actor)) > 1,
        "may_change": may_change,
        "may_end": may_change and row.method != PaymentMethod.CREDIT_NOTE,
        "refusal": refusal,
        "asked": asked if may_change else "",
        "kind": request.POST.get("kind", ""),
        "reason": request.POST.get("reason", ""),
    }
    return page(request, "payments/payment.html", context, status=refusal.status if refusal else 200)


def _allocations(row: Row) -> list[dict[str, Any]]:
    """Each allocation, with the counter-entry that took it back."""
    counters = {one["undoes"]: one for one in row.allocations if one["undoes"]}
    return [{**one, "counter": counters.get(one["id"])} for one in row.allocations if not one["undoes"]]


@require_http_methods(READ_OR_SAVE)
def allocate(request: Request, payment_id: UUID) -> HttpResponse:
    """Let what is left of a payment settle further invoices."""
    problems: Sequence[Problem] = ()
    status = 200
    form = request.POST if request.method == "POST" else request.GET
    if request.method == "POST":
        try:
            commands.allocate_payment(
                actor=request.actor, payment_id=payment_id, allocations=shares_from(form),
                on=clock.today(default_zone()), at=clock.now(),
            )  # fmt: skip
            say(request, "Allocated.")
            return go(request, reverse("payments:payment", args=[payment_id]))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    row = queries.get_payment(request.actor, payment_id)
    left = row.unallocated.amount
    context = {
        "payment": row,
        "may_allocate": left > 0,
        "problems": problems,
        **split_of(
            request.actor, form, payer=row.payer, currency=row.currency, entity=row.entity, amount=left,
            problems=problems,
        ),
    }  # fmt: skip
    return page(request, "payments/allocate.html", context, status=status)


@require_POST
def undo(request: Request, payment_id: UUID) -> HttpResponse:
    try:
        commands.undo_payment(
            actor=request.actor, payment_id=payment_id, on=clock.today(default_zone()), at=clock.now(),
            reason=request.POST.get("reason", ""),
        )  # fmt: skip
    except Refusal as refusal:
        if is_htmx(request):
            raise
        return _payment_page(request, payment_id, refusal)
    say(request, "The payment was undone by a counter-entry.")
    return go(request, reverse("payments:payment", args=[payment_id]))


@require_POST
def fail(request: Request, payment_id: UUID) -> HttpResponse:
    try:
        commands.fail_payment(
            actor=request.actor,
            payment_id=payment_id,
            kind=request.POST.get("kind", ""),
            reason=request.POST.get("reason", ""),
            on=clock.today(default_zone()),
            at=clock.now(),
        )
    except Refusal as refusal:
        at_reason = any(problem.field == "reason" for problem in refusal.problems)
        return _payment_page(request, payment_id, refusal, "fail" if at_reason else "")
    say(request, "The invoices owe again, and a follow-up task is open.")
    return go(request, reverse("payments:payment", args=[payment_id]))


@require_POST
def undo_allocation(request: Request, allocation_id: UUID) -> HttpResponse:
    payment_id = parse_id(request.POST.get("payment", ""))
    try:
        commands.undo_allocation(
            actor=request.actor, allocation_id=allocation_id, on=clock.today(default_zone()), at=clock.now(),
            reason=" ".join(request.POST.get("reason", "").split())[:150],
        )  # fmt: skip
    except Refusal as refusal:
        return _payment_page(request, payment_id, refusal)
    say(request, "The allocation was undone; the money is the payer’s credit.")
    return go(request, reverse("payments:payment", args=[payment_id]))


# Panels on other rooms' pages ----------------------------------------------------------------------------------------


@require_GET
def account_panel(request: Request, account_id: UUID) -> HttpResponse:
    """What an account paid last, what of it is not allocated, and what it owes by how late it is."""
    found = queries.payments_of_account(request.actor, account_id, limit=PANEL_ROWS + 1)
    waiting = queries.unallocated(request.actor, [account_id]).get(account_id, [])
    context = {
        "payments": found[:PANEL_ROWS],
        "has_more": len(found) > PANEL_ROWS,
        "credit": list(queries.credit(waiting).values()),
        "account_id": account_id,
        "aging": lines_of(request, account_id),
        "may_record": request.actor.may("payments.record"),
    }
    return page(request, "payments/account_panel.html", context)


@require_GET
def invoice_panel(request: Request, invoice_id: UUID) -> HttpResponse:
    """What settled an invoice, and the money of its payer that could."""
    row = get_invoice(request.actor, invoice_id)
    context = {
        "shares": queries.payments_of_invoice(request.actor, invoice_id),
        "credits": _credits(request, row),
        "may_record": request.actor.may("payments.record"),
    }
    return page(request, "payments/invoice_panel.html", context)


def _credits(request: Request, invoice: Row) -> list[Row]:
    if invoice.status != "issued" or not isinstance(invoice.open, Money) or not invoice.open.amount:
        return []
    payer = invoice.payer or invoice.account
    waiting = queries.unallocated(request.actor, [payer]).get(payer, [])
    return [one for one in waiting if (one.currency, one.entity) == (invoice.currency, invoice.entity)]
