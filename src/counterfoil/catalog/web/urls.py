"""Addresses of the catalog."""

from __future__ import annotations

from django.urls import path

from counterfoil.catalog.web import views

app_name = "catalog"

urlpatterns = [
    path("catalog/", views.products, name="products"),
    path("catalog/new/", views.new_product, name="new_product"),
    path("catalog/<uuid:product_id>/", views.product, name="product"),
]
