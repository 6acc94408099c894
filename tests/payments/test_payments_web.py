"""The pages of payments, through Django's client."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from payments_world import Money

from counterfoil.activities.models import Task
from counterfoil.core.ids import new_id
from counterfoil.ledger.models import LegalEntity
from counterfoil.payments.models import Allocation, Payment
from staff import Browser, Staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

HTMX = {"HX-Request": "true"}


@pytest.fixture
def web(money: Money, staff: Staff) -> Browser:
    return staff.browser("billing")


def text(response: Any) -> str:
    """What a reader sees, with spaces squeezed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def box(html: str, invoice_id: Any) -> str:
    """The box of one invoice, as markup."""
    found = re.search(rf'<input[^>]*name="share-{invoice_id}"[^>]*>', html)
    return found[0] if found else ""


def filled(html: str) -> dict[str, str]:
    """What a browser would send for the form of a page: its inputs and the chosen options, without ticking a box."""
    form = re.search(r'<form[^>]*id="record-form".*?</form>', html, re.S)
    assert form is not None
    values = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and 'type="checkbox"' not in tag:
            values[name[1]] = value[1] if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form[0], re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        values[name] = chosen[1] if chosen else ""
    return values


# Recording -----------------------------------------------------------------------------------------------------------


def test_an_invoice_is_paid_whole(web: Browser, money: Money) -> None:
    """The form that an invoice opens is filled in; sent as it is, the invoice is paid, and the way leads back to it."""
    invoice = money.invoice("INV-1", "119.00")
    other = money.invoice("INV-2", "50.00")
    address = f"/payments/record/?invoice={invoice}"
    html = web.get(address).content.decode()
    values = filled(html)
    assert (values["payer"], values["payer-title"], values["currency"]) == (str(money.acme), "Acme", "EUR")
    assert (values["amount"], values["received_on"], values["reference"]) == ("119", "2026-04-01", "INV-1")
    assert 'value="119.00"' in box(html, invoice)
    assert 'value=""' in box(html, other)
    sent = web.post(address, values)
    assert sent["Location"] == f"/invoices/{invoice}/"
    assert (money.open(invoice), money.open(other)) == ("0.00", "50.00")
    assert Payment.objects.get().reference == "INV-1"
    again = filled(web.get(address).content.decode())
    assert again["amount"] == ""
    assert web.get(f"/payments/record/?invoice={new_id()}").status_code == 404
    assert web.get("/payments/record/?invoice=nonsense").status_code == 404


def test_an_invoice_is_paid_in_part(web: Browser, money: Money) -> None:
    """Amounts with a comma are taken; the rest stays open, and the invoice's panel tells of the part."""
    invoice = money.invoice("INV-1", "1500.50")
    address = f"/payments/record/?invoice={invoice}"
    values = filled(web.get(address).content.decode())
    web.post(address, {**values, "amount": "1.000,50", f"share-{invoice}": "1.000,50"})
    assert money.open(invoice) == "500.00"
    panel = text(web.get(f"/invoices/{invoice}/payments/", headers=HTMX))
    assert "Payments" in panel
    assert "Acme · INV-1" in panel
    assert "1,000.50 EUR" in panel


def test_one_payment_over_several_invoices(web: Browser, money: Money) -> None:
    """An account's form shows what it owes; each invoice gets what stands in its box, the rest stays as credit."""
    first, second = money.invoice("INV-1", due_on="2026-03-10"), money.invoice("INV-2", due_on="2026-03-20")
    other_payer = money.invoice("INV-3", account=money.brent)
    address = f"/payments/record/?account={money.acme}"
    html = web.get(address).content.decode()
    assert html.index("INV-1") < html.index("INV-2")
    assert not box(html, other_payer)
    values = {**filled(html), "amount": "180", f"share-{first}": "100", f"share-{second}": "60"}
    sent = web.post(address, values)
    payment = Payment.objects.get()
    assert sent["Location"] == f"/payments/{payment.pk}/"
    assert (money.open(first), money.open(second), money.rest(payment.pk)) == ("0.00", "40.00", "20.00")
    page = text(web.get(f"/payments/{payment.pk}/"))
    for words in ("Bank transfer", "INV-1", "INV-2", "Allocate 20.00 EUR", "Acme"):
        assert words in page
    assert "transfer " not in page.replace("Bank transfer", "")


def test_paying_too_much_is_refused_at_the_box(web: Browser, money: Money) -> None:
    """More than an invoice owes, and more than came: the message stands at its place, and nothing was changed."""
    first, second = money.invoice("INV-1"), money.invoice("INV-2")
    address = f"/payments/record/?account={money.acme}"
    values = filled(web.get(address).content.decode())
    before = money.counts()
    over = web.post(address, {**values, "amount": "300", f"share-{first}": "100", f"share-{second}": "150,00"})
    html = over.content.decode()
    assert over.status_code == 422
    assert "INV-2 has €100.00 open; €150.00 is more." in text(over)
    assert "aria-invalid" in box(html, second)
    assert "autofocus" in box(html, second)
    assert 'value="150,00"' in box(html, second)
    assert "aria-invalid" not in box(html, first)
    beyond = web.post(address, {**values, "amount": "150", f"share-{first}": "100", f"share-{second}": "100"})
    assert beyond.status_code == 422
    assert "€200.00 is allocated, but only €150.00 is there." in text(beyond)
    junk = web.post(address, {**values, "amount": "150", f"share-{first}": "abc"})
    assert junk.status_code == 422
    assert 'value="abc"' in box(junk.content.decode(), first)
    empty = web.post(address, {**values, "amount": ""})
    assert "Amount is missing." in text(empty)
    assert 'value="Acme"' in empty.content.decode()
    assert money.counts() == before


def test_the_oldest_first(web: Browser, money: Money) -> None:
    """The box is answered with who would get what, and the command decides in the same order."""
    young, old = money.invoice("INV-1", due_on="2026-03-20"), money.invoice("INV-2", due_on="2026-03-10")
    elsewhere = money.invoice("INV-9", due_on="2026-03-25", entity=money.other_entity)
    shown = web.get(
        "/payments/record/shares/",
        {"payer": str(money.acme), "currency": "EUR", "oldest": "1", "amount": "120,50"},
        headers={**HTMX, "HX-Target": "shares"},
    ).content.decode()
    assert 'value="100.00"' in box(shown, old)
    assert 'value="20.50"' in box(shown, young)
    assert 'value=""' in box(shown, elsewhere)
    assert "readonly" in box(shown, old)
    address = f"/payments/record/?account={money.acme}"
    values = filled(web.get(address).content.decode())
    web.post(address, {**values, "amount": "120,50", "oldest": "1"})
    assert (money.open(old), money.open(young), money.open(elsewhere)) == ("0.00", "79.50", "100.00")


def test_what_a_payer_owes(web: Browser, money: Money) -> None:
    """The part of the form that follows the payer: what is open, in which currency, and plain words for nothing."""
    invoice = money.invoice("INV-1", "70.00", currency="USD")

    def shown(**values: str) -> Any:
        return web.get("/payments/record/shares/", values, headers={**HTMX, "HX-Target": "shares"})

    assert box(shown(payer=str(money.acme), currency="USD").content.decode(), invoice)
    assert "Nothing is open in EUR, but 70.00 USD is." in text(shown(payer=str(money.acme), currency="EUR"))
    assert "Nothing is open." in text(shown(payer=str(money.brent), currency="EUR"))
    assert "Choose the payer" in text(shown(payer="nonsense", currency="EUR", amount="NaN", entity="x", invoice="y"))
    elsewhere = shown(payer=str(money.acme), currency="USD", entity=str(money.other_entity)).content.decode()
    assert not box(elsewhere, invoice)


def test_sending_twice_records_once(web: Browser, money: Money) -> None:
    """The same form sent again, or from two tabs, is one payment; with other values it is refused."""
    invoice = money.invoice("INV-1")
    address = f"/payments/record/?invoice={invoice}"
    values = filled(web.get(address).content.decode())
    first, second = web.post(address, values), web.post(address, values)
    assert (first.status_code, second.status_code) == (302, 302)
    assert (Payment.objects.count(), money.open(invoice)) == (1, "0.00")
    other = web.post(address, {**values, "amount": "55", f"share-{invoice}": ""})
    assert other.status_code == 409
    assert "This form was sent already, with other values." in text(other)
    assert Payment.objects.count() == 1


# Afterwards ----------------------------------------------------------------------------------------------------------


def test_the_rest_is_allocated_later(web: Browser, money: Money) -> None:
    """Credit waits on the list, the account and the invoice, until it is allocated."""
    payment = money.pay("150", reference="Advance")
    first, second = money.invoice("INV-1"), money.invoice("INV-2")
    assert "Advance" in text(web.get("/payments/?unallocated=1"))
    assert "Unallocated 150.00 EUR" in text(web.get(f"/accounts/{money.acme}/payments/", headers=HTMX))
    hint = web.get(f"/invoices/{first}/payments/", headers=HTMX)
    assert "Acme has 150.00 EUR unallocated" in text(hint)
    assert f"/payments/{payment}/allocate/" in hint.content.decode()
    address = f"/payments/{payment}/allocate/"
    assert box(web.get(address).content.decode(), first)
    over = web.post(address, {f"share-{first}": "100.01"})
    assert over.status_code == 422
    assert "aria-invalid" in box(over.content.decode(), first)
    assert web.post(address, {f"share-{first}": "100"})["Location"] == f"/payments/{payment}/"
    oldest = web.get(address, {"oldest": "1"}, headers={**HTMX, "HX-Target": "shares"}).content.decode()
    assert "<html" not in oldest
    assert 'value="50.00"' in box(oldest, second)
    web.post(address, {"oldest": "1"})
    assert (money.open(first), money.open(second), money.rest(payment)) == ("0.00", "50.00", "0.00")
    assert "All of it is allocated already." in text(web.get(address))
    assert "Everything is allocated" in text(web.get("/payments/?unallocated=1"))


def test_an_allocation_is_taken_back(web: Browser, money: Money) -> None:
    """The invoice owes it again and the payment shows who undid it; doing it twice is refused on the page."""
    invoice = money.invoice("INV-1")
    payment = money.pay("100", [(invoice, Decimal("100"))])
    allocation = Allocation.objects.get().pk
    undone = web.post(f"/allocations/{allocation}/undo/", {"payment": str(payment), "reason": "Wrong invoice"})
    assert undone["Location"] == f"/payments/{payment}/"
    assert (money.open(invoice), money.rest(payment)) == ("100.00", "100.00")
    page = text(web.get(f"/payments/{payment}/"))
    assert "undone by Billing Person" in page
    assert "Undone" in text(web.get(f"/invoices/{invoice}/payments/", headers=HTMX))
    twice = web.post(f"/allocations/{allocation}/undo/", {"payment": str(payment)})
    assert twice.status_code == 409
    assert "This allocation was undone already." in text(twice)
    assert web.post(f"/allocations/{allocation}/undo/", {"payment": "nonsense"}).status_code == 404


def test_a_payment_recorded_by_mistake(web: Browser, money: Money) -> None:
    """A counter-entry with its reason takes all back; nobody gets a task, and nothing can be done with it any more."""
    invoice = money.invoice("INV-1")
    payment = money.pay("100", "oldest")
    web.post(f"/payments/{payment}/undo/", {"reason": "Typed twice"})
    assert money.open(invoice) == "100.00"
    page = web.get(f"/payments/{payment}/")
    assert "Recorded by mistake, and undone Apr 1, 2026 : Typed twice" in text(page)
    assert "Take back" not in text(page)
    again = web.post(f"/payments/{payment}/undo/")
    assert again.status_code == 409
    assert "This payment is undone already" in text(again)
    toast = web.post(f"/payments/{payment}/undo/", headers=HTMX)
    assert "This payment is undone already" in toast["HX-Trigger"]
    assert "it settles nothing" in text(web.get(f"/payments/{payment}/allocate/"))
    assert web.post(f"/payments/{payment}/allocate/", {f"share-{invoice}": "1"}).status_code == 409
    assert not Task.objects.exists()


def test_a_bounced_payment(web: Browser, money: Money) -> None:
    """Without a reason the dialog stays open; with one the invoice owes again and the owner has a task."""
    invoice = money.invoice("INV-1")
    payment = money.pay("100", "oldest", method="cheque")
    address = f"/payments/{payment}/fail/"
    refused = web.post(address, {"kind": "bounced", "reason": " "})
    assert refused.status_code == 422
    assert re.search(r'<dialog[^>]*id="fail"[^>]* data-again', refused.content.decode())
    assert "Say why: whoever calls the customer needs to know." in text(refused)
    assert web.post(address, {"kind": "odd", "reason": "x"}).status_code == 422
    assert money.open(invoice) == "0.00"
    web.post(address, {"kind": "bounced", "reason": "Insufficient funds"})
    assert money.open(invoice) == "100.00"
    page = text(web.get(f"/payments/{payment}/"))
    assert "Bounced Apr 1, 2026 : Insufficient funds" in page
    assert "What it had settled is owed again." in page
    task = Task.objects.get()
    assert task.assignee_id == money.sam.id
    assert "Insufficient funds" in task.detail
    panel = text(web.get(f"/invoices/{invoice}/payments/", headers=HTMX))
    assert "Bounced" in panel
    assert "Insufficient funds" in panel


# Lists, panels, rights -----------------------------------------------------------------------------------------------


def test_the_list_keeps_its_state_in_the_address(web: Browser, money: Money) -> None:
    """Filters and search stand in the address; the sums are of all that match, by currency."""
    assert "No payments yet" in text(web.get("/payments/"))
    money.invoice("INV-1")
    money.pay("100", "oldest", reference="First")
    money.pay("25.5", reference="Second", payer=str(money.brent))
    money.pay("9", currency="USD", method="cash")
    page = text(web.get("/payments/"))
    assert "3 payments" in page
    assert "125.50 EUR" in page
    assert "9.00 USD" in page
    narrowed = text(web.get(f"/payments/?payer={money.brent}"))
    assert "1 payment" in narrowed
    assert "Payer: Brent Ltd" in narrowed
    assert "First" not in narrowed
    assert "1 payment" in text(web.get("/payments/?q=INV-1"))
    waiting = text(web.get("/payments/?unallocated=1"))
    assert "2 payments" in waiting
    assert "First" not in waiting
    written = b"".join(web.get("/payments/?export=csv").streaming_content).decode()
    assert "INV-1" in written
    nonsense = web.get("/payments/?payer=nonsense&amount_from=abc&sort=evil&page=99999999&status=x")
    assert nonsense.status_code == 200


def test_the_account_panel(web: Browser, money: Money) -> None:
    """The last payments with what they settled, those of others included, and a way to all of them."""
    address = f"/accounts/{money.acme}/payments/"
    assert "No payments yet." in text(web.get(address, headers=HTMX))
    money.invoice("INV-1")
    for _ in range(7):
        money.pay("10", "oldest")
    panel = web.get(address, headers=HTMX)
    assert panel.content.decode().count("<li>") == 6
    assert "INV-1" in text(panel)
    assert f"/payments/?payer={money.acme}" in panel.content.decode()
    assert f"/payments/record/?account={money.acme}" in panel.content.decode()


@pytest.mark.parametrize("role", ["sales", "accountant"])
def test_who_may_not_record(staff: Staff, money: Money, role: str) -> None:
    """Sales and the accountant see payments, find no button to change them, and are refused when they try."""
    invoice = money.invoice("INV-1")
    payment = money.pay("150", [(invoice, Decimal("100"))])
    allocation = Allocation.objects.get().pk
    reader = staff.browser(role)
    for address in ("/payments/", f"/payments/{payment}/"):
        page = text(reader.get(address))
        assert "150.00 EUR" in page
        for words in ("Record payment", "Take back", "Allocate 50.00"):
            assert words not in page
    assert "Record payment" not in text(reader.get(f"/accounts/{money.acme}/payments/", headers=HTMX))
    assert "100.00 EUR" in text(reader.get(f"/invoices/{invoice}/payments/", headers=HTMX))
    before = money.counts()
    for address in ("record/", f"{payment}/allocate/"):
        assert reader.get(f"/payments/{address}").status_code == 403
    for address in ("record/", f"{payment}/allocate/", f"{payment}/undo/", f"{payment}/fail/"):
        assert reader.post(f"/payments/{address}", {"kind": "failed", "reason": "x"}).status_code == 403
    assert reader.post(f"/allocations/{allocation}/undo/", {"payment": str(payment)}).status_code == 403
    assert money.counts() == before


def test_one_company_is_not_asked_for(web: Browser, money: Money) -> None:
    """Whose money it is, is asked only where there are several companies."""
    assert 'name="entity"' in web.get("/payments/record/").content.decode()
    LegalEntity.objects.filter(pk=money.other_entity).update(is_active=False)
    assert 'name="entity"' not in web.get("/payments/record/").content.decode()


def test_nothing_there(web: Browser) -> None:
    """A payment that does not exist is not found."""
    assert web.get(f"/payments/{new_id()}/").status_code == 404
    assert web.get(f"/payments/{new_id()}/allocate/").status_code == 404
    assert web.post(f"/payments/{new_id()}/undo/").status_code == 404
