"""The rows of the table. Each takes a scale and gives what it measured."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import brotli
from django.contrib.staticfiles import finders

from bench.run import Measured
from bench.world import World, page_files, two_page_invoice

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 9, tzinfo=UTC)


def _faster(key: str, work: str, count: int, seconds: float, limit: float, unit: str, **more: object) -> Measured:
    rate = count / seconds
    return Measured(key, work, rate, unit, limit, rate / limit, {"count": count, "seconds": round(seconds, 3), **more})


def handoffs(scale: float) -> list[Measured]:
    """P3: deals won one after the other, each its own transaction, through the command that the screen calls."""
    from counterfoil.deals import commands

    world = World()
    count = max(int(400 * scale), 20)
    deal_ids = world.deals(count + 20)
    for deal_id in deal_ids[:20]:
        commands.win_deal(actor=world.actor, deal_id=deal_id, on=ON, at=AT)
    began = time.perf_counter()
    for deal_id in deal_ids[20:]:
        commands.win_deal(actor=world.actor, deal_id=deal_id, on=ON, at=AT)
    seconds = time.perf_counter() - began
    return [_faster("P3", "won deal → draft, one after the other", count, seconds, 200, "deals/s",
                    peers={"Odoo 17": 4.2, "Tryton 8.2": 2.8})]  # fmt: skip


def payments(scale: float) -> list[Measured]:
    """P4: payments recorded and allocated, one at a time and in sets of 1,000."""
    from counterfoil.payments import commands
    from counterfoil.payments.rules.orders import PaymentOrder, Share

    world = World()
    singles = max(int(300 * scale), 20)
    bulk = max(int(3_000 * scale), 1_000)
    invoices = world.invoices(singles + bulk + 10)

    def order(invoice_id: UUID) -> PaymentOrder:
        return PaymentOrder(
            payer_id=world.account,
            entity_id=world.entity,
            method="transfer",
            amount=Decimal("100.00"),
            currency="EUR",
            received_on=ON,
            allocations=(Share(invoice_id, Decimal("100.00")),),
        )

    for invoice_id in invoices[:10]:
        commands.record_payments(actor=world.actor, orders=[order(invoice_id)], at=AT)
    began = time.perf_counter()
    for invoice_id in invoices[10 : 10 + singles]:
        commands.record_payments(actor=world.actor, orders=[order(invoice_id)], at=AT)
    one_by_one = time.perf_counter() - began
    rest = invoices[10 + singles :]
    began = time.perf_counter()
    for start in range(0, len(rest), 1_000):
        commands.record_payments(
            actor=world.actor, orders=[order(invoice_id) for invoice_id in rest[start : start + 1_000]], at=AT
        )
    in_sets = time.perf_counter() - began
    peers = {"Odoo": 7.1, "Tryton": 6.3}
    return [
        _faster(
            "P4", "payment recorded and allocated, one at a time", singles, one_by_one, 300, "payments/s", peers=peers
        ),
        _faster("P4b", "the same in sets of 1,000", len(rest), in_sets, 5_000, "payments/s", peers={"Odoo": 8.6}),
    ]


def documents(scale: float) -> list[Measured]:
    """P8: a two-page invoice as PDF/A-3 with its EN 16931 XML inside, per second of one core's time."""
    from counterfoil.documents.pdf import render_invoice

    printed = two_page_invoice()
    first = render_invoice(printed)
    count = max(int(60 * scale), 10)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    for _ in range(count):
        render_invoice(printed)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    core = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [_faster("P8", "two-page invoice, PDF/A-3 with XML", count, max(core, 1e-9), 20, "PDF/s/core",
                    wall_per_second=round(count / wall, 1), bytes=len(first), has_xml=b"factur-x.xml" in first,
                    peers={"Odoo tuned, plain PDF": 4.4, "Tryton, plain PDF": 0.94})]  # fmt: skip


def start(scale: float) -> list[Measured]:
    """P12: from ``counterfoil up`` on an empty folder to the first page, and again with everything made."""
    with tempfile.TemporaryDirectory(prefix="counterfoil-start-") as folder:
        first = _seconds_to_first_page(Path(folder))
        again = _seconds_to_first_page(Path(folder))
    return [
        Measured("P12", "first start on an empty folder to the first page", first, "s", 5, 5 / first),
        Measured("P12b", "start with everything made to the first page", again, "s", 5, 5 / again),
    ]


def _seconds_to_first_page(folder: Path) -> float:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    }
    environment |= {
        "COUNTERFOIL_DATA": str(folder), "COUNTERFOIL_ADDRESS": f"127.0.0.1:{port}", "COUNTERFOIL_DEMO": "1",
    }  # fmt: skip
    began = time.perf_counter()
    running = subprocess.Popen(
        [str(Path(sys.executable).parent / "counterfoil"), "up"], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while time.perf_counter() - began < 120:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=2) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - began
            except OSError:
                time.sleep(0.02)
        raise SystemExit("the product did not start within two minutes")
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=60)


def page_weight(scale: float) -> list[Measured]:
    """P14: all scripts and styles of the frame and of the room that adds most, as brotli sends them."""
    frame, added = page_files()
    compressed = 0
    for name in frame | added:
        path = finders.find(name)
        if path is None:
            raise SystemExit(f"{name} is linked but not there")
        compressed += len(brotli.compress(Path(path).read_bytes()))
    return [Measured("P14", "scripts and styles of the heaviest page, brotli", compressed, "bytes", 40_000,
                     40_000 / compressed, {"files": sorted(frame | added)})]  # fmt: skip
