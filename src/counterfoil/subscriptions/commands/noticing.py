"""Telling customers that prices rise, and that they do not rise after all: one mail a subscription and increase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts, Recipient
from counterfoil.activities.commands import check_mails, queue_mails
from counterfoil.activities.rules.orders import MailOrder, NewRecipient
from counterfoil.catalog.rules.pricing import Pricing, tiers_from
from counterfoil.core.errors import Refusal
from counterfoil.documents.mail_texts import RisingPrice, increase_mail, increase_off_mail
from counterfoil.invoicing.mailing import NOBODY, recipients_of
from counterfoil.ledger.models import LegalEntity
from counterfoil.ledger.queries import entities
from counterfoil.plumbing.bulk import update_rows
from counterfoil.subscriptions.agreements import Loaded, load
from counterfoil.subscriptions.commands.increasing import CHUNK, moment_at, waits, work_out_again
from counterfoil.subscriptions.commands.raising import leave_out, running, still_rises
from counterfoil.subscriptions.models import NOT_RAISED, IncreaseState, PriceRaise, RaiseState
from counterfoil.subscriptions.queries.increases import has_come, local_day
from counterfoil.subscriptions.rules.grid import day_of
from counterfoil.subscriptions.rules.raising import amounts_of, first_document, takes_effect

_NOBODY_TO_TELL = "No billing contact has an address to which this can be sent."

_WRITTEN = (
    "quantity", "old_net", "new_net", "a_year", "takes_on", "document_on", "notice_on", "noticed_at", "recalled_at",
    "problem", "state", "reason", "version",
)  # fmt: skip

Pair = tuple[UUID, UUID]


@command("subscriptions.send_notices", needs="subscriptions.run")
def send_notices(*, actor: Actor, at: datetime, chunk: int = CHUNK) -> int:
    """Queue the mails about prices that rise, and about those that do not after all, each in the language of its
    account; answers how many. Up to a chunk of subscriptions of each kind, in a fixed number of statements.

    A notice that is late moves the day: the price then rises with the first period that is far enough ahead. Where
    nobody can be told, or the mail cannot be sent, the rows say why and it is tried again every day; the others go on.
    """
    groups = [*_whole(_notices_due(at), chunk), *_whole(_recalls_due(at), chunk)]
    several = {one.subscription.pk: one for one in load([rows[0].subscription for rows in groups])}
    facts, companies = _facts(groups, at), entities()
    orders: list[MailOrder] = []
    for rows in groups:
        one = rows[0].subscription
        known = facts[local_day(one, at)][one.account_id]
        order = _tell(rows, several[one.pk], known, companies[one.entity_id], at)
        if order is not None:
            orders.append(order)
    update_rows([row for rows in groups for row in rows], _WRITTEN)
    if orders:
        queue_mails(actor=actor, orders=orders, at=at)
    return len(orders)


def _notices_due(at: datetime) -> QuerySet[PriceRaise]:
    """Planned raises of which the customer is to be told by now."""
    found = PriceRaise.objects.filter(state=RaiseState.PLANNED, noticed_at=None, notice_on__isnull=False)
    return found.filter(has_come("notice_on", at)).exclude(increase__state=IncreaseState.PLANNING)


def _recalls_due(at: datetime) -> QuerySet[PriceRaise]:
    """Raises that were undone or left out after the customer was told of them, and is not yet told of that."""
    found = PriceRaise.objects.filter(state__in=NOT_RAISED, noticed_at__isnull=False, recalled_at=None)
    return found.filter(has_come("notice_on", at))


def _whole(due: QuerySet[PriceRaise], chunk: int) -> list[list[PriceRaise]]:
    """Lock what is due, for each increase and subscription. What another worker has a part of is left to the next
    time, so that no mail tells half.
    """
    counted = due.values("increase_id", "subscription_id").annotate(first=Min("notice_on"), count=Count("id"))
    counts: dict[Pair, int] = {
        (one["increase_id"], one["subscription_id"]): one["count"]
        for one in counted.order_by("first", "subscription_id", "increase_id")[:chunk]
    }
    if not counts:
        return []
    rows = due.filter(
        increase__in={increase_id for increase_id, _ in counts},
        subscription__in={subscription_id for _, subscription_id in counts},
    ).select_related("subscription", "increase", "item")
    groups: dict[Pair, list[PriceRaise]] = {pair: [] for pair in counts}
    for row in rows.order_by("id").select_for_update(of=("self",), skip_locked=True):
        groups.get((row.increase_id, row.subscription_id), []).append(row)
    return [found for pair, found in groups.items() if len(found) == counts[pair]]


def _facts(groups: Sequence[Sequence[PriceRaise]], at: datetime) -> dict[date, Mapping[UUID, BillingFacts]]:
    """What is known of the accounts of the groups, on the day at each company."""
    accounts: dict[date, set[UUID]] = {}
    for rows in groups:
        one = rows[0].subscription
        accounts.setdefault(local_day(one, at), set()).add(one.account_id)
    return {day: billing_facts(sorted(wanted), day) for day, wanted in accounts.items()}


def _tell(
    rows: Sequence[PriceRaise], loaded: Loaded, facts: BillingFacts, entity: LegalEntity, at: datetime
) -> MailOrder | None:
    """The mail of a group, and what its rows then say; none where nothing is to be told, or it cannot be sent."""
    today, people = local_day(loaded.subscription, at), recipients_of(facts)
    days = {row.pk: (row.takes_on, row.document_on) for row in rows}
    for row in rows:
        row.version += 1
    try:
        for row in rows:
            if people and row.state == RaiseState.PLANNED:
                _move_day(loaded, row, today)
        rows = [row for row in rows if _is_to_be_told(loaded, row)]
        if not rows:
            return None
        if not people:
            raise Refusal("nobody", _NOBODY_TO_TELL)
        order = _order(rows, facts, entity, people)
        check_mails([order])
    except (Refusal, ValueError, ArithmeticError) as error:
        for row in rows:
            row.takes_on, row.document_on = days[row.pk]
            row.problem = (error.problems[0].message if isinstance(error, Refusal) else str(error))[:500]
            row.notice_on = today + timedelta(days=1)
        return None
    for row in rows:
        row.problem = ""
        if row.state == RaiseState.PLANNED:
            row.noticed_at = at
        else:
            row.recalled_at = at
    return order


def _is_to_be_told(loaded: Loaded, row: PriceRaise) -> bool:
    """Whether the mail names a row, whose figures are then those of what is agreed for its day by now.

    What will not rise is left out at once. What ended, or has another price by then, does not stay as it is, so nobody
    is told that it does.
    """
    moment = moment_at(loaded, row.takes_on)
    if row.state == RaiseState.PLANNED:
        item = still_rises(loaded, row)
        if item is not None and not work_out_again(row, item, moment):
            leave_out(row, "too_large")
        if row.state == RaiseState.LEFT_OUT:
            row.problem = ""
        return row.state == RaiseState.PLANNED
    item = running(loaded, row, moment)
    if item is None:
        row.notice_on, row.problem = None, ""
        return False
    work_out_again(row, item, moment)
    return True


def _order(
    rows: Sequence[PriceRaise], facts: BillingFacts, entity: LegalEntity, people: Sequence[Recipient]
) -> MailOrder:
    """The mail of a group."""
    first, one = rows[0], rows[0].subscription
    addressed = [person for person in people if person.line == "to"]
    is_off = first.state != RaiseState.PLANNED
    text = (increase_off_mail if is_off else increase_mail)(
        [_rising(row) for row in rows],
        facts.language.value,
        entity.legal_name,
        entity.country,
        one.title,
        addressed[0].name if len(addressed) == 1 else "",
    )
    sender = entity.email or NOBODY
    return MailOrder(
        cause=f"price-increase{'-off' if is_off else ''}:{first.increase_id}:{one.pk}:{first.pk}",
        sender=f"{entity.legal_name} <{sender}>",
        reply_to=sender,
        subject=text.subject,
        body=text.body,
        recipients=tuple(NewRecipient(each.line, each.email, each.name, each.contact_id) for each in people),
        record_key="subscriptions.subscription",
        record_id=one.pk,
        account_id=one.account_id,
    )


def _rising(row: PriceRaise) -> RisingPrice:
    item = row.item
    if not item.is_metered:
        return RisingPrice(item.description, (row.old_net,), (row.new_net,), row.currency, row.takes_on)
    old = Pricing(item.model, row.old_amount, item.per, tiers_from(row.old_tiers))
    new = Pricing(item.model, row.new_amount, item.per, tiers_from(row.new_tiers))
    return RisingPrice(
        item.description, amounts_of(old), amounts_of(new), row.currency, row.takes_on, is_usage=True, per=item.per
    )


def _move_day(loaded: Loaded, row: PriceRaise, today: date) -> None:
    """Let the price rise no sooner than the days of notice from today on, if it would."""
    earliest = today + timedelta(days=row.increase.notice_days or 0)
    item = running(loaded, row, moment_at(loaded, row.takes_on))
    if row.takes_on >= earliest or item is None:
        return
    takes = takes_effect(item, moment_at(loaded, earliest), is_at_renewal=waits(loaded, row.increase))
    zone = loaded.subscription.zone
    row.takes_on, row.document_on = day_of(takes, zone), day_of(first_document(item, takes), zone)
