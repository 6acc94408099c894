"""Answers with and without htmx, and one value changed in place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(gallery: str, client: Client) -> Client:
    return client


def test_a_page_is_whole_without_htmx_and_a_part_with_it(browser: Client) -> None:
    """One address gives the full page, or the named part that htmx asks for."""
    whole = browser.get("/form").content.decode()
    part = browser.get("/form", headers={**HTMX, "HX-Target": "form"})
    assert whole.startswith("<!doctype html>")
    assert part.content.decode().lstrip().startswith('<form method="post"')
    assert "HX-Target" in part["Vary"]


@pytest.mark.parametrize(
    "more", [{"HX-Boosted": "true"}, {"HX-History-Restore-Request": "true"}, {"HX-Target": "nothing"}]
)
def test_the_whole_page_is_given_where_a_part_would_not_do(browser: Client, more: dict[str, str]) -> None:
    """Boosted links, restored history and unknown targets get the full page."""
    answer = browser.get("/form", headers={**HTMX, "HX-Target": "form", **more})
    assert answer.content.decode().startswith("<!doctype html>")


def test_a_list_needs_no_part_of_its_own(browser: Client) -> None:
    """The results of a listing are answered for the target results."""
    part = browser.get("/list?q=nord", headers={**HTMX, "HX-Target": "results"}).content.decode()
    assert part.count("<tr data-row=") == 1
    assert "<html" not in part


def test_toasts_travel_in_the_answer_or_wait_for_the_next_page(browser: Client) -> None:
    """What was said comes with an htmx answer as an event; after a redirect it stands on the next page."""
    moved = browser.post("/board/1/move", {"to": "won"}, headers=HTMX)
    assert moved.status_code == 204
    assert json.loads(moved["HX-Trigger"]) == {"toasts": [{"message": "Moved.", "kind": "success", "undo": "/undo"}]}
    saved = browser.post("/form", {"title": "x"})
    assert (saved.status_code, saved["Location"]) == (302, "/form")
    page = browser.get("/form").content.decode()
    assert "<p>Saved.</p>" in page
    assert 'action="/undo" data-undo' in page
    assert "<p>Saved.</p>" not in browser.get("/form").content.decode()


def test_with_htmx_a_redirect_is_made_by_the_page(browser: Client) -> None:
    """A redirect that htmx would follow by itself is told to it instead."""
    saved = browser.post("/form", {"title": "x"}, headers=HTMX)
    assert (saved.status_code, saved["HX-Redirect"]) == (204, "/form")
    undone = browser.post("/undo", headers=HTMX)
    assert (undone.status_code, undone["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/list?q=1", "http://testserver/list?q=1"), ("http://evil.example/x", "/"), ("", "/"),
        ("javascript:alert(1)", "/"),
    ],
)  # fmt: skip
def test_going_back_stays_in_the_house(browser: Client, referer: str, back: str) -> None:
    """Without htmx an answer goes back to the page that asked, never to another site."""
    headers = {"Referer": referer} if referer else {}
    assert browser.post("/undo", headers=headers)["Location"] == back


def test_a_value_is_edited_in_place_and_without_javascript(browser: Client) -> None:
    """GET gives the input, POST the value; a refusal its status, the message and what was typed."""
    assert 'name="title"' in browser.get("/value", headers=HTMX).content.decode()
    saved = browser.post("/value", {"title": "Südwind", "version": "3"}, headers=HTMX)
    assert (saved.status_code, "Südwind" in saved.content.decode()) == (200, True)
    refused = browser.post("/value", {"title": ""}, headers=HTMX)
    assert (refused.status_code, "Title is missing." in refused.content.decode()) == (422, True)
    assert browser.get("/value").content.decode().startswith("<!doctype html>")
    assert browser.post("/value", {"title": "x"}).status_code == 302
    assert browser.post("/value", {"title": ""}).status_code == 422


def test_pages_hold_nothing_inline(browser: Client) -> None:
    """No style attribute, script text or event handler on any page: the security policy would refuse it."""
    for path in ("/", "/list", "/form", "/board", "/panes", "/refused", "/search?q=n"):
        html = browser.get(path).content.decode()
        for forbidden in (" style=", "<style", "onclick=", "hx-on", "javascript:"):
            assert forbidden not in html, (path, forbidden)
        assert all("src=" in script for script in html.split("<script")[1:]), path


def test_the_frame_speaks_of_nobody_to_a_stranger(browser: Client, settings: Any) -> None:
    """Without a user the frame shows no menu of one."""
    html = browser.get("/refused").content.decode()
    assert "Log out" not in html
