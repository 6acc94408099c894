"""Tidiness that a machine can see, over all source files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "counterfoil"
FILES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
TEMPLATES = sorted(SOURCE.rglob("*.html"))
MONEY_ROOMS = ("catalog", "ledger", "invoicing", "payments", "receivables", "deals")
FUNCTION_LINES = 70

READS_THE_TIME = {
    "plumbing/clock.py": "it is the clock",
    "app/doctor.py": "it compares the real clocks of the machine and of PostgreSQL",
}
READS_THE_ENVIRONMENT = {"app/environment.py": "it is the environment"}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in FILES:
        yield name_of(path), ast.parse(path.read_text(), filename=str(path))


def test_functions_fit_on_a_screen() -> None:
    """No function is longer than 70 lines."""
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_no_floats_near_money() -> None:
    """The rooms that handle money, and ``core``, name no float and write none."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if name.split("/")[0] in MONEY_ROOMS or name == "core/money.py"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert found == []


def clock_reads(tree: ast.AST) -> Iterator[int]:
    """Lines that ask the machine for the time of day."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            asked = (node.func.value.id, node.func.attr)
            if asked in {
                ("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow"), ("date", "today"),
                ("timezone", "now"), ("timezone", "localdate"), ("time", "time"),
            }:  # fmt: skip
                yield node.lineno


def test_only_the_clock_reads_the_time() -> None:
    """Nobody but the clock asks for the time; the exceptions are named with their reason."""
    found = [f"{name}:{line}" for name, tree in trees() if name not in READS_THE_TIME for line in clock_reads(tree)]
    assert found == []
    assert list(clock_reads(ast.parse("datetime.now(UTC)"))) == [1]


@pytest.mark.parametrize("room_file", ["rules", "queries", "models"])
def test_lower_files_do_not_even_ask_the_clock(room_file: str) -> None:
    """Rules and queries take the day as a parameter; they never call the product's clock."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if f"/{room_file}" in name and not name.startswith("plumbing/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "clock"
    ]
    assert found == []


def test_only_one_file_reads_the_environment() -> None:
    """``os.environ`` and ``os.getenv`` stand in one file."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if name not in READS_THE_ENVIRONMENT
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv")
    ]
    assert found == []


def test_no_signals_and_no_overridden_save() -> None:
    """No Django signals, and no model that overrides ``save`` or ``delete``: what happens stands where it happens."""
    found = []
    for name, tree in trees():
        for node in ast.walk(tree):
            module = node.module if isinstance(node, ast.ImportFrom) else ""
            if module in ("django.dispatch", "django.db.models.signals", "django.core.signals"):
                found.append(f"{name}:{node.lineno} {module}")
            if (
                name.split("/")[1:2] == ["models.py"]
                and isinstance(node, ast.FunctionDef)
                and node.name in ("save", "delete")
            ):
                found.append(f"{name}:{node.lineno} {node.name}")
    assert found == []


def test_surfaces_do_not_touch_tables() -> None:
    """Web pages and APIs never reach for ``.objects``: they call queries and commands."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        if "/web/" in name or name.endswith("/api.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("objects", "_default_manager", "_base_manager")
    ]
    assert found == []


def test_no_swallowed_errors() -> None:
    """No ``except Exception`` whose body only passes."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert found == []


def test_names_say_what_is_inside() -> None:
    """No file is called utils or helpers, and nothing is left to do."""
    assert [name_of(path) for path in FILES if path.stem in ("utils", "helpers", "misc", "common")] == []
    assert [name_of(path) for path in FILES if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())] == []


INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>|<style\b|\sstyle=|\son[a-z]+=|javascript:",
    re.IGNORECASE,
)


def test_no_inline_script_or_style() -> None:
    """Templates hold no script and no style: the content security policy would refuse them."""
    found = [
        f"{name_of(path)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if INLINE.search(line)
    ]
    assert found == []
    assert INLINE.search('<p onclick="x()">')
    assert INLINE.search("<script>alert(1)</script>")
    assert not INLINE.search('<script type="module" src="/static/app.js"></script>')


def test_templates_escape_everything() -> None:
    """No template switches escaping off."""
    pattern = re.compile(r"\|\s*safe\b|\{%\s*autoescape\s+off")
    assert [name_of(path) for path in TEMPLATES if pattern.search(path.read_text())] == []


def test_the_product_names_no_machine() -> None:
    """No source, template, document or lock file holds a path of a developer's machine or a package registry's
    address.
    """
    pattern = re.compile(r"/(?:root|home|work|Users)/[\w.-]+|pypi\.org|pythonhosted\.org|registry\.npmjs")
    checked = [*FILES, *TEMPLATES, *(ROOT / "requirements").glob("*.txt"), *(ROOT / "docs").rglob("*.md")]
    checked += [ROOT / "README.md", ROOT / "Makefile", ROOT / "pyproject.toml"]
    assert [str(path.relative_to(ROOT)) for path in checked if pattern.search(path.read_text())] == []


def test_dependencies_are_locked() -> None:
    """Every line of the lock files is an exact version with hashes."""
    locked = re.compile(r"[a-z0-9-]+(\[[a-z,]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}")
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text().replace("\\\n", " ")
        for line in filter(None, map(str.strip, text.splitlines())):
            assert locked.match(line), f"{path.name}: {line[:80]}"
