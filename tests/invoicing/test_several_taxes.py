"""A class that stands for several taxes: from the settings to the printed document, the credit note and the books."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from issuing_world import AT, ON, SYSTEM, Issuing
from pypdf import PdfReader

from counterfoil.access import commands as access
from counterfoil.access.models import User
from counterfoil.documents.einvoice import einvoice_gaps
from counterfoil.invoicing import commands
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax, TaxRate
from counterfoil.invoicing.printing import printed_document
from counterfoil.invoicing.queries.rows import with_parts
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.ledger.models import LegalEntity, Posting
from counterfoil.plumbing.invariants import verify
from counterfoil.plumbing.jobs import run_waiting_jobs

D = Decimal
LATER = date(2026, 4, 10)
Call = Callable[..., tuple[int, Any]]


def broken() -> set[str]:
    return {finding.invariant.key for finding in verify() if not finding.holds}


def tax_both(world: Issuing, *, gst_in: bool = False, qst_in: bool = False) -> None:
    """Standard bears GST and QST, reduced GST alone."""
    TaxRate.objects.filter(entity=world.entity).delete()
    rates = (
        ("standard", 1, "GST", "5", gst_in),
        ("standard", 2, "QST", "9.975", qst_in),
        ("reduced", 1, "GST", "5", gst_in),
    )
    for tax_class, part, name, percent, included in rates:
        values = {
            "entity": world.entity,
            "tax_class": tax_class,
            "part": part,
            "label": f"{name} {percent} %",
            "percent": D(percent),
            "category": "S",
            "included": included,
            "valid_from": date(2013, 1, 1),
        }
        commands.add_tax_rate(actor=SYSTEM, values=values)


def issued(world: Issuing, *lines: tuple[str, str]) -> Invoice:
    """An invoice of lines of an amount and a tax class."""
    made = tuple(OrderLine(f"Line {amount}", D(1), D(amount), tax_class=tax_class) for amount, tax_class in lines)
    order = DraftOrder(account_id=world.acme, lines=made)
    (invoice_id,) = world.issue(*commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT))
    return world.invoice(invoice_id)


def credit(world: Issuing, *parts: tuple[InvoiceLine, str]) -> Invoice:
    lines = tuple(CreditLine(line.pk, D(amount)) for line, amount in parts)
    (note_id,) = commands.credit(actor=world.bea, orders=[CreditOrder(lines=lines)], on=LATER, at=AT, send=False)
    return world.invoice(note_id)


def lines_of(invoice: Invoice) -> list[InvoiceLine]:
    return list(InvoiceLine.objects.filter(invoice=invoice).order_by("position"))


def figures(invoice: Invoice) -> tuple[str, ...]:
    return tuple(f"{one:.2f}" for one in (invoice.net, invoice.tax, invoice.total))


def taxes_of(invoice: Invoice) -> list[str]:
    found = InvoiceTax.objects.filter(invoice=invoice).order_by("-percent", "included", "again")
    return [f"{one.label}: {one.base:.2f} → {one.amount:.2f}" for one in found]


@pytest.fixture
def call(world: Issuing, clock: Any, client: Any) -> Call:
    """Calls the API with a key of the roles billing and admin."""
    ada = User.objects.create(email="ada@works.example", name="Ada", roles=["admin"]).actor()
    values = {"name": "Test", "roles": ["billing", "admin"]}
    _, secret = access.make_api_key(actor=ada, values=values, at=AT)

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = json.dumps(body) if body is not None else ""
        headers = {"authorization": f"Bearer {secret}"}
        answer = client.generic(method, f"/api/v1{path}", data, content_type="application/json", headers=headers)
        is_json = "json" in answer["Content-Type"]
        return answer.status_code, json.loads(answer.content) if is_json else answer.content

    return send


def test_gst_and_qst_from_the_rate_to_the_credit_note(world: Issuing, call: Call) -> None:
    """Two rates of one class, a draft, the document as printed, a part and then the rest of it taken back."""
    rate = {"entity": str(world.entity), "tax_class": "standard", "valid_from": "2026-01-01"}
    status, first = call("POST", "/tax-rates", {**rate, "label": "GST 5 %", "percent": "5"})
    assert (status, first["part"]) == (201, 1)
    status, second = call("POST", "/tax-rates", {**rate, "label": "QST 9.975 %", "percent": "9.975", "part": 2})
    assert (status, second["part"], second["valid_to"]) == (201, 2, None)
    assert call("GET", f"/tax-rates/{first['id']}")[1]["valid_to"] is None
    refused = {**rate, "label": "PST 7 %", "percent": "7", "part": 2}
    status, problem = call("POST", "/tax-rates", refused)
    assert (status, problem["code"], problem["problems"][0]["field"]) == (409, "overlaps", "valid_from")
    assert call("POST", "/tax-rates", {**refused, "part": 10})[0] == 422

    lines = [
        {"description": "Workshop", "quantity": "3", "unit_price": "10.10"},
        {"description": "Book", "quantity": "1", "unit_price": "20.00", "tax_class": "zero"},
    ]
    status, draft = call("POST", "/invoices", {"account": str(world.acme), "lines": lines})
    assert (status, draft["net"], draft["tax"], draft["total"]) == (201, "50.30", "4.54", "54.84")
    assert [(tax["label"], tax["base"], tax["amount"]) for tax in draft["taxes"]] == [
        ("QST 9.975 %", "30.30", "3.02"), ("GST 5 %", "30.30", "1.52"), ("VAT 0 %", "20.00", "0.00"),
    ]  # fmt: skip
    workshop, book = draft["lines"]
    assert [(tax["label"], tax["percent"], tax["included"]) for tax in workshop["taxes"]] == [
        ("GST 5 %", "5", False), ("QST 9.975 %", "9.975", False),
    ]  # fmt: skip
    assert [tax["label"] for tax in book["taxes"]] == ["VAT 0 %"]
    status, done = call("POST", f"/invoices/{draft['id']}/issue", {"send": False})
    assert (status, done["total"], done["number"]) == (200, "54.84", "INV-2026-00001")

    run_waiting_jobs()
    status, content = call("GET", f"/invoices/{draft['id']}/document.pdf")
    reader = PdfReader(io.BytesIO(content))
    text = " ".join("\n".join(page.extract_text() for page in reader.pages).split())
    for words in ("GST 5 % QST 9.975 %", "GST 5 % on EUR 30.30", "QST 9.975 % on EUR 30.30", "54.84"):
        assert words in text.replace("€", "EUR "), text
    assert not reader.attachments

    wish = {"lines": [{"line": workshop["id"], "amount": "10.10"}]}
    status, note = call("POST", f"/invoices/{draft['id']}/credit", wish)
    assert (status, note["net"], note["tax"], note["total"]) == (201, "10.10", "1.52", "11.62")
    assert [(tax["label"], tax["amount"]) for tax in note["taxes"]] == [("QST 9.975 %", "1.01"), ("GST 5 %", "0.51")]
    too_much = {"lines": [{"line": workshop["id"], "amount": "20.21"}]}
    assert call("POST", f"/invoices/{draft['id']}/credit", too_much)[1]["code"] == "more_than_left"
    rest = {"lines": [{"line": workshop["id"], "amount": "20.20"}, {"line": book["id"], "amount": "20.00"}]}
    status, note = call("POST", f"/invoices/{draft['id']}/credit", rest)
    assert [(tax["label"], tax["amount"]) for tax in note["taxes"]] == [
        ("QST 9.975 %", "2.01"), ("GST 5 %", "1.01"), ("VAT 0 %", "0.00"),
    ]  # fmt: skip
    assert call("GET", f"/invoices/{draft['id']}")[1]["open"] == "0.00"
    sums: dict[str, Decimal] = {}
    for one in Posting.objects.select_related("ledger_account"):
        sums[one.ledger_account.role] = sums.get(one.ledger_account.role, D(0)) + one.amount
    assert set(sums.values()) == {D(0)}
    assert broken() == set()


def test_a_second_tax_is_entered_on_the_screen(world: Issuing, clock: Any, client: Any) -> None:
    """The form asks for the part; the list says that it is the second tax of its class; invoices name both."""
    TaxRate.objects.filter(tax_class="standard").update(label="GST 5 %", percent=5)
    ada = User.objects.create(email="ada@works.example", name="Ada", roles=["admin"])
    client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert 'name="part"' in client.get("/settings/taxes/new/").content.decode()
    typed = {
        "entity": str(world.entity), "tax_class": "standard", "part": "2", "label": "QST 9.975 %", "percent": "9.975",
        "category": "S", "valid_from": "2026-01-01",
    }  # fmt: skip
    refused = client.post("/settings/taxes/new/", {**typed, "part": "1", "valid_from": "2001-01-01"})
    assert (refused.status_code, "another part" in refused.content.decode()) == (409, True)
    assert client.post("/settings/taxes/new/", typed).status_code == 302
    assert "tax 2 of its class" in client.get("/settings/taxes/").content.decode()
    invoice_id = world.issued()
    bea = User.objects.get(email="bea@works.example")
    client.force_login(bea, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get(f"/invoices/{invoice_id}/").content.decode()
    assert "GST 5 %" in page
    assert "QST 9.975 %" in page
    assert figures(world.invoice(invoice_id)) == ("200.00", "29.95", "229.95")


@pytest.mark.parametrize("profile", ["exempt", "reverse_charge", "outside_scope"])
def test_a_profile_replaces_all_of_them(world: Issuing, profile: str) -> None:
    """One row, one tax on the line, nothing to pay."""
    tax_both(world)
    tax_ids = [{"country": "AT", "value": "ATU12345675"}]
    world.change(tax_profile=profile, tax_exemption_reason="A charity", tax_identifiers=tax_ids)
    (line,) = lines_of(issued(world, ("100", "standard")))
    assert (line.more_taxes, line.tax_percent) == (None, D(0))
    assert len(InvoiceTax.objects.filter(invoice=line.invoice)) == 1
    assert broken() == set()


@pytest.mark.parametrize(
    ("gst_in", "qst_in", "rounding", "amount", "invoice", "notes"),
    [
        (False, False, "per_rate", "10.10", ("20.20", "2.02", "22.22"), [("10.10", "1.52"), ("10.10", "0.50")]),
        (False, False, "per_line", "10.10", ("20.20", "2.03", "22.23"), [("10.10", "1.52"), ("10.10", "0.51")]),
        (True, True, "per_rate", "1.00", ("1.82", "0.18", "2.00"), [("0.87", "0.13"), ("0.95", "0.05")]),
        (True, True, "per_line", "1.00", ("1.82", "0.18", "2.00"), [("0.87", "0.13"), ("0.95", "0.05")]),
        (True, False, "per_rate", "1.05", ("2.00", "0.20", "2.20"), [("1.00", "0.15"), ("1.00", "0.05")]),
        (True, False, "per_line", "1.05", ("2.00", "0.20", "2.20"), [("1.00", "0.15"), ("1.00", "0.05")]),
    ],
)
def test_lines_that_bear_one_and_both(
    world: Issuing,
    gst_in: bool,
    qst_in: bool,
    rounding: str,
    amount: str,
    invoice: tuple[str, ...],
    notes: list[tuple[str, str]],
) -> None:
    """A line with both and a line with GST alone, then each credited: to the cent, and every promise holds."""
    LegalEntity.objects.update(tax_rounding=rounding)
    tax_both(world, gst_in=gst_in, qst_in=qst_in)
    made = issued(world, (amount, "standard"), (amount, "reduced"))
    assert figures(made) == invoice
    found = [credit(world, (line, amount)) for line in lines_of(made)]
    assert [figures(note)[:2] for note in found] == notes
    assert world.invoice(made.pk).open == 0
    assert broken() == set()


def test_what_a_line_bears_twice_stands_apart(world: Issuing) -> None:
    """CGST 9 % and SGST 9 % are two rows, are two on the printed document, and go back as two."""
    tax_both(world)
    TaxRate.objects.filter(tax_class="standard", part=1).update(label="CGST 9 %", percent=9)
    TaxRate.objects.filter(tax_class="standard", part=2).update(label="SGST 9 %", percent=9)
    made = issued(world, ("100.50", "standard"))
    assert taxes_of(made) == ["CGST 9 %: 100.50 → 9.05", "SGST 9 %: 100.50 → 9.05"]
    with_parts([made])
    printed = printed_document(made, list(made.lines.all()), list(made.taxes.all()))
    assert [(tax.label, str(tax.amount)) for tax in printed.taxes] == [
        ("CGST 9 %", "9.05 EUR"), ("SGST 9 %", "9.05 EUR"),
    ]  # fmt: skip
    assert any("several taxes" in gap for gap in einvoice_gaps(printed))
    (line,) = lines_of(made)
    credit(world, (line, "50.00"))
    assert taxes_of(credit(world, (line, "50.50"))) == ["CGST 9 %: 50.50 → 4.55", "SGST 9 %: 50.50 → 4.55"]
    assert broken() == set()


def test_the_frozen_taxes_travel(world: Issuing) -> None:
    """A line that takes back an issued one on an invoice bears its taxes though the class has other ones by now."""
    tax_both(world)
    (line,) = lines_of(issued(world, ("100.00", "standard")))
    TaxRate.objects.filter(part=2).delete()
    back = OrderLine("Back", D(1), D(100), kind="proration_credit", net=D("-40.00"), credits_line_id=line.pk)
    order = DraftOrder(account_id=world.acme, lines=(back, OrderLine("More", D(1), D(60))))
    (draft_id,) = commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)
    draft_line = InvoiceLine.objects.get(invoice=draft_id, description="Back")
    texts = [{"id": str(draft_line.pk), "description": "Given back", "quantity": "1", "unit_price": "100"},
             {"description": "More", "quantity": "1", "unit_price": "60"}]  # fmt: skip
    commands.change_draft(actor=SYSTEM, invoice_id=draft_id, values={"lines": texts}, on=ON, version=None)
    world.issue(draft_id)
    assert taxes_of(world.invoice(draft_id)) == ["QST 9.975 %: -40.00 → -3.99", "GST 5 %: 20.00 → 1.00"]
    note = credit(world, (line, "60.00"))
    assert taxes_of(note) == ["QST 9.975 %: 60.00 → 5.99", "GST 5 %: 60.00 → 3.00"]
    assert broken() == set()


def test_a_draft_follows_the_settings(world: Issuing) -> None:
    """A second tax that comes while a draft waits is on the document; one that goes is not."""
    draft = world.draft()
    tax_both(world)
    world.issue(draft)
    assert taxes_of(world.invoice(draft)) == ["QST 9.975 %: 200.00 → 19.95", "GST 5 %: 200.00 → 10.00"]
    second = world.draft()
    TaxRate.objects.filter(part=2).delete()
    world.issue(second)
    assert taxes_of(world.invoice(second)) == ["GST 5 %: 200.00 → 10.00"]
    assert lines_of(world.invoice(second))[0].more_taxes is None
    assert broken() == set()


def put(*statements: tuple[Any, ...]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, *values in statements:
            cursor.execute(statement, values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("more_taxes = jsonb_set(more_taxes, '{0,amount}', '\"4.01\"')", "more tax is taken back"),
        ("tax = 2.01", "more tax is taken back"),
        ("more_taxes = NULL", "other taxes"),
        ("more_taxes = jsonb_set(more_taxes, '{0,percent}', '\"7\"')", "other taxes"),
        ("tax_percent = 7", "other taxes"),
    ],
)
def test_the_database_refuses_more_of_any_tax(world: Issuing, change: str, told: str) -> None:
    """60 of 100 were credited with 3.00 and 5.99; the rest bears 2.00 and 3.99, and nothing else."""
    tax_both(world)
    (line,) = lines_of(issued(world, ("100.00", "standard")))
    note = credit(world, (line, "60.00"))
    columns = ", ".join(f'"{field.column}"' for field in Invoice._meta.concrete_fields if field.name != "id")
    renamed = columns.replace('"sequence"', "sequence + 1").replace('"number"', "number || 'x'")
    fields = [field for field in InvoiceLine._meta.concrete_fields if field.name not in ("id", "invoice")]
    of_line = ", ".join(f'"{field.column}"' for field in fields)
    copy = "11111111-1111-1111-1111-111111111111"
    rest = "net = 40, tax = 2.00, more_taxes = jsonb_set(more_taxes, '{0,amount}', '\"3.99\"')"
    copied = [
        (f"INSERT INTO invoicing_invoiceline (id, invoice_id, {of_line}) SELECT gen_random_uuid(), %s, {of_line} "
         "FROM invoicing_invoiceline WHERE invoice_id = %s", copy, note.pk),
        (f"UPDATE invoicing_invoiceline SET {rest} WHERE invoice_id = %s", copy),
    ]  # fmt: skip
    document = (
        f"INSERT INTO invoicing_invoice (id, {columns}) SELECT %s, {renamed} FROM invoicing_invoice WHERE id = %s",
        copy,
        note.pk,
    )
    changed = (f"UPDATE invoicing_invoiceline SET {change} WHERE invoice_id = %s", copy)
    with pytest.raises(DatabaseError, match=told):
        put(*copied, changed, document)
    put(*copied, document)


@pytest.mark.parametrize(
    ("keys", "sql"),
    [
        ({"L7b", "L15b", "D7"}, "UPDATE invoicing_invoiceline SET tax = tax - 1 WHERE credits_line_id IS NOT NULL"),
        (
            {"L7b", "L7c", "L15b", "D7"},
            "UPDATE invoicing_invoiceline SET more_taxes = jsonb_set(more_taxes, '{0,amount}', '\"10.98\"') "
            "WHERE credits_line_id IS NOT NULL",
        ),
        (
            {"L7c", "L15b", "D7"},
            "UPDATE invoicing_invoiceline SET more_taxes = NULL WHERE credits_line_id IS NOT NULL",
        ),
        (
            {"L5b", "L7b", "L15b", "D7"},
            "UPDATE invoicing_invoiceline SET more_taxes = jsonb_set(more_taxes, '{0,amount}', '\"9.975\"') "
            "WHERE credits_line_id IS NOT NULL",
        ),
        ({"D7"}, "UPDATE invoicing_invoicetax SET base = base + 1 WHERE percent = 9.975"),
    ],
)  # fmt: skip
def test_a_planted_breach_is_found(world: Issuing, keys: set[str], sql: str) -> None:
    """What the commands never do to a further tax is found behind their back."""
    tax_both(world)
    (line,) = lines_of(issued(world, ("100.00", "standard")))
    credit(world, (line, "100.00"))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in ("invoicing_invoiceline", "invoicing_invoicetax"):
            cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        cursor.execute(sql)
    assert broken() == keys


def test_a_further_tax_costs_no_statement(world: Issuing) -> None:
    """A billing run of lines with two taxes takes the statements of one with one, and the usual line writes no JSON."""

    def statements() -> int:
        orders = [DraftOrder(account_id=world.acme, lines=(OrderLine("Work", D(1), D(100)),)) for _ in range(6)]
        with CaptureQueriesContext(connection) as captured:
            commands.bill_invoices(actor=world.bea, orders=orders, on=ON, at=AT)
        return len(captured)

    statements()
    usual = statements()
    assert not InvoiceLine.objects.filter(more_taxes__isnull=False).exists()
    tax_both(world)
    assert statements() == usual
    assert InvoiceLine.objects.filter(more_taxes__isnull=False).count() == 6
    assert broken() == set()
