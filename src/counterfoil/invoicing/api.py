"""Drafts, invoices, tax rates and number series on the API."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.core.errors import Refusal
from counterfoil.core.money import Money
from counterfoil.invoicing import commands, queries
from counterfoil.invoicing.credit_wishes import clean_credit
from counterfoil.invoicing.rules.due import EarlyDiscount
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import plain, row_json

router = Router()

INVOICE, RATE, SERIES = "invoicing.invoice", "invoicing.tax_rate", "invoicing.series"
REFERENCE = "invoicing.reference_field"


class InvoiceFilters(Paging):
    """Which documents; several values of one name, separated by commas, are alternatives."""

    state: str = SchemaField(
        default="",
        max_length=200,
        description="draft, returned, issued, part_paid, paid, credited, applied, overdue, void",
    )
    kind: str = SchemaField(default="", max_length=200, description="invoice, credit_note")
    account: str = SchemaField(default="", max_length=2000)
    payer: str = SchemaField(default="", max_length=2000)
    entity: str = SchemaField(default="", max_length=2000)
    deal: str = SchemaField(default="", max_length=2000)
    sales_owner: str = SchemaField(default="", max_length=2000)
    currency: str = SchemaField(default="", max_length=200)
    issued_from: date | None = None
    issued_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None

    def filters(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("state", "kind", "currency"):
            if getattr(self, name):
                found[name] = getattr(self, name).split(",")
        for name in ("account", "payer", "entity", "deal", "sales_owner"):
            if getattr(self, name):
                found[name] = [_id(name, part) for part in getattr(self, name).split(",")]
        for name, start, end in (
            ("issued_on", self.issued_from, self.issued_to),
            ("due_on", self.due_from, self.due_to),
        ):
            if start or end:
                found[name] = (start, end)
        return found


def _id(name: str, text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        raise Refusal("not_an_id", f"“{text[:40]}” is not the id of a record.", name) from None


class Issue(Order):
    send: bool = SchemaField(default=True, description="Ask for the mail too.")
    version: int | None = None


class Return(Order):
    reason: Words = SchemaField(description="What sales should change.")


class Dispute(Order):
    disputed: bool = True
    note: Words = ""
    version: int | None = None


class CreditedLine(Order):
    line: UUID = SchemaField(description="The id of a line of this invoice.")
    amount: Words = SchemaField(description="In the line's own terms: with tax where its price includes that.")
    description: Words = SchemaField(default="", description="The line's own unless given.")


class CreditWish(Order):
    lines: list[CreditedLine]
    reason: Words = SchemaField(default="", description="Printed on the credit note.")
    send: bool = SchemaField(default=False, description="Ask for the mail too.")


class Issued(Schema):
    invoices: list[UUID]


def _invoice(request: Request, invoice_id: UUID) -> dict[str, Any]:
    """The document with what its page shows: checks, sources, taxes and the mails that carried it."""
    row = queries.get_invoice(request.actor, invoice_id)
    more = {
        "checks": row.checks,
        "sources": row.sources,
        "touched": row.touched,
        "taxes": [{name: _amount(value) for name, value in tax.items()} for tax in row.taxes],
        "instalments": [{name: _amount(value) for name, value in one.items()} for one in row.instalments],
        "early_discount": _discount(row.early_discount),
        "mails": row.mails,
        "credits": [{name: _amount(value) for name, value in one.items()} for one in row.credits],
        "pdf_hash": row.pdf_hash,
    }
    return row_json(row, **more)


def _discount(early: EarlyDiscount | None) -> dict[str, Any] | None:
    if early is None:
        return None
    return {"until": early.until, "amount": _amount(early.amount), "pay": _amount(early.pay)}


def _amount(value: Any) -> Any:
    return plain(value.amount) if isinstance(value, Money) else plain(value)


@router.get("/invoices", response=page_of(INVOICE), summary="List drafts and invoices")
def list_invoices(request: Request, paging: Query[InvoiceFilters]) -> Any:
    rows = queries.invoices_after(
        request.actor, after=paging.after, take=paging.take, filters=paging.filters(), today=queries.local_today()
    )
    return paging.page(rows)


@router.post("/invoices", response={201: dict[str, Any]}, summary="Make a draft")
def add_draft(request: Request, values: schema_for(INVOICE, "create")) -> Any:  # type: ignore[valid-type]
    """What is left out comes from the account. A draft has no number; issuing gives it one."""
    invoice_id = commands.add_draft(
        actor=request.actor, values=values.values(), on=queries.local_today(), at=clock.now()
    )
    return Status(201, _invoice(request, invoice_id))


@router.post("/invoices/issue-clean", response=Issued, summary="Issue and send every clean draft")
def issue_clean(request: Request) -> Any:
    """Drafts on which nothing warns or blocks. 409 ``none_clean`` when there are none."""
    return {"invoices": commands.issue_clean(actor=request.actor, on=queries.local_today(), at=clock.now())}


@router.get("/invoices/{uuid:invoice_id}", response=dict[str, Any], summary="Get a draft or invoice")
def get_invoice(request: Request, invoice_id: UUID) -> Any:
    return _invoice(request, invoice_id)


@router.patch("/invoices/{uuid:invoice_id}", response=dict[str, Any], summary="Change a draft")
def change_draft(request: Request, invoice_id: UUID, values: schema_for(INVOICE, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    on = queries.day_of(invoice_id, clock.now())
    commands.change_draft(actor=request.actor, invoice_id=invoice_id, values=changes, version=version, on=on)
    return _invoice(request, invoice_id)


@router.delete("/invoices/{uuid:invoice_id}", response={204: None}, summary="Discard a draft made by hand")
def discard_draft(request: Request, invoice_id: UUID, version: int | None = None) -> Any:
    commands.discard_draft(actor=request.actor, invoice_id=invoice_id, version=version)
    return Status(204, None)


@router.post("/invoices/{uuid:invoice_id}/return", response=dict[str, Any], summary="Return a draft to sales")
def return_draft(request: Request, invoice_id: UUID, given: Return) -> Any:
    commands.return_drafts(actor=request.actor, invoice_ids=[invoice_id], reason=given.reason, at=clock.now())
    return _invoice(request, invoice_id)


@router.post("/invoices/{uuid:invoice_id}/issue", response=dict[str, Any], summary="Issue a draft, and send it")
def issue_invoice(request: Request, invoice_id: UUID, given: Issue | None = None) -> Any:
    """Gives the number and makes the document final. With ``send``, its mail follows from a job."""
    wish = given or Issue()
    commands.issue_invoices(
        actor=request.actor,
        invoice_ids=[invoice_id],
        on=queries.day_of(invoice_id, clock.now()),
        at=clock.now(),
        send=wish.send,
        versions={invoice_id: wish.version} if wish.version is not None else None,
    )
    return _invoice(request, invoice_id)


@router.post(
    "/invoices/{uuid:invoice_id}/send", response=dict[str, Any], summary="Send an invoice, again if it was sent"
)
def send_invoice(request: Request, invoice_id: UUID) -> Any:
    commands.send_invoices(actor=request.actor, invoice_ids=[invoice_id], at=clock.now())
    return _invoice(request, invoice_id)


@router.post("/invoices/{uuid:invoice_id}/credit", response={201: dict[str, Any]}, summary="Issue a credit note")
def credit_invoice(request: Request, invoice_id: UUID, given: CreditWish) -> Any:
    """Takes back lines of an issued invoice, in whole or in part, and answers the credit note.

    422 ``more_than_left`` where less is left of a line. What the invoice does not owe becomes money of its payer.
    """
    queries.get_invoice(request.actor, invoice_id)
    order = clean_credit(invoice_id, [dict(line) for line in given.lines], given.reason)
    on = queries.day_of(invoice_id, clock.now())
    (note_id,) = commands.credit(actor=request.actor, orders=[order], on=on, at=clock.now(), send=given.send)
    return Status(201, _invoice(request, note_id))


@router.post("/invoices/{uuid:invoice_id}/dispute", response=dict[str, Any], summary="Note a dispute, or its end")
def dispute_invoice(request: Request, invoice_id: UUID, given: Dispute) -> Any:
    commands.dispute_invoice(
        actor=request.actor,
        invoice_id=invoice_id,
        disputed=given.disputed,
        note=given.note,
        version=given.version,
    )
    return _invoice(request, invoice_id)


@router.get("/invoices/{uuid:invoice_id}/document.pdf", summary="The stored document, byte by byte")
def get_document(request: Request, invoice_id: UUID) -> HttpResponse:
    name, content = queries.document_file(request.actor, invoice_id)
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


@router.get("/tax-rates", response=page_of(RATE), summary="List tax rates")
def list_tax_rates(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.tax_rates_after(request.actor, after=paging.after, take=paging.take))


@router.post("/tax-rates", response={201: schema_for(RATE)}, summary="Add a tax rate from a day on")
def add_tax_rate(request: Request, values: schema_for(RATE, "create")) -> Any:  # type: ignore[valid-type]
    """The open-ended rate of the same company, class and part ends before that day. A further part of a class is a
    further tax on its lines.
    """
    rate_id = commands.add_tax_rate(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_tax_rate(request.actor, rate_id)))


@router.get("/tax-rates/{uuid:rate_id}", response=schema_for(RATE), summary="Get a tax rate")
def get_tax_rate(request: Request, rate_id: UUID) -> Any:
    return row_json(queries.get_tax_rate(request.actor, rate_id))


@router.patch("/tax-rates/{uuid:rate_id}", response=schema_for(RATE), summary="Change a tax rate")
def change_tax_rate(request: Request, rate_id: UUID, values: schema_for(RATE, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_tax_rate(actor=request.actor, rate_id=rate_id, values=changes, version=version)
    return row_json(queries.get_tax_rate(request.actor, rate_id))


@router.get("/reference-fields", response=page_of(REFERENCE), summary="List the defined references")
def list_reference_fields(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.reference_fields_after(request.actor, after=paging.after, take=paging.take))


@router.post("/reference-fields", response={201: schema_for(REFERENCE)}, summary="Define a reference")
def add_reference_field(request: Request, values: schema_for(REFERENCE, "create")) -> Any:  # type: ignore[valid-type]
    """Deals, subscriptions and drafts hold its values under `reference_values` by its key: a number as decimal text, a
    date in ISO form.
    """
    field_id = commands.add_reference_field(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_reference_field(request.actor, field_id)))


@router.get("/reference-fields/{uuid:field_id}", response=schema_for(REFERENCE), summary="Get a defined reference")
def get_reference_field(request: Request, field_id: UUID) -> Any:
    return row_json(queries.get_reference_field(request.actor, field_id))


@router.patch(
    "/reference-fields/{uuid:field_id}", response=schema_for(REFERENCE), summary="Change or retire a reference"
)
def change_reference_field(request: Request, field_id: UUID, values: schema_for(REFERENCE, "change")) -> Any:  # type: ignore[valid-type]
    """Issued documents keep the name and value that they were issued with. Key and kind stay."""
    changes, version = values.change()
    commands.change_reference_field(actor=request.actor, field_id=field_id, values=changes, version=version)
    return row_json(queries.get_reference_field(request.actor, field_id))


@router.get("/series", response=page_of(SERIES), summary="List number series")
def list_series(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.series_after(request.actor, after=paging.after, take=paging.take))


@router.get("/series/{uuid:series_id}", response=schema_for(SERIES), summary="Get a number series")
def get_series(request: Request, series_id: UUID) -> Any:
    return row_json(queries.get_series(request.actor, series_id))


@router.patch("/series/{uuid:series_id}", response=schema_for(SERIES), summary="Change how documents are numbered")
def change_series(request: Request, series_id: UUID, values: schema_for(SERIES, "change")) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()
    commands.change_series(actor=request.actor, series_id=series_id, values=changes, version=version)
    return row_json(queries.get_series(request.actor, series_id))
