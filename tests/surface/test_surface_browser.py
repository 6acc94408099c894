"""The gallery in a real Chromium: accessibility in both themes, keyboard, and each piece of behaviour once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test.testcases import LiveServerThread
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browsing import CHROMIUM, RULES

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = ["/", "/list", "/form", "/refused-form", "/board", "/panes", "/refused"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for this file, closed at its end: its event loop must not meet the database of other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def address(gallery: str) -> Iterator[str]:
    """The gallery, served on a free port of this machine."""
    server = LiveServerThread("127.0.0.1", StaticFilesHandler, {})
    server.start()
    server.is_ready.wait()
    assert server.error is None
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()
    server.join()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page whose console must stay silent: no script error, nothing that the security policy refused."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=address)
    opened = context.new_page()
    complaints: list[str] = []
    expected = re.compile(
        r"status of (401|404|409|422|500)|Response Status Error Code (401|500)|htmx:\w+|INTERNET_DISCONNECTED"
    )
    opened.on(
        "console",
        lambda one: complaints.append(one.text) if one.type == "error" and not expected.search(one.text) else None,
    )
    opened.on("pageerror", lambda one: complaints.append(str(one)))
    yield opened
    context.close()
    assert complaints == []


def violations(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page, options=RULES).response
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible_in_both_themes(page: Page, path: str, theme: str) -> None:
    """axe finds nothing on any page of the gallery."""
    page.goto(f"{path}?theme={theme}")
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_floats_is_accessible_too(page: Page, theme: str) -> None:
    """axe finds nothing in the open palette, sheet, dialog, menu, panel, toasts and filter box."""
    page.goto(f"/said?theme={theme}")
    expect(page.locator(".toast")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Nordwind")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#keys-sheet")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#keys-sheet")).to_be_hidden()
    page.get_by_label("More", exact=True).click()
    assert violations(page) == []
    page.get_by_text("Open in panel").click()
    expect(page.get_by_role("heading", name="Side panel")).to_be_visible()
    assert violations(page) == []
    page.goto(f"/list?theme={theme}&status=sent")
    page.locator("summary", has_text="Filter").click()
    page.locator("#filter-owner").click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 768, 1024, 1440])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways(page: Page, path: str, width: int) -> None:
    """At every width what is too wide scrolls in its own box or becomes a card."""
    page.set_viewport_size({"width": width, "height": 780})
    page.goto(path)
    assert page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_targets_are_large_enough(page: Page) -> None:
    """Buttons, links of the frame and boxes measure 24 px or more."""
    page.goto("/list")
    small = page.evaluate(
        """() => [...document.querySelectorAll(
              "button, .button, summary, .sidebar a, th a, label:has([type=checkbox])")]
            .filter((one) => one.checkVisibility())
            .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
            .filter(([, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"""
    )
    assert small == []


def test_focus_is_always_visible_and_never_under_the_bars(page: Page) -> None:
    """Tabbing through a long page keeps the focused element between the top bar and the foot."""
    page.set_viewport_size({"width": 1024, "height": 500})
    page.goto("/")
    page.locator("main").focus()
    for _ in range(45):
        page.keyboard.press("Tab")
        state = page.evaluate(
            """() => { const one = document.activeElement, box = one.getBoundingClientRect();
              if (one === document.body || !one.closest("main")) return "ok";
              const below = Math.min(box.bottom - 2, innerHeight - 2);
              const seen = document.elementFromPoint(box.left + box.width / 2, below);
              const drawn = getComputedStyle(one).outlineStyle !== "none";
              const isSeen = drawn && seen && (one.contains(seen) || seen.contains(one));
              return isSeen ? "ok" : one.outerHTML.slice(0, 120); }"""
        )
        assert state == "ok"


def test_the_palette_finds_and_goes_by_keyboard(page: Page) -> None:
    """Ctrl-K, a name, Enter: the record's page. The arrows move, the count is read out."""
    page.goto("/list")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-input")).to_be_focused()
    page.keyboard.type("zürcher")
    expect(page.locator("#palette-count")).to_have_text("3 results")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#palette-results [aria-selected=true]")).to_contain_text("Zürcher")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/slips/"))


def test_shortcuts_work_outside_inputs_only_and_can_be_switched_off(page: Page) -> None:
    """G and a letter goes somewhere, in a box it is text; the sheet lists the table; single keys can be off."""
    page.goto("/list")
    page.locator("#list-q").fill("")
    page.locator("#list-q").press_sequentially("gb")
    expect(page).to_have_url(re.compile(r"/list\?q=gb"))
    page.goto("/list")
    page.keyboard.press("?")
    sheet = page.locator("#keys-sheet")
    for label in ("Go to Deals", "New invoice", "Next row", "Find or do anything", "Search this list"):
        expect(sheet.get_by_text(label, exact=True)).to_be_visible()
    sheet.get_by_label("Single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page).to_have_url(re.compile("/list"))
    page.evaluate("() => localStorage.clear()")
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page).to_have_url(re.compile("/board"))


def test_rows_by_keyboard_and_the_bar_of_the_selected(page: Page) -> None:
    """J goes down, X selects, the bar counts; its action asks first and posts the ids."""
    page.goto("/list")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk-count]")).to_have_text("2")
    page.keyboard.press("s")
    expect(page.locator("#confirm")).to_contain_text("Send the selected slips?")
    page.locator("#confirm").get_by_role("button", name="Approve and send").click()
    expect(page.locator(".toast")).to_contain_text("2 slips.")


def test_searching_a_list_keeps_the_box_and_the_address(page: Page) -> None:
    """The list follows the typing, the address too, and a reload shows the same."""
    page.goto("/list")
    page.locator("#list-q").press_sequentially("nord")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("#list-q")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/list\?q=nord$"))
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("#list-q")).to_have_value("nord")


def test_a_refused_form_is_swapped_and_keeps_what_was_typed(page: Page) -> None:
    """422: the message stands at the field, the first one has the focus, nothing typed is lost."""
    page.goto("/form")
    page.get_by_label("Title").fill("")
    page.get_by_label("Notes").fill("typed just now")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Title is missing.")).to_be_visible()
    expect(page.get_by_label("Title")).to_be_focused()
    expect(page.get_by_label("Notes")).to_have_value("typed just now")
    page.get_by_label("Title").fill("Nordwind")
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator(".toast")).to_contain_text("Saved.")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone.")


def test_lines_are_entered_by_keyboard(page: Page) -> None:
    """Enter goes down and adds a line, a product is found by typing, Alt and arrows move, numbers stay in order."""
    page.goto("/form")
    rows = page.locator("[data-grid-row]")
    expect(rows).to_have_count(2)
    page.locator("[name=lines-1-quantity]").focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(3)
    page.locator("[name=lines-2-product-title]").press_sequentially("lumen")
    expect(page.get_by_role("option", name="Lumen Optik")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("[name=lines-2-product-title]")).to_have_value("Lumen Optik")
    expect(page.locator("[name=lines-2-product]")).to_have_value("00000000-0000-0000-0000-00000000000c")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("[name=lines-1-product-title]")).to_have_value("Lumen Optik")
    expect(page.locator("[name=lines-1-product-title]")).to_be_focused()
    expect(page.locator("[name=lines-2-product-title]")).to_have_value("Calibration")
    page.get_by_role("button", name="Remove line").first.click()
    expect(rows).to_have_count(2)
    expect(page.locator("[name=lines-0-product-title]")).to_have_value("Lumen Optik")


def test_a_value_is_changed_in_place(page: Page) -> None:
    """Enter opens and saves, Esc leaves, an error stays at the field."""
    page.goto("/")
    page.locator("#fact-title [data-edit]").focus()
    page.keyboard.press("Enter")
    box = page.locator("#fact-title input[name=title]")
    expect(box).to_be_focused()
    box.fill("")
    page.keyboard.press("Enter")
    expect(page.locator("#fact-title")).to_contain_text("Title is missing.")
    page.keyboard.press("Escape")
    expect(page.locator("#fact-title")).to_contain_text("Nordwind Logistik GmbH")
    expect(page.locator("#fact-title [data-edit]")).to_be_focused()
    page.keyboard.press("Enter")
    box.fill("Südwind")
    page.keyboard.press("Enter")
    expect(page.locator("#fact-title [data-edit]")).to_have_text("Südwind")


def test_cards_move_by_mouse_and_by_keyboard_and_go_back_when_refused(page: Page) -> None:
    """Dragging and the card's menu do the same; a 409 puts the card back and says why."""
    page.goto("/board")
    card = page.locator('[data-card="0"]')
    card.drag_to(page.locator('[data-column="won"] [data-cards]'))
    expect(page.locator('[data-column="won"] [data-card="0"]')).to_be_visible()
    expect(page.locator(".toast")).to_contain_text("Moved.")
    expect(page.locator('[data-column="won"] [data-column-count]')).to_have_text("4")
    card.get_by_role("link").focus()
    page.keyboard.press("m")
    expect(card.locator("select")).to_be_focused()
    card.locator("select").select_option("lost")
    expect(page.locator(".toast.error")).to_contain_text("This one has a draft.")
    expect(page.locator('[data-column="won"] [data-card="0"]')).to_be_visible()
    expect(card.locator("select")).to_have_value("won")


def test_broken_answers_and_lost_sessions_are_said(page: Page) -> None:
    """A fault becomes a message; a lost session a dialog that keeps the page; an absent server is told apart."""
    page.goto("/")
    page.get_by_role("button", name="Breaks").click()
    expect(page.locator(".toast.error")).to_contain_text("Something broke")
    page.locator(".toast").get_by_role("button", name="Dismiss").click()
    page.get_by_role("button", name="Loses the session").click()
    expect(page.locator("#session-lost")).to_be_visible()
    page.get_by_role("button", name="Stay on this page").click()
    page.context.set_offline(True)
    page.get_by_role("button", name="Breaks").click()
    expect(page.locator(".toast.error").last).to_contain_text("The server does not answer.")
    page.context.set_offline(False)


def test_unsaved_text_is_guarded(page: Page) -> None:
    """Leaving a form with typed text asks first; Cancel does not."""
    page.goto("/form")
    page.get_by_label("Notes").fill("not saved yet")
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.locator(".trail a").click()
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    expect(page).to_have_url(re.compile("/form"))
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(re.compile("/list"))


def test_the_theme_turns_and_the_sidebar_folds(page: Page) -> None:
    """The theme's button turns it at once; the sidebar stays folded on the next page without a flash."""
    page.goto("/?theme=light")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Fold the sidebar").click()
    page.goto("/list")
    expect(page.locator("html")).to_have_attribute("data-sidebar", "folded")


def test_on_a_phone_the_sidebar_is_a_menu_and_the_main_action_at_the_foot(page: Page) -> None:
    """At 360 px the menu opens over the page and the primary action is in reach of the thumb."""
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto("/list")
    expect(page.locator("#sidebar")).not_to_be_visible()
    page.get_by_role("button", name="Menu").click()
    expect(page.locator("#sidebar").get_by_role("link", name="Payments")).to_be_visible()
    page.keyboard.press("Escape")
    box = page.get_by_role("link", name="New invoice").bounding_box()
    assert box is not None
    assert box["y"] > 680
    assert box["width"] > 300
