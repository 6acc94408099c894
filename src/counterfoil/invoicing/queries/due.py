"""When invoices are due: their instalments, what of them is open, and their early discounts."""

from __future__ import annotations

from datetime import date
from typing import Any

from counterfoil.accounts.rules.facts import TermsFact
from counterfoil.core.money import Money
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.invoicing.plans import due_plans
from counterfoil.invoicing.rules.due import DuePlan, due_plan, open_instalments

FIRST_OPEN_DAY = """
COALESCE(
    (SELECT MIN(n.due_on) FROM (
        SELECT due_on, SUM(amount) OVER (ORDER BY position) AS upto FROM invoicing_instalment
        WHERE invoice_id = invoicing_invoice.id
    ) n WHERE n.upto > invoicing_invoice.settled + invoicing_invoice.credited),
    invoicing_invoice.due_on
)
"""
"""SQL over invoices: the due day of the first instalment that is open, or of the whole."""

NO_PLAN: dict[str, Any] = {"instalments": [], "early_discount": None}
"""What is shown to those who may not see amounts."""


def shown_plan(invoice: Invoice) -> dict[str, Any]:
    """The instalments of one document, each with what of it is open, and its early discount; of no issued one none."""
    plan = due_plans([invoice]).get(invoice.pk)
    if plan is None:
        return NO_PLAN
    is_open = invoice.status == InvoiceStatus.ISSUED
    owed = Money.exact(invoice.open, invoice.currency) if is_open else Money.zero(invoice.currency)
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
