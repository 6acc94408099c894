"""Time and expenses: the lists with their approval, the quick form, and billing what is unbilled."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.http.request import QueryDict
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.queries import account_titles
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import parse_id
from counterfoil.invoicing.queries import local_today
from counterfoil.plumbing import clock
from counterfoil.retainers import commands, queries
from counterfoil.retainers.web.retainers import READ_OR_SAVE, account_from
from counterfoil.surface import export
from counterfoil.surface.forms import Typed, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Bulk, Column, Empty, Listing, amount, text

TIME, EXPENSE = "retainers.time", "retainers.expense"
ENTER = {
    TIME: ["account", "retainer", "day", "hours", "description", "rate", "is_billable"],
    EXPENSE: ["account", "retainer", "day", "amount", "description", "is_billable", "currency", "tax_class"],
}
CHANGE = {
    TIME: [*ENTER[TIME], "currency", "tax_class", "person"],
    EXPENSE: [*ENTER[EXPENSE], "person"],
}
PLACES = {
    TIME: {"list": "retainers:time", "new": "retainers:new_time", "one": "retainers:time_entry",
           "edit": "retainers:edit_time", "approve": "retainers:approve_time", "reject": "retainers:reject_time",
           "waive": "retainers:waive_time", "restore": "retainers:restore_time",
           "word": "time", "one_word": "time", "title": "Time"},
    EXPENSE: {"list": "retainers:expenses", "new": "retainers:new_expense", "one": "retainers:expense",
              "edit": "retainers:edit_expense", "approve": "retainers:approve_expense",
              "reject": "retainers:reject_expense", "waive": "retainers:waive_expense",
              "restore": "retainers:restore_expense", "word": "expenses", "one_word": "an expense",
              "title": "Expenses"},
}  # fmt: skip
SHOWS = ("all", "to_approve", "unbilled")
DECIDED_MAX = 1_000


# The list -------------------------------------------------------------------------------------------------------------


@require_GET
def entries(request: Request, key: str) -> HttpResponseBase:
    """All of it, what waits for approval, or what is approved and unbilled."""
    show = request.GET.get("show", "all")
    show = show if show in SHOWS else "all"
    listing = _listing(request, key, show)
    found = _found(request, key, listing, show, listing.offset, listing.limit)
    if listing.export:
        return export.response(listing, found.rows, PLACES[key]["word"])
    waiting = queries.waiting(request.actor)
    context = {
        "listing": listing.filled(found.rows, count=found.count, sums=dict(found.sums)),
        "show": show,
        "key": key,
        "place": PLACES[key],
        "waiting": waiting,
        "hours": found.hours,
    }
    return page(request, "retainers/entries.html", context)


def _listing(request: Request, key: str, show: str, address: QueryDict | None = None) -> Listing:
    worth: list[Column] = [amount("worth", "Worth")] if key == TIME else []
    figures = ["hours", "worth"] if key == TIME else ["amount"]
    may_approve = show == "to_approve" and request.actor.may("retainers.approve")
    return Listing(
        key,
        address if address is not None else request.GET,
        columns=["description", "day", "account", "person_name", "retainer", *figures, "status", "invoice_title"],
        filters=["status", "account", "day", "is_billable"],
        sorts=["day", "created_at", "hours" if key == TIME else "amount"],
        extra=[*worth, text("invoice_title", "Document", read=_document)],
        sort="-day",
        titles={str(found): title for found, title in account_titles(_named(request)).items()},
        search="Description, person or account",
        empty=_empty(request, key, show),
        bulk=[Bulk("Approve", reverse(PLACES[key]["approve"]), keys="a", kind="primary")] if may_approve else [],
    )


def _found(request: Request, key: str, listing: Listing, show: str, offset: int, limit: int) -> queries.Found:
    filters = dict(listing.filters) | ({"status": ["entered"]} if show == "to_approve" else {})
    return queries.list_entries(
        request.actor,
        key,
        text=listing.text,
        filters=filters,
        sort=listing.sort,
        is_unbilled=show == "unbilled",
        offset=offset,
        limit=limit,
    )


def _document(row: Row) -> str:
    if row.status == "settled" and not row.invoice_title:
        return "the retainer" if row.covered else "nothing to pay"
    return row.invoice_title or ("off its draft" if row.status == "approved" and row.held_at else "")


def _named(request: Request) -> list[UUID]:
    found = []
    for given in request.GET.getlist("account"):
        try:
            found.append(UUID(given))
        except ValueError:
            continue
    return found


def _empty(request: Request, key: str, show: str) -> Empty:
    word = PLACES[key]["word"]
    if show == "to_approve":
        return Empty("Nothing waits for approval", f"What is entered as {word} waits here.", icon="check-check")
    if show == "unbilled":
        return Empty("Everything is billed", "What is approved waits here for a document.", icon="check-check")
    action = ("Enter time" if key == TIME else "Enter an expense") if request.actor.may("retainers.enter") else ""
    hint = "Hours worked for customers." if key == TIME else "What was laid out for customers."
    return Empty(f"No {word} yet", hint, action, reverse(PLACES[key]["new"]), "clock" if key == TIME else "wallet")


# Deciding, billing ----------------------------------------------------------------------------------------------------


@require_POST
def approve(request: Request, key: str) -> HttpResponse:
    """Approve what is selected, or all that the address shows."""
    ids = _selected(request, key)
    count = commands.approve_entries(actor=request.actor, **{_argument(key): ids}, at=clock.now()) if ids else 0
    say(request, f"{count} approved." if count else "Nothing was selected.", kind="success" if count else "info")
    return go(request, _back(request, key))


@require_POST
def reject(request: Request, key: str) -> HttpResponse:
    ids = _selected(request, key)
    try:
        commands.reject_entries(
            actor=request.actor, **{_argument(key): ids}, reason=request.POST.get("reason", ""), at=clock.now()
        )
    except Refusal as refusal:
        if len(ids) != 1:
            raise
        return _entry_page(request, key, ids[0], refusal)
    say(request, "Rejected. Whoever entered it sees the reason.")
    return go(request, _back(request, key))


@require_POST
def waive(request: Request, key: str) -> HttpResponse:
    """Decide that approved entries will not be billed."""
    ids = _selected(request, key)
    reason = request.POST.get("reason", "")
    try:
        count = commands.waive_entries(actor=request.actor, **{_argument(key): ids}, reason=reason)
    except Refusal as refusal:
        if len(ids) != 1:
            raise
        return _entry_page(request, key, ids[0], refusal)
    say(request, f"Not billed: {count}." if count else "Nothing was selected.", kind="success" if count else "info")
    return go(request, _back(request, key))


@require_POST
def restore(request: Request, key: str) -> HttpResponse:
    """Take that back."""
    count = commands.restore_entries(actor=request.actor, **{_argument(key): _selected(request, key)})
    say(request, f"Unbilled again: {count}." if count else "Nothing was selected.", kind="success" if count else "info")
    return go(request, _back(request, key))


def _argument(key: str) -> str:
    return "time_ids" if key == TIME else "expense_ids"


def _selected(request: Request, key: str) -> list[UUID]:
    if request.POST.get("all"):
        found = _found(request, key, _listing(request, key, "to_approve"), "to_approve", 0, DECIDED_MAX)
        return [row.id for row in found.rows]
    return [parse_id(one) for one in dict.fromkeys(request.POST.getlist("ids")[:DECIDED_MAX])]


def _back(request: Request, key: str) -> str:
    one = request.POST.get("one")
    return (
        reverse(PLACES[key]["one"], args=[parse_id(one)]) if one else reverse(PLACES[key]["list"]) + "?show=to_approve"
    )


@require_POST
def bill(request: Request) -> HttpResponse:
    """Bill what is approved: of one account, or of all."""
    given = request.POST.get("account", "")
    account_ids = [parse_id(given)] if given else None
    done = commands.bill_unbilled(actor=request.actor, account_ids=account_ids, on=local_today(), at=clock.now())
    if not done.entries:
        say(request, "Nothing is unbilled.", kind="info")
    else:
        drafts = len(done.invoice_ids)
        made = f"{drafts} draft{'' if drafts == 1 else 's'} wait{'s' if drafts == 1 else ''} in the review queue"
        free = "retainers bore all of it" if done.covered == done.entries else "nothing is left to pay"
        say(request, f"{done.entries} settled: {made if drafts else free}.")
    if len(done.invoice_ids) == 1:
        return go(request, reverse("invoicing:invoice", args=[done.invoice_ids[0]]))
    return go(request, reverse("accounts:account", args=[given]) if given else reverse("retainers:time"))


@require_GET
def subscription_panel(request: Request, subscription_id: UUID) -> HttpResponse:
    """What was approved and goes out with the next document of a subscription."""
    entries = queries.entries_joining(request.actor, subscription_id, local_today())
    return page(request, "retainers/subscription_panel.html", {"entries": entries})


# One entry ------------------------------------------------------------------------------------------------------------


@require_GET
def entry(
    request: Request, key: str, time_entry_id: UUID | None = None, expense_id: UUID | None = None
) -> HttpResponse:
    return _entry_page(request, key, _one_of(time_entry_id, expense_id))


def _one_of(time_entry_id: UUID | None, expense_id: UUID | None) -> UUID:
    found = time_entry_id or expense_id
    assert found is not None  # each address names one
    return found


def _entry_page(request: Request, key: str, entry_id: UUID, refusal: Refusal | None = None) -> HttpResponse:
    row = queries.get_entry(request.actor, key, entry_id)
    reason = request.POST.get("reason", "") if refusal else ""
    context = {"entry": row, "place": PLACES[key], "key": key, "refusal": refusal, "reason": reason}
    return page(request, "retainers/entry.html", context, status=refusal.status if refusal else 200)


@require_http_methods(READ_OR_SAVE)
def new(request: Request, key: str) -> HttpResponse:
    """The quick form: for an account or a retainer with everything that they say."""
    account_id = account_from(request)
    given = request.GET.get("retainer", "")
    values = queries.beginning(request.actor, key, account_id, parse_id(given) if given else None, local_today())
    if request.method == "POST":
        typed = values_from(request.POST, key, only=ENTER[key])
        try:
            entry_id = _enter(request, key, typed)
        except Refusal as refusal:
            return _form(request, key, values, typed=typed, refusal=refusal)
        say(request, "Entered. It waits for approval.")
        if "again" in request.POST:
            return go(request, request.get_full_path())
        return go(request, reverse(PLACES[key]["one"], args=[entry_id]))
    return _form(request, key, values)


def _enter(request: Request, key: str, typed: Typed) -> UUID:
    if key == TIME:
        return commands.enter_time(actor=request.actor, values=typed, on=local_today(), at=clock.now())
    return commands.enter_expense(
        actor=request.actor, values=typed, on=local_today(), at=clock.now(), receipt=_receipt(request)
    )


def _receipt(request: Request) -> commands.Receipt | None:
    file = request.FILES.get("receipt")
    if file is None:
        return None
    return commands.Receipt(file.read(), file.name or "receipt", file.content_type or "application/octet-stream")


@require_http_methods(READ_OR_SAVE)
def edit(request: Request, key: str, time_entry_id: UUID | None = None, expense_id: UUID | None = None) -> HttpResponse:
    entry_id = _one_of(time_entry_id, expense_id)
    row = queries.get_entry(request.actor, key, entry_id)
    if request.method == "POST":
        typed = values_from(request.POST, key, only=CHANGE[key])
        change: dict[str, Any] = {
            "actor": request.actor, "entry_id": entry_id, "values": typed, "version": version_from(request.POST),
            "on": local_today(),
        }  # fmt: skip
        try:
            if key == TIME:
                commands.change_time(**change)
            else:
                commands.change_expense(**change, receipt=_receipt(request))
        except Refusal as refusal:
            return _form(request, key, row, row=row, typed=typed, refusal=refusal)
        say(request, "Saved.")
        return go(request, reverse(PLACES[key]["one"], args=[entry_id]))
    return _form(request, key, row, row=row)


def _form(
    request: Request,
    key: str,
    values: Any,
    *,
    row: Row | None = None,
    typed: Typed | None = None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    account_id = row.account if row is not None else values.get("account")
    form = record_form(
        key,
        values=values,
        typed=typed,
        only=CHANGE[key] if row is not None else ENTER[key],
        problems=refusal or (),
        writable=request.actor.writes,
        options={"retainer": _retainers(request, key, account_id, row)} if account_id else {},
    )
    back = reverse(PLACES[key]["one"], args=[row.id]) if row is not None else reverse(PLACES[key]["list"])
    if row is None and account_id:
        back = reverse("accounts:account", args=[account_id])
    context = {
        "form": form,
        "entry": row,
        "key": key,
        "place": PLACES[key],
        "back": back,
        "action": request.get_full_path(),
    }
    return page(request, "retainers/entry_form.html", context, status=refusal.status if refusal else 200)


def _retainers(request: Request, key: str, account_id: Any, row: Row | None) -> list[tuple[UUID, str]]:
    """The retainers of the account that run, and the entry's own even when it has ended."""
    found = queries.retainer_choices(request.actor, key, account_id, local_today())
    if row is not None and row.retainer is not None and row.retainer not in dict(found):
        found.append((row.retainer, row.retainer_title))
    return found


@require_safe
def receipt(request: Request, expense_id: UUID) -> HttpResponse:
    """The file as it was kept, to be saved: it is shown by no page of ours."""
    name, media_type, content = queries.receipt_of(request.actor, expense_id)
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response
