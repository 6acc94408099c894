"""Retainers, time and expenses, described once."""

from __future__ import annotations

from decimal import Decimal

from counterfoil.catalog.models import TaxClass
from counterfoil.plumbing.record_types import Field, Group, Kind, Panel, RecordType, register
from counterfoil.retainers.models import EntryStatus, Every, Expense, Retainer, RollOver, TimeEntry, Unit
from counterfoil.surface.states import register_state

RETAINER, TIME, EXPENSE = "retainers.retainer", "retainers.time", "retainers.expense"

register_state("entered", "To approve", "half", "amber")
register_state("approved", "Approved", "check", "green")
register_state("rejected", "Rejected", "back", "muted")
register_state("settled", "Settled", "check", "blue")
register_state("waived", "Not billed", "dash", "muted")
register_state("ended", "Ended", "dash", "muted")

_BURN = (
    Field("start", "From", Kind.DAY, computed=True),
    Field("end", "Until before", Kind.DAY, computed=True),
    *(
        Field(name, label, Kind.DECIMAL, computed=True)
        for name, label in (
            ("opening", "Opening"),
            ("granted", "Granted"),
            ("used", "Used"),
            ("expired", "Expired"),
            ("left", "Left"),
            ("overage", "Overage"),
        )
    ),
)

register(
    RecordType(
        key=RETAINER,
        model=Retainer,
        label="Retainer",
        plural="Retainers",
        title=lambda one: one.title,
        see="retainers.see",
        page="retainers:retainer",
        create="retainers.add_retainer",
        change="retainers.change_retainer",
        search={"title": "title"},
        fields=(
            Field("account", "Account", Kind.LINK, to="accounts.account", required=True, aliases=("customer",)),
            Field("title", "Title", required=True),
            Field("unit", "Counted in", Kind.CHOICE, choices=Unit.choices, required=True),
            Field(
                "amount",
                "Granted a period",
                Kind.DECIMAL,
                required=True,
                minimum=Decimal("0.01"),
                maximum=Decimal(1_000_000_000),
                decimals=4,
                help="Hours, or money in the currency of the retainer.",
            ),
            Field("interval", "Period", Kind.CHOICE, choices=Every.choices, required=True),
            Field(
                "count",
                "So many of them",
                Kind.INTEGER,
                minimum=Decimal(1),
                maximum=Decimal(120),
                help="3 months are a quarter. Empty: one.",
            ),
            Field("starts_on", "Starts on", Kind.DAY, required=True),
            Field(
                "anchor_day",
                "Periods begin on day",
                Kind.INTEGER,
                minimum=Decimal(1),
                maximum=Decimal(31),
                help="Empty: on the day of the start.",
            ),
            Field("ends_on", "Ends on", Kind.DAY, help="The first day on which nothing of it is left."),
            Field("roll_over", "At the end of a period", Kind.CHOICE, choices=RollOver.choices, required=True),
            Field(
                "most_rolled",
                "At most",
                Kind.DECIMAL,
                minimum=Decimal(0),
                decimals=4,
                help="For a roll-over up to an amount.",
            ),
            Field(
                "rolled_periods",
                "For further periods",
                Kind.INTEGER,
                minimum=Decimal(1),
                maximum=Decimal(120),
                help="For a roll-over by periods.",
            ),
            Field(
                "overage_rate",
                "Price of an hour beyond",
                Kind.DECIMAL,
                Group.PRICING,
                minimum=Decimal(0),
                help="Empty: the hour’s own rate.",
            ),
            Field(
                "price",
                "Price of a period",
                Kind.AMOUNT,
                Group.PRICING,
                minimum=Decimal(0),
                decimals=4,
                help="Billed in advance by a subscription of its own. Empty: billed elsewhere.",
            ),
            Field("currency", "Currency", Kind.CURRENCY, Group.PRICING, help="Empty: the account’s."),
            Field("entity", "Our company", Kind.LINK, to="ledger.entity"),
            Field("tax_class", "Tax class", Kind.CHOICE, choices=TaxClass.choices),
            Field("subscription_id", "Subscription", computed=True, read=lambda one: _subscription(one)),
            Field("burn", "Burn-down", Kind.ROWS, rows=_BURN, computed=True, read=lambda one: getattr(one, "burn", [])),
            Field(
                "shared_at",
                "Customer’s page open since",
                Kind.INSTANT,
                computed=True,
                read=lambda one: getattr(one, "shared_at", None),
            ),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
        panels=(
            Panel("accounts.account", "Retainers and time", "retainers:account_panel", "retainers.see", 40, "money"),
            Panel(
                "subscriptions.subscription",
                "Time and expenses that join it",
                "retainers:subscription_panel",
                "retainers.see",
                40,
                "money",
            ),
        ),
    )
)


def _subscription(one: Retainer) -> str:
    return str(one.subscription_item.subscription_id) if one.subscription_item is not None else ""


_WHO = (
    Field("account", "Account", Kind.LINK, to="accounts.account", required=True, aliases=("customer", "client")),
    Field("retainer", "Retainer", Kind.LINK, to=RETAINER, help="Empty: billed as it comes."),
    Field("day", "Day", Kind.DAY, required=True, aliases=("date",)),
)
_REST = (
    Field("description", "What for", required=True, max_length=250, aliases=("note", "task")),
    Field("is_billable", "Billable", Kind.YES_NO),
    Field("person", "Person", Kind.LINK, to="access.user", help="Empty: whoever enters it."),
    Field("currency", "Currency", Kind.CURRENCY, Group.PRICING, help="Empty: the retainer’s or the account’s."),
    Field("entity", "Our company", Kind.LINK, to="ledger.entity"),
    Field("tax_class", "Tax class", Kind.CHOICE, choices=TaxClass.choices),
)
_DECIDED = (
    Field("person_name", "By", computed=True),
    Field("status", "State", Kind.CHOICE, choices=EntryStatus.choices, computed=True),
    Field("decided_by_name", "Decided by", computed=True),
    Field("decided_at", "Decided", Kind.INSTANT, computed=True),
    Field("reason", "Reason", computed=True),
    Field(
        "held_at",
        "Off its draft since",
        Kind.INSTANT,
        computed=True,
        help="Its line was taken off a draft, or the draft discarded: nothing bills it by itself.",
    ),
    Field("covered", "Borne by the retainer", Kind.DECIMAL, computed=True),
    Field("settled_at", "Settled", Kind.INSTANT, computed=True),
    Field("invoice_id", "Invoice", computed=True, read=lambda one: str(one.invoice_id) if one.invoice_id else ""),
    Field("line_id", "Invoice line", computed=True, read=lambda one: str(one.line_id) if one.line_id else ""),
    Field("created_at", "Entered", Kind.INSTANT, computed=True),
)

register(
    RecordType(
        key=TIME,
        model=TimeEntry,
        label="Time entry",
        plural="Time entries",
        title=lambda one: one.description,
        see="retainers.see",
        page="retainers:time_entry",
        create="retainers.enter_time",
        change="retainers.change_time",
        fields=(
            *_WHO,
            Field(
                "hours",
                "Hours",
                Kind.DECIMAL,
                required=True,
                minimum=Decimal("0.01"),
                maximum=Decimal(24),
                decimals=2,
                aliases=("duration",),
            ),
            Field(
                "rate",
                "Price of an hour",
                Kind.DECIMAL,
                Group.PRICING,
                minimum=Decimal(0),
                help="Not needed where the retainer has a price of an hour beyond.",
            ),
            *_REST,
            *_DECIDED,
        ),
    )
)

register(
    RecordType(
        key=EXPENSE,
        model=Expense,
        label="Expense",
        plural="Expenses",
        title=lambda one: one.description,
        see="retainers.see",
        page="retainers:expense",
        create="retainers.enter_expense",
        change="retainers.change_expense",
        fields=(
            *_WHO,
            Field(
                "amount",
                "Amount without tax",
                Kind.AMOUNT,
                Group.PRICING,
                required=True,
                minimum=Decimal("0.0001"),
                decimals=4,
            ),
            *_REST,
            Field("receipt", "Receipt", computed=True, read=lambda one: str(one.receipt_id) if one.receipt_id else ""),
            *_DECIDED,
        ),
    )
)
