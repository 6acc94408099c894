"""References that an administrator defined: asked on the deal, frozen on the invoice, in their place in the XML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from deals_world import AT, ON, SYSTEM, Sales, user
from django.db import DatabaseError, transaction
from django.test import Client
from pypdf import PdfReader

from counterfoil.access import commands as access
from counterfoil.access.models import User
from counterfoil.app.exporting import export_records
from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.core.errors import NotAllowed, Refusal, Stale
from counterfoil.deals import commands
from counterfoil.deals.models import Deal, Renewal
from counterfoil.documents.einvoice import einvoice_xml
from counterfoil.documents.pdf import render_invoice
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice, ReferenceField
from counterfoil.invoicing.printing import printed_document
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

pytestmark = pytest.mark.django_db

VALUES = {"cost_centre": "4711", "rooms": "12.50", "ordered": "2026-03-31", "site": "Kiel"}
KEPT = {**VALUES, "rooms": "12.5"}


def define(name: str, **values: Any) -> UUID:
    return invoicing.add_reference_field(actor=SYSTEM, values={"name": name, **values})


@pytest.fixture
def fields(sales: Sales) -> Mapping[str, UUID]:
    """One of each kind. The cost centre is required and the buyer reference; the choice is neither paper nor XML."""
    return {
        "cost_centre": define("Cost centre", is_required=True, element="BT-10"),
        "rooms": define("Rooms", kind="number"),
        "ordered": define("Ordered", kind="date", element="BT-19"),
        "site": define("Site", kind="choice", options="Kiel\nLinz", is_printed=False, element="none"),
    }


def change(field_id: UUID, **values: Any) -> None:
    invoicing.change_reference_field(actor=SYSTEM, field_id=field_id, values=values, version=None)


def codes(refused: pytest.ExceptionInfo[Refusal]) -> list[tuple[str, str]]:
    return [(one.field, one.code) for one in refused.value.problems]


def issue(invoice: Invoice) -> Invoice:
    invoicing.issue_invoices(actor=SYSTEM, invoice_ids=[invoice.pk], on=ON, at=AT, send=False)
    invoice.refresh_from_db()
    return invoice


def run(on: date) -> None:
    at = datetime(on.year, on.month, on.day, 12, tzinfo=AT.tzinfo)
    while subscriptions.bill_due(actor=SYSTEM, on=on, at=at).subscriptions:
        pass


def printed_of(invoice: Invoice) -> PrintedInvoice:
    return printed_document(invoice, list(invoice.lines.order_by("position")), list(invoice.taxes.all()))


def paper_of(invoice: Invoice) -> str:
    pages = PdfReader(BytesIO(render_invoice(printed_of(invoice)))).pages
    return " ".join("".join(page.extract_text() for page in pages).split())


def won(sales: Sales, **values: Any) -> UUID:
    lines = [{"product": sales.widget}, {"product": sales.support, "quantity": "2"}]
    deal_id = sales.ready(lines=lines, reference_values=VALUES, **values)
    sales.win(deal_id)
    return deal_id


# The flow -------------------------------------------------------------------------------------------------------------


def test_from_the_deal_to_every_invoice(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Draft, subscription, what that bills a month later, and a credit note bear the values, with the source."""
    deal_id = won(sales)
    draft, subscription = Invoice.objects.get(), Subscription.objects.get()
    assert Deal.objects.get(pk=deal_id).reference_values == KEPT
    assert (draft.reference_values, subscription.reference_values) == (KEPT, KEPT)
    assert (draft.sources["reference_values"]["kind"], draft.reference_facts) == ("deal", [])
    issued = issue(draft)
    run(date(2026, 5, 1))
    billed = Invoice.objects.get(issued_on=date(2026, 5, 1))
    line = issued.lines.get(position=1)
    order = CreditOrder((CreditLine(line.pk, Decimal(10)),), reason="Wrong")
    (note_id,) = invoicing.credit(actor=SYSTEM, orders=[order], on=ON, at=AT, send=False)
    note = Invoice.objects.get(pk=note_id)
    assert [one.reference_values for one in (billed, note)] == [KEPT, KEPT]
    assert issued.reference_facts == billed.reference_facts == note.reference_facts
    assert [(one["name"], one["value"], one["element"]) for one in issued.reference_facts] == [
        ("Cost centre", "4711", "BT-10"),
        ("Rooms", "12.5", "note"),
        ("Ordered", "2026-03-31", "BT-19"),
        ("Site", "Kiel", "none"),
    ]
    with pytest.raises(Refusal):
        commands.change_deal(actor=SYSTEM, deal_id=deal_id, values={"reference_values": {"site": "Linz"}}, on=ON)
    assert Deal.objects.get(pk=deal_id).reference_values == KEPT


def test_on_the_paper_and_in_the_xml(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """What is printed stands in the document's words; each element has its reference, and what has none is a note."""
    won(sales, references="Project: Fleet")
    invoice = issue(Invoice.objects.get())
    text = paper_of(invoice)
    expected = ["Cost centre 4711", "Rooms 12.5", "Ordered March 31, 2026", "Project Fleet"]
    assert [word for word in expected if word not in text] == []
    assert "Kiel" not in text
    xml = einvoice_xml(printed_of(invoice)).decode()
    assert "<ram:BuyerReference>4711</ram:BuyerReference>" in xml
    assert "<ram:ID>2026-03-31</ram:ID></ram:ReceivableSpecifiedTradeAccountingAccount>" in xml
    assert "<ram:Content>Rooms: 12.5</ram:Content>" in xml
    assert "<ram:Content>Project: Fleet</ram:Content>" in xml
    assert "Kiel" not in xml


def test_a_new_name_leaves_issued_documents_alone(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """From the rename on drafts bear the new name, and an issued document the one that it was issued with."""
    won(sales)
    invoice = issue(Invoice.objects.get())
    change(fields["cost_centre"], name="Kostenstelle", element="note", is_printed=False)
    invoice.refresh_from_db()
    assert "Cost centre 4711" in paper_of(invoice)
    assert "<ram:BuyerReference>4711</ram:BuyerReference>" in einvoice_xml(printed_of(invoice)).decode()
    run(date(2026, 5, 1))
    billed = Invoice.objects.get(issued_on=date(2026, 5, 1))
    fact = billed.reference_facts[0]
    assert (fact["key"], fact["name"], fact["printed"], fact["element"]) == (
        "cost_centre",
        "Kostenstelle",
        False,
        "note",
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(reference_facts=[])
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(reference_values={"cost_centre": "1"})


def test_other_values_are_another_document(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Two subscriptions of one customer share a document only when their values are the same, however written."""
    won(sales)
    issue(Invoice.objects.get())
    first = Subscription.objects.get()
    item = ItemOrder("other", "Other", Pricing("flat", Decimal(10)), Interval("month"))
    for number, pairs in enumerate((tuple(sorted(KEPT.items())), (("cost_centre", "42"),))):
        order = SubscriptionOrder(
            first.account_id, (item,), date(2026, 5, 1), reference_values=pairs, title=f"No. {number}"
        )
        subscriptions.start_subscriptions(actor=SYSTEM, orders=[order], on=ON, at=AT, is_billed=False)
    run(date(2026, 5, 1))
    billed = Invoice.objects.filter(issued_on=date(2026, 5, 1)).order_by("reference_values__cost_centre")
    assert [(one.reference_values, one.lines.count()) for one in billed] == [({"cost_centre": "42"}, 1), (KEPT, 2)]


def test_a_renewal_takes_them_over(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """The deal about what follows the term says what the subscription says, retired references included."""
    won(sales)
    subscription = Subscription.objects.get()
    values = {"committed_to": "2026-05-01"}
    subscriptions.change_details(actor=SYSTEM, subscription_id=subscription.pk, values=values)
    change(fields["rooms"], is_retired=True)
    renewed = commands.open_renewal(actor=SYSTEM, subscription_id=subscription.pk, on=date(2026, 4, 15), at=AT)
    assert Renewal.objects.get().deal.pk == renewed
    assert Deal.objects.get(pk=renewed).reference_values == KEPT


# Before the win -------------------------------------------------------------------------------------------------------


def test_no_win_without_a_required_one(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """The refusal names the field by its key and its name; entered, the deal is won. A retired one is not asked."""
    deal_id = sales.ready()
    assert sales.lacking(deal_id) == ["reference-cost_centre"]
    with pytest.raises(Refusal) as refused:
        sales.win(deal_id)
    assert codes(refused) == [("reference_values.cost_centre", "missing")]
    assert "Missing: Cost centre." in refused.value.message
    assert not Invoice.objects.exists()
    change(fields["cost_centre"], is_retired=True)
    assert sales.lacking(deal_id) == []
    change(fields["cost_centre"], is_retired=False)
    values = {"reference_values": {"cost_centre": "1"}}
    commands.change_deal(actor=SYSTEM, deal_id=deal_id, values=values, on=ON)
    sales.win(deal_id)
    assert Invoice.objects.get().reference_values == {"cost_centre": "1"}


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"rooms": "many"}, "reference_values.rooms", "not_a_number"),
        ({"rooms": 1.5}, "reference_values.rooms", "not_a_number"),
        ({"ordered": "31.3.2026"}, "reference_values.ordered", "not_a_date"),
        ({"site": "Wien"}, "reference_values.site", "not_a_choice"),
        ({"cost_centre": "x" * 101}, "reference_values.cost_centre", "too_long"),
        ({"cost_centre": "a\x00b"}, "reference_values.cost_centre", "control_character"),
        ({"nothing": "1"}, "reference_values.nothing", "unknown_field"),
        (["cost_centre"], "reference_values", "not_an_object"),
    ],
)
def test_bad_values_are_refused(sales: Sales, fields: Mapping[str, UUID], given: Any, field: str, code: str) -> None:
    """Each problem stands at its key, and nothing changes: on a deal, a draft and a subscription alike."""
    won(sales)
    deal_id = sales.ready(reference_values=VALUES)
    draft, subscription = Invoice.objects.get(), Subscription.objects.get()
    values = {"reference_values": given}
    for refuse in (
        lambda: commands.change_deal(actor=SYSTEM, deal_id=deal_id, values=values, on=ON),
        lambda: invoicing.change_draft(actor=SYSTEM, invoice_id=draft.pk, values=values, version=None, on=ON),
        lambda: subscriptions.change_details(actor=SYSTEM, subscription_id=subscription.pk, values=values),
    ):
        with pytest.raises(Refusal) as refused:
            refuse()
        assert codes(refused) == [(field, code)]
    for record in (Deal.objects.get(pk=deal_id), draft, subscription):
        record.refresh_from_db()
        assert (record.reference_values, record.version) == (KEPT, 1)


def test_what_is_not_named_stays(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """A change names what it changes; an empty value is taken away. The draft says that a person edited it."""
    won(sales)
    draft = Invoice.objects.get()
    values = {"reference_values": {"site": None, "rooms": "7.0"}}
    invoicing.change_draft(actor=SYSTEM, invoice_id=draft.pk, values=values, version=None, on=ON)
    draft.refresh_from_db()
    assert draft.reference_values == {"cost_centre": "4711", "ordered": "2026-03-31", "rooms": "7"}
    assert (draft.sources["reference_values"]["kind"], draft.touched) == ("edited", ["reference_values"])


def test_a_retired_one_keeps_its_values(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """It takes no new value, may keep or lose the one that it has, and goes on to the document until then."""
    deal_id = sales.ready(reference_values=VALUES)
    change(fields["rooms"], is_retired=True)
    with pytest.raises(Refusal) as refused:
        commands.change_deal(actor=SYSTEM, deal_id=deal_id, values={"reference_values": {"rooms": "3"}}, on=ON)
    assert codes(refused) == [("reference_values.rooms", "retired")]
    again = {"reference_values": {"rooms": "12.50", "site": "Linz"}}
    commands.change_deal(actor=SYSTEM, deal_id=deal_id, values=again, on=ON)
    sales.win(deal_id)
    facts = {one["key"]: one["value"] for one in issue(Invoice.objects.get()).reference_facts}
    assert facts == {**KEPT, "site": "Linz"}
    other = sales.ready()
    with pytest.raises(Refusal):
        commands.change_deal(actor=SYSTEM, deal_id=other, values={"reference_values": {"rooms": "3"}}, on=ON)


# The definitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"name": ""}, "name", "missing"),
        ({"name": "cost CENTRE", "key": "other"}, "name", "taken"),
        ({"name": "Cost-centre"}, "name", "taken"),
        ({"name": "Other", "key": "cost_centre"}, "key", "taken"),
        ({"name": "42"}, "key", "bad_key"),
        ({"name": "Other", "key": "Über"}, "key", "bad_key"),
        ({"name": "Other", "kind": "money"}, "kind", "not_a_choice"),
        ({"name": "Other", "kind": "choice"}, "options", "missing"),
        ({"name": "Other", "options": "a"}, "options", "not_a_choice"),
        ({"name": "Other", "kind": "choice", "options": "x" * 101}, "options", "too_many"),
        ({"name": "Other", "element": "BT-10"}, "element", "taken"),
        ({"name": "Other", "element": "BT-1"}, "element", "not_a_choice"),
    ],
)
def test_bad_definitions_are_refused(
    sales: Sales, fields: Mapping[str, UUID], values: dict[str, Any], field: str, code: str
) -> None:
    """At their field, and nothing is defined."""
    with pytest.raises(Refusal) as refused:
        invoicing.add_reference_field(actor=SYSTEM, values=values)
    assert codes(refused) == [(field, code)]
    assert ReferenceField.objects.count() == 4


def test_what_stays_and_what_is_free_again(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Key and kind never change and no row goes, in the database too; a retired one gives name and element back."""
    for name, value in (("key", "other"), ("kind", "number")):
        with pytest.raises(Refusal) as refused:
            change(fields["cost_centre"], **{name: value})
        assert codes(refused) == [(name, "fixed")]
        with pytest.raises(DatabaseError), transaction.atomic():
            ReferenceField.objects.filter(pk=fields["cost_centre"]).update(**{name: value})
    with pytest.raises(DatabaseError), transaction.atomic():
        ReferenceField.objects.filter(pk=fields["cost_centre"]).delete()
    with pytest.raises(Stale):
        invoicing.change_reference_field(actor=SYSTEM, field_id=fields["site"], values={"name": "X"}, version=7)
    with pytest.raises(NotAllowed):
        invoicing.add_reference_field(actor=sales.sam, values={"name": "Mine"})
    change(fields["cost_centre"], is_retired=True)
    define("Cost centre", key="cost_centre_2", element="BT-10")
    with pytest.raises(Refusal) as refused:
        change(fields["cost_centre"], is_retired=False)
    assert codes(refused) == [("name", "taken"), ("element", "taken")]


def test_the_database_knows_the_promises(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Values are named, a draft has no frozen facts, a choice has values to choose from, and names are there once."""
    deal_id = won(sales)
    field = ReferenceField.objects.filter(pk=fields["rooms"])
    for refused in (
        lambda: Deal.objects.filter(pk=deal_id).update(reference_values=["x"]),
        lambda: Subscription.objects.update(reference_values=["x"]),
        lambda: Invoice.objects.update(reference_values=["x"]),
        lambda: Invoice.objects.update(reference_facts=[{"name": "x"}]),
        lambda: field.update(options=["a"]),
        lambda: field.update(name="site"),
        lambda: field.update(element="BT-10"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            refused()
    assert Invoice.objects.get().reference_facts == []


# Out ------------------------------------------------------------------------------------------------------------------


def test_through_the_api(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Fields are defined there, values are read and written by key, and bad ones answer with their path."""
    client, ada = Client(), user("Ada", "admin")
    values = {"name": "Tests", "roles": ["admin", "billing", "sales"]}
    _, secret = access.make_api_key(actor=ada, values=values, at=AT)

    def call(method: str, path: str, values: Any = None) -> Any:
        body = {"data": json.dumps(values), "content_type": "application/json"} if values is not None else {}
        return getattr(client, method)(f"/api/v1/{path}", headers={"authorization": f"Bearer {secret}"}, **body)

    made = call("post", "reference-fields", {"name": "Lot", "element": "BT-17"})
    assert (made.status_code, made.json()["key"], made.json()["is_printed"]) == (201, "lot", True)
    deal_id = sales.ready(reference_values=VALUES)
    changed = call("patch", f"deals/{deal_id}", {"reference_values": {"lot": "L-1", "rooms": "3"}})
    assert changed.json()["reference_values"] == {**KEPT, "rooms": "3", "lot": "L-1"}
    refused = call("patch", f"deals/{deal_id}", {"reference_values": {"rooms": "x"}})
    assert (refused.status_code, refused.json()["problems"][0]["field"]) == (422, "reference_values.rooms")
    sales.win(deal_id)
    invoice = issue(Invoice.objects.get())
    read = call("get", f"invoices/{invoice.pk}").json()
    assert read["reference_values"]["lot"] == "L-1"
    assert read["reference_facts"][-1] == {
        "key": "lot", "name": "Lot", "value": "L-1", "element": "BT-17", "printed": True,
    }  # fmt: skip
    assert len(call("get", "reference-fields").json()["items"]) == 5


def test_in_exports_each_has_a_column(sales: Sales, fields: Mapping[str, UUID], tmp_path: Any) -> None:
    """Of the whole export by key, and of a list under its name."""
    won(sales)
    export_records(SYSTEM, tmp_path / "all", only=["deals.deal", "invoicing.invoice"], with_files=False)
    head, row = (tmp_path / "all" / "invoicing.invoice.csv").read_text("utf-8-sig").splitlines()[:2]
    place = head.split(",").index("reference_values.cost_centre")
    assert row.split(",")[place] == "4711"
    record = json.loads((tmp_path / "all" / "deals.deal.jsonl").read_text().splitlines()[0])
    assert record["reference_values"] == KEPT
    client = Client()
    client.force_login(
        User.objects.get(email="bea@example.com"), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    for path in ("invoices", "deals", "subscriptions"):
        wanted = "columns=reference_values.cost_centre&columns=reference_values.rooms&columns=reference_values.ordered"
        answer = client.get(f"/{path}/?export=csv&{wanted}")
        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
        assert [lines[0].split(",")[1:], lines[1].split(",")[1:]] == [
            ["Cost centre", "Rooms", "Ordered"],
            ["4711", "12.5", "2026-03-31"],
        ]
        assert "Cost centre" not in client.get(f"/{path}/?export=csv").getvalue().decode("utf-8-sig").splitlines()[0]


# On screens -----------------------------------------------------------------------------------------------------------


def logged_in(name: str) -> Client:
    client = Client()
    client.force_login(
        User.objects.get(email=f"{name}@example.com"), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    return client


def test_forms_ask_for_them(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Deal, draft and subscription have an input each, keep what was typed, and put the problem at it. A retired one
    is asked only where it has a value.
    """
    won(sales)
    bare = sales.ready()
    change(fields["rooms"], is_retired=True)
    draft, subscription = Invoice.objects.get(), Subscription.objects.get()
    client = logged_in("bea")
    sam = logged_in("sam")
    for who, path in (
        (client, f"/invoices/{draft.pk}/edit/"),
        (client, f"/subscriptions/{subscription.pk}/details/"),
    ):
        text = who.get(path).content.decode()
        assert 'name="reference_values-cost_centre"' in text
        assert 'name="reference_values-rooms"' in text
        refused = who.post(path, {"reference_values-ordered": "soon", "version": "1", "name": "X"})
        assert refused.status_code == 422
        assert "Ordered must be a date such as 2026-03-31." in refused.content.decode()
    path = f"/deals/{bare}/change/"
    text = sam.get(path).content.decode()
    assert 'name="reference_values-cost_centre"' in text
    assert 'name="reference_values-rooms"' not in text
    posted = {"reference_values-cost_centre": "77", "reference_values-site": "Linz", "name": "Fleet"}
    assert sam.post(path, posted).status_code == 302
    assert Deal.objects.get(pk=bare).reference_values == {"cost_centre": "77", "site": "Linz"}


def test_the_readiness_list_takes_it(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """What is missing is entered where it is found missing, and a bad value is refused there."""
    change(fields["ordered"], is_required=True)
    deal_id = sales.ready()
    sam = logged_in("sam")
    path = f"/deals/{deal_id}/readiness/reference-ordered/"
    refused = sam.post(path, {"reference-ordered-ordered": "soon"}, headers={"HX-Request": "true"})
    assert (refused.status_code, "Ordered must be a date" in refused.content.decode()) == (422, True)
    sam.post(path, {"reference-ordered-ordered": "2026-03-30"}, headers={"HX-Request": "true"})
    assert Deal.objects.get(pk=deal_id).reference_values == {"ordered": "2026-03-30"}
    assert sales.lacking(deal_id) == ["reference-cost_centre"]


def test_one_is_changed_in_place(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """On the deal's page, each by itself; one that is not defined is not there."""
    deal_id = sales.ready(reference_values=VALUES)
    sam = logged_in("sam")
    path = f"/deals/{deal_id}/field/reference_values.site/"
    assert 'name="reference_values-site"' in sam.get(path, headers={"HX-Request": "true"}).content.decode()
    saved = sam.post(path, {"reference_values-site": "Linz"}, headers={"HX-Request": "true"})
    assert (saved.status_code, "Linz" in saved.content.decode()) == (200, True)
    assert Deal.objects.get(pk=deal_id).reference_values == {**KEPT, "site": "Linz"}
    assert sam.get(f"/deals/{deal_id}/field/reference_values.nothing/").status_code == 404
    assert sam.get(f"/deals/{deal_id}/field/reference_values/").status_code == 404


def test_pages_show_them_by_name(sales: Sales, fields: Mapping[str, UUID]) -> None:
    """Deal, draft and subscription; and an issued invoice by the name that it was issued with."""
    deal_id = won(sales)
    draft, subscription = Invoice.objects.get(), Subscription.objects.get()
    bea = logged_in("bea")
    for path in (f"/deals/{deal_id}/", f"/review/{draft.pk}/", f"/subscriptions/{subscription.pk}/"):
        assert "Cost centre" in bea.get(path).content.decode()
    issue(draft)
    change(fields["cost_centre"], name="Kostenstelle")
    text = bea.get(f"/invoices/{draft.pk}/").content.decode()
    assert ("Cost centre" in text, "Kostenstelle" in text) == (True, False)


def test_the_settings(sales: Sales) -> None:
    """An administrator defines, changes and retires; others look."""
    User.objects.get_or_create(email="ada@example.com", defaults={"name": "Ada", "roles": ["admin"]})
    ada = logged_in("ada")
    assert "No references are defined yet" in ada.get("/settings/references/").content.decode()
    refused = ada.post("/settings/references/new/", {"name": "Site", "kind": "choice", "options": ""})
    assert (refused.status_code, "Name the values to choose from" in refused.content.decode()) == (422, True)
    posted = {"name": "Site", "kind": "choice", "options": "Kiel\r\nLinz", "is_required": "yes", "element": "BT-18"}
    assert ada.post("/settings/references/new/", posted).status_code == 302
    field = ReferenceField.objects.get()
    assert (field.key, field.options, field.is_required, field.element) == ("site", ["Kiel", "Linz"], True, "BT-18")
    path = f"/settings/references/{field.pk}/"
    assert ada.post(path, {"name": "Location", "is_retired": "yes", "version": "1"}).status_code == 302
    field.refresh_from_db()
    assert (field.name, field.is_retired, field.key) == ("Location", True, "site")
    assert "Retired" in ada.get("/settings/references/").content.decode()
    assert logged_in("archie").get(path).status_code == 200
    assert logged_in("archie").post(path, {"name": "X"}).status_code == 403
