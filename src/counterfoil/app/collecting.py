"""The static files as the web server sends them: copied, named by their hash, compressed.

Compressing takes seconds that a first start would wait for, so ``make install`` does it once and keeps the result
beside this file; a start copies it. Without it, or when a file has changed since, the start does the work itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

READY_MADE = Path(__file__).with_name("collected")
STAMP = ".collected"
UNUSED = ["redoc*", "*.js.map"]
"""Static files of packages that no page of ours links to."""


def collect_static() -> bool:
    """Have ``STATIC_ROOT`` hold the present files. Returns whether there was something to do."""
    from django.conf import settings

    root, digest = Path(settings.STATIC_ROOT), _digest()
    if _stamp(root) == digest:
        return False
    if root != READY_MADE and _stamp(READY_MADE) == digest:
        _copy(root)
    else:
        _collect(root, digest)
    return True


def _digest() -> str:
    """What the collected files come from: the name, size and time of each."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = os.stat(storage.path(path))
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _stamp(folder: Path) -> str | None:
    """Written last: a folder without it was left half-way by a crash."""
    stamp = folder / STAMP
    return stamp.read_text() if stamp.exists() else None


def _copy(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(READY_MADE, root, ignore=shutil.ignore_patterns(STAMP))
    shutil.copy(READY_MADE / STAMP, root)


def _collect(root: Path, digest: str) -> None:
    from django.core.management import call_command

    call_command("collectstatic", interactive=False, verbosity=0, clear=root.exists(), ignore_patterns=UNUSED)
    (root / STAMP).write_text(digest)


def main() -> None:
    """Collect the present files beside this module, for every later start to copy."""
    from django.conf import settings

    from counterfoil.app.cli.ground import set_up

    set_up()
    settings.STATIC_ROOT = str(READY_MADE)
    collect_static()


if __name__ == "__main__":
    main()
