"""Subscriptions on the API: each change has a preview that answers what the change itself would make."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField
from pydantic import WithJsonSchema

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.invoicing.queries import local_today
from counterfoil.plumbing import clock
from counterfoil.subscriptions import commands, previewing, queries
from counterfoil.subscriptions.commands import UsageOrder
from counterfoil.subscriptions.ordering import check_day
from counterfoil.subscriptions.previewing import Preview
from counterfoil.subscriptions.queries import Upcoming
from counterfoil.subscriptions.record_types import COUPON, INCREASE, POLICY, RAISE, RUN, SUBSCRIPTION
from counterfoil.subscriptions.rules.orders import QUANTITY_LIMIT
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import row_json

router = Router()

_WHEN = SchemaField(description="The local day from which on; it may lie in the past.")


class SubscriptionFilters(Paging):
    """Which subscriptions. Parked ones are `?state=parked`."""

    q: str = SchemaField(default="", max_length=200)
    state: str = SchemaField(default="", max_length=20)
    account: UUID | None = None
    owner: UUID | None = None
    entity: UUID | None = None
    currency: str = SchemaField(default="", max_length=3)

    def filters(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in ("state", "account", "owner", "entity")}
        found: dict[str, Any] = {name: [value] for name, value in given.items() if value}
        if self.currency:
            found["currency"] = [self.currency.upper()]
        return found


class WantedItem(Order):
    price: Words = SchemaField(max_length=80, description="The key of a price.")
    quantity: Any = SchemaField(default=None, description='A decimal as text, such as `"3"`; 1 when it is left out.')

    def values(self) -> dict[str, Any]:
        return {"price": self.price, **({} if self.quantity is None else {"quantity": self.quantity})}


class ChangeOrder(Order):
    """All items that the subscription shall have; a price that is not named ends."""

    items: list[WantedItem] = SchemaField(max_length=100)
    when: date = _WHEN
    version: int | None = None


class PauseOrder(Order):
    """`skip` gives back what is billed beyond the day; with `void` the periods that begin in the pause come to nothing;
    with `extend` what is left of the billed period goes on after it.
    """

    when: date = _WHEN
    mode: Literal["skip", "void", "extend"] = "skip"
    until: date | None = SchemaField(default=None, description="The day on which it goes on by itself.")
    reason: Words = ""
    version: int | None = None


class ResumeOrder(Order):
    when: date = _WHEN
    version: int | None = None


class CancelOrder(Order):
    """Ends it from a day on, or with `at_period_end` when the period that contains the day ends."""

    when: date = _WHEN
    at_period_end: bool = False
    credited: bool = SchemaField(default=True, description="Give back what is billed beyond the end.")
    reason: Words = ""
    version: int | None = None


class UsageEvent(Order):
    subscription: UUID
    price: Words = SchemaField(max_length=80, description="The key of a metered price.")
    quantity: Annotated[Decimal, WithJsonSchema({"type": "string", "format": "decimal"})] = SchemaField(
        ge=0, lt=QUANTITY_LIMIT, decimal_places=6
    )
    at: datetime | date = SchemaField(description="When it was used: a day, or an instant with its zone.")
    id: Words = SchemaField(
        default="", max_length=200, description="The meter's own name of the event: it counts once."
    )


class UsageEvents(Order):
    events: list[UsageEvent] = SchemaField(min_length=1, max_length=1000)


class UsageAnswer(Schema):
    new: int = SchemaField(description="How many events were not known yet.")


class BilledAnswer(Schema):
    """A row of the ledger of billed periods. `to` is the first day that it does not bill."""

    id: UUID
    item: UUID
    description: str
    kind: str
    start: date
    end: date
    quantity: str
    share: str
    net: str | None
    why: str | None
    invoice: UUID | None
    number: str
    billed_at: datetime


class UpcomingLineAnswer(Schema):
    item: UUID
    description: str
    kind: str
    start: date
    last_day: date
    quantity: str
    net: str | None
    why: str | None


class UpcomingAnswer(Schema):
    """The next bill: when, why on that day, and what, before tax. All null when nothing is to come."""

    on: date | None = None
    because: str = ""
    net: str | None = None
    lines: list[UpcomingLineAnswer] = []
    problem: str = ""


class PhaseItemAnswer(Schema):
    item: UUID
    description: str
    quantity: str
    words: str | None


class PhaseAnswer(Schema):
    start: date
    end: date | None
    kind: str
    items: list[PhaseItemAnswer]


class PreviewAnswer(Schema):
    """What the change would make: documents in full, and the next bill after it. Nothing of it is kept."""

    documents: list[dict[str, Any]]
    next: UpcomingAnswer


class RedeemOrder(Order):
    coupon: str = SchemaField(max_length=40, description="The code of a coupon.")


class TakeOffOrder(Order):
    discount: int = SchemaField(ge=1, le=32_767, description="The position of a discount of the subscription.")


class IncreasePreviewAnswer(Schema):
    """`expected` subscriptions are concerned; `looked_at` of them were worked out. `notice` says whether customers are
    told.
    """

    expected: int
    looked_at: int
    notice: str
    states: dict[str, int]
    reasons: dict[str, int]
    raises: list[dict[str, Any]]


class UndoOrder(Order):
    raises: list[UUID] = SchemaField(default=[], max_length=1000, description="Ids of raises; all when it is empty.")


class UndoneAnswer(Schema):
    """So many prices do not rise; the customers of `told` subscriptions were told that they do, and get a mail."""

    undone: int
    told: int


class RunStarted(Schema):
    """The run that is at work; null when nothing is due."""

    run: UUID | None


def _subscription(request: Request, subscription_id: UUID) -> dict[str, Any]:
    row = queries.get_subscription(request.actor, subscription_id)
    return row_json(row)


@router.get("/subscriptions", response=page_of(SUBSCRIPTION), summary="List subscriptions")
def list_subscriptions(request: Request, paging: Query[SubscriptionFilters]) -> Any:
    return paging.page(
        queries.subscriptions_after(
            request.actor, after=paging.after, take=paging.take, filters=paging.filters(), text=paging.q
        )
    )


@router.post("/subscriptions", response={201: schema_for(SUBSCRIPTION)}, summary="Start a subscription")
def start_subscription(request: Request, values: schema_for(SUBSCRIPTION, "create")) -> Any:  # type: ignore[valid-type]
    """What is due is billed at once. Prices are named by their keys; the account gets the nearest one."""
    subscription_id = _start(request, values.values())
    return Status(201, _subscription(request, subscription_id))


@router.post("/subscriptions/preview", response=PreviewAnswer, summary="Preview a start")
def preview_start(request: Request, values: schema_for(SUBSCRIPTION, "create")) -> Any:  # type: ignore[valid-type]
    given = values.values()
    return _preview_json(previewing.preview_start(request.actor, lambda: _start(request, given), local_today()))


def _start(request: Request, values: dict[str, Any]) -> UUID:
    return commands.start_subscription(actor=request.actor, values=values, on=local_today(), at=clock.now())


@router.get("/subscriptions/{uuid:subscription_id}", response=schema_for(SUBSCRIPTION), summary="Get a subscription")
def get_subscription(request: Request, subscription_id: UUID) -> Any:
    return _subscription(request, subscription_id)


@router.patch("/subscriptions/{uuid:subscription_id}", response=schema_for(SUBSCRIPTION), summary="Change its details")
def change_details(request: Request, subscription_id: UUID, values: schema_for(SUBSCRIPTION, "change")) -> Any:  # type: ignore[valid-type]
    """Name, owner, terms, PO number, committed term, renewal and notice. Items change from a day on: see `change`."""
    changes, version = values.change()
    commands.change_details(actor=request.actor, subscription_id=subscription_id, values=changes, version=version)
    return _subscription(request, subscription_id)


@router.get("/subscriptions/{uuid:subscription_id}/phases", response=list[PhaseAnswer], summary="It over time")
def get_phases(request: Request, subscription_id: UUID) -> Any:
    return [
        {
            "start": phase.start,
            "end": phase.end,
            "kind": phase.kind,
            "items": [
                {
                    "item": item.item_id,
                    "description": item.description,
                    "quantity": format(item.quantity, "f"),
                    "words": item.words or None,
                }
                for item in phase.items
            ],
        }
        for phase in queries.phases_of(request.actor, subscription_id, local_today())
    ]


@router.get("/subscriptions/{uuid:subscription_id}/billed", response=list[BilledAnswer], summary="What was billed")
def get_billed(request: Request, subscription_id: UUID, paging: Query[Paging]) -> Any:
    """The newest first; at most `limit` rows."""
    return [
        {
            "id": row.id,
            "item": row.item_id,
            "description": row.description,
            "kind": row.kind,
            "start": row.start,
            "end": row.end,
            "quantity": format(row.quantity, "f"),
            "share": row.share,
            "net": _amount(row.net),
            "why": row.why or None,
            "invoice": row.invoice_id,
            "number": row.number,
            "billed_at": row.billed_at,
        }
        for row in queries.billed_periods(request.actor, subscription_id, limit=paging.limit)
    ]


@router.get("/subscriptions/{uuid:subscription_id}/next", response=UpcomingAnswer, summary="The next bill")
def get_next_bill(request: Request, subscription_id: UUID) -> Any:
    return _upcoming_json(queries.next_bill(request.actor, subscription_id, local_today()))


# Changes --------------------------------------------------------------------------------------------------------------


@router.post("/subscriptions/{uuid:subscription_id}/change", response=schema_for(SUBSCRIPTION), summary="Change items")
def change_items(request: Request, subscription_id: UUID, order: ChangeOrder) -> Any:
    """Bills the difference as the subscription's policy says; a day in the past repairs what was billed since."""
    _change(request, subscription_id, order)
    return _subscription(request, subscription_id)


@router.post(
    "/subscriptions/{uuid:subscription_id}/change/preview", response=PreviewAnswer, summary="Preview a change of items"
)
def preview_change(request: Request, subscription_id: UUID, order: ChangeOrder) -> Any:
    return _preview(request, subscription_id, lambda: _change(request, subscription_id, order))


def _change(request: Request, subscription_id: UUID, order: ChangeOrder) -> None:
    commands.change_items(
        actor=request.actor,
        subscription_id=subscription_id,
        values={"items": [item.values() for item in order.items]},
        when=order.when,
        on=local_today(),
        at=clock.now(),
        version=order.version,
    )


@router.post("/subscriptions/{uuid:subscription_id}/pause", response=schema_for(SUBSCRIPTION), summary="Pause")
def pause(request: Request, subscription_id: UUID, order: PauseOrder) -> Any:
    _pause(request, subscription_id, order)
    return _subscription(request, subscription_id)


@router.post("/subscriptions/{uuid:subscription_id}/pause/preview", response=PreviewAnswer, summary="Preview a pause")
def preview_pause(request: Request, subscription_id: UUID, order: PauseOrder) -> Any:
    return _preview(request, subscription_id, lambda: _pause(request, subscription_id, order))


def _pause(request: Request, subscription_id: UUID, order: PauseOrder) -> None:
    check_day(order.when, "when", local_today())
    check_day(order.until, "until", local_today())
    commands.pause_subscription(
        actor=request.actor,
        subscription_id=subscription_id,
        when=order.when,
        mode=order.mode,
        until=order.until,
        reason=order.reason,
        on=local_today(),
        at=clock.now(),
        version=order.version,
    )


@router.post("/subscriptions/{uuid:subscription_id}/resume", response=schema_for(SUBSCRIPTION), summary="Go on")
def resume(request: Request, subscription_id: UUID, order: ResumeOrder) -> Any:
    _resume(request, subscription_id, order)
    return _subscription(request, subscription_id)


@router.post("/subscriptions/{uuid:subscription_id}/resume/preview", response=PreviewAnswer, summary="Preview going on")
def preview_resume(request: Request, subscription_id: UUID, order: ResumeOrder) -> Any:
    return _preview(request, subscription_id, lambda: _resume(request, subscription_id, order))


def _resume(request: Request, subscription_id: UUID, order: ResumeOrder) -> None:
    check_day(order.when, "when", local_today())
    commands.resume_subscription(
        actor=request.actor,
        subscription_id=subscription_id,
        when=order.when,
        on=local_today(),
        at=clock.now(),
        version=order.version,
    )


@router.post("/subscriptions/{uuid:subscription_id}/cancel", response=schema_for(SUBSCRIPTION), summary="End it")
def cancel(request: Request, subscription_id: UUID, order: CancelOrder) -> Any:
    _cancel(request, subscription_id, order)
    return _subscription(request, subscription_id)


@router.post("/subscriptions/{uuid:subscription_id}/cancel/preview", response=PreviewAnswer, summary="Preview an end")
def preview_cancel(request: Request, subscription_id: UUID, order: CancelOrder) -> Any:
    return _preview(request, subscription_id, lambda: _cancel(request, subscription_id, order))


def _cancel(request: Request, subscription_id: UUID, order: CancelOrder) -> None:
    check_day(order.when, "when", local_today())
    commands.cancel_subscription(
        actor=request.actor,
        subscription_id=subscription_id,
        when=order.when,
        is_at_period_end=order.at_period_end,
        is_credited=order.credited,
        reason=order.reason,
        on=local_today(),
        at=clock.now(),
        version=order.version,
    )


@router.post("/subscriptions/{uuid:subscription_id}/unpark", response=schema_for(SUBSCRIPTION), summary="Un-park")
def unpark(request: Request, subscription_id: UUID) -> Any:
    """Lets a parked subscription be billed again, from the next run on."""
    commands.unpark_subscription(actor=request.actor, subscription_id=subscription_id, on=local_today())
    return _subscription(request, subscription_id)


@router.post("/usage", response=UsageAnswer, summary="Record usage")
def record_usage(request: Request, order: UsageEvents) -> Any:
    """Up to 1,000 events of meters. An event that was sent before, by its id, is taken once."""
    new = commands.take_usage(
        actor=request.actor,
        orders=[UsageOrder(one.subscription, one.price, one.quantity, one.at, one.id) for one in order.events],
        on=local_today(),
        at=clock.now(),
    )
    return {"new": new}


# Runs and policies ----------------------------------------------------------------------------------------------------


@router.get("/billing-runs", response=page_of(RUN), summary="List billing runs")
def list_runs(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.runs_after(request.actor, after=paging.after, take=paging.take))


@router.post("/billing-runs", response={202: RunStarted}, summary="Bill what is due")
def start_run(request: Request) -> Any:
    """Starts a run in the background, or answers the one that is at work. Asking again bills nothing twice."""
    return Status(202, {"run": commands.start_run(actor=request.actor, at=clock.now())})


@router.get("/billing-runs/{uuid:run_id}", response=schema_for(RUN), summary="Get a billing run")
def get_run(request: Request, run_id: UUID) -> Any:
    """Its progress: how many were due, how many are done, what they came to, and what is parked and why."""
    return row_json(queries.get_run(request.actor, run_id))


@router.get("/billing-policies", response=list[schema_for(POLICY)], summary="List billing policies")  # type: ignore[misc]
def list_policies(request: Request) -> Any:
    return [row_json(row) for row in queries.list_policies(request.actor)]


@router.put("/billing-policies/{uuid:entity_id}", response=schema_for(POLICY), summary="Set a company's policy")
def set_policy(request: Request, entity_id: UUID, values: schema_for(POLICY, "change")) -> Any:  # type: ignore[valid-type]
    """For new subscriptions. Those that run keep what they were agreed with."""
    changes, version = values.change()
    commands.set_policy(actor=request.actor, entity_id=entity_id, values=changes, version=version)
    return row_json(queries.get_policy(request.actor, entity_id))


# Coupons --------------------------------------------------------------------------------------------------------------


@router.post(
    "/subscriptions/{uuid:subscription_id}/coupon", response=schema_for(SUBSCRIPTION), summary="Redeem a coupon"
)
def redeem_coupon(request: Request, subscription_id: UUID, order: RedeemOrder) -> Any:
    """Its discount holds from the next period that is not billed yet."""
    commands.redeem_coupon(
        actor=request.actor, subscription_id=subscription_id, code=order.coupon, on=local_today(), at=clock.now()
    )
    return _subscription(request, subscription_id)


@router.post(
    "/subscriptions/{uuid:subscription_id}/discount-off",
    response=schema_for(SUBSCRIPTION),
    summary="Take off a discount",
)
def take_off_discount(request: Request, subscription_id: UUID, order: TakeOffOrder) -> Any:
    """It ends with the next period that is not billed yet; what was billed stays. A coupon can be redeemed again."""
    _take_off(request, subscription_id, order)
    return _subscription(request, subscription_id)


@router.post(
    "/subscriptions/{uuid:subscription_id}/discount-off/preview",
    response=PreviewAnswer,
    summary="Preview taking off a discount",
)
def preview_taking_off(request: Request, subscription_id: UUID, order: TakeOffOrder) -> Any:
    return _preview(request, subscription_id, lambda: _take_off(request, subscription_id, order))


def _take_off(request: Request, subscription_id: UUID, order: TakeOffOrder) -> None:
    commands.take_off_discount(
        actor=request.actor,
        subscription_id=subscription_id,
        discount=order.discount,
        on=local_today(),
        at=clock.now(),
    )


@router.get("/coupons", response=page_of(COUPON), summary="List coupons")
def list_coupons(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.coupons_after(request.actor, after=paging.after, take=paging.take))


@router.post("/coupons", response={201: schema_for(COUPON)}, summary="Add a coupon")
def add_coupon(request: Request, values: schema_for(COUPON, "create")) -> Any:  # type: ignore[valid-type]
    coupon_id = commands.add_coupon(actor=request.actor, values=values.values(), at=clock.now())
    return Status(201, row_json(queries.get_coupon(request.actor, coupon_id)))


@router.get("/coupons/{uuid:coupon_id}", response=schema_for(COUPON), summary="Get a coupon")
def get_coupon(request: Request, coupon_id: UUID) -> Any:
    return row_json(queries.get_coupon(request.actor, coupon_id))


@router.patch("/coupons/{uuid:coupon_id}", response=schema_for(COUPON), summary="Change a coupon")
def change_coupon(request: Request, coupon_id: UUID, values: schema_for(COUPON, "change")) -> Any:  # type: ignore[valid-type]
    """For those who redeem it from now on."""
    changes, version = values.change()
    commands.change_coupon(actor=request.actor, coupon_id=coupon_id, values=changes, version=version)
    return row_json(queries.get_coupon(request.actor, coupon_id))


# Price increases -----------------------------------------------------------------------------------------------------


@router.get("/price-increases", response=page_of(INCREASE), summary="List price increases")
def list_increases(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.increases_after(request.actor, after=paging.after, take=paging.take))


@router.post("/price-increases", response={202: schema_for(INCREASE)}, summary="Plan a price increase")
def plan_increase(request: Request, values: schema_for(INCREASE, "create")) -> Any:  # type: ignore[valid-type]
    """Which prices rise, and which are left out and why, is worked out in the background: see `raises`. Without
    `notice_days` customers are not told.
    """
    increase_id = _plan(request, values.values())
    return Status(202, row_json(queries.get_increase(request.actor, increase_id)))


@router.post("/price-increases/preview", response=IncreasePreviewAnswer, summary="Preview a price increase")
def preview_increase(request: Request, values: schema_for(INCREASE, "create")) -> Any:  # type: ignore[valid-type]
    """What it would do to the first 200 subscriptions. Nothing of it is kept."""
    given = values.values()
    return previewing.preview_increase(request.actor, lambda: _plan(request, given), clock.now()).as_json()


def _plan(request: Request, values: dict[str, Any]) -> UUID:
    return commands.plan_increase(actor=request.actor, values=values, on=local_today(), at=clock.now())


@router.get("/price-increases/{uuid:increase_id}", response=schema_for(INCREASE), summary="Get a price increase")
def get_increase(request: Request, increase_id: UUID) -> Any:
    return row_json(queries.get_increase(request.actor, increase_id))


@router.get("/price-increases/{uuid:increase_id}/raises", response=page_of(RAISE), summary="What it does to whom")
def list_raises(request: Request, increase_id: UUID, paging: Query[Paging]) -> Any:
    """Each price that it raises or leaves out, and why."""
    queries.get_increase(request.actor, increase_id)
    return paging.page(queries.raises_after(request.actor, increase_id, after=paging.after, take=paging.take))


@router.post("/price-increases/{uuid:increase_id}/undo", response=UndoneAnswer, summary="Undo a price increase")
def undo_increase(request: Request, increase_id: UUID, order: UndoOrder) -> Any:
    """Takes back what has not taken effect: all of it, or the raises that are named. Who was told gets a mail."""
    undone = commands.undo_increase(
        actor=request.actor, increase_id=increase_id, at=clock.now(), raise_ids=order.raises
    )
    return {"undone": undone.prices, "told": undone.told}


# Answers --------------------------------------------------------------------------------------------------------------


def _preview(request: Request, subscription_id: UUID, act: Callable[[], None]) -> dict[str, Any]:
    return _preview_json(previewing.preview(request.actor, subscription_id, act, local_today()))


def _preview_json(found: Preview) -> dict[str, Any]:
    return {"documents": [_document_json(row) for row in found.documents], "next": _upcoming_json(found.next)}


def _document_json(row: Row) -> dict[str, Any]:
    """The document without what would be another by then: ids, its number and its instants."""
    passing = ("id", "version", "number", "issued_at", "waiting_since", "created_at", "send_requested_at", "title")
    return {name: value for name, value in row_json(row).items() if name not in passing}


def _upcoming_json(found: Upcoming | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "on": found.on,
        "because": found.because,
        "net": _amount(found.net),
        "problem": found.problem,
        "lines": [
            {
                "item": line.item_id,
                "description": line.description,
                "kind": line.kind,
                "start": line.first_day,
                "last_day": line.last_day,
                "quantity": format(line.quantity, "f"),
                "net": _amount(line.net),
                "why": line.why or None,
            }
            for line in found.lines
        ],
    }


def _amount(net: Any) -> str | None:
    """An amount as text; null for whom it is closed."""
    return format(net.amount, "f") if net else None
