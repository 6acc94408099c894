"""Which files of receivables can be taken in."""

from __future__ import annotations

from counterfoil.accounts.importers import account_options, find_accounts
from counterfoil.ledger.importers import entity_options
from counterfoil.payments.loading import check_receivables
from counterfoil.plumbing.importers import Column, Importer, register
from counterfoil.plumbing.record_types import Field, Group, Kind

register(
    Importer(
        key="payments.receivable",
        label="Invoices with payments",
        what="Issued invoices of another system with their own numbers, and what was paid on them.",
        load="payments.load_receivables",
        unload="payments.unload_receivables",
        check=check_receivables,
        options=(
            Field("currency", "Amounts are in", Kind.CURRENCY, required=True),
            Field("entity", "Issued by", Kind.CHOICE, choices=entity_options, help="Empty for the main company."),
        ),
        columns=(
            Column(
                Field("number", "Invoice number", required=True, max_length=60,
                      aliases=("invoice number", "invoice no", "number", "document number", "invoice id")),
                identifies=True,
            ),
            Column(
                Field("account", "Customer", Kind.LINK, to="accounts.account", required=True,
                      aliases=("customer id", "customer", "account", "customer number", "client")),
                find=find_accounts,
                options=account_options,
                may_be_new=True,
            ),
            Column(Field("issued_on", "Issued on", Kind.DAY, required=True,
                         aliases=("invoice date", "issue date", "date", "document date"))),
            Column(Field("due_on", "Due on", Kind.DAY, required=True, aliases=("due date", "due"))),
            Column(Field("total", "Total", Kind.DECIMAL, Group.PRICING, required=True,
                         aliases=("invoice amount", "amount", "total amount", "gross"))),
            Column(Field("tax", "Tax in it", Kind.DECIMAL, Group.TAX, aliases=("tax", "vat", "tax amount"))),
            Column(Field("currency", "Currency", Kind.CURRENCY, Group.TERMS)),
            Column(Field("paid", "Paid", Kind.DECIMAL, aliases=("amount paid", "paid amount", "settled amount"))),
            Column(Field("settled_on", "Settled on", Kind.DAY,
                         aliases=("settled date", "payment date", "paid on", "date paid"))),
            Column(Field("disputed", "Disputed", Kind.YES_NO, aliases=("dispute", "in dispute"))),
            Column(Field("description", "Description", max_length=300, aliases=("subject", "memo"))),
        ),
    )
)  # fmt: skip
