"""What can be done with deals. One verb per function; every one goes through the command door."""

from counterfoil.deals.commands.deals import HANDED_OVER, add_deal, change_deal, remove_deal_contact, set_deal_contact
from counterfoil.deals.commands.handoff import Handover, win_deal
from counterfoil.deals.commands.needs import ask_for_item, name_billing_contact
from counterfoil.deals.commands.pipelines import (
    add_pipeline,
    add_stage,
    change_pipeline,
    change_stage,
    install_defaults,
    order_stages,
    remove_stage,
)
from counterfoil.deals.commands.renewals import open_renewal
from counterfoil.deals.commands.stages import lose_deal, move_deal, reopen_deal

__all__ = [
    "HANDED_OVER",
    "Handover",
    "add_deal",
    "add_pipeline",
    "add_stage",
    "ask_for_item",
    "change_deal",
    "change_pipeline",
    "change_stage",
    "install_defaults",
    "lose_deal",
    "move_deal",
    "name_billing_contact",
    "open_renewal",
    "order_stages",
    "remove_deal_contact",
    "remove_stage",
    "reopen_deal",
    "set_deal_contact",
    "win_deal",
]
