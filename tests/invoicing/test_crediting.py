"""Credit notes: what they take back, what is open after them, and that nothing is taken back twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.access import commands as access
from counterfoil.access.models import User
from counterfoil.core.errors import NotAllowed, Refusal
from counterfoil.core.ids import new_id
from counterfoil.documents.einvoice import einvoice_gaps, einvoice_xml
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.models import Credit, Invoice, InvoiceLine, InvoiceTax, TaxRate
from counterfoil.invoicing.printing import printed_document
from counterfoil.invoicing.queries.rows import with_parts
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.ledger.models import LegalEntity, Posting
from counterfoil.plumbing.invariants import verify

D = Decimal
LATER = date(2026, 4, 10)
WORKSHOP = OrderLine("Workshop", D(2), D(400), discount_percent=D(10))
SUPPORT = OrderLine("Support", D(1), D(80))


def broken() -> list[str]:
    return [finding.invariant.key for finding in verify() if not finding.holds]


def issued(world: Issuing, *lines: OrderLine, account: UUID | None = None) -> UUID:
    """An invoice of these lines, else of 800.00 net and 952.00 with tax."""
    order = DraftOrder(account_id=account or world.acme, lines=lines or (WORKSHOP, SUPPORT))
    return world.issue(commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)[0])[0]


def line_ids(invoice_id: UUID) -> list[UUID]:
    return list(InvoiceLine.objects.filter(invoice=invoice_id).order_by("position").values_list("id", flat=True))


def credit(world: Issuing, *parts: tuple[UUID, str], **order: Any) -> Invoice:
    lines = tuple(CreditLine(line_id, D(amount)) for line_id, amount in parts)
    (note_id,) = commands.credit(
        actor=world.bea, orders=[CreditOrder(lines=lines, **order)], on=LATER, at=AT, send=False
    )
    return world.invoice(note_id)


def figures(invoice: Invoice) -> tuple[str, ...]:
    return tuple(f"{one:.2f}" for one in (invoice.net, invoice.tax, invoice.total))


def money_of(invoice: Invoice) -> tuple[str, ...]:
    return tuple(f"{one:.2f}" for one in (invoice.settled, invoice.credited, invoice.open))


def posted(document_id: UUID) -> dict[str, str]:
    found = Posting.objects.filter(entry__document_id=document_id).select_related("ledger_account")
    return {one.ledger_account.role: f"{one.amount:.2f}" for one in found}


def test_a_credit_note_takes_back_a_part(world: Issuing) -> None:
    """A number of its own, positive figures, the tax of the line, and postings the other way round."""
    invoice_id = issued(world)
    note = credit(world, (line_ids(invoice_id)[0], "100.00"), reason="One participant less")
    assert (note.kind, note.status, note.number, str(note.issued_on)) == (
        "credit_note", "issued", "CN-2026-00001", "2026-04-10",
    )  # fmt: skip
    assert figures(note) == ("100.00", "19.00", "119.00")
    assert money_of(note) == ("119.00", "0.00", "0.00")
    assert money_of(world.invoice(invoice_id)) == ("0.00", "119.00", "833.00")
    assert posted(note.pk) == {"receivable": "-119.00", "revenue": "100.00", "tax_payable": "19.00"}
    (line,) = InvoiceLine.objects.filter(invoice=note)
    assert (line.description, f"{line.net:.2f}", f"{line.tax:.2f}", line.credits_line_id) == (
        "Workshop", "100.00", "19.00", line_ids(invoice_id)[0],
    )  # fmt: skip
    assert world.events()[-2:] == ["credit_note_issued", "invoice_credited"]
    assert (note.party, note.notes) == (world.invoice(invoice_id).party, "One participant less")
    assert broken() == []


def test_states_tell_of_credits(world: Issuing) -> None:
    """Part-paid, credited whole, and the note used up: in the page, and in the list's filter alike."""
    invoice_id = issued(world)
    workshop, support = line_ids(invoice_id)
    note = credit(world, (workshop, "100.00"))

    def states() -> tuple[str, list[UUID]]:
        state = queries.get_invoice(world.bea, invoice_id, ON).state
        found = queries.list_invoices(world.bea, filters={"state": [state]}, today=ON).rows
        return state, [row.id for row in found if row.kind == "invoice"]

    assert states() == ("part_paid", [invoice_id])
    credit(world, (workshop, "620.00"), (support, "80.00"))
    assert states() == ("credited", [invoice_id])
    assert queries.get_invoice(world.bea, note.pk, LATER).state == "applied"
    found = queries.list_invoices(world.bea, filters={"state": ["applied"]}, today=ON)
    assert (found.count, str(found.totals["EUR"])) == (2, "-952.00 EUR")
    everything = queries.list_invoices(world.bea, today=ON)
    assert [str(sums["EUR"]) for sums in (everything.totals, everything.opens)] == ["0.00 EUR", "0.00 EUR"]
    assert queries.account_balances(world.bea, [world.acme], ON) == {}


def test_credits_in_parts_give_back_the_whole_tax(world: Issuing) -> None:
    """Three cents at 19 % bear two cents of tax: the third credit takes none."""
    cents = [OrderLine(name, D(1), D("0.03")) for name in "abc"]
    invoice_id = issued(world, *cents)
    taxes = [f"{credit(world, (line_id, '0.03')).tax:.2f}" for line_id in line_ids(invoice_id)]
    assert taxes == ["0.01", "0.01", "0.00"]
    assert money_of(world.invoice(invoice_id)) == ("0.00", "0.11", "0.00")
    assert broken() == []


@pytest.mark.parametrize("rounding", ["per_rate", "per_line"])
def test_a_price_with_tax_is_taken_back_with_tax(world: Issuing, rounding: str) -> None:
    """The amount is what the line says; net and tax are worked out of it."""
    LegalEntity.objects.update(tax_rounding=rounding)
    TaxRate.objects.filter(tax_class="standard").update(included=True)
    invoice_id = issued(world, OrderLine("A", D(1), D("10.00")))
    (line_id,) = line_ids(invoice_id)
    notes = [credit(world, (line_id, amount)) for amount in ("3.33", "3.33", "3.34")]
    assert [figures(note) for note in notes] == [
        ("2.80", "0.53", "3.33"), ("2.80", "0.53", "3.33"), ("2.80", "0.54", "3.34"),
    ]  # fmt: skip
    assert broken() == []


def test_the_frozen_rate_holds(world: Issuing) -> None:
    """A rate that changed since the invoice changes nothing."""
    invoice_id = issued(world)
    TaxRate.objects.filter(tax_class="standard").update(percent=D(21))
    assert figures(credit(world, (line_ids(invoice_id)[1], "80.00"))) == ("80.00", "15.20", "95.20")


def test_one_note_for_several_invoices(world: Issuing) -> None:
    """Each invoice is lowered by its own part, and the note names both."""
    first, second = issued(world), issued(world, SUPPORT)
    note = credit(world, (line_ids(first)[0], "20.00"), (line_ids(second)[0], "30.00"))
    assert figures(note) == ("50.00", "9.50", "59.50")
    assert [money_of(world.invoice(one))[1] for one in (first, second)] == ["23.80", "35.70"]
    with_parts([note])
    printed = printed_document(note, list(note.lines.all()), list(note.taxes.all()))
    assert printed.corrected == (("INV-2026-00001", ON), ("INV-2026-00002", ON))
    assert einvoice_gaps(printed) == []
    assert b"INV-2026-00002" in einvoice_xml(printed)
    assert broken() == []


def test_orders_come_one_after_the_other(world: Issuing) -> None:
    """Two credits of one line at once: the second has what the first left, and completes the tax."""
    invoice_id = issued(world, OrderLine("A", D(1), D("10.00")))
    (line_id,) = line_ids(invoice_id)
    orders = [CreditOrder(lines=(CreditLine(line_id, D(amount)),)) for amount in ("3.33", "6.67")]
    ids = commands.credit(actor=world.bea, orders=orders, on=LATER, at=AT, send=False)
    assert [(world.invoice(one).number, f"{world.invoice(one).tax:.2f}") for one in ids] == [
        ("CN-2026-00001", "0.63"), ("CN-2026-00002", "1.27"),
    ]  # fmt: skip
    too_much = [CreditOrder(lines=(CreditLine(line_id, D("0.01")),)), CreditOrder(lines=())]
    with pytest.raises(Refusal) as refused:
        commands.credit(actor=world.bea, orders=too_much, on=LATER, at=AT, send=False)
    assert [(one.field, one.code) for one in refused.value.problems] == [
        ("0.lines.0.amount", "more_than_left"), ("1.lines", "no_lines"),
    ]  # fmt: skip
    assert Invoice.objects.filter(kind="credit_note").count() == 2


def test_what_cannot_be_taken_back_is_refused(world: Issuing) -> None:
    """Nothing changes: no number is taken, nothing is posted, the invoice owes what it owed."""
    invoice_id = issued(world)
    workshop, support = line_ids(invoice_id)
    draft = line_ids(world.draft())[0]
    other = line_ids(issued(world, account=world.account("Other", email="ap@other.example")))[0]
    for parts, field, code in (
        ([(workshop, "720.01")], "lines.0.amount", "more_than_left"),
        ([(workshop, "-1")], "lines.0.amount", "more_than_left"),
        ([(workshop, "0")], "lines.0.amount", "missing"),
        ([(workshop, "1.001")], "lines.0.amount", "not_an_amount"),
        ([(support, "1"), (draft, "1")], "lines.1.line", "no_such_line"),
        ([(new_id(), "1")], "lines.0.line", "no_such_line"),
        ([(support, "1"), (other, "1")], "lines", "not_together"),
        ([], "lines", "no_lines"),
    ):
        with pytest.raises(Refusal) as refused:
            credit(world, *parts)
        assert [(one.field, one.code) for one in refused.value.problems] == [(field, code)]
    assert money_of(world.invoice(invoice_id)) == ("0.00", "0.00", "952.00")
    assert not Invoice.objects.filter(kind="credit_note").exists()
    assert credit(world, (support, "80.00")).number == "CN-2026-00001"


def test_sales_may_not_credit(world: Issuing) -> None:
    """It needs the right to issue."""
    sam = User.objects.create(email="sam@works.example", name="Sam", roles=["sales"]).actor()
    line = CreditLine(line_ids(issued(world))[0], D(1))
    with pytest.raises(NotAllowed):
        commands.credit(actor=sam, orders=[CreditOrder(lines=(line,))], on=LATER, at=AT, send=False)
    assert not Invoice.objects.filter(kind="credit_note").exists()


def test_a_credit_line_of_an_invoice_counts(world: Issuing) -> None:
    """What a proration credit took back is not left for a credit note, nor the other way round."""
    first = issued(world, SUPPORT)
    (support,) = line_ids(first)

    def travelling(amount: str) -> UUID:
        back = OrderLine("Support", D(1), D(80), kind="proration_credit", net=D(amount), credits_line_id=support)
        order = DraftOrder(account_id=world.acme, lines=(back, WORKSHOP))
        return commands.draft_invoices(actor=SYSTEM, orders=[order], on=ON, at=AT)[0]

    world.issue(travelling("-30.00"), on=LATER)
    with pytest.raises(Refusal) as refused:
        credit(world, (support, "50.01"))
    assert [one.code for one in refused.value.problems] == ["more_than_left"]
    assert figures(credit(world, (support, "50.00"))) == ("50.00", "9.50", "59.50")
    draft = travelling("-0.01")
    with pytest.raises(Refusal) as refused:
        world.issue(draft, on=LATER)
    assert [(one.field, one.code) for one in refused.value.problems] == [(str(draft), "more_than_left")]
    assert world.invoice(draft).status == "draft"
    assert broken() == []


def test_an_upgrade_that_is_cancelled_gives_back_the_whole_charge(world: Issuing) -> None:
    """The charge of an invoice with a proration credit on it is taken back whole, with its whole tax."""
    first = issued(world, SUPPORT)
    back = OrderLine("Back", D(1), D(80), net=D("-40.00"), credits_line_id=line_ids(first)[0])
    second = issued(world, back, OrderLine("Pro", D(1), D("60.00")))
    assert figures(world.invoice(second)) == ("20.00", "3.80", "23.80")
    note = credit(world, (line_ids(second)[1], "60.00"))
    assert figures(note) == ("60.00", "11.40", "71.40")
    assert money_of(note) == ("23.80", "0.00", "47.60")
    assert queries.get_invoice(world.bea, note.pk, LATER).state == "issued"
    assert broken() == []


def raw(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_the_database_refuses_more_than_a_line_says(world: Issuing) -> None:
    """A document that takes back too much, or too much tax, cannot become issued, whoever asks."""
    invoice_id = issued(world, SUPPORT)
    note = credit(world, (line_ids(invoice_id)[0], "60.00"))
    columns = ", ".join(f'"{field.column}"' for field in Invoice._meta.concrete_fields if field.name != "id")
    line_columns = ", ".join(
        f'"{field.column}"' for field in InvoiceLine._meta.concrete_fields if field.name not in ("id", "invoice")
    )
    for amount, tax, told in (("20.01", "1.00", "more is taken back"), ("20.00", "3.81", "more tax")):
        copy = new_id()
        changed = "UPDATE invoicing_invoiceline SET net = %s, tax = %s WHERE invoice_id = %s"
        renamed = columns.replace('"sequence"', "sequence + 1").replace('"number"', "number || 'x'")
        lines = (
            f"INSERT INTO invoicing_invoiceline (id, invoice_id, {line_columns}) "
            f"SELECT gen_random_uuid(), %s, {line_columns} FROM invoicing_invoiceline WHERE invoice_id = %s"
        )
        document = (
            f"INSERT INTO invoicing_invoice (id, {columns}) SELECT %s, {renamed} FROM invoicing_invoice WHERE id = %s"
        )
        with pytest.raises(DatabaseError, match=told):
            put_together((lines, copy, note.pk), (changed, amount, tax, copy), (document, copy, note.pk))


def put_together(*statements: tuple[Any, ...]) -> None:
    """Run the statements in one transaction."""
    with transaction.atomic():
        for statement, *values in statements:
            raw(statement, *values)


def test_a_credit_note_is_frozen(world: Issuing) -> None:
    """Its figures, its lines, its taxes and what it takes back stay; nothing is credited beyond the total."""
    invoice_id = issued(world)
    note = credit(world, (line_ids(invoice_id)[0], "100.00"))
    for statement in (
        "UPDATE invoicing_invoice SET notes = 'x' WHERE id = %s",
        "DELETE FROM invoicing_invoice WHERE id = %s",
        "UPDATE invoicing_invoiceline SET net = 1 WHERE invoice_id = %s",
        "DELETE FROM invoicing_invoicetax WHERE invoice_id = %s",
        "UPDATE invoicing_credit SET amount = 1 WHERE credit_note_id = %s",
        "DELETE FROM invoicing_credit WHERE credit_note_id = %s",
        "UPDATE invoicing_invoice SET credited = 1 WHERE id = %s",
    ):
        with pytest.raises(DatabaseError):
            raw(statement, note.pk)
    with pytest.raises(DatabaseError):
        raw("UPDATE invoicing_invoice SET credited = 952.01 WHERE id = %s", invoice_id)
    second = issued(world, SUPPORT)
    copied = (
        "INSERT INTO invoicing_credit (id, credit_note_id, invoice_id, amount, applied, currency, created_at) "
        "SELECT gen_random_uuid(), credit_note_id, %s, 1, 1, currency, created_at FROM invoicing_credit"
    )
    with pytest.raises(DatabaseError, match="does not sum"):
        raw(copied, second)
    assert (Credit.objects.count(), InvoiceTax.objects.filter(invoice=note).count()) == (1, 1)


def test_the_number_of_statements_does_not_grow(world: Issuing) -> None:
    """Fourteen credit notes take as many statements as six; the rows of one go together."""
    ids = [line_ids(issued(world, SUPPORT))[0] for _ in range(22)]

    def statements(wanted: list[UUID]) -> int:
        orders = [CreditOrder(lines=(CreditLine(one, D(80)),)) for one in wanted]
        with CaptureQueriesContext(connection) as captured:
            commands.credit(actor=world.bea, orders=orders, on=LATER, at=AT, send=False)
        return sum(one["sql"].count(";\n") + 1 for one in captured.captured_queries)

    statements(ids[21:])  # remembers the ledger accounts
    assert statements(ids[:1]) <= statements(ids[1:7]) == statements(ids[7:21])


def browser(client: Any) -> Any:
    bea = User.objects.get(email="bea@works.example")
    client.force_login(bea, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_a_clerk_credits_lines_on_the_screen(world: Issuing, clock: object, client: Any) -> None:
    """Amounts beside the lines; what is too much is told at its line and changes nothing; the rest is taken at once."""
    invoice_id = issued(world)
    workshop, support = line_ids(invoice_id)
    page, address = browser(client), f"/invoices/{invoice_id}/credit/"
    assert "Credit" in page.get(f"/invoices/{invoice_id}/").content.decode()
    assert f'name="amount-{workshop}"' in page.get(address).content.decode()
    refused = page.post(address, {f"amount-{support}": "80.01", "reason": "Too much"})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert (f'id="amount-{support}-problem"' in text, 'value="80.01"' in text, "Too much" in text) == (True,) * 3
    assert not Invoice.objects.filter(kind="credit_note").exists()
    page.post(address, {f"amount-{workshop}": "100.00", "reason": "One participant less"})
    note = Invoice.objects.get(kind="credit_note")
    assert (figures(note), note.notes, note.send_requested_at) == (
        ("100.00", "19.00", "119.00"), "One participant less", None,
    )  # fmt: skip
    shown = page.get(f"/invoices/{note.pk}/").content.decode()
    assert ("Credit note CN-" in shown, "Takes back" in shown, f"?invoice={note.pk}" in shown) == (True, True, False)
    assert note.number in page.get(f"/invoices/{invoice_id}/").content.decode()
    page.post(address, {"whole": "1", "send": "1"})
    assert money_of(world.invoice(invoice_id)) == ("0.00", "952.00", "0.00")
    assert "Nothing is left to credit" in page.get(address).content.decode()
    assert page.get(f"/invoices/{note.pk}/credit/").status_code == 302
    assert page.get("/invoices/?kind=credit_note").content.decode().count("CN-") >= 2
    assert broken() == []


def test_a_program_credits_lines(world: Issuing, clock: object, client: Any) -> None:
    """The answer is the credit note; a line of another invoice is refused at its place."""
    invoice_id, other = issued(world), issued(world, SUPPORT)
    ada = User.objects.create(email="ada@works.example", name="Ada", roles=["admin"]).actor()
    values = {"name": "Robot", "roles": ["billing", "admin"]}
    _, secret = access.make_api_key(actor=ada, values=values, at=AT)
    headers = {"Authorization": f"Bearer {secret}"}
    address = f"/api/v1/invoices/{invoice_id}/credit"

    def ask(line: UUID, amount: str) -> Any:
        body = {"lines": [{"line": str(line), "amount": amount}], "reason": "Late"}
        return client.post(address, body, content_type="application/json", headers=headers)

    answer = ask(line_ids(other)[0], "10.00")
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "lines.0.line")
    answer = ask(line_ids(invoice_id)[1], "10.00")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["kind"], told["total"], told["open"], told["credits"][0]["number"]) == (
        "credit_note", "11.90", "0.00", "INV-2026-00001",
    )  # fmt: skip
    listed = client.get("/api/v1/invoices?kind=credit_note", headers=headers).json()
    assert [one["number"] for one in listed["items"]] == ["CN-2026-00001"]
