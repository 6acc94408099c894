"""The books: every entry sums to zero, by rule and by database; nothing is posted twice, changed or removed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as some

from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.ledger import commands
from counterfoil.ledger.models import JournalEntry, LedgerAccount, LegalEntity, Posting
from counterfoil.ledger.rules.entries import EntryOrder, PostingOrder, imbalance
from staff import SYSTEM

ON = date(2026, 4, 1)
AMOUNTS = some.decimals("-99999999.99", "99999999.99", places=2)


def entry(entity_id: UUID, *amounts: str | Decimal, source: str = "test:1") -> EntryOrder:
    """Amounts on the receivable and on revenue in turn."""
    roles = ("receivable", "revenue")
    postings = tuple(PostingOrder(roles[n % 2], Decimal(amount), "EUR") for n, amount in enumerate(amounts))
    return EntryOrder(entity_id, source, new_id(), "Test", ON, postings)


@given(some.lists(AMOUNTS, max_size=8))
def test_what_is_missing_from_zero_is_the_sum(amounts: list[Decimal]) -> None:
    """Exactly, whatever the amounts."""
    order = entry(new_id(), *amounts)
    assert sum(imbalance(order).values(), Decimal(0)) == sum(amounts, Decimal(0))


def test_currencies_do_not_balance_each_other() -> None:
    """A hundred euros are no hundred dollars."""
    one = PostingOrder("receivable", Decimal(100), "EUR")
    other = PostingOrder("revenue", Decimal(-100), "USD")
    order = EntryOrder(new_id(), "test:1", new_id(), "", ON, (one, other))
    assert imbalance(order) == {"EUR": Decimal(100), "USD": Decimal(-100)}


@pytest.fixture
def entity(db: None) -> UUID:
    return commands.add_entity(
        actor=SYSTEM, values={"name": "Firm", "legal_name": "Firm GmbH", "country": "DE", "currency": "EUR"}
    )


@command("tests.post_twice", needs="invoicing.issue")
def post_all(*, actor: object, orders: list[EntryOrder]) -> list[UUID]:
    return commands.post(actor=SYSTEM, entries=orders)


def test_what_is_posted_stands_on_its_accounts(entity: UUID) -> None:
    """Each posting is on the ledger account of its role; one of nothing is left out."""
    (entry_id,) = post_all(actor=SYSTEM, orders=[entry(entity, "119.00", "-119.00", "0")])
    rows = Posting.objects.filter(entry=entry_id).order_by("id")
    assert [(row.ledger_account.code, row.amount) for row in rows] == [
        (LedgerAccount.objects.get(entity=entity, role="receivable").code, Decimal("119.00")),
        ("4400", Decimal("-119.00")),
    ]


def test_an_entry_that_does_not_sum_to_zero_is_a_bug(entity: UUID) -> None:
    with pytest.raises(AssertionError, match="does not sum to zero"):
        post_all(actor=SYSTEM, orders=[entry(entity, "119.00", "-100.00")])
    assert JournalEntry.objects.count() == 0


def test_the_database_sums_too(entity: UUID) -> None:
    """Somebody who writes past the rule is stopped by the statement."""
    (entry_id,) = post_all(actor=SYSTEM, orders=[entry(entity, "10.00", "-10.00")])
    account = LedgerAccount.objects.get(entity=entity, role="revenue")
    with pytest.raises(DatabaseError, match="do not sum to zero"), transaction.atomic():
        Posting.objects.create(entry_id=entry_id, ledger_account=account, amount=Decimal("0.01"), currency="EUR")
    assert Posting.objects.count() == 2


def test_the_same_event_is_posted_once(entity: UUID) -> None:
    post_all(actor=SYSTEM, orders=[entry(entity, "10.00", "-10.00")])
    with pytest.raises(IntegrityError, match="source"), transaction.atomic():
        post_all(actor=SYSTEM, orders=[entry(entity, "10.00", "-10.00")])
    assert (JournalEntry.objects.count(), Posting.objects.count()) == (1, 2)


@pytest.mark.parametrize("table", ["ledger_journalentry", "ledger_posting"])
def test_nothing_is_changed_or_removed(entity: UUID, table: str) -> None:
    """The database lets nobody rewrite the books."""
    post_all(actor=SYSTEM, orders=[entry(entity, "10.00", "-10.00")])
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert (JournalEntry.objects.count(), Posting.objects.count()) == (1, 2)


# Our own companies ----------------------------------------------------------------------------------------------------


def test_the_first_company_is_the_default(entity: UUID) -> None:
    """Another takes that over only by being made it, and then the first is it no longer."""
    second = commands.add_entity(actor=SYSTEM, values={"name": "Second", "legal_name": "Second Ltd"})
    assert LegalEntity.objects.get(is_default=True).pk == entity
    commands.change_entity(actor=SYSTEM, entity_id=second, values={"is_default": True}, version=None)
    assert LegalEntity.objects.get(is_default=True).pk == second


def test_there_is_always_a_default(entity: UUID) -> None:
    with pytest.raises(Refusal, match="another company"):
        commands.change_entity(actor=SYSTEM, entity_id=entity, values={"is_default": False}, version=None)
    assert LegalEntity.objects.get().is_default


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"iban": "DE89370400440532013001"}, "iban"),
        ({"bic": "NOPE"}, "bic"),
        ({"accent_colour": "red"}, "accent_colour"),
    ],
)
def test_what_cannot_be_right_is_refused_at_its_field(entity: UUID, values: dict[str, str], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        commands.change_entity(actor=SYSTEM, entity_id=entity, values=values, version=None)
    assert refused.value.problems[0].field == field
    assert LegalEntity.objects.get().version == 1


def test_two_people_change_one_company(entity: UUID) -> None:
    """The second, who saw the company as it was before, is told so."""
    commands.change_entity(actor=SYSTEM, entity_id=entity, values={"city": "Bonn"}, version=1)
    with pytest.raises(Stale):
        commands.change_entity(actor=SYSTEM, entity_id=entity, values={"city": "Ulm"}, version=1)
    with pytest.raises(Conflict, match="this name"), transaction.atomic():
        commands.add_entity(actor=SYSTEM, values={"name": "Firm", "legal_name": "Other"})
    assert LegalEntity.objects.get().city == "Bonn"


@pytest.mark.django_db(transaction=True)
def test_whether_postings_balance_is_looked_up_by_index() -> None:
    """Though it was planned for a table that was known to be empty: nobody walks over all postings."""
    company = {"name": "Firm", "legal_name": "Firm GmbH", "country": "DE", "currency": "EUR"}
    entity = commands.add_entity(actor=SYSTEM, values=company)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ledger_posting")
        post_all(actor=SYSTEM, orders=[entry(entity, "10", "-10")])
        cursor.execute("SELECT pg_stat_force_next_flush()")  # what was counted before is not counted in here
        with transaction.atomic():
            post_all(actor=SYSTEM, orders=[entry(entity, "20", "-20", source="test:2")])
            cursor.execute("SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'ledger_posting'")
            walks, looks = cursor.fetchone()
    assert (walks, looks > 0) == (0, True)
