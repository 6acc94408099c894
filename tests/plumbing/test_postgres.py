"""The embedded PostgreSQL: private, alone on its folder, and back after any death."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from counterfoil.plumbing import postgres
from counterfoil.plumbing.postgres import (
    PostgresProblem,
    Server,
    connection_settings,
    copy_database,
    is_ready,
    running,
    socket_folder,
)
from counterfoil.plumbing.processes import become


def connect(folder: Path, user: str = "counterfoil") -> psycopg.Connection:
    settings = connection_settings(folder)
    host, port, name = settings["HOST"], settings["PORT"], settings["NAME"]
    return psycopg.connect(host=host, port=port, user=user, dbname=name, autocommit=True)


def wait_until_gone(pid: int, seconds: float = 15) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def made_folder() -> Iterator[Path]:
    """A data folder whose database was made once for all tests of this file."""
    folder = Path(tempfile.mkdtemp(prefix="cf-pg-"))
    making = Server(folder, durable=False)
    making.start()
    making.stop()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(made_folder: Path) -> Iterator[Server]:
    server = Server(made_folder, durable=False)
    server.start()
    yield server
    server.stop()


def test_it_is_private(server: Server) -> None:
    """It listens on a private socket only, trusts nobody, and the product's role is no superuser."""
    with connect(server.data_folder) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        role = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'counterfoil'").fetchone()
        assert role == (False, True)
    assert server.database.stat().st_mode & 0o777 == 0o700
    assert socket_folder(server.data_folder).stat().st_mode & 0o777 == 0o700
    rules = (server.database / "pg_hba.conf").read_text().splitlines()
    assert rules == ["local all postgres peer map=owner", "local all counterfoil peer map=owner"]
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        connect(server.data_folder, user="nobody_we_know")


def test_trusted_extensions_are_there_and_others_are_not_needed(server: Server) -> None:
    """The product's role can add the three extensions that it needs, which every PostgreSQL 15 or newer has."""
    with connect(server.data_folder) as connection:
        for name in ("pg_trgm", "btree_gist", "unaccent"):
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
        row = connection.execute("SELECT upper('ä'), similarity('Müller', 'MÜLLER')").fetchone()
        assert row == ("Ä", 1)


def test_second_server_is_refused(server: Server) -> None:
    """A folder whose server runs is refused to a second one, and the first goes on."""
    with pytest.raises(PostgresProblem, match="is running already"):
        Server(server.data_folder, durable=False).start()
    with connect(server.data_folder) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_command_uses_the_server_that_runs(server: Server) -> None:
    """A command that needs the database takes the running server and leaves it running."""
    with running(server.data_folder), connect(server.data_folder) as connection:
        connection.execute("SELECT 1")
    assert server.poll() is None


def test_a_command_starts_and_stops_its_own(made_folder: Path) -> None:
    """Without a running server a command starts one for as long as it lasts."""
    assert not is_ready(made_folder)
    with running(made_folder):
        assert is_ready(made_folder)
    assert not is_ready(made_folder)


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After kill -9 of a durable server it starts again by itself, with every acknowledged row."""
    server = Server(tmp_path)
    server.start()
    try:
        with connect(tmp_path) as connection:
            connection.execute("CREATE TABLE kept (n integer)")
        for round_number in range(3):
            with connect(tmp_path) as connection:
                for n in range(50):
                    connection.execute("INSERT INTO kept VALUES (%s)", [round_number * 50 + n])
                assert server.process is not None
                os.kill(server.process.pid, signal.SIGKILL)
                server.process.wait()
            server.start()
        with connect(tmp_path) as connection:
            assert connection.execute("SELECT count(*), max(n) FROM kept").fetchone() == (150, 149)
    finally:
        server.stop()


def children(server: Server, title: str) -> list[int]:
    """The server's processes whose title starts so."""
    assert server.process is not None
    parent = server.process.pid
    found = []
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with suppress(OSError):  # it has ended meanwhile
            if Path(f"/proc/{pid}/cmdline").read_text().startswith(f"postgres: {title}"):
                found.append(int(pid))
    return found


def test_a_server_that_never_recovers_is_known(tmp_path: Path) -> None:
    """Killed while it recovers from a kill, PostgreSQL may wait for ever: that is seen, and it starts again whole."""
    server = Server(tmp_path)
    server.start()
    try:
        with connect(tmp_path) as connection:
            connection.execute("CREATE TABLE kept (n integer)")
            connection.execute("INSERT INTO kept VALUES (7)")
        until = time.monotonic() + 10
        while not children(server, "walwriter") and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.is_stuck
        os.kill(children(server, "walwriter")[0], signal.SIGKILL)
        quiet_since = time.monotonic()
        while server.poll() is None and time.monotonic() - quiet_since < 3:
            with suppress(OSError):
                for pid in children(server, "startup"):
                    os.kill(pid, signal.SIGKILL)
                    quiet_since = time.monotonic()
        assert server.is_stuck or server.poll() is not None
        server.kill()
        assert server.poll() is not None
        server.start()
        with connect(tmp_path) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    finally:
        server.stop()


def test_stale_pid_file_of_another_process(made_folder: Path) -> None:
    """A pid file that a killed server left, whose number another program has now, does not stop the start."""
    stale = made_folder / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{made_folder}/postgres\n1\n5432\n/tmp\n\n  1 1\nready   \n")
    server = Server(made_folder, durable=False)
    server.start()
    server.stop()
    assert not stale.exists()


def test_it_ends_with_the_process_that_started_it(made_folder: Path) -> None:
    """kill -9 of the process that started the server ends the server, cleanly, and the folder can be used at once."""
    program = (
        "import sys, time; from pathlib import Path; from counterfoil.plumbing.postgres import Server\n"
        "server = Server(Path(sys.argv[1]), durable=False); server.start(); print(server.process.pid, flush=True)\n"
        "time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program, str(made_folder)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert is_ready(made_folder)
    starter.kill()
    starter.wait()
    server = Server(made_folder, durable=False)
    server.start()  # waits for the other to end
    server.stop()
    assert wait_until_gone(pid)


def test_long_folder_names_get_a_short_socket(made_folder: Path, tmp_path: Path) -> None:
    """A data folder too deep for a Unix socket's name works over a short private folder."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    shutil.copytree(made_folder / "postgres", deep / "postgres")
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"--reference={made_folder / 'postgres'}", deep / "postgres"], check=True)
    server = Server(deep, durable=False)
    server.start()
    try:
        folder = socket_folder(deep)
        assert len(str(folder / ".s.PGSQL.5432")) <= 107
        assert folder.stat().st_mode & 0o777 == 0o700
        with connect(deep) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that belongs to somebody else")
def test_somebody_elses_socket_folder_is_refused(tmp_path: Path) -> None:
    """A short socket folder that another user made beforehand is not trusted."""
    deep = tmp_path / ("f" * 110)
    folder = socket_folder(deep)
    folder.mkdir()
    try:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        with pytest.raises(PostgresProblem, match="belongs to another user"):
            connection_settings(deep)
    finally:
        folder.rmdir()


def test_a_first_start_copies_what_was_made_before(made_folder: Path, tmp_path: Path) -> None:
    """A database folder that was kept is copied, tables and all; one of another release or user is left alone."""
    with running(made_folder), connect(made_folder) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    kept = made_folder / "postgres"
    other = tmp_path / "other"
    copy_database(kept, other)
    (other / "PG_VERSION").write_text("16\n")
    found = {}
    for name, first in (("good", kept), ("of another release", other), ("not there", tmp_path / "nothing")):
        server = Server(tmp_path / name, durable=False, first=first)
        server.start()
        try:
            with connect(server.data_folder) as connection:
                found[name] = connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone()
        finally:
            server.stop()
    assert found == {"good": (True,), "of another release": (False,), "not there": (False,)}
    with running(made_folder), connect(made_folder) as connection:
        connection.execute("DROP TABLE kept")


def test_data_of_another_major_version(made_folder: Path) -> None:
    """Data that another major version wrote are left alone, and the message says what to do."""
    version = made_folder / "postgres" / "PG_VERSION"
    before = version.read_text()
    try:
        version.write_text("16\n")
        with pytest.raises(PostgresProblem, match=r"written by PostgreSQL 16, and this is PostgreSQL 18.*pg_dump"):
            Server(made_folder).start()
    finally:
        version.write_text(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_runs_as_a_normal_user(tmp_path: Path) -> None:
    """A user who is not root makes, starts and stops a server as himself."""
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    program = (
        "import sys, psycopg; from pathlib import Path\n"
        "from counterfoil.plumbing.postgres import Server, connection_settings\n"
        "server = Server(Path(sys.argv[1]), durable=False); server.start()\n"
        "s = connection_settings(server.data_folder)\n"
        "c = psycopg.connect(host=s['HOST'], port=s['PORT'], user=s['USER'], dbname=s['NAME'])\n"
        "print(c.execute('SELECT current_user').fetchone()[0]); c.close(); server.stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        preexec_fn=lambda: become(nobody, through_closed_folders=True),
    )
    assert (done.stdout, done.stderr) == ("counterfoil\n", "")
    assert (tmp_path / "postgres").stat().st_uid == nobody.pw_uid


def test_interrupted_making_leaves_a_folder_that_can_be_made(tmp_path: Path) -> None:
    """A database folder that was half made when the machine stopped is made anew."""
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18")
    server = Server(tmp_path, durable=False)
    server.start()
    server.stop()
    assert not (tmp_path / "postgres.new").exists()
    assert postgres.program("pg_dump").exists()
