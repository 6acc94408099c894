"""Numbers stay gapless and unique when many people issue at once and processes die in between."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

import pytest
from django.db import connection, connections
from issuing_world import AT, ON, SYSTEM, Issuing, make_issuing

from counterfoil.core.errors import Conflict, Refusal
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice, Series, SeriesCounter
from counterfoil.ledger.models import JournalEntry
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

DRAFTS = 50
WORKERS = 8


@pytest.fixture
def world(transactional_db: None) -> Iterator[Issuing]:
    yield make_issuing()
    connections.close_all()


def numbered(count: int) -> list[str]:
    return [f"INV-2026-{number:05d}" for number in range(1, count + 1)]


def assert_whole(world: Issuing, count: int) -> None:
    """Exactly the numbers 1 to ``count``, each document posted and told once, and every promise kept."""
    assert world.numbers() == numbered(count)
    assert SeriesCounter.objects.get().last == count
    assert JournalEntry.objects.count() == count
    assert OutboxEvent.objects.filter(name="invoicing.invoice_issued").count() == count
    assert [finding.invariant.key for finding in verify() if not finding.holds] == []


def in_thread(world: Issuing, ids: Sequence[UUID]) -> list[str]:
    """Issue a set on a connection of its own; answers the codes of what was refused."""
    try:
        world.issue(*ids)
    except Refusal as refused:
        return [refused.code]
    finally:
        connections.close_all()
    return []


def test_fifty_at_once(world: Issuing) -> None:
    """50 drafts issued one by one on 8 connections get the numbers 1 to 50, and nobody sees an error."""
    drafts = [world.draft(price=str(10 + place)) for place in range(DRAFTS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        refused = [code for codes in pool.map(lambda one: in_thread(world, [one]), drafts) for code in codes]
    assert refused == []
    assert_whole(world, DRAFTS)


def test_overlapping_sets_in_any_order(world: Issuing) -> None:
    """Sets that share drafts and name them in different orders never deadlock: each draft is issued once.

    Who comes second hears that the draft is issued already.
    """
    drafts = [world.draft() for _ in range(20)]
    chance = random.Random(7)
    sets = [chance.sample(drafts, 5) for _ in range(16)]
    with ThreadPoolExecutor(WORKERS) as pool:
        codes = [code for found in pool.map(lambda ids: in_thread(world, ids), sets) for code in found]
    assert set(codes) <= {"not_a_draft"}
    rest = list(Invoice.objects.filter(status="draft").values_list("id", flat=True))
    if rest:
        world.issue(*rest)
    assert_whole(world, 20)


def test_one_draft_from_eight_threads(world: Issuing) -> None:
    """Eight clicks on one draft give one invoice and one number."""
    draft = world.draft()
    start = threading.Barrier(WORKERS)

    def click(_: int) -> list[str]:
        start.wait()
        return in_thread(world, [draft])

    with ThreadPoolExecutor(WORKERS) as pool:
        codes = [code for found in pool.map(click, range(WORKERS)) for code in found]
    assert codes == ["not_a_draft"] * (WORKERS - 1)
    assert_whole(world, 1)


def forked(world: Issuing, ids: Sequence[UUID]) -> tuple[int, int]:
    """A process that issues drafts one after the other until it is done or killed: its id, and a pipe on which it says
    that it begins another one.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        for invoice_id in ids:
            os.write(writing, b".")
            try:
                world.issue(invoice_id)
            except Conflict as refused:
                # Another process was faster; any other refusal is an error that a user would have seen.
                if refused.code != "not_a_draft":
                    os._exit(3)
        status = 0
    finally:
        os._exit(status)
    raise AssertionError("unreachable")


def wait_for(reading: int, begun: int) -> None:
    """Until the process has begun so many documents, and so has ended all but the last of them; or has ended itself."""
    while begun > 0 and (told := os.read(reading, begun)):
        begun -= len(told)


def test_killed_in_between(world: Issuing) -> None:
    """Processes that issue the same 50 drafts are killed in the middle of one, until all are issued: no gap, no
    double.
    """
    for _ in range(DRAFTS):
        world.draft()
    chance = random.Random(20260401)
    kills = 0
    while left := list(Invoice.objects.filter(status="draft").values_list("id", flat=True)):
        connection.close()
        workers = [forked(world, chance.sample(left, len(left))) for _ in range(3)]
        for _, reading in workers:
            wait_for(reading, chance.randint(2, 4))
        time.sleep(chance.uniform(0, 0.04))
        for pid, reading in workers:
            os.kill(pid, signal.SIGKILL)
            os.close(reading)
        for pid, _ in workers:
            _, ended = os.waitpid(pid, 0)
            kills += os.WIFSIGNALED(ended)
            assert os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 0
    assert kills >= 10
    assert_whole(world, DRAFTS)


def test_an_earlier_day_is_refused(world: Issuing) -> None:
    """A later number never bears an earlier day: it is refused with the last number named, and nothing changes."""
    world.issue(world.draft(), on=date(2026, 4, 10))
    draft = world.draft()
    with pytest.raises(Conflict) as refused:
        world.issue(draft, on=date(2026, 4, 9))
    assert (refused.value.code, refused.value.field) == ("earlier_than_last", "on")
    assert refused.value.message == (
        "INV-2026-00001 was issued on 2026-04-10. A later number cannot bear an earlier day, such as 2026-04-09."
    )
    assert world.invoice(draft).status == "draft"
    assert_whole(world, 1)
    world.issue(draft, on=date(2026, 4, 10))
    assert_whole(world, 2)


def test_each_year_counts_anew_unless_the_pattern_names_none(world: Issuing) -> None:
    """A pattern with a year begins again at 1 each year, one without never; a changed pattern keeps its counter."""
    series = Series.objects.get(kind="invoice")
    days = [date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1)]
    for day in days:
        world.issue(world.draft(), on=day)
    assert world.numbers() == ["INV-2026-00001", "INV-2026-00002", "INV-2027-00001"]
    commands.change_series(
        actor=SYSTEM, series_id=series.pk, values={"pattern": "R{number}", "digits": "3"}, version=None
    )
    for day in (date(2027, 1, 2), date(2028, 1, 1)):
        world.issue(world.draft(), on=day)
    found = (
        Invoice.objects.filter(number__startswith="R").order_by("sequence").values_list("number", "year", "sequence")
    )
    assert list(found) == [("R001", 0, 1), ("R002", 0, 2)]
    assert [finding.invariant.key for finding in verify() if not finding.holds] == []


def test_a_set_is_issued_whole_or_not_at_all(world: Issuing) -> None:
    """One draft that blocks keeps the whole set from being issued; the refusal names it, and no number is taken."""
    good, empty = world.draft(), world.draft(price="0")
    with pytest.raises(Refusal) as refused:
        world.issue(good, empty)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [(str(empty), "zero_total")]
    assert world.invoice(good).status == "draft"
    assert SeriesCounter.objects.count() == 0
    assert JournalEntry.objects.count() == 0


def test_clean_ones_are_issued_and_sent(world: Issuing) -> None:
    """Approving the clean ones issues those without a finding, the longest waiting first, and leaves the others."""
    world.issue(world.draft())
    drafts = [world.draft(price=price) for price in ("100", "900", "101", "0")]
    issued = commands.issue_clean(actor=world.bea, on=ON, at=AT)
    assert issued == [drafts[0], drafts[2]]
    assert [world.invoice(draft).status for draft in drafts] == ["issued", "draft", "issued", "draft"]
    assert all(world.invoice(draft).send_requested_at == AT for draft in issued)
    with pytest.raises(Conflict) as refused:
        commands.issue_clean(actor=world.bea, on=ON, at=AT)
    assert refused.value.code == "none_clean"
