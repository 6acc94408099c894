"""What stands on a printed invoice, as plain values. It knows no business room: the room that issues fills it in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from counterfoil.core.money import Money
from counterfoil.core.periods import Period

Kind = Literal["invoice", "credit_note"]
Layout = Literal["classic", "compact"]


@dataclass(frozen=True)
class Address:
    """A postal address. ``country`` is an alpha-2 code; how it is printed follows that country's custom."""

    street: str = ""
    street_2: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


@dataclass(frozen=True)
class Seller:
    """The legal entity that issues, as it is at the moment of issue."""

    legal_name: str
    address: Address = Address()
    tax_id: str = ""
    registration_number: str = ""
    email: str = ""
    phone: str = ""
    bank_name: str = ""
    iban: str = ""
    bic: str = ""
    footer: str = ""
    layout: str = "classic"
    accent_colour: str = "#1f5d46"


@dataclass(frozen=True)
class Buyer:
    """The invoiced party. Name, address and tax id are always of one and the same account."""

    legal_name: str
    address: Address = Address()
    tax_id: str = ""
    registration_number: str = ""
    attention: str = ""
    customer_number: str = ""


@dataclass(frozen=True)
class PrintedLine:
    """One line. ``net`` is after the discount. ``tax_category`` is a code of UNTDID 5305: S, E, AE …

    ``is_net_given`` says that the net is not quantity times price, such as the price of a part of a period. ``before``
    is what it was before discounts on the whole document. ``base`` is the net without tax, where the price includes it.
    ``has_several_taxes`` marks a line that bears more than the one of its category and percent; its ``tax_label`` has
    one in each row.
    """

    position: int
    text: str
    quantity: Decimal
    unit_price: Decimal
    net: Money
    detail: str = ""
    unit: str = ""
    discount_percent: Decimal = Decimal(0)
    tax_label: str = ""
    tax_percent: Decimal = Decimal(0)
    tax_category: str = "S"
    service: Period | None = None
    is_net_given: bool = False
    before: Money | None = None
    base: Money | None = None
    has_several_taxes: bool = False


@dataclass(frozen=True)
class PrintedTax:
    """The tax of one rate: on which base, how much, and the law's words where there is none to pay."""

    label: str
    percent: Decimal
    base: Money
    amount: Money
    category: str = "S"
    reason: str = ""


@dataclass(frozen=True)
class PrintedPart:
    """So much is to be paid by a day: an instalment, or what is enough when it comes early."""

    due_on: date
    amount: Money


@dataclass(frozen=True)
class NamedReference:
    """A reference that has a name and its place in the e-invoice: ``BT-10`` … of EN 16931, ``note``, or none."""

    name: str
    value: str | Decimal | date
    element: str = "note"
    is_printed: bool = True


@dataclass(frozen=True)
class PrintedInvoice:
    """An invoice, credit note or draft, ready to be printed. A draft has no number and may have no dates.

    ``references`` are what the customer wants to find on it, each with what it is, which may be empty; ``named`` those
    that have a place of their own.
    ``reference`` is what the payer quotes: the number unless given. ``corrected`` are numbers and days of the invoices
    that a credit note takes back. ``instalments`` are there only where there are several; ``early`` is what settles the
    invoice until its day. The amounts of a credit note are positive: its kind says which way the money goes.
    """

    kind: Kind
    number: str
    language: str
    currency: str
    seller: Seller
    buyer: Buyer
    lines: tuple[PrintedLine, ...]
    taxes: tuple[PrintedTax, ...]
    net: Money
    tax: Money
    total: Money
    paid: Money
    issued_on: date | None = None
    due_on: date | None = None
    service: Period | None = None
    po_number: str = ""
    references: tuple[tuple[str, str], ...] = ()
    named: tuple[NamedReference, ...] = ()
    terms: str = ""
    instalments: tuple[PrintedPart, ...] = ()
    early: PrintedPart | None = None
    notes: str = ""
    reference: str = ""
    corrected: tuple[tuple[str, date | None], ...] = ()
    is_preview: bool = False

    @property
    def corrects(self) -> str:
        """The numbers of the invoices that a credit note takes back."""
        return ", ".join(number for number, _ in self.corrected)

    @property
    def open(self) -> Money:
        """What is left to pay."""
        return self.total - self.paid
