"""Set in, set out: a command asks the database the same number of times however many rows it is given."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine, TakeOver

pytestmark = pytest.mark.django_db

LINE = OrderLine(description="Work", quantity=Decimal(2), unit_price=Decimal(100))


def count(action: Callable[[], Any]) -> int:
    """How many statements; a round trip may hold several."""
    with CaptureQueriesContext(connection) as captured:
        action()
    return sum(one["sql"].count(";\n") + 1 for one in captured.captured_queries)


def draft(world: Issuing, accounts: list[Any]) -> Callable[[], Any]:
    orders = [DraftOrder(account_id=account, lines=(LINE, LINE)) for account in accounts]
    return lambda: commands.draft_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)


def issue(world: Issuing, accounts: list[Any]) -> Callable[[], Any]:
    ids = draft(world, accounts)()
    return lambda: world.issue(*ids, send=True)


def settle(world: Issuing, accounts: list[Any]) -> Callable[[], Any]:
    amounts = dict.fromkeys(issue(world, accounts)(), Decimal(1))
    return lambda: commands.settle(actor=SYSTEM, amounts=amounts, on=ON)


def take_over(world: Issuing, accounts: list[Any]) -> Callable[[], Any]:
    orders = [TakeOver(account, world.entity, str(new_id()), ON, ON, Decimal(5), "EUR") for account in accounts]
    return lambda: commands.take_over_invoices(actor=SYSTEM, orders=orders, on=ON, at=AT)


def review(world: Issuing, accounts: list[Any]) -> Callable[[], Any]:
    Invoice.objects.filter(status="draft").delete()
    draft(world, accounts)()
    return lambda: queries.review_queue(world.bea, on=ON)


def listing(world: Issuing, accounts: list[Any]) -> Callable[[], Any]:
    Invoice.objects.filter(status="draft").delete()
    draft(world, accounts)()
    return lambda: queries.list_invoices(world.bea, filters={"status": ["draft"]}, today=ON)


@pytest.mark.parametrize("make", [draft, issue, settle, take_over, review, listing])
def test_as_many_statements_for_twelve_as_for_six(world: Issuing, make: Callable[..., Callable[[], Any]]) -> None:
    """Twelve drafts, issues, settlements, takeovers or rows take the statements of six. Those of two go together."""
    accounts = [world.account(f"Customer {place}") for place in range(12)]
    make(world, accounts[:2])()
    two = count(make(world, accounts[:2]))
    six = count(make(world, accounts[:6]))
    twelve = count(make(world, accounts))
    assert two <= six == twelve
