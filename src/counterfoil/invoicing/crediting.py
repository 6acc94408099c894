"""Issued lines with what was taken back of them, read for crediting. Saves nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import Money, formatted
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceLine, InvoiceStatus, InvoiceTax
from counterfoil.invoicing.rules.crediting import Creditable, Rate, creditable_tax
from counterfoil.invoicing.rules.totals import TaxKey, tax_amount
from counterfoil.plumbing.bulk import read_where


@dataclass(frozen=True)
class Credited:
    """Issued invoices with all their lines, how much of each was taken back, and the tax that can be taken back."""

    invoices: dict[UUID, Invoice]
    rows: dict[UUID, InvoiceLine]
    lines: dict[UUID, Creditable]
    rate_taxes: dict[Rate, Money]
    reasons: dict[Rate, str]


def credited_invoices(invoice_ids: Collection[UUID], *, lock: bool) -> Credited:
    """The invoices among these ids, in four statements; locked in the order of their ids, if at all."""
    found = Invoice.objects.filter(id__in=invoice_ids, kind=DocumentKind.INVOICE, status=InvoiceStatus.ISSUED)
    invoices = {one.pk: one for one in (found.select_for_update() if lock else found).order_by("id")}
    of_them = read_where(InvoiceLine, "invoice_id = ANY(%s)", list(invoices), order="invoice_id, position")
    rows = {line.pk: line for line in of_them}
    taken, tax_taken = _taken(rows)
    lines = {}
    for row in rows.values():
        currency = invoices[row.invoice_id].currency
        lines[row.pk] = Creditable(
            id=row.pk,
            invoice_id=row.invoice_id,
            said=Money.exact(row.net, currency),
            tax=_key(row),
            own_tax=Money.exact(row.tax, currency) if row.tax is not None else None,
            taken=Money.exact(taken.get(row.pk, Decimal(0)), currency),
            tax_taken=Money.exact(tax_taken.get(row.pk, Decimal(0)), currency),
            takes_back=row.credits_line_id is not None,
        )
    rate_taxes, reasons = _rates(invoices, lines)
    return Credited(invoices, rows, lines, rate_taxes, reasons)


def _key(row: InvoiceLine | InvoiceTax) -> TaxKey:
    if isinstance(row, InvoiceTax):
        return TaxKey(row.category, row.percent.normalize(), row.included)
    return TaxKey(row.tax_category, row.tax_percent.normalize(), row.tax_included)


def _taken(rows: dict[UUID, InvoiceLine]) -> tuple[dict[UUID, Decimal], dict[UUID, Decimal]]:
    """What issued documents took back of each line, and with how much tax.

    The lines of credit notes are positive. Those of invoices are negative, and their tax is rounded with others.
    """
    taken: dict[UUID, Decimal] = {}
    tax_taken: dict[UUID, Decimal] = {}
    back = InvoiceLine.objects.filter(credits_line__in=rows, invoice__status=InvoiceStatus.ISSUED)
    for line in back.select_related("invoice"):
        assert line.credits_line_id is not None
        sign = 1 if line.invoice.kind == DocumentKind.CREDIT_NOTE else -1
        tax = line.tax
        if tax is None:
            tax = tax_amount(Money.exact(line.net, line.invoice.currency), _key(line)).amount
        taken[line.credits_line_id] = taken.get(line.credits_line_id, Decimal(0)) + sign * line.net
        tax_taken[line.credits_line_id] = tax_taken.get(line.credits_line_id, Decimal(0)) + sign * tax
    return taken, tax_taken


def _rates(invoices: dict[UUID, Invoice], lines: dict[UUID, Creditable]) -> tuple[dict[Rate, Money], dict[Rate, str]]:
    taking_back: dict[Rate, Money] = {}
    for line in lines.values():
        rate = (line.invoice_id, line.tax)
        before = taking_back.get(rate, Money.zero(line.said.currency))
        taking_back[rate] = before + line.said if line.takes_back else before
    taxes, reasons = {}, {}
    for row in InvoiceTax.objects.filter(invoice__in=invoices):
        rate = (row.invoice_id, _key(row))
        amount = Money.exact(row.amount, invoices[row.invoice_id].currency)
        taxes[rate] = creditable_tax(amount, rate[1], taking_back.get(rate, Money.zero(amount.currency)))
        reasons[rate] = row.reason
    return taxes, reasons


def refuse_more_than_left(lines: Iterable[InvoiceLine]) -> None:
    """Refuse to issue lines that take back more than is left of issued ones. Locks the invoices of those."""
    back = [line for line in lines if line.credits_line_id is not None]
    if not back:
        return
    wanted = [line.credits_line_id for line in back if line.credits_line_id is not None]
    owners = InvoiceLine.objects.filter(id__in=wanted).values_list("invoice_id", flat=True)
    credited = credited_invoices(set(owners), lock=True)
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
