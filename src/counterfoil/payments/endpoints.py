"""The right that each address of this room needs."""

from __future__ import annotations

SEE, RECORD = "payments.see", "payments.record"

ENDPOINTS: dict[str, str] = {
    "GET payments/": SEE,
    "GET payments/aging/": SEE,
    "GET payments/record/": RECORD,
    "POST payments/record/": RECORD,
    "GET payments/record/shares/": RECORD,
    "GET payments/<uuid:payment_id>/": SEE,
    "GET payments/<uuid:payment_id>/allocate/": RECORD,
    "POST payments/<uuid:payment_id>/allocate/": RECORD,
    "POST payments/<uuid:payment_id>/undo/": RECORD,
    "POST payments/<uuid:payment_id>/fail/": RECORD,
    "POST allocations/<uuid:allocation_id>/undo/": RECORD,
    "GET accounts/<uuid:account_id>/payments/": SEE,
    "GET invoices/<uuid:invoice_id>/payments/": SEE,
    "GET api/v1/aging": SEE,
    "GET api/v1/payments": SEE,
    "POST api/v1/payments": RECORD,
    "GET api/v1/payments/<uuid:payment_id>": SEE,
    "POST api/v1/payments/<uuid:payment_id>/allocate": RECORD,
    "POST api/v1/payments/<uuid:payment_id>/undo": RECORD,
    "POST api/v1/payments/<uuid:payment_id>/fail": RECORD,
    "POST api/v1/allocations/<uuid:allocation_id>/undo": RECORD,
    "GET api/v1/invoices/<uuid:invoice_id>/payments": SEE,
}
