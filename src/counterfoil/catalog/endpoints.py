"""The right that each address of this room needs."""

from __future__ import annotations

ENDPOINTS: dict[str, str] = {
    "GET catalog/": "catalog.see",
    "GET catalog/new/": "catalog.change",
    "POST catalog/new/": "catalog.change",
    "GET catalog/<uuid:product_id>/": "catalog.see",
    "POST catalog/<uuid:product_id>/": "catalog.change",
    "GET api/v1/products": "catalog.see",
    "POST api/v1/products": "catalog.change",
    "GET api/v1/products/<uuid:product_id>": "catalog.see",
    "PATCH api/v1/products/<uuid:product_id>": "catalog.change",
}
