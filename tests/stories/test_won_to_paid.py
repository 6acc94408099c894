"""The main job on real input: a deal of the imported pipeline, from won to paid, on a running installation."""

from __future__ import annotations

import email
import email.policy
import io
import json
import os
import re
import time
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from playwright.sync_api import Page, expect, sync_playwright
from pypdf import PdfReader
from tests.stories.installation import Installation, free_port

from browsing import CHROMIUM

FOLDER = Path(os.environ.get("COUNTERFOIL_REAL_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "crm"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real files are not at {FOLDER}; set COUNTERFOIL_REAL_DATA"),
]
COUNT = """
const spend = (what) => { const spent = JSON.parse(sessionStorage.getItem("spent") ?? '{"clicks": 0, "keys": 0}');
  spent[what] += 1; sessionStorage.setItem("spent", JSON.stringify(spent)); };
addEventListener("click", (event) => { if (event.isTrusted) spend("clicks"); }, true);
addEventListener("keydown", (event) => { if (event.isTrusted) spend("keys"); }, true);
"""

COMPANY = """
from counterfoil.access import commands as access
from counterfoil.access.actors import Actor
from counterfoil.invoicing import commands as invoicing
from counterfoil.ledger import commands as ledger
from counterfoil.ledger.models import LegalEntity
actor = Actor.system("Story", "cli")
access.add_user(actor=actor, values={"email": "boss@firm.example", "name": "Boss", "roles": ["admin"]},
                password="a long password here")
entity = LegalEntity.objects.get()
ledger.change_entity(actor=actor, entity_id=entity.pk, version=entity.version, values={
    "name": "Firm", "legal_name": "Firm Inc", "street": "1 Main St", "postcode": "10001", "city": "New York",
    "country": "US", "currency": "USD", "bank_name": "First Bank", "tax_id": "12-3456789",
    "email": "billing@firm.example"})
invoicing.add_tax_rate(actor=actor, values={
    "entity": str(entity.pk), "tax_class": "standard", "label": "Sales tax 8.875 %", "percent": "8.875",
    "category": "S", "valid_from": "2020-01-01"})
"""

READY = """
import json
from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import Account
from counterfoil.deals.models import Deal
from counterfoil.plumbing import clock
actor, on = Actor.system("Story", "cli"), clock.today()
deal = Deal.objects.filter(status="open", account__isnull=False, lines__isnull=False).order_by("external_id").first()
account = Account.objects.get(pk=deal.account_id)
accounts.change_account(actor=actor, account_id=account.pk, version=account.version, values={
    "tax_profile": "standard",
    "addresses": [{"kind": "invoice", "street": "5 Elm St", "postcode": "60601", "city": "Chicago", "country": "US"}]})
contact = accounts.add_contact(actor=actor, values={"name": "Ann Pay", "email": "ann@customer.example"}, on=on)
accounts.give_role(actor=actor, account_id=account.pk, contact_id=contact, role="billing", on=on)
line = deal.lines.select_related("product").get()
print(json.dumps({"deal": str(deal.pk), "account": str(account.pk), "name": account.legal_name,
                  "product": line.description, "price": str(line.unit_price)}))
"""


class Postbox:
    """Takes mail."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 taken"


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    box, port = Postbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def take_in(installation: Installation, name: str, *options: str) -> None:
    done = installation.run("import", str(FOLDER / name), "--load", *options)
    assert done.returncode == 0, done.stdout + done.stderr


def logged_in(page: Page) -> None:
    page.goto("/login/")
    page.get_by_label("E-mail").fill("boss@firm.example")
    page.get_by_label("Password").fill("a long password here")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")


def test_from_won_to_paid_on_the_imported_pipeline(tmp_path: Path, postbox: tuple[Postbox, int]):
    """Three clicks, nothing typed; one mail with the right PDF; the payment shows on invoice, deal and account."""
    box, port = postbox
    installation = Installation(tmp_path, email_url=f"smtp://127.0.0.1:{port}?tls=none")
    installation.up()
    try:
        installation.python(COMPANY)
        take_in(installation, "accounts.csv", "--as", "accounts.account", "--set", "revenue_unit=millions",
                "--accept-suggestions")  # fmt: skip
        take_in(installation, "products.csv", "--as", "catalog.product", "--set", "currency=USD")
        take_in(installation, "sales_pipeline.csv", "--as", "deals.deal", "--set", "currency=USD", "--value",
                "product:GTXPro=GTX Pro")  # fmt: skip
        ready = json.loads(installation.python(READY))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            context = browser.new_context(base_url=f"http://127.0.0.1:{installation.port}")
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
            logged_in(page)
            _sent_in_three_clicks(context.new_page(), ready["deal"])
            number, total = _the_one_mail(box, ready)
            _paid_everywhere(page, ready, number, total)
            assert complaints == []
            browser.close()
        verified = installation.run("verify")
        assert verified.returncode == 0, verified.stdout
    finally:
        installation.down()


def _sent_in_three_clicks(page: Page, deal: str) -> None:
    page.add_init_script(COUNT)
    page.goto(f"/deals/{deal}/")
    page.get_by_role("button", name="Mark won").click()
    page.get_by_role("link", name="Review draft").click()
    page.get_by_role("button", name="Approve and send", exact=True).click()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("JSON.parse(sessionStorage.getItem('spent'))") == {"clicks": 3, "keys": 0}
    page.close()


def _the_one_mail(box: Postbox, ready: dict[str, Any]) -> tuple[str, str]:
    """One mail to the billing contact, whose PDF says number, party, line, tax and total."""
    until = time.monotonic() + 60
    while not box.taken and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(2)
    (envelope,) = box.taken
    assert envelope.rcpt_tos == ["ann@customer.example"]
    message = email.message_from_bytes(bytes(envelope.content or b""), policy=email.policy.default)
    (pdf,) = [part for part in message.iter_attachments() if part.get_content_type() == "application/pdf"]
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.get_content())).pages)
    net = Decimal(ready["price"])
    tax = (net * Decimal("0.08875")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    total = f"{net + tax:,.2f}"
    for said in (ready["name"], ready["product"], "Firm Inc", f"{net:,.2f}", f"{tax:,.2f}", total, "8.875"):
        assert said in text, f"{said} is not in {text}"
    found = re.search(r"INV-\d{4}-\d{5}", text)
    assert found is not None
    return found.group(), total


def _paid_everywhere(page: Page, ready: dict[str, Any], number: str, total: str) -> None:
    """The payment is recorded from the invoice, filled in whole; then all three pages say so."""
    page.goto(f"/deals/{ready['deal']}/")
    page.get_by_role("link", name=number).first.click()
    page.get_by_role("link", name="Record payment").first.click()
    page.get_by_role("button", name="Record payment").click()
    expect(page.get_by_role("heading", name=re.compile(number))).to_contain_text("Paid")
    page.goto(f"/deals/{ready['deal']}/")
    expect(page.locator("main")).to_contain_text("Paid")
    page.goto(f"/accounts/{ready['account']}/")
    expect(page.locator("main").get_by_text("Paid").first).to_be_visible()
    expect(page.locator("main")).to_contain_text(number)
