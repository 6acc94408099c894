"""Numbers with gaps, doubles and long waits in other systems: each test names its bug."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from issuing_world import AT, ON, SYSTEM, Issuing, make_issuing

from counterfoil.core.errors import Refusal
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice, InvoiceLine, Series, SeriesCounter
from counterfoil.invoicing.rules.numbering import counter_year, document_number
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.plumbing.invariants import verify

pytestmark = pytest.mark.django_db

SOURCE = Path(__file__).parents[2] / "src" / "counterfoil"


def broken() -> list[str]:
    return [one.invariant.key for one in verify() if not one.holds]


def credit(invoice_id: UUID, amount: str = "1.00", on: date = ON) -> UUID:
    line = InvoiceLine.objects.get(invoice=invoice_id)
    order = CreditOrder((CreditLine(line.pk, Decimal(amount)),), reason="Sorry")
    return commands.credit(actor=SYSTEM, orders=[order], on=on, at=AT, send=False)[0]


def numbers(kind: str) -> list[str]:
    found = Invoice.objects.filter(kind=kind, status="issued").order_by("issued_on", "year", "sequence")
    return list(found.values_list("number", flat=True))


@pytest.fixture
def apart(transactional_db: None) -> Iterator[Issuing]:
    """The same company with real transactions, for several connections."""
    yield make_issuing()
    connections.close_all()


def on_threads(acts: list[Callable[[], Any]]) -> list[Any]:
    """All acts at the same moment, each on a connection of its own; answers what each came to."""
    together = threading.Barrier(len(acts), timeout=60)

    def one(act: Callable[[], Any]) -> Any:
        try:
            together.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


# Counters -------------------------------------------------------------------------------------------------------------


def test_a_credit_note_resets_no_counter(world: Issuing) -> None:
    """Dolibarr #29667 https://github.com/Dolibarr/dolibarr/issues/29667: invoices and credit notes in turn: each kind
    counts for itself, and neither begins again.
    """
    invoices = []
    for _ in range(3):
        invoices.append(world.issued())
        credit(invoices[0])
    assert numbers("invoice") == ["INV-2026-00001", "INV-2026-00002", "INV-2026-00003"]
    assert numbers("credit_note") == ["CN-2026-00001", "CN-2026-00002", "CN-2026-00003"]
    assert broken() == []


PATTERNS = (
    "{year}-{number}",
    "{number}/{year}",
    "R{year}{number}",
    "No {number}",
    "{number}",
    "A-{number}-B",
    "{year}.{number}.Z",
)


@pytest.mark.parametrize("seed", range(6))
def test_any_masks_kinds_and_years_count_on(world: Issuing, seed: int) -> None:
    """Dolibarr #24020 https://github.com/Dolibarr/dolibarr/issues/24020 and #29667
    https://github.com/Dolibarr/dolibarr/issues/29667: whatever the masks say and whenever they change, over months and
    years: each counter has every number from 1 on, once, in the order of the days.
    """
    chance = random.Random(seed)
    series = {one.kind: one for one in Series.objects.all()}
    masks = {kind: chance.choice(PATTERNS) for kind in series}
    on, expected, issued = ON, dict[tuple[str, int], int](), []

    def mask(kind: str, pattern: str) -> None:
        prefix = {"invoice": "I", "credit_note": "C"}[kind] + str(len(issued))
        masks[kind] = prefix + pattern
        values = {"pattern": masks[kind], "digits": str(chance.randint(1, 6))}
        commands.change_series(actor=SYSTEM, series_id=series[kind].pk, values=values, version=None)

    for kind in series:
        mask(kind, masks[kind])
    for _ in range(14):
        on += timedelta(days=chance.choice([0, 1, 27, 31, 150]))
        kind = chance.choice(sorted(series)) if issued else "invoice"
        if chance.random() < 0.2:
            mask(kind, chance.choice(PATTERNS))
        if kind == "invoice":
            issued.append(world.issue(world.draft(), on=on)[0])
            document = issued[-1]
        else:
            document = credit(chance.choice(issued), on=on)
        key = (kind, counter_year(masks[kind], on.year))
        expected[key] = expected.get(key, 0) + 1
        one, rule = world.invoice(document), Series.objects.get(kind=kind)
        assert (one.year, one.sequence) == (key[1], expected[key])
        assert one.number == document_number(rule.pattern, rule.digits, on.year, expected[key])
    assert {(one.series.kind, one.year): one.last for one in SeriesCounter.objects.select_related("series")} == expected
    assert broken() == []


# Late and short -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_one_who_still_works_on_a_draft(apart: Issuing) -> None:
    """Odoo #91873 https://github.com/odoo/odoo/issues/91873 and Lago #1544 https://github.com/getlago/lago-api/pull/1544:
    while somebody makes drafts, works them out and has not committed, others issue without waiting.
    """
    drafts = [apart.draft() for _ in range(3)]
    made, done = threading.Event(), threading.Event()

    def works() -> None:
        with transaction.atomic():
            apart.draft()
            commands.recheck_drafts(actor=SYSTEM, account_ids=[apart.acme], on=ON)
            made.set()
            assert done.wait(60)

    def issues() -> str:
        assert made.wait(60)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        other = apart.draft(apart.account("Other GmbH", "ap@other.example"))
        try:
            return apart.invoice(apart.issue(other)[0]).number
        finally:
            done.set()

    assert on_threads([works, issues]) == [None, "INV-2026-00001"]
    apart.issue(*drafts)
    assert broken() == []


def test_the_number_is_taken_last(world: Issuing) -> None:
    """Lago #2621 https://github.com/getlago/lago-api/pull/2621: everything about customers, prices and taxes is read
    before the counter is locked; after it only the documents, their postings and the news of them are written.
    """
    world.issued()
    draft = world.draft()
    with CaptureQueriesContext(connection) as captured:
        world.issue(draft)
    told = [one["sql"] for one in captured]
    (place,) = [number for number, text in enumerate(told) if "INTO invoicing_seriescounter" in text]
    read = re.compile(r'FROM "?(accounts_|catalog_|access_|invoicing_taxrate)')
    assert [text for text in told[place:] if read.search(text)] == []
    assert any(read.search(text) for text in told[:place])


@pytest.mark.django_db(transaction=True)
def test_thirty_issue_at_once_and_nobody_sees_an_error(apart: Issuing) -> None:
    """Odoo #90465 https://github.com/odoo/odoo/issues/90465, the half without a processor: thirty documents that are
    issued at the same moment get thirty numbers, and no conflict reaches anybody.
    """
    drafts = [apart.draft(price=str(10 + place)) for place in range(30)]
    on_threads([lambda one=one: apart.issue(one) for one in drafts])  # type: ignore[misc]
    assert numbers("invoice") == [f"INV-2026-{number:05d}" for number in range(1, 31)]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_sixteen_threads_of_both_kinds(apart: Issuing) -> None:
    """PrestaShop #41793 https://github.com/PrestaShop/PrestaShop/pull/41793, django-plans #118
    https://github.com/django-getpaid/django-plans/issues/118 and Paymenter #1244
    https://github.com/Paymenter/Paymenter/pull/1244: eight invoices and eight credit notes at once, a third of them
    rolled back: both series are without a gap and a double.
    """
    old = [apart.issued() for _ in range(8)]
    drafts = [apart.draft() for _ in range(8)]

    class ChangedMyMindError(Exception):
        pass

    def tried(place: int, act: Callable[[], Any]) -> bool:
        try:
            with transaction.atomic():
                act()
                if place % 3 == 0:
                    raise ChangedMyMindError
        except ChangedMyMindError:
            return False
        return True

    acts: list[Callable[[], bool]] = []
    for place in range(8):
        acts.append(lambda place=place: tried(place, lambda: apart.issue(drafts[place])))  # type: ignore[misc]
        acts.append(lambda place=place: tried(place, lambda: credit(old[place])))  # type: ignore[misc]
    assert sum(on_threads(acts)) == 10
    assert numbers("invoice") == [f"INV-2026-{number:05d}" for number in range(1, 14)]
    assert numbers("credit_note") == [f"CN-2026-{number:05d}" for number in range(1, 6)]
    assert broken() == []


# Holes ----------------------------------------------------------------------------------------------------------------


def test_nothing_issued_becomes_a_draft_or_goes_away(world: Issuing) -> None:
    """OCA #1811 https://github.com/OCA/account-financial-tools/issues/1811: no command and no SQL makes an issued
    document a draft again or deletes it, and a draft that is discarded leaves no hole.
    """
    first, draft = world.issued(), world.draft()
    acts: list[Callable[[], Any]] = [
        lambda: commands.discard_draft(actor=SYSTEM, invoice_id=first, version=None),
        lambda: commands.return_drafts(actor=SYSTEM, invoice_ids=[first], reason="Wrong", at=AT),
        lambda: commands.change_draft(actor=SYSTEM, invoice_id=first, values={"notes": "x"}, version=None, on=ON),
    ]
    for act in acts:
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.code == "not_a_draft"
    for statement in (
        "UPDATE invoicing_invoice SET status = 'draft', number = '', series_id = NULL, sequence = NULL WHERE id = %s",
        "UPDATE invoicing_invoice SET number = 'INV-2026-00009' WHERE id = %s",
        "DELETE FROM invoicing_invoice WHERE id = %s",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [first])
    commands.discard_draft(actor=SYSTEM, invoice_id=draft, version=None)
    world.issued()
    assert numbers("invoice") == ["INV-2026-00001", "INV-2026-00002"]
    assert broken() == []


COUNTED = re.compile(
    r"""max\s*\(\s*["']?(?:\w+\.)?(?:number|sequence|last)\b[^)]*\)\s*(?:,\s*0\s*\))?\s*\+\s*1    # SQL
    | Max\(\s*["'](?:\w+__)?(?:number|sequence)["']    # Django
    | order_by\(\s*["']-(?:number|sequence)["']\s*\)(?:.(?!\n\n))*?\.(?:number|sequence)\s*\+\s*1    # last
    | (?:count\(\)|len\([^)]*\))\s*\+\s*1\s*\#?\s*(?:number|sequence)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def test_no_number_is_the_highest_and_one() -> None:
    """PrestaShop #41793 https://github.com/PrestaShop/PrestaShop/pull/41793, django-plans #118
    https://github.com/django-getpaid/django-plans/issues/118 and Paymenter #1244
    https://github.com/Paymenter/Paymenter/pull/1244: no source takes a number by looking for the highest.
    """
    found = [path.name for path in SOURCE.rglob("*.py") if COUNTED.search(path.read_text())]
    assert found == []
    for wrong in (
        "SELECT COALESCE(MAX(i.number), 0) + 1 FROM invoicing_invoice i",
        "select max(sequence)+1 from invoicing_invoice",
        'Invoice.objects.aggregate(last=Max("sequence"))',
        'Invoice.objects.order_by("-sequence").first().sequence + 1',
    ):
        assert COUNTED.search(wrong), wrong
