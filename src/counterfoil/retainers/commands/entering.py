"""Entering time and expenses, and changing them while nobody has approved them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.access.models import User
from counterfoil.accounts.queries import billing_facts
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money
from counterfoil.documents.commands import store_file
from counterfoil.ledger.queries import default_entity_id
from counterfoil.retainers.commands.checking import unbillable
from counterfoil.retainers.models import EntryStatus, Expense, Retainer, TimeEntry, Unit

_LINKS = ("account", "retainer", "entity", "person")
_COMMON = ("account", "retainer", "day", "description", "is_billable", "person", "currency", "entity", "tax_class")
_OWN: dict[type[TimeEntry | Expense], tuple[str, ...]] = {TimeEntry: ("hours", "rate"), Expense: ("amount",)}
E = TypeVar("E", TimeEntry, Expense)


@dataclass(frozen=True)
class Receipt:
    """The file that proves an expense."""

    content: bytes
    name: str
    media_type: str


@command("retainers.enter_time", needs="retainers.enter", takes={"values": Takes("retainers.time")})
def enter_time(*, actor: Actor, values: Mapping[str, Any], on: date, at: datetime) -> UUID:
    """Write down time that was worked for an account. It waits for approval."""
    entry = TimeEntry(id=new_id(), created_at=at)
    _fill(entry, values, actor, on, is_new=True)
    entry.save(force_insert=True)
    return entry.pk


@command("retainers.change_time", needs="retainers.enter", takes={"values": Takes("retainers.time", partial=True)})
def change_time(*, actor: Actor, entry_id: UUID, values: Mapping[str, Any], version: int | None, on: date) -> None:
    """Change time that nobody has approved. What was rejected waits for approval again."""
    entry = _locked(TimeEntry, entry_id, version)
    _fill(entry, values, actor, on)
    entry.save()


@command("retainers.enter_expense", needs="retainers.enter", takes={"values": Takes("retainers.expense")})
def enter_expense(
    *, actor: Actor, values: Mapping[str, Any], on: date, at: datetime, receipt: Receipt | None = None
) -> UUID:
    """Write down what was laid out for an account, with its receipt where there is one. It waits for approval."""
    entry = Expense(id=new_id(), created_at=at)
    _fill(entry, values, actor, on, is_new=True)
    entry.receipt_id = _stored(actor, receipt)
    entry.save(force_insert=True)
    return entry.pk


@command(
    "retainers.change_expense", needs="retainers.enter", takes={"values": Takes("retainers.expense", partial=True)}
)
def change_expense(
    *,
    actor: Actor,
    entry_id: UUID,
    values: Mapping[str, Any],
    version: int | None,
    on: date,
    receipt: Receipt | None = None,
) -> None:
    """Change an expense that nobody has approved; another receipt takes the place of the old one."""
    entry = _locked(Expense, entry_id, version)
    _fill(entry, values, actor, on)
    if receipt is not None:
        entry.receipt_id = _stored(actor, receipt)
    entry.save()


def _stored(actor: Actor, receipt: Receipt | None) -> UUID | None:
    if receipt is None:
        return None
    return store_file(
        actor=actor,
        content=receipt.content,
        name=receipt.name,
        media_type=receipt.media_type[:100],
        see="retainers.see",
    )


def _locked(kind: type[E], entry_id: UUID, version: int | None) -> E:
    entry = kind.objects.select_for_update(of=("self",)).filter(id=entry_id).first()
    if entry is None:
        raise NotFound()
    if version is not None and entry.version != version:
        raise Stale()
    if entry.status in (EntryStatus.APPROVED, EntryStatus.SETTLED, EntryStatus.WAIVED):
        raise Conflict("approved", "This was approved and does not change any more.")
    entry.version += 1
    entry.status, entry.decided_by_name, entry.decided_at, entry.reason = EntryStatus.ENTERED, "", None, ""
    return entry


def _fill(
    entry: TimeEntry | Expense, values: Mapping[str, Any], actor: Actor, on: date, *, is_new: bool = False
) -> None:
    """Put the values on the entry, fill up what its retainer, its account and its person say, and check the whole."""
    for name in (*_COMMON, *_OWN[type(entry)]):
        if name in values:
            setattr(entry, f"{name}_id" if name in _LINKS else name, values[name])
    if values.get("is_billable") is None:
        entry.is_billable = entry.is_billable if not is_new else True
    entry.tax_class = values.get("tax_class") or entry.tax_class
    retainer = Retainer.objects.filter(id=entry.retainer_id).first() if entry.retainer_id else None
    # What the retainer or the account says is taken anew where they are named, unless the values say it themselves.
    stays = "retainer" not in values and "account" not in values
    entry.currency = values.get("currency") or (entry.currency if stays else "")
    entity_id = values.get("entity") or (entry.entity_id if stays else None)
    if retainer is not None:
        entry.currency = entry.currency or retainer.currency
        entity_id = entity_id or retainer.entity_id
        entry.tax_class = values.get("tax_class") or (retainer.tax_class if is_new else entry.tax_class)
    if not entry.currency:
        entry.currency = billing_facts([entry.account_id], on)[entry.account_id].currency.value
    entry.entity_id = entity_id or default_entity_id()
    _name(entry, actor)
    problems = _problems(entry, retainer, on)
    if problems:
        raise Refusal.of(problems)


def _name(entry: TimeEntry | Expense, actor: Actor) -> None:
    """Whose time it is: the person who is named, else who enters it."""
    if entry.person_id is None and actor.kind == "user":
        entry.person_id = actor.id
    person = User.objects.filter(id=entry.person_id).first() if entry.person_id else None
    entry.person_name = (person.name or person.email) if person is not None else actor.name


def _problems(entry: TimeEntry | Expense, retainer: Retainer | None, on: date) -> list[Problem]:
    found = []
    if entry.day > on:
        found.append(Problem("day", "not_yet", "This day has not come yet."))
    if retainer is not None:
        found += _retainer_problems(entry, retainer)
    if isinstance(entry, Expense):
        try:
            Money.exact(entry.amount, entry.currency)
        except ValueError:
            text = f"{entry.currency} has fewer decimals than this amount."
            found.append(Problem("amount", "too_many_decimals", text))
    elif entry.is_billable and entry.rate is None:
        is_priced = retainer is not None and retainer.unit == Unit.HOURS and retainer.overage_rate is not None
        if not is_priced:
            found.append(Problem("rate", "missing", "Say what an hour costs, or that it is not billable."))
    retainers = {retainer.pk: retainer} if retainer is not None else {}
    found += [problem for _, problem in unbillable([entry], retainers, {entry.entity_id: on})]
    return found


def _retainer_problems(entry: TimeEntry | Expense, retainer: Retainer) -> list[Problem]:
    found = []
    if retainer.account_id != entry.account_id:
        found.append(Problem("retainer", "other_account", "This is the retainer of another account."))
    if entry.day < retainer.starts_on or (retainer.ends_on is not None and entry.day >= retainer.ends_on):
        found.append(Problem("day", "outside", "The retainer does not run on this day."))
    if isinstance(entry, Expense) and retainer.unit == Unit.HOURS:
        found.append(Problem("retainer", "of_hours", "A retainer of hours bears no expenses."))
    if entry.currency != retainer.currency:
        text = f"The retainer is in {retainer.currency}."
        found.append(Problem("currency", "other_currency", text))
    if entry.entity_id != retainer.entity_id:
        found.append(Problem("entity", "other_company", "The retainer is with another company of ours."))
    return found
