"""The verbs of subscriptions."""

from counterfoil.subscriptions.commands.changing import (
    UsageOrder,
    add_metered_item,
    cancel_subscription,
    change_subscription,
    pause_subscription,
    record_usage,
    resume_subscription,
)
from counterfoil.subscriptions.commands.joining import Joined, start_with_draft, take_back
from counterfoil.subscriptions.commands.running import ChunkDone, bill_due, unpark_subscription
from counterfoil.subscriptions.commands.starting import start_subscriptions

__all__ = [
    "ChunkDone",
    "Joined",
    "UsageOrder",
    "add_metered_item",
    "bill_due",
    "cancel_subscription",
    "change_subscription",
    "pause_subscription",
    "record_usage",
    "resume_subscription",
    "start_subscriptions",
    "start_with_draft",
    "take_back",
    "unpark_subscription",
]
