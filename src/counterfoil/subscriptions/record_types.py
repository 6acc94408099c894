"""Subscriptions, their billing policy and billing runs, described once."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.catalog.rules.pricing import Pricing, tiers_from
from counterfoil.catalog.rules.wording import amount_in_words, price_in_words
from counterfoil.core.references import REFERENCES_LENGTH, REFERENCES_MAX
from counterfoil.invoicing.references import values_field
from counterfoil.plumbing.record_types import Field, Group, Kind, Panel, RecordType, register
from counterfoil.subscriptions.agreements import pricing_of
from counterfoil.subscriptions.models import (
    Basis,
    BillingPolicy,
    BillingRun,
    Coupon,
    EndDay,
    FirstPeriod,
    IncreaseState,
    IntervalChange,
    PauseMode,
    PriceIncrease,
    PriceRaise,
    RaiseState,
    RoundingMode,
    RunState,
    Subscription,
    SubscriptionItem,
    Timing,
)
from counterfoil.subscriptions.rules.grid import day_of, restored
from counterfoil.subscriptions.rules.raising import LEFT_OUT, notice_in_words
from counterfoil.surface.states import register_state

SUBSCRIPTION, POLICY, RUN = "subscriptions.subscription", "subscriptions.policy", "subscriptions.run"
INCREASE, RAISE, COUPON = "subscriptions.increase", "subscriptions.raise", "subscriptions.coupon"

STATES = (
    ("active", "Active"),
    ("trial", "In trial"),
    ("planned", "Planned"),
    ("paused", "Paused"),
    ("ending", "Ends"),
    ("ended", "Ended"),
    ("parked", "Parked"),
)
register_state("trial", "In trial", "quarter", "blue")
register_state("paused", "Paused", "half", "amber")
register_state("ending", "Ends", "half", "plain")
register_state("ended", "Ended", "dash", "muted")
register_state("planning", "Being worked out", "quarter", "blue")
register_state("increase_planned", "Planned", "circle", "blue")
register_state("raised", "Raised", "check", "green")
register_state("left_out", "Left out", "dash", "muted")
register_state("parked", "Parked", "alarm", "red")


def _day(column: str) -> Any:
    """Reads a kept moment as the local day that it lies in."""

    def read(one: Subscription) -> date | None:
        kept: datetime | None = getattr(one, column)
        return None if kept is None else day_of(restored(kept, one.basis), one.zone)

    return read


def _items(one: Subscription) -> list[SubscriptionItem]:
    """The items, as a query gave them with their present quantities."""
    return list(getattr(one, "shown_items", ()))


def _coupons(one: Subscription) -> str:
    """The codes of the coupons whose discounts it has."""
    shown = getattr(one, "shown_discounts", ())
    return ", ".join(each.coupon_code for each in shown if each.coupon_code and each.off_from is None)


def _raise_words(one: PriceRaise, which: str) -> str:
    amount, tiers = getattr(one, f"{which}_amount"), getattr(one, f"{which}_tiers")
    pricing = Pricing(one.item.model, amount, one.item.per, tiers_from(tiers))
    return amount_in_words(pricing, currency=one.currency, unit=one.item.unit, language="en").rstrip(",")


def _words(item: SubscriptionItem) -> str:
    return price_in_words(
        pricing_of(item),
        currency=item.subscription.currency,
        unit=item.unit,
        interval=item.interval,
        count=item.count,
        billed="in_advance" if item.is_in_advance else "in_arrears",
        language="en",
    )


ITEM_FIELDS = (
    Field("price", "Price", required=True, max_length=80, column="price_key", help="The key of a price."),
    Field("quantity", "Quantity", Kind.DECIMAL, minimum=Decimal(0), read=lambda item: item.present_quantity),
    Field("description", "What", computed=True),
    Field("product", "Product", Kind.LINK, computed=True, to="catalog.product"),
    Field("unit", "Unit", computed=True),
    Field("words", "Price in words", group=Group.PRICING, computed=True, read=_words),
    Field("interval", "Interval", computed=True),
    Field("count", "Every", Kind.INTEGER, computed=True),
    Field("is_in_advance", "In advance", Kind.YES_NO, computed=True),
    Field("is_metered", "Metered", Kind.YES_NO, computed=True),
)

DISCOUNT_FIELDS = (
    Field("percent", "Percent", Kind.DECIMAL, Group.PRICING, decimals=4, minimum=Decimal("0.0001"),
          maximum=Decimal(100)),
    Field("amount", "Amount", Kind.DECIMAL, Group.PRICING, decimals=4, minimum=Decimal("0.0001")),
    Field("periods", "Periods", Kind.INTEGER, minimum=Decimal(1), maximum=Decimal(1000),
          help="For so many periods; empty for all."),
    Field("position", "Number", Kind.INTEGER, computed=True, help="Names the discount within its subscription."),
    Field("coupon", "Coupon", Kind.TEXT, Group.PRICING, computed=True, column="coupon_code"),
    Field("off_from", "Taken off from", Kind.DAY, Group.PRICING, computed=True,
          read=lambda one: getattr(one, "off_from", None),
          help="Periods that begin on this day or later are without it."),
)  # fmt: skip

PAUSE_FIELDS = (
    Field("from", "From", Kind.DAY, computed=True, read=lambda one: _pause_day(one, "starts_at")),
    Field("to", "Until before", Kind.DAY, computed=True, read=lambda one: _pause_day(one, "ends_at")),
    Field("mode", "Mode", Kind.CHOICE, choices=PauseMode.choices, computed=True),
    Field("is_over", "It went on", Kind.YES_NO, computed=True),
    Field("reason", "Reason", computed=True),
)


def _pause_day(one: Any, column: str) -> date | None:
    kept = getattr(one, column)
    subscription = one.subscription
    return None if kept is None else day_of(restored(kept, subscription.basis), subscription.zone)


POLICY_FIELDS = (
    Field("basis", "Parts of periods are counted in", Kind.CHOICE, Group.TERMS, choices=Basis.choices),
    Field("increase", "An increase is billed", Kind.CHOICE, Group.TERMS, choices=Timing.choices),
    Field("decrease", "A decrease is given back", Kind.CHOICE, Group.TERMS, choices=Timing.choices),
    Field("first_period", "A first part of a period costs", Kind.CHOICE, Group.TERMS, choices=FirstPeriod.choices),
    Field("end_day", "The day of the end", Kind.CHOICE, Group.TERMS, choices=EndDay.choices),
    Field("interval_change", "Another interval", Kind.CHOICE, Group.TERMS, choices=IntervalChange.choices),
    Field("rounding", "Half a cent is rounded", Kind.CHOICE, Group.TERMS, choices=RoundingMode.choices),
)

register(
    RecordType(
        key=SUBSCRIPTION,
        model=Subscription,
        label="Subscription",
        plural="Subscriptions",
        title=lambda one: f"{one.number} {one.title}",
        see="subscriptions.see",
        page="subscriptions:subscription",
        create="subscriptions.start_subscription",
        change="subscriptions.change_details",
        search={"name": "title", "number": "number"},
        hint=("number", "number"),
        fields=(
            Field("number", "Number", computed=True),
            Field("account", "Account", Kind.LINK, to="accounts.account", required=True),
            Field("name", "Name", max_length=200, help="Without one, it is called after its first item.",
                  column="title"),
            Field("state", "State", Kind.CHOICE, choices=STATES, computed=True,
                  read=lambda one: getattr(one, "state", "")),
            Field("items", "Items", Kind.ROWS, rows=ITEM_FIELDS, required=True, read=_items),
            Field("start", "Starts on", Kind.DAY, required=True, read=_day("starts_at")),
            Field("trial_end", "Free until before", Kind.DAY, help="The first day that is billed, after a trial.",
                  read=_day("trial_ends_at")),
            Field("end", "Ends before", Kind.DAY, help="The first day that is not billed any more.",
                  read=_day("ends_at")),
            Field("end_reason", "Ends because", computed=True),
            Field("anchor_day", "Periods begin on day", Kind.INTEGER, minimum=Decimal(1), maximum=Decimal(31),
                  help="Of the month. Without one, on the day of the start; 31 is a short month's last day."),
            Field("anchor_on", "Periods are counted from", Kind.DAY),
            Field("discounts", "Discounts", Kind.ROWS, Group.PRICING, rows=DISCOUNT_FIELDS,
                  read=lambda one: list(getattr(one, "shown_discounts", ()))),
            Field("coupon", "Coupon", Kind.TEXT, Group.PRICING, max_length=40,
                  help="A code that gives a discount.", read=_coupons),
            Field("pauses", "Pauses", Kind.ROWS, rows=PAUSE_FIELDS, computed=True,
                  read=lambda one: list(getattr(one, "shown_pauses", ()))),
            Field("entity", "Our company", Kind.LINK, to="ledger.entity"),
            Field("owner", "Owner", Kind.LINK, to="access.user"),
            Field("currency", "Currency", Kind.CURRENCY, Group.TERMS),
            Field("terms", "Payment terms", Kind.LINK, Group.TERMS, to="accounts.terms"),
            Field("po_number", "PO number", max_length=60),
            Field("references", "References", Kind.PARAGRAPH, max_length=REFERENCES_LENGTH, max_lines=REFERENCES_MAX,
                  help="One on each line, such as “Cost centre: 4711”. They go on to the invoices, and are printed."),
            values_field("By key, as the settings define them. They go on to the invoices."),
            Field("committed_to", "Committed until", Kind.DAY, Group.TERMS, help="The last day of the agreed term."),
            Field("is_renewed", "Goes on after the term", Kind.YES_NO, Group.TERMS),
            Field("notice_days", "Days of notice", Kind.INTEGER, Group.TERMS, minimum=Decimal(0),
                  maximum=Decimal(1000)),
            Field("price_fixed_to", "Prices fixed until", Kind.DAY, Group.TERMS,
                  help="The last day on which no price increase reaches it."),
            Field("due_on", "Next bill", Kind.DAY, computed=True, read=_day("due_at")),
            Field("parked_at", "Parked at", Kind.INSTANT, computed=True),
            Field("parked_reason", "Parked because", computed=True),
            *(Field(one.id, one.label, one.kind, one.group, computed=True, choices=one.choices)
              for one in POLICY_FIELDS),
            Field("zone", "Time zone", computed=True),
            Field("deal", "Deal", Kind.LINK, computed=True, to="deals.deal"),
            Field("created_at", "Made", Kind.INSTANT, computed=True),
        ),
        panels=(
            Panel("accounts.account", "Subscriptions", "subscriptions:account_panel", "subscriptions.see", 10, "money"),
        ),
    )
)  # fmt: skip

register(
    RecordType(
        key=POLICY,
        model=BillingPolicy,
        label="Billing policy",
        plural="Billing policies",
        title=lambda one: one.entity.name,
        see="subscriptions.see",
        change="subscriptions.set_policy",
        fields=(
            Field("entity", "Our company", Kind.LINK, computed=True, to="ledger.entity"),
            *POLICY_FIELDS,
            Field("is_reviewed", "Review what a run makes", Kind.YES_NO, Group.TERMS,
                  help="Drafts wait in the review queue instead of being sent."),
            Field("most_documents_a_day", "Most documents a day", Kind.INTEGER, Group.TERMS, minimum=Decimal(1),
                  maximum=Decimal(100_000), help="Of one account. With more, the account is parked."),
            Field("most_amount_a_day", "Most money a day", Kind.DECIMAL, Group.TERMS, decimals=4,
                  minimum=Decimal(0), help="Of one account, in its currency. Empty for no limit."),
        ),
    )
)  # fmt: skip

RUN_PARKING_FIELDS = (
    Field("subscription", "Subscription", Kind.LINK, computed=True, to=SUBSCRIPTION),
    Field(
        "account",
        "Account",
        Kind.LINK,
        computed=True,
        to="accounts.account",
        read=lambda one: one.subscription.account_id,
    ),
    Field("number", "Number", computed=True, read=lambda one: one.subscription.number),
    Field("name", "Name", computed=True, read=lambda one: one.subscription.title),
    Field("reason", "Because", computed=True),
    Field("is_parked", "Still parked", Kind.YES_NO, computed=True, read=lambda one: bool(one.subscription.parked_at)),
)
TOTAL_FIELDS = (
    Field("currency", "Currency", Kind.CURRENCY, computed=True),
    Field("net", "Net", Kind.DECIMAL, Group.PRICING, computed=True),
)

register(
    RecordType(
        key=RUN,
        model=BillingRun,
        label="Billing run",
        plural="Billing runs",
        title=lambda one: f"Billing run of {one.on.isoformat()}",
        see="subscriptions.see",
        page="subscriptions:run",
        fields=(
            Field("on", "As of", Kind.DAY, computed=True),
            Field("state", "State", Kind.CHOICE, choices=RunState.choices, computed=True),
            Field("started_by_name", "Started by", computed=True),
            Field("expected", "Were due", Kind.INTEGER, computed=True),
            Field("subscriptions", "Looked at", Kind.INTEGER, computed=True),
            Field("documents", "Documents", Kind.INTEGER, computed=True),
            Field("parked", "Parked", Kind.INTEGER, computed=True),
            Field("totals", "Net by currency", Kind.ROWS, Group.PRICING, rows=TOTAL_FIELDS, computed=True,
                  read=lambda run: [{"currency": name, "net": Decimal(net)} for name, net in run.totals.items()]),
            Field("parkings", "Held back", Kind.ROWS, rows=RUN_PARKING_FIELDS, computed=True,
                  read=lambda run: list(getattr(run, "shown_parkings", ()))),
            Field("created_at", "Started", Kind.INSTANT, computed=True),
            Field("ended_at", "Ended", Kind.INSTANT, computed=True),
        ),
    )
)  # fmt: skip

NEW_PRICE_FIELDS = (
    Field("price", "Price", required=True, max_length=80, help="The key of a price."),
    Field("amount", "New amount", Kind.DECIMAL, Group.PRICING, required=True, decimals=6, minimum=Decimal(0)),
)

register(
    RecordType(
        key=INCREASE,
        model=PriceIncrease,
        label="Price increase",
        plural="Price increases",
        title=lambda one: one.name,
        see="subscriptions.see",
        page="subscriptions:increase",
        create="subscriptions.plan_increase",
        search={"name": "name"},
        fields=(
            Field("name", "Name", required=True, max_length=200, help="For colleagues; customers do not see it."),
            Field("product", "Product", Kind.LINK, to="catalog.product"),
            Field("price_key", "Price", max_length=80, help="The key of a price. Empty for every price."),
            Field("price_list", "Price list", Kind.LINK, to="catalog.price_list"),
            Field("entity", "Our company", Kind.LINK, to="ledger.entity"),
            Field("currency", "Currency", Kind.CURRENCY, Group.TERMS, help="Empty for every currency."),
            Field("percent", "More by percent", Kind.DECIMAL, Group.PRICING, decimals=4, minimum=Decimal("0.0001"),
                  maximum=Decimal(999)),
            Field("prices", "New amounts", Kind.ROWS, Group.PRICING, rows=NEW_PRICE_FIELDS,
                  read=lambda one: [{**row, "amount": Decimal(row["amount"])} for row in one.prices]),
            Field("from_on", "From", Kind.DAY, Group.PRICING, required=True),
            Field("is_at_renewal", "With the period that begins then or next", Kind.YES_NO, Group.PRICING,
                  help="Otherwise on the day itself, within a period."),
            Field("is_in_term", "Also before a committed term is over", Kind.YES_NO, Group.PRICING),
            Field("months_apart", "Not again within months", Kind.INTEGER, Group.PRICING, minimum=Decimal(0),
                  maximum=Decimal(120), help="A price that rose less than so many months before is left out."),
            Field("notice_days", "Days of notice", Kind.INTEGER, Group.PRICING, minimum=Decimal(0),
                  maximum=Decimal(365),
                  help="So many days before, the billing contacts get a mail. Empty: customers are not told."),
            Field("notice", "Notice", Kind.TEXT, Group.PRICING, computed=True,
                  read=lambda one: notice_in_words(one.notice_days)),
            Field("state", "State", Kind.CHOICE, choices=IncreaseState.choices, computed=True),
            Field("planned_by_name", "Planned by", computed=True),
            Field("planned_on", "Planned on", Kind.DAY, computed=True),
            Field("expected", "Subscriptions concerned", Kind.INTEGER, computed=True),
            Field("looked_at", "Looked at", Kind.INTEGER, computed=True),
            Field("created_at", "Made", Kind.INSTANT, computed=True),
        ),
    )
)  # fmt: skip

register(
    RecordType(
        key=RAISE,
        model=PriceRaise,
        label="Raised price",
        plural="Raised prices",
        title=lambda one: one.subscription.title,
        see="subscriptions.see",
        fields=(
            Field("increase", "Price increase", Kind.LINK, computed=True, to=INCREASE),
            Field("subscription", "Subscription", Kind.LINK, computed=True, to=SUBSCRIPTION),
            Field("number", "Number", computed=True, read=lambda one: one.subscription.number),
            Field("name", "Name", computed=True, read=lambda one: one.subscription.title),
            Field("description", "What", computed=True, read=lambda one: one.item.description),
            Field("price", "Price", computed=True, read=lambda one: one.item.price_key),
            Field("state", "State", Kind.CHOICE, choices=RaiseState.choices, computed=True),
            Field("reason", "Left out because", Kind.CHOICE, choices=tuple(LEFT_OUT.items()), computed=True),
            Field("problem", "Problem", computed=True),
            Field("quantity", "Quantity", Kind.DECIMAL, computed=True),
            Field("is_metered", "By usage", Kind.YES_NO, computed=True, read=lambda one: one.item.is_metered,
                  help="Its quantity is what was used in the last whole period."),
            Field("currency", "Currency", Kind.CURRENCY, computed=True),
            Field("old_price", "Price now", Kind.TEXT, Group.PRICING, computed=True,
                  read=lambda one: _raise_words(one, "old")),
            Field("new_price", "Price then", Kind.TEXT, Group.PRICING, computed=True,
                  read=lambda one: _raise_words(one, "new")),
            Field("old_net", "A period, now", Kind.AMOUNT, Group.PRICING, computed=True),
            Field("new_net", "A period, then", Kind.AMOUNT, Group.PRICING, computed=True),
            Field("a_year", "More in a year", Kind.AMOUNT, Group.PRICING, computed=True),
            Field("takes_on", "Rises on", Kind.DAY, computed=True),
            Field("document_on", "First document", Kind.DAY, computed=True),
            Field("notice_on", "Notice on", Kind.DAY, computed=True),
            Field("noticed_at", "Told at", Kind.INSTANT, computed=True),
            Field("recalled_at", "Told that it does not rise", Kind.INSTANT, computed=True),
            Field("raised_at", "Raised at", Kind.INSTANT, computed=True),
        ),
    )
)  # fmt: skip

COUPON_PRODUCT_FIELDS = (Field("product", "Product", Kind.LINK, required=True, to="catalog.product"),)

register(
    RecordType(
        key=COUPON,
        model=Coupon,
        label="Coupon",
        plural="Coupons",
        title=lambda one: one.code,
        see="subscriptions.see",
        page="subscriptions:coupon",
        create="subscriptions.add_coupon",
        change="subscriptions.change_coupon",
        search={"name": "code"},
        fields=(
            Field("code", "Code", required=True, max_length=40, help="What customers say, in any case."),
            Field("name", "Name", required=True, max_length=200, help="For colleagues."),
            Field("percent", "Percent", Kind.DECIMAL, Group.PRICING, decimals=4, minimum=Decimal("0.0001"),
                  maximum=Decimal(100)),
            Field("amount", "Amount", Kind.DECIMAL, Group.PRICING, decimals=4, minimum=Decimal("0.0001"),
                  help="Off each document of a period."),
            Field("currency", "Currency", Kind.CURRENCY, Group.PRICING, help="Of the amount."),
            Field("periods", "Periods", Kind.INTEGER, Group.PRICING, minimum=Decimal(1), maximum=Decimal(1000),
                  help="For so many periods."),
            Field("until", "Until before", Kind.DAY, Group.PRICING,
                  help="For periods that begin before. Empty both: for ever."),
            Field("valid_from", "Can be redeemed from", Kind.DAY, Group.PRICING),
            Field("valid_to", "Can be redeemed until", Kind.DAY, Group.PRICING, help="The last day."),
            Field("most", "At most", Kind.INTEGER, Group.PRICING, minimum=Decimal(1), maximum=Decimal(1_000_000),
                  help="Redemptions in all. Empty for no limit."),
            Field("products", "Only for products", Kind.ROWS, Group.PRICING, rows=COUPON_PRODUCT_FIELDS,
                  read=lambda one: [{"product": UUID(product)} for product in one.products]),
            Field("is_active", "Can be redeemed", Kind.YES_NO),
            Field("redeemed", "Redeemed", Kind.INTEGER, computed=True),
            Field("created_at", "Made", Kind.INSTANT, computed=True),
        ),
    )
)  # fmt: skip
