"""Addresses of retainers, time and expenses."""

from __future__ import annotations

from django.urls import path

from counterfoil.retainers.web import entries, retainers, sharing

app_name = "retainers"

TIME, EXPENSE = {"key": "retainers.time"}, {"key": "retainers.expense"}

urlpatterns = [
    path("retainers/", retainers.retainers, name="retainers"),
    path("retainers/new/", retainers.new, name="new"),
    path("retainers/<uuid:retainer_id>/", retainers.retainer, name="retainer"),
    path("retainers/<uuid:retainer_id>/edit/", retainers.edit, name="edit"),
    path("retainers/<uuid:retainer_id>/retire/", retainers.retire, name="retire"),
    path("retainers/<uuid:retainer_id>/link/", sharing.share, name="share"),
    path("retainers/<uuid:retainer_id>/link/revoke/", sharing.unshare, name="unshare"),
    path("burn-down/<str:secret>/", sharing.burn_down, name="burn_down"),
    path("burn-down/<str:secret>", sharing.burn_down),  # a redirect would be kept, with the secret in it
    path("subscriptions/<uuid:subscription_id>/time/", entries.subscription_panel, name="subscription_panel"),
    path("accounts/<uuid:account_id>/retainers/", retainers.account_panel, name="account_panel"),
    path("time/", entries.entries, TIME, name="time"),
    path("time/new/", entries.new, TIME, name="new_time"),
    path("time/approve/", entries.approve, TIME, name="approve_time"),
    path("time/reject/", entries.reject, TIME, name="reject_time"),
    path("time/waive/", entries.waive, TIME, name="waive_time"),
    path("time/restore/", entries.restore, TIME, name="restore_time"),
    path("time/bill/", entries.bill, name="bill"),
    path("time/<uuid:time_entry_id>/", entries.entry, TIME, name="time_entry"),
    path("time/<uuid:time_entry_id>/edit/", entries.edit, TIME, name="edit_time"),
    path("expenses/", entries.entries, EXPENSE, name="expenses"),
    path("expenses/new/", entries.new, EXPENSE, name="new_expense"),
    path("expenses/approve/", entries.approve, EXPENSE, name="approve_expense"),
    path("expenses/reject/", entries.reject, EXPENSE, name="reject_expense"),
    path("expenses/waive/", entries.waive, EXPENSE, name="waive_expense"),
    path("expenses/restore/", entries.restore, EXPENSE, name="restore_expense"),
    path("expenses/<uuid:expense_id>/", entries.entry, EXPENSE, name="expense"),
    path("expenses/<uuid:expense_id>/edit/", entries.edit, EXPENSE, name="edit_expense"),
    path("expenses/<uuid:expense_id>/receipt/", entries.receipt, name="receipt"),
]
