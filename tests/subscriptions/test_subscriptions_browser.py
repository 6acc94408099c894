"""Price increases, coupons and discounts in a real Chromium: previewed while one types, fit for every eye."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from screens_world import Screens, make_screens

from browsing import RULES
from counterfoil.catalog.models import Product
from counterfoil.core.periods import add_months
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.jobs import increase_notices, increases
from counterfoil.subscriptions.models import DiscountStop, PriceIncrease
from staff import SYSTEM, Staff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def committed(chromium: Browser, transactional_db: None) -> Screens:
    """The company with its prices and people, committed, on the day that it is."""
    screens = make_screens(Staff())
    screens.billing.on = clock.today()
    return screens


def opened(chromium: Browser, live_server: Any, screens: Screens, role: str = "billing", scheme: Any = "light") -> Page:
    """A page in which a person of the role is logged in."""
    client = Client()
    client.force_login(screens.staff.users[role], backend="allauth.account.auth_backends.AuthenticationBackend")
    context = chromium.new_context(
        base_url=live_server.url, viewport={"width": 1440, "height": 900}, color_scheme=scheme
    )
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    return context.new_page()


def looked_at(page: Page, name: str, scheme: str) -> None:
    """Nothing wider than the screen, from a phone to a wide one, and no finding of axe."""
    pictures = os.environ.get("COUNTERFOIL_PICTURES")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_load_state("networkidle")
        assert not page.evaluate(WIDER), (name, width)
        if pictures:
            page.screenshot(path=Path(pictures) / f"{name}-{width}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})
    found = Axe().run(page, options=RULES).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], name


def first_of(months: int) -> date:
    return add_months(clock.today().replace(day=1), months)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_increase_is_previewed_with_what_it_leaves_out(
    chromium: Browser, live_server: Any, committed: Screens, scheme: str
) -> None:
    """A change that is arranged and a figure that is too large are left out in words; what rises is planned, told, and
    undone, and its customer is told that too.
    """
    screens, start = committed, first_of(0).isoformat()
    arranged = screens.start(("seat", "2"), name="Fewer desks soon, on the second floor", start=start)
    fewer = {"when": (first_of(1) + timedelta(9)).isoformat(), "items": [{"price": "seat", "quantity": "1"}]}
    assert screens.call("POST", f"subscriptions/{arranged}/change", fewer)[0] == 200
    screens.start(("seat", "100000"), name="Many", start=start)
    screens.start(("seat", "1"), ("calls", "1"), name="One", start=start)
    page = opened(chromium, live_server, screens, scheme=scheme)
    page.goto("/price-increases/new/")
    page.get_by_label("Name").fill("Yearly adjustment")
    page.get_by_label("Currency").select_option("EUR")
    page.locator("[name=prices-0-price]").fill("seat")
    page.locator("[name=prices-0-amount]").fill("99999999999")
    page.locator("[name=from_on]").fill((first_of(1) + timedelta(4)).isoformat())
    page.get_by_label("With the period that begins then or next").uncheck()
    page.get_by_label("Days of notice").fill("")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("A change of it after that day is arranged already.")
    expect(preview).to_contain_text("The new price is too large.")
    expect(preview).to_contain_text("3 subscriptions concerned. 1 price would rise")
    looked_at(page, "preview", scheme)
    assert PriceIncrease.objects.count() == 0
    page.locator("[name=prices-0-price]").fill("")
    page.locator("[name=prices-0-amount]").fill("")
    page.get_by_label("More by percent").fill("10")
    page.get_by_label("Days of notice").fill("90")
    expect(preview).to_contain_text("€0.01 per unit → €0.011 per unit")
    page.get_by_role("button", name="Plan increase").click()
    run_waiting_jobs()
    expect(page.get_by_role("heading", name="Yearly adjustment")).to_contain_text("Planned")
    looked_at(page, "increase", scheme)
    PriceIncrease.objects.get().raises.update(notice_on=clock.today())
    increase_notices()
    increases()
    page.reload()
    expect(page.get_by_text("told ").first).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect(page.get_by_role("dialog")).to_contain_text("they get a mail that it does not.")
    looked_at(page, "undo", scheme)
    page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(page.get_by_text("prices do not rise.")).to_be_visible()
    increase_notices()
    increases()
    page.reload()
    expect(page.get_by_text("told that it does not rise").first).to_be_visible()
    looked_at(page, "undone", scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_discount_is_taken_off_and_given_again(
    chromium: Browser, live_server: Any, committed: Screens, scheme: str
) -> None:
    """From the menu, beside the next bill without it; and redeemed again."""
    screens = committed
    for code in ("SPRING15", "PARTNER"):
        values = {"code": code, "name": code.title(), "percent": "15", "periods": 3}
        assert screens.call("POST", "coupons", values, who="admin")[0] == 201
    more = {"start": first_of(0).isoformat(), "discounts": [{"amount": "20.00"}]}
    one = screens.start(("hosting", "1"), ("seat", "12"), coupon="SPRING15", name="Hosting and desks", **more)
    assert screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "PARTNER"})[0] == 200
    page = opened(chromium, live_server, screens, scheme=scheme)
    page.goto(f"/subscriptions/{one}/")
    page.get_by_text("More", exact=True).click()
    looked_at(page, "more", scheme)
    page.set_viewport_size({"width": 360, "height": 700})
    for name in ("Pause…", "Name, terms, notice…"):
        expect(page.get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
    page.get_by_role("link", name="Take off a discount…").click()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Discount").select_option("15 % of coupon SPRING15, for 3 periods")
    expect(page.locator("#preview")).to_contain_text("No document is made now.")
    expect(page.locator("#preview")).to_contain_text("167.00")
    looked_at(page, "take-off", scheme)
    assert DiscountStop.objects.count() == 0
    page.get_by_role("button", name="Take off discount").click()
    expect(page.get_by_text("The discount is taken off.")).to_be_visible()
    expect(page.get_by_text("taken off, not for periods from")).to_be_visible()
    looked_at(page, "subscription", scheme)
    page.goto(f"/subscriptions/{one}/coupon/")
    page.get_by_label("Code").fill("spring15")
    page.get_by_role("button", name="Redeem coupon").click()
    expect(page.get_by_text("The coupon is redeemed.")).to_be_visible()
    assert DiscountStop.objects.count() == 0
    page.goto("/settings/coupons/")
    looked_at(page, "coupons", scheme)


def test_what_a_phone_shows_is_not_cut(chromium: Browser, live_server: Any, committed: Screens) -> None:
    """The numbers of a coupon, the values of the audit log, a line of items with what removes it, the tab that is
    shown, and the two values of a tier when one of them is refused.
    """
    screens = committed
    coupon = {"code": "SPRING", "name": "Spring", "percent": "10", "most": "50", "is_active": True}
    commands.add_coupon(actor=SYSTEM, values=coupon, at=clock.now())
    subscription = screens.start(("seat", "2"), start=first_of(-1).isoformat())
    page = opened(chromium, live_server, screens, role="admin")
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/settings/coupons/")
    assert page.get_by_role("cell", name="0 of 50").evaluate("one => one.getClientRects()[0].height") < 60
    page.goto("/settings/audit/")
    widths = page.locator(".timeline .fact dd").evaluate_all("all => all.map((one) => one.clientWidth)")
    assert min(widths) > 120
    page.goto(f"/subscriptions/{subscription}/change/")
    bottoms = [
        page.get_by_label(name).evaluate("one => one.getBoundingClientRect().bottom")
        for name in ("Quantity", "Remove line")
    ]
    assert abs(bottoms[0] - bottoms[1]) < 20
    page.goto("/price-increases/")
    expect(page.locator('.tabs [aria-current="page"]')).to_be_in_viewport(ratio=0.9)
    page.goto(f"/catalog/{Product.objects.get(code='seat').pk}/prices/new/")
    page.get_by_label("Model").select_option("graduated")
    for name, value in (("0-up_to", "100"), ("0-amount", "2"), ("1-up_to", "50"), ("1-amount", "1")):
        page.locator(f"[name=tiers-{name}]").fill(value)
    page.get_by_role("button", name="Add price").click()
    expect(page.locator("[name=tiers-1-up_to]")).to_have_attribute("aria-invalid", "true")
    tops = [
        page.locator(f"[name=tiers-1-{name}]").evaluate("one => one.getBoundingClientRect().top")
        for name in ("up_to", "amount")
    ]
    assert abs(tops[0] - tops[1]) < 2


def test_a_refused_page_keeps_what_was_typed(chromium: Browser, live_server: Any, committed: Screens) -> None:
    """Leaving it asks first, as leaving any form with typed text does; Cancel does not, nor does a page afresh."""
    one = committed.start(("seat", "2"))
    page = opened(chromium, live_server, committed)
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    address = f"{live_server.url}/subscriptions/{one}/change/"
    page.goto(address)
    page.locator("[name=items-0-quantity]").fill("-1")
    page.get_by_role("button", name="Change subscription").click()
    expect(page.locator("main [role=alert]")).to_contain_text("Nothing was saved.")
    assert asked == []
    page.locator(".trail a").first.click()
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    expect(page).to_have_url(address)
    expect(page.locator("[name=items-0-quantity]")).to_have_value("-1")
    page.locator("form").get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(f"{live_server.url}/subscriptions/{one}/")
    page.goto(address)
    page.get_by_role("heading", name="Change").click()
    page.locator(".trail a").first.click()
    expect(page).to_have_url(f"{live_server.url}/subscriptions/{one}/")
    assert asked == ["beforeunload"]
