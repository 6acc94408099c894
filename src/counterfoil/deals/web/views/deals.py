"""The page of one deal: what it says, its lines, its people."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from counterfoil.access.projection import CLOSED, Row
from counterfoil.access.requests import Request
from counterfoil.accounts.models import ContactRole
from counterfoil.catalog.models import Interval
from counterfoil.catalog.queries import get_product
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.core.ids import parse_id
from counterfoil.core.money import Money, rounded
from counterfoil.deals import commands, queries
from counterfoil.deals.rules.amounts import ONE_OFF, PricedLine, line_net, sums_by_interval
from counterfoil.deals.web.days import today
from counterfoil.deals.web.views.handoff import handoff_context, readiness_context
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value, record_type, value_of_text
from counterfoil.surface.as_json import plain
from counterfoil.surface.fields import inline_edit
from counterfoil.surface.forms import Form, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say

NEW = ("name", "account", "stage", "amount", "currency", "expected_close_on", "next_step")
FACTS = (
    "account",
    "owner",
    "expected_close_on",
    "next_step",
    "po_number",
    "reference_values",
    "references",
    "service_starts_on",
    "entity",
    "engaged_on",
    "notes",
)
CHANGE = ("name", "account", "owner", "amount", "currency", "expected_close_on", "engaged_on", "next_step")
BILLING = ("entity", "po_number", "reference_values", "references", "service_starts_on", "notes", "external_id")


def deal(request: Request, deal_id: UUID) -> HttpResponse:
    return page(request, "deals/deal.html", deal_context(request, deal_id))


def deal_context(request: Request, deal_id: UUID) -> dict[str, Any]:
    """Everything on the page. ``?needs=1`` puts the eye on what billing still needs."""
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)
    pipeline = queries.get_pipeline(request.actor, row.pipeline)
    state = handoff_context(request, row, on)
    may_change = request.actor.may("deals.change")
    return {
        "deal": row,
        "steps": steps(row, pipeline.stages),
        "facts": facts(row, may_change, is_live=bool(state["handoff"] and state["handoff"].is_live)),
        "people": [part | {"role_name": ContactRole(part["role"]).label} for part in row.contacts],
        "roles": ContactRole.choices,
        "person": record_form("deals.deal", fields=[PERSON]).inputs["contact"],
        "put_to_needs": "needs" in request.GET,
        "may_change": may_change,
        **lines_context(row),
        **readiness_context(request, row, on, state["handoff"]),
        **state,
    }


PERSON = Field("contact", "Person", Kind.LINK, to="accounts.contact")


def facts(deal: Row, may_change: bool, *, is_live: bool) -> list[dict[str, Any]]:
    """What the deal says, each changed in place unless a live draft was made from it."""
    fields = record_type("deals.deal").by_id
    found = []
    for name in FACTS:
        if name == "reference_values":
            found += _reference_facts(deal, may_change and not is_live)
            continue
        value = deal[name]
        if not value and name in ("service_starts_on", "engaged_on", "notes", "entity") and not may_change:
            continue
        is_fixed = name in commands.HANDED_OVER and is_live
        edit = reverse("deals:change_field", args=[deal.id, name]) if may_change and not is_fixed else ""
        shown = deal[f"{name}_title"] if fields[name].to else value
        found.append({"label": fields[name].label, "value": shown, "edit": edit, "field": name})
    return found


def _reference_facts(deal: Row, may_change: bool) -> list[dict[str, Any]]:
    """The defined references, as a fact each. A retired one stands there while it has a value."""
    found = []
    for item in record_type("deals.deal").by_id["reference_values"].definitions():
        value = value_of_text(item.kind, deal.reference_values.get(item.id, ""))
        if value is None and item.is_retired:
            continue
        name = f"reference_values.{item.id}"
        edit = reverse("deals:change_field", args=[deal.id, name]) if may_change else ""
        shown = deal.reference_values[item.id] if item.kind is Kind.DECIMAL and value is not None else value
        found.append({"label": item.label, "value": shown, "edit": edit, "field": name})
    return found


def lines_context(deal: Row) -> dict[str, Any]:
    """The lines as they are shown, and what they come to."""
    shown = []
    for line in deal.lines:
        priced = _priced(line)
        shown.append(
            line
            | {
                "unit_price": _unit_price(line, deal.currency),
                "interval_name": Interval(line["interval"]).label,
                "net_money": line_net(priced, deal.currency) if priced else CLOSED,
            }
        )
    recurring = sum(1 for line in deal.lines if line["interval"] != ONE_OFF)
    words = [_counted(len(deal.lines) - recurring, "one-off line"), _counted(recurring, "recurring line")]
    return {
        "lines": shown,
        "line_sums": line_sums(deal.lines, deal.currency),
        "lines_in_words": ", ".join(part for part in words if part),
    }


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}" if count else ""


def _unit_price(line: Any, currency: str) -> Any:
    """As money where it has no more decimals than the currency, so that prices stand in line."""
    price = line.get("unit_price", CLOSED)
    if price is CLOSED:
        return price
    return rounded(price, currency) if rounded(price, currency).amount == price else price


def _priced(line: Any) -> PricedLine | None:
    if "unit_price" not in line:
        return None
    return PricedLine(line["quantity"], line["unit_price"], line["discount_percent"])


def line_sums(lines: Any, currency: str) -> list[tuple[str, Money]]:
    """The sums under the lines: by how often they are billed, and the whole, for lines whose prices may be seen."""
    priced = [(line["interval"], one) for line in lines if (one := _priced(line)) is not None]
    sums = sums_by_interval(priced, currency)
    whole = sum(sums.values(), Money.zero(currency))
    if set(sums) <= {ONE_OFF}:
        return [("Total", whole)]
    return [*((Interval(interval).label, amount) for interval, amount in sums.items()), ("Deal amount", whole)]


def steps(deal: Row, stages: list[Row]) -> list[dict[str, Any]]:
    """The stages for the stepper: those before the present one are done; a lost deal has only that step besides."""
    shown = [stage for stage in stages if stage.kind != "lost" or deal.status == "lost"]
    present = next((stage.position for stage in stages if stage.id == deal.stage), 0)
    return [
        {
            "stage": stage,
            "is_current": stage.id == deal.stage,
            "is_done": stage.position < present and deal.status != "lost",
            "may_move": deal.status == "open" and stage.kind == "open" and stage.id != deal.stage,
        }
        for stage in shown
    ]


def new_deal(request: Request) -> HttpResponse:
    """A deal by hand. ``?account=`` fills the account in."""
    typed = values_from(request.POST if request.method == "POST" else request.GET, "deals.deal", only=NEW)
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            deal_id = commands.add_deal(actor=request.actor, values=typed, on=today())
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "Deal added.")
            return go(request, reverse("deals:deal", args=[deal_id]))
    stages = [
        (stage.id, f"{pipeline.name}: {stage.name}")
        for pipeline in queries.list_pipelines(request.actor, in_use_only=True)
        for stage in pipeline.stages
        if stage.kind == "open"
    ]
    if not typed.titles.get("account"):
        typed.titles["account"] = queries.titles_of(request.actor, [typed.get("account", "")]).get(
            str(typed.get("account")), ""
        )
    if "stage" not in typed and stages:
        typed["stage"] = str(stages[0][0])
    form = record_form(
        "deals.deal",
        typed=typed,
        only=NEW,
        problems=refusal or (),
        writable=request.actor.writes,
        options={"stage": stages},
        placeholders={"currency": "As the account"},
    )
    return page(request, "deals/new_deal.html", {"form": form}, status=refusal.status if refusal else 200)


def change_deal(request: Request, deal_id: UUID) -> HttpResponse:
    row = queries.get_deal(request.actor, deal_id, today())
    only = CHANGE + BILLING
    typed = values_from(request.POST, "deals.deal", only=only)
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            commands.change_deal(
                actor=request.actor,
                deal_id=deal_id,
                values=typed,
                version=version_from(request.POST),
                on=today(),
            )
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "Saved.")
            return go(request, reverse("deals:deal", args=[deal_id]))
    form = record_form(
        "deals.deal",
        values=row,
        typed=typed,
        sections={"Deal": CHANGE, "Billing": BILLING},
        problems=refusal or (),
        writable=request.actor.writes,
        locked=_locked(row),
    )
    context = {"form": form, "deal": row}
    return page(request, "deals/change_deal.html", context, status=refusal.status if refusal else 200)


def _locked(row: Row) -> dict[str, str]:
    return {"amount": "The sum of the lines."} if row.lines else {}


def change_field(request: Request, deal_id: UUID, field_id: str) -> HttpResponse:
    """One fact, changed in place."""
    if field_id.partition(".")[0] not in FACTS or field_id == "reference_values":
        raise NotFound()
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)

    def save(typed: Any, version: int | None) -> Row:
        commands.change_deal(actor=request.actor, deal_id=deal_id, values=typed, version=version, on=on)
        return queries.get_deal(request.actor, deal_id, on)

    return inline_edit(
        request,
        row,
        field_id,
        url=reverse("deals:change_field", args=[deal_id, field_id]),
        save=save,
        writable=request.actor.writes,
        back=reverse("deals:deal", args=[deal_id]),
    )


# Lines ----------------------------------------------------------------------------------------------------------------


def lines(request: Request, deal_id: UUID) -> HttpResponse:
    """GET with ``?edit`` gives the editor, else the table. POST saves the lines whole."""
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)
    may_change = request.actor.may("deals.change")
    if request.method != "POST":
        if request.GET.get("edit") and may_change:
            return _editor(request, row, _lines_form(request, row), line_sums(row.lines, row.currency))
        return page(request, "deals/lines.html", {"deal": row, "may_change": may_change, **lines_context(row)})
    typed = values_from(request.POST, "deals.deal", only=["lines"])
    given = typed.get("lines", [])
    try:
        commands.change_deal(
            actor=request.actor,
            deal_id=deal_id,
            values={"lines": given},
            version=version_from(request.POST),
            on=on,
        )
    except Refusal as refusal:
        form = _lines_form(request, row, typed, refusal)
        return _editor(request, row, form, _typed_sums(given, row.currency), status=refusal.status)
    say(request, "Lines saved.")
    return go(request, reverse("deals:deal", args=[deal_id]))


def _editor(request: Request, row: Row, form: Form, sums: list[tuple[str, Money]], status: int = 200) -> HttpResponse:
    context = {"deal": row, "form": form, "line_sums": sums}
    return page(request, "deals/lines_editor.html", context, status=status)


def _lines_form(request: Request, row: Row, typed: Any = None, refusal: Refusal | None = None) -> Form:
    shown = [line | {"product_title": row.product_titles.get(line.get("product"), "")} for line in row.lines]
    return record_form(
        "deals.deal",
        values={"lines": shown},
        typed=typed,
        only=["lines"],
        problems=refusal or (),
        writable=request.actor.writes,
        version=row.version,
    )


def preview_lines(request: Request, deal_id: UUID) -> HttpResponse:
    """The sums of the lines as they are typed. Saves nothing and names no problem."""
    row = queries.get_deal(request.actor, deal_id, today())
    typed = values_from(request.POST, "deals.deal", only=["lines"])
    sums = _typed_sums(typed.get("lines", []), row.currency)
    return page(request, "deals/line_sums.html", {"line_sums": sums})


_COUNTED = ("quantity", "unit_price", "discount_percent", "interval")


def _typed_sums(typed: Any, currency: str) -> list[tuple[str, Money]]:
    """The sums of the lines that can be read already."""
    rows = {item.id: item for item in record_type("deals.deal").by_id["lines"].rows}
    found = []
    for line in typed:
        try:
            values = {name: clean_value(rows[name], line.get(name)) for name in _COUNTED}
        except BadValue:
            continue
        if values["unit_price"] is not None:
            found.append(
                {
                    "interval": values["interval"] or ONE_OFF,
                    "quantity": 1 if values["quantity"] is None else values["quantity"],
                    "unit_price": values["unit_price"],
                    "discount_percent": values["discount_percent"] or 0,
                }
            )
    return line_sums(found, currency)


def product(request: Request) -> HttpResponse:
    """What the product ``?id=`` says of itself, for the line that names it."""
    found = get_product(request.actor, parse_id(request.GET.get("id")))
    names = ("name", "unit", "unit_price", "currency", "tax_class", "interval")
    return JsonResponse({name: plain(found[name]) for name in names if name not in found.closed})


# People ---------------------------------------------------------------------------------------------------------------


def add_contact(request: Request, deal_id: UUID) -> HttpResponse:
    contact = request.POST.get("contact", "")
    try:
        contact_id = UUID(contact)
    except ValueError:
        say(request, "Choose a person of the list.", kind="error")
        return redirect("deals:deal", deal_id)
    commands.set_deal_contact(
        actor=request.actor, deal_id=deal_id, contact_id=contact_id, role=request.POST.get("role", "")
    )
    return go(request, reverse("deals:deal", args=[deal_id]) + "#people")


def remove_contact(request: Request, deal_id: UUID, part_id: UUID) -> HttpResponse:
    commands.remove_deal_contact(actor=request.actor, deal_id=deal_id, part_id=part_id)
    return go(request, reverse("deals:deal", args=[deal_id]) + "#people")
