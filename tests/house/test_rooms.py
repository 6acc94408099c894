"""The house is a house: who may import whom is checked, and the checks are proved by planted breaches."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from django.conf import settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "counterfoil"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
ROOMS = [*settings.ROOMS, "core"]
DOORS = ("web", "api", "jobs", "subscribers")
LINTER = Path(sys.executable).with_name("lint-imports")


def lint(source: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the contracts over the product, or over another tree in which it has the same name."""
    folder = source or ROOT / "src"
    return subprocess.run(
        [LINTER, "--no-logo", "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
    )


def test_contracts_hold() -> None:
    """No room imports what it may not."""
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """A house of the same rooms and files, all of them empty."""
    for room in ROOMS:
        for file in ("__init__", "models", "queries", "commands", "events", "api", "jobs", "record_types"):
            path = tmp_path / "counterfoil" / room / f"{file}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        for package in ("rules", "web"):
            (tmp_path / "counterfoil" / room / package).mkdir()
            (tmp_path / "counterfoil" / room / package / "__init__.py").write_text("")
    (tmp_path / "counterfoil" / "__init__.py").write_text("")
    return tmp_path


def test_an_empty_house_holds(skeleton: Path) -> None:
    """Without a breach every contract is kept, so a failure below is the breach's."""
    done = lint(skeleton)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("invoicing/commands.py", "import counterfoil.deals.queries", "Rooms"),
        ("accounts/queries.py", "import counterfoil.catalog.queries", "Rooms"),
        ("plumbing/models.py", "import counterfoil.access.models", "Rooms"),
        ("deals/queries.py", "import counterfoil.deals.commands", "Inside a room"),
        ("deals/rules/prices.py", "import counterfoil.deals.models", "Inside a room"),
        ("catalog/rules/prices.py", "from django.db import models", "Purity"),
        ("core/money.py", "import socket", "Purity"),
        ("importing/commands.py", "import counterfoil.invoicing.commands", "Blindness"),
    ],
)
def test_breach_is_found(skeleton: Path, file: str, line: str, contract: str) -> None:
    """A planted breach breaks the contract that is meant for it."""
    (skeleton / "counterfoil" / file).write_text(line + "\n")
    done = lint(skeleton)
    assert done.returncode == 1
    broken = [name["name"] for name in CONTRACTS if f"{name['name']} BROKEN" in done.stdout]
    assert any(name.startswith(contract) for name in broken), done.stdout


def test_a_room_without_a_place_is_found(skeleton: Path) -> None:
    """A new folder that the order of rooms does not name fails the build."""
    (skeleton / "counterfoil" / "helpers").mkdir()
    (skeleton / "counterfoil" / "helpers" / "__init__.py").write_text("")
    assert lint(skeleton).returncode == 1


def through_a_door(importer: str, imported: str) -> bool:
    """Whether an import enters another room by its web pages, API, jobs or subscribers.

    Plumbing's ``jobs`` is no door.
    """
    own, theirs = importer.split(".")[1:2], imported.split(".")[1:3]
    if len(theirs) < 2 or theirs[1] not in DOORS or theirs[0] in ("plumbing", "surface"):
        return False
    return own != theirs[:1] and own != ["app"]


def test_nobody_uses_anothers_doors() -> None:
    """No room imports another room's web pages, API, jobs or subscribers; only the edge mounts them."""
    graph = grimp.build_graph("counterfoil", cache_dir=None)
    wrong = [
        f"{importer} imports {imported}"
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if through_a_door(importer, imported)
    ]
    assert wrong == []
    assert through_a_door("counterfoil.deals.commands", "counterfoil.invoicing.web.views")
    assert through_a_door("counterfoil.deals.commands", "counterfoil.accounts.jobs")
    assert not through_a_door("counterfoil.deals.web.views", "counterfoil.deals.web.forms")


def test_every_room_has_a_page() -> None:
    """Each room explains itself in a README of its own."""
    missing = [room for room in ROOMS if not (SOURCE / room / "README.md").is_file()]
    assert missing == []


def test_settings_name_every_room() -> None:
    """The rooms that Django loads are the folders that there are."""
    there = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert there == set(ROOMS)
