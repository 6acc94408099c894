"""The verbs of subscriptions."""

from counterfoil.subscriptions.commands.changing import (
    UsageOrder,
    add_metered_item,
    cancel_subscription,
    change_subscription,
    record_usage,
)
from counterfoil.subscriptions.commands.couponing import add_coupon, change_coupon, redeem_coupon, take_off_discount
from counterfoil.subscriptions.commands.increasing import plan_increase, plan_raises, undo_increase
from counterfoil.subscriptions.commands.joining import Joined, start_with_draft, take_back
from counterfoil.subscriptions.commands.noticing import send_notices
from counterfoil.subscriptions.commands.pausing import end_pauses, pause_subscription, resume_subscription
from counterfoil.subscriptions.commands.raising import raise_prices
from counterfoil.subscriptions.commands.running import CHUNK, ChunkDone, bill_due, unpark_subscription
from counterfoil.subscriptions.commands.runs import ask_for_work, bill_chunk, bill_one, start_run
from counterfoil.subscriptions.commands.starting import start_subscriptions
from counterfoil.subscriptions.commands.wishes import (
    change_details,
    change_items,
    set_policy,
    start_subscription,
    take_usage,
)

__all__ = [
    "CHUNK",
    "ChunkDone",
    "Joined",
    "UsageOrder",
    "add_coupon",
    "add_metered_item",
    "ask_for_work",
    "bill_chunk",
    "bill_due",
    "bill_one",
    "cancel_subscription",
    "change_coupon",
    "change_details",
    "change_items",
    "change_subscription",
    "end_pauses",
    "pause_subscription",
    "plan_increase",
    "plan_raises",
    "raise_prices",
    "record_usage",
    "redeem_coupon",
    "resume_subscription",
    "send_notices",
    "set_policy",
    "start_run",
    "start_subscription",
    "start_subscriptions",
    "start_with_draft",
    "take_back",
    "take_off_discount",
    "take_usage",
    "undo_increase",
    "unpark_subscription",
]
