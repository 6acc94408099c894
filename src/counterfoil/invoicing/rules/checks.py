"""What a reviewer must know of a draft before it is issued.

``blocking`` means that it cannot be issued; ``warning`` that a person should look; ``ok`` that the check was made and
is fine. A draft is clean when nothing warns or blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from counterfoil.core.money import Money, formatted
from counterfoil.invoicing.rules.tax import EXEMPT, REVERSE_CHARGE

OK, WARNING, BLOCKING = "ok", "warning", "blocking"
UNUSUAL = 2
CHANNELS = {"post": "by post", "portal": "through the customer portal"}


class Check(NamedTuple):
    """One finding. ``fix`` says where it is mended: account, contact, draft, tax, entity, or empty where nothing is
    wrong.

    ``group`` is the field group that it tells of: who may not read the group does not learn the finding.
    """

    code: str
    level: str
    message: str
    fix: str = ""
    group: str = "general"


class Checked(NamedTuple):
    """A draft as the checks see it. Discounts are effective ones over the whole document, in percent.

    A total of zero is fine where charges and credits may weigh each other up: ``may_be_zero``.
    """

    total: Money
    may_be_zero: bool
    line_count: int
    tax_profile: str
    tax_exemption_reason: str
    classes_without_rate: tuple[str, ...]
    rates_without_reason: tuple[str, ...]
    on: date
    party_name: str
    party_tax_ids: int
    has_address: bool
    discount_percent: Decimal
    deal_discount_percent: Decimal | None
    off_the_whole: Money
    po_policy: str
    po_number: str
    terms_name: str
    account_terms_name: str
    earlier_invoices: int
    median_total: Money | None
    delivery_channel: str
    deliverable_recipients: int
    known_recipients: int
    entity_name: str
    entity_lacks: tuple[str, ...]


def checks(draft: Checked) -> tuple[Check, ...]:
    """All checks in the order in which a reviewer reads them."""
    return (
        _content(draft),
        _tax(draft),
        _discount(draft),
        _purchase_order(draft),
        _terms(draft),
        _recipients(draft),
        _address(draft),
        _first(draft),
        _amount(draft),
        _entity(draft),
    )


def is_clean(found: Sequence[Check]) -> bool:
    return all(check.level == OK for check in found)


def _content(draft: Checked) -> Check:
    if not draft.line_count:
        return Check("no_lines", BLOCKING, "The draft has no lines.", "draft")
    if draft.total.amount < 0 or not (draft.total.amount or draft.may_be_zero):
        word = "zero" if not draft.total.amount else "negative"
        return Check("zero_total", BLOCKING, f"The total is {word}: nothing would be owed.", "draft", "pricing")
    return Check("content", OK, "1 line" if draft.line_count == 1 else f"{draft.line_count} lines")


def _tax(draft: Checked) -> Check:
    if not draft.tax_profile:
        text = f"Nobody has decided how {draft.party_name} is taxed."
        return Check("tax_undecided", BLOCKING, text, "account", "tax")
    if draft.classes_without_rate:
        classes = ", ".join(draft.classes_without_rate)
        text = f"{draft.entity_name} has no tax rate that holds on {draft.on.isoformat()} for: {classes}."
        return Check("no_tax_rate", BLOCKING, text, "tax", "tax")
    if draft.tax_profile == EXEMPT and not draft.tax_exemption_reason:
        text = f"{draft.party_name} is exempt, but no reason is given."
        return Check("no_exemption_reason", BLOCKING, text, "account", "tax")
    if draft.tax_profile == REVERSE_CHARGE and not draft.party_tax_ids:
        text = f"Reverse charge needs a tax id of {draft.party_name}."
        return Check("no_tax_id", BLOCKING, text, "account", "tax")
    if draft.rates_without_reason:
        text = f"The law's reason for no tax is missing on: {', '.join(draft.rates_without_reason)}."
        return Check("no_legal_note", WARNING, text, "tax", "tax")
    return Check("tax", OK, "Tax is decided", group="tax")


def _discount(draft: Checked) -> Check:
    deal, here = draft.deal_discount_percent, draft.discount_percent
    if deal is None:
        text = f"Discount {_percent(here)} %, no deal to compare with" if here else "No discount"
        if draft.off_the_whole:
            text = f"{formatted(draft.off_the_whole, 'en')} off the whole document" + (f". {text}" if here else "")
        return Check("discount", OK, text, group="pricing")
    if here != deal:
        code = "discount_above_deal" if here > deal else "discount_below_deal"
        text = f"The discount is {_percent(here)} %; the deal had {_percent(deal)} %."
        return Check(code, WARNING, text, "draft", "pricing")
    text = f"Discount {_percent(here)} %, as in the deal" if here else "No discount, as in the deal"
    return Check("discount", OK, text, group="pricing")


def _percent(value: Decimal) -> str:
    return format(value.normalize() if value else Decimal(0), "f")


def _purchase_order(draft: Checked) -> Check:
    if draft.po_policy == "required" and not draft.po_number:
        text = "The customer wants a purchase order number on every invoice, and there is none."
        return Check("po_missing", BLOCKING, text, "draft")
    return Check("po", OK, f"PO {draft.po_number}" if draft.po_number else "No purchase order needed")


def _terms(draft: Checked) -> Check:
    if not draft.terms_name:
        return Check("no_terms", BLOCKING, "There are no payment terms.", "account", "terms")
    if draft.terms_name != draft.account_terms_name:
        usual = (
            f"the account's are “{draft.account_terms_name}”" if draft.account_terms_name else "the account has none"
        )
        return Check("terms_differ", WARNING, f"The terms are “{draft.terms_name}”; {usual}.", "draft", "terms")
    return Check("terms", OK, draft.terms_name, group="terms")


def _recipients(draft: Checked) -> Check:
    if draft.delivery_channel != "email":
        way = CHANNELS.get(draft.delivery_channel, f"by {draft.delivery_channel}")
        return Check("not_mailed", OK, f"The customer gets it {way}: no mail is sent.")
    count = draft.deliverable_recipients
    if not count:
        why = "Mail to every billing contact bounced." if draft.known_recipients else "There is no billing contact."
        return Check("no_recipient", BLOCKING, f"{why} Nobody would receive the mail.", "contact")
    return Check("recipients", OK, "1 person gets the mail" if count == 1 else f"{count} people get the mail")


def _address(draft: Checked) -> Check:
    if not draft.has_address:
        text = f"{draft.party_name} has no whole invoice address: street or box, city and country."
        return Check("no_address", BLOCKING, text, "account", "identity")
    return Check("address", OK, "The invoice address is whole", group="identity")


def _first(draft: Checked) -> Check:
    if not draft.earlier_invoices:
        return Check("first_invoice", WARNING, f"The first invoice for {draft.party_name}. Look at name and address.")
    count = draft.earlier_invoices
    return Check("known_customer", OK, "1 invoice before" if count == 1 else f"{count} invoices before")


def _amount(draft: Checked) -> Check:
    usual = draft.median_total
    if usual is None:
        return Check("amount", OK, "No earlier amount to compare with", group="pricing")
    if draft.total.amount > usual.amount * UNUSUAL:
        text = f"More than {UNUSUAL} times the usual {formatted(usual, 'en')}."
        return Check("unusual_amount", WARNING, text, "", "pricing")
    return Check("amount", OK, f"The usual amount is {formatted(usual, 'en')}", group="pricing")


def _entity(draft: Checked) -> Check:
    if draft.entity_lacks:
        text = f"{draft.entity_name} has no {' and no '.join(draft.entity_lacks)}."
        group = "bank" if "bank account" in draft.entity_lacks else "general"
        return Check("entity_incomplete", WARNING, text, "entity", group)
    return Check("entity", OK, f"The details of {draft.entity_name} are whole")
