"""Accounts, contacts, roles, terms and defaults, each described once."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from counterfoil.accounts.models import (
    Account,
    AccountContact,
    AccountStatus,
    AddressKind,
    BillingCycle,
    BillingDefaults,
    Contact,
    ContactRole,
    DeliveryChannel,
    EmailState,
    MailLine,
    PaymentTerms,
    PurchaseOrderPolicy,
    TaxProfile,
)
from counterfoil.accounts.rules.industries import INDUSTRIES
from counterfoil.accounts.rules.terms import DAYS_MAX, MONTHS_MAX, terms_in_words
from counterfoil.plumbing.record_types import Field, Group, Kind, RecordType, register
from counterfoil.surface.states import register_state

IDENTITY, TERMS, TAX = Group.IDENTITY, Group.TERMS, Group.TAX

ADDRESS_FIELDS = (
    Field("kind", "Kind", Kind.CHOICE, IDENTITY, required=True, choices=AddressKind.choices),
    Field("attention", "Attention", group=IDENTITY),
    Field("street", "Street", group=IDENTITY),
    Field("street_2", "Second line", group=IDENTITY),
    Field("postcode", "Postcode", group=IDENTITY, max_length=20),
    Field("city", "City", group=IDENTITY, max_length=100),
    Field("region", "Region", group=IDENTITY, max_length=100),
    Field("country", "Country", Kind.COUNTRY, IDENTITY),
)
TAX_IDENTIFIER_FIELDS = (
    Field("country", "Country", Kind.COUNTRY, IDENTITY),
    Field("value", "Number", group=IDENTITY, required=True, max_length=40),
    Field("is_format_valid", "Format is right", Kind.YES_NO, IDENTITY, computed=True),
)

register(
    RecordType(
        key="accounts.account",
        model=Account,
        label="Account",
        plural="Accounts",
        title=lambda account: account.title,
        see="accounts.see",
        page="accounts:account",
        search={"legal_name": "search_text"},
        hint=("legal_name", "legal_name"),
        create="accounts.add_account",
        change="accounts.change_account",
        fields=(
            Field("legal_name", "Legal name", group=IDENTITY, required=True),
            Field("trading_name", "Trading name", group=IDENTITY),
            Field("registration_number", "Registration number", group=IDENTITY, max_length=60),
            Field("website", "Website"),
            Field("parent", "Parent account", Kind.LINK, IDENTITY, to="accounts.account"),
            Field("status", "Status", Kind.CHOICE, choices=AccountStatus.choices),
            Field("owner", "Owner", Kind.LINK, to="access.user"),
            Field("industry", "Industry", Kind.CHOICE, choices=INDUSTRIES),
            Field("employees", "Employees", Kind.INTEGER, minimum=Decimal(0), maximum=Decimal(100_000_000)),
            Field("founded_in", "Founded in", Kind.INTEGER, minimum=Decimal(1000), maximum=Decimal(2200)),
            Field("annual_revenue", "Annual revenue", Kind.DECIMAL, decimals=2, minimum=Decimal(0)),
            Field("external_id", "Id in another system", max_length=100),
            Field("language", "Language", Kind.LANGUAGE, help="Of documents and mail. Inherited when empty."),
            Field("service_tier", "Service tier", max_length=40),
            Field("currency", "Currency", Kind.CURRENCY, TERMS),
            Field("terms", "Payment terms", Kind.LINK, TERMS, to="accounts.terms"),
            Field("billing_cycle", "Billing cycle", Kind.CHOICE, TERMS, choices=BillingCycle.choices),
            Field("po_policy", "Purchase orders", Kind.CHOICE, TERMS, choices=PurchaseOrderPolicy.choices),
            Field("delivery_channel", "Invoices go by", Kind.CHOICE, TERMS, choices=DeliveryChannel.choices),
            Field("invoiced_account", "Invoiced account", Kind.LINK, TERMS, to="accounts.account"),
            Field("payer", "Payer", Kind.LINK, TERMS, to="accounts.account"),
            Field("send_to", "Invoices sent to", Kind.LINK, TERMS, to="accounts.account"),
            Field("tax_profile", "Tax profile", Kind.CHOICE, TAX, choices=TaxProfile.choices),
            Field("tax_exemption_reason", "Reason of the exemption", group=TAX),
            Field("addresses", "Addresses", Kind.ROWS, IDENTITY, rows=ADDRESS_FIELDS,
                  read=lambda account: account.addresses.all()),
            Field("tax_identifiers", "Tax ids", Kind.ROWS, IDENTITY, rows=TAX_IDENTIFIER_FIELDS,
                  read=lambda account: account.tax_identifiers.all()),
            Field("country", "Country", Kind.COUNTRY, IDENTITY, computed=True,
                  read=lambda account: getattr(account.main_address, "country", "")),
            Field("city", "City", group=IDENTITY, computed=True,
                  read=lambda account: getattr(account.main_address, "city", "")),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)  # fmt: skip

register(
    RecordType(
        key="accounts.contact",
        model=Contact,
        label="Contact",
        plural="Contacts",
        title=lambda contact: contact.name,
        see="accounts.see",
        page="accounts:contact",
        search={"name": "search_text"},
        hint=("email", "email"),
        create="accounts.add_contact",
        change="accounts.change_contact",
        fields=(
            Field("name", "Name", required=True),
            Field("email", "E-mail", Kind.EMAIL, max_length=254),
            Field("email_state", "Mail", Kind.CHOICE, computed=True, choices=EmailState.choices),
            Field("phone", "Phone", max_length=60),
            Field("job_title", "Job title", max_length=100),
            Field("language", "Language", Kind.LANGUAGE),
            Field("external_id", "Id in another system", max_length=100),
            Field("left_on", "Left on", Kind.DAY, computed=True),
            Field("created_at", "Added", Kind.INSTANT, computed=True),
        ),
    )
)

register(
    RecordType(
        key="accounts.role",
        model=AccountContact,
        label="Role",
        plural="Roles",
        title=lambda role: role.get_role_display(),
        see="accounts.see",
        fields=(
            Field("account", "Account", Kind.LINK, computed=True, to="accounts.account"),
            Field("contact", "Contact", Kind.LINK, computed=True, to="accounts.contact"),
            Field("role", "Role", Kind.CHOICE, computed=True, choices=ContactRole.choices),
            Field("mail_line", "Mail line", Kind.CHOICE, computed=True, choices=MailLine.choices),
            Field("valid_from", "From", Kind.DAY, computed=True),
            Field("valid_to", "Until before", Kind.DAY, computed=True),
        ),
    )
)

DUE_FIELDS = (
    Field("days", "Days", Kind.INTEGER, TERMS, minimum=Decimal(0), maximum=Decimal(DAYS_MAX)),
    Field("from_end_of_month", "From the end of the month", Kind.YES_NO, TERMS, help="The days start there."),
    Field(
        "months",
        "Months later",
        Kind.INTEGER,
        TERMS,
        minimum=Decimal(0),
        maximum=Decimal(MONTHS_MAX),
        help="For the end, or a day, of a month: how many months after that of the issue.",
    ),
    Field("then_end_of_month", "To the end of that month", Kind.YES_NO, TERMS, help="Where the days end."),
    Field(
        "day_of_month",
        "Day of the month",
        Kind.INTEGER,
        TERMS,
        minimum=Decimal(1),
        maximum=Decimal(31),
        help="Instead of days. A shorter month has its last day.",
    ),
)
INSTALMENT_FIELDS = (
    Field("percent", "Percent", Kind.DECIMAL, TERMS, decimals=4, minimum=Decimal(0), maximum=Decimal(100)),
    Field("amount", "Amount", Kind.DECIMAL, TERMS, decimals=4, minimum=Decimal(0)),
    Field("rest", "The rest", Kind.YES_NO, TERMS),
    *(replace(item, help="") for item in DUE_FIELDS),
)


def _instalments(terms: PaymentTerms) -> list[dict[str, Any]]:
    return [
        {"percent": part.percent, "amount": part.amount, "rest": part.rest, **asdict(part.due)}
        for part in terms.rule.instalments
    ]


register(
    RecordType(
        key="accounts.terms",
        model=PaymentTerms,
        label="Payment terms",
        plural="Payment terms",
        title=lambda terms: terms.name,
        see="accounts.see",
        search={"name": "name"},
        page="accounts:terms",
        create="accounts.add_terms",
        change="accounts.change_terms",
        fields=(
            Field("key", "Key", group=TERMS, required=True, max_length=40, help="For imports and the API: net-30."),
            Field("name", "Name", group=TERMS, required=True, max_length=100),
            *DUE_FIELDS,
            Field(
                "instalments",
                "Instalments",
                Kind.ROWS,
                TERMS,
                rows=INSTALMENT_FIELDS,
                read=_instalments,
                help="Each is a percentage, an amount, or the rest, with a due day of its own. They make the whole.",
            ),
            Field("discount_percent", "Discount %", Kind.DECIMAL, TERMS, decimals=4, help="Of the total with tax."),
            Field("discount_days", "Paid within days", Kind.INTEGER, TERMS, help="After the issue, the last one too."),
            Field("is_active", "In use", Kind.YES_NO, TERMS),
            Field("summary", "Due", group=TERMS, computed=True, read=lambda terms: terms_in_words(terms.rule)),
        ),
    )
)

register(
    RecordType(
        key="accounts.defaults",
        model=BillingDefaults,
        label="Billing defaults",
        plural="Billing defaults",
        title=lambda defaults: "Billing defaults",
        see="accounts.see",
        change="accounts.change_billing_defaults",
        fields=(
            Field("language", "Language", Kind.LANGUAGE, required=True),
            Field("currency", "Currency", Kind.CURRENCY, TERMS, required=True),
            Field("terms", "Payment terms", Kind.LINK, TERMS, to="accounts.terms", required=True),
            Field("billing_cycle", "Billing cycle", Kind.CHOICE, TERMS, required=True, choices=BillingCycle.choices),
            Field(
                "po_policy", "Purchase orders", Kind.CHOICE, TERMS, required=True, choices=PurchaseOrderPolicy.choices
            ),
            Field("service_tier", "Service tier", max_length=40),
            Field(
                "delivery_channel", "Invoices go by", Kind.CHOICE, TERMS, required=True, choices=DeliveryChannel.choices
            ),
            Field("tax_profile", "Tax profile", Kind.CHOICE, TAX, choices=TaxProfile.choices),
        ),
    )
)

register_state(AccountStatus.LEAD, "Lead", "circle", "plain")
register_state(AccountStatus.CUSTOMER, "Customer", "dot", "green")
register_state(AccountStatus.FORMER, "Former customer", "dash", "muted")
register_state(EmailState.UNKNOWN, "Not tried yet", "circle", "muted")
register_state(EmailState.DELIVERABLE, "Mail arrives", "check", "green")
