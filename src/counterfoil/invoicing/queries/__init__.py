"""Drafts and invoices as an actor may see them, and what jobs need to know of them."""

from counterfoil.invoicing.plans import due_plans
from counterfoil.invoicing.queries.crediting import (
    CreditableLine,
    any_unissued,
    creditable_lines,
    credited_by_hand,
    credits_of,
    line_ids_of,
)
from counterfoil.invoicing.queries.delivery import (
    undelivered,
    unprinted,
    unsent_for_want_of_recipients,
)
from counterfoil.invoicing.queries.documents import (
    Balance,
    Found,
    account_balances,
    day_of,
    document_file,
    get_invoice,
    invoices_after,
    invoices_of_deals,
    last_invoices_of,
    list_invoices,
    local_today,
    mails_of,
    open_invoices_of_payer,
    titles_of,
)
from counterfoil.invoicing.queries.due import FirstOpenDay
from counterfoil.invoicing.queries.previews import MailPreview, Preview, mail_preview, preview, preview_of_values
from counterfoil.invoicing.queries.review import (
    clean_drafts,
    count_drafts_to_review,
    get_draft,
    review_queue,
    touches,
)
from counterfoil.invoicing.queries.settings import (
    get_series,
    get_tax_rate,
    list_series,
    list_tax_rates,
    series_after,
    tax_rates_after,
)

__all__ = [
    "Balance",
    "CreditableLine",
    "FirstOpenDay",
    "Found",
    "MailPreview",
    "Preview",
    "account_balances",
    "any_unissued",
    "clean_drafts",
    "count_drafts_to_review",
    "creditable_lines",
    "credited_by_hand",
    "credits_of",
    "day_of",
    "document_file",
    "due_plans",
    "get_draft",
    "get_invoice",
    "get_series",
    "get_tax_rate",
    "invoices_after",
    "invoices_of_deals",
    "last_invoices_of",
    "line_ids_of",
    "list_invoices",
    "list_series",
    "list_tax_rates",
    "local_today",
    "mail_preview",
    "mails_of",
    "open_invoices_of_payer",
    "preview",
    "preview_of_values",
    "review_queue",
    "series_after",
    "tax_rates_after",
    "titles_of",
    "touches",
    "undelivered",
    "unprinted",
    "unsent_for_want_of_recipients",
]
