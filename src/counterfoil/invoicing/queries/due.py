"""When invoices are due: their instalments, what of them is open, and their early discounts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models

from counterfoil.accounts.rules.facts import TermsFact
from counterfoil.core.money import Money
from counterfoil.invoicing.models import Instalment as Row
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.invoicing.rules.due import DuePlan, EarlyDiscount, Instalment, due_plan, open_instalments


class FirstOpenDay(models.Func):
    """Over invoices: the due day of the first instalment that is open, or of the whole."""

    template = """
COALESCE(
    (SELECT MIN(n.due_on) FROM (
        SELECT due_on, SUM(amount) OVER (ORDER BY position) AS upto FROM invoicing_instalment
        WHERE invoice_id = invoicing_invoice.id
    ) n WHERE n.upto > invoicing_invoice.settled),
    invoicing_invoice.due_on
)
"""
    output_field = models.DateField()


def due_plans(invoices: Iterable[Invoice]) -> dict[UUID, DuePlan]:
    """How each issued invoice is due, as it was frozen at its issue, in one statement. For commands and queries."""
    issued = [one for one in invoices if one.due_on is not None]
    parts: dict[UUID, list[tuple[date, Decimal]]] = {}
    for invoice_id, due_on, amount in (
        Row.objects.filter(invoice__in=[one.pk for one in issued])
        .order_by("invoice", "position")
        .values_list("invoice_id", "due_on", "amount")
    ):
        parts.setdefault(invoice_id, []).append((due_on, amount))
    return {one.pk: _plan(one, parts.get(one.pk, [])) for one in issued}


def _plan(invoice: Invoice, parts: Sequence[tuple[date, Decimal]]) -> DuePlan:
    assert invoice.due_on is not None
    parts = parts or [(invoice.due_on, invoice.total)]
    discount = None
    if invoice.early_discount_until is not None and invoice.early_discount_amount is not None:
        amount = Money.exact(invoice.early_discount_amount, invoice.currency)
        discount = EarlyDiscount(
            invoice.early_discount_until, amount, Money.exact(invoice.total, invoice.currency) - amount
        )
    return DuePlan(
        tuple(Instalment(due_on, Money.exact(amount, invoice.currency)) for due_on, amount in parts), discount
    )


NO_PLAN: dict[str, Any] = {"instalments": [], "early_discount": None}
"""What is shown to those who may not see amounts."""


def shown_plan(invoice: Invoice) -> dict[str, Any]:
    """The instalments of one document, each with what of it is open, and its early discount; of no issued one none."""
    plan = due_plans([invoice]).get(invoice.pk)
    if plan is None:
        return NO_PLAN
    is_open = invoice.status == InvoiceStatus.ISSUED
    owed = Money.exact(invoice.total - invoice.settled, invoice.currency) if is_open else Money.zero(invoice.currency)
    return _shown(plan, owed)


def shown_draft_plan(invoice: Invoice, terms: TermsFact | None, on: date) -> dict[str, Any]:
    """The same of a draft as it would be if it were issued ``on``."""
    total = Money.exact(invoice.total, invoice.currency)
    return _shown(due_plan(total, on, terms.rule if terms else None), total)


def _shown(plan: DuePlan, owed: Money) -> dict[str, Any]:
    left = open_instalments(plan.instalments, owed)
    return {
        "instalments": [
            {"due_on": one.due_on, "amount": one.amount, "open": rest.amount}
            for one, rest in zip(plan.instalments, left, strict=True)
        ],
        "early_discount": plan.early_discount,
    }
