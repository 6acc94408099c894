"""What a reviewer must know of a draft before it is issued.

``blocking`` means that it cannot be issued; ``warning`` that a person should look; ``ok`` that the check was made and
is fine. A draft is clean when nothing warns or blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

OK, WARNING, BLOCKING = "ok", "warning", "blocking"
UNUSUAL = 2


@dataclass(frozen=True)
class Check:
    """One finding. ``fix`` says where it is mended: account, contact, draft, tax, entity, or empty."""

    code: str
    level: str
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Checked:
    """A draft as the checks see it. Percentages of discount are effective ones over the whole document."""

    total: Decimal
    line_count: int
    currency: str
    tax_profile: str
    tax_profile_kind: str
    tax_exemption_reason: str
    lines_without_rate: int
    party_tax_ids: int
    discount_percent: Decimal
    deal_discount_percent: Decimal | None
    po_policy: str
    po_number: str
    terms_name: str
    account_terms_name: str
    earlier_invoices: int
    median_total: Decimal | None
    delivery_channel: str
    deliverable_recipients: int
    has_address: bool
    entity_has_bank: bool
    entity_has_tax_id: bool
    service_to: date | None = None


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


def blocking(found: Sequence[Check]) -> tuple[Check, ...]:
    return tuple(check for check in found if check.level == BLOCKING)


def _content(draft: Checked) -> Check:
    if not draft.line_count:
        return Check("no_lines", BLOCKING, "The draft has no lines.", "draft")
    if draft.total <= 0:
        return Check("zero_total", BLOCKING, "The total is zero. Nothing would be owed.", "draft")
    return Check("content", OK, f"{draft.line_count} line{'s' if draft.line_count > 1 else ''}")


def _tax(draft: Checked) -> Check:
    if draft.tax_profile_kind == "none" or not draft.tax_profile:
        return Check("tax_undecided", BLOCKING, "Nobody has decided how this customer is taxed.", "account")
    if draft.lines_without_rate:
        return Check("no_tax_rate", BLOCKING, "No tax rate is valid for a line on this day.", "tax")
    if draft.tax_profile == "exempt" and not draft.tax_exemption_reason:
        return Check("no_exemption_reason", BLOCKING, "The customer is exempt, but no reason is given.", "account")
    if draft.tax_profile == "reverse_charge" and not draft.party_tax_ids:
        return Check("no_tax_id", BLOCKING, "Reverse charge needs the customer's tax id.", "account")
    return Check("tax", OK, "Tax is decided")


def _discount(draft: Checked) -> Check:
    deal = draft.deal_discount_percent
    if deal is not None and draft.discount_percent > deal:
        return Check(
            "discount_above_deal", WARNING,
            f"The discount is {draft.discount_percent:.2f} %; the deal had {deal:.2f} %.", "draft",
        )  # fmt: skip
    return Check("discount", OK, "Discount as in the deal" if deal is not None else "No deal to compare with")


def _purchase_order(draft: Checked) -> Check:
    if draft.po_policy == "required" and not draft.po_number:
        return Check("po_missing", BLOCKING, "This customer wants a purchase order number on every invoice.", "draft")
    return Check("po", OK, f"PO {draft.po_number}" if draft.po_number else "No purchase order needed")


def _terms(draft: Checked) -> Check:
    if not draft.terms_name:
        return Check("no_terms", BLOCKING, "There are no payment terms.", "account")
    if draft.terms_name != draft.account_terms_name:
        return Check(
            "terms_differ", WARNING,
            f"The terms are “{draft.terms_name}”; the account's are “{draft.account_terms_name}”.", "draft",
        )  # fmt: skip
    return Check("terms", OK, draft.terms_name)


def _recipients(draft: Checked) -> Check:
    if draft.delivery_channel == "email" and not draft.deliverable_recipients:
        return Check("no_recipient", BLOCKING, "No billing contact has an e-mail address that works.", "contact")
    if draft.delivery_channel != "email":
        return Check("delivery", WARNING, f"This customer gets invoices by {draft.delivery_channel}, not by mail.", "")
    return Check("recipients", OK, f"{draft.deliverable_recipients} will get the mail")


def _address(draft: Checked) -> Check:
    if not draft.has_address:
        return Check("no_address", BLOCKING, "The invoiced account has no complete invoice address.", "account")
    return Check("address", OK, "Invoice address is complete")


def _first(draft: Checked) -> Check:
    if not draft.earlier_invoices:
        return Check("first_invoice", WARNING, "This is the first invoice for this customer.", "")
    return Check("known_customer", OK, f"{draft.earlier_invoices} invoices before")


def _amount(draft: Checked) -> Check:
    if draft.median_total is not None and draft.total > draft.median_total * UNUSUAL:
        return Check(
            "unusual_amount", WARNING,
            f"More than {UNUSUAL} times the usual {draft.median_total:,.2f} {draft.currency}.", "",
        )  # fmt: skip
    return Check("amount", OK, "Amount as usual" if draft.median_total is not None else "Nothing to compare with")


def _entity(draft: Checked) -> Check:
    if not draft.entity_has_bank:
        return Check("no_bank", WARNING, "Our company has no bank account on this invoice.", "entity")
    if not draft.entity_has_tax_id:
        return Check("no_own_tax_id", WARNING, "Our company has no tax id on this invoice.", "entity")
    return Check("entity", OK, "Our company's details are complete")
