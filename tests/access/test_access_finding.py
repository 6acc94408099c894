"""Finding records by text: only what the reader may see, best first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from counterfoil.access import commands, queries
from counterfoil.access.actors import Actor
from counterfoil.core.errors import NotFound
from counterfoil.plumbing import record_types
from counterfoil.plumbing.record_types import Group
from staff import SYSTEM, Staff

USER = "access.user"


def add(name: str, email: str) -> None:
    commands.add_user(actor=SYSTEM, values={"name": name, "email": email, "roles": ["sales"]})


def titles(actor: Actor, text: str) -> list[str]:
    return [hit.title for hit in queries.find(actor, USER, text)]


def test_every_word_must_occur(staff: Staff) -> None:
    """Words may stand in different fields and in any order; what begins with the text comes first."""
    add("Anna Weiss", "aw@firm.example")
    add("Susanna Weiss", "sw@firm.example")
    sales = staff.actor("sales")
    assert titles(sales, "anna") == ["Anna Weiss", "Susanna Weiss"]
    assert titles(sales, "weiss sus") == ["Susanna Weiss"]
    assert titles(sales, "anna firm.example") == ["Anna Weiss", "Susanna Weiss"]
    assert titles(sales, "anna nowhere") == []
    assert len(titles(sales, "")) == 6
    assert [hit.hint for hit in queries.find(sales, USER, "susanna")] == ["sw@firm.example"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "a" * 5000, "💶", "((", "1e999", "NaN", "-"])
def test_any_text_is_only_text(staff: Staff, text: str) -> None:
    """Signs that mean something to a database find what holds them, and nothing else."""
    assert titles(staff.actor("sales"), text) == []


def test_an_id_finds_its_record(staff: Staff) -> None:
    """A record's id, pasted, finds the record."""
    sales = staff.users["sales"]
    assert titles(staff.actor("sales"), str(sales.pk)) == ["Sales Person"]


def test_a_closed_field_is_not_searched(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that stands in a field of a closed group finds nothing, so it tells nothing that reading would not."""
    described = record_types.record_type(USER)
    fields = tuple(replace(item, group=Group.BANK) if item.id == "email" else item for item in described.fields)
    monkeypatch.setitem(record_types._types, USER, replace(described, fields=fields))
    add("Anna Weiss", "secret@firm.example")
    assert titles(staff.actor("sales"), "secret") == []
    assert [hit.hint for hit in queries.find(staff.actor("sales"), USER, "anna")] == [""]
    assert titles(staff.actor("billing"), "secret") == ["Anna Weiss"]


def test_a_closed_kind_does_not_exist(staff: Staff) -> None:
    """A kind that the actor may not see, is not searched by, or does not exist is not found."""
    for actor, key in (
        (staff.actor("sales"), "access.api_key"),
        (Actor.nobody(), USER),
        (staff.actor("sales"), "no.such"),
    ):
        with pytest.raises(NotFound):
            queries.find(actor, key, "a")
    assert queries.find_everywhere(Actor.nobody(), "person") == []


def test_everywhere(staff: Staff) -> None:
    """The palette's search gives every kind by its plural, and nothing without text."""
    groups = dict(queries.find_everywhere(staff.actor("sales"), "billing person"))
    assert [hit.title for hit in groups["Users"]] == ["Billing Person"]
    assert queries.find_everywhere(staff.actor("sales"), "  ") == []


def test_the_boxes_and_the_palette_answer(staff: Staff) -> None:
    """A box gets options as JSON, the palette options as HTML; both answer what the reader may see."""
    browser = staff.browser("sales")
    found = browser.get(f"/find/{USER}/", {"q": "billing"}).json()
    assert found == {
        "options": [{"id": str(staff.users["billing"].pk), "title": "Billing Person", "hint": "billing@example.com"}]
    }
    assert browser.get("/find/access.api_key/").status_code == 404
    palette = browser.get("/search", {"q": "new deal"}, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="palette-results")
    assert "New deal" in palette.content.decode()
    assert "<html" not in palette.content.decode()
    accountant = staff.browser("accountant").get("/search", {"q": "new"}).content.decode()
    assert "New deal" not in accountant
