"""Payments in a real Chromium: recorded from the invoice in two clicks, split while one types, fit for every eye."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from payments_world import AT, ON, SYSTEM, Money, broken, make_money, user
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browsing import RULES, leave, settle
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.payments import commands
from counterfoil.payments.models import Payment

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COUNT = """
window.__spent = JSON.parse(sessionStorage.getItem("spent") ?? '{"clicks": 0, "keys": 0}');
const spend = (what) => { window.__spent[what] += 1; sessionStorage.setItem("spent", JSON.stringify(window.__spent)); };
addEventListener("click", (event) => { if (event.isTrusted) spend("clicks"); }, true);
addEventListener("keydown", (event) => { if (event.isTrusted) spend("keys"); }, true);
"""


@pytest.fixture
def world(chromium: Browser, transactional_db: None) -> Iterator[Money]:
    """The world of payments, committed."""
    yield make_money()
    assert broken() == []


def open_as(chromium: Browser, live_server: Any, name: str, **options: Any) -> BrowserContext:
    """A browser in which this person is logged in."""
    client = Client()
    client.force_login(
        User.objects.get(email=f"{name}@example.com"), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900}, **options)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    return context


def watched(context: BrowserContext, complaints: list[str]) -> Page:
    """A page whose console must stay silent, but for answers that a test provokes."""
    page = context.new_page()
    expected = re.compile(r"status of (404|409|422)|Response Status Error Code")
    page.on(
        "console",
        lambda one: complaints.append(one.text) if one.type == "error" and not expected.search(one.text) else None,
    )
    page.on("pageerror", lambda one: complaints.append(str(one)))
    return page


@pytest.fixture
def page(chromium: Browser, live_server: Any, world: Money) -> Iterator[Page]:
    """Bea of billing."""
    complaints: list[str] = []
    context = open_as(chromium, live_server, "bea")
    context.add_init_script(COUNT)
    yield watched(context, complaints)
    context.close()
    assert complaints == []


def test_recorded_from_the_invoice_in_two_clicks(page: Page, world: Money) -> None:
    """Record payment on the invoice, Record payment on the form: two clicks, nothing typed, and it is paid."""
    invoice = world.invoice("INV-1", "1190.00")
    page.goto(f"/invoices/{invoice}/")
    page.get_by_role("link", name="Record payment").click()
    expect(page.get_by_role("combobox", name="Payer")).to_have_value("Acme")
    expect(page.locator("[data-split-line]")).to_have_text(re.compile(r"1,190.00 of 1,190.00 EUR allocated"))
    page.get_by_role("button", name="Record payment").click()
    expect(page).to_have_url(re.compile(rf"/invoices/{invoice}/$"))
    assert page.evaluate("() => window.__spent") == {"clicks": 2, "keys": 0}
    payment = Payment.objects.get()
    assert (world.open(invoice), world.rest(payment.pk), payment.reference) == ("0.00", "0.00", "INV-1")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("undone by a counter-entry")).to_be_visible()
    assert world.open(invoice) == "1190.00"


def test_the_split_follows_what_is_typed(page: Page, world: Money) -> None:
    """Picking the payer loads what it owes; shares are counted while they are typed, and oldest first fills them."""
    old = world.invoice("INV-1", "100.00", due_on="2026-03-10")
    young = world.invoice("INV-2", "1000.00", due_on="2026-03-20")
    page.goto("/payments/record/")
    expect(page.locator("#shares")).to_contain_text("Choose the payer")
    page.get_by_role("combobox", name="Payer").click()
    page.keyboard.type("Acme")
    expect(page.get_by_role("option", name="Acme")).to_be_visible()
    page.keyboard.press("Enter")
    first, second = page.get_by_label("Settles of INV-1"), page.get_by_label("Settles of INV-2")
    expect(second).to_be_visible()
    line = page.locator("[data-split-line]")
    page.get_by_label("Amount").fill("1.050,50")
    expect(line).to_have_text(re.compile("0.00 of 1,050.50 EUR allocated.*1,050.50 stays unallocated"))
    second.fill("1000,5")
    expect(line).to_have_text(re.compile("1,000.50 of 1,050.50 EUR allocated.*50.00 stays unallocated"))
    page.get_by_role("button", name="Settle INV-1 as far as the money goes").click()
    expect(first).to_have_value("50.00")
    first.fill("100")
    expect(line).to_have_text(re.compile("50.00 more than there is"))
    page.get_by_label("Settle the oldest first").check()
    expect(first).to_have_value("100.00")
    expect(second).to_have_value("950.50")
    page.get_by_label("Amount").fill("120")
    expect(second).to_have_value("20.00")
    expect(page.get_by_label("Amount")).to_be_focused()
    page.get_by_role("button", name="Record payment").click()
    expect(page.get_by_text("The payment is recorded.")).to_be_visible()
    assert (world.open(old), world.open(young)) == ("0.00", "980.00")


def test_who_types_fast_gets_what_was_typed(page: Page, world: Money) -> None:
    """Enter before the answer is there chooses the payer when it comes; a name that nobody has sends no form."""
    world.invoice("INV-1", "100.00")
    page.goto("/payments/record/")
    payer = page.get_by_role("combobox", name="Payer")
    payer.click()
    page.keyboard.type("Acme")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Settles of INV-1")).to_be_visible()
    expect(payer).to_have_value("Acme")
    payer.fill("Nobody Ltd")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_proposal_follows_the_amount(page: Page, world: Money) -> None:
    """Half of what is owed came: the amount alone is changed, and the share goes with it."""
    invoice = world.invoice("INV-1", "100.00")
    page.goto(f"/payments/record/?invoice={invoice}")
    page.get_by_label("Amount").fill("40")
    expect(page.get_by_label("Settles of INV-1")).to_have_value("40.00")
    page.get_by_label("Amount").fill("150")
    expect(page.get_by_label("Settles of INV-1")).to_have_value("100.00")
    page.get_by_label("Amount").fill("40")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/invoices/"))
    assert world.open(invoice) == "60.00"


def test_money_that_bounced(page: Page, world: Money) -> None:
    """T opens what takes money back; without a reason the dialog asks again, with one the invoice owes again."""
    invoice = world.invoice("INV-1", "100.00")
    payment = world.pay("100", "oldest", method="cheque")
    page.goto(f"/payments/{payment}/")
    page.get_by_label("Undo the allocation to INV-1").click()
    undo = page.get_by_role("button", name="Undo the allocation", exact=True)
    expect(undo).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("button", name="It failed or bounced…").click()
    page.get_by_role("button", name="Take the money back").click()
    dialog = page.get_by_role("dialog", name="The money did not arrive")
    expect(dialog.get_by_text("Say why")).to_be_in_viewport(ratio=1)
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Insufficient funds")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Bounced", exact=True)).to_be_visible()
    assert world.open(invoice) == "100.00"


# Every page, both themes, every width --------------------------------------------------------------------------------


@pytest.fixture
def crowded(world: Money) -> dict[str, str]:
    """Long names, money of every state, payers with much and with nothing."""
    long = "Erweiterte Lizenzverwaltungsgesellschaft für sämtliche Niederlassungen Österreichs und der Schweiz KG"
    big = accounts.add_account(actor=SYSTEM, on=ON, values={"legal_name": long})
    bills = [world.invoice(f"RE-2026-0000{n}-NIEDERLASSUNG", "1234567.89", account=big) for n in range(6)]
    shares = [(bills[0], Decimal(1)), (bills[1], Decimal(500))]
    first = world.pay("2500000", shares, payer=str(big), reference="Sammelüberweisung " * 7)
    world.pay("10", payer=str(big), currency="USD", note="Überzahlung, bitte klären " * 15)
    bounced = world.pay("30", [(bills[2], Decimal(30))], payer=str(big), method="cheque")
    reason = "Konto erloschen, Rücklastschrift durch die Bank des Zahlungspflichtigen"
    commands.fail_payment(actor=world.bea, payment_id=bounced, kind="bounced", reason=reason, on=ON, at=AT)
    undone = world.pay("31", [(bills[2], Decimal(31))], payer=str(big))
    commands.undo_payment(actor=world.bea, payment_id=undone, on=ON, at=AT, reason="Twice in the file")
    taken = Payment.objects.get(pk=first).allocations.first()
    commands.undo_allocation(actor=world.bea, allocation_id=taken.pk, on=ON, at=AT)
    return {
        "list": "/payments/",
        "unallocated": "/payments/?unallocated=1",
        "nothing found": "/payments/?q=zzzz",
        "record": "/payments/record/",
        "record from an invoice": f"/payments/record/?invoice={bills[0]}",
        "record from an account": f"/payments/record/?account={big}",
        "record for nobody's debt": f"/payments/record/?account={world.brent}",
        "payment": f"/payments/{first}/",
        "bounced": f"/payments/{bounced}/",
        "undone": f"/payments/{undone}/",
        "allocate": f"/payments/{first}/allocate/",
        "nothing to allocate": f"/payments/{bounced}/allocate/",
        "account": f"/accounts/{big}/",
        "invoice": f"/invoices/{bills[1]}/",
    }


def violations(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page, options=RULES).response
    return [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(
    chromium: Browser, live_server: Any, crowded: dict[str, str], theme: str
) -> None:
    """axe finds nothing on any page of payments, and no page scrolls sideways at any width."""
    user("Adele", "admin")
    complaints: list[str] = []
    context = open_as(chromium, live_server, "adele", color_scheme=theme)
    page = watched(context, complaints)
    found = []
    for name, path in crowded.items():
        page.goto(path)
        settle(page)
        found += [f"{name}: {one}" for one in violations(page)]
        for width in (360, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            over = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found += [f"{name} is {over} px too wide at {width}"] if over > 0 else []
            if os.environ.get("SHOTS"):
                shot = f"{os.environ['SHOTS']}/{theme}-{width}-{name.replace(' ', '-')}.png"
                page.screenshot(path=shot, full_page=True)
    leave(page)
    assert found == []
    assert complaints == []
