"""The right that each address of this room needs."""

from __future__ import annotations

from counterfoil.access.rules.endpoints import PUBLIC

SEE, CHANGE, ENTER = "retainers.see", "retainers.change", "retainers.enter"
APPROVE, BILL = "retainers.approve", "retainers.bill"

ENDPOINTS: dict[str, str] = {
    "GET retainers/": SEE,
    "GET retainers/new/": CHANGE,
    "POST retainers/new/": CHANGE,
    "GET retainers/<uuid:retainer_id>/": SEE,
    "GET retainers/<uuid:retainer_id>/edit/": CHANGE,
    "POST retainers/<uuid:retainer_id>/edit/": CHANGE,
    "POST retainers/<uuid:retainer_id>/retire/": CHANGE,
    "POST retainers/<uuid:retainer_id>/link/": CHANGE,
    "POST retainers/<uuid:retainer_id>/link/revoke/": CHANGE,
    "GET burn-down/<str:secret>/": PUBLIC,
    "GET accounts/<uuid:account_id>/retainers/": SEE,
    "GET subscriptions/<uuid:subscription_id>/time/": SEE,
    "GET time/": SEE,
    "GET time/new/": ENTER,
    "POST time/new/": ENTER,
    "POST time/approve/": APPROVE,
    "POST time/reject/": APPROVE,
    "POST time/bill/": BILL,
    "GET time/<uuid:time_entry_id>/": SEE,
    "GET time/<uuid:time_entry_id>/edit/": ENTER,
    "POST time/<uuid:time_entry_id>/edit/": ENTER,
    "GET expenses/": SEE,
    "GET expenses/new/": ENTER,
    "POST expenses/new/": ENTER,
    "POST expenses/approve/": APPROVE,
    "POST expenses/reject/": APPROVE,
    "GET expenses/<uuid:expense_id>/": SEE,
    "GET expenses/<uuid:expense_id>/edit/": ENTER,
    "POST expenses/<uuid:expense_id>/edit/": ENTER,
    "GET expenses/<uuid:expense_id>/receipt/": SEE,
    "GET api/v1/retainers": SEE,
    "POST api/v1/retainers": CHANGE,
    "GET api/v1/retainers/<uuid:retainer_id>": SEE,
    "PATCH api/v1/retainers/<uuid:retainer_id>": CHANGE,
    "POST api/v1/retainers/<uuid:retainer_id>/retire": CHANGE,
    "POST api/v1/retainers/<uuid:retainer_id>/link": CHANGE,
    "POST api/v1/retainers/<uuid:retainer_id>/link/revoke": CHANGE,
    "GET api/v1/time": SEE,
    "POST api/v1/time": ENTER,
    "GET api/v1/time/<uuid:time_entry_id>": SEE,
    "PATCH api/v1/time/<uuid:time_entry_id>": ENTER,
    "GET api/v1/expenses": SEE,
    "POST api/v1/expenses": ENTER,
    "GET api/v1/expenses/<uuid:expense_id>": SEE,
    "PATCH api/v1/expenses/<uuid:expense_id>": ENTER,
    "POST api/v1/entries/approve": APPROVE,
    "POST api/v1/entries/reject": APPROVE,
    "POST api/v1/entries/bill": BILL,
}
