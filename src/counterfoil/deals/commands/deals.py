"""Adding and changing deals, their lines and their people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.models import Contact, ContactRole
from counterfoil.accounts.queries import billing_facts, default_currency
from counterfoil.core.errors import NotFound, Problem, Refusal
from counterfoil.core.money import currency_decimals
from counterfoil.deals.commands.lines import Offered, offered_lines, write_lines
from counterfoil.deals.commands.locking import locked_deal, refuse_when_handed_over
from counterfoil.deals.events import DealAdded, DealChanged
from counterfoil.deals.models import Deal, DealContact, DealLine, Pipeline, Stage, StageKind
from counterfoil.deals.rules.amounts import PricedLine, deal_amount
from counterfoil.invoicing.references import changed_values
from counterfoil.plumbing.outbox import emit

AMOUNT_LIMIT = Decimal(10) ** 15
HANDED_OVER = frozenset(
    {
        "account",
        "currency",
        "entity",
        "po_number",
        "references",
        "reference_values",
        "lines",
        "amount",
        "service_starts_on",
    }
)
"""What a draft and a subscription are made from."""

_LINKS = {"account": "account_id", "owner": "owner_id", "entity": "entity_id"}
_PLAIN = (
    "name", "currency", "expected_close_on", "next_step", "po_number", "references", "service_starts_on", "engaged_on",
    "notes", "external_id",
)  # fmt: skip


@command("deals.add_deal", needs="deals.change", takes={"values": Takes("deals.deal")})
def add_deal(*, actor: Actor, values: Mapping[str, Any], on: date) -> UUID:
    """Add an open deal. It stands in the first open stage of the first pipeline unless the values name another.

    The owner is the account's owner, else the user who adds it; the currency is the account's.
    """
    stage = _stage_for(values)
    account_id = values.get("account")
    facts = billing_facts([account_id], on).get(account_id) if account_id else None
    deal = Deal(
        pipeline_id=stage.pipeline_id,
        stage=stage,
        stage_since=on,
        currency=values.get("currency") or (facts.currency.value if facts else default_currency()),
    )
    _set(deal, values)
    if deal.owner_id is None:
        deal.owner_id = actor.id if actor.kind == "user" else (facts.owner_id if facts else None)
    offered = offered_lines(values.get("lines", ()), (), deal.currency)
    deal.amount = _amount(values.get("amount"), offered, deal.currency, Decimal(0))
    _refuse_second_external_id(deal)
    deal.save(force_insert=True)
    write_lines(deal.pk, offered, ())
    emit(
        DealAdded(
            deal_id=deal.pk,
            account_id=deal.account_id,
            title=deal.name,
            amount=deal.amount.quantize(Decimal(1).scaleb(-currency_decimals(deal.currency))),
            currency=deal.currency,
        )
    )
    return deal.pk


@command("deals.change_deal", needs="deals.change", takes={"values": Takes("deals.deal", partial=True)})
def change_deal(
    *, actor: Actor, deal_id: UUID, values: Mapping[str, Any], version: int | None = None, on: date
) -> None:
    """Change a deal. Lines are given whole. What a live draft was made from is refused."""
    deal = locked_deal(deal_id, version)
    before = list(deal.lines.order_by("position"))
    old = {name: getattr(deal, _LINKS.get(name, name)) for name in (*_PLAIN, *_LINKS, "reference_values", "amount")}
    _refuse_other_stage(deal, values)
    _set(deal, values)
    if not deal.currency:
        deal.currency = old["currency"]
    offered = _lines_after(values, before, deal, is_other_currency=deal.currency != old["currency"])
    deal.amount = _amount(values.get("amount"), offered, deal.currency, old["amount"])
    changed = [name for name, value in old.items() if getattr(deal, _LINKS.get(name, name)) != value]
    if "lines" in values and offered != [Offered.of(line) for line in before]:
        changed.append("lines")
    if not changed:
        return
    if HANDED_OVER.intersection(changed):
        refuse_when_handed_over(deal, "what it was made from cannot be changed")
    if "external_id" in changed:
        _refuse_second_external_id(deal)
    deal.version += 1
    deal.save()
    if "lines" in changed:
        write_lines(deal.pk, offered, before)
    emit(DealChanged(deal_id=deal.pk, account_id=deal.account_id, title=deal.name, fields=tuple(sorted(changed))))


@command("deals.set_deal_contact", needs="deals.change")
def set_deal_contact(*, actor: Actor, deal_id: UUID, contact_id: UUID, role: str) -> UUID:
    """Give a person a part in a deal. Doing so again changes nothing."""
    deal = locked_deal(deal_id)
    if role not in ContactRole.values:
        some = ", ".join(ContactRole.values)
        raise Refusal("not_a_choice", f"Role cannot be “{str(role)[:60]}”. It is one of: {some}.", "role")
    if not Contact.objects.filter(pk=contact_id).exists():
        raise Refusal("no_such_record", "Contact: there is no such record.", "contact")
    part, is_new = DealContact.objects.get_or_create(deal=deal, contact_id=contact_id, role=role)
    if is_new:
        _touch(deal, "contacts")
    return part.pk


@command("deals.remove_deal_contact", needs="deals.change")
def remove_deal_contact(*, actor: Actor, deal_id: UUID, part_id: UUID) -> None:
    """Take a person's part in a deal away. The person and the history stay."""
    deal = locked_deal(deal_id)
    removed, _ = DealContact.objects.filter(deal=deal, pk=part_id).delete()
    if not removed:
        raise NotFound("This person has no such part in the deal any more.")
    _touch(deal, "contacts")


def _touch(deal: Deal, changed: str) -> None:
    Deal.objects.filter(pk=deal.pk).update(version=F("version") + 1)
    emit(DealChanged(deal_id=deal.pk, account_id=deal.account_id, title=deal.name, fields=(changed,)))


def _set(deal: Deal, values: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in values:
            setattr(deal, name, values[name])
    if "reference_values" in values:
        deal.reference_values = changed_values(deal.reference_values, values["reference_values"])
    for name, attribute in _LINKS.items():
        if name in values:
            setattr(deal, attribute, values[name])


def _stage_for(values: Mapping[str, Any]) -> Stage:
    """The open stage that the values name, or the first one of the pipeline that they name, or of the first one."""
    if values.get("stage"):
        stage = Stage.objects.get(pk=values["stage"])
        if values.get("pipeline") not in (None, stage.pipeline_id):
            raise Refusal("not_in_pipeline", "This stage belongs to another pipeline.", "stage")
        if stage.kind != StageKind.OPEN:
            raise Refusal("not_open", "A new deal starts in an open stage. Mark it won or lost afterwards.", "stage")
        return stage
    pipelines = Pipeline.objects.filter(is_active=True).order_by("position", "name")
    if values.get("pipeline"):
        pipelines = pipelines.filter(pk=values["pipeline"])
    stages = Stage.objects.filter(pipeline__in=pipelines, kind=StageKind.OPEN)
    found = stages.order_by("pipeline__position", "pipeline__name", "position").first()
    if found is None:
        raise Refusal(
            "no_pipeline", "There is no pipeline in use with an open stage. Ask an admin to add one.", "pipeline"
        )
    return found


def _refuse_other_stage(deal: Deal, values: Mapping[str, Any]) -> None:
    """Stages are changed by moving, winning and losing, each of which has its own conditions."""
    problems = [
        Problem(name, "use_move", "Move the deal to change its stage.")
        for name in ("pipeline", "stage")
        if values.get(name) not in (None, getattr(deal, f"{name}_id"))
    ]
    if problems:
        raise Refusal.of(problems)


def _lines_after(
    values: Mapping[str, Any], before: Sequence[DealLine], deal: Deal, *, is_other_currency: bool
) -> list[Offered]:
    """The lines as they will be. Prices of lines that stay belong to the currency in which they were given."""
    if "lines" in values:
        return offered_lines(values["lines"], before, deal.currency)
    if is_other_currency and before:
        raise Refusal("priced_lines", "Enter the lines’ prices in the new currency at the same time.", "currency")
    return [Offered.of(line) for line in before]


def _amount(given: Decimal | None, offered: Sequence[Offered], currency: str, old: Decimal) -> Decimal:
    """The sum of the lines, or without lines what somebody expects."""
    if not offered:
        amount = old if given is None else given
        if amount.quantize(Decimal(1).scaleb(-currency_decimals(currency))) != amount:
            decimals = currency_decimals(currency)
            raise Refusal("too_many_decimals", f"An amount in {currency} has at most {decimals} decimals.", "amount")
        return amount
    lines = [PricedLine(line.quantity, line.unit_price, line.discount_percent) for line in offered]
    total = sum((line.quantity * line.unit_price for line in lines), Decimal(0))
    if total >= AMOUNT_LIMIT:
        raise Refusal("out_of_range", "The sum of the lines is out of range.", "lines")
    amount = deal_amount(lines, currency).amount
    if given is not None and given not in (amount, old):
        raise Refusal("worked_out", f"The amount is the sum of the lines: {amount} {currency}.", "amount")
    return amount


def _refuse_second_external_id(deal: Deal) -> None:
    if deal.external_id and Deal.objects.filter(external_id=deal.external_id).exclude(pk=deal.pk).exists():
        raise Refusal("taken", "Another deal has this id already.", "external_id")
