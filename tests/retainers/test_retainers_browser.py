"""Retainers, time and expenses in a real Chromium: on a phone and a wide screen, in both themes, fit for every eye."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from retainers_world import SYSTEM, Work, broken, make_work, reviewed_draft, run, subscribed

from browsing import RULES, leave, settle
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import LINES_MAX
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.retainers import commands, queries
from counterfoil.retainers.models import TimeEntry
from counterfoil.subscriptions.models import BillingPolicy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BROKEN = """() => {
  const broken = [];
  for (const cell of document.querySelectorAll("tbody td:not(.title)")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode())
      for (const word of node.data.matchAll(/[^\\s-]{2,9}/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((one) => one.top)).size > 1) broken.push(word[0]);
      }
  }
  return broken;
}"""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def work(chromium: Browser, transactional_db: None) -> Iterator[Work]:
    """The world of retainers, committed."""
    yield make_work()
    assert broken() == []


def opened(chromium: Browser, live_server: Any, scheme: Any = "light") -> Page:
    """A page in which Bea of billing is logged in."""
    client = Client()
    bea = User.objects.get(email="bea@example.com")
    client.force_login(bea, backend="allauth.account.auth_backends.AuthenticationBackend")
    context = chromium.new_context(
        base_url=live_server.url, viewport={"width": 1440, "height": 900}, color_scheme=scheme
    )
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    return context.new_page()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_fit_for_every_eye(chromium: Browser, live_server: Any, work: Work, scheme: str) -> None:
    """No finding of axe and nothing wider than the screen, from a phone to a wide one."""
    retainer = work.retainer(roll_over="periods", rolled_periods="1", price="900")
    work.time("4", "2026-01-10", retainer=retainer)
    work.time("17.25", "2026-02-10", retainer=retainer, description="Migration of the customer portal")
    entry = work.time("2.5", "2026-03-10", retainer=retainer, approved=False)
    work.expense("84.20", "2026-03-11", description="Train to Hamburg")
    work.bill()
    work.time("3.5", "2026-03-12", retainer=retainer, description="Workshop on the new portal")
    subscription = queries.get_retainer(work.bea, retainer, work.on).subscription_id
    page = opened(chromium, live_server, scheme)
    pictures = os.environ.get("COUNTERFOIL_PICTURES")
    for name, path in {
        "list": "/retainers/",
        "retainer": f"/retainers/{retainer}/",
        "new": f"/retainers/new/?account={work.acme}",
        "time": "/time/?show=to_approve",
        "expenses": "/expenses/",
        "entry": f"/time/{entry}/",
        "enter": f"/expenses/new/?account={work.acme}",
        "account": f"/accounts/{work.acme}/",
        "subscription": f"/subscriptions/{subscription}/",
    }.items():
        for width in (360, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path)
            settle(page)
            assert not page.evaluate(WIDER), (name, width)
            if pictures:
                page.screenshot(path=Path(pictures) / f"{name}-{width}-{scheme}.png", full_page=True)
        found = Axe().run(page, options=RULES).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], name
    leave(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_customers_page_is_fit_for_every_eye(chromium: Browser, live_server: Any, work: Work, scheme: Any) -> None:
    """Without logging in, in the customer's language, from a phone to a wide screen; so is its refusal."""
    accounts.change_account(actor=SYSTEM, account_id=work.acme, values={"language": "de"}, version=None)
    retainer = work.retainer(roll_over="periods", rolled_periods="1", title="Betreuung des Kundenportals")
    work.time("4", "2026-01-10", retainer=retainer, description="Umzug des Kundenportals auf neue Rechner")
    work.time("17.25", "2026-02-10", retainer=retainer, description="Datenübernahme aus dem alten System")
    work.time("2.5", "2026-03-10", retainer=retainer, description="Bericht")
    secret = commands.share_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    context = chromium.new_context(base_url=live_server.url, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    pictures = os.environ.get("COUNTERFOIL_PICTURES")
    for name, path in {"customer": f"/burn-down/{secret}/", "no-customer": "/burn-down/nothing/"}.items():
        for width in (360, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert not page.evaluate(WIDER), (name, width)
            if pictures:
                page.screenshot(path=Path(pictures) / f"{name}-{width}-{scheme}.png", full_page=True)
        found = Axe().run(page, options=RULES).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], name
    assert all(url.startswith(live_server.url) for url in asked)
    assert context.cookies() == []
    page.goto(f"/burn-down/{secret}/")
    expect(page.get_by_role("heading", name="Betreuung des Kundenportals")).to_be_visible()
    expect(page.get_by_text("Datenübernahme aus dem alten System")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de-DE")


def test_the_link_is_copied_and_opens_the_page(chromium: Browser, live_server: Any, work: Work) -> None:
    """Bea makes a link, copies it, and somebody else opens it; closed, it opens nothing."""
    retainer = work.retainer()
    page = opened(chromium, live_server)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    page.goto(f"/retainers/{retainer}/")
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_label("Address").input_value()
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == address
    somebody = chromium.new_context().new_page()
    somebody.goto(address)
    expect(somebody.get_by_role("heading", name="Support")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No link was made")).to_be_visible()
    somebody.reload()
    expect(somebody.get_by_role("heading", name="Support")).to_be_visible()
    page.goto(f"/retainers/{retainer}/")
    page.get_by_role("button", name="Close the page").click()
    expect(page.get_by_role("dialog")).to_contain_text("The link that the customer has opens nothing any more.")
    page.get_by_role("dialog").get_by_role("button", name="Close the page").click()
    expect(page.get_by_text("Not open.")).to_be_visible()
    somebody.reload()
    expect(somebody.get_by_role("heading", name="There is nothing at this address")).to_be_visible()


def test_what_is_selected_is_approved_by_the_keyboard(chromium: Browser, live_server: Any, work: Work) -> None:
    """Two of three rows are ticked and approved; the third still waits."""
    for place in range(3):
        work.time("1", f"2026-03-{place + 10}", rate="1", approved=False, description=f"Work {place}")
    page = opened(chromium, live_server)
    page.goto("/time/?show=to_approve")
    page.get_by_label("Select Work 0").check()
    page.get_by_label("Select Work 2").check()
    page.keyboard.press("a")
    expect(page.get_by_text("2 approved.")).to_be_visible()
    assert sorted(TimeEntry.objects.values_list("description", "status")) == [
        ("Work 0", "approved"), ("Work 1", "entered"), ("Work 2", "approved"),
    ]  # fmt: skip


def test_a_dialog_out_of_a_menu_gives_the_focus_back_to_it(chromium: Browser, live_server: Any, work: Work) -> None:
    """Retiring is asked for by the keyboard alone, and left with Escape."""
    page = opened(chromium, live_server)
    page.goto(f"/retainers/{work.retainer()}/")
    menu = page.locator("summary", has_text="Change")
    menu.press("Enter")
    page.get_by_role("button", name="Retire…").press("Enter")
    expect(page.get_by_role("dialog", name="Retire the retainer")).to_be_visible()
    expect(page.get_by_label("Ends on")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Retire the retainer")).to_be_hidden()
    expect(menu).to_be_focused()


def test_a_refused_dialog_is_asked_again(chromium: Browser, live_server: Any, work: Work) -> None:
    """Without a reason nothing is rejected: the dialog is there with what is wrong, and Escape leaves it."""
    entry = work.time("1", rate="1", approved=False)
    page = opened(chromium, live_server)
    page.goto(f"/time/{entry}/")
    page.get_by_role("button", name="Reject…").press("Enter")
    dialog = page.get_by_role("dialog", name="Reject")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Say what is wrong with it.")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert TimeEntry.objects.get().status == "entered"


def test_a_menu_that_its_key_opens_is_walked_and_left_by_keys(chromium: Browser, live_server: Any, work: Work) -> None:
    page = opened(chromium, live_server)
    page.goto(f"/retainers/{work.retainer()}/")
    settle(page)
    page.keyboard.press("m")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Change the terms")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Change the terms")).to_be_hidden()
    expect(page.locator("summary", has_text="Change")).to_be_focused()


def test_words_of_usual_length_stay_whole_in_narrow_columns(chromium: Browser, live_server: Any, work: Work) -> None:
    """A list of nine columns at 1024 px: names and words are on one line each."""
    User.objects.filter(email="sam@example.com").update(name="Sam Lindqvist")
    work.time("1", rate="1", approved=False, description="Interdisciplinary investigation of certificate rotation")
    page = opened(chromium, live_server)
    page.set_viewport_size({"width": 1024, "height": 900})
    page.goto("/time/?show=to_approve")
    expect(page.get_by_role("cell", name="Sam Lindqvist")).to_be_visible()
    broken = page.evaluate(BROKEN)
    assert broken == []
    assert not page.evaluate(WIDER)


def test_a_line_of_a_draft_stays_itself_whatever_goes_above_it(
    chromium: Browser, live_server: Any, work: Work, clock: Any
) -> None:
    """In one save A is taken off, B becomes two hours and a half, a line is typed: A is unbilled again, B is not."""
    draft = reviewed_draft(work)
    page = opened(chromium, live_server)
    page.goto(f"/invoices/{draft}/edit/")
    rows = page.locator("[data-grid-row]")
    expect(rows).to_have_count(3)
    rows.nth(1).get_by_role("button", name="Remove line").click()
    page.locator("[name=lines-1-quantity]").fill("2.5")
    page.get_by_role("button", name="Add a line").click()
    page.locator("[name=lines-2-description]").fill("Set-up")
    page.locator("[name=lines-2-unit_price]").fill("500")
    page.get_by_role("button", name="Save draft").first.click()
    expect(page.locator(".toast")).to_contain_text("Saved.")
    leave(page)
    assert work.lines() == ["Basic 1 × 100 = 100.00", "B 2.5 × 100 = 250.00", "Set-up 1 × 500 = 500.00"]
    run_waiting_jobs()
    assert dict(TimeEntry.objects.values_list("description", "status")) == {"A": "approved", "B": "settled"}


def test_a_recurring_draft_with_very_much_time_is_changed_in_the_browser(
    chromium: Browser, live_server: Any, work: Work, clock: Any
) -> None:
    """Of 402 entries 399 go beside Basic; the document is changed as ever, and the last three join the next one."""
    BillingPolicy.objects.create(entity_id=work.entity, is_reviewed=True)
    subscribed(work)
    work.many_hours(402)
    run()
    draft = Invoice.objects.get()
    assert (draft.lines.count(), f"{draft.net:.2f}") == (LINES_MAX, "4090.00")
    page = opened(chromium, live_server)
    page.goto(f"/invoices/{draft.pk}/edit/")
    expect(page.locator("[data-grid-row]")).to_have_count(LINES_MAX)
    page.locator("[name=lines-399-quantity]").fill("3")
    page.get_by_role("button", name="Add a line").click()
    page.locator("[name=lines-400-description]").fill("Set-up")
    page.locator("[name=lines-400-unit_price]").fill("500")
    page.get_by_role("button", name="Save draft").first.click()
    expect(page.locator(".toast")).to_contain_text("Saved.")
    leave(page)
    run_waiting_jobs()
    waiting = TimeEntry.objects.filter(status="approved").order_by("description")
    assert list(waiting.values_list("description", flat=True)) == ["Call 399", "Call 400", "Call 401"]
    run(date(2026, 5, 1))
    draft.refresh_from_db()
    assert f"{draft.net:.2f}" == "4610.00"
    assert work.lines()[-4:] == [
        "Basic 1 × 100 = 100.00", "Call 399 1 × 10 = 10.00", "Call 400 1 × 10 = 10.00", "Call 401 1 × 10 = 10.00",
    ]  # fmt: skip
