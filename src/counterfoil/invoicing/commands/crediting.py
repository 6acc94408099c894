"""Taking back what was issued, in whole or in part: credit notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, NotFound, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.core.money import Money, sum_of
from counterfoil.invoicing import events
from counterfoil.invoicing.blocks import seller_block
from counterfoil.invoicing.borne import labels_of, with_amounts
from counterfoil.invoicing.commands.delivery import ask_to_deliver
from counterfoil.invoicing.commands.issuing import number_documents, posted_entry
from counterfoil.invoicing.crediting import Credited, invoices_of_lines
from counterfoil.invoicing.models import (
    Credit,
    DocumentKind,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    LineKind,
    Origin,
)
from counterfoil.invoicing.rules.crediting import (
    Creditable,
    Wanted,
    after_credit,
    credit_taxes,
    problems_of,
    set_offs,
    whole_is_what_is_left,
)
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.invoicing.rules.totals import TaxKey
from counterfoil.ledger.commands import post
from counterfoil.ledger.queries import entities
from counterfoil.plumbing.bulk import insert_rows, one_trip, read_where, update_rows
from counterfoil.plumbing.outbox import emit, frame

REASON_MAX = 500
WHY_MAX, SHARE_MAX = 300, 60


@dataclass
class _Note:
    """A credit note in memory."""

    invoice: Invoice
    lines: list[InvoiceLine]
    taxes: list[InvoiceTax]
    credits: list[Credit]


@dataclass(frozen=True)
class HandedOver:
    """What was open on a credit note and is from now on money of its payer."""

    credit_note_id: UUID
    number: str
    account_id: UUID
    payer_id: UUID
    entity_id: UUID
    amount: Decimal
    currency: str


@command("invoicing.credit", needs="invoicing.issue")
def credit(*, actor: Actor, orders: Sequence[CreditOrder], on: date, at: datetime, send: bool) -> list[UUID]:
    """Issue one credit note per order: numbered, posted and, with ``send``, mailed. All or none.

    The lines of one order belong to one payer, company and currency, and may be of several invoices. Each invoice's
    part lowers what is open of it; what exceeds that stays open on the credit note, as money of the payer
    (``hand_over_credit``). Who asks for all of a line gets what is still charged of it, which is less where an early
    payment was allowed. Of an order of a subscription, lines below zero of the same invoices are taken back with the
    others where less is left of a rate than it gives back. Their figures are positive. A fixed number of statements,
    however many orders.
    """
    if not orders:
        return []
    credited = invoices_of_lines({line.invoice_line_id for order in orders for line in order.lines})
    notes = _notes(actor, orders, credited, on, at, send)
    number_documents([note.invoice for note in notes], on)
    _write(notes)
    with one_trip():
        update_rows(list(credited.invoices.values()), ["credited", "version"])
        insert_rows(one for note in notes for one in note.credits)
        post(actor=actor, entries=[posted_entry(note.invoice, on) for note in notes], at=at)
    for note in notes:
        _tell(note, credited, on)
    ask_to_deliver([note.invoice.pk for note in notes])
    return [note.invoice.pk for note in notes]


def _notes(
    actor: Actor, orders: Sequence[CreditOrder], credited: Credited, on: date, at: datetime, send: bool
) -> list[_Note]:
    """The credit notes one after the other, each on what those before it left."""
    current = frame.get()
    assert current is not None
    sellers = {entity_id: seller_block(entity) for entity_id, entity in entities().items()}
    lines = credited.lines
    problems: list[Problem] = []
    notes = []
    for place, order in enumerate(orders):
        path = f"{place}." if len(orders) > 1 else ""
        found = _problems(order, credited, path)
        if not found and order.origin == Origin.SUBSCRIPTION:
            order = _with_set_offs(order, credited, lines)
        wanted = [] if found else whole_is_what_is_left(_wanted(order, credited), lines)
        found += problems_of(wanted, lines, path)
        if found:
            problems += found
            continue
        taxes = credit_taxes(wanted, lines, credited.rate_taxes)
        lines = after_credit(lines, wanted, taxes)
        first = credited.invoices[lines[order.lines[0].invoice_line_id].invoice_id]
        invoice = _document(first, order, at)
        invoice.issued_on, invoice.due_on, invoice.issued_at, invoice.issued_by_name = on, on, at, actor.name
        invoice.command_run, invoice.seller = current.run, sellers[first.entity_id]
        invoice.send_requested_at = at if send else None
        note = _filled(invoice, order, wanted, taxes, credited)
        if invoice.total <= 0 or any(one.amount <= 0 for one in note.credits):
            text = "A credit note takes something back of each invoice that it names."
            problems.append(Problem(f"{path}lines", "nothing", text))
        notes.append(note)
    if problems:
        raise Refusal.of(problems)
    return notes


def _problems(order: CreditOrder, credited: Credited, path: str) -> list[Problem]:
    """What is wrong with an order before anything is worked out."""
    if not order.lines:
        return [Problem(f"{path}lines", "no_lines", "Say which lines are to be taken back.")]
    found = []
    if len(order.reason) > REASON_MAX:
        found.append(Problem(f"{path}reason", "too_long", f"A reason can have at most {REASON_MAX} characters."))
    if order.origin not in (Origin.MANUAL, Origin.SUBSCRIPTION):
        raise ValueError(order.origin)
    owners = set()
    for place, line in enumerate(order.lines):
        field = f"{path}lines.{place}"
        row = credited.rows.get(line.invoice_line_id)
        if row is None:
            found.append(Problem(f"{field}.line", "no_such_line", "This is no line of an issued invoice."))
            continue
        invoice = credited.invoices[row.invoice_id]
        owners.add((invoice.payer_id, invoice.entity_id, invoice.currency))
        if line.kind not in LineKind.values:
            found.append(Problem(f"{field}.kind", "not_a_choice", f"“{line.kind}” is no kind of line."))
        if len(line.why) > WHY_MAX or len(line.share) > SHARE_MAX or len(line.description) > WHY_MAX:
            found.append(Problem(f"{field}.why", "too_long", f"Words can have at most {WHY_MAX} characters."))
        try:
            Money.exact(line.amount, invoice.currency)
        except ValueError:
            text = f"{line.amount} is not an amount in {invoice.currency}."
            found.append(Problem(f"{field}.amount", "not_an_amount", text))
    if len(owners) > 1:
        text = "A credit note is for one payer, of one company and in one currency."
        found.append(Problem(f"{path}lines", "not_together", text))
    return found


def _wanted(order: CreditOrder, credited: Credited) -> list[Wanted]:
    return [
        Wanted(line.invoice_line_id, Money.exact(line.amount, credited.lines[line.invoice_line_id].said.currency))
        for line in order.lines
    ]


def _with_set_offs(order: CreditOrder, credited: Credited, lines: Mapping[UUID, Creditable]) -> CreditOrder:
    """An end must always be possible: what its invoices gave on lines of their own is set off where credits by hand
    left less than it gives back.
    """
    more = tuple(
        CreditLine(
            invoice_line_id=one.line_id,
            amount=one.amount.amount,
            description=credited.rows[one.line_id].description,
            kind=LineKind.PRORATION_CHARGE,
            service_from=credited.rows[one.line_id].service_from,
            service_to=credited.rows[one.line_id].service_to,
            why="Given already on the same invoice",
        )
        for one in set_offs(_wanted(order, credited), lines)
    )
    return replace(order, lines=(*order.lines, *more)) if more else order


def _document(first: Invoice, order: CreditOrder, at: datetime) -> Invoice:
    """The credit note for whom the first credited invoice was, as it was printed there."""
    return Invoice(
        id=new_id(),
        created_at=at,
        kind=DocumentKind.CREDIT_NOTE,
        status=InvoiceStatus.ISSUED,
        origin=order.origin,
        entity_id=first.entity_id,
        account_id=first.account_id,
        invoiced_account_id=first.invoiced_account_id,
        payer_id=first.payer_id,
        send_to_id=first.send_to_id,
        sales_owner_id=first.sales_owner_id,
        language=first.language,
        currency=first.currency,
        delivery_channel=first.delivery_channel,
        po_number=first.po_number,
        references=first.references,
        reference_values=first.reference_values,
        reference_facts=first.reference_facts,
        tax_profile=first.tax_profile,
        tax_exemption_reason=first.tax_exemption_reason,
        notes=order.reason,
        party=first.party,
    )


def _filled(
    invoice: Invoice,
    order: CreditOrder,
    wanted: Sequence[Wanted],
    taxes: Sequence[Sequence[Money]],
    credited: Credited,
) -> _Note:
    """The document with its lines, its taxes per rate, and what it takes back of each invoice."""
    zero = Money.zero(invoice.currency)
    lines: list[InvoiceLine] = []
    bases: dict[TaxKey, tuple[Money, Money]] = {}
    words: dict[TaxKey, tuple[str, str]] = {}
    parts: dict[UUID, Money] = {}
    net = tax_sum = zero
    for place, (asked, one, own) in enumerate(zip(order.lines, wanted, taxes, strict=True), 1):
        old, line, amount = credited.rows[one.line_id], credited.lines[one.line_id], one.amount
        new = _line(invoice, place, old, asked.description or old.description, amount, own)
        lines.append(new)
        new.id = asked.line_id or new.id
        if asked.quantity is not None and asked.unit_price is not None:
            new.quantity, new.unit_price, new.unit = asked.quantity, asked.unit_price, old.unit
        new.kind, new.share, new.why = asked.kind, asked.share, asked.why
        new.service_from, new.service_to = asked.service_from, asked.service_to
        borne = list(zip(line.taxes, own, labels_of(old), strict=True))
        base = amount - sum_of((tax for key, tax, _ in borne if key.included), invoice.currency)
        for key, tax, label in borne:
            before = bases.get(key, (zero, zero))
            bases[key] = (before[0] + base, before[1] + tax)
            words.setdefault(key, (label, credited.reasons.get((line.invoice_id, key), "")))
        whole = sum_of(own, invoice.currency)
        net, tax_sum = net + base, tax_sum + whole
        parts[line.invoice_id] = parts.get(line.invoice_id, zero) + base + whole
    invoice.net, invoice.tax, invoice.total = net.amount, tax_sum.amount, (net + tax_sum).amount
    rows = [_tax_row(invoice, key, *pair, *words[key]) for key, pair in bases.items()]
    return _Note(invoice, lines, rows, list(_credits(invoice, parts, credited)))


def _line(
    invoice: Invoice, position: int, old: InvoiceLine, text: str, amount: Money, taxes: Sequence[Money]
) -> InvoiceLine:
    """A line that takes back another: with its quantity and price where it is taken back whole, else one of a sum."""
    is_whole = amount.amount == old.net
    return InvoiceLine(
        id=new_id(),
        created_at=invoice.created_at,
        invoice=invoice,
        position=position,
        product_id=old.product_id,
        description=text,
        quantity=old.quantity if is_whole else Decimal(1),
        unit=old.unit if is_whole else "",
        unit_price=old.unit_price if is_whole else amount.amount,
        discount_percent=old.discount_percent if is_whole else Decimal(0),
        tax_class=old.tax_class,
        tax_label=old.tax_label,
        tax_percent=old.tax_percent,
        tax_category=old.tax_category,
        tax_included=old.tax_included,
        net=amount.amount,
        tax=taxes[0].amount,
        more_taxes=with_amounts(old.more_taxes, taxes[1:]),
        is_net_given=True,
        subscription_id=old.subscription_id,
        subscription_item_id=old.subscription_item_id,
        credits_line_id=old.pk,
    )


def _tax_row(invoice: Invoice, key: TaxKey, base: Money, amount: Money, label: str, reason: str) -> InvoiceTax:
    return InvoiceTax(
        invoice=invoice,
        created_at=invoice.created_at,
        category=key.category,
        percent=key.percent,
        included=key.included,
        again=key.again,
        label=label,
        base=base.amount,
        amount=amount.amount,
        reason=reason,
    )


def _credits(invoice: Invoice, parts: dict[UUID, Money], credited: Credited) -> Iterable[Credit]:
    """Each invoice's part, and how much of it lowers what is open. Raises ``credited`` and ``settled`` in memory."""
    for invoice_id, amount in parts.items():
        old = credited.invoices[invoice_id]
        applied = min(amount.amount, old.open)
        old.credited += applied
        old.version += 1
        invoice.settled += applied
        yield Credit(
            id=new_id(),
            credit_note=invoice,
            invoice=old,
            amount=amount.amount,
            applied=applied,
            currency=invoice.currency,
            created_at=invoice.created_at,
        )


def _write(notes: Sequence[_Note]) -> None:
    """Write the documents. Lines and taxes go first: those of one that is there and issued could not be added any
    more.
    """
    try:
        with one_trip():
            insert_rows(line for note in notes for line in note.lines)
            insert_rows(tax for note in notes for tax in note.taxes)
            insert_rows(note.invoice for note in notes)
    except IntegrityError as error:
        if "number_once" not in str(error):
            raise
        text = "A credit note with this number is here already. Change the pattern of the series in the settings."
        raise Conflict("number_taken", text, "series") from None


def _tell(note: _Note, credited: Credited, on: date) -> None:
    invoice = note.invoice
    emit(
        events.CreditNoteIssued(
            invoice_id=invoice.pk,
            account_id=invoice.account_id,
            payer_id=invoice.payer_id,
            number=invoice.number,
            total=invoice.total,
            open=Money.exact(invoice.open, invoice.currency).amount,
            currency=invoice.currency,
            issued_on=on,
            invoice_ids=tuple(one.invoice.pk for one in note.credits),
        )
    )
    for one in note.credits:
        old = credited.invoices[one.invoice.pk]
        emit(
            events.InvoiceCredited(
                invoice_id=old.pk,
                account_id=old.account_id,
                deal_id=old.deal_id,
                number=old.number,
                credit_note=invoice.number,
                amount=one.amount,
                open=Money.exact(old.open, old.currency).amount,
                currency=old.currency,
            )
        )


@command("invoicing.hand_over_credit", needs="payments.record")
def hand_over_credit(*, actor: Actor, credit_note_ids: Sequence[UUID]) -> list[HandedOver]:
    """Settle what is open on credit notes, since it becomes money of their payers. Posts nothing: the caller does.

    In the order of their ids; those on which nothing is open are left out.
    """
    issued = "id = ANY(%s) AND kind = 'credit_note' AND status = 'issued'"
    notes = read_where(Invoice, issued, list(credit_note_ids), order="id", lock=True)
    if len(notes) < len(set(credit_note_ids)):
        raise NotFound("One of the credit notes does not exist.", "credit_notes")
    open_ones = [note for note in notes if note.open]
    found_open = [
        HandedOver(note.pk, note.number, note.account_id, note.payer_id, note.entity_id, note.open, note.currency)
        for note in open_ones
    ]
    for note in open_ones:
        note.settled = note.total
        note.version += 1
    update_rows(open_ones, ["settled", "version"])
    return found_open
