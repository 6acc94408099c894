"""Whether what was entered can stand on a document of its company at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from django.db.models import Q

from counterfoil.accounts.queries import billing_facts
from counterfoil.core.errors import Problem
from counterfoil.invoicing.models import TaxRate
from counterfoil.invoicing.rules.tax import STANDARD
from counterfoil.invoicing.rules.totals import LARGEST
from counterfoil.retainers.models import Expense, Retainer, TimeEntry


def unbillable(
    entries: Sequence[TimeEntry | Expense], retainers: Mapping[UUID, Retainer], days: Mapping[UUID, date]
) -> list[tuple[TimeEntry | Expense, Problem]]:
    """What keeps these from being billed, by the field that is wrong; nothing of what is not billable.

    A price may be too large for any document, and the company may have no rate for the tax class on its day of
    ``days``, which counts where the customer is taxed.
    """
    billable = [one for one in entries if one.is_billable]
    found = [
        (one, Problem(field, "too_large", "This amount is larger than any document can be."))
        for one in billable
        if (field := _too_large(one, retainers.get(one.retainer_id) if one.retainer_id else None))
    ]
    untaxed = _without_rate(billable, days)
    if not untaxed:
        return found
    facts = billing_facts(sorted({one.account_id for one in untaxed}), max(days[one.entity_id] for one in untaxed))
    for one in untaxed:
        if facts[one.account_id].tax_profile.value in ("", STANDARD):
            text = f"Our company has no tax rate that holds on {days[one.entity_id].isoformat()} for this class."
            found.append((one, Problem("tax_class", "no_tax_rate", text)))
    return found


def _too_large(entry: TimeEntry | Expense, retainer: Retainer | None) -> str:
    """The field that makes it larger than any document; none for every sane entry."""
    if isinstance(entry, Expense):  # its own field allows less
        return ""
    if entry.rate is not None and entry.hours * entry.rate >= LARGEST:
        return "rate"
    beyond = retainer.overage_rate if retainer is not None else None
    return "hours" if beyond is not None and entry.hours * beyond >= LARGEST else ""


def _without_rate(entries: Sequence[TimeEntry | Expense], days: Mapping[UUID, date]) -> list[TimeEntry | Expense]:
    """Those for whose tax class their company has no rate on its day."""
    if not entries:
        return []
    wanted = Q(pk__in=[])
    for entity_id in {one.entity_id for one in entries}:
        day = days[entity_id]
        wanted |= Q(entity=entity_id, valid_from__lte=day) & (Q(valid_to=None) | Q(valid_to__gt=day))
    known = set(TaxRate.objects.filter(wanted).values_list("entity_id", "tax_class"))
    return [one for one in entries if (one.entity_id, one.tax_class) not in known]
