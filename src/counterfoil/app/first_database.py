"""A database folder with every table and no data, made once by ``make install``: a first start copies it.

Making one takes PostgreSQL and Django several seconds that a first start would wait for. The copy is used only while it
is of the migrations that are there now; without it the folder is made as usual. It holds no secret and no data.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from counterfoil.plumbing.postgres import copy_database

KEPT = Path(sys.prefix) / "share" / "counterfoil" / "first-database"
_MADE_FROM = KEPT / "made-from"
_PACKAGE = Path(__file__).parent.parent


def first_database() -> Path | None:
    """The folder to copy; none when there is none of this release."""
    try:
        return KEPT / "postgres" if _MADE_FROM.read_text() == _release() else None
    except OSError:
        return None


def keep(database: Path) -> None:
    """Keep a copy of this database folder, whose server has ended."""
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    copy_database(database, KEPT / "postgres")
    _MADE_FROM.write_text(_release())


def _release() -> str:
    """This release's migrations, byte for byte. Those of libraries change with the lock, and then it is made anew."""
    found = hashlib.sha256()
    for path in sorted(_PACKAGE.glob("*/migrations/*.py")):
        found.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
