"""Retainers with their burn-down, time and expenses, for those who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.accounts.queries import account_titles, billing_facts
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.documents.queries import file_content
from counterfoil.invoicing.models import Invoice
from counterfoil.ledger.models import LegalEntity
from counterfoil.retainers.burndown import burned, worth_of
from counterfoil.retainers.models import EntryStatus, Expense, Retainer, RetainerLink, TimeEntry, Unit
from counterfoil.retainers.rules.burning import BurnedPeriod
from counterfoil.subscriptions.models import Subscription

RETAINER, TIME, EXPENSE = "retainers.retainer", "retainers.time", "retainers.expense"
SEE = "retainers.see"
_MODELS: dict[str, type[TimeEntry | Expense]] = {TIME: TimeEntry, EXPENSE: Expense}
_SORTS = {
    "day": "day",
    "created_at": "created_at",
    "hours": "hours",
    "amount": "amount",
    "starts_on": "starts_on",
    "title": "title",
}
_CHOICES = ("status", "account", "person", "retainer", "entity", "currency", "unit", "is_billable")
_RANGES = ("day", "amount", "hours", "starts_on")


@dataclass(frozen=True)
class Found:
    """A page of records, how many there are in all, and their worth by currency."""

    rows: list[Row]
    count: int
    sums: Mapping[str, Money] = field(default_factory=dict)
    hours: Decimal = Decimal(0)


@dataclass(frozen=True)
class Waiting:
    """What waits: entries to approve, and approved ones that are unbilled."""

    to_approve: int
    unbilled: int


# Retainers ------------------------------------------------------------------------------------------------------------


def list_retainers(
    actor: Actor,
    *,
    on: date,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "title",
    only_ended: bool | None = None,
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Retainers with what is left of the period that runs. ``only_ended`` keeps those that have ended, or not."""
    found = _filtered(_visible(actor, Retainer), filters)
    if only_ended is not None:
        ended = Q(ends_on__lte=on)
        found = found.filter(ended if only_ended else ~ended | Q(ends_on=None))
    if text:
        found = found.filter(Q(title__icontains=text) | _account_matches(text))
    page = _sorted(found, sort, "title")[offset : offset + limit]
    return Found(_retainer_rows(actor, page, on), found.count())


def retainers_after(actor: Actor, *, after: UUID | None, take: int, filters: Mapping[str, Any], on: date) -> list[Row]:
    """Retainers in the order of their ids, for the API."""
    found = _filtered(_visible(actor, Retainer), filters)
    return _retainer_rows(actor, (found.filter(id__gt=after) if after else found).order_by("id")[:take], on)


def get_retainer(actor: Actor, retainer_id: UUID, on: date) -> Row:
    """One retainer with its burn-down; raises ``NotFound``."""
    rows = _retainer_rows(actor, Retainer.objects.filter(id=retainer_id), on)
    if not rows:
        raise NotFound()
    return rows[0]


def retainers_of_account(actor: Actor, account_id: UUID, on: date) -> list[Row]:
    """The retainers of an account that have not ended, with what is left."""
    found = _visible(actor, Retainer).filter(account=account_id).filter(Q(ends_on=None) | Q(ends_on__gt=on))
    return _retainer_rows(actor, found.order_by("starts_on", "id"), on)


def retainer_choices(actor: Actor, key: str, account_id: UUID | None, on: date) -> list[tuple[UUID, str]]:
    """The retainers of an account that bear time, or expenses: those are borne by money alone."""
    if account_id is None:
        return []
    rows = retainers_of_account(actor, account_id, on)
    return [(row.id, row.title) for row in rows if key == TIME or row.unit == Unit.MONEY]


def _retainer_rows(actor: Actor, found: Iterable[Retainer], on: date) -> list[Row]:
    chain = found.select_related("subscription_item") if isinstance(found, QuerySet) else found
    retainers = list(chain)
    if not actor.may(SEE):
        return []
    known = burned(retainers, on)
    waiting = _waiting_by_retainer(retainers)
    links = {link.retainer_id: link for link in RetainerLink.objects.filter(retainer__in=retainers, revoked_at=None)}
    for one in retainers:
        one.burn = [_burn_row(period) for period in known[one.pk].periods]
        one.shared_at = links[one.pk].created_at if one.pk in links else None
    rows = project(actor, RETAINER, retainers)
    accounts = account_titles(one.account_id for one in retainers)
    entities = dict(LegalEntity.objects.values_list("id", "name"))
    for row, one in zip(rows, retainers, strict=True):
        now = next((period for period in known[one.pk].periods if period.start <= on < period.end), None)
        row.plus(
            account_title=accounts.get(one.account_id, ""),
            entity_title=entities.get(one.entity_id, ""),
            now=now,
            left=now.left if now else None,
            link_id=links[one.pk].pk if one.pk in links else None,
            share_left=_percent(now),
            is_ended=one.ends_on is not None and one.ends_on <= on,
            state="ended" if one.ends_on is not None and one.ends_on <= on else "open" if now else "planned",
            periods=list(reversed(known[one.pk].periods)),
            outside=known[one.pk].outside,
            waiting=waiting.get(one.pk, 0),
            unit_word="h" if one.unit == "hours" else one.currency,
        )
    return rows


def _burn_row(period: BurnedPeriod) -> dict[str, Any]:
    names = ("start", "end", "opening", "granted", "used", "expired", "left", "overage")
    return {name: getattr(period, name) for name in names}


def _percent(now: BurnedPeriod | None) -> int | None:
    """How much of what the period has is left, in whole per cent."""
    there = now.opening + now.granted if now else Decimal(0)
    return int(now.left * 100 / there) if now and there else None


def _waiting_by_retainer(retainers: Sequence[Retainer]) -> dict[UUID, int]:
    counts: dict[UUID, int] = {}
    for kind in _MODELS.values():
        found = kind.objects.filter(retainer__in=[one.pk for one in retainers], status=EntryStatus.ENTERED)
        for retainer_id, count in found.order_by().values_list("retainer_id").annotate(Count("id")):
            counts[retainer_id] = counts.get(retainer_id, 0) + count
    return counts


# Time and expenses ----------------------------------------------------------------------------------------------------


def list_entries(
    actor: Actor,
    key: str,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "-day",
    is_unbilled: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Time or expenses, the newest first, with the hours and the worth of all of them."""
    found = _filtered(_visible(actor, _MODELS[key]), filters)
    if is_unbilled:
        found = found.filter(status=EntryStatus.APPROVED, is_billable=True)
    if text:
        matches = Q(description__icontains=text) | Q(person_name__icontains=text) | _account_matches(text)
        found = found.filter(matches)
    rows = _entry_rows(actor, key, _sorted(found, sort, "day")[offset : offset + limit])
    sums: dict[str, Money] = {}
    hours = Decimal(0)
    if key == EXPENSE:
        totals = found.order_by().values_list("currency").annotate(total=Sum("amount"))
        sums = {currency: Money.exact(total, currency) for currency, total in totals}
    else:
        hours = found.aggregate(total=Sum("hours"))["total"] or Decimal(0)
    return Found(rows, found.count(), sums, hours)


def entries_after(actor: Actor, key: str, *, after: UUID | None, take: int, filters: Mapping[str, Any]) -> list[Row]:
    """Time or expenses in the order of their ids, for the API."""
    found = _filtered(_visible(actor, _MODELS[key]), filters)
    return _entry_rows(actor, key, (found.filter(id__gt=after) if after else found).order_by("id")[:take])


def get_entry(actor: Actor, key: str, entry_id: UUID) -> Row:
    """One time entry or expense; raises ``NotFound``."""
    entry = _MODELS[key].objects.filter(id=entry_id).first()
    project_one(actor, key, entry)
    return _entry_rows(actor, key, [entry])[0]


def entries_of_account(actor: Actor, account_id: UUID, *, limit: int = 6) -> list[Row]:
    """The newest time and expenses of an account together."""
    rows = [
        row
        for key, kind in _MODELS.items()
        for row in _entry_rows(
            actor, key, _visible(actor, kind).filter(account=account_id).order_by("-day", "-id")[:limit]
        )
    ]
    return sorted(rows, key=lambda row: (row.day, row.id), reverse=True)[:limit]


def entries_of_retainer(actor: Actor, retainer_id: UUID, *, limit: int = 50) -> list[Row]:
    """The newest time and expenses of a retainer together."""
    rows = [
        row
        for key, kind in _MODELS.items()
        for row in _entry_rows(
            actor, key, _visible(actor, kind).filter(retainer=retainer_id).order_by("-day", "-id")[:limit]
        )
    ]
    return sorted(rows, key=lambda row: (row.day, row.id), reverse=True)[:limit]


def entries_joining(actor: Actor, subscription_id: UUID, on: date, *, limit: int = 50) -> list[Row]:
    """The approved time and expenses that go out with the next document of a subscription, the newest first; raises
    ``NotFound``.
    """
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None or not actor.may(SEE):
        raise NotFound()
    shared = Q(account=subscription.account_id, entity=subscription.entity_id, currency=subscription.currency)
    usual = billing_facts([subscription.account_id], on)[subscription.account_id].terms.value
    usual_id = usual.id if usual is not None else None
    is_usual = subscription.terms_id in (None, usual_id)
    own = "retainer__subscription_item__subscription__"
    terms = Q(**{f"{own}terms": subscription.terms_id or usual_id})
    if is_usual:
        terms |= Q(**{f"{own}terms": None})
    agreed = terms & Q(
        **{f"{own}{name}": getattr(subscription, name) for name in ("po_number", "references", "reference_values")}
    )
    if is_usual and not (subscription.po_number or subscription.references or subscription.reference_values):
        agreed |= Q(retainer__subscription_item=None)
    rows = [
        row
        for key, kind in _MODELS.items()
        for row in _entry_rows(
            actor,
            key,
            kind.objects.filter(shared & agreed, status=EntryStatus.APPROVED, is_billable=True, held_at=None).order_by(
                "-day", "-id"
            )[:limit],
        )
    ]
    return sorted(rows, key=lambda row: (row.day, row.id), reverse=True)[:limit]


def waiting(actor: Actor, account_id: UUID | None = None) -> Waiting:
    """How many entries wait for approval, and how many for a document."""
    if not actor.may(SEE):
        return Waiting(0, 0)
    of_account = Q() if account_id is None else Q(account=account_id)
    counted = [
        kind.objects.filter(of_account).aggregate(
            entered=Count("id", filter=Q(status=EntryStatus.ENTERED)),
            unbilled=Count("id", filter=Q(status=EntryStatus.APPROVED, is_billable=True)),
        )
        for kind in _MODELS.values()
    ]
    return Waiting(sum(one["entered"] for one in counted), sum(one["unbilled"] for one in counted))


def beginning(actor: Actor, key: str, account_id: UUID | None, retainer_id: UUID | None, on: date) -> dict[str, Any]:
    """The values of a new entry: of a retainer its account, of an account with one retainer that one."""
    values: dict[str, Any] = {"day": on, "is_billable": True}
    if retainer_id is not None:
        row = get_retainer(actor, retainer_id, on)
        values |= {"account": row.account, "account_title": row.account_title, "retainer": row.id}
    elif account_id is not None:
        values |= {"account": account_id, "account_title": account_titles([account_id]).get(account_id, "")}
        choices = retainer_choices(actor, key, account_id, on)
        if len(choices) == 1:
            values["retainer"] = choices[0][0]
    return values


def companies(actor: Actor) -> list[tuple[UUID, str]]:
    """Our own companies, the default one first."""
    if not actor.may(SEE):
        return []
    found = LegalEntity.objects.filter(is_active=True).order_by("-is_default", "name")
    return list(found.values_list("id", "name"))


def _entry_rows(actor: Actor, key: str, found: Iterable[TimeEntry | Expense | None]) -> list[Row]:
    entries = [one for one in found if one is not None]
    rows = project(actor, key, entries)
    if not rows:
        return []
    accounts = account_titles(one.account_id for one in entries)
    retainers = dict(Retainer.objects.filter(id__in={one.retainer_id for one in entries}).values_list("id", "title"))
    invoices = Invoice.objects.in_bulk([one.invoice_id for one in entries if one.invoice_id])
    for row, one in zip(rows, entries, strict=True):
        invoice = invoices.get(one.invoice_id) if one.invoice_id else None
        row.plus(
            account_title=accounts.get(one.account_id, ""),
            retainer_title=retainers.get(one.retainer_id, "") if one.retainer_id else "",
            person_title=one.person_name,
            invoice_title=(invoice.number or "Draft") if invoice else "",
            worth=_worth(actor, one),
            may_change=one.status in (EntryStatus.ENTERED, EntryStatus.REJECTED),
            is_time=isinstance(one, TimeEntry),
        )
    return rows


def _worth(actor: Actor, entry: TimeEntry | Expense) -> Money | None:
    """What an entry costs by itself; time that only its retainer gives a price has none."""
    if "pricing" not in actor.reads or (isinstance(entry, TimeEntry) and entry.rate is None):
        return None
    return Money.exact(worth_of(entry), entry.currency)


# Finding --------------------------------------------------------------------------------------------------------------


def _visible(actor: Actor, kind: Any) -> Any:
    return kind.objects.all() if actor.may(SEE) else kind.objects.none()


def _filtered(found: Any, filters: Mapping[str, Any] | None) -> Any:
    for name, value in (filters or {}).items():
        if name in _CHOICES:
            found = found.filter(**{f"{name}__in": value})
        elif name in _RANGES:
            start, end = value
            found = found.filter(**{f"{name}__gte": start}) if start is not None else found
            found = found.filter(**{f"{name}__lte": end}) if end is not None else found
    return found


def _sorted(found: Any, sort: str, usual: str) -> Any:
    column = _SORTS.get(sort.lstrip("-"), usual)
    if column not in {one.name for one in found.model._meta.concrete_fields}:
        column = usual
    sign = "-" if sort.startswith("-") else ""
    return found.order_by(f"{sign}{column}", f"{sign}id")


def _account_matches(text: str) -> Q:
    return Q(account__legal_name__icontains=text) | Q(account__trading_name__icontains=text)


def receipt_of(actor: Actor, expense_id: UUID) -> tuple[str, str, bytes]:
    """Name, kind and bytes of an expense's receipt; raises ``NotFound`` where there is none."""
    expense = Expense.objects.filter(id=expense_id).first()
    project_one(actor, EXPENSE, expense)
    if expense is None or expense.receipt_id is None:
        raise NotFound("This expense has no receipt.")
    file = file_content(actor, expense.receipt_id)
    return file.name, file.media_type, file.content
