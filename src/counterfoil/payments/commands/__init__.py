"""The verbs of money received."""

from counterfoil.payments.commands.allocating import allocate_payment, undo_allocation
from counterfoil.payments.commands.crediting import apply_credit
from counterfoil.payments.commands.recording import record_payment, record_payments
from counterfoil.payments.commands.taking_back import fail_payment, task_cause, undo_payment
from counterfoil.payments.commands.taking_credits import take_credits
from counterfoil.payments.rules.orders import OLDEST, PaymentOrder, Share

__all__ = [
    "OLDEST",
    "PaymentOrder",
    "Share",
    "allocate_payment",
    "apply_credit",
    "fail_payment",
    "record_payment",
    "record_payments",
    "take_credits",
    "task_cause",
    "undo_allocation",
    "undo_payment",
]
