"""The pages of deals, through Django's client."""

from __future__ import annotations

import re
from typing import Any

import pytest
from deals_world import AT, ON, SYSTEM, Sales

from counterfoil.accounts import commands as accounts
from counterfoil.activities.models import Task
from counterfoil.core.ids import new_id
from counterfoil.deals import commands
from counterfoil.deals.models import Deal, DealContact, Pipeline, Stage
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.subscriptions.models import Subscription
from staff import Browser, Staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def web(sales: Sales, staff: Staff) -> Browser:
    return staff.browser("sales")


def text(response: Any) -> str:
    """What a reader sees, with spaces squeezed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def lines(*rows: dict[str, str]) -> dict[str, str]:
    return {"lines-shown": "1"} | {
        f"lines-{number}-{name}": value for number, row in enumerate(rows) for name, value in row.items()
    }


# Lists and the board ---------------------------------------------------------------------------------------------


def test_the_list_keeps_its_state_in_the_address(web: Browser, sales: Sales) -> None:
    """Filters, search and order stand in the address; count and sums are of all that match."""
    for name, amount, account in (("Alpha", "100", sales.acme), ("Beta", "250.5", sales.acme), ("Gamma", "9", None)):
        sales.add(name=name, amount=amount, account=account, currency="EUR")
    sales.add(name="Dollar", amount="7", currency="USD")
    page = web.get("/deals/")
    assert "4 deals" in text(page)
    assert "359.50" in text(page)
    narrowed = text(web.get(f"/deals/?account={sales.acme}&amount_from=150"))
    assert "1 deal" in narrowed
    assert "Beta" in narrowed
    assert "Alpha" not in narrowed
    assert "Acme" in narrowed
    found = text(web.get("/deals/?q=acme"))
    assert "2 deals" in found
    nonsense = web.get("/deals/?account=nonsense&amount_from=abc&sort=evil&page=99999999")
    assert nonsense.status_code == 200
    ordered = web.get("/deals/?sort=-amount").content.decode()
    assert ordered.index("Beta") < ordered.index("Alpha") < ordered.index("Gamma")


def test_the_list_is_exported(staff: Staff, sales: Sales) -> None:
    """The export holds what the list shows; a name that a spreadsheet would calculate stays text."""
    sales.add(name='=HYPERLINK("x")', amount="12.5")
    response = staff.browser("billing").get("/deals/?export=csv")
    written = b"".join(response.streaming_content).decode()
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "'=HYPERLINK" in written
    assert "12.50" in written


def test_the_board_sums_each_column(web: Browser, sales: Sales) -> None:
    """Each column has its count, sum, weighted sum and age."""
    sales.add(name="One", amount="1000", stage=sales.stage("Proposal"))
    sales.add(name="Two", amount="500", stage=sales.stage("Proposal"))
    page = text(web.get("/deals/board/"))
    assert re.search(r"Proposal 2 1,500\.00 EUR weighted 900\.00 EUR ⌀ 0 d", page)


def test_the_board_without_a_pipeline(staff: Staff) -> None:
    """Before there is a pipeline, an admin is led to the settings and sales are told whom to ask."""
    assert "Add a pipeline" in text(staff.browser("admin").get("/deals/board/"))
    assert "An admin adds one" in text(staff.browser("sales").get("/deals/board/"))
    assert staff.browser("sales").get("/deals/board/heads/").status_code == 404


def test_a_column_loads_more(web: Browser, sales: Sales) -> None:
    """A column shows its newest deals and loads the others in turn, each once; unknown days come last."""
    for number in range(40):
        sales.add(name=f"Deal {number:02}")
    Deal.objects.filter(name__in=["Deal 03", "Deal 39"]).update(stage_since=None)
    board = web.get("/deals/board/").content.decode()
    shown = re.findall(r">(Deal \d\d)</a>", board)
    following = re.search(r'hx-get="(/deals/board/column/[^"]+)"', board)
    while following:
        part = web.get(following[1].replace("&amp;", "&"), headers={"HX-Request": "true"}).content.decode()
        shown += re.findall(r">(Deal \d\d)</a>", part)
        following = re.search(r'hx-get="(/deals/board/column/[^"]+)"', part)
    assert len(shown) == 40
    assert len(set(shown)) == 40
    assert shown[-2:] == ["Deal 39", "Deal 03"]
    stage = sales.stage("Prospecting")
    assert web.get(f"/deals/board/column/{stage}/?after=nonsense").status_code == 404


def test_moving_on_the_board(web: Browser, sales: Sales) -> None:
    """A move answers with nothing to draw and an undo; the undo restores stage and day."""
    deal_id = sales.add()
    Deal.objects.filter(pk=deal_id).update(stage_since="2026-03-01")
    htmx = {"HX-Request": "true"}
    moved = web.post(f"/deals/{deal_id}/move/", {"to": str(sales.stage("Proposal")), "version": "1"}, headers=htmx)
    assert moved.status_code == 204
    undo = re.search(r'"undo": "([^"]+)"', moved["HX-Trigger"])
    assert undo is not None
    assert sales.deal(deal_id).stage.name == "Proposal"
    assert web.post(undo[1], headers=htmx).status_code == 204
    deal = sales.deal(deal_id)
    assert (deal.stage.name, str(deal.stage_since)) == ("Prospecting", "2026-03-01")
    stale = web.post(f"/deals/{deal_id}/move/", {"to": str(sales.stage("Proposal")), "version": "1"}, headers=htmx)
    assert stale.status_code == 409
    for to in ("", "nonsense", str(new_id())):
        assert web.post(f"/deals/{deal_id}/move/", {"to": to}, headers=htmx).status_code == 404


def test_dropping_on_won_and_lost(web: Browser, sales: Sales) -> None:
    """Won hands over or shows what is missing; lost asks for the reason; a card that may not go returns."""
    htmx = {"HX-Request": "true"}
    bare = sales.add(account=sales.bare)
    refused = web.post(f"/deals/{bare}/move/", {"to": str(sales.stage("Won"))}, headers=htmx)
    assert refused.status_code == 409
    assert f"/deals/{bare}/readiness/" in refused["HX-Trigger"]
    lost = web.post(f"/deals/{bare}/move/", {"to": str(sales.stage("Lost"))}, headers=htmx)
    assert lost.status_code == 409
    assert f"/deals/{bare}/lose/" in lost["HX-Trigger"]
    assert sales.deal(bare).status == "open"
    ready = sales.ready()
    won = web.post(f"/deals/{ready}/move/", {"to": str(sales.stage("Won"))}, headers=htmx)
    assert won.status_code == 204
    assert f"/deals/{ready}/handoff/" in won["HX-Trigger"]
    assert Invoice.objects.count() == 1


# The deal's page -------------------------------------------------------------------------------------------------


def test_a_new_deal(web: Browser, sales: Sales) -> None:
    """A deal is added with little; a refused form keeps what was typed and names the field."""
    form = web.get(f"/deals/new/?account={sales.acme}").content.decode()
    assert 'value="Acme"' in form
    refused = web.post("/deals/new/", {"name": "", "account": str(sales.acme), "amount": "1.234,50"})
    assert refused.status_code == 422
    assert "Name is missing." in text(refused)
    assert Deal.objects.count() == 0
    made = web.post("/deals/new/", {"name": "Fleet", "account": str(sales.acme), "amount": "1.234,50"})
    deal = Deal.objects.get()
    assert made["Location"] == f"/deals/{deal.pk}/"
    assert str(sales.amount(deal.pk)) == "1234.50 EUR"


def test_the_page_says_what_billing_needs(web: Browser, sales: Sales) -> None:
    """The page lists what is there with its source and what is missing with its form."""
    deal_id = sales.add(account=sales.bare, lines=[{"product": sales.widget}])
    page = text(web.get(f"/deals/{deal_id}/"))
    assert "3 missing" in page
    for words in (
        "Enter the address",
        "Add a billing contact",
        "Enter the PO number",
        "Company default · payment terms",
    ):
        assert words in page
    assert web.get(f"/deals/{new_id()}/").status_code == 404


def test_missing_items_are_fixed_in_place(web: Browser, sales: Sales) -> None:
    """Address, contact and PO number are entered on the deal; then it can be won."""
    deal_id = sales.add(account=sales.bare, lines=[{"product": sales.widget}])
    fix = f"/deals/{deal_id}/readiness"
    htmx = {"HX-Request": "true", "HX-Target": "readiness"}
    refused = web.post(f"{fix}/invoice_address/", {"invoice_address-country": "XX"}, headers=htmx)
    assert refused.status_code == 422
    assert "not a country code" in text(refused)
    entered = {"street": "Kai 1", "postcode": "20457", "city": "Hamburg", "country": "DE"}
    saved = web.post(
        f"{fix}/invoice_address/", {f"invoice_address-{name}": value for name, value in entered.items()}, headers=htmx
    )
    assert "2 missing" in text(saved)
    web.post(
        f"{fix}/billing_contact/",
        {"billing_contact-name": "Rita", "billing_contact-email": "rita@bare.example"},
        headers=htmx,
    )
    web.post(f"{fix}/po_number/", {"po_number-po_number": "PO-1"}, headers=htmx)
    assert sales.lacking(deal_id) == []
    there = web.post(f"{fix}/terms/", {"terms-terms": str(new_id())}, headers=htmx)
    assert "was entered meanwhile" in there["HX-Trigger"]
    assert web.post(f"{fix}/nonsense/", {}, headers=htmx).status_code == 404
    won = web.post(f"/deals/{deal_id}/win/")
    assert won["Location"] == f"/deals/{deal_id}/"
    assert "Review draft" in text(web.get(f"/deals/{deal_id}/"))


def test_asking_billing(web: Browser, staff: Staff, sales: Sales) -> None:
    """What sales may not enter, they ask billing for; billing sees the form where sales see the button."""
    deal_id = sales.ready()
    from counterfoil.accounts.models import Account

    Account.objects.filter(pk=sales.acme).update(tax_profile="reverse_charge")
    accounts.change_account(
        actor=SYSTEM, account_id=sales.acme, values={"tax_profile": "exempt", "tax_exemption_reason": "x"}, version=None
    )
    Account.objects.filter(pk=sales.acme).update(tax_profile="", tax_exemption_reason="")
    from counterfoil.accounts.models import BillingDefaults

    BillingDefaults.objects.update(tax_profile="")
    page = text(web.get(f"/deals/{deal_id}/"))
    assert "Billing or Admin can enter this." in page
    assert "Ask billing" in page
    asked = web.post(
        f"/deals/{deal_id}/readiness/tax_profile/ask/", headers={"HX-Request": "true", "HX-Target": "readiness"}
    )
    assert "Asked" in text(asked)
    assert Task.objects.get().title == "Tax profile is missing for Acme"
    assert "Choose the tax profile" in text(staff.browser("billing").get(f"/deals/{deal_id}/"))
    forbidden = web.post(f"/deals/{deal_id}/readiness/tax_profile/", {"tax_profile-tax_profile": "standard"})
    assert forbidden.status_code == 403
    saved = staff.browser("billing").post(
        f"/deals/{deal_id}/readiness/tax_profile/", {"tax_profile-tax_profile": "standard"}
    )
    assert saved.status_code == 302
    assert sales.lacking(deal_id) == []


def test_a_win_that_is_not_ready_leads_to_what_is_missing(web: Browser, sales: Sales) -> None:
    """Mark won on a deal that lacks something goes back to its page, says what, and opens the first form."""
    deal_id = sales.add(account=sales.bare)
    response = web.post(f"/deals/{deal_id}/win/", follow=True)
    assert response.redirect_chain == [(f"/deals/{deal_id}/?needs=1#readiness", 302)]
    assert "Missing: invoice address, billing contact, PO number, lines." in text(response)
    assert b'class="fix-box" open' in response.content


def test_the_handoff_shows_where_each_value_comes_from(web: Browser, sales: Sales) -> None:
    """After the win the page shows the draft, each value with its source, and the way to the review."""
    deal_id = sales.ready(po_number="PO-9")
    web.post(f"/deals/{deal_id}/win/")
    page = web.get(f"/deals/{deal_id}/")
    shown = text(page)
    for words in (
        "Acme Corporation GmbH",
        Invoice.objects.get().sources["party"]["label"],
        "Paula Payable &lt;ap@acme.example&gt;",
        "Company default · payment terms",
        "PO-9",
        "Deal Fleet",
    ):
        assert words in shown
    assert f'href="/review/{Invoice.objects.get().pk}/"'.encode() in page.content
    assert "Mark won" not in shown


def test_the_handoff_shows_the_subscription(web: Browser, sales: Sales) -> None:
    """Beside the draft the page names the subscription and its next billing day, also when there is no draft yet."""
    deal_id = sales.ready(lines=[{"product": sales.widget}, {"product": sales.support}])
    web.post(f"/deals/{deal_id}/win/")
    shown = text(web.get(f"/deals/{deal_id}/"))
    number = Subscription.objects.get().number
    assert f"{number} Active Starts Apr 1, 2026 Next billed May 1, 2026 once its first period is issued" in shown
    assert "Review draft" in shown
    later = sales.ready(lines=[{"product": sales.support}], service_starts_on="2026-07-01")
    said = web.post(f"/deals/{later}/win/", follow=True)
    assert "Won. Its subscription will be billed when it starts." in text(said)
    shown = text(web.get(f"/deals/{later}/handoff/"))
    assert "Planned Starts Jul 1, 2026 Next billed Jul 1, 2026 " in shown
    assert "Review draft" not in shown
    assert "Hand over again" not in shown
    assert "Edit lines" not in text(web.get(f"/deals/{later}/"))


def test_a_returned_draft_shows_its_reason(web: Browser, sales: Sales) -> None:
    """The page of a deal whose draft was returned shows why and offers to hand over again."""
    deal_id = sales.ready()
    handover = sales.win(deal_id)
    invoicing.return_drafts(actor=sales.bea, invoice_ids=[handover.invoice_id], reason="Wrong price", at=AT)
    shown = text(web.get(f"/deals/{deal_id}/"))
    assert "Billing returned it: Wrong price" in shown
    web.post(f"/deals/{deal_id}/win/")
    assert Invoice.objects.count() == 2
    assert "Review draft" in text(web.get(f"/deals/{deal_id}/"))


def test_without_the_right_to_see_invoices(sales: Sales, staff: Staff) -> None:
    """Sales without finance rights see state and balance on the deal, and no way to change them."""
    deal_id = sales.ready()
    sales.win(deal_id)
    shown = text(staff.browser("sales").get(f"/deals/{deal_id}/"))
    assert "Draft" in shown
    assert "Approve and send" not in shown


def test_lines_are_edited(web: Browser, sales: Sales) -> None:
    """The editor saves lines whole, keeps what was typed when refused, and notices another's change."""
    deal_id = sales.add(account=sales.acme)
    url = f"/deals/{deal_id}/lines/"
    assert "Save lines" in text(web.get(f"{url}?edit=1"))
    refused = web.post(url, {"version": "1", **lines({"description": "Work", "quantity": "-1", "unit_price": "abc"})})
    assert refused.status_code == 422
    assert b'value="abc"' in refused.content
    assert sales.deal(deal_id).lines.count() == 0
    saved = web.post(
        url,
        {
            "version": "1",
            **lines(
                {"product": str(sales.widget), "quantity": "2", "unit_price": ""},
                {"description": "Work", "quantity": "1,5", "unit_price": "1.000,00", "discount_percent": "10"},
                {"description": "", "quantity": "", "unit_price": ""},
            ),
        },
    )
    assert saved["Location"] == f"/deals/{deal_id}/"
    assert str(sales.amount(deal_id)) == "1550.00 EUR"
    stale = web.post(url, {"version": "1", **lines({"description": "Late", "quantity": "1", "unit_price": "1"})})
    assert stale.status_code == 409
    assert b'value="Late"' in stale.content
    assert sales.deal(deal_id).lines.count() == 2


def test_the_sums_follow_what_is_typed(web: Browser, sales: Sales) -> None:
    """The preview sums the lines that can be read and saves nothing."""
    deal_id = sales.add()
    typed = lines(
        {"description": "A", "quantity": "2", "unit_price": "10"},
        {"description": "B", "quantity": "x", "unit_price": "1"},
        {"description": "C", "unit_price": "5", "interval": "month"},
    )
    shown = text(web.post(f"/deals/{deal_id}/lines/preview/", typed))
    assert shown.split() == ["One-off", "20.00", "EUR", "Monthly", "5.00", "EUR", "Deal", "amount", "25.00", "EUR"]
    assert sales.deal(deal_id).lines.count() == 0


def test_a_product_says_what_it_is(web: Browser, sales: Sales) -> None:
    """The editor asks for what a product fills in; what is no product is 404."""
    found = web.get(f"/deals/product/?id={sales.support}").json()
    assert (found["name"], found["unit_price"], found["interval"]) == ("Support", "25.000000", "month")
    for unknown in ("", "nonsense", str(new_id())):
        assert web.get(f"/deals/product/?id={unknown}").status_code == 404


def test_facts_are_changed_in_place(web: Browser, sales: Sales) -> None:
    """A fact is changed where it stands; a bad value stays typed; a field that is no fact does not exist."""
    deal_id = sales.add()
    url = f"/deals/{deal_id}/field/next_step/"
    htmx = {"HX-Request": "true"}
    assert "Next step" in text(web.get(url, headers=htmx))
    assert "Call" in text(web.post(url, {"next_step": "Call", "version": "1"}, headers=htmx))
    assert web.post(url, {"next_step": "Late", "version": "1"}, headers=htmx).status_code == 409
    bad = web.post(f"/deals/{deal_id}/field/expected_close_on/", {"expected_close_on": "2026-02-30"}, headers=htmx)
    assert bad.status_code == 422
    assert web.get(f"/deals/{deal_id}/field/status/", headers=htmx).status_code == 404
    assert sales.deal(deal_id).next_step == "Call"


def test_people_on_the_page(web: Browser, sales: Sales) -> None:
    """A person is given a part and loses it; what is no person is said, not a fault."""
    deal_id = sales.add()
    person = accounts.add_contact(actor=SYSTEM, values={"name": "Bob Buyer"}, on=ON)
    web.post(f"/deals/{deal_id}/contacts/", {"contact": str(person), "role": "approver"})
    page = text(web.get(f"/deals/{deal_id}/"))
    assert "Bob Buyer" in page
    part = DealContact.objects.get()
    web.post(f"/deals/{deal_id}/contacts/{part.pk}/remove/")
    assert DealContact.objects.count() == 0
    said = web.post(f"/deals/{deal_id}/contacts/", {"contact": "Bob", "role": "buyer"}, follow=True)
    assert "Choose a person of the list." in text(said)
    assert web.post(f"/deals/{deal_id}/contacts/", {"contact": str(person), "role": "king"}).status_code == 422


def test_losing_and_reopening(web: Browser, sales: Sales) -> None:
    """The loss asks for its reason, tells it on the page, and can be taken back."""
    deal_id = sales.add()
    assert "Why was it lost?" in text(web.get(f"/deals/{deal_id}/lose/"))
    empty = web.post(f"/deals/{deal_id}/lose/", {"version": "1"})
    assert empty.status_code == 422
    assert "Say why the deal was lost." in text(empty)
    web.post(f"/deals/{deal_id}/lose/", {"reason": "Price", "detail": "20 % too high", "version": "1"})
    assert "Price: 20 % too high" in text(web.get(f"/deals/{deal_id}/"))
    web.post(f"/deals/{deal_id}/reopen/")
    assert sales.deal(deal_id).status == "open"


def test_the_panel_on_the_account(web: Browser, sales: Sales) -> None:
    """The account's page shows its deals, open ones first."""
    sales.add(name="Old", account=sales.acme)
    commands.lose_deal(actor=SYSTEM, deal_id=Deal.objects.get().pk, reason="x", on=ON)
    sales.add(name="New", account=sales.acme)
    panel = text(web.get(f"/deals/of-account/{sales.acme}/"))
    assert panel.index("New") < panel.index("Old")
    assert "No deals with this account yet." in text(web.get(f"/deals/of-account/{sales.bare}/"))


def test_readers_cannot_write(sales: Sales, staff: Staff) -> None:
    """An accountant sees the pages without their buttons, and every post is refused and changes nothing."""
    deal_id = sales.ready()
    reader = staff.browser("accountant")
    shown = text(reader.get(f"/deals/{deal_id}/"))
    assert "Mark won" not in shown
    assert "Edit lines" not in shown
    assert "New deal" not in text(reader.get("/deals/board/"))
    before = list(Deal.objects.values())
    for path in ("win/", "move/", "lose/", "reopen/", "lines/", "change/", "field/name/", "contacts/"):
        assert reader.post(f"/deals/{deal_id}/{path}", {}).status_code == 403, path
    assert list(Deal.objects.values()) == before


# Pipelines -------------------------------------------------------------------------------------------------------


def test_pipelines_in_the_settings(sales: Sales, staff: Staff) -> None:
    """An admin adds a pipeline, renames and orders its stages, adds one and removes it; sales may not."""
    admin = staff.browser("admin")
    assert "Sales" in text(admin.get("/settings/pipelines/"))
    assert admin.post("/settings/pipelines/", {"name": "Sales"}).status_code == 422
    admin.post("/settings/pipelines/", {"name": "Partners"})
    partners = Pipeline.objects.get(name="Partners")
    page = f"/settings/pipelines/{partners.pk}/"
    assert "Prospecting" in admin.get(page).content.decode()
    first = Stage.objects.get(pipeline=partners, position=0)
    changed = {"version": "1", "stage-0-name": "Lead", "stage-0-probability": "5", "stage-0-shows_readiness": "yes"}
    assert admin.post(f"/settings/stages/{first.pk}/", changed).status_code == 302
    refused = admin.post(f"/settings/stages/{first.pk}/", {**changed, "version": "2", "stage-0-probability": "500"})
    assert refused.status_code == 422
    assert "at most 100" in text(refused)
    admin.post(f"{page}stages/", {"new-name": "Demo", "new-probability": "50", "new-shows_readiness": "yes"})
    demo = Stage.objects.get(name="Demo")
    stages = list(Stage.objects.filter(pipeline=partners, kind="open").order_by("position"))
    order = ",".join(str(stage.pk) for stage in [stages[-1], *stages[:-1]])
    admin.post(f"{page}order/", {"stages": order})
    names = list(Stage.objects.filter(pipeline=partners).order_by("position").values_list("name", flat=True))
    assert names == ["Demo", "Lead", "Engaging", "Proposal", "Negotiation", "Won", "Lost"]
    admin.post(f"/settings/stages/{demo.pk}/remove/")
    assert not Stage.objects.filter(name="Demo").exists()
    assert admin.post(f"{page}order/", {"stages": "nonsense"}).status_code == 404
    assert admin.post(page, {"name": "Partner sales", "is_active": "yes", "version": "1"}).status_code == 302
    assert staff.browser("sales").get("/settings/pipelines/").status_code == 403
