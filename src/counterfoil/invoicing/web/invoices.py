"""The list of invoices, the page of one, and the panel on an account's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import Refusal
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.web import shown
from counterfoil.ledger.queries import list_entities
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import record_type
from counterfoil.surface import export
from counterfoil.surface.forms import version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, defined_columns, text

COLUMNS = (
    "number", "kind", "invoiced_account", "state", "issued_on", "due_on", "total", "open", "sales_owner", "entity",
    "account", "payer", "po_number", "references", "deal_title",
)  # fmt: skip
SHOWN = ("number", "kind", "invoiced_account", "state", "issued_on", "due_on", "total", "open", "sales_owner")
FILTERS = ("state", "kind", "account", "entity", "sales_owner", "issued_on", "due_on", "total", "currency", "disputed")


@require_safe
def invoices(request: Request) -> HttpResponseBase:
    """All drafts and invoices. The address holds every filter."""
    entities = [(row.id, row.name) for row in list_entities(request.actor)]
    defined = defined_columns(record_type("invoicing.invoice").by_id["reference_values"])
    listing = Listing(
        "invoicing.invoice",
        request.GET,
        columns=[*COLUMNS, *(column.id for column in defined)],
        shown=SHOWN,
        filters=FILTERS,
        sorts=("number", "issued_on", "due_on", "total", "created_at"),
        sort="-issued_on",
        extra=[text("number", "Number", read=lambda row: row.number or "Draft"), *defined],
        options={"entity": entities},
        titles=_titles(request),
        search="Number, customer or PO number",
        empty=Empty(
            "No invoices yet",
            "A won deal makes a draft; issuing it makes an invoice.",
            "New draft" if request.actor.may("invoicing.draft") else "",
            reverse("invoicing:new"),
            "receipt",
        ),
    )
    found = queries.list_invoices(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, rows=found.rows, name="invoices")
    filled = listing.filled(found.rows, count=found.count, sums=found.totals)
    return page(request, "invoicing/invoices.html", {"listing": filled, "opens": found.opens})


def _titles(request: Request) -> dict[str, str]:
    """The names of the records that the address filters by."""
    return queries.titles_of(request.actor, request.GET.getlist("account") + request.GET.getlist("sales_owner"))


@require_safe
def invoice(request: Request, invoice_id: UUID) -> HttpResponse:
    """One document: on one half what was agreed, on the other what was paid."""
    return _invoice_page(request, queries.get_invoice(request.actor, invoice_id))


def _invoice_page(request: Request, row: Row, refusal: Refusal | None = None) -> HttpResponse:
    record_url = shown.address("payments:record")
    is_payable = row.status == "issued" and row.kind == "invoice"
    context: dict[str, Any] = {
        "row": row,
        "steps": _steps(row),
        "refusal": refusal,
        "is_credit_note": row.kind == "credit_note",
        "is_issued": row.status in ("issued", "void"),
        "payments_url": shown.address("payments:invoice_panel", row.id) if row.kind == "invoice" else "",
        "record_url": f"{record_url}?invoice={row.id}" if record_url and is_payable else "",
        "timeline_url": shown.address("activities:timeline", row.key, row.id),
        "account_url": shown.address("accounts:account", row.account),
        "payer_url": shown.address("accounts:account", row.payer) if row.payer else "",
        "invoiced_url": shown.address("accounts:account", row.invoiced_account) if row.invoiced_account else "",
        "deal_url": shown.address("deals:deal", row.deal_id) if row.deal_id else "",
        "sources": shown.values_with_sources(row),
        "lines": shown.lines(row),
        "link": request.build_absolute_uri(reverse("invoicing:invoice", args=[row.id])),
        "disputing": refusal is not None and any(problem.field == "note" for problem in refusal.problems),
        "note": request.POST.get("note", row.dispute_note),
    }
    return page(request, "invoicing/invoice.html", context, status=refusal.status if refusal else 200)


def _steps(row: Row) -> list[dict[str, Any]]:
    """The way of the document: what is done, and where it stands."""
    mails = row.mails
    is_issued = row.status in ("issued", "void")
    is_sent = any(mail["state"] == "sent" for mail in mails)
    steps = [("Draft", True), ("Issued", is_issued)]
    if row.send_requested_at or mails or not is_issued:
        steps.append(("Sent", is_sent))
    if row.state == "void":
        steps.append(("Void", True))
    elif row.kind == "credit_note":
        steps.append(("Used up", row.state == "applied"))
    elif row.state == "credited":
        steps.append(("Credited", True))
    else:
        steps.append(("Part-paid" if row.state == "part_paid" else "Paid", row.state in ("paid", "part_paid")))
    last = max(place for place, (_, done) in enumerate(steps) if done)
    return [{"label": label, "done": done, "is_current": place == last} for place, (label, done) in enumerate(steps)]


@require_POST
def send_again(request: Request, invoice_id: UUID) -> HttpResponse:
    """Ask for another mail with the document."""
    try:
        commands.send_invoices(actor=request.actor, invoice_ids=[invoice_id], at=clock.now())
    except Refusal as refusal:
        return _invoice_page(request, queries.get_invoice(request.actor, invoice_id), refusal)
    say(request, "The invoice is on its way.")
    return go(request, reverse("invoicing:invoice", args=[invoice_id]))


@require_POST
def dispute(request: Request, invoice_id: UUID) -> HttpResponse:
    """Note that the customer disputes the invoice, or that the dispute is over."""
    disputed = request.POST.get("disputed") == "1"
    try:
        commands.dispute_invoice(
            actor=request.actor,
            invoice_id=invoice_id,
            disputed=disputed,
            note=request.POST.get("note", "").strip() if disputed else "",
            version=version_from(request.POST),
        )
    except Refusal as refusal:
        return _invoice_page(request, queries.get_invoice(request.actor, invoice_id), refusal)
    say(request, "Noted as disputed." if disputed else "The dispute is over.")
    return go(request, reverse("invoicing:invoice", args=[invoice_id]))


@require_safe
def account_panel(request: Request, account_id: UUID) -> HttpResponse:
    """What an account owes, and its last documents."""
    context = {
        "account_id": account_id,
        "balances": queries.account_balances(request.actor, [account_id]).get(account_id, []),
        "open": queries.open_invoices_of_payer(request.actor, account_id)[:10],
        "last": queries.last_invoices_of(request.actor, account_id, 5),
        "is_partial": True,
    }
    return page(request, "invoicing/account_panel.html", context)
