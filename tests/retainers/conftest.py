"""The world of the tests of retainers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from retainers_world import Work, broken, make_work


@pytest.fixture
def work(db: None) -> Iterator[Work]:
    """A company, a customer and people who work for it; after the test every promise must still hold."""
    yield make_work()
    assert broken() == []
