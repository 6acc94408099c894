"""Starting, changing, pausing and ending on the screen, each beside a preview that runs the very same command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.accounts.queries import account_titles, billing_facts, list_terms
from counterfoil.core.errors import NotFound, Problem, Refusal, Stale
from counterfoil.core.money import Money
from counterfoil.invoicing.queries import local_today
from counterfoil.ledger.queries import list_entities
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value, record_type
from counterfoil.subscriptions import commands, previewing, queries
from counterfoil.subscriptions.models import PauseMode
from counterfoil.subscriptions.ordering import check_day
from counterfoil.subscriptions.record_types import SUBSCRIPTION
from counterfoil.subscriptions.rules.orders import REASON_MAX
from counterfoil.subscriptions.web.views import is_paused
from counterfoil.surface.forms import Form, Typed, record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say

SECTIONS: dict[str, list[str]] = {
    "Items": ["items"],
    "Time": ["start", "trial_end", "end", "anchor_day"],
    "Term": ["committed_to", "notice_days", "is_renewed", "price_fixed_to"],
    "Documents": ["name", "owner", "entity", "terms", "po_number", "reference_values", "references"],
    "Discounts": ["coupon", "discounts"],
}
FIELDS = [name for names in SECTIONS.values() for name in names]
DETAILS = [
    "name", "owner", "terms", "po_number", "reference_values", "references", "committed_to", "notice_days",
    "is_renewed", "price_fixed_to",
]  # fmt: skip
WHEN = Field("when", "From", Kind.DAY, required=True, help="A day in the past repairs what was billed since.")
ITEMS = record_type(SUBSCRIPTION).by_id["items"]
MODE = Field(
    "mode", "Mode", Kind.CHOICE, choices=PauseMode.choices, required=True,
    help="Skip gives back what is billed beyond the day. Void leaves it billed; the periods that begin meanwhile come "
    "to nothing. Extend: time stands still, and the days that are left go on after it.",
)  # fmt: skip
UNTIL = Field("until", "Until before", Kind.DAY, help="It goes on by itself on this day. Empty until somebody says so.")
COUPON = Field("code", "Code", required=True, max_length=40)
DISCOUNT = Field("discount", "Discount", Kind.INTEGER, required=True, minimum=Decimal(1), maximum=Decimal(32_767))
REASON = Field("reason", "Reason", max_length=REASON_MAX)
AT_END = Field("at_period_end", "When its period ends", Kind.YES_NO)
CREDITED = Field("credited", "Give back what is billed beyond the end", Kind.YES_NO)


@dataclass(frozen=True)
class Asked:
    """What a change asks, and how it is called."""

    fields: tuple[Field, ...]
    title: str
    words: str
    button: str
    said: str
    is_ending: bool = False


ASKED: Mapping[str, Asked] = {
    "change": Asked(
        (ITEMS, WHEN),
        "Change",
        "All items that it shall have. A price that is there already stays as it was agreed; a line removed ends.",
        "Change subscription",
        "The subscription is changed.",
    ),
    "pause": Asked(
        (MODE, WHEN, UNTIL, REASON),
        "Pause",
        "It is not billed until it goes on.",
        "Pause subscription",
        "The subscription rests.",
    ),
    "coupon": Asked(
        (COUPON,),
        "Coupon",
        "Its discount holds from the next period that is not billed yet, beside those that the subscription has.",
        "Redeem coupon",
        "The coupon is redeemed.",
    ),
    "discount": Asked(
        (DISCOUNT,),
        "Take off a discount",
        "It ends with the next period that is not billed yet. What was billed stays. A coupon can be redeemed again.",
        "Take off discount",
        "The discount is taken off.",
        is_ending=True,
    ),
    "resume": Asked(
        (WHEN,),
        "Go on",
        "It is billed again from the day on: the rest of the period that contains the day, the next period after a "
        "pause that voids, or what follows the days that are left after one that extends.",
        "Let it go on",
        "The subscription goes on.",
    ),
    "cancel": Asked(
        (WHEN, AT_END, CREDITED, REASON),
        "End",
        "It is not billed from the day on. What was used until then still is.",
        "End subscription",
        "The subscription ends.",
        is_ending=True,
    ),
}
READ_OR_SAVE = ["GET", "HEAD", "POST"]


# Starting -------------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def new(request: Request) -> HttpResponse:
    """First the account, ``?account=``, which decides on the prices; then the rest."""
    account_id, title = _account(request)
    if account_id is None:
        form = record_form(SUBSCRIPTION, only=["account"], writable=request.actor.writes)
        return page(request, "subscriptions/new_account.html", {"form": form})
    typed: Typed | None = None
    refusal: Refusal | None = None
    if request.method == "POST":
        typed = values_from(request.POST, SUBSCRIPTION, FIELDS)
        try:
            subscription_id = _start(request, account_id, typed)
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "The subscription has started.")
            return go(request, reverse("subscriptions:subscription", args=[subscription_id]))
    currency = _currency(account_id)
    offered = queries.offered_prices(request.actor, account_id, currency, local_today())
    context = {
        "form": _start_form(request, offered, typed, refusal),
        "account_id": account_id,
        "account_title": title,
        "currency": currency,
        "has_prices": bool(offered),
        "action": request.get_full_path(),
        "preview_url": f"{reverse('subscriptions:preview_new')}?account={account_id}",
    }
    return page(request, "subscriptions/new.html", context, status=refusal.status if refusal else 200)


def _account(request: Request) -> tuple[UUID | None, str]:
    """The account that the address names, if the actor may know of it."""
    found = queries.titles_of(request.actor, [request.GET.get("account", "")])
    for text, title in found.items():
        if UUID(text) in account_titles([UUID(text)]):
            return UUID(text), title
    return None, ""


def _currency(account_id: UUID) -> str:
    facts = billing_facts([account_id], local_today()).get(account_id)
    return facts.currency.value if facts is not None else ""


def _start(request: Request, account_id: UUID, typed: Typed) -> UUID:
    values = {**typed, "account": str(account_id)}
    return commands.start_subscription(actor=request.actor, values=values, on=local_today(), at=clock.now())


def _start_form(request: Request, offered: list[tuple[str, str]], typed: Typed | None, refusal: Refusal | None) -> Form:
    values = {"start": local_today(), "is_renewed": True, "items": [{"quantity": 1}]}
    return record_form(
        SUBSCRIPTION,
        values=values,
        typed=typed,
        sections=SECTIONS,
        writable=request.actor.writes,
        problems=refusal or (),
        options={
            "price": offered,
            "entity": [(row.id, row.name) for row in list_entities(request.actor)],
            "terms": [(row.id, row.name) for row in list_terms(request.actor)],
        },
        placeholders={"name": "After its first item"},
    )


@require_POST
def preview_new(request: Request) -> HttpResponse:
    """The documents that a start would make, with values that nobody has saved."""
    account_id, _ = _account(request)
    if account_id is None:
        raise NotFound()
    typed = values_from(request.POST, SUBSCRIPTION, FIELDS)
    return _shown(
        request,
        lambda: previewing.preview_start(request.actor, lambda: _start(request, account_id, typed), local_today()),
    )


# Changing -------------------------------------------------------------------------------------------------------------


@require_http_methods(READ_OR_SAVE)
def act(request: Request, subscription_id: UUID, verb: str) -> HttpResponse:
    """Change, pause, go on or end from a day on, beside what that would bill and give back."""
    row = queries.get_subscription(request.actor, subscription_id)
    typed: Typed | None = None
    refusal: Refusal | None = None
    if request.method == "POST":
        typed = values_from(request.POST, SUBSCRIPTION, fields=ASKED[verb].fields)
        try:
            _do(request, subscription_id, verb, typed)
        except Refusal as refused:
            refusal = refused
        else:
            say(request, ASKED[verb].said)
            return go(request, reverse("subscriptions:subscription", args=[subscription_id]))
    context = {
        "subscription": row,
        "asked": ASKED[verb],
        "form": _act_form(request, row, verb, typed, refusal),
        "preview_url": reverse("subscriptions:preview", args=[subscription_id, verb]),
    }
    return page(request, "subscriptions/act.html", context, status=refusal.status if refusal else 200)


def _act_form(request: Request, row: Row, verb: str, typed: Typed | None, refusal: Refusal | None) -> Form:
    offered = []
    if verb == "change":
        offered = queries.offered_prices(request.actor, row.account, row.currency, local_today(), row.id)
    return record_form(
        SUBSCRIPTION,
        values={"items": queries.wanted_items(row), "when": local_today(), "credited": True, "mode": "skip"},
        typed=typed,
        fields=ASKED[verb].fields,
        problems=refusal or (),
        options={"price": offered, "discount": queries.discounts_to_take_off(row)},
        writable=request.actor.writes,
        version=row.version,
    )


@require_http_methods(READ_OR_SAVE)
def details(request: Request, subscription_id: UUID) -> HttpResponse:
    """What bills nothing by itself: name, owner, terms, term and notice."""
    row = queries.get_subscription(request.actor, subscription_id)
    typed: Typed | None = None
    refusal: Refusal | None = None
    if request.method == "POST":
        typed = values_from(request.POST, SUBSCRIPTION, DETAILS)
        try:
            commands.change_details(
                actor=request.actor,
                subscription_id=subscription_id,
                values=typed,
                version=version_from(request.POST),
            )
        except Refusal as refused:
            refusal = refused
        else:
            say(request, "Saved.")
            return go(request, reverse("subscriptions:subscription", args=[subscription_id]))
    form = record_form(
        SUBSCRIPTION,
        values={**row, "owner_title": row.owner_title, "version": row.version},
        typed=typed,
        only=DETAILS,
        writable=request.actor.writes,
        problems=refusal or (),
        options={"terms": [(one.id, one.name) for one in list_terms(request.actor)]},
        version=row.version,
    )
    context = {"subscription": row, "form": form}
    return page(request, "subscriptions/details.html", context, status=refusal.status if refusal else 200)


@require_POST
def preview(request: Request, subscription_id: UUID, verb: str) -> HttpResponse:
    """What one of the changes would make, with what is typed so far."""
    if verb not in ASKED:
        raise NotFound()
    typed = values_from(request.POST, SUBSCRIPTION, fields=ASKED[verb].fields)

    def done() -> None:
        _do(request, subscription_id, verb, typed)

    return _shown(request, lambda: previewing.preview(request.actor, subscription_id, done, local_today()))


def _shown(request: Request, make: Callable[[], previewing.Preview]) -> HttpResponse:
    """The preview; while something is missing, what it waits for."""
    context: dict[str, Any] = {}
    try:
        found = make()
        context = {
            "preview": found,
            "documents": [_with_words(row) for row in found.documents],
            "is_paused": is_paused(found.subscription),
        }
    except NotFound:
        raise
    except Refusal as refusal:
        context = {"problem": refusal.problems[0].message}
    return page(request, "subscriptions/preview.html", context)


def _with_words(row: Row) -> Row:
    lines = [{**line, "net": _money(line.get("net"), row.currency)} for line in row.lines]
    return row.plus(shown_lines=lines, is_credit_note=row.kind == "credit_note", is_waiting=row.status == "draft")


def _money(net: Any, currency: str) -> Any:
    """A line's amount with its currency; what is closed stays so."""
    return Money.exact(net, currency) if isinstance(net, Decimal) and isinstance(currency, str) else net


def _do(request: Request, subscription_id: UUID, verb: str, typed: Typed) -> None:
    """The change itself, for real or in a scratch copy."""
    asked = _cleaned([one for one in ASKED[verb].fields if one.kind is not Kind.ROWS], typed)
    on, at = local_today(), clock.now()
    check_day(asked.get("when"), "when", on)
    same: dict[str, Any] = {
        "actor": request.actor,
        "subscription_id": subscription_id,
        "version": version_from(request.POST),
        "on": on,
        "at": at,
    }
    if verb == "change":
        values = {"items": typed.get("items", [])}
        commands.change_items(values=values, when=asked["when"], **same)
    elif verb == "pause":
        check_day(asked.get("until"), "until", on)
        commands.pause_subscription(
            when=asked["when"],
            mode=asked.get("mode") or PauseMode.SKIP,
            until=asked.get("until"),
            reason=asked.get("reason", ""),
            **same,
        )
    elif verb == "coupon":
        try:
            commands.redeem_coupon(code=asked["code"], **same)
        except Stale:
            raise
        except Refusal as refused:
            raise _at(refused, "code") from None
    elif verb == "discount":
        commands.take_off_discount(discount=asked["discount"], **same)
    elif verb == "resume":
        commands.resume_subscription(when=asked["when"], **same)
    else:
        commands.cancel_subscription(
            when=asked["when"],
            is_at_period_end=asked.get("at_period_end", False),
            is_credited=asked.get("credited", True),
            reason=asked.get("reason", ""),
            **same,
        )


def _at(refused: Refusal, field: str) -> Refusal:
    """The refusal at the field of this form."""
    for one in refused.problems:
        return type(refused)(one.code, one.message, field) if one.field else refused
    return refused


def _cleaned(fields: Sequence[Field], typed: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for item in fields:
        try:
            value = clean_value(item, typed.get(item.id))
        except BadValue as bad:
            problems.append(Problem(item.id, bad.code, bad.message))
            continue
        if item.required and value in (None, ""):
            problems.append(Problem(item.id, "missing", f"{item.label} is missing."))
        if item.id in typed:
            found[item.id] = value
    if problems:
        raise Refusal.of(problems)
    return found
