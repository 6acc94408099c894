"""Static files: renamed consistently, and small."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import brotli
import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

HTMX = "django_htmx/htmx-2.min.js"
BUDGET = 40_000


@pytest.fixture
def collected(settings: Any, tmp_path: Path) -> Any:
    """All static files, collected into a folder of this test."""
    settings.STATIC_ROOT = str(tmp_path)
    storages = {**settings.STORAGES}
    settings.STORAGES = storages
    call_command("collectstatic", interactive=False, verbosity=0)
    return staticfiles_storage


def test_modules_import_each_other_under_their_hashed_names(collected: Any, tmp_path: Path) -> None:
    """Every import of a collected module names a file that exists, by the name under which browsers may keep it."""
    modules = [path for path in (tmp_path / "surface").glob("*.js") if re.search(r"\.[0-9a-f]{12}\.js$", path.name)]
    assert len(modules) >= 12
    for module in modules:
        for imported in re.findall(r'(?:from|import) "\./([^"]+)"', module.read_text()):
            assert re.search(r"\.[0-9a-f]{12}\.js$", imported), (module.name, imported)
            assert (module.parent / imported).exists()


def test_scripts_and_styles_of_a_page_weigh_less_than_forty_kilobytes(collected: Any, tmp_path: Path) -> None:
    """Our modules, our styles and htmx, as brotli sends them."""
    names = [HTMX, *(f"surface/{path.name}" for path in own_files())]
    sizes = {name: len(brotli.compress((tmp_path / collected.stored_name(name)).read_bytes())) for name in names}
    assert sum(sizes.values()) <= BUDGET, sizes


def own_files() -> list[Path]:
    import counterfoil.surface

    folder = Path(counterfoil.surface.__file__).parent / "static" / "surface"
    return sorted([*folder.glob("*.js"), *folder.glob("*.css")])
