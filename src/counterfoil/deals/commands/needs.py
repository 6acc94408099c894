"""Getting what billing needs: entering it, or asking those who may."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.accounts.commands import add_contact, change_contact, give_role
from counterfoil.accounts.models import Contact
from counterfoil.activities.commands import open_task
from counterfoil.core.errors import NotFound, Refusal
from counterfoil.deals.commands.locking import locked_deal
from counterfoil.deals.queries import deal_facts, facts_of_account
from counterfoil.deals.rules.readiness import ASKED, readiness
from counterfoil.invoicing.references import required


@command(
    "deals.name_billing_contact", needs="accounts.change", takes={"values": Takes("accounts.contact", partial=True)}
)
def name_billing_contact(
    *, actor: Actor, account_id: UUID, contact_id: UUID | None, values: Mapping[str, Any], on: date
) -> UUID:
    """Make a person the account's billing contact: somebody known, whose e-mail address may be set, or somebody new."""
    if contact_id is None:
        if not values.get("name") or not values.get("email"):
            field = "email" if values.get("name") else "name"
            raise Refusal("missing", "Choose a person, or enter a name and an e-mail address.", field)
        contact_id = add_contact(actor=actor, values=values, on=on)
    else:
        contact = Contact.objects.filter(pk=contact_id).first()
        if contact is None:
            raise Refusal("no_such_record", "Person: there is no such record.", "contact")
        if not values.get("email") and (not contact.email or contact.email_state == "bounced"):
            raise Refusal("missing", f"Enter an e-mail address at which {contact.name} can be reached.", "email")
        if values.get("email") and values["email"] != contact.email:
            change_contact(actor=actor, contact_id=contact_id, values={"email": values["email"]}, version=None)
    give_role(actor=actor, account_id=account_id, contact_id=contact_id, role="billing", mail_line="to", on=on)
    return contact_id


@command("deals.ask_for_item", needs="activities.change")
def ask_for_item(*, actor: Actor, deal_id: UUID, code: str, on: date) -> UUID:
    """Open a task for those who may enter the missing item. Asking again gives the same task."""
    deal = locked_deal(deal_id)
    lines = list(deal.lines.all())
    items = readiness(deal_facts(deal, lines, required()), facts_of_account(deal.account_id, on))
    item = next((one for one in items if one.code == code and not one.ok), None)
    if item is None:
        raise NotFound("This is not missing any more.")
    name = deal.account.trading_name or deal.account.legal_name if deal.account else deal.name
    return open_task(
        actor=actor,
        kind="to_do",
        title=f"{item.label} is missing for {name}"[:300],
        detail=f"{item.missing} {actor.name} asks for it: without it the deal cannot be handed over.",
        due_on=on,
        record_key="deals.deal",
        record_id=deal.pk,
        record_title=deal.name,
        account_id=deal.account_id,
        amount=deal.amount,
        currency=deal.currency,
        cause=f"{ASKED}:{deal.pk}:{code}",
    )
