"""A whole installation as a user runs it, for stories that cross processes and kill them."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

COUNTERFOIL = Path(sys.executable).with_name("counterfoil")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Installation:
    """A data folder, an address, and ``counterfoil up`` on them. Knows an API key after ``prepare``."""

    def __init__(self, folder: Path, email_url: str = "") -> None:
        self.folder = folder
        self.email_url = email_url
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.key = ""
        self.answered = 0

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COUNTERFOIL_", "DJANGO_"))}
        kept.pop("DATABASE_URL", None)
        kept.pop("EMAIL_URL", None)
        return kept | {
            "COUNTERFOIL_DATA": str(self.folder / "data"),
            "COUNTERFOIL_ADDRESS": f"127.0.0.1:{self.port}",
            **({"EMAIL_URL": self.email_url} if self.email_url else {}),
        }

    def up(self) -> None:
        log = (self.folder / "up.log").open("ab")
        self.process = subprocess.Popen([COUNTERFOIL, "up"], stdout=log, stderr=log, env=self.environment)
        until = time.monotonic() + 180
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        self.down()
        raise AssertionError((self.folder / "up.log").read_text()[-4000:])

    def down(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COUNTERFOIL, *arguments], capture_output=True, text=True, check=False, env=self.environment
        )

    def python(self, code: str) -> str:
        """Run code with the product loaded on this installation's database, and give what it prints."""
        program = f"from counterfoil.app.cli.ground import the_product\nwith the_product():\n    exec({code!r})"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=self.environment
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def call(self, method: str, path: str, body: Any = None, *, once: str = "", until: float = 300) -> Any:
        """One API call, repeated with the same idempotency key while nobody answers or the server is in trouble."""
        deadline = time.monotonic() + until
        last = "nothing"
        while True:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/api/v1{path}",
                method=method,
                data=json.dumps(body).encode() if body is not None else None,
                headers={
                    "Authorization": f"Bearer {self.key}",
                    "Content-Type": "application/json",
                    **({"Idempotency-Key": once} if once else {}),
                },
            )
            # Whoever answers may be killed in the middle of it, an error's body included.
            try:
                try:
                    with urllib.request.urlopen(request, timeout=15) as answer:
                        content = answer.read()
                        self.answered += 1
                        return json.loads(content) if content else None
                except urllib.error.HTTPError as error:
                    text = error.read().decode()
                    in_flight = error.code == 409 and "in_flight" in text
                    if error.code < 500 and not in_flight:
                        raise AssertionError(f"{method} {path}: {error.code} {text[:1000]}") from None
                    last = f"{error.code} {text[:200]}"
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path} was not answered within {until} s, at last: {last}")
            time.sleep(0.1)

    def descendants(self) -> list[int]:
        """All processes of the installation but the supervisor."""
        assert self.process is not None
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return sorted(found - {self.process.pid})
            found |= more


class Killer(threading.Thread):
    """Kills a random process of the installation now and then: web, worker, watchdog, PostgreSQL or one of its own.

    Kills fall into recoveries too, but after ``in_a_row`` of them one call has to be answered first: on a slow machine
    nothing would else ever be done between two kills, which shows nothing.
    """

    def __init__(self, installation: Installation, seed: int, between: tuple[float, float], in_a_row: int = 3) -> None:
        super().__init__(daemon=True)
        self.installation = installation
        self.random = random.Random(seed)
        self.between = between
        self.in_a_row = in_a_row
        self.kills = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        answered, since = 0, 0
        while not self.stopped.wait(self.random.uniform(*self.between)):
            if self.installation.answered > answered:
                answered, since = self.installation.answered, 0
            alive = self.installation.descendants()
            if alive and since < self.in_a_row:
                try:
                    os.kill(self.random.choice(alive), signal.SIGKILL)
                    self.kills += 1
                    since += 1
                except ProcessLookupError:
                    continue

    def stop(self) -> None:
        self.stopped.set()
        self.join()
