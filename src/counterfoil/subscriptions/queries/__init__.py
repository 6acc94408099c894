"""Subscriptions as an actor may see them: what was agreed, what was billed, and what will be billed next."""

from __future__ import annotations

from counterfoil.subscriptions.queries.billed import BilledRow, billed_periods
from counterfoil.subscriptions.queries.coupons import coupon_by_code, coupons_after, get_coupon, list_coupons
from counterfoil.subscriptions.queries.increases import (
    Sums,
    get_increase,
    increases_after,
    list_increases,
    list_raises,
    raises_after,
    raises_of_subscription,
    sums_of,
    unplanned_increases,
)
from counterfoil.subscriptions.queries.phases import Phase, PhaseItem, phases_of
from counterfoil.subscriptions.queries.policies import get_policy, list_policies
from counterfoil.subscriptions.queries.runs import (
    count_due,
    get_run,
    list_runs,
    local_days,
    runs_after,
    unfinished_runs,
)
from counterfoil.subscriptions.queries.subscriptions import (
    Found,
    count_parked,
    discounts_to_take_off,
    get_subscription,
    list_subscriptions,
    offered_prices,
    renewals,
    subscription_by_number,
    subscriptions_after,
    subscriptions_of_account,
    titles_of,
    wanted_items,
)
from counterfoil.subscriptions.queries.upcoming import Upcoming, UpcomingLine, next_bill

__all__ = [
    "BilledRow",
    "Found",
    "Phase",
    "PhaseItem",
    "Sums",
    "Upcoming",
    "UpcomingLine",
    "billed_periods",
    "count_due",
    "count_parked",
    "coupon_by_code",
    "coupons_after",
    "discounts_to_take_off",
    "get_coupon",
    "get_increase",
    "get_policy",
    "get_run",
    "get_subscription",
    "increases_after",
    "list_coupons",
    "list_increases",
    "list_policies",
    "list_raises",
    "list_runs",
    "list_subscriptions",
    "local_days",
    "next_bill",
    "offered_prices",
    "phases_of",
    "raises_after",
    "raises_of_subscription",
    "renewals",
    "runs_after",
    "subscription_by_number",
    "subscriptions_after",
    "subscriptions_of_account",
    "sums_of",
    "titles_of",
    "unfinished_runs",
    "unplanned_increases",
    "wanted_items",
]
