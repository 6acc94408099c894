"""The real files, taken in whole: an accounts list with parents, a pipeline of thousands of deals, receivables with
payments.

The files are named by ``COUNTERFOIL_REAL_DATA``; without them these tests are skipped.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Sum

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import Account
from counterfoil.catalog.models import Product
from counterfoil.deals import commands as deals
from counterfoil.deals.models import Deal, Handoff
from counterfoil.importing import commands, queries
from counterfoil.importing.jobs import work
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.ledger import commands as ledger
from counterfoil.payments.models import Payment
from counterfoil.plumbing.invariants import verify

FOLDER = Path(os.environ.get("COUNTERFOIL_REAL_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real files are not at {FOLDER}; set COUNTERFOIL_REAL_DATA"),
]
ACTOR = Actor("system", None, "Import", frozenset({"admin"}), "cli")
AT = datetime(2026, 4, 1, 9, tzinfo=UTC)


@pytest.fixture
def company() -> None:
    accounts.install_defaults(actor=ACTOR)
    ledger.add_entity(
        actor=ACTOR, values={"name": "Firm", "legal_name": "Firm Inc", "country": "US", "currency": "USD"}
    )
    invoicing.install_defaults(actor=ACTOR)
    deals.install_defaults(actor=ACTOR)


def records(path: str) -> list[dict[str, str]]:
    with (FOLDER / path).open(newline="") as file:
        return list(csv.DictReader(file))


def take_in(path: str, kind: str, options: Mapping[str, Any], *, suggestions: bool = True) -> UUID:
    """The wizard's steps one after the other, with what unknown values probably mean accepted."""
    file = FOLDER / path
    batch_id = commands.upload_file(actor=ACTOR, name=file.name, content=file.read_bytes(), kind=kind, at=AT)
    mapping = {column.name: column.field_id for column in queries.matched_columns(ACTOR, batch_id)}
    commands.match_columns(actor=ACTOR, batch_id=batch_id, mapping=mapping, date_orders={}, options=options)
    meanings: dict[str, dict[str, str]] = {}
    for asked in queries.asked_values(ACTOR, batch_id):
        if suggestions and asked.said:
            meanings.setdefault(asked.unknown.field_id, {})[asked.unknown.text] = asked.said
    if meanings:
        commands.say_meanings(actor=ACTOR, batch_id=batch_id, meanings=meanings)
    work(str(batch_id))
    return batch_id


def load(batch_id: UUID) -> None:
    commands.start_loading(actor=ACTOR, batch_id=batch_id)
    work(str(batch_id))


def clean_books() -> None:
    findings = verify()
    assert [(one.invariant.key, one.count) for one in findings if not one.holds] == []


@pytest.mark.usefixtures("company")
def test_the_accounts_with_their_parents():
    """85 accounts, the parents that the file names, misspelt sectors and countries mapped once."""
    batch_id = take_in("crm/accounts.csv", "accounts.account", {"revenue_unit": "millions"})
    load(batch_id)
    rows = records("crm/accounts.csv")
    assert Account.objects.count() == len(rows) == 85
    named = {row["account"]: row["subsidiary_of"] for row in rows}
    kept = {
        account.legal_name: account.parent.legal_name if account.parent else ""
        for account in Account.objects.select_related("parent")
    }
    assert kept == named
    assert Account.objects.filter(industry="technology").count() == sum(row["sector"] == "technolgy" for row in rows)
    assert Account.objects.get(legal_name="Bioholding").addresses.get().country == "PH"
    again = take_in("crm/accounts.csv", "accounts.account", {"revenue_unit": "millions"})
    assert queries.get_batch(ACTOR, again).same == 85


@pytest.mark.usefixtures("company")
def test_the_whole_pipeline():
    """8,800 deals, won, lost and open as in the file; the misspelt product is asked for once; undo takes all back."""
    load(take_in("crm/accounts.csv", "accounts.account", {"revenue_unit": "millions"}))
    load(take_in("crm/products.csv", "catalog.product", {"currency": "USD"}))
    batch_id = take_in("crm/sales_pipeline.csv", "deals.deal", {"currency": "USD"}, suggestions=False)
    asked = queries.asked_values(ACTOR, batch_id)
    assert [(one.unknown.text, one.unknown.count) for one in asked] == [("GTXPro", 1480)]
    product = Product.objects.get(name="GTX Pro")
    assert asked[0].said == str(product.pk)
    commands.say_meanings(actor=ACTOR, batch_id=batch_id, meanings={"product": {"GTXPro": str(product.pk)}})
    work(str(batch_id))
    assert queries.get_batch(ACTOR, batch_id).new == 8800
    load(batch_id)
    rows = records("crm/sales_pipeline.csv")
    words = {"Won": "won", "Lost": "lost", "Engaging": "open", "Prospecting": "open"}
    assert Counter(Deal.objects.values_list("status", flat=True)) == Counter(words[row["deal_stage"]] for row in rows)
    won = Deal.objects.filter(status="won").aggregate(sum=Sum("amount"))["sum"]
    assert won == sum(Decimal(row["close_value"]) for row in rows if row["deal_stage"] == "Won")
    first = Deal.objects.get(external_id="1C1I7A6R")
    assert (first.engaged_on, first.closed_on) == (date(2016, 10, 20), date(2017, 3, 1))
    assert Handoff.objects.count() == 0
    commands.start_undoing(actor=ACTOR, batch_id=batch_id)
    work(str(batch_id))
    assert (queries.get_batch(ACTOR, batch_id).undone, Deal.objects.count()) == (8800, 0)


@pytest.mark.usefixtures("company")
def test_the_receivables():
    """2,466 invoices of 100 customers, each settled: totals are the file's to the cent, every promise holds."""
    batch_id = take_in("receivables/accounts-receivable.csv", "payments.receivable", {"currency": "USD"})
    load(batch_id)
    rows = records("receivables/accounts-receivable.csv")
    total = sum(Decimal(row["InvoiceAmount"]) for row in rows)
    assert Invoice.objects.count() == len(rows) == 2466
    assert Account.objects.count() == 100
    sums = Invoice.objects.aggregate(total=Sum("total"), settled=Sum("settled"))
    assert sums == {"total": total, "settled": total}
    assert Payment.objects.aggregate(sum=Sum("amount"))["sum"] == total
    assert Invoice.objects.filter(disputed=True).count() == sum(row["Disputed"] == "Yes" for row in rows)
    one = Invoice.objects.get(number="7900770")
    assert (one.issued_on, one.due_on, one.total) == (date(2013, 1, 26), date(2013, 2, 25), Decimal("61.74"))
    clean_books()
    commands.start_undoing(actor=ACTOR, batch_id=batch_id)
    work(str(batch_id))
    assert Invoice.objects.filter(status="void").count() == 2466
    clean_books()
