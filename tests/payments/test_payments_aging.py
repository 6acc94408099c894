"""What is owed by how late it is, out of the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from terms_world import THIRD_AND_REST, Selling, day

from counterfoil.core.money import Money
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.queries import due_plans
from counterfoil.invoicing.rules.due import open_instalments
from counterfoil.payments.aging import Aging, aging
from counterfoil.payments.rules.aging import bucket_of, labels

D = Decimal


def said(found: Aging) -> dict[str, str]:
    return {name: str(one.amount) for name, one in found.buckets.items() if one}


def test_each_instalment_ages_by_its_own_day(selling: Selling) -> None:
    """30 at once and 70 in thirty days: on the due day nothing is late, and what is paid fills the first one."""
    invoice_id = selling.invoice("100", **THIRD_AND_REST)

    def on(text: str) -> dict[str, str]:
        (found,) = aging(selling.bea, [selling.acme], as_of=day(text))
        assert (found.account_id, found.currency) == (selling.acme, "EUR")
        assert list(found.buckets) == ["not_due", "1-30", "31-60", "61-90", "91+"]
        return said(found)

    assert on("02-01") == {"not_due": "100.00"}
    assert on("02-02") == {"not_due": "70.00", "1-30": "30.00"}
    assert on("03-03") == {"not_due": "70.00", "1-30": "30.00"}
    assert on("03-04") == {"1-30": "70.00", "31-60": "30.00"}
    assert on("12-01") == {"91+": "100.00"}
    selling.pay("20", "02-10", [(invoice_id, D(20))])
    assert on("03-04") == {"1-30": "70.00", "31-60": "10.00"}
    selling.pay("20", "02-10", [(invoice_id, D(20))])
    assert on("03-04") == {"1-30": "60.00"}
    selling.pay("60", "02-10", [(invoice_id, D(60))])
    assert aging(selling.bea, [selling.acme], as_of=day("03-04")) == []


def test_accounts_and_buckets_are_apart(selling: Selling) -> None:
    """Each payer by itself, in one statement; everybody when nobody is named; other limits make other buckets."""
    selling.invoice("100", "02-01", days="0")
    selling.invoice("7", "02-01", account=selling.brent, days="0")
    selling.invoice("50", "02-20", days="0")
    with CaptureQueriesContext(connection) as captured:
        found = aging(selling.bea, None, as_of=day("02-21"), buckets=(7, 14))
    assert len(captured) == 1
    assert {(one.account_id, str(one.total.amount)): said(one) for one in found} == {
        (selling.acme, "150.00"): {"1-7": "50.00", "15+": "100.00"},
        (selling.brent, "7.00"): {"15+": "7.00"},
    }
    assert [one.account_id for one in aging(selling.bea, [selling.brent], as_of=day("02-21"))] == [selling.brent]
    with pytest.raises(ValueError, match="no limits"):
        aging(selling.bea, None, as_of=day("02-21"), buckets=(60, 30))


def test_who_may_not_see_amounts_sees_no_aging(selling: Selling) -> None:
    """A key without roles hears nothing."""
    selling.invoice("100")
    nobody = replace(selling.bea, roles=frozenset())
    assert aging(nobody, None, as_of=day("12-01")) == []


def test_the_statement_says_what_the_rules_say(selling: Selling) -> None:
    """For invoices of several shapes, as of every week: the same sums as instalment by instalment."""
    halves = [{"percent": "50"}, {"percent": "50", "months": "2", "from_end_of_month": True}]
    shapes: tuple[dict[str, Any], ...] = ({"days": "30"}, THIRD_AND_REST, {"instalments": halves})
    made: list[UUID] = []
    for place, shape in enumerate(shapes * 2):
        made.append(selling.invoice(f"{100 + 7 * place}.33", f"02-{place + 1:02}", **shape))
    selling.pay("170", "03-01", "oldest")
    invoices = list(Invoice.objects.filter(id__in=made))
    plans = due_plans(invoices)
    names = labels((30, 60, 90))
    for week in range(0, 30, 3):
        as_of = day("01-25") + timedelta(weeks=week)
        expected = dict.fromkeys(names, Money.zero("EUR"))
        for invoice in invoices:
            owed = Money.exact(invoice.total - invoice.settled, "EUR")
            for part in open_instalments(plans[invoice.pk].instalments, owed):
                expected[names[bucket_of(part.due_on, as_of, (30, 60, 90))]] += part.amount
        (found,) = aging(selling.bea, [selling.acme], as_of=as_of)
        assert found.buckets == expected
