"""Rows written by ``COPY`` are the rows that Django would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from counterfoil.core.ids import new_id
from counterfoil.plumbing.bulk import (
    insert_rows,
    insert_together,
    plain_reading,
    read_together,
    read_where,
    reading,
    update_rows,
)
from counterfoil.plumbing.models import Alarm, OutboxEvent

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 1, 9, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
ODD = 'tab\t line\n back\\slash "quote" \\N ä 🧾'


def event(**values: Any) -> OutboxEvent:
    given = {"name": "test", "payload": {}, "about": [], "actor_kind": "system", "actor_name": "", "command": "",
             "origin": "", "depth": 0, "happened_at": AT, "batch": new_id()}  # fmt: skip
    return OutboxEvent(id=new_id(), **(given | values))


@pytest.mark.parametrize("count", [1, 7])
def test_every_value_comes_back(count: int) -> None:
    """Texts with what COPY escapes, JSON, lists, nothing at all, and an instant to the microsecond, in one row by
    INSERT and in many by COPY.
    """
    about = [new_id(), new_id()]
    payload = {"text": ODD, "list": [1, None, "x"]}
    rows = [event(payload=payload, about=about, actor_name=ODD) for _ in range(count)]
    insert_rows(rows)
    for one in rows:
        found = OutboxEvent.objects.get(pk=one.pk)
        assert (found.payload, found.about, found.actor_name, found.happened_at) == (one.payload, about, ODD, AT)
        assert (found.actor_id, found.cause) == (None, None)


def test_each_row_is_changed_to_its_own_values() -> None:
    """Texts that an array would break at, an instant, and nothing where something was."""
    texts = [ODD, "NULL", "", "a, b", "{}", '"']
    insert_rows(Alarm(key=text, message="", opened_at=AT, seen_at=AT, closed_at=AT) for text in texts)
    rows = list(Alarm.objects.order_by("pk"))
    for place, row in enumerate(rows):
        row.message, row.seen_at, row.closed_at = row.key, AT + place * DAY, None if place % 2 else AT
    update_rows(rows, ["message", "seen_at", "closed_at"])
    found = Alarm.objects.order_by("pk").values_list("message", "seen_at", "closed_at")
    assert list(found) == [(text, AT + place * DAY, None if place % 2 else AT) for place, text in enumerate(texts)]


def test_rows_are_read_by_lists_of_any_kind() -> None:
    """A condition takes ids and texts as arrays."""
    rows = [event(name=name) for name in ("x, y", '"quoted"', "plain")]
    insert_rows(rows)
    by_id = read_where(OutboxEvent, "id = ANY(%s)", [row.pk for row in rows[:2]], order="id")
    by_name = read_where(OutboxEvent, "name = ANY(%s)", ["x, y", '"quoted"'], order="id")
    assert [row.pk for row in by_id] == [row.pk for row in by_name] == [row.pk for row in rows[:2]]
    assert read_where(OutboxEvent, "id = ANY(%s)", []) == []


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


@pytest.mark.parametrize("count", [1, 7])
def test_rows_of_several_models_are_written_and_read_together(count: int) -> None:
    """Few go in one round trip, many each model by itself; what was asked first is answered first."""
    events = [event(payload={"text": f"{ODD}; {number}"}) for number in range(count)]
    alarms = [Alarm(key=f"{number};", message=ODD, opened_at=AT, seen_at=AT) for number in range(2)]
    with CaptureQueriesContext(connection) as captured:
        insert_together(events, [], alarms)
    assert len(captured) == (1 if count == 1 else 2)
    found_alarms, nothing, found_events, ((found_number,),) = read_together(
        reading(Alarm, "key = ANY(%s)", ["0;", "1;"], order="key"),
        reading(Alarm, "key = %s", "none"),
        reading(OutboxEvent, "id = ANY(%s)", [one.pk for one in events], order="id"),
        plain_reading("SELECT COUNT(*) FROM plumbing_alarm WHERE message = %s", ODD),
    )
    assert [one.key for one in found_alarms] == ["0;", "1;"]
    assert nothing == []
    assert [one.payload for one in found_events] == [one.payload for one in events]
    assert found_number == 2


def test_together_is_all_or_nothing() -> None:
    """A second model that the database refuses leaves nothing of the first."""
    twice = [Alarm(key="same", message="", opened_at=AT, seen_at=AT) for _ in range(2)]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_together([event()], twice)
    assert not OutboxEvent.objects.exists()
