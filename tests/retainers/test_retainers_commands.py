"""Retainers, time and expenses by their verbs, down to what the database refuses."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction
from retainers_world import SYSTEM, Work, account

from counterfoil.core.errors import Conflict, NotAllowed, Refusal, Stale
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine, TaxRate
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.retainers import commands
from counterfoil.retainers.models import Draw, Expense, Retainer, TimeEntry
from counterfoil.retainers.subscribers import line_was_lost
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.models import Subscription

# Billing --------------------------------------------------------------------------------------------------------------


def test_a_retainer_bears_what_it_can_and_the_rest_is_billed(work: Work) -> None:
    """Ten hours a month: four are free, of eight more two are beyond; nothing is billed twice."""
    retainer = work.retainer()
    work.time("4", "2026-03-02", retainer=retainer)
    work.time("8", "2026-03-10", retainer=retainer, rate="90")
    work.time("1.5", "2026-03-11", rate="100", description="Workshop")
    work.expense("42.50")
    done = work.bill()
    assert (len(done.invoice_ids), done.entries, done.covered) == (1, 4, 1)
    assert work.lines() == ["Work 2 × 120 = 240.00", "Train 1 × 42.5 = 42.50", "Workshop 1.5 × 100 = 150.00"]
    assert work.states() == ["settled 4", "settled 6", "settled 0", "settled 0"]
    assert work.burn(retainer)[-1] == "0 10 10 0 0 2"
    assert (Invoice.objects.get().status, Invoice.objects.get().net) == ("draft", Decimal("432.50"))
    again = work.bill()
    assert (again.invoice_ids, again.entries) == ([], 0)
    assert Invoice.objects.count() == 1


def test_what_rolls_over_is_used_first(work: Work) -> None:
    """January leaves six hours that live for one further period."""
    retainer = work.retainer(roll_over="periods", rolled_periods="1")
    work.time("4", "2026-01-10", retainer=retainer)
    work.time("12", "2026-02-10", retainer=retainer)
    work.time("20", "2026-03-10", retainer=retainer)
    assert work.burn(retainer) == ["0 10 4 0 6 0", "6 10 12 0 4 0", "4 10 14 0 0 6"]
    work.bill()
    assert work.lines() == ["Work 6 × 120 = 720.00"]
    assert sorted(Draw.objects.values_list("granted_on", "quantity")) == [
        (date(2026, 1, 1), Decimal(4)),
        (date(2026, 1, 1), Decimal(6)),
        (date(2026, 2, 1), Decimal(4)),
        (date(2026, 2, 1), Decimal(6)),
        (date(2026, 3, 1), Decimal(10)),
    ]
    assert work.burn(retainer) == ["0 10 4 0 6 0", "6 10 12 0 4 0", "4 10 14 0 0 6"]


def test_late_time_takes_what_is_free(work: Work) -> None:
    """What was settled keeps its hours; back-dated time gets what is free, and is billed beyond."""
    retainer = work.retainer(roll_over="all")
    work.time("18", "2026-02-10", retainer=retainer)
    work.bill()
    work.time("5", "2026-01-20", retainer=retainer)
    work.bill()
    assert work.burn(retainer) == ["0 10 0 0 10 5", "10 10 18 0 2 0", "2 10 0 0 12 0"]
    assert work.lines() == ["Work 5 × 120 = 600.00"]


def test_money_bears_time_and_expenses(work: Work) -> None:
    """A retainer of 1,000.00: the last entry is borne in part, and its line says which part."""
    retainer = work.retainer("1000", unit="money", overage_rate="")
    work.time("6", "2026-03-02", retainer=retainer, rate="100")
    work.expense("250", "2026-03-03", retainer=retainer)
    work.time("2.5", "2026-03-04", retainer=retainer, rate="100")
    work.bill()
    assert work.lines() == ["Work 2.5 × 100 = 100.00"]
    line = Invoice.objects.get().lines.get()
    assert (line.share, line.why) == (
        "100/250",
        "100 of 250 EUR beyond the retainer Support: 1000 of 1000 EUR used from 2026-03-01 to 2026-03-31",
    )
    assert work.burn(retainer)[-1] == "0 1000 1000 0 0 100"


def test_one_draft_for_each_account_and_currency(work: Work) -> None:
    work.time("1", rate="100")
    work.time("2", rate="80", currency="USD")
    work.time("3", rate="50", account=work.brent)
    work.expense("5.00")
    found = work.bill(work.acme)
    assert len(found.invoice_ids) == 2
    assert sorted(work.lines()) == ["Train 1 × 5 = 5.00", "Work 1 × 100 = 100.00", "Work 2 × 80 = 160.00"]
    assert len(work.bill().invoice_ids) == 1
    assert {(one.account_id, one.currency) for one in Invoice.objects.all()} == {
        (work.acme, "EUR"), (work.acme, "USD"), (work.brent, "EUR"),
    }  # fmt: skip


def test_only_what_is_approved_and_billable_is_billed(work: Work) -> None:
    work.time("1", rate="100", approved=False)
    work.time("1", is_billable=False)
    rejected = work.time("1", rate="100", approved=False)
    commands.reject_entries(actor=work.bea, time_ids=[rejected], reason="Wrong day", at=work.at)
    assert work.bill().entries == 0
    assert Invoice.objects.count() == 0


def test_a_price_is_billed_by_a_subscription_and_ends_with_the_retainer(work: Work) -> None:
    """The price of a period is the subscription's business: the next run bills March in advance."""
    retainer = work.retainer(price="900.00", starts_on="2026-03-01")
    subscription = Subscription.objects.get()
    assert Retainer.objects.get(pk=retainer).subscription_item.subscription_id == subscription.pk
    subscriptions.bill_due(actor=SYSTEM, on=work.on, at=work.at)
    assert work.lines() == ["Support 1 × 900 = 900.00"]
    commands.retire_retainer(
        actor=work.bea, retainer_id=retainer, ends_on=date(2026, 4, 1), version=1, on=work.on, at=work.at
    )
    work.on = date(2026, 5, 31)
    subscriptions.bill_due(actor=SYSTEM, on=work.on, at=work.at)
    assert work.lines() == ["Support 1 × 900 = 900.00"]
    assert work.burn(retainer) == ["0 10 0 10 0 0"]


def test_a_discarded_draft_lets_its_entries_go(work: Work) -> None:
    """What the draft billed waits for the next one, and the retainer has its hours again."""
    retainer = work.retainer()
    work.time("12", retainer=retainer)
    first = work.bill().invoice_ids[0]
    assert work.states() == ["settled 10"]
    invoicing.discard_draft(actor=work.bea, invoice_id=first, version=None)
    line_was_lost(OutboxEvent.objects.get(name="invoicing.draft_discarded"))
    assert (work.states(), Draw.objects.count()) == (["approved 0"], 0)
    assert TimeEntry.objects.get().held_at == OutboxEvent.objects.get(name="invoicing.draft_discarded").happened_at
    assert work.bill().invoice_ids != [first]
    assert (work.states(), work.lines()) == (["settled 10"], ["Work 2 × 120 = 240.00"])
    assert TimeEntry.objects.get().held_at is None
    assert "entries_released" in work.events()


def test_a_line_taken_off_a_draft_lets_its_entry_go(work: Work) -> None:
    work.time("1", rate="100", description="Kept")
    work.time("2", rate="100", description="Taken off")
    draft = work.bill().invoice_ids[0]
    kept = Invoice.objects.get().lines.get(description="Kept")
    line = {
        "description": "Kept", "detail": kept.detail, "quantity": "1", "unit": "h", "unit_price": "100",
        "service_from": "2026-03-10", "service_to": "2026-03-11",
    }  # fmt: skip
    invoicing.change_draft(actor=work.bea, invoice_id=draft, values={"lines": [line]}, version=None, on=work.on)
    line_was_lost(OutboxEvent.objects.get(name="invoicing.draft_changed"))
    assert work.states() == ["settled 0", "approved 0"]


def test_very_much_time_is_several_drafts(work: Work) -> None:
    """Each can be changed in one piece: 402 hours are a draft of 400 and one of two."""
    work.many_hours(402)
    first, second = work.bill().invoice_ids
    assert InvoiceLine.objects.filter(invoice=first).count() == 400
    assert work.lines()[-2:] == ["Call 400 1 × 10 = 10.00", "Call 401 1 × 10 = 10.00"]
    assert f"{Invoice.objects.get(pk=second).net:.2f}" == "20.00"


def test_zero_rates_stand_on_the_document(work: Work) -> None:
    work.time("2", rate="0")
    work.time("1", rate="90", description="Paid")
    work.bill()
    assert work.lines() == ["Work 2 × 0 = 0.00", "Paid 1 × 90 = 90.00"]


def test_what_comes_to_nothing_is_settled_without_a_draft(work: Work) -> None:
    """A goodwill hour, and one beyond a retainer whose hours beyond are free: a draft of 0.00 could not be issued."""
    retainer = work.retainer("10", overage_rate="0")
    work.time("2", rate="0")
    work.time("12", retainer=retainer)
    done = work.bill()
    assert (done.invoice_ids, done.entries, done.covered) == ([], 2, 0)
    assert (work.states(), work.lines()) == (["settled 0", "settled 10"], [])
    assert work.bill().entries == 0


def test_approved_time_is_waived_and_restored(work: Work) -> None:
    """Twelve hours of a retainer of ten: waived, they are not billed and draw nothing; restored, they are as before."""
    retainer = work.retainer()
    entry = work.time("12", retainer=retainer)
    train = work.expense("84.20")
    assert commands.waive_entries(actor=work.bea, time_ids=[entry], expense_ids=[train], reason=" Good  will ") == 2
    assert work.states() == ["waived 0", "waived 0"]
    assert TimeEntry.objects.get().reason == "Good will"
    assert work.bill().entries == 0
    assert work.burn(retainer) == ["0 10 0 10 0 0", "0 10 0 10 0 0", "0 10 0 0 10 0"]
    assert commands.restore_entries(actor=work.bea, time_ids=[entry]) == 1
    assert (TimeEntry.objects.get().status, TimeEntry.objects.get().reason) == ("approved", "")
    assert work.bill().entries == 1
    assert (work.states(), work.lines()) == (["settled 10", "waived 0"], ["Work 2 × 120 = 240.00"])
    told = OutboxEvent.objects.get(name="retainers.entries_waived").payload
    assert (told["count"], told["why"]) == (2, "Good will")
    assert work.events()[-3:] == ["entries_waived", "entries_restored", "entries_billed"]


def test_only_what_is_approved_and_unbilled_is_waived(work: Work) -> None:
    """What waits, what is not billable, and what is billed: each refusal changes nothing, and none of a set."""
    good = work.time("1", rate="100")
    waiting = work.time("1", rate="100", approved=False)
    free = work.time("1", is_billable=False)
    billed = work.time("1", rate="100", account=work.brent)
    work.bill(work.brent)
    before = (work.counts(), work.states())
    for wrong in (waiting, free, billed):
        with pytest.raises(Conflict) as refused:
            commands.waive_entries(actor=work.bea, time_ids=[good, wrong], reason="No")
        assert (refused.value.code, refused.value.field) == ("not_approved", str(wrong))
    with pytest.raises(Refusal) as missing:
        commands.waive_entries(actor=work.bea, time_ids=[good], reason=" ")
    assert (missing.value.code, missing.value.field) == ("missing", "reason")
    with pytest.raises(Conflict) as twice:
        commands.restore_entries(actor=work.bea, time_ids=[good])
    assert twice.value.code == "not_waived"
    with pytest.raises(NotAllowed):
        commands.waive_entries(actor=work.sam, time_ids=[good], reason="No")
    assert (work.counts(), work.states()) == before


# Deciding and changing ------------------------------------------------------------------------------------------------


def test_what_is_approved_does_not_change(work: Work) -> None:
    entry = work.time("1", rate="100")
    before = work.counts()
    with pytest.raises(Conflict, match="does not change"):
        commands.change_time(actor=work.sam, entry_id=entry, values={"hours": "2"}, version=None, on=work.on)
    with pytest.raises(Conflict, match="decided already"):
        commands.reject_entries(actor=work.bea, time_ids=[entry], reason="No", at=work.at)
    assert (work.counts(), TimeEntry.objects.get().hours) == (before, Decimal(1))


def test_what_was_rejected_waits_again_when_it_changes(work: Work) -> None:
    entry = work.time("1", rate="100", approved=False)
    commands.reject_entries(actor=work.bea, time_ids=[entry], reason="Two hours, not one", at=work.at)
    commands.change_time(actor=work.sam, entry_id=entry, values={"hours": "2"}, version=2, on=work.on)
    found = TimeEntry.objects.get()
    assert (found.status, found.hours, found.reason, found.version) == ("entered", Decimal(2), "", 3)
    with pytest.raises(Stale):
        commands.change_time(actor=work.sam, entry_id=entry, values={"hours": "3"}, version=2, on=work.on)


def test_approving_is_all_or_none(work: Work) -> None:
    first, second = work.time("1", rate="1"), work.time("1", rate="1", approved=False)
    with pytest.raises(Conflict):
        commands.approve_entries(actor=work.bea, time_ids=[first, second], at=work.at)
    assert work.states() == ["approved 0", "entered 0"]


def test_what_could_not_be_billed_is_not_approved(work: Work) -> None:
    """A rate that ended since it was entered, as for the reduced class: of a set none is approved. A customer for whom
    no rate counts is not asked for one, and neither is what is not billable.
    """
    good = work.time("1", rate="100", approved=False)
    bad = work.expense("10", tax_class="reduced", approved=False)
    free = work.expense("10", tax_class="reduced", is_billable=False, approved=False)
    abroad = account("Abroad AG", tax_profile="outside_scope")
    other = work.expense("10", tax_class="reduced", account=abroad, approved=False)
    TaxRate.objects.filter(tax_class="reduced").update(valid_to=work.on)
    before = (work.counts(), work.states())
    with pytest.raises(Refusal) as refused:
        commands.approve_entries(actor=work.bea, time_ids=[good], expense_ids=[bad], at=work.at)
    assert (refused.value.code, refused.value.field) == ("no_tax_rate", str(bad))
    with pytest.raises(Refusal) as again:
        work.expense("10", tax_class="reduced")
    assert (again.value.code, again.value.field) == ("no_tax_rate", "tax_class")
    assert (work.counts(), work.states()) == before
    assert commands.approve_entries(actor=work.bea, time_ids=[good], expense_ids=[free, other], at=work.at) == 3


def test_who_may_do_what(work: Work) -> None:
    """Sales enters, billing approves and bills, the accountant reads."""
    entry = work.time("1", rate="1", approved=False)
    for refused in (
        lambda: commands.approve_entries(actor=work.sam, time_ids=[entry], at=work.at),
        lambda: commands.bill_unbilled(actor=work.sam, on=work.on, at=work.at),
        lambda: commands.add_retainer(actor=work.sam, values=work.retainer_values(), on=work.on, at=work.at),
        lambda: commands.enter_time(
            actor=work.archie, values=work.time_values("1", "2026-03-01"), on=work.on, at=work.at
        ),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert work.states() == ["entered 0"]


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"hours": "0"}, "hours", "too_small"),
        ({"hours": "-1"}, "hours", "too_small"),
        ({"hours": "24.01"}, "hours", "too_large"),
        ({"hours": "1.001"}, "hours", "too_many_decimals"),
        ({"rate": "-1"}, "rate", "too_small"),
        ({"rate": None}, "rate", "missing"),
        ({"rate": "999999999999", "hours": "24"}, "rate", "too_large"),
        ({"day": "2026-04-01"}, "day", "not_yet"),
        ({"day": "2026-02-30"}, "day", "not_a_date"),
        ({"description": " "}, "description", "missing"),
        ({"status": "approved"}, "status", "read_only"),
        ({"retainer": "acme", "day": "2025-12-31"}, "day", "outside"),
        ({"retainer": "acme", "currency": "USD"}, "currency", "other_currency"),
        ({"retainer": "brent"}, "retainer", "other_account"),
    ],
)
def test_bad_time_is_refused(work: Work, more: dict[str, Any], field: str, code: str) -> None:
    """Each refusal names the field and changes nothing."""
    known = {"acme": work.retainer(), "brent": work.retainer(account=work.brent)}
    before = work.counts()
    values = work.time_values("1", "2026-03-10", rate="100") | more
    if "retainer" in more:
        values["retainer"] = known[more["retainer"]]
    with pytest.raises(Refusal) as refused:
        commands.enter_time(actor=work.sam, values=values, on=work.on, at=work.at)
    assert (field, code) in [(one.field, one.code) for one in refused.value.problems]
    assert work.counts() == before


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"amount": "0"}, "amount", "too_small"),
        ({"amount": "1.001"}, "amount", "too_many_decimals"),
        ({"interval": "day"}, "interval", "not_a_choice"),
        ({"count": "0"}, "count", "too_small"),
        ({"roll_over": "up_to"}, "most_rolled", "missing"),
        ({"roll_over": "periods"}, "rolled_periods", "missing"),
        ({"anchor_day": "32"}, "anchor_day", "too_large"),
        ({"anchor_day": "1", "interval": "week"}, "anchor_day", "not_for_interval"),
        ({"ends_on": "2026-01-01"}, "ends_on", "runs_backward"),
        ({"starts_on": "1990-01-01"}, "starts_on", "too_early"),
        ({"unit": "money"}, "overage_rate", "not_for_money"),
        ({"price": "1.001"}, "price", "too_many_decimals"),
        ({"price": "-1"}, "price", "too_small"),
    ],
)
def test_bad_retainers_are_refused(work: Work, more: dict[str, Any], field: str, code: str) -> None:
    before = work.counts()
    with pytest.raises(Refusal) as refused:
        work.retainer(**more)
    assert (field, code) in [(one.field, one.code) for one in refused.value.problems]
    assert work.counts() == before


def test_terms_stand_once_they_are_used(work: Work) -> None:
    """Before the first hour is settled anything goes, then only the title and the price of an hour beyond."""
    retainer = work.retainer()
    change: Any = lambda **values: commands.change_retainer(  # noqa: E731
        actor=work.bea, retainer_id=retainer, values=values, version=None, on=work.on
    )
    change(amount="8", roll_over="up_to", most_rolled="2")
    work.time("9", retainer=retainer)
    work.bill()
    with pytest.raises(Conflict, match="Time was taken"):
        change(amount="20")
    with pytest.raises(Refusal, match="This stays"):
        change(unit="money")
    change(title="Support 2026", overage_rate="130")
    found = Retainer.objects.get()
    assert (found.amount, found.title, found.overage_rate, found.version) == (8, "Support 2026", 130, 3)


def test_a_retainer_cannot_end_before_what_was_settled(work: Work) -> None:
    retainer = work.retainer()
    work.time("1", "2026-03-10", retainer=retainer)
    work.bill()
    with pytest.raises(Refusal, match="2026-03-10 was settled"):
        commands.retire_retainer(
            actor=work.bea, retainer_id=retainer, ends_on=date(2026, 3, 10), version=None, on=work.on, at=work.at
        )
    commands.retire_retainer(
        actor=work.bea, retainer_id=retainer, ends_on=date(2026, 3, 11), version=None, on=work.on, at=work.at
    )
    assert work.burn(retainer)[-1] == "0 10 1 9 0 0"


def test_a_receipt_is_kept(work: Work) -> None:
    values = {"account": work.acme, "day": "2026-03-01", "amount": "9.99", "description": "Taxi"}
    receipt = commands.Receipt(b"%PDF-1.4 taxi", "taxi.pdf", "application/pdf")
    commands.enter_expense(actor=work.sam, values=values, on=work.on, at=work.at, receipt=receipt)
    kept = Expense.objects.get().receipt
    assert kept is not None
    assert kept.name == "taxi.pdf"


# What the database promises -------------------------------------------------------------------------------------------


def refused_by_the_database(*ask: Any) -> None:
    for one in ask:
        with pytest.raises(DatabaseError), transaction.atomic():
            one()


def test_the_database_keeps_it_too(work: Work) -> None:
    """Bare writes cannot change what is approved or billed, bill a line twice, or draw more than is granted."""
    retainer = work.retainer()
    billed = work.time("12", retainer=retainer)
    approved = work.time("1", rate="100")
    commands.bill_unbilled(actor=work.bea, account_ids=[work.brent], on=work.on, at=work.at)
    refused_by_the_database(
        lambda: TimeEntry.objects.filter(pk=approved).update(hours=2),
        lambda: TimeEntry.objects.filter(pk=approved).update(status="entered", decided_at=None),
        lambda: TimeEntry.objects.filter(pk=approved).delete(),
    )
    work.bill()
    line = TimeEntry.objects.get(pk=billed).line_id
    other = TimeEntry.objects.get(pk=approved)
    free = {"status": "approved", "covered": 0, "settled_at": None, "invoice_id": None, "line_id": None}
    refused_by_the_database(
        lambda: TimeEntry.objects.filter(pk=billed).update(covered=3),
        lambda: TimeEntry.objects.filter(pk=billed).update(**free),
        lambda: TimeEntry.objects.filter(pk=other.pk).update(line_id=line),
        lambda: Draw.objects.update(quantity=1),
        lambda: Retainer.objects.update(amount=20),
        lambda: Draw.objects.create(
            retainer_id=retainer, time_id=other.pk, granted_on=date(2026, 3, 1), quantity=Decimal("0.01")
        ),
        lambda: Expense.objects.create(
            account_id=work.acme, entity_id=work.entity, day=work.on, currency="EUR", description="x", amount=1,
            status="settled",
        ),
    )  # fmt: skip


def test_a_run_takes_a_fixed_number_of_statements(work: Work, django_assert_max_num_queries: Any) -> None:
    """Forty entries of two accounts, as many statements as for four."""
    retainer = work.retainer("4")
    ids: list[UUID] = []
    for number in range(20):
        day = (work.on - timedelta(days=number)).isoformat()
        ids.append(work.time("1", day, retainer=retainer, approved=False))
        ids.append(work.time("1", day, rate="10", account=work.brent, approved=False))
    commands.approve_entries(actor=work.bea, time_ids=ids, at=work.at)
    with django_assert_max_num_queries(60):
        done = work.bill()
    assert (done.entries, done.covered, len(done.invoice_ids)) == (40, 4, 2)
