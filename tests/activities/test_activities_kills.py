"""The process dies while it sends a mail: nothing is lost, and a second copy is written down as such."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from activities_world import AT, Postbox, mailing, outcomes, queue, serving, state_of
from django.db import connection, connections

from counterfoil.activities import jobs, queries
from counterfoil.plumbing import clock

pytestmark = pytest.mark.django_db(transaction=True)

_SENDER = """
import os, signal, sys
import django
django.setup()
from counterfoil.activities import jobs

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

point = sys.argv[2]
if point == "before the server is asked":
    jobs.mail.send = die
elif point == "between the 250 and the commit":
    jobs.record_outcome = die
else:
    record = jobs.record_outcome
    def record_then_die(**values):
        record(**values)
        die()
    jobs.record_outcome = record_then_die
jobs.send_mail(sys.argv[1])
"""


@pytest.fixture
def served() -> Iterator[tuple[Postbox, str]]:
    box = Postbox()
    with serving(box) as url, mailing(url):
        yield box, url


def killed_at(point: str, mail_id: UUID, url: str) -> None:
    """Send the mail in a process of its own, which kills itself at the point."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "EMAIL_URL": url,
        "DJANGO_SETTINGS_MODULE": "counterfoil.app.settings",
    }
    done = subprocess.run([sys.executable, "-c", _SENDER, str(mail_id), point], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "copies", "tried"),
    [
        ("before the server is asked", 1, ["interrupted", "accepted"]),
        ("between the 250 and the commit", 2, ["interrupted", "accepted"]),
        ("after the commit", 1, ["accepted"]),
    ],
)
def test_killed_while_sending(served: tuple[Postbox, str], point: str, copies: int, tried: list[str]) -> None:
    """Wherever the kill lands, the mail arrives; a second copy has the same Message-ID and an interrupted try before
    it.
    """
    box, url = served
    mail_id = queue()
    killed_at(point, mail_id, url)
    if point != "after the commit":
        assert state_of(mail_id)[0] == "sending"
    jobs.send_mail(str(mail_id))
    jobs.send_mail(str(mail_id))
    assert state_of(mail_id)[0] == "sent"
    assert outcomes(mail_id) == tried
    assert len(box.taken) == copies
    assert len(set(box.ids)) == 1


def test_the_sweep_finds_the_interrupted_mail(served: tuple[Postbox, str]) -> None:
    """A mail whose sender died is due again, without anybody asking for it."""
    mail_id = queue()
    killed_at("between the 250 and the commit", mail_id, served[1])
    with clock.stopped_at(clock.now()):
        assert mail_id not in queries.due_mail(at=AT, limit=10)
    assert mail_id in queries.due_mail(at=clock.now().replace(year=clock.now().year + 1), limit=10)


def test_two_workers_send_one_mail_once(served: tuple[Postbox, str]) -> None:
    """Eight workers take the same job at once: one sends, the others leave it alone."""
    mail_id = queue()
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        try:
            jobs.send_mail(str(mail_id))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(served[0].taken) == 1
    assert state_of(mail_id)[:2] == ("sent", 1)
