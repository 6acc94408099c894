"""The audit log: who changed what, before and after, in words, and only what the reader may see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from counterfoil.access import commands, queries
from counterfoil.access.actors import Actor
from counterfoil.access.models import Change, User
from counterfoil.access.projection import CLOSED
from counterfoil.accounts import commands as accounts
from counterfoil.activities.models import Task
from counterfoil.core.errors import NotFound
from counterfoil.core.ids import new_id
from counterfoil.plumbing import record_types
from counterfoil.plumbing.record_types import Group
from staff import SYSTEM, Staff

USER = "access.user"


def said(change: queries.Changed) -> list[tuple[str, Any, Any]]:
    return [(one.label, one.before, one.after) for one in change.differences]


def test_a_change_is_told_in_words(staff: Staff) -> None:
    """The log names the person, the act, the record, and each value before and after by its label."""
    sales = staff.users["sales"]
    commands.change_user(actor=staff.actor("admin"), user_id=sales.pk, values={"roles": ["billing"], "name": "Sam Low"})
    change = queries.list_changes(staff.actor("admin"))[0]
    assert (change.who, change.what, change.kind, change.title, change.operation, change.origin) == (
        "Admin Person", "Change user", "User", "Sam Low", "update", "web",
    )  # fmt: skip
    assert said(change) == [("Name", "Sales Person", "Sam Low"), ("Roles", "Sales", "Billing")]


def test_an_insert_tells_what_was_set(staff: Staff) -> None:
    """A new record's entry holds its values and leaves out what is empty."""
    first = queries.changes_of(staff.actor("admin"), USER, staff.users["sales"].pk)[0]
    assert (first.operation, first.who, first.what) == ("insert", "Tests", "Add user")
    assert ("Name", None, "Sales Person") in said(first)
    assert ("Active", None, True) in said(first)
    assert not any(label == "Last log-in" for label, _, _ in said(first))


def test_what_goes_past_the_door_is_written_down_too(staff: Staff) -> None:
    """A change by bare SQL is in the log, with nobody's name."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE access_user SET name = 'Mallory' WHERE email = 'sales@example.com'")
    change = queries.list_changes(staff.actor("admin"))[0]
    assert (change.who, change.what, said(change)) == ("", "Past the product", [("Name", "Sales Person", "Mallory")])


def test_a_link_is_told_by_the_name_of_what_it_links_to(staff: Staff, clock: Any) -> None:
    """Who got which role at which account: names, not numbers, also where no field of a record holds the link."""
    acme = accounts.add_account(actor=SYSTEM, values={"legal_name": "Acme GmbH"}, on=clock.today)
    ada = accounts.add_contact(actor=SYSTEM, values={"name": "Ada Beck", "email": "ada@acme.example"}, on=clock.today)
    accounts.give_role(actor=SYSTEM, account_id=acme, contact_id=ada, role="billing", on=clock.today)
    change = queries.list_changes(staff.actor("admin"))[0]
    told = {label: after for label, _, after in said(change)}
    assert (told["Account"], told["Contact"]) == ("Acme GmbH", "Ada Beck")


def test_a_column_without_a_field_is_told_in_words_too(staff: Staff, clock: Any) -> None:
    """A bare id by the title of what it names, one of another kind by the column beside it, a moment as a moment; of
    what has no title, the end of its id.
    """
    acme = accounts.add_account(actor=SYSTEM, values={"legal_name": "Acme GmbH"}, on=clock.today)
    values = {"title": "Call", "record_key": "accounts.account", "record_id": acme, "account_id": acme}
    task = Task.objects.create(id=new_id(), created_at=clock.now, contact_id=(gone := new_id()), **values)
    Task.objects.filter(pk=task.pk).update(done_at=clock.now)
    done, added = queries.list_changes(staff.actor("admin"), record_id=task.pk)
    told = {label: after for label, _, after in said(added)}
    assert (told["Record"], told["Account"], told["Contact"]) == ("Acme GmbH", "Acme GmbH", f"#{gone.hex[-8:]}")
    assert clock.now in [after for _, _, after in said(done)]
    assert not [after for after in told.values() if isinstance(after, str) and len(after) == 36]


def test_filters(staff: Staff, clock: Any) -> None:
    """The log is filtered by who, kind of record, record and act, and pages back."""
    admin, sales = staff.actor("admin"), staff.users["sales"]
    commands.change_user(actor=admin, user_id=sales.pk, values={"name": "Sam"})
    commands.make_api_key(actor=admin, values={"name": "Shop", "roles": ["sales"]}, at=clock.now)
    by_admin = queries.list_changes(admin, by=admin.id)
    assert [change.what for change in by_admin] == ["Make api key", "Change user"]
    assert [change.kind for change in queries.list_changes(admin, key="access.api_key")] == ["API key"]
    assert len(queries.list_changes(admin, record_id=sales.pk)) == 2
    assert [change.what for change in queries.list_changes(admin, command="access.change_user")] == ["Change user"]
    assert queries.list_changes(admin, command="access.no_such") == []
    everything = queries.list_changes(admin)
    assert queries.list_changes(admin, before=everything[1].id) == everything[2:]
    assert len(queries.list_changes(admin, limit=2)) == 2


def test_days_bound_the_log(staff: Staff) -> None:
    """``since`` and ``until`` include their days."""
    admin = staff.actor("admin")
    day = Change.objects.latest("id").at.date()
    assert len(queries.list_changes(admin, since=day, until=day)) == 4
    assert queries.list_changes(admin, since=day.replace(year=day.year + 1)) == []
    assert queries.list_changes(admin, until=day.replace(year=day.year - 1)) == []


def test_closed_groups_stay_closed_in_the_past(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of a group that the reader may not see is hidden in the history too; so is a column without a field."""
    described = record_types.record_type(USER)
    fields = tuple(replace(item, group=Group.BANK) if item.id == "email" else item for item in described.fields)
    monkeypatch.setitem(record_types._types, USER, replace(described, fields=fields))
    queries.forget_tables()
    sales = staff.users["sales"]
    commands.change_user(actor=SYSTEM, user_id=sales.pk, values={"email": "secret@example.com", "name": "Sam"})
    commands.make_password_link(actor=SYSTEM, user_id=sales.pk)
    generation, change = queries.changes_of(staff.actor("sales"), USER, sales.pk)[:2]
    assert said(change) == [("Name", "Sales Person", "Sam"), ("E-mail address", CLOSED, CLOSED)]
    assert said(generation) == [("Login generation", CLOSED, CLOSED)]
    open_change = queries.changes_of(staff.actor("billing"), USER, sales.pk)[1]
    assert ("E-mail address", "sales@example.com", "secret@example.com") in said(open_change)
    sales.refresh_from_db()
    answer = staff.browser("sales").get(f"/history/{USER}/{sales.pk}/", HTTP_HX_REQUEST="true")
    assert answer.status_code == 200, answer.headers
    panel = answer.content.decode()
    assert "Sam" in panel
    assert "secret@example.com" not in panel
    queries.forget_tables()


def test_who_may_read_the_log(staff: Staff) -> None:
    """Sales has no audit log; records that an actor may not see have no history for them."""
    assert queries.list_changes(staff.actor("sales")) == []
    key_id, _ = commands.make_api_key(
        actor=SYSTEM, values={"name": "Shop", "roles": ["sales"]}, at=User.objects.latest("created_at").created_at
    )
    for role in ("sales", "billing", "accountant"):
        with pytest.raises(NotFound):
            queries.changes_of(staff.actor(role), "access.api_key", key_id)
        assert not any(change.kind == "API key" for change in queries.list_changes(staff.actor(role)))
    with pytest.raises(NotFound):
        queries.changes_of(Actor.nobody(), USER, staff.users["sales"].pk)
    with pytest.raises(NotFound):
        queries.changes_of(staff.actor("admin"), "no.such", new_id())


def test_the_trail_cannot_be_changed(staff: Staff) -> None:
    """The database refuses to change or remove an entry of the audit trail."""
    for statement in ("UPDATE access_change SET context = '{}'", "DELETE FROM access_change"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert Change.objects.exists()


def test_a_page_of_the_log_costs_a_fixed_number_of_statements(staff: Staff, django_assert_max_num_queries: Any) -> None:
    """Fifty entries cost as many statements as five."""
    for number in range(30):
        commands.change_user(actor=SYSTEM, user_id=staff.users["sales"].pk, values={"name": f"Sam {number}"})
    with django_assert_max_num_queries(3):
        assert len(queries.list_changes(staff.actor("admin"), limit=30)) == 30


def test_the_page(staff: Staff) -> None:
    """The page shows who, what and from what to what, and ignores filters that make no sense."""
    commands.change_user(actor=staff.actor("admin"), user_id=staff.users["sales"].pk, values={"name": "<b>Sam</b>"})
    browser = staff.browser("billing")
    page = browser.get("/settings/audit/").content.decode()
    assert "Change user" in page
    assert "&lt;b&gt;Sam&lt;/b&gt;" in page
    odd = browser.get(
        "/settings/audit/", {"by": "x", "kind": "?", "since": "2026-02-30", "before": "-1", "record": "1"}
    )
    assert odd.status_code == 200
