"""Addresses of subscriptions, billing runs and billing policies."""

from __future__ import annotations

from django.urls import path

from counterfoil.subscriptions.web import changes, coupons, increases, runs, settings, views

app_name = "subscriptions"

urlpatterns = [
    path("subscriptions/", views.subscriptions, name="subscriptions"),
    path("subscriptions/renewals/", views.renewals, name="renewals"),
    path("subscriptions/new/", changes.new, name="new"),
    path("subscriptions/new/preview/", changes.preview_new, name="preview_new"),
    path("subscriptions/unpark/", views.unpark_selected, name="unpark_selected"),
    path("subscriptions/<uuid:subscription_id>/", views.subscription, name="subscription"),
    path("subscriptions/<uuid:subscription_id>/change/", changes.act, {"verb": "change"}, name="change"),
    path("subscriptions/<uuid:subscription_id>/details/", changes.details, name="details"),
    path("subscriptions/<uuid:subscription_id>/pause/", changes.act, {"verb": "pause"}, name="pause"),
    path("subscriptions/<uuid:subscription_id>/resume/", changes.act, {"verb": "resume"}, name="resume"),
    path("subscriptions/<uuid:subscription_id>/cancel/", changes.act, {"verb": "cancel"}, name="cancel"),
    path("subscriptions/<uuid:subscription_id>/preview/<slug:verb>/", changes.preview, name="preview"),
    path("subscriptions/<uuid:subscription_id>/unpark/", views.unpark, name="unpark"),
    path("accounts/<uuid:account_id>/subscriptions/", views.account_panel, name="account_panel"),
    path("subscriptions/<uuid:subscription_id>/coupon/", changes.act, {"verb": "coupon"}, name="redeem"),
    path(
        "subscriptions/<uuid:subscription_id>/discount-off/",
        changes.act,
        {"verb": "discount"},
        name="take_off_discount",
    ),
    path("settings/coupons/", coupons.coupons, name="coupons"),
    path("settings/coupons/new/", coupons.new_coupon, name="new_coupon"),
    path("settings/coupons/<uuid:coupon_id>/", coupons.coupon, name="coupon"),
    path("price-increases/", increases.increases, name="increases"),
    path("price-increases/new/", increases.new_increase, name="new_increase"),
    path("price-increases/new/preview/", increases.preview_increase, name="preview_increase"),
    path("price-increases/<uuid:increase_id>/", increases.increase, name="increase"),
    path("price-increases/<uuid:increase_id>/undo/", increases.undo_increase, name="undo_increase"),
    path("billing-runs/", runs.runs, name="runs"),
    path("billing-runs/<uuid:run_id>/", runs.run, name="run"),
    path("settings/billing-policies/", settings.policies, name="policies"),
    path("settings/billing-policies/<uuid:entity_id>/", settings.policy, name="policy"),
]
