"""Who may not read prices learns none from what recurs: on no page, in no answer, list, export, preview or refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from screens_world import Screens

from counterfoil.access.rules.roles import ROLES
from counterfoil.activities.models import Mail
from counterfoil.app.api_document import openapi
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import jobs
from counterfoil.subscriptions.models import BillingRun

pytestmark = pytest.mark.django_db

PAGES = (
    "/subscriptions/", "/subscriptions/renewals/", "/subscriptions/new/", "/subscriptions/{subscription_id}/",
    "/subscriptions/{subscription_id}/change/", "/subscriptions/{subscription_id}/pause/",
    "/subscriptions/{subscription_id}/cancel/", "/subscriptions/{subscription_id}/coupon/",
    "/subscriptions/{subscription_id}/time/", "/accounts/{account_id}/subscriptions/", "/settings/coupons/",
    "/settings/coupons/{coupon_id}/", "/price-increases/", "/price-increases/new/", "/price-increases/{increase_id}/",
    "/billing-runs/", "/billing-runs/{run_id}/", "/settings/billing-policies/",
    "/settings/billing-policies/{entity_id}/", "/retainers/", "/retainers/{retainer_id}/",
    "/retainers/{retainer_id}/edit/", "/accounts/{account_id}/retainers/", "/time/", "/expenses/", "/catalog/prices/",
    "/catalog/prices/{price_id}/", "/catalog/prices/{price_id}/change/", "/accounts/{account_id}/", "/",
    "/mail/", "/mail/{mail_id}/", "/settings/audit/",
    "/subscriptions/?export=csv", "/retainers/?export=csv", "/time/?export=csv", "/catalog/prices/?export=csv",
)  # fmt: skip


NOT_ASKED = ("invoices/{invoice_id}/document.pdf",)
"""A document to a customer says what it comes to."""
QUERIES = {"cost": "?quantity=5", "offered": "?currency=EUR"}


def told(text: str) -> set[str]:
    """The amounts that a text names, without thousands' separators."""
    return set(re.findall(r"(\d+\.\d\d)0*(?!\d)", re.sub(r"(?<=\d)[,\u202f\u00a0](?=\d{3})", "", text)))


@pytest.mark.parametrize("who", ["accountant", "billing"])
def test_no_price_anywhere(screens: Screens, clock: Any, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """Whoever reads everything but prices, and may change subscriptions or not, meets no amount of an item, a coupon,
    an increase, a retainer or an invoice.
    """
    ids = _company(screens, clock)
    open_groups = replace(ROLES[who], reads=ROLES[who].reads - {"pricing"}, writes=ROLES[who].writes - {"pricing"})
    monkeypatch.setitem(ROLES, who, open_groups)
    secret = {"7531.93", "41.73", "13.37", "17.29", "6421.87", "91.77", "8.63"}
    secret |= {f"{value:.2f}" for one in Invoice.objects.all() for value in (one.net, one.total, one.tax)}
    call, browser = screens.staff.program(who), screens.staff.browser(who)
    answers: dict[str, str] = {}
    for path, methods in openapi()["paths"].items():
        address = path.removeprefix("/api/v1/")
        if "get" in methods and address not in NOT_ASKED and names(address) <= ids.keys():
            asked = address.format(**ids) + QUERIES.get(address.rpartition("/")[2], "")
            answers[f"GET {address}"] = call("GET", asked).content.decode()
    for page in PAGES:
        answer = browser.get(page.format(**ids))
        content = b"".join(answer) if answer.streaming else answer.content
        answers[f"page {page}"] = content.decode()
    for path, body in _orders(screens, ids["subscription_id"]):
        answers[f"POST {path} {body}"] = call("POST", path, body).content.decode()
    assert {where: found for where, text in answers.items() if (found := told(text) & secret)} == {}
    assert len(answers) > 90
    mail = f"/mail/{ids['mail_id']}/"
    assert told(screens.staff.browser("admin").get(mail).content.decode()) & secret
    assert "hidden from your role" in browser.get(mail).content.decode()


def names(address: str) -> set[str]:
    """The ids that an address names."""
    return set(re.findall(r"{(\w+)}", address))


def _orders(screens: Screens, one: str) -> list[tuple[str, dict[str, Any]]]:
    many = [{"price": "hosting", "quantity": "3"}]
    path = f"subscriptions/{one}"
    return [
        (f"{path}/change/preview", {"items": many, "when": "2026-04-10"}),
        (f"{path}/change/preview", {"items": [{"price": "hosting", "quantity": "999999999999"}], "when": "2026-04-10"}),
        (f"{path}/cancel/preview", {"when": "2026-04-10"}),
        (f"{path}/pause/preview", {"when": "2026-04-10"}),
        (f"{path}/discount-off/preview", {"discount": 1}),
        ("subscriptions/preview", {"account": str(screens.billing.acme), "items": many, "start": "2026-04-01"}),
        ("price-increases/preview", {"name": "x", "percent": "3", "from_on": "2027-01-01"}),
        (f"{path}/change", {"items": many, "when": "2026-04-10"}),
        (f"{path}/coupon", {"coupon": "spring"}),
        ("usage", {"events": [{"subscription": one, "price": "hosting", "quantity": "1", "at": "2026-04-01"}]}),
    ]


def _company(screens: Screens, clock: Any) -> dict[str, Any]:
    """A subscription with everything that has a price, its invoices of April and May, and the ids of it all."""
    call = screens.call

    def made(path: str, body: dict[str, Any]) -> Any:
        status, answer = call("POST", path, body, who="admin")
        assert status < 300, (path, answer)
        return answer

    price = call("GET", "prices?key=hosting")[1]["items"][0]["id"]
    seat = call("GET", "prices?key=seat")[1]["items"][0]["id"]
    made(f"prices/{price}/versions", {"amount": "7531.93", "valid_from": "2026-04-01"})
    made(f"prices/{seat}/versions", {"amount": "41.73", "valid_from": "2026-04-01"})
    coupon = made("coupons", {"code": "spring", "name": "Spring", "percent": "13.37"})["id"]
    made("coupons", {"code": "less", "name": "Less", "amount": "17.29", "currency": "EUR"})
    many = {"coupon": "spring", "discounts": [{"amount": "17.29"}]}
    one = str(screens.start(("hosting", "1"), ("seat", "2"), ("calls", "0"), **many))
    made("usage", {"events": [{"subscription": one, "price": "calls", "quantity": "5173", "at": "2026-04-01"}]})
    increase = made("price-increases", {"name": "Up", "percent": "8.63", "from_on": "2026-07-01"})["id"]
    account = {"account": str(screens.billing.acme)}
    agreed = {"unit": "hours", "amount": "10", "interval": "month", "starts_on": "2026-04-01", "roll_over": "none"}
    costs = {"overage_rate": "91.77", "price": "6421.87"}
    retainer = made("retainers", {**account, "title": "Care", **agreed, **costs})["id"]
    worked = {"retainer": retainer, "day": "2026-04-01", "hours": "12", "description": "Work"}
    time = made("time", {**account, **worked})["id"]
    made("entries/approve", {"time": [time]})
    clock.set("2026-05-01")
    jobs.due_subscriptions()
    run_waiting_jobs()
    return {
        "subscription_id": one,
        "price_id": price,
        "product_id": call("GET", "products")[1]["items"][0]["id"],
        "coupon_id": coupon,
        "increase_id": increase,
        "retainer_id": retainer,
        "time_entry_id": time,
        "entity_id": str(screens.billing.entity),
        "account_id": account["account"],
        "run_id": str(BillingRun.objects.get().pk),
        "invoice_id": str(Invoice.objects.all()[0].pk),
        "mail_id": str(Mail.objects.all()[0].pk),
        "record_key": "subscriptions.subscription",
        "record_id": one,
    }
