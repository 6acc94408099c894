"""Won deals with recurring lines: one subscription, whose first period stands on the deal's own draft."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from deals_world import AT, ON, SYSTEM, Sales, make_sales
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.activities.models import Task
from counterfoil.catalog.rules.pricing import FLAT, PER_UNIT, Pricing, Tier, price_of
from counterfoil.core.errors import Conflict, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import rounded
from counterfoil.deals import commands, jobs, queries
from counterfoil.deals.models import Deal, Handoff, Renewal
from counterfoil.deals.rules.amounts import PricedLine, line_net
from counterfoil.deals.rules.recurring import Agreed, Offered, agreed, as_long_again, offered
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing import clock
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.models import BilledPeriod, ItemVersion, Subscription, SubscriptionItem
from counterfoil.subscriptions.rules.agreement import Discount, Span
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

pytestmark = pytest.mark.django_db

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


def everything() -> tuple[Any, ...]:
    """All rows that a win may touch."""
    tables = (Deal, Handoff, Invoice, Subscription, SubscriptionItem, ItemVersion, BilledPeriod)
    return tuple(list(table.objects.order_by("id").values()) for table in tables)


def both(sales: Sales, **values: Any) -> UUID:
    """A widget once, and two of Support each month."""
    lines = [{"product": sales.widget}, {"product": sales.support, "quantity": "2"}]
    return sales.ready(**{"lines": lines, **values})


def run(on: date) -> int:
    """Bill what is due; answers how many documents that made."""
    made = 0
    at = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    while (done := subscriptions.bill_due(actor=SYSTEM, on=on, at=at)).subscriptions:
        made += done.documents
    return made


def shown(invoice: Invoice) -> list[str]:
    """The lines: kind, what, days of service, net."""
    return [
        f"{line.kind} {line.description} {line.service_from}/{line.service_to} {line.quantity.normalize():f} "
        f"{line.net:.2f}"
        for line in invoice.lines.order_by("position")
    ]


def ledger() -> list[str]:
    """The rows of billed periods: kind, days, net."""
    return [
        f"{row.kind} {row.starts_at:%m-%d}/{row.ends_at:%m-%d} {row.net:.2f}"
        for row in BilledPeriod.objects.order_by("id")
    ]


def broken() -> list[str]:
    return [finding.invariant.key for finding in verify() if not finding.holds]


# The win --------------------------------------------------------------------------------------------------------------


def test_one_draft_and_one_subscription(sales: Sales) -> None:
    """What is sold once and the first period of the rest stand on one draft; the rest goes on as a subscription."""
    deal_id = both(sales, name="Fleet", po_number="PO-9")
    handover = sales.win(deal_id)
    draft, subscription = Invoice.objects.get(), Subscription.objects.get()
    assert handover == commands.Handover(deal_id, draft.pk, 1, True, subscription.pk)
    assert (draft.status, draft.origin, draft.deal_id, draft.net) == ("draft", "deal", deal_id, Decimal("150.00"))
    assert draft.internal_notes == ""
    assert shown(draft) == [
        "one_off Widget None/None 1 100.00",
        "recurring Support 2026-04-01/2026-05-01 2 50.00",
    ]
    assert (subscription.deal_id, subscription.quote_version, subscription.title) == (deal_id, 1, "Fleet")
    assert (subscription.account_id, subscription.owner_id) == (sales.acme, sales.sam.id)
    assert (subscription.po_number, subscription.currency) == ("PO-9", "EUR")
    assert subscription.due_at == datetime(2026, 5, 1, tzinfo=UTC)
    (line,) = draft.lines.filter(kind="recurring")
    (row,) = BilledPeriod.objects.all()
    assert (row.invoice_id, row.line_id, row.net) == (draft.pk, line.pk, Decimal("50.00"))
    assert line.subscription_id == subscription.pk
    assert [(one.invoice_id, one.subscription_id) for one in Handoff.objects.all()] == [(draft.pk, subscription.pk)]
    assert sales.events("subscriptions.") == ["subscriptions.subscription_started"]
    assert sales.events("invoicing.") == ["invoicing.draft_made"]
    assert broken() == []


def test_nothing_more_goes_out_before_the_draft(sales: Sales) -> None:
    """While billing reviews the first period nothing is billed; once it is issued, what waited is caught up."""
    handover = sales.win(both(sales))
    assert run(JULY) == 0
    assert Invoice.objects.count() == 1
    invoicing.issue_invoices(actor=sales.bea, invoice_ids=[handover.invoice_id], on=JULY, at=AT, send=False)
    assert run(JULY) == 1
    later = Invoice.objects.exclude(pk=handover.invoice_id).get()
    assert (later.status, later.origin) == ("issued", "subscription")
    assert shown(later) == [
        "recurring Support 2026-05-01/2026-06-01 2 50.00",
        "recurring Support 2026-06-01/2026-07-01 2 50.00",
        "recurring Support 2026-07-01/2026-08-01 2 50.00",
    ]
    assert run(JULY) == 0
    assert broken() == []


def test_only_recurring_lines(sales: Sales) -> None:
    """A deal without one-off lines has a draft of the first periods alone, which can be approved."""
    lines = [
        {"product": sales.support, "quantity": "4"},
        {"product": sales.support, "unit_price": "300", "interval": "quarter"},
        {"product": sales.support, "unit_price": "1200", "discount_percent": "12.5", "interval": "year"},
    ]
    deal_id = sales.ready(lines=lines)
    sales.win(deal_id)
    draft = Invoice.objects.get()
    assert shown(draft) == [
        "recurring Support 2026-04-01/2026-05-01 4 100.00",
        "recurring Support 2026-04-01/2026-07-01 1 300.00",
        "recurring Support 2026-04-01/2027-04-01 1 1050.00",
    ]
    assert draft.net == sales.deal(deal_id).amount
    assert not any(check["level"] == "blocking" for check in draft.checks)


def test_nothing_due_yet(sales: Sales) -> None:
    """A service that starts later has a subscription and no draft; its first document is reviewed when it is due."""
    deal_id = sales.ready(lines=[{"product": sales.support, "quantity": "4"}], service_starts_on="2026-06-01")
    handover = sales.win(deal_id)
    assert (handover.invoice_id, Invoice.objects.count()) == (None, 0)
    assert sales.win(deal_id) == commands.Handover(deal_id, None, 1, False, handover.subscription_id)
    state = queries.handoff_of(sales.bea, deal_id, ON)
    assert state is not None
    assert (state.document, state.is_live, state.may_hand_over) == (None, True, False)
    assert state.subscription is not None
    assert (state.subscription.starts_on, state.subscription.next_on, state.subscription.waits) == (JUNE, JUNE, False)
    before = everything()
    for wish in (
        lambda: commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"lines": []}, on=ON),
        lambda: commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"service_starts_on": MAY}, on=ON),
        lambda: commands.reopen_deal(actor=sales.sam, deal_id=deal_id, on=ON),
    ):
        with pytest.raises(Conflict) as refused:
            wish()
        assert refused.value.code == "handed_over"
    assert everything() == before
    assert (run(MAY), run(JUNE)) == (0, 1)
    first = Invoice.objects.get()
    assert (first.status, first.origin) == ("draft", "subscription")
    assert shown(first) == ["recurring Support 2026-06-01/2026-07-01 4 100.00"]
    assert run(JULY) == 0
    with pytest.raises(Conflict) as refused:
        invoicing.discard_draft(actor=sales.bea, invoice_id=first.pk, version=None)
    assert refused.value.code == "bills_a_subscription"
    invoicing.issue_invoices(actor=sales.bea, invoice_ids=[first.pk], on=JULY, at=AT, send=False)
    assert run(JULY) == 1
    assert set(Invoice.objects.values_list("status", flat=True)) == {"issued"}
    assert broken() == []


def test_a_service_that_began_before(sales: Sales) -> None:
    """What runs since a day before the win is billed from that day on, on the draft."""
    sales.win(both(sales, service_starts_on="2026-02-10"))
    assert shown(Invoice.objects.get())[1:] == [
        "recurring Support 2026-02-10/2026-03-10 2 50.00",
        "recurring Support 2026-03-10/2026-04-10 2 50.00",
    ]


def test_free_lines_are_billed_as_nothing(sales: Sales) -> None:
    """A recurring line that costs nothing is agreed, and stands on no document."""
    lines = [{"product": sales.widget}, {"product": sales.support, "unit_price": "0"}]
    sales.win(sales.ready(lines=lines))
    assert shown(Invoice.objects.get()) == ["one_off Widget None/None 1 100.00"]
    assert [(row.net, row.line_id, row.invoice_id) for row in BilledPeriod.objects.all()] == [(Decimal(0), None, None)]


def test_a_price_beyond_all_bounds_changes_nothing(sales: Sales) -> None:
    """What no subscription can hold is refused, and the deal stays open."""
    line = {"product": sales.support, "unit_price": "999999999999.999999", "quantity": "3"}
    deal_id = sales.ready(lines=[line])
    before = everything()
    with pytest.raises(Refusal) as refused:
        sales.win(deal_id)
    assert refused.value.code == "too_large"
    assert everything() == before
    assert (Subscription.objects.count(), sales.deal(deal_id).status) == (0, "open")


def test_a_win_without_recurring_lines_costs_what_it_did(sales: Sales) -> None:
    """A deal that is sold once asks the database no more often for there being subscriptions."""
    sales.win(sales.ready(name="Warm"))
    deal_id = sales.ready(name="Counted")
    with CaptureQueriesContext(connection) as captured:
        sales.win(deal_id)
    assert len(captured) == 14
    assert not any("subscriptions_" in one["sql"] for one in captured.captured_queries)


# Returned drafts ------------------------------------------------------------------------------------------------------


def test_a_returned_draft_takes_its_subscription_back(sales: Sales) -> None:
    """The subscription of a returned draft ends at its start, its ledger comes to nothing, and it is billed never."""
    handover = sales.win(both(sales))
    invoicing.return_drafts(actor=sales.bea, invoice_ids=[handover.invoice_id], reason="Wrong price", at=AT)
    assert run(JULY) == 0
    with clock.stopped_at(AT):
        run_waiting_jobs()
    subscription = Subscription.objects.get()
    assert subscription.never_ran
    assert (subscription.due_at, subscription.end_reason) == (None, "Billing returned the draft: Wrong price")
    assert ledger() == ["recurring 04-01/05-01 50.00", "proration_credit 04-01/05-01 -50.00"]
    before = everything()
    assert run(JULY) == 0
    taken = subscriptions.take_back(
        actor=SYSTEM, deal_id=handover.deal_id, quote_version=1, on=ON, at=AT, reason="Again"
    )
    assert taken is False
    assert everything() == before
    state = queries.handoff_of(sales.bea, handover.deal_id, ON)
    assert state is not None
    assert state.subscription is not None
    assert (state.subscription.state, state.subscription.next_on, state.may_hand_over) == ("returned", None, True)
    commands.reopen_deal(actor=sales.sam, deal_id=handover.deal_id, on=ON)
    assert sales.deal(handover.deal_id).status == "open"
    assert broken() == []


@pytest.mark.parametrize("is_told_first", [True, False])
def test_the_next_quote_version_replaces_it(sales: Sales, is_told_first: bool) -> None:
    """Handed over again, the deal has a draft and a subscription of its next version, and one that was taken back."""
    handover = sales.win(both(sales))
    invoicing.return_drafts(actor=sales.bea, invoice_ids=[handover.invoice_id], reason="Three", at=AT)
    if is_told_first:
        with clock.stopped_at(AT):
            run_waiting_jobs()
    lines = [{"product": sales.widget}, {"product": sales.support, "quantity": "3"}]
    commands.change_deal(actor=sales.sam, deal_id=handover.deal_id, values={"lines": lines}, on=ON)
    second = sales.win(handover.deal_id)
    assert (second.quote_version, second.is_new) == (2, True)
    with clock.stopped_at(AT):
        run_waiting_jobs()
    assert [
        (one.quote_version, one.never_ran, one.due_at) for one in Subscription.objects.order_by("quote_version")
    ] == [(1, True, None), (2, False, datetime(2026, 5, 1, tzinfo=UTC))]
    assert sorted(ledger()) == [
        "proration_credit 04-01/05-01 -50.00", "recurring 04-01/05-01 50.00", "recurring 04-01/05-01 75.00",
    ]  # fmt: skip
    drafts = Invoice.objects.order_by("quote_version").values_list("status", "net")
    assert list(drafts) == [("returned", Decimal("150.00")), ("draft", Decimal("175.00"))]
    assert sales.win(handover.deal_id) == commands.Handover(
        handover.deal_id, second.invoice_id, 2, False, second.subscription_id
    )
    assert Task.objects.filter(done_at=None).count() == 0
    assert broken() == []


def test_a_draft_of_a_deal_is_never_discarded(sales: Sales) -> None:
    """A draft with a first period is returned, not discarded: the ledger stays as it is."""
    handover = sales.win(both(sales))
    before = everything()
    assert handover.invoice_id is not None
    with pytest.raises(Conflict) as refused:
        invoicing.discard_draft(actor=sales.bea, invoice_id=handover.invoice_id, version=None)
    assert refused.value.code == "from_a_deal"
    assert everything() == before


def test_ended_from_its_first_day(sales: Sales) -> None:
    """A subscription without a draft that billing ends at its start is handed over again."""
    deal_id = sales.ready(lines=[{"product": sales.support}], service_starts_on="2026-06-01")
    first = sales.win(deal_id)
    assert first.subscription_id is not None
    subscriptions.cancel_subscription(actor=sales.bea, subscription_id=first.subscription_id, when=JUNE, on=ON, at=AT)
    commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"service_starts_on": None}, on=ON)
    second = sales.win(deal_id)
    assert (second.quote_version, second.is_new) == (2, True)
    assert shown(Invoice.objects.get()) == ["recurring Support 2026-04-01/2026-05-01 1 25.00"]
    assert broken() == []


# At once --------------------------------------------------------------------------------------------------------------


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """The results of all works, each run in a thread and on a connection of its own, started together."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def work_at(place: int, work: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=30)
            results[place] = work()
        except Exception as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work_at, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.fixture
def together(transactional_db: None) -> Iterator[Sales]:
    """The same world in a database that commits."""
    yield make_sales()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_eight_threads(together: Sales) -> None:
    """Eight wins at once are one draft and one subscription; eight after a return are one more, and one taken back."""
    deal_id = both(together)
    results = at_once(*[lambda: together.win(deal_id)] * 8)
    assert len({(one.invoice_id, one.subscription_id) for one in results}) == 1
    assert sum(one.is_new for one in results) == 1
    assert (Invoice.objects.count(), Subscription.objects.count(), len(ledger())) == (1, 1, 1)
    invoicing.return_drafts(actor=together.bea, invoice_ids=[results[0].invoice_id], reason="Again", at=AT)

    def told() -> bool:
        return subscriptions.take_back(actor=SYSTEM, deal_id=deal_id, quote_version=1, on=ON, at=AT, reason="Returned")

    results = at_once(*[lambda: together.win(deal_id)] * 6, told, lambda: run(JULY))
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len({(one.quote_version, one.subscription_id) for one in results[:6]}) == 1
    assert sorted(ledger()) == [
        "proration_credit 04-01/05-01 -50.00", "recurring 04-01/05-01 50.00", "recurring 04-01/05-01 50.00",
    ]  # fmt: skip
    assert Subscription.objects.filter(ends_at=None).count() == 1
    assert broken() == []


# What is billed -------------------------------------------------------------------------------------------------------


def test_prices_of_lines() -> None:
    """A price per unit where it can be exact, else one fee of exactly the line."""
    assert agreed("Seat", PricedLine(Decimal(3), Decimal("19.90"), Decimal("10")), "EUR") == Agreed(
        "Seat", Decimal(3), Pricing(PER_UNIT, Decimal("17.91"))
    )
    assert agreed("Seat", PricedLine(Decimal(3), Decimal("0.999999"), Decimal("33.3333")), "EUR") == Agreed(
        "3 × Seat", Decimal(1), Pricing(FLAT, Decimal("2.00"))
    )
    assert agreed("Seat", PricedLine(Decimal(1), Decimal("9.995")), "EUR") == Agreed(
        "Seat", Decimal(1), Pricing(FLAT, Decimal("10.00"))
    )


@given(
    st.decimals("0.000001", "999999", places=6),
    st.decimals("0", "999999", places=6),
    st.decimals("0", "100", places=4),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_billed_as_the_line_to_the_cent(quantity: Decimal, price: Decimal, discount: Decimal, currency: str) -> None:
    """However a company rounds, a period costs what the line says; the price fits its column."""
    line = PricedLine(quantity, price, discount)
    found = agreed("Thing", line, currency)
    exact = price_of(found.pricing, found.quantity)
    for how in ("half_up", "half_even", "down"):
        assert rounded(exact, currency, how) == line_net(line, currency)  # type: ignore[arg-type]
    assert found.pricing.amount is not None
    assert found.pricing.amount == round(found.pricing.amount, 6)


# Renewals -------------------------------------------------------------------------------------------------------------


def test_terms_as_long_again() -> None:
    """A term of whole months is as many months again, any other as many days."""
    assert as_long_again(ON, date(2026, 10, 1), date(2026, 10, 1)) == date(2027, 4, 1)
    assert as_long_again(date(2026, 1, 31), date(2026, 2, 28), date(2026, 2, 28)) == date(2026, 3, 28)
    assert as_long_again(ON, date(2026, 4, 11), date(2026, 4, 11)) == date(2026, 4, 21)


TIERED = Pricing("graduated", tiers=(Tier(Decimal(10), Decimal(5)), Tier(None, Decimal(4))))


def test_offers_of_items() -> None:
    """A line offers what it can say, and nothing that it cannot."""
    ten = (Discount(percent=Decimal(10)),)
    per_unit = Pricing(PER_UNIT, Decimal(10))
    assert offered(per_unit, Decimal(3), Interval("month"), ten) == Offered(
        Decimal(3), Decimal(10), Decimal(10), "month"
    )
    assert offered(TIERED, Decimal(15), Interval("year"), ()) == Offered(Decimal(1), Decimal(70), Decimal(0), "year")
    assert offered(per_unit, Decimal(3), Interval("month", 3), (Discount(percent=Decimal(5), periods=1),)) == Offered(
        Decimal(3), Decimal(10), Decimal(0), "quarter"
    )
    assert offered(per_unit, Decimal(3), Interval("week"), ()) is None
    taken_off = (Discount(percent=Decimal(10), stops=(Span(date(2026, 4, 2), None),)),)
    assert offered(per_unit, Decimal(3), Interval("month"), taken_off) == Offered(
        Decimal(3), Decimal(10), Decimal(0), "month"
    )


def committed(sales: Sales, **more: Any) -> UUID:
    """Two of Support each month since April, committed until October."""
    item = ItemOrder("support", "Support", Pricing(PER_UNIT, Decimal(25)), Interval("month"), Decimal(2))
    weekly = ItemOrder("visit", "Visit", Pricing(FLAT, Decimal(9)), Interval("week"))
    order = SubscriptionOrder(
        account_id=sales.acme, items=(item, weekly), start=ON, title="Care", owner_id=sales.sam.id,
        committed_to=date(2026, 10, 1), po_number="PO-7", **more,
    )  # fmt: skip
    return subscriptions.start_subscriptions(actor=SYSTEM, orders=[order], on=ON, at=AT)[0]


def renew(subscription_id: UUID, on: date) -> UUID | None:
    return commands.open_renewal(actor=SYSTEM, subscription_id=subscription_id, on=on, at=AT)


def test_a_renewal_is_opened_once(sales: Sales) -> None:
    """Notice and thirty days before its term ends, a subscription has a deal with its lines, once per term."""
    subscription_id = committed(sales, notice_days=60)
    assert queries.due_renewals(on=date(2026, 7, 2), limit=9) == []
    assert renew(subscription_id, date(2026, 7, 2)) is None
    assert queries.due_renewals(on=date(2026, 7, 3), limit=9) == [subscription_id]
    subscriptions.change_subscription(
        actor=SYSTEM, subscription_id=subscription_id, when=JUNE, on=ON, at=AT,
        items=[ItemOrder("support", "Support", Pricing(PER_UNIT, Decimal(25)), Interval("month"), Decimal(5))],
    )  # fmt: skip
    deal_id = renew(subscription_id, date(2026, 7, 3))
    deal = Deal.objects.get()
    assert deal.pk == deal_id
    assert (deal.name, deal.status, deal.owner_id, deal.account_id) == (
        "Renewal of Care", "open", sales.sam.id, sales.acme,
    )  # fmt: skip
    assert (deal.expected_close_on, deal.service_starts_on, deal.po_number) == (
        date(2026, 10, 1), date(2026, 10, 1), "PO-7",
    )  # fmt: skip
    (line,) = deal.lines.all()
    assert (line.description, line.quantity, line.unit_price, line.interval) == (
        "Support", Decimal(5), Decimal(25), "month",
    )  # fmt: skip
    before = everything()
    assert renew(subscription_id, date(2026, 9, 1)) is None
    assert queries.due_renewals(on=date(2026, 9, 1), limit=9) == []
    assert everything() == before
    with pytest.raises(IntegrityError), transaction.atomic():
        Renewal.objects.create(
            id=new_id(), subscription_id=subscription_id, committed_to=date(2026, 10, 1), deal_id=sales.ready(),
            opened_at=AT,
        )  # fmt: skip


def test_what_lines_cannot_say_is_noted(sales: Sales) -> None:
    """An item that no line can offer stands in the notes of the renewal."""
    deal_id = renew(committed(sales), date(2026, 9, 1))
    deal = Deal.objects.get(pk=deal_id)
    assert [line.description for line in deal.lines.all()] == ["Support"]
    assert deal.notes == "Renews SUB-{:05d}, committed to 2026-10-01.\nNot among the lines: 1 × Visit.".format(
        int(Subscription.objects.get().number.removeprefix("SUB-"))
    )


def test_the_sweep_opens_renewals(sales: Sales) -> None:
    """The sweep finds what is due, its job opens the deal, and the next sweep finds nothing."""
    committed(sales)
    with clock.stopped_at(datetime(2026, 8, 31, 12, tzinfo=UTC)):
        assert jobs.renewals_due() == 0
    with clock.stopped_at(datetime(2026, 9, 1, 12, tzinfo=UTC)):
        assert (jobs.renewals_due(), jobs.renewals_due()) == (1, 1)
        run_waiting_jobs()
        assert jobs.renewals_due() == 0
    assert Renewal.objects.count() == Deal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_threads_open_one_renewal(together: Sales) -> None:
    """Opened from eight threads at once, there is one deal."""
    subscription_id = committed(together)
    results = at_once(*[lambda: renew(subscription_id, date(2026, 9, 1))] * 8)
    assert [one for one in results if isinstance(one, Exception)] == []
    assert len([one for one in results if one is not None]) == 1
    assert (Deal.objects.count(), Renewal.objects.count()) == (1, 1)


def test_a_won_renewal_follows_without_gap_or_overlap(sales: Sales) -> None:
    """The subscription ends where the one that renews it starts."""
    subscription_id = committed(sales, notice_days=10)
    deal_id = renew(subscription_id, date(2026, 9, 1))
    assert deal_id is not None
    handover = commands.win_deal(actor=sales.sam, deal_id=deal_id, on=date(2026, 9, 10), at=AT)
    before = Subscription.objects.get(pk=subscription_id)
    after = Subscription.objects.get(pk=handover.subscription_id)
    assert before.ends_at == after.starts_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert (after.committed_to, after.notice_days) == (date(2027, 4, 1), 10)
    assert queries.due_renewals(on=date(2027, 2, 19), limit=9) == []
    assert queries.due_renewals(on=date(2027, 2, 20), limit=9) == [after.pk]
