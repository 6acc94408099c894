"""The right that each address of this room needs."""

from __future__ import annotations

ENDPOINTS: dict[str, str] = {
    "GET import/": "importing.see",
    "POST import/": "importing.run",
    "GET import/<uuid:batch_id>/": "importing.see",
    "GET import/<uuid:batch_id>/columns/": "importing.run",
    "POST import/<uuid:batch_id>/columns/": "importing.run",
    "GET import/<uuid:batch_id>/values/": "importing.run",
    "POST import/<uuid:batch_id>/values/": "importing.run",
    "POST import/<uuid:batch_id>/load/": "importing.run",
    "POST import/<uuid:batch_id>/undo/": "importing.run",
    "POST import/<uuid:batch_id>/discard/": "importing.run",
    "GET import/<uuid:batch_id>/errors.csv": "importing.run",
    "GET api/v1/imports": "importing.see",
    "POST api/v1/imports": "importing.run",
    "GET api/v1/imports/<uuid:batch_id>": "importing.see",
    "GET api/v1/imports/<uuid:batch_id>/rows": "importing.run",
    "GET api/v1/imports/<uuid:batch_id>/unknown-values": "importing.run",
    "POST api/v1/imports/<uuid:batch_id>/columns": "importing.run",
    "POST api/v1/imports/<uuid:batch_id>/values": "importing.run",
    "POST api/v1/imports/<uuid:batch_id>/load": "importing.run",
    "POST api/v1/imports/<uuid:batch_id>/undo": "importing.run",
    "DELETE api/v1/imports/<uuid:batch_id>": "importing.run",
}
