"""The commands that look: ``verify``, ``doctor``, ``migrate --check``; and the demo's clock."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from counterfoil.app.cli import main, parser
from counterfoil.app.doctor import Finding, Level, examine, examine_environment
from counterfoil.app.environment import Environment, read_environment
from counterfoil.core.errors import Refusal
from counterfoil.plumbing import clock, invariants
from counterfoil.plumbing.installation import InstallationFacts, advance_demo_clock, establish, installation
from counterfoil.plumbing.invariants import invariant, verify

NAMES = [
    "up",
    "web",
    "worker",
    "watchdog",
    "migrate",
    "demo",
    "import",
    "export",
    "prices",
    "coupons",
    "verify",
    "doctor",
    "user",
]


@pytest.fixture
def production(tmp_path: Path) -> Environment:
    return read_environment(
        {
            "COUNTERFOIL_DATA": str(tmp_path),
            "DATABASE_URL": "postgres://counterfoil@db.example.com/counterfoil",
            "EMAIL_URL": "smtps://mail.example.com",
            "SECRET_KEY": "n8Zk2Qw7Lr5Xc1Vb9Tg4Yh6Uj3Im0Op-Ns_Ad-Fg-Hj",
            "COUNTERFOIL_HOSTS": "billing.example.com",
            "COUNTERFOIL_HTTPS": "1",
        }
    )


def test_every_command_is_there() -> None:
    """Every command that the documents name can be called for help."""
    text = parser().format_help()
    assert [name for name in NAMES if f"    {name}" not in text] == []


def test_good_production_has_nothing_to_say(production: Environment) -> None:
    """A well set up production environment gives no warning."""
    assert {finding.level for finding in examine_environment(production)} == {Level.OK}


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            {"email_url": ""},
            Finding(
                Level.WARNING, "EMAIL_URL is not set: mail is not sent but kept in the outbox that the product shows."
            ),
        ),
        (
            {"email_url": "", "demo": True},
            Finding(
                Level.NOTE, "EMAIL_URL is not set: mail is not sent but kept in the outbox that the product shows."
            ),
        ),
        ({"email_url": "mail"}, Finding(Level.ERROR, "EMAIL_URL must begin with smtp:// or smtps://.")),
        (
            {"email_url": "smtp://mail.example.com?tls=no"},
            Finding(Level.WARNING, "Mail goes to mail.example.com:25 without encryption."),
        ),
        (
            {"debug": True},
            Finding(Level.ERROR, "COUNTERFOIL_DEBUG is on: error pages show code and data to everybody. Unset it."),
        ),
        ({"secret_key": "secret"}, Finding(Level.ERROR, "SECRET_KEY is weak: give at least 40 random characters.")),
        (
            {"allowed_hosts": ("*",)},
            Finding(Level.ERROR, "COUNTERFOIL_HOSTS is “*”: name the hosts under which Counterfoil is reached."),
        ),
        (
            {"behind_https": False},
            Finding(
                Level.WARNING,
                "billing.example.com: without COUNTERFOIL_HTTPS=1, log-ins travel in the clear. Use HTTPS.",
            ),
        ),
        (
            {"address": "0.0.0.0:8000", "allowed_hosts": ("localhost",)},
            Finding(
                Level.WARNING, "Counterfoil listens on 0.0.0.0, but COUNTERFOIL_HOSTS names no host to answer for."
            ),
        ),
    ],
)
def test_what_is_wrong_is_said(production: Environment, change: dict[str, object], finding: Finding) -> None:
    """Each mistake in the environment has its own sentence, and is worse in production than in a demo."""
    assert finding in examine_environment(replace(production, **change))  # type: ignore[arg-type]


def test_readable_key_is_found(production: Environment, tmp_path: Path) -> None:
    """A secret key that other users can read is an error."""
    key = tmp_path / "secret-key"
    key.write_text("x")
    key.chmod(0o644)
    expected = Finding(Level.ERROR, f"Other users can read {key}. Run: chmod 600 {key}")
    assert expected in examine_environment(production)


@pytest.mark.django_db
def test_doctor_looks_at_the_database(production: Environment) -> None:
    """Doctor sees the server, the extensions, the clocks, the typefaces, the installation and the missing processes."""
    establish(is_demo=False)
    texts = {finding.text: finding.level for finding in examine(production)}
    assert texts["The extensions are there."] is Level.OK
    assert texts["The clocks of this machine and of PostgreSQL agree."] is Level.OK
    assert texts["The typefaces of printed documents are there."] is Level.OK
    assert texts["The tables are those of this release."] is Level.OK
    assert texts["This is a production installation."] is Level.OK
    worker = "No worker has ever run: no mail is sent and nothing is delivered. Run: counterfoil worker"
    assert texts[worker] is Level.ERROR
    demo = {finding.text: finding.level for finding in examine(replace(production, demo=True))}
    assert demo["COUNTERFOIL_DEMO is set, but the database belongs to a production installation."] is Level.ERROR


@pytest.mark.django_db
def test_doctor_and_verify_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Doctor ends with 1 while no worker runs; verify ends with 0 on an empty installation and names every promise."""
    establish(is_demo=False)
    assert main(["doctor"]) == 1
    assert "error    No worker has ever run" in capsys.readouterr().out
    assert main(["verify"]) == 0
    printed = capsys.readouterr().out
    assert all(f"holds  {one.key:<5}" in printed for one in invariants.invariants())
    assert printed.splitlines()[-1] == f"{len(invariants.invariants())} promises, 0 broken."


@pytest.mark.django_db
def test_broken_promise_is_counted_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken promise is printed with its count and the first rows that break it, and verify ends with 1."""
    monkeypatch.setattr(invariants, "_invariants", {})
    invariant("T2", "there are no numbers above seven")(lambda: "SELECT n FROM generate_series(1, 14) n WHERE n > 7;")
    invariant("T1", "there is nothing")(lambda: "SELECT 1 WHERE 'a' LIKE 'b%'")
    assert [(one.invariant.key, one.count) for one in verify()] == [("T1", 0), ("T2", 7)]
    assert verify()[1].examples == ("(8)", "(9)", "(10)", "(11)", "(12)")
    assert main(["verify"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 promises, 1 broken."
    assert main(["verify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[1]["broken"] == 7


@pytest.mark.django_db
def test_forgotten_job_breaks_its_promise() -> None:
    """J1: a job that counts as running while nobody has run it for long is found."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status) "
            "VALUES ('default', 'plumbing.deliver', 'doing')"
        )
    assert [(one.invariant.key, one.count) for one in verify() if not one.holds] == [("J1", 1)]


@pytest.mark.django_db
def test_a_demo_stays_a_demo() -> None:
    """What an installation is, is written down once; a later wish changes nothing."""
    assert installation() is None
    assert establish(is_demo=False) == InstallationFacts(is_demo=False, clock_days_ahead=0)
    assert establish(is_demo=True) == InstallationFacts(is_demo=False, clock_days_ahead=0)


@pytest.mark.django_db
def test_only_a_demos_clock_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo's clock moves forward and the product sees it; a production clock does not move, and none moves back."""
    establish(is_demo=False)
    with pytest.raises(Refusal, match="no demo installation"):
        advance_demo_clock(30)
    assert installation() == InstallationFacts(is_demo=False, clock_days_ahead=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE plumbing_installation SET is_demo = true")
    with pytest.raises(Refusal, match="by 1 to 3650 days"):
        advance_demo_clock(-1)
    before = clock.now()
    assert advance_demo_clock(30).clock_days_ahead == 30
    monkeypatch.setattr(settings, "COUNTERFOIL", replace(settings.COUNTERFOIL, demo=True))
    assert timedelta(days=30) <= clock.now() - before < timedelta(days=30, minutes=5)


@pytest.mark.django_db
def test_migrate_check(capsys: pytest.CaptureFixture[str]) -> None:
    """``migrate --check`` says 0 when nothing is missing."""
    assert main(["migrate", "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_unknown_command() -> None:
    """A command that is not understood ends with 2."""
    with pytest.raises(SystemExit) as leaving:
        main(["fly"])
    assert leaving.value.code == 2
