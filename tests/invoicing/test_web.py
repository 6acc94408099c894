"""The review queue, the editor and the invoice's page, as a browser without scripts sees them."""

from __future__ import annotations

import pytest
from billing_world import AT, Billing, user
from django.test import Client


@pytest.fixture
def browser(billing: Billing, clock: object, client: Client) -> Client:
    """Bea of billing, logged in."""
    client.force_login(user("Bea", "billing"), backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_approve_and_send_shows_the_next_draft_and_names_the_invoice(billing: Billing, browser: Client) -> None:
    """One click issues; the answer leads to the draft that waits next."""
    first, second = billing.draft(deal="One"), billing.draft(deal="Two")
    shown = browser.get(f"/review/{first}/").content.decode()
    assert "Approve and send" in shown
    answer = browser.post(f"/review/{first}/approve/", {"version": "1", "send": "1"})
    assert answer["Location"] == f"/review/{second}/?issued={first}"
    invoice = billing.get(first)
    assert (invoice.number, invoice.status) == ("INV-2026-00001", "issued")
    assert invoice.send_requested_at == AT
    assert "INV-2026-00001" in browser.get(answer["Location"]).content.decode()


def test_approve_alone_asks_for_no_mail(billing: Billing, browser: Client) -> None:
    """The invoice is issued and nothing is sent."""
    draft = billing.draft()
    browser.post(f"/review/{draft}/approve/", {"version": "1", "send": "0"})
    assert billing.get(draft).status == "issued"
    assert billing.get(draft).send_requested_at is None


def test_a_draft_that_somebody_changed_is_not_approved_unseen(billing: Billing, browser: Client) -> None:
    """409, the reason on the page, and still a draft."""
    draft = billing.draft()
    answer = browser.post(f"/review/{draft}/approve/", {"version": "7", "send": "1"})
    assert answer.status_code == 409
    assert billing.get(draft).status == "draft"


def test_a_blocked_draft_says_what_to_mend_and_has_no_approval(billing: Billing, browser: Client) -> None:
    """Findings with their fix, and a refusal for whoever posts anyway."""
    draft = billing.draft(account=billing.bare)
    shown = browser.get(f"/review/{draft}/").content.decode()
    assert "Cannot be issued yet" in shown
    assert "Approve and send</button>" not in shown
    assert browser.post(f"/review/{draft}/approve/", {"send": "1"}).status_code == 422
    assert billing.get(draft).status == "draft"


def test_returning_needs_a_reason_and_keeps_the_dialog_open(billing: Billing, browser: Client) -> None:
    """422 with the problem at the field; with a reason it leaves the queue."""
    draft = billing.draft()
    refused = browser.post(f"/review/{draft}/return/", {"reason": ""})
    assert refused.status_code == 422
    assert 'id="reason-problem"' in refused.content.decode()
    assert browser.post(f"/review/{draft}/return/", {"reason": "Two, not three"}).status_code == 302
    assert billing.get(draft).returned_reason == "Two, not three"


def test_the_clean_ones_go_together(billing: Billing, browser: Client) -> None:
    """Drafts with findings stay."""
    browser.post(f"/review/{billing.draft()}/approve/", {"send": "0"})
    clean, blocked = billing.draft(), billing.draft(account=billing.bare)
    assert browser.post("/review/clean/").status_code == 302
    assert (billing.get(clean).status, billing.get(blocked).status) == ("issued", "draft")


def test_the_editor_saves_and_tells_a_conflict_without_losing_what_was_typed(billing: Billing, browser: Client) -> None:
    """The second save with an old version answers 409 and shows the typed text."""
    draft = billing.draft()
    assert browser.post(f"/invoices/{draft}/edit/", {"version": "1", "po_number": "PO 1"}).status_code == 302
    refused = browser.post(f"/invoices/{draft}/edit/", {"version": "1", "po_number": "PO 2"})
    assert refused.status_code == 409
    assert "PO 2" in refused.content.decode()
    assert billing.get(draft).po_number == "PO 1"


def test_an_emptied_row_takes_its_line_off(billing: Billing, browser: Client) -> None:
    """The id that a row carries unseen does not keep it; the line that stays keeps its own."""
    draft = billing.draft()
    line = billing.get(draft).lines.get().pk
    shown = browser.get(f"/invoices/{draft}/edit/").content.decode()
    assert f'<input type="hidden" name="lines-0-id" value="{line}">' in shown
    assert '<input type="hidden" name="lines-NEW-id" value="">' in shown
    assert ">Id<" not in shown
    kept = {
        "lines-0-id": str(line),
        "lines-0-description": "Widgets",
        "lines-0-quantity": "2",
        "lines-0-unit_price": "90",
    }
    added = {"lines-1-id": "", "lines-1-description": "Set-up", "lines-1-quantity": "1", "lines-1-unit_price": "50"}
    assert browser.post(f"/invoices/{draft}/edit/", {**kept, **added, "version": "1"}).status_code == 302
    first, second = billing.get(draft).lines.order_by("position")
    assert (first.pk, first.description, second.description) == (line, "Widgets", "Set-up")
    emptied = {"lines-1-id": str(second.pk), "lines-1-description": "", "lines-1-quantity": " "}
    assert browser.post(f"/invoices/{draft}/edit/", {**kept, **emptied, "version": "2"}).status_code == 302
    assert billing.get(draft).lines.get().pk == line


def test_the_preview_follows_unsaved_values(billing: Billing, browser: Client) -> None:
    """Server-made sums and pages of what was typed; half a line only makes it wait."""
    draft = billing.draft()
    typed = {"lines-0-description": "Consulting", "lines-0-quantity": "3", "lines-0-unit_price": "50"}
    drawn = browser.post(f"/invoices/{draft}/preview/", typed).content.decode()
    assert "180.00" in drawn
    assert "data:image/svg+xml;base64," in drawn
    waiting = browser.post(f"/invoices/{draft}/preview/", {"lines-0-quantity": "3"})
    assert "The preview waits" in waiting.content.decode()


def test_a_draft_by_hand_is_made_from_account_and_product(billing: Billing, browser: Client) -> None:
    """Price, unit and tax come from the catalog and the account."""
    typed = {"account": str(billing.acme), "lines-0-product": str(billing.widget), "lines-0-quantity": "1,5"}
    answer = browser.post("/invoices/new/", typed)
    assert answer.status_code == 302
    page = browser.get(answer["Location"]).content.decode()
    assert "180.00" in page


def test_the_invoice_page_the_list_and_the_panel_show_what_is_owed(billing: Billing, browser: Client) -> None:
    """The number on each, and the export without the page's markup."""
    (invoice,) = billing.issue(billing.draft())
    for address in (f"/invoices/{invoice.pk}/", "/invoices/?state=issued", f"/invoices/of/{billing.acme}/"):
        shown = browser.get(address)
        assert shown.status_code == 200
        assert "INV-2026-00001" in shown.content.decode()
    assert "INV-2026-00001" not in browser.get("/invoices/?state=paid").content.decode()
    exported = b"".join(browser.get("/invoices/?export=csv").streaming_content).decode()
    assert "INV-2026-00001" in exported


def test_pages_are_pictures_and_the_file_waits_for_its_print(billing: Billing, browser: Client) -> None:
    """Page 1 is an SVG under a closed policy, page 2 is not there, and the PDF is not printed yet."""
    draft = billing.draft()
    picture = browser.get(f"/invoices/{draft}/pages/1.svg")
    assert picture["Content-Type"] == "image/svg+xml"
    assert "default-src 'none'" in picture["Content-Security-Policy"]
    assert browser.get(f"/invoices/{draft}/pages/2.svg").status_code == 404
    assert browser.get(f"/invoices/{draft}/document.pdf").status_code == 404


def test_a_dispute_is_noted_and_ended(billing: Billing, browser: Client) -> None:
    """What is owed stays as it was."""
    (invoice,) = billing.issue(billing.draft())
    browser.post(f"/invoices/{invoice.pk}/dispute/", {"disputed": "1", "note": "Not what we ordered"})
    assert billing.get(invoice.pk).disputed
    browser.post(f"/invoices/{invoice.pk}/dispute/", {"disputed": "0"})
    assert not billing.get(invoice.pk).disputed
    assert billing.get(invoice.pk).settled == 0


def test_sales_may_look_and_not_approve(billing: Billing, clock: object, client: Client) -> None:
    """The queue without its buttons, and a refusal for the address behind them."""
    client.force_login(user("Sam", "sales"), backend="allauth.account.auth_backends.AuthenticationBackend")
    draft = billing.draft()
    assert "Approve and send" not in client.get(f"/review/{draft}/").content.decode()
    assert client.post(f"/review/{draft}/approve/", {"send": "1"}).status_code == 403
    assert billing.get(draft).status == "draft"


def test_settings_of_taxes_and_series(billing: Billing, clock: object, client: Client) -> None:
    """An admin adds a rate from a day on, and gives a series another pattern."""
    client.force_login(user("Ada", "admin"), backend="allauth.account.auth_backends.AuthenticationBackend")
    rate = {
        "entity": str(billing.entity),
        "tax_class": "standard",
        "label": "VAT 22 %",
        "percent": "22",
        "category": "S",
        "valid_from": "2026-07-01",
    }
    assert client.post("/settings/taxes/new/", rate).status_code == 302
    assert "VAT 22 %" in client.get("/settings/taxes/").content.decode()
    from counterfoil.invoicing.queries import list_series

    series = list_series(user("Ada", "admin").actor())[0]
    refused = client.post(f"/settings/series/{series.id}/", {"pattern": "NO NUMBER", "digits": "5", "version": "1"})
    assert refused.status_code == 422
    assert client.get("/settings/series/").status_code == 200


def test_an_issued_draft_is_shown_on_its_own_page(billing: Billing, browser: Client) -> None:
    """Its address in the queue leads there."""
    (invoice,) = billing.issue(billing.draft())
    assert browser.get(f"/review/{invoice.pk}/")["Location"] == f"/invoices/{invoice.pk}/"
