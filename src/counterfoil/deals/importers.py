"""Which files of deals can be taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from counterfoil.access.loading import find_users, user_options
from counterfoil.accounts.importers import account_options, find_accounts
from counterfoil.catalog.importers import find_products, product_options
from counterfoil.deals.loading import check_deals
from counterfoil.deals.models import Stage
from counterfoil.plumbing.importers import Column, Importer, register
from counterfoil.plumbing.record_types import Choices, Field, Group, Kind


def find_stages(texts: Sequence[str]) -> Mapping[str, UUID]:
    """The stages that the texts name; of equal names in several pipelines, the one of the first pipeline."""
    stages = Stage.objects.filter(pipeline__is_active=True).order_by("-pipeline__position", "-position")
    known = {name.lower(): pk for pk, name in stages.values_list("id", "name")}
    return {text: known[text.lower()] for text in texts if text.lower() in known}


def stage_options() -> Choices:
    rows = Stage.objects.filter(pipeline__is_active=True).order_by("pipeline__position", "position")
    return [(str(pk), f"{name}, {pipeline}") for pk, name, pipeline in rows.values_list("id", "name", "pipeline__name")]


register(
    Importer(
        key="deals.deal",
        label="Deals",
        what="Opportunities of a pipeline: open, won and lost.",
        load="deals.load_deals",
        unload="deals.unload_deals",
        check=check_deals,
        options=(Field("currency", "Amounts are in", Kind.CURRENCY, required=True),),
        columns=(
            Column(
                Field(
                    "external_id",
                    "Id in the other system",
                    aliases=("opportunity id", "deal id", "id", "opportunity number"),
                ),
                identifies=True,
            ),
            Column(Field("name", "Name", aliases=("deal", "deal name", "opportunity", "opportunity name", "title"))),
            Column(
                Field(
                    "account", "Account", Kind.LINK, to="accounts.account", aliases=("company", "customer", "client")
                ),
                find=find_accounts,
                options=account_options,
            ),
            Column(
                Field(
                    "stage",
                    "Stage",
                    Kind.LINK,
                    to="deals.stage",
                    required=True,
                    aliases=("deal stage", "status", "pipeline stage", "sales stage"),
                ),
                find=find_stages,
                options=stage_options,
            ),
            Column(
                Field(
                    "owner",
                    "Owner",
                    Kind.LINK,
                    to="access.user",
                    aliases=("sales agent", "sales rep", "rep", "deal owner", "salesperson"),
                ),
                find=find_users,
                options=user_options,
                may_be_new=True,
            ),
            Column(
                Field("product", "Product", Kind.LINK, to="catalog.product", aliases=("item", "service")),
                find=find_products,
                options=product_options,
            ),
            Column(Field("quantity", "Quantity", Kind.DECIMAL, Group.PRICING, aliases=("qty",))),
            Column(
                Field(
                    "amount",
                    "Amount",
                    Kind.DECIMAL,
                    Group.PRICING,
                    aliases=("close value", "value", "deal value", "deal amount"),
                ),
            ),
            Column(Field("engaged_on", "Engaged on", Kind.DAY, aliases=("engage date", "create date", "created"))),
            Column(Field("closed_on", "Closed on", Kind.DAY, aliases=("close date", "closed", "won date"))),
            Column(Field("expected_close_on", "Expected to close on", Kind.DAY, aliases=("expected close date",))),
            Column(Field("lost_reason", "Lost because", aliases=("loss reason", "lost reason", "reason"))),
        ),
    )
)
