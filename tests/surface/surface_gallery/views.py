"""The gallery's pages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.core.money import Money
from counterfoil.surface import export
from counterfoil.surface.fields import inline_edit
from counterfoil.surface.forms import Typed, record_form, values_from
from counterfoil.surface.htmx import go, page, reload, say, stay
from counterfoil.surface.lists import Bulk, Listing
from surface_gallery import records
from surface_gallery.records import KEY, Hidden, Row

ALL_STATES = [
    "draft", "review", "returned", "issued", "sent", "part_paid", "paid", "overdue",
    "void", "failed", "open", "won", "lost", "active", "prospect", "inactive",
    "done", "running", "bounced", "disputed", "unallocated", "reversed", "duplicate", "skipped",
]  # fmt: skip


def slip() -> Row:
    return Row(
        title="Nordwind Logistik GmbH",
        status="sent",
        stage="gold",
        owner=UUID(int=1),
        owner_title="Anna Weiß",
        email="rechnung@nordwind.example",
        total=Money(Decimal("12345.60"), "EUR"),
        currency="EUR",
        discount=Decimal("2.5"),
        count=2,
        due_on=date(2026, 5, 3),
        sent_at=datetime(2026, 4, 3, 14, 5, tzinfo=UTC),
        country="DE",
        language="de",
        by_post=True,
        iban=Hidden(),
        notes="Please quote the order number.\nDelivery in two parts.",
        lines=[
            {"product": UUID(int=1), "product_title": "Annual maintenance", "note": "Site Hamburg",
             "quantity": Decimal(1), "unit_price": Decimal("9800"), "tax": "standard"},
            {"product": UUID(int=2), "product_title": "Calibration", "note": "", "quantity": Decimal("2.5"),
             "unit_price": Decimal("230.5"), "tax": "standard"},
        ],
    )  # fmt: skip


SECTIONS = {
    "Company": ["title", "email", "owner", "country", "language"],
    "Billing": ["status", "currency", "total", "discount", "due_on", "sent_at", "count", "iban", "by_post", "notes"],
    "Lines": ["lines"],
}
WRITABLE = {"general", "identity", "pricing"}


def index(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        "gallery/index.html",
        {
            "states": ALL_STATES,
            "row": slip(),
            "hidden": Hidden(),
            "money": Money(Decimal("1234567.80"), "EUR"),
            "debt": Money(Decimal("-1200.00"), "USD"),
            "zero": Money(Decimal(0), "EUR"),
            "sums": {"EUR": Money(Decimal("48210.30"), "EUR"), "JPY": Money(Decimal(1204000), "JPY")},
            "today": date(2026, 4, 1),
            "now": datetime(2026, 4, 1, 9, 30, tzinfo=UTC),
            "rate": Decimal("19"),
        },
    )


def listing(request: HttpRequest) -> HttpResponse:
    shown = Listing(
        KEY,
        request.GET,
        columns=["title", "status", "owner", "due_on", "discount", "total"],
        filters=["status", "due_on", "owner", "country", "total"],
        sorts=["title", "due_on", "total"],
        size=10,
        bulk=[
            Bulk("Approve and send", "/bulk", keys="s", kind="primary small", confirm="Send the selected slips?"),
            Bulk("Archive", "/bulk"),
        ],
    )
    rows = [row for row in records.rows() if shown.text.lower() in row.title.lower()]
    if shown.export:
        return export.response(shown, rows, "slips")
    sums = {"EUR": Money(Decimal("24680.00"), "EUR"), "JPY": Money(Decimal(2468), "JPY")}
    start = shown.offset
    return page(
        request,
        "gallery/list.html",
        {"listing": shown.filled(rows[start : start + shown.limit], count=len(rows), sums=sums)},
    )


def form(request: HttpRequest) -> HttpResponse:
    options = {
        "writable": WRITABLE,
        "sections": SECTIONS,
        "sources": {"currency": "from account", "due_on": "from terms"},
    }
    if request.method == "POST":
        typed = values_from(request.POST, KEY)
        problems = []
        if not typed.get("title"):
            problems.append(Problem("title", "missing", "Title is missing."))
        for number, line in enumerate(typed.get("lines", ())):
            if str(line.get("quantity", "")).startswith("-"):
                problems.append(Problem(f"lines.{number}.quantity", "too_small", "Quantity must be at least 0."))
        if problems:
            made = record_form(KEY, values=slip(), typed=typed, problems=Refusal.of(problems), **options)
            return page(request, "gallery/form.html", {"form": made}, status=422)
        say(request, "Saved.", undo="/undo")
        return go(request, "/form")
    return page(request, "gallery/form.html", {"form": record_form(KEY, values=slip(), **options)})


def refused_form(request: HttpRequest) -> HttpResponse:
    problems = [
        Problem("email", "not_an_email", "“nord wind” is not an e-mail address."),
        Problem("lines.1.quantity", "too_small", "Quantity must be at least 0."),
    ]
    typed = Typed({"email": "nord wind"})
    made = record_form(KEY, values=slip(), typed=typed, sections=SECTIONS, writable=WRITABLE, problems=problems)
    return page(request, "gallery/form.html", {"form": made})


def board(request: HttpRequest) -> HttpResponse:
    return page(request, "gallery/board.html", {"columns": _columns()})


def _columns() -> list[dict[str, Any]]:
    names = (("new", "Qualified"), ("offer", "Quoted"), ("won", "Won"), ("lost", "Lost"))
    cards = [
        {"id": place, "title": name, "amount": Money(Decimal(1200 * (place + 1)), "EUR"), "stage": names[place % 4][0]}
        for place, name in enumerate(records.NAMES)
    ]
    return [
        {"key": key, "label": label, "cards": [card for card in cards if card["stage"] == key], "all": names}
        for key, label in names
    ]


def move(request: HttpRequest, card: int) -> HttpResponse:
    if request.POST.get("to") == "lost":
        raise Conflict("has_draft", "This one has a draft. Void the draft first.")
    say(request, "Moved.", undo="/undo")
    return stay(request)


def panes(request: HttpRequest) -> HttpResponse:
    return page(request, "gallery/panes.html", {"rows": records.rows()})


def panel(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        "<h2>Side panel</h2><p>One record, without leaving the page.</p><p><a class='button' href='/'>Open</a></p>"
    )


def value(request: HttpRequest) -> HttpResponse:
    def save(values: Typed, version: int | None) -> Row:
        if not values["title"]:
            raise Refusal("missing", "Title is missing.", "title")
        return Row(**{**slip().values_by_name, "title": values["title"]})

    return inline_edit(request, slip(), "title", url="/value", save=save)


def find(request: HttpRequest, key: str) -> JsonResponse:
    text = request.GET.get("q", "").lower()
    options = [
        {"id": str(row.id), "title": row.title, "hint": row["number"]}
        for row in records.rows()
        if text in row.title.lower()
    ]
    return JsonResponse({"options": options[:8]})


def search(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").lower()
    groups = [
        {"label": "Go to", "items": [{"title": "Invoices", "href": "/list", "icon": "receipt", "key": "g i"}]},
        {
            "label": "Slips" if text else "Recent",
            "items": [
                {"title": row.title, "hint": row["number"], "href": row.url, "icon": "file-text"}
                for row in records.rows()
                if text in row.title.lower()
            ],
        },
        {"label": "Do", "items": [{"title": "New slip", "href": "/form", "icon": "plus"}]},
    ]
    kept = [group for group in groups if group["items"]]
    return page(request, "gallery/palette.html", {"groups": kept})


def undo(request: HttpRequest) -> HttpResponse:
    say(request, "Undone.")
    return reload(request)


def refused(request: HttpRequest) -> HttpResponse:
    context = {"status": 404, "heading": "Not found", "message": "There is nothing at this address.", "back": "/list"}
    return page(request, "surface/refused.html", context, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    return HttpResponse("broken", status=500)


def lost(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=401)


def said(request: HttpRequest) -> HttpResponse:
    messages.success(request, "Invoice 2026-00041 was sent.", extra_tags="/undo")
    return index(request)


def bulk(request: HttpRequest) -> HttpResponse:
    say(request, f"{len(request.POST.getlist('ids'))} slips.")
    return go(request, "/list")


urlpatterns = [
    path("", index, name="today"),
    path("list", listing),
    path("form", form),
    path("refused-form", refused_form),
    path("board", board),
    path("board/<int:card>/move", move),
    path("panes", panes),
    path("panel", panel),
    path("value", value),
    path("undo", undo),
    path("said", said),
    path("bulk", bulk),
    path("broken", broken),
    path("lost", lost),
    path("refused", refused),
    path("search", search, name="search"),
    path("find/<str:key>", find, name="find"),
    path("login/", refused, name="account_login"),
    path("logout/", refused, name="account_logout"),
]
