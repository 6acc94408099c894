"""Payments on the screen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from counterfoil.access.requests import Request
from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.ids import new_id, parse_id
from counterfoil.core.money import Money
from counterfoil.ledger.queries import default_zone
from counterfoil.payments import commands, queries
from counterfoil.payments.shares import clean_shares
from counterfoil.plumbing import clock
from counterfoil.surface import export
from counterfoil.surface.forms import Typed, plain_number, record_form, values_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, amount

KEY = "payments.payment"
NEW = ("payer", "amount", "currency", "method", "received_on", "entity", "reference", "note")
READ_OR_SAVE = ["GET", "HEAD", "POST"]
Shares = list[tuple[UUID, Decimal]] | Literal["oldest"]


@require_GET
def payments(request: Request) -> HttpResponseBase:
    listing = Listing(
        KEY,
        request.GET,
        columns=["received_on", "payer", "amount", "method", "status", "reference"],
        filters=["status", "method", "payer", "received_on", "amount"],
        sorts=["received_on", "amount", "created_at"],
        extra=[amount("unallocated", "Unallocated")],
        sort="-received_on",
        empty=Empty(
            "No payments yet",
            "Money that customers sent, and which invoices it settles.",
            "Record payment" if request.actor.may("payments.record") else "",
            reverse("payments:record"),
            "banknote",
        ),
    )
    only = "unallocated" in request.GET
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
    context = {"listing": listing.filled(found.rows, count=found.count, sums=dict(found.sums)), "only": only}
    return page(request, "payments/payments.html", context)


def _id(raw: str | None) -> UUID | None:
    return parse_id(raw) if raw else None


@require_http_methods(READ_OR_SAVE)
def record(request: Request) -> HttpResponse:
    """Record money: from an invoice filled in whole, from an account with its open invoices, or from nothing.

    The form carries a key of its own, so that sending it twice records one payment.
    """
    on = clock.today(default_zone())
    invoice_id, account_id = _id(request.GET.get("invoice")), _id(request.GET.get("account"))
    values = queries.beginning(request.actor, invoice_id=invoice_id, payer_id=account_id, on=on)
    form = record_form(KEY, values=Typed(_plain(values)), only=NEW, writable=request.actor.writes,
                       titles={"payer": values.get("payer_title", "")})  # fmt: skip
    request_key = str(new_id())
    status = 200
    shown: Any = None
    if request.method == "POST":
        typed = values_from(request.POST, KEY, only=NEW)
        request_key = request.POST.get("request_key", request_key)[:100]
        try:
            payment_id = commands.record_payment(
                actor=request.actor, values=typed, allocations=_shares(request), on=on, at=clock.now(),
                request_key=request_key,
            )  # fmt: skip
            say(request, "The payment is recorded.", undo=reverse("payments:undo", args=[payment_id]))
            back = reverse("invoicing:invoice", args=[invoice_id]) if invoice_id else ""
            return go(request, back or reverse("payments:payment", args=[payment_id]))
        except Refusal as refusal:
            status, shown = refusal.status, refusal
            form = record_form(
                KEY, typed=typed, only=NEW, problems=_at_the_form(refusal), writable=request.actor.writes
            )
            values = {**values, "payer": _known(typed.get("payer")), "currency": typed.get("currency")}
    context = {
        "form": form,
        "request_key": request_key,
        "invoices": _open(request, values.get("payer"), str(values.get("currency") or ""), invoice_id),
        "invoice_id": invoice_id,
        "action": request.get_full_path(),
        "refusal": shown,
    }
    return page(request, "payments/record.html", context, status=status)


def _known(raw: Any) -> UUID | None:
    try:
        return UUID(str(raw))
    except ValueError:
        return None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.amount if isinstance(value, Money) else value for name, value in values.items() if name in NEW}


def _at_the_form(refusal: Refusal) -> list[Problem]:
    """Problems of single invoices stand above the form, since their inputs are no fields of the record."""
    return [
        problem if problem.field in NEW else Problem("", problem.code, problem.message) for problem in refusal.problems
    ]


def _open(request: Request, payer: Any, currency: str, invoice_id: UUID | None) -> list[dict[str, Any]]:
    """The payer's open invoices with what is proposed for each."""
    if not payer or not currency:
        return []
    rows = queries.payable_invoices(request.actor, payer, currency=currency, invoice_id=invoice_id)
    found = []
    for row in rows:
        raw = request.POST.get(f"share-{row.id}")
        proposed = str(row.open.amount) if row.id == invoice_id and isinstance(row.open, Money) else ""
        found.append({"row": row, "share": raw if raw is not None else proposed})
    return found


def _shares(request: Request) -> Shares:
    """What the form says each invoice gets; nothing said at all means the oldest first, if that box is ticked."""
    if request.POST.get("oldest"):
        return "oldest"
    typed = [
        {"invoice": name.removeprefix("share-"), "amount": plain_number(str(value))}
        for name, value in request.POST.items()
        if name.startswith("share-") and str(value).strip()
    ]
    return clean_shares(typed)


@require_GET
def shares(request: Request) -> HttpResponse:
    """The open invoices of the payer that was just chosen."""
    payer = _known(request.GET.get("payer"))
    invoices = _open(request, payer, request.GET.get("currency", "")[:3].upper(), _id(request.GET.get("invoice")))
    return page(request, "payments/shares.html", {"invoices": invoices})


@require_GET
def payment(request: Request, payment_id: UUID) -> HttpResponse:
    row = queries.get_payment(request.actor, payment_id)
    may_record = request.actor.may("payments.record") and row.status == "received"
    return page(request, "payments/payment.html", {"payment": row, "may_record": may_record})


@require_http_methods(READ_OR_SAVE)
def allocate(request: Request, payment_id: UUID) -> HttpResponse:
    """Let what is left of a payment settle further invoices."""
    row = queries.get_payment(request.actor, payment_id)
    problems: tuple[Problem, ...] = ()
    status = 200
    if request.method == "POST":
        try:
            commands.allocate_payment(
                actor=request.actor, payment_id=payment_id, allocations=_shares(request),
                on=clock.today(default_zone()), at=clock.now(),
            )  # fmt: skip
            say(request, "Allocated.")
            return go(request, reverse("payments:payment", args=[payment_id]))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
    context = {
        "payment": row,
        "invoices": _open(request, row.payer, row.currency, None),
        "problems": problems,
    }
    return page(request, "payments/allocate.html", context, status=status)


@require_POST
def undo(request: Request, payment_id: UUID) -> HttpResponse:
    commands.undo_payment(
        actor=request.actor, payment_id=payment_id, on=clock.today(default_zone()), at=clock.now(),
        reason=request.POST.get("reason", ""),
    )  # fmt: skip
    say(request, "The payment was undone by a counter-entry.")
    return go(request, reverse("payments:payment", args=[payment_id]))


@require_POST
def fail(request: Request, payment_id: UUID) -> HttpResponse:
    commands.fail_payment(
        actor=request.actor,
        payment_id=payment_id,
        kind="bounced" if request.POST.get("kind") == "bounced" else "failed",
        reason=request.POST.get("reason", ""),
        on=clock.today(default_zone()),
        at=clock.now(),
    )
    say(request, "The invoices owe again, and the account's owner has a task.")
    return go(request, reverse("payments:payment", args=[payment_id]))


@require_POST
def undo_allocation(request: Request, allocation_id: UUID) -> HttpResponse:
    commands.undo_allocation(
        actor=request.actor, allocation_id=allocation_id, on=clock.today(default_zone()), at=clock.now()
    )
    say(request, "The allocation was undone; the money is the payer's credit.")
    back = request.POST.get("payment", "")
    return go(request, reverse("payments:payment", args=[parse_id(back)]) if back else reverse("payments:payments"))


@require_GET
def account_panel(request: Request, account_id: UUID) -> HttpResponse:
    waiting = queries.unallocated(request.actor, [account_id]).get(account_id, [])
    context = {
        "payments": queries.payments_of_account(request.actor, account_id),
        "credit": queries.credit(waiting),
        "account_id": account_id,
        "may_record": request.actor.may("payments.record"),
    }
    return page(request, "payments/account_panel.html", context)


@require_GET
def invoice_panel(request: Request, invoice_id: UUID) -> HttpResponse:
    return page(
        request, "payments/invoice_panel.html", {"shares": queries.payments_of_invoice(request.actor, invoice_id)}
    )
