"""Adding and changing deals, moving and losing them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from deals_world import ON, SYSTEM, Sales, eur

from counterfoil.accounts import commands as accounts
from counterfoil.catalog import commands as catalog
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.deals import commands
from counterfoil.deals.models import Deal, DealContact, DealLine

pytestmark = pytest.mark.django_db


def problems(refused: pytest.ExceptionInfo[Refusal]) -> dict[str, str]:
    return {problem.field: problem.code for problem in refused.value.problems}


# Adding ---------------------------------------------------------------------------------------------------------------


def test_add_fills_in_what_is_known(sales: Sales) -> None:
    """A deal with nothing but a name and lines takes stage, owner, currency and prices from what is known."""
    deal = sales.deal(
        sales.add(account=sales.acme, lines=[{"product": sales.widget, "quantity": "3"}, {"product": sales.support}])
    )
    assert (deal.stage.name, deal.status, deal.owner_id, deal.currency) == ("Prospecting", "open", sales.sam.id, "EUR")
    assert (deal.stage_since, deal.closed_on, deal.amount) == (ON, None, Decimal("325"))
    lines = deal.lines.order_by("position").values_list(
        "position", "description", "quantity", "unit", "unit_price", "interval"
    )
    assert list(lines) == [
        (1, "Widget", Decimal(3), "pcs", Decimal(100), "one_off"),
        (2, "Support", Decimal(1), "", Decimal(25), "month"),
    ]
    assert sales.events() == ["deals.deal_added"]


def test_amount_before_there_are_lines(sales: Sales) -> None:
    """Without lines the amount is what somebody expects; with lines it is their sum and cannot be typed."""
    deal_id = sales.add(amount="5000")
    assert sales.amount(deal_id) == eur("5000.00")
    commands.change_deal(
        actor=sales.sam, deal_id=deal_id, values={"lines": [{"product": sales.widget, "quantity": "2"}]}, on=ON
    )
    assert sales.amount(deal_id) == eur("200.00")
    with pytest.raises(Refusal) as refused:
        commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"amount": "999"}, on=ON)
    assert problems(refused) == {"amount": "worked_out"}
    commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"lines": []}, on=ON)
    assert sales.amount(deal_id) == eur("200.00")


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"name": "missing"}),
        ({"name": "  "}, {"name": "missing"}),
        ({"name": "x" * 201}, {"name": "too_long"}),
        ({"name": "10 MB" * 2_000_000}, {"name": "too_long"}),
        ({"name": "nul\x00"}, {"name": "control_character"}),
        ({"name": 7.5}, {"name": "not_text"}),
        ({"name": "x", "colour": "red"}, {"colour": "unknown_field"}),
        ({"name": "x", "status": "won"}, {"status": "read_only"}),
        ({"name": "x", "account": "nonsense"}, {"account": "not_an_id"}),
        ({"name": "x", "account": str(new_id())}, {"account": "no_such_record"}),
        ({"name": "x", "currency": "XXX"}, {"currency": "unknown_currency"}),
        ({"name": "x", "expected_close_on": "2026-02-30"}, {"expected_close_on": "not_a_date"}),
        ({"name": "x", "amount": "-1"}, {"amount": "too_small"}),
        ({"name": "x", "amount": "1.005"}, {"amount": "too_many_decimals"}),
        ({"name": "x", "amount": "1e30"}, {"amount": "out_of_range"}),
        ({"name": "x", "lines": "none"}, {"lines": "not_a_list"}),
        (
            {"name": "x", "lines": [{"quantity": "1"}]},
            {"lines.0.description": "missing", "lines.0.unit_price": "missing"},
        ),
        (
            {"name": "x", "lines": [{"description": "a", "unit_price": "1", "quantity": "-2"}]},
            {"lines.0.quantity": "too_small"},
        ),
        (
            {"name": "x", "lines": [{"description": "a", "unit_price": "1", "quantity": "0"}]},
            {"lines.0.quantity": "too_small"},
        ),
        ({"name": "x", "lines": [{"description": "a", "unit_price": "-1"}]}, {"lines.0.unit_price": "too_small"}),
        (
            {"name": "x", "lines": [{"description": "a", "unit_price": "1", "discount_percent": "100.5"}]},
            {"lines.0.discount_percent": "too_large"},
        ),
        (
            {"name": "x", "lines": [{"description": "a", "unit_price": "1", "interval": "daily"}]},
            {"lines.0.interval": "not_a_choice"},
        ),
        (
            {"name": "x", "lines": [{"description": "a", "unit_price": "99999999999", "quantity": "99999999999"}]},
            {"lines": "out_of_range"},
        ),
    ],
)
def test_bad_input_is_named_at_its_field(sales: Sales, values: dict[str, Any], wrong: dict[str, str]) -> None:
    """Each bad value is refused at its field with its code, and no deal is added."""
    with pytest.raises(Refusal) as refused:
        commands.add_deal(actor=sales.sam, values=values, on=ON)
    assert problems(refused) == wrong
    assert Deal.objects.count() == 0
    assert DealLine.objects.count() == 0
    assert sales.events() == []


def test_a_new_deal_starts_open(sales: Sales) -> None:
    """A deal cannot be added as won or lost, nor in a stage of another pipeline."""
    other = commands.add_pipeline(actor=SYSTEM, values={"name": "Partners"})
    with pytest.raises(Refusal) as refused:
        sales.add(stage=sales.stage("Won"))
    assert problems(refused) == {"stage": "not_open"}
    with pytest.raises(Refusal) as refused:
        sales.add(stage=sales.stage("Proposal"), pipeline=other)
    assert problems(refused) == {"stage": "not_in_pipeline"}
    assert Deal.objects.count() == 0
    assert sales.deal(sales.add(pipeline=other)).stage.pipeline_id == other


def test_prices_of_another_currency_are_asked_for(sales: Sales) -> None:
    """A list price counts only in the deal's currency; without one, the line asks for its price."""
    with pytest.raises(Refusal) as refused:
        sales.add(currency="USD", lines=[{"product": sales.widget}])
    assert [(one.field, one.message) for one in refused.value.problems] == [
        ("lines.0.unit_price", "Widget is priced in EUR. Enter its price in USD.")
    ]
    deal_id = sales.ready()
    with pytest.raises(Refusal) as refused:
        commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"currency": "USD"}, on=ON)
    assert problems(refused) == {"currency": "priced_lines"}
    assert sales.amount(deal_id) == eur("200.00")


def test_external_id_once(sales: Sales) -> None:
    """Two deals never have the same id of another system."""
    sales.add(external_id="X-1")
    with pytest.raises(Refusal) as refused:
        sales.add(external_id="X-1")
    assert problems(refused) == {"external_id": "taken"}


def test_rights(sales: Sales) -> None:
    """Sales add deals; an accountant neither adds, changes, moves, wins nor loses one, and nothing changes."""
    deal_id = sales.ready()
    before = list(Deal.objects.values())
    attempts: list[Any] = [
        lambda: sales.add(actor=sales.archie),
        lambda: commands.change_deal(actor=sales.archie, deal_id=deal_id, values={"name": "y"}, on=ON),
        lambda: commands.move_deal(actor=sales.archie, deal_id=deal_id, stage_id=sales.stage("Proposal"), on=ON),
        lambda: sales.win(deal_id, actor=sales.archie),
        lambda: commands.lose_deal(actor=sales.archie, deal_id=deal_id, reason="x", on=ON),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            attempt()
    assert list(Deal.objects.values()) == before
    with pytest.raises(NotAllowed):
        commands.add_pipeline(actor=sales.sam, values={"name": "Mine"})


# Changing -------------------------------------------------------------------------------------------------------------


def test_change_raises_the_version_and_names_the_fields(sales: Sales) -> None:
    """A change raises the version by one and tells which fields changed; no change does neither."""
    deal_id = sales.ready()
    commands.change_deal(
        actor=sales.sam, deal_id=deal_id, values={"next_step": "Call", "name": "Fleet"}, version=1, on=ON
    )
    assert (sales.deal(deal_id).version, sales.deal(deal_id).next_step) == (2, "Call")
    commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"next_step": "Call"}, version=2, on=ON)
    assert sales.deal(deal_id).version == 2
    assert sales.events() == ["deals.deal_added", "deals.deal_changed"]


def test_two_people_at_once(sales: Sales) -> None:
    """Who changes what somebody else has changed meanwhile is told so, and the first change stays."""
    deal_id = sales.ready()
    commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"name": "First"}, version=1, on=ON)
    with pytest.raises(Stale):
        commands.change_deal(actor=sales.bea, deal_id=deal_id, values={"name": "Second"}, version=1, on=ON)
    assert sales.deal(deal_id).name == "First"


def test_lines_that_stay_keep_their_row_and_their_price(sales: Sales) -> None:
    """Lines are saved whole: a line that stays keeps its id, and its price when none is given."""
    deal_id = sales.ready(
        lines=[{"product": sales.widget, "unit_price": "90"}, {"description": "Setup", "unit_price": "5"}]
    )
    first, second = sales.deal(deal_id).lines.order_by("position")
    commands.change_deal(
        actor=sales.sam,
        deal_id=deal_id,
        values={
            "lines": [{"product": sales.widget, "quantity": "4"}, {"product": sales.support}, {"description": "Setup"}]
        },
        on=ON,
    )
    lines = list(sales.deal(deal_id).lines.order_by("position"))
    assert [(line.position, line.description, line.unit_price) for line in lines] == [
        (1, "Widget", Decimal(90)),
        (2, "Support", Decimal(25)),
        (3, "Setup", Decimal(5)),
    ]
    assert (lines[0].pk, lines[1].pk) == (first.pk, second.pk)
    assert sales.amount(deal_id) == eur("390.00")


def test_stages_are_not_changed_by_a_form(sales: Sales) -> None:
    """A change of the stage is refused: moving, winning and losing have conditions of their own."""
    deal_id = sales.ready()
    for values in (
        {"stage": sales.stage("Won")},
        {"pipeline": commands.add_pipeline(actor=SYSTEM, values={"name": "B"})},
    ):
        with pytest.raises(Refusal) as refused:
            commands.change_deal(actor=sales.sam, deal_id=deal_id, values=values, on=ON)
        assert set(problems(refused).values()) == {"use_move"}
    commands.change_deal(actor=sales.sam, deal_id=deal_id, values={"stage": sales.stage("Prospecting")}, on=ON)
    assert sales.deal(deal_id).stage.name == "Prospecting"


def test_people(sales: Sales) -> None:
    """A person has a part in a deal once; ending it leaves the person."""
    deal_id = sales.ready()
    person = accounts.add_contact(actor=SYSTEM, values={"name": "Bob Buyer"}, on=ON)
    part = commands.set_deal_contact(actor=sales.sam, deal_id=deal_id, contact_id=person, role="buyer")
    assert commands.set_deal_contact(actor=sales.sam, deal_id=deal_id, contact_id=person, role="buyer") == part
    with pytest.raises(Refusal) as refused:
        commands.set_deal_contact(actor=sales.sam, deal_id=deal_id, contact_id=person, role="king")
    assert problems(refused) == {"role": "not_a_choice"}
    with pytest.raises(Refusal) as refused:
        commands.set_deal_contact(actor=sales.sam, deal_id=deal_id, contact_id=new_id(), role="buyer")
    assert problems(refused) == {"contact": "no_such_record"}
    commands.remove_deal_contact(actor=sales.sam, deal_id=deal_id, part_id=part)
    with pytest.raises(NotFound):
        commands.remove_deal_contact(actor=sales.sam, deal_id=deal_id, part_id=part)
    assert DealContact.objects.count() == 0
    assert sales.deal(deal_id).version == 3


# Moving, losing, reopening --------------------------------------------------------------------------------------------


def test_move(sales: Sales) -> None:
    """An open deal moves to an open stage; moving it back can restore since when it was there."""
    deal_id = sales.ready()
    later = date(2026, 4, 20)
    commands.move_deal(actor=sales.sam, deal_id=deal_id, stage_id=sales.stage("Proposal"), on=later, version=1)
    deal = sales.deal(deal_id)
    assert (deal.stage.name, deal.stage_since, deal.version) == ("Proposal", later, 2)
    commands.move_deal(
        actor=sales.sam, deal_id=deal_id, stage_id=sales.stage("Prospecting"), on=later, version=2, since=ON
    )
    assert sales.deal(deal_id).stage_since == ON
    assert sales.events() == ["deals.deal_added", "deals.deal_moved", "deals.deal_moved"]


def test_move_is_refused(sales: Sales) -> None:
    """Won and lost are no moves; a day to come is none either; a stale move changes nothing."""
    deal_id = sales.ready()
    before = list(Deal.objects.values())
    for stage, code in (("Won", "use_win"), ("Lost", "use_lose")):
        with pytest.raises(Refusal) as refused:
            commands.move_deal(actor=sales.sam, deal_id=deal_id, stage_id=sales.stage(stage), on=ON)
        assert problems(refused) == {"stage": code}
    with pytest.raises(Refusal) as refused:
        commands.move_deal(
            actor=sales.sam, deal_id=deal_id, stage_id=sales.stage("Proposal"), on=ON, since=date(2026, 4, 2)
        )
    assert problems(refused) == {"since": "in_the_future"}
    with pytest.raises(Stale):
        commands.move_deal(actor=sales.sam, deal_id=deal_id, stage_id=sales.stage("Proposal"), on=ON, version=9)
    with pytest.raises(Refusal) as refused:
        commands.move_deal(actor=sales.sam, deal_id=deal_id, stage_id=new_id(), on=ON)
    assert problems(refused) == {"stage": "no_such_record"}
    with pytest.raises(NotFound):
        commands.move_deal(actor=sales.sam, deal_id=new_id(), stage_id=sales.stage("Proposal"), on=ON)
    assert list(Deal.objects.values()) == before


def test_lose_and_reopen(sales: Sales) -> None:
    """A deal is lost with a reason and on a day; opened again it has neither, and can be moved again."""
    deal_id = sales.ready()
    commands.lose_deal(actor=sales.sam, deal_id=deal_id, reason="  Price: \n too high ", on=ON)
    deal = sales.deal(deal_id)
    assert (deal.status, deal.stage.name, deal.closed_on, deal.lost_reason) == ("lost", "Lost", ON, "Price: too high")
    commands.lose_deal(actor=sales.sam, deal_id=deal_id, reason="Again", on=ON)
    assert sales.deal(deal_id).lost_reason == "Price: too high"
    with pytest.raises(Conflict) as refused:
        commands.move_deal(actor=sales.sam, deal_id=deal_id, stage_id=sales.stage("Proposal"), on=ON)
    assert refused.value.code == "closed"
    with pytest.raises(Conflict):
        sales.win(deal_id)
    commands.reopen_deal(actor=sales.sam, deal_id=deal_id, on=ON)
    deal = sales.deal(deal_id)
    assert (deal.status, deal.stage.name, deal.closed_on, deal.lost_reason) == ("open", "Negotiation", None, "")
    commands.reopen_deal(actor=sales.sam, deal_id=deal_id, on=ON)
    assert sales.events() == ["deals.deal_added", "deals.deal_lost", "deals.deal_reopened"]


@pytest.mark.parametrize(
    ("reason", "code"), [("", "missing"), (" \n ", "missing"), ("x" * 301, "too_long"), ("a\x00b", "control_character")]
)
def test_a_loss_needs_a_reason(sales: Sales, reason: str, code: str) -> None:
    """Without a reason that can be printed, a deal is not lost."""
    deal_id = sales.ready()
    with pytest.raises(Refusal) as refused:
        commands.lose_deal(actor=sales.sam, deal_id=deal_id, reason=reason, on=ON)
    assert problems(refused) == {"reason": code}
    assert sales.deal(deal_id).status == "open"


# Pipelines ------------------------------------------------------------------------------------------------------------


def test_default_pipeline(sales: Sales) -> None:
    """A new installation has the pipeline Sales with six stages; installing again adds nothing."""
    assert commands.install_defaults(actor=SYSTEM) == sales.pipeline
    stages = [
        (stage.name, stage.kind, stage.probability) for stage in sorted(_stages(sales), key=lambda one: one.position)
    ]
    assert stages == [
        ("Prospecting", "open", 10),
        ("Engaging", "open", 30),
        ("Proposal", "open", 60),
        ("Negotiation", "open", 80),
        ("Won", "won", 100),
        ("Lost", "lost", 0),
    ]


def _stages(sales: Sales) -> list[Any]:
    from counterfoil.deals.models import Stage

    return list(Stage.objects.filter(pipeline_id=sales.pipeline))


def names(sales: Sales) -> list[str]:
    return [stage.name for stage in sorted(_stages(sales), key=lambda one: one.position)]


def test_stages_can_be_added_ordered_and_removed(sales: Sales) -> None:
    """Open stages are added behind the open ones, put in any order, and removed when they are empty."""
    demo = commands.add_stage(
        actor=SYSTEM, pipeline_id=sales.pipeline, values={"name": "Demo", "probability": 50, "shows_readiness": True}
    )
    assert names(sales) == ["Prospecting", "Engaging", "Proposal", "Negotiation", "Demo", "Won", "Lost"]
    order = [sales.stage(name) for name in ("Prospecting", "Demo", "Engaging", "Proposal", "Negotiation")]
    commands.order_stages(actor=SYSTEM, pipeline_id=sales.pipeline, stage_ids=order)
    assert names(sales) == ["Prospecting", "Demo", "Engaging", "Proposal", "Negotiation", "Won", "Lost"]
    commands.remove_stage(actor=SYSTEM, stage_id=demo)
    assert names(sales) == ["Prospecting", "Engaging", "Proposal", "Negotiation", "Won", "Lost"]


def test_stages_in_use_stay(sales: Sales) -> None:
    """A stage with deals, a closing stage and the last open stage cannot be removed."""
    sales.add()
    for name, code in (("Prospecting", "in_use"), ("Won", "needed"), ("Lost", "needed")):
        with pytest.raises(Conflict) as refused:
            commands.remove_stage(actor=SYSTEM, stage_id=sales.stage(name))
        assert refused.value.code == code
    for name in ("Engaging", "Proposal", "Negotiation"):
        commands.remove_stage(actor=SYSTEM, stage_id=sales.stage(name))
    Deal.objects.all().delete()
    with pytest.raises(Conflict) as refused:
        commands.remove_stage(actor=SYSTEM, stage_id=sales.stage("Prospecting"))
    assert refused.value.code == "last_one"
    with pytest.raises(Refusal):
        commands.order_stages(actor=SYSTEM, pipeline_id=sales.pipeline, stage_ids=[])


def test_names_of_pipelines_and_stages_are_single(sales: Sales) -> None:
    """Two pipelines, or two stages of one pipeline, never have the same name."""
    with pytest.raises(Refusal) as refused:
        commands.add_pipeline(actor=SYSTEM, values={"name": "Sales"})
    assert problems(refused) == {"name": "taken"}
    with pytest.raises(Refusal) as refused:
        commands.add_stage(actor=SYSTEM, pipeline_id=sales.pipeline, values={"name": "Won"})
    assert problems(refused) == {"name": "taken"}
    with pytest.raises(Refusal) as refused:
        commands.change_stage(actor=SYSTEM, stage_id=sales.stage("Proposal"), values={"name": "Engaging"})
    assert problems(refused) == {"name": "taken"}
    with pytest.raises(Refusal) as refused:
        commands.change_stage(actor=SYSTEM, stage_id=sales.stage("Proposal"), values={"probability": 101})
    assert problems(refused) == {"probability": "too_large"}


def test_a_pipeline_with_open_deals_stays_in_use(sales: Sales) -> None:
    """A pipeline goes out of use only when no deal is open in it and another one is in use."""
    deal_id = sales.add()
    with pytest.raises(Conflict) as refused:
        commands.change_pipeline(actor=SYSTEM, pipeline_id=sales.pipeline, values={"is_active": False})
    assert refused.value.code == "in_use"
    commands.lose_deal(actor=sales.sam, deal_id=deal_id, reason="Gone", on=ON)
    with pytest.raises(Conflict) as refused:
        commands.change_pipeline(actor=SYSTEM, pipeline_id=sales.pipeline, values={"is_active": False})
    assert refused.value.code == "last_one"
    commands.add_pipeline(actor=SYSTEM, values={"name": "Partners"})
    commands.change_pipeline(actor=SYSTEM, pipeline_id=sales.pipeline, values={"is_active": False})
    with pytest.raises(Refusal) as no_stage:
        sales.add(pipeline=sales.pipeline)
    assert no_stage.value.code == "no_pipeline"


def test_products_in_another_currency(sales: Sales) -> None:
    """A product in dollars fills the price of a dollar deal."""
    gadget = catalog.add_product(
        actor=SYSTEM, values={"code": "G", "name": "Gadget", "unit_price": "12.5", "currency": "USD"}
    )
    deal_id = sales.add(currency="USD", lines=[{"product": gadget, "quantity": "2"}])
    assert str(sales.amount(deal_id)) == "25.00 USD"
