"""Writing down money that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money, is_currency
from counterfoil.invoicing.commands import settle
from counterfoil.ledger.commands import post
from counterfoil.ledger.queries import default_entity_id
from counterfoil.ledger.rules.entries import EntryOrder
from counterfoil.payments import events
from counterfoil.payments.commands.allowing import Spared, allow
from counterfoil.payments.models import WAYS_TO_PAY, Allocation, Payment
from counterfoil.payments.open_invoices import locked_invoices
from counterfoil.payments.rules import booking
from counterfoil.payments.rules.allocating import (
    OpenInvoice,
    Settlement,
    as_ordered,
    entity_of,
    oldest_first,
    problems_of_invoices,
    problems_of_shares,
    spread,
)
from counterfoil.payments.rules.orders import OLDEST, PaymentOrder, Share
from counterfoil.plumbing.bulk import insert_rows, new_row, one_trip
from counterfoil.plumbing.outbox import emit

ORDERS_MAX = 10_000


@dataclass(frozen=True)
class _Received:
    """An order with everything decided: the row to write, and which invoices it settles on which day."""

    payment: Payment
    shares: tuple[Settlement, ...]


@command("payments.record_payment", needs="payments.record", takes={"values": Takes("payments.payment")})
def record_payment(
    *,
    actor: Actor,
    values: Mapping[str, Any],
    allocations: Sequence[tuple[UUID, Decimal]] | Literal["oldest"] = (),
    invoices: Sequence[UUID] = (),
    on: date,
    at: datetime,
    request_key: str = "",
) -> UUID:
    """Write down money that came, and what it settles. What it does not settle stays as the payer's credit.

    ``allocations`` are invoices with amounts, or ``"oldest"``; or ``invoices`` are those to which it goes, in this
    order. Money that comes in time for an early discount settles what it pays less the discount. The same
    ``request_key`` again answers the same payment.
    """
    if invoices and allocations:
        raise Refusal("both", "Either name invoices, or say how much goes to which.", "invoices")
    shares = OLDEST if allocations == OLDEST else tuple(Share(*pair) for pair in allocations)
    order = PaymentOrder(
        payer_id=values["payer"],
        entity_id=values.get("entity"),
        method=values["method"],
        amount=values["amount"],
        currency=values["currency"],
        received_on=values["received_on"],
        reference=values.get("reference", ""),
        note=values.get("note", ""),
        external_id=values.get("external_id", ""),
        request_key=request_key,
        allocations=shares,
        invoices=tuple(invoices),
    )
    return _record(actor, [order], at, on)[0]


@command("payments.record_payments", needs="payments.record")
def record_payments(*, actor: Actor, orders: Sequence[PaymentOrder], at: datetime) -> list[UUID]:
    """Write down many payments in a fixed number of statements, all or none. Problems are named by
    ``<number>.<field>``.
    """
    if len(orders) > ORDERS_MAX:
        raise Refusal("too_many", f"At most {ORDERS_MAX:,} payments can be recorded at once.")
    return _record(actor, orders, at, at.date() + timedelta(days=1)) if orders else []


def _record(actor: Actor, orders: Sequence[PaymentOrder], at: datetime, latest: date) -> list[UUID]:
    paths = [f"{number}." if len(orders) > 1 else "" for number in range(len(orders))]
    _refuse([one for order, path in zip(orders, paths, strict=True) for one in _problems(order, latest, path)])
    known = _recorded_before(orders, paths)
    fresh = [(order, path) for order, path in zip(orders, paths, strict=True) if order.request_key not in known]
    invoices = _lock_invoices(fresh)
    received = _decide(fresh, invoices, at)
    if received:
        _write(actor, received, invoices, at)
    made = iter(received)
    return [known[order.request_key] if order.request_key in known else next(made).payment.pk for order in orders]


def _problems(order: PaymentOrder, latest: date, path: str) -> list[Problem]:
    found = []
    if order.method not in dict(WAYS_TO_PAY):
        found.append(Problem(f"{path}method", "not_a_choice", "There is no such way to pay."))
    if not is_currency(order.currency):
        return [*found, Problem(f"{path}currency", "unknown_currency", "This is not a currency.")]
    try:
        Money.exact(order.amount, order.currency)
    except ValueError:
        text = f"{order.currency} has fewer decimals than this amount."
        found.append(Problem(f"{path}amount", "too_many_decimals", text))
    if order.amount <= 0:
        found.append(Problem(f"{path}amount", "too_small", "The amount must be above zero."))
    if order.received_on > latest:
        text = "This day has not come yet. Record the money when it is there."
        found.append(Problem(f"{path}received_on", "not_yet", text))
    return found


def _recorded_before(orders: Sequence[PaymentOrder], paths: Sequence[str]) -> dict[str, UUID]:
    """Payments that the same requests recorded earlier; refuses names of other systems that are taken.

    Two requests of the same name at the same time wait for each other here.
    """
    keyed = {order.request_key: order for order in orders if order.request_key}
    external = {order.external_id: path for order, path in zip(orders, paths, strict=True) if order.external_id}
    names = [f"payment:{key}" for key in keyed] + [f"payment-of:{name}" for name in external]
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS name ORDER BY name",
            [sorted(names)],
        )
    known = {payment.request_key: payment for payment in Payment.objects.filter(request_key__in=keyed)}
    for key, payment in known.items():
        if not _is_same(payment, keyed[key]):
            text = "This form was sent already, with other values. Open a new one to record another payment."
            raise Conflict("sent_already", text)
    repeated = {order.external_id for order in orders if order.request_key in known}
    taken = Payment.objects.filter(external_id__in=external.keys() - repeated).exclude(status="undone")
    text = "A payment of this name was recorded already."
    _refuse(
        [Problem(f"{external[name]}external_id", "taken", text) for name in taken.values_list("external_id", flat=True)]
    )
    return {key: payment.pk for key, payment in known.items()}


def _is_same(payment: Payment, order: PaymentOrder) -> bool:
    return (payment.payer_id, payment.amount, payment.currency, payment.received_on, payment.method) == (
        order.payer_id, order.amount, order.currency, order.received_on, order.method,
    )  # fmt: skip


def _lock_invoices(orders: Sequence[tuple[PaymentOrder, str]]) -> dict[UUID, OpenInvoice]:
    """The invoices to which the payments may go."""
    named = {share.invoice_id for order, _ in orders for share in _named(order)}
    named |= {invoice_id for order, _ in orders for invoice_id in order.invoices}
    oldest = {(order.payer_id, order.currency) for order, _ in orders if order.allocations == OLDEST}
    return locked_invoices(named, oldest) if named or oldest else {}


def _decide(
    orders: Sequence[tuple[PaymentOrder, str]], invoices: Mapping[UUID, OpenInvoice], at: datetime
) -> list[_Received]:
    """Give each payment its shares of the locked invoices, in the order given; refuses all when one cannot be."""
    left = {invoice.id: invoice.open for invoice in invoices.values()}
    default = default_entity_id() if any(order.entity_id is None for order, _ in orders) else UUID(int=0)
    problems: list[Problem] = []
    received = []
    for order, path in orders:
        entity_id = _entity(order, invoices, default)
        unfit = problems_of_invoices(
            payer_id=order.payer_id,
            entity_id=entity_id,
            currency=order.currency,
            named=order.invoices,
            invoices=invoices,
            path=path,
        )
        shares = () if unfit else _shares(order, entity_id, invoices, left)
        problems += unfit or problems_of_shares(
            payer_id=order.payer_id,
            entity_id=entity_id,
            currency=order.currency,
            available=order.amount,
            shares=shares,
            invoices=invoices,
            left=left,
            path=path,
        )
        for share in shares:
            if share.invoice_id in left:
                left[share.invoice_id] -= share.whole
        received.append(_Received(_payment(order, entity_id, shares, at), shares))
    _refuse(problems)
    return received


def _named(order: PaymentOrder) -> tuple[Share, ...]:
    return order.allocations if isinstance(order.allocations, tuple) else ()


def _entity(order: PaymentOrder, invoices: Mapping[UUID, OpenInvoice], default: UUID) -> UUID:
    if order.allocations == OLDEST and order.entity_id is None:
        # The company that waits longest for money of this payer.
        mine = [one for one in invoices.values() if (one.payer_id, one.currency) == (order.payer_id, order.currency)]
        return min(mine, key=lambda one: (one.due_on, one.number)).entity_id if mine else default
    return entity_of(order, invoices, default)


def _shares(
    order: PaymentOrder, entity_id: UUID, invoices: Mapping[UUID, OpenInvoice], left: Mapping[UUID, Decimal]
) -> tuple[Settlement, ...]:
    if order.allocations != OLDEST:
        if order.invoices:
            return spread(order.amount, [invoices[one] for one in order.invoices], left, order.received_on)
        return as_ordered(_named(order), invoices, left, order.received_on)
    wanted = (order.payer_id, order.currency, entity_id)
    mine = (one for one in invoices.values() if (one.payer_id, one.currency, one.entity_id) == wanted)
    return oldest_first(order.amount, mine, left, order.received_on)


def _payment(order: PaymentOrder, entity_id: UUID, shares: Sequence[Settlement], at: datetime) -> Payment:
    return new_row(
        Payment,
        id=new_id(),
        created_at=at,
        entity_id=entity_id,
        payer_id=order.payer_id,
        method=order.method,
        amount=order.amount,
        allocated=sum((share.amount for share in shares), Decimal(0)),
        currency=order.currency,
        received_on=order.received_on,
        reference=order.reference,
        note=order.note,
        external_id=order.external_id,
        request_key=order.request_key,
    )


def _write(actor: Actor, received: Sequence[_Received], invoices: Mapping[UUID, OpenInvoice], at: datetime) -> None:
    allocations: list[Allocation] = []
    entries: list[EntryOrder] = []
    settled: dict[UUID, Decimal] = {}
    spared: list[Spared] = []
    for one in received:
        days: dict[date, list[Settlement]] = {}
        for share in one.shares:
            # Money that came before the invoice was issued settles it on the day of its issue.
            day = max(one.payment.received_on, invoices[share.invoice_id].issued_on)
            days.setdefault(day, []).append(share)
            allocations.append(_allocation(one.payment, share, day, at, actor.name))
            settled[share.invoice_id] = settled.get(share.invoice_id, Decimal(0)) + share.whole
            if share.allowance:
                spared.append(Spared(allocations[-1], invoices[share.invoice_id], share.allowance))
        entries += _entries(one.payment, days, invoices)
        emit(
            events.PaymentRecorded(
                payment_id=one.payment.pk,
                account_id=one.payment.payer_id,
                invoice_ids=tuple(share.invoice_id for share in one.shares),
                amount=one.payment.amount,
                unallocated=one.payment.amount - one.payment.allocated,
                currency=one.payment.currency,
                method=one.payment.method,
            )
        )
    with one_trip():
        insert_rows(one.payment for one in received)
        # In one statement: the database compares a payment with all of its allocations.
        insert_rows(allocations)
        entries += allow(actor, spared, at)
    if settled:
        settle(actor=actor, amounts=settled, on=at.date())
    post(actor=actor, entries=entries, at=at)


def _allocation(payment: Payment, share: Settlement, day: date, at: datetime, by: str) -> Allocation:
    return new_row(
        Allocation,
        id=new_id(),
        payment_id=payment.pk,
        invoice_id=share.invoice_id,
        amount=share.amount,
        currency=payment.currency,
        allocated_on=day,
        created_at=at,
        by_name=by,
    )


def _entries(
    payment: Payment, days: Mapping[date, Sequence[Settlement]], invoices: Mapping[UUID, OpenInvoice]
) -> list[EntryOrder]:
    """One entry for the money and what it settles on its day, and one for each later day."""

    def of_payers(day: date) -> dict[UUID, Decimal]:
        shares = days.get(day, ())
        return booking.by_payer((invoices[share.invoice_id].payer_id, share.amount) for share in shares)

    known = {"payment_id": payment.pk, "entity_id": payment.entity_id, "payer_id": payment.payer_id}
    return [
        booking.received(
            **known,
            method=payment.method,
            currency=payment.currency,
            amount=payment.amount,
            settled=of_payers(payment.received_on),
            on=payment.received_on,
        ),
        *(
            booking.allocated(
                **known,
                source=f"payment:{payment.pk}:allocated:{day.isoformat()}",
                currency=payment.currency,
                settled=of_payers(day),
                on=day,
                memo="Payment allocated",
            )
            for day in sorted(days)
            if day != payment.received_on
        ),
    ]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise Refusal.of(problems)
