"""A draft says what its account says, until a person says something else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import PaymentTerms
from counterfoil.core.errors import Conflict, Refusal, Stale
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.invoicing.rules.sources import FIELDS
from counterfoil.plumbing.jobs import run_waiting_jobs

pytestmark = pytest.mark.django_db


def change(invoice_id: UUID, **values: Any) -> None:
    commands.change_draft(actor=SYSTEM, invoice_id=invoice_id, values=values, version=None, on=ON)


def sources(world: Issuing, invoice_id: UUID) -> dict[str, str]:
    return {name: source["label"] for name, source in world.invoice(invoice_id).sources.items()}


def terms(key: str) -> str:
    return str(PaymentTerms.objects.get(key=key).pk)


def test_every_value_names_its_source(world: Issuing) -> None:
    """Each value of a new draft says which record it comes from."""
    deal = UUID(int=7)
    lines = (OrderLine(description="Work", quantity=Decimal(1), unit_price=Decimal(100)),)
    order = DraftOrder(
        account_id=world.acme, lines=lines, deal_id=deal, deal_title="Fleet", quote_version=1, origin="deal",
        currency="EUR", po_number="4711",
    )  # fmt: skip
    (draft,) = commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)
    invoice = world.invoice(draft)
    assert list(invoice.sources) == sorted(FIELDS, key=list(invoice.sources).index)
    assert set(invoice.sources) == set(FIELDS)
    assert sources(world, draft) == {
        "account": "Deal Fleet",
        "entity": "Berlin · issues what names no other",
        "currency": "Deal Fleet",
        "invoiced_account": "The account itself",
        "party": "Acme Corporation GmbH · name, address and tax id",
        "payer": "The invoiced account",
        "send_to": "The invoiced account",
        "recipients": "Acme · billing contacts",
        "language": "Company default · language",
        "terms": "Company default · payment terms",
        "delivery_channel": "Company default · delivery",
        "tax_profile": "Acme · tax profile",
        "po_number": "Deal Fleet",
        "service": "Nothing given",
        "notes": "Nothing given",
        "references": "Nothing given",
        "reference_values": "Nothing given",
        "lines": "Deal Fleet",
    }
    assert invoice.sources["party"] == {
        "kind": "own",
        "label": "Acme Corporation GmbH · name, address and tax id",
        "record": str(world.acme),
    }
    line = invoice.lines.get()
    assert line.sources["line"]["label"] == "Deal Fleet"
    assert line.sources["tax"] == {"kind": "rule", "label": "VAT 19 %, valid since 2021-01-01", "record": None}


def test_a_change_of_the_account_reaches_the_draft(world: Issuing) -> None:
    """A mended account mends its waiting drafts: the news works them out anew, and nobody touches them."""
    draft = world.draft(world.account("Exempt AG", email=""))
    account = world.invoice(draft).account_id
    assert world.checks(draft)["no_recipient"] == "blocking"
    assert world.invoice(draft).total == Decimal(238)
    world.contact(account, "Anna", "anna@exempt.example")
    world.change(account, tax_profile="exempt", tax_exemption_reason="§ 4 Nr. 21 UStG", language="de")
    run_waiting_jobs()
    invoice = world.invoice(draft)
    assert world.checks(draft) == {"first_invoice": "warning"}
    assert (invoice.total, invoice.tax_profile, invoice.language) == (Decimal(200), "exempt", "de")
    assert (invoice.sources["language"]["kind"], invoice.touched) == ("own", [])
    assert invoice.taxes.get().reason == "§ 4 Nr. 21 UStG"


def test_a_parent_reaches_the_drafts_below(world: Issuing) -> None:
    """What a child inherits follows the parent, on the child's drafts too."""
    parent = world.account("Holding AG")
    draft = world.draft(world.account("Child GmbH", parent=str(parent)))
    world.change(parent, terms=terms("net-60"))
    run_waiting_jobs()
    invoice = world.invoice(draft)
    assert str(invoice.terms_id) == terms("net-60")
    assert invoice.sources["terms"]["label"] == "Holding AG · payment terms"


def test_new_findings_alone_do_not_disturb_an_editor(world: Issuing) -> None:
    """A finding that comes or goes leaves the version; a changed value raises it, so that an editor is told."""
    draft = world.draft(world.account("New AG", email=""))
    account = world.invoice(draft).account_id
    world.contact(account, "Anna", "anna@new.example")
    run_waiting_jobs()
    assert "no_recipient" not in world.checks(draft)
    assert world.invoice(draft).version == 1
    world.change(account, language="fr")
    run_waiting_jobs()
    assert world.invoice(draft).version == 2
    with pytest.raises(Stale):
        commands.change_draft(actor=SYSTEM, invoice_id=draft, values={"notes": "Hi"}, version=1, on=ON)
    assert world.invoice(draft).notes == ""


def test_the_reviewer_sees_the_draft_as_it_would_be_issued(world: Issuing) -> None:
    """The queue and the page work a draft out anew as of the day, before any news was delivered."""
    draft = world.draft()
    world.change(language="de", terms=terms("net-60"))
    row = queries.get_invoice(world.bea, draft, date(2026, 5, 4))
    assert (row.language, row.expected_due_on) == ("de", date(2026, 7, 3))
    assert world.invoice(draft).language == "en"
    (queued,) = queries.review_queue(world.bea, on=date(2026, 5, 4))
    assert queued.language == "de"
    assert [check["code"] for check in queued.checks if check["level"] != "ok"] == ["first_invoice"]


def test_what_a_person_says_stays(world: Issuing) -> None:
    """An edited value stays whatever the account says, and names its editor; emptied, it follows the account."""
    draft = world.draft()
    change(draft, terms=terms("net-60"), language="fr", po_number="4711", delivery_channel="post")
    world.change(language="de")
    run_waiting_jobs()
    invoice = world.invoice(draft)
    assert (invoice.language, str(invoice.terms_id), invoice.delivery_channel) == ("fr", terms("net-60"), "post")
    assert sources(world, draft)["language"] == "Edited by Tests"
    assert world.checks(draft) == {"first_invoice": "warning", "terms_differ": "warning"}
    change(draft, terms=None, language="", delivery_channel="")
    invoice = world.invoice(draft)
    assert (invoice.language, str(invoice.terms_id), invoice.delivery_channel) == ("de", terms("net-14"), "email")
    assert sources(world, draft)["language"] == "Acme · language"
    assert (invoice.po_number, sources(world, draft)["po_number"]) == ("4711", "Edited by Tests")


def test_touches_are_counted_on_drafts_of_deals_only(world: Issuing) -> None:
    """Fields that a person changed between win and send are counted: none is the goal. A draft by hand has no win."""
    lines = (OrderLine(description="Work", quantity=Decimal(2), unit_price=Decimal(100)),)
    of_deal = DraftOrder(account_id=world.acme, lines=lines, deal_id=UUID(int=7), deal_title="Fleet", origin="deal")
    (draft,) = commands.draft_invoices(actor=SYSTEM, orders=[of_deal], on=ON, at=AT)
    by_hand = world.draft()
    for invoice_id in (draft, by_hand):
        change(invoice_id, po_number="4711", notes="Thank you", currency="EUR")
    assert world.invoice(draft).touched == ["notes", "po_number"]
    assert world.invoice(by_hand).touched == []
    world.issue(draft, by_hand)
    assert queries.touches(world.bea, date(2026, 4, 1), date(2026, 5, 1)) == (Decimal("2.00"), 1)
    assert queries.touches(world.bea, date(2026, 5, 1), date(2026, 6, 1)) == (Decimal("0.00"), 0)


def test_lines_that_stay_keep_their_source(world: Issuing) -> None:
    """Changing one line leaves the others as they were, with their ids and sources; nothing changed is no change."""
    draft = world.draft()
    (old,) = world.invoice(draft).lines.all()
    same = {"description": "Work", "quantity": "2", "unit_price": "100"}
    change(draft, lines=[same])
    assert world.invoice(draft).version == 1
    change(draft, lines=[same, {"product": world.widget}, {"product": world.widget, "unit_price": "90"}])
    lines = list(world.invoice(draft).lines.order_by("position"))
    assert lines[0].pk == old.pk
    assert [line.sources["line"]["label"] for line in lines] == [
        "Entered by Tests",
        "Catalog · Widget",
        "Entered by Tests",
    ]
    assert [line.net for line in lines] == [Decimal(200), Decimal(100), Decimal(90)]
    assert world.invoice(draft).total == Decimal("464.10")


def test_a_draft_stays_with_its_customer(world: Issuing) -> None:
    """The account of a draft cannot be changed, and a change that is refused leaves everything."""
    draft, other = world.draft(), world.account("Other AG")
    with pytest.raises(Refusal) as refused:
        change(draft, account=str(other), notes="x")
    assert (refused.value.code, refused.value.field) == ("fixed", "account")
    assert world.invoice(draft).notes == ""


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"lines": [{"description": "x", "unit_price": "1", "quantity": "-1"}]}, "lines.0.quantity", "too_small"),
        ({"lines": [{"description": "x", "unit_price": "1", "quantity": "0"}]}, "lines.0.quantity", "too_small"),
        ({"lines": [{"description": "x"}]}, "lines.0.unit_price", "missing"),
        ({"lines": [{"unit_price": "1"}]}, "lines.0.description", "missing"),
        ({"lines": [{"description": "x", "unit_price": "abc"}]}, "lines.0.unit_price", "not_a_number"),
        (
            {"lines": [{"description": "x", "unit_price": "999999999999", "quantity": "1000000000"}]},
            "lines.0.unit_price",
            "too_large",
        ),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"service_from": "2026-04-10", "service_to": "2026-04-10"}, "service_to", "runs_backward"),
        ({"service_from": "2026-02-30"}, "service_from", "not_a_date"),
        ({"notes": "a\x00b"}, "notes", "control_character"),
        ({"notes": "x" * 10_000_000}, "notes", "too_long"),
        ({"entity": str(UUID(int=1))}, "entity", "no_such_record"),
        ({"total": "5"}, "total", "read_only"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_bad_values_are_named_at_their_field(world: Issuing, values: dict[str, Any], field: str, code: str) -> None:
    """A value that cannot be is refused at its field, and the draft stays as it was."""
    draft = world.draft()
    before = Invoice.objects.filter(pk=draft).values().get()
    with pytest.raises(Refusal) as refused:
        change(draft, **values)
    assert (refused.value.problems[0].field, refused.value.problems[0].code) == (field, code)
    assert Invoice.objects.filter(pk=draft).values().get() == before


def test_a_price_of_another_currency_is_asked_for(world: Issuing) -> None:
    """A product's price is taken in its own currency only."""
    with pytest.raises(Refusal) as refused:
        commands.add_draft(
            actor=SYSTEM,
            values={"account": str(world.acme), "currency": "GBP", "lines": [{"product": str(world.widget)}]},
            on=ON,
            at=AT,
        )
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("lines.0.unit_price", "other_currency")
    assert problem.message == "The catalog has a price in EUR. Enter one in GBP."
    assert Invoice.objects.count() == 0


def test_returned_to_sales(world: Issuing) -> None:
    """A draft of a deal goes back with a reason and a task; one made by hand cannot, and nothing changes."""
    lines = (OrderLine(description="Work", quantity=Decimal(2), unit_price=Decimal(100)),)
    order = DraftOrder(account_id=world.acme, lines=lines, deal_id=UUID(int=7), deal_title="Fleet", origin="deal")
    (draft,) = commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)
    by_hand = world.draft()
    with pytest.raises(Conflict) as refused:
        commands.return_drafts(actor=world.bea, invoice_ids=[draft, by_hand], reason="Wrong price", at=AT)
    assert [problem.field for problem in refused.value.problems] == [str(by_hand)]
    assert world.invoice(draft).status == "draft"
    with pytest.raises(Refusal) as missing:
        commands.return_drafts(actor=world.bea, invoice_ids=[draft], reason="  ", at=AT)
    assert missing.value.field == "reason"
    commands.return_drafts(actor=world.bea, invoice_ids=[draft], reason="Wrong price", at=AT)
    invoice = world.invoice(draft)
    assert (invoice.status, invoice.returned_reason, invoice.returned_at) == ("returned", "Wrong price", AT)
    assert world.events("activities.task") == ["activities.task_opened"]


def test_a_leaver_is_replaced_on_the_draft(world: Issuing) -> None:
    """The people who get the mail are those of the day, not those of the day of the draft."""
    draft = world.draft()
    successor = accounts.add_contact(actor=SYSTEM, values={"name": "Nina Next", "email": "nina@acme.example"}, on=ON)
    accounts.replace_leaver(actor=SYSTEM, contact_id=world.paula, successor_id=successor, on=ON)
    row = queries.get_invoice(world.bea, draft, ON)
    assert row.recipients == [{"line": "to", "name": "Nina Next", "email": "nina@acme.example"}]
