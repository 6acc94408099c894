"""Addresses of the catalog."""

from __future__ import annotations

from django.urls import path

from counterfoil.catalog.web.views import price_lists, prices, products

app_name = "catalog"

urlpatterns = [
    path("catalog/", products.products, name="products"),
    path("catalog/new/", products.new_product, name="new_product"),
    path("catalog/<uuid:product_id>/", products.product, name="product"),
    path("catalog/<uuid:product_id>/prices/new/", prices.new_price, name="new_price"),
    path("catalog/prices/", prices.prices, name="prices"),
    path("catalog/prices/preview/", prices.preview, name="preview_price"),
    path("catalog/prices/<uuid:price_id>/", prices.price, name="price"),
    path("catalog/prices/<uuid:price_id>/change/", prices.change_price, name="change_price"),
    path("catalog/prices/<uuid:price_id>/retire/", prices.retire_price, name="retire_price"),
    path("catalog/lists/", price_lists.price_lists, name="price_lists"),
    path("catalog/lists/new/", price_lists.new_price_list, name="new_price_list"),
    path("catalog/lists/<uuid:price_list_id>/", price_lists.price_list, name="price_list"),
]
