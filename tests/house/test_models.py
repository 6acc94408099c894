"""Every table keeps the house's promises: audited, protected, exact, and migrated in one straight line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pgtrigger
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.urls import NoReverseMatch, reverse
from procrastinate.contrib.django import app as queue

from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.plumbing.apps import rooms
from counterfoil.plumbing.checks import check_written
from counterfoil.plumbing.invariants import invariants, verify
from counterfoil.plumbing.models import Record
from counterfoil.plumbing.record_types import Field, Kind, record_types
from counterfoil.plumbing.registry import command_named, command_names

SOURCE = Path(__file__).parents[2] / "src" / "counterfoil"
MAY_BE_IMPORTED = re.compile(r"counterfoil\.(core\.ids|plumbing\.clock|plumbing\.fields|[a-z]+\.models)$")
"""What Django itself writes into migrations: defaults, our field classes, and functions used in constraints."""


def our_models() -> Iterator[type[models.Model]]:
    for room in rooms():
        yield from apps.get_app_config(room.split(".")[1]).get_models()


def test_every_record_is_audited() -> None:
    """Changes and deletes of every record are written down by triggers."""
    without = [
        model.__name__
        for model in our_models()
        if issubclass(model, Record)
        and not {"audit_update", "audit_delete"} <= {trigger.name for trigger in getattr(model._meta, "triggers", [])}
    ]
    assert without == []


def test_checks_of_whole_statements_look_up_by_index() -> None:
    """A trigger that compares what a statement wrote with other rows is made by ``check_written``."""
    first = check_written("any", "").func.split(";")[0]
    otherwise = [
        f"{model.__name__}.{trigger.name}"
        for model in our_models()
        for trigger in getattr(model._meta, "triggers", [])
        if trigger.level == pgtrigger.Statement and not trigger.name.startswith("audit_")
        if not trigger.func.startswith(first)
    ]
    assert otherwise == []


def test_links_to_other_rooms_are_one_way_and_protected() -> None:
    """A foreign key to another room has no way back and protects its target."""
    wrong = []
    for model in our_models():
        for field in model._meta.get_fields():
            if not isinstance(field, models.ForeignKey) or field.related_model._meta.app_label == model._meta.app_label:
                continue
            if not field.remote_field.hidden or field.remote_field.on_delete is not models.PROTECT:
                wrong.append(f"{model.__name__}.{field.name}")
    assert wrong == []


def test_no_floats_in_tables() -> None:
    """No column is a float."""
    columns = [(model.__name__, field) for model in our_models() for field in model._meta.concrete_fields]
    assert [f"{name}.{field.name}" for name, field in columns if isinstance(field, models.FloatField)] == []


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    """No model was changed without its migration."""
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_migrations_are_one_straight_line_per_room() -> None:
    """Each room's migrations follow one another, without branches."""
    loader = MigrationLoader(None)
    for room in settings.ROOMS:
        names = sorted(name for label, name in loader.disk_migrations if label == room)
        for before, after in zip([None, *names], names, strict=False):
            own = [name for label, name in loader.disk_migrations[room, after].dependencies if label == room]
            assert own == ([before] if before else []), f"{room}.{after}"


def test_migrations_import_nothing_that_changes() -> None:
    """Migrations are frozen: of the product they import defaults, field classes and constraint functions only."""
    wrong = []
    for path in SOURCE.glob("*/migrations/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [
                f"{path.parent.parent.name}/{path.name}: {name}"
                for name in names
                if name.startswith("counterfoil") and not MAY_BE_IMPORTED.match(name)
            ]
    assert wrong == []


def every_field(fields: tuple[Field, ...]) -> Iterator[Field]:
    for item in fields:
        yield item
        yield from every_field(item.rows)


def test_record_types_name_only_what_exists() -> None:
    """Commands, links, permissions and pages that a description names are all there."""
    keys = {described.key for described in record_types()}
    known = set(command_names())
    for described in record_types():
        assert described.see in PERMISSIONS, described.key
        for name in filter(None, (described.create, described.change)):
            assert name in known, f"{described.key}: {name}"
        for item in every_field(described.fields):
            if item.kind is Kind.LINK:
                assert item.to in keys, f"{described.key}.{item.id} links to {item.to}"
        for panel in described.panels:
            assert panel.on in keys, panel.title
            assert panel.needs in PERMISSIONS, panel.title
            try:
                reverse(panel.url, args=["01a20b02-2635-7136-a3cb-61d944151c89"])
            except NoReverseMatch as error:
                pytest.fail(f"{described.key}, panel {panel.title}: {error}")


def test_commands_are_called_by_names_that_exist() -> None:
    """Every command and every job that is asked for by name is registered, and every command is a room's own."""
    known_jobs = set(queue.tasks)
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if function == "enqueue":
                assert node.args[0].value in known_jobs, f"{path.name}:{node.lineno}"
            if function == "command_named":
                command_named(node.args[0].value)
    ours = [name for name in command_names() if not name.startswith("tests.")]
    for name in ours:
        assert command_named(name).__module__.startswith(f"counterfoil.{name.split('.')[0]}."), name


@pytest.mark.django_db
def test_every_promise_can_be_asked() -> None:
    """Every registered invariant is SQL that runs, and an empty installation breaks none."""
    findings = verify()
    assert [one.invariant.key for one in findings] == [one.key for one in invariants()]
    assert [(one.invariant.key, one.count) for one in findings if not one.holds] == []
