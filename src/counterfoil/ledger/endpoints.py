"""The right that each address of this room needs."""

from __future__ import annotations

ENDPOINTS: dict[str, str] = {
    "GET settings/companies/": "ledger.see",
    "GET settings/companies/new/": "settings.change",
    "POST settings/companies/new/": "settings.change",
    "GET settings/companies/<uuid:entity_id>/": "ledger.see",
    "POST settings/companies/<uuid:entity_id>/": "settings.change",
    "GET api/v1/entities": "ledger.see",
    "POST api/v1/entities": "settings.change",
    "GET api/v1/entities/<uuid:entity_id>": "ledger.see",
    "PATCH api/v1/entities/<uuid:entity_id>": "settings.change",
}
