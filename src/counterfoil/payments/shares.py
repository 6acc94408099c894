"""What money is to settle, as forms and programs send it, cleaned before a command sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from counterfoil.core.errors import Problem, Refusal
from counterfoil.payments.rules.orders import OLDEST
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value

SHARES_MAX = 1_000
_INVOICE = Field("invoice", "Invoice", Kind.LINK, to="invoicing.invoice")
_AMOUNT = Field("amount", "Amount", Kind.AMOUNT, decimals=4)


def clean_shares(raw: Any) -> list[tuple[UUID, Decimal]] | Literal["oldest"]:
    """``"oldest"``, or a list of ``{"invoice": id, "amount": "12.50"}``; refuses anything else at its place."""
    if raw in (None, ""):
        return []
    if raw == OLDEST:
        return OLDEST
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        raise Refusal("not_a_list", "Name invoices with amounts, or say “oldest”.", "allocations")
    if len(raw) > SHARES_MAX:
        raise Refusal("too_many", f"One payment settles at most {SHARES_MAX} invoices.", "allocations")
    shares: list[tuple[UUID, Decimal]] = []
    problems: list[Problem] = []
    for number, one in enumerate(raw):
        at = f"allocations.{number}"
        if not isinstance(one, Mapping):
            problems.append(Problem(at, "not_an_object", "This must be an invoice with an amount."))
            continue
        values = [_value(item, one.get(item.id), at, problems) for item in (_INVOICE, _AMOUNT)]
        unknown = [name for name in one if name not in ("invoice", "amount")]
        problems += [Problem(f"{at}.{str(name)[:60]}", "unknown_field", "There is no such field.") for name in unknown]
        if None not in values:
            shares.append((values[0], values[1]))
    if problems:
        raise Refusal.of(problems)
    return shares


def clean_invoices(raw: Any) -> list[UUID]:
    """The ids of invoices; refuses anything else at its place."""
    if raw in (None, ""):
        return []
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        raise Refusal("not_a_list", "Name invoices by their ids.", "invoices")
    if len(raw) > SHARES_MAX:
        raise Refusal("too_many", f"One payment settles at most {SHARES_MAX} invoices.", "invoices")
    problems: list[Problem] = []
    found = []
    for number, one in enumerate(raw):
        try:
            found.append(clean_value(_INVOICE, one))
        except BadValue as bad:
            problems.append(Problem(f"invoices.{number}", bad.code, bad.message))
    if problems:
        raise Refusal.of(problems)
    if None in found:
        raise Refusal("missing", "Invoice is missing.", f"invoices.{found.index(None)}")
    return found


def _value(item: Field, raw: Any, at: str, problems: list[Problem]) -> Any:
    try:
        value = clean_value(item, raw)
    except BadValue as bad:
        problems.append(Problem(f"{at}.{item.id}", bad.code, bad.message))
        return None
    if value is None:
        problems.append(Problem(f"{at}.{item.id}", "missing", f"{item.label} is missing."))
    return value
