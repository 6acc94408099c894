"""Payment terms as plain values: when the parts of an invoice are due, and what an early payment saves.

They have one written form, in which the table and scenario files hold them: ``{"due": {"days": 30}}``, or
``{"instalments": [{"percent": "30", "due": …}, {"rest": true, "due": …}]}``, each with an ``early_discount``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from counterfoil.core.errors import Problem, Refusal

DAYS_MAX, MONTHS_MAX, INSTALMENTS_MAX = 365, 24, 60
HUNDRED = Decimal(100)
_PERCENT_DECIMALS, _AMOUNT_DECIMALS = 4, 4


@dataclass(frozen=True, slots=True)
class Due:
    """One due day: so many days after the issue, after the end of its month or of one ``months`` later; or the end of
    the month in which those days end; or a day of a month, ``months`` later.
    """

    days: int = 0
    from_end_of_month: bool = False
    months: int = 0
    then_end_of_month: bool = False
    day_of_month: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """An instalment: a percentage of the total, an amount in the invoice's currency, or the rest."""

    due: Due
    percent: Decimal | None = None
    amount: Decimal | None = None
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Discount:
    """So much off the total with tax for a payment until so many days after the issue, inclusive."""

    percent: Decimal
    days: int


@dataclass(frozen=True, slots=True)
class Terms:
    """One due day, or instalments, whose own due days hold then; and perhaps a discount for an early payment."""

    due: Due = Due()
    instalments: tuple[Part, ...] = ()
    early_discount: Discount | None = None


# What cannot be ------------------------------------------------------------------------------------------------------


def problems_of_terms(terms: Terms) -> list[Problem]:
    """Why these terms cannot be, each at the field of the record that says it. Empty for terms that can."""
    found = _problems_of_due(terms.due, "")
    if terms.instalments and terms.due != Due():
        text = "With instalments, each has its own due day; leave the one above empty."
        found.append(Problem("instalments", "due_twice", text))
    if len(terms.instalments) > INSTALMENTS_MAX:
        found.append(Problem("instalments", "too_many", f"At most {INSTALMENTS_MAX} instalments are possible."))
    for number, part in enumerate(terms.instalments):
        path = f"instalments.{number}."
        found += _problems_of_part(part, path) + _problems_of_due(part.due, path)
    if terms.instalments and not found:
        found += _problems_of_whole(terms.instalments)
    if terms.early_discount is not None:
        found += _problems_of_discount(terms.early_discount)
    return found


def _problems_of_due(due: Due, path: str) -> list[Problem]:
    found = []
    if not 0 <= due.days <= DAYS_MAX:
        found.append(Problem(f"{path}days", "out_of_range", f"Between 0 and {DAYS_MAX} days are possible."))
    if not 0 <= due.months <= MONTHS_MAX:
        found.append(Problem(f"{path}months", "out_of_range", f"Between 0 and {MONTHS_MAX} months are possible."))
    if due.day_of_month is not None:
        if not 1 <= due.day_of_month <= 31:
            found.append(Problem(f"{path}day_of_month", "out_of_range", "A day of a month is between 1 and 31."))
        if due.days or due.from_end_of_month or due.then_end_of_month:
            text = "A day of the month goes with months alone, not with days or the end of a month."
            found.append(Problem(f"{path}day_of_month", "due_twice", text))
    if due.from_end_of_month and due.then_end_of_month:
        text = "Either the days start at the end of the month, or they end there."
        found.append(Problem(f"{path}then_end_of_month", "due_twice", text))
    if due.months and not due.from_end_of_month and due.day_of_month is None:
        text = "Months go with the end of a month or with a day of the month."
        found.append(Problem(f"{path}months", "months_of_what", text))
    return found


def _problems_of_part(part: Part, path: str) -> list[Problem]:
    said = [part.percent is not None, part.amount is not None, part.rest]
    if sum(said) != 1:
        text = "An instalment is a percentage, an amount, or the rest: one of the three."
        return [Problem(f"{path}percent", "not_one_size", text)]
    if part.percent is not None and not 0 < part.percent <= HUNDRED:
        return [Problem(f"{path}percent", "out_of_range", "The percentage is above 0 and at most 100.")]
    if part.amount is not None and part.amount <= 0:
        return [Problem(f"{path}amount", "too_small", "The amount must be above zero.")]
    return []


def _problems_of_whole(parts: Sequence[Part]) -> list[Problem]:
    """Without a rest the percentages make the whole; with one they leave something over for it."""
    rests = sum(part.rest for part in parts)
    percents = sum((part.percent for part in parts if part.percent is not None), Decimal(0))
    if rests > 1:
        return [Problem("instalments", "rest_twice", "Only one instalment can be the rest.")]
    if rests and percents >= HUNDRED:
        return [Problem("instalments", "no_rest", f"{percents.normalize():f} % leave nothing for the rest.")]
    if not rests and any(part.amount is not None for part in parts):
        text = "With an amount among them, one instalment must be the rest; no invoice would come out else."
        return [Problem("instalments", "not_the_whole", text)]
    if not rests and percents != HUNDRED:
        text = f"The instalments make {percents.normalize():f} %, not 100. Add what is missing, or a rest."
        return [Problem("instalments", "not_the_whole", text)]
    return []


def _problems_of_discount(discount: Discount) -> list[Problem]:
    found = []
    if not 0 < discount.percent < HUNDRED:
        found.append(Problem("discount_percent", "out_of_range", "The discount is above 0 and below 100 percent."))
    if not 0 <= discount.days <= DAYS_MAX:
        found.append(Problem("discount_days", "out_of_range", f"Between 0 and {DAYS_MAX} days are possible."))
    return found


# The written form ----------------------------------------------------------------------------------------------------


def terms_from(raw: Any, path: str = "") -> Terms:
    """Terms from their written form. Refuses what is unknown, of the wrong kind, or cannot be, each with its path."""
    given = _object(raw, {"due", "instalments", "early_discount"}, path.rstrip("."))
    if "due" in given and "instalments" in given:
        raise Refusal("due_twice", "Terms have one due day or instalments, not both.", f"{path}instalments")
    parts = given.get("instalments", [])
    if not isinstance(parts, list):
        raise Refusal("not_a_list", "Instalments are a list.", f"{path}instalments")
    if "instalments" in given and not parts:
        raise Refusal("not_the_whole", "There are no instalments.", f"{path}instalments")
    discount = given.get("early_discount")
    terms = Terms(
        due=due_from(given.get("due", {}), f"{path}due"),
        instalments=tuple(part_from(part, f"{path}instalments[{number}]") for number, part in enumerate(parts)),
        early_discount=None if discount is None else _discount_from(discount, f"{path}early_discount"),
    )
    problems = problems_of_terms(terms)
    if problems:
        raise Refusal.of([Problem(path + _written_path(one.field), one.code, one.message) for one in problems])
    return terms


def due_from(raw: Any, path: str = "due") -> Due:
    """A due day from its written form; refuses with its path what is no such form."""
    given = _object(raw, {"days", "end_of_month", "months", "then", "day_of_month"}, path)
    then = given.get("then")
    if then not in (None, "end_of_month"):
        raise Refusal("not_a_choice", "After the days comes “end_of_month” or nothing.", f"{path}.then")
    end = given.get("end_of_month", False)
    if not isinstance(end, bool):
        raise Refusal("not_yes_or_no", "This is either true or false.", f"{path}.end_of_month")
    return Due(
        days=_whole(given, "days", path) or 0,
        from_end_of_month=end,
        months=_whole(given, "months", path) or 0,
        then_end_of_month=then is not None,
        day_of_month=_whole(given, "day_of_month", path),
    )


def part_from(raw: Any, path: str = "instalment") -> Part:
    """An instalment from its written form; refuses with its path what is no such form."""
    given = _object(raw, {"percent", "amount", "rest", "due"}, path)
    rest = given.get("rest", False)
    if not isinstance(rest, bool):
        raise Refusal("not_yes_or_no", "This is either true or false.", f"{path}.rest")
    return Part(
        due=due_from(given.get("due", {}), f"{path}.due"),
        percent=_decimal(given, "percent", path, _PERCENT_DECIMALS),
        amount=_decimal(given, "amount", path, _AMOUNT_DECIMALS),
        rest=rest,
    )


def _discount_from(raw: Any, path: str) -> Discount:
    given = _object(raw, {"percent", "days"}, path)
    percent, days = _decimal(given, "percent", path, _PERCENT_DECIMALS), _whole(given, "days", path)
    if percent is None or days is None:
        name = "percent" if percent is None else "days"
        raise Refusal("missing", "An early discount has a percentage and days.", f"{path}.{name}")
    return Discount(percent, days)


def written_part(part: Part) -> dict[str, Any]:
    """The written form of an instalment, without what it leaves open."""
    found: dict[str, Any] = {"due": _written_due(part.due)}
    if part.percent is not None:
        found["percent"] = f"{part.percent.normalize():f}"
    if part.amount is not None:
        found["amount"] = f"{part.amount.normalize():f}"
    return found | ({"rest": True} if part.rest else {})


def _written_due(due: Due) -> dict[str, Any]:
    found: dict[str, Any] = {"days": due.days} if due.days else {}
    found |= {"end_of_month": True} if due.from_end_of_month else {}
    found |= {"months": due.months} if due.months else {}
    found |= {"then": "end_of_month"} if due.then_end_of_month else {}
    return found | ({"day_of_month": due.day_of_month} if due.day_of_month is not None else {})


_WRITTEN = {"from_end_of_month": "end_of_month", "then_end_of_month": "then"}
_DUE_NAMES = {one.name for one in fields(Due)}


def _written_path(field: str) -> str:
    """Where the written form says what a field of the record says."""
    first, *more = field.split(".")
    if first.startswith("discount_"):
        return f"early_discount.{first.removeprefix('discount_')}"
    name = more[-1] if more else first
    if name in _DUE_NAMES:
        name = f"due.{_WRITTEN.get(name, name)}"
    return f"{first}[{more[0]}].{name}" if more else name


def _object(raw: Any, known: set[str], path: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise Refusal("not_an_object", "This must be a set of named values.", path)
    for name in raw:
        if name not in known:
            raise Refusal("unknown_field", "There is no such field.", f"{path}.{str(name)[:60]}".lstrip("."))
    return raw


def _whole(given: Mapping[str, Any], name: str, path: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal("not_whole", "This must be a whole number.", f"{path}.{name}")
    return value


def _decimal(given: Mapping[str, Any], name: str, path: str, decimals: int) -> Decimal | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        found = Decimal(value) if isinstance(value, str) and len(value) <= 40 else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found) >= Decimal(10) ** 13 or found != round(found, decimals):
        text = f'This must be a number with at most {decimals} decimals, written as text: "12.50".'
        raise Refusal("not_a_number", text, f"{path}.{name}")
    return found


# In words ------------------------------------------------------------------------------------------------------------


def terms_in_words(terms: Terms) -> str:
    """The terms as one sentence says them: "30 % on the day of issue, the rest 30 days after the issue"."""
    said = ", ".join(f"{_size(part)} {due_in_words(part.due)}" for part in terms.instalments)
    said = said or due_in_words(terms.due)
    discount = terms.early_discount
    if discount is None:
        return said
    until = f"within {_count(discount.days, 'day')}" if discount.days else "on the day of issue"
    return f"{said}; {discount.percent.normalize():f} % less {until}"


def due_in_words(due: Due) -> str:
    """One due day in words, to go behind "due"."""
    if due.day_of_month is not None:
        return f"on day {due.day_of_month} of {_month(due.months)}"
    if due.from_end_of_month:
        end = f"the end of {_month(due.months)}"
        return f"{_count(due.days, 'day')} after {end}" if due.days else f"at {end}"
    if due.then_end_of_month:
        return (
            f"at the end of the month {_count(due.days, 'day')} after the issue"
            if due.days
            else ("at the end of the month")
        )
    return f"{_count(due.days, 'day')} after the issue" if due.days else "on the day of issue"


def _month(months: int) -> str:
    return {0: "the month", 1: "the next month"}.get(months, f"the month {_count(months, 'month')} later")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _size(part: Part) -> str:
    if part.percent is not None:
        return f"{part.percent.normalize():f} %"
    return f"{part.amount:,.2f}" if part.amount is not None else "the rest"
