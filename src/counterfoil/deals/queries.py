"""What can be read of deals. What an actor gets is projected; what other commands get is named so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Prefetch, Q, QuerySet, Sum, Value

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.access.projection import CLOSED, Row, project, project_one
from counterfoil.accounts.models import Account
from counterfoil.accounts.queries import billing_facts
from counterfoil.accounts.rules.facts import BillingFacts, Recipient
from counterfoil.activities.models import Task
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.core.text import normalised_name
from counterfoil.deals.models import Deal, DealContact, DealLine, Handoff, Pipeline, Renewal, Stage, StageKind
from counterfoil.deals.rules.amounts import PricedLine, line_net, weighted
from counterfoil.deals.rules.readiness import ASKED, DealFacts, Fix, Item, RequiredReference, readiness, who_may
from counterfoil.invoicing.models import Invoice, InvoiceStatus, ReferenceField
from counterfoil.invoicing.queries import get_invoice, invoices_of_deals
from counterfoil.invoicing.references import required
from counterfoil.plumbing.record_types import record_type
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.queries.rows import with_state
from counterfoil.subscriptions.rules.grid import day_of, restored

CARDS = 15
LIVE = (InvoiceStatus.DRAFT, InvoiceStatus.ISSUED)
RENEWAL_DAYS = 30
"""So many days before the last day for notice, the deal of a renewal is opened."""


# For commands ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Document:
    """What billing made of a handoff, as far as a deal's commands need it."""

    invoice_id: UUID
    deal_id: UUID
    quote_version: int
    status: str
    number: str

    @property
    def words(self) -> str:
        return f"invoice {self.number}" if self.number else "draft"


def documents_of_deals(deal_ids: Sequence[UUID]) -> list[Document]:
    """The drafts and invoices that were made of these deals, newest quote version first. Not for output."""
    rows = Invoice.objects.filter(deal_id__in=deal_ids).order_by("-quote_version")
    return [
        Document(invoice_id, deal_id, quote_version, status, number)
        for invoice_id, deal_id, quote_version, status, number in rows.values_list(
            "id", "deal_id", "quote_version", "status", "number"
        )
        if deal_id is not None and quote_version is not None
    ]


def is_live(document: Document) -> bool:
    """Whether billing still holds it: it was neither returned nor made void."""
    return document.status in LIVE


def held_of(handoff: Handoff) -> str:
    """What billing still holds of a handoff, in words; empty when it was returned, is void, or never ran.

    A draft speaks for the subscription whose first period stands on it.
    """
    if handoff.invoice_id is not None:
        made = [one for one in documents_of_deals([handoff.deal_id]) if one.invoice_id == handoff.invoice_id]
        return made[0].words if made and is_live(made[0]) else ""
    assert handoff.subscription_id is not None
    subscription = Subscription.objects.filter(pk=handoff.subscription_id).first()
    return f"subscription {subscription.number}" if subscription is not None and not subscription.never_ran else ""


def renewal_is_due(subscription: Subscription, on: date) -> bool:
    """Whether the deal about what follows the committed term is to be opened, and was not."""
    if subscription.committed_to is None or subscription.ends_at is not None:
        return False
    ahead = timedelta(days=subscription.notice_days + RENEWAL_DAYS)
    opened = Renewal.objects.filter(subscription_id=subscription.pk, committed_to=subscription.committed_to)
    return on >= subscription.committed_to - ahead and not opened.exists()


def due_renewals(on: date, limit: int) -> list[UUID]:
    """Subscriptions that go on and whose committed term ends within the days of notice and thirty more; also those
    whose term ended meanwhile. The first to end stand first.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id FROM subscriptions_subscription s
            WHERE s.committed_to IS NOT NULL AND s.ends_at IS NULL
              AND s.committed_to - s.notice_days - %s <= %s
              AND NOT EXISTS (SELECT 1 FROM deals_renewal r
                              WHERE r.subscription_id = s.id AND r.committed_to = s.committed_to)
            ORDER BY s.committed_to, s.id LIMIT %s
            """,
            [RENEWAL_DAYS, on, limit],
        )
        return [subscription_id for (subscription_id,) in cursor.fetchall()]


def facts_of_account(account_id: UUID | None, on: date) -> BillingFacts | None:
    return billing_facts([account_id], on).get(account_id) if account_id else None


def deal_facts(deal: Deal, lines: Iterable[DealLine], required: Iterable[ReferenceField]) -> DealFacts:
    """What the deal itself says to billing. ``required`` are the references that no deal is won without."""
    nets = [line_net(PricedLine(one.quantity, one.unit_price, one.discount_percent), deal.currency) for one in lines]
    return DealFacts(
        deal_id=deal.pk,
        account_id=deal.account_id,
        currency=deal.currency,
        po_number=deal.po_number,
        lines=len(nets),
        priced=sum(1 for net in nets if net),
        required=tuple(
            RequiredReference(one.key, one.name, deal.reference_values.get(one.key, "")) for one in required
        ),
    )


# One deal -------------------------------------------------------------------------------------------------------------


def get_deal(actor: Actor, deal_id: UUID, on: date) -> Row:
    """The deal with the titles of what it links to."""
    return _rows(actor, [_found(actor, deal_id)], on)[0]


def _found(actor: Actor, deal_id: UUID) -> Deal:
    deal = _whole(Deal.objects.filter(pk=deal_id)).first() if actor.may("deals.see") else None
    if deal is None:
        raise NotFound()
    return deal


def _whole(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    """With everything that the projection reads, in three statements."""
    return deals.select_related("account", "owner", "stage", "pipeline", "entity").prefetch_related(
        Prefetch("lines", DealLine.objects.order_by("position").select_related("product")),
        Prefetch("contacts", DealContact.objects.order_by("id").select_related("contact")),
    )


def _rows(actor: Actor, deals: Sequence[Deal], on: date) -> list[Row]:
    rows = project(actor, "deals.deal", deals)
    for row, deal in zip(rows, deals, strict=False):
        row.plus(
            account_title=_title("accounts.account", deal.account),
            owner_title=_title("access.user", deal.owner),
            entity_title=_title("ledger.entity", deal.entity),
            stage_title=deal.stage.name,
            pipeline_title=deal.pipeline.name,
            product_titles={
                line.product_id: _title("catalog.product", line.product) for line in deal.lines.all() if line.product
            },
            days_in_stage=(on - deal.stage_since).days if deal.stage_since else None,
            shows_readiness=deal.stage.shows_readiness,
            probability=deal.stage.probability,
        )
    return rows


def _title(key: str, record: Any) -> str:
    return record_type(key).title(record) if record is not None else ""


def titles_of(actor: Actor, ids: Iterable[Any]) -> dict[str, str]:
    """The names of accounts and users, for filters and forms that hold only their ids. What is no id is left out."""
    wanted = {found for text in ids if (found := _as_id(text)) is not None}
    if not wanted:
        return {}
    titles = {str(user.pk): _title("access.user", user) for user in User.objects.filter(pk__in=wanted)}
    if actor.may("accounts.see"):
        accounts = Account.objects.filter(pk__in=wanted)
        titles |= {str(account.pk): _title("accounts.account", account) for account in accounts}
    return titles


def _as_id(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


# Lists ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A page of rows, and the count and sums of all that were found."""

    rows: list[Row]
    count: int
    sums: dict[str, Money]


SORTS = {
    "name": "name",
    "account": "account__sort_key",
    "owner": "owner__name",
    "stage": "stage__position",
    "amount": "amount",
    "expected_close_on": "expected_close_on",
    "stage_since": "stage_since",
    "closed_on": "closed_on",
    "created_at": "id",
}


def list_deals(
    actor: Actor,
    *,
    on: date,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "-created_at",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """The deals that match, sorted, with count and sum per currency of all of them."""
    if not actor.may("deals.see"):
        return Found([], 0, {})
    matching = _matching(text, filters or {})
    name = sort.removeprefix("-")
    column = F(SORTS.get(name, "created_at"))
    order = column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)
    wanted = _whole(matching.order_by(order, "-id"))[offset : offset + limit]
    totals = matching.order_by().values("currency").annotate(count=Count("id"), sum=Sum("amount")).order_by("currency")
    found = list(totals)
    return Found(
        rows=_rows(actor, list(wanted), on),
        count=sum(row["count"] for row in found),
        sums={row["currency"]: Money.exact(row["sum"], row["currency"]) for row in found},
    )


def deals_after(
    actor: Actor, *, on: date, after: UUID | None, take: int, filters: Mapping[str, Any] | None = None
) -> list[Row]:
    """The deals with an id above ``after``, oldest first: a page by cursor."""
    if not actor.may("deals.see"):
        return []
    matching = _matching("", filters or {})
    if after is not None:
        matching = matching.filter(pk__gt=after)
    return _rows(actor, list(_whole(matching.order_by("id"))[:take]), on)


_EXACT = {
    "status": "status__in",
    "pipeline": "pipeline_id__in",
    "stage": "stage_id__in",
    "owner": "owner_id__in",
    "account": "account_id__in",
    "entity": "entity_id__in",
    "currency": "currency__in",
}
_RANGES = {"amount", "expected_close_on", "closed_on", "stage_since", "engaged_on"}


def _matching(text: str, filters: Mapping[str, Any]) -> QuerySet[Deal]:
    found = Deal.objects.all()
    if text.strip():
        wanted = text.strip()
        accounts = Account.objects.filter(normalised_name__contains=normalised_name(wanted)).values("pk")
        found = found.filter(Q(name__icontains=wanted) | Q(account__in=accounts) | Q(external_id=wanted))
    for name, values in filters.items():
        if name in _EXACT:
            found = found.filter(**{_EXACT[name]: list(values)})
        elif name in _RANGES:
            lowest, highest = values
            if lowest is not None:
                found = found.filter(**{f"{name}__gte": lowest})
            if highest is not None:
                found = found.filter(**{f"{name}__lte": highest})
        elif name == "is_imported":
            found = found.filter(is_imported__in=list(values))
    return found


def deals_of_account(actor: Actor, account_id: UUID, on: date, limit: int = 20) -> Found:
    """The account's deals: open ones first, then the newest."""
    if not actor.may("deals.see"):
        return Found([], 0, {})
    matching = Deal.objects.filter(account_id=account_id)
    ranked = matching.annotate(is_closed=~Q(status=StageKind.OPEN)).order_by("is_closed", "-closed_on", "-id")
    rows = _rows(actor, list(_whole(ranked)[:limit]), on)
    totals = list(
        matching.filter(status=StageKind.OPEN).values("currency").annotate(sum=Sum("amount")).order_by("currency")
    )
    sums = {row["currency"]: Money.exact(row["sum"], row["currency"]) for row in totals}
    return Found(rows, matching.count(), sums)


# Pipelines ------------------------------------------------------------------------------------------------------------


def list_pipelines(actor: Actor, *, in_use_only: bool = False) -> list[Row]:
    """The pipelines, each with its stages in order under ``stages``."""
    pipelines = Pipeline.objects.order_by("position", "name").prefetch_related(
        Prefetch("stages", Stage.objects.order_by("position"))
    )
    if in_use_only:
        pipelines = pipelines.filter(is_active=True)
    found = list(pipelines)
    rows = project(actor, "deals.pipeline", found)
    for row, pipeline in zip(rows, found, strict=False):
        row.plus(stages=project(actor, "deals.stage", list(pipeline.stages.all())))
    return rows


def get_pipeline(actor: Actor, pipeline_id: UUID) -> Row:
    """One pipeline with its stages, and under ``held`` how many deals each stage holds."""
    pipeline = Pipeline.objects.filter(pk=pipeline_id).prefetch_related(
        Prefetch("stages", Stage.objects.order_by("position"))
    )
    found = pipeline.first()
    row = project_one(actor, "deals.pipeline", found)
    assert found is not None
    held = Deal.objects.filter(pipeline_id=pipeline_id).values("stage").annotate(count=Count("id"))
    return row.plus(
        stages=project(actor, "deals.stage", list(found.stages.all())),
        held={one["stage"]: one["count"] for one in held},
    )


def get_stage(actor: Actor, stage_id: UUID) -> Row:
    return project_one(actor, "deals.stage", Stage.objects.filter(pk=stage_id).first())


# The board ------------------------------------------------------------------------------------------------------------


@dataclass
class Column:
    """A stage on the board. ``cards`` are the first of ``count`` deals; ``next`` asks for those after them."""

    stage: Row
    count: int = 0
    sums: dict[str, Money] = field(default_factory=dict)
    weighted: dict[str, Money] = field(default_factory=dict)
    days: int | None = None
    cards: list[Row] = field(default_factory=list)
    next: str = ""


def board(
    actor: Actor, pipeline_id: UUID, *, on: date, text: str = "", filters: Mapping[str, Any] | None = None
) -> list[Column]:
    """The pipeline's stages with their first cards, in a fixed number of statements however many deals there are."""
    columns = {
        column.stage.id: column for column in column_heads(actor, pipeline_id, on=on, text=text, filters=filters)
    }
    matching = _matching(text, filters or {})
    heads = [_in_order(matching.filter(stage_id=stage_id)).values("pk")[:CARDS] for stage_id in columns]
    first: Any = heads[0].union(*heads[1:], all=True) if heads else Deal.objects.none()
    deals = list(_in_order(_whole(Deal.objects.filter(pk__in=[row["pk"] for row in first]))))
    for card in _cards(actor, deals, on):
        columns[card.stage].cards.append(card)
    for column in columns.values():
        if column.count > len(column.cards):
            column.next = _cursor(column.cards)
    return list(columns.values())


def column_heads(
    actor: Actor, pipeline_id: UUID, *, on: date, text: str = "", filters: Mapping[str, Any] | None = None
) -> list[Column]:
    """The columns without their cards: counts, sums and ages."""
    pipeline = get_pipeline(actor, pipeline_id)
    columns = {stage.id: Column(stage) for stage in pipeline.stages}
    _count(columns, _matching(text, filters or {}).filter(pipeline_id=pipeline_id), on)
    return list(columns.values())


def more_cards(
    actor: Actor,
    stage_id: UUID,
    *,
    on: date,
    after: str,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
) -> tuple[list[Row], str]:
    """The cards of a column after the cursor, and the cursor of those that follow."""
    if not actor.may("deals.see"):
        raise NotFound()
    since, last = _read_cursor(after)
    behind = Q(stage_since=since, pk__lt=last)
    if since is not None:
        behind |= Q(stage_since__lt=since) | Q(stage_since=None)
    matching = _matching(text, filters or {}).filter(behind, stage_id=stage_id)
    deals = list(_in_order(_whole(matching))[: CARDS + 1])
    cards = _cards(actor, deals[:CARDS], on)
    return cards, _cursor(cards) if len(deals) > CARDS else ""


def _in_order(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    """The order of cards in a column: those that came last stand first."""
    return deals.order_by(F("stage_since").desc(nulls_last=True), "-id")


_UNKNOWN = "-"


def _cursor(cards: Sequence[Row]) -> str:
    if not cards:
        return ""
    since = cards[-1].stage_since
    return f"{since.isoformat() if since else _UNKNOWN}_{cards[-1].id}"


def _read_cursor(after: str) -> tuple[date | None, UUID]:
    since, _, last = after.partition("_")
    try:
        return None if since == _UNKNOWN else date.fromisoformat(since), UUID(last)
    except ValueError:
        raise NotFound("This part of the board does not exist.") from None


def _count(columns: dict[UUID, Column], matching: QuerySet[Deal], on: date) -> None:
    totals = (
        matching.order_by()
        .values("stage_id", "currency")
        .annotate(
            count=Count("id"),
            sum=Sum("amount"),
            dated=Count("stage_since"),
            days=Sum(Value(on) - F("stage_since")),
        )
        .order_by("currency")
    )
    ages: dict[UUID, tuple[int, int]] = {}
    for row in totals:
        column = columns[row["stage_id"]]
        amount = Money.exact(row["sum"], row["currency"])
        column.count += row["count"]
        column.sums[amount.currency] = amount
        column.weighted[amount.currency] = weighted(amount, column.stage.probability)
        days, dated = ages.get(row["stage_id"], (0, 0))
        ages[row["stage_id"]] = (days + (row["days"].days if row["days"] else 0), dated + row["dated"])
    for stage_id, (days, dated) in ages.items():
        if dated:
            columns[stage_id].days = days // dated


def _cards(actor: Actor, deals: Sequence[Deal], on: date) -> list[Row]:
    """Open cards say how much billing still needs; won ones what became of the invoice."""
    rows = _rows(actor, deals, on)
    open_ids = {deal.account_id for deal in deals if deal.status == StageKind.OPEN and deal.account_id}
    facts = billing_facts(sorted(open_ids), on) if open_ids else {}
    needed = required() if any(deal.status == StageKind.OPEN for deal in deals) else []
    won = [deal.pk for deal in deals if deal.status == StageKind.WON]
    documents = invoices_of_deals(actor, won, on) if won else {}
    for row, deal in zip(rows, deals, strict=False):
        items: tuple[Item, ...] = ()
        if deal.status == StageKind.OPEN:
            billing = facts.get(deal.account_id) if deal.account_id else None
            items = readiness(deal_facts(deal, deal.lines.all(), needed), billing)
        lacking = [item.label for item in items if not item.ok]
        row.plus(lacking=lacking, documents=documents.get(deal.pk, []))
    return rows


# Readiness and the handoff --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Need:
    """One thing that billing needs, as an actor may see it. ``who`` are the roles that may enter it.

    ``is_asked``: a task is open that asks for it.
    """

    code: str
    label: str
    ok: bool
    value: Any
    source: str
    missing: str
    fix: Fix
    may_fix: bool
    who: tuple[str, ...]
    is_asked: bool


def readiness_of(actor: Actor, deal_id: UUID, on: date) -> list[Need]:
    """What billing needs of the deal. A value of a closed group is hidden; whether it is there is not."""
    deal = _found(actor, deal_id)
    items = readiness(deal_facts(deal, deal.lines.all(), required()), facts_of_account(deal.account_id, on))
    asked = Task.objects.filter(record_id=deal_id, done_at=None, cause__startswith=f"{ASKED}:")
    codes = {cause.rpartition(":")[2] for cause in asked.values_list("cause", flat=True)}
    return [_need(actor, item, item.code in codes) for item in items]


def _need(actor: Actor, item: Item, is_asked: bool) -> Need:
    reads = actor.reads
    is_open = item.fix.group in reads
    return Need(
        code=item.code,
        label=item.label,
        ok=item.ok,
        value=item.value if is_open or not item.value else CLOSED,
        source=item.source if is_open else "",
        missing=item.missing,
        fix=item.fix,
        may_fix=actor.may(item.fix.needs) and item.fix.group in actor.writes,
        who=who_may(item.fix),
        is_asked=is_asked,
    )


@dataclass(frozen=True)
class Recurring:
    """The subscription that a deal started. ``next_on`` is its next billing day; ``state`` is that which the
    subscription's own page shows, or ``returned`` where it was taken back.

    It ``waits`` while the draft with its first period is reviewed: nothing more is billed until that is issued.
    """

    id: UUID
    number: str
    starts_on: date
    next_on: date | None
    ends_on: date | None
    waits: bool
    is_parked: bool
    state: str


@dataclass(frozen=True)
class HandoffState:
    """What became of a won deal: the draft or invoice of its newest handoff, whole, and its subscription.

    ``earlier`` are the documents of the handoffs before it. ``was_won_elsewhere``: it came won from another system and
    was never handed over here. ``recipients`` are those who would receive the document as of today.
    """

    document: Row | None = None
    subscription: Recurring | None = None
    earlier: tuple[Row, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    made_at: datetime | None = None
    by_name: str = ""
    is_live: bool = False
    may_hand_over: bool = False
    was_won_elsewhere: bool = False


def handoff_of(actor: Actor, deal_id: UUID, on: date) -> HandoffState | None:
    """The handoff of a deal, or ``None`` for one that was never won."""
    deal = _found(actor, deal_id)
    last = Handoff.objects.filter(deal=deal).order_by("-quote_version").first()
    if last is None:
        return HandoffState(was_won_elsewhere=True) if deal.status == StageKind.WON else None
    documents = documents_of_deals([deal_id])
    live = any(is_live(document) for document in documents) or (last.invoice_id is None and bool(held_of(last)))
    may_see = actor.may("invoicing.see")
    facts = facts_of_account(deal.account_id, on)
    has_earlier = len(documents) > (1 if last.invoice_id is not None else 0)
    made = invoices_of_deals(actor, [deal_id], on).get(deal_id, []) if has_earlier else []
    return HandoffState(
        document=get_invoice(actor, last.invoice_id, on) if may_see and last.invoice_id is not None else None,
        subscription=_recurring(actor, last, documents, on),
        earlier=tuple(row for row in made if row.id != last.invoice_id),
        recipients=facts.deliverable if facts else (),
        made_at=last.made_at,
        by_name=last.by_name,
        is_live=live,
        may_hand_over=not live and deal.status == StageKind.WON and actor.may("deals.win"),
    )


def _recurring(actor: Actor, handoff: Handoff, documents: Sequence[Document], on: date) -> Recurring | None:
    if handoff.subscription_id is None or not actor.may("subscriptions.see"):
        return None
    one = with_state(Subscription.objects.filter(pk=handoff.subscription_id), on).get()

    def day(moment: datetime | None) -> date | None:
        return None if moment is None else day_of(restored(moment, one.basis), one.zone)

    starts_on = day(one.starts_at)
    assert starts_on is not None
    mine = [document for document in documents if document.invoice_id == handoff.invoice_id]
    return Recurring(
        id=one.pk,
        number=one.number,
        starts_on=starts_on,
        next_on=day(one.due_at),
        ends_on=day(one.ends_at),
        waits=any(document.status == InvoiceStatus.DRAFT for document in mine),
        is_parked=one.parked_at is not None,
        state="returned" if one.never_ran else one.state,
    )
