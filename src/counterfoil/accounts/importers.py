"""Which files of accounts can be taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from counterfoil.access.loading import find_users, user_options
from counterfoil.accounts.loading import check_accounts
from counterfoil.accounts.models import Account, AccountStatus, PaymentTerms, TaxProfile
from counterfoil.accounts.rules.industries import INDUSTRIES
from counterfoil.core.text import normalised_name
from counterfoil.plumbing.importers import Column, Importer, register
from counterfoil.plumbing.record_types import Choices, Field, Group, Kind


def find_accounts(texts: Sequence[str]) -> Mapping[str, UUID]:
    """The accounts that the texts name by their own id, id in another system, or normalised name."""
    by_name = {normalised_name(text): text for text in texts}
    found: dict[str, UUID] = {}
    for account_id, name in Account.objects.filter(normalised_name__in=by_name).values_list("id", "normalised_name"):
        found[by_name[name]] = account_id
    return found | dict(Account.objects.filter(external_id__in=texts).values_list("external_id", "id"))


def account_options() -> Choices:
    """The accounts that a text may stand for, by name. A long list is cut; the wizard searches beyond it."""
    rows = Account.objects.order_by("sort_key").values_list("id", "legal_name")[:2000]
    return [(str(account_id), name) for account_id, name in rows]


def _find_terms(texts: Sequence[str]) -> Mapping[str, UUID]:
    known = {key.lower(): pk for pk, key in PaymentTerms.objects.values_list("id", "key")}
    known |= {name.lower(): pk for pk, name in PaymentTerms.objects.values_list("id", "name")}
    return {text: known[text.lower()] for text in texts if text.lower() in known}


def _terms_options() -> Choices:
    return [(str(pk), name) for pk, name in PaymentTerms.objects.order_by("days").values_list("id", "name")]


register(
    Importer(
        key="accounts.account",
        label="Accounts",
        what="Customer companies with their parent, address, billing contact and terms.",
        load="accounts.load_accounts",
        unload="accounts.unload_accounts",
        check=check_accounts,
        options=(
            Field(
                "revenue_unit",
                "Revenue is given in",
                Kind.CHOICE,
                choices=[("units", "Units"), ("thousands", "Thousands"), ("millions", "Millions")],
            ),
        ),
        columns=(
            Column(
                Field(
                    "legal_name",
                    "Legal name",
                    group=Group.IDENTITY,
                    required=True,
                    aliases=("account", "account name", "company", "company name", "customer", "name", "organisation"),
                ),
                identifies=True,
            ),
            Column(Field("external_id", "Id in the other system", aliases=("account id", "customer id", "id")), True),
            Column(Field("trading_name", "Trading name", group=Group.IDENTITY, aliases=("brand", "dba"))),
            Column(
                Field("registration_number", "Registration number", group=Group.IDENTITY, aliases=("company number",))
            ),
            Column(Field("website", "Website", aliases=("url", "domain", "homepage"))),
            Column(
                Field("industry", "Industry", Kind.CHOICE, choices=INDUSTRIES, aliases=("sector", "branch", "vertical"))
            ),
            Column(Field("employees", "Employees", Kind.INTEGER, aliases=("headcount", "number of employees"))),
            Column(Field("founded_in", "Founded in", Kind.INTEGER, aliases=("year established", "founded", "year"))),
            Column(Field("annual_revenue", "Annual revenue", Kind.DECIMAL, aliases=("revenue", "turnover"))),
            Column(Field("status", "Status", Kind.CHOICE, choices=AccountStatus.choices, aliases=("stage",))),
            Column(
                Field("owner", "Owner", Kind.LINK, to="access.user", aliases=("account owner", "sales agent", "rep")),
                find=find_users,
                options=user_options,
            ),
            Column(
                Field(
                    "parent",
                    "Parent account",
                    Kind.LINK,
                    Group.IDENTITY,
                    to="accounts.account",
                    aliases=("subsidiary of", "parent", "parent company", "belongs to"),
                ),
                find=find_accounts,
                options=account_options,
            ),
            Column(Field("tax_id", "Tax id", group=Group.IDENTITY, aliases=("vat number", "vat id", "tax number"))),
            Column(Field("tax_profile", "Tax profile", Kind.CHOICE, group=Group.TAX, choices=TaxProfile.choices)),
            Column(Field("street", "Street", group=Group.IDENTITY, aliases=("address", "address line 1", "street"))),
            Column(Field("postcode", "Postcode", group=Group.IDENTITY, aliases=("zip", "zip code", "postal code"))),
            Column(Field("city", "City", group=Group.IDENTITY, aliases=("town",))),
            Column(Field("region", "Region", group=Group.IDENTITY, aliases=("state", "province"))),
            Column(
                Field(
                    "country",
                    "Country",
                    Kind.COUNTRY,
                    Group.IDENTITY,
                    aliases=("office location", "location", "country code"),
                )
            ),
            Column(Field("billing_name", "Billing contact", aliases=("contact", "contact name", "accounts payable"))),
            Column(Field("billing_email", "Billing e-mail", Kind.EMAIL, aliases=("email", "contact email", "e-mail"))),
            Column(Field("currency", "Currency", Kind.CURRENCY, Group.TERMS)),
            Column(Field("language", "Language", Kind.LANGUAGE)),
            Column(
                Field("terms", "Payment terms", Kind.LINK, Group.TERMS, to="accounts.terms", aliases=("terms",)),
                find=_find_terms,
                options=_terms_options,
            ),
        ),
    )
)
