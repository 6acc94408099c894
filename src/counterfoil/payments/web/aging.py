"""Who owes how much for how long, on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from counterfoil.access.requests import Request
from counterfoil.accounts.queries import account_titles
from counterfoil.core.money import Money
from counterfoil.invoicing.queries import local_today
from counterfoil.payments.aging import Aging, aging
from counterfoil.payments.rules.aging import NOT_DUE, USUAL, labels
from counterfoil.surface.htmx import page

SHOWN_MAX = 500
NAMES = {NOT_DUE: "Not due", **{name: f"{name} days" for name in labels(USUAL)[1:]}}


@dataclass(frozen=True)
class Line:
    """One account in one currency, or the sum of a currency."""

    title: str
    account_id: UUID | None
    buckets: tuple[tuple[str, Money], ...]
    total: Money


@require_GET
def aging_page(request: Request) -> HttpResponse:
    """Everybody who owes, what is late for longest first, with a sum for each currency."""
    today = local_today()
    found = sorted(aging(request.actor, None, as_of=today), key=_lateness, reverse=True)
    titles = account_titles(one.account_id for one in found[:SHOWN_MAX])
    context = {
        "names": list(NAMES.values()),
        "lines": [_line(one, titles.get(one.account_id, "")) for one in found[:SHOWN_MAX]],
        "sums": [_sum(currency, found) for currency in sorted({one.currency for one in found})],
        "more": max(0, len(found) - SHOWN_MAX),
        "today": today,
    }
    return page(request, "payments/aging.html", context)


def lines_of(request: Request, account_id: UUID) -> list[Line]:
    """What one account owes, a line for each currency."""
    return [_line(one, "") for one in aging(request.actor, [account_id], as_of=local_today())]


def _lateness(one: Aging) -> tuple[Decimal, ...]:
    return tuple(part.amount for part in reversed(list(one.buckets.values())))


def _line(one: Aging, title: str) -> Line:
    parts = tuple((NAMES[name], part) for name, part in one.buckets.items())
    return Line(title, one.account_id, parts, one.total)


def _sum(currency: str, found: Sequence[Aging]) -> Line:
    mine = [one for one in found if one.currency == currency]
    sums = dict.fromkeys(NAMES, Money.zero(currency))
    for one in mine:
        for name, part in one.buckets.items():
            sums[name] += part
    total = Money.zero(currency)
    for part in sums.values():
        total += part
    return Line(f"All in {currency}", None, tuple((NAMES[name], part) for name, part in sums.items()), total)
