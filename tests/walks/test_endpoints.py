"""Every role at every endpoint gets what the declared table says; what is not declared does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.template import engines
from doors import (
    API,
    EVERYBODY,
    NOBODY,
    Endpoint,
    World,
    api_operations,
    checksum,
    declared,
    first_of,
    mounted_routes,
    writes,
)

from counterfoil.access.actors import Actor
from counterfoil.access.rules.endpoints import PUBLIC, SIGNED_IN
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.core.errors import NotAllowed
from counterfoil.plumbing.record_types import record_types
from counterfoil.plumbing.registry import command_named, command_names

pytestmark = pytest.mark.django_db

SOURCE = Path(__file__).parents[2] / "src" / "counterfoil"
ENDPOINTS = declared()
SAFE = [one for one in ENDPOINTS if one.is_safe]
UNSAFE = [one for one in ENDPOINTS if not one.is_safe]


def test_every_address_is_declared_and_every_declaration_is_real() -> None:
    """The table names exactly the routes of the URL map, and exactly the methods of the API."""
    mounted = mounted_routes()
    routes = {one.route for one in ENDPOINTS}
    assert sorted(mounted - routes) == []
    assert sorted(routes - mounted) == []
    operations = api_operations()
    named = {(one.method, one.route) for one in ENDPOINTS if one.is_api}
    assert sorted(operations - named) == []
    assert sorted(named - operations) == [("GET", API), ("GET", f"{API}openapi.json")]


def is_allowed(endpoint: Endpoint, who: str) -> bool:
    """What the declared table expects."""
    if endpoint.need == PUBLIC:
        return True
    if who == NOBODY:
        return False
    if endpoint.need == SIGNED_IN:
        return True
    return Actor("user", None, who, frozenset({who})).may(endpoint.need)


def is_denied(answer: HttpResponse) -> bool:
    to_log_in = answer.status_code == 302 and answer.headers["Location"].startswith("/login/?next=")
    return to_log_in or answer.status_code in (401, 403)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_every_role_gets_what_the_table_says(world: World, endpoint: Endpoint) -> None:
    """The table's answer is the endpoint's answer; a denied request and a mere look write nothing."""
    wrong = []
    path = world.path(endpoint)
    for who in EVERYBODY:
        world.browser(who)
        before = writes()
        answer = world.ask(who, endpoint, path)
        written = writes() - before
        if is_denied(answer) == is_allowed(endpoint, who):
            wrong.append(f"{who} gets {answer.status_code} where {endpoint.need} is needed: {answer.content[:300]!r}")
        if answer.status_code >= 500:
            wrong.append(f"{who} gets {answer.status_code}")
        if written and (endpoint.is_safe or not is_allowed(endpoint, who)):
            wrong.append(f"{who} changed {written} rows")
        if not endpoint.is_safe:
            world.forget(who)
    assert wrong == []


def test_denied_requests_leave_the_database_as_it_was(world: World) -> None:
    """After every denied request, of every role at every endpoint, each row of each table is the same."""
    for who in EVERYBODY:
        world.browser(who)
    before = checksum()
    asked = 0
    for endpoint in UNSAFE:
        for who in EVERYBODY:
            if not is_allowed(endpoint, who):
                world.ask(who, endpoint)
                asked += 1
    assert asked > len(UNSAFE)
    assert checksum() == before


@pytest.mark.parametrize("name", command_names())
def test_every_command_asks_for_its_right(name: str) -> None:
    """A command refuses an actor who lacks its right before it looks at anything else."""
    command = command_named(name)
    for role in ("", *EVERYBODY[1:]):
        actor = Actor("user", None, role, frozenset({role} - {""}))
        if not actor.may(command.needs):
            with pytest.raises(NotAllowed):
                command(actor=actor)


def test_every_right_is_needed_somewhere() -> None:
    """A permission that neither an endpoint nor a command needs is a leftover."""
    needed = {one.need for one in ENDPOINTS} | {command_named(name).needs for name in command_names()}
    needed |= {kind.see for kind in record_types()} | {"exporting.run"}
    assert sorted(set(PERMISSIONS) - needed) == []


def test_lists_are_taken_out_by_those_who_may(world: World) -> None:
    """Saving a list as a file is a right of its own: sales sees the list and may not take it out."""
    for who, status in (("sales", 403), ("accountant", 200), ("billing", 200), ("admin", 200)):
        assert world.ask(who, Endpoint("GET", "accounts/", ""), "/accounts/").status_code == 200
        assert world.ask(who, Endpoint("GET", "accounts/", ""), "/accounts/?export=csv").status_code == status


def test_templates_name_real_rights() -> None:
    """``{% if may.deals.win %}`` in a template names a permission that exists."""
    wrong = []
    for template in SOURCE.glob("**/templates/**/*.html"):
        for room, verb in re.findall(r"\bmay\.(\w+)\.(\w+)", template.read_text()):
            if f"{room}.{verb}" not in PERMISSIONS:
                wrong.append(f"{template.relative_to(SOURCE)}: may.{room}.{verb}")
    assert wrong == []


def test_templates_name_real_addresses() -> None:
    """Every template can be compiled, so no tag in it is misspelt."""
    broken = []
    engine = engines["django"]
    for template in SOURCE.glob("**/templates/**/*.html"):
        name = str(template).partition("/templates/")[2]
        try:
            engine.get_template(name)
        except Exception as error:
            broken.append(f"{name}: {error}")
    assert broken == []


def test_the_small_world_has_what_the_addresses_name(world: World) -> None:
    """Most ids in the addresses are those of real records, so that "not found" does not pass for "denied"."""
    names = {name for one in ENDPOINTS for name in re.findall(r"<uuid:(\w+)>", one.route)}
    absent = sorted(
        name for name in names - {"record_id"} if first_of(name.removesuffix("_id")).hex.startswith("018f0000")
    )
    assert set(absent) <= {"batch_id", "change_id", "run_id"}, absent
