"""The right that each address of this room needs."""

from __future__ import annotations

ENDPOINTS: dict[str, str] = {
    "GET review/": "invoicing.see",
    "GET review/<uuid:invoice_id>/": "invoicing.see",
    "POST review/<uuid:invoice_id>/approve/": "invoicing.issue",
    "POST review/<uuid:invoice_id>/return/": "invoicing.draft",
    "POST review/clean/": "invoicing.issue",
    "GET invoices/": "invoicing.see",
    "GET invoices/<uuid:invoice_id>/": "invoicing.see",
    "POST invoices/<uuid:invoice_id>/send/": "invoicing.issue",
    "POST invoices/<uuid:invoice_id>/dispute/": "invoicing.draft",
    "GET invoices/of/<uuid:account_id>/": "invoicing.see",
    "GET invoices/new/": "invoicing.draft",
    "POST invoices/new/": "invoicing.draft",
    "POST invoices/new/preview/": "invoicing.draft",
    "GET invoices/<uuid:invoice_id>/edit/": "invoicing.draft",
    "POST invoices/<uuid:invoice_id>/edit/": "invoicing.draft",
    "POST invoices/<uuid:invoice_id>/preview/": "invoicing.draft",
    "POST invoices/<uuid:invoice_id>/discard/": "invoicing.draft",
    "GET invoices/<uuid:invoice_id>/pages/": "invoicing.see",
    "GET invoices/<uuid:invoice_id>/pages/<int:number>.svg": "invoicing.see",
    "GET invoices/<uuid:invoice_id>/document.pdf": "invoicing.see",
    "GET settings/taxes/": "ledger.see",
    "GET settings/taxes/new/": "settings.change",
    "POST settings/taxes/new/": "settings.change",
    "GET settings/taxes/<uuid:rate_id>/": "ledger.see",
    "POST settings/taxes/<uuid:rate_id>/": "settings.change",
    "GET settings/series/": "ledger.see",
    "GET settings/series/<uuid:series_id>/": "ledger.see",
    "POST settings/series/<uuid:series_id>/": "settings.change",
}
