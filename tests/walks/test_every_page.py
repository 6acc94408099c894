"""Every page that an address names, in a real Chromium: both themes, wide and on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from doors import Endpoint, World, declared
from playwright.sync_api import Browser, BrowserContext, Page

from browsing import RULES, leave, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PARTS = 3
"""Into so many tests are the pages parted, so that no worker waits for another's long walk."""
WHO = {True: "nobody", False: "admin"}
"""Who looks: nobody at the pages of logging in, an admin at the others."""


def pages(world: World) -> list[tuple[str, str]]:
    """Who opens which address: each that answers with a whole page."""
    found = []
    for endpoint in declared():
        if not endpoint.is_safe or endpoint.is_api:
            continue
        who = WHO[endpoint.route.startswith(("login", "password"))]
        path = world.path(endpoint)
        answer = world.ask(who, Endpoint("GET", endpoint.route, ""), path)
        is_page = answer.status_code == 200 and not getattr(answer, "streaming", False)
        if is_page and "text/html" in answer.headers["Content-Type"] and b"<html" in answer.content:
            found.append((who, path))
    return found


def opened(chromium: Browser, live_server: Any, world: World, who: str, theme: Any) -> BrowserContext:
    context = chromium.new_context(base_url=live_server.url, color_scheme=theme)
    if who != "nobody":
        session = world.browser(who).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    return context


def complaints_about(page: Page) -> list[str]:
    """What axe finds, and what does not fit."""
    found = [
        f"{one['id']}: {node['html'][:160]}"
        for one in Axe().run(page, options=RULES).response["violations"]
        for node in one["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("scrolls sideways")
    return found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(chromium: Browser, live_server: Any, theme: str, part: int) -> None:
    """axe finds nothing, nothing scrolls sideways, and no script or style breaks the policy, on any page."""
    world = World()
    todo = [*pages(world), (WHO[False], "/nowhere/")]
    assert len(todo) > 60
    todo = todo[part::PARTS]
    contexts = {who: opened(chromium, live_server, world, who, theme) for who in WHO.values()}
    wrong: list[str] = []
    for who, context in contexts.items():
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda one, said=said: said.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda one, said=said: said.append(str(one)))
        for path in (path for asks, path in todo if asks == who):
            page.set_viewport_size({"width": 1440, "height": 900})
            page.goto(path)
            settle(page)
            wrong += [f"{path}: {one}" for one in complaints_about(page)]
            page.set_viewport_size({"width": 360, "height": 800})
            wrong += [f"{path} on a phone: {one}" for one in complaints_about(page)]
            wrong += [f"{path}: {one}" for one in said if "status of 404" not in one]
            said.clear()
        leave(page)
    assert not wrong, "\n".join(wrong)
