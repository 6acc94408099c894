"""Printed invoices for tests, whose sums are worked out from their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from counterfoil.core.money import Money, rounded, sum_of
from counterfoil.core.periods import Period
from counterfoil.documents.printed import Address, Buyer, PrintedInvoice, PrintedLine, PrintedTax, Seller

BRITISH = Seller(
    legal_name="Northwind Instruments Ltd",
    address=Address("14 Harbour Lane", "", "BS1 4QA", "Bristol", "", "GB"),
    tax_id="GB 123 4567 82",
    registration_number="04512789",
    email="billing@northwind.example",
    phone="+44 117 496 0123",
    bank_name="Barclays",
    iban="GB33BUKB20201555555555",
    bic="BUKBGB22",
    footer="Registered in England and Wales",
)
GERMAN = replace(
    BRITISH,
    legal_name="Nordlicht Messtechnik GmbH",
    address=Address("Werftstraße 12", "", "24143", "Kiel", "", "DE"),
    tax_id="DE811569869",
    iban="DE89370400440532013000",
    bic="COBADEFFXXX",
)
LONDON = Buyer(
    legal_name="Hartwell & Sons plc",
    address=Address("1 King Street", "3rd floor", "EC2V 8AU", "London", "", "GB"),
    tax_id="GB987654321",
    attention="Accounts payable",
    customer_number="K-10234",
)
STUTTGART = Buyer(
    "Bergmann Anlagenbau AG", Address("Industriestraße 77", "", "70565", "Stuttgart", "", "DE"), "DE129273398"
)


@dataclass(frozen=True)
class Rate:
    percent: str = "20"
    label: str = "VAT 20%"
    category: str = "S"
    reason: str = ""


STANDARD = Rate()
SENSOR = ("Pressure sensor PX-200", "Stainless steel, calibrated", "pcs", "12", "149.90", "10")
VISIT = ("Commissioning on site", "Two engineers", "h", "16.5", "95", "0")
SUPPORT = ("Annual support", "", "", "1", "2400", "0")


def line(position: int, what: tuple[str, ...], rate: Rate, currency: str) -> PrintedLine:
    text, detail, unit, quantity, price, discount = what
    exact = Decimal(quantity) * Decimal(price) * (100 - Decimal(discount)) / 100
    return PrintedLine(
        position=position,
        text=text,
        detail=detail,
        unit=unit,
        quantity=Decimal(quantity),
        unit_price=Decimal(price),
        discount_percent=Decimal(discount),
        net=rounded(exact, currency),
        tax_label=rate.label,
        tax_percent=Decimal(rate.percent),
        tax_category=rate.category,
    )


def printed(
    *,
    lines: Sequence[tuple[str, ...]] = (SENSOR, VISIT, SUPPORT),
    rates: Sequence[Rate] = (STANDARD,),
    currency: str = "EUR",
    **changes: Any,
) -> PrintedInvoice:
    """An invoice of 5,586.42 net and 6,703.70 with tax. Lines take the rates in turn; ``changes`` are other fields."""
    made = tuple(line(n + 1, what, rates[n % len(rates)], currency) for n, what in enumerate(lines))
    taxes = []
    for rate in dict.fromkeys(rates):
        base = sum_of((one.net for one in made if one.tax_label == rate.label), currency)
        amount = rounded(base.amount * Decimal(rate.percent) / 100, currency)
        taxes.append(PrintedTax(rate.label, Decimal(rate.percent), base, amount, rate.category, rate.reason))
    net, tax = sum_of((one.net for one in made), currency), sum_of((one.amount for one in taxes), currency)
    invoice = PrintedInvoice(
        kind="invoice",
        number="NW-2026-00042",
        language="en",
        currency=currency,
        seller=BRITISH,
        buyer=LONDON,
        lines=made,
        taxes=tuple(taxes),
        net=net,
        tax=tax,
        total=net + tax,
        paid=Money.zero(currency),
        issued_on=date(2026, 11, 24),
        due_on=date(2026, 12, 24),
        service=Period(date(2026, 11, 1), date(2026, 12, 1)),
        po_number="PO-4711",
        terms="Payable within 30 days.",
    )
    return replace(invoice, **changes)


def credit_note(**changes: Any) -> PrintedInvoice:
    given = {"number": "CN-2026-00007", "corrected": (("NW-2026-00042", date(2026, 11, 24)),), **changes}
    return printed(kind="credit_note", **given)


def draft(**changes: Any) -> PrintedInvoice:
    return printed(number="", is_preview=True, issued_on=None, **changes)
