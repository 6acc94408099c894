"""Rows written by ``COPY`` are the rows that Django would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from counterfoil.core.ids import new_id
from counterfoil.plumbing.bulk import (
    Wanted,
    delete_rows,
    insert_rows,
    one_trip,
    read_together,
    read_where,
    update_rows,
)
from counterfoil.plumbing.models import Alarm, OutboxEvent

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 1, 9, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
ODD = "tab\t line\n back\\slash \"quote\" it's \\' %s {} \\N ä 🧾"


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


def test_what_is_read_by_a_text_is_that_text() -> None:
    """Whatever stands in it, a value is a value and no part of the statement."""
    rows = [event(name=ODD), event(name="' OR TRUE --"), event(name="plain")]
    insert_rows(rows)
    for row in rows:
        assert [one.pk for one in read_where(OutboxEvent, "name = %s", row.name)] == [row.pk]
        assert [one.pk for one in read_where(OutboxEvent, "name = ANY(%s)", [row.name])] == [row.pk]


def test_a_text_with_nul_is_refused_and_nothing_is_written() -> None:
    """It would end the statement in the middle."""
    for write in (
        lambda: insert_rows([event(name="a\0b")]),
        lambda: read_where(OutboxEvent, "name = %s", "a\0b"),
        lambda: read_where(OutboxEvent, "name = %s", "O'B\0b"),
        lambda: read_where(OutboxEvent, "name = ANY(%s)", ["a\0b"]),
    ):
        with pytest.raises(DataError):
            write()
    assert not OutboxEvent.objects.filter(name__startswith="a").exists()


def test_rows_that_are_written_together_go_in_one_round_trip() -> None:
    """In their order: a change and a removal find what was written before them."""
    insert_rows([alarm("kept"), alarm("gone")])
    kept, gone = read_where(Alarm, "TRUE", order="id")
    with CaptureQueriesContext(connection) as statements, one_trip():
        insert_rows([alarm("new")])
        kept.message = "Changed"
        update_rows([kept], ["message"])
        delete_rows([gone])
        assert len(read_where(Alarm, "TRUE")) == 2
    assert len(statements) == 2  # the read, which sees nothing yet, and the three of them
    found = read_where(Alarm, "TRUE", order="id")
    assert [(one.key, one.message) for one in found] == [("kept", "Changed"), ("new", "")]


def alarm(key: str) -> Alarm:
    return Alarm(key=key, message="", opened_at=AT, seen_at=AT)


def test_many_rows_keep_their_place_in_a_round_trip() -> None:
    """A large set goes at once, after those that waited and before those that follow."""
    with one_trip():
        insert_rows([alarm("first")])
        insert_rows(alarm(f"many {place}") for place in range(9))
        insert_rows([alarm("last")])
        assert len(read_where(Alarm, "TRUE")) == 10
    found = [one.key for one in read_where(Alarm, "TRUE", order="id")]
    assert found == ["first", *(f"many {place}" for place in range(9)), "last"]


def test_what_fails_in_a_round_trip_is_raised_at_its_end_and_nothing_is_kept() -> None:
    row = event()

    def twice() -> None:
        with transaction.atomic(), one_trip():
            insert_rows([event(name="other")])
            insert_rows([row])
            insert_rows([row])

    def stopped() -> None:
        with one_trip():
            insert_rows([row])
            raise RuntimeError

    with pytest.raises(IntegrityError):
        twice()
    with pytest.raises(RuntimeError):
        stopped()
    assert OutboxEvent.objects.count() == 0


def test_reads_that_share_a_round_trip_and_read_some_columns() -> None:
    rows = [event(name="one", payload={"a": 1}), event(name="two")]
    insert_rows(rows)
    with CaptureQueriesContext(connection) as statements:
        some, none, alarms = read_together(
            Wanted(OutboxEvent, "name = %s", ("one",), only=("payload",)),
            Wanted(OutboxEvent, "name = ANY(%s)", ([],)),
            Wanted(Alarm, "TRUE"),
        )
    assert len(statements) == 1
    assert [(one.pk, one.payload) for one in some] == [(rows[0].pk, {"a": 1})]
    assert (none, alarms) == ([], [])
    assert some[0].name == "one"  # what was not read is read when it is asked for
