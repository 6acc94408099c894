"""Invoices of another system with what was paid on them: taken over as issued documents with their own numbers.

Nothing is numbered, taxed or sent again. The receivable is posted against opening balances, and the money as payments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.loading import add_named_accounts
from counterfoil.core.errors import Problem
from counterfoil.core.money import currency_decimals
from counterfoil.core.text import NewText
from counterfoil.invoicing.commands import take_over_invoices, void_taken_over
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import TakeOver
from counterfoil.ledger.queries import default_entity_id
from counterfoil.payments.commands import record_payments, undo_payment
from counterfoil.payments.models import Payment, PaymentStatus
from counterfoil.payments.rules.orders import PaymentOrder, Share
from counterfoil.plumbing.importers import Kept, Loaded, LoadRow, Verdict

KEY = "invoicing.invoice"


def _entity(options: Mapping[str, Any]) -> UUID:
    given = options.get("entity")
    return UUID(str(given)) if given else default_entity_id()


def check_receivables(rows: Sequence[LoadRow], options: Mapping[str, Any]) -> list[Verdict]:
    """New, the same when the number is known already, or an error with its reason."""
    numbers = [str(row.values["number"]) for row in rows]
    known = {
        number: (invoice_id, total)
        for invoice_id, number, total in Invoice.objects.filter(
            entity=_entity(options), kind="invoice", number__in=numbers
        )
        .exclude(origin="imported", status="void")
        .values_list("id", "number", "total")
    }
    seen: dict[str, int] = {}
    verdicts: list[Verdict] = []
    for row in rows:
        number = str(row.values["number"])
        problem = _problem(row, options, seen)
        seen.setdefault(number, row.number)
        if problem is not None:
            verdicts.append(Verdict("error", problems=(problem,)))
        elif number not in known:
            verdicts.append(Verdict("new"))
        elif known[number][1] == row.values["total"]:
            verdicts.append(Verdict("same", known[number][0], number))
        else:
            text = f"Invoice {number} is here already with {known[number][1]:f}."
            verdicts.append(Verdict("duplicate", known[number][0], number, (Problem("number", "number_taken", text),)))
    return verdicts


def _problem(row: LoadRow, options: Mapping[str, Any], seen: Mapping[str, int]) -> Problem | None:
    values = row.values
    number = str(values["number"])
    total: Decimal = values["total"]
    paid: Decimal | None = values.get("paid")
    decimals = currency_decimals(str(values.get("currency") or options["currency"]))
    if number in seen:
        return Problem("number", "twice_in_file", f"Row {seen[number]} of this file has the same number.")
    if total <= 0:
        return Problem("total", "too_small", "The amount of an invoice must be above zero.")
    if total != round(total, decimals) or (paid is not None and paid != round(paid, decimals)):
        return Problem("total", "too_many_decimals", f"The currency has {decimals} decimals.")
    if paid is not None and not 0 <= paid <= total:
        return Problem("paid", "more_than_open", "More was paid than the invoice's amount, or less than nothing.")
    if values["due_on"] < values["issued_on"]:
        return Problem("due_on", "before_issue", "The invoice was due before it was issued.")
    if values.get("settled_on") and values["settled_on"] < values["issued_on"]:
        return Problem("settled_on", "before_issue", "The invoice was paid before it was issued.")
    return None


@command("payments.load_receivables", needs="importing.run")
def load_receivables(
    *, actor: Actor, rows: Sequence[LoadRow], options: Mapping[str, Any], on: date, at: datetime
) -> list[Loaded]:
    """Take over the invoices of a file, add customers that it names and nobody knows, and record what was paid."""
    entity = _entity(options)
    names = sorted({row.values["account"].text for row in rows if isinstance(row.values["account"], NewText)})
    added = add_named_accounts(actor=actor, names=names, at=at) if names else {}
    orders = [_take_over(row, options, entity, added) for row in rows]
    invoice_ids = take_over_invoices(actor=actor, orders=orders, on=on, at=at)
    payments = [
        payment
        for row, order, invoice_id in zip(rows, orders, invoice_ids, strict=True)
        if (payment := _payment(row, order, invoice_id)) is not None
    ]
    if payments:
        record_payments(actor=actor, orders=payments, at=at)
    versions = dict(Invoice.objects.filter(id__in=invoice_ids).values_list("id", "version"))
    return [
        Loaded(row.number, "new", KEY, invoice_id, versions[invoice_id])
        for row, invoice_id in zip(rows, invoice_ids, strict=True)
    ]


def _take_over(row: LoadRow, options: Mapping[str, Any], entity: UUID, added: Mapping[str, UUID]) -> TakeOver:
    account = row.values["account"]
    return TakeOver(
        account_id=added[account.text] if isinstance(account, NewText) else account,
        entity_id=entity,
        number=str(row.values["number"]),
        issued_on=row.values["issued_on"],
        due_on=row.values["due_on"],
        total=row.values["total"],
        tax=row.values.get("tax") or Decimal(0),
        currency=str(row.values.get("currency") or options["currency"]),
        disputed=bool(row.values.get("disputed")),
        description=str(row.values.get("description") or ""),
    )


def _payment(row: LoadRow, order: TakeOver, invoice_id: UUID) -> PaymentOrder | None:
    """What the file says was paid: the amount it names, else the whole when it names a day on which it was settled."""
    settled_on: date | None = row.values.get("settled_on")
    paid = row.values.get("paid")
    if paid is None:
        paid = order.total if settled_on else Decimal(0)
    if not paid:
        return None
    return PaymentOrder(
        payer_id=order.account_id,
        entity_id=order.entity_id,
        method="transfer",
        amount=paid,
        currency=order.currency,
        received_on=settled_on or order.due_on,
        reference=order.number,
        note="Taken over with the invoice",
        allocations=(Share(invoice_id, paid),),
    )


@command("payments.unload_receivables", needs="importing.run")
def unload_receivables(*, actor: Actor, loaded: Sequence[Loaded], on: date, at: datetime, reason: str) -> list[Kept]:
    """Void the invoices that a file brought and undo their payments by counter-entries, unless money moved since."""
    versions = dict(Invoice.objects.filter(id__in=[one.record_id for one in loaded]).values_list("id", "version"))
    kept = [
        Kept(KEY, one.record_id, "It was changed or paid after the import.")
        for one in loaded
        if versions.get(one.record_id, one.version) != one.version
    ]
    left_alone = {one.record_id for one in kept}
    undone = [one.record_id for one in loaded if one.record_id in versions and one.record_id not in left_alone]
    if undone:
        payments = Payment.objects.filter(allocations__invoice__in=undone, status=PaymentStatus.RECEIVED).distinct()
        for payment_id in payments.order_by("id").values_list("id", flat=True):
            undo_payment(actor=actor, payment_id=payment_id, on=on, at=at, reason=reason)
        void_taken_over(actor=actor, invoice_ids=undone, reason=reason, on=on)
    return kept
