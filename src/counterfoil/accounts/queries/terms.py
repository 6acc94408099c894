"""Payment terms and billing defaults as an actor may see them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, F, Func

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.accounts.models import Account, BillingDefaults, PaymentTerms
from counterfoil.accounts.rules.facts import TermsFact

TERMS, DEFAULTS = "accounts.terms", "accounts.defaults"


def list_terms(actor: Actor, *, with_unused: bool = False) -> list[Row]:
    """Payment terms, the shortest first, each with how many accounts name it and whether it is the default."""
    order = ("from_end_of_month", "then_end_of_month", "months", "days", "name")
    terms = PaymentTerms.objects.order_by(Func(F("instalments"), function="jsonb_array_length"), *order)
    found = list(terms if with_unused else terms.filter(is_active=True))
    counts = dict(
        Account.objects.exclude(terms=None)
        .order_by()
        .values_list("terms")
        .annotate(Count("id"))
        .values_list("terms", "id__count")
    )
    default = BillingDefaults.objects.values_list("terms", flat=True).first()
    rows = project(actor, TERMS, found)
    for row in rows:
        row.plus(account_count=counts.get(row.id, 0), is_default=row.id == default)
    return rows


def get_terms(actor: Actor, terms_id: UUID) -> Row:
    """One kind of payment terms; raises ``NotFound``."""
    return project_one(actor, TERMS, PaymentTerms.objects.filter(id=terms_id).first())


def get_defaults(actor: Actor) -> Row:
    """The billing defaults; raises ``NotFound`` before they are installed."""
    defaults = BillingDefaults.objects.select_related("terms").first()
    row = project_one(actor, DEFAULTS, defaults)
    assert defaults is not None
    return row.plus(terms_title=defaults.terms.name)


def terms_fact(terms: PaymentTerms) -> TermsFact:
    """Payment terms as plain values. For commands and queries, never for output."""
    return TermsFact(terms.pk, terms.key, terms.name, terms.rule)
