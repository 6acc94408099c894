"""The scenario file: people, prices, policies and a dated timeline.

Everything unknown is refused with its path, so that a misspelt key never passes in silence. What may be left out has
the value of ``docs/simulate.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from counterfoil.accounts.rules.terms import Terms, terms_from
from counterfoil.catalog.rules.pricing import Pricing, Tier, problems_of
from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import currency_decimals, is_currency
from counterfoil.core.places import is_country, time_zones
from counterfoil.core.twice import object_of, said_twice
from counterfoil.invoicing.rules.tax import MOST_TAXES

KEY_MAX, NAME_MAX = 80, 1000
TEXT_MAX = 300
"""What a line of an invoice holds."""
DAYS_MAX = 36_500
"""No policy looks further than a hundred years."""
PERIODS_MAX = 32_767
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})")
_YEARS = range(2, 9999)
"""An instant of these years has a local day everywhere."""


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise PydanticCustomError("decimal", 'not a decimal string such as "12.50"')
    return Decimal(value)


def _positive(value: Any) -> Decimal:
    number = _decimal(value)
    if number < 0:
        raise PydanticCustomError("negative", "below zero")
    return number


def _above_zero(value: Any) -> Decimal:
    number = _positive(value)
    if not number:
        raise PydanticCustomError("zero", "not above zero")
    return number


def _kept(read: Callable[[Any], Decimal], decimals: int, *, most: int = 0, digits: int = 0) -> Callable[[Any], Decimal]:
    """A number that is kept as it is written: nothing of it is cut to the decimals and digits that there are."""

    def number(value: Any) -> Decimal:
        found = read(value)
        if most and found > most:
            raise PydanticCustomError("too_large", "above {most}", {"most": most})
        if digits and abs(found) >= Decimal(10) ** digits:
            raise PydanticCustomError("too_large", "more than {digits} digits before the point", {"digits": digits})
        if found != round(found, decimals):
            raise PydanticCustomError("too_many_decimals", "more than {decimals} decimals", {"decimals": decimals})
        return found

    return number


def _moment(value: Any) -> date:
    if isinstance(value, str):
        try:
            if _DATE.fullmatch(value):
                return date.fromisoformat(value)
            if _INSTANT.fullmatch(value):
                instant = datetime.fromisoformat(value).astimezone(UTC)
                if instant.year in _YEARS:
                    return instant
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("date", "not a date")


def _day(value: Any) -> date:
    found = _moment(value)
    if isinstance(found, datetime):
        raise PydanticCustomError("date", "not a date")
    return found


def _key(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > KEY_MAX or not _can_be_kept(value):
        raise PydanticCustomError("key", "not a name of 1 to {most} characters", {"most": KEY_MAX})
    return value


def _text_up_to(most: int) -> Callable[[Any], str]:
    def text(value: Any) -> str:
        if not isinstance(value, str) or len(value) > most or not _can_be_kept(value):
            raise PydanticCustomError("text", f"not a text of at most {most:,} characters")
        return value

    return text


def _can_be_kept(text: str) -> bool:
    """Whether a database takes it: no NUL, and no half of a pair that is no character by itself."""
    return "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError("whole", "not a whole number")
    return value


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool", "not true or false")
    return value


Number = Annotated[Decimal, BeforeValidator(_decimal)]
Positive = Annotated[Decimal, BeforeValidator(_positive)]
Percent = Annotated[Decimal, BeforeValidator(_kept(_positive, 4, most=100))]
Quantity = Annotated[Decimal, BeforeValidator(_kept(_positive, 6, digits=12))]
SoldQuantity = Annotated[Decimal, BeforeValidator(_kept(_above_zero, 6, digits=12))]
UnitPrice = Annotated[Decimal, BeforeValidator(_kept(_decimal, 6, digits=13))]
Moment = Annotated[date, PlainValidator(_moment)]
Day = Annotated[date, PlainValidator(_day)]
Key = Annotated[str, BeforeValidator(_key)]
Name = Annotated[str, BeforeValidator(_text_up_to(NAME_MAX))]
Text = Annotated[str, BeforeValidator(_text_up_to(TEXT_MAX))]
Whole = Annotated[int, BeforeValidator(_whole)]
YesNo = Annotated[bool, BeforeValidator(_yes)]
_ONE, _SEVERAL = "(one)", "(several)"
Taxes = Annotated[
    Annotated[Key, Tag(_ONE)] | Annotated[tuple[Key, ...], Tag(_SEVERAL)],
    Discriminator(lambda value: _SEVERAL if isinstance(value, list | tuple) else _ONE),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Entity(_Part):
    currency: Key
    country: Key = "DE"
    timezone: Key = "Europe/Berlin"
    tax_rounding: Literal["per_rate", "per_line"] = "per_rate"

    @model_validator(mode="after")
    def _known(self) -> Entity:
        if not is_currency(self.currency):
            raise PydanticCustomError("currency", "not a currency in use", {"at": "currency"})
        if not is_country(self.country):
            raise PydanticCustomError("country", "not a country", {"at": "country"})
        if self.timezone not in time_zones():
            raise PydanticCustomError("timezone", "not a time zone", {"at": "timezone"})
        return self


class Tax(_Part):
    key: Key
    rate: Percent
    included: YesNo = False


class TermsPart(_Part):
    """Payment terms in their written form; ``accounts/rules/terms.py`` reads it."""

    key: Key
    due: Any = None
    instalments: Any = None
    early_discount: Any = None

    @property
    def written(self) -> dict[str, Any]:
        said = {"due": self.due, "instalments": self.instalments, "early_discount": self.early_discount}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def terms(self) -> Terms:
        return terms_from(self.written)


class Proration(_Part):
    basis: Literal["actual_days", "fixed_30", "seconds", "none"] = "actual_days"
    increase: Literal["now", "next_invoice", "at_renewal"] = "now"
    decrease: Literal["now", "next_invoice", "at_renewal"] = "now"
    first_period: Literal["prorate", "full", "free"] = "prorate"
    end_day: Literal["free", "billed"] = "free"
    interval_change: Literal["keep_anchor", "restart"] = "keep_anchor"
    rounding: Literal["half_up", "half_even", "down"] = "half_up"


class Retry(_Part):
    days_after_failure: tuple[Annotated[Whole, Field(ge=1, le=DAYS_MAX)], ...] = (3, 5, 7)
    then: Literal["task"] = "task"


class Reminders(_Part):
    days_from_due: tuple[Annotated[Whole, Field(ge=-DAYS_MAX, le=DAYS_MAX)], ...] = (-3, 1, 7, 14)


class Aging(_Part):
    buckets: tuple[Annotated[Whole, Field(ge=1, le=DAYS_MAX)], ...] = (30, 60, 90)


class Policies(_Part):
    proration: Proration = Proration()
    retry: Retry = Retry()
    reminders: Reminders = Reminders()
    aging: Aging = Aging()


class TierPart(_Part):
    up_to: Positive | None = None
    amount: Number


class Price(_Part):
    key: Key
    model: Literal["flat", "per_unit", "package", "graduated", "volume"] = "flat"
    amount: Number | None = None
    per: Positive | None = None
    tiers: tuple[TierPart, ...] = ()
    interval: Literal["day", "week", "month", "year"] = "month"
    count: Annotated[Whole, Field(ge=1, le=1000)] = 1
    billed: Literal["in_advance", "in_arrears"] = "in_advance"
    tax: Taxes | None = None

    @property
    def pricing(self) -> Pricing:
        return Pricing(self.model, self.amount, self.per, tuple(Tier(tier.up_to, tier.amount) for tier in self.tiers))


class Account(_Part):
    key: Key
    country: Key = "DE"
    terms: Key | None = None
    bill_to: Key | None = None


class ItemPart(_Part):
    price: Key
    quantity: Quantity = Decimal(1)


class DiscountPart(_Part):
    """Nothing off is no discount."""

    percent: Percent | None = None
    amount: Positive | None = None
    periods: Annotated[Whole, Field(ge=1, le=PERIODS_MAX)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> DiscountPart:
        if (self.percent is None) == (self.amount is None):
            raise PydanticCustomError("discount", "give a percent or an amount")
        return self

    @property
    def is_something(self) -> bool:
        return bool(self.percent or self.amount)


class Line(_Part):
    text: Text = ""
    quantity: SoldQuantity = Decimal(1)
    unit_price: UnitPrice
    discount_percent: Percent = Decimal(0)
    tax: Taxes | None = None


class CreditPart(_Part):
    """In the line's own terms: of an allowance, what is below zero is taken back."""

    line: Annotated[Whole, Field(ge=1)]
    amount: Number


class Subscribe(_Part):
    do: Literal["subscribe"]
    on: Moment
    name: Key = Field(alias="as")
    account: Key
    items: tuple[ItemPart, ...] = Field(min_length=1)
    anchor_day: Annotated[Whole, Field(ge=1, le=31)] | None = None
    anchor_on: Day | None = None
    end_on: Moment | None = None
    discounts: tuple[DiscountPart, ...] = ()


class Change(_Part):
    do: Literal["change"]
    on: Moment
    subscription: Key
    items: tuple[ItemPart, ...]


class Usage(_Part):
    do: Literal["usage"]
    on: Moment
    subscription: Key
    price: Key
    quantity: Quantity


class Pause(_Part):
    do: Literal["pause"]
    on: Moment
    subscription: Key


class Resume(_Part):
    do: Literal["resume"]
    on: Moment
    subscription: Key


class Cancel(_Part):
    do: Literal["cancel"]
    on: Moment
    subscription: Key
    when: Literal["now", "period_end"] = "now"


class Invoice(_Part):
    do: Literal["invoice"]
    on: Moment
    name: Key = Field(alias="as")
    account: Key
    terms: Key | None = None
    lines: tuple[Line, ...] = Field(min_length=1)
    discounts: tuple[DiscountPart, ...] = ()


class Credit(_Part):
    do: Literal["credit"]
    on: Moment
    invoice: Key
    lines: tuple[CreditPart, ...] = Field(min_length=1)


class Pay(_Part):
    do: Literal["pay"]
    on: Moment
    account: Key
    amount: Annotated[Decimal, BeforeValidator(_above_zero)]
    invoices: tuple[Key, ...] = Field(default=(), alias="for")


class ChargeOutcomes(_Part):
    do: Literal["charge_outcomes"]
    on: Moment
    account: Key
    outcomes: tuple[Literal["declined", "paid"], ...] = Field(min_length=1)


Entry = Annotated[
    Subscribe | Change | Usage | Pause | Resume | Cancel | Invoice | Credit | Pay | ChargeOutcomes,
    Field(discriminator="do"),
]


class Scenario(_Part):
    scenario: Annotated[Literal[1], BeforeValidator(_whole)]
    name: Name = ""
    entity: Entity
    taxes: tuple[Tax, ...] = ()
    terms: tuple[TermsPart, ...] = ()
    policies: Policies = Policies()
    prices: tuple[Price, ...] = ()
    accounts: tuple[Account, ...]
    timeline: tuple[Entry, ...]
    until: Moment


# Reading --------------------------------------------------------------------------------------------------------------


def parsed(text: str) -> Any:
    """The JSON of a scenario. Raises ``ValueError`` or ``RecursionError`` for what is none."""
    return json.loads(text, object_pairs_hook=object_of)


def read_scenario(raw: Any) -> Scenario:
    """The scenario in parsed JSON, or a ``Refusal`` that names every problem by its JSON path."""
    if not isinstance(raw, dict):
        raise Refusal("invalid", "a scenario is a JSON object", "")
    twice = [Problem(path_of(path), "twice", "is there twice") for path in said_twice(raw)]
    if twice:
        raise _refusal(twice)
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        problems = [_problem(one, raw) for one in error.errors()]
        # A list of which nothing could be read counts as empty; it is not.
        said = [one for one in problems if one.code != "too_short" or not _has_more(problems, one.field)]
        raise _refusal(said) from None
    problems = [
        *_terms_problems(scenario),
        *_price_problems(scenario),
        *_policy_problems(scenario),
        *_amount_problems(scenario),
        *_credit_problems(scenario),
        *_reference_problems(scenario),
    ]
    if problems:
        raise _refusal(problems)
    return scenario


def _has_more(problems: list[Problem], path: str) -> bool:
    return any(one.field.startswith(f"{path}[") for one in problems)


def _refusal(problems: list[Problem]) -> Refusal:
    said = "; ".join(f"{one.field}: {one.message}" if one.field else one.message for one in problems[:5])
    return Refusal("invalid", said, problems[0].field, problems)


_WORDS = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "literal_error": "not one of {expected}",
    "union_tag_invalid": "not one of {expected_tags}",
    "union_tag_not_found": "missing",
    "tuple_type": "not a list",
    "model_type": "not an object",
    "model_attributes_type": "not an object",
    "dict_type": "not an object",
    "too_short": "empty",
    "greater_than_equal": "below {ge}",
    "less_than_equal": "above {le}",
}
_DOINGS = {
    "subscribe", "change", "usage", "pause", "resume", "cancel", "invoice", "credit", "pay", "charge_outcomes",
}  # fmt: skip


def _problem(error: Any, raw: Any) -> Problem:
    where = [part for part in error["loc"] if part not in (_ONE, _SEVERAL)]
    if len(where) > 2 and where[0] == "timeline" and where[2] in _DOINGS:
        del where[2]  # the kind of the entry is no part of its path
    context = error.get("ctx") or {}
    if "at" in context:
        where.append(context["at"])
    if error["type"].startswith("union_tag"):
        where.append("do")
    words = _WORDS.get(error["type"], error["msg"])
    try:
        words = words.format(**context)
    except (KeyError, IndexError):
        words = error["msg"]
    return Problem(path_of(where), error["type"], words)


def path_of(where: list[Any] | tuple[Any, ...]) -> str:
    """A JSON path: ``timeline[3].on``."""
    path = ""
    for part in where:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _terms_problems(scenario: Scenario) -> list[Problem]:
    found: list[Problem] = []
    for place, part in enumerate(scenario.terms):
        at = f"terms[{place}]"
        wrong = [path for path, said in _numbers(part) if isinstance(said, str) and not _DECIMAL.fullmatch(said)]
        found += [Problem(f"{at}.{path}", "decimal", 'not a decimal string such as "12.50"') for path in wrong]
        if wrong:
            continue
        try:
            terms_from(part.written, f"{at}.")
        except Refusal as refusal:
            found += refusal.problems
    return found


def _numbers(part: TermsPart) -> Iterator[tuple[str, Any]]:
    """What stands where written terms have numbers with decimals."""
    if isinstance(part.early_discount, dict):
        yield "early_discount.percent", part.early_discount.get("percent")
    for place, one in enumerate(part.instalments if isinstance(part.instalments, list) else ()):
        if isinstance(one, dict):
            yield f"instalments[{place}].percent", one.get("percent")
            yield f"instalments[{place}].amount", one.get("amount")


def _policy_problems(scenario: Scenario) -> list[Problem]:
    limits = scenario.policies.aging.buckets
    return [
        Problem(f"policies.aging.buckets[{place}]", "not_rising", f"not above {before}")
        for place, (before, limit) in enumerate(pairwise(limits), 1)
        if limit <= before
    ]


def _amount_problems(scenario: Scenario) -> list[Problem]:
    """Amounts of money that no coin makes."""
    decimals = currency_decimals(scenario.entity.currency)
    words = f"more than {decimals} decimals"
    return [
        Problem(path, "too_many_decimals", words)
        for path, amount in _amounts(scenario)
        if amount != round(amount, decimals)
    ]


def _amounts(scenario: Scenario) -> Iterator[tuple[str, Decimal]]:
    for place, entry in enumerate(scenario.timeline):
        at = f"timeline[{place}]"
        if isinstance(entry, Pay):
            yield f"{at}.amount", entry.amount
        if isinstance(entry, Credit):
            yield from ((f"{at}.lines[{number}].amount", part.amount) for number, part in enumerate(entry.lines))
        if isinstance(entry, Subscribe | Invoice):
            for number, discount in enumerate(entry.discounts):
                if discount.amount is not None:
                    yield f"{at}.discounts[{number}].amount", discount.amount


def _credit_problems(scenario: Scenario) -> list[Problem]:
    """Credits that no invoice bears, whatever happens before them: of nothing, or of the other sign than their line."""
    lines = {entry.name: entry.lines for entry in scenario.timeline if isinstance(entry, Invoice)}
    return [
        Problem(f"timeline[{place}].lines[{number}].amount", "sign", words)
        for place, entry in enumerate(scenario.timeline)
        if isinstance(entry, Credit)
        for number, part in enumerate(entry.lines)
        if (words := _wrong_sign(part, lines.get(entry.invoice, ())))
    ]


def _wrong_sign(part: CreditPart, lines: Sequence[Line]) -> str:
    if not part.amount:
        return "say how much is to be taken back"
    if part.line > len(lines):
        return ""
    price = lines[part.line - 1].unit_price
    if price and (part.amount < 0) is not (price < 0):
        return f"the line is {'below' if price < 0 else 'above'} zero, and so is what is taken back of it"
    return ""


def _price_problems(scenario: Scenario) -> list[Problem]:
    return [
        Problem(f"prices[{place}].{_bracketed(one.field)}", one.code, one.message)
        for place, price in enumerate(scenario.prices)
        for one in problems_of(price.pricing)
    ]


def _bracketed(field: str) -> str:
    return re.sub(r"\.(\d+)", r"[\1]", field)


def _reference_problems(scenario: Scenario) -> list[Problem]:
    """Names that nothing has, and names that two have."""
    found: list[Problem] = []
    taxes = _names(found, "taxes", [one.key for one in scenario.taxes])
    terms = _names(found, "terms", [one.key for one in scenario.terms])
    prices = _names(found, "prices", [one.key for one in scenario.prices])
    accounts = _names(found, "accounts", [one.key for one in scenario.accounts])
    for place, price in enumerate(scenario.prices):
        _taxes_known(found, price.tax, taxes, f"prices[{place}].tax")
    for place, account in enumerate(scenario.accounts):
        at = f"accounts[{place}]"
        _known(found, account.terms, terms, f"{at}.terms")
        _known(found, account.bill_to, accounts, f"{at}.bill_to")
        if not is_country(account.country):
            found.append(Problem(f"{at}.country", "country", "not a country"))
    subscriptions: dict[str, tuple[date, int]] = {}
    invoices: dict[str, tuple[date, int]] = {}
    lines: dict[str, int] = {}
    for place, entry in enumerate(scenario.timeline):
        at = f"timeline[{place}]"
        if isinstance(entry, Subscribe | Invoice):
            names = subscriptions if isinstance(entry, Subscribe) else invoices
            if entry.name in names:
                found.append(Problem(f"{at}.as", "twice", f"{entry.name} is there already"))
                continue
            names[entry.name] = _turn(scenario, place)
            if isinstance(entry, Invoice):
                lines[entry.name] = len(entry.lines)
    for place, entry in enumerate(scenario.timeline):
        at = f"timeline[{place}]"
        now = _turn(scenario, place)
        if isinstance(entry, Subscribe | Invoice | Pay | ChargeOutcomes):
            _known(found, entry.account, accounts, f"{at}.account")
        if isinstance(entry, Change | Usage | Pause | Resume | Cancel):
            _there(found, entry.subscription, subscriptions, now, f"{at}.subscription")
        if isinstance(entry, Subscribe | Change):
            for number, item in enumerate(entry.items):
                _known(found, item.price, prices, f"{at}.items[{number}].price")
        if isinstance(entry, Usage):
            _known(found, entry.price, prices, f"{at}.price")
        if isinstance(entry, Invoice):
            _known(found, entry.terms, terms, f"{at}.terms")
            for number, line in enumerate(entry.lines):
                _taxes_known(found, line.tax, taxes, f"{at}.lines[{number}].tax")
        if isinstance(entry, Credit):
            _there(found, entry.invoice, invoices, now, f"{at}.invoice")
            for number, part in enumerate(entry.lines):
                if part.line > lines.get(entry.invoice, part.line):
                    words = f"{entry.invoice} has no line {part.line}"
                    found.append(Problem(f"{at}.lines[{number}].line", "no_such_line", words))
        if isinstance(entry, Pay):
            for number, name in enumerate(entry.invoices):
                _there(found, name, invoices, now, f"{at}.for[{number}]")
                if name in entry.invoices[:number]:
                    found.append(Problem(f"{at}.for[{number}]", "twice", f"{name} is there already"))
    return found


def _turn(scenario: Scenario, place: int) -> tuple[date, int]:
    """When an entry comes, before or after the others: by local day, then as in the file."""
    return local_day(scenario.timeline[place].on, scenario.entity.timezone), place


def _names(found: list[Problem], at: str, keys: list[str]) -> set[str]:
    for place, key in enumerate(keys):
        if key in keys[:place]:
            found.append(Problem(f"{at}[{place}].key", "twice", f"{key} is there already"))
    return set(keys)


def _known(found: list[Problem], name: str | None, names: Collection[str], at: str) -> None:
    if name is not None and name not in names:
        found.append(Problem(at, "no_such_name", f"there is no {name}"))


def _there(
    found: list[Problem], name: str, names: Mapping[str, tuple[date, int]], now: tuple[date, int], at: str
) -> None:
    """Also an entry after ``until`` names only what is there by its turn."""
    _known(found, name, names, at)
    if names.get(name, now) > now:
        found.append(Problem(at, "not_yet", f"{name} does not exist yet"))


def _taxes_known(found: list[Problem], tax: str | tuple[str, ...] | None, names: set[str], at: str) -> None:
    if isinstance(tax, tuple):
        for number, one in enumerate(tax):
            _known(found, one, names, f"{at}[{number}]")
            if one in tax[:number]:
                found.append(Problem(f"{at}[{number}]", "twice", f"{one} is there already"))
        if len(tax) > MOST_TAXES:
            found.append(Problem(at, "too_many", f"a line bears at most {MOST_TAXES} taxes"))
    else:
        _known(found, tax, names, at)


def taxes_together(scenario: Scenario) -> tuple[tuple[str, ...], ...]:
    """The lists of several taxes that prices and lines bear, each once."""
    lines = [line.tax for entry in scenario.timeline if isinstance(entry, Invoice) for line in entry.lines]
    borne = (*(price.tax for price in scenario.prices), *lines)
    return tuple(dict.fromkeys(tax for tax in borne if isinstance(tax, tuple) and len(tax) > 1))


def local_day(moment: date, zone: str) -> date:
    """The local day of a date or an instant."""
    return moment.astimezone(ZoneInfo(zone)).date() if isinstance(moment, datetime) else moment


def happening(scenario: Scenario) -> list[tuple[int, date, Any]]:
    """The entries that happen, by local day and then as in the file, each with its place in the file and its day."""
    zone = scenario.entity.timezone
    days = [local_day(entry.on, zone) for entry in scenario.timeline]
    found = [
        (place, day, entry)
        for place, (day, entry) in enumerate(zip(days, scenario.timeline, strict=True))
        if is_reached(scenario, entry.on)
    ]
    return sorted(found, key=lambda each: (each[1], each[0]))


def is_reached(scenario: Scenario, moment: date) -> bool:
    """Whether a moment is not after ``until``. Only on the basis ``seconds`` an instant is more than its local day."""
    zone, until = scenario.entity.timezone, scenario.until
    if scenario.policies.proration.basis == "seconds" and isinstance(until, datetime):
        instant = moment if isinstance(moment, datetime) else datetime.combine(moment, time(0), ZoneInfo(zone))
        return instant <= until
    return local_day(moment, zone) <= local_day(until, zone)
