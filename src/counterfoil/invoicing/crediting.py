"""Issued lines with what was taken back of them, read for crediting. Saves nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import Money, formatted, rounded
from counterfoil.invoicing.borne import amounts_of, keys_of
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceLine, InvoiceTax
from counterfoil.invoicing.rules.crediting import Creditable, Rate, creditable_tax
from counterfoil.invoicing.rules.totals import TaxKey, exact_tax
from counterfoil.plumbing.bulk import read_where


@dataclass(frozen=True)
class Credited:
    """Issued invoices with all their lines, how much of each was taken back, and the tax that can be taken back."""

    invoices: dict[UUID, Invoice]
    rows: dict[UUID, InvoiceLine]
    lines: dict[UUID, Creditable]
    rate_taxes: dict[Rate, Money]
    reasons: dict[Rate, str]


_ISSUED = "kind = 'invoice' AND status = 'issued'"
_OWNERS = "id IN (SELECT line.invoice_id FROM invoicing_invoiceline line WHERE line.id = ANY(%s))"


def credited_invoices(invoice_ids: Collection[UUID]) -> Credited:
    """The issued invoices among these ids, in four statements."""
    return _credited(read_where(Invoice, f"id = ANY(%s) AND {_ISSUED}", list(invoice_ids), order="id"))


def invoices_of_lines(line_ids: Collection[UUID]) -> Credited:
    """The issued invoices of these lines, in four statements; locked in the order of their ids."""
    return _credited(read_where(Invoice, f"{_OWNERS} AND {_ISSUED}", list(line_ids), order="id", lock=True))


def _credited(found: Iterable[Invoice]) -> Credited:
    invoices = {one.pk: one for one in found}
    of_them = read_where(InvoiceLine, "invoice_id = ANY(%s)", list(invoices), order="invoice_id, position")
    rows = {line.pk: line for line in of_them}
    taken, taxes_taken = _taken(rows)
    lines = {}
    for row in rows.values():
        currency = invoices[row.invoice_id].currency
        lines[row.pk] = Creditable(
            id=row.pk,
            invoice_id=row.invoice_id,
            said=Money.exact(row.net, currency),
            taxes=keys_of(row),
            own_taxes=_money(amounts_of(row), currency),
            taken=taken.get(row.pk, Money.zero(currency)),
            taxes_taken=taxes_taken.get(row.pk) or (Money.zero(currency),) * len(keys_of(row)),
            takes_back=row.credits_line_id is not None,
        )
    rate_taxes, reasons = _rates(invoices, lines)
    return Credited(invoices, rows, lines, rate_taxes, reasons)


def _money(amounts: Sequence[Decimal] | None, currency: str) -> tuple[Money, ...] | None:
    return None if amounts is None else tuple(Money.exact(amount, currency) for amount in amounts)


def _taken(rows: dict[UUID, InvoiceLine]) -> tuple[dict[UUID, Money], dict[UUID, tuple[Money, ...]]]:
    """What issued documents took back of each line, and with how much of each of its taxes.

    The lines of credit notes are positive. Those of invoices are negative, and their tax is rounded with others.
    """
    taken: dict[UUID, Money] = {}
    taxes_taken: dict[UUID, tuple[Money, ...]] = {}
    back = read_where(InvoiceLine, "credits_line_id = ANY(%s)", list(rows))
    named = list({line.invoice_id for line in back})
    told = ("kind", "currency")
    issued = read_where(Invoice, "id = ANY(%s) AND status = 'issued'", named, only=told) if named else []
    documents = {one.pk: one for one in issued}
    for line in back:
        key, document = line.credits_line_id, documents.get(line.invoice_id)
        if document is None:
            continue
        assert key is not None
        currency = document.currency
        net, zero = Money.exact(line.net, currency), Money.zero(currency)
        taxes = _money(amounts_of(line), currency)
        if taxes is None:
            borne = keys_of(line)
            taxes = tuple(rounded(exact_tax(net, one, borne), currency) for one in borne)
        if document.kind != DocumentKind.CREDIT_NOTE:
            net, taxes = -net, tuple(-one for one in taxes)
        before = taxes_taken.get(key) or (zero,) * len(taxes)
        taken[key] = taken.get(key, zero) + net
        taxes_taken[key] = tuple(old + new for old, new in zip(before, taxes, strict=True))
    return taken, taxes_taken


def _rates(invoices: dict[UUID, Invoice], lines: dict[UUID, Creditable]) -> tuple[dict[Rate, Money], dict[Rate, str]]:
    taking_back: dict[Rate, Fraction] = {}
    for line in lines.values():
        if line.takes_back:
            for key in line.taxes:
                rate = (line.invoice_id, key)
                taking_back[rate] = taking_back.get(rate, Fraction(0)) + exact_tax(line.said, key, line.taxes)
    taxes, reasons = {}, {}
    for row in read_where(InvoiceTax, "invoice_id = ANY(%s)", list(invoices)):
        rate = (row.invoice_id, TaxKey(row.category, row.percent.normalize(), row.included, row.again))
        amount = Money.exact(row.amount, invoices[row.invoice_id].currency)
        taxes[rate] = creditable_tax(amount, taking_back.get(rate, Fraction(0)))
        reasons[rate] = row.reason
    return taxes, reasons


def refuse_more_than_left(lines: Iterable[InvoiceLine]) -> None:
    """Refuse to issue lines that take back more than is left of issued ones. Locks the invoices of those."""
    back = [line for line in lines if line.credits_line_id is not None]
    if not back:
        return
    credited = invoices_of_lines([line.credits_line_id for line in back if line.credits_line_id is not None])
    left = {line_id: line.left for line_id, line in credited.lines.items()}
    problems = []
    for line in back:
        assert line.credits_line_id is not None
        rest = left.get(line.credits_line_id)
        amount = -line.net
        if rest is None or (amount < 0) != (rest.amount < 0) or abs(amount) > abs(rest.amount):
            shown = formatted(rest, "en") if rest is not None else "nothing"
            text = f"“{line.description}” takes back more than is left of the issued line: {shown}."
            problems.append(Problem(str(line.invoice_id), "more_than_left", text))
            continue
        left[line.credits_line_id] = rest - Money.exact(amount, rest.currency)
    if problems:
        raise Refusal("more_than_left", problems[0].message, problems[0].field, problems)
