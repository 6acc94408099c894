"""P1, P2, P13 and P15: the billing run, beside the rate at which ``COPY`` alone writes the same rows.

The run starts from a database of its own. A copy of that database, made before the run, takes the rows that the run
wrote, by ``COPY`` on as many connections, through the same indexes, constraints and triggers.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from bench.run import Measured
from bench.world import World
from counterfoil.core.ids import new_id

ON = date(2026, 5, 1)
AT = datetime(2026, 5, 1, 6, tzinfo=UTC)
MADE_AT_ONCE = 1_000
PART = 5_000
"""So many invoices does ``COPY`` write in one transaction: more than a worker's chunk, as the best it can do."""

# The tables that a run adds rows to, in the order in which their rows may be written, and how a row leads to its
# invoice. Rows that triggers add are added by the same triggers again.
TABLES = (
    ("invoicing_invoiceline", "t.invoice_id = p.invoice_id"),
    ("invoicing_invoicetax", "t.invoice_id = p.invoice_id"),
    ("ledger_journalentry", "t.document_id = p.invoice_id"),
    ("ledger_posting", "t.entry_id = p.entry_id"),
    ("invoicing_invoice", "t.id = p.invoice_id"),
    ("subscriptions_billedperiod", "t.invoice_id = p.invoice_id"),
    ("plumbing_outboxevent", "(t.payload ->> 'invoice_id')::uuid = p.invoice_id AND t.name LIKE 'invoicing.%'"),
)
_PARTS = """
CREATE TEMP TABLE part AS
SELECT i.id AS invoice_id, e.id AS entry_id, (row_number() OVER (ORDER BY i.id) - 1) / %s AS number
FROM invoicing_invoice i JOIN ledger_journalentry e ON e.document_id = i.id
"""


@dataclass(frozen=True)
class Run:
    """One run: how long it took, what it made, and the most memory that a worker had."""

    workers: int
    documents: int
    seconds: float
    peak_mib: float

    @property
    def rate(self) -> float:
        return self.documents / self.seconds


def billing_run(scale: float) -> list[Measured]:
    """P1 and P13: the run with two workers."""
    count = max(int(20_000 * scale), 500)
    empty_of_subscriptions()
    subscribe(count)
    before = copied_database("counterfoil_before")
    ran = run(2)
    assert ran.documents == count, f"{ran.documents} of {count} documents"
    copying = copy_rate(before, 2)
    peers = {"Odoo 17": 12.5, "Tryton 8.2": 9.4}
    more = {"seconds": round(ran.seconds, 2), "COPY alone": round(copying, 1), "of COPY": round(ran.rate / copying, 3)}
    return [
        Measured("P1", f"billing run of {count:,}, two workers", ran.rate, "invoices/s", 2_000, ran.rate / 2_000,
                 {"count": count, **more, "peers": peers}),
        Measured("P1c", "the same, as a share of COPY alone", 100 * ran.rate / copying, "%", 50,
                 2 * ran.rate / copying, more),
        Measured("P13", "memory of a worker in the run", ran.peak_mib, "MiB", 300, 300 / ran.peak_mib,
                 {"peers": {"Odoo": "199-214", "Tryton": "162-166"}}),
    ]  # fmt: skip


def growth(scale: float) -> list[Measured]:
    """P2: what an invoice costs in a run of 10,000 and in one of 100,000. ``--scale 10`` measures a million too."""
    sizes = [max(int(size * min(scale, 1.0)), 200) for size in (10_000, 100_000)]
    sizes += [1_000_000] if scale >= 10 else []
    costs: dict[int, float] = {}
    for size in sizes:
        empty_of_subscriptions()
        subscribe(size)
        ran = run(2)
        costs[size] = 1_000 * ran.seconds / ran.documents
    grown = costs[sizes[-1]] / costs[sizes[0]]
    more = {f"{size:,}": round(cost, 3) for size, cost in costs.items()}
    work = f"cost of an invoice at {sizes[-1]:,} to that at {sizes[0]:,}"
    return [Measured("P2", work, grown, "times", 1.2, 1.2 / grown, {"milliseconds": more})]


def cores(scale: float) -> list[Measured]:
    """P15: two workers against one, as many as there are cores to share with PostgreSQL; and what four make of it."""
    count = max(int(10_000 * scale), 500)
    rates: dict[int, float] = {}
    for workers in (1, 2, 4):
        empty_of_subscriptions()
        subscribe(count)
        rates[workers] = run(workers).rate
    gain = rates[2] / rates[1]
    more = {f"with {workers}": round(rate, 1) for workers, rate in rates.items()}
    return [Measured("P15", "two workers to one", gain, "times", 2, gain / 2,
                     {"invoices/s": more, "cores": os.cpu_count()})]  # fmt: skip


# The world ------------------------------------------------------------------------------------------------------------


def subscribe(count: int) -> None:
    """So many customers, each with a monthly subscription of two prices that is due for the first time on the day."""
    from counterfoil.catalog.rules.pricing import Pricing
    from counterfoil.subscriptions import commands
    from counterfoil.subscriptions.rules.grid import Interval
    from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

    world = World()
    month = Interval("month")
    items = (
        ItemOrder("basic", "Basic plan", Pricing("flat", Decimal("49.90")), month, product_id=world.products[0]),
        ItemOrder("seat", "Seat", Pricing("per_unit", Decimal("7.35")), month, Decimal(7), unit="seat"),
    )
    for start in range(0, count, MADE_AT_ONCE):
        accounts = customers(min(MADE_AT_ONCE, count - start))
        orders = [SubscriptionOrder(account_id=account, items=items, start=ON) for account in accounts]
        commands.start_subscriptions(actor=world.actor, orders=orders, on=ON, at=AT, is_billed=False)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def customers(count: int) -> list[UUID]:
    """Customers who lack nothing: an address and somebody who gets the mail. Written straight into the tables."""
    from counterfoil.accounts.derived import derive_account
    from counterfoil.accounts.models import Account, AccountContact, Address, Contact
    from counterfoil.plumbing.bulk import insert_rows

    accounts, addresses, contacts, roles = [], [], [], []
    for number in range(count):
        key = new_id()
        account = Account(id=key, created_at=AT, legal_name=f"Customer {key.hex[-12:]} GmbH", tax_profile="standard")
        derive_account(account)
        address = Address(id=new_id(), created_at=AT, account=account, kind="invoice", street=f"Gasse {number}",
                          postcode="50667", city="Köln", country="DE")  # fmt: skip
        contact = Contact(id=new_id(), created_at=AT, name=f"Ada {number}", email=f"ada@{key.hex}.example")
        role = AccountContact(id=new_id(), created_at=AT, account=account, contact=contact, role="billing",
                              mail_line="to", valid_from=date(2026, 1, 1))  # fmt: skip
        accounts.append(account)
        addresses.append(address)
        contacts.append(contact)
        roles.append(role)
    for rows in (accounts, addresses, contacts, roles):
        insert_rows(rows)
    return [account.pk for account in accounts]


def empty_of_subscriptions() -> None:
    """Forget every subscription and document, so that the next run starts as the first did."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE subscriptions_subscription, subscriptions_billingrun, invoicing_invoice, invoicing_seriescounter,"
            " ledger_journalentry, plumbing_outboxevent, plumbing_receipt, procrastinate_jobs, access_change CASCADE"
        )


# The run --------------------------------------------------------------------------------------------------------------


def run(workers: int) -> Run:
    """Bill everything that is due with so many processes, from the first claim to the last commit."""
    connection.close()
    began = time.perf_counter()
    told = [_forked() for _ in range(workers)]
    results = [_result(pid, reading) for pid, reading in told]
    seconds = time.perf_counter() - began
    return Run(workers, int(sum(made for made, _ in results)), seconds, max(peak for _, peak in results))


def _forked() -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        made = bill()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(writing, f"{made} {peak}".encode())
        status = 0
    finally:
        os._exit(status)


def _result(pid: int, reading: int) -> tuple[float, float]:
    told = os.read(reading, 100)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    assert status == 0, "a worker failed"
    made, peak = told.split()
    return float(made), float(peak)


def bill() -> int:
    """One worker: chunk after chunk, until nothing is due."""
    from counterfoil.access.actors import Actor
    from counterfoil.subscriptions import commands

    actor = Actor.system("Bench", "cli")
    run_id = new_id()
    made = 0
    done = commands.ChunkDone()
    while (done := commands.bill_due(actor=actor, on=ON, at=AT, run_id=run_id, after=done.reached)).subscriptions:
        made += done.documents
    return made


# COPY alone -----------------------------------------------------------------------------------------------------------


def copied_database(name: str) -> dict[str, Any]:
    """A copy of the database as it is now; answers how to reach it."""
    given = connection.get_connection_params()
    source = given["dbname"]
    connection.close()
    there = {key: given[key] for key in ("host", "port", "user", "password") if given.get(key)}
    with psycopg.connect(**there, dbname="postgres", autocommit=True) as control:
        control.execute(f'DROP DATABASE IF EXISTS "{name}"')
        control.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    return {**there, "dbname": name}


def copy_rate(target: dict[str, Any], connections: int) -> float:
    """The invoices per second at which ``COPY`` alone writes what the run wrote into a database as it was before."""
    with tempfile.TemporaryDirectory(prefix="counterfoil-rows-") as folder:
        count, parts = _dumped(Path(folder))
        began = time.perf_counter()
        workers = []
        for place in range(connections):
            pid = os.fork()
            if not pid:
                _copy_in_child(target, Path(folder), parts[place::connections])
            workers.append(pid)
        statuses = [os.waitpid(pid, 0)[1] for pid in workers]
        seconds = time.perf_counter() - began
    assert not any(statuses), "COPY failed"
    return count / seconds


def _copy_in_child(target: dict[str, Any], folder: Path, parts: Iterable[int]) -> None:
    status = 1
    try:
        with psycopg.connect(**target, autocommit=True) as writing:
            for part in parts:
                with writing.transaction():
                    for table, _ in TABLES:
                        with (
                            (folder / f"{table}-{part}").open("rb") as rows,
                            writing.cursor() as cursor,
                            cursor.copy(f"COPY {table} FROM STDIN") as copy,
                        ):
                            while block := rows.read(1 << 20):
                                copy.write(block)
        status = 0
    except psycopg.Error as error:
        os.write(2, f"COPY failed: {error}\n".encode())
    finally:
        os._exit(status)


def _dumped(folder: Path) -> tuple[int, list[int]]:
    """The rows of the run in files, parted by their invoices."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, [PART])
        cursor.execute("CREATE INDEX ON part (invoice_id)")
        cursor.execute("CREATE INDEX ON part (entry_id)")
        cursor.execute("ANALYZE part")
        cursor.execute("SELECT count(*), array_agg(DISTINCT number) FROM part")
        count, parts = cursor.fetchone()
        for table, leads in TABLES:
            for part in parts:
                rows = f"COPY (SELECT t.* FROM {table} t JOIN part p ON {leads} WHERE p.number = {part}) TO STDOUT"
                with (folder / f"{table}-{part}").open("wb") as file, cursor.copy(rows) as copy:
                    file.writelines(_blocks(copy))
    return count, sorted(parts)


def _blocks(copy: Any) -> Iterator[bytes]:
    for block in copy:
        yield bytes(block)
