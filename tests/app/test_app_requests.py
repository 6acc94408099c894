"""What every request meets: the policy, the actor, the guard, and how "no" is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from counterfoil.access.actors import Actor
from counterfoil.app import endpoints
from counterfoil.app.middleware import BODY_MAX, POLICY, EndpointGuard, Refusals
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Problem, Refusal
from staff import Staff


@pytest.mark.parametrize("path", ["/login/", "/nope", "/healthz", "/api/v1/users"])
def test_every_answer_has_the_policy(db: None, path: str) -> None:
    """The content security policy stands on every answer and allows nothing inline."""
    answer = Client().get(path)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY


def test_nobody_is_sent_to_the_log_in(db: None) -> None:
    """Somebody unknown is led to the log-in and back; htmx and the API are told 401, so that nothing typed is lost."""
    client = Client()
    assert client.get("/settings/users/?q=a").headers["Location"] == "/login/?next=%2Fsettings%2Fusers%2F%3Fq%3Da"
    assert client.post("/settings/users/new/").headers["Location"] == "/login/?next=%2F"
    htmx = client.get("/settings/users/", HTTP_HX_REQUEST="true")
    assert (htmx.status_code, htmx.headers.get("HX-Redirect")) == (401, None)
    api = client.get("/api/v1/users")
    assert (api.status_code, api.json()["code"]) == (401, "not_authenticated")


def test_a_foreign_next_is_not_followed(staff: Staff) -> None:
    """After the log-in nobody is led to another site."""
    user = staff.users["sales"]
    user.set_password("correct horse battery")
    user.save()
    answer = Client().post(
        "/login/", {"login": user.email, "password": "correct horse battery", "next": "https://evil.example/"}
    )
    assert answer.headers["Location"] == "/"


def test_guessing_a_log_in_is_slowed_down(staff: Staff) -> None:
    """After five failed attempts at one user, the right password is refused too for a while."""
    user = staff.users["sales"]
    user.set_password("correct horse battery")
    user.save()
    client = Client()
    for _ in range(5):
        assert client.post("/login/", {"login": user.email, "password": "wrong"}).status_code == 200
    late = client.post("/login/", {"login": user.email, "password": "correct horse battery"})
    assert late.status_code == 200
    assert client.get("/profile/").status_code == 302


def test_nobody_signs_up(db: None) -> None:
    """There is no address at which one could make a user of oneself."""
    for path in ("/signup/", "/accounts/signup/", "/login/signup/"):
        assert Client().post(path, {"email": "me@example.com", "password1": "x"}).status_code in (302, 404)


def test_what_is_not_declared_is_refused(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that nobody declared is closed for everybody, admins too."""
    table = {key: need for key, need in endpoints.table().items() if not key.endswith(" settings/users/")}
    monkeypatch.setattr(endpoints, "table", lambda: table)
    monkeypatch.setattr(endpoints, "methods", dict)
    assert staff.browser("admin").get("/settings/users/").status_code == 403


def test_an_undeclared_method_is_405(staff: Staff) -> None:
    """A method that a known address does not take is refused with those that it takes."""
    page = staff.browser("admin").delete("/settings/users/")
    assert (page.status_code, page.headers["Allow"]) == (405, "GET")
    api = staff.program("admin")("PUT", "users")
    assert (api.status_code, api.headers["Allow"], api.json()["code"]) == (405, "GET, POST", "method_not_allowed")
    assert staff.browser("admin").head("/settings/users/").status_code == 200
    assert Client().put("/settings/users/").status_code == 302


REFUSALS = [
    (Refusal("bad", "Bad.", "name"), 422),
    (Conflict("busy", "Busy."), 409),
    (NotAllowed("closed", "Closed."), 403),
    (NotFound(), 404),
]


@pytest.mark.parametrize(("refusal", "status"), REFUSALS)
def test_a_refusal_has_one_form_per_surface(db: None, refusal: Refusal, status: int) -> None:
    """A refusal is problem JSON on the API, an event for htmx, and a page otherwise, with the same status."""
    middleware = Refusals(lambda request: HttpResponse())

    def told(path: str, **headers: str) -> HttpResponse:
        request: Any = RequestFactory().get(path, **headers)
        request.actor = Actor.nobody()
        answer = middleware.process_exception(request, refusal)
        assert answer is not None
        return answer

    api = told("/api/v1/x")
    assert (api.status_code, api.headers["Content-Type"]) == (status, "application/problem+json")
    body = json.loads(api.content)
    assert (body["status"], body["code"], body["detail"]) == (status, refusal.code, refusal.message)
    assert body["problems"] == [{"field": refusal.field, "code": refusal.code, "message": refusal.message}]
    htmx = told("/x", HTTP_HX_REQUEST="true")
    assert (htmx.status_code, htmx.headers["HX-Reswap"]) == (status, "none")
    assert json.loads(htmx.headers["HX-Trigger"])["refused"]["message"] == refusal.message
    page = told("/x")
    assert page.status_code == status
    assert refusal.message in page.content.decode()


def test_a_refusal_is_no_echo(db: None) -> None:
    """A refusal of an enormous input is short."""
    problems = [Problem(f"field{number}" * 1000, "too_long", "x" * 100_000) for number in range(1000)]
    request: Any = RequestFactory().post("/api/v1/x")
    answer = Refusals(lambda r: HttpResponse()).process_exception(request, Refusal.of(problems))
    assert answer is not None
    assert len(answer.content) < 300_000
    assert len(json.loads(answer.content)["problems"]) == 200


def test_a_bug_is_told_without_its_text(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is no refusal is a 500 whose page and JSON tell nothing about it."""
    from counterfoil.access import queries

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(queries, "list_users", broken)
    monkeypatch.setattr(queries, "users_after", broken)
    browser = staff.browser("admin")
    browser.raise_request_exception = False
    page = browser.get("/settings/users/")
    assert page.status_code == 500
    assert "secret of the house" not in page.content.decode()
    program = staff.program("admin")
    program._client.raise_request_exception = False
    api = program("GET", "users")
    assert (api.status_code, api.json()["code"]) == (500, "broken")
    assert "secret" not in api.content.decode()


def test_unreadable_requests(staff: Staff) -> None:
    """What cannot be read is refused before any view sees it."""
    browser = staff.browser("admin")
    assert browser.get("/settings/users/?q=%00").status_code == 400
    assert browser.get("/settings/users/%00/").status_code == 400
    assert browser.get("/settings/users/?q=%ff%fe").status_code == 200
    huge = browser.generic("POST", "/settings/users/new/", b"", CONTENT_LENGTH=str(BODY_MAX + 1))
    assert huge.status_code == 413
    odd = browser.generic("POST", "/profile/", b"a=b", "application/x-www-form-urlencoded; charset=rot13")
    assert odd.status_code == 415
    assert browser.get("/login/", HTTP_HOST="evil.example").status_code == 400
    large = browser.post("/profile/", {"theme": "x" * (6 * 1024 * 1024)})
    assert large.status_code == 413


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"name": NaN}', "not_json"),
        (b'{"name": Infinity}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"1" * 10_000, "not_json"),
    ],
)
def test_a_body_that_is_no_json(staff: Staff, body: bytes, code: str) -> None:
    """A body that is not one plain JSON document is 400."""
    answer = staff.program("admin")("POST", "users", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"name": "a", "name": "b"}', ["name"]),
        (b'{"rows": [{"x": 1}, {"x": {"y": 1, "z": 2, "y": 1}}]}', ["rows.1.x.y"]),
        (b'[{"a": 1, "a": 1}, {"b": 1, "b": 1}]', ["0.a", "1.b"]),
    ],
)
def test_a_value_that_is_named_twice(staff: Staff, body: bytes, fields: list[str]) -> None:
    """Which of the two was meant nobody knows: 400, with the path of each."""
    answer = staff.program("admin")("POST", "users", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "double_name")
    assert {(one["field"], one["code"]) for one in answer.json()["problems"]} == {
        (field, "double_name") for field in fields
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"', b"5", b"[[1]]"])
def test_a_body_of_another_shape(staff: Staff, body: bytes) -> None:
    """A JSON document that is no object is 422."""
    answer = staff.program("admin")("POST", "users", body)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("missing", "not_an_object")


def test_a_body_of_another_kind(staff: Staff) -> None:
    """A form or a file is no JSON: 415."""
    program = staff.program("admin")
    answer = program._client.post(
        "/api/v1/users", b"name=a", content_type="text/plain", HTTP_AUTHORIZATION=f"Bearer {program.key}"
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "not_json")


def test_numbers_stay_exact() -> None:
    """A JSON number with a point arrives as a decimal, and a float in an answer is a bug."""
    from decimal import Decimal

    from counterfoil.app.api import exact_json
    from counterfoil.surface.as_json import plain

    assert exact_json(b'{"price": 0.1}') == {"price": Decimal("0.1")}
    assert plain({"price": Decimal("0.10"), "rate": Decimal("1E+3")}) == {"price": "0.10", "rate": "1000"}
    with pytest.raises(TypeError):
        plain(0.1)


def test_odd_ids_lead_nowhere(staff: Staff) -> None:
    """An id that is none, or nobody's, is 404 on both surfaces."""
    browser, program = staff.browser("admin"), staff.program("admin")
    for odd in ("1", "x" * 300, "00000000-0000-0000-0000-000000000000", "..%2f..", "%F0%9F%92%B6"):
        assert browser.get(f"/settings/users/{odd}/").status_code == 404
        assert program("GET", f"users/{odd}").status_code == 404


def test_pages_are_not_kept_by_caches(staff: Staff) -> None:
    """What an actor sees is no cache's business."""
    assert staff.browser("sales").get("/profile/").headers["Cache-Control"] == "private, no-store"


def test_health(db: None) -> None:
    """``/healthz`` answers without the database, ``/readyz`` asks it."""
    assert Client().get("/healthz").content == b"ok"
    assert Client().get("/readyz").content == b"ready"


def test_a_database_that_is_away_is_503(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the database does not answer, the answer is 503 and says so."""
    from django.db import OperationalError, connection

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", gone)
        answer = Client(raise_request_exception=False).get("/readyz")
    assert answer.status_code == 503
    assert "Try again in a moment" in answer.content.decode()


def test_a_form_needs_its_token(staff: Staff) -> None:
    """A form without its token is refused with a sentence that helps."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff.users["sales"], backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = client.post("/profile/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()


def test_the_guard_asks_before_the_view(staff: Staff) -> None:
    """The guard answers without calling the view."""
    called: list[HttpRequest] = []
    guard = EndpointGuard(lambda request: HttpResponse())
    request: Any = RequestFactory().get("/settings/users/")
    request.actor = staff.actor("sales")
    request.resolver_match = type("Match", (), {"route": "settings/users/"})()
    answer = guard.process_view(request, called.append, (), {})
    assert answer is not None
    assert answer.status_code == 403
    assert called == []
