"""Deals in a real Chromium: three clicks from won to sent, the board by mouse and by keys, both themes, every width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from deals_world import SYSTEM, Sales, make_sales
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browsing import RULES, leave, settle
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.deals import commands
from counterfoil.deals.models import Deal, Handoff
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing import clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COUNT = """
window.__spent = JSON.parse(sessionStorage.getItem("spent") ?? '{"clicks": 0, "keys": 0}');
const spend = (what) => { window.__spent[what] += 1; sessionStorage.setItem("spent", JSON.stringify(window.__spent)); };
addEventListener("click", (event) => { if (event.isTrusted) spend("clicks"); }, true);
addEventListener("keydown", (event) => { if (event.isTrusted) spend("keys"); }, true);
"""


@pytest.fixture
def world(chromium: Browser, transactional_db: None) -> Sales:
    """The world of deals with a tax rate, committed."""
    made = make_sales()
    invoicing.add_tax_rate(
        actor=SYSTEM,
        values={
            "entity": made.entity,
            "tax_class": "standard",
            "label": "VAT 20 %",
            "percent": "20",
            "category": "S",
            "valid_from": "2020-01-01",
        },
    )
    return made


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
def page(chromium: Browser, live_server: Any, world: Sales) -> Iterator[Page]:
    """Sam of sales."""
    complaints: list[str] = []
    context = open_as(chromium, live_server, "sam")
    yield watched(context, complaints)
    context.close()
    assert complaints == []


def add(world: Sales, **values: Any) -> Any:
    """A deal of today, since the server's clock is not stopped."""
    values.setdefault("name", "Fleet")
    return commands.add_deal(actor=world.sam, values=values, on=clock.today())


def add_ready(world: Sales, **values: Any) -> Any:
    values.setdefault("account", world.acme)
    return add(world, lines=[{"product": world.widget, "quantity": "2"}], **values)


# Won, reviewed, sent ---------------------------------------------------------------------------------------------


def test_won_to_sent_in_three_clicks(chromium: Browser, live_server: Any, world: Sales) -> None:
    """Mark won, Review draft, Approve and send: three clicks, nothing typed, and the invoice has its number."""
    deal_id = add_ready(world)
    complaints: list[str] = []
    context = open_as(chromium, live_server, "bea")
    context.add_init_script(COUNT)
    page = watched(context, complaints)
    page.goto(f"/deals/{deal_id}/")
    page.get_by_role("button", name="Mark won").click()
    page.get_by_role("link", name="Review draft").click()
    expect(page).to_have_url(re.compile(r"/review/[0-9a-f-]{36}/"))
    page.get_by_role("button", name="Approve and send", exact=True).click()
    page.wait_for_load_state("networkidle")
    spent = page.evaluate("() => window.__spent")
    context.close()
    assert spent == {"clicks": 3, "keys": 0}
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.total, bool(invoice.number)) == ("issued", Decimal("240.00"), True)
    assert complaints == []


def test_two_tabs_make_one_draft(page: Page, world: Sales) -> None:
    """The same deal open in two tabs and marked won in both is handed over once, and both show the draft."""
    deal_id = add_ready(world)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/deals/{deal_id}/")
    for tab in (page, other):
        tab.get_by_role("button", name="Mark won").click()
        expect(tab.get_by_role("link", name="Review draft")).to_be_visible()
    assert (Invoice.objects.count(), Handoff.objects.count()) == (1, 1)


def test_what_is_missing_is_entered_on_the_deal(page: Page, world: Sales) -> None:
    """A win that is not ready opens what is missing; each item is entered there, and the deal is won."""
    deal_id = add(world, account=world.bare, lines=[{"product": world.widget}])
    page.goto(f"/deals/{deal_id}/")
    page.get_by_role("button", name="Mark won").click()
    box = page.locator("#readiness")
    expect(box).to_contain_text("3 missing")
    box.get_by_label("Street").fill("Kai 1")
    box.get_by_label("City").fill("Hamburg")
    box.get_by_label("Country").select_option("DE")
    box.get_by_role("button", name="Save").click()
    expect(box).to_contain_text("2 missing")
    box.get_by_text("Add a billing contact", exact=True).click()
    box.get_by_label("Name of somebody new").fill("Rita")
    box.get_by_role("button", name="Save").click()
    expect(box.locator(".problem").first).to_be_visible()
    box.get_by_label("Name of somebody new").fill("Rita")
    box.get_by_label("E-mail").fill("rita@bare.example")
    box.get_by_role("button", name="Save").click()
    expect(box).to_contain_text("1 missing")
    box.get_by_text("Enter the PO number", exact=True).click()
    box.get_by_label("PO number").fill("PO-1")
    box.get_by_role("button", name="Save").click()
    expect(box).to_contain_text("Ready")
    page.get_by_role("button", name="Mark won").click()
    expect(page.get_by_role("link", name="Review draft")).to_be_visible()
    assert Invoice.objects.get().po_number == "PO-1"


# The board -------------------------------------------------------------------------------------------------------


def column(page: Page, name: str) -> Any:
    return page.locator("[data-column]").filter(has=page.get_by_role("heading", name=name))


def test_dragging_a_card(page: Page, world: Sales) -> None:
    """A dragged card is at once in its new column, the sums follow, and Undo takes it back."""
    deal_id = add(world, name="Fleet", amount="100")
    page.goto("/deals/board/")
    page.locator(f"#card-{deal_id}").drag_to(column(page, "Proposal").locator("header"))
    expect(column(page, "Proposal").locator(f"#card-{deal_id}")).to_be_visible()
    expect(column(page, "Proposal").locator("h2 .count")).to_have_text("1")
    expect(column(page, "Proposal").locator(".column-sum")).to_contain_text("100.00")
    assert world.deal(deal_id).stage.name == "Proposal"
    page.get_by_role("button", name="Undo").click()
    expect(column(page, "Prospecting").locator(f"#card-{deal_id}")).to_be_visible()
    assert world.deal(deal_id).stage.name == "Prospecting"


def test_moving_by_keys(page: Page, world: Sales) -> None:
    """J goes to the card, M opens its menu, an arrow and Enter move it: no mouse."""
    deal_id = add(world)
    page.goto("/deals/board/")
    page.keyboard.press("j")
    page.keyboard.press("m")
    expect(page.get_by_label("Move Fleet")).to_be_focused()
    page.get_by_label("Move Fleet").select_option(label="Engaging")
    expect(column(page, "Engaging").locator(f"#card-{deal_id}")).to_be_visible()
    expect(page.get_by_text("Fleet moved to Engaging.")).to_be_visible()
    assert world.deal(deal_id).stage.name == "Engaging"


def test_a_refused_move_goes_back(page: Page, world: Sales) -> None:
    """A card that somebody else has changed meanwhile returns to where it was, with the reason."""
    deal_id = add(world)
    page.goto("/deals/board/")
    commands.change_deal(actor=world.bea, deal_id=deal_id, values={"next_step": "x"}, on=clock.today())
    page.locator(f"#card-{deal_id}").drag_to(column(page, "Proposal").locator("header"))
    expect(page.get_by_text("Somebody changed this since you opened it.")).to_be_visible()
    expect(column(page, "Prospecting").locator(f"#card-{deal_id}")).to_be_visible()
    assert world.deal(deal_id).stage.name == "Prospecting"


def test_dropping_on_won(page: Page, world: Sales) -> None:
    """A ready deal dropped on Won shows its draft in the panel; one that is not shows what is missing."""
    ready = add_ready(world)
    bare = add(world, name="Bare", account=world.bare)
    page.goto("/deals/board/")
    page.locator(f"#card-{bare}").drag_to(column(page, "Won").locator("header"))
    expect(page.locator("#panel")).to_contain_text("Billing readiness")
    expect(page.locator("#panel")).to_contain_text("4 missing")
    page.keyboard.press("Escape")
    expect(column(page, "Prospecting").locator(f"#card-{bare}")).to_be_visible()
    page.locator(f"#card-{ready}").drag_to(column(page, "Won").locator("header"))
    expect(page.locator("#panel").get_by_role("link", name="Review draft")).to_be_visible()
    assert (world.deal(ready).status, world.deal(bare).status) == ("won", "open")


def test_dropping_on_lost(page: Page, world: Sales) -> None:
    """A deal dropped on Lost asks why; with the reason given it is lost, and Undo opens it again."""
    deal_id = add(world)
    page.goto("/deals/board/")
    page.locator(f"#card-{deal_id}").drag_to(column(page, "Lost").locator("header"))
    panel = page.locator("#panel")
    panel.get_by_label("Price").check()
    panel.get_by_role("button", name="Mark lost").click()
    expect(column(page, "Lost").locator(f"#card-{deal_id}")).to_be_visible()
    assert world.deal(deal_id).lost_reason == "Price"
    page.get_by_role("button", name="Undo").click()
    expect(column(page, "Prospecting").locator(f"#card-{deal_id}")).to_be_visible()
    assert world.deal(deal_id).status == "open"


def test_a_long_column_loads_itself(page: Page, world: Sales) -> None:
    """Scrolling to the end of a column brings its further cards, each once."""
    for number in range(40):
        add(world, name=f"Deal {number}")
    page.goto("/deals/board/")
    expect(page.locator("[data-card]")).to_have_count(15)
    for _ in range(6):
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(300)
    expect(page.locator("[data-card]")).to_have_count(40)
    shown = page.evaluate(
        "() => new Set([...document.querySelectorAll('[data-card]')].map((one) => one.dataset.card)).size"
    )
    assert shown == 40


# Lines -----------------------------------------------------------------------------------------------------------


def test_lines_by_keyboard(page: Page, world: Sales) -> None:
    """L opens the editor, a product fills its line in, the sums follow, and the lines are saved."""
    deal_id = add(world, account=world.acme)
    page.goto(f"/deals/{deal_id}/")
    page.keyboard.press("l")
    first = page.locator("[data-grid-row]").first
    expect(first.get_by_role("combobox", name="Product")).to_be_focused()
    page.keyboard.type("Widg")
    expect(page.get_by_role("option", name="Widget")).to_be_visible()
    page.keyboard.press("Enter")
    expect(first.get_by_label("Description")).to_have_value("Widget")
    expect(first.get_by_label("Unit price")).to_have_value("100")
    expect(first.get_by_label("Quantity")).to_be_focused()
    page.keyboard.type("3")
    expect(page.locator("#line-sums")).to_contain_text("300.00")
    page.get_by_role("button", name="Save lines").click()
    expect(page.get_by_text("Lines saved.")).to_be_visible()
    expect(page.locator("#lines")).to_contain_text("300.00")
    assert str(world.amount(deal_id)) == "300.00 EUR"


# Every page, both themes, every width ----------------------------------------------------------------------------


@pytest.fixture
def crowded(world: Sales) -> dict[str, Any]:
    """Long names, a won, a lost and a returned deal, people, a second pipeline."""
    long = "Erweiterung der Lizenzen für sämtliche Niederlassungen einschließlich Schulungen und Wartungsvertrag"
    person = accounts.add_contact(actor=SYSTEM, values={"name": "Bob Buyer"}, on=clock.today())
    bare = add(world, name=long, account=world.bare, next_step="Ring up the person who knows about their order numbers")
    commands.set_deal_contact(actor=world.sam, deal_id=bare, contact_id=person, role="buyer")
    won = add_ready(world, name="Won one")
    commands.win_deal(actor=world.sam, deal_id=won, on=clock.today(), at=clock.now())
    returned = add_ready(world, name="Returned one")
    handover = commands.win_deal(actor=world.sam, deal_id=returned, on=clock.today(), at=clock.now())
    invoicing.return_drafts(actor=world.bea, invoice_ids=[handover.invoice_id], reason="Wrong price", at=clock.now())
    lost = add(world, name="Lost one")
    commands.lose_deal(actor=world.sam, deal_id=lost, reason="Price", on=clock.today())
    Deal.objects.filter(pk=bare).update(stage_since="2020-01-01")
    commands.add_pipeline(actor=SYSTEM, values={"name": "Partners"})
    deals = {"bare": bare, "won": won, "returned": returned, "lost": lost}
    paths = {f"{name} deal": f"/deals/{deal_id}/" for name, deal_id in deals.items()}
    return paths | {
        "board": "/deals/board/",
        "list": "/deals/",
        "nothing found": "/deals/?q=zzzz",
        "new": "/deals/new/",
        "change": f"/deals/{bare}/change/",
        "lines": f"/deals/{bare}/lines/?edit=1",
        "needs": f"/deals/{bare}/?needs=1",
        "lose": f"/deals/{bare}/lose/",
        "pipelines": "/settings/pipelines/",
        "pipeline": f"/settings/pipelines/{world.pipeline}/",
    }


def violations(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page, options=RULES).response
    return [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(
    chromium: Browser, live_server: Any, crowded: dict[str, Any], theme: str
) -> None:
    """axe finds nothing on any page of deals, and no page scrolls sideways at any width."""
    User.objects.filter(email="bea@example.com").update(roles=["admin"])
    complaints: list[str] = []
    context = open_as(chromium, live_server, "bea", color_scheme=theme)
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
    leave(page)
    assert found == []
    assert complaints == []
