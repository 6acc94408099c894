"""What billing needs of a deal, by the rule alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from counterfoil.accounts.rules.facts import BillingFacts, Party, Recipient, TermsFact
from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.accounts.rules.terms import Due, Terms
from counterfoil.core.ids import new_id
from counterfoil.deals.rules.readiness import DealFacts, missing, readiness, who_may

ACCOUNT, PARENT, TERMS = new_id(), new_id(), new_id()

DEAL = DealFacts(new_id(), ACCOUNT, "EUR", "", lines=2, priced=2)
PARTY = Party(ACCOUNT, "Acme GmbH", "Acme", "", ("ATU12345675",), "", "Hauptstr. 1", "", "4020", "Linz", "", "AT")
PAULA = Recipient(new_id(), "Paula", "ap@acme.example", "to", "unknown")


def own(value: Any) -> Sourced[Any]:
    return Sourced(value, "own", "Acme · said", ACCOUNT)


READY = BillingFacts(
    account_id=ACCOUNT,
    legal_name="Acme GmbH",
    title="Acme",
    status="prospect",
    owner_id=None,
    invoiced_account=own(ACCOUNT),
    payer=own(ACCOUNT),
    send_to=own(ACCOUNT),
    party=PARTY,
    recipients=(PAULA,),
    recipients_source=own(ACCOUNT),
    terms=own(TermsFact(TERMS, "net-14", "14 days net", Terms(Due(14)))),
    billing_cycle=own("as_delivered"),
    po_policy=own("optional"),
    language=own("en"),
    currency=own("EUR"),
    service_tier=own("standard"),
    delivery_channel=own("email"),
    tax_profile=own("standard"),
    tax_exemption_reason="",
)


def lacking(deal: DealFacts = DEAL, billing: BillingFacts | None = READY) -> list[str]:
    return [item.code for item in missing(readiness(deal, billing))]


def test_a_ready_deal_lacks_nothing() -> None:
    """A deal with everything in place lists what there is and where it comes from."""
    items = readiness(DEAL, READY)
    assert [(item.code, item.ok, item.value) for item in items] == [
        ("account", True, "Acme"),
        ("legal_name", True, "Acme GmbH"),
        ("invoice_address", True, "Hauptstr. 1, 4020 Linz, Austria"),
        ("billing_contact", True, "Paula <ap@acme.example>"),
        ("terms", True, "14 days net"),
        ("tax_profile", True, "Taxed"),
        ("lines", True, "2 lines"),
        ("currency", True, "EUR"),
    ]
    assert items[4].source == "Acme · said"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"party": PARTY._replace(legal_name=" ")}, "legal_name", "Enter the legal name that stands on the invoice."),
        ({"party": PARTY._replace(street="")}, "invoice_address", "Enter the invoice address: street or PO box."),
        (
            {"party": PARTY._replace(city="", country="")},
            "invoice_address",
            "Enter the invoice address: city, country.",
        ),
        ({"recipients": ()}, "billing_contact", "Add a billing contact with an e-mail address."),
        (
            {"recipients": (PAULA._replace(email=""),)},
            "billing_contact",
            "Enter an e-mail address for Paula, or another billing contact.",
        ),
        (
            {"recipients": (PAULA._replace(email_state="bounced"),)},
            "billing_contact",
            "Mail to ap@acme.example bounced. Enter a billing contact whose e-mail address works.",
        ),
        (
            {"recipients": (PAULA._replace(line="cc"),)},
            "billing_contact",
            "Add a billing contact with an e-mail address.",
        ),
        ({"terms": own(None)}, "terms", "Choose the payment terms."),
        ({"tax_profile": own("")}, "tax_profile", "Choose the tax profile."),
        ({"tax_profile": own("exempt")}, "tax_profile", "Enter the reason for the tax exemption."),
        (
            {"tax_profile": own("reverse_charge"), "party": PARTY._replace(tax_ids=())},
            "tax_id",
            "Enter the tax id that a reverse-charge invoice must name.",
        ),
        ({"po_policy": own("required")}, "po_number", "Enter the customer’s purchase order number."),
    ],
)
def test_each_missing_item_is_named(change: dict[str, Any], code: str, message: str) -> None:
    """Each thing that the account lacks is one item with its own words."""
    (item,) = missing(readiness(DEAL, READY._replace(**change)))
    assert (item.code, item.missing) == (code, message)


def test_post_needs_no_email() -> None:
    """Invoices that go by post need no billing contact with an e-mail address."""
    assert lacking(billing=READY._replace(recipients=(), delivery_channel=own("post"))) == []


def test_exempt_with_reason_is_ready() -> None:
    """An exemption with its reason is a tax profile like any other."""
    exempt = READY._replace(tax_profile=own("exempt"), tax_exemption_reason="Charity")
    assert lacking(billing=exempt) == []
    assert "Exempt: Charity" in [item.value for item in readiness(DEAL, exempt)]


def test_po_number_is_shown_when_there_is_one() -> None:
    """A PO number that is not required is listed when the deal has one, and not asked for when it has none."""
    with_number = readiness(replace(DEAL, po_number="PO-7"), READY)
    assert [item.value for item in with_number if item.code == "po_number"] == ["PO-7"]
    assert lacking(replace(DEAL, po_number="PO-7"), READY._replace(po_policy=own("required"))) == []


def test_the_deal_itself() -> None:
    """Without an account nothing is said about its facts; lines need a price; the currency must be known."""
    empty = DealFacts(None, None, "", "", lines=0, priced=0)
    items = readiness(empty, None)
    assert [(item.code, item.missing) for item in missing(items)] == [
        ("account", "Choose the account that buys."),
        ("lines", "Add at least one line with a price."),
        ("currency", "Choose the currency of the deal."),
    ]
    (unpriced,) = missing(readiness(replace(DEAL, priced=0), READY))
    assert unpriced.missing == "Give at least one line a price."


def test_facts_of_another_account_are_fixed_there() -> None:
    """When a parent is invoiced, name, address and tax profile are entered there, the terms at the account itself."""
    billing = READY._replace(
        invoiced_account=Sourced(PARENT, "own", "Acme · invoiced account", ACCOUNT),
        send_to=Sourced(PARENT, "default", "The invoiced account", None),
        party=PARTY._replace(account_id=PARENT, legal_name="", street=""),
        recipients=(),
        terms=own(None),
        tax_profile=own(""),
    )
    fixes = {item.code: item.fix.record_id for item in missing(readiness(DEAL, billing))}
    assert fixes == {
        "legal_name": PARENT,
        "invoice_address": PARENT,
        "billing_contact": PARENT,
        "terms": ACCOUNT,
        "tax_profile": PARENT,
    }


def test_who_may_fix_what() -> None:
    """Sales enter identity and contacts; terms and tax are for billing and admins."""
    items = {item.code: item for item in readiness(DEAL, READY)}
    assert who_may(items["invoice_address"].fix) == ("Sales", "Billing", "Admin")
    assert who_may(items["terms"].fix) == ("Billing", "Admin")
    assert who_may(items["tax_profile"].fix) == ("Billing", "Admin")
