"""The verbs of payment terms and billing defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.commands.saving import changed_columns, locked, save
from counterfoil.accounts.models import BillingDefaults, PaymentTerms
from counterfoil.accounts.rules.terms import Due, Part, problems_of_terms, written_part
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
    terms = PaymentTerms(id=new_id(), created_at=clock.now(), **_columns(values))
    _refuse_impossible(terms)
    save(terms, is_new=True)
    return terms.pk


@command("accounts.change_terms", needs="settings.change", takes={"values": Takes("accounts.terms", partial=True)})
def change_terms(*, actor: Actor, terms_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change payment terms. Drafts read them anew; issued invoices keep their due date."""
    terms = locked(PaymentTerms, terms_id, version)
    changed = changed_columns(terms, _columns(values))
    is_default = BillingDefaults.objects.filter(terms=terms).exists()
    if "is_active" in changed and not terms.is_active and is_default:
        raise Conflict(
            "is_default", "These are the company's default terms. Choose another default first.", "is_active"
        )
    if changed:
        _refuse_impossible(terms)
        save(terms)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Cleaned values as the table takes them; an emptied number of days or months is none."""
    columns = dict(values)
    for name in ("days", "months"):
        if name in columns:
            columns[name] = columns[name] or 0
    if "instalments" in columns:
        columns["instalments"] = [written_part(_part(row)) for row in columns["instalments"] or ()]
    return columns


def _part(row: Mapping[str, Any]) -> Part:
    due = Due(
        days=row.get("days") or 0,
        from_end_of_month=row.get("from_end_of_month", False),
        months=row.get("months") or 0,
        then_end_of_month=row.get("then_end_of_month", False),
        day_of_month=row.get("day_of_month"),
    )
    return Part(due, row.get("percent"), row.get("amount"), row.get("rest", False))


def _refuse_impossible(terms: PaymentTerms) -> None:
    missing = {"discount_days": terms.discount_days, "discount_percent": terms.discount_percent}
    empty = [name for name, value in missing.items() if value is None]
    if len(empty) == 1:
        raise Refusal("missing", "An early discount has a percentage and days; or leave both empty.", empty[0])
    problems = problems_of_terms(terms.rule)
    if problems:
        raise Refusal.of(problems)


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
