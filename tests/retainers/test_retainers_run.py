"""Approved time and expenses go out with the billing run, or as a draft when their period has ended."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from retainers_world import APRIL, SYSTEM, Work, account, noon, run, subscribed

from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import PaymentTerms
from counterfoil.accounts.queries import billing_facts
from counterfoil.activities.models import Task
from counterfoil.core.errors import Refusal
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, InvoiceLine, TaxRate
from counterfoil.invoicing.printing import printed_document
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.retainers import jobs, queries
from counterfoil.retainers.ended import ended
from counterfoil.retainers.models import TimeEntry
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.models import BillingPolicy, Subscription


def swept(on: date) -> int:
    """Draft what is unbilled of periods that have ended."""
    with clock.stopped_at(noon(on)):
        return jobs.ended_periods()


def documents() -> list[list[str]]:
    """The lines of each document, with its state first."""
    return [
        [
            str(one.status),
            *(f"{line.description} {line.net:.2f}" for line in one.lines.order_by("position")),
        ]
        for one in Invoice.objects.order_by("created_at", "id")
    ]


def test_time_joins_the_next_recurring_invoice(work: Work) -> None:
    """Five hours, a train and a month of Basic are one invoice, issued at once; run again, nothing happens."""
    subscribed(work)
    entry = work.time("5", rate="120")
    work.expense("84.20", "2026-03-11")
    assert run(date(2026, 3, 31)) == 0
    assert run() == 1
    assert documents() == [["issued", "Basic 100.00", "Work 600.00", "Train 84.20"]]
    invoice = Invoice.objects.get()
    assert TimeEntry.objects.get(pk=entry).invoice_id == invoice.pk
    assert invoice.net == Decimal("784.20")
    assert work.events()[-1] == "entries_billed"
    assert run() == 0
    assert work.bill().entries == 0
    assert swept(date(2026, 6, 1)) == 0


def test_what_lies_beyond_a_retainer_joins_its_price(work: Work) -> None:
    """Twelve hours of a retainer of ten that costs 900: April's price and two hours beyond, with the retainer's PO."""
    retainer = work.retainer(price="900", starts_on="2026-03-01")
    Subscription.objects.update(po_number="PO 77")
    assert run(date(2026, 3, 1)) == 1
    work.time("7", "2026-03-05", retainer=retainer)
    work.time("5", "2026-03-10", retainer=retainer, description="Migration")
    assert run() == 1
    second = Invoice.objects.order_by("sequence").last()
    assert second is not None
    assert [f"{line.description} {line.net:.2f} {line.why}" for line in second.lines.order_by("position")] == [
        "Support 900.00 1 × 900.00",
        "Migration 240.00 2 of 5 h beyond the retainer Support: 10 of 10 h used from 2026-03-01 to 2026-03-31",
    ]
    assert second.po_number == "PO 77"
    assert work.burn(retainer) == ["0 10 10 0 0 2"]
    assert work.states() == ["settled 7", "settled 3"]


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("", "2 von 12 h über das Kontingent Support hinaus, 10 von 10 h verbraucht (1.–31. März 2026)"),
        ("fr", "2 sur 12 h au-delà du forfait Support, consommation : 10 sur 10 h (1–31 mars 2026)"),
    ],
)
def test_the_reason_is_printed_in_the_language_of_the_document(work: Work, typed: str, printed: str) -> None:
    """A German customer's draft is German until a person chooses another language; colleagues read what was kept."""
    accounts.change_account(actor=SYSTEM, account_id=work.acme, values={"language": "de"}, version=None)
    retainer = work.retainer(price="900", starts_on="2026-03-01")
    work.time("12", "2026-03-05", retainer=retainer, description="Umzug")
    (draft,) = work.bill().invoice_ids
    if typed:
        invoicing.change_draft(actor=work.bea, invoice_id=draft, values={"language": typed}, version=None, on=work.on)
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[draft], on=APRIL, at=noon(APRIL), send=False)
    invoice = Invoice.objects.get(pk=draft)
    (line,) = printed_document(invoice, list(invoice.lines.all()), list(invoice.taxes.all())).lines
    assert line.detail.replace("\u2009", " ").replace("\u202f", " ") == f"Sam\n{printed}"
    assert InvoiceLine.objects.get().why == (
        "2 of 12 h beyond the retainer Support: 10 of 10 h used from 2026-03-01 to 2026-03-31"
    )


def test_what_a_retainer_bears_whole_is_settled_with_the_run(work: Work) -> None:
    """No line, and nothing that waits."""
    retainer = work.retainer()
    work.time("4", retainer=retainer)
    subscribed(work)
    assert run() == 1
    assert documents() == [["issued", "Basic 100.00"]]
    assert work.states() == ["settled 4"]


def test_what_shares_no_document_waits(work: Work) -> None:
    """A subscription with a PO number of its own, one in another currency and one of another account take nothing."""
    subscribed(work, po_number="PO 1")
    subscribed(work, currency="USD")
    subscribed(work, to=work.brent)
    work.time("1", rate="120")
    assert run() == 3
    assert work.states() == ["approved 0"]
    assert swept(APRIL) == 1
    assert documents()[-1] == ["draft", "Work 120.00"]


def test_a_child_shares_the_document_of_its_payer(work: Work) -> None:
    """The parent gets one invoice with both subscriptions and the time of the child."""
    child = account("Child AG", parent=str(work.acme), invoiced_account=str(work.acme))
    subscribed(work)
    subscribed(work, to=child, amount="50")
    work.time("2", rate="100", account=child)
    assert run() == 1
    assert sorted(documents()[0][1:]) == ["Basic 100.00", "Basic 50.00", "Work 200.00"]


def test_reviewed_documents_wait_with_their_time(work: Work) -> None:
    """A company whose runs are reviewed gets a draft; the line that is taken off it is unbilled again."""
    BillingPolicy.objects.create(entity_id=work.entity, is_reviewed=True)
    subscribed(work)
    work.time("5", rate="120")
    run()
    assert documents() == [["draft", "Basic 100.00", "Work 600.00"]]
    basic = {
        "description": "Basic", "quantity": "1", "unit_price": "100.00",
        "service_from": "2026-04-01", "service_to": "2026-05-01",
    }  # fmt: skip
    draft = Invoice.objects.get().pk
    invoicing.change_draft(actor=work.bea, invoice_id=draft, values={"lines": [basic]}, version=None, on=APRIL)
    run_waiting_jobs()
    assert documents() == [["draft", "Basic 100.00"]]
    assert work.states() == ["approved 0"]
    run(date(2026, 5, 1))
    assert documents() == [["draft", "Basic 100.00"], ["draft", "Basic 100.00"]]
    assert swept(date(2026, 7, 1)) == 0
    assert work.bill().entries == 1


def test_hours_that_cost_nothing_stand_on_the_invoice(work: Work) -> None:
    """A price of zero is said to the customer; alone it makes no document of the run."""
    work.time("1", rate="0", description="Goodwill")
    subscribed(work)
    assert run() == 1
    assert documents() == [["issued", "Basic 100.00", "Goodwill 0.00"]]


def test_a_credit_that_is_larger_takes_nothing_along(work: Work) -> None:
    """What is given back is a credit note; the hour does not go out alone, and waits."""
    one = subscribed(work, start=date(2026, 3, 1), amount="900")
    assert run(date(2026, 3, 1)) == 1
    Subscription.objects.update(decrease="next_invoice")
    work.time("1", rate="10")
    subscriptions.cancel_subscription(
        actor=SYSTEM, subscription_id=one, when=date(2026, 3, 11), on=date(2026, 3, 20), at=noon(date(2026, 3, 20))
    )
    run()
    assert work.states() == ["approved 0"]


def test_a_parked_account_keeps_its_time(work: Work) -> None:
    """An account beyond its bounds is held back whole; its time gets a draft when the month is over."""
    BillingPolicy.objects.create(entity_id=work.entity, most_amount_a_day=Decimal("50.00"))
    subscribed(work)
    work.time("1", rate="120")
    assert run() == 0
    assert work.states() == ["approved 0"]
    assert swept(APRIL) == 1
    assert documents() == [["draft", "Work 120.00"]]


def test_what_cannot_be_taxed_does_not_hold_up_the_invoice(work: Work) -> None:
    """The rate of a train ended after it was approved: Basic goes out alone, Brent's hour goes with his."""
    subscribed(work)
    subscribed(work, to=work.brent)
    work.expense("10", tax_class="reduced")
    work.time("1", rate="120", account=work.brent)
    TaxRate.objects.filter(tax_class="reduced").update(valid_to=APRIL)
    assert run() == 2
    assert sorted(documents()) == [["issued", "Basic 100.00"], ["issued", "Basic 100.00", "Work 120.00"]]
    assert sorted(work.states()) == ["approved 0", "settled 0"]


def test_one_that_blocks_keeps_no_other_off(work: Work) -> None:
    """Two train rides without a rate among five hours: the hours go out with the subscription, the rides wait."""
    subscribed(work)
    for place in range(5):
        work.time("1", f"2026-03-{10 + place}", rate="120", description=f"Work {place}")
    for day in ("2026-03-11", "2026-03-13"):
        work.expense("10", day, tax_class="reduced")
    TaxRate.objects.filter(tax_class="reduced").update(valid_to=APRIL)
    assert run() == 1
    assert documents() == [["issued", "Basic 100.00", *(f"Work {place} 120.00" for place in range(5))]]
    assert sorted(work.states()) == ["approved 0"] * 2 + ["settled 0"] * 5
    assert run(date(2026, 5, 1)) == 1
    assert documents()[-1] == ["issued", "Basic 100.00"]


def test_finding_what_blocks_takes_as_many_rounds_however_much_joins(work: Work) -> None:
    """In April one of three entries cannot be taxed, in May that one and one of thirty others."""
    months = (APRIL, date(2026, 5, 1))
    for customer, start, hours in ((work.acme, months[0], 2), (work.brent, months[1], 29)):
        subscribed(work, to=customer, start=start)
        work.expense("10", account=customer, tax_class="reduced")
        for _ in range(hours):
            work.time("1", rate="120", account=customer)
    TaxRate.objects.filter(tax_class="reduced").update(valid_to=APRIL)
    counted = [statements(on) for on in months]
    assert counted[0] == counted[1]
    assert [len(one) for one in documents()] == [2 + 2, 2, 2 + 29]
    assert sorted(work.states()) == ["approved 0"] * 2 + ["settled 0"] * 31


def test_what_is_too_large_together_parks_nobody(work: Work) -> None:
    """Four entries that each could stand on a document, and no document can bear more than two of them: two go out,
    and two with the next.
    """
    subscribed(work)
    for place in range(4):
        work.time("24", rate="160000000000", description=f"Work {place}")
    assert run() == 1
    assert documents() == [["issued", "Basic 100.00", "Work 0 3840000000000.00", "Work 1 3840000000000.00"]]
    assert work.states() == ["settled 0"] * 2 + ["approved 0"] * 2
    assert not Subscription.objects.exclude(parked_at=None).exists()
    assert run(date(2026, 5, 1)) == 1
    assert documents()[-1] == ["issued", "Basic 100.00", "Work 2 3840000000000.00", "Work 3 3840000000000.00"]


def test_what_is_blocked_anyway_takes_its_time_along(work: Work) -> None:
    """The customer wants a PO number and gave none: the draft waits for that, with the hour on it."""
    customer = account("New AG", po_policy="required")
    subscribed(work, to=customer)
    work.time("1", rate="120", account=customer)
    assert run() == 1
    assert documents() == [["draft", "Basic 100.00", "Work 120.00"]]


def test_time_beyond_the_bounds_goes_out_reviewed(work: Work) -> None:
    """At most 500 a day: Basic of 100 and an hour of 400 go out; with 400.01 the invoice is looked at first, and the
    other customer's is not. What shares no document counts for nothing.
    """
    BillingPolicy.objects.create(entity_id=work.entity, most_amount_a_day=Decimal("500.00"))
    cedar = account("Cedar AG")
    subscribed(work)
    subscribed(work, to=work.brent)
    subscribed(work, to=cedar, po_number="PO 1")
    work.time("1", rate="400")
    work.time("1", rate="400.01", account=work.brent)
    work.time("10", rate="400", account=cedar)
    assert run() == 3
    assert sorted(documents()) == [
        ["draft", "Basic 100.00", "Work 400.01"],
        ["issued", "Basic 100.00"],
        ["issued", "Basic 100.00", "Work 400.00"],
    ]
    assert not Subscription.objects.exclude(parked_at=None).exists()


def test_what_joined_earlier_on_a_day_counts_towards_its_bounds(work: Work) -> None:
    """At most 500 a day. Basic and an hour of 300 go out, and then a subscription of 50 by itself. An hour of 41 on one
    of 10 is looked at first, and then even 1 by itself. On the next day all begins anew; nobody is parked.
    """
    BillingPolicy.objects.create(entity_id=work.entity, most_amount_a_day=Decimal("500.00"))
    subscribed(work)
    work.time("1", rate="300")
    assert run() == 1
    subscribed(work, amount="50")
    assert run() == 1
    work.time("1", rate="41")
    subscribed(work, amount="10")
    assert run() == 1
    subscribed(work, amount="1")
    assert run() == 1
    assert documents() == [
        ["issued", "Basic 100.00", "Work 300.00"],
        ["issued", "Basic 50.00"],
        ["draft", "Basic 10.00", "Work 41.00"],
        ["draft", "Basic 1.00"],
    ]
    subscribed(work, start=date(2026, 4, 2))
    work.time("1", rate="400", description="Next day")
    assert run(date(2026, 4, 2)) == 1
    assert documents()[-1] == ["issued", "Basic 100.00", "Next day 400.00"]
    assert not Subscription.objects.exclude(parked_at=None).exists()


def test_a_child_beyond_the_bounds_does_not_slip_out_with_its_sibling(work: Work) -> None:
    """Both share a payer and so a document; the child with too much time has one of its own, which is reviewed."""
    BillingPolicy.objects.create(entity_id=work.entity, most_amount_a_day=Decimal("500.00"))
    child = account("Child AG", parent=str(work.acme), invoiced_account=str(work.acme))
    subscribed(work)
    subscribed(work, to=child, amount="50")
    work.time("5", rate="100", account=child)
    assert run() == 2
    assert sorted(documents()) == [["draft", "Basic 50.00", "Work 500.00"], ["issued", "Basic 100.00"]]


def test_what_waits_for_approval_or_comes_later_is_left(work: Work) -> None:
    """Only what is approved, billable, and of a day up to that of the run."""
    subscribed(work, start=date(2026, 3, 15))
    work.time("1", rate="120", approved=False)
    work.time("1", rate="120", is_billable=False)
    work.time("1", "2026-03-16", rate="120")
    run(date(2026, 3, 15))
    assert documents() == [["issued", "Basic 100.00"]]


def statements(on: date) -> int:
    with CaptureQueriesContext(connection) as captured:
        subscriptions.bill_due(actor=SYSTEM, on=on, at=noon(on))
    return sum(one["sql"].count(";\n") + 1 for one in captured.captured_queries if "SAVEPOINT" not in one["sql"])


def test_a_chunk_takes_the_same_statements_however_much_joins(work: Work) -> None:
    """One statement where nothing joins; with ten entries or forty of two accounts the same number."""
    for customer in (work.acme, work.brent):
        subscribed(work, to=customer)
    with CaptureQueriesContext(connection) as captured:
        run()
    assert len([one for one in captured.captured_queries if "retainers_" in one["sql"]]) == 1
    retainers = {customer: work.retainer("20", account=customer) for customer in (work.acme, work.brent)}
    counted = []
    for on, entries in ((date(2026, 5, 1), 5), (date(2026, 6, 1), 20)):
        for customer, retainer in retainers.items():
            for _ in range(entries):
                work.time("1.5", account=customer, retainer=retainer)
            work.time("1", account=customer, rate="80")
        counted.append(statements(on))
    assert counted[0] == counted[1]
    assert InvoiceLine.objects.filter(description="Work").count() == 2 + 24 + 2


# When a period has ended ----------------------------------------------------------------------------------------------


def test_without_a_subscription_the_month_ends_in_a_draft(work: Work) -> None:
    """On the last day nothing happens; on the next, one draft with the time of March alone. Again: nothing."""
    work.time("5", rate="120")
    assert swept(date(2026, 3, 31)) == 0
    work.on = APRIL
    work.time("1", "2026-04-01", rate="120", description="April")
    assert swept(APRIL) == 1
    assert documents() == [["draft", "Work 600.00"]]
    assert swept(APRIL) == 0
    assert swept(date(2026, 5, 1)) == 1
    assert documents() == [["draft", "Work 600.00"], ["draft", "April 120.00"]]


def test_the_draft_bears_what_the_retainer_agreed(work: Work) -> None:
    """PO number, references and terms are those of the subscription that bills the retainer; other time has its own
    draft, without.
    """
    usual = billing_facts([work.acme], APRIL)[work.acme].terms.value
    other = PaymentTerms.objects.exclude(pk=usual.id if usual else None).order_by("key").first()
    assert other is not None
    retainer = work.retainer(price="900", starts_on="2026-03-01")
    run(date(2026, 3, 1))
    Subscription.objects.update(
        po_number="PO 77", references="Centre 12", terms=other, parked_at=work.at, parked_reason="Held"
    )
    work.time("12", retainer=retainer)
    work.time("1", rate="100", description="Beside")
    assert swept(APRIL) == 2
    drafts = Invoice.objects.filter(status="draft")
    assert {(str(one.net.normalize()), one.po_number, one.references, one.terms_id) for one in drafts} == {
        ("2.4E+2", "PO 77", "Centre 12", other.pk),
        ("1E+2", "", "", usual.id if usual else None),
    }


def test_a_draft_that_was_discarded_does_not_come_back(work: Work) -> None:
    """Its hour waits for a person: neither the next pass, nor the run, nor a later month bills it. The button does."""
    work.time("5", rate="120")
    assert swept(APRIL) == 1
    invoicing.discard_draft(actor=work.bea, invoice_id=Invoice.objects.get().pk, version=None)
    run_waiting_jobs()
    assert (documents(), work.states()) == ([], ["approved 0"])
    assert swept(APRIL) == 0
    subscribed(work)
    assert run() == 1
    assert swept(date(2026, 8, 1)) == 0
    assert documents() == [["issued", "Basic 100.00"]]
    assert work.bill().entries == 1
    assert documents()[0] == ["draft", "Work 600.00"]


def test_a_goodwill_hour_makes_no_draft_when_its_month_is_over(work: Work) -> None:
    """It is settled, so that nothing blocked waits in the review queue and nothing comes back."""
    work.time("1", rate="0", description="Goodwill")
    assert swept(APRIL) == 1
    assert (documents(), work.states()) == ([], ["settled 0"])
    assert swept(APRIL) == 0


@pytest.mark.parametrize(
    ("cycle", "before", "after"),
    [
        ("as_delivered", "2026-02-28", "2026-03-01"),
        ("monthly", "2026-02-28", "2026-03-01"),
        ("quarterly", "2026-03-31", "2026-04-01"),
        ("yearly", "2026-12-31", "2027-01-01"),
    ],
)
def test_the_billing_cycle_of_the_account_says_when(work: Work, cycle: str, before: str, after: str) -> None:
    """An hour of February."""
    customer = account("Cycle AG", billing_cycle=cycle)
    work.time("1", "2026-02-10", account=customer, rate="120")
    assert swept(date.fromisoformat(before)) == 0
    assert swept(date.fromisoformat(after)) == 1


def test_a_retainer_is_due_when_its_own_period_ends(work: Work) -> None:
    """Weeks from Monday to Monday: three hours of two are due on the next Monday, one of them beyond."""
    retainer = work.retainer("2", interval="week", starts_on="2026-03-02")
    work.time("3", "2026-03-17", retainer=retainer)
    assert swept(date(2026, 3, 22)) == 0
    assert swept(date(2026, 3, 23)) == 1
    assert documents() == [["draft", "Work 120.00"]]


def test_a_retainer_that_ended_is_due_at_once(work: Work) -> None:
    retainer = work.retainer("2", interval="year", ends_on="2026-03-20")
    work.time("3", "2026-03-17", retainer=retainer)
    assert swept(date(2026, 3, 19)) == 0
    assert swept(date(2026, 3, 20)) == 1


def test_it_waits_for_a_recurring_document_within_a_month(work: Work) -> None:
    """Due on the 15th: nothing on the 1st. A yearly subscription, or a parked one, is not waited for."""
    subscribed(work, start=date(2026, 4, 15))
    work.time("1", rate="120")
    assert swept(APRIL) == 0
    subscribed(work, to=work.brent, start=date(2026, 9, 1), every="year")
    work.time("1", rate="120", account=work.brent)
    assert swept(APRIL) == 1
    Subscription.objects.update(parked_at=work.at, parked_reason="Held")
    assert swept(APRIL) == 1
    assert [one[1:] for one in documents()] == [["Work 120.00"], ["Work 120.00"]]


def test_it_waits_for_a_document_with_its_terms_alone(work: Work) -> None:
    """A subscription that names the terms of the account is waited for and takes it; one with other terms is not."""
    usual = billing_facts([work.acme], APRIL)[work.acme].terms.value
    assert usual is not None
    other = PaymentTerms.objects.exclude(pk=usual.id).order_by("key").first()
    assert other is not None
    subscribed(work, start=date(2026, 4, 15), terms_id=usual.id)
    subscribed(work, to=work.brent, start=date(2026, 4, 15), terms_id=other.pk)
    work.time("1", rate="120")
    work.time("2", rate="120", account=work.brent)
    assert swept(APRIL) == 1
    assert documents() == [["draft", "Work 240.00"]]
    assert run(date(2026, 4, 15)) == 2
    assert sorted(documents()[1:]) == [["issued", "Basic 100.00"], ["issued", "Basic 100.00", "Work 120.00"]]


def test_what_merely_waits_costs_one_statement(work: Work) -> None:
    """Hours beside a subscription, on a month, on weeks and on a year that run: the sweep asks once for all of them."""
    for place in range(2):
        customer = account(f"Waiting{place} AG")
        subscribed(work, to=customer, start=date(2026, 4, 15))
        work.time("1", rate="120", account=customer)
    for more in ({}, {"anchor_day": "31"}, {"interval": "week", "count": 2}, {"interval": "year"}):
        retainer = work.retainer(**{"starts_on": "2026-03-30", **more})
        work.time("1", "2026-03-31", retainer=retainer)
    with CaptureQueriesContext(connection) as captured:
        assert ended(work.entity, APRIL) == []
    assert len(captured) == 1


def test_more_than_a_page_is_looked_at_page_by_page(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter that runs fills the first pages; what is due behind it is found."""
    monkeypatch.setattr("counterfoil.retainers.ended.PAGE", 2)
    for place in range(4):
        customer = account(f"Quarter{place} AG", billing_cycle="quarterly")
        work.time("1", "2026-01-10", rate="120", account=customer)
    work.time("1", "2026-02-10", rate="120", account=work.brent)
    assert [one.account_id for one in ended(work.entity, date(2026, 3, 31))] == [work.brent]


@pytest.mark.parametrize("starts_on", ["2025-11-30", "2025-12-31", "2026-01-15", "2025-12-08"])
@pytest.mark.parametrize(
    ("interval", "count", "anchor"),
    [("week", "1", None), ("week", "3", None), ("month", "1", None), ("month", "2", None), ("month", "1", "31"),
     ("month", "1", "1"), ("year", "1", None)],
)  # fmt: skip
def test_what_is_left_out_early_is_never_due(
    work: Work, starts_on: str, interval: str, count: str, anchor: str | None
) -> None:
    """An hour on the day on which a period begins, and one on the day before: the day on which each is due is that on
    which its period has ended, by the burn-down itself.
    """
    retainer = work.retainer(interval=interval, count=count, anchor_day=anchor, starts_on=starts_on)
    start = date.fromisoformat(starts_on)
    work.on = date(2026, 6, 30)
    work.time("1", (start + timedelta(days=40)).isoformat(), retainer=retainer)
    periods = queries.get_retainer(work.bea, retainer, date(2027, 3, 31)).burn
    end = next(one["end"] for one in periods if one["start"] <= start + timedelta(days=40) < one["end"])
    assert ended(work.entity, end - timedelta(days=1)) == []
    assert len(ended(work.entity, end)) == 1


def test_what_is_old_goes_alone(work: Work) -> None:
    """An hour of January that was approved late gets its draft; that of March still waits for the invoice in April."""
    subscribed(work, start=date(2026, 4, 15))
    work.time("1", "2026-01-10", rate="120", description="Old")
    work.time("1", "2026-03-10", rate="120")
    assert swept(APRIL) == 1
    assert documents() == [["draft", "Old 120.00"]]


def test_it_does_not_wait_for_ever(work: Work) -> None:
    """A subscription that costs nothing never has a document; after two months the hour gets a draft."""
    subscribed(work, amount="0")
    work.time("1", "2026-03-31", rate="120")
    assert run() == 0
    assert swept(date(2026, 5, 30)) == 0
    assert swept(date(2026, 5, 31)) == 1
    assert documents() == [["draft", "Work 120.00"]]


def test_an_account_that_fails_does_not_stop_the_others(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acme's draft breaks: its owner gets one task, and it is tried again on the next day alone. Brent's is made."""
    accounts.change_account(actor=SYSTEM, account_id=work.acme, values={"owner": str(work.sam.id)}, version=None)
    work.time("1", rate="120")
    work.time("2", rate="120", account=work.brent)
    drafted, tried = invoicing.draft_invoices, []

    def broken(*, orders: Any, **rest: Any) -> Any:
        if any(order.account_id == work.acme for order in orders):
            tried.append(APRIL)
            raise Refusal("out_of_paper", "There is no paper.")
        return drafted(orders=orders, **rest)

    monkeypatch.setattr("counterfoil.retainers.commands.billing.draft_invoices", broken)
    assert swept(APRIL) == 1
    assert documents() == [["draft", "Work 240.00"]]
    assert len(tried) == 2  # together, then alone
    assert swept(APRIL) == 0
    assert len(tried) == 2
    task = Task.objects.get()
    assert (task.title, task.assignee_id) == ("Time and expenses of Acme AG could not be billed", work.sam.id)
    assert task.detail.startswith("There is no paper.\n")
    assert swept(date(2026, 4, 2)) == 0
    assert (len(tried), Task.objects.count()) == (3, 1)
    monkeypatch.undo()
    assert swept(date(2026, 4, 2)) == 0
    assert swept(date(2026, 4, 3)) == 1


def test_many_that_fail_do_not_keep_the_others_waiting(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one pass takes, and all of them older: each is tried once, and the next pass takes the others."""
    monkeypatch.setattr("counterfoil.retainers.ended.AT_ONCE", 2)
    work.time("24", "2026-03-01", rate="400000000000")
    work.time("24", "2026-03-01", rate="400000000000")
    for place in range(2):
        other = account(f"Large{place} AG")
        work.time("24", "2026-03-02", rate="400000000000", account=other)
        work.time("24", "2026-03-02", rate="400000000000", account=other)
    work.time("1", "2026-03-20", rate="120", account=work.brent)
    assert [swept(APRIL) for _ in range(3)] == [0, 1, 0]
    assert documents() == [["draft", "Work 120.00"]]
    assert Task.objects.count() == 3
