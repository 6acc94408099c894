"""Addresses of payments."""

from __future__ import annotations

from django.urls import path

from counterfoil.payments.web import aging, views

app_name = "payments"

urlpatterns = [
    path("payments/", views.payments, name="payments"),
    path("payments/aging/", aging.aging_page, name="aging"),
    path("payments/record/", views.record, name="record"),
    path("payments/record/shares/", views.shares, name="shares"),
    path("payments/<uuid:payment_id>/", views.payment, name="payment"),
    path("payments/<uuid:payment_id>/allocate/", views.allocate, name="allocate"),
    path("payments/<uuid:payment_id>/undo/", views.undo, name="undo"),
    path("payments/<uuid:payment_id>/fail/", views.fail, name="fail"),
    path("allocations/<uuid:allocation_id>/undo/", views.undo_allocation, name="undo_allocation"),
    path("accounts/<uuid:account_id>/payments/", views.account_panel, name="account_panel"),
    path("invoices/<uuid:invoice_id>/payments/", views.invoice_panel, name="invoice_panel"),
]
