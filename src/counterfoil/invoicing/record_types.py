"""Documents, tax rates and series, each described once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from counterfoil.accounts.models import DeliveryChannel, TaxProfile
from counterfoil.catalog.models import TaxClass
from counterfoil.core.references import REFERENCES_LENGTH, REFERENCES_MAX
from counterfoil.invoicing.borne import shown_taxes
from counterfoil.invoicing.models import (
    DocumentKind,
    Element,
    Invoice,
    InvoiceStatus,
    LineKind,
    Origin,
    ReferenceField,
    ReferenceKind,
    Series,
    TaxRate,
)
from counterfoil.invoicing.references import values_field
from counterfoil.invoicing.rules.references import NAME_LENGTH
from counterfoil.invoicing.rules.status import WORDS, status_of
from counterfoil.invoicing.rules.tax import MOST_TAXES
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import Field, Group, Kind, Panel, RecordType, register
from counterfoil.surface.states import register_state

PRICING, TAX, TERMS, IDENTITY = Group.PRICING, Group.TAX, Group.TERMS, Group.IDENTITY
HUNDRED = Decimal(100)

LINE_FIELDS = (
    Field("product", "Product", Kind.LINK, to="catalog.product"),
    Field("description", "Description", max_length=300),
    Field("detail", "Detail", Kind.PARAGRAPH, max_length=1000),
    Field("quantity", "Quantity", Kind.DECIMAL, PRICING, minimum=Decimal("0.000001"), maximum=Decimal("1000000000")),
    Field("unit", "Unit", max_length=20),
    Field("unit_price", "Unit price", Kind.DECIMAL, PRICING),
    Field("discount_percent", "Discount %", Kind.DECIMAL, PRICING, decimals=4, minimum=Decimal(0), maximum=HUNDRED),
    Field("tax_class", "Tax class", Kind.CHOICE, TAX, choices=TaxClass.choices),
    Field("service_from", "Service from", Kind.DAY),
    Field("service_to", "Service until before", Kind.DAY, help="The first day that is no longer part of it."),
    Field("id", "Id", max_length=36, is_key=True, help="Which line of the draft this is. A new line has none."),
)
TAX_FIELDS = (
    Field("label", "Label", group=TAX, computed=True),
    Field("percent", "Percent", Kind.DECIMAL, TAX, computed=True),
    Field("category", "Category", group=TAX, computed=True),
    Field("included", "Price includes it", Kind.YES_NO, TAX, computed=True),
)
FACT_FIELDS = (
    Field("key", "Key", computed=True),
    Field("name", "Name", computed=True),
    Field("value", "Value", computed=True),
    Field("element", "In the e-invoice", Kind.CHOICE, computed=True, choices=Element.choices),
    Field("printed", "Printed", Kind.YES_NO, computed=True),
)
SHOWN_LINE_FIELDS = (
    *LINE_FIELDS,
    Field("position", "No.", Kind.INTEGER, computed=True),
    Field("net", "Net", Kind.DECIMAL, PRICING, computed=True),
    Field("before_discount", "Before the document's discounts", Kind.DECIMAL, PRICING, computed=True),
    Field("tax_label", "Tax", group=TAX, computed=True),
    Field("tax_included", "Price includes the tax", Kind.YES_NO, TAX, computed=True),
    Field("tax_percent", "Tax %", Kind.DECIMAL, TAX, computed=True),
    Field("taxes", "Taxes", Kind.ROWS, TAX, computed=True, rows=TAX_FIELDS, help="All of them, the first one too."),
    Field("kind", "Kind", Kind.CHOICE, computed=True, choices=LineKind.choices),
    Field("is_net_given", "Net is given", Kind.YES_NO, PRICING, computed=True),
    Field("share", "Share of the period", group=PRICING, computed=True),
    Field("why", "Why", group=PRICING, computed=True),
    Field("subscription_id", "Subscription", computed=True),
    Field("subscription_item_id", "Subscription item", computed=True),
    Field("credits_line_id", "Line that it takes back", computed=True),
    Field("sources", "Sources", computed=True),
)


_LINE_LINKS = ("subscription_id", "subscription_item_id", "credits_line_id")
STATES = list(WORDS.items())
register_state("credited", WORDS["credited"], "back", "muted")
register_state("applied", WORDS["applied"], "check", "green")


def _state(invoice: Any) -> str:
    """Where the document stands on the day as of which a query read it, or else today."""
    on = getattr(invoice, "as_of", None) or clock.today()
    is_credit_note = invoice.kind == DocumentKind.CREDIT_NOTE
    return status_of(
        invoice.status, invoice.total, invoice.settled, invoice.due_on, on, invoice.credited, is_credit_note
    )


def _open(invoice: Any) -> Any:
    """What is still owed, on a credit note to its payer; a draft owes nothing."""
    return invoice.open if invoice.status == InvoiceStatus.ISSUED else None


def _lines(invoice: Any) -> list[dict[str, Any]]:
    wanted = [item.id for item in SHOWN_LINE_FIELDS if item.id not in ("product", "taxes")]
    return [
        {
            **{name: getattr(line, name) for name in wanted},
            "id": line.pk,
            "product": line.product_id,
            "taxes": shown_taxes(line),
            **{name: str(getattr(line, name) or "") for name in _LINE_LINKS},
        }
        for line in sorted(invoice.lines.all(), key=lambda line: line.position)
    ]


register(
    RecordType(
        key="invoicing.invoice",
        model=Invoice,
        label="Invoice",
        plural="Invoices",
        title=lambda invoice: invoice.number or f"Draft {invoice.deal_title}".strip(),
        see="invoicing.see",
        page="invoicing:invoice",
        create="invoicing.add_draft",
        change="invoicing.change_draft",
        search={"number": "number", "po_number": "po_number", "total": "total"},
        hint=("invoiced_account", "invoiced_account__legal_name"),
        fields=(
            Field("account", "Account", Kind.LINK, to="accounts.account", required=True),
            Field("entity", "Issued by", Kind.LINK, to="ledger.entity"),
            Field("currency", "Currency", Kind.CURRENCY, TERMS),
            Field("language", "Language", Kind.LANGUAGE),
            Field("terms", "Payment terms", Kind.LINK, TERMS, to="accounts.terms"),
            Field("delivery_channel", "Goes by", Kind.CHOICE, TERMS, choices=DeliveryChannel.choices),
            Field("po_number", "PO number", max_length=60),
            Field(
                "references",
                "References",
                Kind.PARAGRAPH,
                max_length=REFERENCES_LENGTH,
                max_lines=REFERENCES_MAX,
                help="One on each line, such as “Cost centre: 4711”. They are printed.",
            ),
            values_field("Values by key, as the settings define them."),
            Field("service_from", "Service from", Kind.DAY),
            Field("service_to", "Service until before", Kind.DAY),
            Field("notes", "Printed note", Kind.PARAGRAPH),
            Field("internal_notes", "Internal note", Kind.PARAGRAPH),
            Field("lines", "Lines", Kind.ROWS, rows=SHOWN_LINE_FIELDS, read=_lines),
            Field("number", "Number", computed=True),
            Field("kind", "Kind", Kind.CHOICE, computed=True, choices=DocumentKind.choices),
            Field("status", "Status", Kind.CHOICE, computed=True, choices=InvoiceStatus.choices),
            Field("state", "State", Kind.CHOICE, computed=True, choices=STATES, read=_state),
            Field("origin", "Origin", Kind.CHOICE, computed=True, choices=Origin.choices),
            Field("invoiced_account", "Invoiced account", Kind.LINK, IDENTITY, computed=True, to="accounts.account"),
            Field("payer", "Payer", Kind.LINK, TERMS, computed=True, to="accounts.account"),
            Field("send_to", "Sent to", Kind.LINK, TERMS, computed=True, to="accounts.account"),
            Field("tax_profile", "Tax profile", Kind.CHOICE, TAX, computed=True, choices=TaxProfile.choices),
            Field("tax_exemption_reason", "Reason of the exemption", group=TAX, computed=True),
            Field("sales_owner", "Sold by", Kind.LINK, computed=True, to="access.user"),
            Field("deal", "Deal", Kind.LINK, computed=True, to="deals.deal"),
            Field("deal_title", "Deal name", computed=True),
            Field("quote_version", "Quote version", Kind.INTEGER, computed=True),
            Field("issued_on", "Issued on", Kind.DAY, computed=True),
            Field("due_on", "Due on", Kind.DAY, computed=True),
            Field(
                "reference_facts",
                "References as issued",
                Kind.ROWS,
                computed=True,
                rows=FACT_FIELDS,
                help="The defined references as an issued document has them, whatever became of the fields.",
            ),
            Field("net", "Net", Kind.AMOUNT, PRICING, computed=True),
            Field("tax", "Tax", Kind.AMOUNT, PRICING, computed=True),
            Field("total", "Total", Kind.AMOUNT, PRICING, computed=True),
            Field("settled", "Settled", Kind.AMOUNT, PRICING, computed=True),
            Field("credited", "Credited", Kind.AMOUNT, PRICING, computed=True),
            Field("open", "Open", Kind.AMOUNT, PRICING, computed=True, read=_open),
            Field("disputed", "Disputed", Kind.YES_NO, computed=True),
            Field("dispute_note", "Dispute", computed=True),
            Field("returned_reason", "Returned because", computed=True),
            Field("void_reason", "Void because", computed=True),
            Field("waiting_since", "Waiting since", Kind.INSTANT, computed=True),
            Field("issued_at", "Issued at", Kind.INSTANT, computed=True),
            Field("issued_by_name", "Issued by colleague", computed=True),
            Field("send_requested_at", "Asked to be sent", Kind.INSTANT, computed=True),
            Field("is_clean", "Clean", Kind.YES_NO, computed=True),
            Field("created_at", "Made", Kind.INSTANT, computed=True),
        ),
        panels=(Panel("accounts.account", "Invoices", "invoicing:account_panel", "invoicing.see", 20, "money"),),
    )
)

register(
    RecordType(
        key="invoicing.tax_rate",
        model=TaxRate,
        label="Tax rate",
        plural="Tax rates",
        title=lambda rate: rate.label,
        see="ledger.see",
        page="invoicing:tax_rate",
        create="invoicing.add_tax_rate",
        change="invoicing.change_tax_rate",
        fields=(
            Field("entity", "Company", Kind.LINK, TAX, to="ledger.entity", required=True),
            Field("tax_class", "Tax class", Kind.CHOICE, TAX, required=True, choices=TaxClass.choices),
            Field(
                "part",
                "Part",
                Kind.INTEGER,
                TAX,
                minimum=Decimal(1),
                maximum=Decimal(MOST_TAXES),
                help="1. A further tax on the same lines is 2, such as QST beside GST.",
            ),
            Field("label", "Label", group=TAX, required=True, max_length=60),
            Field(
                "percent",
                "Percent",
                Kind.DECIMAL,
                TAX,
                required=True,
                decimals=4,
                minimum=Decimal(0),
                maximum=Decimal("99.9999"),
            ),
            Field(
                "category", "Category", Kind.CHOICE, TAX, choices=[("S", "Taxed"), ("Z", "Zero-rated"), ("E", "Exempt")]
            ),
            Field("included", "Prices include it", Kind.YES_NO, TAX, help="Prices of this class are with tax."),
            Field("legal_note", "Legal note", group=TAX, help="Printed where this rate applies."),
            Field("valid_from", "From", Kind.DAY, TAX, required=True),
            Field("valid_to", "Until before", Kind.DAY, TAX),
        ),
    )
)

register(
    RecordType(
        key="invoicing.series",
        model=Series,
        label="Series",
        plural="Series",
        title=lambda series: series.pattern,
        see="ledger.see",
        page="invoicing:series",
        change="invoicing.change_series",
        fields=(
            Field("entity", "Company", Kind.LINK, computed=True, to="ledger.entity"),
            Field("kind", "Kind", Kind.CHOICE, computed=True, choices=DocumentKind.choices),
            Field("pattern", "Pattern", required=True, max_length=60, help="{year} and {number} are filled in."),
            Field("digits", "Digits", Kind.INTEGER, minimum=Decimal(1), maximum=Decimal(12)),
        ),
    )
)  # fmt: skip

register(
    RecordType(
        key="invoicing.reference_field",
        model=ReferenceField,
        label="Reference",
        plural="References",
        title=lambda field: field.name,
        see="ledger.see",
        page="invoicing:reference_field",
        create="invoicing.add_reference_field",
        change="invoicing.change_reference_field",
        fields=(
            Field("name", "Name", required=True, max_length=NAME_LENGTH, help="Such as Cost centre. It is printed."),
            Field(
                "key",
                "Key",
                max_length=40,
                help="For the API and exports; it never changes. Empty: the name gives it.",
            ),
            Field("kind", "Kind", Kind.CHOICE, choices=ReferenceKind.choices, help="It never changes."),
            Field(
                "options",
                "Values to choose from",
                Kind.PARAGRAPH,
                max_length=20_000,
                help="Of a choice: one on each line.",
                read=lambda field: "\n".join(field.options),
            ),
            Field("is_required", "No deal is won without it", Kind.YES_NO),
            Field("is_printed", "Printed on the document", Kind.YES_NO),
            Field(
                "element",
                "In the e-invoice it is",
                Kind.CHOICE,
                choices=Element.choices,
                help="A document’s own PO number comes before a purchase order; the reference is then a note.",
            ),
            Field("position", "Position", Kind.INTEGER, minimum=Decimal(1), maximum=Decimal(1000)),
            Field("is_retired", "Retired", Kind.YES_NO, help="No longer offered. What has a value keeps it."),
        ),
    )
)
