"""Deals, pipelines and stages, described once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from counterfoil.catalog.models import Interval, TaxClass
from counterfoil.core.references import REFERENCES_LENGTH, REFERENCES_MAX
from counterfoil.deals.models import Deal, Pipeline, Stage, StageKind
from counterfoil.deals.rules.amounts import PricedLine, line_net
from counterfoil.invoicing.references import values_field
from counterfoil.plumbing.record_types import Field, Group, Kind, Panel, RecordType, register

SMALLEST = Decimal("0.000001")

LINE_FIELDS = (
    Field("product", "Product", Kind.LINK, to="catalog.product", aliases=("item", "sku")),
    Field("description", "Description", max_length=300, help="Empty: the product’s name."),
    Field("quantity", "Quantity", Kind.DECIMAL, minimum=SMALLEST, aliases=("qty",)),
    Field("unit", "Unit", max_length=20),
    Field("unit_price", "Unit price", Kind.DECIMAL, Group.PRICING, minimum=Decimal(0), aliases=("price",)),
    Field(
        "discount_percent",
        "Discount %",
        Kind.DECIMAL,
        Group.PRICING,
        minimum=Decimal(0),
        maximum=Decimal(100),
        decimals=4,
        aliases=("discount",),
    ),
    Field("tax_class", "Tax class", Kind.CHOICE, choices=TaxClass.choices),
    Field("interval", "Billed", Kind.CHOICE, choices=Interval.choices),
    Field(
        "net",
        "Net",
        Kind.DECIMAL,
        Group.PRICING,
        computed=True,
        read=lambda line: (
            line_net(PricedLine(line.quantity, line.unit_price, line.discount_percent), line.deal.currency).amount
        ),
    ),
)

CONTACT_FIELDS = (
    Field("id", "Id", Kind.LINK, to="deals.deal", computed=True, read=lambda part: part.pk),
    Field("contact", "Contact", Kind.LINK, to="accounts.contact", computed=True),
    Field("name", "Name", computed=True, read=lambda part: part.contact.name),
    Field("role", "Role", computed=True),
)


def _lines(deal: Any) -> list[Any]:
    found = list(deal.lines.all())
    for line in found:
        line.deal = deal
    return found


DEAL = register(
    RecordType(
        key="deals.deal",
        model=Deal,
        label="Deal",
        plural="Deals",
        title=lambda deal: deal.name,
        see="deals.see",
        page="deals:deal",
        create="deals.add_deal",
        change="deals.change_deal",
        search={"name": "name", "external_id": "external_id"},
        hint=("account", "account__legal_name"),
        panels=(Panel(on="accounts.account", title="Deals", url="deals:account_panel", needs="deals.see", order=20),),
        fields=(
            Field("name", "Name", required=True, aliases=("deal", "opportunity", "title")),
            Field("account", "Account", Kind.LINK, to="accounts.account", aliases=("customer", "company")),
            Field("pipeline", "Pipeline", Kind.LINK, to="deals.pipeline"),
            Field("stage", "Stage", Kind.LINK, to="deals.stage", aliases=("deal stage",)),
            Field("status", "Status", Kind.CHOICE, choices=StageKind.choices, computed=True),
            Field("owner", "Owner", Kind.LINK, to="access.user", aliases=("sales agent", "salesperson")),
            Field(
                "amount",
                "Amount",
                Kind.AMOUNT,
                minimum=Decimal(0),
                help="The sum of the lines. Before there are lines: what you expect.",
                aliases=("value", "close value"),
            ),
            Field("currency", "Currency", Kind.CURRENCY),
            Field("expected_close_on", "Expected close", Kind.DAY, aliases=("close date",)),
            Field("next_step", "Next step"),
            Field(
                "entity",
                "Sold by",
                Kind.LINK,
                to="ledger.entity",
                help="Which of our companies invoices. Empty: the default one.",
            ),
            Field("po_number", "PO number", max_length=60, aliases=("purchase order", "po")),
            Field(
                "references",
                "References",
                Kind.PARAGRAPH,
                max_length=REFERENCES_LENGTH,
                max_lines=REFERENCES_MAX,
                help="One on each line, such as “Cost centre: 4711”. They go on to the invoices, and are printed.",
            ),
            values_field("By key, as the settings define them. They go on to the invoices."),
            Field(
                "service_starts_on",
                "Service starts on",
                Kind.DAY,
                help="From when recurring lines are billed. Empty: the day of the win.",
            ),
            Field("engaged_on", "Engaged on", Kind.DAY, aliases=("engage date",)),
            Field("stage_since", "In stage since", Kind.DAY, computed=True),
            Field("closed_on", "Closed on", Kind.DAY, computed=True),
            Field("lost_reason", "Reason of the loss", computed=True),
            Field("notes", "Notes", Kind.PARAGRAPH),
            Field("quote_version", "Quote version", Kind.INTEGER, computed=True),
            Field("external_id", "Id elsewhere", max_length=100, aliases=("opportunity id",)),
            Field("is_imported", "Imported", Kind.YES_NO, computed=True),
            Field("lines", "Lines", Kind.ROWS, rows=LINE_FIELDS, read=_lines),
            Field(
                "contacts",
                "Contacts",
                Kind.ROWS,
                rows=CONTACT_FIELDS,
                computed=True,
                read=lambda deal: list(deal.contacts.all()),
            ),
        ),
    )
)

PIPELINE = register(
    RecordType(
        key="deals.pipeline",
        model=Pipeline,
        label="Pipeline",
        plural="Pipelines",
        title=lambda pipeline: pipeline.name,
        see="deals.see",
        page="",
        create="deals.add_pipeline",
        change="deals.change_pipeline",
        search={"name": "name"},
        fields=(
            Field("name", "Name", required=True, max_length=100),
            Field("is_active", "In use", Kind.YES_NO),
            Field("position", "Position", Kind.INTEGER, computed=True),
        ),
    )
)

STAGE = register(
    RecordType(
        key="deals.stage",
        model=Stage,
        label="Stage",
        plural="Stages",
        title=lambda stage: stage.name,
        see="deals.see",
        create="deals.add_stage",
        change="deals.change_stage",
        search={"name": "name"},
        hint=("pipeline", "pipeline__name"),
        fields=(
            Field("pipeline", "Pipeline", Kind.LINK, to="deals.pipeline", computed=True),
            Field("name", "Name", required=True, max_length=60),
            Field("kind", "Kind", Kind.CHOICE, choices=StageKind.choices, computed=True),
            Field(
                "probability",
                "Probability %",
                Kind.INTEGER,
                minimum=Decimal(0),
                maximum=Decimal(100),
                help="For the weighted sum.",
            ),
            Field("shows_readiness", "Lists what billing needs", Kind.YES_NO),
            Field("position", "Position", Kind.INTEGER, computed=True),
        ),
    )
)
