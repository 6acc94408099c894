"""What the database checks of many rows costs the same for each, however many documents there are already."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import connection, connections
from issuing_world import AT, ON, SYSTEM, Issuing, make_issuing

from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine

pytestmark = pytest.mark.django_db(transaction=True)

SET = 100


@pytest.fixture
def world(transactional_db: None) -> Iterator[Issuing]:
    connection.close()  # it may have plans of its own
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE invoicing_invoice")  # known to be empty, as far as the planner is concerned
    yield make_issuing()
    connections.close_all()


def searches() -> int:
    """How often documents were looked for by another index than that of their key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            """
            SELECT sum(idx_scan) FROM pg_stat_user_indexes
            WHERE relname = 'invoicing_invoice' AND indexrelname <> 'invoicing_invoice_pkey'
            """
        )
        return int(cursor.fetchone()[0])


def test_the_document_of_a_new_line_is_found_by_its_key(world: Issuing) -> None:
    """On a connection that planned its checks while there was no document, when every index looked as good."""
    line = OrderLine(description="Support", quantity=Decimal(1), unit_price=Decimal(10), tax_class="standard")
    orders = [DraftOrder(account_id=world.acme, lines=(line, line))] * SET
    counts = []
    for _ in range(3):
        before = searches()
        commands.bill_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)
        counts.append(searches() - before)
    assert Invoice.objects.count() == 3 * SET
    assert counts[-1] < SET, counts
