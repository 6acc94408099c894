"""Users: who may be added, changed, deactivated, and how a password is set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from counterfoil.access import commands
from counterfoil.access.models import Change, User
from counterfoil.access.passwords import user_of_link
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from staff import PASSWORD, SYSTEM, Staff

NEW = {"name": "Zoë Ünal", "email": "zoe@example.com", "roles": ["sales", "billing"]}


def codes(refusal: Refusal) -> set[tuple[str, str]]:
    return {(problem.field, problem.code) for problem in refusal.problems}


def test_a_user_is_added_without_a_password(db: None) -> None:
    """A user who was just added has the roles given, once each, and cannot log in before a password is set."""
    user_id = commands.add_user(actor=SYSTEM, values={**NEW, "roles": ["billing", "sales", "billing"]})
    user = User.objects.get(pk=user_id)
    assert (user.name, user.email, user.roles, user.is_active) == (
        "Zoë Ünal",
        "zoe@example.com",
        ["sales", "billing"],
        True,
    )
    assert not user.has_usable_password()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, {("name", "missing")}),
        ({"name": "x" * 201}, {("name", "too_long")}),
        ({"name": "a\x00b"}, {("name", "control_character")}),
        ({"email": "no address"}, {("email", "not_an_email")}),
        ({"roles": []}, {("roles", "missing")}),
        ({"roles": ["owner"]}, {("roles", "not_a_choice")}),
        ({"roles": {"sales": True}}, {("roles", "not_a_list")}),
        ({"roles": [["sales"]]}, {("roles", "not_text")}),
        ({"is_admin": True}, {("is_admin", "unknown_field")}),
        ({"last_login": "2026-01-01T00:00:00Z"}, {("last_login", "read_only")}),
        ({"name": None, "email": 5}, {("name", "missing"), ("email", "not_an_email")}),
    ],
)
def test_bad_values_are_refused_at_their_fields(
    db: None, change: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    """Each bad value is named at its field, and no user is added."""
    with pytest.raises(Refusal) as refused:
        commands.add_user(actor=SYSTEM, values={**NEW, **change})
    assert codes(refused.value) == expected
    assert not User.objects.exists()


def test_an_address_logs_in_one_user(db: None) -> None:
    """A second user with the same e-mail address, whatever its case, is refused."""
    commands.add_user(actor=SYSTEM, values=NEW)
    with pytest.raises(Conflict) as refused:
        commands.add_user(actor=SYSTEM, values={**NEW, "email": "ZOE@Example.com"})
    assert codes(refused.value) == {("email", "email_taken")}
    assert User.objects.count() == 1


@pytest.mark.parametrize("password", ["short", "password123", "1234567890", "zoe@example.com", "", "x" * 201])
def test_weak_passwords_are_refused(db: None, password: str) -> None:
    """A short, common or telling password is refused at its field."""
    with pytest.raises(Refusal) as refused:
        commands.add_user(actor=SYSTEM, values=NEW, password=password)
    assert {problem.field for problem in refused.value.problems} == {"password"}
    assert not User.objects.exists()


def test_only_admins_change_users(staff: Staff) -> None:
    """Sales, billing and accountants may neither add nor change users."""
    for role in ("sales", "billing", "accountant"):
        with pytest.raises(NotAllowed):
            commands.add_user(actor=staff.actor(role), values=NEW)
        with pytest.raises(NotAllowed):
            commands.change_user(actor=staff.actor(role), user_id=staff.users[role].pk, values={"roles": ["admin"]})
    assert User.objects.count() == 4
    assert list(User.objects.filter(roles__contains=["admin"])) == [staff.users["admin"]]


def test_a_change_raises_the_version_and_a_stale_one_is_refused(staff: Staff) -> None:
    """Whoever saves what somebody else changed in the meantime is told so, and changes nothing."""
    admin, sales = staff.actor("admin"), staff.users["sales"]
    commands.change_user(actor=admin, user_id=sales.pk, values={"name": "Sam"}, version=1)
    with pytest.raises(Stale):
        commands.change_user(actor=admin, user_id=sales.pk, values={"name": "Ben"}, version=1)
    sales.refresh_from_db()
    assert (sales.name, sales.version) == ("Sam", 2)
    commands.change_user(actor=admin, user_id=sales.pk, values={"name": "Sam"}, version=2)
    sales.refresh_from_db()
    assert sales.version == 2


def test_an_unknown_user_is_not_found(staff: Staff) -> None:
    """An id that is nobody's is not found."""
    with pytest.raises(NotFound):
        commands.change_user(actor=staff.actor("admin"), user_id=new_id(), values={"name": "Nobody"})


@pytest.mark.parametrize(("values", "field"), [({"roles": ["sales"]}, "roles"), ({"is_active": False}, "is_active")])
def test_the_last_admin_stays(staff: Staff, values: dict[str, Any], field: str) -> None:
    """The last active admin can neither lose the role nor be deactivated."""
    admin = staff.users["admin"]
    with pytest.raises(Conflict) as refused:
        commands.change_user(actor=admin.actor(), user_id=admin.pk, values=values)
    assert codes(refused.value) == {(field, "last_admin")}
    admin.refresh_from_db()
    assert (admin.roles, admin.is_active, admin.version) == (["admin"], True, 1)


@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_remove_each_other() -> None:
    """When two admins deactivate each other at once, one of them stays."""
    admins = [
        commands.add_user(actor=SYSTEM, values={"name": name, "email": f"{name}@example.com", "roles": ["admin"]})
        for name in ("anna", "ben")
    ]
    for _ in range(5):
        User.objects.update(is_active=True)
        barrier = Barrier(2)

        def deactivate(mine: int, together: Barrier = barrier) -> str:
            try:
                actor = User.objects.get(pk=admins[mine]).actor()
                together.wait(10)
                commands.change_user(actor=actor, user_id=admins[1 - mine], values={"is_active": False})
            except Conflict as refused:
                return refused.code
            finally:
                connection.close()
            return "done"

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(deactivate, (0, 1))) == ["done", "last_admin"]
        assert User.objects.filter(is_active=True).count() == 1


def test_deactivation_ends_every_session(staff: Staff) -> None:
    """A deactivated user's sessions end at once, and stay ended when the user is active again."""
    browser, sales = staff.browser("sales"), staff.users["sales"]
    assert browser.get("/profile/").status_code == 200
    commands.change_user(actor=SYSTEM, user_id=sales.pk, values={"is_active": False})
    assert browser.get("/profile/").status_code == 302
    commands.change_user(actor=SYSTEM, user_id=sales.pk, values={"is_active": True})
    assert browser.get("/profile/").status_code == 302


def test_new_roles_hold_from_the_next_request_on(staff: Staff) -> None:
    """Whoever loses a role loses its rights with the next request."""
    commands.change_user(actor=SYSTEM, user_id=staff.users["sales"].pk, values={"roles": ["sales", "admin"]})
    browser = staff.browser("sales")
    assert browser.get("/settings/users/").status_code == 200
    commands.change_user(actor=SYSTEM, user_id=staff.users["sales"].pk, values={"roles": ["sales"]})
    assert browser.get("/settings/users/").status_code == 403


def test_a_link_sets_a_password_once(staff: Staff) -> None:
    """Whoever holds a link sets the password with it once; then it is dead, and the password logs in."""
    sales = staff.users["sales"]
    token = commands.make_password_link(actor=SYSTEM, user_id=sales.pk)
    browser = staff.browser()
    address = f"/password/{sales.pk}/{token}/"
    assert browser.get(address).status_code == 200
    assert browser.post(address, {"password": "short"}).status_code == 422
    assert browser.post(address, {"password": PASSWORD}).headers["Location"] == "/login/"
    assert browser.get(address).status_code == 404
    assert browser.post(address, {"password": "another long password"}).status_code == 404
    sales.refresh_from_db()
    assert sales.check_password(PASSWORD)
    assert browser.post("/login/", {"login": sales.email, "password": PASSWORD}).headers["Location"] == "/"
    assert browser.get("/profile/").status_code == 200


def test_a_link_dies(staff: Staff, clock: Any) -> None:
    """A link dies after three days, when a newer one is made, when its user is deactivated, and is nobody else's."""
    sales, billing = staff.users["sales"], staff.users["billing"]

    def link() -> str:
        return commands.make_password_link(actor=SYSTEM, user_id=sales.pk)

    token = link()
    assert user_of_link(sales.pk, token) == sales
    assert user_of_link(billing.pk, token) is None
    newer = link()
    assert user_of_link(sales.pk, token) is None
    clock.set(clock.now + timedelta(days=3, seconds=1))
    assert user_of_link(sales.pk, newer) is None
    newest = link()
    commands.change_user(actor=SYSTEM, user_id=sales.pk, values={"is_active": False})
    assert user_of_link(sales.pk, newest) is None


def test_ones_own_password(staff: Staff) -> None:
    """One's own password needs the present one; setting it ends the other sessions and not this one."""
    sales = staff.users["sales"]
    commands.set_password(actor=SYSTEM, user_id=sales.pk, password=PASSWORD)
    sales.refresh_from_db()
    here, elsewhere = staff.browser("sales"), staff.browser("sales")
    wrong = here.post("/profile/password/", {"old_password": "wrong", "password": "a new long password"})
    assert wrong.status_code == 422
    assert "This is not your present password." in wrong.content.decode()
    right = here.post("/profile/password/", {"old_password": PASSWORD, "password": "a new long password"})
    assert right.headers["Location"] == "/profile/"
    assert here.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302


def test_guessing_ones_password_is_slowed_down(staff: Staff) -> None:
    """The sixth attempt within a minute at the present password is not looked at."""
    commands.set_password(actor=SYSTEM, user_id=staff.users["sales"].pk, password=PASSWORD)
    staff.users["sales"].refresh_from_db()
    browser = staff.browser("sales")
    for _ in range(5):
        browser.post("/profile/password/", {"old_password": "wrong", "password": "a new long password"})
    late = browser.post("/profile/password/", {"old_password": PASSWORD, "password": "a new long password"})
    assert late.status_code == 422
    assert "Too many attempts" in late.content.decode()


def test_preferences(staff: Staff) -> None:
    """Theme, rows and language are one's own; what is not offered is refused. An accountant may set them too."""
    browser, accountant = staff.browser("accountant"), staff.users["accountant"]
    assert browser.post("/profile/", {"theme": "dark", "language": "de", "dense": "yes"}).status_code == 302
    accountant.refresh_from_db()
    assert (accountant.theme, accountant.language, accountant.dense) == ("dark", "de", True)
    assert browser.post("/profile/", {"theme": "pink", "language": "de"}).status_code == 422
    assert browser.post("/profile/theme/", {"theme": "light"}, HTTP_HX_REQUEST="true").status_code == 204
    accountant.refresh_from_db()
    assert (accountant.theme, accountant.dense) == ("light", True)


def test_passwords_are_never_written_down(staff: Staff) -> None:
    """The audit trail holds the user's changes and never a password or its hash."""
    sales = staff.users["sales"]
    commands.set_password(actor=staff.actor("admin"), user_id=sales.pk, password=PASSWORD)
    written = [f"{change.before} {change.after}" for change in Change.objects.filter(record_id=sales.pk)]
    assert written
    assert not any("password" in text or "pbkdf2" in text or "argon" in text for text in written)
