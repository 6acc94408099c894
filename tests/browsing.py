"""A real Chromium, what axe looks for in it, and when a page in it has come to rest."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
"""WCAG 2.2 AA."""

AT_REST = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"


def settle(page: Page) -> None:
    """Wait until what the page asks for once it is there has come: half a second sooner than a silent network."""
    page.wait_for_load_state("load")
    page.wait_for_function(AT_REST)


def leave(page: Page) -> None:
    """Close the browser's context when nothing is asked of the server any more, whose tables are emptied next."""
    page.wait_for_load_state("networkidle")
    page.context.close()
