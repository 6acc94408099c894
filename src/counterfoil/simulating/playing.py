"""Playing a scenario: its entries and the days' runs in order, by the commands that production uses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any, TypeVar
from uuid import UUID

from django.db import DatabaseError, DataError, connection, transaction

from counterfoil.core.errors import Problem, Refusal
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import DocumentKind, Invoice, InvoiceLine, Origin
from counterfoil.invoicing.rules import discounts as document
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder, DraftOrder, OrderLine
from counterfoil.payments import commands as payments
from counterfoil.payments.rules.orders import PaymentOrder
from counterfoil.plumbing import clock
from counterfoil.plumbing.bulk import read_where
from counterfoil.plumbing.scratch import as_one_wish, ask_now, scratch, settings_stay
from counterfoil.simulating.rules import scenario as said
from counterfoil.simulating.rules.collecting import next_attempt, reminder_days
from counterfoil.simulating.rules.extent import PERIODS_MAX, refuse_endless, too_long
from counterfoil.simulating.rules.scenario import Scenario, path_of, taxes_together
from counterfoil.simulating.stage import ACTOR, Stage, set_up
from counterfoil.subscriptions import commands as subscriptions
from counterfoil.subscriptions.commands import UsageOrder
from counterfoil.subscriptions.models import Subscription
from counterfoil.subscriptions.rules.agreement import Discount
from counterfoil.subscriptions.rules.grid import restored
from counterfoil.subscriptions.rules.orders import ItemOrder, SubscriptionOrder

R = TypeVar("R")
_FOLLOWED = (
    "kind", "payer_id", "entity_id", "currency", "total", "settled", "credited", "issued_on", "due_on",
)  # fmt: skip
_AS_ISSUED = "issued_on, sequence"
"""Numbers begin again with each year."""
STAGES_AT_ONCE = 8
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_NO_YEAR = re.compile(r"year -?\d+ is out of range|.* is outside the calendar$")


@dataclass(frozen=True)
class Charge:
    """An attempt to collect an invoice, and when it is tried again."""

    on: date
    invoice_id: UUID
    outcome: str
    next_on: date | None


@dataclass(frozen=True)
class Step:
    """Something that was done to collect an invoice."""

    on: date
    invoice_id: UUID
    account_id: UUID
    step: str


@dataclass
class Played:
    """Where a scenario stands at its end, still in the scratch copy."""

    stage: Stage
    charges: list[Charge] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


class Play:
    """One scenario being played."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.scenario = stage.scenario
        self.played = Played(stage)
        self.prices = {price.key: price for price in self.scenario.prices}
        self.outcomes: dict[UUID, list[str]] = {}
        self.failures: dict[UUID, int] = {}
        self.retries: dict[UUID, date] = {}
        self.watched: dict[UUID, list[date]] = {}
        self.uncharged: list[UUID] = []
        self.latest = UUID(int=0)
        self.looked_at: dict[UUID, Invoice | None] = {}
        self.has_credit = False
        self.due_on: date | None = None
        self.beyond: list[UUID] = []
        self.is_changed = False
        self.billed_days = 0

    def run(self) -> Played:
        """Play all entries until ``until``, each day's run after the last entry of its day."""
        until = self.stage.day(self.scenario.until)
        waiting = iter(said.happening(self.scenario))
        upcoming = next(waiting, None)
        day = self._next_day(None, upcoming, until)
        while day is not None:
            with clock.stopped_at(self.stage.at(day)):
                while upcoming is not None and upcoming[1] == day:
                    self._enter(*upcoming)
                    self.is_changed = True
                    upcoming = next(waiting, None)
                with _in_plain_words("until"):
                    self._run_of(day)
            day = self._next_day(day, upcoming, until)
        return self.played

    def _next_day(self, after: date | None, upcoming: tuple[int, date, Any] | None, until: date) -> date | None:
        """The next day on which anything happens."""
        days = [upcoming[1]] if upcoming is not None else []
        if self.due_on is not None:
            days.append(self.due_on)
        days += self.retries.values()
        days += [watched[0] for watched in self.watched.values()]
        if after is not None:
            days = [max(day, after + timedelta(days=1)) for day in days]
        soonest = min(days, default=None)
        return soonest if soonest is not None and soonest <= until else None

    def _look_when_due(self) -> None:
        """When the next subscription is due. What is due after the end is none that is waited for, nor is what is
        parked: no person un-parks it.
        """
        self.is_changed = False
        if self.stage.subscriptions:
            mine = list(self.stage.subscriptions.values())
            due_of = ("due_at", "basis")
            found = read_where(
                Subscription, "id = ANY(%s) AND due_at IS NOT NULL AND parked_at IS NULL", mine, only=due_of
            )
            due = {one.pk: restored(one.due_at, one.basis) for one in found if one.due_at is not None}
            self.beyond = [pk for pk, moment in due.items() if not said.is_reached(self.scenario, moment)]
            self.due_on = min((self.stage.day(due[pk]) for pk in due.keys() - self.beyond), default=None)

    # Entries ----------------------------------------------------------------------------------------------------------

    def _enter(self, place: int, day: date, entry: Any) -> None:
        self.looked_at.clear()
        try:
            with _in_plain_words(""):
                self._do(entry, day)
        except Refusal as refusal:
            at = f"timeline[{place}]"
            raise Refusal.of(
                [Problem(at + _field_of(entry, one.field), one.code, one.message) for one in refusal.problems]
            ) from None
        if isinstance(entry, said.Pay):
            self.has_credit = True
        elif not isinstance(entry, said.ChargeOutcomes | said.Usage):
            self._after_documents()

    def _do(self, entry: Any, day: date) -> None:
        at = self.stage.at(day)
        match entry:
            case said.Subscribe():
                self._subscribe(entry, day, at)
            case said.Change():
                subscriptions.change_subscription(
                    actor=ACTOR, subscription_id=self._subscription(entry),
                    items=self._items(entry.subscription, entry.items) or self._nothing(entry.subscription),
                    when=entry.on, on=day, at=at,
                )  # fmt: skip
            case said.Usage():
                order = UsageOrder(self._subscription(entry), entry.price, entry.quantity, entry.on)
                subscriptions.add_metered_item(
                    actor=ACTOR, subscription_id=order.subscription_id,
                    item=self.stage.item(entry.subscription, self.prices[entry.price], Decimal(1)), at=at,
                )  # fmt: skip
                subscriptions.record_usage(actor=ACTOR, orders=[order], at=at)
            case said.Pause():
                subscriptions.pause_subscription(
                    actor=ACTOR, subscription_id=self._subscription(entry), when=entry.on, on=day, at=at
                )
            case said.Resume():
                subscriptions.resume_subscription(
                    actor=ACTOR, subscription_id=self._subscription(entry), when=entry.on, on=day, at=at
                )
            case said.Cancel():
                subscriptions.cancel_subscription(
                    actor=ACTOR, subscription_id=self._subscription(entry), when=entry.on, on=day, at=at,
                    is_at_period_end=entry.when == "period_end",
                )  # fmt: skip
            case said.Invoice():
                self._invoice(entry, day, at)
            case said.Credit():
                self._credit(entry, day, at)
            case said.Pay():
                self._pay(entry, day, at)
            case said.ChargeOutcomes():
                self.outcomes[self.stage.accounts[entry.account]] = list(entry.outcomes)

    def _subscription(self, entry: Any) -> UUID:
        found = self.stage.subscriptions.get(entry.subscription)
        if found is None:
            raise Refusal("not_yet", f"{entry.subscription} does not exist yet", "subscription")
        return found

    def _items(self, subscription: str, items: Iterable[said.ItemPart]) -> tuple[ItemOrder, ...]:
        return tuple(self.stage.item(subscription, self.prices[item.price], item.quantity) for item in items)

    def _nothing(self, subscription: str) -> tuple[ItemOrder, ...]:
        """A change to nothing: whatever the subscription has, there is none of it from then on."""
        items = (self.stage.item(subscription, price, Decimal(0)) for price in self.prices.values())
        return tuple(item for item in items if not item.is_metered)

    def _subscribe(self, entry: said.Subscribe, day: date, at: datetime) -> None:
        order = SubscriptionOrder(
            account_id=self.stage.accounts[entry.account],
            items=self._items(entry.name, entry.items),
            start=entry.on,
            end=entry.end_on,
            anchor_day=entry.anchor_day,
            anchor_on=entry.anchor_on,
            discounts=tuple(
                Discount(one.percent, one.amount, one.periods) for one in entry.discounts if one.is_something
            ),
            policy=self.stage.policy,
            entity_id=self.stage.entity,
            currency=self.stage.currency,
            title=entry.name,
        )
        (made,) = subscriptions.start_subscriptions(actor=ACTOR, orders=[order], on=day, at=at)
        self.stage.subscriptions[entry.name] = made

    def _invoice(self, entry: said.Invoice, day: date, at: datetime) -> None:
        order = DraftOrder(
            account_id=self.stage.accounts[entry.account],
            lines=tuple(
                OrderLine(
                    description=line.text or "-",
                    quantity=line.quantity,
                    unit_price=line.unit_price,
                    discount_percent=line.discount_percent,
                    tax_class=self.stage.tax_class(line.tax),
                )
                for line in entry.lines
            ),
            entity_id=self.stage.entity,
            currency=self.stage.currency,
            terms_id=self.stage.terms[entry.terms] if entry.terms else None,
            discounts=tuple(document.Discount(one.percent, one.amount) for one in entry.discounts if one.is_something),
            origin=Origin.SUBSCRIPTION,  # its total may be zero, as that of a document of a subscription may
        )
        ids = invoicing.draft_invoices(actor=ACTOR, orders=[order], on=day, at=at)
        invoicing.issue_invoices(actor=ACTOR, invoice_ids=ids, on=day, at=at, send=False)
        self.stage.invoices[entry.name] = ids[0]

    def _credit(self, entry: said.Credit, day: date, at: datetime) -> None:
        invoice_id = self._invoice_id(entry.invoice, "invoice")
        found = read_where(InvoiceLine, "invoice_id = %s", invoice_id, only=("position",))
        lines = {line.position: line.pk for line in found}
        order = CreditOrder(tuple(CreditLine(lines[part.line], part.amount) for part in entry.lines))
        invoicing.credit(actor=ACTOR, orders=[order], on=day, at=at, send=False)

    def _invoice_id(self, name: str, field: str) -> UUID:
        found = self.stage.invoices.get(name)
        if found is None:  # on the basis of seconds its instant may be after the end
            raise Refusal("not_yet", f"{name} does not exist yet", field)
        return found

    def _pay(self, entry: said.Pay, day: date, at: datetime) -> None:
        order = PaymentOrder(
            payer_id=self.stage.accounts[entry.account],
            method="transfer",
            amount=entry.amount,
            currency=self.stage.currency,
            received_on=day,
            entity_id=self.stage.entity,
            allocations=() if entry.invoices else "oldest",
            invoices=tuple(self._invoice_id(name, f"invoices.{place}") for place, name in enumerate(entry.invoices)),
        )
        payments.record_payments(actor=ACTOR, orders=[order], at=at)

    # The day's run ----------------------------------------------------------------------------------------------------

    def _run_of(self, day: date) -> None:
        at = self.stage.at(day)
        if self.is_changed:
            self._look_when_due()
        if self.due_on is not None and self.due_on <= day:
            if self.beyond and day == self.stage.day(self.scenario.until):
                # The run bills whole days; what is due later on the last one stays for ever undone.
                Subscription.objects.filter(pk__in=self.beyond).update(due_at=None)
            self.billed_days += 1
            if self.billed_days > PERIODS_MAX:
                raise too_long(f"{self.billed_days:,} days of billing")
            subscriptions.bill_due(actor=ACTOR, on=day, at=at, entity_id=self.stage.entity)
            self._after_documents()
            self._look_when_due()
        if self.outcomes:
            self._charge(day, at)
        self.uncharged.clear()
        if any(watched[0] <= day for watched in self.watched.values()):
            self._remind(day)

    def _after_documents(self) -> None:
        """What follows the issue of documents in production as news follows here at once."""
        self.looked_at.clear()
        new = "entity_id = %s AND status = 'issued' AND id > %s"
        fresh = read_where(Invoice, new, self.stage.entity, self.latest, order=_AS_ISSUED, only=_FOLLOWED)
        self.latest = max((one.pk for one in fresh), default=self.latest)
        invoices = [one for one in fresh if one.kind == DocumentKind.INVOICE]
        over = [one.pk for one in fresh if one.kind == DocumentKind.CREDIT_NOTE and one.open]
        if over:
            payments.take_credits(actor=ACTOR, credit_note_ids=over, on=clock.today(self.stage.zone), at=clock.now())
            self.has_credit = True
        if invoices and self.has_credit:
            payments.apply_credit(actor=ACTOR, invoice_ids=[one.pk for one in invoices], at=clock.now())
        days = self.scenario.policies.reminders.days_from_due
        for one in invoices:
            assert one.due_on is not None
            assert one.issued_on is not None
            upcoming = reminder_days(one.due_on, one.issued_on, days)
            if upcoming:
                self.watched[one.pk] = upcoming
            self.uncharged.append(one.pk)

    def _open(self, invoice_ids: Iterable[UUID]) -> list[Invoice]:
        """Those of the invoices that are open. They are read again only after something happened, and with those of
        which is going to be asked.
        """
        wanted = set(invoice_ids)
        if not wanted <= self.looked_at.keys():
            ids = list(wanted.union(self.watched, self.retries))
            still = "id = ANY(%s) AND total > settled + credited"
            found = {one.pk: one for one in read_where(Invoice, still, ids, order=_AS_ISSUED, only=_FOLLOWED)}
            self.looked_at = {**found, **dict.fromkeys(ids - found.keys())}
        return [one for pk, one in self.looked_at.items() if one is not None and pk in wanted]

    def _charge(self, day: date, at: datetime) -> None:
        """Charge what was issued today, for those whose outcomes are said by now, and what is to be tried again."""
        due = [invoice_id for invoice_id, retry in self.retries.items() if retry == day]
        if not due and not self.uncharged:
            return
        for invoice in self._open([*self.uncharged, *due]):
            outcomes = self.outcomes.get(invoice.payer_id)
            if outcomes is None:
                continue
            outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
            next_on = None
            if outcome == "paid":
                self._collect(invoice, day, at)
            else:
                failures = self.failures[invoice.pk] = self.failures.get(invoice.pk, 0) + 1
                next_on = next_attempt(day, failures, self.scenario.policies.retry.days_after_failure)
                if next_on is None:
                    self.played.steps.append(Step(day, invoice.pk, invoice.payer_id, "task"))
            self.retries.pop(invoice.pk, None)
            if next_on is not None:
                self.retries[invoice.pk] = next_on
            self.played.charges.append(Charge(day, invoice.pk, outcome, next_on))
        for invoice_id in due:  # paid in another way meanwhile
            if self.retries.get(invoice_id) == day:
                del self.retries[invoice_id]

    def _collect(self, invoice: Invoice, day: date, at: datetime) -> None:
        self.looked_at.clear()
        order = PaymentOrder(
            payer_id=invoice.payer_id,
            method="card_terminal",
            amount=invoice.open,
            currency=invoice.currency,
            received_on=day,
            entity_id=invoice.entity_id,
            invoices=(invoice.pk,),
        )
        payments.record_payments(actor=ACTOR, orders=[order], at=at)

    def _remind(self, today: date) -> None:
        """Remind of what is open, also while a charge is going to be tried again."""
        due = [invoice_id for invoice_id, days in self.watched.items() if days[0] <= today]
        for invoice in self._open(due):
            if today in self.watched[invoice.pk]:
                self.played.steps.append(Step(today, invoice.pk, invoice.payer_id, "reminder"))
        for invoice_id in due:
            days = [day for day in self.watched.pop(invoice_id) if day > today]
            if days:
                self.watched[invoice_id] = days


class Theatre:
    """Plays scenarios one after the other in a scratch copy. Scenarios with the same company and customers share them,
    also when others are played in between.

    Use it as a context: until its end one transaction is open, and then everything is gone.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._is_open = False
        self._stages: dict[Hashable, tuple[Stage, dict[Hashable, Any]]] = {}

    def __enter__(self) -> Theatre:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def play(self, scenario: Scenario, report: Callable[[Played], R]) -> R:
        """What ``report`` makes of the end of the scenario. Nothing of it is kept. Refuses with the entry's path."""
        refuse_endless(scenario)
        stage, remembered = self._stage_of(scenario)
        with settings_stay(remembered), scratch(), as_one_wish():
            return report(Play(stage.of(scenario)).run())

    def start_over(self) -> None:
        """Forget the stages after a failure that nobody foresaw, and the connection with them: it may be broken."""
        try:
            self._leave()
        except DatabaseError:
            logging.getLogger(__name__).warning("The scratch copy could not be left in good order", exc_info=True)
        if not connection.in_atomic_block:
            connection.close()

    def _leave(self) -> None:
        self._stages.clear()
        self._is_open = False
        self._open.close()

    def _stage_of(self, scenario: Scenario) -> tuple[Stage, dict[Hashable, Any]]:
        together = taxes_together(scenario)
        key = (scenario.entity, scenario.taxes, together, _written(scenario), scenario.accounts)
        if key not in self._stages:
            if len(self._stages) == STAGES_AT_ONCE:
                self._leave()
            if not self._is_open:
                self._open.enter_context(scratch())
                self._is_open = True
            with transaction.atomic(), as_one_wish(), clock.stopped_at(LONG_AGO):
                stage = set_up(scenario)
                ask_now()
            self._stages[key] = (stage, {})
        return self._stages[key]


@contextmanager
def _in_plain_words(path: str) -> Iterator[None]:
    """A refusal for what neither the calendar nor the columns hold: it is no bug, and no sensible scenario."""
    try:
        yield
    except (DataError, DecimalException) as error:
        raise Refusal("too_large", "a figure becomes larger than can be kept", path) from error
    except (OverflowError, ValueError) as error:
        if isinstance(error, ValueError) and not _NO_YEAR.match(str(error)):
            raise
        raise Refusal("beyond_calendar", "a day becomes later than the calendar goes, or earlier", path) from error


def _field_of(entry: Any, field: str) -> str:
    """Where the entry says what a command calls ``field``: ``.lines[0].amount``. Empty for what it does not say."""
    parts = field.split(".")
    while parts and (parts[0].isdecimal() or parts[0] == "orders"):
        del parts[0]
    said_as = {known: one.alias or known for known, one in type(entry).model_fields.items()}
    said_as |= {"start": "on", "when": "on", "at": "on", "end": "end_on"}
    name = said_as.get(parts[0], "") if parts else ""
    if name not in {one.alias or known for known, one in type(entry).model_fields.items()}:
        return ""
    return f".{path_of([name, *(int(part) if part.isdecimal() else part for part in parts[1:])])}"


def _written(scenario: Scenario) -> str:
    """The terms, which are kept as they were written."""
    return json.dumps([(part.key, part.written) for part in scenario.terms], sort_keys=True)
