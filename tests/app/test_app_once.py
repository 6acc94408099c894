"""``Idempotency-Key``: a repeated request takes effect once and gets the same answer."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection
from django.db.utils import OperationalError

from counterfoil.access.models import ApiKey, User
from counterfoil.plumbing.models import IdempotencyKey
from staff import Program, Staff

ZOE = {"name": "Zoë", "email": "zoe@example.com", "roles": ["sales"]}


def test_a_repetition_gets_the_first_answer(staff: Staff) -> None:
    """The same request under the same key adds one user, and the second answer is the first, marked as a replay."""
    program = staff.program("admin")
    first = program("POST", "users", ZOE, idempotency_key="a-1")
    second = program("POST", "users", ZOE, idempotency_key="a-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotent-Replay" not in first.headers
    assert second.headers["Idempotent-Replay"] == "true"
    assert User.objects.filter(email="zoe@example.com").count() == 1


def test_another_request_under_the_key_is_refused(staff: Staff) -> None:
    """The key names one request: another body, path or method under it is 422, and changes nothing."""
    program = staff.program("admin")
    user_id = program("POST", "users", ZOE, idempotency_key="a-1").json()["id"]
    for method, path, body in (
        ("POST", "users", {**ZOE, "email": "other@example.com"}),
        ("POST", "users?x=1", ZOE),
        ("PATCH", f"users/{user_id}", ZOE),
    ):
        refused = program(method, path, body, idempotency_key="a-1")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert User.objects.count() == 5


def test_keys_belong_to_the_program(staff: Staff) -> None:
    """Two programs may use the same key for requests of their own."""
    assert staff.program("admin")("POST", "users", ZOE, idempotency_key="1").status_code == 201
    other = staff.program("admin")("POST", "users", {**ZOE, "email": "b@example.com"}, idempotency_key="1")
    assert (other.status_code, other.headers.get("Idempotent-Replay")) == (201, None)


def test_a_refusal_is_not_kept(staff: Staff) -> None:
    """A refusal changed nothing, so the mended request may use the same key."""
    program = staff.program("admin")
    assert program("POST", "users", {**ZOE, "roles": []}, idempotency_key="1").status_code == 422
    assert not IdempotencyKey.objects.exists()
    assert program("POST", "users", ZOE, idempotency_key="1").status_code == 201


def test_a_denied_request_is_not_kept(staff: Staff) -> None:
    """A key without the right stores nothing."""
    assert staff.program("sales")("POST", "users", ZOE, idempotency_key="1").status_code == 403
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ü"])
def test_bad_keys(staff: Staff, key: str) -> None:
    """An empty, long or unprintable key is refused and nothing happens."""
    refused = staff.program("admin")("POST", "users", ZOE, idempotency_key=key)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_idempotency_key")
    assert User.objects.count() == 4


def test_a_secret_is_not_kept(staff: Staff) -> None:
    """The repeated answer of a new key does not hold the key, and neither does the database."""
    program = staff.program("admin")
    body = {"name": "Shop", "roles": ["sales"]}
    first = program("POST", "api-keys", body, idempotency_key="1").json()
    second = program("POST", "api-keys", body, idempotency_key="1").json()
    assert first["key"].startswith("cf_")
    assert second == {"id": first["id"], "key": None}
    assert "cf_" not in IdempotencyKey.objects.get().body
    assert ApiKey.objects.filter(name="Shop").count() == 1


def test_a_failure_keeps_nothing(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the answer cannot be stored, the effect is not there either; the repetition does it."""
    program = staff.program("admin")
    real = IdempotencyKey.objects.create
    monkeypatch.setattr(IdempotencyKey.objects, "create", _broken)
    failed = program("POST", "users", ZOE, idempotency_key="1")
    assert failed.status_code == 503
    assert not User.objects.filter(email="zoe@example.com").exists()
    monkeypatch.setattr(IdempotencyKey.objects, "create", real)
    assert program("POST", "users", ZOE, idempotency_key="1").status_code == 201


def _broken(**_: Any) -> None:
    raise OperationalError("the disk is full")


@pytest.mark.django_db(transaction=True)
def test_repetitions_at_once() -> None:
    """Eight equal requests at the same moment add one user; each gets the same answer, or 409 while the first runs."""
    program = Staff().program("admin")
    barrier = Barrier(8)

    def ask(_: int) -> tuple[int, bytes]:
        try:
            barrier.wait(10)
            answer = Program(program.key)("POST", "users", ZOE, idempotency_key="same")
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {status for status, _ in answers} <= {201, 409}
    done = {body for status, body in answers if status == 201}
    assert len(done) == 1
    for status, body in answers:
        if status == 409:
            assert json.loads(body)["code"] == "idempotency_key_in_flight"
    assert User.objects.filter(email="zoe@example.com").count() == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_the_second_is_told_so() -> None:
    """A second request under a key whose first request still runs is 409 and waits for nothing."""
    program = Staff().program("admin")
    owner = f"api_key:{ApiKey.objects.get().pk}"
    held, done = Event(), Event()

    def hold() -> None:
        from django.db import transaction

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency {owner} k"])
            held.set()
            done.wait(10)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hold)
        assert held.wait(10)
        second = program("POST", "users", ZOE, idempotency_key="k")
        done.set()
        first.result(10)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_flight")
    assert program("POST", "users", ZOE, idempotency_key="k").status_code == 201


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_killed_request_is_finished_by_its_repetition(moment: str) -> None:
    """A process killed before the commit leaves neither effect nor key; after it, both: all ends the same."""
    program = Staff().program("admin")
    connection.close()
    child = os.fork()
    if child == 0:
        _die(program.key, moment)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    _wait_until_alone()
    is_done = moment == "after the commit"
    assert User.objects.filter(email="zoe@example.com").exists() == is_done
    assert IdempotencyKey.objects.exists() == is_done
    again = program("POST", "users", ZOE, idempotency_key="k")
    assert again.status_code == 201
    assert again.headers.get("Idempotent-Replay") == ("true" if is_done else None)
    assert User.objects.filter(email="zoe@example.com").count() == 1


def _die(key: str, moment: str) -> None:
    """In a child: send the request and be killed within it, or right after its commit."""
    from counterfoil.app import once

    keep = once._kept_body

    def kill(*given: Any) -> str:
        kept = keep(*given)
        if moment == "before the commit":
            os.kill(os.getpid(), signal.SIGKILL)
        return kept

    once._kept_body = kill  # type: ignore[assignment]
    try:
        Program(key)("POST", "users", ZOE, idempotency_key="k")
    finally:
        os.kill(os.getpid(), signal.SIGKILL)


def _wait_until_alone() -> None:
    """Until the server has noticed that the child's connection is gone."""
    for _ in range(100):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
            )
            if cursor.fetchone()[0] == 0:
                return
        time.sleep(0.05)


def test_without_a_key_every_request_counts(staff: Staff) -> None:
    """Without a key nothing is kept, and the second request meets what the first did."""
    program = staff.program("admin")
    assert program("POST", "users", ZOE).status_code == 201
    assert program("POST", "users", ZOE).json()["code"] == "email_taken"
    assert not IdempotencyKey.objects.exists()
