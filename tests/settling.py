"""When a page in a browser has come to rest."""

from __future__ import annotations

from playwright.sync_api import Page

AT_REST = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"


def settle(page: Page) -> None:
    """Wait until what the page asks for once it is there has come: half a second sooner than a silent network."""
    page.wait_for_load_state("load")
    page.wait_for_function(AT_REST)


def leave(page: Page) -> None:
    """Close the browser's context when nothing is asked of the server any more, whose tables are emptied next."""
    page.wait_for_load_state("networkidle")
    page.context.close()
