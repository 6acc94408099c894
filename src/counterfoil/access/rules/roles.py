"""Who may do what, as data. What is not granted here is closed.

A permission is ``room.verb``. A role also reads and writes field groups; a new field is closed to everyone who was not
granted its group, and a new permission to everyone who was not granted it. Several roles add up.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterfoil.access.rules.permissions import ALL_PERMISSIONS

EVERY_GROUP = frozenset({"general", "identity", "terms", "tax", "bank", "pricing"})

EVERYBODY = frozenset({"access.self", "access.people"})
"""What whoever has a role at all may do."""

_SEE_EVERYTHING = frozenset(name for name in ALL_PERMISSIONS if name.endswith(".see"))


@dataclass(frozen=True)
class Role:
    """A named set of rights. ``reads`` and ``writes`` are field groups."""

    key: str
    label: str
    what: str
    permissions: frozenset[str]
    reads: frozenset[str]
    writes: frozenset[str]


ROLES: dict[str, Role] = {
    role.key: role
    for role in (
        Role(
            key="sales",
            label="Sales",
            what="Customers, deals and tasks. Sees whether a deal was paid. Never changes terms, tax or bank details.",
            permissions=EVERYBODY
            | frozenset(
                {
                    "accounts.see",
                    "accounts.change",
                    "catalog.see",
                    "deals.see",
                    "deals.change",
                    "deals.win",
                    "invoicing.see",
                    "subscriptions.see",
                    "retainers.see",
                    "retainers.enter",
                    "payments.see",
                    "activities.see",
                    "activities.change",
                    "ledger.see",
                }
            ),
            reads=frozenset({"general", "identity", "terms", "tax", "pricing"}),
            writes=frozenset({"general", "identity", "pricing"}),
        ),
        Role(
            key="billing",
            label="Billing",
            what="Reviews drafts, issues and sends invoices, records payments, keeps terms and tax profiles.",
            permissions=EVERYBODY
            | frozenset(
                {
                    "accounts.see",
                    "accounts.change",
                    "catalog.see",
                    "catalog.change",
                    "deals.see",
                    "deals.change",
                    "deals.win",
                    "invoicing.see",
                    "invoicing.draft",
                    "invoicing.issue",
                    "subscriptions.see",
                    "subscriptions.change",
                    "subscriptions.run",
                    "retainers.see",
                    "retainers.change",
                    "retainers.enter",
                    "retainers.approve",
                    "retainers.bill",
                    "payments.see",
                    "payments.record",
                    "activities.see",
                    "activities.change",
                    "ledger.see",
                    "exporting.run",
                    "importing.see",
                    "importing.run",
                    "mail.see",
                    "audit.see",
                }
            ),
            reads=EVERY_GROUP,
            writes=frozenset({"general", "identity", "terms", "tax", "pricing"}),
        ),
        Role(
            key="accountant",
            label="Accountant",
            what="Reads and exports everything, changes nothing.",
            permissions=EVERYBODY | _SEE_EVERYTHING - {"access.see"} | {"exporting.run"},
            reads=EVERY_GROUP,
            writes=frozenset(),
        ),
        Role(
            key="admin",
            label="Admin",
            what="Everything, and who else may do it.",
            permissions=ALL_PERMISSIONS,
            reads=EVERY_GROUP,
            writes=EVERY_GROUP,
        ),
    )
}
