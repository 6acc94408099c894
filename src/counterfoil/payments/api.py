"""Payments on the API."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField
from pydantic import create_model

from counterfoil.access.requests import Request
from counterfoil.core.errors import Refusal
from counterfoil.invoicing.queries import local_today
from counterfoil.payments import commands, queries
from counterfoil.payments.aging import aging
from counterfoil.payments.record_types import PAYMENT
from counterfoil.payments.shares import clean_invoices, clean_shares
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import row_json

router = Router()

_ALLOCATIONS = "`oldest`, or a list of `{invoice, amount}`. What is not allocated stays as the payer's credit."
NewPayment: type[Any] = create_model(
    "PaymentOrder",
    __base__=schema_for(PAYMENT, "create"),
    __doc__="Money that came, and what it settles.",
    allocations=(Any, SchemaField(default=None, description=_ALLOCATIONS)),
    invoices=(Any, SchemaField(default=None, description="Instead: ids of invoices to which it goes, in their order.")),
)


class PaymentFilters(Paging):
    """Which payments."""

    payer: UUID | None = None
    status: str = SchemaField(default="", max_length=20)
    method: str = SchemaField(default="", max_length=20)
    currency: str = SchemaField(default="", max_length=3)
    received_from: date | None = None
    received_to: date | None = None

    def filters(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: [getattr(self, name)] for name in ("status", "method") if getattr(self, name)}
        if self.payer is not None:
            found["payer"] = [self.payer]
        if self.currency:
            found["currency"] = [self.currency.upper()]
        if self.received_from or self.received_to:
            found["received_on"] = (self.received_from, self.received_to)
        return found


class Allocate(Order):
    allocations: Any = SchemaField(description=_ALLOCATIONS)
    version: int | None = None


class Undo(Order):
    reason: Words = ""
    version: int | None = None


class UndoAllocation(Order):
    reason: Words = ""


class Fail(Order):
    kind: Words = SchemaField(description="`failed` or `bounced`.")
    reason: Words
    version: int | None = None


class ShareAnswer(Schema):
    """What a payment settled of an invoice."""

    id: UUID
    payment: UUID
    amount: Decimal
    currency: str
    allocated_on: date
    is_undone: bool
    allowance: Decimal


class AgingFilters(Schema):
    """Whose debts, as of which day, in which buckets."""

    account: str = SchemaField(default="", max_length=2000, description="Ids separated by commas; all payers if none.")
    as_of: date | None = None
    buckets: str = SchemaField(default="30,60,90", max_length=60, description="Rising limits in days, inclusive.")


class AgingAnswer(Schema):
    """What a payer owes in a currency, by how many days it is late."""

    account: UUID
    currency: str
    buckets: dict[str, Decimal]
    total: Decimal


def _payment(request: Request, payment_id: UUID) -> dict[str, Any]:
    return row_json(queries.get_payment(request.actor, payment_id))


@router.get("/payments", response=page_of(PAYMENT), summary="List payments")
def list_payments(request: Request, paging: Query[PaymentFilters]) -> Any:
    rows = queries.payments_after(request.actor, after=paging.after, take=paging.take, filters=paging.filters())
    return paging.page(rows)


@router.post("/payments", response={201: schema_for(PAYMENT)}, summary="Record a payment")
def record_payment(request: Request, values: NewPayment) -> Any:  # type: ignore[valid-type]
    """Records money that came and what it settles, in one step. More than an invoice has open is refused."""
    given = values.values()  # type: ignore[attr-defined]
    named = clean_invoices(given.pop("invoices", None))
    shares = clean_shares(given.pop("allocations", None))
    payment_id = commands.record_payment(
        actor=request.actor, values=given, allocations=shares, invoices=named, on=local_today(), at=clock.now()
    )
    return Status(201, _payment(request, payment_id))


@router.get("/payments/{uuid:payment_id}", response=schema_for(PAYMENT), summary="Get a payment")
def get_payment(request: Request, payment_id: UUID) -> Any:
    return _payment(request, payment_id)


@router.post("/payments/{uuid:payment_id}/allocate", response=schema_for(PAYMENT), summary="Allocate the rest")
def allocate_payment(request: Request, payment_id: UUID, order: Allocate) -> Any:
    """Lets what is left of the payment settle further invoices."""
    commands.allocate_payment(
        actor=request.actor,
        payment_id=payment_id,
        allocations=clean_shares(order.allocations),
        on=local_today(),
        at=clock.now(),
        version=order.version,
    )
    return _payment(request, payment_id)


@router.post("/payments/{uuid:payment_id}/undo", response=schema_for(PAYMENT), summary="Undo a payment")
def undo_payment(request: Request, payment_id: UUID, order: Undo) -> Any:
    """For a payment that was recorded by mistake: counter-entries, and its invoices owe again."""
    commands.undo_payment(
        actor=request.actor,
        payment_id=payment_id,
        reason=order.reason,
        version=order.version,
        on=local_today(),
        at=clock.now(),
    )
    return _payment(request, payment_id)


@router.post("/payments/{uuid:payment_id}/fail", response=schema_for(PAYMENT), summary="Fail a payment")
def fail_payment(request: Request, payment_id: UUID, order: Fail) -> Any:
    """The money did not arrive or came back: its invoices owe again, and the owner of the account gets a task."""
    commands.fail_payment(
        actor=request.actor,
        payment_id=payment_id,
        kind=order.kind,
        reason=order.reason,
        version=order.version,
        on=local_today(),
        at=clock.now(),
    )
    return _payment(request, payment_id)


@router.post("/allocations/{uuid:allocation_id}/undo", response=schema_for(PAYMENT), summary="Undo an allocation")
def undo_allocation(request: Request, allocation_id: UUID, order: UndoAllocation | None = None) -> Any:
    """The invoice owes the amount again, and the payer has it as credit again. Answers the payment."""
    payment_id = commands.undo_allocation(
        actor=request.actor,
        allocation_id=allocation_id,
        reason=order.reason if order else "",
        on=local_today(),
        at=clock.now(),
    )
    return _payment(request, payment_id)


@router.get("/invoices/{uuid:invoice_id}/payments", response=list[ShareAnswer], summary="What settled an invoice")
def payments_of_invoice(request: Request, invoice_id: UUID) -> Any:
    return [
        {
            "id": one.allocation_id,
            "payment": one.payment.id,
            "amount": one.share.amount,
            "currency": one.share.currency,
            "allocated_on": one.allocated_on,
            "is_undone": one.is_undone,
            "allowance": one.allowance.amount,
        }
        for one in queries.payments_of_invoice(request.actor, invoice_id)
    ]


@router.get("/aging", response=list[AgingAnswer], summary="What is owed by how late it is")
def list_aging(request: Request, wanted: Query[AgingFilters]) -> Any:
    """Each instalment by its own due day. The due day itself is not late; limits are inclusive."""
    accounts = [_account(part) for part in wanted.account.split(",") if part]
    try:
        buckets = tuple(int(part) for part in wanted.buckets.split(","))
        found = aging(request.actor, accounts or None, as_of=wanted.as_of or local_today(), buckets=buckets)
    except ValueError:
        raise Refusal("not_limits", "Buckets are rising numbers of days, such as 30,60,90.", "buckets") from None
    return [
        {
            "account": one.account_id,
            "currency": one.currency,
            "buckets": {name: part.amount for name, part in one.buckets.items()},
            "total": one.total.amount,
        }
        for one in found
    ]


def _account(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refusal("not_an_id", "This must be the id of an account.", "account") from None
