"""Strings hide from linters, so every name that one part of the house has for another is walked here."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.urls import reverse

from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.app.context import ACTIONS, COUNTS, NAVIGATION
from counterfoil.app.web.settings_pages import PAGES
from counterfoil.plumbing.record_types import RecordType, record_type, record_types

PLACES = [place for section in NAVIGATION for place in section.places]
SETTINGS = [page for _, pages in PAGES for page in pages]
LINKED = {item.to for kind in record_types() for item in kind.fields if item.to}


@pytest.mark.parametrize("name", sorted({one.url for one in [*PLACES, *ACTIONS, *SETTINGS]}))
def test_the_way_around_leads_somewhere(name: str) -> None:
    """Navigation, actions and settings name pages that exist."""
    assert reverse(name).startswith("/")


def test_the_way_around_needs_real_rights() -> None:
    """Navigation, actions and settings need permissions that exist, and count with queries that exist."""
    assert {one.needs for one in [*PLACES, *ACTIONS, *SETTINGS] if one.needs} <= set(PERMISSIONS)
    assert {place.count for place in PLACES if place.count} == set(COUNTS)


@pytest.mark.parametrize("kind", record_types(), ids=lambda kind: kind.key)
def test_a_kind_is_found_by_columns_that_exist(kind: RecordType) -> None:
    """What a kind is searched by, and its hint, are fields of it and columns that the database has."""
    for field, column in [*kind.search.items(), *([kind.hint] if kind.hint else [])]:
        assert field in kind.by_id
        str(kind.model._default_manager.filter(**{f"{column}__isnull": True}).query)


@pytest.mark.parametrize("kind", [kind for kind in record_types() if kind.page], ids=lambda kind: kind.key)
def test_a_found_record_can_be_opened(kind: RecordType) -> None:
    """A kind that is searched and has a page has one that takes the record's id."""
    if kind.search:
        assert reverse(kind.page, args=[uuid4()])


@pytest.mark.parametrize("key", sorted(LINKED))
def test_a_linked_record_can_be_found(key: str) -> None:
    """A kind to which a field links can be found by the box that asks for it."""
    assert record_type(key).search
