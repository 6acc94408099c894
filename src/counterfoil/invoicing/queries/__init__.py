"""Drafts and invoices as an actor may see them, and what jobs need to know of them."""

from counterfoil.invoicing.plans import due_plans
from counterfoil.invoicing.queries.crediting import (
    CreditableLine,
    creditable_lines,
    credits_of,
    given_already,
    line_ids_of,
    taken_off_besides,
    unissued_of,
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
from counterfoil.invoicing.queries.due import FIRST_OPEN_DAY
from counterfoil.invoicing.queries.previews import (
    Preview,
    blocks_of,
    order_total,
    order_totals,
    preview,
    preview_of_values,
)
from counterfoil.invoicing.queries.references import (
    get_reference_field,
    list_reference_fields,
    reference_fields_after,
)
from counterfoil.invoicing.queries.review import (
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
    "FIRST_OPEN_DAY",
    "Balance",
    "CreditableLine",
    "Found",
    "Preview",
    "account_balances",
    "blocks_of",
    "count_drafts_to_review",
    "creditable_lines",
    "credits_of",
    "day_of",
    "document_file",
    "due_plans",
    "get_draft",
    "get_invoice",
    "get_reference_field",
    "get_series",
    "get_tax_rate",
    "given_already",
    "invoices_after",
    "invoices_of_deals",
    "last_invoices_of",
    "line_ids_of",
    "list_invoices",
    "list_reference_fields",
    "list_series",
    "list_tax_rates",
    "local_today",
    "mails_of",
    "open_invoices_of_payer",
    "order_total",
    "order_totals",
    "preview",
    "preview_of_values",
    "reference_fields_after",
    "review_queue",
    "series_after",
    "taken_off_besides",
    "tax_rates_after",
    "titles_of",
    "touches",
    "undelivered",
    "unissued_of",
    "unprinted",
    "unsent_for_want_of_recipients",
]
