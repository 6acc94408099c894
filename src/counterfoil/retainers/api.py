"""Retainers, time and expenses on the API."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.urls import reverse
from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.invoicing.queries import local_today
from counterfoil.plumbing import clock
from counterfoil.retainers import commands, queries
from counterfoil.retainers.record_types import EXPENSE, RETAINER, TIME
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import row_json

router = Router()
ENTRIES_MAX = 1_000


class RetainerFilters(Paging):
    """Which retainers."""

    account: UUID | None = None

    def filters(self) -> dict[str, Any]:
        return {"account": [self.account]} if self.account else {}


class EntryFilters(Paging):
    """Which time or expenses."""

    account: UUID | None = None
    retainer: UUID | None = None
    person: UUID | None = None
    status: str = SchemaField(default="", max_length=20)
    day_from: date | None = None
    day_to: date | None = None

    def filters(self) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in ("account", "retainer", "person", "status")}
        found: dict[str, Any] = {name: [value] for name, value in named.items() if value}
        if self.day_from or self.day_to:
            found["day"] = (self.day_from, self.day_to)
        return found


class Retire(Order):
    ends_on: date = SchemaField(description="The first day on which nothing of it is left.")
    version: int | None = None


class SharedLink(Schema):
    """The address of the customer's page. It holds a secret that is not kept, so it cannot be read again."""

    url: str | None


class Entries(Order):
    """Which entries."""

    time: list[UUID] = SchemaField(default=[], max_length=ENTRIES_MAX)
    expenses: list[UUID] = SchemaField(default=[], max_length=ENTRIES_MAX)


class Reject(Entries):
    reason: Words


class Waive(Entries):
    reason: Words


class Bill(Order):
    accounts: list[UUID] | None = SchemaField(
        default=None, max_length=ENTRIES_MAX, description="The accounts to bill; all when left out."
    )


class Decided(Schema):
    """How many entries were decided."""

    count: int


class Billed(Schema):
    """The drafts that were made, and how many entries were settled: those in all, and those that retainers bore."""

    invoices: list[UUID]
    entries: int
    covered: int


def _retainer(request: Request, retainer_id: UUID) -> dict[str, Any]:
    return row_json(queries.get_retainer(request.actor, retainer_id, local_today()))


@router.get("/retainers", response=page_of(RETAINER), summary="List retainers")
def list_retainers(request: Request, paging: Query[RetainerFilters]) -> Any:
    rows = queries.retainers_after(
        request.actor, after=paging.after, take=paging.take, filters=paging.filters(), on=local_today()
    )
    return paging.page(rows)


@router.post("/retainers", response={201: schema_for(RETAINER)}, summary="Agree a retainer")
def add_retainer(request: Request, values: schema_for(RETAINER, "create")) -> Any:  # type: ignore[valid-type]
    """With a price, a subscription of its own bills each period in advance."""
    retainer_id = commands.add_retainer(actor=request.actor, values=values.values(), on=local_today(), at=clock.now())
    return Status(201, _retainer(request, retainer_id))


@router.get("/retainers/{uuid:retainer_id}", response=schema_for(RETAINER), summary="Get a retainer")
def get_retainer(request: Request, retainer_id: UUID) -> Any:
    """`burn` are its periods, the first one first: in each, opening + granted = used + expired + left."""
    return _retainer(request, retainer_id)


@router.patch("/retainers/{uuid:retainer_id}", response=schema_for(RETAINER), summary="Change a retainer")
def change_retainer(request: Request, retainer_id: UUID, values: schema_for(RETAINER, "change")) -> Any:  # type: ignore[valid-type]
    """What was agreed stands once time was taken from it."""
    changes, version = values.change()
    commands.change_retainer(
        actor=request.actor, retainer_id=retainer_id, values=changes, version=version, on=local_today()
    )
    return _retainer(request, retainer_id)


@router.post("/retainers/{uuid:retainer_id}/retire", response=schema_for(RETAINER), summary="Retire a retainer")
def retire_retainer(request: Request, retainer_id: UUID, order: Retire) -> Any:
    """What is left expires on that day, and the subscription that bills its price ends."""
    commands.retire_retainer(
        actor=request.actor,
        retainer_id=retainer_id,
        ends_on=order.ends_on,
        version=order.version,
        on=local_today(),
        at=clock.now(),
    )
    return _retainer(request, retainer_id)


@router.post(
    "/retainers/{uuid:retainer_id}/link", response={201: SharedLink}, summary="Make a link to the customer’s page"
)
def share_retainer(request: Request, retainer_id: UUID) -> Any:
    """Whoever has the link sees the burn-down without logging in. The link before opens nothing any more."""
    secret = commands.share_retainer(actor=request.actor, retainer_id=retainer_id, at=clock.now())
    request.kept_answer = {"url": None}  # type: ignore[attr-defined]  # see app/once.py
    return Status(201, {"url": request.build_absolute_uri(reverse("retainers:burn_down", args=[secret]))})


@router.post(
    "/retainers/{uuid:retainer_id}/link/revoke", response=schema_for(RETAINER), summary="Revoke the customer’s link"
)
def unshare_retainer(request: Request, retainer_id: UUID) -> Any:
    """The customer's page is closed for good; another link opens another one."""
    commands.unshare_retainer(actor=request.actor, retainer_id=retainer_id, at=clock.now())
    return _retainer(request, retainer_id)


@router.get("/time", response=page_of(TIME), summary="List time")
def list_time(request: Request, paging: Query[EntryFilters]) -> Any:
    rows = queries.entries_after(request.actor, TIME, after=paging.after, take=paging.take, filters=paging.filters())
    return paging.page(rows)


@router.post("/time", response={201: schema_for(TIME)}, summary="Enter time")
def enter_time(request: Request, values: schema_for(TIME, "create")) -> Any:  # type: ignore[valid-type]
    """It waits for approval, and is billed afterwards."""
    entry_id = commands.enter_time(actor=request.actor, values=values.values(), on=local_today(), at=clock.now())
    return Status(201, row_json(queries.get_entry(request.actor, TIME, entry_id)))


@router.get("/time/{uuid:time_entry_id}", response=schema_for(TIME), summary="Get a time entry")
def get_time(request: Request, time_entry_id: UUID) -> Any:
    return row_json(queries.get_entry(request.actor, TIME, time_entry_id))


@router.patch("/time/{uuid:time_entry_id}", response=schema_for(TIME), summary="Change a time entry")
def change_time(request: Request, time_entry_id: UUID, values: schema_for(TIME, "change")) -> Any:  # type: ignore[valid-type]
    """Approved, it never changes. What was rejected waits for approval again."""
    changes, version = values.change()
    commands.change_time(actor=request.actor, entry_id=time_entry_id, values=changes, version=version, on=local_today())
    return row_json(queries.get_entry(request.actor, TIME, time_entry_id))


@router.get("/expenses", response=page_of(EXPENSE), summary="List expenses")
def list_expenses(request: Request, paging: Query[EntryFilters]) -> Any:
    rows = queries.entries_after(request.actor, EXPENSE, after=paging.after, take=paging.take, filters=paging.filters())
    return paging.page(rows)


@router.post("/expenses", response={201: schema_for(EXPENSE)}, summary="Enter an expense")
def enter_expense(request: Request, values: schema_for(EXPENSE, "create")) -> Any:  # type: ignore[valid-type]
    """It waits for approval, and is billed afterwards. Receipts are added on the screen."""
    entry_id = commands.enter_expense(actor=request.actor, values=values.values(), on=local_today(), at=clock.now())
    return Status(201, row_json(queries.get_entry(request.actor, EXPENSE, entry_id)))


@router.get("/expenses/{uuid:expense_id}", response=schema_for(EXPENSE), summary="Get an expense")
def get_expense(request: Request, expense_id: UUID) -> Any:
    return row_json(queries.get_entry(request.actor, EXPENSE, expense_id))


@router.patch("/expenses/{uuid:expense_id}", response=schema_for(EXPENSE), summary="Change an expense")
def change_expense(request: Request, expense_id: UUID, values: schema_for(EXPENSE, "change")) -> Any:  # type: ignore[valid-type]
    """Approved, it never changes. What was rejected waits for approval again."""
    changes, version = values.change()
    commands.change_expense(actor=request.actor, entry_id=expense_id, values=changes, version=version, on=local_today())
    return row_json(queries.get_entry(request.actor, EXPENSE, expense_id))


@router.post("/entries/approve", response=Decided, summary="Approve time and expenses")
def approve_entries(request: Request, order: Entries) -> Any:
    """All or none. From then on they never change."""
    count = commands.approve_entries(
        actor=request.actor, time_ids=order.time, expense_ids=order.expenses, at=clock.now()
    )
    return {"count": count}


@router.post("/entries/reject", response=Decided, summary="Reject time and expenses")
def reject_entries(request: Request, order: Reject) -> Any:
    """All or none. Changed, they wait for approval again."""
    count = commands.reject_entries(
        actor=request.actor, time_ids=order.time, expense_ids=order.expenses, reason=order.reason, at=clock.now()
    )
    return {"count": count}


@router.post("/entries/waive", response=Decided, summary="Do not bill approved time and expenses")
def waive_entries(request: Request, order: Waive) -> Any:
    """All or none. They take nothing from a retainer. Undone by `restore`."""
    count = commands.waive_entries(
        actor=request.actor, time_ids=order.time, expense_ids=order.expenses, reason=order.reason
    )
    return {"count": count}


@router.post("/entries/restore", response=Decided, summary="Bill time and expenses after all")
def restore_entries(request: Request, order: Entries) -> Any:
    """All or none. What was not to be billed is unbilled again."""
    count = commands.restore_entries(actor=request.actor, time_ids=order.time, expense_ids=order.expenses)
    return {"count": count}


@router.post("/entries/bill", response=Billed, summary="Bill approved time and expenses")
def bill_unbilled(request: Request, order: Bill | None = None) -> Any:
    """One draft for each account, company and currency, of what no retainer bears. Repeated, it finds nothing to do."""
    done = commands.bill_unbilled(
        actor=request.actor, account_ids=order.accounts if order else None, on=local_today(), at=clock.now()
    )
    return {"invoices": done.invoice_ids, "entries": done.entries, "covered": done.covered}
