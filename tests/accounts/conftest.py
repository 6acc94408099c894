"""The world of the tests of accounts."""

from __future__ import annotations

import pytest
from accounts_world import World, make_world


@pytest.fixture
def world(db: None) -> World:
    """Terms, defaults, and one person for each role."""
    return make_world()
