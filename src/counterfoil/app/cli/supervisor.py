"""One tree of processes: it starts them, starts again what dies, and ends all of them together.

Children are forks of the supervisor, which has loaded the product once: they start at once and share its memory. Each
child asks the kernel to be told when the supervisor ends, so that even ``kill -9`` of the supervisor leaves no orphan.
The embedded PostgreSQL is the first to start and the last to end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from counterfoil.app.cli.ground import Trouble, complain
from counterfoil.plumbing.postgres import PostgresProblem, Server
from counterfoil.plumbing.processes import die_with_parent

LOOK_SECONDS = 0.1
GRACE_SECONDS = 30.0
BACK_OFF_MAX_SECONDS = 5.0
HEALTHY_AFTER_SECONDS = 60.0
STUCK_AFTER_SECONDS = 5.0


@dataclass
class Child:
    """One process that should run: what it does, and how it has fared."""

    name: str
    body: Callable[[], None]
    pid: int | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_at: float = field(default=0.0)


class Supervisor:
    """Keeps ``children`` and the embedded ``server``, when there is one, alive until a signal says stop."""

    def __init__(self, server: Server | None) -> None:
        self.server = server
        self.children: list[Child] = []
        self._asked = 0
        self._stuck_since: float | None = None

    def catch_signals(self) -> None:
        """Ctrl-C and SIGTERM end the tree in order; a second one ends it at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if (
                number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
            ):  # nohup wants to outlive its terminal
                signal.signal(number, self._ask)

    @property
    def is_ending(self) -> bool:
        return self._asked > 0

    def _ask(self, number: int, _: object) -> None:
        self._asked += 1
        if self._asked > 1 and number != signal.SIGHUP:
            os._exit(128 + number)  # the kernel tells the children

    def run_to_the_end(self, *children: Child, meanwhile: Callable[[], None] | None = None) -> None:
        """Run these side by side and wait for all; raises ``Trouble`` when one fails. ``meanwhile`` is done here."""
        for child in children:
            self._fork(child)
        if meanwhile is not None:
            meanwhile()
        failed = []
        waiting = list(children)
        while waiting:
            for child in list(waiting):
                status = _ended(child)
                if status is not None:
                    waiting.remove(child)
                    failed += [child.name] if status else []
                elif self.is_ending:
                    os.kill(_known(child.pid), signal.SIGTERM)
            time.sleep(LOOK_SECONDS / 10)
        if failed and not self.is_ending:
            raise Trouble(f"Counterfoil could not start: {' and '.join(failed)} failed.")

    def keep(self, *children: Child) -> None:
        self.children.extend(children)
        for child in children:
            self._fork(child)

    def watch(self) -> None:
        """Look after everything until a signal says stop."""
        while not self.is_ending:
            self._look_after_server()
            for child in self.children:
                self._look_after(child)
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """End the children, then PostgreSQL. A child that does not end in time is killed."""
        alive = [child for child in self.children if child.pid is not None]
        for child in alive:
            os.kill(_known(child.pid), signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        while any(_ended(child) is None for child in alive):
            if time.monotonic() > until:
                for child in alive:
                    if child.pid is not None:
                        complain(f"{child.name} did not end in time and was killed")
                        os.kill(child.pid, signal.SIGKILL)
            time.sleep(LOOK_SECONDS / 2)
        if self.server is not None:
            self.server.stop()

    def _look_after_server(self) -> None:
        """A PostgreSQL that was killed recovers by itself when it is started again; one that is stuck is killed."""
        if self.server is None:
            return
        self._unstick(self.server)
        if self.server.poll() is None:
            return
        complain("PostgreSQL ended; starting it again")
        try:
            self.server.start()
        except PostgresProblem as problem:
            complain(str(problem))
            time.sleep(1)

    def _unstick(self, server: Server) -> None:
        now = time.monotonic()
        if not server.is_stuck:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        elif now - self._stuck_since > STUCK_AFTER_SECONDS:
            self._stuck_since = None
            complain("PostgreSQL does not recover; ending it")
            server.kill()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.pid is not None and (status := _ended(child)) is not None:
            lived = now - child.started_at
            child.deaths = 0 if lived > HEALTHY_AFTER_SECONDS else child.deaths + 1
            wait = min(0.2 * 2 ** max(child.deaths - 1, 0), BACK_OFF_MAX_SECONDS)
            child.start_at = now + wait
            complain(
                f"{child.name} ended ({_how(status)}); starting it again" + (f" in {wait:.0f} s" if wait >= 1 else "")
            )
        if child.pid is None and now >= child.start_at:
            self._fork(child)

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os._exit(_live(child, parent))
        child.pid = pid
        child.started_at = time.monotonic()


def _live(child: Child, parent: int) -> int:
    """The life of a child: its own group, so that Ctrl-C reaches it through the supervisor only."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent, signal.SIGTERM)
        child.body()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except Trouble as trouble:
        complain(str(trouble))
    except BaseException:
        complain(f"{child.name}: {traceback.format_exc()}")
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _ended(child: Child) -> int | None:
    """The exit status of a child that ended, else ``None``. A child that was collected before counts as ended."""
    if child.pid is None:
        return 0
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return None
    child.pid = None
    return os.waitstatus_to_exitcode(status)


def _how(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"


def _known(pid: int | None) -> int:
    if pid is None:
        raise AssertionError("this child runs")
    return pid
