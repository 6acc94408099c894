"""Deals on the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deals_world import ON, SYSTEM, Sales
from django.http import HttpResponse

from counterfoil.deals import commands
from counterfoil.deals.models import Deal, Handoff
from counterfoil.invoicing.models import Invoice
from counterfoil.subscriptions.models import Subscription
from staff import Program, Staff

NOBODY = "01a20b52-c40a-70cc-82b1-021e0f76f506"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def api(sales: Sales, staff: Staff) -> Program:
    return staff.program("sales")


def body(response: HttpResponse) -> Any:
    return json.loads(response.content)


def test_a_deal_from_start_to_draft(api: Program, sales: Sales) -> None:
    """A program adds a deal, reads what is missing, completes and wins it; winning again gives the same draft."""
    made = api("POST", "deals", {"name": "Fleet", "account": str(sales.acme)})
    assert made.status_code == 201
    deal = body(made)
    assert (deal["amount"], deal["currency"], deal["status"], deal["version"]) == ("0.00", "EUR", "open", 1)
    needs = body(api("GET", f"deals/{deal['id']}/readiness"))
    assert not needs["ready"]
    assert [item["code"] for item in needs["items"] if not item["ok"]] == ["lines"]
    refused = api("POST", f"deals/{deal['id']}/win", {})
    assert (refused.status_code, body(refused)["code"]) == (422, "not_ready")
    assert [problem["field"] for problem in body(refused)["problems"]] == ["lines"]
    changed = api(
        "PATCH",
        f"deals/{deal['id']}",
        {"version": 1, "lines": [{"product": str(sales.widget), "quantity": "2", "discount_percent": "10"}]},
    )
    assert (changed.status_code, body(changed)["amount"], body(changed)["version"]) == (200, "180.00", 2)
    (line,) = body(changed)["lines"]
    assert (line["description"], line["unit_price"], line["net"]) == ("Widget", "100.000000", "180.00")
    assert body(api("GET", f"deals/{deal['id']}/handoff")) == {
        "handed_over_at": None,
        "by": "",
        "documents": [],
        "subscription": None,
    }
    won = body(api("POST", f"deals/{deal['id']}/win", {}))
    assert (won["deal"], won["quote_version"], won["is_new"]) == (deal["id"], 1, True)
    again = body(api("POST", f"deals/{deal['id']}/win"))
    assert again == {**won, "is_new": False}
    assert Invoice.objects.count() == 1
    handoff = body(api("GET", f"deals/{deal['id']}/handoff"))
    assert [(one["id"], one["state"]) for one in handoff["documents"]] == [(won["invoice"], "draft")]


def test_recurring_lines_on_the_api(api: Program, sales: Sales) -> None:
    """A program learns the subscription of a win, with or without a draft, and its next billing day."""
    both = sales.ready(lines=[{"product": sales.widget}, {"product": sales.support}])
    won = body(api("POST", f"deals/{both}/win", {}))
    started = Subscription.objects.get()
    assert (won["invoice"], won["subscription"]) == (str(Invoice.objects.get().pk), str(started.pk))
    assert body(api("GET", f"deals/{both}/handoff"))["subscription"] == {
        "id": str(started.pk),
        "number": started.number,
        "state": "active",
        "starts_on": "2026-04-01",
        "next_on": "2026-05-01",
        "ends_on": None,
    }
    later = sales.ready(lines=[{"product": sales.support}], service_starts_on="2026-07-01")
    won = body(api("POST", f"deals/{later}/win", {}))
    assert body(api("GET", f"deals/{later}/handoff"))["subscription"]["state"] == "planned"
    assert (won["invoice"], won["is_new"]) == (None, True)
    handoff = body(api("GET", f"deals/{later}/handoff"))
    assert (handoff["documents"], handoff["subscription"]["id"]) == ([], won["subscription"])
    assert handoff["subscription"]["next_on"] == "2026-07-01"


def test_win_by_api_and_screen_is_one_draft(api: Program, staff: Staff, sales: Sales) -> None:
    """What the API has won, the screen hands over no second time."""
    deal_id = sales.ready()
    won = body(api("POST", f"deals/{deal_id}/win", {}))
    page = staff.browser("sales").post(f"/deals/{deal_id}/win/")
    assert page.status_code == 302
    assert [str(row.invoice_id) for row in Handoff.objects.all()] == [won["invoice"]]


def test_lists_come_in_pages_and_take_filters(api: Program, sales: Sales) -> None:
    """Deals come in the order in which they were added, page by page, and by status, stage and account."""
    ids = [str(sales.add(name=f"Deal {number}", account=sales.acme if number % 2 else None)) for number in range(5)]
    commands.lose_deal(actor=SYSTEM, deal_id=Deal.objects.get(name="Deal 3").pk, reason="No", on=ON)
    first = body(api("GET", "deals?limit=3"))
    assert [item["id"] for item in first["items"]] == ids[:3]
    second = body(api("GET", f"deals?limit=3&cursor={first['next_cursor']}"))
    assert [item["id"] for item in second["items"]] == ids[3:]
    assert second["next_cursor"] is None
    assert [item["title"] for item in body(api("GET", "deals?status=lost,won"))["items"]] == ["Deal 3"]
    assert [item["title"] for item in body(api("GET", f"deals?account={sales.acme}&status=open"))["items"]] == [
        "Deal 1"
    ]
    assert body(api("GET", f"deals?stage={sales.stage('Proposal')}"))["items"] == []
    bad = api("GET", "deals?owner=nobody")
    assert (bad.status_code, body(bad)["problems"][0]["field"]) == (422, "owner")
    assert api("GET", "deals?cursor=xyz").status_code == 422


def test_moving_losing_reopening(api: Program, sales: Sales) -> None:
    """Stages change by actions of their own, each with its conditions."""
    deal_id = sales.ready()
    moved = api("POST", f"deals/{deal_id}/move", {"stage": str(sales.stage("Proposal")), "version": 1})
    assert (moved.status_code, body(moved)["version"]) == (200, 2)
    stale = api("POST", f"deals/{deal_id}/move", {"stage": str(sales.stage("Engaging")), "version": 1})
    assert (stale.status_code, body(stale)["code"]) == (409, "stale")
    won = api("POST", f"deals/{deal_id}/move", {"stage": str(sales.stage("Won"))})
    assert (won.status_code, body(won)["code"]) == (422, "use_win")
    assert body(api("POST", f"deals/{deal_id}/lose", {"reason": ""}))["problems"][0]["field"] == "reason"
    lost = body(api("POST", f"deals/{deal_id}/lose", {"reason": "Too dear"}))
    assert (lost["status"], lost["lost_reason"], lost["closed_on"]) == ("lost", "Too dear", "2026-04-01")
    assert body(api("POST", f"deals/{deal_id}/reopen", {}))["status"] == "open"


def test_people_on_the_api(api: Program, sales: Sales) -> None:
    """A person gets a part in a deal and loses it again."""
    from counterfoil.accounts import commands as accounts

    deal_id = sales.ready()
    person = accounts.add_contact(actor=SYSTEM, values={"name": "Bob"}, on=ON)
    part = body(api("POST", f"deals/{deal_id}/contacts", {"contact": str(person), "role": "buyer"}))
    assert [(one["name"], one["role"]) for one in body(api("GET", f"deals/{deal_id}"))["contacts"]] == [
        ("Bob", "buyer")
    ]
    assert api("DELETE", f"deals/{deal_id}/contacts/{part['id']}").status_code == 204
    assert api("DELETE", f"deals/{deal_id}/contacts/{part['id']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("POST", "deals", {"name": "x", "amount": 12.5}, 201, ""),
        ("POST", "deals", {"name": ["x"]}, 422, "not_text"),
        ("POST", "deals", {"name": "x", "lines": {}}, 422, "not_a_list"),
        ("POST", "deals", {"name": "x", "lines": [5]}, 422, "not_an_object"),
        ("POST", "deals", [], 422, ""),
        ("POST", "deals", b"{", 400, "not_json"),
        ("POST", "deals", b'{"name": "a", "name": "b"}', 400, "double_name"),
        ("POST", "deals", {"name": "x" * 10_000_000}, 413, "too_large"),
        ("POST", "deals", {"name": "x", "amount": "NaN"}, 422, "not_a_number"),
        ("GET", "deals/nonsense", None, 404, ""),
        ("GET", f"deals/{NOBODY}", None, 404, "not_found"),
        ("POST", f"deals/{NOBODY}/win", {}, 404, "not_found"),
        ("POST", f"deals/{NOBODY}/lose", {"reason": "x"}, 404, "not_found"),
        ("POST", f"deals/{NOBODY}/move", {"stage": "x"}, 422, "not_an_id"),
    ],
)
def test_bad_requests(api: Program, sales: Sales, method: str, path: str, sent: Any, status: int, code: str) -> None:
    """Bad input gets its status and code; no input gives a 500, and nothing half-written stays."""
    response = api(method, path, sent)
    assert response.status_code == status
    if status >= 400:
        assert Deal.objects.count() == 0
        if code:
            problem = body(response)
            assert code in (problem["code"], *[one["code"] for one in problem["problems"]])


def test_once_only(api: Program, sales: Sales) -> None:
    """A repeated request with the same idempotency key adds no second deal."""
    first = api("POST", "deals", {"name": "Once"}, idempotency_key="k-1")
    second = api("POST", "deals", {"name": "Once"}, idempotency_key="k-1")
    assert body(first) == body(second)
    assert Deal.objects.count() == 1


def test_rights_on_the_api(sales: Sales, staff: Staff) -> None:
    """An accountant's key reads deals and wins none; without a key there is nothing."""
    deal_id = sales.ready()
    accountant = staff.program("accountant")
    assert accountant("GET", f"deals/{deal_id}").status_code == 200
    for path, sent in (("win", {}), ("lose", {"reason": "x"}), ("move", {"stage": str(sales.stage("Proposal"))})):
        assert accountant("POST", f"deals/{deal_id}/{path}", sent).status_code == 403
    assert accountant("POST", "pipelines", {"name": "Mine"}).status_code == 403
    assert staff.program()("GET", "deals").status_code == 401
    assert sales.deal(deal_id).status == "open"


def test_pipelines_on_the_api(sales: Sales, staff: Staff) -> None:
    """An admin's key adds a pipeline, orders, changes and removes its stages."""
    admin = staff.program("admin")
    pipeline = body(admin("POST", "pipelines", {"name": "Partners"}))
    names = {stage["name"]: stage["id"] for stage in pipeline["stages"]}
    assert list(names) == ["Prospecting", "Engaging", "Proposal", "Negotiation", "Won", "Lost"]
    stage = body(admin("POST", f"pipelines/{pipeline['id']}/stages", {"name": "Demo", "probability": 40}))
    assert (stage["position"], stage["kind"]) == (4, "open")
    order = [stage["id"], *(names[name] for name in ("Prospecting", "Engaging", "Proposal", "Negotiation"))]
    ordered = body(admin("PUT", f"pipelines/{pipeline['id']}/stages/order", {"stages": order}))
    assert [one["name"] for one in ordered["stages"]][:2] == ["Demo", "Prospecting"]
    assert admin("DELETE", f"stages/{names['Won']}").status_code == 409
    assert admin("DELETE", f"stages/{stage['id']}").status_code == 204
    changed = body(admin("PATCH", f"stages/{names['Proposal']}", {"probability": 55, "version": 3}))
    assert changed["probability"] == 55
    assert len(body(admin("GET", "pipelines"))) == 2
