"""The verbs of drafts and issued documents."""

from counterfoil.invoicing.commands.allowing import AllowanceOrder, allow, end_allowances
from counterfoil.invoicing.commands.billing import BilledOrders, bill_invoices
from counterfoil.invoicing.commands.crediting import HandedOver, credit, hand_over_credit
from counterfoil.invoicing.commands.delivery import (
    ask_to_deliver,
    deliver_invoices,
    mark_sent,
    send_invoices,
    store_pdf,
)
from counterfoil.invoicing.commands.drafts import (
    add_draft,
    change_draft,
    discard_draft,
    draft_invoices,
    recheck_drafts,
    return_drafts,
)
from counterfoil.invoicing.commands.issuing import issue_clean, issue_invoices
from counterfoil.invoicing.commands.references import add_reference_field, change_reference_field
from counterfoil.invoicing.commands.settings import (
    add_tax_rate,
    change_series,
    change_tax_rate,
    install_defaults,
)
from counterfoil.invoicing.commands.settling import dispute_invoice, settle
from counterfoil.invoicing.commands.taking_over import take_over_invoices, void_taken_over

__all__ = [
    "AllowanceOrder",
    "BilledOrders",
    "HandedOver",
    "add_draft",
    "add_reference_field",
    "add_tax_rate",
    "allow",
    "ask_to_deliver",
    "bill_invoices",
    "change_draft",
    "change_reference_field",
    "change_series",
    "change_tax_rate",
    "credit",
    "deliver_invoices",
    "discard_draft",
    "dispute_invoice",
    "draft_invoices",
    "end_allowances",
    "hand_over_credit",
    "install_defaults",
    "issue_clean",
    "issue_invoices",
    "mark_sent",
    "recheck_drafts",
    "return_drafts",
    "send_invoices",
    "settle",
    "store_pdf",
    "take_over_invoices",
    "void_taken_over",
]
