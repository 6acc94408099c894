"""Instalments, early discounts and aging on the pages and on the API."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from terms_world import THIRD_AND_REST, TWO_IN_TEN, Selling

from counterfoil.invoicing.models import Invoice
from staff import Browser, Program, Staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def web(selling: Selling, staff: Staff) -> Browser:
    return staff.browser("billing")


@pytest.fixture
def call(selling: Selling, staff: Staff) -> Any:
    program: Program = staff.program("billing")

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = program(method, path, body)
        return answer.status_code, json.loads(answer.content)

    return send


def text(response: Any) -> str:
    """What a reader sees, with spaces squeezed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\xa0", " "))


def test_the_invoice_says_what_is_open_of_each_instalment(web: Browser, selling: Selling) -> None:
    """Both days with what is open of each, after a part of the first one was paid."""
    invoice_id = selling.invoice("100", "03-20", **THIRD_AND_REST)
    selling.pay("10", "03-21", [(invoice_id, Decimal(10))])
    page = text(web.get(f"/invoices/{invoice_id}/"))
    page = page[page.index("Money Net") :]
    assert "Due on Instalment Open Mar 20, 2026 30.00 EUR 20.00 EUR Apr 19, 2026 70.00 EUR 70.00 EUR" in page


def test_the_invoice_says_what_is_enough(web: Browser, selling: Selling) -> None:
    """Until when how much settles it, and what was spared when it came."""
    invoice_id = selling.invoice("100", "03-28", **TWO_IN_TEN)
    page = text(web.get(f"/invoices/{invoice_id}/"))
    assert "98.00 EUR until Apr 7, 2026 settles it." in page[page.index("Money Net") :]
    selling.pay("98", "03-30", "oldest")
    panel = text(web.get(f"/invoices/{invoice_id}/payments/", headers=HTMX))
    assert "early payment discount 2.00 EUR" in panel


def test_the_form_shows_what_the_money_will_settle(web: Browser, selling: Selling) -> None:
    """Two invoices that 196 cover less their discounts get 98 each; a day too late it is 100 and 96."""
    first, second = selling.invoice("100", "03-20", **TWO_IN_TEN), selling.invoice("100", "03-20", **TWO_IN_TEN)
    asked = {"payer": str(selling.acme), "currency": "EUR", "oldest": "1", "amount": "196"}

    def shares(day: str) -> list[str]:
        page = web.get("/payments/record/shares/", {**asked, "received_on": day}).content.decode()
        boxes = {one: re.search(rf'<input[^>]*name="share-{one}"[^>]*>', page) for one in (first, second)}
        return [re.search(r'value="([^"]*)"', box[0])[1] for box in boxes.values() if box]  # type: ignore[index]

    assert shares("2026-03-30") == ["98.00", "98.00"]
    assert shares("2026-03-31") == ["100.00", "96.00"]


def test_the_aging_page_lists_who_owes(web: Browser, selling: Selling) -> None:
    """What is late for longest first, a sum for the currency, and the same figures on the account."""
    assert "Nobody owes anything" in text(web.get("/payments/aging/"))
    selling.invoice("40", "01-15", account=selling.brent, days="0")
    selling.invoice("100", "03-20", **THIRD_AND_REST)
    page = text(web.get("/payments/aging/"))
    assert "Account Not due 1-30 days 31-60 days 61-90 days 91+ days Total" in page
    assert "Brent AG – – – 40.00 EUR – 40.00 EUR Acme GmbH 70.00 EUR 30.00 EUR – – – 100.00 EUR" in page
    assert "All in EUR 70.00 EUR 30.00 EUR – 40.00 EUR – 140.00 EUR" in page
    panel = text(web.get(f"/accounts/{selling.acme}/payments/", headers=HTMX))
    assert "Not due 70.00 EUR 1-30 days 30.00 EUR" in panel


def test_aging_on_the_api(call: Any, selling: Selling) -> None:
    """For one account or all, as of any day, in buckets of one's own; what is no bucket is refused."""
    selling.invoice("40", "01-15", account=selling.brent, days="0")
    selling.invoice("100", "03-20", **THIRD_AND_REST)
    acme = {
        "account": str(selling.acme),
        "currency": "EUR",
        "buckets": {"not_due": "70.00", "1-30": "30.00", "31-60": "0.00", "61-90": "0.00", "91+": "0.00"},
        "total": "100.00",
    }
    assert call("GET", f"aging?account={selling.acme}") == (200, [acme])
    status, found = call("GET", "aging?as_of=2026-04-20&buckets=7,31")
    assert status == 200
    assert {one["account"]: one["buckets"] for one in found} == {
        str(selling.acme): {"not_due": "0.00", "1-7": "70.00", "8-31": "30.00", "32+": "0.00"},
        str(selling.brent): {"not_due": "0.00", "1-7": "0.00", "8-31": "0.00", "32+": "40.00"},
    }
    for query, field in (("buckets=60,30", "buckets"), ("buckets=x", "buckets"), ("account=acme", "account")):
        status, refused = call("GET", f"aging?{query}")
        assert (status, refused["problems"][0]["field"]) == (422, field)


def test_a_payment_for_named_invoices_on_the_api(call: Any, selling: Selling) -> None:
    """The invoice says its plan; the money for both settles both; the shares say what was spared."""
    first, second = selling.invoice("100", "03-28", **TWO_IN_TEN), selling.invoice("50", "03-28", **THIRD_AND_REST)
    status, found = call("GET", f"invoices/{first}")
    assert status == 200
    assert found["early_discount"] == {"until": "2026-04-07", "amount": "2.00", "pay": "98.00"}
    assert found["instalments"] == [{"due_on": "2026-04-27", "amount": "100.00", "open": "100.00"}]
    body = {
        "payer": str(selling.acme), "method": "transfer", "amount": "148", "currency": "EUR",
        "received_on": "2026-04-01", "invoices": [str(first), str(second)],
    }  # fmt: skip
    status, refused = call("POST", "payments", {**body, "allocations": "oldest"})
    assert (status, refused["code"]) == (422, "both")
    for wrong, field in (("x", "invoices"), (["x"], "invoices.0"), ([None], "invoices.0")):
        status, refused = call("POST", "payments", {**body, "invoices": wrong})
        assert (status, refused["problems"][0]["field"]) == (422, field)
    assert Invoice.objects.filter(settled__gt=0).count() == 0
    status, _ = call("POST", "payments", body)
    assert status == 201
    assert (selling.open(first), selling.open(second)) == ("0.00", "0.00")
    status, shares = call("GET", f"invoices/{first}/payments")
    assert (status, [(one["amount"], one["allowance"]) for one in shares]) == (200, [("98.00", "2.00")])
    status, found = call("GET", f"invoices/{second}")
    assert [one["open"] for one in found["instalments"]] == ["0.00", "0.00"]


def test_terms_on_the_api(selling: Selling, staff: Staff) -> None:
    """Instalments go in and come out as they are, with the terms in words; what is not the whole is refused."""
    program = staff.program("admin")
    body = {"key": "third", "name": "A third", "is_active": True, **THIRD_AND_REST}
    answer = program("POST", "terms", body)
    assert answer.status_code == 201
    made = json.loads(answer.content)
    assert made["summary"] == "30 % on the day of issue, the rest 30 days after the issue"
    assert [(one["percent"], one["rest"], one["days"]) for one in made["instalments"]] == [
        ("30", False, 0), (None, True, 30),
    ]  # fmt: skip
    answer = program("PATCH", f"terms/{made['id']}", {"instalments": [{"percent": "30"}]})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (422, "not_the_whole")
