"""Why a line came about, kept in one fixed form that colleagues read, and printed in the customer's language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from counterfoil.core.money import currency_decimals, is_currency
from counterfoil.core.periods import Period
from counterfoil.documents.wording import Wording

REASON_MAX = 300
_NUMBER = r"\d+(?:\.\d+)?"
_DAY = r"\d{4}-\d{2}-\d{2}"
_KEPT = re.compile(
    rf"(?P<beyond>{_NUMBER}) of (?P<whole>{_NUMBER}) (?P<unit>\S+) beyond the retainer (?P<title>.*?)"
    rf"(?:: (?P<used>{_NUMBER}) of (?P<there>{_NUMBER}) (?P=unit) used from (?P<first>{_DAY}) to (?P<last>{_DAY}))?"
)


@dataclass(frozen=True)
class Burned:
    """How much a period of a retainer had, and how much of that was used."""

    period: Period
    used: Decimal
    there: Decimal


@dataclass(frozen=True)
class BeyondRetainer:
    """So much of an entry lies beyond its retainer, in hours (``h``) or in a currency."""

    beyond: Decimal
    whole: Decimal
    unit: str
    title: str
    burned: Burned | None = None

    @property
    def kept(self) -> str:
        """The text that is kept on the line. A title is cut before anything else is."""
        start = f"{_plain(self.beyond)} of {_plain(self.whole)} {self.unit} beyond the retainer "
        end, burned = "", self.burned
        if burned is not None:
            days = f"from {burned.period.start} to {burned.period.last_day}"
            end = f": {_plain(burned.used)} of {_plain(burned.there)} {self.unit} used {days}"
        return start + self.title[: REASON_MAX - len(start) - len(end)] + end

    @classmethod
    def read(cls, kept: str) -> BeyondRetainer | None:
        """What a kept text says; nothing where it is of another kind."""
        found = _KEPT.fullmatch(kept)
        if found is None:
            return None
        burned = None
        if found["used"] is not None:
            try:
                last = date.fromisoformat(found["last"])
                period = Period(date.fromisoformat(found["first"]), last + timedelta(days=1))
            except (ValueError, OverflowError):  # a title that only looks like it
                return None
            burned = Burned(period, Decimal(found["used"]), Decimal(found["there"]))
        return cls(Decimal(found["beyond"]), Decimal(found["whole"]), found["unit"], found["title"], burned)

    def said(self, words: Wording) -> str:
        decimals = currency_decimals(self.unit) if is_currency(self.unit) else 0

        def number(figure: Decimal) -> str:
            return words.number(figure, decimals)

        text = words.retainer["over"].format(
            beyond=number(self.beyond), whole=f"{number(self.whole)} {self.unit}", title=self.title
        )
        if self.burned is None:
            return text
        used = words.retainer["over_used"].format(
            used=number(self.burned.used),
            there=f"{number(self.burned.there)} {self.unit}",
            period=words.period(self.burned.period),
        )
        return f"{text}, {used}"


_FIGURE = r"-?\d{1,3}(?:,\d{3})*(?:\.\d+)?"
_TERM = rf"{_FIGURE} × {_FIGURE}"
_SUM = rf"{_TERM}(?: \+ (?:{_TERM}|…))*"
_WORKED_OUT = re.compile(
    r"(?P<unused>not used: )?"
    rf"(?:(?P<part>{_FIGURE}) of (?P<whole>{_FIGURE}) (?P<unit>days \(30/360\)|days|seconds) × )?"
    rf"(?:(?P<count>{_FIGURE}) packages? of (?P<size>{_FIGURE}) × (?P<each>{_FIGURE})|(?P<sum>{_SUM}|\({_SUM}\)))"
    rf"(?: = (?P<before>{_FIGURE}), less discount)?"
)


def worked_out_in(words: Wording, kept: str) -> str | None:
    """How a price came about, as ``subscriptions`` keeps it, in this language: "17 of 31 days × 1 × 100.00". None where
    a text is of another kind.
    """
    found = _WORKED_OUT.fullmatch(kept)
    if found is None:
        return None

    def said(key: str, **figures: str) -> str:
        return words.reason[key].format(**{name: _figure_in(words, figure) for name, figure in figures.items()})

    text = ""
    if found["part"] is not None:
        text = f"{said(_SHARES[found['unit']], part=found['part'], whole=found['whole'])} × "
    if found["sum"] is not None:
        text += re.sub(_FIGURE, lambda figure: _figure_in(words, figure[0]), found["sum"])
    else:
        key = "package" if found["count"] == "1" else "packages"
        text += said(key, count=found["count"], size=found["size"], amount=found["each"])
    if found["unused"] is not None:
        text = words.reason["unused"].format(what=text)
    if found["before"] is not None:
        text = f"{text} = {said('less_discount', before=found['before'])}"
    return text


_SHARES = {"days": "days", "days (30/360)": "days_360", "seconds": "seconds"}


def _figure_in(words: Wording, figure: str) -> str:
    """A figure with the decimals with which it was kept."""
    return words.number(Decimal(figure.replace(",", "")), len(figure.partition(".")[2]))


def reason_in(words: Wording, kept: str) -> str:
    """A line's reason in this language, where it is one of ours; any other stays as it was written."""
    found = BeyondRetainer.read(kept)
    if found is not None:
        return found.said(words)
    worked_out = worked_out_in(words, kept)
    return kept if worked_out is None else worked_out


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
