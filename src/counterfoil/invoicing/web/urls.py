"""Addresses of drafts and invoices."""

from __future__ import annotations

from django.urls import path

from counterfoil.invoicing.web import crediting, documents, editor, invoices, review, settings

app_name = "invoicing"

urlpatterns = [
    path("review/", review.queue, name="review_queue"),
    path("review/", review.queue, name="review"),
    path("review/<uuid:invoice_id>/", review.draft, name="review"),
    path("review/<uuid:invoice_id>/approve/", review.approve, name="approve"),
    path("review/<uuid:invoice_id>/return/", review.send_back, name="return"),
    path("review/clean/", review.approve_clean, name="approve_clean"),
    path("invoices/", invoices.invoices, name="invoices"),
    path("invoices/<uuid:invoice_id>/", invoices.invoice, name="invoice"),
    path("invoices/<uuid:invoice_id>/send/", invoices.send_again, name="send"),
    path("invoices/<uuid:invoice_id>/dispute/", invoices.dispute, name="dispute"),
    path("invoices/<uuid:invoice_id>/credit/", crediting.credit, name="credit"),
    path("invoices/of/<uuid:account_id>/", invoices.account_panel, name="account_panel"),
    path("invoices/new/", editor.new, name="new"),
    path("invoices/new/preview/", editor.preview_new, name="preview_new"),
    path("invoices/<uuid:invoice_id>/edit/", editor.edit, name="edit"),
    path("invoices/<uuid:invoice_id>/preview/", editor.preview, name="preview"),
    path("invoices/<uuid:invoice_id>/discard/", editor.discard, name="discard"),
    path("settings/taxes/", settings.tax_rates, name="tax_rates"),
    path("settings/taxes/new/", settings.new_tax_rate, name="new_tax_rate"),
    path("settings/taxes/<uuid:rate_id>/", settings.tax_rate, name="tax_rate"),
    path("settings/references/", settings.reference_fields, name="reference_fields"),
    path("settings/references/new/", settings.new_reference_field, name="new_reference_field"),
    path("settings/references/<uuid:field_id>/", settings.reference_field, name="reference_field"),
    path("settings/series/", settings.all_series, name="all_series"),
    path("settings/series/<uuid:series_id>/", settings.series, name="series"),
    path("invoices/<uuid:invoice_id>/pages/", documents.pages, name="pages"),
    path("invoices/<uuid:invoice_id>/pages/<int:number>.svg", documents.one_page, name="page"),
    path("invoices/<uuid:invoice_id>/document.pdf", documents.pdf, name="pdf"),
]
