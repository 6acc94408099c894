"""What is misconfigured, in plain words. Looks only; mends nothing and sends nothing."""

from __future__ import annotations

import ipaddress
import shutil
import time
from dataclasses import dataclass
from enum import StrEnum

from counterfoil.app.environment import Environment
from counterfoil.plumbing.mail import BadEmailUrl, transport_from

POSTGRES_MIN = 15
SKEW_SECONDS = 5
HEARTBEAT_SECONDS = 30
DISK_FREE_MIN = 1024**3
SECRET_KEY_LENGTH = 40
EXTENSIONS = ("pg_trgm", "btree_gist", "unaccent")


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    level: Level
    text: str


def examine_environment(environment: Environment) -> list[Finding]:
    """What the environment alone tells. A demo installation may be careless; a production one may not."""
    careless = Level.NOTE if environment.demo else Level.ERROR
    return [
        *_mail(environment),
        _debug(environment, careless),
        _secret_key(environment, careless),
        _hosts(environment),
        _disk(environment),
    ]


def _mail(environment: Environment) -> list[Finding]:
    try:
        transport = transport_from(environment.email_url)
    except BadEmailUrl as bad:
        return [Finding(Level.ERROR, str(bad))]
    if transport is None:
        level = Level.NOTE if environment.demo else Level.WARNING
        return [Finding(level, "EMAIL_URL is not set: mail is not sent but kept in the outbox that the product shows.")]
    found = [Finding(Level.OK, f"Mail is handed to {transport.name}.")]
    if transport.encryption == "none" and not _is_loopback(transport.host):
        found.append(Finding(Level.WARNING, f"Mail goes to {transport.name} without encryption."))
    if not transport.verify:
        found.append(Finding(Level.WARNING, "The mail server's certificate is not checked (verify=no)."))
    return found


def _debug(environment: Environment, careless: Level) -> Finding:
    if environment.debug:
        return Finding(careless, "COUNTERFOIL_DEBUG is on: error pages show code and data to everybody. Unset it.")
    return Finding(Level.OK, "Debugging is off.")


def _secret_key(environment: Environment, careless: Level) -> Finding:
    if len(environment.secret_key) < SECRET_KEY_LENGTH or len(set(environment.secret_key)) < 10:
        return Finding(careless, f"SECRET_KEY is weak: give at least {SECRET_KEY_LENGTH} random characters.")
    kept = environment.data_folder / "secret-key"
    if kept.exists() and kept.stat().st_mode & 0o077:
        return Finding(careless, f"Other users can read {kept}. Run: chmod 600 {kept}")
    return Finding(Level.OK, "The secret key is long and private.")


def _hosts(environment: Environment) -> Finding:
    host = environment.address.rpartition(":")[0].strip("[]")
    if "*" in environment.allowed_hosts:
        return Finding(Level.ERROR, "COUNTERFOIL_HOSTS is “*”: name the hosts under which Counterfoil is reached.")
    outside = [
        name for name in environment.allowed_hosts if not _is_loopback(name.strip("[]")) and name != "testserver"
    ]
    if outside and not environment.behind_https:
        names = ", ".join(outside)
        return Finding(Level.WARNING, f"{names}: without COUNTERFOIL_HTTPS=1, log-ins travel in the clear. Use HTTPS.")
    if not outside and not _is_loopback(host):
        return Finding(
            Level.WARNING, f"Counterfoil listens on {host}, but COUNTERFOIL_HOSTS names no host to answer for."
        )
    return Finding(Level.OK, f"Counterfoil answers for {', '.join(environment.allowed_hosts)}.")


def _disk(environment: Environment) -> Finding:
    folder = environment.data_folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < DISK_FREE_MIN:
        return Finding(Level.ERROR, f"Only {free // 1024**2} MiB are free on the disk of {environment.data_folder}.")
    return Finding(Level.OK, f"{free // 1024**3} GiB are free on the disk.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def examine(environment: Environment) -> list[Finding]:
    """What the database and the packages tell. Needs Django and a database that answers."""
    from counterfoil.app.cli.database import pending_migrations

    pending = pending_migrations()
    found = [*_postgres(environment), _extensions(), _skew(), *_fonts()]
    if pending:
        missing = f"{len(pending)} migrations are missing ({pending[0]} first). Run: counterfoil migrate"
        return [*found, Finding(Level.ERROR, missing)]
    return [
        *found,
        Finding(Level.OK, "The tables are those of this release."),
        _installation(environment),
        *_processes(),
        *_alarms(),
    ]


def _ask(query: str) -> tuple[object, ...]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    if row is None:
        raise AssertionError("this query gives one row")
    return tuple(row)


def _postgres(environment: Environment) -> list[Finding]:
    number, words, fsync, durable, is_super = _ask(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), "
        "current_setting('fsync'), current_setting('full_page_writes'), "
        "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    )
    if not isinstance(number, int) or number < POSTGRES_MIN * 10_000:
        return [Finding(Level.ERROR, f"PostgreSQL {words} is too old: Counterfoil needs {POSTGRES_MIN} or newer.")]
    kind = "Counterfoil's own" if environment.is_embedded else "from DATABASE_URL"
    found = [Finding(Level.OK, f"PostgreSQL {words} answers ({kind}).")]
    if environment.is_embedded and not environment.demo:
        advice = "The data are in Counterfoil's own PostgreSQL. Production is better off with DATABASE_URL and backups."
        found.append(Finding(Level.WARNING, advice))
    if fsync != "on" or durable != "on":
        found.append(
            Finding(Level.ERROR, "PostgreSQL runs with fsync or full_page_writes off: a crash can lose everything.")
        )
    if is_super:
        found.append(
            Finding(Level.WARNING, "Counterfoil connects as a superuser; a role that owns its database is enough.")
        )
    return found


def _extensions() -> Finding:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = ANY(%s)", [list(EXTENSIONS)])
        there = {name for (name,) in cursor.fetchall()}
    missing = [name for name in EXTENSIONS if name not in there]
    if missing:
        return Finding(
            Level.ERROR, f"The database misses the extensions {', '.join(missing)}. Run: counterfoil migrate"
        )
    return Finding(Level.OK, "The extensions are there.")


def _skew() -> Finding:
    """The two real clocks; a demo's movable one has no part in it."""
    (theirs,) = _ask("SELECT extract(epoch FROM clock_timestamp())::double precision")
    skew = abs(time.time() - theirs) if isinstance(theirs, float) else 0.0
    if skew > SKEW_SECONDS:
        text = f"The clocks of this machine and of PostgreSQL differ by {skew:.0f} seconds. Use NTP on both."
        return Finding(Level.ERROR, text)
    return Finding(Level.OK, "The clocks of this machine and of PostgreSQL agree.")


def _fonts() -> list[Finding]:
    """The typefaces of printed documents come as packages; one that is missing leaves names unprintable."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("fontpkg-inter", "fontpkg-noto-sans", "fontpkg-noto-sans-arabic", "noto-cjk-sans-otc"):
        try:
            version(package)
        except PackageNotFoundError:
            found.append(
                Finding(Level.ERROR, f"The typeface package {package} is missing: some names cannot be printed.")
            )
    return found or [Finding(Level.OK, "The typefaces of printed documents are there.")]


def _installation(environment: Environment) -> Finding:
    from counterfoil.plumbing.installation import installation

    facts = installation()
    if facts is None:
        return Finding(Level.ERROR, "The installation was never prepared. Run: counterfoil migrate")
    if facts.is_demo and not environment.demo:
        return Finding(Level.ERROR, "The database holds a demo installation, but COUNTERFOIL_DEMO is not set.")
    if environment.demo and not facts.is_demo:
        return Finding(Level.ERROR, "COUNTERFOIL_DEMO is set, but the database belongs to a production installation.")
    if facts.is_demo:
        return Finding(Level.NOTE, f"This is a demo; its clock is {facts.clock_days_ahead} days ahead.")
    return Finding(Level.OK, "This is a production installation.")


def _processes() -> list[Finding]:
    from counterfoil.plumbing.watchdog import seconds_since

    found = []
    for process, consequence in (
        ("worker", "no mail is sent and nothing is delivered. Run: counterfoil worker"),
        ("watchdog", "nobody returns stalled jobs or finds what is due. Run: counterfoil watchdog"),
    ):
        silent = seconds_since(process)
        if silent is None:
            found.append(Finding(Level.ERROR, f"No {process} has ever run: {consequence}"))
        elif silent > HEARTBEAT_SECONDS:
            found.append(Finding(Level.ERROR, f"The {process} was last alive {silent:.0f} seconds ago: {consequence}"))
        else:
            found.append(Finding(Level.OK, f"The {process} is alive."))
    return found


def _alarms() -> list[Finding]:
    from counterfoil.plumbing.alarms import open_alarms

    return [
        Finding(Level.ERROR, f"Alarm since {one.opened_at:%Y-%m-%d %H:%M} UTC: {one.message}") for one in open_alarms()
    ]
