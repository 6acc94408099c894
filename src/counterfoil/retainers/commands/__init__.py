"""The verbs of retainers, time and expenses."""

from counterfoil.retainers.commands.billing import Settled, bill_ended, bill_unbilled, put_off, release_lost
from counterfoil.retainers.commands.deciding import (
    approve_entries,
    reject_entries,
    restore_entries,
    waive_entries,
)
from counterfoil.retainers.commands.entering import (
    Receipt,
    change_expense,
    change_time,
    enter_expense,
    enter_time,
)
from counterfoil.retainers.commands.retainers import add_retainer, change_retainer, retire_retainer
from counterfoil.retainers.commands.sharing import share_retainer, unshare_retainer

__all__ = [
    "Receipt",
    "Settled",
    "add_retainer",
    "approve_entries",
    "bill_ended",
    "bill_unbilled",
    "change_expense",
    "change_retainer",
    "change_time",
    "enter_expense",
    "enter_time",
    "put_off",
    "reject_entries",
    "release_lost",
    "restore_entries",
    "retire_retainer",
    "share_retainer",
    "unshare_retainer",
    "waive_entries",
]
