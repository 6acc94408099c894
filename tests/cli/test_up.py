"""``counterfoil up`` as a user runs it: real processes, real signals, a data folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
COUNTERFOIL = Path(sys.executable).with_name("counterfoil")
SECONDS = 120  # no command here takes nearly as long; one that goes on serving fails instead of waiting for ever


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Installation:
    """A data folder and an address, and ``counterfoil`` run on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self.log = folder / "up.log"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COUNTERFOIL_", "DJANGO_"))}
        kept.pop("DATABASE_URL", None)
        kept.pop("EMAIL_URL", None)
        return kept | {
            "COUNTERFOIL_DATA": str(self.folder / "data"),
            "COUNTERFOIL_ADDRESS": f"127.0.0.1:{self.port}",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COUNTERFOIL, *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            timeout=SECONDS,
        )

    def up(self) -> None:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [COUNTERFOIL, "up"], stdout=log, stderr=log, text=True, env=self.environment
            )
        self.wait_for(lambda: "is ready after" in self.log.read_text())
        self.wait_for(self.serves)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def serves(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=20) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def wait_for(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.log.read_text()
            if self.process is not None and self.process.poll() is not None:
                pytest.fail(self.log.read_text())
            time.sleep(0.1)

    def interrupt(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(45)
        self.process = None
        return code


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def tree(root: int) -> set[int]:
    """The process and everything below it."""
    parents = {int(path.name): parent_of(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def alive(pids: set[int]) -> set[int]:
    living = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            living.add(pid)
    return living


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="cf-up-"))
    made = Installation(folder)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def running(installation: Installation) -> Iterator[Installation]:
    installation.up()
    yield installation
    if installation.process is not None:
        installation.interrupt()


def test_page_is_served_and_ctrl_c_leaves_nothing(running: Installation) -> None:
    """The log-in page is served, and Ctrl-C ends every process in order with code 0."""
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/login/") as page:
        assert page.status == 200
        assert "Counterfoil" in page.read().decode()
    pids = tree(running.pid)
    assert len(pids) >= 10
    assert running.interrupt() == 0
    assert running.log.read_text().splitlines()[-1] == "Counterfoil has ended."
    assert alive(pids) == set()
    log = (running.folder / "data" / "postgres.log").read_text()
    assert log.rstrip().endswith("database system is shut down")


def test_second_start_keeps_the_data(installation: Installation) -> None:
    """What was there before a stop is there after the next start, and commands find it both times."""
    assert installation.run("migrate").returncode == 0
    email = "first@example.com"
    added = installation.run("user", "add", email, "--name", "First", "--role", "admin", text="a long password 1\n")
    assert added.returncode == 0, added.stderr
    installation.up()
    again = installation.run("user", "add", email, "--name", "Again", "--role", "admin", text="a long password 1\n")
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    assert installation.interrupt() == 0


def test_what_is_killed_comes_back(running: Installation) -> None:
    """kill -9 of web server, worker, watchdog and PostgreSQL: each is started again and pages are served again."""

    def below() -> set[int]:
        return {pid for pid in tree(running.pid) if parent_of(pid) == running.pid}

    running.wait_for(lambda: len(below()) == 4)  # what only helps the start has ended
    children = below()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    running.wait_for(lambda: not alive(children))
    running.wait_for(lambda: len(below()) == 4)
    running.wait_for(running.serves)
    doctor = running.run("doctor")
    assert "ok       The worker is alive." in doctor.stdout
    said = running.log.read_text()
    for name in ("web server", "worker", "watchdog"):
        assert re.search(rf"{name} ended \(.+\); starting it again", said)
    assert "PostgreSQL ended; starting it again" in said


def test_kill_9_of_the_supervisor_leaves_no_orphan(running: Installation) -> None:
    """When the supervisor itself is killed, the kernel tells its children, and all of them end."""
    pids = tree(running.pid)
    assert running.process is not None
    running.process.kill()
    running.process.wait()
    running.process = None
    until = time.monotonic() + 40
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.1)
    assert alive(pids) == set()
    running.up()  # and the folder is usable at once
    assert running.interrupt() == 0


def test_taken_port(installation: Installation) -> None:
    """A port that another program has is said in plain words, and nothing is started."""
    with socket.create_server(("127.0.0.1", installation.port)):
        done = installation.run("up")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {installation.port} on 127.0.0.1 is taken by another program.")
    assert "Traceback" not in done.stderr


def test_no_worker_without_a_job_at_a_time(installation: Installation) -> None:
    """A number of jobs that no worker can run is refused before anything starts."""
    done = installation.run("up", "--concurrency", "0")
    assert (done.returncode, done.stderr) == (1, "--concurrency must be between 1 and 64.\n")


def test_two_on_one_folder(running: Installation) -> None:
    """A second start on the same data says that the first is running, and leaves it alone."""
    other = Installation(running.folder)
    done = other.run("up")
    assert done.returncode == 1
    assert done.stderr.startswith("Counterfoil is running already with the data in ")
    assert running.serves()


def test_demo_and_production_do_not_mix(installation: Installation) -> None:
    """A production database is refused as a demo, and its clock cannot be moved."""
    assert installation.run("migrate").returncode == 0
    done = subprocess.run(
        [COUNTERFOIL, "up"],
        capture_output=True,
        text=True,
        check=False,
        env=installation.environment | {"COUNTERFOIL_DEMO": "1"},
        timeout=SECONDS,
    )
    assert done.returncode == 1
    assert "belongs to a production installation" in done.stderr
    moved = installation.run("demo", "--advance", "30")
    assert moved.returncode == 1
    assert moved.stderr.startswith("This is no demo installation.")
