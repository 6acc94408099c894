"""Identifiers."""

from __future__ import annotations

import pickle
from copy import deepcopy
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.errors import NotFound
from counterfoil.core.ids import id_text, new_id, parse_id


def test_new_ids_are_ids_like_any_other() -> None:
    made = new_id()
    assert (made.version, made.variant) == (7, RFC_4122)
    again = UUID(str(made))
    assert made == again
    assert hash(made) == hash(again)
    assert pickle.loads(pickle.dumps(made)) == made
    assert deepcopy(made) == made
    assert repr(made) == repr(again)


def test_ids_of_one_process_never_run_backwards() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))


@given(st.uuids())
def test_an_id_is_written_as_everywhere(some: UUID) -> None:
    assert id_text(some) == str(some)
    assert parse_id(id_text(some)) == some


@pytest.mark.parametrize("other", ["", "7", "x" * 36, None, 12, "01a22d9d-290a-7549-b058"])
def test_what_is_no_id_is_the_id_of_nothing(other: object) -> None:
    with pytest.raises(NotFound):
        parse_id(other)
