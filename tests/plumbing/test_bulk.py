"""Rows written by ``COPY`` are the rows that Django would have written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from counterfoil.core.ids import new_id
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.plumbing.models import Alarm, OutboxEvent

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 1, 9, 30, 15, 123456, tzinfo=UTC)
ODD = 'tab\t line\n back\\slash "quote" \\N ä 🧾'


def event(**values: Any) -> OutboxEvent:
    given = {"name": "test", "payload": {}, "about": [], "actor_kind": "system", "actor_name": "", "command": "",
             "origin": "", "depth": 0, "happened_at": AT, "batch": new_id()}  # fmt: skip
    return OutboxEvent(id=new_id(), **(given | values))


def test_every_value_comes_back() -> None:
    """Texts with what COPY escapes, JSON, lists, nothing at all, and an instant to the microsecond."""
    about = [new_id(), new_id()]
    one = event(payload={"text": ODD, "list": [1, None, "x"]}, about=about, actor_name=ODD)
    insert_rows([one])
    found = OutboxEvent.objects.get(pk=one.pk)
    assert (found.payload, found.about, found.actor_name, found.happened_at) == (one.payload, about, ODD, AT)
    assert (found.actor_id, found.cause) == (None, None)


def test_nothing_is_nothing() -> None:
    """No rows are no statement."""
    insert_rows(iter(()))


def test_keys_that_the_database_counts() -> None:
    """A table whose key is counted gets it from the database."""
    insert_rows(Alarm(key=f"k{number}", message="", opened_at=AT, seen_at=AT) for number in range(3))
    assert len(set(Alarm.objects.values_list("pk", flat=True))) == 3


def test_a_broken_promise_is_djangos_error() -> None:
    """A row that a constraint forbids raises what callers know, and writes none of its set."""
    insert_rows([Alarm(key="once", message="", opened_at=AT, seen_at=AT)])
    rows = [Alarm(key=key, message="", opened_at=AT, seen_at=AT) for key in ("other", "once")]
    with pytest.raises(IntegrityError, match="open_once"), transaction.atomic():
        insert_rows(rows)
    assert list(Alarm.objects.values_list("key", flat=True)) == ["once"]
