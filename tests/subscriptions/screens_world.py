"""A company that bills again and again, with people, programs and prices of a catalog."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from subscriptions_world import Billing, make_billing

from counterfoil.catalog import commands as catalog
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.subscriptions.models import BillingPolicy
from staff import SYSTEM, Staff

PRICES: tuple[dict[str, Any], ...] = (
    {"key": "hosting", "model": "flat", "amount": "100.00", "interval": "month"},
    {"key": "seat", "model": "per_unit", "amount": "10.00", "interval": "month"},
    {"key": "yearly", "model": "flat", "amount": "1200.00", "interval": "year"},
    {"key": "support", "model": "flat", "amount": "60.00", "interval": "month", "billed": "in_arrears"},
    {
        "key": "calls", "model": "per_unit", "amount": "0.01", "interval": "month", "billed": "in_arrears",
        "is_metered": True, "meter": "calls",
    },
)  # fmt: skip


@dataclass
class Screens:
    """The company and its customer, prices by key, and a person and a program for each role."""

    billing: Billing
    staff: Staff
    prices: dict[str, UUID]

    def call(self, method: str, path: str, body: Any = None, who: str = "billing") -> tuple[int, Any]:
        answer = self.staff.program(who)(method, path, body)
        return answer.status_code, json.loads(answer.content) if answer.content else None

    def start(self, *items: tuple[str, str], start: str | None = None, **more: Any) -> UUID:
        """Started over the API."""
        values = {
            "account": str(self.billing.acme),
            "start": start or clock.today().isoformat(),
            "items": [{"price": key, "quantity": quantity} for key, quantity in items],
            **more,
        }
        status, answer = self.call("POST", "subscriptions", values)
        assert status == 201, answer
        return UUID(answer["id"])

    def policy(self, **values: Any) -> None:
        BillingPolicy.objects.update_or_create(
            entity_id=self.billing.entity, defaults=values, create_defaults={"id": new_id(), **values}
        )


def make_screens(staff: Staff) -> Screens:
    billing = make_billing()
    prices = {}
    for values in PRICES:
        key = values["key"]
        product = catalog.add_product(
            actor=SYSTEM,
            values={"name": key.capitalize(), "code": key, "unit_price": "1.00", "currency": "EUR", "unit": ""},
        )
        prices[key] = catalog.add_price(
            actor=SYSTEM,
            values={"product": product, "currency": "EUR", "valid_from": "2020-01-01", **values},
            on=clock.today(),
        )
    return Screens(billing, staff, prices)
