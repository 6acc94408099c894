"""The company, its prices and its customers of a scenario, made by the product's own commands in a scratch copy."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.accounts.rules.terms import Terms
from counterfoil.core.ids import new_id
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Series, TaxRate
from counterfoil.ledger import commands as ledger
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.simulating.rules.scenario import Price, Scenario, Usage, happening, local_day, taxes_together
from counterfoil.subscriptions.rules.agreement import Policy
from counterfoil.subscriptions.rules.grid import Interval
from counterfoil.subscriptions.rules.orders import ItemOrder

ACTOR = Actor.system("Simulation", origin="simulation")
UNTAXED = "untaxed"
_EVER = date.min


@dataclass
class Stage:
    """What a scenario's names stand for."""

    scenario: Scenario
    entity: UUID
    accounts: dict[str, UUID]
    terms: dict[str, UUID]
    tax_classes: dict[tuple[str, ...], str]
    metered: frozenset[tuple[str, str]]
    subscriptions: dict[str, UUID] = field(default_factory=dict)
    invoices: dict[str, UUID] = field(default_factory=dict)

    def of(self, scenario: Scenario) -> Stage:
        """The same company and customers for another scenario."""
        return replace(self, scenario=scenario, metered=_metered(scenario), subscriptions={}, invoices={})

    @property
    def zone(self) -> str:
        return self.scenario.entity.timezone

    @property
    def currency(self) -> str:
        return self.scenario.entity.currency

    def day(self, moment: date) -> date:
        return local_day(moment, self.zone)

    def at(self, day: date) -> datetime:
        """Noon of a local day."""
        return datetime.combine(day, time(12), ZoneInfo(self.zone))

    @property
    def policy(self) -> Policy:
        said = self.scenario.policies.proration
        return Policy(
            said.basis, said.increase, said.decrease, said.first_period, said.end_day, said.interval_change,
            said.rounding,
        )  # fmt: skip

    def tax_class(self, tax: str | tuple[str, ...] | None) -> str:
        return UNTAXED if not tax else self.tax_classes[(tax,) if isinstance(tax, str) else tax]

    def item(self, subscription: str, price: Price, quantity: Decimal) -> ItemOrder:
        is_metered = (subscription, price.key) in self.metered
        return ItemOrder(
            price_key=price.key,
            description=price.key,
            pricing=price.pricing,
            interval=Interval(price.interval, price.count),
            quantity=Decimal(1) if is_metered and quantity > 0 else quantity,  # what is used says how much
            is_in_advance=price.billed == "in_advance" and not is_metered,
            is_metered=is_metered,
            tax_class=self.tax_class(price.tax),
        )


def set_up(scenario: Scenario) -> Stage:
    """Make everything that the scenario names. Only within a scratch copy."""
    entity = ledger.add_entity(actor=ACTOR, values=_entity(scenario))
    stage = Stage(
        scenario=scenario,
        entity=entity,
        accounts={},
        terms={part.key: _terms(part.key, part.terms) for part in scenario.terms},
        tax_classes={},
        metered=_metered(scenario),
    )
    _taxes(stage)
    _series(stage)
    invoicing.install_defaults(actor=ACTOR, entity_id=entity)
    immediately = _terms("On the day of issue", Terms())
    for account in scenario.accounts:
        values: dict[str, Any] = {
            "legal_name": account.key,
            "tax_profile": "standard",
            "currency": scenario.entity.currency,
            "delivery_channel": "post",
            "terms": stage.terms[account.terms] if account.terms else immediately,
            "addresses": [{"kind": "invoice", "street": "1", "city": "1", "country": account.country}],
        }
        stage.accounts[account.key] = accounts.add_account(actor=ACTOR, values=values, on=_EVER, accept_duplicates=True)
    for account in scenario.accounts:
        if account.bill_to is not None:
            accounts.change_account(
                actor=ACTOR,
                account_id=stage.accounts[account.key],
                values={"invoiced_account": stage.accounts[account.bill_to]},
                version=None,
            )
    return stage


def _metered(scenario: Scenario) -> frozenset[tuple[str, str]]:
    """The subscriptions with those of their prices of which anything is used until the end."""
    entries = (entry for _, _, entry in happening(scenario))
    return frozenset((entry.subscription, entry.price) for entry in entries if isinstance(entry, Usage))


def _entity(scenario: Scenario) -> dict[str, Any]:
    said = scenario.entity
    return {
        "name": f"Simulation {new_id()}",
        "legal_name": "Simulation",
        "country": said.country,
        "currency": said.currency,
        "timezone": said.timezone,
        "tax_rounding": said.tax_rounding,
    }


def _terms(key: str, terms: Terms) -> UUID:
    values: dict[str, Any] = {
        "key": new_id().hex,
        "name": key[:60],
        "days": terms.due.days,
        "from_end_of_month": terms.due.from_end_of_month,
        "months": terms.due.months,
        "then_end_of_month": terms.due.then_end_of_month,
        "instalments": [
            {"percent": part.percent, "amount": part.amount, "rest": part.rest, **asdict(part.due)}
            for part in terms.instalments
        ],
    }
    if terms.due.day_of_month is not None:
        values["day_of_month"] = terms.due.day_of_month
    if terms.early_discount is not None:
        values |= {"discount_percent": terms.early_discount.percent, "discount_days": terms.early_discount.days}
    return accounts.add_terms(actor=ACTOR, values=values)


def _series(stage: Stage) -> None:
    """Numbers as those of a first company, though there may be others beside it in the scratch copy."""
    insert_rows(
        Series(id=new_id(), entity_id=stage.entity, kind=kind, pattern=f"{prefix}-{{year}}-{{number}}")
        for kind, prefix in (("invoice", "INV"), ("credit_note", "CN"))
    )


def _taxes(stage: Stage) -> None:
    """Every tax of the scenario is a class of its own, and so is every list of several, which are its parts; a line
    without a tax is of a class without one.
    """
    rates = [_rate(stage, UNTAXED, Decimal(0), "E", included=False)]
    taxes = {tax.key: tax for tax in stage.scenario.taxes}
    for number, keys in enumerate([*((key,) for key in taxes), *taxes_together(stage.scenario)], 1):
        name = stage.tax_classes[keys] = f"tax {number}"
        for part, tax in enumerate((taxes[key] for key in keys), 1):
            category = "S" if tax.rate else "Z"
            rates.append(_rate(stage, name, tax.rate, category, included=tax.included, part=part))
    insert_rows(rates)


def _rate(stage: Stage, tax_class: str, percent: Decimal, category: str, *, included: bool, part: int = 1) -> TaxRate:
    return TaxRate(
        id=new_id(),
        entity_id=stage.entity,
        tax_class=tax_class,
        part=part,
        label=tax_class,
        percent=percent,
        category=category,
        included=included,
        legal_note="" if category == "S" else "Simulation",
        valid_from=_EVER,
    )
