"""Moving, winning and losing; what billing needs; what became of the win."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.core.ids import parse_id
from counterfoil.deals import commands, queries
from counterfoil.deals.web import fixes
from counterfoil.deals.web.days import today
from counterfoil.plumbing import clock
from counterfoil.surface.forms import version_from
from counterfoil.surface.htmx import go, is_htmx, own_referer, page, reload, say, stay, with_events


def _page_of(deal_id: UUID, **query: Any) -> str:
    address = reverse("deals:deal", args=[deal_id])
    return f"{address}?{urlencode(query)}" if query else address


# Moving ---------------------------------------------------------------------------------------------------------------


def move(request: Request, deal_id: UUID) -> HttpResponse:
    """To another stage, from the board or the deal's page. Won hands over; lost asks for the reason."""
    on = today()
    given = {**request.GET.dict(), **request.POST.dict()}
    row = queries.get_deal(request.actor, deal_id, on)
    stage = queries.get_stage(request.actor, parse_id(given.get("to")))
    version = version_from(given)
    if stage.kind == "won":
        return win(request, deal_id)
    if stage.kind == "lost":
        return _ask_reason(request, deal_id)
    if row.status != "open":
        commands.reopen_deal(actor=request.actor, deal_id=deal_id, on=on, stage_id=stage.id, version=version)
        say(request, f"{row.title} is open again.")
        return reload(request)
    since = _day(given.get("since", ""))
    commands.move_deal(actor=request.actor, deal_id=deal_id, stage_id=stage.id, on=on, version=version, since=since)
    if "undo" in given:
        say(request, f"{row.title} is back in {stage.name}.")
        return reload(request)
    back = {"to": row.stage, "version": (row.version or 0) + 1, "undo": 1}
    if row.stage_since:
        back["since"] = row.stage_since.isoformat()
    undo = f"{reverse('deals:move', args=[deal_id])}?{urlencode(back)}"
    say(request, f"{row.title} moved to {stage.name}.", undo=undo)
    return _after_move(request, deal_id)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _after_move(request: Request, deal_id: UUID) -> HttpResponse:
    if is_htmx(request):
        return stay(request, **{MOVED: True})
    return go(request, own_referer(request, _page_of(deal_id)))


MOVED, PANEL = "deal-moved", "open-panel"
"""Events of the page: the board's heads are drawn anew; an address is opened in the side panel."""


def _ask_reason(request: Request, deal_id: UUID) -> HttpResponse:
    address = reverse("deals:lose", args=[deal_id])
    if is_htmx(request):
        return _put_back(request, address, "Mark lost", "Give the reason of the loss.")
    return go(request, address)


def _put_back(request: Request, address: str, title: str, message: str) -> HttpResponse:
    """The card goes back to where it was, and the panel asks for what the move needs."""
    response = HttpResponse(status=409)
    response["HX-Reswap"] = "none"
    told = {"refused": {"code": "needs_more", "message": message, "problems": []}}
    return with_events(response, **told, **{PANEL: {"url": address, "title": title}})


# Winning --------------------------------------------------------------------------------------------------------------


def win(request: Request, deal_id: UUID) -> HttpResponse:
    """Mark the deal won. What is missing is shown where it can be entered."""
    try:
        handover = commands.win_deal(actor=request.actor, deal_id=deal_id, on=today(), at=clock.now())
    except Refusal as refusal:
        if refusal.code != "not_ready":
            raise
        return _not_ready(request, deal_id, refusal)
    say(request, _said(handover))
    if is_htmx(request) and _is_on_board(request):
        panel = {"url": reverse("deals:handoff", args=[deal_id]), "title": "Handed over"}
        return stay(request, **{MOVED: True, PANEL: panel})
    return go(request, _page_of(deal_id))


def _said(handover: commands.Handover) -> str:
    if not handover.is_new:
        return "This deal was handed over before."
    if handover.invoice_id is None:
        return "Won. Its subscription will be billed when it starts."
    return "Won. The draft waits for review."


def _is_on_board(request: Request) -> bool:
    return request.POST.get("to", "") != ""


def _not_ready(request: Request, deal_id: UUID, refusal: Refusal) -> HttpResponse:
    if is_htmx(request) and _is_on_board(request):
        address = reverse("deals:readiness", args=[deal_id])
        return _put_back(request, address, "Before it can be won", refusal.message)
    say(request, refusal.message, kind="error")
    return go(request, _page_of(deal_id, needs=1) + "#readiness")


# Losing and reopening -------------------------------------------------------------------------------------------------


REASONS = ("Price", "Chose another supplier", "No budget", "No decision", "Needs another product", "Never answered")


def lose(request: Request, deal_id: UUID) -> HttpResponse:
    """Asks for the reason, then marks the deal lost."""
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)
    problem, status = "", 200
    reason = " ".join(request.POST.get("reason", "").split())
    if request.method == "POST":
        detail = " ".join(request.POST.get("detail", "").split())
        whole = ": ".join(part for part in (reason, detail) if part)
        try:
            commands.lose_deal(
                actor=request.actor, deal_id=deal_id, reason=whole, on=on, version=version_from(request.POST)
            )
        except Refusal as refusal:
            if refusal.field != "reason":
                raise
            problem, status = refusal.message, refusal.status
        else:
            back = {"to": row.stage, "version": (row.version or 0) + 1, "undo": 1}
            undo = f"{reverse('deals:move', args=[deal_id])}?{urlencode(back)}"
            say(request, f"{row.title} marked lost.", undo=undo)
            return go(request, _after_loss(request, deal_id))
    context = {"deal": row, "reasons": REASONS, "reason": reason, "problem": problem}
    return page(request, "deals/lose.html", context, status=status)


def _after_loss(request: Request, deal_id: UUID) -> str:
    came_from = own_referer(request, _page_of(deal_id))
    return _page_of(deal_id) if "/lose/" in came_from else came_from


def reopen(request: Request, deal_id: UUID) -> HttpResponse:
    commands.reopen_deal(actor=request.actor, deal_id=deal_id, on=today(), version=version_from(request.POST))
    say(request, "The deal is open again.")
    return go(request, _page_of(deal_id))


# Readiness ------------------------------------------------------------------------------------------------------------


def readiness_context(
    request: Request, deal: Row, on: date, state: queries.HandoffState | None = None
) -> dict[str, Any]:
    """What billing needs, each missing item with the form that fixes it. ``state`` is read unless it is given."""
    if deal.status != "open":
        state = state or queries.handoff_of(request.actor, deal.id, on)
        if state is None or not state.may_hand_over:
            return {"needs": [], "lacking": 0}
    needs = sorted(queries.readiness_of(request.actor, deal.id, on), key=lambda need: need.ok)
    return {
        "needs": [(need, fixes.form_for(request, deal, need, on)) for need in needs],
        "lacking": sum(1 for need in needs if not need.ok),
        "on_board": is_htmx(request) and "/deals/board/" in request.headers.get("HX-Current-URL", ""),
    }


def readiness(request: Request, deal_id: UUID) -> HttpResponse:
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)
    return page(request, "deals/readiness.html", {"deal": row, **readiness_context(request, row, on)})


def fix(request: Request, deal_id: UUID, code: str) -> HttpResponse:
    """Save one missing item where it was found missing, and show the list anew."""
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)
    need = next((one for one in queries.readiness_of(request.actor, deal_id, on) if one.code == code), None)
    if need is None:
        raise NotFound("This is not needed any more.")
    if need.ok:
        say(request, f"{need.label} was entered meanwhile.", kind="info")
        return _readiness_again(request, deal_id, on)
    try:
        fixes.save(request, row, need, on)
    except Refusal as refusal:
        context = readiness_context(request, row, on)
        context["needs"] = [
            (one, fixes.form_for(request, row, one, on, refusal) if one.code == code else form)
            for one, form in context["needs"]
        ]
        return page(request, "deals/readiness.html", {"deal": row, **context}, status=refusal.status)
    say(request, f"{need.label} saved.")
    return _readiness_again(request, deal_id, on)


def _readiness_again(request: Request, deal_id: UUID, on: date) -> HttpResponse:
    if not is_htmx(request):
        return go(request, _page_of(deal_id) + "#readiness")
    fresh = queries.get_deal(request.actor, deal_id, on)
    return page(request, "deals/readiness.html", {"deal": fresh, **readiness_context(request, fresh, on)})


def ask(request: Request, deal_id: UUID, code: str) -> HttpResponse:
    """Ask those who may enter the item to do so: opens one task, however often it is asked."""
    on = today()
    commands.ask_for_item(actor=request.actor, deal_id=deal_id, code=code, on=on)
    say(request, "Billing was asked: a task is open.")
    return _readiness_again(request, deal_id, on)


# The handoff ----------------------------------------------------------------------------------------------------------


def handoff_context(request: Request, deal: Row, on: date) -> dict[str, Any]:
    state = queries.handoff_of(request.actor, deal.id, on)
    context: dict[str, Any] = {"handoff": state, "may_win": request.actor.may("deals.win")}
    if state is not None and state.document is not None:
        context["document"] = state.document
        context["document_facts"] = _document_facts(state.document, state)
    return context


def _document_facts(document: Row, state: queries.HandoffState) -> list[dict[str, Any]]:
    """What stands on the draft or invoice, each with where it comes from."""
    sources = {name: source["label"] for name, source in document.sources.items() if isinstance(source, dict)}
    is_open = document.status in ("draft", "returned")
    found = [{"label": "Bill to", "value": _bill_to(document), "source": sources.get("party", "") if is_open else ""}]
    if is_open:
        people = ", ".join(f"{one.name} <{one.email}>" for one in state.recipients)
        found.append({"label": "Send to", "value": people, "source": sources.get("recipients", "")})
    due = document.due_on or document.expected_due_on
    terms = f"{document.terms_title}, if issued today" if is_open else document.terms_title
    if "terms" not in document.closed:
        found.append({"label": "Due", "value": due, "note": terms, "source": sources.get("terms", "")})
    for tax in document.taxes:
        source = sources.get("tax_profile", "")
        found.append({"label": tax["label"] or "Tax", "value": tax["amount"], "source": source})
    if document.po_number:
        found.append({"label": "PO number", "value": document.po_number, "source": sources.get("po_number", "")})
    source = sources.get("reference_values", "")
    found += [{"label": name, "value": value, "source": source} for name, value in document.named]
    if document.references:
        source = sources.get("references", "")
        found.append({"label": "References", "value": document.references, "source": source})
    found += [{"label": "Sent", "value": mail["at"], "note": _told(mail)} for mail in document.mails[:1]]
    if document.status == "issued":
        found.append({"label": "Open", "value": document.open})
    return found


def _bill_to(document: Row) -> Any:
    if "invoiced_account" in document.closed:
        return document.invoiced_account
    return document.party.get("legal_name") or document.invoiced_account_title


def _told(mail: dict[str, Any]) -> str:
    people = ", ".join(one["address"] for one in mail["recipients"])
    words = {"sent": "to", "kept": "kept in the outbox, for", "failed": "failed, for"}
    return f"{words.get(mail['state'], 'waiting to be sent, to')} {people}"


def panel(request: Request, deal_id: UUID) -> HttpResponse:
    on = today()
    row = queries.get_deal(request.actor, deal_id, on)
    return page(request, "deals/handoff.html", {"deal": row, **handoff_context(request, row, on)})
