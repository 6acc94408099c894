"""Which money settles which invoice: plain values in, plain values out.

An invoice never takes more than it owes, a payment never gives more than it has, and both are of one company and
currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.core.errors import Problem
from counterfoil.core.money import Money, formatted
from counterfoil.payments.rules.orders import PaymentOrder, Share


@dataclass(frozen=True)
class OpenInvoice:
    """What is known of an invoice that money may settle. ``payers`` are the accounts whose money it takes.

    ``due_on`` is when its first open instalment is due. ``discount`` is what a payment until ``discount_until``,
    inclusive, need not pay.
    """

    id: UUID
    number: str
    payer_id: UUID
    payers: frozenset[UUID]
    entity_id: UUID
    currency: str
    open: Decimal
    issued_on: date
    due_on: date
    discount: Decimal = Decimal(0)
    discount_until: date | None = None

    def spared(self, received_on: date | None) -> Decimal:
        """How much less settles it when the money came on that day; nothing less without a day."""
        if received_on is None or self.discount_until is None or received_on > self.discount_until:
            return Decimal(0)
        return self.discount


@dataclass(frozen=True)
class Settlement:
    """So much money for an invoice, and the allowance that settles the rest of it."""

    invoice_id: UUID
    amount: Decimal
    allowance: Decimal = Decimal(0)

    @property
    def whole(self) -> Decimal:
        return self.amount + self.allowance


def due_first(invoices: Iterable[OpenInvoice]) -> list[OpenInvoice]:
    """The invoices in the order in which money goes to them: that of their first open due days."""
    return sorted(invoices, key=lambda one: (one.due_on, one.issued_on, one.number))


def oldest_first(
    amount: Decimal, invoices: Iterable[OpenInvoice], left: Mapping[UUID, Decimal], received_on: date | None = None
) -> tuple[Settlement, ...]:
    """The amount over the invoices in the order of their due days, each as far as it is open.

    As many of them as the money covers less their early discounts are settled; the rest goes to the next one.
    """
    ordered = [one for one in due_first(invoices) if left[one.id] > 0]
    reach, needed = 0, Decimal(0)
    for one in ordered:
        needed += left[one.id] - min(one.spared(received_on), left[one.id])
        if needed > amount:
            break
        reach += 1
    covered, beyond = ordered[:reach], ordered[reach:]
    settled = _cover(amount, covered, left, received_on)
    rest = amount - sum((one.amount for one in settled), Decimal(0))
    return (*settled, *_fill(rest, beyond, left))


def spread(
    amount: Decimal, invoices: Sequence[OpenInvoice], left: Mapping[UUID, Decimal], received_on: date | None
) -> tuple[Settlement, ...]:
    """The amount over the invoices that it was paid for, in this order.

    If it covers all of them less their early discounts it settles all of them; else there is no discount.
    """
    wanted = [one for one in invoices if left[one.id] > 0]
    needed = sum((left[one.id] - min(one.spared(received_on), left[one.id]) for one in wanted), Decimal(0))
    if needed <= amount:
        return _cover(amount, wanted, left, received_on)
    return _fill(amount, wanted, left)


def as_ordered(
    shares: Iterable[Share],
    invoices: Mapping[UUID, OpenInvoice],
    left: Mapping[UUID, Decimal],
    received_on: date | None,
) -> tuple[Settlement, ...]:
    """Shares as they were ordered; one that pays an invoice less its early discount in time settles it."""
    found = []
    for share in shares:
        invoice = invoices.get(share.invoice_id)
        lacking = left[share.invoice_id] - share.amount if invoice is not None else Decimal(0)
        is_spared = invoice is not None and share.amount > 0 and 0 < lacking <= invoice.spared(received_on)
        found.append(Settlement(share.invoice_id, share.amount, lacking if is_spared else Decimal(0)))
    return tuple(found)


def _cover(
    amount: Decimal, invoices: Sequence[OpenInvoice], left: Mapping[UUID, Decimal], received_on: date | None
) -> tuple[Settlement, ...]:
    """All of the invoices settled: money that is beyond the discounted sums goes in order to what they spare."""
    spared = [min(one.spared(received_on), left[one.id]) for one in invoices]
    beyond = amount - sum((left[one.id] for one in invoices), Decimal(0)) + sum(spared, Decimal(0))
    found = []
    for one, allowance in zip(invoices, spared, strict=True):
        paid = min(beyond, allowance)
        beyond -= paid
        found.append(Settlement(one.id, left[one.id] - allowance + paid, allowance - paid))
    return tuple(one for one in found if one.amount)


def _fill(amount: Decimal, invoices: Sequence[OpenInvoice], left: Mapping[UUID, Decimal]) -> tuple[Settlement, ...]:
    found = []
    for invoice in invoices:
        taken = min(amount, left[invoice.id])
        if taken > 0:
            found.append(Settlement(invoice.id, taken))
            amount -= taken
    return tuple(found)


def entity_of(order: PaymentOrder, invoices: Mapping[UUID, OpenInvoice], default: UUID) -> UUID:
    """Whose money it is: the company named, else that of the first invoice, else the default one."""
    if order.entity_id is not None:
        return order.entity_id
    named = [share.invoice_id for share in order.allocations] if isinstance(order.allocations, tuple) else []
    return next((invoices[one].entity_id for one in [*named, *order.invoices] if one in invoices), default)


def problems_of_shares(
    *,
    payer_id: UUID,
    entity_id: UUID,
    currency: str,
    available: Decimal,
    shares: Sequence[Share | Settlement],
    invoices: Mapping[UUID, OpenInvoice],
    left: Mapping[UUID, Decimal],
    path: str,
) -> list[Problem]:
    """Why the shares cannot be given, each at its field. ``left`` is what each invoice still owes."""
    found = []
    for number, share in enumerate(shares):
        field = f"{path}allocations.{number}"
        invoice = invoices.get(share.invoice_id)
        if invoice is None:
            found.append(Problem(f"{field}.invoice", "not_open", "This is not an issued invoice."))
            continue
        wrong = _problem(payer_id, entity_id, currency, share, invoice, left[share.invoice_id])
        if wrong is not None:
            found.append(Problem(f"{field}.{wrong[0]}", wrong[1], wrong[2]))
    if len({share.invoice_id for share in shares}) < len(shares):
        found.append(Problem(f"{path}allocations", "twice", "Name each invoice once."))
    total = sum((share.amount for share in shares), Decimal(0))
    if not found and total > available:
        text = f"{_money(total, currency)} is allocated, but only {_money(available, currency)} is there."
        found.append(Problem(f"{path}allocations", "more_than_paid", text))
    return found


def _problem(
    payer_id: UUID, entity_id: UUID, currency: str, share: Share | Settlement, invoice: OpenInvoice, left: Decimal
) -> tuple[str, str, str] | None:
    wrong = _misfit(payer_id, entity_id, currency, invoice)
    if wrong is not None:
        return "invoice", *wrong
    try:
        Money.exact(share.amount, currency)
    except ValueError:
        return "amount", "too_many_decimals", f"{currency} has fewer decimals than this amount."
    if share.amount <= 0:
        return "amount", "too_small", "The amount must be above zero."
    if share.amount > left:
        if left <= 0:
            return "amount", "more_than_open", f"{invoice.number} is paid already; nothing of it is open."
        text = f"{invoice.number} has {_money(left, currency)} open; {_money(share.amount, currency)} is more."
        return "amount", "more_than_open", text
    return None


def problems_of_invoices(
    *,
    payer_id: UUID,
    entity_id: UUID,
    currency: str,
    named: Sequence[UUID],
    invoices: Mapping[UUID, OpenInvoice],
    path: str,
) -> list[Problem]:
    """Why a payment cannot be for these invoices, each at its place."""
    found = []
    for number, invoice_id in enumerate(named):
        invoice = invoices.get(invoice_id)
        wrong = ("not_open", "This is not an issued invoice.")
        if invoice is not None:
            misfit = _misfit(payer_id, entity_id, currency, invoice)
            if misfit is None:
                continue
            wrong = misfit
        found.append(Problem(f"{path}invoices.{number}", *wrong))
    if len(set(named)) < len(named):
        found.append(Problem(f"{path}invoices", "twice", "Name each invoice once."))
    return found


def _misfit(payer_id: UUID, entity_id: UUID, currency: str, invoice: OpenInvoice) -> tuple[str, str] | None:
    if invoice.currency != currency:
        text = f"{invoice.number} is in {invoice.currency}; money in {currency} cannot settle it."
        return "other_currency", text
    if invoice.entity_id != entity_id:
        return "other_company", f"{invoice.number} was issued by another of our companies."
    if payer_id not in invoice.payers:
        return "other_payer", f"{invoice.number} is not for this payer to settle."
    return None


def _money(amount: Decimal, currency: str) -> str:
    return formatted(Money.exact(amount, currency), "en")
