"""The verbs of payment terms and billing defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.commands.saving import changed_columns, locked, save
from counterfoil.accounts.models import BillingDefaults, PaymentTerms
from counterfoil.core.errors import Conflict, NotFound, Refusal
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock

_USUAL = (
    ("immediately", "Due immediately", 0, False),
    ("net-7", "7 days net", 7, False),
    ("net-14", "14 days net", 14, False),
    ("net-30", "30 days net", 30, False),
    ("net-60", "60 days net", 60, False),
    ("end-of-month", "End of month", 0, True),
    ("end-of-month-30", "30 days from end of month", 30, True),
)
_USUAL_DEFAULT = "net-14"


@command("accounts.add_terms", needs="settings.change", takes={"values": Takes("accounts.terms")})
def add_terms(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add payment terms that accounts may have."""
    given = {name: value for name, value in values.items() if value is not None}
    terms = PaymentTerms(id=new_id(), created_at=clock.now(), **given)
    save(terms, is_new=True)
    return terms.pk


@command("accounts.change_terms", needs="settings.change", takes={"values": Takes("accounts.terms", partial=True)})
def change_terms(*, actor: Actor, terms_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change payment terms. Drafts read them anew; issued invoices keep their due date."""
    terms = locked(PaymentTerms, terms_id, version)
    changed = changed_columns(terms, {name: value for name, value in values.items() if value is not None})
    is_default = BillingDefaults.objects.filter(terms=terms).exists()
    if "is_active" in changed and not terms.is_active and is_default:
        raise Conflict(
            "is_default", "These are the company's default terms. Choose another default first.", "is_active"
        )
    if changed:
        save(terms)


@command(
    "accounts.change_billing_defaults",
    needs="settings.change",
    takes={"values": Takes("accounts.defaults", partial=True)},
)
def change_billing_defaults(*, actor: Actor, values: Mapping[str, Any], version: int | None) -> None:
    """Change what holds where neither an account nor its parents say anything. Drafts read it anew."""
    first = BillingDefaults.objects.values_list("pk", flat=True).first()
    if first is None:
        raise NotFound("The billing defaults have not been installed yet.")
    defaults = locked(BillingDefaults, first, version)
    columns = {("terms_id" if name == "terms" else name): value for name, value in values.items()}
    terms_id = columns.get("terms_id")
    if terms_id is not None and not PaymentTerms.objects.filter(id=terms_id, is_active=True).exists():
        raise Refusal("not_in_use", "These terms are no longer in use.", "terms")
    if changed_columns(defaults, columns):
        save(defaults)


@command("accounts.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor) -> None:
    """Give a new installation payment terms and billing defaults. Does nothing where they are."""
    if BillingDefaults.objects.exists():
        return
    PaymentTerms.objects.bulk_create(
        [
            PaymentTerms(key=key, name=name, days=days, from_end_of_month=from_end)
            for key, name, days, from_end in _USUAL
        ],
        ignore_conflicts=True,
    )
    default = PaymentTerms.objects.get(key=_USUAL_DEFAULT)
    BillingDefaults.objects.bulk_create([BillingDefaults(terms=default)], ignore_conflicts=True)
