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
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceLine, InvoiceTax, LineAllowance
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
    """The issued invoices among these ids, in five statements."""
    return _credited(read_where(Invoice, f"id = ANY(%s) AND {_ISSUED}", list(invoice_ids), order="id"))


def invoices_of_lines(line_ids: Collection[UUID]) -> Credited:
    """The issued invoices of these lines, in five statements; locked in the order of their ids."""
    return _credited(read_where(Invoice, f"{_OWNERS} AND {_ISSUED}", list(line_ids), order="id", lock=True))


def _credited(found: Iterable[Invoice]) -> Credited:
    invoices = {one.pk: one for one in found}
    of_them = read_where(InvoiceLine, "invoice_id = ANY(%s)", list(invoices), order="invoice_id, position")
    rows = {line.pk: line for line in of_them}
    taken, noted = _taken(rows)
    allowed = _allowed(rows)
    lines = {}
    for row in rows.values():
        currency, borne = invoices[row.invoice_id].currency, keys_of(row)
        none = _Off.none(currency, len(borne))
        off, by_notes, by_payment = (each.get(row.pk, none) for each in (taken, noted, allowed))
        lines[row.pk] = Creditable(
            id=row.pk,
            invoice_id=row.invoice_id,
            said=Money.exact(row.net, currency),
            taxes=borne,
            own_taxes=_money(amounts_of(row), currency),
            taken=off.said,
            taxes_taken=off.taxes,
            noted=by_notes.said,
            taxes_noted=by_notes.taxes,
            allowed=by_payment.said,
            taxes_allowed=by_payment.taxes,
            takes_back=row.credits_line_id is not None,
        )
    rate_taxes, reasons = _rates(invoices, lines)
    return Credited(invoices, rows, lines, rate_taxes, reasons)


def _money(amounts: Sequence[Decimal] | None, currency: str) -> tuple[Money, ...] | None:
    return None if amounts is None else tuple(Money.exact(amount, currency) for amount in amounts)


@dataclass(frozen=True, slots=True)
class _Off:
    """What was taken off a line, in its own terms, and off each of its taxes."""

    said: Money
    taxes: tuple[Money, ...]

    @staticmethod
    def none(currency: str, taxes: int) -> _Off:
        return _Off(Money.zero(currency), (Money.zero(currency),) * taxes)

    def __add__(self, more: _Off) -> _Off:
        return _Off(self.said + more.said, tuple(one + two for one, two in zip(self.taxes, more.taxes, strict=True)))


def _taken(rows: dict[UUID, InvoiceLine]) -> tuple[dict[UUID, _Off], dict[UUID, _Off]]:
    """What issued documents took back of each line, and what credit notes did of it.

    The lines of credit notes are positive. Those of invoices are negative, and their tax is rounded with others.
    """
    taken: dict[UUID, _Off] = {}
    noted: dict[UUID, _Off] = {}
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
        net = Money.exact(line.net, currency)
        taxes = _money(amounts_of(line), currency)
        if taxes is None:
            borne = keys_of(line)
            taxes = tuple(rounded(exact_tax(net, one, borne), currency) for one in borne)
        none = _Off.none(currency, len(taxes))
        if document.kind == DocumentKind.CREDIT_NOTE:
            off = _Off(net, taxes)
            noted[key] = noted.get(key, none) + off
        else:
            off = _Off(-net, tuple(-one for one in taxes))
        taken[key] = taken.get(key, none) + off
    return taken, noted


def _allowed(rows: dict[UUID, InvoiceLine]) -> dict[UUID, _Off]:
    """What early payments need not pay of each line."""
    found: dict[UUID, _Off] = {}
    for one in read_where(LineAllowance, "line_id = ANY(%s)", list(rows)):
        borne, zero = keys_of(rows[one.line_id]), Money.zero(one.currency)
        own = TaxKey(one.category, one.percent.normalize(), one.included, one.again)
        taxes = tuple(Money.exact(one.tax, one.currency) if key == own else zero for key in borne)
        off = _Off(Money.exact(one.said, one.currency), taxes)
        found[one.line_id] = found.get(one.line_id, _Off.none(one.currency, len(borne))) + off
    return found


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
