"""Drafts and invoices on the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from billing_world import AT, Billing, user
from django.test import Client

from counterfoil.access import commands as access
from counterfoil.app.endpoints import table


@pytest.fixture
def call(billing: Billing, clock: object, client: Client) -> Any:
    """Calls the API with a key of the roles billing and admin."""
    ada = user("Ada", "admin").actor()
    values = {"name": "Test", "roles": ["billing", "admin"]}
    _, secret = access.make_api_key(actor=ada, values=values, at=AT)

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = client.generic(
            method,
            f"/api/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"authorization": f"Bearer {secret}"},
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None

    return send


def test_a_draft_is_made_changed_and_issued(billing: Billing, call: Any) -> None:
    """Amounts are texts; the number comes with the issue; a second issue is a conflict."""
    line = {"product": str(billing.widget), "quantity": "2"}
    status, made = call("POST", "/invoices", {"account": str(billing.acme), "lines": [line]})
    assert (status, made["total"], made["currency"], made["number"]) == (201, "240.00", "EUR", "")
    status, changed = call("PATCH", f"/invoices/{made['id']}", {"po_number": "PO 9", "version": made["version"]})
    assert (status, changed["po_number"]) == (200, "PO 9")
    status, stale = call("PATCH", f"/invoices/{made['id']}", {"po_number": "PO 8", "version": made["version"]})
    assert (status, stale["code"]) == (409, "stale")
    status, issued = call("POST", f"/invoices/{made['id']}/issue", {"send": False})
    assert (status, issued["number"], issued["open"]) == (200, "INV-2026-00001", "240.00")
    assert call("POST", f"/invoices/{made['id']}/issue", {})[0] == 409


def test_a_blocked_draft_is_not_issued(billing: Billing, call: Any) -> None:
    """422 with a problem per finding, and it stays a draft."""
    draft = billing.draft(account=billing.bare)
    status, refused = call("POST", f"/invoices/{draft}/issue", {})
    assert (status, refused["code"]) == (422, "not_issuable")
    assert billing.get(draft).status == "draft"


def test_lists_come_by_cursor_and_filter(billing: Billing, call: Any) -> None:
    """Two pages of one, and none that is paid."""
    billing.draft()
    billing.draft()
    _, first = call("GET", "/invoices?limit=1")
    _, second = call("GET", f"/invoices?limit=1&cursor={first['next_cursor']}")
    assert {first["items"][0]["id"], second["items"][0]["id"]} == {
        item["id"] for item in call("GET", "/invoices")[1]["items"]
    }
    assert second["next_cursor"] is None
    assert call("GET", "/invoices?state=paid")[1]["items"] == []


def test_a_draft_by_hand_is_discarded(billing: Billing, call: Any) -> None:
    """204, then 404."""
    draft = billing.by_hand()
    assert call("DELETE", f"/invoices/{draft}")[0] == 204
    assert call("GET", f"/invoices/{draft}")[0] == 404


def test_bad_values_are_named_by_their_path(billing: Billing, call: Any) -> None:
    """A negative quantity is refused at its line, and nothing is made."""
    line = {"description": "Widget", "quantity": "-2", "unit_price": "1"}
    status, refused = call("POST", "/invoices", {"account": str(billing.acme), "lines": [line]})
    assert status == 422
    assert [problem["field"] for problem in refused["problems"]] == ["lines.0.quantity"]
    assert call("GET", "/invoices")[1]["items"] == []


@pytest.mark.parametrize("path", ["/entities", "/series", "/tax-rates"])
def test_settings_are_listed_and_read(call: Any, path: str) -> None:
    """Each list has something, and each of it can be read by its id."""
    items = call("GET", path)[1]["items"]
    assert items
    assert call("GET", f"{path}/{items[0]['id']}")[1]["id"] == items[0]["id"]


def test_every_address_of_the_room_is_declared() -> None:
    """Each route of pages and API has its permission."""
    from django.urls import get_resolver

    declared = {endpoint.partition(" ")[2] for endpoint in table()}

    def routes(patterns: Any, start: str) -> Any:
        for one in patterns:
            route = start + str(one.pattern)
            yield from routes(one.url_patterns, route) if hasattr(one, "url_patterns") else [route]

    starts = ("review", "invoices", "settings/taxes", "settings/series", "settings/companies")
    for route in routes(get_resolver().url_patterns, ""):
        if route.startswith((*starts, *(f"api/v1/{part}" for part in ("invoices", "entities", "series", "tax-rates")))):
            assert route.replace("<uuidstr:", "<uuid:") in declared, route
