"""Every permission there is, with what it allows. Code that names another one fails the house test."""

from __future__ import annotations

PERMISSIONS: dict[str, str] = {
    "accounts.see": "See accounts and contacts",
    "accounts.change": "Add and change accounts and contacts",
    "catalog.see": "See the catalog",
    "catalog.change": "Add and change products and prices",
    "deals.see": "See deals",
    "deals.change": "Add and change deals",
    "deals.win": "Mark deals won",
    "invoicing.see": "See drafts and invoices",
    "invoicing.draft": "Make and change drafts, return them to sales",
    "invoicing.issue": "Approve, issue and send invoices",
    "subscriptions.see": "See subscriptions",
    "subscriptions.change": "Start, change, pause and end subscriptions, and record usage",
    "subscriptions.run": "Run the billing of what is due",
    "retainers.see": "See retainers, time and expenses",
    "retainers.change": "Agree, change and retire retainers",
    "retainers.enter": "Enter time and expenses",
    "retainers.approve": "Approve and reject time and expenses",
    "retainers.bill": "Bill approved time and expenses, or decide that they are not billed",
    "payments.see": "See payments",
    "payments.record": "Record, allocate, undo and fail payments",
    "activities.see": "See tasks and the timeline",
    "activities.change": "Add and close tasks and notes",
    "ledger.see": "See legal entities, taxes, terms and postings",
    "settings.change": "Change the company, series, taxes, terms and pipelines",
    "access.self": "Set one's own theme, rows, language and password",
    "access.people": "See who the colleagues are",
    "access.see": "See users, roles and API keys",
    "access.change": "Add and change users and API keys",
    "audit.see": "See who changed what",
    "documents.store": "Keep files",
    "mail.see": "See mail that was sent or kept",
    "importing.see": "See imports",
    "importing.run": "Import files and undo imports",
    "exporting.run": "Export records",
    "system.see": "See the state of the installation",
}

ALL_PERMISSIONS = frozenset(PERMISSIONS)
