"""The mail that carries a document: from whom, to whom, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from counterfoil.accounts.rules.facts import BillingFacts, Recipient
from counterfoil.activities.rules.orders import RECIPIENTS_MAX
from counterfoil.documents.mail_texts import MailText, invoice_mail
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.printing import printed_document

NOBODY = "billing@localhost"
"""The sender of a company without an e-mail address. A machine may send to itself from it; no server takes it."""


def recipients_of(facts: BillingFacts) -> list[Recipient]:
    """Billing contacts with an address that works, each address once, To before Cc, and as many as one mail takes. If
    all are Cc, the first is To.
    """
    found: dict[str, Recipient] = {}
    for person in facts.deliverable:
        found.setdefault(person.email.lower(), person)
    people = list(found.values())[:RECIPIENTS_MAX]
    if people and all(person.line == "cc" for person in people):
        people[0] = people[0]._replace(line="to")
    return people


def mail_of(invoice: Invoice, people: Sequence[Recipient]) -> MailText:
    """Subject and text of an issued document's mail, in the document's language."""
    lines, taxes = (
        list(invoice.lines.order_by("position")),
        list(invoice.taxes.order_by("-percent", "category", "included")),
    )
    return mail_text(printed_document(invoice, lines, taxes), people)


def mail_text(printed: PrintedInvoice, people: Sequence[Recipient]) -> MailText:
    """One person is greeted by name."""
    addressed = [person for person in people if person.line == "to"]
    return invoice_mail(printed, addressed[0].name if len(addressed) == 1 else "")


def sender_of(invoice: Invoice) -> tuple[str, str]:
    """``Name <address>`` and the address for answers, both of the company that issued."""
    seller = invoice.seller or {}
    address = seller.get("email") or NOBODY
    return f"{seller.get('legal_name', '')} <{address}>", address
