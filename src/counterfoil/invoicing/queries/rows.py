"""Projected rows of documents with what a page shows besides their own fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, prefetch_related_objects

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.access.projection import Row, project
from counterfoil.accounts.queries import account_titles
from counterfoil.accounts.rules.facts import Recipient
from counterfoil.core.money import Money
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax
from counterfoil.ledger.models import LegalEntity

INVOICE, TAX_RATE, SERIES = "invoicing.invoice", "invoicing.tax_rate", "invoicing.series"
REFERENCE = "invoicing.reference_field"
_ACCOUNTS = ("account_id", "invoiced_account_id", "payer_id", "send_to_id")
HIDDEN = "Your role may not see this finding."


def with_parts(invoices: Sequence[Invoice]) -> Sequence[Invoice]:
    """The documents with their lines and taxes, in two statements."""
    lines = Prefetch("lines", InvoiceLine.objects.order_by("position"))
    taxes = Prefetch("taxes", InvoiceTax.objects.order_by("-percent", "category", "included", "again"))
    prefetch_related_objects(list(invoices), lines, taxes)
    return invoices


def rows_of(actor: Actor, invoices: Sequence[Invoice], today: date) -> list[Row]:
    """Rows with ``state`` as of ``today`` and the titles of what they link to, in a fixed number of statements.

    The lines and taxes of a document that has them in memory already are those, so that an unsaved draft can be shown.
    """
    for invoice in invoices:
        invoice.as_of = today  # type: ignore[attr-defined]  # read by the field ``state``
    rows = project(actor, INVOICE, with_parts(invoices))
    if not rows:
        return rows
    titles = account_titles({getattr(invoice, name) for invoice in invoices for name in _ACCOUNTS})
    entities = dict(LegalEntity.objects.filter(id__in={one.entity_id for one in invoices}).values_list("id", "name"))
    owners = _names_of(one.sales_owner_id for one in invoices)
    for row, invoice in zip(rows, invoices, strict=True):
        row.plus(
            **{f"{name.removesuffix('_id')}_title": titles.get(getattr(invoice, name), "") for name in _ACCOUNTS},
            entity_title=entities.get(invoice.entity_id, ""),
            sales_owner_title=owners.get(invoice.sales_owner_id, ""),
            warnings=sum(check["level"] != "ok" for check in invoice.checks),
            is_blocked=any(check["level"] == "blocking" for check in invoice.checks),
        )
    return rows


def _names_of(user_ids: Iterable[UUID | None]) -> Mapping[UUID | None, str]:
    wanted = {user_id for user_id in user_ids if user_id is not None}
    return dict(User.objects.filter(id__in=wanted).values_list("id", "name")) if wanted else {}


def findings_for(actor: Actor, checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The checks as the actor may know them: of a closed group the level stays, and what was found is not told."""
    groups = actor.reads
    return [
        dict(check) if check.get("group", "general") in groups else {**check, "message": HIDDEN, "fix": ""}
        for check in checks
    ]


def taxes_for(actor: Actor, invoice: Invoice) -> list[dict[str, Any]]:
    if not {"tax", "pricing"} <= actor.reads:
        return []
    return [
        {
            "label": tax.label,
            "percent": tax.percent,
            "category": tax.category,
            "included": tax.included,
            "base": Money.exact(tax.base, invoice.currency),
            "amount": Money.exact(tax.amount, invoice.currency),
            "reason": tax.reason,
        }
        for tax in invoice.taxes.all()
    ]


def recipients_for(people: Iterable[Recipient]) -> list[dict[str, Any]]:
    return [{"line": person.line, "name": person.name, "email": person.email} for person in people]
