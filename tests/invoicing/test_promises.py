"""Each promise over documents and books is kept by the commands, and turns red when it is broken behind their back."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.accounts import commands as accounts
from counterfoil.invoicing import commands
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.ledger.commands import post
from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder
from counterfoil.plumbing.invariants import verify

pytestmark = pytest.mark.django_db

TABLES = (
    "invoicing_invoice", "invoicing_invoiceline", "invoicing_invoicetax", "ledger_posting", "ledger_journalentry",
    "documents_storedfile", "invoicing_seriescounter", "invoicing_instalment",
)  # fmt: skip


@pytest.fixture
def busy(world: Issuing) -> Issuing:
    """Drafts, invoices in two currencies, settled and open, and documents taken over and taken back."""
    world.draft()
    one, _ = world.issue(world.draft(), world.draft(price="10"))
    world.issue(world.draft(price="333", currency="JPY"))
    _in_two_parts(world)
    _pay(world, one, Decimal("38.00"))
    orders = [
        TakeOver(
            account_id=world.acme,
            entity_id=world.entity,
            number=number,
            issued_on=ON,
            due_on=ON,
            total=Decimal("55.94"),
            tax=Decimal("5.94"),
            currency="EUR",
        )
        for number in ("611365", "7900770")
    ]
    _, back = commands.take_over_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)
    commands.void_taken_over(actor=SYSTEM, invoice_ids=[back], reason="Wrong file", on=ON)
    # What waits for the end of the transaction is checked now, so that the test may break it afterwards.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return world


def _in_two_parts(world: Issuing) -> None:
    """An invoice that is due in two instalments."""
    parts = [{"percent": "30"}, {"rest": True, "days": "30"}]
    values = {"key": "parts", "name": "In parts", "instalments": parts, "is_active": True}
    terms = accounts.add_terms(actor=SYSTEM, values=values)
    draft = world.draft(price="50")
    commands.change_draft(actor=SYSTEM, invoice_id=draft, values={"terms": str(terms)}, on=ON, version=None)
    world.issue(draft)


OURS = {"L1", "L1b", "L4", "L5b", "L6", "L12", "L13", "L14", "D3", "D4b", "D5", "D6", "D7", "D12"}


def _pay(world: Issuing, invoice_id: UUID, amount: Decimal) -> None:
    """What a payment does: the invoice owes less, and the money is in the books."""
    commands.settle(actor=SYSTEM, amounts={invoice_id: amount}, on=ON)
    postings = (PostingOrder("bank", amount, "EUR"), PostingOrder("receivable", -amount, "EUR", world.acme))
    entry = EntryOrder(world.entity, f"payment:{invoice_id}", invoice_id, "Paid", ON, postings)
    post(actor=SYSTEM, entries=[entry], at=AT)


def broken() -> set[str]:
    """Which promises of documents and books do not hold. That settled money was paid is the promise of payments."""
    return {finding.invariant.key for finding in verify() if not finding.holds} & OURS


def test_commands_keep_every_promise(busy: Issuing) -> None:
    """After drafts, issues, settlements, takeovers and voids nothing is broken."""
    assert broken() == set()


OLDEST = "(SELECT min(id) FROM ledger_posting)"
FIRST = "(SELECT id FROM invoicing_invoice WHERE number = 'INV-2026-00001')"


@pytest.mark.parametrize(
    ("keys", "sql"),
    [
        ({"L6", "D7"}, f"UPDATE invoicing_invoiceline SET net = net + 1 WHERE invoice_id = {FIRST}"),
        ({"L6"}, f"UPDATE invoicing_invoicetax SET amount = amount + 1 WHERE invoice_id = {FIRST}"),
        ({"D7"}, f"UPDATE invoicing_invoicetax SET base = base + 1 WHERE invoice_id = {FIRST}"),
        ({"D7", "L5b"}, f"UPDATE invoicing_invoicetax SET base = base + 0.001 WHERE invoice_id = {FIRST}"),
        ({"L6", "L12", "L13"}, "UPDATE invoicing_invoice SET total = total + 1 WHERE number = 'INV-2026-00001'"),
        ({"L12", "L14"}, "UPDATE invoicing_invoice SET settled = total + 1 WHERE number = 'INV-2026-00001'"),
        ({"L12"}, "UPDATE invoicing_invoice SET settled = settled - 1 WHERE number = 'INV-2026-00001'"),
        ({"D3"}, "UPDATE invoicing_invoice SET sequence = 9 WHERE number = 'INV-2026-00002'"),
        ({"D3"}, "UPDATE invoicing_invoice SET sequence = 1 WHERE number = 'INV-2026-00002'"),
        ({"D3"}, "UPDATE invoicing_seriescounter SET last = last + 1"),
        ({"D3"}, "DELETE FROM invoicing_seriescounter"),
        ({"D5"}, "UPDATE invoicing_invoice SET issued_on = '2026-01-01' WHERE number = 'INV-2026-00002'"),
        ({"D12"}, "UPDATE invoicing_instalment SET amount = amount + 1 WHERE position = 1"),
        ({"D12", "L5b"}, "UPDATE invoicing_instalment SET amount = amount + 0.001 WHERE position = 1"),
        ({"D12"}, "UPDATE invoicing_instalment SET due_on = due_on + 1 WHERE position = 2"),
        ({"D12"}, "UPDATE invoicing_instalment SET due_on = '2027-01-01' WHERE position = 1"),
        ({"D12"}, "DELETE FROM invoicing_instalment WHERE position = 1"),
        ({"D6"}, "UPDATE invoicing_invoice SET number = 'X' WHERE status = 'draft'"),
        ({"D6"}, "UPDATE invoicing_invoice SET party = NULL WHERE number = 'INV-2026-00002'"),
        ({"L1", "L12", "L13"}, f"UPDATE ledger_posting SET amount = amount + 1 WHERE id = {OLDEST}"),
        ({"L13"}, "UPDATE ledger_journalentry SET source = 'other' WHERE source LIKE 'void:%'"),
        ({"L13"}, f"UPDATE ledger_journalentry SET source = 'other' WHERE source = 'invoice:' || {FIRST}::text"),
    ],
)  # fmt: skip
def test_what_is_broken_turns_red(busy: Issuing, keys: set[str], sql: str) -> None:
    """A change past every guard is found, and told by the promise that it breaks."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype IN ('c', 'u') "
                       "AND conrelid::regclass::text IN ('invoicing_invoice', 'ledger_posting')")  # fmt: skip
        for table, name in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}"')
        cursor.execute("DROP INDEX IF EXISTS invoicing_invoice_number_once")
        cursor.execute(sql)
    assert broken() == keys
