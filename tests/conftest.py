"""What every test stands on: a PostgreSQL, a clock that can be stopped, and the product as an actor.

With ``DATABASE_URL`` the tests use that server. Without it they start the product's own PostgreSQL in a temporary
folder, without writing to the disk safely, and stop it at the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from counterfoil.access.actors import Actor
from counterfoil.plumbing import clock as product_clock
from counterfoil.plumbing.postgres import Server, connection_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from staff import Staff

# No test fails because the machine is slow: neither an example nor the making of one has a limit of time.
hypothesis_settings.register_profile("counterfoil", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("counterfoil")

SERVER = pytest.StashKey[tuple[Server, Path]]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the server once, in the process that the workers of xdist descend from, before Django is set up."""
    if os.environ.get("DATABASE_URL") or config.option.collectonly:
        return
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-tests-"))
    server = Server(folder, durable=False)
    server.start()
    config.stash[SERVER] = (server, folder)
    connection = connection_settings(folder)
    settings.DATABASES["default"].update(connection)
    user, host, name = connection["USER"], quote(connection["HOST"], safe=""), connection["NAME"]
    os.environ["DATABASE_URL"] = f"postgres://{user}@{host}:{connection['PORT']}/{name}"


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVER in config.stash:
        server, folder = config.stash[SERVER]
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        del os.environ["DATABASE_URL"]


@pytest.fixture(autouse=True)
def _empty_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Django empties the product's tables after a test with real transactions;

    the queue's own tables are emptied here.
    """
    yield
    marker = request.node.get_closest_marker("django_db")
    really = marker is not None and (marker.kwargs.get("transaction") or (marker.args and marker.args[0]))
    if really or {"transactional_db", "live_server"} & set(request.fixturenames):
        with request.getfixturevalue("django_db_blocker").unblock(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers, plumbing_cache CASCADE")


class Clock:
    """The product's clock, stopped. ``set`` moves it to an instant, or to noon UTC of a day."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def set(self, moment: datetime | date | str) -> datetime:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment) if "T" in moment else date.fromisoformat(moment)
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(12))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        self._stack.close()
        self._stack.enter_context(product_clock.stopped_at(moment))
        return moment

    @property
    def now(self) -> datetime:
        return product_clock.now()

    @property
    def today(self) -> date:
        return product_clock.today()


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock, stopped at noon UTC of 1 April 2026 until the test moves it."""
    with ExitStack() as stack:
        stopped = Clock(stack)
        stopped.set("2026-04-01")
        yield stopped


@pytest.fixture
def system_actor() -> Actor:
    """The product itself, which may do everything."""
    return Actor.system("Tests", origin="test")


@pytest.fixture
def staff(db: None) -> Staff:
    """A person and a program for each role."""
    from staff import Staff  # it needs Django's models, which are not there when this file is read

    return Staff()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for a file. Its event loop runs in the tests' thread, where they read the database too."""
    from playwright.sync_api import sync_playwright

    from browsing import CHROMIUM

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "yes")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
