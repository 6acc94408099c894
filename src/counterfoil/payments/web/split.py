"""The part of a form that says what money settles: open invoices with what each gets, and what was typed for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row
from counterfoil.core.errors import Problem
from counterfoil.core.ids import parse_id
from counterfoil.core.money import Money, currency_decimals
from counterfoil.invoicing.queries import open_invoices_of_payer
from counterfoil.payments import queries
from counterfoil.payments.shares import clean_shares
from counterfoil.surface.forms import plain_number

SHARE = "share-"
Shares = list[tuple[UUID, Decimal]] | Literal["oldest"]


@dataclass(frozen=True)
class OpenRow:
    """One open invoice. ``share`` is the text in its box; ``proposed`` says that nobody typed it."""

    row: Row
    share: str = ""
    proposed: bool = False
    problem: str = ""
    is_first_problem: bool = False

    @property
    def open(self) -> str:
        return f"{self.row.open.amount:f}"


def shares_from(post: Mapping[str, Any]) -> Shares:
    """What the form says each invoice gets, in the order of its boxes; ``"oldest"`` wins over what stands in them."""
    if post.get("oldest"):
        return "oldest"
    return clean_shares([{"invoice": str(one), "amount": plain_number(post[f"{SHARE}{one}"])} for one in _named(post)])


def _named(post: Mapping[str, Any]) -> list[str]:
    return [name.removeprefix(SHARE) for name, value in post.items() if name.startswith(SHARE) and str(value).strip()]


def split_of(
    actor: Actor,
    form: Mapping[str, Any],
    *,
    payer: UUID | None,
    currency: str,
    entity: UUID | None = None,
    amount: Decimal | None = None,
    invoice_id: UUID | None = None,
    problems: Iterable[Problem] = (),
) -> dict[str, Any]:
    """What ``payments/shares.html`` shows: with ``oldest`` the shares by due day, else what was typed or is proposed.

    Proposed is the invoice from which the form was opened, as far as the amount goes.
    """
    oldest = bool(form.get("oldest"))
    rows = _rows(actor, payer, currency, entity, invoice_id)
    by_age: Mapping[UUID, Decimal] = {}
    if oldest and amount and amount > 0:
        by_age = queries.oldest_shares(_of_one_company(rows, entity), amount, _day_from(form))
    messages = _messages(form, problems)
    found: list[OpenRow] = []
    refused = False
    for row in rows:
        typed = form.get(f"{SHARE}{row.id}")
        proposed = not oldest and typed is None and row.id == invoice_id
        if oldest:
            share = f"{by_age[row.id]:f}" if row.id in by_age else ""
        elif proposed:
            share = f"{(min(row.open.amount, amount) if amount and amount > 0 else row.open.amount):f}"
        else:
            share = str(typed or "")
        problem = messages.get(str(row.id), "")
        found.append(OpenRow(row, share, proposed, problem, bool(problem) and not refused))
        refused = refused or bool(problem)
    other = {} if rows or payer is None else _in_other_currencies(actor, payer, currency)
    return {
        "invoices": found,
        "oldest": oldest,
        "payer": payer,
        "currency": currency,
        "digits": currency_decimals(currency) if rows else 0,
        "other": other,
    }


def _rows(actor: Actor, payer: UUID | None, currency: str, entity: UUID | None, invoice_id: UUID | None) -> list[Row]:
    if payer is None or not currency:
        return []
    rows = queries.payable_invoices(actor, payer, currency=currency, entity_id=entity, invoice_id=invoice_id)
    return [row for row in rows if row.number and isinstance(row.open, Money) and row.open.amount > 0]


def _of_one_company(rows: Sequence[Row], entity: UUID | None) -> list[Row]:
    """Money stays within one company: the one named, else the one that waits longest."""
    if not rows:
        return []
    wanted = entity or min(rows, key=lambda row: (row.due_on, row.number)).entity
    return [row for row in rows if row.entity == wanted]


def _in_other_currencies(actor: Actor, payer: UUID, currency: str) -> dict[str, Money]:
    sums: dict[str, Money] = {}
    for row in open_invoices_of_payer(actor, payer):
        if row.currency != currency and isinstance(row.open, Money):
            sums[row.currency] = sums.get(row.currency, Money.zero(row.currency)) + row.open
    return sums


def _messages(form: Mapping[str, Any], problems: Iterable[Problem]) -> dict[str, str]:
    """Problems such as ``allocations.2.amount``, by the id of the invoice whose box it was."""
    named = _named(form)
    found: dict[str, str] = {}
    for one in problems:
        parts = one.field.split(".")
        if parts[0] == "allocations" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(named):
            found.setdefault(named[int(parts[1])], one.message)
    return found


def _day_from(form: Mapping[str, Any]) -> date | None:
    """The day on which the money came, if it is one already."""
    try:
        return date.fromisoformat(str(form.get("received_on", "")))
    except ValueError:
        return None


def amount_from(form: Mapping[str, Any]) -> Decimal | None:
    """The amount that was typed so far, if it is one."""
    try:
        amount = Decimal(plain_number(str(form.get("amount", ""))))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def known_id(raw: Any) -> UUID | None:
    """An id that somebody may still be choosing."""
    try:
        return UUID(str(raw))
    except ValueError:
        return None


def id_from(raw: str | None) -> UUID | None:
    """An id in an address: none, or a valid one."""
    return parse_id(raw) if raw else None
