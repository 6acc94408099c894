"""Payments, described once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from counterfoil.core.money import Money
from counterfoil.payments.models import Payment, PaymentMethod, PaymentStatus
from counterfoil.plumbing.record_types import Field, Kind, Panel, RecordType, register
from counterfoil.surface import display
from counterfoil.surface.states import register_state

PAYMENT = "payments.payment"

ALLOCATION_FIELDS = (
    Field("id", "Id", computed=True, read=lambda one: str(one.pk)),
    Field("invoice", "Invoice", Kind.LINK, to="invoicing.invoice", computed=True),
    Field("number", "Number", computed=True, read=lambda one: one.invoice.number),
    Field("amount", "Amount", Kind.AMOUNT, computed=True),
    Field("currency", "Currency", Kind.CURRENCY, computed=True),
    Field("allocated_on", "On", Kind.DAY, computed=True),
    Field("by_name", "By", computed=True),
    Field("undoes", "Undoes", computed=True, read=lambda one: str(one.undoes_id) if one.undoes_id else ""),
    Field("is_undone", "Undone", Kind.YES_NO, computed=True, read=lambda one: hasattr(one, "undone_by")),
)


def _allocations(payment: Any) -> list[Any]:
    return sorted(payment.allocations.all(), key=lambda one: one.pk)


register(
    RecordType(
        key=PAYMENT,
        model=Payment,
        label="Payment",
        plural="Payments",
        title=lambda payment: display.amount_with_currency(Money.exact(payment.amount, payment.currency)),
        see="payments.see",
        page="payments:payment",
        create="payments.record_payment",
        fields=(
            Field("payer", "Payer", Kind.LINK, to="accounts.account", required=True, aliases=("customer", "account")),
            Field("received_on", "Received on", Kind.DAY, required=True, aliases=("date", "paid on", "settled date")),
            Field("method", "Paid by", Kind.CHOICE, choices=PaymentMethod.choices, required=True),
            Field("amount", "Amount", Kind.AMOUNT, required=True, decimals=4, minimum=Decimal("0.0001")),
            Field("currency", "Currency", Kind.CURRENCY, required=True),
            Field("entity", "Our company", Kind.LINK, to="ledger.entity"),
            Field("reference", "Reference", max_length=140, help="What stands on the bank statement or the cheque."),
            Field("note", "Note", max_length=500),
            Field("external_id", "Number in another system", max_length=100, aliases=("id", "payment id")),
            Field("status", "State", Kind.CHOICE, choices=PaymentStatus.choices, computed=True),
            Field("allocated", "Allocated", Kind.AMOUNT, computed=True),
            Field(
                "unallocated",
                "Unallocated",
                Kind.AMOUNT,
                computed=True,
                read=lambda one: one.amount - one.allocated if one.status == PaymentStatus.RECEIVED else Decimal(0),
            ),
            Field("allocations", "Allocations", Kind.ROWS, rows=ALLOCATION_FIELDS, computed=True, read=_allocations),
            Field("ended_on", "Ended on", Kind.DAY, computed=True),
            Field("ended_reason", "Reason", computed=True),
            Field("created_at", "Recorded", Kind.INSTANT, computed=True),
        ),
        search={"reference": "reference", "external_id": "external_id"},
        hint=("reference", "reference"),
        panels=(Panel("accounts.account", "Payments", "payments:account_panel", "payments.see", 30, "money"),),
    )
)

register_state(PaymentStatus.UNDONE, "Undone", "back", "muted", struck=True)
