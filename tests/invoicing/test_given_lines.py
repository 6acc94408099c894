"""Lines whose amount is given: parts of periods, charges and credits, with their share and their reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from issuing_world import AT, ON, SYSTEM, Issuing

from counterfoil.access.models import User
from counterfoil.core.errors import Refusal
from counterfoil.core.ids import new_id
from counterfoil.documents.einvoice import einvoice_gaps, einvoice_xml
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax, TaxRate
from counterfoil.invoicing.printing import printed_document
from counterfoil.invoicing.queries.rows import with_parts
from counterfoil.invoicing.rules.discounts import Discount
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.invariants import verify

D = Decimal
JANUARY = {"service_from": date(2026, 1, 15), "service_to": date(2026, 2, 1)}
SUBSCRIPTION, ITEM = new_id(), new_id()
PART = OrderLine(
    description="Basic",
    quantity=D(1),
    unit_price=D(100),
    kind="recurring",
    net=D("54.84"),
    share="17/31",
    why="17 of 31 days × 1 × 100.00",
    subscription_id=SUBSCRIPTION,
    subscription_item_id=ITEM,
    **JANUARY,  # type: ignore[arg-type]
)
OWN = PART._replace(subscription_id=None, subscription_item_id=None)
"""The same of no subscription: what it comes to may be changed on the draft."""
WORK = OrderLine(description="Work", quantity=D(2), unit_price=D(10))


def ordered(world: Issuing, *lines: OrderLine, **order: Any) -> UUID:
    made = DraftOrder(account_id=world.acme, lines=lines, origin="subscription", **order)
    return commands.draft_invoices(actor=SYSTEM, orders=[made], on=ON, at=AT)[0]


def broken() -> list[str]:
    """The promises that do not hold, but for S3: no ledger of billed periods knows the subscription of these lines."""
    return [finding.invariant.key for finding in verify() if not finding.holds and finding.invariant.key != "S3"]


def lines_of(invoice_id: UUID) -> list[InvoiceLine]:
    return list(InvoiceLine.objects.filter(invoice=invoice_id).order_by("position"))


def typed(invoice_id: UUID) -> list[dict[str, Any]]:
    """The lines as the editor gives them back untouched."""
    names = ("description", "detail", "quantity", "unit", "unit_price", "discount_percent", "tax_class",
             "service_from", "service_to")  # fmt: skip
    return [{**{name: getattr(line, name) for name in names}, "id": str(line.pk)} for line in lines_of(invoice_id)]


def marks(line: InvoiceLine) -> tuple[Any, ...]:
    return (line.kind, line.is_net_given, str(line.net), line.share, line.why, line.subscription_id,
            line.subscription_item_id)  # fmt: skip


GIVEN = ("recurring", True, "54.8400", "17/31", "17 of 31 days × 1 × 100.00", SUBSCRIPTION, ITEM)


def change(world: Issuing, invoice_id: UUID, lines: list[dict[str, Any]], **values: Any) -> None:
    commands.change_draft(
        actor=world.bea, invoice_id=invoice_id, values={"lines": lines, **values}, version=None, on=ON
    )


def test_a_given_net_is_the_lines_amount(world: Issuing) -> None:
    """Quantity and price stay as the reader knows them; sums, tax and books take the net that was given."""
    (invoice_id,) = world.issue(ordered(world, PART, WORK))
    invoice, (part, work) = world.invoice(invoice_id), lines_of(invoice_id)
    assert (invoice.origin, str(invoice.net), str(invoice.tax), str(invoice.total)) == (
        "subscription", "74.8400", "14.2200", "89.0600",
    )  # fmt: skip
    assert marks(part) == GIVEN
    assert (str(part.quantity), str(part.unit_price)) == ("1.000000", "100.000000")
    assert marks(work) == ("one_off", False, "20.0000", "", "", None, None)
    assert broken() == []


def test_a_credit_and_a_charge_weigh_each_other_up(world: Issuing) -> None:
    """A total of zero is issued and owes nothing; a total below zero is held back by its checks."""
    charge = OrderLine("Pro", D(1), D(200), kind="proration_charge", net=D("54.84"))
    credit = OrderLine("Basic", D(1), D(100), kind="proration_credit", net=D("-54.84"))
    (even,) = world.issue(ordered(world, credit, charge))
    assert (str(world.invoice(even).total), queries.get_invoice(world.bea, even).state) == ("0.0000", "paid")
    below = ordered(world, credit, WORK)
    with pytest.raises(Refusal) as refused:
        world.issue(below)
    assert [(one.code, one.message) for one in refused.value.problems] == [
        ("zero_total", "The total is negative: nothing would be owed.")
    ]
    assert world.invoice(below).status == "draft"
    assert broken() == []


def test_an_allowance_has_a_negative_price(world: Issuing) -> None:
    """A price below zero lowers the document."""
    (invoice_id,) = world.issue(ordered(world, WORK, OrderLine("Allowance", D(1), D("-5.50"))))
    assert [str(line.net) for line in lines_of(invoice_id)] == ["20.0000", "-5.5000"]
    assert str(world.invoice(invoice_id).total) == "17.2600"


def test_a_line_that_takes_back_another_bears_its_tax(world: Issuing) -> None:
    """The credit of a line bears the rate that was frozen on it, whatever rate holds now."""
    (first,) = world.issue(ordered(world, PART))
    TaxRate.objects.filter(tax_class="standard").update(percent=D(21), label="VAT 21 %")
    (old,) = lines_of(first)
    credit = OrderLine("Basic", D(1), D(100), kind="proration_credit", net=D("-10.00"), credits_line_id=old.pk)
    (second,) = world.issue(ordered(world, credit, WORK))
    assert [(str(line.net), str(line.tax_percent), line.credits_line_id) for line in lines_of(second)] == [
        ("-10.0000", "19.0000", old.pk),
        ("20.0000", "21.0000", None),
    ]
    taxes = InvoiceTax.objects.filter(invoice=second).order_by("-percent").values_list("percent", "base", "amount")
    assert [tuple(map(str, tax)) for tax in taxes] == [
        ("21.0000", "20.0000", "4.2000"),
        ("19.0000", "-10.0000", "-1.9000"),
    ]
    assert broken() == []


def test_only_an_issued_line_of_the_same_payer_is_taken_back(world: Issuing) -> None:
    """The line of a draft, and that of another customer, are refused, and no draft is made."""
    other = world.account("Other", email="")
    strange = world.issue(ordered(world, PART))[0]
    draft = lines_of(ordered(world, PART))[0]
    for account, line in ((world.acme, draft), (other, lines_of(strange)[0])):
        credit = OrderLine("Basic", D(1), D(100), net=D("-10.00"), credits_line_id=line.pk)
        before = Invoice.objects.count()
        with pytest.raises(Refusal) as refused:
            commands.draft_invoices(
                actor=SYSTEM, orders=[DraftOrder(account_id=account, lines=(credit,))], on=ON, at=AT
            )
        assert [(one.field, one.code) for one in refused.value.problems] == [("lines.0.credits_line", "no_such_line")]
        assert Invoice.objects.count() == before


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (OrderLine("A", D(1), D(1), net=D("0.001")), "lines.0.net", "not_an_amount"),
        (OrderLine("A", D(1), D(1), kind="gift"), "lines.0.kind", "not_a_choice"),
        (OrderLine("A", D(1), D(1), why="x" * 301), "lines.0.why", "too_long"),
    ],
)
def test_a_line_that_cannot_be_kept_is_refused(world: Issuing, line: OrderLine, field: str, code: str) -> None:
    """Each problem stands at its line, and no draft is made."""
    with pytest.raises(Refusal) as refused:
        ordered(world, line)
    assert [(one.field, one.code) for one in refused.value.problems] == [(field, code)]
    assert Invoice.objects.count() == 0


def test_an_untouched_line_keeps_what_it_was_ordered_with(world: Issuing) -> None:
    """Saving the editor with other lines added, removed and moved leaves the given line alone."""
    invoice_id = ordered(world, WORK, PART)
    kept = lines_of(invoice_id)[1].pk
    work, part = typed(invoice_id)
    again = {**work, "id": ""}
    for lines in ([work, part, again], [part], [again, part]):
        change(world, invoice_id, lines)
        given = next(line for line in lines_of(invoice_id) if line.description == "Basic")
        assert (given.pk, marks(given)) == (kept, GIVEN)


def test_a_changed_wording_keeps_the_amount_and_a_changed_price_does_not(world: Issuing) -> None:
    """The line stays what it was, and comes to quantity times price from then on."""
    invoice_id = ordered(world, OWN)
    (line,) = typed(invoice_id)
    change(world, invoice_id, [{**line, "description": "Basic plan"}])
    assert marks(lines_of(invoice_id)[0]) == (*GIVEN[:5], None, None)
    change(world, invoice_id, [{**line, "unit_price": D("50")}])
    assert marks(lines_of(invoice_id)[0]) == ("recurring", False, "50.0000", "", "", None, None)
    assert str(world.invoice(invoice_id).total) == "59.5000"


def test_a_changed_credit_is_an_ordinary_line(world: Issuing) -> None:
    """It takes back nothing any more, and bears the tax of the day."""
    (first,) = world.issue(ordered(world, PART))
    old = lines_of(first)[0]
    credit = OrderLine("Basic", D(1), D(100), kind="proration_credit", net=D("-10.00"), credits_line_id=old.pk)
    invoice_id = ordered(world, credit)
    (line,) = typed(invoice_id)
    change(world, invoice_id, [{**line, "unit_price": D("-8")}])
    (changed,) = lines_of(invoice_id)
    assert (changed.kind, changed.credits_line_id, str(changed.net)) == ("one_off", None, "-8.0000")


def test_another_currency_makes_given_amounts_ordinary(world: Issuing) -> None:
    """What was given in euros says nothing in yen."""
    invoice_id = ordered(world, OWN)
    change(world, invoice_id, typed(invoice_id), currency="JPY")
    (line,) = lines_of(invoice_id)
    assert (line.is_net_given, str(line.net), line.why) == (False, "100.0000", "")


def test_the_document_says_why(world: Issuing) -> None:
    """The reason is printed below the text, and the e-invoice counts one of the net with the sign in the quantity."""
    credit = OrderLine("Plus", D(3), D(20), kind="proration_credit", net=D("-10.00"), why="5 of 30 days × 3 × 20.00")
    (invoice_id,) = world.issue(ordered(world, PART, credit))
    invoice = world.invoice(invoice_id)
    with_parts([invoice])
    printed = printed_document(invoice, list(invoice.lines.all()), list(invoice.taxes.all()))
    assert [line.detail for line in printed.lines] == ["17 of 31 days × 1 × 100.00", "5 of 30 days × 3 × 20.00"]
    assert einvoice_gaps(printed) == []
    xml = einvoice_xml(printed).decode()
    assert "<ram:ChargeAmount>54.84</ram:ChargeAmount>" in xml
    assert "<ram:ChargeAmount>10</ram:ChargeAmount>" in xml
    assert '<ram:BilledQuantity unitCode="C62">-1</ram:BilledQuantity>' in xml


def test_reviewers_and_readers_see_period_and_reason(world: Issuing, client: Any) -> None:
    """The queue and the page of the invoice say which days a line bills and how its amount came about."""
    bea = User.objects.get(email="bea@works.example")
    client.force_login(bea, backend="allauth.account.auth_backends.AuthenticationBackend")
    invoice_id = ordered(world, PART)
    for address in (f"/review/{invoice_id}/", f"/invoices/{invoice_id}/"):
        page = client.get(address).content.decode()
        assert "17 of 31 days × 1 × 100.00" in page
        assert "Recurring" in page
        assert "54.84" in page
    world.issue(invoice_id)
    page = client.get(f"/invoices/{invoice_id}/").content.decode()
    assert "17 of 31 days × 1 × 100.00" in page


def test_discounts_are_spread_and_stay(world: Issuing) -> None:
    """Each line keeps what it was; a changed line is discounted anew, and what takes back an issued line never is."""
    (first,) = world.issue(ordered(world, PART))
    credit = OrderLine("Back", D(1), D(10), net=D("-10.00"), credits_line_id=lines_of(first)[0].pk)
    discounts = (Discount(percent=D(10)), Discount(amount=D("1.35")))
    invoice_id = ordered(world, WORK, OWN, credit, discounts=discounts)
    shown = [(str(line.net), str(line.before_discount)) for line in lines_of(invoice_id)]
    assert shown == [("17.6400", "20.0000"), ("48.3700", "54.8400"), ("-10.0000", "None")]
    assert marks(lines_of(invoice_id)[1])[:2] == ("recurring", True)
    work, part, back = typed(invoice_id)
    change(world, invoice_id, [{**work, "quantity": D(4)}, part, back])
    shown = [(str(line.net), str(line.before_discount)) for line in lines_of(invoice_id)]
    assert shown == [("35.4300", "40.0000"), ("48.5800", "54.8400"), ("-10.0000", "None")]
    world.issue(invoice_id)
    assert str(world.invoice(invoice_id).net) == "74.0100"
    assert broken() == []


def test_a_discount_that_is_none_is_refused(world: Issuing) -> None:
    """Two at once, none, above everything, below nothing, and more decimals than the currency has."""
    wrong = (
        Discount(), Discount(percent=D(1), amount=D(1)), Discount(percent=D(101)), Discount(amount=D(-1)),
        Discount(amount=D("0.001")),
    )  # fmt: skip
    with pytest.raises(Refusal) as refused:
        ordered(world, WORK, discounts=wrong)
    assert [one.field for one in refused.value.problems] == [f"discounts.{place}" for place in range(5)]
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize("rounding", ["per_rate", "per_line"])
def test_prices_with_tax_give_documents_without(world: Issuing, rounding: str) -> None:
    """The lines say what they come to with tax, the document what remains without; the e-invoice is without."""
    LegalEntity.objects.update(tax_rounding=rounding)
    TaxRate.objects.filter(tax_class="standard").update(included=True)
    (invoice_id,) = world.issue(ordered(world, OrderLine("A", D(1), D("100")), OrderLine("B", D(3), D("6.33"))))
    invoice = world.invoice(invoice_id)
    assert [str(line.net) for line in lines_of(invoice_id)] == ["100.0000", "18.9900"]
    assert [str(one) for one in (invoice.net, invoice.tax, invoice.total)] == ["99.9900", "19.0000", "118.9900"]
    assert broken() == []
    with_parts([invoice])
    printed = printed_document(invoice, list(invoice.lines.all()), list(invoice.taxes.all()))
    assert [str(line.base) for line in printed.lines] == ["84.03 EUR", "15.96 EUR"]
    assert einvoice_gaps(printed) == []
