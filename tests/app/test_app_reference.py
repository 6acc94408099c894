"""The API's reference shows the document whole, and finds operations."""

from __future__ import annotations

from counterfoil.app.api_document import openapi
from counterfoil.app.api_reference import inline, reference
from staff import Staff


def test_every_operation_is_on_the_page() -> None:
    """As many operations as the document has, each once."""
    named = [one.id for chapter in reference().chapters for one in chapter.operations]
    told = [one["operationId"] for methods in openapi()["paths"].values() for one in methods.values()]
    assert sorted(named) == sorted(told)


def test_an_operation_says_what_it_takes_and_gives() -> None:
    """Parameters, the fields of the body with those of their rows, and the answer."""
    found = {one.id: one for chapter in reference().chapters for one in chapter.operations}
    adding = found["accounts_add_account"]
    assert (adding.method, adding.path, adding.status) == ("POST", "/api/v1/accounts", "201")
    assert [one.path for one in adding.parameters] == ["accept_duplicates"]
    body = {one.path: one for one in adding.body}
    assert body["legal_name"].is_required
    assert "addresses[].country" in body
    assert "id" in {one.path for one in adding.answer}


def test_what_the_document_says_is_text() -> None:
    """Marks of code and weight are kept; anything else is escaped."""
    assert inline("`a<b` is **not** <b>") == "<code>a&lt;b</code> is <strong>not</strong> &lt;b&gt;"


def test_operations_are_found(staff: Staff) -> None:
    """Each word narrows; nothing found says so."""
    browser = staff.browser("sales")
    page = browser.get("/api/docs?q=win+deal").content.decode()
    assert 'id="deals_win_deal"' in page
    assert 'id="accounts_add_account"' not in page
    assert "No operation is called that" in browser.get("/api/docs?q=nosuchthing").content.decode()
