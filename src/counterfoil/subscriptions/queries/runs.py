"""Billing runs, and whether anything is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Case, DateField, Exists, F, Func, OuterRef, Q, QuerySet, Value, When

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project
from counterfoil.core.errors import NotFound
from counterfoil.invoicing.models import Invoice, InvoiceStatus
from counterfoil.ledger.queries import entities
from counterfoil.subscriptions.models import BilledPeriod, BillingRun, RunParking, RunState, Subscription
from counterfoil.subscriptions.rules.grid import SECONDS

KEY = "subscriptions.run"
PARKINGS_SHOWN = 200


class _DayIn(Func):
    """The day in a time zone in which an instant lies."""

    function = "timezone"
    template = "(%(function)s(%(expressions)s))::date"
    output_field = DateField()


DUE_DAY = Case(When(basis=SECONDS, then=_DayIn(F("zone"), F("due_at"))), default=_DayIn(Value("UTC"), F("due_at")))
"""The day on which a subscription is due. Where days are counted, a kept moment is the midnight UTC that names its day.
"""


def list_runs(actor: Actor, *, offset: int = 0, limit: int = 50) -> tuple[list[Row], int]:
    """The runs, the newest first, and how many there are."""
    found = BillingRun.objects.order_by("-created_at", "-id")
    return _rows(actor, found[offset : offset + limit]), found.count()


def runs_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Runs with an id above ``after``, in the order of their ids."""
    found = BillingRun.objects.order_by("id")
    return _rows(actor, (found.filter(id__gt=after) if after is not None else found)[:take])


def get_run(actor: Actor, run_id: UUID) -> Row:
    """One run with what it held back; raises ``NotFound``."""
    rows = _rows(actor, BillingRun.objects.filter(pk=run_id))
    if not rows:
        raise NotFound()
    return rows[0]


def _rows(actor: Actor, found: QuerySet[BillingRun]) -> list[Row]:
    runs = list(found)
    parkings: dict[UUID, list[RunParking]] = {}
    for parking in (
        RunParking.objects.filter(run__in=[run.pk for run in runs])
        .select_related("subscription")
        .order_by("run", "id")[: PARKINGS_SHOWN * max(len(runs), 1)]
    ):
        parkings.setdefault(parking.run_id, []).append(parking)
    for run in runs:
        run.shown_parkings = parkings.get(run.pk, [])[:PARKINGS_SHOWN]
    return project(actor, KEY, runs)


def unfinished_runs() -> list[UUID]:
    """Runs that are at work according to their row. For the sweep."""
    return list(BillingRun.objects.filter(state=RunState.RUNNING).order_by("id").values_list("id", flat=True))


def local_days(at: datetime) -> dict[UUID, date]:
    """The day at each of our companies in this moment."""
    return {entity_id: at.astimezone(ZoneInfo(entity.timezone)).date() for entity_id, entity in entities().items()}


def due_at(at: datetime, entity_ids: Sequence[UUID] = ()) -> QuerySet[Subscription]:
    """What is due in this moment, each by the day of its company; of all companies unless some are named."""
    days = local_days(at)
    return due_on({entity_id: day for entity_id, day in days.items() if not entity_ids or entity_id in entity_ids})


def due_on(days: Mapping[UUID, date]) -> QuerySet[Subscription]:
    """What is due and not parked as of a day of each company. What a won deal started waits until the drafts that bill
    it are issued. This is the one place that says what is due.
    """
    by_day: dict[date, list[UUID]] = {}
    for entity_id, day in days.items():
        by_day.setdefault(day, []).append(entity_id)
    due = Q(pk__in=[])
    for day, entity_ids in by_day.items():
        # The second says the same as the first to an index: the day lasts longest in the west.
        ends = datetime.combine(day + timedelta(days=1), time(), ZoneInfo("Etc/GMT+12"))
        due |= Q(entity__in=entity_ids, due_day__lte=day, due_at__lt=ends)
    drafts = Invoice.objects.filter(status__in=(InvoiceStatus.DRAFT, InvoiceStatus.RETURNED))
    of_deal = drafts.filter(deal_id=OuterRef("deal_id"), quote_version=OuterRef("quote_version"))
    own = drafts.filter(status=InvoiceStatus.DRAFT, pk=OuterRef("invoice_id"))
    first = BilledPeriod.objects.filter(Exists(own), subscription=OuterRef("pk"))
    reviewed = Q(deal_id=None) | ~(Exists(of_deal) | Exists(first))
    return Subscription.objects.alias(due_day=DUE_DAY).filter(due & reviewed, parked_at=None)


@lru_cache(100)
def due_statement(days: tuple[tuple[UUID, date], ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement of ``due_on`` with its parameters: ``id``, ``due_at`` and ``account_id`` of what is due. A run asks
    for each chunk, and composing it takes longer than a claim does.
    """
    due = due_on(dict(days)).order_by().values("id", "due_at", "account_id")
    statement, values = due.query.sql_with_params()
    return statement, tuple(values)


def count_due(at: datetime) -> int:
    """How many subscriptions are due."""
    return due_at(at).count()
