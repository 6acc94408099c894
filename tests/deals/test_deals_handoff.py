"""The handoff: a won deal becomes one draft, whoever wins it and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from deals_world import AT, ON, SYSTEM, Sales, make_sales
from django.db import connection, connections

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import Account
from counterfoil.activities.models import Task
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.core.ids import new_id
from counterfoil.deals import commands, queries
from counterfoil.deals.models import Deal, Handoff
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice

pytestmark = pytest.mark.django_db


def everything() -> tuple[Any, ...]:
    """All rows that a win may touch."""
    return (
        list(Deal.objects.order_by("id").values()),
        list(Handoff.objects.values()),
        list(Invoice.objects.values()),
        list(Account.objects.order_by("id").values()),
    )


# The win --------------------------------------------------------------------------------------------------------------


def test_a_win_makes_one_draft(sales: Sales) -> None:
    """A won deal becomes a draft with its lines and sources, and its account a customer, in one commit."""
    deal_id = sales.ready(
        name="Fleet",
        po_number="PO-9",
        lines=[
            {"product": sales.widget, "quantity": "2"},
            {"product": sales.widget, "quantity": "1", "unit_price": "80", "discount_percent": "10"},
        ],
    )
    handover = sales.win(deal_id)
    assert (handover.deal_id, handover.quote_version, handover.is_new) == (deal_id, 1, True)
    deal = sales.deal(deal_id)
    assert (deal.status, deal.stage.name, deal.closed_on, deal.stage_since) == ("won", "Won", ON, ON)
    draft = Invoice.objects.get()
    assert (draft.pk, draft.status, draft.origin, draft.number) == (handover.invoice_id, "draft", "deal", "")
    assert (draft.deal_id, draft.deal_title, draft.quote_version) == (deal_id, "Fleet", 1)
    assert (draft.account_id, draft.currency, draft.po_number, draft.net) == (
        sales.acme,
        "EUR",
        "PO-9",
        Decimal("272.00"),
    )
    assert draft.sales_owner_id == sales.sam.id
    lines = draft.lines.order_by("position")
    deal_lines = list(deal.lines.order_by("position").values_list("id", flat=True))
    assert [
        (line.description, line.quantity, line.unit_price, line.discount_percent, line.deal_line_id) for line in lines
    ] == [
        ("Widget", Decimal(2), Decimal(100), Decimal(0), deal_lines[0]),
        ("Widget", Decimal(1), Decimal(80), Decimal(10), deal_lines[1]),
    ]
    assert [line.sources["line"] for line in lines] == [
        {"kind": "catalog", "label": "Catalog · Widget", "record": str(sales.widget)},
        {"kind": "deal", "label": "Deal Fleet · line 2", "record": str(deal_id)},
    ]
    assert draft.sources["po_number"]["kind"] == "deal"
    assert draft.sources["terms"]["kind"] == "default"
    assert Account.objects.get(pk=sales.acme).status == "customer"
    assert [(row.quote_version, row.invoice_id, row.by_name) for row in Handoff.objects.all()] == [(1, draft.pk, "Sam")]
    assert sales.events("deals.") == ["deals.deal_added", "deals.deal_won"]
    assert sales.events("invoicing.") == ["invoicing.draft_made"]


def test_winning_again_returns_the_same_draft(sales: Sales) -> None:
    """A second win, with an old version too, changes nothing and gives the first draft."""
    deal_id = sales.ready()
    first = sales.win(deal_id, version=1)
    before = everything()
    again = sales.win(deal_id, actor=sales.bea, version=1)
    assert (again.invoice_id, again.is_new) == (first.invoice_id, False)
    assert everything() == before
    assert sales.events("deals.") == ["deals.deal_added", "deals.deal_won"]


def test_two_deals_of_one_customer(sales: Sales) -> None:
    """Two won deals of one account are two drafts and still one customer."""
    sales.win(sales.ready(name="One"))
    sales.win(sales.ready(name="Two"))
    assert Invoice.objects.filter(account_id=sales.acme).count() == 2
    assert Account.objects.filter(status="customer").count() == 1


def test_a_win_that_is_not_ready_names_each_missing_item(sales: Sales) -> None:
    """Every missing item is named at once, and nothing changes."""
    deal_id = sales.add(account=sales.bare)
    before = everything()
    with pytest.raises(Refusal) as refused:
        sales.win(deal_id)
    assert refused.value.code == "not_ready"
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [
        ("invoice_address", "missing"),
        ("billing_contact", "missing"),
        ("po_number", "missing"),
        ("lines", "missing"),
    ]
    assert refused.value.message == (
        "Billing cannot make a draft of this deal yet. Missing: invoice address, billing contact, PO number, lines."
    )
    assert everything() == before
    assert sales.events("deals.") == ["deals.deal_added"]


def test_without_an_account(sales: Sales) -> None:
    """A deal without an account cannot be won."""
    deal_id = sales.add(lines=[{"product": sales.widget}])
    with pytest.raises(Refusal) as refused:
        sales.win(deal_id)
    assert [problem.field for problem in refused.value.problems] == ["account"]
    assert sales.deal(deal_id).status == "open"


def test_a_failure_behind_the_win_leaves_nothing(sales: Sales, monkeypatch: pytest.MonkeyPatch) -> None:
    """If anything fails after the draft was made, neither draft nor win remains."""
    deal_id = sales.ready()
    before = everything()

    def fail(**_: Any) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr("counterfoil.deals.commands.handoff.become_customers", fail)
    with pytest.raises(RuntimeError):
        sales.win(deal_id)
    assert everything() == before
    assert sales.events("invoicing.") == []


def test_a_stale_win(sales: Sales) -> None:
    """Who wins what somebody else has changed meanwhile is told so first."""
    deal_id = sales.ready()
    commands.change_deal(actor=sales.bea, deal_id=deal_id, values={"name": "Changed"}, on=ON)
    with pytest.raises(Conflict) as refused:
        sales.win(deal_id, version=1)
    assert refused.value.code == "stale"
    assert sales.deal(deal_id).status == "open"
    with pytest.raises(NotFound):
        sales.win(new_id())


# After the win --------------------------------------------------------------------------------------------------------


def test_what_a_live_draft_was_made_from_stays(sales: Sales) -> None:
    """While billing holds the draft, account, lines, PO number and currency stay; names and next steps may change."""
    deal_id = sales.ready()
    sales.win(deal_id)
    before = everything()
    for values in (
        {"lines": [{"product": sales.widget, "quantity": "3"}]},
        {"account": sales.bare},
        {"po_number": "PO-1"},
        {"currency": "USD", "lines": []},
    ):
        with pytest.raises(Conflict) as refused:
            commands.change_deal(actor=sales.sam, deal_id=deal_id, values=values, on=ON)
        assert refused.value.code == "handed_over"
    with pytest.raises(Conflict):
        commands.reopen_deal(actor=sales.sam, deal_id=deal_id, on=ON)
    with pytest.raises(Conflict):
        commands.lose_deal(actor=sales.sam, deal_id=deal_id, reason="Oops", on=ON)
    assert everything() == before
    commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"next_step": "Say thanks"}, on=ON)
    assert sales.deal(deal_id).next_step == "Say thanks"


def test_a_returned_draft_is_handed_over_again(sales: Sales) -> None:
    """When billing returns the draft, sales correct the deal and hand it over as the next quote version."""
    deal_id = sales.ready()
    first = sales.win(deal_id)
    invoicing.return_drafts(actor=sales.bea, invoice_ids=[first.invoice_id], reason="Wrong quantity", at=AT)
    assert Task.objects.filter(done_at=None).count() == 1
    commands.change_deal(
        actor=sales.sam, deal_id=deal_id, values={"lines": [{"product": sales.widget, "quantity": "3"}]}, on=ON
    )
    second = sales.win(deal_id)
    assert (second.quote_version, second.is_new) == (2, True)
    assert second.invoice_id != first.invoice_id
    drafts = Invoice.objects.order_by("quote_version").values_list("quote_version", "status", "net")
    assert list(drafts) == [(1, "returned", Decimal(200)), (2, "draft", Decimal(300))]
    assert sales.win(deal_id) == commands.Handover(deal_id, second.invoice_id, 2, is_new=False)
    assert sales.events("deals.") == [
        "deals.deal_added",
        "deals.deal_won",
        "deals.deal_changed",
        "deals.deal_handed_over",
    ]
    assert Task.objects.filter(done_at=None).count() == 0


def test_reopened_after_a_return(sales: Sales) -> None:
    """A won deal whose draft was returned can be opened again, and lost."""
    deal_id = sales.ready()
    first = sales.win(deal_id)
    invoicing.return_drafts(actor=sales.bea, invoice_ids=[first.invoice_id], reason="They said no", at=AT)
    commands.reopen_deal(actor=sales.sam, deal_id=deal_id, on=ON)
    commands.lose_deal(actor=sales.sam, deal_id=deal_id, reason="They said no", on=ON)
    assert sales.deal(deal_id).status == "lost"


def test_a_deal_won_elsewhere(sales: Sales) -> None:
    """A deal that came won from another system is not handed over; opened again, it can be won here."""
    deal_id = sales.ready()
    won = sales.stage("Won")
    Deal.objects.filter(pk=deal_id).update(status="won", stage=won, closed_on=ON, is_imported=True)
    before = everything()
    with pytest.raises(Conflict) as refused:
        sales.win(deal_id)
    assert refused.value.code == "won_elsewhere"
    with pytest.raises(Conflict):
        commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"lines": []}, on=ON)
    assert everything() == before
    state = queries.handoff_of(sales.sam, deal_id, ON)
    assert state is not None
    assert state.was_won_elsewhere
    commands.reopen_deal(actor=sales.sam, deal_id=deal_id, on=ON)
    assert sales.win(deal_id).is_new


# Getting what is missing ----------------------------------------------------------------------------------------------


def test_naming_a_billing_contact(sales: Sales) -> None:
    """Somebody new, or somebody known with an address, becomes the billing contact in one step."""
    deal_id = sales.add(account=sales.bare)
    assert "billing_contact" in sales.lacking(deal_id)
    with pytest.raises(Refusal) as refused:
        commands.name_billing_contact(
            actor=sales.sam, account_id=sales.bare, contact_id=None, values={"name": "Ann"}, on=ON
        )
    assert refused.value.field == "email"
    nora = accounts.add_contact(actor=SYSTEM, values={"name": "Nora"}, on=ON)
    with pytest.raises(Refusal) as refused:
        commands.name_billing_contact(actor=sales.sam, account_id=sales.bare, contact_id=nora, values={}, on=ON)
    assert refused.value.message == "Enter an e-mail address at which Nora can be reached."
    commands.name_billing_contact(
        actor=sales.sam, account_id=sales.bare, contact_id=nora, values={"email": "nora@bare.example"}, on=ON
    )
    assert "billing_contact" not in sales.lacking(deal_id)


def test_asking_opens_one_task(sales: Sales) -> None:
    """Asking for a missing item opens one task however often it is asked, and the win closes it."""
    deal_id = sales.ready()
    accounts.change_account(
        actor=SYSTEM, account_id=sales.acme, values={"tax_profile": "exempt", "tax_exemption_reason": "X"}, version=None
    )
    Account.objects.filter(pk=sales.acme).update(tax_profile="reverse_charge")
    assert sales.lacking(deal_id) == ["tax_id"]
    task = commands.ask_for_item(actor=sales.sam, deal_id=deal_id, code="tax_id", on=ON)
    assert commands.ask_for_item(actor=sales.bea, deal_id=deal_id, code="tax_id", on=ON) == task
    asked = Task.objects.get()
    assert (asked.title, asked.record_id, asked.account_id) == (
        "Tax id is missing for Acme",
        deal_id,
        sales.acme,
    )
    with pytest.raises(NotFound):
        commands.ask_for_item(actor=sales.sam, deal_id=deal_id, code="terms", on=ON)
    accounts.change_account(
        actor=SYSTEM,
        account_id=sales.acme,
        values={"tax_identifiers": [{"country": "AT", "value": "ATU12345675"}]},
        version=None,
    )
    sales.win(deal_id)
    assert Task.objects.filter(done_at=None).count() == 0


# At once --------------------------------------------------------------------------------------------------------------


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """The results of all works, each run in a thread and on a connection of its own, started together."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=30)
            results[place] = work()
        except Exception as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
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
def test_eight_threads_win_one_deal(together: Sales) -> None:
    """Eight threads that win the same deal at the same moment get one draft; exactly one of them made it."""
    deal_id = together.ready()
    results = at_once(*[lambda: together.win(deal_id)] * 8)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert len({result.invoice_id for result in results}) == 1
    assert sum(result.is_new for result in results) == 1
    assert Invoice.objects.count() == 1
    assert Handoff.objects.count() == 1
    assert together.events("deals.") == ["deals.deal_added", "deals.deal_won"]


@pytest.mark.django_db(transaction=True)
def test_eight_threads_hand_over_a_returned_draft(together: Sales) -> None:
    """Handing over again from eight threads makes one draft of the next quote version."""
    deal_id = together.ready()
    first = together.win(deal_id)
    invoicing.return_drafts(actor=together.bea, invoice_ids=[first.invoice_id], reason="Again", at=AT)
    results = at_once(*[lambda: together.win(deal_id)] * 8)
    assert {(result.quote_version, result.invoice_id) for result in results} == {(2, results[0].invoice_id)}
    assert Invoice.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_change_and_a_win_at_once(together: Sales) -> None:
    """A change of the lines either comes before the win and is on the draft, or is refused: never in between."""
    deal_id = together.ready()

    def change() -> None:
        commands.change_deal(
            actor=together.sam,
            deal_id=deal_id,
            values={"lines": [{"product": together.widget, "quantity": "5"}]},
            on=ON,
        )

    results = at_once(change, lambda: together.win(deal_id))
    draft = Invoice.objects.get()
    assert draft.net == together.deal(deal_id).amount
    if isinstance(results[0], Exception):
        assert isinstance(results[0], Conflict)
        assert draft.net == Decimal(200)
    else:
        assert draft.net == Decimal(500)


@pytest.mark.django_db(transaction=True)
def test_win_and_lose_at_once(together: Sales) -> None:
    """Of a win and a loss at the same moment one wins, and a lost deal has no draft."""
    deal_id = together.ready()
    results = at_once(
        lambda: together.win(deal_id),
        lambda: commands.lose_deal(actor=together.sam, deal_id=deal_id, reason="No", on=ON),
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    status = together.deal(deal_id).status
    assert (status, Invoice.objects.count()) in {("won", 1), ("lost", 0)}


def test_actors_without_a_person(sales: Sales) -> None:
    """The product itself can win a deal, and is named on the handoff."""
    deal_id = sales.ready()
    commands.win_deal(actor=Actor.system("Automation"), deal_id=deal_id, on=ON, at=AT)
    assert Handoff.objects.get().by_name == "Automation"
