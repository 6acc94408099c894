"""One small company for all tests that walk every endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from counterfoil.plumbing import clock

if TYPE_CHECKING:
    from doors import World


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The demo company with a person and a program of each role, undone at the end."""
    from doors import World

    with django_db_blocker.unblock(), transaction.atomic(), clock.stopped_at(datetime(2026, 4, 1, 12, tzinfo=UTC)):
        yield World()
        transaction.set_rollback(True)


@pytest.fixture
def world(house: World, db: None) -> World:
    """The company, unchanged by the test before: ``db`` undoes what this test does."""
    return house.again()
