"""The form of a price: as people think of it, and as commands take it.

People say "quarter", and leave what a model does not need in boxes that they no longer see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.http import QueryDict

from counterfoil.catalog.models import IntervalUnit
from counterfoil.catalog.queries import cost
from counterfoil.catalog.rules.pricing import FLAT, PACKAGE, TIERED, Pricing, problems_of, tiers_from
from counterfoil.catalog.web.input import quantity_from
from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import formatted_price, is_currency
from counterfoil.core.text import whole_number
from counterfoil.plumbing.record_types import BadValue, Field, clean_value, record_type
from counterfoil.surface import display
from counterfoil.surface.forms import Typed, plain_number, values_from

KEY = "catalog.price"
IDENTITY = ("key", "currency", "price_list")
TERMS = ("model", "amount", "per", "tiers", "count", "interval", "billed", "is_metered", "meter")
DAYS = ("valid_from", "valid_to")
PLAIN = ("price_list", "amount", "per", "count")
"""Fields whose help says what the form shows by itself."""

QUARTER = "quarter"
MONTHS = 3
SAMPLES = tuple(Decimal(one) for one in ("1", "10", "100", "1000", "10000"))
FEES = SAMPLES[:1] + tuple(Decimal(one) for one in ("2", "3"))
ROWS_MAX = 12


def price_fields() -> list[Field]:
    """The fields of a price, with the quarter among the intervals."""
    choices = [*IntervalUnit.choices]
    choices.insert(3, (QUARTER, "Quarter"))
    changes: dict[str, dict[str, Any]] = {"interval": {"choices": choices}, **{name: {"help": ""} for name in PLAIN}}
    return [replace(item, **changes.get(item.id, {})) for item in record_type(KEY).fields]


def typed_price(post: QueryDict, names: tuple[str, ...]) -> Typed:
    """What was typed, as it was typed."""
    return values_from(post, KEY, names, fields=price_fields())


def as_values(typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed as commands take it: a quarter is three months, and what the model does not need is gone."""
    values = dict(typed)
    if values.get("interval") == QUARTER:
        values["interval"] = IntervalUnit.MONTH.value
        said = str(values.get("count") or "1").strip()
        count = whole_number(said, 5)
        values["count"] = said if count is None else str(count * MONTHS)
    model = str(values.get("model", ""))
    if model in TIERED:
        values["amount"] = None
    elif "tiers" in values:
        values["tiers"] = []
    if model != PACKAGE:
        values["per"] = None
    if str(values.get("is_metered", "")).lower() not in ("yes", "true", "on", "1"):
        values["meter"] = ""
    return values


def as_shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """A price's values as the form shows them: three months are a quarter."""
    shown = dict(values)
    count = shown.get("count")
    if shown.get("interval") == IntervalUnit.MONTH and isinstance(count, int) and count % MONTHS == 0:
        shown |= {"interval": QUARTER, "count": count // MONTHS}
    return shown


# What quantities cost -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Costing:
    """A quantity, why it costs what it costs, and that as people read it."""

    quantity: Decimal
    because: str
    costs: str


@dataclass(frozen=True)
class Trial:
    """What a price asks for some quantities; or what is wrong with it, or with the quantity that was asked for."""

    currency: str
    costs: tuple[Costing, ...] = ()
    asked: Costing | None = None
    problems: tuple[Problem, ...] = ()
    quantity: str = ""
    quantity_problem: str = ""


def trial_of(pricing: Pricing, currency: str, quantity: str) -> Trial:
    """Sample quantities: around each limit of tiers and packages, else powers of ten; and the one asked for."""
    problems = problems_of(pricing)
    if problems or not is_currency(currency):
        return Trial(currency, problems=tuple(problems), quantity=quantity)
    asked, problem = None, ""
    try:
        wanted = quantity_from(plain_number(quantity))
        asked = None if wanted is None else _costing(pricing, wanted, currency)
    except Refusal as refusal:
        problem = refusal.message
    costs = tuple(_costing(pricing, one, currency) for one in _samples(pricing))
    return Trial(currency, costs, asked, (), quantity, problem)


def typed_trial(typed: Mapping[str, Any], quantity: str) -> Trial:
    """The same for a price that is still being typed."""
    values = as_values(typed)
    fields = record_type(KEY).by_id
    problems: list[Problem] = []

    def read(item: Field, raw: Any, at: str) -> Any:
        try:
            return clean_value(item, raw)
        except BadValue as bad:
            problems.append(Problem(at, bad.code, bad.message))
            return None

    rows = []
    amount_field, limit_field = fields["tiers"].rows[1], fields["tiers"].rows[0]
    for place, row in enumerate(values.get("tiers") or ()):
        amount = read(amount_field, row.get("amount"), f"tiers.{place}.amount")
        limit = read(limit_field, row.get("up_to"), f"tiers.{place}.up_to")
        if amount is None and not problems:
            problems.append(Problem(f"tiers.{place}.amount", "missing", "Say what each unit costs."))
        rows.append({"up_to": limit, "amount": amount})
    amount = read(fields["amount"], values.get("amount"), "amount")
    per = read(fields["per"], values.get("per"), "per")
    currency = str(values.get("currency") or "").upper()
    if problems:
        return Trial(currency, problems=tuple(problems), quantity=quantity)
    return trial_of(Pricing(str(values.get("model")), amount, per, tiers_from(rows)), currency, quantity)


def _costing(pricing: Pricing, quantity: Decimal, currency: str) -> Costing:
    found = cost(pricing, quantity, currency)
    return Costing(quantity, found.because, formatted_price(found.price, currency, display.language()))


def _samples(pricing: Pricing) -> list[Decimal]:
    if pricing.model in TIERED:
        limits = [tier.up_to for tier in pricing.tiers if tier.up_to is not None]
        around = {one for limit in limits for one in (limit, limit + 1)} | {Decimal(1)}
        top = limits[-1] * 2 if limits else Decimal(1000)
        return sorted({*around, top})[:ROWS_MAX]
    if pricing.model == PACKAGE and pricing.per is not None:
        return sorted({Decimal(1), pricing.per, pricing.per + 1, pricing.per * 10})
    return list(FEES if pricing.model == FLAT else SAMPLES)
